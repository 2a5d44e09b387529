"""How do REST and DReSD grow with the store?

usage: python -m benchmarks.growth --prompts FILE.jsonl [--category NAME …] --model FILE.gguf
       (--chats FOLDER | --library NAME | --texts FILE …) [--sizes 50000 150000 500000] [--cache FOLDER]
       [--plot FILE.svg]

The target answers the prompts once. Then a store of n-grams and one of states are filled with the same texts: recorded
chats (npz files with `tokens` and `lengths`), what a library holds, or text files that the target did not write. At
each size both methods, as published and with trees of 16 rows, are replayed on the recorded replies: greedy replies do
not depend on drafts, so that a replay accepts what decoding would. `--cache` keeps the states that were read, for the
next run. The last line is JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from localspec.chat.engine import Engine
from localspec.chat.learning import prompts_of
from localspec.chat.library_setup import open_library
from localspec.cli.bench import Prompt, read_prompts
from localspec.models.llama import WINDOW, ReplyStreams, Written
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.drafters.dresd import DresdDrafter
from localspec.speculation.drafters.rest import RestDrafter
from localspec.speculation.interface import Context, Drafter
from localspec.speculation.policy import FixedBudget
from localspec.speculation.verify import walk
from localspec.stores.database import StoreDatabase
from localspec.stores.ngrams.ngram_store import NGRAM_MIGRATIONS, NgramStore
from localspec.stores.states.state_store import STATE_MIGRATIONS, StateStore

NODES = 15
Tokens = NDArray[np.int32]
States = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Result:
    """One method at one size."""

    method: str
    states: int
    acceptance: float
    accepted_length: float


def replay(drafter: Drafter, written: Sequence[Written]) -> tuple[int, int, int]:
    """(steps, drafted, accepted) of a drafter over recorded replies."""
    steps = drafted = accepted = 0
    budget = FixedBudget(NODES)
    for reply in written:
        tokens = reply.tokens
        root = reply.reply_start - 1
        drafter.begin(_context(reply, root))
        while root < len(tokens) - 1:
            tree = budget.choose(drafter.propose(_context(reply, root), NODES), NODES, len(tokens) - root - 2)
            following = iter(tokens[root + 1 :].tolist())
            path, emitted = walk(tree, partial(_take, following), _never_ends)
            steps += 1
            drafted += len(tree)
            accepted += len(path)
            root += len(emitted)
    return steps, drafted, accepted


def _context(reply: Written, root: int) -> Context:
    """The reply up to its token `root`."""
    known = np.ones(root, np.bool_)
    return Context(reply.tokens[: root + 1], 0, lambda: (reply.states[:root], known))


def _take(following: Iterator[int], _row: int) -> int:
    return next(following)


def _never_ends(_token: int) -> bool:
    return False


def answers(engine: Engine, prompts: Sequence[Prompt], max_tokens: int) -> list[Written]:
    """Greedy replies with their states."""
    tokens = prompts_of(engine, [prompt.text for prompt in prompts])
    tokens = [each for each in tokens if len(each) + max_tokens < WINDOW]
    with engine.turn() as model:
        streams = ReplyStreams(model, max(map(len, tokens)) + max_tokens, model.threads)
        try:
            return list(streams.write(tokens, max_tokens, SamplingSettings(), model.end_tokens))
        finally:
            streams.close()


def texts_of(options: argparse.Namespace, engine: Engine) -> Iterator[Tokens]:
    """Token ids of the texts that fill the stores."""
    if options.chats is not None:
        chats: list[Tokens] = []
        for file in sorted(options.chats.glob("*.npz")):
            with np.load(file) as recorded:
                ends = np.cumsum(recorded["lengths"])
                chats += np.split(recorded["tokens"].astype(np.int32), ends[:-1])
        for number in np.random.default_rng(0).permutation(len(chats)):
            yield chats[number][:WINDOW]
    elif options.library:
        library = open_library(engine, options.library, create=False)
        try:
            for document in sorted(library.ngrams.documents()):
                yield library.ngrams.tokens(document)[:WINDOW]
        finally:
            library.close()
    else:
        for file in options.texts:
            tokens = engine.tokenize(file.read_text(encoding="utf-8", errors="replace"))
            yield from (tokens[start : start + WINDOW] for start in range(0, len(tokens), WINDOW))


class Recorded:
    """States as they were read before, each text's behind its hash; from the first other text on they are read anew."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self._engine = engine
        width = engine.model.state_size
        self._file = (folder / f"states-{engine.weights_fingerprint[:12]}.f16").open("a+b")
        self._bytes = 2 * width
        self._width = width
        self._used = 0

    def of(self, tokens: Tokens) -> States:
        """States [n, d] of the next text."""
        name = hashlib.sha256(tokens.tobytes()).digest()
        wanted = len(tokens) * self._bytes
        self._file.seek(self._used)
        known, data = self._file.read(len(name)), self._file.read(wanted)
        if known != name or len(data) < wanted:
            states = self._engine.state_reader.read(tokens, lambda: False)
            assert states is not None  # nothing asks it to stop
            self._file.truncate(self._used)
            self._file.seek(self._used)
            data = states.tobytes()
            self._file.write(name + data)
        self._used += len(name) + wanted
        return np.frombuffer(data, np.float16).reshape(len(tokens), self._width)


def plot(results: Sequence[Result], title: str) -> str:
    """SVG: accepted length over the number of states, on a logarithmic axis."""
    width, height, left, bottom, top = 640, 360, 60, 50, 40
    sizes = sorted({result.states for result in results})
    highest = max(result.accepted_length for result in results) * 1.1
    low, high = np.log10(sizes[0]) - 0.1, np.log10(sizes[-1]) + 0.1

    def place(result: Result) -> tuple[float, float]:
        across = (np.log10(result.states) - low) / (high - low)
        up = result.accepted_length / highest
        return left + across * (width - left - 100), height - bottom - up * (height - bottom - top)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/><text x="{left}" y="22" font-size="15">{title}</text>',
        f'<path d="M{left} {top}V{height - bottom}H{width - 90}" fill="none" stroke="#64748b"/>',
        f'<text x="{left}" y="{height - 10}" fill="#64748b">states stored; upwards: tokens accepted a step</text>',
    ]
    for size in sizes:
        across = left + (np.log10(size) - low) / (high - low) * (width - left - 100)
        parts.append(f'<text x="{across:.0f}" y="{height - bottom + 18}" text-anchor="middle">{size:,}</text>')
    for method, colour in (("DReSD", "#0d9488"), ("REST", "#b45309")):
        points = [(place(result), result) for result in results if result.method == method]
        line = " ".join(f"{across:.1f},{up:.1f}" for (across, up), _ in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (across, up), result in points:
            parts.append(f'<circle cx="{across:.1f}" cy="{up:.1f}" r="4" fill="{colour}"/>')
            parts.append(
                f'<text x="{across:.1f}" y="{up - 10:.1f}" text-anchor="middle" fill="{colour}">'
                f"{result.accepted_length:.2f}</text>"
            )
        (across, up), _ = points[-1]
        parts.append(f'<text x="{across + 30:.1f}" y="{up + 4:.1f}" fill="{colour}">{method}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    """Fill, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--category", nargs="*", default=[])
    parser.add_argument("--model", default="")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--chats", type=Path)
    source.add_argument("--library", default="")
    source.add_argument("--texts", type=Path, nargs="+")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50_000, 150_000, 500_000])
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    prompts = [
        each for each in read_prompts(options.prompts) if not options.category or each.category in options.category
    ]
    engine = Engine(options.model)
    written = answers(engine, prompts, options.max_tokens)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recorded = Recorded(options.cache or folder, engine)
        database = StoreDatabase(folder / "library.db", (*NGRAM_MIGRATIONS, *STATE_MIGRATIONS))
        ngrams = NgramStore(database, engine.tokenizer_fingerprint)
        states = StateStore(database, folder, "growth", engine.weights_fingerprint, engine.model.state_size)
        sizes = sorted(options.sizes)
        texts = enumerate(texts_of(options, engine), start=1)
        finished = False
        while sizes and not finished:
            finished = True
            for number, tokens in texts:
                if len(tokens) < 2:
                    continue
                ngrams.add(number, tokens)
                states.add(number, 0, tokens, recorded.of(tokens)[:-1])
                if states.count() >= sizes[0]:
                    finished = False
                    break
            sizes.pop(0)
            states.prepare()
            drafters: dict[str, Drafter] = {
                "REST": RestDrafter(ngrams, paper=True),
                "DReSD": DresdDrafter(states, paper=True),
            }
            for method, drafter in drafters.items():
                steps, drafted, accepted = replay(drafter, written)
                result = Result(method, states.count(), accepted / max(1, drafted), accepted / max(1, steps))
                results.append(result)
                print(
                    f"{result.states:>9,} states  {method:5}  accepted length {result.accepted_length:.3f},"
                    f" acceptance {result.acceptance:.1%}",
                    flush=True,
                )
        database.close()
    engine.close()
    if options.plot is not None:
        options.plot.write_text(plot(results, f"{len(written)} replies, trees of {NODES + 1} rows"), encoding="utf-8")
    print(json.dumps([asdict(result) for result in results]))


if __name__ == "__main__":
    main()
