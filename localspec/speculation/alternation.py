"""Several ways to decode one text, in turns: each writes a short stretch, and the next one goes back and writes it too.

All start behind the same prompt, share one KV cache, and go on where they were: a way's sampler and drafters see each
of its tokens once, in order, as in a reply of its own. Of two rounds the second one runs the other way round, so that
nobody is always first, and whoever begins a round has just written what the cache holds. Then a turn begins by taking
back what others wrote beyond it, and nothing is decoded for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.decode import generate
from localspec.speculation.interface import Drafter, Sampler, Step, Target
from localspec.speculation.metrics import ReplyMetrics, proposing_share
from localspec.speculation.paired import LEAST_ROUNDS, PairedSpeed, StepTime, paired_speed
from localspec.speculation.policy import Budget

STRETCH = 24
"""Tokens that a way writes in its turn: about a second, in which a computer hardly changes."""
LOOP, PARTED = "loop", "parted"
"""Further ends of a way, beside a step's: its text runs in circles; it is another one than the first way's."""


class Rewindable(Target, Protocol):
    """A target whose KV cache can be taken back to the beginning of what it holds."""

    def begin(self, tokens: NDArray[np.int32], *, states: bool = False) -> None:
        """Make the KV cache hold `tokens[:-1]`."""


@dataclass(eq=False)
class Way:
    """One way through the text, and how far it is."""

    name: str
    sampler: Sampler
    drafters: Sequence[Drafter]
    budget: Budget
    expected: Callable[[int, int], float]
    """seconds of a decode, by rows and by positions in the cache"""
    stop: Callable[[list[int]], int] = lambda tokens: 0
    """given what was written, how many of these tokens remain where it ends there, else 0"""
    metrics: ReplyMetrics = field(default_factory=ReplyMetrics)
    tokens: list[int] = field(default_factory=list)
    """written, the end too"""
    finish: str = ""
    """as a step's, `LOOP` or `PARTED`; "" while it goes on"""
    rounds: list[list[StepTime]] = field(default_factory=list)

    def take(self, step: Step, cached: int) -> StepTime:
        """Count a step, made behind `cached` positions."""
        emitted = step.emitted.tolist()
        said = emitted[:-1] if step.finish == "end" else emitted
        kept = self.stop(said)
        self.finish = LOOP if kept else step.finish
        self.tokens += said[:kept] if kept else emitted
        self.metrics.add(step)
        self.metrics.take(self.drafters)
        expected = self.expected(len(step.tree) + 1, cached)
        return StepTime(len(emitted), step.seconds, step.decode_seconds, expected)

    def beside(self, plain: Way) -> PairedSpeed | None:
        """Its speed beside plain decoding. One that drafted nothing is plain decoding but for what looking for drafts
        took, which its own steps tell: other differences are chance. None while there is nothing to compare."""
        speed = paired_speed(plain.rounds, self.rounds)
        if speed is None or self.metrics.drafted:
            return speed
        factor = 1.0 - proposing_share(self.metrics)
        return PairedSpeed(factor, factor, factor, max(speed.rounds, LEAST_ROUNDS), speed.plain_seconds)


def alternate(
    target: Rewindable,
    prompt: NDArray[np.int32],
    ways: Sequence[Way],
    max_tokens: int,
    *,
    stretch: int = STRETCH,
    most_seconds: float = float("inf"),
    with_states: bool = False,
    clock: Callable[[], float] = perf_counter,
) -> Iterator[Way]:
    """Decode behind `prompt` [n] by all `ways` in turns, up to `max_tokens` each; yields the way that made a step.

    The target's cache holds the prompt. After `most_seconds` no further round begins, but for as many as are needed to
    tell anything. A way whose text is not the first one's ends with `PARTED`. Closed early, the cache is consistent.
    """
    rewound = _Turns(target, prompt, with_states)
    room = min(max_tokens, target.context_size - 1 - len(prompt))
    started = clock()
    steps = {
        way.name: generate(
            target, way.sampler, way.drafters, prompt, way.budget, room, clock, keep_states=with_states
        )
        for way in ways
    }  # fmt: skip
    order, checked, rounds = list(ways), 0, 0
    while active := [way for way in order if not way.finish]:
        if rounds >= LEAST_ROUNDS and clock() - started > most_seconds:
            return
        goal = max(len(way.tokens) for way in active) + stretch
        for way in active:
            yield from rewound.turn(way, steps[way.name], goal)
        checked = _part(ways, checked)
        order.reverse()
        rounds += 1


class _Turns:
    """The target, and whose text its cache holds."""

    def __init__(self, target: Rewindable, prompt: NDArray[np.int32], with_states: bool) -> None:
        self._target = target
        self._prompt = prompt
        self._with_states = with_states
        self._last: Way | None = None

    def turn(self, way: Way, steps: Iterator[Step], goal: int) -> Iterator[Way]:
        """One way writes until it has `goal` tokens, or ends."""
        if self._last is not way:
            written = np.array(way.tokens, np.int32)
            self._target.begin(np.concatenate([self._prompt, written]), states=self._with_states)
            self._last = way
        times: list[StepTime] = []
        way.rounds.append(times)
        while len(way.tokens) < goal and not way.finish:
            cached = self._target.cached
            times.append(way.take(next(steps), cached))
            yield way


def _part(ways: Sequence[Way], checked: int) -> int:
    """End those whose text is not the first one's, from the token `checked` on; returns up to where all is compared."""
    first = ways[0].tokens
    ends = [len(first)]
    for way in ways[1:]:
        end = min(len(first), len(way.tokens))
        if way.tokens[checked:end] != first[checked:end]:
            way.finish = PARTED
        if way.finish != PARTED:
            ends.append(end)
    return min(ends)
