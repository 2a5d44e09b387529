"""The best size of a tree where T(k) is known, and how fast replies are with such trees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

DRAFT_OVERHEAD = 0.0004
"""Seconds that a drafted step takes beyond its decode (docs/log.md)."""
_ROUNDS = 6
"""The throughput grows in every round, and hardly after the third."""


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
    seconds = decode_seconds[1:] + np.where(np.arange(len(decode_seconds) - 1) > 0, overhead, 0.0)
    return size_of_step(gains, seconds, throughput)


def size_of_step(gains: NDArray[np.float64], seconds: NDArray[np.float64], throughput: float = 0.0) -> int:
    """The same by the `seconds` of a step by its nodes, 0 … n."""
    sizes = min(len(gains), len(seconds) - 1)
    if sizes <= 0:
        return 0
    expected = 1.0 + np.concatenate(([0.0], np.cumsum(gains[:sizes])))
    taken = seconds[: sizes + 1]
    return int(np.argmax(expected - throughput * taken if throughput > 0 else expected / taken))


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


def few_sizes(decode_seconds: NDArray[np.float64], sizes: Sequence[int]) -> tuple[int, ...]:
    """One row, the one or two of `sizes` with which the recorded draft traces go fastest, and that with which copying
    does: for devices on which each size that is used costs a graph.

    `decode_seconds` as in `expected_speed`; `sizes` are numbers of rows, ascending.
    """
    return _few_sizes(tuple((size, round(float(decode_seconds[size] / decode_seconds[1]), 1)) for size in sizes))


@lru_cache(maxsize=16)
def _few_sizes(ratios: tuple[tuple[int, float], ...]) -> tuple[int, ...]:
    """By the pairs of a size and how many times as long as one row it takes."""
    if len(ratios) < 2:
        return tuple(size for size, _ in ratios)
    taken = dict(ratios)
    traces = draft_traces()
    expected = {size: 1.0 + traces[:, : size - 1].sum(axis=1) if size > 1 else np.ones(len(traces)) for size in taken}
    drafting = [size for size in taken if size > 1]

    def speed(chosen: tuple[int, ...]) -> float:
        """In plain decoding's, at the best throughput that can be held."""
        tokens = np.stack([expected[size] for size in (1, *chosen)])
        seconds = np.array([taken[size] for size in (1, *chosen)])
        found = 1.0
        for _ in range(_ROUNDS):
            best = (tokens - found * seconds[:, None]).argmax(axis=0)
            found = float(tokens[best, np.arange(len(best))].sum() / seconds[best].sum())
        return found

    pair = max([*combinations(drafting, 1), *combinations(drafting, 2)], key=speed)
    copying = max(drafting, key=lambda size: size / taken[size])
    return tuple(sorted({1, *pair, copying}))


@cache
def draft_traces() -> NDArray[np.float64]:
    """The recorded draft traces that come with the package [steps, nodes]: path probabilities of what was drafted at
    steps of recorded replies, descending in each row, zeros where there was less."""
    text = resources.files("localspec.speculation").joinpath("draft_traces.json").read_text(encoding="utf-8")
    rows: list[list[float]] = json.loads(text)["traces"]
    nodes = max(map(len, rows), default=0)
    return np.array([row + [0.0] * (nodes - len(row)) for row in rows], dtype=np.float64).reshape(len(rows), nodes)
