"""How fast replies would be on a device, from its decode times and from what drafts typically offer."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.budget import best_size

OFFERS_FILE = "typical_offers.json"
OVERHEAD = 0.0004
"""Seconds that a drafted step takes beyond its decode (docs/log.md)."""
_ROUNDS = 6
"""The pace grows in every round, and hardly after the third."""


def expected_speed(
    decode_seconds: NDArray[np.float64], offers: NDArray[np.float64], overhead: float = OVERHEAD
) -> float:
    """Expected tokens per second when each step is sized by cost, at the best pace that can be held (`best_size`).

    `decode_seconds[k]` is T(k), k = 1 … (index 0 unused); `offers` [steps, nodes] are path probabilities, descending in
    each row. That is the sum of expected tokens over the sum of expected seconds, for the steps of a reply follow one
    another; a mean of their rates would count quick steps twice. Without offers it is plain decoding, 1 / T(1).
    """
    if len(offers) == 0:
        return float(1.0 / decode_seconds[1])
    speed = 0.0
    for _ in range(_ROUNDS):
        tokens, seconds = 0.0, 0.0
        for gains in offers:
            size = best_size(gains, decode_seconds, overhead, speed)
            tokens += 1.0 + float(gains[:size].sum())
            seconds += float(decode_seconds[size + 1]) + (overhead if size else 0.0)
        if tokens / seconds <= speed:
            break
        speed = tokens / seconds
    return speed


@cache
def typical_offers() -> NDArray[np.float64]:
    """The sample that comes with the package [steps, nodes]: path probabilities of what was offered in recorded
    replies, descending in each row, zeros where there was less."""
    text = resources.files("localspec.speculation").joinpath(OFFERS_FILE).read_text(encoding="utf-8")
    rows: list[list[float]] = json.loads(text)["offers"]
    nodes = max(map(len, rows), default=0)
    return np.array([row + [0.0] * (nodes - len(row)) for row in rows], dtype=np.float64).reshape(len(rows), nodes)
