"""Options that several commands have, and what they stand for: a loaded model, an opened library, read documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from localspec.chat.engine import Engine
from localspec.chat.library_setup import ingest
from localspec.chat.methods import listed
from localspec.chat.turn import ReplyOptions
from localspec.errors import SettingsError
from localspec.models.choice import default_model
from localspec.models.files.catalogue import AUTOMATIC, NO_DRAFT
from localspec.models.fit.memory import measure_room
from localspec.models.llama import LoadSettings
from localspec.models.llama.sampling import RANDOM_SEED, SamplingSettings
from localspec.models.offload import proven
from localspec.stores.library import Library

errors = Console(stderr=True, highlight=False)
"""Answers, lists and figures go to stdout, all else here."""


Model = Annotated[str, typer.Option(help="Name of a model (see models list) or a GGUF file.")]
Draft = Annotated[str, typer.Option(help="Draft model: a name, a GGUF file, auto, or none.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0 = all physical cores.")]
GpuLayers = Annotated[int, typer.Option(help="Layers on the GPU; -1 = as many as fit, 0 = none.")]
WeightFormat = Annotated[
    str, typer.Option("--format", help="tuned: the format chosen for this computer. original: the file as it is.")
]
ContextSize = Annotated[
    int, typer.Option("--context", min=0, help="Tokens of context; 0 = up to 8192, as memory allows.")
]
LibraryName = Annotated[str, typer.Option("--library", help="Library of documents to use; created if missing.")]
Documents = Annotated[list[Path], typer.Option("--doc", help="Document to ask about; repeatable.")]
UsesDocuments = Annotated[
    bool, typer.Option("--documents/--no-documents", help="Answer from documents where the question is about them.")
]
MethodName = Annotated[str, typer.Option("--method", help=f"One of {', '.join(listed())}.")]
Sizing = Annotated[
    str, typer.Option("--sizing", "--preset", help="device: trees sized by measured cost. paper: as published.")
]
Rows = Annotated[int, typer.Option(min=0, help="Most rows of a verification batch, root included; 0 = no cap.")]
MaxTokens = Annotated[int, typer.Option(min=1, help="Max tokens of an answer.")]
Temperature = Annotated[float, typer.Option(min=0.0, help="0 = always the likeliest token.")]
OwnTemperature = Annotated[
    float | None,
    typer.Option("--temperature", min=0.0, help="0 = the likeliest token. Without it, as recommended for the model."),
]
Seed = Annotated[int, typer.Option(help="Random seed; -1 = a new one each time.")]
Thinking = Annotated[
    str, typer.Option("--thinking", help="on, off, low, medium or high, for models that think before they answer.")
]
Learns = Annotated[bool, typer.Option("--learn/--no-learn", help="Let the library learn from the answers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the figures as JSON on the last line.")]


def load_engine(
    model: str, threads: int, gpu_layers: int, context: int, draft: str = NO_DRAFT, weight_format: str = "tuned"
) -> Engine:
    """The model with its draft; what was not possible is said on stderr. Raises ModelError, SettingsError."""
    if weight_format not in ("tuned", "original"):
        raise SettingsError(f"There is no choice called {weight_format!r}.", "Give --format tuned or original.")
    if not model:
        found = default_model(lambda: measure_room(devices=gpu_layers != 0))
        model = found.name
        if found.notice:
            errors.print(escape(found.notice), style="yellow", soft_wrap=True)
    with errors.status("Loading the model …"):
        wanted = LoadSettings(context, threads, gpu_layers, weight_format == "original")
        tried = proven(model, draft, wanted, automatic=gpu_layers < 0)
        engine = Engine(model, tried.settings, draft)
    if tried.notice:
        errors.print(escape(tried.notice), style="yellow", soft_wrap=True)
    if engine.format_problem:
        errors.print(escape(f"In the file's own format: {engine.format_problem}"), style="yellow", soft_wrap=True)
    if engine.draft_problem and draft != AUTOMATIC:
        errors.print(escape(f"Without a draft model: {engine.draft_problem}"), style="yellow", soft_wrap=True)
    return engine


def sampling_of(temperature: float, seed: int) -> SamplingSettings:
    """A seed below 0 is a fresh one."""
    return SamplingSettings(temperature=temperature, seed=RANDOM_SEED if seed < 0 else seed)


def with_sampling(options: ReplyOptions, temperature: float | None, seed: int) -> ReplyOptions:
    """The options with the temperature that was named, else with all that is recommended for the model."""
    if temperature is not None:
        return replace(options, sampling=sampling_of(temperature, seed))
    return replace(options, sampling=sampling_of(0.0, seed), recommended=True)


def index_files(library: Library, files: Sequence[Path], *, states: bool = False) -> list[str]:
    """Index the files with progress on stderr; returns the messages of those that failed, which were printed."""
    with errors.status("") as status:
        failures = ingest(library, files, lambda text: status.update(escape(text)), states=states)
    for message in failures:
        errors.print(escape(message), style="red", soft_wrap=True)
    return failures
