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
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.tree import (
    DOUBTED,
    DRAFT_PROBABILITY,
    MATCH_LENGTH,
    RECYCLED_PROBABILITY,
    SIMILARITY,
    SOURCE_DRAFT,
    SOURCE_DRESD,
    SOURCE_PROMPT,
    SOURCE_RECYCLED,
    SOURCE_REST,
    VOTE_SHARE,
    DraftTree,
    depths,
)

LONGEST = 32
"""Match lengths from here on are alike."""
EXACT = SOURCE_PROMPT | SOURCE_REST
KINDS = (EXACT, SOURCE_DRESD, SOURCE_DRAFT, SOURCE_RECYCLED)
"""Sources that are told apart when their recent luck is followed."""

FEATURES = (
    "exact", "exact length", "exact share", "exact luck",
    "near", "near similarity", "near share", "near luck",
    "draft", "draft probability", "draft luck",
    "recycled", "recycled probability", "recycled luck",
    "exact and draft", "exact length and draft", "draft probability and exact",
    "exact and near", "exact and recycled", "near and draft", "draft and recycled",
    "REST alone", "prompt and REST", "doubted exact", "doubted near", "doubted recycled", "depth", "depth of draft",
)  # fmt: skip
_AT = {name: place for place, name in enumerate(FEATURES)}

_LEAST, _MOST = 0.002, 0.995
"""Probabilities are kept within these bounds: nothing is certain."""
LUCK_FADING = 0.15
"""Weight of the newest trial in a kind's luck: the mean of what came minus what was expected, over the last dozen."""
START_LUCK = -0.04
"""Luck at the beginning of a reply: where nothing can be guessed the first guesses would be paid for (docs/log.md)."""
LARGEST_STEP = 0.3
"""A weight moves by no more than this at one trial."""
FORGETTING = 0.9995
"""What is left of the acquired precision after each verification: old replies fade, and learning never ends."""


class Evidence(NamedTuple):
    """What is known of one node, for `Acceptance.chance`."""

    bits: int
    length: int
    share: float
    similarity: float
    draft_probability: float
    recycled_probability: float
    doubted: bool
    """the draft model looked at the node's parent and did not propose it"""
    depth: int


class Priors(NamedTuple):
    """A Gaussian over the weights of the features."""

    weights: NDArray[np.float64]
    precision: NDArray[np.float64]


@cache
def priors() -> Priors:
    """Those that ship with the package."""
    text = resources.files("localspec.speculation").joinpath("priors.json").read_text(encoding="utf-8")
    stored = json.loads(text)["weights"]
    return Priors(
        np.array([stored[name][0] for name in FEATURES]), np.array([stored[name][1] for name in FEATURES])
    )


class Acceptance:
    """P(accepted | parent accepted) of draft nodes. Not thread-safe."""

    def __init__(self, prior: Priors | None = None) -> None:
        self.prior = prior = prior or priors()
        self.weights = prior.weights.copy()
        """[f] of the features"""
        self._start = prior.precision.copy()
        self._precision = prior.precision.copy()
        self.luck = [START_LUCK] * len(KINDS)
        """of each kind lately: what came minus what was expected"""
        self.trials = 0
        """nodes whose fate it has learnt from"""
        self.refresh()

    def refresh(self) -> None:
        """Take over weights that were set from outside."""
        self._weights_as_list: list[float] = self.weights.tolist()

    def begin(self) -> None:
        """A new reply: luck is of the text at hand."""
        self.luck = [START_LUCK] * len(KINDS)

    def calibrate(self, tree: DraftTree) -> DraftTree:
        """The tree with what is known of its nodes turned into acceptance probabilities."""
        if len(tree) == 0:
            return tree
        odds = features(tree, self.luck) @ self.weights
        return replace(tree, probability=_sigmoid(odds).astype(np.float32))

    def chance(self) -> Callable[[Evidence], float]:
        """The same for one node at a time, as it stands now: for trees while they grow, where arrays are too slow."""
        return _scalar(self._weights_as_list, self.luck)

    def observe(self, tree: DraftTree, path: NDArray[np.int32]) -> None:
        """Learn from a verification: every node whose parent was visited is a trial."""
        if len(tree) == 0:
            return
        visited = [-1, *path.tolist()]
        tried = np.flatnonzero(np.isin(tree.parents, visited))
        accepted = np.isin(tried, path).astype(np.float64)
        vectors = features(tree, self.luck)[tried]
        expected = _sigmoid(vectors @ self.weights)
        self._precision = np.maximum(self._start, self._precision * FORGETTING)
        for vector, came, chance in zip(vectors, accepted, expected, strict=True):
            self._precision += vector * vector * chance * (1.0 - chance)
            step = (came - chance) * vector / self._precision
            self.weights += np.clip(step, -LARGEST_STEP, LARGEST_STEP)
        self.refresh()
        self.trials += len(tried)
        self._follow_luck(tree.source[tried], accepted, expected)

    def _follow_luck(
        self, source: NDArray[np.uint8], accepted: NDArray[np.float64], expected: NDArray[np.float64]
    ) -> None:
        for kind, bits in enumerate(KINDS):
            of_kind = (source & bits) != 0
            if of_kind.any():
                surprise = float(accepted[of_kind].sum() - expected[of_kind].sum())
                self.luck[kind] += LUCK_FADING * (max(-1.0, min(1.0, surprise)) - self.luck[kind])

    def save(self, file: Path) -> None:
        """Write what was learnt. Raises OSError."""
        acquired = zip(FEATURES, self.weights.tolist(), self._precision.tolist(), strict=True)
        temporary = file.with_suffix(".part")
        temporary.write_text(
            json.dumps({"weights": {name: [weight, precision] for name, weight, precision in acquired}}),
            encoding="utf-8",
        )
        temporary.replace(file)

    @staticmethod
    def load(file: Path) -> Acceptance:
        """What `save` wrote; the priors where there is nothing of use."""
        acceptance = Acceptance()
        try:
            stored = json.loads(file.read_text(encoding="utf-8"))["weights"]
            weights = np.array([float(stored[name][0]) for name in FEATURES])
            precision = np.array([float(stored[name][1]) for name in FEATURES])
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return acceptance
        if np.isfinite(weights).all() and np.isfinite(precision).all() and (np.abs(weights) < 100).all():
            acceptance.weights = weights
            acceptance._precision = np.maximum(acceptance._start, precision)
            acceptance.refresh()
        return acceptance


def features(tree: DraftTree, luck: list[float]) -> NDArray[np.float64]:
    """What is known of every node as numbers [n, f], in the order of `FEATURES`."""
    count = len(tree)
    source = tree.source
    exact = ((source & EXACT) != 0).astype(np.float64)
    near = ((source & SOURCE_DRESD) != 0).astype(np.float64)
    draft = ((source & SOURCE_DRAFT) != 0).astype(np.float64)
    recycled = ((source & SOURCE_RECYCLED) != 0).astype(np.float64)
    length = np.log2(np.clip(tree.evidence[:, MATCH_LENGTH], 1.0, LONGEST))
    share = np.log(np.clip(tree.evidence[:, VOTE_SHARE], 0.01, 1.0))
    similarity = tree.evidence[:, SIMILARITY] * 10.0 - 7.0
    guessed = _log_odds(tree.evidence[:, DRAFT_PROBABILITY])
    again = _log_odds(tree.evidence[:, RECYCLED_PROBABILITY])
    doubted = doubted_nodes(tree).astype(np.float64)
    depth = np.log2(depths(tree).astype(np.float64))
    prompt = (source & SOURCE_PROMPT) != 0
    rest = (source & SOURCE_REST) != 0
    result = np.empty((count, len(FEATURES)))
    columns = (
        exact, exact * length, exact * share, exact * luck[0],
        near, near * similarity, near * share, near * luck[1],
        draft, draft * guessed, draft * luck[2],
        recycled, recycled * again, recycled * luck[3],
        exact * draft, exact * length * draft, exact * draft * guessed,
        exact * near, exact * recycled, near * draft, draft * recycled,
        rest & ~prompt, rest & prompt, doubted * exact, doubted * near, doubted * recycled, depth, depth * draft,
    )  # fmt: skip
    for place, column in enumerate(columns):
        result[:, place] = column
    return result


def doubted_nodes(tree: DraftTree) -> NDArray[np.bool_]:
    """Which nodes [n] the draft model did not propose though it had looked at their parent: those that say so, and the
    siblings of its own."""
    drafted = (tree.source & SOURCE_DRAFT) != 0
    doubted = tree.evidence[:, DRAFT_PROBABILITY] == DOUBTED
    if drafted.any():
        looked = np.zeros(len(tree) + 1, np.bool_)
        looked[tree.parents[drafted]] = True
        doubted |= looked[tree.parents]
    return np.asarray(doubted & ~drafted)


def calibration_error(expected: NDArray[np.float64], accepted: NDArray[np.float64], bins: int = 10) -> float:
    """Expected calibration error: over equal bins of the expected probability [n], the mean distance between what was
    expected and what came [n], weighted by the nodes in each (Naeini et al. 2015)."""
    if len(expected) == 0:
        return 0.0
    place = np.minimum((expected * bins).astype(np.intp), bins - 1)
    difference = np.bincount(place, expected - accepted, bins)
    return float(np.abs(difference).sum() / len(expected))


def _scalar(weights: list[float], luck: list[float]) -> Callable[[Evidence], float]:
    """`features` and the logistic function for one node. A test holds the two against each other."""
    (
        w_exact, w_length, w_share, w_exact_luck, w_near, w_similarity, w_near_share, w_near_luck,
        w_draft, w_guessed, w_draft_luck, w_recycled, w_again, w_recycled_luck,
        w_exact_draft, w_length_draft, w_guessed_exact, w_exact_near, w_exact_recycled, w_near_draft, w_draft_recycled,
        w_rest_alone, w_both, w_doubted_exact, w_doubted_near, w_doubted_recycled, w_depth, w_depth_draft,
    ) = weights  # fmt: skip
    exact_base = w_exact + w_exact_luck * luck[0]
    near_base = w_near + w_near_luck * luck[1]
    draft_base = w_draft + w_draft_luck * luck[2]
    recycled_base = w_recycled + w_recycled_luck * luck[3]
    log2, log, exp = math.log2, math.log, math.exp

    def chance(evidence: Evidence) -> float:
        bits, length, share, similarity, guess, again, doubted, depth = evidence
        exact = bits & EXACT
        near = bits & SOURCE_DRESD
        draft = bits & SOURCE_DRAFT
        recycled = bits & SOURCE_RECYCLED
        steps = log2(depth)
        odds = w_depth * steps
        share = log(max(share, 0.01)) if share < 1.0 else 0.0
        matched = 0.0
        if exact:
            matched = log2(min(max(length, 1), LONGEST))
            odds += exact_base + w_length * matched + w_share * share
            if bits & SOURCE_REST:
                odds += w_both if bits & SOURCE_PROMPT else w_rest_alone
            if doubted:
                odds += w_doubted_exact
        if near:
            odds += near_base + w_similarity * (similarity * 10.0 - 7.0) + w_near_share * share
            if exact:
                odds += w_exact_near
            if doubted:
                odds += w_doubted_near
        if draft:
            guess = min(max(guess, _LEAST), _MOST)
            guessed = log(guess / (1.0 - guess))
            odds += draft_base + w_guessed * guessed + w_depth_draft * steps
            if exact:
                odds += w_exact_draft + w_length_draft * matched + w_guessed_exact * guessed
            if near:
                odds += w_near_draft
        if recycled:
            again = min(max(again, _LEAST), _MOST)
            odds += recycled_base + w_again * log(again / (1.0 - again))
            if exact:
                odds += w_exact_recycled
            if draft:
                odds += w_draft_recycled
            if doubted:
                odds += w_doubted_recycled
        return min(_MOST, max(_LEAST, 1.0 / (1.0 + exp(-min(max(odds, -30.0), 30.0)))))

    return chance


def _log_odds(probability: NDArray[np.float32]) -> NDArray[np.float64]:
    bounded = np.clip(probability.astype(np.float64), _LEAST, _MOST)
    return np.asarray(np.log(bounded / (1.0 - bounded)))


def _sigmoid(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0))), _LEAST, _MOST)
