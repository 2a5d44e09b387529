"""One prompt of a chat answered by several methods in turns, to compare them. The chat stays as it is, and nothing is
learnt.

All start alike: from the same tokens, with the same ones in the KV cache and their hidden states known where any of the
methods looks at them, and from what the engine had learnt before. They write the text in short stretches, one after the
other (`speculation.alternation`), so that a slow moment of the computer hits all of them. What would know the very
answer is left out: token recycling starts empty, and where the library has learnt the answer, or parts of it, nothing
is drafted from those.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from localspec import texts
from localspec.chat.answer import loop_detector
from localspec.chat.engine import Engine
from localspec.chat.methods import METHODS, Sources, listed, plan, sources_of
from localspec.chat.prompt_builder import PromptBuilder
from localspec.chat.report import UNKNOWN_DRAFT
from localspec.chat.session import Session, settled
from localspec.chat.turn import ReplyOptions, Turn
from localspec.errors import SettingsError
from localspec.models.llama import LlamaModel, StopSignal
from localspec.models.llama.sampling import RANDOM_SEED, LlamaSampler
from localspec.speculation.alternation import PARTED, STRETCH, Way, alternate
from localspec.speculation.cost import DEAR_CHANGE
from localspec.speculation.interface import Drafter, need_states
from localspec.speculation.paired import PairedSpeed
from localspec.speculation.policy import Budget

PLAIN = "plain"
NO_DRAFT_MODEL = "No draft model is loaded: {problem}"


_LONG_STRETCH = 4 * STRETCH
"""Where a change of the batch's size is dear, such as with captured graphs, each turn pays for one."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a comparison is. `stage`: "reading" (the prompt; `fraction` 0–1) or "writing" (`way` made a step)."""

    stage: str
    ways: tuple[Way, ...]
    fraction: float = 0.0
    way: Way | None = None

    def speed(self, way: Way) -> PairedSpeed | None:
        """A way's speed beside the first one's, which is plain decoding; None while there is nothing to compare."""
        return way.beside(self.ways[0])


class Comparison:
    """Answers the next or the last prompt of a conversation with plain decoding and other methods, in turns."""

    def __init__(self, session: Session, question: str = "", methods: Sequence[str] = ()) -> None:
        """`question` is asked as the next one; without it, the last one is answered again. `methods` stand beside plain
        decoding. Raises SettingsError when there is no last one that was answered."""
        self._engine, self._library = session.engine, session.library
        turns = [replace(turn) for turn in session.turns]
        self._asks_next = bool(question.strip())
        if not self._asks_next and not (turns and turns[-1].reply_tokens):
            raise SettingsError("There is no answer to compare with.", "Ask something first.")
        self._question = question.strip() or turns[-1].question
        self._written = [] if self._asks_next else list(turns[-1].reply_tokens)
        selection = session.prompts.selection.copy()
        self._prompts = PromptBuilder(self._engine, self._library, session.prompts.system, turns, selection)
        self._methods = (PLAIN, *(method for method in methods if method != PLAIN))

    def run(
        self, options: ReplyOptions, stop: StopSignal | None = None, *, most_seconds: float = float("inf")
    ) -> Generator[Progress, None, dict[str, Way]]:
        """Answer with all methods; waits for its turn, and the iterator may be closed early. After `most_seconds` of
        decoding it ends as soon as there is something to tell. Returns the ways by method, plain first."""
        options = settled(options, self._engine, self._question)
        with self._engine.turn(stop) as model:
            prompt = self._prompt(options)
            sources = self._sources()
            planned = {method: _plan(sources, method, options) for method in self._methods}
            with_states = any(need_states(drafters) for drafters, _ in planned.values())
            ways = [self._way(model, prompt, options, method, *planned[method]) for method in self._methods]
            try:
                yield from self._read(model, prompt, tuple(ways), with_states)
                turns = alternate(
                    model,
                    prompt,
                    ways,
                    options.max_tokens,
                    stretch=self._stretch(len(prompt)),
                    most_seconds=most_seconds,
                    with_states=with_states,
                )
                for way in turns:
                    yield Progress("writing", tuple(ways), way=way)
            finally:
                for way in ways:
                    if isinstance(way.sampler, LlamaSampler):
                        way.sampler.close()
            return {way.name: way for way in ways}

    def _read(
        self, model: LlamaModel, prompt: NDArray[np.int32], ways: tuple[Way, ...], with_states: bool
    ) -> Generator[Progress, None, None]:
        """Prefill the prompt; its hidden states, too, where somebody looks at them."""
        shared = min(model.common_prefix(prompt), len(prompt) - 1)
        known = model.known_states()[1]
        if with_states and not (len(known) >= shared and known[:shared].all()):
            model.forget()
        yield Progress("reading", ways)
        for done, total in model.prefill(prompt, states=with_states):
            yield Progress("reading", ways, done / max(1, total))

    def _stretch(self, cached: int) -> int:
        times = self._engine.times
        return _LONG_STRETCH if times.change > DEAR_CHANGE * float(times.at(cached)[1]) else STRETCH

    def _way(
        self,
        model: LlamaModel,
        prompt: NDArray[np.int32],
        options: ReplyOptions,
        method: str,
        drafters: list[Drafter],
        budget: Budget,
    ) -> Way:
        times = self._engine.times
        way = Way(
            method,
            model.sampler(options.sampling),
            drafters,
            budget,
            lambda rows, cached: float(times.at(cached)[rows]),
        )
        way.metrics.plain_seconds = self._engine.plain_seconds_at(len(prompt))
        way.metrics.prompt_tokens = len(prompt)
        loops = loop_detector(model, options)
        if loops is not None:
            way.stop = loops.add
        return way

    def _prompt(self, options: ReplyOptions) -> NDArray[np.int32]:
        """The same for all ways."""
        if self._asks_next:
            return self._prompts.compose(self._question, options)[1]
        return self._prompts.compose_again(options.thinking)

    def _sources(self) -> Sources:
        """What the engine has learnt so far, and of the library all but the answer itself."""
        learnt = self._library.replies.within(self._written) if self._library is not None and self._written else ()
        return replace(
            sources_of(self._engine, self._library),
            acceptance=deepcopy(self._engine.acceptance),
            gates=deepcopy(self._engine.gates),
            without=learnt,
        )


def _plan(sources: Sources, method: str, options: ReplyOptions) -> tuple[list[Drafter], Budget]:
    """The drafters of a way and what sizes their trees; what they learn is their own."""
    own = replace(sources, gates=deepcopy(sources.gates))
    return plan(own, method, options.sizing, options.rows, deepcopy(sources.acceptance))


def same_text(way: Way, tokens: Sequence[int], *, ended: bool) -> bool:
    """Whether a way wrote these tokens, the end not among them, as far as it went; all of them where it came to its
    end, and ended where and only where the model had `ended` them."""
    said = way.tokens[:-1] if way.finish == "end" else way.tokens
    if way.finish == "end":
        return ended and said == list(tokens)
    return said == list(tokens[: len(said)])


def agree(one: Way, other: Way) -> bool:
    """Whether two ways wrote the same as far as both went, and where both came to an end, the same end."""
    if PARTED in (one.finish, other.finish):
        return False
    if one.finish and other.finish:
        return one.tokens == other.tokens and one.finish == other.finish
    shared = min(len(one.tokens), len(other.tokens))
    return one.tokens[:shared] == other.tokens[:shared]


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
