"""DReSD (arXiv 2502.15572): drafts from what followed the target's nearest hidden states, in library and context."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.drafters.matching import MIN_SHARE, MatchingDrafter, similarity_weights
from localspec.speculation.fusion import fuse
from localspec.speculation.interface import Context, Drafter, Matches, Retrieval, Step
from localspec.speculation.tree import MATCH_LENGTH, PADDING, SOURCE_DRESD, DraftTree
from localspec.stores.states.state_store import StateStore

NEIGHBOURS = 50
PAPER_DRAFTS = 10
PAPER_CONTINUATION = 10
"""As published in the authors' code: 50 neighbours, up to 10 drafts of 10 tokens."""
PAPER_DECAY = 0.8
"""Chance that a draft goes on to be right, at each further token. The paper verifies all ten drafts whole; a smaller
tree must choose, and without this it takes one long chain for many first guesses (0.98 against 1.05 tokens accepted a
step with 15 nodes). Other trees are cut by what is known of acceptance."""
CONTINUATION = 16
"""For long copies; on average it hardly matters (64 nodes: 1.145 tokens accepted a step with 10, 1.149 with 16)."""
CONTEXT_NEIGHBOURS = 16
MIN_SIMILARITY = 0.2
"""Neighbours that are less alike say nothing (docs/log.md, "Acceptance by similarity")."""
MIN_STATES = 32
"""Known states of a context from which on their own mean and spread are good enough to compare them by."""
LONG_MATCH = 12
"""From here on an n-gram match is right nine times of ten (docs/log.md): dense retrieval would only cost time."""


class DresdDrafter(MatchingDrafter):
    """Drafts from a library's hidden states and from the context's own. The query is the state that produced the root;
    of its neighbours those count whose next token is the root, and what followed them is the draft.

    `paper` keeps the ten nearest of them, of the library alone.
    """

    name = "dresd"
    needs_states = True
    retrieval: Retrieval

    def __init__(self, store: StateStore | None, *, paper: bool = False, without: Collection[int] = ()) -> None:
        """`without`: numbers of documents, or of learnt answers, that are not to be drafted from."""
        self._left_out = store.labels(without) if store is not None and without else np.empty(0, np.int64)
        self._length = PAPER_CONTINUATION if paper else CONTINUATION
        super().__init__(self._length, 0.0 if paper else MIN_SHARE, PAPER_DECAY if paper else 1.0)
        self._store = store
        self._paper = paper
        self._nothing = np.empty((0, self._length), np.int32), np.empty(0, np.float32)
        self.retrieval = Retrieval()
        self._mean: NDArray[np.float32] = np.empty(0, np.float32)
        self._spread: NDArray[np.float32] = np.empty(0, np.float32)

    def begin(self, context: Context) -> None:
        """Forget the last context's statistics."""
        self.retrieval = Retrieval()
        self._mean = np.empty(0, np.float32)

    def neighbours(self, context: Context) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """What followed the root where hidden states were near [m, c], padded with -1, and their similarities [m]."""
        states, known = context.states
        if len(known) == 0 or not known[-1]:
            return self._nothing
        root = int(context.tokens[-1])
        continuations, similarity = self._from_store(states[-1], root)
        if not self._paper:
            own, own_similarity = self._from_context(context.tokens, states, known)
            continuations = np.concatenate([continuations, own])
            similarity = np.concatenate([similarity, own_similarity])
            near = similarity >= MIN_SIMILARITY
            continuations, similarity = continuations[near], similarity[near]
        self.retrieval.count(similarity)
        return continuations, similarity

    def matches(self, context: Context) -> Matches:
        """The neighbours as dense matches, nearer ones with more votes; none when none of them led to the root."""
        continuations, similarity = self.neighbours(context)
        return Matches.of_rows(continuations, similarity_weights(similarity), SOURCE_DRESD, similarity=similarity)

    def _from_store(self, state: NDArray[np.float16], root: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Continuations [m, c] behind the root, and their similarities [m], descending."""
        if self._store is None:
            return self._nothing
        found = self._store.search(state.astype(np.float32), NEIGHBOURS)
        kept = np.flatnonzero(found.continuations[:, 0] == root)
        if len(self._left_out):
            kept = kept[~np.isin(found.labels[kept], self._left_out)]
        if self._paper:
            kept = kept[:PAPER_DRAFTS]
        return found.continuations[kept, 1 : self._length + 1], found.similarities[kept]

    def _from_context(
        self, tokens: NDArray[np.int32], states: NDArray[np.float16], known: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The same from earlier positions of the context: dense prompt lookup."""
        count = len(tokens)
        # The state at i led to the token at i + 1; something must follow that token.
        places = np.flatnonzero(known[:-1] & (tokens[1:-1] == tokens[-1]))
        if len(places) == 0:
            return self._nothing
        vectors = self._comparable(np.concatenate([states[places], states[-1:]]), states, known)
        if len(vectors) == 0:
            return self._nothing
        similarity = vectors[:-1] @ vectors[-1]
        nearest = np.argsort(-similarity, kind="stable")[:CONTEXT_NEIGHBOURS]
        ahead = places[nearest, None] + np.arange(2, self._length + 2)
        continuations = np.where(ahead < count, tokens[np.minimum(ahead, count - 1)], PADDING)
        return continuations.astype(np.int32), similarity[nearest].astype(np.float32)

    def _comparable(
        self, wanted: NDArray[np.float16], states: NDArray[np.float16], known: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """`wanted` [m, d] as unit vectors: by the library's transform or the context's mean and spread; else [0, d]."""
        if self._store is not None:
            projected = self._store.project(wanted)
            if projected is not None:
                return projected
        if len(self._mean) == 0:
            sample = states[known].astype(np.float32)
            if len(sample) < MIN_STATES:
                return np.empty((0, states.shape[1]), np.float32)
            self._mean = sample.mean(axis=0)
            self._spread = np.maximum(sample.std(axis=0), np.float32(1e-6))
        centred = (wanted.astype(np.float32) - self._mean) / self._spread
        return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), np.float32(1e-6)))


class HybridDrafter:
    """N-gram matches and dense retrieval in one tree: the dense drafter joins unless the others found a long match."""

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
