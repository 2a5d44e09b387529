"""What verification costs and what a draft is expected to gain: T(k), the throughput, and the best size of a tree.

The only measure is expected tokens per second. `MeasuredCost` holds what is known of this device in a reply;
`expected_speed` tells beforehand how fast replies would be on a device.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

CAUTION = 0.95
"""Expected gains of chosen nodes count as a little less: the most promising of many estimates are too high on average
(the optimizer's curse, Smith and Winkler 2006)."""
SMALL_BATCH = 6
"""Rows of a usual batch on a device where rows have a price."""
MIN_PROBABILITY = 0.03
"""Nodes with a lower path probability are not looked at: where rows are free there is no end of them."""
DRAFT_OVERHEAD = 0.0004
"""Seconds that a drafted step takes beyond its decode (docs/log.md)."""
_ROUNDS = 6
"""The throughput grows in every round, and hardly after the third."""


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


class StepCost(NamedTuple):
    """Seconds of a step, and where in the text it was."""

    cached: int  # positions in the KV cache before it
    decode_seconds: float  # the target's decode, with the wait for its logits
    step_seconds: float  # from proposing to the last sample


NO_COST = StepCost(0, 0.0, 0.0)


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

    def best_size(self, gains: NDArray[np.float64], cached: int) -> int:
        """How many of the nodes with these path probabilities [n], descending, to verify."""

    def expected_gain(self, gains: NDArray[np.float64], size: int, cached: int) -> float:
        """Tokens of `size` nodes with these path probabilities [n], beyond what their time would bring otherwise."""

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

    def best_size(self, gains: NDArray[np.float64], cached: int) -> int:
        """All that fits."""
        return min(len(gains), self._nodes)

    def expected_gain(self, gains: NDArray[np.float64], size: int, cached: int) -> float:
        """What is likely to be accepted."""
        return float(gains[:size].sum())

    def min_probability(self, cached: int) -> float:
        """Anything may fill the tree."""
        return 0.0

    def row_price(self, cached: int) -> float:
        """Nothing."""
        return 0.0


class MeasuredCost:
    """By T(k) as measured on this device and the throughput lately."""

    def __init__(self, times: DecodeTimes, overhead: float, throughput: ThroughputAverage | None = None) -> None:
        """`overhead`: seconds that a drafted step takes beyond its decode; `throughput`: that of earlier replies."""
        self._times = times
        self._overhead = overhead
        self._throughput = throughput or ThroughputAverage()
        self._seconds = times.at(0)
        self._break_even = break_even_probability(self._seconds)

    def observe(self, tokens: int, rows: int, cost: StepCost) -> None:
        """A step emitted `tokens` after a decode of `rows`."""
        self._throughput.observe(tokens, cost.step_seconds)
        self._times.observe(rows, cost.cached, cost.decode_seconds)

    def throughput(self, cached: int) -> float:
        """Tokens per second that time brings otherwise."""
        return self._throughput.of(self._times.at(cached))

    def best_size(self, gains: NDArray[np.float64], cached: int) -> int:
        """The size with the largest expected gain."""
        return best_size(gains * CAUTION, self._times.at(cached), self._overhead, self.throughput(cached))

    def expected_gain(self, gains: NDArray[np.float64], size: int, cached: int) -> float:
        """Tokens beyond those that the time of the rows and the overhead would bring."""
        if size == 0:
            return 0.0
        seconds = self._times.at(cached)
        return float(gains[:size].sum() - self.throughput(cached) * (seconds[size + 1] - seconds[1] + self._overhead))

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


def break_even_probability(decode_seconds: NDArray[np.float64]) -> float:
    """Path probability below which a node hardly ever pays: what a row of the cheapest batch adds, as a part of T(1).

    A node pays for its row while it gains more than a plain step would in that time. Steps of T where a further row is
    free are left out of account: they are filled by what is likelier."""
    if len(decode_seconds) < 3:
        return 1.0
    rows = np.arange(2, len(decode_seconds))
    return max(0.0, float(np.min((decode_seconds[2:] - decode_seconds[1]) / (rows - 1)) / decode_seconds[1]))


def best_size(
    gains: NDArray[np.float64], decode_seconds: NDArray[np.float64], overhead: float, throughput: float = 0.0
) -> int:
    """How many of the nodes to verify: every k is tried, for T is stepped (a wider batch can cost less).

    `gains` [n] are path probabilities, descending, so that k nodes bring 1 + (sum of the first k) tokens in
    T(k + 1) + `overhead` seconds. With a `throughput` (tokens per second that the time would bring otherwise) the k
    that brings the most beyond it: tokens − throughput · seconds, whose maximum at the best throughput that can be held
    gives the most tokens per second over all steps (Dinkelbach 1967). Without one, the most of this step alone.
    """
    sizes = min(len(gains), len(decode_seconds) - 2)
    if sizes <= 0:
        return 0
    expected = 1.0 + np.concatenate(([0.0], np.cumsum(gains[:sizes])))
    seconds = decode_seconds[1 : sizes + 2] + np.where(np.arange(sizes + 1) > 0, overhead, 0.0)
    return int(np.argmax(expected - throughput * seconds if throughput > 0 else expected / seconds))


def expected_speed(
    decode_seconds: NDArray[np.float64], traces: NDArray[np.float64], overhead: float = DRAFT_OVERHEAD
) -> float:
    """Expected tokens per second when each step is sized by cost, at the best throughput that can be held
    (`best_size`).

    `decode_seconds[k]` is T(k), k = 1 … (index 0 unused); `traces` [steps, nodes] are path probabilities, descending in
    each row. That is the sum of expected tokens over the sum of expected seconds, for the steps of a reply follow one
    another; a mean of their rates would count quick steps twice. Without traces it is plain decoding, 1 / T(1).
    """
    if len(traces) == 0:
        return float(1.0 / decode_seconds[1])
    speed = 0.0
    for _ in range(_ROUNDS):
        tokens, seconds = 0.0, 0.0
        for gains in traces:
            size = best_size(gains, decode_seconds, overhead, speed)
            tokens += 1.0 + float(gains[:size].sum())
            seconds += float(decode_seconds[size + 1]) + (overhead if size else 0.0)
        if tokens / seconds <= speed:
            break
        speed = tokens / seconds
    return speed


@cache
def draft_traces() -> NDArray[np.float64]:
    """The recorded draft traces that come with the package [steps, nodes]: path probabilities of what was drafted at
    steps of recorded replies, descending in each row, zeros where there was less."""
    text = resources.files("localspec.speculation").joinpath("draft_traces.json").read_text(encoding="utf-8")
    rows: list[list[float]] = json.loads(text)["traces"]
    nodes = max(map(len, rows), default=0)
    return np.array([row + [0.0] * (nodes - len(row)) for row in rows], dtype=np.float64).reshape(len(rows), nodes)
