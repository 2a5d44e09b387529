"""Random draft trees, and what they are built from, for property tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from localspec.speculation.builder import Drafted
from localspec.speculation.interface import Match
from localspec.speculation.recycled_table import TOP_K
from localspec.speculation.tree import PADDING, REJECTED, SOURCE_DRESD, SOURCE_PROMPT, SOURCE_REST, DraftTree
from tests.speculation.scripted import drafted_of, make_tree

PROBABILITIES = st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.75, 1.0])
"""Exact in binary, and few enough that ties are common."""


@st.composite
def draft_trees(draw: st.DrawFn, vocabulary: int = 4, most: int = 14, source: int | None = None) -> DraftTree:
    """Trees of up to `most` nodes without equal siblings, in any order that puts parents first."""
    parents: list[int] = []
    tokens: list[int] = []
    taken: set[tuple[int, int]] = set()
    wishes = draw(st.lists(st.tuples(st.integers(0, most), st.integers(0, vocabulary - 1)), max_size=most))
    for wish, token in wishes:
        parent = wish % (len(tokens) + 1) - 1
        if (parent, token) not in taken:
            taken.add((parent, token))
            parents.append(parent)
            tokens.append(token)
    count = len(tokens)
    probability = draw(st.lists(PROBABILITIES, min_size=count, max_size=count))
    any_bits = st.lists(st.sampled_from([1, 2, 4, 8, 3]), min_size=count, max_size=count)
    bits = [source] * count if source is not None else draw(any_bits)
    rows = st.lists(st.integers(0, 9), min_size=4, max_size=4)
    figures = draw(st.lists(rows, min_size=count, max_size=count))
    evidence = [[row[0], chance, row[2], row[3], chance] for row, chance in zip(figures, probability, strict=True)]
    return make_tree(tokens, parents, probability, bits, evidence)


@st.composite
def evident_trees(draw: st.DrawFn, most: int = 12) -> DraftTree:
    """Trees of any sources, with anything known of their nodes."""
    shape = draw(draft_trees(5, most))
    count = len(shape)
    chances = st.floats(0, 1) | st.sampled_from([0.0, 0.25, 1.0])
    row = st.tuples(
        st.integers(0, 40), chances, st.floats(-1, 1), st.integers(0, 3), chances | st.just(REJECTED), chances
    )
    evidence = draw(st.lists(row, min_size=count, max_size=count))
    bits = draw(st.lists(st.integers(1, 31), min_size=count, max_size=count))
    return make_tree(shape.tokens.tolist(), shape.parents.tolist(), shape.probability.tolist(), bits, evidence)


def paths_in(tree: DraftTree) -> st.SearchStrategy[tuple[DraftTree, NDArray[np.int32]]]:
    """A tree with a path that might be accepted."""

    def path_of(turns: list[int]) -> tuple[DraftTree, NDArray[np.int32]]:
        path: list[int] = []
        for turn in turns:
            below = np.flatnonzero(tree.parents == (path[-1] if path else -1)).tolist()
            if not below:
                break
            path.append(below[turn % len(below)])
        return tree, np.array(path, np.int32)

    return st.lists(st.integers(0, 9), max_size=6).map(path_of)


@st.composite
def parent_lists(draw: st.DrawFn, most: int = 64) -> NDArray[np.int32]:
    """Parents of the nodes of a tree of any shape, chains and bushes among them."""
    reach = draw(st.sampled_from([1, 2, 4, most]))
    wishes = draw(st.lists(st.integers(0, most), max_size=most))
    bush = draw(st.booleans())
    parents = [
        wish % (min(reach, node + 1)) - 1 if bush else node - 1 - wish % min(reach, node + 1)
        for node, wish in enumerate(wishes)
    ]
    return np.array(parents, np.int32)


def found_matches(vocabulary: int = 4, most: int = 6) -> st.SearchStrategy[list[Match]]:
    """Matches of all sources in any order; a text may end, or be padded, where the match is."""
    ngram = st.sampled_from([SOURCE_PROMPT, SOURCE_REST])
    text = st.lists(st.integers(0, vocabulary - 1) | st.just(PADDING), max_size=7)
    votes = st.floats(0.1, 9)
    of_ngrams = st.builds(Match, text, st.integers(0, 2), st.integers(2, 40), st.just(0.0), votes, ngram)
    dense = st.builds(Match, text, st.integers(0, 2), st.just(0), st.floats(-1, 1), votes, st.just(SOURCE_DRESD))
    return st.lists(of_ngrams | dense, max_size=most)


@st.composite
def drafted_trees(draw: st.DrawFn, vocabulary: int = 4, most: int = 12) -> Drafted:
    """A draft model's trees."""
    shape = draw(draft_trees(vocabulary, most))
    chances = draw(st.lists(st.floats(0.01, 0.99), min_size=len(shape), max_size=len(shape)))
    return drafted_of(list(zip(shape.tokens.tolist(), shape.parents.tolist(), chances, strict=True)))


def recycled_entries(vocabulary: int = 4) -> st.SearchStrategy[dict[int, list[tuple[int, float]]]]:
    """What is likely behind some tokens, each once."""
    behind = st.lists(
        st.tuples(st.integers(0, vocabulary - 1), st.floats(0.001, 0.9)), max_size=TOP_K, unique_by=lambda pair: pair[0]
    )
    return st.dictionaries(st.integers(0, vocabulary - 1), behind)
