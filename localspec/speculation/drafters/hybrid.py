"""N-gram matches and dense retrieval in one tree: each where it is strong."""

from __future__ import annotations

from collections.abc import Sequence

from localspec.speculation.builder import fuse
from localspec.speculation.interface import Context, Drafter, Retrieval, Step
from localspec.speculation.tree import MATCH_LENGTH, DraftTree

LONG_MATCH = 12
"""From here on an n-gram match is right nine times of ten (docs/log.md): dense retrieval would only cost time."""


class HybridDrafter:
    """Drafters from n-gram matches first; the dense one joins them unless they found a long match."""

    name = "hybrid"
    times = None

    def __init__(self, ngram: Sequence[Drafter], dense: Drafter) -> None:
        self._ngram = tuple(ngram)
        self._dense = dense
        self.needs_states = dense.needs_states

    @property
    def retrieval(self) -> Retrieval | None:
        """What the dense drafter found."""
        return self._dense.retrieval

    def begin(self, context: Context) -> None:
        """A new reply starts."""
        for drafter in (*self._ngram, self._dense):
            drafter.begin(context)

    def propose(self, context: Context, limit: int) -> DraftTree:
        """All drafts in one tree."""
        trees = [drafter.propose(context, limit) for drafter in self._ngram]
        longest = max((float(tree.evidence[0, MATCH_LENGTH]) for tree in trees if len(tree)), default=0.0)
        if longest < LONG_MATCH:
            trees.append(self._dense.propose(context, limit))
        return fuse(trees)

    def observe(self, step: Step) -> None:
        """Everybody learns what became of the tree."""
        for drafter in (*self._ngram, self._dense):
            drafter.observe(step)
