"""The values of the dense store: all tokens of a target in one sequence, where a state's label is its place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from localspec.stores.states.schema import CONTINUATION

GAP = -2
"""What the sequence holds where there is no chunk (any more)."""


class TokenSequence:
    """The virtual token sequence in memory. One thread at a time changes it; any thread takes."""

    def __init__(self, places: int) -> None:
        """Room for `places` labels and what follows the last."""
        self._places = np.full(places + CONTINUATION, GAP, np.int32)

    @property
    def memory_bytes(self) -> int:
        """4 bytes per place."""
        return self._places.nbytes

    def put(self, base: int, count: int, tokens: NDArray[np.int32]) -> None:
        """Enter the tokens [count to count + 20] of a chunk at its places."""
        end = base + count + CONTINUATION
        if end > len(self._places):
            # A quarter more, in a new array: whoever takes meanwhile has the old one.
            grown = np.full(max(end, len(self._places) * 5 // 4), GAP, np.int32)
            grown[: len(self._places)] = self._places
            self._places = grown
        self._places[base:end] = -1
        self._places[base : base + len(tokens)] = tokens

    def wipe(self, base: int, count: int) -> None:
        """Remove a chunk."""
        self._places[base : base + count + CONTINUATION] = GAP

    def take(self, labels: NDArray[np.int64]) -> NDArray[np.int32]:
        """What follows the states [n], [n, 20], then -1; the first column is -2 for those removed meanwhile."""
        following: NDArray[np.int32] = self._places[labels[:, None] + np.arange(1, CONTINUATION + 1)]
        gone = following[:, 0] == GAP
        # A gap may begin within a row while a chunk is wiped, and damage may leave any number: all of it ends the row.
        following[np.logical_or.accumulate(following < 0, axis=1)] = -1
        following[gone, 0] = GAP
        return following
