"""REST (arXiv 2311.08252): drafts from exact suffix matches in the library's n-gram store."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.decode import Context, Step
from localspec.speculation.drafters.weights import LEAST_SHARE, suffix_weights
from localspec.speculation.sightings import Match
from localspec.speculation.tree import SOURCE_REST, DraftTree, from_continuations
from localspec.stores.ngrams.ngram_store import NgramStore

LONGEST = 16
SHORTEST = 2
CONTINUATION = 10
LONG_CONTINUATION = 24
"""Where a tree is cut by what is known of acceptance: long copies pay on every device."""
PAPER_MATCHES = 5000
"""As published in the authors' code."""
DEVICE_MATCHES = 32


class RestDrafter:
    """Drafts from a library. `paper` searches the longest suffix only and lets up to 5,000 matches vote alike;
    otherwise matches of all lengths share one tree, longer ones counting more."""

    name = "rest"
    needs_states = False
    times = None
    retrieval = None

    def __init__(self, store: NgramStore, *, paper: bool = False) -> None:
        self._store = store
        self._paper = paper

    def begin(self, context: Context) -> None:
        """Nothing to prepare."""

    def propose(self, context: Context, limit: int) -> DraftTree:
        """What followed the context's longest suffixes in the library."""
        matches = self._store.lookup(
            context.tokens[-LONGEST:],
            max_n=LONGEST,
            min_n=SHORTEST,
            matches=PAPER_MATCHES if self._paper else DEVICE_MATCHES,
            continuation=CONTINUATION,
            all_lengths=not self._paper,
        )
        weights = np.ones(len(matches.lengths)) if self._paper else suffix_weights(matches.lengths)
        least_share = 0.0 if self._paper else LEAST_SHARE
        return from_continuations(
            matches.continuations, matches.lengths, weights, SOURCE_REST, limit, least_share=least_share
        )

    def sightings(self, tokens: NDArray[np.int32]) -> list[Match]:
        """Where the last of `tokens` [n] stood in the library, longest match first."""
        matches = self._store.lookup(
            tokens[-LONGEST:],
            max_n=LONGEST,
            min_n=SHORTEST,
            matches=DEVICE_MATCHES,
            continuation=LONG_CONTINUATION,
            all_lengths=True,
        )
        votes = suffix_weights(matches.lengths).tolist()
        rows = zip(matches.continuations.tolist(), matches.lengths.tolist(), votes, strict=True)
        return [Match(text, 0, length, 0.0, vote, SOURCE_REST) for text, length, vote in rows]

    def observe(self, step: Step) -> None:
        """The store does not change while a reply is decoded."""
