"""One prompt of a chat answered several times, to compare methods. The chat stays as it is, and nothing is learnt.

All trials start alike: from the same tokens, with the same ones in the KV cache and their states known where any of the
methods looks at them, and from what the engine had learnt before the first. Token recycling starts empty, for it would
know the very answer that is measured.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from localspec.chat.engine import Engine
from localspec.chat.methods import METHODS, Sources, listed, plan, sources_of
from localspec.chat.report import UNKNOWN_DRAFT
from localspec.chat.session import LEAST_REPLY, ReplyOptions, Session, Turn, Update
from localspec.errors import ContextTooLongError, SettingsError
from localspec.models.llama import LlamaModel
from localspec.models.llama.sampling import RANDOM_SEED
from localspec.speculation.interface import Drafter, need_states
from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.policy import Budget

PLAIN = "plain"
NO_REWIND = "{model} can take no draft back, so it only answers plainly."
NO_DRAFT_MODEL = "No draft model is loaded: {problem}"


@dataclass(frozen=True, slots=True)
class ComparisonRun:
    """How one method answered."""

    method: str
    reply: str
    tokens: tuple[int, ...]
    finish: str
    metrics: ReplyMetrics

    @classmethod
    def of(cls, turn: Turn) -> ComparisonRun:
        """What came of a turn."""
        return cls(turn.method, turn.reply, tuple(turn.reply_tokens), turn.finish, turn.metrics)

    def equals(self, other: ComparisonRun) -> bool:
        """Whether both wrote the same tokens, and the model ended both or neither."""
        return self.tokens == other.tokens and (self.finish == "end") == (other.finish == "end")


class Comparison(Session):
    """Answers the next or the last prompt of a conversation as often as wanted."""

    def __init__(self, session: Session, question: str = "", methods: Sequence[str] = (PLAIN,)) -> None:
        """`question` is asked as the next one; without it, the last one is answered again. `methods` are those that
        will be tried. Raises SettingsError when there is no last one that was answered."""
        super().__init__(
            session.engine,
            session.library,
            session.system,
            learns=False,
            turns=[replace(turn) for turn in session.turns],
        )
        self._forgotten, self._pinned, self._given = session._forgotten, session._pinned, session._given.copy()
        self._question = question.strip()
        if not self._question and not (self.turns and self.turns[-1].reply_tokens):
            raise SettingsError("There is no answer to compare with.", "Ask something first.")
        self._methods = tuple(methods)
        self._tokens: NDArray[np.int32] | None = None
        self._sources: Sources | None = None
        self._with_states: bool | None = None

    def run(self, options: ReplyOptions) -> Generator[Update, None, None]:
        """One trial, as `Session.ask` gives it: waits for its turn, and the iterator may be closed early."""
        return self.ask(self._question or self.turns[-1].question, options)

    def _compose(self, question: str, options: ReplyOptions, model: LlamaModel) -> tuple[Turn, NDArray[np.int32]]:
        if self._tokens is None:
            self._tokens = super()._compose(question, options, model)[1] if self._question else self._last_prompt()
        turn = Turn(question, question, method=options.method)
        turn.metrics.plain_seconds = self.engine.plain_seconds_at(len(self._tokens))
        return turn, self._tokens

    def _last_prompt(self) -> NDArray[np.int32]:
        """What the last answer was written behind. Of a chat read from disk, so much is left out as must be."""
        last = len(self.turns) - 1
        turn = replace(self.turns[last], reply="", reply_tokens=[])
        forgotten = min(self._forgotten, last)
        size = self.engine.model.context_size
        room = min(LEAST_REPLY, len(self.turns[last].reply_tokens))
        while True:
            prompt = self._prompt(self._kept(forgotten, last), turn)
            if len(prompt) + room <= size or forgotten >= last:
                break
            forgotten += 1
        if len(prompt) >= size:
            raise ContextTooLongError(
                f"The question with its text is {len(prompt)} tokens long; the context holds {size}.",
                "Load the model with a larger context.",
            )
        return prompt

    def _plan(self, options: ReplyOptions) -> tuple[list[Drafter], Budget]:
        if self._sources is None:
            engine = self.engine
            self._sources = replace(
                sources_of(engine, self.library),
                acceptance=deepcopy(engine.acceptance),
                source_gates=deepcopy(engine.source_gates),
            )
        if self._with_states is None:
            every = [self._planned(replace(options, method=method))[0] for method in self._methods]
            self._with_states = any(need_states(drafters) for drafters in every)
        return self._planned(options)

    def _planned(self, options: ReplyOptions) -> tuple[list[Drafter], Budget]:
        assert self._sources is not None
        sources = replace(self._sources, source_gates=deepcopy(self._sources.source_gates))
        return plan(sources, options.method, options.preset, options.rows, deepcopy(self._sources.acceptance))

    def _read(self, model: LlamaModel, prompt: NDArray[np.int32], turn: Turn, with_states: bool) -> Iterator[Update]:
        wanted = with_states or bool(self._with_states)
        shared = min(model.common_prefix(prompt), len(prompt) - 1)
        known = model.known_states()[1]
        if wanted and not (len(known) >= shared and known[:shared].all()):
            model.forget()
        yield from super()._read(model, prompt, turn, wanted)


def contenders(engine: Engine) -> tuple[list[str], dict[str, str]]:
    """The methods that can be compared here, plain first and Auto last, and of the others why they cannot."""
    order = sorted(listed(), key=lambda name: (name != PLAIN, METHODS[name].sized_by_itself))
    left_out = {}
    for name in order:
        if name != PLAIN and not engine.model.can_rewind:
            left_out[name] = NO_REWIND.format(model=engine.name)
        elif METHODS[name].needs_draft and engine.draft is None:
            left_out[name] = NO_DRAFT_MODEL.format(problem=engine.draft_problem or UNKNOWN_DRAFT)
    return [name for name in order if name not in left_out], left_out


def with_seed(options: ReplyOptions) -> ReplyOptions:
    """The same with a seed of its own in place of “a fresh one”, so that the reply can be written again."""
    if options.sampling.seed != RANDOM_SEED:
        return options
    return replace(options, sampling=replace(options.sampling, seed=secrets.randbelow(RANDOM_SEED)))


def as_made(turn: Turn, engine: Engine, otherwise: ReplyOptions) -> tuple[ReplyOptions, bool]:
    """The options that write a turn's answer again: as many tokens, the same draws. Where they are not known (`False`),
    such as after a restart or with another model, `otherwise` stands in for them."""
    made = turn.made_with
    known = made is not None and made.weights == engine.weights_fingerprint
    options = made.options if made is not None and known else otherwise
    length = max(1, len(turn.reply_tokens) + (turn.finish == "end"))
    return replace(with_seed(options), max_tokens=length), known
