"""Prompt lookup: what followed the last tokens earlier in the same context."""

from __future__ import annotations

import numpy as np

from localspec.speculation.context_index import ContextIndex
from localspec.speculation.drafters.matching import MatchingDrafter, suffix_weights
from localspec.speculation.interface import Context, Match

MAX_N = 16
"""Longest suffix, as REST has it (arXiv 2311.08252); the shortest is `context_index.MIN_N`."""
CONTINUATION = 10
_VOTES = [float(votes) for votes in suffix_weights(np.arange(64, dtype=np.int16))]


class PromptDrafter(MatchingDrafter):
    """Drafts from the context itself, by an index that follows it: microseconds for any context that fits."""

    name = "prompt"

    def __init__(self, max_n: int = MAX_N) -> None:
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
