"""REST (arXiv 2311.08252): drafts from exact suffix matches in the library's n-gram store.

Matches in documents and in learnt answers share a tree and its votes, and are marked apart.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.drafters.matching import MIN_SHARE, MatchingDrafter, suffix_weights
from localspec.speculation.interface import Context, Matches
from localspec.speculation.tree import IN_DOCUMENT, SOURCE_LEARNT, SOURCE_REST
from localspec.stores.ngrams.ngram_store import NgramStore, SuffixMatches

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

    def __init__(self, store: NgramStore, *, paper: bool = False, without: Collection[int] = ()) -> None:
        """`without`: numbers of documents, or of learnt answers, that are not to be drafted from."""
        super().__init__(CONTINUATION, 0.0 if paper else MIN_SHARE)
        self._without = np.array([*without], np.int64)
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
        if len(self._without) and len(found.lengths):
            kept = ~np.isin(found.documents, self._without)
            found = SuffixMatches(found.continuations[kept], found.lengths[kept], found.documents[kept])
        votes = np.ones(len(found.lengths)) if self._paper else suffix_weights(found.lengths)
        source, sources = _sources(found.documents)
        lengths = found.lengths.astype(np.int32)
        return Matches.of_rows(found.continuations, votes, source, lengths=lengths, sources=sources)


_DOCUMENT, _LEARNT = SOURCE_REST | IN_DOCUMENT, SOURCE_REST | SOURCE_LEARNT


def _sources(documents: NDArray[np.int64]) -> tuple[int, NDArray[np.uint8] | None]:
    """The source of matches in these documents [m], and that of each where they differ. Learnt answers have negative
    numbers (`stores.replies`). Without any of them there is nothing to tell apart."""
    learnt = int(np.count_nonzero(documents < 0))
    if learnt in (0, len(documents)):
        return (_LEARNT if learnt else SOURCE_REST), None
    return SOURCE_REST, np.where(documents < 0, np.uint8(_LEARNT), np.uint8(_DOCUMENT))
