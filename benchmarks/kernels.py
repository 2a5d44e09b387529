"""T(k) and prefill with our kernels and with llama.cpp's own code, in turn.

usage: python -m benchmarks.kernels [--model FILE.gguf] [--positions 256 1024] [--threads N] [--rounds N]
       [--plot FILE.svg]

Two processes hold the same file, one with LOCALSPEC_KERNELS=off, and measure one after the other: every number of rows
in every round, so that drift of the machine hits all alike. T(k) is the median over the rounds of a decode of k rows in
a chain that follows another of as many rows. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.child import Child
from benchmarks.machine import machine, versions
from localspec import config
from localspec.models.files.catalogue import resolve
from localspec.models.llama import LlamaModel, LoadSettings, kernels

ROWS = (1, 2, 3, 4, 6, 8, 12, 16)
PREFILL = 1200
"""Tokens that are read at once."""
SIDES = {"llama.cpp": "off", "ours": ""}
"""LOCALSPEC_KERNELS of each."""
COLOURS = {"llama.cpp": "#94a3b8", "ours": "#2563eb"}


def serve(path: Path, threads: int) -> None:
    """A side: answers each line of JSON (positions and rows, or a number of tokens to read) with seconds."""
    model = LlamaModel(path, LoadSettings(context=4096, threads=threads))
    tokens = np.random.default_rng(0).integers(100, 20_000, 4096).astype(np.int32) % model.vocabulary_size
    print(json.dumps(kernels()), flush=True)
    for line in sys.stdin:
        wanted: dict[str, int] = json.loads(line)
        if "prefill" in wanted:
            model.forget()
            started = perf_counter()
            model.begin(tokens[: wanted["prefill"] + 1])
            taken = perf_counter() - started
        else:
            model.begin(tokens[: wanted["positions"] + 1])
            rows = wanted["rows"]
            parents = np.arange(-1, rows - 2, dtype=np.int32)
            for _ in range(2):
                started = perf_counter()
                model.decode(int(tokens[0]), tokens[1:rows], parents)
                model.row_address(0)
                taken = perf_counter() - started
                model.discard()
        print(json.dumps(taken), flush=True)


class Side:
    """One process."""

    def __init__(self, path: Path, threads: int, switch: str) -> None:
        command = [
            sys.executable,
            "-m",
            "benchmarks.kernels",
            "--serve",
            "--model",
            str(path),
            "--threads",
            str(threads),
        ]
        self._child = Child("kernels", command, spoken_to=True, environment={"LOCALSPEC_KERNELS": switch})
        self.kernels: str = self._answer()

    def ask(self, **wanted: int) -> float:
        """Seconds."""
        assert self._child.process.stdin is not None
        self._child.process.stdin.write(json.dumps(wanted).encode() + b"\n")
        self._child.process.stdin.flush()
        return float(self._answer())

    def close(self) -> None:
        """End it."""
        self._child.close()

    def _answer(self) -> Any:  # noqa: ANN401 - JSON
        assert self._child.process.stdout is not None
        line = self._child.process.stdout.readline()
        if not line:
            raise self._child.failure("no answer")
        return json.loads(line)


def measure(sides: dict[str, Side], positions: list[int], rounds: int) -> dict[str, dict[str, dict[int, float]]]:
    """Median seconds by side, what was measured (positions, or "prefill") and rows."""
    taken: dict[str, dict[str, dict[int, list[float]]]] = {name: {} for name in sides}
    for _ in range(rounds):
        for place in positions:
            for rows in ROWS:
                for name, side in sides.items():
                    seconds = side.ask(positions=place, rows=rows)
                    taken[name].setdefault(str(place), {}).setdefault(rows, []).append(seconds)
    for _ in range(2):
        for name, side in sides.items():
            taken[name].setdefault("prefill", {}).setdefault(PREFILL, []).append(side.ask(prefill=PREFILL))
    return {
        name: {what: {rows: median(times) for rows, times in by.items()} for what, by in found.items()}
        for name, found in taken.items()
    }


def draw(found: dict[str, dict[str, dict[int, float]]], positions: list[int], title: str, file: Path) -> None:
    """T(k) of both sides, in milliseconds."""
    figure = Figure(figsize=(4 * len(positions), 3.2), layout="constrained")
    for place, axes in zip(positions, np.atleast_1d(figure.subplots(1, len(positions), sharey=True)), strict=True):
        for name, by in found.items():
            times = by[str(place)]
            axes.plot([*times], [1000 * seconds for seconds in times.values()], "o-", color=COLOURS[name], label=name)
        axes.set(title=f"{title}, {place} positions", xlabel="rows of a decode", ylim=(0, None))
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("ms")
    figure.axes[0].legend(frameon=False)
    figure.savefig(file)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="")
    parser.add_argument("--positions", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--threads", type=int, default=config.default_threads())
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--plot", type=Path, help="an SVG file")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = resolve(options.model).path
    if options.serve:
        serve(path, options.threads)
        return
    sides = {name: Side(path, options.threads, switch) for name, switch in SIDES.items()}
    found = measure(sides, options.positions, options.rounds)
    for side in sides.values():
        side.close()
    for place in map(str, options.positions):
        theirs, ours = found["llama.cpp"][place], found["ours"][place]
        print(f"{place} positions: T(1) ours / llama.cpp's {ours[1] / theirs[1]:.2f}")
        for name, times in (("llama.cpp", theirs), ("ours", ours)):
            ratios = ", ".join(f"T({rows}) {seconds / times[1]:.2f}" for rows, seconds in times.items() if rows > 1)
            print(f"  {name:9s} T(1) {1000 * times[1]:.2f} ms; / T(1): {ratios}")
    speeds = {name: PREFILL / by["prefill"][PREFILL] for name, by in found.items()}
    print("prefill, tokens/s: " + ", ".join(f"{name} {speed:.0f}" for name, speed in speeds.items()))
    if options.plot:
        draw(found, options.positions, path.stem, options.plot)
    about = {
        "model": path.name,
        "threads": options.threads,
        "machine": machine(options.threads),
        "versions": versions(),
    }
    print(json.dumps({**about, "kernels": {name: side.kernels for name, side in sides.items()}, "seconds": found}))


if __name__ == "__main__":
    main()
