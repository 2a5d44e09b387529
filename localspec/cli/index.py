"""The commands `index` and `libraries`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from localspec import config
from localspec.chat.library_setup import collect_files, open_library
from localspec.cli.shared_options import (
    AsJson,
    ContextSize,
    GpuLayers,
    LibraryName,
    Model,
    Threads,
    WeightFormat,
    errors,
    index_files,
    load_engine,
)
from localspec.errors import StoreError
from localspec.stores.library import list_libraries
from localspec.stores.overview import LibraryOverview, overview
from localspec.texts import left_out


def index(
    files: Annotated[list[Path], typer.Argument(help="Documents or folders of documents.")] = [],  # noqa: B006
    library: LibraryName = config.DEFAULT_LIBRARY,
    states: Annotated[
        bool, typer.Option("--states", help="Also read the library with this model, for drafts from its states.")
    ] = False,
    model: Model = "",
    threads: Threads = 0,
    gpu_layers: GpuLayers = -1,
    context: ContextSize = 0,
    weight_format: WeightFormat = "tuned",
) -> None:
    """Read documents into a library, so that answers and drafts can use them."""
    if not files and not states:
        raise typer.BadParameter("Name documents, or give --states.", param_hint="FILES")
    found = collect_files(files, _tell_left_out)
    engine = load_engine(model, threads, gpu_layers, context, weight_format=weight_format)
    opened = open_library(engine, library, create=bool(files))
    if states:
        if opened.rebuild_needed():  # states need n-grams of this model's tokenizer
            opened.rebuild()
        opened.state_reading.want(True)
    failures = index_files(opened, found, states=True)
    for info in opened.documents():
        note = f" ({info.reason})" if info.reason else ""
        errors.print(escape(f"{info.name}: {info.status}, {info.passages} passages, {info.tokens} tokens{note}"))
    if opened.states is not None and opened.state_reading.wanted:
        errors.print(
            f"{opened.states.count()} states of {escape(engine.name)}, {opened.state_reading.missing()} missing"
        )
    opened.close()
    if failures:
        raise typer.Exit(1)


def libraries(as_json: AsJson = False) -> None:
    """List the libraries with what they hold."""
    found: list[LibraryOverview] = []
    stores = config.stores_folder()
    for name in list_libraries(stores):
        try:
            found.append(overview(stores / name))
        except StoreError as error:
            errors.print(escape(str(error)), style="red", soft_wrap=True)
    if as_json:
        sys.stdout.write(json.dumps([asdict(library) for library in found]) + "\n")
        return
    for library in found:
        states = ", ".join(f"{count} states of {target}" for target, count in library.states.items())
        sys.stdout.write(
            f"{library.name}\t{library.bytes / 2**20:.1f} MiB\t{library.documents} documents\t"
            f"{library.tokens} tokens\t{library.replies} learnt replies\t{states or 'no states'}\n"
        )
    if not found:
        errors.print("There is no library yet. Make one with: index FILE … --library NAME")


def _tell_left_out(folder: Path, counts: dict[str, int]) -> None:
    if said := left_out(counts):
        errors.print(escape(f"{folder}: {said}"), style="yellow", soft_wrap=True)
