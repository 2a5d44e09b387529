"""The command `learn`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from localspec import config
from localspec.chat.learning import learn, one_by_one
from localspec.chat.library_setup import open_library, prepare_drafts
from localspec.cli.bench import read_prompts
from localspec.cli.shared_options import (
    AsJson,
    ContextSize,
    GpuLayers,
    LibraryName,
    MaxTokens,
    Model,
    Seed,
    Temperature,
    Threads,
    WeightFormat,
    errors,
    load_engine,
    sampling_of,
)


def learn_command(
    prompts: Annotated[Path, typer.Option(help="JSON lines in Spec-Bench's form: category, turns.")],
    library: LibraryName = config.DEFAULT_LIBRARY,
    limit_per_category: Annotated[int, typer.Option(min=0, help="Prompts per category; 0 = all.")] = 0,
    max_tokens: MaxTokens = 256,
    temperature: Temperature = 0.0,
    seed: Seed = 0,
    compare: Annotated[int, typer.Option(min=0, help="Also time this many prompts one by one, without drafts.")] = 0,
    model: Model = "",
    threads: Threads = 0,
    gpu_layers: GpuLayers = -1,
    context: ContextSize = 0,
    weight_format: WeightFormat = "tuned",
    as_json: AsJson = False,
) -> None:
    """Let the model answer prompts, many at once, and add what it says to a library: drafts of its own making."""
    questions = [prompt.text for prompt in read_prompts(prompts, limit_per_category)]
    sampling = sampling_of(temperature, seed)
    engine = load_engine(model, threads, gpu_layers, context, weight_format=weight_format)
    opened = open_library(engine, library)
    try:
        single = one_by_one(engine, questions[:compare], max_tokens, sampling) if compare else 0.0
        with errors.status("") as status:
            learnt = learn(
                engine,
                opened,
                questions,
                max_tokens,
                sampling,
                lambda done, total: status.update(f"{done} of {total} replies"),
            )
            status.update("Indexing what was learnt …")
            prepare_drafts(opened)
    finally:
        opened.close()
    figures = {
        **asdict(learnt),
        "tokens_per_second": learnt.tokens_per_second,
        "one_by_one_tokens_per_second": single,
        "speedup": learnt.tokens_per_second / single if single else 0.0,
    }
    errors.print(
        f"{learnt.replies} new of {learnt.prompts} replies, {learnt.tokens:,} tokens and {learnt.states:,} states in"
        f" {learnt.seconds:.0f} s, {learnt.tokens_per_second:.0f} tokens/s"
        + (f", {figures['speedup']:.2f}× one by one ({single:.0f} tokens/s)" if single else "")
    )
    if learnt.skipped:
        errors.print(f"{learnt.skipped} prompts were left out: they are too long for the model's context.")
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
