"""Two formats measured in turn, so that a machine that slows down meanwhile does not decide which one is faster.

A pair is one measurement of each, one right after the other; every other pair begins with the second format, so that a
steady drift cancels out. How far the pairs are apart says how much of a difference can be told at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

MIN_GAIN = 1.03
"""Times as fast that another format must be: less is not worth another file."""
CHOSEN, NO_GAIN, SLOWER = "chosen", "gains too little", "slower"
WITHIN_SPREAD, DISTURBED = "cannot be told: within the spread", "cannot be told: the computer was busy"
UNTOLD = (WITHIN_SPREAD, DISTURBED)
"""Verdicts that promise nothing"""
_PAUSE_SECONDS = 1.0
"""After a pair that something disturbed: what it was may be over then."""


@dataclass(frozen=True, slots=True)
class MeasuredRound:
    """One measurement of one format."""

    seconds: dict[int, float]  # T(k) by rows
    speed: float  # expected tokens per second
    calm: bool = True  # False where other programs seemed to disturb it


@dataclass(frozen=True, slots=True)
class TurnComparison:
    """How a format did against the original, in pairs."""

    pairs: tuple[tuple[MeasuredRound, MeasuredRound], ...]
    """the original and the other one; only those that nothing disturbed, where there are enough of them"""
    calm: bool  # False where there are not

    @property
    def ratios(self) -> list[float]:
        """Times as fast as the original, by pairs."""
        return [other.speed / original.speed for original, other in self.pairs if original.speed > 0]

    @property
    def gain(self) -> float:
        """Times as fast as the original: the median of the pairs; 0 where none could be measured."""
        return median(self.ratios) if self.ratios else 0.0

    @property
    def verdict(self) -> str:
        """Whether the other one is faster: `CHOSEN` only where every pair says so, and nothing disturbed them."""
        return verdict(self.ratios, calm=self.calm)


def verdict(ratios: Sequence[float], *, calm: bool) -> str:
    """What pairs with these ratios of speeds tell."""
    if not calm or not ratios:
        return DISTURBED
    middle, least, most = median(ratios), min(ratios), max(ratios)
    if most < 1.0:
        return SLOWER
    if middle >= MIN_GAIN and least > 1.0:
        return CHOSEN
    return NO_GAIN if most < MIN_GAIN or least > 1.0 else WITHIN_SPREAD


def take_turns(
    original: Callable[[], MeasuredRound],
    other: Callable[[], MeasuredRound],
    wanted: int,
    tries: int,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> TurnComparison:
    """Measure pairs until `wanted` of them were not disturbed, `tries` at most."""
    pairs: list[tuple[MeasuredRound, MeasuredRound]] = []
    for turn in range(tries):
        if turn % 2:
            second = other()
            pairs.append((original(), second))
        else:
            first = original()
            pairs.append((first, other()))
        if len(_calm(pairs)) >= wanted:
            break
        if not all(one.calm for one in pairs[-1]):
            pause(_PAUSE_SECONDS)
    calm = _calm(pairs)
    enough = len(calm) >= wanted
    return TurnComparison(tuple(calm if enough else pairs), enough)


def middle_times(rounds: Sequence[MeasuredRound]) -> dict[int, float]:
    """T(k) in seconds by rows: the median of the rounds that measured so many rows."""
    counts = sorted({rows for one in rounds for rows in one.seconds})
    return {rows: median(one.seconds[rows] for one in rounds if rows in one.seconds) for rows in counts}


def _calm(pairs: Sequence[tuple[MeasuredRound, MeasuredRound]]) -> list[tuple[MeasuredRound, MeasuredRound]]:
    return [pair for pair in pairs if all(one.calm for one in pair)]
