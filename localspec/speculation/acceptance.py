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
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.tree import (
    DOUBTED,
    SOURCE_DRAFT,
    SOURCE_DRESD,
    SOURCE_PROMPT,
    SOURCE_RECYCLED,
    SOURCE_REST,
    DraftTree,
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
_EXACT, _NEAR, _DRAFT, _RECYCLED = (FEATURES.index(name) for name in ("exact", "near", "draft", "recycled"))
_EXACT_DRAFT, _EXACT_NEAR, _EXACT_RECYCLED, _NEAR_DRAFT, _DRAFT_RECYCLED, _REST_ALONE, _BOTH, _DOUBTED, _DEPTH = (
    FEATURES.index(name)
    for name in (
        "exact and draft", "exact and near", "exact and recycled", "near and draft", "draft and recycled",
        "REST alone", "prompt and REST", "doubted exact", "depth",
    )
)  # fmt: skip

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
    length: float
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
    return Priors(np.array([stored[name][0] for name in FEATURES]), np.array([stored[name][1] for name in FEATURES]))


class Acceptance:
    """P(accepted | parent accepted) of draft nodes. Not thread-safe.

    Plain lists, not arrays: a verification brings a few trials of some eight features each, and between two decodes,
    with cold caches, a call into numpy costs more than that.
    """

    def __init__(self, prior: Priors | None = None) -> None:
        self.prior = prior = prior or priors()
        self.weights: list[float] = prior.weights.tolist()
        """of the features"""
        self._start: list[float] = prior.precision.tolist()
        self._precision = self._start.copy()
        self.luck = [START_LUCK] * len(KINDS)
        """of each kind lately: what came minus what was expected"""
        self.trials = 0
        """nodes whose fate it has learnt from"""

    def begin(self) -> None:
        """A new reply: luck is of the text at hand."""
        self.luck = [START_LUCK] * len(KINDS)

    def calibrate(self, tree: DraftTree) -> DraftTree:
        """The tree with what is known of its nodes turned into acceptance probabilities."""
        if len(tree) == 0:
            return tree
        return replace(tree, probability=np.array([*map(self.chance(), evidence_of(tree))], np.float32))

    def chance(self) -> Callable[[Evidence], float]:
        """The same for one node at a time, as it stands now."""
        return _chance(self.weights, self.luck)

    def observe(self, tree: DraftTree, path: NDArray[np.int32]) -> None:
        """Learn from a verification: every node whose parent was visited is a trial."""
        if len(tree) == 0:
            return
        taken = set(path.tolist())
        known = evidence_of(tree)
        tried = [node for node, parent in enumerate(tree.parents.tolist()) if parent < 0 or parent in taken]
        chance = self.chance()
        weights, start = self.weights, self._start
        precision = self._precision = [
            max(least, acquired * FORGETTING) for least, acquired in zip(start, self._precision, strict=True)
        ]
        surprises = [0.0] * len(KINDS)
        met = 0
        for node, expected in [(node, chance(known[node])) for node in tried]:
            surprise = (1.0 if node in taken else 0.0) - expected
            certainty = expected * (1.0 - expected)
            for place, value in features(known[node], self.luck):
                precision[place] += value * value * certainty
                step = surprise * value / precision[place]
                weights[place] += min(max(step, -LARGEST_STEP), LARGEST_STEP)
            met |= known[node].bits
            for kind, bits in enumerate(KINDS):
                if known[node].bits & bits:
                    surprises[kind] += surprise
        for kind, bits in enumerate(KINDS):
            if met & bits:
                self.luck[kind] += LUCK_FADING * (max(-1.0, min(1.0, surprises[kind])) - self.luck[kind])
        self.trials += len(tried)

    def save(self, file: Path) -> None:
        """Write what was learnt. Raises OSError."""
        acquired = zip(FEATURES, self.weights, self._precision, strict=True)
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
            weights = [float(stored[name][0]) for name in FEATURES]
            precision = [float(stored[name][1]) for name in FEATURES]
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return acceptance
        if all(map(math.isfinite, precision)) and all(abs(weight) < 100 for weight in weights):
            acceptance.weights = weights
            acceptance._precision = [*map(max, acceptance._start, precision)]
        return acceptance


def evidence_of(tree: DraftTree) -> list[Evidence]:
    """What is known of each node. Doubted are those of which the tree says so, and the siblings of nodes that the draft
    model proposed."""
    parents, source = tree.parents.tolist(), tree.source.tolist()
    looked = {parent for parent, bits in zip(parents, source, strict=True) if bits & SOURCE_DRAFT}
    known: list[Evidence] = []
    for parent, bits, row in zip(parents, source, tree.evidence.tolist(), strict=True):
        length, share, similarity, _, guess, again = row
        doubted = not bits & SOURCE_DRAFT and (guess == DOUBTED or parent in looked)
        depth = known[parent].depth + 1 if parent >= 0 else 1
        known.append(Evidence(bits, length, share, similarity, guess, again, doubted, depth))
    return known


def features(known: Evidence, luck: Sequence[float]) -> list[tuple[int, float]]:
    """The features of a node that are not 0: (index in `FEATURES`, value)."""
    bits, length, share, similarity, guess, again, doubted, depth = known
    exact, near = bits & EXACT, bits & SOURCE_DRESD
    draft, recycled = bits & SOURCE_DRAFT, bits & SOURCE_RECYCLED
    steps = math.log2(depth)
    matched = math.log2(min(max(length, 1.0), LONGEST))
    voted = math.log(min(max(share, 0.01), 1.0))
    found: list[tuple[int, float]] = [(_DEPTH, steps)]
    if exact:
        found += ((_EXACT, 1.0), (_EXACT + 1, matched), (_EXACT + 2, voted), (_EXACT + 3, luck[0]))
        if bits & SOURCE_REST:
            found.append((_BOTH if bits & SOURCE_PROMPT else _REST_ALONE, 1.0))
    if near:
        found += ((_NEAR, 1.0), (_NEAR + 1, similarity * 10.0 - 7.0), (_NEAR + 2, voted), (_NEAR + 3, luck[1]))
        if exact:
            found.append((_EXACT_NEAR, 1.0))
    if draft:
        guessed = _log_odds(guess)
        found += ((_DRAFT, 1.0), (_DRAFT + 1, guessed), (_DRAFT + 2, luck[2]), (_DEPTH + 1, steps))
        if exact:
            found += ((_EXACT_DRAFT, 1.0), (_EXACT_DRAFT + 1, matched), (_EXACT_DRAFT + 2, guessed))
        if near:
            found.append((_NEAR_DRAFT, 1.0))
    if recycled:
        found += ((_RECYCLED, 1.0), (_RECYCLED + 1, _log_odds(again)), (_RECYCLED + 2, luck[3]))
        if exact:
            found.append((_EXACT_RECYCLED, 1.0))
        if draft:
            found.append((_DRAFT_RECYCLED, 1.0))
    if doubted:
        for source, place in ((exact, _DOUBTED), (near, _DOUBTED + 1), (recycled, _DOUBTED + 2)):
            if source:
                found.append((place, 1.0))
    return found


def calibration_error(expected: NDArray[np.float64], accepted: NDArray[np.float64], bins: int = 10) -> float:
    """Expected calibration error: over equal bins of the expected probability [n], the mean distance between what was
    expected and what came [n], weighted by the nodes in each (Naeini et al. 2015)."""
    if len(expected) == 0:
        return 0.0
    place = np.minimum((expected * bins).astype(np.intp), bins - 1)
    difference = np.bincount(place, expected - accepted, bins)
    return float(np.abs(difference).sum() / len(expected))


def _chance(weights: Sequence[float], luck: Sequence[float]) -> Callable[[Evidence], float]:
    """The logistic function of `features` times weights, without the lists in between: trees grow by hundreds of calls.
    A test holds the two against each other."""
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
            matched = log2(min(max(length, 1.0), LONGEST))
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


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, _LEAST), _MOST)
    return math.log(bounded / (1.0 - bounded))
