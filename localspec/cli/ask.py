"""The commands `ask` and `chat`, and how an answer is shown."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from localspec import texts
from localspec.chat.engine import Engine
from localspec.chat.library_setup import collect_files, library_of_files, open_library
from localspec.chat.methods import DEFAULT_METHOD, has_states
from localspec.chat.report import told_factor, verdict
from localspec.chat.session import Session
from localspec.chat.turn import ReplyOptions, Turn
from localspec.cli import shared_options as shared
from localspec.cli.interrupts import stop_at_interrupt
from localspec.errors import EmbedderError, LocalSpecError, StoppedError
from localspec.models.embedder import Embedder
from localspec.models.llama import StopSignal
from localspec.speculation.metrics import ReplyMetrics
from localspec.stores.library import Library


def ask(
    question: str,
    doc: shared.Documents = [],  # noqa: B006 - typer copies it
    library: shared.LibraryName = "",
    uses_documents: shared.UsesDocuments = True,
    method: shared.MethodName = DEFAULT_METHOD,
    sizing: shared.Sizing = "device",
    rows: shared.Rows = 0,
    max_tokens: shared.MaxTokens = 512,
    temperature: shared.OwnTemperature = None,
    seed: shared.Seed = -1,
    model: shared.Model = "",
    draft: shared.Draft = "auto",
    threads: shared.Threads = 0,
    gpu_layers: shared.GpuLayers = -1,
    context: shared.ContextSize = 0,
    weight_format: shared.WeightFormat = "tuned",
    learns: shared.Learns = True,
    thinking: shared.Thinking = "",
    as_json: shared.AsJson = False,
) -> None:
    """Answer one question, about documents if any are named."""
    files = collect_files(doc)
    options = ReplyOptions(
        *(method, sizing, rows, max_tokens), documents="auto" if uses_documents else "none", thinking=thinking
    )
    options = shared.with_sampling(options, temperature, seed)
    embedder = prepared_embedder() if uses_documents and (library or files) else None
    engine = shared.load_engine(model, threads, gpu_layers, context, draft, weight_format)
    with open_for(engine, library, files, embedder) as opened:
        failures = shared.index_files(opened, files) if opened is not None else []
        if uses_documents and failures and opened is not None and not _has_readable(opened):
            shared.errors.print(texts.NOT_ASKED, soft_wrap=True)
            raise typer.Exit(1)
        turn = say_answer(Session(engine, opened, learns=learns), question, options)
        if as_json:
            sys.stdout.write(json.dumps(answer_figures(turn), ensure_ascii=False) + "\n")
    if failures and len(failures) == len(files):
        raise typer.Exit(1)


def chat(
    doc: shared.Documents = [],  # noqa: B006
    library: shared.LibraryName = "",
    uses_documents: shared.UsesDocuments = True,
    method: shared.MethodName = DEFAULT_METHOD,
    sizing: shared.Sizing = "device",
    rows: shared.Rows = 0,
    max_tokens: shared.MaxTokens = 512,
    temperature: shared.OwnTemperature = None,
    seed: shared.Seed = -1,
    model: shared.Model = "",
    draft: shared.Draft = "auto",
    threads: shared.Threads = 0,
    gpu_layers: shared.GpuLayers = -1,
    context: shared.ContextSize = 0,
    weight_format: shared.WeightFormat = "tuned",
    learns: shared.Learns = True,
    thinking: shared.Thinking = "",
) -> None:
    """Talk, question after question. An empty line or end of input leaves."""
    files = collect_files(doc)
    options = ReplyOptions(
        *(method, sizing, rows, max_tokens), documents="auto" if uses_documents else "none", thinking=thinking
    )
    options = shared.with_sampling(options, temperature, seed)
    embedder = prepared_embedder() if uses_documents and (library or files) else None
    engine = shared.load_engine(model, threads, gpu_layers, context, draft, weight_format)
    with open_for(engine, library, files, embedder) as opened:
        if opened is not None:
            shared.index_files(opened, files)
        session = Session(engine, opened, learns=learns)
        while True:
            shared.errors.print("[bold]you>[/] ", end="")
            line = sys.stdin.readline()
            if not line.strip():
                break
            try:
                say_answer(session, line, options)
            except LocalSpecError as error:
                shared.errors.print(escape(str(error)), style="red")
            except KeyboardInterrupt:
                shared.errors.print("(stopped)")


def _has_readable(library: Library) -> bool:
    return any(info.status != "failed" for info in library.documents())


def prepared_embedder() -> Embedder:
    """One that reads its files beside the loading of the model."""
    embedder = Embedder.chosen()

    def prepare() -> None:
        with suppress(EmbedderError):  # told when it is used
            embedder.prepare()

    threading.Thread(target=prepare, name="embedder", daemon=True).start()
    return embedder


@contextmanager
def open_for(
    engine: Engine, library: str, files: Sequence[Path], embedder: Embedder | None = None
) -> Iterator[Library | None]:
    """The library that was named, else the one that `files` belong to, then closed; None where neither is given."""
    name = library or (library_of_files(files) if files else "")
    if not name:
        yield None
        return
    with closing(open_library(engine, name, embedder=embedder)) as opened:
        yield opened


def say_answer(session: Session, question: str, options: ReplyOptions) -> Turn:
    """The answer to stdout as it is written; what is thought, sources, notices and figures to stderr. One that runs in
    circles is written once more."""
    turn = _written(session, question, options)
    if turn.looped:
        shared.errors.print(escape(texts.LOOPED_AGAIN), style="yellow", soft_wrap=True)
        turn = _written(session, question, options, instead_of=len(session.turns) - 1)
    _say_below(session, turn)
    return turn


def _written(session: Session, question: str, options: ReplyOptions, *, instead_of: int | None = None) -> Turn:
    """The answer, to stdout."""
    turn: Turn | None = None
    thought = False  # and nothing said since
    with shared.errors.status(texts.FINDING) as status, _stoppable() as stop:
        for update in session.ask(question, options, instead_of=instead_of, stop=stop):
            turn = update.turn
            if update.stage == "reading":
                said = texts.reading(turn.metrics.unread_tokens, update.seconds_left)
                status.update(f"{said} {update.progress:.0%}")
            else:
                status.stop()
                if update.thinking:
                    shared.errors.print(escape(update.thinking), style="dim", end="", soft_wrap=True)
                    thought = True
                elif update.delta and thought:
                    shared.errors.print("\n")
                    thought = False
                sys.stdout.write(update.delta)
                sys.stdout.flush()
    sys.stdout.write("\n")
    assert turn is not None  # ask() yields at least once or raises
    sys.stdout.flush()
    return turn


@contextmanager
def _stoppable() -> Iterator[StopSignal]:
    """What Ctrl-C sets; raises KeyboardInterrupt once the answer has ended by it."""
    with stop_at_interrupt() as stop:
        try:
            yield stop
        except StoppedError as stopped:
            raise KeyboardInterrupt from stopped


def _say_below(session: Session, turn: Turn) -> None:
    """Sources, notices and figures, to stderr."""
    for citation in turn.citations:
        shared.errors.print(escape(f"[{citation.number}] {citation.place}"), style="cyan")
    for notice in turn.notices:
        shared.errors.print(escape(notice), style="yellow", soft_wrap=True)
    metrics = turn.metrics
    if turn.looped:
        shared.errors.print(texts.LOOPED_SPEED, style="dim", soft_wrap=True)
        return
    shared.errors.print(
        f"{metrics.tokens} tokens, {metrics.tokens_per_second:.1f} tokens/s, {_against_plain(metrics)}"
        f"acceptance {metrics.acceptance_rate:.0%}, {metrics.tokens_per_step:.2f} tokens per step",
        style="dim",
    )
    said = verdict(
        metrics,
        turn.method,
        has_documents=session.library is not None,
        has_states=has_states(session.library),
        has_draft=session.engine.draft is not None,
    )
    shared.errors.print(said, style="dim", soft_wrap=True)


def _against_plain(metrics: ReplyMetrics) -> str:
    factor = told_factor(metrics)
    return f"{factor}× plain, " if factor else ""


def answer_figures(turn: Turn) -> dict[str, Any]:
    """The figures as the last line of JSON has them."""
    return {
        "answer": turn.reply,
        "thinking": turn.thinking,
        "citations": [
            {key: getattr(made, key) for key in ("number", "file", "page", "section", "passage")}
            for made in turn.citations
        ],
        "method": turn.method,
        "finish": turn.finish,
        "notices": turn.notices,
        **turn.metrics.figures(),
        "speedup": turn.metrics.speedup,
        "speedup_untold": turn.metrics.untold,
        "plain_tokens_per_second": 1 / turn.metrics.baseline_seconds if turn.metrics.baseline_seconds else 0.0,
        "prompt_tokens": turn.metrics.prompt_tokens,
        "prefill_seconds": turn.metrics.prefill_seconds,
        "tokens_by_source": turn.metrics.by_source,
    }
