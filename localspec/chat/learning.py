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
from localspec.models.llama import ReplyStreams
from localspec.models.sampling import SamplingSettings
from localspec.speculation.budget import FixedBudget
from localspec.speculation.decode import generate
from localspec.stores.library import Library


@dataclass(slots=True)
class Learnt:
    """What a run brought."""

    prompts: int = 0
    replies: int = 0
    """replies that the library did not hold yet"""
    tokens: int = 0
    """tokens of all replies, prompts not counted"""
    states: int = 0
    seconds: float = 0.0
    """writing and storing, loading not included"""
    sequences: int = 0
    """replies written at once"""

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
    """Answer every question and add question and answer to the library, n-grams and states.

    What all prompts begin with (the template's system part) is left out: one copy per reply would crowd the stores.
    Raises SettingsError, ModelError, StoreError; replies stored before stay.
    """
    prompts = prompts_of(engine, questions)
    if not prompts:
        raise SettingsError("There are no prompts to learn from.", "Name a file with prompts.")
    shared = common_start(prompts)
    learnt = Learnt(len(prompts))
    progress(0, len(prompts))
    with engine.turn() as model:
        streams = ReplyStreams(model, max(map(len, prompts)) + max_tokens, model.threads)
        learnt.sequences = min(streams.sequences, len(prompts))
        started = perf_counter()
        try:
            for number, written in enumerate(streams.write(prompts, max_tokens, sampling, model.end_tokens)):
                learnt.tokens += len(written.tokens) - written.reply_start
                if library.add_reply(written.tokens[shared:], written.states[shared:], origin="learn"):
                    learnt.replies += 1
                    learnt.states += len(written.states) - shared
                progress(number + 1, len(prompts))
        finally:
            learnt.seconds = perf_counter() - started
            streams.close()
    return learnt


def one_by_one(engine: Engine, questions: Sequence[str], max_tokens: int, sampling: SamplingSettings) -> float:
    """Reply tokens per second when the same questions are answered one after the other, without drafts; nothing is
    stored. What `learn` is measured against."""
    tokens = 0
    started = perf_counter()
    with engine.turn() as model:
        for number, prompt in enumerate(prompts_of(engine, questions)):
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


def common_start(prompts: Sequence[NDArray[np.int32]]) -> int:
    """How many tokens all prompts begin with; 0 for a single one."""
    if len(prompts) < 2:
        return 0
    shortest = min(map(len, prompts)) - 1
    same = np.all([prompt[:shortest] == prompts[0][:shortest] for prompt in prompts[1:]], axis=0)
    return int(np.argmin(same)) if not same.all() else shortest
