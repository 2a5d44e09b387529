"""Which searches and models are worth asking at a step: each costs time, and brings much here and nothing there."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

BOUNDS = (0.02, 0.15, 0.35, 0.55, 0.7, 0.82, 0.92)
"""Steps are told apart by how likely the first token of what is known for nothing is."""
_FADING = 0.04
"""Weight of the newest step in what a source brings and costs."""
_LATELY = 0.01
"""Weight of the newest step in how often a source is asked."""
_FEW = 0.06
_RESTING = 4
"""Where drafting doesn't pay, one step in so many tries."""


class ProbePolicy(NamedTuple):
    """On which terms a source is asked."""

    margin: float = 1.0
    """what it brings must exceed its cost by this factor"""
    tries: int = 3
    """steps of a kind in which it is asked whatever it may bring, before what it brought decides"""
    first_pause: int = 4
    """steps of a kind between two trials while it doesn't pay; doubled while that goes on"""
    longest_pause: int = 64


SEARCH = ProbePolicy()
MODEL = ProbePolicy(margin=1.5, tries=2, first_pause=16, longest_pause=256)
"""A draft model takes the caches, too, between the target's decodes, and has to catch up first (docs/log.md)."""


@dataclass(slots=True)
class _Worth:
    tokens: float = 0.0
    """brought, on average"""
    seconds: float = 0.0
    """cost, on average: where much is to be had, more is asked for"""
    asked: int = 0
    pause: int = 0
    waited: int = 0


@dataclass(slots=True)
class SourceGate:
    """Follows what one source brings, in tokens beyond what the step had without it, and what it costs, in seconds."""

    terms: ProbePolicy = SEARCH
    asked: int = 0
    _lately: float = 2 * _FEW
    _worth: dict[int, _Worth] = field(default_factory=dict)

    def wants(self, chance: float, luck: float, pace: float) -> bool:
        """Whether to ask it now. `chance`: of the first token that is known for nothing; `luck`: the source's own
        lately; `pace`: tokens per second that the time would bring otherwise, 0 where time doesn't count."""
        worth = self._worth.setdefault(_kind(chance, luck), _Worth(pause=self.terms.first_pause))
        wanted = pace <= 0.0 or worth.asked < self.terms.tries or self._pays(worth, pace)
        if not wanted:
            worth.waited += 1
            wanted = worth.waited >= worth.pause
        self._lately += _LATELY * (wanted - self._lately)
        return wanted

    @property
    def in_use(self) -> bool:
        """It was asked at more than a few of the latest steps."""
        return self._lately > _FEW

    def observe(self, chance: float, luck: float, tokens: float, seconds: float, pace: float) -> None:
        """It was asked, and brought and cost so much."""
        self.asked += 1
        worth = self._worth.setdefault(_kind(chance, luck), _Worth(pause=self.terms.first_pause))
        worth.asked += 1
        weight = max(_FADING, 1.0 / worth.asked)
        worth.tokens += weight * (tokens - worth.tokens)
        worth.seconds += weight * (seconds - worth.seconds)
        if self._pays(worth, pace):
            worth.pause = self.terms.first_pause
        elif worth.waited >= worth.pause:
            worth.pause = min(self.terms.longest_pause, 2 * worth.pause)
        worth.waited = 0

    def _pays(self, worth: _Worth, pace: float) -> bool:
        return worth.tokens > worth.seconds * pace * self.terms.margin


@dataclass(slots=True)
class SpeculationGate:
    """Whether drafting as a whole has been worth its time in this reply. Where it has not, only some steps try: looking
    for drafts costs time, too, also where nothing is found."""

    _surplus: float = 0.05
    """tokens per step tried, beyond a plain step and what the time would bring"""
    _plain: float = 0.0
    """seconds of a decode without a draft, lately"""
    _idle: int = 0
    _found: bool = False

    def tries(self) -> bool:
        """Whether to look for drafts at this step."""
        if self._surplus >= 0.0 or self._found:
            return True
        self._idle += 1
        if self._idle < _RESTING:
            return False
        self._idle = 0
        return True

    def observe(self, tokens: int, decode: float, overhead: float, *, drafted: bool, tried: bool) -> None:
        """A step brought `tokens`; its decode took `decode` seconds, and all about its draft `overhead` seconds."""
        if not drafted:
            self._plain += (_FADING if self._plain else 1.0) * (decode - self._plain)
        if tried and self._plain > 0:
            seconds = overhead + (decode - self._plain if drafted else 0.0)
            self._surplus += _FADING * (tokens - 1 - seconds / self._plain - self._surplus)
            self._found = tokens > 1


def _kind(chance: float, luck: float) -> int:
    return 3 * bisect_right(BOUNDS, chance) + (1 + (luck > 0.05) - (luck < -0.05))
