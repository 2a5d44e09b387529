"""Makes guessing a password slow: one guess at a time, and ever longer waits for an address that guesses wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_network

from localspec.access.bind_address import plain_address

FREE_FAILURES = 5
"""People mistype."""
LONGEST_WAIT = 900.0
FORGOTTEN_AFTER = 3600.0
GUESS_SECONDS = 0.5
"""A wrong one takes as long, and all others wait for it, wherever they come from."""
_WAITING = 20
_ADDRESSES = 10_000


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0


class Throttle:
    """Counts the wrong guesses of each address."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """`now` and `pause` tell and take time, in seconds."""
        self._now = now
        self._pause = pause
        self._known: dict[str, _Failures] = {}
        self._guessing = asyncio.Lock()
        self._waiting = 0

    def wait(self, address: str) -> float:
        """Seconds until `address` may guess again; 0 when it may now."""
        known = self._known.get(_source(address))
        if known is None or known.count < FREE_FAILURES:
            return 0.0
        wait = min(LONGEST_WAIT, 2.0 ** (known.count - FREE_FAILURES + 1))
        return max(0.0, known.last + wait - self._now())

    async def guess(self, address: str, is_right: Callable[[], bool]) -> float | None:
        """Whether a guess is right: None when it is, else the seconds to wait before the next, which may be 0. One
        that comes too early, or while many others wait, is not looked at."""
        if self._waiting >= _WAITING:
            return GUESS_SECONDS * _WAITING
        self._waiting += 1
        try:
            async with self._guessing:
                if (wait := self.wait(address)) > 0:
                    return wait
                if is_right():
                    self._known.pop(_source(address), None)
                    return None
                self._failed(_source(address))
                await self._pause(GUESS_SECONDS)
                return self.wait(address)
        finally:
            self._waiting -= 1

    def _failed(self, source: str) -> None:
        now = self._now()
        self._known = {key: one for key, one in self._known.items() if now - one.last < FORGOTTEN_AFTER}
        while len(self._known) >= _ADDRESSES:
            self._known.pop(next(iter(self._known)))
        known = self._known.pop(source, None) or _Failures()
        self._known[source] = _Failures(known.count + 1, now)


def _source(address: str) -> str:
    """Who guesses: an IPv4 address, or a network of IPv6, of which one person has 2 ** 64 addresses."""
    try:
        plain = plain_address(address)
    except ValueError:
        return address
    return str(ip_network(f"{plain}/64", strict=False)) if ":" in plain else plain
