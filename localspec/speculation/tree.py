"""Draft trees: pure functions that build, fuse and cut them."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SOURCE_TARGET = 0
SOURCE_PROMPT = 1
SOURCE_REST = 2
SOURCE_DRESD = 4
SOURCE_DRAFT = 8
SOURCE_RECYCLED = 16
SOURCE_NAMES = {
    SOURCE_TARGET: "target",
    SOURCE_PROMPT: "prompt",
    SOURCE_REST: "REST",
    SOURCE_DRESD: "DReSD",
    SOURCE_DRAFT: "draft",
    SOURCE_RECYCLED: "recycled",
}
"""Bits of `DraftTree.source`; 0 marks tokens that the target gave without a draft."""

MATCH_LENGTH, VOTE_SHARE, SIMILARITY, SIBLING_RANK, DRAFT_PROBABILITY, RECYCLED_PROBABILITY = range(6)
"""Columns of `DraftTree.evidence`."""
EVIDENCE = 6
"""How many there are."""
DOUBTED = -1.0
"""In place of a draft model's probability: it looked at the node's parent and did not propose it."""

PADDING = -1
"""Marks the end of a continuation that is shorter than its array."""


@dataclass(frozen=True, slots=True)
class DraftTree:
    """Draft tokens with parent links. An empty tree means "no draft"."""

    tokens: NDArray[np.int32]
    """[n] token ids"""
    parents: NDArray[np.int32]
    """[n] index of the parent, -1 = child of the root; parents precede children"""
    source: NDArray[np.uint8]
    """[n] bit set of the drafters that proposed the node"""
    evidence: NDArray[np.float32]
    """[n, 6]: match length, vote share, similarity, rank among siblings, the draft model's probability, the probability
    that the target itself gave the token the last time it stood behind its parent's"""
    probability: NDArray[np.float32]
    """[n] P(accepted | parent accepted)"""

    def __len__(self) -> int:
        return len(self.tokens)

    @staticmethod
    def empty() -> DraftTree:
        """The tree that drafts nothing."""
        return _EMPTY


_EMPTY = DraftTree(
    np.empty(0, np.int32),
    np.empty(0, np.int32),
    np.empty(0, np.uint8),
    np.empty((0, EVIDENCE), np.float32),
    np.empty(0, np.float32),
)


def depths(tree: DraftTree) -> NDArray[np.int32]:
    """Depth of every node [n]; children of the root have 1."""
    result = [0] * (len(tree) + 1)
    for node, parent in enumerate(tree.parents.tolist()):
        result[node] = result[parent] + 1 if parent >= 0 else 1
    return np.array(result[: len(tree)], dtype=np.int32)


def path_probabilities(tree: DraftTree) -> NDArray[np.float64]:
    """P(node is on the accepted path) [n]: the product of conditional probabilities from the root."""
    conditional = tree.probability.tolist()
    result: list[float] = []
    for parent, probability in zip(tree.parents.tolist(), conditional, strict=True):
        result.append(probability * (result[parent] if parent >= 0 else 1.0))
    return np.array(result, dtype=np.float64)


def from_continuations(
    continuations: NDArray[np.int32],
    match_lengths: NDArray[np.int16],
    weights: NDArray[np.float64],
    source: int,
    limit: int,
    similarity: NDArray[np.float32] | None = None,
    least_share: float = 0.0,
    decay: float = 1.0,
) -> DraftTree:
    """Merge continuations into a trie and keep its `limit` heaviest nodes, heaviest first.

    `continuations` [m, c] is padded with -1 (any negative id ends a row); `match_lengths` [m] and `weights` [m] > 0
    belong to its rows. A node's weight is the sum of the rows that pass through it (REST, arXiv 2311.08252: how many
    matches contain the prefix); its vote share is its part of the weight of all rows that reach its parent, rows that
    ended there included, and its probability that times `decay`: with less than 1, a place further down a branch is
    worth less than one higher up with as many votes. Nodes with less than `least_share` of the whole weight are left
    out.
    """
    rows, width = continuations.shape
    if rows == 0 or width == 0 or limit <= 0:
        return DraftTree.empty()
    tokens: list[int] = []
    parents: list[int] = []
    shares: list[float] = []
    lengths: list[int] = []
    similarities: list[float] = []
    ranks: list[int] = []
    columns = continuations.T.tolist()
    row_weights = weights.tolist()
    row_lengths = match_lengths.tolist()
    row_similarities = similarity.tolist() if similarity is not None else [0.0] * rows
    # A heap of groups of rows that share a prefix: (-decayed weight, order of discovery, rank, parent, depth, weight,
    # rows).
    heap: list[tuple[float, int, int, int, int, float, list[int]]] = []
    discovered = 0

    def split(parent: int, depth: int, members: Sequence[int]) -> None:
        nonlocal discovered
        if depth >= width:
            return
        column = columns[depth]
        groups: dict[int, list[int]] = {}
        for row in members:
            token = column[row]
            if token >= 0:
                group = groups.get(token)
                if group is None:
                    groups[token] = [row]
                else:
                    group.append(row)
        weighed = [(-sum([row_weights[row] for row in group]), group) for group in groups.values()]
        weighed.sort(key=lambda pair: pair[0])
        factor = decay ** (depth + 1)
        for rank, (weight, group) in enumerate(weighed[:limit]):
            heapq.heappush(heap, (weight * factor, discovered, rank, parent, depth, -weight, group))
            discovered += 1

    totals = {-1: sum(row_weights)}
    least = least_share * totals[-1]
    split(-1, 0, range(rows))
    while heap and len(tokens) < limit:
        decayed, _, rank, parent, depth, weight, members = heapq.heappop(heap)
        if -decayed < least:
            break
        node = len(tokens)
        tokens.append(columns[depth][members[0]])
        parents.append(parent)
        shares.append(weight / totals[parent])
        totals[node] = weight
        lengths.append(max([row_lengths[row] for row in members]) + depth)
        similarities.append(max([row_similarities[row] for row in members]))
        ranks.append(rank)
        split(node, depth + 1, members)
    share = np.array(shares, dtype=np.float32)
    evidence = np.array([lengths, shares, similarities, ranks, *([[0.0] * len(tokens)] * 2)], dtype=np.float32).T
    return DraftTree(
        np.array(tokens, dtype=np.int32),
        np.array(parents, dtype=np.int32),
        np.full(len(tokens), source, dtype=np.uint8),
        evidence,
        share * np.float32(decay),
    )


def fuse(trees: Sequence[DraftTree]) -> DraftTree:
    """One tree that holds every path of `trees`, common prefixes shared (RASD, arXiv 2503.03434, fusion).

    A node that several trees hold gets all their source bits, the largest of each evidence column but the smallest
    rank, and the largest probability.
    """
    filled = [tree for tree in trees if len(tree)]
    if len(filled) <= 1:
        return filled[0] if filled else DraftTree.empty()
    places: dict[tuple[int, int], int] = {}
    tokens: list[int] = []
    parents: list[int] = []
    source: list[int] = []
    evidence: list[list[float]] = []
    probability: list[float] = []
    for tree in filled:
        mapping: list[int] = []
        rows = zip(
            tree.tokens.tolist(),
            tree.parents.tolist(),
            tree.source.tolist(),
            tree.evidence.tolist(),
            tree.probability.tolist(),
            strict=True,
        )
        for token, parent, bits, features, chance in rows:
            above = mapping[parent] if parent >= 0 else -1
            place = places.get((above, token))
            if place is None:
                place = places[above, token] = len(tokens)
                tokens.append(token)
                parents.append(above)
                source.append(bits)
                evidence.append(features)
                probability.append(chance)
            else:
                source[place] |= bits
                known = evidence[place]
                best = [max(pair) for pair in zip(known, features, strict=True)]
                best[SIBLING_RANK] = min(known[SIBLING_RANK], features[SIBLING_RANK])
                evidence[place] = best
                probability[place] = max(probability[place], chance)
            mapping.append(place)
    return DraftTree(
        np.array(tokens, dtype=np.int32),
        np.array(parents, dtype=np.int32),
        np.array(source, dtype=np.uint8),
        np.array(evidence, dtype=np.float32),
        np.array(probability, dtype=np.float32),
    )


def without_branches(tree: DraftTree, tops: Sequence[int]) -> DraftTree:
    """The tree without the nodes `tops` and all that hangs below them."""
    if not tops:
        return tree
    gone = set(tops)
    kept: list[int] = []
    place = {-1: -1}
    for node, parent in enumerate(tree.parents.tolist()):
        if node in gone or parent in gone:
            gone.add(node)
        else:
            place[node] = len(kept)
            kept.append(node)
    picked = np.array(kept, dtype=np.intp)
    return DraftTree(
        tree.tokens[picked],
        np.array([place[parent] for parent in tree.parents[picked].tolist()], dtype=np.int32),
        tree.source[picked],
        tree.evidence[picked],
        tree.probability[picked],
    )


class Ranked:
    """The nodes of a tree by path probability, none deeper than `deepest`: ready to be cut to any number."""

    def __init__(self, tree: DraftTree, deepest: int | None = None) -> None:
        self._tree = tree
        probability = path_probabilities(tree)
        order = np.argsort(-probability, kind="stable")
        if deepest is not None and deepest < len(tree):
            order = order[depths(tree)[order] <= deepest]
        self._order = order
        self.gains: NDArray[np.float64] = probability[order]
        """[n] path probabilities, descending"""

    def best(self, limit: int) -> DraftTree:
        """The `limit` best nodes. A path probability never exceeds its parent's, so they form a tree; ties go to the
        earlier node. The most probable branch comes first (depth-first), which keeps accepted paths together in the KV
        cache."""
        if limit <= 0:
            return DraftTree.empty()
        return _take_depth_first(self._tree, self._order[:limit].tolist())


def cut(tree: DraftTree, limit: int, deepest: int | None = None) -> DraftTree:
    """The `limit` nodes with the highest path probability, none deeper than `deepest`."""
    if limit <= 0 or len(tree) == 0 or deepest == 0:
        return DraftTree.empty()
    return Ranked(tree, deepest).best(limit)


def _take_depth_first(tree: DraftTree, chosen: Sequence[int]) -> DraftTree:
    """The nodes `chosen` (best first, closed under parents) in depth-first order, best child first."""
    parents = tree.parents.tolist()
    children: dict[int, list[int]] = {}
    for node in reversed(chosen):
        children.setdefault(parents[node], []).append(node)
    visited: list[int] = []
    place = {-1: -1}
    stack = list(children.get(-1, ()))
    while stack:
        node = stack.pop()
        place[node] = len(visited)
        visited.append(node)
        stack.extend(children.get(node, ()))
    picked = np.array(visited, dtype=np.intp)
    return DraftTree(
        tree.tokens[picked],
        np.array([place[parents[node]] for node in visited], dtype=np.int32),
        tree.source[picked],
        tree.evidence[picked],
        tree.probability[picked],
    )
