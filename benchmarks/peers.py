"""LocalSpec beside its peers: llama-server's modes and llama-cpp-python, on the same file, prompts and threads.

usage: python -m benchmarks.peers --server LLAMA_SERVER --model FILE.gguf [--model FILE2.gguf …] --prompts FILE.jsonl
       [--methods auto,rest,…] [--library NAME] [--limit-per-category 10] [--max-tokens 128] [--threads 2]
       [--without PATTERN …] [--plots FOLDER] [--json FILE.json]

Everything is loaded once and idle between its turns. Prompt by prompt each of them answers once, greedy, with nothing
kept from before; who begins changes from prompt to prompt, so that drift of the machine hits all alike. Speed is that
of decoding; seconds are those of a whole reply, prefill included. The clocks of the peers start with the first token,
which their prefill has made, so it does not count for their speed. llama-server's n-gram modes and our methods may
learn from earlier replies of the run, as in use.

Build llama-server from the source archive of the llama-cpp-python that is pinned, in `vendor/llama.cpp`:
`cmake -B build -DCMAKE_BUILD_TYPE=Release -DLLAMA_CURL=OFF && cmake --build build -j2 --target llama-server`.
`--json` keeps every reply's figures, from which `benchmarks.plots` draws again. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.child import idle_shares
from benchmarks.figures import ALL, LIBRARY, OURS, PLAIN, SERVER, Record, Reply, ratio_interval, speed, summary
from benchmarks.machine import machine, versions
from benchmarks.peer_runs import LIBRARY_MODES, SERVER_MODES, LibraryRun, OwnRun, PeerRun, Place, Question, ServerRun
from localspec import config
from localspec.chat.engine import Engine
from localspec.chat.library_setup import open_library, prepare_drafts
from localspec.chat.methods import DEFAULT_METHOD, METHODS, check_method
from localspec.chat.template import Message
from localspec.cli.bench import BenchSettings, Prompt, read_prompts, run_of
from localspec.errors import LocalSpecError, SettingsError
from localspec.models.files.catalogue import resolve
from localspec.models.llama import LoadSettings
from localspec.stores.library import Library

WARMING = "Name three colours of the rainbow."
"""Asked first and not counted; none of the prompts, lest somebody learns from it."""
WARMING_TOKENS = 16
SPINNING = 0.05
"""Share of a core above which an idle program would disturb the others."""

Item = TypeVar("Item")
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Team:
    """All runs with one model file."""

    model: str
    engine: Engine
    peer_runs: tuple[PeerRun, ...]

    @property
    def kinds(self) -> dict[str, str]:
        """Name → kind, in order."""
        return {peer_run.name: peer_run.kind for peer_run in self.peer_runs}


def team_of(
    place: Place,
    server: Path | None,
    methods: Sequence[str],
    without: Sequence[str],
    library: str,
    draft: str,
    stack: ExitStack,
) -> Team:
    """Load a model for everybody but the peers whose names match a pattern of `without`; `stack` ends them all.

    Raises LocalSpecError.
    """
    load = LoadSettings(context=place.context, threads=place.threads, gpu_layers=place.gpu_layers)
    engine = Engine(str(place.model), load, draft)
    stack.callback(engine.close)
    opened: Library | None = None
    if library:
        opened = open_library(engine, library, create=False)
        stack.callback(opened.close)
        prepare_drafts(opened)
    if engine.draft is None and any(METHODS[name].needs_draft for name in methods):
        raise SettingsError(f"There is no draft model for {engine.name}: {engine.draft_problem}", "Name one: --draft.")
    settings = BenchSettings(tuple(methods))
    peer_runs: list[PeerRun] = [
        OwnRun(engine, run_of(engine, opened, name, settings), settings) for name in dict.fromkeys((PLAIN, *methods))
    ]

    def invited(kind: str, mode: str) -> bool:
        return not any(re.search(pattern, f"{kind} {mode}") for pattern in without)

    for mode, tokens in LIBRARY_MODES.items():
        if not invited(LIBRARY, mode):
            continue
        peer_runs.append(LibraryRun(mode, tokens, place))
        stack.callback(peer_runs[-1].close)
    if server is not None:
        for mode, flags in SERVER_MODES.items():
            if not invited(SERVER, mode):
                continue
            peer_runs.append(ServerRun(server, mode, flags, place))
            stack.callback(peer_runs[-1].close)
    return Team(place.model.name, engine, tuple(peer_runs))


def warm_up(teams: Sequence[Team], warn: Say) -> None:
    """A first reply of everybody, then silence: a program that computes without a question would disturb the rest."""
    for team in teams:
        question = question_of(team.engine, WARMING)
        for peer_run in team.peer_runs:
            peer_run.answer(question, WARMING_TOKENS)
    children = [peer_run.child for team in teams for peer_run in team.peer_runs if peer_run.child is not None]
    for name, share in idle_shares(children).items():
        if share > SPINNING:
            warn(f"{name} uses {share:.0%} of a core while it is idle: the others' figures suffer.")


def compete(
    teams: Sequence[Team], prompts: Sequence[Prompt], context: int, max_tokens: int, progress: Say, warn: Say
) -> dict[str, list[Record]]:
    """Every run's reply to every prompt that fits everybody's context, by model.

    Raises ModelError when somebody dies, SettingsError when no prompt fits.
    """
    records: dict[str, list[Record]] = {team.model: [] for team in teams}
    turns = [(team, peer_run) for team in teams for peer_run in team.peer_runs]
    differing: Counter[str] = Counter()
    asked = 0
    for number, prompt in enumerate(prompts, start=1):
        progress(f"prompt {number} of {len(prompts)}")
        questions = {team.model: question_of(team.engine, prompt.text) for team in teams}
        longest = max(len(question.tokens) for question in questions.values())
        if longest + max_tokens >= context:
            warn(f"Left out: prompt {number} ({prompt.category}), {longest} tokens are too long.")
            continue
        replies: dict[tuple[str, str], Reply] = {}
        for team, peer_run in rotated(turns, asked):
            replies[team.model, peer_run.name] = peer_run.answer(questions[team.model], max_tokens)
        for team, peer_run in turns:
            reply = replies[team.model, peer_run.name]
            same = reply.text.strip() == replies[team.model, PLAIN].text.strip()
            records[team.model].append(Record(peer_run.name, number, prompt.category, reply, same))
            if reply.prompt_tokens != (ours := len(questions[team.model].tokens)):
                who = f"{peer_run.name} ({team.model})"
                differing[who] += 1
                if differing[who] == 1:
                    warn(f"{who} reads {reply.prompt_tokens} prompt tokens where we read {ours}: prompt {number}.")
        asked += 1
    for who, count in differing.items():
        warn(f"{who}: another number of prompt tokens than ours for {count} of {asked} prompts.")
    if not asked:
        raise SettingsError("No prompt fits into the context.", "Use a larger context or shorter answers.")
    return records


def question_of(engine: Engine, text: str) -> Question:
    """A prompt with our token ids for it."""
    return Question(text, engine.template.tokens([Message("user", text)], engine.model))


def rotated(items: Sequence[Item], turn: int) -> list[Item]:
    """The items in their order, beginning with another one at each turn."""
    start = turn % len(items) if items else 0
    return [*items[start:], *items[:start]]


def across(records: Mapping[str, Sequence[Record]], kinds: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Ours against the fastest llama-server mode on any of the files: what a person gains who may choose the file."""
    replies = {
        (model, name): [record.reply for record in records[model] if record.peer_run == name]
        for model, named in kinds.items()
        for name in named
    }
    servers = [(model, name) for model, name in replies if kinds[model][name] == SERVER]
    if not servers:
        return {}
    fastest = max(servers, key=lambda each: speed(replies[each]))
    rival = speed(replies[fastest])
    ours = [
        {
            "model": model,
            "method": name,
            "tokens_per_second": speed(own),
            "ratio": speed(own) / rival if rival > 0 else 0.0,
            "interval": list(ratio_interval(own, replies[fastest])),
        }
        for (model, name), own in replies.items()
        if kinds[model][name] == OURS
    ]
    return {"fastest_server": {"model": fastest[0], "mode": fastest[1], "tokens_per_second": rival}, "ours": ours}


def tables(model: str, figures: Mapping[str, Any]) -> Iterator[Table]:
    """All runs over all prompts; then speed by category, ours beside the best llama-server mode."""
    peer_runs, best = figures["contenders"], figures["best_server"]
    whole = Table(
        "contender", "tokens/s", "× our plain (95%)", "× best server (95%)", "s per reply", "tokens/step", "same text",
        title=f"{model}, all prompts; best server mode: {best[ALL] or 'none'}", box=box.MARKDOWN,
    )  # fmt: skip
    for name, peer_run in peer_runs.items():
        values = peer_run["groups"][ALL]
        whole.add_row(
            name,
            f"{values['tokens_per_second']:.1f}",
            _with_interval(values, "plain"),
            _with_interval(values, "server"),
            f"{values['seconds_per_reply']:.2f}",
            f"{values['tokens_per_step']:.2f}",
            f"{values['same_text']}/{values['prompts']}",
        )
    yield whole
    shown = [name for name in peer_runs if peer_runs[name]["kind"] == OURS]
    parts = Table(
        "category", "prompts", *(f"{name}, tokens/s (× plain, × server)" for name in shown), "best server mode",
        title=f"{model}, by category", box=box.MARKDOWN,
    )  # fmt: skip
    for group in figures["groups"]:
        cells = [peer_runs[name]["groups"][group] for name in shown]
        rival = best[group]
        parts.add_row(
            group,
            str(cells[0]["prompts"]),
            *(
                f"{values['tokens_per_second']:.1f} ({values['against_plain']:.2f}, {values['against_server']:.2f})"
                for values in cells
            ),
            f"{rival}: {peer_runs[rival]['groups'][group]['tokens_per_second']:.1f}" if rival else "none",
        )
    yield parts


def _with_interval(values: Mapping[str, Any], base: str) -> str:
    if f"against_{base}_interval" not in values:
        return "–"
    low, high = values[f"against_{base}_interval"]
    return f"{values[f'against_{base}']:.2f} ({low:.2f}–{high:.2f})"


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line. Exits with status 2 for wrong usage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", type=Path, help="the llama-server binary; without it only llama-cpp-python is met")
    parser.add_argument("--model", action="append", default=[], help="a GGUF file or a model's name; repeatable")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--methods", default=DEFAULT_METHOD, help="ours, separated by commas; plain always runs")
    parser.add_argument("--library", default="")
    parser.add_argument("--draft", default="auto", help="the draft model: a name, a file, auto or none")
    parser.add_argument("--without", action="append", default=[], help="leave out peers whose names match")
    parser.add_argument("--limit-per-category", type=int, default=10)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=config.default_threads())
    parser.add_argument("--gpu-layers", type=int, default=-1, help="-1 = all of them, where the builds can")
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--plots", type=Path, help="folder for SVG files")
    parser.add_argument("--json", type=Path, help="file for everything that was measured")
    options = parser.parse_args(words)
    options.methods = [name.strip() for name in options.methods.split(",") if name.strip()]
    options.model = options.model or [""]
    if options.library and len(options.model) > 1:
        parser.error("--library goes with one --model: one process holds a library once")
    return options


def measure(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Load everybody, let them compete, end them; all figures. Raises LocalSpecError."""
    for name in options.methods:
        check_method(name, "device")
    prompts = read_prompts(options.prompts, options.limit_per_category)
    places = [
        Place(resolve(name).path.resolve(), options.context, options.threads, options.gpu_layers)
        for name in options.model
    ]

    if len({place.model.name for place in places}) < len(places):
        raise SettingsError("Two of the models have one file name.", "Rename one: results go by it.")

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    with ExitStack() as stack:
        teams = [
            team_of(place, options.server, options.methods, options.without, options.library, options.draft, stack)
            for place in places
        ]
        warm_up(teams, say)
        status = stack.enter_context(console.status(""))
        records = compete(teams, prompts, options.context, options.max_tokens, status.update, say)
        kinds = {team.model: team.kinds for team in teams}
    return {
        "benchmark": "peers",
        "machine": machine(options.threads),
        "versions": versions(options.server),
        "settings": {
            "prompts": options.prompts.name,
            "limit_per_category": options.limit_per_category,
            "max_tokens": options.max_tokens,
            "context": options.context,
            "gpu_layers": options.gpu_layers,
            "methods": options.methods,
            "without": options.without,
            "library": options.library,
        },
        "models": {model: summary(records[model], kinds[model]) for model in kinds},
        "across": across(records, kinds),
        "replies": {model: [_without_text(record) for record in records[model]] for model in kinds},
    }


def _without_text(record: Record) -> dict[str, Any]:
    figures = asdict(record)
    del figures["reply"]["text"]
    return figures


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, and draw where wanted."""
    options = parsed(words)
    try:
        figures = measure(options, Console(stderr=True))
    except LocalSpecError as error:
        raise SystemExit(str(error)) from error
    if options.json is not None:
        options.json.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    if options.plots is not None:
        from benchmarks.plots import draw  # matplotlib is there for developers only, and measuring needs none

        draw(figures, options.plots)
    del figures["replies"]
    shown = Console(width=200)
    for model, values in figures["models"].items():
        for table in tables(model, values):
            shown.print(table)
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
