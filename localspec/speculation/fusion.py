"""Unites finished trees (RASD, arXiv 2503.03434)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from localspec.speculation.tree import SIBLING_RANK, DraftTree


class TreeNodes:
    """The nodes of a tree while it is built, one list for each array of `DraftTree`."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.source: list[int] = []
        self.evidence: list[Sequence[float]] = []
        self.probability: list[float] = []

    def tree(self, path_probability: list[float] | None = None) -> DraftTree:
        """As arrays; `path_probability` where it is known already."""
        if not self.tokens:
            return DraftTree.empty()
        arrays = (
            np.array(self.tokens, np.int32),
            np.array(self.parents, np.int32),
            np.array(self.source, np.uint8),
            np.array(self.evidence, np.float32),
            np.array(self.probability, np.float32),
        )
        if path_probability is None:
            return DraftTree.of(*arrays)
        return DraftTree(*arrays, np.array(path_probability, np.float64))


def fuse(trees: Sequence[DraftTree]) -> DraftTree:
    """One tree that holds every path of `trees`, common prefixes shared (RASD, arXiv 2503.03434, fusion).

    A node that several trees hold gets all their source bits, the largest of each evidence column but the smallest
    rank, and the largest probability. This is no `build_tree` of all their matches: there all matches would vote
    together, here each method keeps its own shares, as published.
    """
    filled = [tree for tree in trees if len(tree)]
    if len(filled) <= 1:
        return filled[0] if filled else DraftTree.empty()
    nodes = TreeNodes()
    places: dict[tuple[int, int], int] = {}
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
        for token, parent, source, evidence, probability in rows:
            above = mapping[parent] if parent >= 0 else -1
            place = places.get((above, token))
            if place is None:
                place = places[above, token] = len(nodes.tokens)
                nodes.tokens.append(token)
                nodes.parents.append(above)
                nodes.source.append(source)
                nodes.evidence.append(evidence)
                nodes.probability.append(probability)
            else:
                nodes.source[place] |= source
                known = nodes.evidence[place]
                best = [max(pair) for pair in zip(known, evidence, strict=True)]
                best[SIBLING_RANK] = min(known[SIBLING_RANK], evidence[SIBLING_RANK])
                nodes.evidence[place] = best
                nodes.probability[place] = max(nodes.probability[place], probability)
            mapping.append(place)
    return nodes.tree()
