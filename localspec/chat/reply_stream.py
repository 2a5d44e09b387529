"""From tokens to text while they arrive: what a model thinks apart from what it answers.

Thinking comes first, between marks: `<think>`, `[THINK]` and the like, where the prompt may hold the opening one
already (DeepSeek R1), or in messages to channels of their own (gpt-oss's harmony format,
https://developers.openai.com/cookbook/articles/openai-harmony). Marks inside an answer are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.chat.text_stream import CUT, TextStream

_TAGS = {
    "<think>": "</think>", "[THINK]": "[/THINK]", "<seed:think>": "</seed:think>", "<thinking>": "</thinking>",
    "<|START_THINKING|>": "<|END_THINKING|>", "<|channel>thought": "<channel|>",
}  # fmt: skip
"""Marks around what is thought: of most makers; Mistral; ByteDance; Nous; Cohere; Gemma 4."""
_WRAPPERS = {"<response>": "</response>", "<|START_RESPONSE|>": "<|END_RESPONSE|>"}
"""Marks around the answer behind it: Granite 3, Cohere."""
_START, _CHANNEL, _CONSTRAIN, _BODY, _END = "<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>"
_HARMONY = (_START, _CHANNEL, _CONSTRAIN, _BODY, _END)
_NAMED = (*_HARMONY, *(mark for pair in (_TAGS, _WRAPPERS) for each in pair.items() for mark in each))
_TAIL = 8
"""Tokens of a prompt's end in which an opening mark may stand, space behind it included."""


class Vocabulary(Protocol):
    """The part of a model that turns ids into text."""

    def piece(self, token: int) -> bytes:
        """The bytes of a token; control tokens give none."""

    def tokenize(self, text: str, *, special: bool = False) -> NDArray[np.int32]:
        """Ids of `text`; `special` lets control tokens in it count."""


@dataclass(frozen=True, slots=True)
class ReplyPart:
    """What one token brought."""

    thinking: str = ""
    answer: str = ""


class Marks:
    """The marks of one model's thinking."""

    def __init__(self, vocabulary: Vocabulary, template: str) -> None:
        """`template` is the model's, from which it is known whether it thinks."""
        self._vocabulary = vocabulary
        self._names: dict[int, bytes] = {}
        for name in _NAMED:
            ids = vocabulary.tokenize(name, special=True).tolist()
            if len(ids) == 1 and not vocabulary.piece(ids[0]):
                self._names[ids[0]] = name.encode()
        self.has_channels = _CHANNEL in template and _BODY in template
        """True for gpt-oss's format"""
        self.thinks = self.has_channels or any(mark in template for pair in _TAGS.items() for mark in pair)
        """True where the template speaks of thinking"""

    def piece(self, token: int) -> bytes:
        """The bytes of a token; those of the marks that are control tokens too."""
        return self._vocabulary.piece(token) or self._names.get(token, b"")

    def opened(self, prompt: Sequence[int]) -> str:
        """The opening mark that a prompt of these ids ends with; "" for none."""
        end = b"".join(map(self.piece, prompt[-_TAIL:])).decode("utf-8", "replace").rstrip()
        return next((tag for tag in _TAGS if end.endswith(tag)), "")


class ReplyStream:
    """The reply so far, as `thinking` and `text`."""

    def __init__(
        self, marks: Marks, prompt: Sequence[int], tokens: Iterable[int] = (), thinking: str = "", text: str = ""
    ) -> None:
        """`prompt` are the ids before the reply. Go on behind `tokens`, which were shown as `thinking` and `text`."""
        self._characters = TextStream(marks.piece)
        self._splitter = _Splitter(marks, marks.opened(prompt))
        self.thinking = self.text = ""
        self.thinking_tokens = 0
        """how many of the first tokens brought nothing of the answer; 0 where it began without a mark"""
        self.add(tokens)
        self.text = self._shown(self.text, text)
        self.thinking = self._shown(self.thinking, thinking)

    def add(self, tokens: Iterable[int]) -> list[ReplyPart]:
        """What each of these tokens completed."""
        parts = []
        for token in tokens:
            part = self._splitter.add(self._characters.add([token]))
            self._take(part)
            if not self.text:
                self.thinking_tokens += 1
            elif not self._splitter.marked:
                self.thinking_tokens = 0
            parts.append(part)
        return parts

    def finish(self) -> ReplyPart:
        """What was held back: the beginning of a mark, or a cut character as a replacement mark."""
        more = self._splitter.add(self._characters.finish())
        rest = self._splitter.finish()
        whole = ReplyPart(more.thinking + rest.thinking, more.answer + rest.answer)
        self._take(whole)
        return whole

    def _shown(self, made: str, shown: str) -> str:
        """What was `made` of the tokens before, without what is still held back; where something else was shown, as of
        a chat that was imported, that."""
        held = self._splitter.held
        return made if shown in (made, made + held, made + held + CUT, made + CUT) else shown

    def _take(self, part: ReplyPart) -> None:
        self.thinking += part.thinking
        self.text += part.answer


class _Splitter:
    """Text in, thinking and answer out, character by character as far as no mark can begin there."""

    def __init__(self, marks: Marks, opened: str) -> None:
        self._thinks = marks.thinks
        self._channels = marks.has_channels
        self.held = ""
        self._closing = _TAGS.get(opened, "")  # the mark that ends what is being thought
        self._ending = ""  # the mark that ends the answer
        self._state = self._thinking if opened else self._beginning
        self.marked = bool(opened)
        """whether a mark came before the answer"""
        self._said = False  # anything of this thought
        self._answered = False
        self._out: tuple[list[str], list[str]] = ([], [])

    def add(self, text: str) -> ReplyPart:
        """What is certain now."""
        self._out = ([], [])
        if text:
            self.held += text
            while self._state():
                pass
        return ReplyPart("".join(self._out[0]), "".join(self._out[1]))

    def finish(self) -> ReplyPart:
        """What was held back; a header that did not end is nothing."""
        self._out = ([], [])
        if self._state == self._thinking:
            self._think(self.held)
        elif self._state in (self._answering, self._beginning):
            self._answer(self.held)
        self.held = ""
        return ReplyPart("".join(self._out[0]), "".join(self._out[1]))

    # -- states: each returns True where there is more to look at --------------------------------------------------

    def _beginning(self) -> bool:
        """Before anything but space."""
        begun = self.held.lstrip()
        if self._channels:
            if _starts(begun, (_CHANNEL, _START, _BODY, " to=")):
                self._state, self.marked = self._header, True
                return True
        else:
            tag = next((tag for tag in _TAGS if begun.startswith(tag)), "")
            if tag:
                self._closing, self.held = _TAGS[tag], begun[len(tag) :]
                self._state, self.marked = self._thinking, True
                return True
        if not begun and not self._thinks:
            self._answer(self.held)
            self.held = ""
            return False
        if not begun or _could_start(begun, _HARMONY if self._channels else tuple(_TAGS)):
            return False
        self._state = self._answering
        return True

    def _thinking(self) -> bool:
        """Behind an opening mark."""
        before, found, behind = self.held.partition(self._closing)
        if found:
            self._think(before)
            self.held = behind
            self._state, self._said = (self._header if self._channels else self._between), False
            return True
        keep = _overlap(self.held, self._closing)
        self._think(self.held[: len(self.held) - keep])
        self.held = self.held[len(self.held) - keep :]
        return False

    def _between(self) -> bool:
        """Between thinking and answer."""
        self.held = self.held.lstrip()
        wrapper = next((mark for mark in _WRAPPERS if self.held.startswith(mark)), "")
        if wrapper:
            self.held, self._ending = self.held[len(wrapper) :].lstrip(), _WRAPPERS[wrapper]
        elif not self.held or _could_start(self.held, tuple(_WRAPPERS)):
            return False
        self._state = self._answering
        return True

    def _answering(self) -> bool:
        """In the answer."""
        ending = _END if self._channels else self._ending
        before, found, behind = self.held.partition(ending) if ending else (self.held, "", "")
        if found:
            self._answer(before)
            self.held = behind
            self._state = self._header if self._channels else self._over
            return True
        keep = _overlap(self.held, ending) if ending else 0
        self._answer(self.held[: len(self.held) - keep])
        self.held = self.held[len(self.held) - keep :]
        return False

    def _header(self) -> bool:
        """In the header of a message to a channel."""
        header, found, body = self.held.partition(_BODY)
        if not found:
            return False
        channel = re.search(re.escape(_CHANNEL) + r"\s*(\w+)", header)
        self.held = body
        if " to=" in header:  # a call of a tool stays as it is, for those who read it
            self._answer(header + _BODY)
            self._state = self._answering
        elif channel is not None and channel[1] == "analysis":
            self._closing, self._state = _END, self._thinking
        else:
            if self._answered:
                self._answer("\n\n")
            self._state = self._answering
        return True

    def _over(self) -> bool:
        """Behind the mark that ends the answer."""
        self.held = ""
        return False

    def _think(self, text: str) -> None:
        text = text if self._said else text.lstrip()
        self._said = self._said or bool(text)
        self._out[0].append(text)

    def _answer(self, text: str) -> None:
        self._answered = self._answered or bool(text)
        self._out[1].append(text)


def answer_tokens(reply: str, tokens: Sequence[int], skip: int, vocabulary: Vocabulary) -> NDArray[np.int32] | None:
    """The tokens of an answer: those behind the first `skip`, unless they are another text than `reply`, as where one
    token holds the end of thinking and the first word."""
    ids = np.array(tokens[skip:], dtype=np.int32)
    if skip and b"".join(map(vocabulary.piece, ids.tolist())).decode("utf-8", "replace").strip() != reply.strip():
        return None
    return ids


def _starts(text: str, marks: Iterable[str]) -> bool:
    return any(text.startswith(mark) for mark in marks)


def _could_start(text: str, marks: Iterable[str]) -> bool:
    """True while `text` is the beginning of a mark."""
    return any(len(text) < len(mark) and mark.startswith(text) for mark in marks)


def _overlap(text: str, mark: str) -> int:
    """How many characters at the end of `text` a mark could begin with."""
    return next((size for size in range(min(len(text), len(mark) - 1), 0, -1) if text.endswith(mark[:size])), 0)
