"""REST (arXiv 2311.08252): drafts from exact suffix matches in the library's n-gram store."""

from __future__ import annotations

import numpy as np

from localspec.speculation.drafters.matching import MIN_SHARE, MatchingDrafter, suffix_weights
from localspec.speculation.interface import Context, Matches
from localspec.speculation.tree import SOURCE_REST
from localspec.stores.ngrams.ngram_store import NgramStore

MAX_N = 16
MIN_N = 2
CONTINUATION = 10
LONG_CONTINUATION = 24
"""Tokens that a match brings where a tree is cut by estimated acceptance (Auto): long copies pay on every device."""
PAPER_MATCHES = 5000
"""As published in the authors' code."""
DEVICE_MATCHES = 32


class RestDrafter(MatchingDrafter):
    """Drafts from a library. `paper` searches the longest suffix only and lets up to 5,000 matches vote alike;
    otherwise matches of all lengths share one tree, longer ones with more votes."""

    name = "rest"

    def __init__(self, store: NgramStore, *, paper: bool = False) -> None:
        super().__init__(CONTINUATION, 0.0 if paper else MIN_SHARE)
        self._store = store
        self._paper = paper

    def matches(self, context: Context) -> Matches:
        """Where the last 16 to 2 tokens of the context stand in the library, longest match first.

        Example: with the document 1 2 5 6 in the library, the context 9 1 2 has one match, of length 2, before 5 6.
        """
        found = self._store.lookup(
            context.tokens[-MAX_N:],
            max_n=MAX_N,
            min_n=MIN_N,
            matches=PAPER_MATCHES if self._paper else DEVICE_MATCHES,
            continuation=CONTINUATION if self._paper else LONG_CONTINUATION,
            all_lengths=not self._paper,
        )
        votes = np.ones(len(found.lengths)) if self._paper else suffix_weights(found.lengths)
        return Matches.of_rows(found.continuations, votes, SOURCE_REST, lengths=found.lengths.astype(np.int32))
