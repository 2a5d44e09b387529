"""One prompt of a chat answered several times, to compare methods. The chat stays as it is, and nothing is learnt.

All runs start alike: from the same tokens, with the same ones in the KV cache and their hidden states known where any
of the methods looks at them, and from what the engine had learnt before the first. Token recycling starts empty, for it
would know the very answer that is measured.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from localspec import texts
from localspec.chat.answer import answer
from localspec.chat.engine import Engine
from localspec.chat.methods import METHODS, Sources, listed, plan, sources_of
from localspec.chat.prompt_builder import PromptBuilder
from localspec.chat.report import UNKNOWN_DRAFT
from localspec.chat.session import Session, settled
from localspec.chat.turn import ReplyOptions, Turn, Update
from localspec.errors import SettingsError
from localspec.models.llama import StopSignal
from localspec.models.llama.sampling import RANDOM_SEED
from localspec.speculation.interface import Drafter, need_states
from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.policy import Budget

PLAIN = "plain"
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


class Comparison:
    """Answers the next or the last prompt of a conversation as often as wanted."""

    def __init__(self, session: Session, question: str = "", methods: Sequence[str] = (PLAIN,)) -> None:
        """`question` is asked as the next one; without it, the last one is answered again. `methods` are those that
        will be tried. Raises SettingsError when there is no last one that was answered."""
        self._engine, self._library = session.engine, session.library
        turns = [replace(turn) for turn in session.turns]
        self._asks_next = bool(question.strip())
        if not self._asks_next and not (turns and turns[-1].reply_tokens):
            raise SettingsError("There is no answer to compare with.", "Ask something first.")
        self._question = question.strip() or turns[-1].question
        selection = session.prompts.selection.copy()
        self._prompts = PromptBuilder(self._engine, self._library, session.prompts.system, turns, selection)
        self._methods = tuple(methods)
        self._tokens: NDArray[np.int32] | None = None
        self._sources: Sources | None = None
        self._with_states: bool | None = None

    def run(self, options: ReplyOptions, stop: StopSignal | None = None) -> Generator[Update, None, None]:
        """One answer, as `Session.ask` gives it: waits for its turn, and the iterator may be closed early."""
        options = settled(options, self._engine, self._question)
        with self._engine.turn(stop) as model:
            prompt = self._prompt(options)
            planned = self._plan(options)
            with_states = self._needs_states(options) or need_states(planned[0])
            shared = min(model.common_prefix(prompt), len(prompt) - 1)
            known = model.known_states()[1]
            if with_states and not (len(known) >= shared and known[:shared].all()):
                model.forget()
            turn = Turn(self._question, self._question, method=options.method)
            yield from answer(self._engine, prompt, turn, options, planned, with_states=with_states)

    def _prompt(self, options: ReplyOptions) -> NDArray[np.int32]:
        """The same for all runs."""
        if self._tokens is None:
            if self._asks_next:
                self._tokens = self._prompts.compose(self._question, options)[1]
            else:
                self._tokens = self._prompts.compose_again(options.thinking)
        return self._tokens

    def _needs_states(self, options: ReplyOptions) -> bool:
        """Whether any of the methods looks at hidden states of the prompt."""
        if self._with_states is None:
            every = [self._plan(replace(options, method=method))[0] for method in self._methods]
            self._with_states = any(need_states(drafters) for drafters in every)
        return self._with_states

    def _plan(self, options: ReplyOptions) -> tuple[list[Drafter], Budget]:
        """The drafters of a run and what sizes their trees, from what the engine had learnt before the first one."""
        if self._sources is None:
            self._sources = replace(
                sources_of(self._engine, self._library),
                acceptance=deepcopy(self._engine.acceptance),
                gates=deepcopy(self._engine.gates),
            )
        sources = replace(self._sources, gates=deepcopy(self._sources.gates))
        return plan(sources, options.method, options.sizing, options.rows, deepcopy(self._sources.acceptance))


def compared_methods(engine: Engine) -> tuple[list[str], dict[str, str]]:
    """(methods that can be compared here, plain first and Auto last; why each of the others cannot)."""
    order = sorted(listed(), key=lambda name: (name != PLAIN, METHODS[name].sized_by_itself))
    left_out = {}
    for name in order:
        if name != PLAIN and not engine.model.can_rewind:
            left_out[name] = texts.NO_REWIND.format(model=engine.name, kind=engine.model.memory_kind)
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
