"""How long a model takes to read a prompt, by what it took before."""

from __future__ import annotations

from collections.abc import Sequence

_NEWEST = 0.3
"""Weight of the newest batch in the running mean."""
_SLOWEST = 60.0
_LEAST_TOKENS = 32
"""Smaller batches say more about what a batch costs than about what a token does."""


class ReadingSpeed:
    """Seconds per token of a prompt, as a running mean; with hidden states, whose rows all have logits, apart."""

    def __init__(self, known: Sequence[float] = (0.0, 0.0)) -> None:
        """`known` are seconds per token without and with hidden states; 0 where that was never seen. Raises ValueError
        and TypeError where they are none."""
        without, with_states = map(float, known)
        if not all(0.0 <= each < _SLOWEST for each in (without, with_states)):
            raise ValueError("no model takes so many seconds for a token")
        self._seconds = [without, with_states]

    @property
    def known(self) -> list[float]:
        """As the constructor takes it."""
        return list(self._seconds)

    def observe(self, tokens: int, seconds: float, *, states: bool) -> None:
        """A batch of `tokens` was read in `seconds`."""
        if tokens < _LEAST_TOKENS or seconds <= 0.0:
            return
        before = self._seconds[states]
        self._seconds[states] = before + _NEWEST * (seconds / tokens - before) if before else seconds / tokens

    def estimate(self, tokens: int, *, states: bool, otherwise: float = 0.0) -> float:
        """Seconds that `tokens` take; by `otherwise` seconds per token where none was read before."""
        return tokens * (self._seconds[states] or self._seconds[not states] or otherwise)
