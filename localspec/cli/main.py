"""The command line: ask, chat, index, learn, libraries, models, doctor, desktop, bench.

Answers go to stdout, all else to stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from localspec import config

config.go_offline()

from localspec.chat.engine import Engine  # noqa: E402
from localspec.chat.learning import learn, one_by_one  # noqa: E402
from localspec.chat.library_setup import collect_files, ingest, library_of_files, open_library, prepare_drafts  # noqa: E402
from localspec.chat.methods import DEFAULT_METHOD, check_method, has_states, listed  # noqa: E402
from localspec.chat.report import verdict  # noqa: E402
from localspec.chat.session import ReplyOptions, Session, Turn  # noqa: E402
from localspec.cli.bench import TABLE_HEADER, BenchSettings, device, read_prompts, run, summary, table  # noqa: E402
from localspec.cli.desktop import desktop  # noqa: E402
from localspec.cli.models import ContextSize, models  # noqa: E402
from localspec.desktop import window  # noqa: E402
from localspec.errors import LocalSpecError, SettingsError, StoreError  # noqa: E402
from localspec.models.files.catalogue import AUTOMATIC, NO_DRAFT, available  # noqa: E402
from localspec.models.llama import LoadSettings, gpu_offload_available, library_version, system_info  # noqa: E402
from localspec.models.llama.sampling import RANDOM_SEED, SamplingSettings  # noqa: E402
from localspec.stores.documents.parse import SUPPORTED_SUFFIXES  # noqa: E402
from localspec.stores.library import Library, list_libraries  # noqa: E402
from localspec.stores.overview import LibraryOverview, overview  # noqa: E402
from localspec.texts import left_out  # noqa: E402

application = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="LocalSpec on the command line."
)
application.add_typer(models, name="models")
application.add_typer(desktop, name="desktop")
errors = Console(stderr=True, highlight=False)

Model = Annotated[str, typer.Option(help="Name of a model (see doctor) or a GGUF file.")]
Draft = Annotated[str, typer.Option(help="Draft model: a name, a GGUF file, auto, or none.")]
Threads = Annotated[int, typer.Option(min=0, help="Processor threads; 0 = physical cores.")]
GpuLayers = Annotated[int, typer.Option(help="Layers on the GPU; -1 = all, where the build has one.")]
WeightFormat = Annotated[
    str, typer.Option("--format", help="tuned: the format chosen for this computer. original: the file as it is.")
]
LibraryName = Annotated[str, typer.Option("--library", help="Library of documents to use; made when missing.")]
Documents = Annotated[list[Path], typer.Option("--doc", help="A document to ask about; repeatable.")]
MethodName = Annotated[str, typer.Option("--method", help=f"One of {', '.join(listed())}.")]
Sizing = Annotated[
    str, typer.Option("--sizing", "--preset", help="device: trees sized by measured cost. paper: as published.")
]
Rows = Annotated[int, typer.Option(min=0, help="Most rows of a verification batch, root included; 0 = no cap.")]
MaxTokens = Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")]
Temperature = Annotated[float, typer.Option(min=0.0, help="0 = always the likeliest token.")]
Seed = Annotated[int, typer.Option(help="Seed of the random stream; -1 = a fresh one.")]
Learns = Annotated[bool, typer.Option("--learn/--no-learn", help="Let the library learn from the answers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the figures as a last line of JSON.")]


@application.command()
def ask(
    question: str,
    doc: Documents = [],  # noqa: B006 - typer copies it
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
    as_json: AsJson = False,
) -> None:
    """Answer one question, about documents if any are named."""
    files = collect_files(doc)
    options = ReplyOptions(method, sizing, rows, max_tokens, _sampling(temperature, seed))
    engine = _engine(model, threads, gpu_layers, context, draft, weight_format)
    opened = _open(engine, library or (library_of_files(files) if files else ""))
    try:
        failures = _index(opened, files) if opened is not None else []
        turn = _answer(Session(engine, opened, learns=learns), question, options)
        if as_json:
            sys.stdout.write(json.dumps(_answer_figures(turn), ensure_ascii=False) + "\n")
    finally:
        if opened is not None:
            opened.close()
    if failures and len(failures) == len(files):
        raise typer.Exit(1)


@application.command()
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
    options = ReplyOptions(method, sizing, rows, max_tokens, _sampling(temperature, seed))
    engine = _engine(model, threads, gpu_layers, context, draft, weight_format)
    opened = _open(engine, library or (library_of_files(files) if files else ""))
    try:
        if opened is not None:
            _index(opened, files)
        session = Session(engine, opened, learns=learns)
        while True:
            errors.print("[bold]you>[/] ", end="")
            line = sys.stdin.readline()
            if not line.strip():
                break
            try:
                _answer(session, line, options)
            except LocalSpecError as error:
                errors.print(escape(str(error)), style="red")
            except KeyboardInterrupt:
                errors.print("(stopped)")
    finally:
        if opened is not None:
            opened.close()


@application.command()
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
    engine = _engine(model, threads, gpu_layers, context, weight_format=weight_format)
    opened = open_library(engine, library, create=bool(files))
    if states:
        if opened.rebuild_needed():  # states need n-grams of this model's tokenizer
            opened.rebuild()
        opened.want_states(True)
    failures = _index(opened, found, states=True)
    for info in opened.documents():
        note = f" ({info.reason})" if info.reason else ""
        errors.print(escape(f"{info.name}: {info.status}, {info.passages} passages, {info.tokens} tokens{note}"))
    if opened.states is not None and opened.states_wanted:
        errors.print(f"{opened.states.count()} states of {escape(engine.name)}, {opened.states_missing()} missing")
    opened.close()
    if failures:
        raise typer.Exit(1)


@application.command(name="learn")
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
    sampling = _sampling(temperature, seed)
    engine = _engine(model, threads, gpu_layers, context, weight_format=weight_format)
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


@application.command()
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


@application.command()
def doctor(
    model: Model = "",
    draft: Draft = "auto",
    threads: Threads = 0,
    gpu_layers: GpuLayers = -1,
    context: ContextSize = 0,
    weight_format: WeightFormat = "tuned",
    as_json: AsJson = False,
) -> None:
    """Show what this computer offers: backend, models, and T(k), the time of one decode by rows."""
    engine = _engine(model, threads, gpu_layers, context, draft, weight_format)
    report: dict[str, Any] = {
        "backend": "GPU" if gpu_offload_available() else "CPU",
        "llama_cpp_python": library_version(),
        "system": system_info(),
        "device": device(engine),
        "home": str(config.home()),
        "window": window.description(window.Computer()),
        "models": [{"name": entry.name, "file": str(entry.path), "bytes": entry.bytes} for entry in available()],
        "loaded": {
            "name": engine.name,
            "description": engine.model.description,
            "format": engine.format_name or "the file's own",
            "context": engine.model.context_size,
            "chat_template": not engine.template.is_plain,
            "trees": engine.model.can_rewind,
            "bitwise": engine.model.bitwise,
        },
        "draft": _draft_report(engine),
        "decode_milliseconds": {
            rows: round(float(engine.decode_seconds[rows]) * 1000, 2) for rows in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
        },
    }
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
        return
    for name, value in report.items():
        sys.stdout.write(f"{name}: {json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value}\n")


@application.command()
def bench(
    prompts: Annotated[Path, typer.Option(help="JSON lines in Spec-Bench's form: category, turns.")],
    methods: Annotated[str, typer.Option(help="Methods, separated by commas; plain always runs too.")] = "plain,rest",
    library: LibraryName = "",
    limit_per_category: Annotated[int, typer.Option(min=0, help="Prompts per category; 0 = all.")] = 0,
    max_tokens: MaxTokens = 128,
    temperature: Temperature = 0.0,
    seed: Seed = 0,
    sizing: Sizing = "device",
    rows: Rows = 0,
    model: Model = "",
    draft: Draft = "auto",
    threads: Threads = 0,
    gpu_layers: GpuLayers = -1,
    context: ContextSize = 0,
    weight_format: WeightFormat = "tuned",
    as_json: AsJson = False,
) -> None:
    """Run plain and each method on every prompt in turn; print a table and, last, a line of JSON."""
    chosen = tuple(name.strip() for name in methods.split(",") if name.strip())
    for name in chosen:
        check_method(name, sizing)
    settings = BenchSettings(chosen, sizing, rows, max_tokens, limit_per_category, _sampling(temperature, seed))
    texts = read_prompts(prompts, limit_per_category)
    engine = _engine(model, threads, gpu_layers, context, draft, weight_format)
    opened = open_library(engine, library, create=False) if library else None
    if opened is not None:
        prepare_drafts(opened)
    with errors.status("") as status:
        contestants = run(
            engine,
            opened,
            texts,
            settings,
            lambda done, total: status.update(f"prompt {done} of {total}"),
            lambda message: errors.print(escape(message)),
        )
    figures = summary(engine, contestants)
    if not as_json:
        shown = Table(*TABLE_HEADER)
        for row in table(contestants, figures):
            shown.add_row(*row)
        Console(width=120).print(shown)
    sys.stdout.write(json.dumps(figures) + "\n")
    if opened is not None:
        opened.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors go to stderr and end with status 1, wrong usage with 2."""
    words = _repeat_documents(list(sys.argv[1:] if arguments is None else arguments))
    try:
        application(words)
    except LocalSpecError as error:
        errors.print(escape(str(error)), style="red", soft_wrap=True)
        raise SystemExit(1) from error
    except KeyboardInterrupt as interrupt:
        errors.print("Stopped.")
        raise SystemExit(130) from interrupt
    except BrokenPipeError as broken:
        raise SystemExit(1) from broken


def _repeat_documents(words: list[str]) -> list[str]:
    """`--doc a.pdf b.pdf` as `--doc a.pdf --doc b.pdf`: words behind a document that name files are documents too."""
    result: list[str] = []
    among_documents = False
    for position, word in enumerate(words):
        if position > 0 and words[position - 1] == "--doc":
            among_documents = True
        elif word.startswith("-"):
            among_documents = False
        elif among_documents and _looks_like_a_document(word):
            result.append("--doc")
        result.append(word)
    return result


def _looks_like_a_document(word: str) -> bool:
    try:
        if Path(word).exists():
            return True
    except OSError:  # longer than a file name can be
        return False
    return Path(word).suffix.lower() in SUPPORTED_SUFFIXES and " " not in word


def _engine(
    model: str, threads: int, gpu_layers: int, context: int, draft: str = NO_DRAFT, weight_format: str = "tuned"
) -> Engine:
    if weight_format not in ("tuned", "original"):
        raise SettingsError(f"There is no choice called {weight_format!r}.", "Give --format tuned or original.")
    with errors.status("Loading the model …"):
        engine = Engine(model, LoadSettings(context, threads, gpu_layers, weight_format == "original"), draft)
    if engine.format_problem:
        errors.print(escape(f"In the file's own format: {engine.format_problem}"), style="yellow", soft_wrap=True)
    if engine.draft_problem and draft != AUTOMATIC:
        errors.print(escape(f"Without a draft model: {engine.draft_problem}"), style="yellow", soft_wrap=True)
    return engine


def _draft_report(engine: Engine) -> dict[str, Any] | str:
    """The draft model as `doctor` shows it, or why there is none."""
    if engine.draft is None:
        return engine.draft_problem or "none"
    return {
        "name": engine.draft_name,
        "description": engine.draft.description,
        "tokens": engine.draft.vocabulary_size,
    }


def _sampling(temperature: float, seed: int) -> SamplingSettings:
    return SamplingSettings(temperature=temperature, seed=RANDOM_SEED if seed < 0 else seed)


def _open(engine: Engine, name: str) -> Library | None:
    return open_library(engine, name) if name else None


def _tell_left_out(folder: Path, counts: dict[str, int]) -> None:
    if said := left_out(counts):
        errors.print(escape(f"{folder}: {said}"), style="yellow", soft_wrap=True)


def _index(library: Library, files: Sequence[Path], *, states: bool = False) -> list[str]:
    """Index the files with progress on stderr; returns the messages of those that failed, which were printed."""
    with errors.status("") as status:
        failures = ingest(library, files, lambda text: status.update(escape(text)), states=states)
    for message in failures:
        errors.print(escape(message), style="red", soft_wrap=True)
    return failures


def _answer(session: Session, question: str, options: ReplyOptions) -> Turn:
    turn: Turn | None = None
    with errors.status("Reading …") as status:
        for update in session.ask(question, options):
            turn = update.turn
            if update.stage == "reading":
                status.update(f"Reading {turn.metrics.prompt_tokens} tokens … {update.progress:.0%}")
            else:
                status.stop()
                sys.stdout.write(update.delta)
                sys.stdout.flush()
    sys.stdout.write("\n")
    assert turn is not None  # ask() yields at least once or raises
    sys.stdout.flush()
    for citation in turn.citations:
        errors.print(escape(f"[{citation.number}] {citation.place}"), style="cyan")
    for notice in turn.notices:
        errors.print(escape(notice), style="yellow", soft_wrap=True)
    metrics = turn.metrics
    errors.print(
        f"{metrics.tokens} tokens, {metrics.tokens_per_second:.1f} tokens/s, {metrics.speedup:.2f}× plain, "
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
    errors.print(said, style="dim", soft_wrap=True)
    return turn


def _answer_figures(turn: Turn) -> dict[str, Any]:
    return {
        "answer": turn.reply,
        "citations": [
            {
                "number": made.number,
                "file": made.file,
                "page": made.page,
                "section": made.section,
                "passage": made.passage,
            }
            for made in turn.citations
        ],
        "method": turn.method,
        "finish": turn.finish,
        "notices": turn.notices,
        **turn.metrics.figures(),
        "speedup": turn.metrics.speedup,
        "plain_tokens_per_second": 1 / turn.metrics.baseline_seconds if turn.metrics.baseline_seconds else 0.0,
        "prompt_tokens": turn.metrics.prompt_tokens,
        "prefill_seconds": turn.metrics.prefill_seconds,
        "tokens_by_source": turn.metrics.by_source,
    }
