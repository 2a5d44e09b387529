"""Lets the target answer prompts, many at once, and puts what it said into a library: drafts of its own making."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from localspec.chat.engine import Engine
from localspec.chat.template import Message
from localspec.errors import SettingsError
from localspec.models.llama import ReplyStreams, common_start
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.decode import generate
from localspec.speculation.loops import runs_in_circles
from localspec.speculation.policy import FixedBudget
from localspec.stores.library import Library

LEAST_ROOM = 512
"""Shorter prompts with their replies share one group."""


@dataclass(slots=True)
class Learnt:
    """What a run brought."""

    prompts: int = 0
    skipped: int = 0  # prompts too long for the model's context
    looped: int = 0  # replies that repeated themselves, which are not stored
    replies: int = 0  # replies that the library did not hold yet
    tokens: int = 0  # tokens of all replies, prompts not counted
    states: int = 0  # hidden states stored
    seconds: float = 0.0  # writing and storing; loading the model not included
    sequences: int = 0  # replies written at once

    @property
    def tokens_per_second(self) -> float:
        """Reply tokens per second, everything included."""
        return self.tokens / self.seconds if self.seconds else 0.0


def learn(
    engine: Engine,
    library: Library,
    questions: Sequence[str],
    max_tokens: int,
    sampling: SamplingSettings,
    progress: Callable[[int, int], None],
) -> Learnt:
    """Answer every question and add question and answer to the library: n-grams and hidden states.

    What all prompts begin with (the template's system part) is left out: one copy per reply would crowd the stores.
    Raises SettingsError, ModelError, StoreError; replies stored before stay.
    """
    if not questions:
        raise SettingsError("There are no prompts to learn from.", "Name a file with prompts.")
    everything = prompts_of(engine, questions)
    prompts = fitting(engine, everything, max_tokens)
    if not prompts:
        raise SettingsError(
            f"No prompt leaves room for a reply of {max_tokens} tokens.",
            "Ask for shorter replies, or for a larger context.",
        )
    shared = common_start(prompts)
    learnt = Learnt(len(prompts), skipped=len(everything) - len(prompts))
    progress(0, len(prompts))
    done = 0
    with engine.turn() as model:
        started = perf_counter()
        for group in by_length(prompts, max_tokens):
            streams = ReplyStreams(model, max(map(len, group)) + max_tokens, model.threads)
            learnt.sequences = max(learnt.sequences, min(streams.sequences, len(group)))
            try:
                for written in streams.write(group, max_tokens, sampling, model.end_tokens, first=done):
                    learnt.tokens += len(written.tokens) - written.reply_start
                    if runs_in_circles(model.piece, written.tokens[written.reply_start :].tolist()):
                        learnt.looped += 1
                    elif library.replies.add(written.tokens[shared:], written.states[shared:], origin="learn"):
                        learnt.replies += 1
                        learnt.states += len(written.states) - shared
                    done += 1
                    progress(done, len(prompts))
            finally:
                streams.close()
        learnt.seconds = perf_counter() - started
    return learnt


def one_by_one(engine: Engine, questions: Sequence[str], max_tokens: int, sampling: SamplingSettings) -> float:
    """What `learn` is measured against: reply tokens per second one by one, without drafts; nothing is stored."""
    tokens = 0
    prompts = fitting(engine, prompts_of(engine, questions), max_tokens)
    started = perf_counter()
    with engine.turn() as model:
        for number, prompt in enumerate(prompts):
            model.begin(prompt)
            sampler = model.sampler(sampling.with_seed_of(number))
            try:
                steps = generate(model, sampler, [], prompt, FixedBudget(0), max_tokens)
                tokens += sum(len(step.emitted) for step in steps)
            finally:
                sampler.close()
    return tokens / (perf_counter() - started) if tokens else 0.0


def prompts_of(engine: Engine, questions: Sequence[str]) -> list[NDArray[np.int32]]:
    """The questions as the chat would send them."""
    return [engine.template.tokens([Message("user", question)], engine.model) for question in questions]


def fitting(engine: Engine, prompts: Sequence[NDArray[np.int32]], max_tokens: int) -> list[NDArray[np.int32]]:
    """The prompts that leave room for a reply in the model's context."""
    longest = min(engine.model.trained_context, engine.model.context_size)
    return [prompt for prompt in prompts if len(prompt) + max_tokens < longest]


def by_length(prompts: Sequence[NDArray[np.int32]], max_tokens: int) -> list[list[NDArray[np.int32]]]:
    """The prompts in groups of like length with their replies, from power to power of two: every sequence of a group
    has room for its longest, and one long prompt must not take the memory of 64."""
    groups: dict[int, list[NDArray[np.int32]]] = {}
    for prompt in prompts:
        size = max(LEAST_ROOM, len(prompt) + max_tokens)
        groups.setdefault((size - 1).bit_length(), []).append(prompt)
    return [groups[size] for size in sorted(groups)]
