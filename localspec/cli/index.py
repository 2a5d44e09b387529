"""The commands `index`, `learn` and `libraries`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from localspec import config, texts
from localspec.chat.learning import learn, one_by_one
from localspec.chat.library_setup import collect_files, open_library, prepare_drafts
from localspec.cli import shared_options as shared
from localspec.cli.bench import read_prompts
from localspec.errors import StoreError
from localspec.stores.library import list_libraries
from localspec.stores.naming import library_title
from localspec.stores.overview import LibraryOverview, overview


def index(
    files: Annotated[list[Path], typer.Argument(help="Documents or folders of documents.")] = [],  # noqa: B006
    library: shared.LibraryName = config.DEFAULT_LIBRARY,
    states: Annotated[
        bool, typer.Option("--states", help="Also read the library with this model, for drafts by meaning.")
    ] = False,
    read_again: Annotated[
        bool, typer.Option("--read-again", help="Also reindex documents that an older version indexed.")
    ] = False,
    model: shared.Model = "",
    threads: shared.Threads = 0,
    gpu_layers: shared.GpuLayers = -1,
    context: shared.ContextSize = 0,
    weight_format: shared.WeightFormat = "tuned",
) -> None:
    """Read documents into a library, so that answers and drafts can use them."""
    if not files and not states and not read_again:
        raise typer.BadParameter("Name documents, or give --states or --read-again.", param_hint="FILES")
    found = collect_files(files, _tell_left_out)
    engine = shared.load_engine(model, threads, gpu_layers, context, weight_format=weight_format)
    opened = open_library(engine, library, create=bool(files))
    if opened.rebuild_needed():  # n-grams of this model's tokenizer, vectors of the embedding model that is chosen
        opened.rebuild()
    if states:
        opened.state_reading.want(True)
    if read_again:
        opened.renewal.want()
    failures = shared.index_files(opened, found, states=True)
    for info in opened.documents():
        note = f" ({info.reason})" if info.reason else ""
        shared.errors.print(escape(f"{info.name}: {info.status}, {info.passages} passages, {info.tokens} tokens{note}"))
    if outdated := sum(info.outdated for info in opened.documents()):
        shared.errors.print(texts.READ_BETTER_CLI.format(documents=texts.counted(outdated, "document")))
    if said := texts.foreign_documents(opened.passages.foreign_documents(), opened.passages.embedder_languages):
        shared.errors.print(escape(said), style="yellow", soft_wrap=True)
    if opened.states is not None and opened.state_reading.wanted:
        shared.errors.print(
            f"{opened.states.count()} states of {escape(engine.name)}, {opened.state_reading.missing()} missing"
        )
    opened.close()
    if failures:
        raise typer.Exit(1)


def learn_command(
    prompts: Annotated[Path, typer.Option(help="JSON lines in Spec-Bench's form: category, turns.")],
    library: shared.LibraryName = config.DEFAULT_LIBRARY,
    limit_per_category: Annotated[int, typer.Option(min=0, help="Prompts per category; 0 = all.")] = 0,
    max_tokens: shared.MaxTokens = 256,
    temperature: shared.Temperature = 0.0,
    seed: shared.Seed = 0,
    compare: Annotated[int, typer.Option(min=0, help="Also time this many prompts one by one, without drafts.")] = 0,
    model: shared.Model = "",
    threads: shared.Threads = 0,
    gpu_layers: shared.GpuLayers = -1,
    context: shared.ContextSize = 0,
    weight_format: shared.WeightFormat = "tuned",
    as_json: shared.AsJson = False,
) -> None:
    """Let the model answer prompts, many at once, and add what it says to a library: drafts of its own making."""
    questions = [prompt.text for prompt in read_prompts(prompts, limit_per_category)]
    sampling = shared.sampling_of(temperature, seed)
    engine = shared.load_engine(model, threads, gpu_layers, context, weight_format=weight_format)
    opened = open_library(engine, library)
    try:
        single = one_by_one(engine, questions[:compare], max_tokens, sampling) if compare else 0.0
        with shared.errors.status("") as status:
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
    shared.errors.print(
        f"{learnt.replies} new of {learnt.prompts} replies, {learnt.tokens:,} tokens and {learnt.states:,} states in"
        f" {learnt.seconds:.0f} s, {learnt.tokens_per_second:.0f} tokens/s"
        + (f", {figures['speedup']:.2f}× one by one ({single:.0f} tokens/s)" if single else "")
    )
    if learnt.skipped:
        shared.errors.print(f"{learnt.skipped} prompts were left out: they are too long for the model's context.")
    if learnt.looped:
        shared.errors.print(texts.not_learnt(learnt.looped))
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")


def libraries(as_json: shared.AsJson = False) -> None:
    """List the libraries with what they hold."""
    found: list[LibraryOverview] = []
    stores = config.stores_folder()
    for name in list_libraries(stores):
        try:
            found.append(overview(stores / name))
        except StoreError as error:
            shared.errors.print(escape(str(error)), style="red", soft_wrap=True)
    if as_json:
        sys.stdout.write(json.dumps([asdict(library) for library in found]) + "\n")
        return
    for library in found:
        states = ", ".join(f"{count} states of {target}" for target, count in library.states.items())
        sys.stdout.write(
            f"{library_title(library.name)}\t{library.bytes / 2**20:.1f} MiB\t{library.documents} documents\t"
            f"{library.tokens} tokens\t{library.replies} learnt replies\t{states or 'no states'}\n"
        )
    if not found:
        shared.errors.print("There is no library yet. Create one with: index FILE … --library NAME")


def _tell_left_out(folder: Path, counts: dict[str, int]) -> None:
    if said := texts.left_out(counts):
        shared.errors.print(escape(f"{folder}: {said}"), style="yellow", soft_wrap=True)
