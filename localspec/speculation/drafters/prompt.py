"""Prompt lookup: what followed the last tokens earlier in the same context."""

from __future__ import annotations

import numpy as np

from localspec.speculation.context_index import ContextIndex, context_index
from localspec.speculation.drafters.matching import MatchingDrafter, suffix_weights
from localspec.speculation.interface import Context, Matches
from localspec.speculation.tree import SOURCE_PROMPT

MAX_N = 32
"""Tokens that are compared."""
REST_MAX_N = 16
"""Longest suffix where prompt lookup drafts alone, as REST has it."""
CONTINUATION = 10
VOTES = suffix_weights(np.arange(MAX_N + 1, dtype=np.int16))
"""By the length of a match."""
_NOTHING_DRAFTED = np.empty(0, np.int32)


class PromptDrafter(MatchingDrafter):
    """Drafts from the context itself, by an index that follows it: microseconds for any context that fits."""

    name = "prompt"

    def __init__(self, max_n: int = REST_MAX_N) -> None:
        """`max_n`: tokens of the longest suffix that is compared."""
        super().__init__(CONTINUATION)
        self._votes = VOTES[: max_n + 1]
        self._index = context_index(self._votes)

    def begin(self, context: Context) -> None:
        """Index the prompt."""
        self._index = context_index(self._votes)
        self._index.follow(context.tokens)

    def index(self, context: Context) -> ContextIndex:
        """The index of the context as it is now."""
        self._index.follow(context.tokens[self._index.count :])
        return self._index

    def matches(self, context: Context) -> Matches:
        """Earlier occurrences of the last 2 to `max_n` tokens, longer ones with more votes.

        Example: in 1 2 3 4 1 2 3 5 1 2 3 the last three tokens stood twice before, followed by 5 (recent, first) and 4.
        """
        lengths, places = self.index(context).find(_NOTHING_DRAFTED)
        text = context.tokens
        ends = np.full(len(places), len(text), np.int64)
        none = np.zeros(len(places))
        return Matches(text, places.astype(np.int64), ends, lengths, none, self._votes[lengths], SOURCE_PROMPT)
