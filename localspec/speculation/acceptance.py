"""How likely draft nodes are to be accepted: priors measured on development prompts, corrected as replies go on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.tree import (
    DRAFT_PROBABILITY,
    MATCH_LENGTH,
    SIMILARITY,
    SOURCE_DRAFT,
    SOURCE_DRESD,
    SOURCE_PROMPT,
    SOURCE_REST,
    VOTE_SHARE,
    DraftTree,
)

LONGEST_BUCKET = 24
"""Match lengths from here on share one bucket."""

PRIOR_HIT = np.interp(
    np.arange(LONGEST_BUCKET + 1),
    [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 24],
    [0.05, 0.15, 0.30, 0.42, 0.52, 0.58, 0.67, 0.74, 0.82, 0.87, 0.90, 0.95, 0.97],
)
"""P(the target's token is among the drafted children of a node), by match length + depth. Measured on 75 recorded
replies of the default model, with trees of 15 nodes from prompt lookup and a store of replies; short lengths are set a
quarter lower, for a wrong draft costs more than a missed one (docs/log.md, "Acceptance by match length")."""

PRIOR_NEAR = np.array([0.03, 0.03, 0.03, 0.04, 0.08, 0.22, 0.33, 0.45, 0.58, 0.76, 0.90])
"""The same for drafts from nearest states, by similarity in tenths: measured on 60 recorded replies to programming
prompts with a store of 70,588 states of other replies (docs/log.md, "Acceptance by similarity")."""

PRIOR_WEIGHT = 12.0
"""Observations that the prior counts for: a reply or two outvotes it."""

PRIOR_DRAFT = np.linspace(0.0, 1.0, 21)
"""P(accepted | parent accepted) of a draft model's node, by its probability in twentieths: taken at its
word at first."""

_EXACT = SOURCE_PROMPT | SOURCE_REST
_FIRST_DRAFT = len(PRIOR_HIT) + len(PRIOR_NEAR)
_FIRST_DOUBTED = _FIRST_DRAFT + len(PRIOR_DRAFT)
_DOUBT = 0.4
"""What is left of a retrieved node's hit rate where a draft model took part in the tree and did not propose it."""


class Acceptance:
    """P(accepted | parent accepted) of a node. Retrieved ones: vote share times the hit rate of their evidence. A draft
    model's: the hit rate of nodes it gave about the same probability.

    A hit rate is a Beta estimate per match length for exact suffixes, per similarity for nearest states, and per
    probability for the draft model, updated after each verification. Retrieved nodes that a draft model passed over
    have rates of their own. A node of several kinds takes the highest.
    """

    def __init__(self) -> None:
        prior = np.concatenate([PRIOR_HIT, PRIOR_NEAR, PRIOR_DRAFT, PRIOR_HIT * _DOUBT, PRIOR_NEAR * _DOUBT])
        self._hits: NDArray[np.float64] = prior * PRIOR_WEIGHT
        self._trials: NDArray[np.float64] = np.full(len(prior), PRIOR_WEIGHT)

    def calibrate(self, tree: DraftTree) -> DraftTree:
        """The tree with what is known of its nodes turned into acceptance probabilities."""
        rate = self._hits / self._trials
        best = np.zeros(len(tree))
        for of_kind, buckets in _kinds(tree):
            best = np.maximum(best, np.where(of_kind, rate[buckets], 0.0))
        best *= tree.evidence[:, VOTE_SHARE]
        drafted = np.where(tree.source & SOURCE_DRAFT, self._drafted(tree, rate), 0.0)
        return replace(tree, probability=np.maximum(best, drafted).astype(np.float32))

    def observe(self, tree: DraftTree, path: NDArray[np.int32]) -> None:
        """Learn from a verification: at each visited node with children of a kind, did the target take one of them?"""
        if len(tree) == 0:
            return
        taken = [*path.tolist(), -1]
        for of_kind, buckets in _kinds(tree):
            if not of_kind.any():
                continue
            for above, node in zip([-1, *path.tolist()], taken, strict=True):
                children = np.flatnonzero((tree.parents == above) & of_kind)
                if len(children):
                    bucket = int(buckets[children].max())
                    self._trials[bucket] += 1.0
                    self._hits[bucket] += node >= 0 and bool(of_kind[node])
        self._observe_drafted(tree, path)

    def _drafted(self, tree: DraftTree, rate: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rates [n] of the draft model's probabilities; between buckets on straight lines, so that siblings differ."""
        own = rate[_FIRST_DRAFT:_FIRST_DOUBTED]
        return np.interp(tree.evidence[:, DRAFT_PROBABILITY], np.linspace(0.0, 1.0, len(own)), own)

    def _observe_drafted(self, tree: DraftTree, path: NDArray[np.int32]) -> None:
        """Each of the draft model's nodes whose parent was visited is a trial of its own."""
        visited = np.isin(tree.parents, [-1, *path.tolist()]) & ((tree.source & SOURCE_DRAFT) != 0)
        tried = np.flatnonzero(visited)
        if len(tried):
            buckets = _FIRST_DRAFT + _twentieths(tree)[tried]
            np.add.at(self._trials, buckets, 1.0)
            np.add.at(self._hits, buckets, np.isin(tried, path).astype(np.float64))


def _twentieths(tree: DraftTree) -> NDArray[np.intp]:
    return np.clip(np.rint(tree.evidence[:, DRAFT_PROBABILITY] * 20), 0, 20).astype(np.intp)


def _kinds(tree: DraftTree) -> list[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    """Exact and dense drafts, each with and without the draft model's consent: which nodes [n], their buckets [n]."""
    exact = np.minimum(tree.evidence[:, MATCH_LENGTH], LONGEST_BUCKET).astype(np.intp)
    near = np.clip(np.rint(tree.evidence[:, SIMILARITY] * 10), 0, 10).astype(np.intp)
    drafted = (tree.source & SOURCE_DRAFT) != 0
    doubted = ~drafted & drafted.any()
    kinds = []
    for bits, buckets in ((_EXACT, exact), (SOURCE_DRESD, near + len(PRIOR_HIT))):
        retrieved = (tree.source & bits) != 0
        kinds.append((retrieved & ~doubted, buckets))
        if drafted.any():
            kinds.append((retrieved & doubted, buckets + _FIRST_DOUBTED))
    return kinds
