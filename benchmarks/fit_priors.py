"""Fits the priors of the acceptance model on recorded replies, and tells how well they hold on others.

    python -m benchmarks.fit_priors --recordings FILE [FILE …] [--with-library FILE LIBRARY --model FILE] [--write]

Every reply is replayed with trees of all sources; each node whose parent was visited is a trial. Weights are fitted by
ridge logistic regression (Newton's method), and their precision is the curvature of the fit scaled down, so that a few
replies of another kind outweigh it. Half of the prompts fit, the other half tell the calibration error; `--write` then
fits on all and replaces `localspec/speculation/priors.json` and `draft_traces.json`. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.recordings import Recording, Recordings, ReplayDraft, ReplayTarget, load
from localspec.chat.engine import Engine
from localspec.chat.library_setup import open_library, prepare_drafts
from localspec.models.draft import DraftModel
from localspec.speculation.acceptance import FEATURES, Acceptance, Priors, features
from localspec.speculation.cost import SteadyTimes
from localspec.speculation.decode import generate
from localspec.speculation.drafters.auto import AutoDrafter
from localspec.speculation.drafters.dresd import DresdDrafter
from localspec.speculation.drafters.model import ModelDrafter
from localspec.speculation.drafters.recycling import RecycledTokens
from localspec.speculation.drafters.rest import RestDrafter
from localspec.speculation.interface import Context
from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.policy import Budget, CostBudget, FixedBudget
from localspec.speculation.tree import DraftTree, evidence_of
from localspec.speculation.tree_size import break_even_probability
from localspec.stores.library import Library

PRIORS = Path(__file__).resolve().parents[1] / "localspec" / "speculation" / "priors.json"
TRACES = PRIORS.with_name("draft_traces.json")
NODES = 12
"""Of the trees that are fitted on: as on devices where rows are cheap, so that unlikely nodes are tried too."""
RIDGE = 2.0
"""Precision of the zero-mean Gaussian that keeps weights of rare features small."""
TRUST = 0.02
"""Part of the curvature that the shipped precision has: a prior as firm as that many of the trials."""
FIRMEST = 60.0
TRACED = 15
SAMPLED = 400
ROUNDS = 3


@dataclass(slots=True)
class Comparison:
    """Nodes whose parent was visited."""

    vectors: list[NDArray[np.float64]]
    accepted: list[NDArray[np.bool_]]
    expected: list[NDArray[np.float64]]
    traces: list[list[float]]

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Features [t, f], accepted [t], expected [t]."""
        return (
            np.concatenate(self.vectors),
            np.concatenate(self.accepted).astype(np.float64),
            np.concatenate(self.expected),
        )


class TracedAuto(AutoDrafter):
    """Auto, keeping the path probabilities of what it drafts."""

    @cached_property
    def traces(self) -> list[list[float]]:
        """Path probabilities, one row per step."""
        return []

    def propose(self, context: Context, limit: int) -> DraftTree:
        """As it does."""
        tree = super().propose(context, limit)
        gains = tree.path_probability
        self.traces.append([round(float(gain), 3) for gain in gains[:TRACED]])
        return tree


class Replay:
    """Auto over recorded replies, one after the other, as one engine would."""

    def __init__(
        self, recordings: Recordings, acceptance: Acceptance, library: Library | None = None, *, nodes: int = 0
    ) -> None:
        """`nodes` > 0: trees of that size; else sized by the recording's T(k)."""
        self._recordings = recordings
        self._acceptance = acceptance
        self._nodes = nodes
        self._rest = RestDrafter(library.ngrams) if library is not None else None
        self._dense = DresdDrafter(library.states) if library is not None else None
        self.trials = Comparison([], [], [], [])
        self.metrics: dict[str, ReplyMetrics] = {}

    def run(self, replies: list[Recording]) -> None:
        """Replay."""
        seconds = self._recordings.decode_seconds
        gates = None
        budget: Budget = CostBudget(SteadyTimes(seconds), self._acceptance, 65, estimated=True)
        if self._nodes:
            budget = FixedBudget(self._nodes, self._acceptance, estimated=True)
        for reply in replies:
            target = ReplayTarget(reply, seconds)
            break_even, plain = (0.0, 0.0) if self._nodes else (break_even_probability(seconds), float(seconds[1]))
            replayed = cast(DraftModel, ReplayDraft(reply, self._recordings.draft_seconds))
            auto = TracedAuto(
                budget,
                rest=self._rest,
                dense=self._dense,
                draft=ModelDrafter(replayed, break_even, plain) if reply.drafts else None,
                recycled=RecycledTokens(target.likeliest),
                gates=gates,
            )
            gates = auto.gates
            count = len(reply.tokens) - reply.reply_start
            if count < 2:
                continue
            prompt = reply.tokens[: reply.reply_start]
            for step in generate(target, target, [auto], prompt, budget, count, target.clock):
                for category in ("all", reply.category):
                    self.metrics.setdefault(category, ReplyMetrics(float(seconds[1]))).add(step)
                if len(step.tree):
                    visited = np.flatnonzero(np.isin(step.tree.parents, [-1, *step.path.tolist()]))
                    self.trials.vectors.append(vectors_of(step.tree, self._acceptance.residual.tolist())[visited])
                    self.trials.accepted.append(np.isin(visited, step.path))
                    self.trials.expected.append(step.tree.probability[visited].astype(np.float64))
            self.trials.traces += auto.traces


def vectors_of(tree: DraftTree, residual: list[float]) -> NDArray[np.float64]:
    """The features of every node [n, f]."""
    vectors = np.zeros((len(tree), len(FEATURES)))
    for node, known in enumerate(evidence_of(tree)):
        for place, value in features(known, residual):
            vectors[node, place] = value
    return vectors


def fit(vectors: NDArray[np.float64], accepted: NDArray[np.float64]) -> Priors:
    """Weights [f] and their precision [f]."""
    weights = np.zeros(vectors.shape[1])
    curvature = np.eye(len(weights))
    for _ in range(30):
        chance = 1.0 / (1.0 + np.exp(-np.clip(vectors @ weights, -30, 30)))
        slope = vectors.T @ (accepted - chance) - RIDGE * weights
        curvature = (vectors * (chance * (1 - chance))[:, None]).T @ vectors + RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curvature, slope)
        weights += step
        if np.abs(step).max() < 1e-6:
            break
    return Priors(weights, np.clip(np.diag(curvature) * TRUST, 2.0, FIRMEST))


def main() -> None:
    """Fit, tell, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, nargs="+", required=True)
    parser.add_argument("--with-library", nargs=2, metavar=("FILE", "LIBRARY"), action="append", default=[])
    parser.add_argument("--model", default="", help="whose states the libraries hold")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    engine = Engine(options.model, draft="none") if options.with_library else None
    parts: list[tuple[str, Recordings, Library | None]] = [(file.stem, load(file), None) for file in options.recordings]
    for file, name in options.with_library:
        assert engine is not None
        opened = open_library(engine, name, create=False)
        prepare_drafts(opened)
        parts.append((Path(file).stem, load(Path(file)), opened))
    prior = Acceptance().prior
    for _ in range(ROUNDS):  # residuals depend on what was expected
        halves = [Comparison([], [], [], []), Comparison([], [], [], [])]
        for _, recordings, library in parts:
            for half in (0, 1):
                replay = Replay(recordings, Acceptance(prior), library, nodes=NODES)
                replay.run(recordings.replies[half::2])
                halves[half].vectors += replay.trials.vectors
                halves[half].accepted += replay.trials.accepted
                halves[half].expected += replay.trials.expected
        prior = fit(*halves[0].arrays()[:2])
    figures: dict[str, dict[str, float]] = {}
    traces: list[list[float]] = []
    for name, recordings, library in parts:
        replay = Replay(recordings, Acceptance(prior), library)
        replay.run(recordings.replies[1::2])
        traces += replay.trials.traces if library is None else []
        whole = replay.metrics["all"]
        figures[name] = {
            "calibration error": whole.calibration_error,
            "tokens per step": whole.tokens_per_step,
            "speedup by T(k)": whole.tokens * whole.plain_seconds / whole.seconds,
        }
        for category, metrics in sorted(replay.metrics.items()):
            print(
                f"{name} {category:16s} {metrics.tokens * metrics.plain_seconds / metrics.seconds:.3f}×"
                f" {metrics.tokens_per_step:.2f} tokens/step, {metrics.drafted / metrics.steps:.2f} drafted,"
                f" propose {metrics.propose_seconds / metrics.steps * 1e3:.2f} ms,"
                f" calibration error {metrics.calibration_error:.3f}"
            )
    if options.write:
        both = [np.concatenate(pair) for pair in zip(halves[0].arrays(), halves[1].arrays(), strict=True)]
        prior = fit(both[0], both[1])
        shipped = {
            name: [round(float(weight), 4), round(float(precision), 2)]
            for name, weight, precision in zip(FEATURES, *prior, strict=True)
        }
        PRIORS.write_text(json.dumps({"weights": shipped}, indent=1) + "\n", encoding="utf-8")
        about = (
            "Recorded draft traces: path probabilities of what Auto drafts per step, before sizing;"
            " benchmarks/fit_priors.py."
        )
        sample = [traces[place] for place in np.linspace(0, len(traces) - 1, SAMPLED).astype(int)]
        TRACES.write_text(json.dumps({"about": about, "traces": sample}) + "\n", encoding="utf-8")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
