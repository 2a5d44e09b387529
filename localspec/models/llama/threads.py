"""How many threads decode: fewer while other programs hold the processor.

All threads meet after every operation of a decode, some hundred times. Where another program has one of the cores, each
meeting waits until the scheduler gives that core back: a decode that takes 4 ms at rest was seen to take 69 ms. With a
thread less than there are free cores nobody waits. Which number is best is measured while decoding, and so is whether
the machine is at rest again.
"""

from __future__ import annotations

_SLOW = 1.7
"""A decode that takes so many times as long as one at rest is disturbed."""
_WAITING = 0.75
"""Threads that had less of the processor than this part of a decode waited for it (0.97 is usual at rest, 0.5 beside
one program on two cores): that tells from the first decode on, when it is not known what is usual."""
_SUSPECT = 3
"""Disturbed decodes in a row after which fewer threads are tried."""
_TRIES = 2
"""Decodes by which a number of threads is judged: the faster counts."""
_SHORTEST_HOLD, _LONGEST_HOLD = 0.15, 4.0
"""Seconds after which all threads are tried again; doubled while that is no faster, and while threads wait but
fewer are no faster. Most disturbances are short: a page that is drawn, a file that is written."""
_RISE = 1.01
"""The time at rest may grow so much with a decode, for longer contexts take longer."""


class ThreadChoice:
    """Chooses the threads of the next decode from the times of those before. Times of different row counts are compared
    by what they are of the time at rest."""

    def __init__(self, most: int) -> None:
        """`most`: threads on a machine at rest."""
        self.most = most
        self.threads = most
        self._steps = sorted({max(1, most - 1), max(1, most // 2), 1} - {most}, reverse=True)
        self._at_rest: dict[tuple[int, int], float] = {}
        """seconds by rows and magnitude of the context"""
        self._usual = 1.0
        """times as long as at rest that decodes take with the threads of now"""
        self._slow = 0
        self._before = most
        self._untried: list[int] = []
        self._tried: dict[int, list[float]] = {}
        self._hold = _SHORTEST_HOLD
        self._until = 0.0

    @property
    def disturbed(self) -> bool:
        """Times of now are none of this machine at rest."""
        return self.threads != self.most or self._slow > 0

    def observe(self, rows: int, cached: int, seconds: float, now: float, computed: float | None = None) -> int:
        """A decode of `rows` rows below `cached` positions took so many `seconds` with `threads`, which had the
        processor for `computed` seconds in all; `now`: seconds of a clock. Returns the threads of the next one."""
        if self._steps and seconds > 0:
            waited = computed is not None and computed < _WAITING * seconds * self.threads
            # Contexts of up to twice the length count as alike: attention takes longer over longer ones.
            self._learn((rows, cached.bit_length()), seconds, now, waited=waited)
        return self.threads

    def _learn(self, kind: tuple[int, int], seconds: float, now: float, *, waited: bool) -> None:
        rest = self._at_rest.get(kind)
        if self.threads == self.most:
            self._at_rest[kind] = seconds if rest is None else min(seconds, rest * _RISE)
        slowness = 1.0 if rest is None else seconds / rest
        if self._tried:
            if rest is not None:
                self._judge(slowness, now)
            return
        waited = waited and self.threads == self.most and now >= self._until
        self._slow = self._slow + 1 if waited or slowness > _SLOW * self._usual else 0
        if self.threads == self.most and rest is not None:
            self._usual = max(1.0, min(self._usual, slowness))
        if self._slow >= _SUSPECT:
            self._try([self.most, *self._steps])
        elif self.threads != self.most and now >= self._until:
            self._try([self.most, self.threads])

    def _try(self, counts: list[int]) -> None:
        """Judge these numbers of threads, one after the other."""
        self._before = self.threads
        self._tried = {count: [] for count in counts}
        self._untried = counts
        self.threads = counts[0]

    def _judge(self, slowness: float, now: float) -> None:
        times = self._tried[self.threads]
        times.append(slowness)
        is_hopeless = self.threads == self.most and slowness > _SLOW * self._usual and len(self._untried) > 1
        if len(times) < _TRIES and not is_hopeless:
            return
        self._untried = self._untried[1:]
        if self._untried:
            self.threads = self._untried[0]
            return
        best = min(self._tried, key=lambda count: min(self._tried[count]))
        fastest = min(self._tried[best])
        if fastest > _SLOW * self._usual and len(self._tried) <= len(self._steps):
            self._try([self.most, *self._steps])
            return
        self._usual = max(1.0, fastest)
        self._tried = {}
        self._slow = 0
        self.threads = best
        as_before = (best == self.most) == (self._before == self.most)
        self._hold = min(2 * self._hold, _LONGEST_HOLD) if as_before else _SHORTEST_HOLD
        self._until = now + self._hold
