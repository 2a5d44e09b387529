"""Records draft traces, the path probabilities of what is drafted at each step, for
`localspec/speculation/draft_traces.json`.

Replays recorded replies (npz files with `tokens`, `lengths`, `reply_start`, as `self_chats` has them) with prompt
lookup and calibrated acceptance; no model is needed. Every step's size is chosen by the cost of BF16 on two cores.

    python -m benchmarks.draft_traces FOLDER --steps 400 > localspec/speculation/draft_traces.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.acceptance import Acceptance
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.interface import Context
from localspec.speculation.tree import cut
from localspec.speculation.tree_size import best_size
from localspec.speculation.verify import walk

NODES = 15
SECONDS = np.interp(
    np.arange(17), [1, 2, 3, 4, 6, 8, 10, 12, 16], np.array([7.6, 10.7, 12.7, 14.7, 16.5, 20.1, 22.6, 25.0, 28.1]) / 1e3
)
"""T(k) of the default model in BF16 on two cores."""
OVERHEAD = 0.0004


def traces_of(tokens: NDArray[np.int32], start: int, acceptance: Acceptance) -> list[list[float]]:
    """Path probabilities of every step of one reply, which begins at `start`, descending."""
    drafter = PromptDrafter()
    found = []
    place = start
    while place < len(tokens):
        context = Context(tokens[:place], 0)
        tree = cut(acceptance.calibrate(drafter.propose(context, NODES)), NODES)
        gains = np.sort(tree.path_probability)[::-1]
        found.append([round(float(gain), 3) for gain in gains if gain >= 0.001])
        chosen = cut(tree, best_size(gains, SECONDS, OVERHEAD))
        written = iter(tokens[place:].tolist())
        path, emitted = walk(chosen, lambda row, written=written: next(written, -1), lambda token: token < 0)  # type: ignore[misc]
        acceptance.observe(chosen, path)
        place += max(1, len(emitted))
    return found


def main() -> None:
    """Print the sample as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--replies", type=int, default=150)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    acceptance = Acceptance()
    found: list[list[float]] = []
    files = sorted(arguments.folder.glob("*.npz"))
    for _ in range(arguments.replies):
        data = np.load(files[generator.integers(len(files))])
        number = int(generator.integers(len(data["lengths"])))
        first = int(data["lengths"][:number].sum())
        text = data["tokens"][first : first + int(data["lengths"][number])].astype(np.int32)
        found += traces_of(text, int(data["reply_start"][number]), acceptance)
    chosen = generator.permutation(len(found))[: arguments.steps]
    about = (
        "Recorded draft traces: path probabilities of what prompt lookup drafted,"
        f" {len(chosen)} steps drawn from {len(found)} of {arguments.replies} recorded replies of the default model;"
        " made by benchmarks/draft_traces.py"
    )
    sys.stdout.write(json.dumps({"about": about, "traces": [found[index] for index in chosen]}) + "\n")


if __name__ == "__main__":
    main()
