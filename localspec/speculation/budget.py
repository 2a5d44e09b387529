"""How much of a draft is worth verifying."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.acceptance import Acceptance
from localspec.speculation.tree import DraftTree, Ranked, cut, path_probabilities

PAPER_NODES = 64
"""Tree size of REST and RASD as published (arXiv 2311.08252, 2503.03434)."""


SURE = 0.98
"""Acceptance of a draft that copies: nodes beyond what pays then never do, and are not even proposed."""
LEAST_LIMIT = 8
"""Nodes that are proposed on any device: measured times may be wrong."""
CAUTION = 0.95
"""What is expected of chosen nodes counts as a little less: the most promising of many estimates are too high on
average (the optimizer's curse, Smith and Winkler 2006)."""
SMALL_BATCH = 6
"""Rows of a usual batch on a device where rows have a price."""
LEAST_CHANCE = 0.03
"""Nodes that are less likely to be accepted are not looked at: where rows are free there is no end of them."""


class DecodeTimes(Protocol):
    """T(k) of the target on this device."""

    def at(self, cached: int) -> NDArray[np.float64]:
        """Seconds of a decode of k rows below a text of `cached` positions, k = 1 … (entry 0 unused)."""

    def observe(self, rows: int, cached: int, seconds: float) -> None:
        """A decode took so long."""


class SteadyTimes:
    """T(k) that is the same at every length of the context and learns nothing."""

    def __init__(self, seconds: NDArray[np.float64]) -> None:
        self._seconds = seconds

    def at(self, cached: int) -> NDArray[np.float64]:
        """As given."""
        return self._seconds

    def observe(self, rows: int, cached: int, seconds: float) -> None:
        """Nothing is learnt."""


class Spent(NamedTuple):
    """Seconds of a step, and where in the text it was."""

    cached: int
    """positions in the KV cache before it"""
    decode: float
    """the target's decode, with the wait for its logits"""
    whole: float
    """from proposing to the last sample"""


NOTHING_SPENT = Spent(0, 0.0, 0.0)


class Budget(Protocol):
    """Chooses the part of a draft that is sent to the target, and learns from what became of it."""

    @property
    def limit(self) -> int:
        """Nodes that are worth proposing at all."""

    def choose(self, tree: DraftTree, room: int, deepest: int, cached: int = 0) -> DraftTree:
        """At most `room` nodes of `tree`, none deeper than `deepest`, below a text of `cached` positions."""

    def observe(self, tree: DraftTree, path: NDArray[np.int32], spent: Spent = NOTHING_SPENT) -> None:
        """What was verified, which of its nodes were accepted, and how long that took."""

    def pace(self, cached: int) -> float:
        """Tokens per second that time brings otherwise; 0 where time doesn't count."""

    def size(self, gains: NDArray[np.float64], cached: int) -> int:
        """How many of the nodes with these path probabilities [n], descending, are worth sending."""

    def worth(self, gains: NDArray[np.float64], size: int, cached: int) -> float:
        """Tokens that `size` nodes with these path probabilities [n] bring beyond a plain step and beyond what their
        time would bring otherwise."""

    def least(self, cached: int) -> float:
        """Path probability below which no node can pay."""

    def row_price(self, cached: int) -> float:
        """Tokens that the time of one more row in a small batch would bring otherwise."""


class FixedBudget:
    """A tree of fixed size, as the papers have it."""

    def __init__(self, nodes: int = PAPER_NODES, acceptance: Acceptance | None = None) -> None:
        """Without `acceptance` the drafters' own weights decide; trees of several kinds of sources need one scale."""
        self.limit = nodes
        self._acceptance = acceptance

    def choose(self, tree: DraftTree, room: int, deepest: int, cached: int = 0) -> DraftTree:
        """The heaviest nodes, up to the fixed size."""
        if self._acceptance is not None:
            tree = self._acceptance.calibrate(tree)
        return cut(tree, min(self.limit, room), deepest)

    def observe(self, tree: DraftTree, path: NDArray[np.int32], spent: Spent = NOTHING_SPENT) -> None:
        """Correct the acceptance estimates, where they are used."""
        if self._acceptance is not None:
            self._acceptance.observe(tree, path)

    def pace(self, cached: int) -> float:
        """Time doesn't count."""
        return 0.0

    def size(self, gains: NDArray[np.float64], cached: int) -> int:
        """All that fits is sent."""
        return min(len(gains), self.limit)

    def worth(self, gains: NDArray[np.float64], size: int, cached: int) -> float:
        """What is likely to be accepted."""
        return float(gains[:size].sum())

    def least(self, cached: int) -> float:
        """Anything may fill the tree."""
        return 0.0

    def row_price(self, cached: int) -> float:
        """Rows are free."""
        return 0.0


class CostBudget:
    """The size with the most expected tokens per second, given the measured time of a decode by rows."""

    def __init__(
        self,
        times: DecodeTimes,
        acceptance: Acceptance | None,
        rows: int,
        overhead: float = 0.0003,
        pace: ThroughputAverage | None = None,
    ) -> None:
        """`rows` caps a batch, root included; `overhead`: seconds that a drafted step takes beyond its decode;
        `pace` is that of earlier replies. Without `acceptance` trees come calibrated, and their drafter learns from
        them."""
        self._times = times
        self._acceptance = acceptance
        self._overhead = overhead
        self._pace = pace or ThroughputAverage()
        seconds = times.at(0)
        self._priced = seconds
        self._least_price = least_price(seconds)
        self.limit = min(rows, len(seconds) - 1) - 1
        if acceptance is not None:
            longest = best_size(np.power(SURE, np.arange(1, self.limit + 1), dtype=np.float64), seconds, overhead)
            self.limit = min(self.limit, max(longest, LEAST_LIMIT))

    def choose(self, tree: DraftTree, room: int, deepest: int, cached: int = 0) -> DraftTree:
        """The best-first nodes whose number is worth its time; none when drafting costs more than it brings."""
        if len(tree) == 0:
            return tree
        if self._acceptance is not None:
            tree = self._acceptance.calibrate(tree)
        elif self.size(path_probabilities(tree)[:room], cached) == 0:
            return DraftTree.empty()  # as most often: such trees are sorted
        ranked = Ranked(tree, deepest)
        gains = ranked.gains[: min(self.limit, room)]
        return ranked.best(self.size(gains, cached))

    def observe(self, tree: DraftTree, path: NDArray[np.int32], spent: Spent = NOTHING_SPENT) -> None:
        """Correct the acceptance estimates, T(k) and the pace."""
        self._pace.observe(len(path) + 1, spent.whole)
        self._times.observe(len(tree) + 1, spent.cached, spent.decode)
        if self._acceptance is not None:
            self._acceptance.observe(tree, path)

    def pace(self, cached: int) -> float:
        """Tokens per second that time brings otherwise."""
        return self._pace.of(self._times.at(cached))

    def size(self, gains: NDArray[np.float64], cached: int) -> int:
        """By T(k) as measured and the pace."""
        return best_size(gains * CAUTION, self._times.at(cached), self._overhead, self.pace(cached))

    def worth(self, gains: NDArray[np.float64], size: int, cached: int) -> float:
        """By T(k) as measured and the pace."""
        if size == 0:
            return 0.0
        seconds = self._times.at(cached)
        return float(gains[:size].sum() - self.pace(cached) * (seconds[size + 1] - seconds[1] + self._overhead))

    def least(self, cached: int) -> float:
        """Path probability below which no node can pay."""
        seconds = self._times.at(cached)
        if seconds is not self._priced:
            self._priced, self._least_price = seconds, least_price(seconds)
        return max(LEAST_CHANCE, self._least_price * self.pace(cached) * float(seconds[1]))

    def row_price(self, cached: int) -> float:
        """On average up to `SMALL_BATCH` rows."""
        seconds = self._times.at(cached)
        rows = min(SMALL_BATCH, len(seconds) - 1)
        return max(0.0, self.pace(cached) * float(seconds[rows] - seconds[1]) / max(1, rows - 1))


class ThroughputAverage:
    """Tokens per second lately: what a second is worth. Never less than plain decoding."""

    FADING = 0.02

    def __init__(self) -> None:
        self._tokens = 0.0
        self._seconds = 0.0

    def observe(self, tokens: int, seconds: float) -> None:
        """A step brought so many tokens in so many seconds."""
        if seconds > 0:
            self._tokens += self.FADING * (tokens - self._tokens)
            self._seconds += self.FADING * (seconds - self._seconds)

    def of(self, decode_seconds: NDArray[np.float64]) -> float:
        """Tokens per second, given T(k) at this length of the context."""
        plain = 1.0 / float(decode_seconds[1])
        return max(plain, self._tokens / self._seconds) if self._seconds > 0 else plain


def least_price(decode_seconds: NDArray[np.float64]) -> float:
    """Path probability below which a node hardly ever pays: what a row of the cheapest batch adds, as a part of T(1).

    A node is worth its row while it wins more than a plain step would in that time. Steps of T where a further row is
    free are left out of account: they are filled by what is likelier."""
    if len(decode_seconds) < 3:
        return 1.0
    rows = np.arange(2, len(decode_seconds))
    return max(0.0, float(np.min((decode_seconds[2:] - decode_seconds[1]) / (rows - 1)) / decode_seconds[1]))


def best_size(
    gains: NDArray[np.float64], decode_seconds: NDArray[np.float64], overhead: float, pace: float = 0.0
) -> int:
    """How many of the nodes to send: every k is tried, for T is stepped (a wider batch can cost less).

    `gains` [n] are path probabilities, descending, so that k nodes bring 1 + (sum of the first k) tokens in
    T(k + 1) + `overhead` seconds. With a `pace` (tokens per second that the time would bring otherwise) the k that
    brings the most beyond it: tokens − pace · seconds, whose maximum at the best pace that can be held gives the most
    tokens per second over all steps (Dinkelbach 1967). Without one, the most tokens per second of this step alone.
    """
    sizes = min(len(gains), len(decode_seconds) - 2)
    if sizes <= 0:
        return 0
    expected = 1.0 + np.concatenate(([0.0], np.cumsum(gains[:sizes])))
    seconds = decode_seconds[1 : sizes + 2] + np.where(np.arange(sizes + 1) > 0, overhead, 0.0)
    return int(np.argmax(expected - pace * seconds if pace > 0 else expected / seconds))
