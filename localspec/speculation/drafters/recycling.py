"""Token recycling (arXiv 2408.08696): what the target itself held to be likely behind a token the last time."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

from localspec.speculation.builder import Candidate
from localspec.speculation.interface import Step
from localspec.speculation.tree import SOURCE_RECYCLED

TOP_K = 8
"""As published."""
SELDOM = 4
"""Where it doesn't pay, one step in so many is taken over all the same, so that the table stays of use."""
_FADING = 0.01
_ROW = 0.5
"""Of an accepted token that nobody else proposed, what is left when the rows that were not are paid, about."""


class RecycledTokens:
    """For each token the target's likeliest next ones, refreshed from verified rows. A few megabytes at most."""

    def __init__(self, likeliest: Callable[[int, int], tuple[list[int], list[float]]]) -> None:
        """`likeliest(row, count)`: tokens behind a row of the target's last decode, and their probabilities."""
        self._likeliest = likeliest
        self._table: dict[int, list[Candidate]] = {}
        self._gain = 0.1
        """tokens a step that no other source proposed, lately"""
        self._seconds = 0.0
        """of a refresh, lately"""
        self._steps = 0

    def behind(self, token: int) -> list[Candidate] | None:
        """What was likely behind `token`; None where it never stood."""
        return self._table.get(token)

    def refresh(self, root: int, step: Step, throughput: float = 0.0) -> None:
        """Take over what the rows of the accepted path tell, while the target still has them. With a `throughput`
        (tokens per second that the time would bring otherwise) only seldom where it costs more than it brings."""
        alone = int(np.count_nonzero(step.tree.source[step.path] == SOURCE_RECYCLED)) if len(step.path) else 0
        self._gain += _FADING * (alone - self._gain)
        self._steps += 1
        if self._gain * _ROW < self._seconds * throughput and self._steps % SELDOM:
            return
        started = perf_counter()
        last = root
        row = 0
        for place, token in enumerate(step.emitted.tolist()):
            tokens, probabilities = self._likeliest(row, TOP_K)
            self._table[last] = [Candidate(*likely, -1) for likely in zip(tokens, probabilities, strict=True)]
            if place < len(step.path):
                row = int(step.path[place]) + 1
            last = token
        self._seconds += (_FADING if self._seconds else 1.0) * (perf_counter() - started - self._seconds)
