"""How likely draft nodes are to be accepted: priors measured on development prompts, corrected as replies go on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.tree import (
    MATCH_LENGTH,
    SIMILARITY,
    SOURCE_DRESD,
    SOURCE_PROMPT,
    SOURCE_REST,
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

_EXACT = SOURCE_PROMPT | SOURCE_REST


class Acceptance:
    """P(accepted | parent accepted) of retrieved nodes: vote share times the hit rate of their evidence.

    The hit rate is a Beta estimate per match length for exact suffixes, and per similarity for nearest states, updated
    after each verification. A node with both takes the higher one.
    """

    def __init__(self) -> None:
        prior = np.concatenate([PRIOR_HIT, PRIOR_NEAR])
        self._hits: NDArray[np.float64] = prior * PRIOR_WEIGHT
        self._trials: NDArray[np.float64] = np.full(len(prior), PRIOR_WEIGHT)

    def calibrate(self, tree: DraftTree) -> DraftTree:
        """The tree with its vote shares turned into acceptance probabilities."""
        rate = self._hits / self._trials
        best = np.zeros(len(tree))
        for bits, buckets in _kinds(tree):
            best = np.maximum(best, np.where(tree.source & bits, rate[buckets], 0.0))
        return replace(tree, probability=(tree.probability * best).astype(np.float32))

    def observe(self, tree: DraftTree, path: NDArray[np.int32]) -> None:
        """Learn from a verification: at each visited node with children of a kind, did the target take one of them?"""
        if len(tree) == 0:
            return
        taken = [*path.tolist(), -1]
        for bits, buckets in _kinds(tree):
            of_kind = (tree.source & bits) != 0
            if not of_kind.any():
                continue
            for above, node in zip([-1, *path.tolist()], taken, strict=True):
                children = np.flatnonzero((tree.parents == above) & of_kind)
                if len(children):
                    bucket = int(buckets[children].max())
                    self._trials[bucket] += 1.0
                    self._hits[bucket] += node >= 0 and bool(of_kind[node])


def _kinds(tree: DraftTree) -> tuple[tuple[int, NDArray[np.intp]], ...]:
    """Source bits of exact and of dense drafts, each with the bucket of every node [n]."""
    exact = np.minimum(tree.evidence[:, MATCH_LENGTH], LONGEST_BUCKET).astype(np.intp)
    near = np.clip(np.rint(tree.evidence[:, SIMILARITY] * 10), 0, 10).astype(np.intp)
    return (_EXACT, exact), (SOURCE_DRESD, near + len(PRIOR_HIT))
