"""The benchmark: plain and each method on every prompt in turn, in one run."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localspec.chat.engine import Engine
from localspec.chat.methods import METHODS, has_states, plan, sources_of
from localspec.chat.report import NO_STATES, UNKNOWN_DRAFT
from localspec.chat.template import Message
from localspec.errors import SettingsError
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.acceptance import Acceptance
from localspec.speculation.decode import generate
from localspec.speculation.interface import Drafter, need_states
from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.policy import Budget
from localspec.stores.library import Library

ALL = "all"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt of a Spec-Bench file: its category and the first turn."""

    category: str
    text: str


@dataclass(slots=True)
class Score:
    """Figures of one method over some prompts."""

    metrics: ReplyMetrics = field(default_factory=ReplyMetrics)
    diverged: int = 0
    prompts: int = 0


@dataclass(slots=True)
class Run:
    """A method as the benchmark runs it; what it learns about acceptance stays its own."""

    name: str
    drafters: list[Drafter]
    budget: Budget
    scores: dict[str, Score] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """What to run. `rows` 0 = no cap; `limit_per_category` 0 = all prompts."""

    methods: tuple[str, ...]
    preset: str = "device"
    rows: int = 0
    max_tokens: int = 128
    limit_per_category: int = 0
    sampling: SamplingSettings = field(default_factory=SamplingSettings)


def read_prompts(path: Path, limit_per_category: int = 0) -> list[Prompt]:
    """The prompts of a JSON-lines file in Spec-Bench's form (`category`, `turns`); the first turn of each.

    Raises SettingsError that names the line.
    """
    prompts: list[Prompt] = []
    taken: dict[str, int] = {}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # splitlines() would cut at U+2028 inside a text
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The prompt file {path} cannot be read ({error}).", "Check the path.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            category, text = str(record["category"]), record["turns"][0]
            if not isinstance(record["turns"], list) or not isinstance(text, str):
                raise TypeError("its turns are no texts")
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise SettingsError(
                f"{path}, line {number} is no prompt ({error}).", 'Each line is {"category": …, "turns": ["…"]}.'
            ) from error
        taken[category] = taken.get(category, 0) + 1
        if limit_per_category <= 0 or taken[category] <= limit_per_category:
            prompts.append(Prompt(category, text))
    if not prompts:
        raise SettingsError(f"The prompt file {path} holds no prompts.", "Name another file.")
    return prompts


def run(
    engine: Engine,
    library: Library | None,
    prompts: Sequence[Prompt],
    settings: BenchSettings,
    progress: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> list[Run]:
    """Run plain and every method on each prompt, one after the other, prompt by prompt."""
    names = list(dict.fromkeys(("plain", *settings.methods)))
    contestants = [contestant_of(engine, library, name, settings) for name in names]
    if any(METHODS[name].uses_states for name in names) and not has_states(library):
        warn(NO_STATES)
    if engine.draft is None and any(METHODS[name].needs_draft for name in names):
        why = engine.draft_problem or UNKNOWN_DRAFT
        raise SettingsError(f"There is no draft model for {engine.name}: {why}", "Name one with --draft.")
    return compete(engine, contestants, prompts, settings, progress, warn)


def compete(
    engine: Engine,
    contestants: list[Run],
    prompts: Sequence[Prompt],
    settings: BenchSettings,
    progress: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> list[Run]:
    """Run contestants, the first of them plain, on each prompt, one after the other, prompt by prompt."""
    for number, prompt in enumerate(prompts):
        progress(number, len(prompts))
        tokens = engine.template.tokens([Message("user", prompt.text)], engine.model)
        if len(tokens) + settings.max_tokens >= engine.model.context_size:
            warn(f"Left out: prompt {number + 1} ({prompt.category}), {len(tokens)} tokens are too long.")
            continue
        plain: list[int] = []
        for contestant in contestants:
            emitted, metrics = reply(engine, contestant, tokens, settings)
            if contestant is contestants[0]:
                plain = emitted
            for category in dict.fromkeys((ALL, prompt.category)):
                score = contestant.scores.setdefault(category, Score())
                score.metrics.merge(metrics)
                score.prompts += 1
                score.diverged += emitted != plain
    progress(len(prompts), len(prompts))
    if not contestants[0].scores:
        raise SettingsError("No prompt fits into the context.", "Use a larger context or shorter answers.")
    return contestants


def contestant_of(engine: Engine, library: Library | None, name: str, settings: BenchSettings) -> Run:
    """A method with what it drafts from; it has learnt nothing yet."""
    sources = sources_of(engine, library)
    return Run(name, *plan(sources, name, settings.preset, settings.rows, Acceptance()))


def reply(
    engine: Engine, contestant: Run, tokens: NDArray[np.int32], settings: BenchSettings
) -> tuple[list[int], ReplyMetrics]:
    """The tokens of one reply to `tokens` [n], and its figures. What the KV cache holds of them is not read again."""
    metrics = ReplyMetrics()
    emitted: list[int] = []
    with engine.turn() as model:
        model.begin(tokens, states=need_states(contestant.drafters))
        sampler = model.sampler(settings.sampling)
        try:
            for step in generate(model, sampler, contestant.drafters, tokens, contestant.budget, settings.max_tokens):
                metrics.add(step)
                emitted += step.emitted.tolist()
            metrics.take(contestant.drafters)
        finally:
            sampler.close()
    return emitted, metrics


def summary(engine: Engine, contestants: Sequence[Run]) -> dict[str, Any]:
    """The figures as the last line of JSON has them; `speedup` is against plain on the same prompts of this run."""
    plain = contestants[0].scores
    methods: dict[str, dict[str, dict[str, float | int]]] = {}
    for contestant in contestants:
        methods[contestant.name] = {
            category: {
                **score.metrics.figures(),
                "speedup": _ratio(score.metrics.tokens_per_second, plain[category].metrics.tokens_per_second),
                "diverged": score.diverged,
                "prompts": score.prompts,
            }
            for category, score in contestant.scores.items()
        }
    return {
        "model": engine.name,
        "format": engine.format_name or engine.model.description,
        "device": device(engine),
        "methods": methods,
    }


def device(engine: Engine) -> str:
    """Processor, threads and layers on the GPU."""
    layers = engine.model.gpu_layers
    offload = "no GPU layers" if layers == 0 else ("all layers on the GPU" if layers < 0 else f"{layers} GPU layers")
    return f"{platform.machine()} {platform.system()}, {engine.model.threads} threads, {offload}"


def table(contestants: Sequence[Run], figures: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Rows for people: category, method, tokens/s, speedup, tokens per step, acceptance, accepted length, diverged."""
    for category in contestants[0].scores:
        for contestant in contestants:
            values = figures["methods"][contestant.name][category]
            yield (
                category,
                contestant.name,
                f"{values['tokens_per_second']:.1f}",
                f"{values['speedup']:.2f}×",
                f"{values['tokens_per_step']:.2f}",
                f"{values['acceptance_rate']:.0%}",
                f"{values['accepted_length']:.2f}",
                f"{values['diverged']}/{values['prompts']}",
            )


TABLE_HEADER = ("category", "method", "tokens/s", "speedup", "tokens/step", "acceptance", "accepted length", "diverged")


def _ratio(value: float, base: float) -> float:
    return value / base if base > 0 else 0.0
