"""A conversation: questions in, streamed and cited answers out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from localspec.chat.citations import Citation, cited
from localspec.chat.engine import Engine
from localspec.chat.material import DOCUMENT_SYSTEM, PLAIN_SYSTEM, Given, Material, compose, compose_whole
from localspec.chat.methods import DEFAULT_METHOD, METHODS, check_method, plan, sources_of
from localspec.chat.origins import Origins
from localspec.chat.template import Message
from localspec.chat.text import TextStream
from localspec.chat.whole import needed, too_long, wanted
from localspec.chat.window import Window, measure
from localspec.errors import ContextTooLongError, SettingsError
from localspec.models.llama import LlamaModel
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.decode import generate
from localspec.speculation.interface import Drafter, Step, need_states
from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.policy import Budget
from localspec.stores.library import DocumentInfo, Library

LEAST_REPLY = 64
"""Tokens that must be left for an answer; earlier turns are left out to make room."""
ROOM_SHARE = 0.4
"""Turns are left out until this share of the context is free for documents and answer: rarely, but several at once,
because the cached prefix is lost each time."""
LEAST_LEARNT = 8
"""Shorter replies teach nothing that is worth a place in the stores."""
SYSTEM_TOKENS = 128
"""Room for the built-in system prompt and the template's own tokens; one's own prompt comes on top."""
WHOLE_MARGIN = 0.125
"""Where turns make way for documents that are read whole, this share of the context stays free: rarely, as above."""
CUT = ("length", "context", "stopped", "interrupted")
"""How an answer ends that can be gone on with."""


@dataclass(frozen=True, slots=True)
class ReplyOptions:
    """How one answer is made."""

    method: str = DEFAULT_METHOD
    preset: str = "device"
    rows: int = 0
    max_tokens: int = 512
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    whole: tuple[int, ...] | None = None
    """ids of documents to be read whole, () for all of the library, None for what suits the question"""
    system: str | None = None
    """the person's own system prompt from this question on, "" for none; None leaves it as it is"""

    def __post_init__(self) -> None:
        check_method(self.method, self.preset)
        if self.max_tokens < 1:
            raise SettingsError(f"An answer of {self.max_tokens} tokens is not possible.", "Choose 1 or more.")


@dataclass(frozen=True, slots=True)
class MadeWith:
    """What an answer follows from, beside its prompt."""

    options: ReplyOptions
    weights: str
    """fingerprint of the model's"""


@dataclass(slots=True)
class Turn:
    """One question with its answer, as shown and as sent."""

    question: str
    content: str
    given: tuple[Citation, ...] = ()
    reply: str = ""
    reply_tokens: list[int] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    metrics: ReplyMetrics = field(default_factory=ReplyMetrics)
    method: str = ""
    finish: str = ""
    """"end", "length", "context", "stopped", "interrupted" (the program ended), or "" while it is being written"""
    asked: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))
    """ISO 8601, UTC"""
    tokenizer: str = ""
    """fingerprint of the tokenizer of `reply_tokens`"""
    library: str = ""
    """identity of the library that `documents` and the citations' sources belong to"""
    documents: tuple[int, ...] = ()
    """ids of those whose whole text was first sent with this question"""
    files: tuple[str, ...] = ()
    """names of the documents that came with the question"""
    problems: list[str] = field(default_factory=list)
    """what could not be done for this answer"""
    origins: Origins = field(default_factory=Origins)
    """where each token of the reply came from; empty where that is not known"""
    made_with: MadeWith | None = None
    """None where that is not known any more: it is not kept on disk"""
    window: Window | None = None
    """what filled the context; None where that is not known"""

    @property
    def is_cut(self) -> bool:
        """True when the answer ends before the model ended it."""
        return self.finish in CUT


@dataclass(frozen=True, slots=True)
class Update:
    """What is new while an answer is made. `stage`: "reading" (`progress` 0–1), "writing" or "done"."""

    stage: str
    turn: Turn
    delta: str = ""
    progress: float = 0.0
    step: Step | None = None


class Session:
    """One conversation with the engine's model over at most one library."""

    def __init__(
        self,
        engine: Engine,
        library: Library | None = None,
        system: str = "",
        *,
        learns: bool = True,
        turns: list[Turn] | None = None,
    ) -> None:
        """`system` replaces the built-in system prompt; what to do with documents is said after it where there are any.
        Without `learns`, the library learns nothing from this one.

        `turns` are those of a conversation that is gone on with; the list stays the caller's, who sees what is added.
        """
        self.learns = learns
        self.engine = engine
        self.library = library
        self.system = system
        self.turns: list[Turn] = turns if turns is not None else []
        for turn in self.turns:
            self._adopt(turn)
        self._forgotten = 0
        self._pinned = -1
        """position of the turn whose documents are read whole: it stays when others before and after it are left out"""
        self._count = lru_cache(maxsize=512)(lambda text: len(engine.tokenize(text)))
        self._given = self._known()

    def ask(
        self, question: str, options: ReplyOptions | None = None, *, instead_of: int | None = None
    ) -> Generator[Update, None, None]:
        """Answer `question`. Closing the iterator early keeps the text so far, with `finish` "stopped".

        It takes the place of the turn at `instead_of` and of all after it, where that is given. Raises LocalSpecError.
        Without a word of an answer, the conversation then is as it was before the question.
        """
        options = options or ReplyOptions()
        before = list(self.turns), self._forgotten, self._pinned, self._given.copy()
        turn: Turn | None = None

        def begin(model: LlamaModel) -> tuple[Turn, NDArray[np.int32]]:
            nonlocal turn
            if instead_of is not None:
                self.cut(instead_of)
            turn, prompt = self._compose(question, options, model)
            turn.made_with = MadeWith(options, self.engine.weights_fingerprint)
            self.turns.append(turn)
            return turn, prompt

        def settle() -> None:
            if turn is None or not (turn.finish or turn.reply_tokens):
                self.turns[:], self._forgotten, self._pinned, self._given = before
            elif not turn.finish:
                self._stop(turn)

        yield from self._answer(options, begin, settle)

    def go_on(self, options: ReplyOptions | None = None) -> Generator[Update, None, None]:
        """Write on at the last answer, which was cut. Closing the iterator early keeps the text so far.

        The figures are those of the new part until it is done, then those of the whole answer. Raises LocalSpecError,
        SettingsError when there is no answer that was cut. Without another word, the answer then is as it was.
        """
        options = options or ReplyOptions()
        if not self.turns or not self.turns[-1].is_cut:
            raise SettingsError("There is no answer that was cut short.", "Ask a question.")
        turn = self.turns[-1]
        forgotten, count = self._forgotten, len(turn.reply_tokens)
        before = turn.finish, turn.notices, turn.metrics, turn.method, turn.made_with, turn.window
        whole = ReplyMetrics(plain_seconds=turn.metrics.plain_seconds)
        whole.merge(turn.metrics)

        def begin(model: LlamaModel) -> tuple[Turn, NDArray[np.int32]]:
            prompt = self._compose_on(turn, options, model)
            turn.notices = [notice for notice in turn.notices if notice != _ending(turn)]
            turn.finish, turn.method = "", options.method
            turn.made_with = self._made_on(turn.made_with, options)
            turn.metrics = ReplyMetrics(plain_seconds=self.engine.plain_seconds_at(len(prompt)))
            return turn, prompt

        def settle() -> None:
            if not turn.finish and len(turn.reply_tokens) == count:
                turn.finish, turn.notices, turn.metrics, turn.method, turn.made_with, turn.window = before
                self._forgotten = forgotten
            elif not turn.finish:
                whole.merge(turn.metrics)
                turn.metrics = whole
                self._stop(turn)
            self._given = self._known()

        yield from self._answer(options, begin, settle, whole)

    def cut(self, turns: int) -> None:
        """Take back all but the first `turns` turns."""
        del self.turns[turns:]
        if self._forgotten >= turns:
            self._forgotten = 0
        if self._pinned >= turns:
            self._pinned = -1
        self._given = self._known()

    def _answer(
        self,
        options: ReplyOptions,
        begin: Callable[[LlamaModel], tuple[Turn, NDArray[np.int32]]],
        settle: Callable[[], None],
        earlier: ReplyMetrics | None = None,
    ) -> Iterator[Update]:
        """Decode behind the prompt that `begin` gives, into its turn. Where its reply began before, `earlier` are the
        figures of that part. Whatever happens, `settle` comes last."""
        engine, library = self.engine, self.library
        learns = self.learns and library is not None and library.learns
        with engine.turn() as model:
            drafters, budget = self._plan(options)
            sampler = model.sampler(options.sampling)
            prompt, written = np.empty(0, np.int32), []
            try:
                turn, prompt = begin(model)
                yield from self._read(model, prompt, turn, need_states(drafters))
                stream = TextStream(model.piece, turn.reply_tokens, turn.reply)
                turn.origins.fit(len(stream.text))
                steps = generate(model, sampler, drafters, prompt, budget, options.max_tokens, keep_states=learns)
                for step in steps:
                    turn.metrics.add(step)
                    turn.metrics.take(drafters)
                    emitted = step.emitted.tolist()
                    written += emitted
                    if step.finish == "end":
                        emitted = emitted[:-1]
                    turn.reply_tokens += emitted
                    parts = stream.add_each(emitted)
                    turn.origins.add(step.source.tolist(), parts)
                    turn.reply, delta = stream.text, "".join(parts)
                    yield Update("writing", turn, delta, 1.0, step)
                    turn.finish = step.finish
                delta = stream.finish()
                turn.reply = stream.text
                if delta:
                    turn.origins.lengths[-1] += len(delta)
                if earlier is not None:
                    earlier.merge(turn.metrics)
                    turn.metrics = earlier
                self._conclude(turn)
                yield Update("done", turn, delta, 1.0)
            finally:
                sampler.close()
                engine.remember()
                settle()
                if learns:
                    self._learn(model, prompt, written)

    def _plan(self, options: ReplyOptions) -> tuple[list[Drafter], Budget]:
        """The drafters of a reply, and what sizes their trees. In the turn of this conversation."""
        return plan(sources_of(self.engine, self.library), options.method, options.preset, options.rows)

    def _made_on(self, before: MadeWith | None, options: ReplyOptions) -> MadeWith | None:
        """What an answer follows from that is gone on with: where words are drawn, two streams of chance made it."""
        now = MadeWith(options, self.engine.weights_fingerprint)
        if before is None or before.weights != now.weights:
            return None
        return now if before.options.sampling.is_greedy and options.sampling.is_greedy else None

    def _learn(self, model: LlamaModel, prompt: NDArray[np.int32], written: list[int]) -> None:
        """Hand a reply and its states, which the decoder has computed already, to the library."""
        if self.library is None or len(written) < LEAST_LEARNT:
            return
        states, known = model.known_states()
        first = len(prompt) - 1
        if len(known) != first + len(written) or not known[first:].all():
            return  # a step that failed in the middle
        tokens = np.concatenate([prompt[-1:], np.array(written, np.int32)])
        self.library.learn_later(tokens, states[first:])

    def _compose(self, question: str, options: ReplyOptions, model: LlamaModel) -> tuple[Turn, NDArray[np.int32]]:
        """The turn and the prompt that ends with it. The oldest turns are left out when room runs short."""
        question = question.strip()
        if not question:
            raise SettingsError("The question is empty.", "Type something to ask.")
        if options.system is not None:
            self.system = options.system
        size = model.context_size
        reserve = min(options.max_tokens, max(LEAST_REPLY, size // 8))
        documents, left_out = wanted(self.library, options.whole) if options.whole is not None else ([], [])
        if documents:
            self._make_room(documents, question, reserve)
        else:
            self._pin(-1)
            forgotten = self._forgotten
            while forgotten < len(self.turns) and self._room(forgotten, question, reserve) < size * ROOM_SHARE:
                forgotten += 1
            self._forget(forgotten)
        while True:
            known = set(self._given.documents)
            material = self._material(question, documents, reserve)
            sent = self._given.documents - known
            turn = Turn(
                question,
                material.content,
                material.citations,
                notices=[*left_out, *material.notices],
                tokenizer=self.engine.tokenizer_fingerprint,
                library=self._library_identity,
                documents=tuple(sorted(sent)),
            )
            prompt = self._prompt(self._kept(), turn)
            if len(prompt) + min(reserve, LEAST_REPLY) < size:
                break
            if self._forgotten >= len(self.turns) and self._pinned < 0:
                if documents:
                    raise self._too_long(documents, question, reserve)
                raise ContextTooLongError(
                    f"The question with its text is {len(prompt)} tokens long; the context holds {size}.",
                    "Ask a shorter question, or load the model with a larger context.",
                )
            self._pin(-1)
            self._forget(len(self.turns))
        turn.window = self._measured(turn, len(prompt))
        turn.method = options.method
        turn.metrics.plain_seconds = self.engine.plain_seconds_at(len(prompt))
        self._tell_of_draft(turn)
        if turn.window.forgotten:
            turn.notices.append(
                f"This chat outgrew the model's context: {turn.window.forgotten} earlier question(s) are left out."
            )
        return turn, prompt

    def _material(self, question: str, documents: list[DocumentInfo], reserve: int) -> Material:
        """What the question is sent with: these documents whole, or what suits it."""
        if documents and self.library is not None:
            return compose_whole(question, self.library, documents, self._given)
        room = self._room(self._forgotten, question, reserve)
        return compose(question, self.library, self._given, max(0, room), self._count)

    def _make_room(self, documents: list[DocumentInfo], question: str, reserve: int) -> None:
        """Leave turns out until these documents fit as a whole. A turn that was sent with all of them stays, so that
        they are read once. Raises ContextTooLongError where they do not fit even alone."""
        ids = {info.id for info in documents}
        own = [
            position
            for position, turn in enumerate(self.turns)
            if ids <= set(turn.documents) and turn.library == self._library_identity and turn.reply_tokens
        ]
        self._pin(own[-1] if own else -1)
        margin = int(self.engine.model.context_size * WHOLE_MARGIN)
        for pinned in dict.fromkeys((self._pinned, -1)):
            self._pin(pinned)
            forgotten, least = self._forgotten, LEAST_REPLY
            while self._spare(documents, forgotten, question, reserve) < least and forgotten < len(self.turns):
                forgotten, least = forgotten + 1, margin
            if self._spare(documents, forgotten, question, reserve) >= 0:
                self._forget(forgotten)
                return
        raise self._too_long(documents, question, reserve)

    def _spare(self, documents: list[DocumentInfo], forgotten: int, question: str, reserve: int) -> int:
        """Tokens left behind these documents when the first `forgotten` turns are left out; below 0 they do not fit."""
        held = {
            document
            for turn in self._kept(forgotten)
            if turn.library == self._library_identity and turn.reply_tokens
            for document in turn.documents
        }
        return self._room(forgotten, question, reserve) - needed(documents, held, self._count)

    def _too_long(self, documents: list[DocumentInfo], question: str, reserve: int) -> ContextTooLongError:
        self._pin(-1)
        model = self.engine.model
        room = self._room(len(self.turns), question, reserve)
        needs = needed(documents, (), self._count)
        return too_long(documents, needs, min(room, needs - 1), model.context_size, model.trained_context)

    def _measured(self, turn: Turn, prompt: int) -> Window:
        """What a prompt of `prompt` tokens that ends with this turn, or its answer so far, is made of."""
        earlier = [one for one in self._kept() if one is not turn and one.reply_tokens]
        position = next((index for index, one in enumerate(self.turns) if one is turn), len(self.turns))
        left_out = sum(1 for one in self.turns[:position] if one.reply_tokens) - len(earlier)
        return measure(self.engine.model.context_size, prompt, earlier, turn, left_out, self._count)

    def _compose_on(self, turn: Turn, options: ReplyOptions, model: LlamaModel) -> NDArray[np.int32]:
        """The prompt that ends with the last answer so far. The oldest turns are left out when room runs short."""
        size = model.context_size
        reserve = min(options.max_tokens, max(LEAST_REPLY, size // 8))
        last = len(self.turns) - 1
        reply = np.array(turn.reply_tokens, dtype=np.int32)
        while True:
            prompt = np.concatenate([self._prompt(self._kept(end=last), turn), reply])
            if len(prompt) + reserve < size or self._forgotten >= last:
                break
            self._forgotten += 1
        if len(prompt) + min(reserve, LEAST_REPLY) < size:
            turn.window = self._measured(turn, len(prompt) - len(reply))
            return prompt
        raise ContextTooLongError(
            f"The question with its answer is {len(prompt)} tokens long; the context holds {size}.",
            "Start a new chat, or load the model with a larger context.",
        )

    def _adopt(self, turn: Turn) -> None:
        """Make a turn from elsewhere one of this model's: a reply's tokens mean nothing to another tokenizer."""
        own = self.engine.tokenizer_fingerprint
        size = self.engine.model.vocabulary_size
        if turn.tokenizer != own or not all(0 <= token < size for token in turn.reply_tokens):
            turn.reply_tokens = self.engine.tokenize(turn.reply).tolist()
            turn.tokenizer = own

    @property
    def _library_identity(self) -> str:
        return self.library.identity if self.library is not None else ""

    def _known(self) -> Given:
        """What the turns that are not left out were sent with."""
        given = Given()
        first: dict[int, int] = {}
        for position, turn in enumerate(self.turns):
            for made in turn.given:
                given.add(made)
            # A turn without an answer is in no prompt, so its text was not sent.
            if turn.library != self._library_identity or not turn.reply_tokens:
                continue
            for made in turn.given:
                first.setdefault(made.number, position)
            if position >= self._forgotten or position == self._pinned:
                given.documents.update(turn.documents)
        for citation in given.citations:
            position = first.get(citation.number, -1)
            if citation.source and (position >= self._forgotten or 0 <= position == self._pinned):
                given.numbers[citation.source] = citation.number
        return given

    def _room(self, forgotten: int, question: str, reserve: int) -> int:
        """Tokens left for documents when the first `forgotten` turns are left out."""
        used = sum(self._count(turn.content) + len(turn.reply_tokens) + 16 for turn in self._kept(forgotten))
        system = SYSTEM_TOKENS + (self._count(self.system) if self.system else 0)
        return self.engine.model.context_size - reserve - used - self._count(question) - system

    def _kept(self, forgotten: int | None = None, end: int | None = None) -> list[Turn]:
        """The turns before `end` that are in the prompt, or would be if the first `forgotten` were left out."""
        first = self._forgotten if forgotten is None else forgotten
        pinned = self.turns[self._pinned : self._pinned + 1] if 0 <= self._pinned < first else []
        return [*pinned, *self.turns[first:end]]

    def _forget(self, turns: int) -> None:
        """Leave the first `turns` turns out from now on, but for a pinned one; what they held may be sent again."""
        if turns > self._forgotten:
            self._forgotten = turns
            if self._pinned < 0:
                self._given.forget()
            else:
                self._given = self._known()

    def _pin(self, position: int) -> None:
        """Keep this turn in the prompt whatever is left out; -1 for none."""
        if position != self._pinned:
            out = max(position, self._pinned) < self._forgotten
            self._pinned = position
            if out:
                self._given = self._known()

    def _prompt(self, earlier: Sequence[Turn], last: Turn) -> NDArray[np.int32]:
        kept = [turn for turn in earlier if turn.reply_tokens]
        about_documents = any(turn.given or turn.content != turn.question for turn in [*kept, last])
        builtin = DOCUMENT_SYSTEM if about_documents else PLAIN_SYSTEM
        system = builtin if not self.system else f"{self.system}\n\n{builtin}" if about_documents else self.system
        messages = [Message("system", system)]
        for turn in kept:
            messages.append(Message("user", turn.content))
            messages.append(Message("assistant", turn.reply, np.array(turn.reply_tokens, dtype=np.int32)))
        messages.append(Message("user", last.content))
        return self.engine.template.tokens(messages, self.engine.model)

    def _read(self, model: LlamaModel, prompt: NDArray[np.int32], turn: Turn, with_states: bool) -> Iterator[Update]:
        started = perf_counter()
        turn.metrics.prompt_tokens = len(prompt)
        turn.metrics.reused_tokens = min(model.common_prefix(prompt), len(prompt) - 1)
        yield Update("reading", turn, progress=0.0)
        for done, total in model.prefill(prompt, states=with_states):
            turn.metrics.prefill_seconds = perf_counter() - started
            yield Update("reading", turn, progress=done / max(1, total))

    def _stop(self, turn: Turn) -> None:
        """After a stop or an error in the middle: what was written stays."""
        turn.finish = "stopped"
        turn.citations = cited(turn.reply, turn.given)

    def _tell_of_draft(self, turn: Turn) -> None:
        """Why a method that needs a draft model goes without one."""
        if METHODS[turn.method].needs_draft and self.engine.draft is None:
            problem = self.engine.draft_problem or f"{self.engine.name} has no draft model here."
            notice = f"Without a draft model: {problem}"
            if notice not in turn.notices:
                turn.notices.append(notice)

    def _conclude(self, turn: Turn) -> None:
        self._tell_of_draft(turn)
        turn.citations = cited(turn.reply, turn.given)
        if ending := _ending(turn):
            turn.notices.append(ending)


def _ending(turn: Turn) -> str:
    """What is said about how an answer ends; "" where nothing is."""
    if turn.finish == "context":
        return "The answer stopped because the model's context is full. Start a new chat to go on."
    if turn.finish == "length":
        return f"The answer stopped at {turn.metrics.tokens} tokens, the most that was asked for."
    return ""
