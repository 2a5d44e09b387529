"""The command `chat`: question after question."""

from __future__ import annotations

import sys

from rich.markup import escape

from localspec.chat.library_setup import collect_files
from localspec.chat.methods import DEFAULT_METHOD
from localspec.chat.session import Session
from localspec.chat.turn import ReplyOptions
from localspec.cli.ask import open_for, say_answer
from localspec.cli.shared_options import (
    ContextSize,
    Documents,
    Draft,
    GpuLayers,
    Learns,
    LibraryName,
    MaxTokens,
    MethodName,
    Model,
    Rows,
    Seed,
    Sizing,
    Temperature,
    Threads,
    WeightFormat,
    errors,
    index_files,
    load_engine,
    sampling_of,
)
from localspec.errors import LocalSpecError


def chat(
    doc: Documents = [],  # noqa: B006
    library: LibraryName = "",
    method: MethodName = DEFAULT_METHOD,
    sizing: Sizing = "device",
    rows: Rows = 0,
    max_tokens: MaxTokens = 512,
    temperature: Temperature = 0.0,
    seed: Seed = -1,
    model: Model = "",
    draft: Draft = "auto",
    threads: Threads = 0,
    gpu_layers: GpuLayers = -1,
    context: ContextSize = 0,
    weight_format: WeightFormat = "tuned",
    learns: Learns = True,
) -> None:
    """Talk, question after question. An empty line or end of input leaves."""
    files = collect_files(doc)
    options = ReplyOptions(method, sizing, rows, max_tokens, sampling_of(temperature, seed))
    engine = load_engine(model, threads, gpu_layers, context, draft, weight_format)
    opened = open_for(engine, library, files)
    try:
        if opened is not None:
            index_files(opened, files)
        session = Session(engine, opened, learns=learns)
        while True:
            errors.print("[bold]you>[/] ", end="")
            line = sys.stdin.readline()
            if not line.strip():
                break
            try:
                say_answer(session, line, options)
            except LocalSpecError as error:
                errors.print(escape(str(error)), style="red")
            except KeyboardInterrupt:
                errors.print("(stopped)")
    finally:
        if opened is not None:
            opened.close()
