"""The command `bench`: plain and each method on every prompt in turn, in one run."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from localspec.chat.engine import Engine
from localspec.chat.library_setup import open_library, prepare_drafts
from localspec.chat.methods import METHODS, check_method, has_states, plan, sources_of
from localspec.chat.report import NO_STATES, UNKNOWN_DRAFT
from localspec.chat.template import Message
from localspec.cli import shared_options as shared
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
class MethodRun:
    """A method as the benchmark runs it; what it learns about acceptance stays its own."""

    name: str
    drafters: list[Drafter]
    budget: Budget
    scores: dict[str, Score] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """What to run. `rows` 0 = no cap; `limit_per_category` 0 = all prompts."""

    methods: tuple[str, ...]
    sizing: str = "device"
    rows: int = 0
    max_tokens: int = 128
    limit_per_category: int = 0
    sampling: SamplingSettings = field(default_factory=SamplingSettings)


def bench(
    prompts: Annotated[Path, typer.Option(help="JSON lines in Spec-Bench's form: category, turns.")],
    methods: Annotated[str, typer.Option(help="Methods, separated by commas; plain always runs too.")] = "plain,rest",
    library: shared.LibraryName = "",
    limit_per_category: Annotated[int, typer.Option(min=0, help="Prompts per category; 0 = all.")] = 0,
    max_tokens: shared.MaxTokens = 128,
    temperature: shared.Temperature = 0.0,
    seed: shared.Seed = 0,
    sizing: shared.Sizing = "device",
    rows: shared.Rows = 0,
    model: shared.Model = "",
    draft: shared.Draft = "auto",
    threads: shared.Threads = 0,
    gpu_layers: shared.GpuLayers = -1,
    context: shared.ContextSize = 0,
    weight_format: shared.WeightFormat = "tuned",
    as_json: shared.AsJson = False,
) -> None:
    """Run plain and each method on every prompt in turn; print a table and, last, a line of JSON."""
    chosen = tuple(name.strip() for name in methods.split(",") if name.strip())
    for name in chosen:
        check_method(name, sizing)
    sampling = shared.sampling_of(temperature, seed)
    settings = BenchSettings(chosen, sizing, rows, max_tokens, limit_per_category, sampling)
    texts = read_prompts(prompts, limit_per_category)
    engine = shared.load_engine(model, threads, gpu_layers, context, draft, weight_format)
    opened = open_library(engine, library, create=False) if library else None
    if opened is not None:
        prepare_drafts(opened)
    with shared.errors.status("") as status:
        runs = compare_methods(
            engine,
            opened,
            texts,
            settings,
            lambda done, total: status.update(f"prompt {done} of {total}"),
            lambda message: shared.errors.print(escape(message)),
        )
    figures = summary(engine, runs)
    if not as_json:
        shown = Table(*TABLE_HEADER)
        for row in table(runs, figures):
            shown.add_row(*row)
        Console(width=120).print(shown)
    sys.stdout.write(json.dumps(figures) + "\n")
    if opened is not None:
        opened.close()


def read_prompts(path: Path, limit_per_category: int = 0) -> list[Prompt]:
    """The prompts of a JSON-lines file in Spec-Bench's form (`category`, `turns`); the first turn of each. Raises
    SettingsError that names the line."""
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
                raise TypeError("its turns are not texts")
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise SettingsError(
                f"{path}, line {number} is not a prompt ({error}).", 'Each line is {"category": …, "turns": ["…"]}.'
            ) from error
        taken[category] = taken.get(category, 0) + 1
        if limit_per_category <= 0 or taken[category] <= limit_per_category:
            prompts.append(Prompt(category, text))
    if not prompts:
        raise SettingsError(f"The prompt file {path} holds no prompts.", "Name another file.")
    return prompts


def compare_methods(
    engine: Engine,
    library: Library | None,
    prompts: Sequence[Prompt],
    settings: BenchSettings,
    progress: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> list[MethodRun]:
    """Run plain and every method on each prompt, one after the other, prompt by prompt."""
    names = list(dict.fromkeys(("plain", *settings.methods)))
    runs = [run_of(engine, library, name, settings) for name in names]
    if any(METHODS[name].uses_states for name in names) and not has_states(library):
        warn(NO_STATES)
    if engine.draft is None and any(METHODS[name].needs_draft for name in names):
        why = engine.draft_problem or UNKNOWN_DRAFT
        raise SettingsError(f"There is no draft model for {engine.name}: {why}", "Name one with --draft.")
    return compare_runs(engine, runs, prompts, settings, progress, warn)


def compare_runs(
    engine: Engine,
    runs: list[MethodRun],
    prompts: Sequence[Prompt],
    settings: BenchSettings,
    progress: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> list[MethodRun]:
    """Each run, the first of them plain, on each prompt, one after the other, prompt by prompt."""
    for number, prompt in enumerate(prompts):
        progress(number, len(prompts))
        tokens = engine.template.tokens([Message("user", prompt.text)], engine.model)
        if len(tokens) + settings.max_tokens >= engine.model.context_size:
            warn(f"Left out: prompt {number + 1} ({prompt.category}), {len(tokens)} tokens are too long.")
            continue
        plain: list[int] = []
        for run in runs:
            emitted, metrics = reply(engine, run, tokens, settings)
            if run is runs[0]:
                plain = emitted
            for category in dict.fromkeys((ALL, prompt.category)):
                score = run.scores.setdefault(category, Score())
                score.metrics.merge(metrics)
                score.prompts += 1
                score.diverged += emitted != plain
    progress(len(prompts), len(prompts))
    if not runs[0].scores:
        raise SettingsError("No prompt fits into the context.", "Use a larger context or shorter answers.")
    return runs


def run_of(engine: Engine, library: Library | None, name: str, settings: BenchSettings) -> MethodRun:
    """A method with what it drafts from; it has learnt nothing yet."""
    sources = sources_of(engine, library)
    return MethodRun(name, *plan(sources, name, settings.sizing, settings.rows, Acceptance()))


def reply(
    engine: Engine, run: MethodRun, tokens: NDArray[np.int32], settings: BenchSettings
) -> tuple[list[int], ReplyMetrics]:
    """The tokens of one reply to `tokens` [n], and its figures. What the KV cache holds of them is not read again."""
    metrics = ReplyMetrics()
    emitted: list[int] = []
    with engine.turn() as model:
        model.begin(tokens, states=need_states(run.drafters))
        with closing(model.sampler(settings.sampling)) as sampler:
            for step in generate(model, sampler, run.drafters, tokens, run.budget, settings.max_tokens):
                metrics.add(step)
                emitted += step.emitted.tolist()
            metrics.take(run.drafters)
    return emitted, metrics


def summary(engine: Engine, runs: Sequence[MethodRun]) -> dict[str, Any]:
    """The figures as the last line of JSON has them; `speedup` is against plain on the same prompts of this run."""
    plain = runs[0].scores
    methods: dict[str, dict[str, dict[str, float | int]]] = {}
    for run in runs:
        methods[run.name] = {
            category: {
                **score.metrics.figures(),
                "speedup": _ratio(score.metrics.tokens_per_second, plain[category].metrics.tokens_per_second),
                "diverged": score.diverged,
                "prompts": score.prompts,
            }
            for category, score in run.scores.items()
        }
    weights = engine.format_name or engine.model.description
    return {"model": engine.name, "format": weights, "device": device(engine), "methods": methods}


def device(engine: Engine) -> str:
    """Processor, threads and layers on the GPU."""
    layers = engine.model.gpu_layers
    offload = "no GPU layers" if layers == 0 else ("all layers on the GPU" if layers < 0 else f"{layers} GPU layers")
    return f"{platform.machine()} {platform.system()}, {engine.model.threads} threads, {offload}"


def table(runs: Sequence[MethodRun], figures: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Rows for people: category, method, tokens/s, speedup, tokens per step, acceptance, accepted length, diverged."""
    for category in runs[0].scores:
        for run in runs:
            values = figures["methods"][run.name][category]
            yield (
                category,
                run.name,
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
