"""What prompt lookup, REST and DReSD share: a search for matches, a draft tree of what follows them, and votes."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.builder import TreeInputs, build_tree
from localspec.speculation.interface import Context, DraftTimes, Matches, Retrieval, Step
from localspec.speculation.tree import DraftTree

MIN_SHARE = 0.02
"""Nodes with less of the votes are not built: no device verifies a row for 2% of a token."""
_BASE = 1.5
"""1.5 beat 2, 3 and 4 in simulation on recorded replies (docs/log.md)."""
_SATURATED = 10
_SHARPNESS = 8.0
"""Chosen by simulation on recorded replies (docs/log.md, "Votes by similarity")."""


class MatchingDrafter(ABC):
    """A matcher (`interface.Matcher`) that drafts from its own matches alone: the tree is the trie of what follows
    them, weighed by their votes. Auto takes `matches` into its tree of all sources instead."""

    name: str
    needs_states = False
    times: DraftTimes | None = None
    retrieval: Retrieval | None = None

    def __init__(self, continuation: int, min_share: float = MIN_SHARE, decay: float = 1.0) -> None:
        """`continuation`: tokens drafted behind a match at most; `min_share`: least share of all votes of a node."""
        self._continuation = continuation
        self._min_share = min_share
        self._decay = decay

    def begin(self, context: Context) -> None:  # noqa: B027 - nothing to prepare
        """A new reply starts."""

    @abstractmethod
    def matches(self, context: Context) -> Matches:
        """Places where the text may go on as the context does, the best first."""

    def propose(self, context: Context, limit: int) -> DraftTree:
        """The `limit` nodes with the most votes; empty without a match."""
        return build_tree(
            TreeInputs(context.tokens, [self.matches(context)]),
            limit,
            min_probability=self._min_share,
            max_depth=self._continuation,
            decay=self._decay,
        )

    def observe(self, step: Step) -> None:  # noqa: B027 - nothing to learn
        """Neither the context's earlier text nor a store changes with a step."""


def suffix_weights(lengths: NDArray[np.int16]) -> NDArray[np.float64]:
    """Votes [m] of each match: they grow by half with every token that matched, up to 10, so that a long match outvotes
    short ones without silencing them."""
    return np.power(_BASE, np.minimum(lengths, _SATURATED).astype(np.float64))


def similarity_weights(similarities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Votes [m] of each neighbour by similarity (inner product of unit vectors): 0.1 more counts about twice."""
    return np.exp(_SHARPNESS * (similarities.astype(np.float64) - 1.0))
