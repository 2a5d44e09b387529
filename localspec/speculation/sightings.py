"""Where the words in hand stood before: places in texts behind which the text may go on alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from localspec.speculation.tree import SOURCE_PROMPT

SHORTEST = 2
"""Tokens that must match, as in REST (arXiv 2311.08252)."""
LONGEST = 32
"""Tokens that are compared."""
MOST_PLACES = 16
"""Sightings that are told, the longest matches first; of equals the most recent, for nearer text predicts better."""
_LOOKED_AT = 64
"""The most recent places of a pair of tokens that are compared at all."""


class Match(NamedTuple):
    """A place in a text where the words in hand, or a like state, stood."""

    text: Sequence[int]
    place: int
    """index of the token that followed; may be the text's length, or a padding id where it ended"""
    length: int
    """tokens that matched; 0 for a sighting by state"""
    similarity: float
    weight: float
    """its vote"""
    source: int


class ContextIndex:
    """The chat so far, with the places of every pair of its tokens: exact longest-suffix look-up in microseconds, also
    behind tokens that are only drafted. What a suffix automaton would find; appending costs a dictionary entry."""

    def __init__(self, weight_of_length: Sequence[float]) -> None:
        """`weight_of_length[k]`: the vote of a match of k tokens; the last counts for longer ones too."""
        self.tokens: list[int] = []
        self._places: dict[tuple[int, int], list[int]] = {}
        self._weight = [weight_of_length[min(k, len(weight_of_length) - 1)] for k in range(LONGEST + 1)]

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

    def sightings(self, drafted: Sequence[int] = ()) -> list[Match]:
        """Earlier occurrences of the last tokens of the text followed by `drafted`, longest match first."""
        text = self.tokens
        tail = [*text[-LONGEST:], *drafted]
        if len(tail) < SHORTEST:
            return []
        places = self._places.get((tail[-2], tail[-1]))
        if places is None:
            return []
        count = len(text)
        found: list[tuple[int, int]] = []
        most = min(LONGEST, len(tail))
        for place in reversed(places[-_LOOKED_AT:]):
            if place >= count:
                continue  # the words in hand themselves
            length = SHORTEST
            reach = min(most, place)
            while length < reach and text[place - length - 1] == tail[-length - 1]:
                length += 1
            found.append((length, place))
        if len(found) > 1:
            found.sort(reverse=True)
        weight = self._weight
        return [Match(text, place, length, 0.0, weight[length], SOURCE_PROMPT) for length, place in found[:MOST_PLACES]]
