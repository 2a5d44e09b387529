"""Measures the n-gram store: disk, memory, ingestion, and look-ups that hit and that miss.

Without `--tokens` it synthesises text: Zipf-distributed token ids with phrases that return, some of them long. With
`--tokens FILE.npz ...` it takes real token streams: key `tokens`, and `lengths` if a file holds several documents;
their documents are shuffled and repeated until there are enough, each repetition with a share of its tokens replaced,
so that long matches end somewhere. Seconds are the wall clock's, and the processor's beside them for machines that do
other work meanwhile. The last line printed is JSON.

    python -m benchmarks.ngram_store --size 10000000 --document 10000
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from localspec.stores.database import StoreDatabase
from localspec.stores.ngrams.ngram_store import NGRAM_MIGRATIONS, NgramStore, SuffixMatches

REPLACED_SHARE = 0.03


def synthetic(size: int, vocabulary: int, generator: np.random.Generator) -> NDArray[np.int32]:
    """Token ids [size]: Zipf words (exponent 1.2), half of the text in phrases of 3 to 40 tokens that return."""
    words = ((generator.zipf(1.2, size) - 1) % vocabulary).astype(np.int32)
    phrases = [words[start : start + 3 + int(generator.exponential(7)) % 38] for start in range(0, size // 20, 40)]
    at = 0
    while at < size - 100:
        # Frequent phrases are frequent, as words are.
        phrase = phrases[int(generator.zipf(1.3) - 1) % len(phrases)]
        words[at : at + len(phrase)] = phrase
        at += len(phrase) + int(generator.integers(1, 2 * len(phrase) + 2))
    return words


def streamed(files: list[Path], size: int, generator: np.random.Generator) -> NDArray[np.int32]:
    """Real token ids [size], repeated with replacements when the files hold fewer."""
    chats: list[NDArray[np.int32]] = []
    for file in files:
        with np.load(file) as archive:
            tokens = archive["tokens"].astype(np.int32)
            lengths = archive["lengths"] if "lengths" in archive else np.array([len(tokens)])
        chats += np.split(tokens, np.cumsum(lengths)[:-1])
    everything = np.concatenate(chats)
    rounds: list[NDArray[np.int32]] = []
    total = 0
    while total < size:
        text = np.concatenate([chats[chat] for chat in generator.permutation(len(chats))])
        if rounds:
            replaced = generator.random(len(text)) < REPLACED_SHARE
            text[replaced] = generator.choice(everything, int(replaced.sum()))
        rounds.append(text)
        total += len(text)
    return np.concatenate(rounds)[:size]


def queries(
    text: NDArray[np.int32], count: int, vocabulary: int, generator: np.random.Generator
) -> Iterator[tuple[str, NDArray[np.int32]]]:
    """Contexts [64] by kind: verbatim from the text, with one of the last tokens changed, and of unseen token pairs."""
    for _ in range(count):
        end = int(generator.integers(64, len(text)))
        context = text[end - 64 : end].copy()
        yield "hit", context
        edited = context.copy()
        edited[-int(generator.integers(2, 8))] = generator.integers(0, vocabulary)
        yield "part", edited
        missing = context.copy()
        missing[-1] = vocabulary + int(generator.integers(0, 1000))
        yield "miss", missing


def percentiles(look: Callable[[NDArray[np.int32]], SuffixMatches], asked: list[NDArray[np.int32]]) -> dict[str, float]:
    """Milliseconds per look-up, and what they found."""
    seconds: list[float] = []
    processor: list[float] = []
    found = 0
    for context in asked:
        started, busy = time.perf_counter(), time.thread_time()
        result = look(context)
        processor.append(time.thread_time() - busy)
        seconds.append(time.perf_counter() - started)
        found += len(result.lengths)
    milliseconds = np.array(seconds) * 1000
    return {
        "p50_ms": round(float(np.percentile(milliseconds, 50)), 4),
        "p99_ms": round(float(np.percentile(milliseconds, 99)), 4),
        "p99_processor_ms": round(float(np.percentile(processor, 99)) * 1000, 4),
        "max_ms": round(float(milliseconds.max()), 3),
        "matches": round(found / len(asked), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=10_000_000, help="tokens in all")
    parser.add_argument("--document", type=int, default=10_000, help="tokens per document")
    parser.add_argument("--vocabulary", type=int, default=150_000, help="of the synthetic text")
    parser.add_argument("--tokens", type=Path, nargs="*", default=[], help="npz archives of real token streams")
    parser.add_argument("--queries", type=int, default=3000, help="look-ups per kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the store is built (default: the temporary folder)")
    arguments = parser.parse_args()

    generator = np.random.default_rng(arguments.seed)
    if arguments.tokens:
        text = streamed(arguments.tokens, arguments.size, generator)
        arguments.vocabulary = int(text.max()) + 1
    else:
        text = synthetic(arguments.size, arguments.vocabulary, generator)
    process = psutil.Process()

    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "library.db"
        database = StoreDatabase(path, NGRAM_MIGRATIONS)
        store = NgramStore(database, "benchmark")
        slowest = 0.0
        largest = 0
        started, busy = time.perf_counter(), time.process_time()
        for document, start in enumerate(range(0, len(text), arguments.document)):
            before = time.perf_counter()
            store.add(document, text[start : start + arguments.document])
            slowest = max(slowest, time.perf_counter() - before)
            largest = max(largest, database.size())
        ingested = time.perf_counter() - started
        busy = time.process_time() - busy
        size = database.size()
        database.close()

        database = StoreDatabase(path, NGRAM_MIGRATIONS)
        store = NgramStore(database, "benchmark")
        with database.read() as connection:
            runs = int(connection.execute("SELECT count(*) FROM ngram_runs").fetchone()[0])
        asked: dict[str, list[NDArray[np.int32]]] = {}
        for kind, context in queries(text, arguments.queries, arguments.vocabulary, generator):
            asked.setdefault(kind, []).append(context)
        resident = process.memory_info().rss
        before = time.perf_counter()
        store.lookup(asked["hit"][0])
        cold = time.perf_counter() - before
        memory = process.memory_info().rss - resident

        figures: dict[str, object] = {
            "tokens": len(text),
            "document_tokens": arguments.document,
            "source": "files" if arguments.tokens else "synthetic",
            "runs": runs,
            "disk_bytes_per_token": round(size / len(text), 2),
            "disk_peak_bytes_per_token": round(largest / len(text), 2),
            "memory_bytes_per_token": round(memory / len(text), 2),
            "ingest_tokens_per_second": round(len(text) / ingested),
            "ingest_tokens_per_processor_second": round(len(text) / busy),
            "slowest_add_seconds": round(slowest, 3),
            "first_lookup_seconds": round(cold, 3),
        }
        ways: dict[str, Callable[[NDArray[np.int32]], SuffixMatches]] = {
            "64": lambda context: store.lookup(context),
            "64 all lengths": lambda context: store.lookup(context, all_lengths=True),
            "5000": lambda context: store.lookup(context, matches=5000),
        }
        for way, look in ways.items():
            for kind, contexts in asked.items():
                figures[f"{way}, {kind}"] = percentiles(look, contexts)
        before = time.perf_counter()
        for document in range(5):
            store.remove(document)
        figures["remove_seconds"] = round((time.perf_counter() - before) / 5, 3)
        before = time.perf_counter()
        store.compact()
        figures["compact_seconds"] = round(time.perf_counter() - before, 3)
        database.reclaim()
        figures["disk_bytes_per_token_reclaimed"] = round(database.size() / len(text), 2)
        for kind, contexts in asked.items():
            figures[f"64 compacted, {kind}"] = percentiles(ways["64"], contexts)
        database.close()

    figures["machine"] = f"{platform.machine()}, {os.cpu_count()} cores"
    figures["versions"] = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "sqlite": sqlite3.sqlite_version,
    }
    for name, value in figures.items():
        print(f"{name:32} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
