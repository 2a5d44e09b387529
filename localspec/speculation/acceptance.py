"""How likely draft nodes are to be accepted: priors measured on development prompts, corrected as replies go on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.tree import MATCH_LENGTH, DraftTree

LONGEST_BUCKET = 24
"""Match lengths from here on share one bucket."""

PRIOR_HIT = np.interp(
    np.arange(LONGEST_BUCKET + 1),
    [0, 2, 3, 4, 6, 8, 12, 16, 24],
    [0.05, 0.22, 0.38, 0.50, 0.62, 0.72, 0.84, 0.90, 0.95],
)
"""P(the target's token is among the continuations of a match of this length), by match length. Measured with prompt
lookup and a store of replies on Spec-Bench development prompts (docs/log.md, "Acceptance by match length")."""

PRIOR_WEIGHT = 12.0
"""Observations that the prior counts for: a reply or two outvotes it."""


class Acceptance:
    """P(accepted | parent accepted) of retrieved nodes: vote share times the hit rate of their match length.

    The hit rate is a Beta estimate per match length, updated after each verification.
    """

    def __init__(self) -> None:
        self._hits: NDArray[np.float64] = PRIOR_HIT * PRIOR_WEIGHT
        self._trials: NDArray[np.float64] = np.full(LONGEST_BUCKET + 1, PRIOR_WEIGHT)

    def calibrate(self, tree: DraftTree) -> DraftTree:
        """The tree with its vote shares turned into acceptance probabilities."""
        rate = self._hits / self._trials
        return replace(tree, probability=(tree.probability * rate[_bucket(tree)]).astype(np.float32))

    def observe(self, tree: DraftTree, path: NDArray[np.int32]) -> None:
        """Learn from a verification: at each visited node with children, did the target take one of them?"""
        if len(tree) == 0:
            return
        parents = tree.parents
        buckets = _bucket(tree)
        visited = [-1, *path.tolist()]
        for depth, node in enumerate(visited):
            children = np.flatnonzero(parents == node)
            if len(children):
                bucket = int(buckets[children].max())
                self._trials[bucket] += 1.0
                self._hits[bucket] += depth < len(path)


def _bucket(tree: DraftTree) -> NDArray[np.intp]:
    return np.minimum(tree.evidence[:, MATCH_LENGTH], LONGEST_BUCKET).astype(np.intp)
