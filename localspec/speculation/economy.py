"""Which searches and models are worth asking at a step: each costs time, and brings much here and nothing there."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

BOUNDS = (0.02, 0.15, 0.35, 0.55, 0.7, 0.82, 0.92)
"""Steps are told apart by how likely the first token of what is known for nothing is."""
_FADING = 0.04
"""Weight of the newest step in what a source brings and costs."""
_MARGIN = 1.5
"""What a source brings must exceed its cost by this factor: the kinds in which it seems to pay most are overestimated,
and between the target's decodes it also takes the caches (docs/log.md)."""
_TRIES = 2
"""Steps of a kind in which a source is asked whatever it may bring, before what it brought decides."""
_FIRST_PAUSE, _LONGEST_PAUSE = 16, 256
"""Steps of a kind between two trials of a source that doesn't pay; doubled while it doesn't."""
_LATELY = 0.01
"""Weight of the newest step in how often a source is asked."""
_FEW = 0.06


@dataclass(slots=True)
class _Worth:
    tokens: float = 0.0
    """brought, on average"""
    seconds: float = 0.0
    """cost, on average: where much is to be had, more is asked for"""
    asked: int = 0
    pause: int = _FIRST_PAUSE
    waited: int = 0

    def pays(self, pace: float) -> bool:
        """What it brings is worth what it costs."""
        return self.tokens > self.seconds * pace * _MARGIN


@dataclass(slots=True)
class SourceEconomy:
    """Follows what one source brings, in tokens beyond what the step had without it, and what it costs, in seconds."""

    asked: int = 0
    _lately: float = 2 * _FEW
    _worth: dict[int, _Worth] = field(default_factory=dict)

    def wants(self, chance: float, luck: float, pace: float) -> bool:
        """Whether to ask it now. `chance`: of the first token that is known for nothing; `luck`: the source's own
        lately; `pace`: tokens per second that the time would bring otherwise."""
        worth = self._worth.setdefault(_kind(chance, luck), _Worth())
        wanted = worth.asked < _TRIES or worth.pays(pace)
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
        worth = self._worth.setdefault(_kind(chance, luck), _Worth())
        worth.asked += 1
        weight = max(_FADING, 1.0 / worth.asked)
        worth.tokens += weight * (tokens - worth.tokens)
        worth.seconds += weight * (seconds - worth.seconds)
        if worth.pays(pace):
            worth.pause = _FIRST_PAUSE
        elif worth.waited >= worth.pause:
            worth.pause = min(_LONGEST_PAUSE, 2 * worth.pause)
        worth.waited = 0


def _kind(chance: float, luck: float) -> int:
    return 3 * bisect_right(BOUNDS, chance) + (1 + (luck > 0.05) - (luck < -0.05))
