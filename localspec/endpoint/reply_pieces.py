"""From the tokens of a reply to what is sent of it: what was thought, text up to a stop text, calls of tools,
probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Protocol

from localspec.chat.reply_stream import ReplyPart
from localspec.chat.text_stream import TextStream
from localspec.chat.token_probabilities import TokenProbability
from localspec.endpoint.stops import StopText
from localspec.endpoint.tool_calls import CallPiece, ToolCallReader


@dataclass(frozen=True, slots=True)
class TokenText:
    """A token as text and bytes, with the natural logarithm of its probability."""

    text: str
    bytes: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class ToldToken:
    """A token of the reply with the likeliest ones at its place; `offset` is where it begins in the text."""

    token: TokenText
    top: tuple[TokenText, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class ReplyPiece:
    """More of a reply: text, or a part of a call, what was thought, and the tokens that are told of."""

    text: str = ""
    thinking: str = ""
    call: CallPiece | None = None
    tokens: tuple[ToldToken, ...] = ()


class ReplyTexts(Protocol):
    """Makes text of tokens, what was thought apart from what was answered."""

    def add(self, tokens: Sequence[int]) -> list[ReplyPart]:
        """What each of these tokens completed."""

    def finish(self) -> ReplyPart:
        """What was held back."""


class AllText:
    """All tokens as text: what goes on with a text thinks nothing."""

    def __init__(self, piece: Callable[[int], bytes]) -> None:
        self._stream = TextStream(piece)

    def add(self, tokens: Sequence[int]) -> list[ReplyPart]:
        """What each of these tokens completed."""
        return [ReplyPart(answer=part) for part in self._stream.add_each(tokens)]

    def finish(self) -> ReplyPart:
        """What is left of a cut character, as a replacement mark."""
        return ReplyPart(answer=self._stream.finish())


class ReplyPieces:
    """Takes a reply's tokens, and gives what can be sent."""

    def __init__(
        self,
        piece: Callable[[int], bytes],
        stops: Sequence[str] = (),
        calls: ToolCallReader | None = None,
        texts: ReplyTexts | None = None,
    ) -> None:
        """`piece` gives a token's bytes. `calls` finds calls of tools, where some were offered. `texts` tells what was
        thought; without it, all is text."""
        self._piece = piece
        self._texts = texts or AllText(piece)
        self.thought = 0
        """tokens before anything was answered, where something was thought"""
        self._stops = StopText(stops)
        self._calls = calls
        self._ends: list[int] = []
        """for each token, how many characters are there with it"""
        self._passed = 0  # characters that went past the stop texts
        self._told = 0

    @property
    def is_stopped(self) -> bool:
        """True once a stop text was found."""
        return self._stops.found

    @property
    def has_calls(self) -> bool:
        """True once a tool was called."""
        return self._calls is not None and self._calls.count > 0

    @property
    def written(self) -> int:
        """Tokens up to the end of the stop text that was found."""
        length = self._stops.length
        return next((number for number, end in enumerate(self._ends, start=1) if end >= length), len(self._ends))

    def add(self, tokens: Sequence[int], known: Sequence[TokenProbability] = ()) -> Iterator[ReplyPiece]:
        """What can be sent now that `tokens` have come. `known` are those of the whole reply so far."""
        before = self._ends[-1] if self._ends else 0
        parts = self._texts.add(tokens)
        self._ends += [before + length for length in accumulate(len(part.answer) for part in parts)]
        thinking = "".join(part.thinking for part in parts)
        if (thinking or self.thought) and self._ends and not before:
            self.thought = sum(not end for end in self._ends)
        text = self._stops.add("".join(part.answer for part in parts))
        yield from self._send(text, known, thinking, last=False)

    def finish(self, known: Sequence[TokenProbability] = ()) -> Iterator[ReplyPiece]:
        """The rest; call at the end of the reply, also where it was stopped."""
        rest = self._texts.finish()
        text = self._stops.add(rest.answer)
        yield from self._send(text + self._stops.finish(), known, rest.thinking, last=True)

    def _send(self, text: str, known: Sequence[TokenProbability], thinking: str, *, last: bool) -> Iterator[ReplyPiece]:
        self._passed += len(text)
        told = self._tell(known, last=last)
        found: list[str | CallPiece] = [text] if text else []
        if self._calls is not None:
            found = self._calls.add(text)
            if last:
                found += self._calls.finish()
        pieces = [ReplyPiece(one) if isinstance(one, str) else ReplyPiece(call=one) for one in found]
        if thinking:
            pieces.insert(0, ReplyPiece(thinking=thinking))
        if told:
            pieces[:1] = [replace(pieces[0] if pieces else ReplyPiece(), tokens=told)]
        yield from pieces

    def _tell(self, known: Sequence[TokenProbability], *, last: bool) -> tuple[ToldToken, ...]:
        """The tokens of the text that has passed; in the end those that it holds a part of, too."""
        told = []
        while self._told < min(len(self._ends), len(known)):
            begin = self._ends[self._told - 1] if self._told else 0
            end = self._ends[self._told]
            is_cut = self.is_stopped and begin >= self._passed
            if is_cut or (end > self._passed and not last):
                break
            one = known[self._told]
            top = tuple(self._text(token, logprob) for token, logprob in one.top)
            told.append(ToldToken(self._text(one.token, one.logprob), top, begin))
            self._told += 1
        return tuple(told)

    def _text(self, token: int, logprob: float) -> TokenText:
        data = self._piece(token)
        return TokenText(data.decode("utf-8", "replace"), data, logprob)
