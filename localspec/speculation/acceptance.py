"""How likely draft nodes are to be accepted: one scale for all sources, corrected as replies go on.

A logistic model over what is known of a node (match length, vote share, similarity, the draft model's probability, the
target's own earlier probability, depth, who agrees). Its prior is a Gaussian over the weights that was fitted on
development prompts and ships with the package (`priors.json`); after each verification the weights move by one step of
assumed-density filtering with a diagonal covariance, as Bayesian logistic regression online does (Spiegelhalter and
Lauritzen 1990). A small parametric model learns from tens of trials what tables of buckets learn from thousands.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from importlib import resources
from itertools import starmap
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from localspec.native import steps
from localspec.speculation.tree import (
    SOURCE_DRAFT,
    SOURCE_DRESD,
    SOURCE_PROMPT,
    SOURCE_RECYCLED,
    SOURCE_REST,
    SOURCES_NGRAM,
    DraftTree,
    Estimate,
    Evidence,
    evidence_of,
)
from localspec.whole_file import write_whole

MAX_LENGTH = 32
"""Match lengths from here on are alike."""
KINDS = (SOURCES_NGRAM, SOURCE_DRESD, SOURCE_DRAFT, SOURCE_RECYCLED)
"""Sources whose residuals are told apart: n-gram match, dense retrieval, draft model, recycled tokens."""

FEATURES = (
    "n-gram", "n-gram length", "n-gram share", "n-gram residual",
    "dense", "dense similarity", "dense share", "dense residual",
    "draft", "draft probability", "draft residual",
    "recycled", "recycled probability", "recycled residual",
    "n-gram and draft", "n-gram length and draft", "draft probability and n-gram",
    "n-gram and dense", "n-gram and recycled", "dense and draft", "draft and recycled",
    "REST alone", "prompt and REST", "rejected n-gram", "rejected dense", "rejected recycled",
    "depth", "depth of draft",
)  # fmt: skip
_NGRAM, _DENSE, _DRAFT, _RECYCLED = (FEATURES.index(name) for name in ("n-gram", "dense", "draft", "recycled"))
_NGRAM_DRAFT, _NGRAM_DENSE, _NGRAM_RECYCLED, _DENSE_DRAFT, _DRAFT_RECYCLED, _REST_ALONE, _BOTH, _REJECTED, _DEPTH = (
    FEATURES.index(name)
    for name in (
        "n-gram and draft", "n-gram and dense", "n-gram and recycled", "dense and draft", "draft and recycled",
        "REST alone", "prompt and REST", "rejected n-gram", "depth",
    )
)  # fmt: skip
_FORMER_WORDS = {"n-gram": "exact", "dense": "near", "residual": "luck", "rejected": "doubted"}
"""In the feature names of earlier versions, whose files are still read."""

_MIN, _MAX = 0.002, 0.995
"""Probabilities are kept within these bounds: nothing is certain."""
RESIDUAL_FADING = 0.15
"""Weight of the newest verification in a kind's residual, a moving average over about the last dozen."""
START_RESIDUAL = -0.04
"""At the beginning of a reply: where nothing can be predicted the first drafts would be paid for (docs/log.md)."""
LARGEST_STEP = 0.3
"""A weight moves by no more than this at one trial."""
FORGETTING = 0.9995
"""What is left of the acquired precision after each verification: old replies fade, and learning never ends."""


class Priors(NamedTuple):
    """A Gaussian over the weights of the features."""

    weights: NDArray[np.float64]
    precision: NDArray[np.float64]


@cache
def priors() -> Priors:
    """Those that ship with the package."""
    text = resources.files("localspec.speculation").joinpath("priors.json").read_text(encoding="utf-8")
    stored = json.loads(text)["weights"]
    return Priors(np.array([stored[name][0] for name in FEATURES]), np.array([stored[name][1] for name in FEATURES]))


class Acceptance:
    """P(accepted | parent accepted) of draft nodes. Not thread-safe."""

    def __init__(self, prior: Priors | None = None) -> None:
        self.prior = prior = prior or priors()
        self.weights: NDArray[np.float64] = prior.weights.astype(np.float64)
        """of the features"""
        self._start: NDArray[np.float64] = prior.precision.astype(np.float64)
        self._precision = self._start.copy()
        self.residual: NDArray[np.float64] = np.full(len(KINDS), START_RESIDUAL)
        """of each kind of source: moving average of accepted minus expected"""
        self.trials = 0
        """nodes whose fate it has learnt from"""

    def begin(self) -> None:
        """A new reply: residuals are of the text at hand."""
        self.residual[:] = START_RESIDUAL

    def calibrate(self, tree: DraftTree) -> DraftTree:
        """The tree with what is known of its nodes turned into acceptance probabilities."""
        if len(tree) == 0:
            return tree
        if not steps.available():
            return self.calibrate_reference(tree)
        block, nodes = tree.native
        block = block.copy()
        steps.calibrate(block, nodes, self.weights, self.residual)
        return DraftTree.of_native(block, nodes)

    def calibrate_reference(self, tree: DraftTree) -> DraftTree:
        """`calibrate` in Python."""
        probability = np.array([*starmap(self.chance(), evidence_of(tree))], np.float32)
        return DraftTree.of(tree.tokens, tree.parents, tree.source, tree.evidence, probability)

    def chance(self) -> Estimate:
        """The same for one node at a time, as it stands now."""
        return _chance(self.weights.tolist(), self.residual.tolist())

    def observe(self, tree: DraftTree, path: NDArray[np.int32]) -> None:
        """Learn from a verification: every node whose parent was visited is a trial."""
        if len(tree) == 0:
            return
        if not steps.available():
            self.observe_reference(tree, path)
            return
        moved = self.weights, self._precision, self._start, self.residual
        self.trials += steps.learn(*tree.native, path, *moved)

    def observe_reference(self, tree: DraftTree, path: NDArray[np.int32]) -> None:
        """`observe` in Python."""
        taken = set(path.tolist())
        known = evidence_of(tree)
        tried = [node for node, parent in enumerate(tree.parents.tolist()) if parent < 0 or parent in taken]
        chance = self.chance()
        weights, residual_now = self.weights.tolist(), self.residual.tolist()
        precision = np.maximum(self._start, self._precision * FORGETTING).tolist()
        residuals = [0.0] * len(KINDS)
        met = 0
        for node, expected in [(node, chance(*known[node])) for node in tried]:
            residual = (1.0 if node in taken else 0.0) - expected
            certainty = expected * (1.0 - expected)
            for place, value in features(known[node], residual_now):
                precision[place] += value * value * certainty
                step = residual * value / precision[place]
                weights[place] += min(max(step, -LARGEST_STEP), LARGEST_STEP)
            met |= known[node].source
            for kind, bits in enumerate(KINDS):
                if known[node].source & bits:
                    residuals[kind] += residual
        self.weights[:], self._precision[:] = weights, precision
        for kind, bits in enumerate(KINDS):
            if met & bits:
                self.residual[kind] += RESIDUAL_FADING * (max(-1.0, min(1.0, residuals[kind])) - self.residual[kind])
        self.trials += len(tried)

    def save(self, file: Path) -> None:
        """Write what was learnt. Raises OSError."""
        acquired = zip(FEATURES, self.weights.tolist(), self._precision.tolist(), strict=True)
        weights = {name: [weight, precision] for name, weight, precision in acquired}
        write_whole(file, json.dumps({"weights": weights}))

    @staticmethod
    def load(file: Path) -> Acceptance:
        """What `save` wrote, also in an earlier version; the priors where there is nothing of use."""
        acceptance = Acceptance()
        try:
            stored = json.loads(file.read_text(encoding="utf-8"))["weights"]
            names = FEATURES if FEATURES[0] in stored else [*map(_former_name, FEATURES)]
            weights = [float(stored[name][0]) for name in names]
            precision = [float(stored[name][1]) for name in names]
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return acceptance
        if all(map(math.isfinite, precision)) and all(abs(weight) < 100 for weight in weights):
            acceptance.weights[:] = weights
            acceptance._precision[:] = np.maximum(acceptance._start, precision)
        return acceptance


def features(known: Evidence, residual: Sequence[float]) -> list[tuple[int, float]]:
    """The features of a node that are not 0: (index in `FEATURES`, value)."""
    bits, length, share, similarity, drafted_probability, recycled_probability, rejected, depth = known
    ngram, dense = bits & SOURCES_NGRAM, bits & SOURCE_DRESD
    draft, recycled = bits & SOURCE_DRAFT, bits & SOURCE_RECYCLED
    steps = math.log2(depth)
    matched = math.log2(min(max(length, 1.0), MAX_LENGTH))
    voted = math.log(min(max(share, 0.01), 1.0))
    found: list[tuple[int, float]] = [(_DEPTH, steps)]
    if ngram:
        found += ((_NGRAM, 1.0), (_NGRAM + 1, matched), (_NGRAM + 2, voted), (_NGRAM + 3, residual[0]))
        if bits & SOURCE_REST:
            found.append((_BOTH if bits & SOURCE_PROMPT else _REST_ALONE, 1.0))
    if dense:
        found += ((_DENSE, 1.0), (_DENSE + 1, similarity * 10.0 - 7.0), (_DENSE + 2, voted), (_DENSE + 3, residual[1]))
        if ngram:
            found.append((_NGRAM_DENSE, 1.0))
    if draft:
        drafted = _log_odds(drafted_probability)
        found += ((_DRAFT, 1.0), (_DRAFT + 1, drafted), (_DRAFT + 2, residual[2]), (_DEPTH + 1, steps))
        if ngram:
            found += ((_NGRAM_DRAFT, 1.0), (_NGRAM_DRAFT + 1, matched), (_NGRAM_DRAFT + 2, drafted))
        if dense:
            found.append((_DENSE_DRAFT, 1.0))
    if recycled:
        found += ((_RECYCLED, 1.0), (_RECYCLED + 1, _log_odds(recycled_probability)), (_RECYCLED + 2, residual[3]))
        if ngram:
            found.append((_NGRAM_RECYCLED, 1.0))
        if draft:
            found.append((_DRAFT_RECYCLED, 1.0))
    if rejected:
        for source, place in ((ngram, _REJECTED), (dense, _REJECTED + 1), (recycled, _REJECTED + 2)):
            if source:
                found.append((place, 1.0))
    return found


def _chance(weights: Sequence[float], residual: Sequence[float]) -> Estimate:
    """The logistic function of `features` times weights, without the lists in between; a test compares the two."""
    (
        w_ngram, w_length, w_share, w_ngram_residual, w_dense, w_similarity, w_dense_share, w_dense_residual,
        w_draft, w_drafted, w_draft_residual, w_recycled, w_again, w_recycled_residual,
        w_ngram_draft, w_length_draft, w_drafted_ngram, w_ngram_dense, w_ngram_recycled, w_dense_draft,
        w_draft_recycled, w_rest_alone, w_both, w_rejected_ngram, w_rejected_dense, w_rejected_recycled,
        w_depth, w_depth_draft,
    ) = weights  # fmt: skip
    ngram_base = w_ngram + w_ngram_residual * residual[0]
    dense_base = w_dense + w_dense_residual * residual[1]
    draft_base = w_draft + w_draft_residual * residual[2]
    recycled_base = w_recycled + w_recycled_residual * residual[3]
    log2, log, exp = math.log2, math.log, math.exp

    def chance(
        bits: int, length: float, share: float, similarity: float, drafted_probability: float,
        recycled_probability: float, rejected: bool, depth: int, /,
    ) -> float:  # fmt: skip
        ngram = bits & SOURCES_NGRAM
        dense = bits & SOURCE_DRESD
        draft = bits & SOURCE_DRAFT
        recycled = bits & SOURCE_RECYCLED
        steps = log2(depth)
        odds = w_depth * steps
        share = log(max(share, 0.01)) if share < 1.0 else 0.0
        matched = 0.0
        if ngram:
            matched = log2(min(max(length, 1.0), MAX_LENGTH))
            odds += ngram_base + w_length * matched + w_share * share
            if bits & SOURCE_REST:
                odds += w_both if bits & SOURCE_PROMPT else w_rest_alone
            if rejected:
                odds += w_rejected_ngram
        if dense:
            odds += dense_base + w_similarity * (similarity * 10.0 - 7.0) + w_dense_share * share
            if ngram:
                odds += w_ngram_dense
            if rejected:
                odds += w_rejected_dense
        if draft:
            drafted_probability = min(max(drafted_probability, _MIN), _MAX)
            drafted = log(drafted_probability / (1.0 - drafted_probability))
            odds += draft_base + w_drafted * drafted + w_depth_draft * steps
            if ngram:
                odds += w_ngram_draft + w_length_draft * matched + w_drafted_ngram * drafted
            if dense:
                odds += w_dense_draft
        if recycled:
            recycled_probability = min(max(recycled_probability, _MIN), _MAX)
            odds += recycled_base + w_again * log(recycled_probability / (1.0 - recycled_probability))
            if ngram:
                odds += w_ngram_recycled
            if draft:
                odds += w_draft_recycled
            if rejected:
                odds += w_rejected_recycled
        return min(_MAX, max(_MIN, 1.0 / (1.0 + exp(-min(max(odds, -30.0), 30.0)))))

    return chance


def _former_name(feature: str) -> str:
    for word, former in _FORMER_WORDS.items():
        feature = feature.replace(word, former)
    return feature


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, _MIN), _MAX)
    return math.log(bounded / (1.0 - bounded))
