"""Draft trees: the value that drafters and verification share, and pure functions that cut it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.native import steps

SOURCE_TARGET = 0
SOURCE_PROMPT = 1
SOURCE_REST = 2
SOURCE_DRESD = 4
SOURCE_DRAFT = 8
SOURCE_RECYCLED = 16
SOURCE_LEARNT = 32
IN_DOCUMENT = 64
"""Beside SOURCE_REST, SOURCE_LEARNT says that it was found in learnt answers, and this one, that in documents too;
SOURCE_REST alone is from documents. `credited` makes sources of them; a match in either is a match of REST."""
SOURCE_NAMES = {
    SOURCE_TARGET: "target",
    SOURCE_PROMPT: "prompt",
    SOURCE_REST: "REST",
    SOURCE_LEARNT: "learnt",
    SOURCE_DRESD: "DReSD",
    SOURCE_DRAFT: "draft",
    SOURCE_RECYCLED: "recycled",
}
"""Bits of `DraftTree.source`, in the order in which a token counts for them; 0 marks tokens that the target gave
without a draft."""
SOURCES_NGRAM = SOURCE_PROMPT | SOURCE_REST
"""Those that search for the same tokens; SOURCE_DRESD is dense retrieval."""

MATCH_LENGTH, VOTE_SHARE, SIMILARITY, SIBLING_RANK, DRAFT_PROBABILITY, RECYCLED_PROBABILITY = range(6)
"""Columns of `DraftTree.evidence`."""
EVIDENCE = 6
"""How many there are."""
REJECTED = -1.0
"""In place of a draft model's probability: it looked at the node's parent and did not propose the node."""

PADDING = -1
"""Marks the end of a continuation that is shorter than its array."""


def credited(source: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Sources [n] as people are told of them: what was found in learnt answers alone is not from a document."""
    marks = source & (SOURCE_LEARNT | IN_DOCUMENT)
    if not marks.any():
        return source
    # 0xFF - bit leaves all others.
    return source & np.where(marks == SOURCE_LEARNT, 0xFF - SOURCE_REST, 0xFF - IN_DOCUMENT).astype(np.uint8)


def source_names(bits: int) -> list[str]:
    """Names of those that proposed a token, the one it counts for first; the target's own for 0."""
    return [name for bit, name in SOURCE_NAMES.items() if bits & bit] or [SOURCE_NAMES[SOURCE_TARGET]]


class Evidence(NamedTuple):
    """What is known of one node."""

    source: int  # bits as in `DraftTree.source`
    match_length: float
    vote_share: float
    similarity: float
    draft_probability: float
    recycled_probability: float
    rejected: bool  # the draft model looked at the node's parent and did not propose it
    depth: int  # children of the root have 1


class Estimate(Protocol):
    """P(accepted | parent accepted) from the fields of `Evidence`, one by one: a step asks for some hundred nodes, and
    a tuple for each would take longer than the call."""

    def __call__(
        self,
        source: int,
        match_length: float,
        vote_share: float,
        similarity: float,
        draft_probability: float,
        recycled_probability: float,
        rejected: bool,
        depth: int,
        /,
    ) -> float:
        """A probability."""


@dataclass(frozen=True, slots=True)
class DraftTree:
    """Draft tokens with parent links. An empty tree means "no draft"."""

    tokens: NDArray[np.int32]  # [n] token ids
    parents: NDArray[np.int32]  # [n] index of the parent, -1 = child of the root; parents precede children
    source: NDArray[np.uint8]  # [n] bit set of the drafters that proposed the node
    evidence: NDArray[np.float32]
    """[n, 6]: match length, vote share, similarity, rank among siblings, the draft model's probability, the probability
    that the target itself gave the token the last time it stood behind its parent's"""
    probability: NDArray[np.float32]  # [n] P(accepted | parent accepted)
    path_probability: NDArray[np.float64]
    """[n] P(node is on the accepted path): the product of `probability` from the root; never more than the parent's"""
    block: NDArray[np.uint8] | None = None
    """the memory that the others are views of, where native code made them"""

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def native(self) -> tuple[NDArray[np.uint8], int]:
        """As native code takes it: its block, and the number of nodes."""
        block = self.block
        if block is None:
            arrays = self.tokens, self.parents, self.source, self.evidence, self.probability, self.path_probability
            block = steps.pack(arrays)
        return block, len(self.tokens)

    @staticmethod
    def of_native(block: NDArray[np.uint8], nodes: int) -> DraftTree:
        """A tree that native code made."""
        return DraftTree(*steps.unpack(block, nodes), block) if nodes else _EMPTY

    @staticmethod
    def empty() -> DraftTree:
        """The tree that drafts nothing."""
        return _EMPTY

    @staticmethod
    def of(
        tokens: NDArray[np.int32],
        parents: NDArray[np.int32],
        source: NDArray[np.uint8],
        evidence: NDArray[np.float32],
        probability: NDArray[np.float32],
    ) -> DraftTree:
        """A tree whose path probabilities are multiplied here."""
        paths: list[float] = []
        for parent, conditional in zip(parents.tolist(), probability.tolist(), strict=True):
            paths.append(conditional * (paths[parent] if parent >= 0 else 1.0))
        return DraftTree(tokens, parents, source, evidence, probability, np.array(paths, np.float64))

    def take(self, nodes: Sequence[int]) -> DraftTree:
        """The tree of `nodes`, which hold the parents of all of them, each before its children."""
        place = {-1: -1} | {node: number for number, node in enumerate(nodes)}
        picked = np.array(nodes, dtype=np.intp)
        return DraftTree(
            self.tokens[picked],
            np.array([place[parent] for parent in self.parents[picked].tolist()], dtype=np.int32),
            self.source[picked],
            self.evidence[picked],
            self.probability[picked],
            self.path_probability[picked],
        )


_EMPTY = DraftTree(
    np.empty(0, np.int32),
    np.empty(0, np.int32),
    np.empty(0, np.uint8),
    np.empty((0, EVIDENCE), np.float32),
    np.empty(0, np.float32),
    np.empty(0, np.float64),
)


def depths(tree: DraftTree) -> NDArray[np.int32]:
    """Depth of every node [n]; children of the root have 1."""
    result = [0] * (len(tree) + 1)
    for node, parent in enumerate(tree.parents.tolist()):
        result[node] = result[parent] + 1 if parent >= 0 else 1
    return np.array(result[: len(tree)], dtype=np.int32)


def evidence_of(tree: DraftTree) -> list[Evidence]:
    """What is known of each node. Siblings of nodes that the draft model proposed are rejected by it, too."""
    parents, source = tree.parents.tolist(), tree.source.tolist()
    expanded = {parent for parent, bits in zip(parents, source, strict=True) if bits & SOURCE_DRAFT}
    known: list[Evidence] = []
    for parent, bits, row in zip(parents, source, tree.evidence.tolist(), strict=True):
        length, share, similarity, _, drafted, recycled = row
        rejected = not bits & SOURCE_DRAFT and (drafted == REJECTED or parent in expanded)
        depth = known[parent].depth + 1 if parent >= 0 else 1
        known.append(Evidence(bits, length, share, similarity, drafted, recycled, rejected, depth))
    return known


def without_branches(tree: DraftTree, tops: Sequence[int]) -> DraftTree:
    """The tree without the nodes `tops` and all that hangs below them."""
    if not tops:
        return tree
    gone = set(tops)
    kept: list[int] = []
    for node, parent in enumerate(tree.parents.tolist()):
        if node in gone or parent in gone:
            gone.add(node)
        else:
            kept.append(node)
    return tree.take(kept)


class Ranked:
    """The nodes of a tree by path probability, none deeper than `max_depth`: ready to be cut to any number."""

    def __init__(self, tree: DraftTree, max_depth: int | None = None) -> None:
        self._tree = tree
        order = np.argsort(-tree.path_probability, kind="stable")
        if max_depth is not None and max_depth < len(tree):
            order = order[depths(tree)[order] <= max_depth]
        self._order = order
        self.gains: NDArray[np.float64] = tree.path_probability[order]
        """[n] path probabilities, descending"""

    def best(self, limit: int) -> DraftTree:
        """The `limit` best nodes. A path probability never exceeds its parent's, so they form a tree; ties go to the
        earlier node. The most probable branch comes first (depth-first): accepted paths lie together in the cache."""
        if limit <= 0:
            return DraftTree.empty()
        return self._tree.take(_depth_first(self._tree, self._order[:limit].tolist()))


def cut(tree: DraftTree, limit: int, max_depth: int | None = None) -> DraftTree:
    """The `limit` nodes with the highest path probability, none deeper than `max_depth`."""
    if limit <= 0 or len(tree) == 0 or max_depth == 0:
        return DraftTree.empty()
    if steps.available():
        return DraftTree.of_native(*steps.cut(*tree.native, limit, len(tree) if max_depth is None else max_depth))
    return Ranked(tree, max_depth).best(limit)


def _depth_first(tree: DraftTree, chosen: Sequence[int]) -> list[int]:
    """The nodes `chosen` (best first, closed under parents) in depth-first order, best child first."""
    parents = tree.parents.tolist()
    children: dict[int, list[int]] = {}
    for node in reversed(chosen):
        children.setdefault(parents[node], []).append(node)
    visited: list[int] = []
    stack = list(children.get(-1, ()))
    while stack:
        node = stack.pop()
        visited.append(node)
        stack.extend(children.get(node, ()))
    return visited
