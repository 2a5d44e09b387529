"""Ends a text at the first of several strings, while it arrives in pieces."""

from __future__ import annotations

from collections.abc import Sequence


class StopText:
    """Lets text through up to a stop string, and keeps back what may still become one.

    Where the text ends does not depend on how it is cut into pieces: at the stop string that is complete first.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._longest = max((len(stop) for stop in self._stops), default=0)
        self._kept = ""
        self._before = 0
        self.found = False
        self.length = 0
        """Characters up to the end of the stop string that was found"""

    def add(self, piece: str) -> str:
        """What can be shown now that `piece` has arrived; nothing once a stop string was found."""
        if self.found:
            return ""
        text = self._kept + piece
        places = [(start + len(stop), start) for stop in self._stops if (start := text.find(stop)) >= 0]
        if places:
            end, start = min(places)
            self.found, self.length, self._kept = True, self._before + end, ""
            return text[:start]
        cut = len(text) - self._may_begin(text)
        self._kept = text[cut:]
        self._before += cut
        return text[:cut]

    def finish(self) -> str:
        """What was kept back; call at the end of the text."""
        kept, self._kept = self._kept, ""
        return kept

    def _may_begin(self, text: str) -> int:
        """Length of the longest end of `text` that a stop string begins with."""
        for length in range(min(len(text), self._longest - 1), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0
