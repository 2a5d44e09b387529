"""What disturbs a measurement: a process that measures is halted while the application writes a reply."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO, TypeVar

Result = TypeVar("Result")

_MAX_TRIES = 8
"""After so many disturbed measurements the last one counts."""
_SETTLE_SECONDS = 0.02
"""A line that was sent before the process went on is read within this time."""
_DIE_WITH_PARENT = 1
"""Linux's PR_SET_PDEATHSIG (sys/prctl.h)."""


class Interruptions:
    """Counts how often this process was halted, as its parent tells it: a line per interruption."""

    def __init__(self) -> None:
        self.count = 0

    def listen(self, lines: TextIO) -> None:
        """Count the lines, in a thread; at their end the parent is gone, and this process goes, too."""
        _die_with_parent()
        threading.Thread(target=self._read, args=[lines], name="orders", daemon=True).start()

    def undisturbed(self, work: Callable[[], Result]) -> Result:
        """The result of `work`, done again while it is interrupted."""
        for _ in range(_MAX_TRIES):
            before = self.count
            result = work()
            time.sleep(_SETTLE_SECONDS)
            if self.count == before:
                break
        return result

    def _read(self, lines: TextIO) -> None:
        for _ in lines:
            self.count += 1
        # Not sys.exit, which would end this thread only; files under work have temporary names.
        os._exit(1)


def _die_with_parent() -> None:
    """A halted process cannot see that its parent is gone; Linux can end it all the same."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, int(signal.SIGKILL))
