"""Measures the dense store: adding, disk, memory, queries with projection, and their recall against brute force.

With `--states FILE.npy` (float16 [n, d], rows in the order of the text) it stores real states; a file without a header,
as `numpy.memmap` leaves it, needs `--width` too. Otherwise it synthesises states in clusters. Queries are states from
the end of the file that are not stored. The store is built in a process of its own, so that memory can be measured as
it is after a start. A neighbour counts for the recall when it is as near as the 50th of brute force: equal states, as
of chats that begin alike, are equally right. Brute force runs over what the index holds, and once more over the exact
projections, which differ where a state was stored under an earlier transform. Seconds are the wall clock's, and the
processor's beside them for machines that do other work meanwhile. The last line printed is JSON.

    python -m benchmarks.state_store --count 1000000
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import sqlite3
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from localspec.stores.database import StoreDatabase
from localspec.stores.states.state_store import CONTINUATION, STATE_MIGRATIONS, StateStore

NEIGHBOURS = 50
PREPARED_EVERY = 100_000
TIE = 1e-5


def synthetic(count: int, width: int, generator: np.random.Generator) -> NDArray[np.float16]:
    """States [count, width]: Gaussian clusters within a space of 96 directions whose variance decays, and noise."""
    directions = generator.standard_normal((96, width), dtype=np.float32) * (np.arange(1, 97)[:, None] ** -0.4)
    centres = generator.standard_normal((max(1, count // 40), 96), dtype=np.float32)
    states = np.empty((count, width), np.float16)
    for start in range(0, count, 10_000):
        size = min(10_000, count - start)
        inner = centres[generator.integers(0, len(centres), size)]
        inner = inner + 0.5 * generator.standard_normal((size, 96), dtype=np.float32)
        noise = generator.standard_normal((size, width), dtype=np.float32)
        states[start : start + size] = inner @ directions + noise
    return states


def opened(folder: Path, width: int) -> tuple[StoreDatabase, StateStore]:
    database = StoreDatabase(folder / "library.db", STATE_MIGRATIONS)
    return database, StateStore(database, folder, "benchmark", "benchmark", width)


def private(process: psutil.Process) -> int:
    """Resident bytes without mapped files, such as the raw states."""
    memory = process.memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def read_states(arguments: argparse.Namespace) -> NDArray[np.float16]:
    if arguments.states is None:
        generator = np.random.default_rng(arguments.seed)
        return synthetic(arguments.count + 10 * arguments.queries, arguments.width or 576, generator)
    if arguments.states.suffix == ".npy":
        states: NDArray[np.float16] = np.load(arguments.states, mmap_mode="r")
    else:
        states = np.memmap(arguments.states, np.float16, "r").reshape(-1, arguments.width)
    return states[: arguments.count + 10 * arguments.queries]


def build(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Add all but the queries, with `prepare` from time to time, as a library does; what that took."""
    states = read_states(arguments)
    count = len(states) - 10 * arguments.queries
    database, store = opened(folder, states.shape[1])
    process = psutil.Process()
    resident = private(process)
    adding: list[float] = []
    busy, preparing = 0.0, 0.0
    for number, start in enumerate(range(0, count, arguments.chunk)):
        rows = np.array(states[start : min(start + arguments.chunk, count)])
        # The token after the state of a row is the row's number, by which it is known again.
        tokens = np.arange(start, start + len(rows) + CONTINUATION, dtype=np.int32) - 1
        began, worked = time.perf_counter(), time.process_time()
        store.add(number // 10, number % 10 * arguments.chunk, np.maximum(tokens, 0), rows)
        busy += time.process_time() - worked
        adding.append(time.perf_counter() - began)
        if start // PREPARED_EVERY != (start + len(rows)) // PREPARED_EVERY or start == 0:
            began = time.perf_counter()
            store.prepare()
            preparing += time.perf_counter() - began
    began = time.perf_counter()
    store.prepare()
    preparing += time.perf_counter() - began
    grown = private(process) - resident
    database.reclaim()
    size = database.size()
    database.close()
    return {
        "states": count,
        "width": states.shape[1],
        "add_ms_per_state": round(1000 * sum(adding) / count, 4),
        "add_median_ms_per_state": round(1000 * float(np.median(adding)) / arguments.chunk, 4),
        "add_processor_ms_per_state": round(1000 * busy / count, 4),
        "slowest_add_seconds": round(max(adding), 2),
        "prepare_seconds": round(preparing, 1),
        "disk_bytes_per_state": round(size / count, 1),
        "cache_bytes_per_state": round(sum(file.stat().st_size for file in folder.glob("*.hnsw")) / count, 1),
        "building_memory_bytes_per_state": round(grown / count, 1),
    }


def recall(found: list[NDArray[np.int64]], queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> float:
    """Share of the found rows that are as near as the 50th of brute force."""
    hits = 0
    for rows, query in zip(found, queries, strict=True):
        similarities = vectors @ query
        limit = np.partition(similarities, -NEIGHBOURS)[-NEIGHBOURS]
        hits += int((similarities[rows] >= limit - TIE).sum())
    return round(hits / NEIGHBOURS / len(queries), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=Path, help="raw states, float16 [n, d]")
    parser.add_argument("--width", type=int, help="d of a file without a header, or of synthetic states (576)")
    parser.add_argument("--count", type=int, default=200_000, help="states in the store, at most")
    parser.add_argument("--chunk", type=int, default=1000, help="states per addition")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the store is built (default: the temporary folder)")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = Path(temporary)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            figures = pool.apply(build, (arguments, folder))
        states = read_states(arguments)
        count = len(states) - 10 * arguments.queries
        chosen = np.random.default_rng(arguments.seed).choice(10 * arguments.queries, arguments.queries, replace=False)
        queries = np.asarray(states[count:][np.sort(chosen)], np.float32)

        database, store = opened(folder, states.shape[1])
        process = psutil.Process()
        resident = private(process)
        began = time.perf_counter()
        store.prepare()
        figures["load_seconds"] = round(time.perf_counter() - began, 2)
        figures["memory_bytes_per_state"] = round((private(process) - resident) / count, 1)
        seconds, processor = [], []
        found: list[NDArray[np.int64]] = []
        for turn in range(3):
            for query in queries:
                began, worked = time.perf_counter(), time.thread_time()
                neighbours = store.search(query, NEIGHBOURS)
                processor.append(time.thread_time() - worked)
                seconds.append(time.perf_counter() - began)
                if turn == 0:
                    found.append(neighbours.continuations[:, 0].astype(np.int64))
        for name, times in (("query", seconds), ("query_processor", processor)):
            figures[f"{name}_p50_ms"] = round(float(np.percentile(times, 50)) * 1000, 4)
            figures[f"{name}_p99_ms"] = round(float(np.percentile(times, 99)) * 1000, 4)

        snapshot = store._snapshot
        projected = store.project(queries)
        assert snapshot is not None
        assert projected is not None
        exact = np.empty((count, projected.shape[1]), np.float32)
        for start in range(0, count, 10_000):
            part = store.project(states[start : min(start + 10_000, count)])
            assert part is not None
            exact[start : start + len(part)] = part
        labels = np.arange(count) + np.arange(count) // arguments.chunk * CONTINUATION
        held = np.empty_like(exact)
        for start in range(0, count, 100_000):
            held[start : start + 100_000] = snapshot.index._index.get_items(labels[start : start + 100_000])
        figures["recall_at_50"] = recall(found, projected, held)
        figures["recall_at_50_exact_projection"] = recall(found, projected, exact)
        figures["held_to_exact_mean_cosine"] = round(float(np.einsum("nc,nc->n", held, exact).mean()), 5)
        database.close()

    figures["source"] = "file" if arguments.states else "synthetic"
    figures["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    figures["versions"] = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "sqlite": sqlite3.sqlite_version,
    }
    for name, value in figures.items():
        print(f"{name:36} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
