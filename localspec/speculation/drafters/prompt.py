"""Prompt lookup: what followed the last tokens earlier in the same context."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from localspec.speculation.drafters.matching import MatchingDrafter, suffix_weights
from localspec.speculation.interface import Context, Match
from localspec.speculation.tree import SOURCE_PROMPT

MIN_N = 2
"""Tokens that must match, as in REST (arXiv 2311.08252)."""
MAX_N = 32
"""Tokens that are compared."""
MAX_MATCHES = 16
"""The longest are given; of equals the most recent, for nearer text predicts better."""
_MAX_COMPARED = 64
"""The most recent places of a pair of tokens that are compared at all, beside the end of the text itself."""
REST_MAX_N = 16
"""Longest suffix where prompt lookup drafts alone, as REST has it."""
CONTINUATION = 10
_VOTES = [float(votes) for votes in suffix_weights(np.arange(64, dtype=np.int16))]


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


class PromptDrafter(MatchingDrafter):
    """Drafts from the context itself, by an index that follows it: microseconds for any context that fits."""

    name = "prompt"

    def __init__(self, max_n: int = REST_MAX_N) -> None:
        """`max_n`: tokens of the longest suffix that is compared."""
        super().__init__(CONTINUATION)
        self._max_n = max_n
        self._index = ContextIndex(_VOTES, max_n)

    def begin(self, context: Context) -> None:
        """Index the prompt."""
        self._index = ContextIndex(_VOTES, self._max_n)
        self._index.follow(context.tokens.tolist())

    def matches(self, context: Context) -> list[Match]:
        """Earlier occurrences of the last 2 to `max_n` tokens, longer ones with more votes.

        Example: in 1 2 3 4 1 2 3 5 1 2 3 the last three tokens stood twice before, followed by 5 (recent, first) and 4.
        """
        self._index.follow(context.tokens[len(self._index.tokens) :].tolist())
        return self._index.matches()

    def behind(self, drafted: list[int]) -> list[Match]:
        """Occurrences of the last tokens of the context followed by `drafted`, after a call of `matches`."""
        return self._index.matches(drafted)
