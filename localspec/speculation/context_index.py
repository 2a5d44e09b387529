"""The chat so far with the places of its tokens: exact longest-suffix look-up, also behind tokens only drafted."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.native import steps

MIN_N = 2
"""Tokens that must match, as in REST (arXiv 2311.08252)."""
MAX_MATCHES = 16
"""The longest are given; of equals the most recent, for nearer text predicts better."""
_MAX_COMPARED = 64
"""The most recent places of a pair of tokens that are compared at all, beside the end of the text itself."""
_NOTHING = np.empty(0, np.int32)


class ContextIndex(Protocol):
    """What a suffix automaton would find; appending costs an entry in a table."""

    @property
    def count(self) -> int:
        """Tokens that were taken in."""

    def follow(self, tokens: NDArray[np.int32]) -> None:
        """Take in the tokens [n] that came."""

    def find(self, drafted: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Earlier occurrences of the last tokens of the text followed by `drafted` [n], longest match first: their
        lengths [m], and the places [m] of the tokens that followed.

        Example: behind the text 1 2 3 1 2, the pair 1 2 stood before place 2: one match of length 2, which 3 follows.
        """


class PythonContextIndex:
    """The reference, and what serves without native code."""

    def __init__(self, max_n: int) -> None:
        """`max_n`: tokens of the longest suffix that is compared."""
        self._tokens: list[int] = []
        self._max_n = max_n
        self._places: dict[tuple[int, int], list[int]] = {}

    @property
    def count(self) -> int:
        """Tokens that were taken in."""
        return len(self._tokens)

    def follow(self, tokens: NDArray[np.int32]) -> None:
        """Take in the tokens [n] that came."""
        known = self._tokens
        places = self._places
        before = known[-1] if known else -1
        place = len(known)
        new = tokens.tolist()
        known.extend(new)
        for token in new:
            place += 1
            places.setdefault((before, token), []).append(place)
            before = token

    def find(self, drafted: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """By the places of the last pair."""
        text = self._tokens
        tail = [*text[-self._max_n :], *drafted.tolist()]
        reach = min(self._max_n, len(tail))
        places = self._places.get((tail[-2], tail[-1])) if reach >= MIN_N else None
        if places is None:
            return _NOTHING, _NOTHING
        count = len(text)
        found: list[tuple[int, int]] = []
        for place in reversed(places[-_MAX_COMPARED - 1 :]):
            if place >= count:
                continue  # the end of the text itself
            length = MIN_N
            most = min(reach, place)
            while length < most and text[place - length - 1] == tail[-length - 1]:
                length += 1
            found.append((length, place))
        found.sort(reverse=True)
        pairs = np.array(found[:MAX_MATCHES], np.int32).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]


def context_index(votes: NDArray[np.float64]) -> ContextIndex:
    """An index of suffixes of up to `len(votes)` - 1 tokens, whose matches have these votes by length."""
    return steps.Index(votes) if steps.available() else PythonContextIndex(len(votes) - 1)
