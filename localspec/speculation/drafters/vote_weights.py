"""How matches of different lengths vote in one tree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIN_SHARE = 0.02
"""Nodes with less of the votes are not built: no device verifies a row for 2% of a token."""

_BASE = 1.5
"""1.5 beat 2, 3 and 4 in simulation on recorded replies (docs/log.md)."""
_SATURATED = 10


def suffix_weights(lengths: NDArray[np.int16]) -> NDArray[np.float64]:
    """Votes [m] of each match: they grow by half with every token that matched, up to 10, so that a long match outvotes
    short ones without silencing them."""
    return np.power(_BASE, np.minimum(lengths, _SATURATED).astype(np.float64))


_SHARPNESS = 8.0
"""Chosen by simulation on recorded replies (docs/log.md, "Votes by similarity")."""


def similarity_weights(similarities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Votes [m] of each neighbour by its similarity (inner product of unit vectors): a tenth more of it counts about
    twice as much."""
    return np.exp(_SHARPNESS * (similarities.astype(np.float64) - 1.0))
