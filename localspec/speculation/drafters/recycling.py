"""Token recycling (arXiv 2408.08696): what the target itself held to be likely behind a token the last time."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.interface import Step
from localspec.speculation.recycled_table import TOP_K, recycled_table
from localspec.speculation.tree import SOURCE_RECYCLED

SELDOM = 8
"""Where it doesn't pay, one step in so many is drafted from it and taken over all the same, so that the table stays of
use."""
_FADING = 0.01
_ROW = 0.5
"""Of an accepted token that nobody else proposed, what is left when the rows that were not are paid, about."""
_PRICE = 3.0
"""Times of a refresh that a step with the table takes: larger trees are built from it (docs/log.md)."""


class RecycledTokens:
    """The table of what is likely behind each token, refreshed from verified rows."""

    def __init__(self, likeliest: Callable[[int, int], tuple[NDArray[np.int32], NDArray[np.float64]]]) -> None:
        """`likeliest(row, count)`: tokens behind a row of the target's last decode, and their probabilities."""
        self._likeliest = likeliest
        self.table = recycled_table()
        self._gain = 0.1
        """tokens a step that no other source proposed, lately"""
        self._seconds = 0.0
        """of a refresh, lately"""
        self._steps = 0
        self._asked = True

    def wanted(self, throughput: float = 0.0) -> bool:
        """Whether to draft from the table at this step, and to refresh it after. With a `throughput` (tokens per second
        that the time would bring otherwise) only seldom where that costs more than it brings."""
        self._asked = self._gain * _ROW >= _PRICE * self._seconds * throughput or self._steps % SELDOM == 0
        self._steps += 1
        return self._asked

    def refresh(self, root: int, step: Step) -> None:
        """Take over what the rows of the accepted path tell, while the target still has them, where it was asked."""
        if not self._asked:
            return
        alone = int(np.count_nonzero(step.tree.source[step.path] == SOURCE_RECYCLED)) if len(step.path) else 0
        self._gain += _FADING * (alone - self._gain)
        started = perf_counter()
        tokens = [root, *step.emitted.tolist()[:-1]]
        rows = [0, *(step.path + 1).tolist()]
        for place, token in enumerate(tokens):
            self.table.put(token, *self._likeliest(rows[place], TOP_K))
        self._seconds += (_FADING if self._seconds else 1.0) * (perf_counter() - started - self._seconds)
