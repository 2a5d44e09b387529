"""From the tokens of a reply to what is sent of it: text up to a stop text, calls of tools, probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

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
    """More of a reply: text, or a part of a call, and the tokens that are told of."""

    text: str = ""
    call: CallPiece | None = None
    tokens: tuple[ToldToken, ...] = ()


class ReplyPieces:
    """Takes a reply's tokens, and gives what can be sent."""

    def __init__(
        self, piece: Callable[[int], bytes], stops: Sequence[str] = (), calls: ToolCallReader | None = None
    ) -> None:
        """`piece` gives a token's bytes. `calls` finds calls of tools, where some were offered."""
        self._piece = piece
        self._stream = TextStream(piece)
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
        parts = self._stream.add_each(tokens)
        self._ends += [before + length for length in accumulate(map(len, parts))]
        yield from self._send(self._stops.add("".join(parts)), known, last=False)

    def finish(self, known: Sequence[TokenProbability] = ()) -> Iterator[ReplyPiece]:
        """The rest; call at the end of the reply, also where it was stopped."""
        rest = self._stream.finish()
        text = self._stops.add(rest)
        yield from self._send(text + self._stops.finish(), known, last=True)

    def _send(self, text: str, known: Sequence[TokenProbability], *, last: bool) -> Iterator[ReplyPiece]:
        self._passed += len(text)
        told = self._tell(known, last=last)
        found: list[str | CallPiece] = [text] if text else []
        if self._calls is not None:
            found = self._calls.add(text)
            if last:
                found += self._calls.finish()
        pieces = [ReplyPiece(one) if isinstance(one, str) else ReplyPiece(call=one) for one in found]
        if told:
            first = pieces[0] if pieces else ReplyPiece()
            pieces[:1] = [ReplyPiece(first.text, first.call, told)]
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
