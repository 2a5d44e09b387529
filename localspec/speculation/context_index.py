"""Prompt lookup's index: where the last tokens of the chat stood before in the chat itself."""

from __future__ import annotations

from collections.abc import Sequence

from localspec.speculation.interface import Match
from localspec.speculation.tree import SOURCE_PROMPT

MIN_N = 2
"""Tokens that must match, as in REST (arXiv 2311.08252)."""
MAX_N = 32
"""Tokens that are compared."""
MAX_MATCHES = 16
"""The longest are given; of equals the most recent, for nearer text predicts better."""
_MAX_COMPARED = 64
"""The most recent places of a pair of tokens that are compared at all, beside the end of the text itself."""


class ContextIndex:
    """The chat so far, with the places of every pair of its tokens: exact longest-suffix look-up in microseconds, also
    behind tokens that are only drafted. What a suffix automaton would find; appending costs a dictionary entry."""

    def __init__(self, votes_of_length: Sequence[float], max_n: int = MAX_N) -> None:
        """`votes_of_length[n]`: the votes of a match of n tokens; the last counts for longer ones too."""
        self.tokens: list[int] = []
        self._max_n = max_n
        self._places: dict[tuple[int, int], list[int]] = {}
        self._votes = [votes_of_length[min(n, len(votes_of_length) - 1)] for n in range(max_n + 1)]

    def follow(self, tokens: Sequence[int]) -> None:
        """Take in the tokens that came."""
        known = self.tokens
        places = self._places
        before = known[-1] if known else -1
        place = len(known)
        known.extend(tokens)
        for token in tokens:
            place += 1
            places.setdefault((before, token), []).append(place)
            before = token

    def matches(self, drafted: Sequence[int] = ()) -> list[Match]:
        """Earlier occurrences of the last tokens of the text followed by `drafted`, longest match first.

        Example: behind the text 1 2 3 1 2, the pair 1 2 stood before place 2: one match of length 2, which 3 follows.
        """
        text = self.tokens
        tail = [*text[-self._max_n :], *drafted]
        if len(tail) < MIN_N:
            return []
        places = self._places.get((tail[-2], tail[-1]))
        if places is None:
            return []
        count = len(text)
        found: list[tuple[int, int]] = []
        reach = min(self._max_n, len(tail))
        for place in reversed(places[-_MAX_COMPARED - 1 :]):
            if place >= count:
                continue  # the end of the text itself
            length = MIN_N
            most = min(reach, place)
            while length < most and text[place - length - 1] == tail[-length - 1]:
                length += 1
            found.append((length, place))
        if len(found) > 1:
            found.sort(reverse=True)
        votes = self._votes
        return [Match(text, place, length, 0.0, votes[length], SOURCE_PROMPT) for length, place in found[:MAX_MATCHES]]
