"""For each token the target's likeliest next ones (token recycling, arXiv 2408.08696)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.native import steps

TOP_K = 8
"""As published."""


class RecycledTable(Protocol):
    """A few megabytes at most."""

    def get(self, token: int) -> tuple[list[int], list[float]] | None:
        """Tokens that were likely behind `token`, likeliest first, and their probabilities; None where it never
        stood."""

    def put(self, token: int, tokens: NDArray[np.int32], probabilities: NDArray[np.float64]) -> None:
        """Keep what is likely behind `token`: at most `TOP_K` tokens [n] and their probabilities [n]."""


class PythonRecycledTable:
    """The reference, and what serves without native code."""

    def __init__(self) -> None:
        self._table: dict[int, tuple[list[int], list[float]]] = {}

    def get(self, token: int) -> tuple[list[int], list[float]] | None:
        """As it was kept."""
        return self._table.get(token)

    def put(self, token: int, tokens: NDArray[np.int32], probabilities: NDArray[np.float64]) -> None:
        """Keep."""
        self._table[token] = tokens[:TOP_K].tolist(), probabilities[:TOP_K].tolist()


def recycled_table() -> RecycledTable:
    """An empty one."""
    return steps.Recycled() if steps.available() else PythonRecycledTable()
