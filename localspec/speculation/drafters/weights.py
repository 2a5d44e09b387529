"""How matches of different lengths vote in one tree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GROWTH = 2.0
_SATURATED = 10


def suffix_weights(lengths: NDArray[np.int16]) -> NDArray[np.float64]:
    """Vote [m] of each match: it doubles with every token that matched, up to 10, so that a long match outvotes short
    ones without silencing them."""
    return np.power(_GROWTH, np.minimum(lengths, _SATURATED).astype(np.float64))
