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
    [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 24],
    [0.05, 0.15, 0.30, 0.42, 0.52, 0.58, 0.67, 0.74, 0.82, 0.87, 0.90, 0.95, 0.97],
)
"""P(the target's token is among the drafted children of a node), by match length + depth. Measured on 75 recorded
replies of the default model, with trees of 15 nodes from prompt lookup and a store of replies; short lengths are set a
quarter lower, for a wrong draft costs more than a missed one (docs/log.md, "Acceptance by match length")."""

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
