"""What of a conversation goes into the next prompt: what fits, what is pinned, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from localspec import texts
from localspec.chat import material
from localspec.chat.context_usage import ContextUsage, measure
from localspec.chat.engine import Engine
from localspec.chat.material import DOCUMENT_SYSTEM, PLAIN_SYSTEM, Given, Material
from localspec.chat.methods import without_draft
from localspec.chat.reply_stream import answer_tokens
from localspec.chat.template import Extras, Message
from localspec.chat.turn import ReplyOptions, Turn
from localspec.errors import ContextTooLongError, SettingsError
from localspec.stores.library import DocumentInfo, Library

LEAST_REPLY = 64
"""Tokens that must be left for an answer; earlier turns are left out to make room."""
ROOM_SHARE = 0.4
"""Turns are left out until this share of the context is free: rarely, but several at once, as the prefix is lost."""
SYSTEM_TOKENS = 128
"""Room for the built-in system prompt and the template's own tokens; one's own prompt comes on top."""
WHOLE_MARGIN = 0.125
"""Where turns make way for documents that are read whole, this share of the context stays free: rarely, as above."""
_QUESTION_TOKENS = 64
_TURN_FRAME = 16
"""Tokens of the template around a question and its answer, at most."""


def whole_room(size: int) -> int:
    """Tokens of documents that surely fit whole into a context of this size, with a short question and the longest
    answer that room is kept for."""
    return size - max(LEAST_REPLY, size // 8) - SYSTEM_TOKENS - _QUESTION_TOKENS


@dataclass(slots=True)
class Selection:
    """Which turns of a conversation are in its prompt, and what was sent with them."""

    forgotten: int = 0  # the first so many turns are left out
    pinned: int = -1
    """position of the turn whose documents are read whole: it stays when others around it are left out; -1 for none"""
    given: Given = field(default_factory=Given)

    def copy(self) -> Selection:
        """As it is now, to return to when a question fails."""
        return replace(self, given=self.given.copy())


class PromptBuilder:
    """Builds the prompts of one conversation: token ids [n] that end where the answer begins."""

    def __init__(
        self,
        engine: Engine,
        library: Library | None,
        system: str,
        turns: list[Turn],
        selection: Selection | None = None,
    ) -> None:
        """`turns` stay the caller's, who adds to them. `system` replaces the built-in system prompt where it is not
        empty. `selection` is that of a conversation which this one begins as a copy of."""
        self.system = system
        self.thinking = ""
        """how the model is told to think, as in `ReplyOptions`: as the last question was asked"""
        self.turns = turns
        self._engine = engine
        self._library = library
        self._identity = library.identity if library is not None else ""
        self._size = engine.model.context_size
        self._count = lru_cache(maxsize=512)(lambda text: len(engine.tokenize(text)))
        self.selection = selection or Selection()
        if selection is None:
            self.refresh()

    def compose(self, question: str, options: ReplyOptions) -> tuple[Turn, NDArray[np.int32]]:
        """A turn for this question, and the prompt that ends with it, without the oldest turns where room runs short.
        Raises SettingsError, ContextTooLongError."""
        question = question.strip()
        if not question:
            raise SettingsError("The question is empty.", "Enter a question.")
        if options.system is not None:
            self.system = options.system
        self.thinking = options.thinking
        reserve = self._reserve(options)
        whole = options.whole
        wanted = whole is not None and options.documents != "none"
        documents, left_out = material.wanted_whole(self._library, whole or ()) if wanted else ([], [])
        if documents:
            self._make_room(documents, question, reserve)
        else:
            self._pin(-1)
            self._forget_oldest(question, reserve)
        while True:
            turn = self._turn(question, documents, reserve, options.documents)
            prompt = self._prompt(self._kept(), turn)
            if len(prompt) + min(reserve, LEAST_REPLY) < self._size:
                break
            if self.selection.forgotten >= len(self.turns) and self.selection.pinned < 0:
                if documents:
                    raise self._too_long(documents, question, reserve)
                advice = "Ask a shorter question, or load the model with a larger context."
                raise self._outgrown("question with its text", prompt, advice)
            self._pin(-1)
            self._forget(len(self.turns))
        turn.window = self._usage(turn, len(prompt))
        turn.method = options.method
        turn.notices = [*left_out, *turn.notices, *self._notices(turn)]
        return turn, prompt

    def compose_on(self, options: ReplyOptions) -> NDArray[np.int32]:
        """The prompt that ends with the last answer so far; the rest as in `compose`. Raises ContextTooLongError."""
        turn, last = self.turns[-1], len(self.turns) - 1
        if turn.made_with is not None:
            self.thinking = turn.made_with.options.thinking
        reserve = self._reserve(options)
        reply = np.array(turn.reply_tokens, dtype=np.int32)
        while True:
            prompt = np.concatenate([self._prompt(self._kept(end=last), turn), reply])
            if len(prompt) + reserve < self._size or self.selection.forgotten >= last:
                break
            self.selection.forgotten += 1
        if len(prompt) + min(reserve, LEAST_REPLY) < self._size:
            turn.window = self._usage(turn, len(prompt) - len(reply))
            return prompt
        advice = "Start a new chat, or load the model with a larger context."
        raise self._outgrown("question with its answer", prompt, advice)

    def compose_again(self, thinking: str | None = None) -> NDArray[np.int32]:
        """That of the last answer, made with this `ReplyOptions.thinking`, None for that of the last question; of a
        chat from disk, as little as can be is left out. Raises as `compose_on`."""
        if thinking is not None:
            self.thinking = thinking
        last = len(self.turns) - 1
        turn = replace(self.turns[last], reply="", reply_tokens=[], thinking="", thinking_tokens=0)
        forgotten = min(self.selection.forgotten, last)
        room = min(LEAST_REPLY, len(self.turns[last].reply_tokens))
        while True:
            prompt = self._prompt(self._kept(forgotten, last), turn)
            if len(prompt) + room <= self._size or forgotten >= last:
                break
            forgotten += 1
        if len(prompt) >= self._size:
            raise self._outgrown("question with its text", prompt, "Load the model with a larger context.")
        return prompt

    def cut(self, turns: int) -> None:
        """All but the first `turns` turns were taken back, or are others now."""
        if self.selection.forgotten >= turns:
            self.selection.forgotten = 0
        if self.selection.pinned >= turns:
            self.selection.pinned = -1
        self.refresh()

    def refresh(self) -> None:
        """See again what the turns that are not left out were sent with."""
        forgotten, pinned = self.selection.forgotten, self.selection.pinned
        given = Given()
        first: dict[int, int] = {}
        for position, turn in enumerate(self.turns):
            for made in turn.given:
                given.add(made)
            # A turn without an answer is in no prompt, so its text was not sent.
            if turn.library != self._identity or not turn.is_answered:
                continue
            for made in turn.given:
                first.setdefault(made.number, position)
            if position >= forgotten or position == pinned:
                given.documents.update(turn.documents)
        for citation in given.citations:
            position = first.get(citation.number, -1)
            if citation.source and (position >= forgotten or 0 <= position == pinned):
                given.numbers[citation.source] = citation.number
        self.selection.given = given

    # -- the prompt ---------------------------------------------------------------------------------------------

    def _turn(self, question: str, documents: list[DocumentInfo], reserve: int, uses: str) -> Turn:
        """The question as it is sent with these documents whole, or with what suits it as `DOCUMENT_USES` says."""
        given = self.selection.given
        known = set(given.documents)
        message = Material(question) if uses == "none" else self._material(question, documents, reserve, uses)
        return Turn(
            question,
            message.content,
            given=message.citations,
            notices=list(message.notices),
            tokenizer=self._engine.tokenizer_fingerprint,
            library=self._identity,
            asked=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            documents=tuple(sorted(given.documents - known)),
            document_use="" if uses != "none" else uses,
        )

    def _material(self, question: str, documents: list[DocumentInfo], reserve: int, uses: str) -> Material:
        given = self.selection.given
        if documents and self._library is not None:
            return material.compose_whole(question, self._library, documents, given)
        room = self._room(self.selection.forgotten, question, reserve)
        earlier = [turn for turn in self._kept() if turn.reply]
        always = uses == "always"
        return material.compose(
            *(question, self._library, given, max(0, room), self._count), earlier=earlier, always=always
        )

    def _prompt(self, earlier: Sequence[Turn], last: Turn) -> NDArray[np.int32]:
        kept = [turn for turn in earlier if turn.is_answered]
        about_documents = any(turn.given or turn.content != turn.question for turn in [*kept, last])
        builtin = DOCUMENT_SYSTEM if about_documents else PLAIN_SYSTEM
        system = builtin if not self.system else f"{self.system}\n\n{builtin}" if about_documents else self.system
        messages = [Message("system", system)]
        for turn in kept:
            messages.append(Message("user", turn.content))
            known = answer_tokens(turn.reply, turn.reply_tokens, turn.thinking_tokens, self._engine.model)
            messages.append(Message("assistant", turn.reply, known, reasoning_content=turn.thinking))
        messages.append(Message("user", last.content))
        extras = Extras(thinking=self.thinking)
        return self._engine.template.tokens(messages, self._engine.model, extras=extras)

    def _usage(self, turn: Turn, prompt: int) -> ContextUsage:
        """What a prompt of `prompt` tokens that ends with this turn, or its answer so far, is made of."""
        earlier = [one for one in self._kept() if one is not turn and one.is_answered]
        position = next((index for index, one in enumerate(self.turns) if one is turn), len(self.turns))
        left_out = sum(1 for one in self.turns[:position] if one.is_answered) - len(earlier)
        return measure(self._size, prompt, earlier, turn, left_out, self._count)

    def _notices(self, turn: Turn) -> list[str]:
        """What is to be said of a new turn before it is answered."""
        missing = without_draft(self._engine, turn.method)
        notices = [missing] if missing else []
        template, name = self._engine.template, self._engine.name
        if (template.is_plain or template.refused) and not self.turns:
            notices.append(texts.TEMPLATE_MISSING.format(model=name))
        if self.thinking and not (template.switches_thinking or template.has_effort):
            notices.append(texts.THINKING_UNKNOWN.format(model=name))
        if turn.window is not None and turn.window.forgotten:
            notices.append(texts.outgrown(turn.window.forgotten))
        return notices

    # -- what fits ----------------------------------------------------------------------------------------------

    def _reserve(self, options: ReplyOptions) -> int:
        """Tokens that are kept free for the answer."""
        return min(options.max_tokens, max(LEAST_REPLY, self._size // 8))

    def _room(self, forgotten: int, question: str, reserve: int) -> int:
        """Tokens left for documents when the first `forgotten` turns are left out."""
        used = sum(self._count(turn.content) + turn.answer_length + _TURN_FRAME for turn in self._kept(forgotten))
        system = SYSTEM_TOKENS + (self._count(self.system) if self.system else 0)
        return self._size - reserve - used - self._count(question) - system

    def _spare(self, documents: list[DocumentInfo], forgotten: int, question: str, reserve: int) -> int:
        """Tokens left behind these documents when the first `forgotten` turns are left out; below 0 they do not fit."""
        held = {
            document
            for turn in self._kept(forgotten)
            if turn.library == self._identity and turn.is_answered
            for document in turn.documents
        }
        return self._room(forgotten, question, reserve) - material.needed(documents, held, self._count)

    def _outgrown(self, what: str, prompt: NDArray[np.int32], advice: str) -> ContextTooLongError:
        return ContextTooLongError(f"The {what} is {len(prompt)} tokens long; the context holds {self._size}.", advice)

    def _too_long(self, documents: list[DocumentInfo], question: str, reserve: int) -> ContextTooLongError:
        self._pin(-1)
        room = self._room(len(self.turns), question, reserve)
        needs = material.needed(documents, (), self._count)
        return material.too_long(documents, needs, min(room, needs - 1), self._size, self._engine.model.trained_context)

    # -- what is left out ---------------------------------------------------------------------------------------

    def _kept(self, forgotten: int | None = None, end: int | None = None) -> list[Turn]:
        """The turns before `end` that are in the prompt, or would be if the first `forgotten` were left out."""
        first = self.selection.forgotten if forgotten is None else forgotten
        pin = self.selection.pinned
        pinned = self.turns[pin : pin + 1] if 0 <= pin < first else []
        return [*pinned, *self.turns[first:end]]

    def _forget_oldest(self, question: str, reserve: int) -> None:
        """Leave turns out until documents and answer have their share of the context."""
        forgotten = self.selection.forgotten
        least = self._size * ROOM_SHARE
        while forgotten < len(self.turns) and self._room(forgotten, question, reserve) < least:
            forgotten += 1
        self._forget(forgotten)

    def _make_room(self, documents: list[DocumentInfo], question: str, reserve: int) -> None:
        """Leave turns out until these documents fit as a whole. A turn that was sent with all of them stays, so that
        they are read once. Raises ContextTooLongError where they do not fit even alone."""
        ids = {info.id for info in documents}
        own = [
            position
            for position, turn in enumerate(self.turns)
            if ids <= set(turn.documents) and turn.library == self._identity and turn.is_answered
        ]
        self._pin(own[-1] if own else -1)
        margin = int(self._size * WHOLE_MARGIN)
        for pinned in dict.fromkeys((self.selection.pinned, -1)):
            self._pin(pinned)
            forgotten, least = self.selection.forgotten, LEAST_REPLY
            while self._spare(documents, forgotten, question, reserve) < least and forgotten < len(self.turns):
                forgotten, least = forgotten + 1, margin
            if self._spare(documents, forgotten, question, reserve) >= 0:
                self._forget(forgotten)
                return
        raise self._too_long(documents, question, reserve)

    def _forget(self, turns: int) -> None:
        """Leave the first `turns` turns out from now on, but for a pinned one; what they held may be sent again."""
        if turns > self.selection.forgotten:
            self.selection.forgotten = turns
            if self.selection.pinned < 0:
                self.selection.given.forget()
            else:
                self.refresh()

    def _pin(self, position: int) -> None:
        """Keep this turn in the prompt whatever is left out; -1 for none."""
        pinned = self.selection.pinned
        if position != pinned:
            out = max(position, pinned) < self.selection.forgotten
            self.selection.pinned = position
            if out:
                self.refresh()
