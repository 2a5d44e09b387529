"""What do wider batches bring? Tokens per step of methods at fixed row counts.

usage: python -m benchmarks.rows --prompts FILE.jsonl [--model FILE.gguf] [--methods auto,rest,…] [--rows 4 8 16 32 64]
       [--sizing device|paper] [--library NAME] [--limit-per-category 10] [--max-tokens 128] [--plots FOLDER]
       [--json FILE.json]

Each method verifies trees of a fixed size whatever they cost: the nodes that calibrated acceptance holds likeliest,
learnt anew by each method and size. Tokens per step say what a device with free rows would gain; they do not depend on
this one, speeds do. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.figures import PLAIN, groups_of, ordered_groups
from benchmarks.machine import machine, versions
from localspec import config
from localspec.chat.engine import Engine
from localspec.chat.library_setup import open_library, prepare_drafts
from localspec.chat.methods import DEFAULT_METHOD, METHODS, SIZINGS, check_method, plan, sources_of
from localspec.cli.bench import ALL, BenchSettings, MethodRun, Score, compare_runs, read_prompts, run_of
from localspec.errors import LocalSpecError, SettingsError
from localspec.models.llama import MAX_ROWS, LoadSettings
from localspec.speculation.acceptance import Acceptance
from localspec.speculation.policy import FixedBudget
from localspec.stores.library import Library

ROWS = (4, 8, 16, 32, 64)


def at_rows(engine: Engine, library: Library | None, method: str, rows: int, settings: BenchSettings) -> MethodRun:
    """A method that fills batches of `rows`, root included."""
    if METHODS[method].sized_by_itself:
        drafters, budget = plan(sources_of(engine, library), method, "paper", rows, Acceptance())
        return MethodRun(f"{method} {rows}", drafters, budget)
    run = run_of(engine, library, method, settings)
    run.name = f"{method} {rows}"
    run.budget = FixedBudget(rows - 1, Acceptance())
    return run


def grouped(scores: Mapping[str, Score]) -> dict[str, Score]:
    """A run's scores by row of the table, MT-Bench's topics taken together too."""
    categories = [category for category in scores if category != ALL]
    result: dict[str, Score] = {}
    for group in ordered_groups(categories):
        result[group] = Score()
        for category in categories:
            if group in groups_of(category):
                result[group].metrics.merge(scores[category].metrics)
                result[group].prompts += scores[category].prompts
                result[group].diverged += scores[category].diverged
    return result


def summary(plain: MethodRun, runs: Mapping[str, Mapping[int, MethodRun]]) -> dict[str, Any]:
    """Figures by method, row count and group; `speedup` is against plain on the same prompts of this run."""
    base = grouped(plain.scores)
    methods: dict[str, dict[str, dict[str, Any]]] = {}
    for method, by_rows in runs.items():
        methods[method] = {}
        for rows, run in by_rows.items():
            methods[method][str(rows)] = {
                group: {
                    "tokens_per_step": score.metrics.tokens_per_step,
                    "tokens_per_second": score.metrics.tokens_per_second,
                    "speedup": score.metrics.tokens_per_second / base[group].metrics.tokens_per_second,
                    "acceptance_rate": score.metrics.acceptance_rate,
                    "drafted_per_step": score.metrics.drafted / max(1, score.metrics.steps),
                    "diverged": score.diverged,
                    "prompts": score.prompts,
                }
                for group, score in grouped(run.scores).items()
            }
    return {"groups": list(base), "methods": methods}


def table(figures: Mapping[str, Any], method: str) -> Table:
    """Tokens per step of one method: groups downwards, row counts across."""
    by_rows = figures["methods"][method]
    shown = Table("category", *(f"{rows} rows" for rows in by_rows), title=f"{method}, tokens/step", box=box.MARKDOWN)
    for group in figures["groups"]:
        shown.add_row(group, *(f"{values[group]['tokens_per_step']:.2f}" for values in by_rows.values()))
    return shown


def measure(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """MethodRun every method at every row count, prompt by prompt in turn. Raises LocalSpecError."""
    for name in options.methods:
        check_method(name, options.sizing)
    if not all(2 <= rows <= MAX_ROWS for rows in options.rows):
        raise SettingsError(f"A batch has 2 to {MAX_ROWS} rows here, the root included.")
    prompts = read_prompts(options.prompts, options.limit_per_category)
    settings = BenchSettings(tuple(options.methods), options.sizing, max_tokens=options.max_tokens)
    engine = Engine(options.model, LoadSettings(options.context, options.threads, options.gpu_layers), options.draft)
    library = open_library(engine, options.library, create=False) if options.library else None
    try:
        if library is not None:
            prepare_drafts(library)
        if engine.draft is None and any(METHODS[name].needs_draft for name in options.methods):
            raise SettingsError(f"There is no draft model for {engine.name}: {engine.draft_problem}", "Use --draft.")
        plain = run_of(engine, library, PLAIN, settings)
        wide = {
            method: {rows: at_rows(engine, library, method, rows, settings) for rows in options.rows}
            for method in options.methods
        }
        with console.status("") as status:
            compare_runs(
                engine,
                [plain, *(run for by_rows in wide.values() for run in by_rows.values())],
                prompts,
                settings,
                lambda done, total: status.update(f"prompt {done} of {total}"),
                lambda message: console.print(message, markup=False),
            )
        return {
            "benchmark": "rows",
            "model": engine.model.path.name,
            "machine": machine(engine.model.threads),
            "versions": versions(),
            "settings": {
                "prompts": options.prompts.name,
                "limit_per_category": options.limit_per_category,
                "max_tokens": options.max_tokens,
                "preset": options.sizing,
                "library": options.library,
                "rows": options.rows,
            },
            **summary(plain, wide),
        }
    finally:
        if library is not None:
            library.close()
        engine.close()


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, and draw where wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--model", default="")
    parser.add_argument("--methods", default=DEFAULT_METHOD, help="separated by commas")
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    parser.add_argument(
        "--sizing", "--preset", choices=SIZINGS, default="device", help="how the drafters search and draft"
    )
    parser.add_argument("--library", default="")
    parser.add_argument("--draft", default="auto", help="the draft model: a name, a file, auto or none")
    parser.add_argument("--limit-per-category", type=int, default=10)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=config.default_threads())
    parser.add_argument("--gpu-layers", type=int, default=-1)
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--plots", type=Path, help="folder for an SVG file")
    parser.add_argument("--json", type=Path, help="file for what was measured")
    options = parser.parse_args(words)
    options.methods = [name for word in options.methods.split(",") if (name := word.strip()) and name != PLAIN]
    try:
        figures = measure(options, Console(stderr=True))
    except LocalSpecError as error:
        raise SystemExit(str(error)) from error
    if options.json is not None:
        options.json.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    if options.plots is not None:
        from benchmarks.plots import draw  # matplotlib is there for developers only, and measuring needs none

        draw(figures, options.plots)
    shown = Console(width=120)
    for method in figures["methods"]:
        shown.print(table(figures, method))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
