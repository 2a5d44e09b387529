"""What verification costs and what a draft is expected to gain: T(k) and the throughput, as known in a reply.

The only measure is expected tokens per second; `tree_size.py` has the arithmetic.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.native import steps
from localspec.native.graphs import KEPT_ROWS, SETTLING
from localspec.speculation.tree import DraftTree, Ranked, cut
from localspec.speculation.tree_size import break_even_probability, few_sizes, size_of_step

CAUTION = 0.95
"""Expected gains of chosen nodes count as a little less: the most promising of many estimates are too high on average
(the optimizer's curse, Smith and Winkler 2006)."""
SMALL_BATCH = 6
"""Rows of a usual batch on a device where rows have a price."""
MIN_PROBABILITY = 0.03
"""Nodes with a lower path probability are not looked at: where rows are free there is no end of them."""
PLAIN_OVERHEAD = 0.0001
"""Seconds that a plain step takes beyond its decode."""
_SLOWNESS_FADING = 0.1
"""Weight of the newest decode in how many times as long as expected they take."""
_MAX_SLOWNESS = 30.0
DEAR_CHANGE = 0.5
"""Plain steps: a change of size, or a new one, that costs more is that of a graph that the device captures."""


SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 65)
"""Rows of a batch. With a few sizes most decodes have the shape of the one before, whose graph serves again; what is
missing to a size is filled with less likely nodes, or with rows that nobody reads."""


class DecodeTimes(Protocol):
    """T(k) of the target on this device."""

    @property
    def change(self) -> float:
        """Seconds that a decode takes longer when the one before had another number of rows."""

    @property
    def build(self) -> float:
        """Seconds that the first decodes of a size take longer in all: its graph is built and, on some devices,
        captured. Now and then that is so again, as when the text has grown."""

    def at(self, cached: int) -> NDArray[np.float64]:
        """Seconds of a decode of k rows below a text of `cached` positions, k = 1 … (entry 0 unused), when the one
        before had as many."""

    def observe(self, rows: int, cached: int, seconds: float, *, changed: bool = False) -> None:
        """A decode took so long; `changed`: the one before had another number of rows."""


class SteadyTimes:
    """T(k) that is the same at every length of the context and learns nothing."""

    def __init__(self, seconds: NDArray[np.float64], change: float = 0.0, build: float = 0.0) -> None:
        self._seconds = seconds
        self.change = change
        self.build = build

    def at(self, cached: int) -> NDArray[np.float64]:
        """As given."""
        return self._seconds

    def observe(self, rows: int, cached: int, seconds: float, *, changed: bool = False) -> None:
        """Nothing is learnt."""


class StepCost(NamedTuple):
    """Seconds of a step, where in the text it was, and the rows of its batch."""

    cached: int  # positions in the KV cache before it
    rows: int  # root, nodes and what filled the batch up
    decode_seconds: float  # the target's decode, with the wait for its logits
    step_seconds: float  # from proposing to the last sample
    disturbed: bool = False  # by other programs: T(k) is not to be learnt from it


NO_COST = StepCost(0, 1, 0.0, 0.0)


class ThroughputAverage:
    """Tokens per second lately, as a moving average: what a second is worth. Never less than plain decoding."""

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


class CostModel(Protocol):
    """What the nodes of a draft cost and are expected to gain."""

    def throughput(self, cached: int) -> float:
        """Tokens per second that time brings otherwise; 0 where time doesn't count."""

    def cut(self, tree: DraftTree, room: int, max_depth: int, cached: int) -> DraftTree:
        """The part of a tree that is worth its time: at most `room` nodes, none deeper than `max_depth`."""

    def plain_seconds(self, cached: int) -> float:
        """Of a step without a draft; 0 where time doesn't count."""

    def plain_steps(self, nodes: int, cached: int) -> float:
        """Plain steps in whose time so many nodes are verified."""

    def settling_steps(self, cached: int) -> float:
        """Plain steps that the last step may have taken longer because batches of another size came before."""

    def rows(self, nodes: int, cached: int) -> int:
        """Rows of the batch that verifies so many nodes."""

    def gain(self, before: DraftTree, now: DraftTree, cached: int) -> float:
        """Tokens that a tree is expected to bring more than an earlier one, by what is known now, beyond those that the
        time would bring otherwise. Both come best node first; of each counts what would be verified."""

    def min_probability(self, cached: int) -> float:
        """Path probability below which no node can pay."""

    def row_price(self, cached: int) -> float:
        """Tokens that the time of one more row in a small batch would bring otherwise."""


class FreeRows:
    """Rows are free and time doesn't count, as with the trees of the papers: `nodes` are verified at every step."""

    def __init__(self, nodes: int) -> None:
        self._nodes = nodes

    def throughput(self, cached: int) -> float:
        """Time doesn't count."""
        return 0.0

    def cut(self, tree: DraftTree, room: int, max_depth: int, cached: int) -> DraftTree:
        """All that fits."""
        return cut(tree, min(self._nodes, room), max_depth)

    def plain_seconds(self, cached: int) -> float:
        """Time doesn't count."""
        return 0.0

    def plain_steps(self, nodes: int, cached: int) -> float:
        """A step is a step."""
        return 1.0

    def settling_steps(self, cached: int) -> float:
        """Time doesn't count."""
        return 0.0

    def rows(self, nodes: int, cached: int) -> int:
        """No more than needed."""
        return nodes + 1

    def gain(self, before: DraftTree, now: DraftTree, cached: int) -> float:
        """What is likely to be accepted more."""
        return tree_gain(before, now, None, limit=self._nodes)

    def min_probability(self, cached: int) -> float:
        """Anything may fill the tree."""
        return 0.0

    def row_price(self, cached: int) -> float:
        """Nothing."""
        return 0.0


class MeasuredCost:
    """By T(k) as measured on this device and the throughput lately."""

    def __init__(
        self,
        times: DecodeTimes,
        overhead: float,
        throughput: ThroughputAverage | None = None,
        most_rows: int = SIZES[-1],
    ) -> None:
        """`overhead`: seconds that a drafted step takes beyond its decode; `throughput`: that of earlier replies;
        `most_rows` of a batch."""
        self._times = times
        self._overhead = overhead
        self._throughput = throughput or ThroughputAverage()
        self._seconds = times.at(0)
        self._break_even = break_even_probability(self._seconds)
        most = min(most_rows, len(self._seconds) - 1)
        sizes: tuple[int, ...] = SIZES
        if times.build > DEAR_CHANGE * float(self._seconds[1]):
            sizes = few_sizes(self._seconds, [size for size in SIZES if size <= min(most, KEPT_ROWS)])
            most = min(most, sizes[-1])
        self.most_rows = most
        self._sizes = np.array([*(size for size in sizes if size < most), most], np.int32)
        self._last_rows = 0
        self._since_change = SETTLING
        self._lost = 0.0
        """seconds by which another size would have been faster since the last change: one row, or that of drafting"""
        self._drafting_rows = 1
        self._slowness = 1.0
        self._drawn: tuple[NDArray[np.float64] | None, int, float] = (None, 0, 0.0)
        self._step_seconds = np.empty(most)
        self._step_rows = np.empty(most, np.int32)

    def observe(self, tokens: int, cost: StepCost) -> None:
        """A step emitted `tokens`."""
        self._throughput.observe(tokens, cost.step_seconds)
        changed = self._last_rows not in (0, cost.rows)
        self._since_change = 0 if changed else self._since_change + 1
        seconds = self._times.at(cost.cached)
        steady, plain = float(seconds[cost.rows]), float(seconds[1])
        self._lost = 0.0 if changed else max(0.0, self._lost + steady - tokens * plain)
        self._last_rows = cost.rows
        if self._since_change < SETTLING and self._is_captured(plain):
            return  # neither T(k) nor how slow the machine is now can be told from it
        expected = steady + (self._times.change if changed else 0.0)
        self._slowness += _SLOWNESS_FADING * (min(cost.decode_seconds / expected, _MAX_SLOWNESS) - self._slowness)
        if not cost.disturbed:
            self._times.observe(cost.rows, cost.cached, cost.decode_seconds, changed=changed)

    def settling_steps(self, cached: int) -> float:
        """The price of a change, for the first decodes of a size."""
        return self._times.change / float(self._times.at(cached)[1]) if self._since_change < SETTLING else 0.0

    def _is_captured(self, plain: float) -> bool:
        return self._times.change > DEAR_CHANGE * plain

    def _price(self, plain: float) -> float:
        """Seconds that count for a change of size now. Where graphs are captured, what was lost by staying pays for it:
        so staying loses no more than a change costs (ski rental, Karlin et al. 1988)."""
        change = self._times.change
        return max(0.0, change - self._lost) if self._is_captured(plain) else change

    def plain_seconds(self, cached: int) -> float:
        """Of a step without a draft, as fast as the machine is now."""
        return float(self._times.at(cached)[1]) * self._slowness + PLAIN_OVERHEAD

    def plain_steps(self, nodes: int, cached: int) -> float:
        """By T(k), with a change of size where one is needed."""
        return float(self.step_seconds(cached)[nodes] / self._times.at(cached)[1])

    def throughput(self, cached: int) -> float:
        """Tokens per second that time brings otherwise."""
        return self._throughput.of(self._times.at(cached))

    def step_seconds(self, cached: int) -> NDArray[np.float64]:
        """Seconds of a step by its nodes, 0 … most; a change of the batch's size included where one is needed."""
        seconds = self._times.at(cached)
        change = self._price(float(seconds[1]))
        if self._drawn[0] is not seconds or self._drawn[1:] != (self._last_rows, change):
            self._drawn = seconds, self._last_rows, change
            draw_step_seconds(
                seconds, self._sizes, self._last_rows, change, self._overhead, self._step_seconds, self._step_rows
            )
        return self._step_seconds

    def cut(self, tree: DraftTree, room: int, max_depth: int, cached: int) -> DraftTree:
        """The best nodes, as many as have the largest expected gain."""
        throughput = self.throughput(cached)
        chosen = self._cut(tree, room, max_depth, self.step_seconds(cached), throughput)
        if self._last_rows == 1 and not len(chosen) and self._is_captured(float(self._times.at(cached)[1])):
            self._miss(tree, room, max_depth, cached)
        return chosen

    @staticmethod
    def _cut(tree: DraftTree, room: int, max_depth: int, seconds: NDArray[np.float64], throughput: float) -> DraftTree:
        if steps.available():
            return DraftTree.of_native(*steps.cut(*tree.native, room, max_depth, seconds, throughput, CAUTION))
        ranked = Ranked(tree, max_depth)
        return ranked.best(size_of_step(ranked.gains[:room] * CAUTION, seconds, throughput))

    def _miss(self, tree: DraftTree, room: int, max_depth: int, cached: int) -> None:
        """One row was kept for the price of a change: what this step would have brought at the size of drafting."""
        seconds, throughput = self._times.at(cached), self.throughput(cached)
        of_step, rows = np.empty_like(self._step_seconds), np.empty_like(self._step_rows)
        draw_step_seconds(seconds, self._sizes, 0, 0.0, self._overhead, of_step, rows)
        missed = self._cut(tree, room, max_depth, of_step, throughput)
        if len(missed):
            self._drafting_rows = int(rows[len(missed)])
        spent = self._overhead + float(seconds[self._drafting_rows] - seconds[1])
        brought = CAUTION * float(missed.path_probability.sum()) / throughput
        self._lost = max(0.0, self._lost + brought - spent)

    def rows(self, nodes: int, cached: int) -> int:
        """The size that takes the least time, a change included."""
        self.step_seconds(cached)
        return int(self._step_rows[nodes])

    def gain(self, before: DraftTree, now: DraftTree, cached: int) -> float:
        """By the time of the rows and the overhead."""
        return tree_gain(before, now, self.step_seconds(cached), self.throughput(cached))

    def min_probability(self, cached: int) -> float:
        """That of the cheapest batch, at the throughput lately."""
        seconds = self._times.at(cached)
        if seconds is not self._seconds:
            self._seconds, self._break_even = seconds, break_even_probability(seconds)
        return max(MIN_PROBABILITY, self._break_even * self.throughput(cached) * float(seconds[1]))

    def row_price(self, cached: int) -> float:
        """On average up to `SMALL_BATCH` rows."""
        seconds = self._times.at(cached)
        rows = min(SMALL_BATCH, len(seconds) - 1)
        return max(0.0, self.throughput(cached) * float(seconds[rows] - seconds[1]) / max(1, rows - 1))


def step_seconds(
    decode_seconds: NDArray[np.float64],
    sizes: NDArray[np.int32],
    last_rows: int,
    change: float,
    overhead: float,
    seconds: NDArray[np.float64],
    rows: NDArray[np.int32],
) -> None:
    """Fill `seconds` [n + 1] of a step by its nodes, and `rows` [n + 1] of its batch: of the `sizes` that hold them the
    one that takes the least time, where any but `last_rows` (0 = unknown) takes `change` longer."""
    for nodes in range(len(seconds)):
        taken = {
            size: float(decode_seconds[size]) + (change if last_rows not in (0, size) else 0.0)
            for size in sizes.tolist()
            if size > nodes
        }
        rows[nodes] = min(taken, key=lambda size: (taken[size], size))
        seconds[nodes] = taken[int(rows[nodes])] + (overhead if nodes else 0.0)


draw_step_seconds = steps.step_seconds if steps.available() else step_seconds


def tree_gain(
    before: DraftTree, now: DraftTree, seconds: NDArray[np.float64] | None, throughput: float = 0.0, limit: int = 0
) -> float:
    """Tokens that `now` brings more than `before`: as `CostModel.gain`, with the `seconds` of a step by nodes; without
    them rows are free up to `limit` nodes."""
    if steps.available():
        return steps.gain(before.native, now.native, seconds, limit, throughput, CAUTION)

    def verified(tree: DraftTree) -> int:
        if seconds is None:
            return min(len(tree), limit)
        return size_of_step(tree.path_probability * CAUTION, seconds, throughput)

    def value(gains: NDArray[np.float64]) -> float:
        size = len(gains)
        spent = throughput * float(seconds[size] - seconds[0]) if seconds is not None else 0.0
        return float(gains.sum()) - spent

    known = _known_now(before, verified(before), now)
    return value(now.path_probability[: verified(now)]) - value(known)


def _known_now(before: DraftTree, size: int, now: DraftTree) -> NDArray[np.float64]:
    """Path probabilities [size] of the first nodes of an earlier tree as they stand in a later one, 0 if missing."""
    places = {
        (parent, token): node
        for node, (parent, token) in enumerate(zip(now.parents.tolist(), now.tokens.tolist(), strict=True))
    }
    paths = now.path_probability.tolist()
    gains = np.zeros(size)
    place: list[int] = []
    pairs = zip(before.parents[:size].tolist(), before.tokens[:size].tolist(), strict=True)
    for node, (parent, token) in enumerate(pairs):
        above = place[parent] if parent >= 0 else -1
        found = places.get((above, token), -2) if above >= -1 else -2
        place.append(found)
        if found >= 0:
            gains[node] = paths[found]
    return gains
