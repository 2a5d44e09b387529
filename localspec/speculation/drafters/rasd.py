"""RASD (arXiv 2503.03434): the draft model's tree and retrieved drafts in one, the latter pruned by what the draft
model thinks of their first token.

The authors search and draft one after the other, and keep what is among the draft model's ten likeliest. Here the
search runs while the draft model computes its first step, and how far down its list to look is learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from localspec.models.draft import TopK
from localspec.speculation.drafters.model import ModelDrafter
from localspec.speculation.fusion import fuse
from localspec.speculation.interface import Context, Drafter, DraftTimes, Retrieval, Step, need_states, retrieval_of
from localspec.speculation.tree import DraftTree, without_branches

_searcher = ThreadPoolExecutor(1, thread_name_prefix="retrieval")
"""One thread for all replies (they take turns): each thread that reads a store opens a connection of its own."""

PAPER_TOP_K = 10
"""As published: the first token must be among the draft model's ten likeliest."""


class Pruning:
    """How far down the draft model's list of first tokens a retrieved one may stand.

    Learnt from the tokens that the target took among those retrieved: as far as all but `LOSS` of them stood, a rank
    that is forgotten slowly. Tokens that the draft model does not know are not its to judge.
    """

    LOSS = 0.02
    FORGETTING = 0.998
    MIN_K = 4

    def __init__(self, ranks: int, fixed: int = 0) -> None:
        """`ranks`: how many are told apart; `fixed` > 0 = always so many."""
        self._fixed = fixed
        # As if ten tokens had stood at each of the first ranks: the published figure, until more is known.
        self._stood = np.zeros(ranks + 1)
        self._stood[:PAPER_TOP_K] = 1.0

    @property
    def top_k(self) -> int:
        """How many of the draft model's likeliest tokens count now."""
        if self._fixed:
            return self._fixed
        share = np.cumsum(self._stood) / self._stood.sum()
        return max(self.MIN_K, int(np.searchsorted(share, 1.0 - self.LOSS)) + 1)

    def observe(self, rank: int) -> None:
        """The target took a retrieved token that stood at `rank` (0 = likeliest; beyond the list = its length)."""
        self._stood *= self.FORGETTING
        self._stood[min(rank, len(self._stood) - 1)] += 1.0


class RasdDrafter:
    """The draft model and any drafters that search, in one tree."""

    name = "rasd"

    def __init__(self, drafting: ModelDrafter, searching: Sequence[Drafter], *, paper: bool = False) -> None:
        self._drafting = drafting
        self._searching = tuple(searching)
        self.needs_states = need_states(searching)
        self._pruning = Pruning(64, PAPER_TOP_K if paper else 0)
        self._first: TopK | None = None
        self._retrieved: NDArray[np.int32] = np.empty(0, np.int32)

    @property
    def retrieval(self) -> Retrieval | None:
        """What the dense retrieval among the searches found."""
        return retrieval_of(self._searching)

    @property
    def times(self) -> DraftTimes:
        """Where the time went."""
        return self._drafting.times

    def begin(self, context: Context) -> None:
        """A new reply starts."""
        self._first = None
        self._drafting.begin(context)
        for drafter in self._searching:
            drafter.begin(context)

    def propose(self, context: Context, limit: int) -> DraftTree:
        """Search while the draft model takes its first step; prune what was found, draft, fuse."""
        first, retrieved = self.search_beside(context, limit)
        started = perf_counter()
        trees = [self._pruned(tree, first) for tree in retrieved]
        self._first = first
        self._retrieved = np.concatenate([tree.tokens[tree.parents < 0] for tree in retrieved] or [self._retrieved[:0]])
        tree = fuse([self._drafting.tree_below(first, limit), *trees])
        self.times.drafting += perf_counter() - started
        return tree

    def search_beside(self, context: Context, limit: int) -> tuple[TopK | None, list[DraftTree]]:
        """The draft model's first step, and what the searches found meanwhile."""
        started = perf_counter()
        searches: list[Future[tuple[list[DraftTree], float, float]]] = []

        def search() -> None:
            searches.append(_searcher.submit(self._search, context, limit))

        try:
            first = self._drafting.first(context.tokens, search)
            stepped = perf_counter()
        finally:
            wait(searches)  # it reads the context, which must not change meanwhile
        if not searches:  # there was nothing to compute
            search()
        retrieved, begun, done = searches[0].result()
        times = self.times
        times.retrieval += done - begun
        times.drafting += stepped - started
        times.overlapped += max(0.0, min(stepped, done) - begun)
        return first, retrieved

    def observe(self, step: Step) -> None:
        """Everybody learns what became of the tree; the pruning, where the target's token stood."""
        for drafter in self._searching:
            drafter.observe(step)
        token = int(step.emitted[0])
        first, self._first = self._first, None
        if first is None or token not in self._retrieved or not self._drafting.knows(token):
            return
        place = np.flatnonzero(first.tokens == token)
        self._pruning.observe(int(place[0]) if len(place) else len(first.tokens))

    def _search(self, context: Context, limit: int) -> tuple[list[DraftTree], float, float]:
        begun = perf_counter()
        trees = [drafter.propose(context, limit) for drafter in self._searching]
        return trees, begun, perf_counter()

    def _pruned(self, tree: DraftTree, first: TopK | None) -> DraftTree:
        if first is None or len(tree) == 0:
            return tree
        top_k = self._pruning.top_k
        if top_k > len(first.tokens):
            return tree
        likely = first.tokens[:top_k]
        tops = np.flatnonzero(tree.parents < 0)
        wrong = [
            int(top)
            for top in tops
            if int(tree.tokens[top]) not in likely and self._drafting.knows(int(tree.tokens[top]))
        ]
        return without_branches(tree, wrong)
