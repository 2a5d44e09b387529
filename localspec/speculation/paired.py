"""How much faster one way of decoding a text is than plain decoding, where both took turns in short stretches.

A computer is not equally fast from one second to the next: other programs run, the processor cools down. Stretches of a
second or less hit both ways alike, and their order changes from round to round. What is left of the difference between
the two, round by round, is the spread of the result. It is taken from the time of decodes beside what such decodes take
as a rule, T(k), and not from the speeds: a way that drafts is faster in one stretch than in the next because the text
is, which is no doubt about the mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import median, stdev
from typing import Any, NamedTuple

LEAST_ROUNDS = 4
"""Fewer say nothing about their own spread."""
WIDEST = 1.3
"""High ÷ low end beyond which nothing can be told: ±14%."""
OUTLIER = 3.0
"""A decode counts as at most so many times what such decodes take in this measurement: one that another program held
up for half a second says nothing about either way."""
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)
"""Student's t for 95%, two-sided, by degrees of freedom from 1; beyond, `_NORMAL`."""
_NORMAL = 2.1


class StepTime(NamedTuple):
    """One step of a stretch."""

    tokens: int
    seconds: float  # the whole step
    decode_seconds: float
    expected_seconds: float  # of such a decode, by T(k)


@dataclass(frozen=True, slots=True)
class PairedSpeed:
    """A way's speed ÷ that of plain decoding, with the ends of its 95% interval."""

    factor: float
    low: float
    high: float
    rounds: int
    plain_seconds: float  # a token by plain decoding, in the same rounds

    @property
    def is_told(self) -> bool:
        """Whether the rounds were enough, and like enough to one another, to say anything."""
        return self.rounds >= LEAST_ROUNDS and self.high <= WIDEST * self.low

    @property
    def is_of_few(self) -> bool:
        """Nothing can be told because there were too few rounds."""
        return self.rounds < LEAST_ROUNDS

    @property
    def tokens_per_second(self) -> float:
        """Of this way."""
        return self.factor / self.plain_seconds

    def record(self) -> dict[str, float]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> PairedSpeed:
        """The one that `record` gave. Raises ValueError for what cannot be."""
        values = {each.name: record.get(each.name) for each in fields(cls)}
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
                raise ValueError(f"{name} of a measured speed is {value!r}")
        return cls(**{**values, "rounds": int(record["rounds"])})  # type: ignore[arg-type]


class _Stretch(NamedTuple):
    """A way's part of a round."""

    tokens: int
    seconds: float
    slowness: float  # seconds of its decodes ÷ those by T(k)


def paired_speed(plain: Sequence[Sequence[StepTime]], way: Sequence[Sequence[StepTime]]) -> PairedSpeed | None:
    """A way beside plain decoding, from the steps of both in each round; None where there is no round with both."""
    rounds = [number for number in range(min(len(plain), len(way))) if plain[number] and way[number]]
    if not rounds:
        return None
    plain_stretches = _stretches([plain[number] for number in rounds])
    way_stretches = _stretches([way[number] for number in rounds])
    plain_seconds = _seconds_per_token(plain_stretches)
    factor = plain_seconds / _seconds_per_token(way_stretches)
    differences = [
        math.log(other.slowness / one.slowness) for one, other in zip(plain_stretches, way_stretches, strict=True)
    ]
    free = len(rounds) - 1
    spread = 0.0
    if free:
        student = _STUDENT[free - 1] if free <= len(_STUDENT) else _NORMAL
        # Bounded, so that the ends stay numbers that can be kept.
        spread = min(student * stdev(differences) / math.sqrt(len(rounds)), 5.0)
    return PairedSpeed(factor, factor * math.exp(-spread), factor * math.exp(spread), len(rounds), plain_seconds)


def _seconds_per_token(stretches: Sequence[_Stretch]) -> float:
    return sum(one.seconds for one in stretches) / sum(one.tokens for one in stretches)


def _stretches(rounds: Sequence[Sequence[StepTime]]) -> list[_Stretch]:
    """The rounds of one way, with no decode longer than `OUTLIER` says."""
    usual = median(step.decode_seconds / step.expected_seconds for steps in rounds for step in steps)
    found = []
    for steps in rounds:
        decodes = [min(step.decode_seconds, OUTLIER * usual * step.expected_seconds) for step in steps]
        seconds = sum(step.seconds - step.decode_seconds for step in steps) + sum(decodes)
        expected = sum(step.expected_seconds for step in steps)
        found.append(_Stretch(sum(step.tokens for step in steps), seconds, sum(decodes) / expected))
    return found
