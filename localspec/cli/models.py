"""The commands `models list`, `download`, `check` and `tune`. Lists and tables go to stdout, all else to stderr."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from localspec import config, texts
from localspec.application.tuning_child import tune
from localspec.chat.library_setup import states_of
from localspec.cli.shared_options import ContextSize, errors
from localspec.errors import DownloadStoppedError, ModelError, ModelFileError
from localspec.models.choice import default_model
from localspec.models.files import catalogue, check
from localspec.models.files.catalogue import CatalogueEntry, ModelEntry, resolve
from localspec.models.files.download import download
from localspec.models.fit.memory import MemoryReport, draft_of, footprint, measure_room, memory_report
from localspec.models.llama import LoadSettings, Weights
from localspec.models.pairing import pair
from localspec.models.quantization import tuned
from localspec.models.quantization.format_search import SHOWN_ROWS, TuningProgress
from localspec.models.quantization.needs import needs_of

models = typer.Typer(no_args_is_help=True, help="List models, download them, check them.")

Name = Annotated[str, typer.Argument(help="Name of a model, see models list.")]
NameOrFile = Annotated[str, typer.Argument(help="Name of a model on this computer, or a GGUF file.")]
DraftName = Annotated[str, typer.Option("--draft", help="Draft model: a name or a GGUF file.")]
WithDraft = Annotated[bool, typer.Option("--with-draft/--no-draft", help="Also download its draft model.")]
DefaultName = Annotated[str, typer.Argument(help="Name of a model on this computer; default: the default model.")]
Undo = Annotated[bool, typer.Option("--undo", help="Go back to the file's own format.")]
Again = Annotated[bool, typer.Option("--again", help="Measure again.")]
Thorough = Annotated[bool, typer.Option("--all", help="Compare the outputs of slow formats, too.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads to tune for; 0 = all physical cores.")]
GpuLayers = Annotated[int, typer.Option(help="Layers on the GPU to tune for; -1 = all, where the build has one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on one line.")]


@models.command(name="list")
def list_command(context: ContextSize = 0, as_json: AsJson = False) -> None:
    """List the models on this computer and those that can be downloaded, with the memory they need."""
    chat_models = catalogue.available()
    only_drafts = [entry for entry in catalogue.drafts() if entry not in chat_models]
    here = [_installed_figures(entry, context) for entry in chat_models]
    here += [_installed_figures(entry, context) | {"only_drafts": True} for entry in only_drafts]
    names = {figures["name"] for figures in here}
    to_download = [_catalogue_figures(entry, context, entry.name in names) for entry in catalogue.catalogue_entries()]
    if as_json:
        sys.stdout.write(json.dumps({"installed": here, "catalogue": to_download}, ensure_ascii=False) + "\n")
        return
    output = Console(width=120, highlight=False)
    output.print("On this computer", style="bold")
    shown = Table("name", "size", "memory", "", "file")
    for figures in here:
        shown.add_row(
            figures["name"],
            _gigabytes(figures["bytes"]),
            "" if "only_drafts" in figures else _memory(figures),
            "drafts only" if "only_drafts" in figures else _fits(figures),
            Path(figures["file"]).name,
        )
    output.print(shown)
    output.print("To download: models download NAME", style="bold")
    shown = Table("name", "what", "size", "licence", "draft", "memory", "")
    for figures in to_download:
        state = "installed" if figures["installed"] else _fits(figures)
        size = f"{'about ' if figures['approximate'] else ''}{_gigabytes(figures['bytes'])}"
        shown.add_row(
            figures["name"], figures["title"], size, figures["licence"], figures["draft"], _memory(figures), state
        )
    output.print(shown)
    output.print("Memory: with the draft named, a full cache each, and the embedding model for documents.")
    better = catalogue.recommended_entry()
    if better is not None and any(f["name"] == better.name and f["fits"] and not f["installed"] for f in to_download):
        output.print(escape(texts.RECOMMENDED_GET.format(name=better.name)), soft_wrap=True)


@models.command(name="download")
def download_command(name: Name, with_draft: WithDraft = True) -> None:
    """Download a model of the catalogue and, unless told otherwise, the smaller one that drafts for it."""
    entry = catalogue.find_entry(name)
    wanted = [entry]
    if with_draft and entry.draft and entry.draft != catalogue.DEFAULT_MODEL:
        wanted.append(catalogue.find_entry(entry.draft))
    report = memory_report(footprint(entry), draft_of(entry, catalogue.catalogue_entries()) if with_draft else None)
    _say(report)
    errors.print(escape(f"Licence: {', '.join(dict.fromkeys(each.licence for each in wanted))}"))
    try:
        for each in wanted:
            _fetch(each)
    except (KeyboardInterrupt, DownloadStoppedError) as interrupt:
        command = f"./start.sh models download {name}{'' if with_draft else ' --no-draft'}"
        errors.print(escape(f"Stopped. Resume with: {command}"), soft_wrap=True)
        raise typer.Exit(130) from interrupt
    if entry.recommended:
        errors.print(texts.DEFAULT_NOW.format(model=entry.name), soft_wrap=True)


@models.command(name="check")
def check_command(name: NameOrFile, draft: DraftName = "", context: ContextSize = 0) -> None:
    """Check that a model works here and fits into the memory that is free, alone or with a draft beside it."""
    target = resolve(name)
    drafter = catalogue.resolve_draft(draft) if draft else None
    for entry in (target, *([drafter] if drafter else [])):
        with errors.status(escape(f"Checking {entry.path.name} …")):
            verdict = check.check(entry.path, config.cache_folder())
        errors.print(escape(f"{entry.name} works. SHA-256 {verdict.weights_fingerprint}"), soft_wrap=True)
    if drafter is not None:
        errors.print(escape(draft_report(target, drafter)), soft_wrap=True)
    report = memory_report(footprint(target), footprint(drafter) if drafter else None, context=context)
    _say(report)
    if not report.fits:
        raise typer.Exit(1)


@models.command(name="tune")
def tune_command(
    name: DefaultName = "",
    undo: Undo = False,
    again: Again = False,
    thorough: Thorough = False,
    threads: Threads = 0,
    gpu_layers: GpuLayers = -1,
    as_json: AsJson = False,
) -> None:
    """Choose the weight format that answers fastest on this computer among those that stay near the original."""
    entry = resolve(name or default_model(measure_room).name)
    settings = LoadSettings(0, threads, gpu_layers)
    if all(entry.path != listed.path for listed in catalogue.available()):
        raise ModelError(
            f"{entry.path} is not in the list of models: a file chosen by its path is used as it is.",
            f"Put it into {config.models_folder()}, and name it as models list does.",
        )
    if undo:
        found = _undo(entry, settings)
    else:
        needs = needs_of(entry)
        errors.print(
            f"While formats are tried, up to {_gigabytes(needs.disk)} of disk ({_gigabytes(needs.free_disk)} free) and"
            f" {needs.memory / 2**30:.1f} GiB of memory ({needs.free_memory / 2**30:.1f} GiB free) are needed.",
            soft_wrap=True,
        )
        with errors.status("Inspecting the model …") as status:

            def show(progress: TuningProgress) -> None:
                status.update(escape(f"{progress.format} ({progress.done} of at most {progress.total}) …"))

            found = tune(entry, settings, again=again, thorough=thorough, report=show)
        found = tuned.use(found, bool(found.file))
    if as_json:
        sys.stdout.write(json.dumps(tuning_figures(found), ensure_ascii=False) + "\n")
    else:
        Console(width=150, highlight=False).print(_tuning_table(found))
    errors.print(escape(tuning_sentence(found)), soft_wrap=True)
    other = found.fingerprint if found.in_use else ""
    if other and (libraries := states_of(other)):
        errors.print(
            f"Drafts by meaning of {', '.join(map(escape, libraries))} were read in the file's own format and belong to"
            " it: have the libraries read again (index --states), or go back (models tune --undo).",
            soft_wrap=True,
        )


def _undo(entry: ModelEntry, settings: LoadSettings) -> tuned.Tuning:
    """Back to the file's own format. Raises ModelError where no other was chosen."""
    found = tuned.read(check.check(entry.path, config.cache_folder()).weights_fingerprint, settings)
    if found is None:
        raise ModelError(f"{entry.name} has not been tuned on this computer.", "There is nothing to undo.")
    undone = tuned.use(found, False)
    tuned.remove_file(found)
    return undone


def tuning_sentence(found: tuned.Tuning) -> str:
    """What was chosen, in words."""
    if (untold := found.untold) is not None:
        why = texts.FORMAT_WHY_UNTOLD[untold.note]
        return (
            f"{found.model} stays as it is: it could not be measured whether {untold.format} is faster here, for {why}."
        )
    if not found.file:
        return f"{found.model} stays as it is: no other format is faster here at the same quality."
    spread = texts.FORMAT_FASTER.format(spread=found.spread) if found.spread else "measured by an older version"
    chosen = f"{found.chosen} ({spread})"
    if not found.in_use:
        return f"{found.model} is used as it is. The best format here was {chosen}: models tune uses it again."
    return f"{found.model} is used in {chosen}, from the next start on. Back to the file as it is: models tune --undo"


def tuning_figures(found: tuned.Tuning) -> dict[str, Any]:
    """The figures as JSON has them."""
    keys = ("mean_divergence", "agreement", "positions", "tokens_per_second", "gain", "least_gain", "most_gain", "note")
    return {
        "model": found.model,
        "chosen": found.chosen or found.original.format,
        "in_use": found.in_use,
        "file": str(found.path) if found.path is not None else "",
        "speedup": found.speedup,
        "formats": [
            {"format": one.format, "bytes": one.bytes}
            | {"milliseconds": {rows: round(seconds * 1000, 2) for rows, seconds in one.seconds.items()}}
            | {key: getattr(one, key) for key in keys}
            for one in found.figures
        ],
    }


def _tuning_table(found: tuned.Tuning) -> Table:
    shown = Table(
        "format", "size", *(f"T({rows})" for rows in SHOWN_ROWS), "KL", "same word", "tokens/s", "× original", ""
    )
    for one in found.figures:
        times = [f"{one.seconds[rows] * 1000:.1f}" if rows in one.seconds else "–" for rows in SHOWN_ROWS]
        shown.add_row(
            one.format,
            _gigabytes(one.bytes),
            *times,
            "–" if one.mean_divergence is None else f"{one.mean_divergence:.4f}",
            "–" if one.agreement is None else f"{one.agreement:.1%}",
            f"{one.tokens_per_second:.0f}" if one.tokens_per_second else "–",
            one.times_as_fast or "–",
            escape(one.note),
        )
    return shown


def draft_report(target: ModelEntry, drafter: ModelEntry) -> str:
    """What makes the two a pair. Raises DraftMismatchError that names the first token that differs."""
    with closing(Weights(target.path, gpu_layers=0)) as first, closing(Weights(drafter.path, gpu_layers=0)) as second:
        known = pair(first, second).known
    return f"{drafter.name} can draft for {target.name}: it knows {int(known.sum()):,} of its {len(known):,} tokens."


def _fetch(entry: CatalogueEntry) -> None:
    """Download one model under a bar. Raises DownloadError."""
    asked = False
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=errors, transient=True) as bar:
        task = bar.add_task(escape(entry.file), total=None)

        def show(done: int, total: int) -> None:
            nonlocal asked
            asked = True
            bar.update(task, completed=done, total=total or None)

        path = download(entry, progress=show, report=lambda said: errors.print(escape(said), soft_wrap=True))
    errors.print(escape(f"{entry.name} {'is complete' if asked else 'is there already'}: {path}"), soft_wrap=True)


def _installed_figures(entry: ModelEntry, context: int) -> dict[str, Any]:
    figures: dict[str, Any] = {"name": entry.name, "file": str(entry.path), "bytes": entry.bytes}
    try:
        return figures | _memory_figures(memory_report(footprint(entry), context=context))
    except ModelFileError as error:
        return figures | {"problem": str(error)}


def _catalogue_figures(entry: CatalogueEntry, context: int, installed: bool) -> dict[str, Any]:
    keys = ("name", "title", "repository", "file", "bytes", "approximate", "licence", "draft")
    report = memory_report(footprint(entry), draft_of(entry, catalogue.catalogue_entries()), context=context)
    return {key: getattr(entry, key) for key in keys} | {"installed": installed} | _memory_figures(report)


def _memory_figures(report: MemoryReport) -> dict[str, Any]:
    return {"memory": report.needed, "free_memory": report.free, "fits": report.fits}


def _say(report: MemoryReport) -> None:
    errors.print(escape(report.sentence), style="" if report.fits else "yellow", soft_wrap=True)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"


def _memory(figures: dict[str, Any]) -> str:
    return f"{figures['memory'] / 2**30:.1f} GiB" if "memory" in figures else "unknown"


def _fits(figures: dict[str, Any]) -> str:
    if "problem" in figures:
        return "damaged"
    return "fits" if figures["fits"] else "does not fit"
