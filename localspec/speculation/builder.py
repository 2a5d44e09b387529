"""Builds draft trees: one tree out of everything that proposes tokens, the likeliest node first.

Matches (prompt lookup, REST, DReSD), a draft model's tree and the target's own earlier choices hang their tokens below
the same nodes; a best-first search over a heap takes the node with the highest path probability next. A path
probability never exceeds its parent's, so the first k nodes are the best tree of k nodes. The methods alone use the
same builder as Auto does: with matches only, a node's probability is its share of the votes, which is REST's trie
(arXiv 2311.08252). RASD's fusion (arXiv 2503.03434) unites finished trees instead: see `fusion.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from localspec.native import steps
from localspec.speculation.acceptance import Acceptance
from localspec.speculation.context_index import ContextIndex
from localspec.speculation.fusion import TreeNodes
from localspec.speculation.interface import Match, Matches
from localspec.speculation.recycled_table import RecycledTable
from localspec.speculation.tree import (
    REJECTED,
    SOURCE_DRAFT,
    SOURCE_PROMPT,
    SOURCE_RECYCLED,
    SOURCES_NGRAM,
    DraftTree,
    Estimate,
)

MIN_RECYCLED = 0.01
"""What the target itself held to be less likely is not proposed again on that ground alone."""
_NOT_EXPANDED = -2
"""In place of a node of the draft model: it says nothing about what follows."""


class Drafted(NamedTuple):
    """A draft model's tree."""

    tokens: NDArray[np.int32]  # [n]
    parents: NDArray[np.int32]  # [n] -1 = child of the root; parents precede children
    probabilities: NDArray[np.float32]  # [n] of each node, given its parent


@dataclass(slots=True)
class TreeInputs:
    """What a tree is built from."""

    context: NDArray[np.int32]  # [n] committed tokens, the root last
    matches: list[Matches]
    drafted: Drafted | None = None
    recycled: RecycledTable | None = None
    """what the target held to be likely behind a token the last time"""
    index: ContextIndex | None = None
    """of the context: looked up at the root, and behind drafted tokens that no match proposed (as READER does,
    arXiv 2508.09072)"""
    votes: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """of its matches by their length"""


def build_tree(
    inputs: TreeInputs,
    limit: int,
    *,
    estimate: Acceptance | None = None,
    min_probability: float = 0.0,
    max_depth: int,
    decay: float = 1.0,
) -> DraftTree:
    """A tree of at most `limit` nodes, none deeper than `max_depth` or with a path probability below `min_probability`;
    descending by path probability, ties in the order of discovery.

    `estimate` gives P(accepted | parent accepted) of a node. Without it, as for matches of one kind alone, that is the
    node's share of the votes that reach its parent (matches that end there included) times `decay`: with less than 1, a
    place further down a branch is worth less than one higher up with as many votes.

    Example: three matches with one vote each are followed by (5, 6), (5, 7) and (8). The nodes are 5 with probability
    2/3, then 8 with 1/3, and 6 and 7 below 5 with 1/2 each, so with path probabilities of 1/3.
    """
    if not steps.available():
        chance = estimate.chance() if estimate is not None else None
        return build_reference(inputs, limit, chance, min_probability, max_depth, decay)
    groups = [
        (m.text, m.places, m.ends, m.lengths, m.similarity, m.votes, m.source)
        for found in inputs.matches
        if len(found)
        for m in found.by_source()
    ]
    built = steps.build(
        int(inputs.context[-1]),
        groups,
        cast(steps.Index | None, inputs.index),
        cast(steps.Recycled | None, inputs.recycled),
        inputs.drafted,
        max(limit, 0),
        max_depth,
        (estimate.weights, estimate.residual) if estimate is not None else None,
        min_probability,
        decay,
    )
    return DraftTree.of_native(*built)


def build_reference(
    inputs: TreeInputs, limit: int, chance: Estimate | None, min_probability: float, max_depth: int, decay: float = 1.0
) -> DraftTree:
    """`build_tree` in Python: what native code is held against, and what serves without it."""
    return _Builder(inputs, limit, chance, min_probability, max_depth, decay).build()


class _Candidate(NamedTuple):
    """One token with its probability, of a draft model or of the target itself at an earlier time."""

    token: int
    probability: float
    node: int = -1
    """of the draft model's tree"""


class _Child:
    """A token below one node, with all that proposes it. Slots, no defaults: some forty are made a step."""

    __slots__ = (
        "dense_votes",
        "depth",
        "draft_node",
        "draft_probability",
        "match_length",
        "matches",
        "ngram_votes",
        "parent",
        "probability",
        "recycled_probability",
        "rejected",
        "similarity",
        "source",
        "token",
        "vote_share",
    )  # fmt: skip

    parent: int
    depth: int
    vote_share: float
    rejected: bool
    probability: float

    def __init__(self, token: int) -> None:
        self.token = token
        self.source = 0
        self.match_length = 0
        self.ngram_votes = self.similarity = self.dense_votes = 0.0
        self.draft_probability = self.recycled_probability = 0.0
        self.draft_node = _NOT_EXPANDED
        self.matches: list[Match] = []


class _Builder:
    """One call of `build_tree`."""

    def __init__(
        self,
        inputs: TreeInputs,
        limit: int,
        estimate: Estimate | None,
        min_probability: float,
        max_depth: int,
        decay: float,
    ) -> None:
        self._root = int(inputs.context[-1])
        self._text: list[int] = inputs.context.tolist()
        self._index, self._votes = inputs.index, inputs.votes
        self._matches = [match for group in inputs.matches for match in group]
        self._recycled = inputs.recycled
        self._drafted: dict[int, list[_Candidate]] = {}
        if inputs.drafted is not None:
            for node, (token, parent, probability) in enumerate(
                zip(*map(np.ndarray.tolist, inputs.drafted), strict=True)
            ):
                self._drafted.setdefault(parent, []).append(_Candidate(token, probability, node))
        self._limit = limit
        self._estimate = estimate
        self._min_probability = min_probability
        self._max_depth = max_depth
        self._decay = decay
        self._all_votes = 1.0
        self._nodes = TreeNodes()
        self._paths: list[float] = []
        self._heap: list[tuple[float, int, _Child]] = []
        """(-path probability, order of discovery, node)"""
        self._discovered = 0

    def build(self) -> DraftTree:
        """Take the best child of the heap and expand it, until the tree is full."""
        nodes, paths, heap, limit = self._nodes, self._paths, self._heap, self._limit
        tokens = nodes.tokens
        self._expand(-1, 0, self._root, [*self._look_up([]), *self._matches], -1)
        ranks: dict[int, int] = {}
        while heap and len(tokens) < limit:
            path, _, child = heappop(heap)
            parent, source, depth = child.parent, child.source, child.depth
            rank = ranks.get(parent, 0)
            ranks[parent] = rank + 1
            node = len(tokens)
            tokens.append(child.token)
            nodes.parents.append(parent)
            nodes.source.append(source)
            nodes.evidence.append(
                (
                    child.match_length,
                    child.vote_share,
                    child.similarity,
                    rank,
                    REJECTED if child.rejected else child.draft_probability,
                    child.recycled_probability,
                )
            )
            nodes.probability.append(child.probability)
            paths.append(-path)
            if depth >= self._max_depth or node + 1 >= limit:
                continue
            matches = child.matches
            if not source & SOURCES_NGRAM:
                matches += self._look_up(self._tokens_to(node))
            self._expand(node, depth, child.token, matches, child.draft_node)
        return nodes.tree(paths)

    def _expand(self, parent: int, depth: int, token: int, matches: Sequence[Match], draft_node: int) -> None:
        """Put the children of a node on the heap. `depth` and `token` are the node's own (0 and the root's at the
        root), `draft_node` is its number in the draft model's tree."""
        above = self._paths[parent] if parent >= 0 else 1.0
        below = depth + 1
        children: dict[int, _Child] = {}
        ngram_votes, dense_votes = _add_matches(children, matches, depth)
        candidates = self._drafted.get(draft_node)
        if candidates:
            self._add_drafted(children, candidates, above)
        recycled = self._recycled.get(token) if self._recycled is not None else None
        if recycled is not None:
            self._add_recycled(children, [*map(_Candidate, *recycled)], above)
        if parent < 0:
            self._all_votes = (ngram_votes + dense_votes) or 1.0
        estimate, min_probability, heap, discovered = (
            self._estimate, self._min_probability, self._heap, self._discovered,
        )  # fmt: skip
        decay, factor = self._decay, self._decay**below
        for child in children.values():
            share = child.ngram_votes / ngram_votes if child.ngram_votes else 0.0
            if child.dense_votes:
                share = max(share, child.dense_votes / dense_votes)
            rejected = bool(candidates) and not child.source & SOURCE_DRAFT
            if estimate is None:
                # From the votes, not from the product of shares: equal votes are then equal paths, without rounding.
                probability = share * decay
                path = (child.ngram_votes + child.dense_votes) * factor / self._all_votes
            else:
                probability = estimate(
                    child.source,
                    child.match_length,
                    share,
                    child.similarity,
                    child.draft_probability,
                    child.recycled_probability,
                    rejected,
                    below,
                )
                path = above * probability
            if path >= min_probability:
                child.parent = parent
                child.depth = below
                child.vote_share = share
                child.rejected = rejected
                child.probability = probability
                heappush(heap, (-path, discovered, child))
                discovered += 1
        self._discovered = discovered

    def _add_drafted(self, children: dict[int, _Child], candidates: Sequence[_Candidate], above: float) -> None:
        for token, probability, node in candidates:
            child = children.get(token)
            if child is None:
                if above * probability < self._min_probability:
                    continue
                children[token] = child = _Child(token)
            child.source |= SOURCE_DRAFT
            child.draft_probability = probability
            child.draft_node = node if node >= 0 else _NOT_EXPANDED

    def _add_recycled(self, children: dict[int, _Child], candidates: Sequence[_Candidate], above: float) -> None:
        for token, probability, _ in candidates:
            child = children.get(token)
            if child is None:
                if probability < MIN_RECYCLED or above * probability < self._min_probability:
                    continue
                children[token] = child = _Child(token)
            child.source |= SOURCE_RECYCLED
            child.recycled_probability = probability

    def _look_up(self, drafted: list[int]) -> list[Match]:
        """Matches of the context followed by drafted tokens, as if they had been found at the root."""
        if self._index is None:
            return []
        depth = len(drafted)
        lengths, places = self._index.find(np.array(drafted, np.int32))
        return [
            Match(self._text, place - depth, length - depth, 0.0, float(self._votes[length]), SOURCE_PROMPT)
            for length, place in zip(lengths.tolist(), places.tolist(), strict=True)
        ]

    def _tokens_to(self, node: int) -> list[int]:
        """The drafted tokens from the root to a node."""
        tokens, parents = self._nodes.tokens, self._nodes.parents
        path: list[int] = []
        while node >= 0:
            path.append(tokens[node])
            node = parents[node]
        return path[::-1]


def _add_matches(children: dict[int, _Child], matches: Sequence[Match], depth: int) -> tuple[float, float]:
    """Add what follows the matches `depth` tokens behind their places. Returns the votes of all n-gram matches and of
    all dense ones, those whose text ends here included."""
    ngram_votes = dense_votes = 0.0
    for match in matches:
        text, place, length, similarity, votes, source = match
        ngram = source & SOURCES_NGRAM
        if ngram:
            ngram_votes += votes
        else:
            dense_votes += votes
        place += depth
        if place >= len(text):
            continue
        token = text[place]
        if token < 0:
            continue
        child = children.get(token)
        if child is None:
            children[token] = child = _Child(token)
        child.source |= source
        if ngram:
            child.ngram_votes += votes
            length += depth
            if length > child.match_length:
                child.match_length = length
        else:
            child.dense_votes += votes
            if similarity > child.similarity:
                child.similarity = similarity
        child.matches.append(match)
    return ngram_votes, dense_votes
