"""Token recycling (arXiv 2408.08696): what the target itself held to be likely behind a token the last time."""

from __future__ import annotations

from collections.abc import Callable

from localspec.speculation.decode import Step
from localspec.speculation.growth import Guess

LIKELIEST = 8
"""As published."""

Likeliest = Callable[[int, int], tuple[list[int], list[float]]]
"""The likeliest tokens behind a row of the target's last decode, and their probabilities: (row, count) → lists."""


class RecycledTokens:
    """For each token the target's likeliest next ones, refreshed from verified rows. A few megabytes at most."""

    def __init__(self, likeliest: Likeliest) -> None:
        self._likeliest = likeliest
        self._table: dict[int, list[Guess]] = {}

    def behind(self, token: int) -> list[Guess] | None:
        """What was likely behind `token`; None where it never stood."""
        return self._table.get(token)

    def refresh(self, root: int, step: Step) -> None:
        """Take over what the rows of the accepted path tell, while the target still has them."""
        last = root
        row = 0
        for place, token in enumerate(step.emitted.tolist()):
            tokens, probabilities = self._likeliest(row, LIKELIEST)
            self._table[last] = [
                Guess(*guess, -1) for guess in zip(tokens, probabilities, strict=True)
            ]
            if place < len(step.path):
                row = int(step.path[place]) + 1
            last = token
