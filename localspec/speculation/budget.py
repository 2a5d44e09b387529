"""How much of a draft is worth verifying."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.acceptance import Acceptance
from localspec.speculation.tree import DraftTree, cut, path_probabilities

PAPER_NODES = 64
"""Tree size of REST and RASD as published (arXiv 2311.08252, 2503.03434)."""


SURE = 0.98
"""Acceptance of a draft that copies: nodes beyond what pays then never do, and are not even proposed."""
LEAST_LIMIT = 8
"""Nodes that are proposed on any device: measured times may be wrong."""


class Budget(Protocol):
    """Chooses the part of a draft that is sent to the target, and learns from what became of it."""

    @property
    def limit(self) -> int:
        """Nodes that are worth proposing at all."""

    def choose(self, tree: DraftTree, room: int, deepest: int) -> DraftTree:
        """At most `room` nodes of `tree`, none deeper than `deepest`."""

    def observe(self, tree: DraftTree, path: NDArray[np.int32]) -> None:
        """What was verified and which of its nodes were accepted."""


class FixedBudget:
    """A tree of fixed size, as the papers have it."""

    def __init__(self, nodes: int = PAPER_NODES, acceptance: Acceptance | None = None) -> None:
        """Without `acceptance` the drafters' own weights decide; trees of several kinds of sources need one scale."""
        self.limit = nodes
        self._acceptance = acceptance

    def choose(self, tree: DraftTree, room: int, deepest: int) -> DraftTree:
        """The heaviest nodes, up to the fixed size."""
        if self._acceptance is not None:
            tree = self._acceptance.calibrate(tree)
        return cut(tree, min(self.limit, room), deepest)

    def observe(self, tree: DraftTree, path: NDArray[np.int32]) -> None:
        """Correct the acceptance estimates, where they are used."""
        if self._acceptance is not None:
            self._acceptance.observe(tree, path)


class CostBudget:
    """The size with the most expected tokens per second, given the measured time of a decode by rows."""

    def __init__(
        self, decode_seconds: NDArray[np.float64], acceptance: Acceptance, rows: int, overhead: float = 0.0003
    ) -> None:
        """`decode_seconds[k]` is T(k), k = 1 … (index 0 unused); `rows` caps a batch, root included; `overhead` is the
        time a drafted step takes beyond its decode, in seconds."""
        self._seconds = decode_seconds
        self._acceptance = acceptance
        self._overhead = overhead
        most = min(rows, len(decode_seconds) - 1) - 1
        longest = best_size(np.power(SURE, np.arange(1, most + 1), dtype=np.float64), decode_seconds, overhead)
        self.limit = min(most, max(longest, LEAST_LIMIT))

    def choose(self, tree: DraftTree, room: int, deepest: int) -> DraftTree:
        """The best-first nodes whose number maximises expected tokens per second; none when drafting costs time."""
        tree = cut(self._acceptance.calibrate(tree), min(self.limit, room), deepest)
        gains = np.sort(path_probabilities(tree))[::-1]
        return cut(tree, best_size(gains, self._seconds, self._overhead))

    def observe(self, tree: DraftTree, path: NDArray[np.int32]) -> None:
        """Correct the acceptance estimates."""
        self._acceptance.observe(tree, path)


def least_price(decode_seconds: NDArray[np.float64]) -> float:
    """Path probability below which a node hardly ever pays: what a row of the cheapest batch adds, as a part of T(1).

    A node is worth its row while it wins more than a plain step would in that time. Steps of T where a further row is
    free are left out of account: they are filled by what is likelier."""
    if len(decode_seconds) < 3:
        return 1.0
    rows = np.arange(2, len(decode_seconds))
    return max(0.0, float(np.min((decode_seconds[2:] - decode_seconds[1]) / (rows - 1)) / decode_seconds[1]))


def best_size(gains: NDArray[np.float64], decode_seconds: NDArray[np.float64], overhead: float) -> int:
    """How many of the nodes to send: the k that maximises (1 + sum of the k largest path probabilities) / T(k + 1).

    `gains` [n] are path probabilities, descending; every k is tried, for T is stepped (a wider batch can cost less).
    """
    sizes = min(len(gains), len(decode_seconds) - 2)
    expected = 1.0 + np.concatenate(([0.0], np.cumsum(gains[:sizes])))
    seconds = decode_seconds[1 : sizes + 2] + np.where(np.arange(sizes + 1) > 0, overhead, 0.0)
    return int(np.argmax(expected / seconds))
