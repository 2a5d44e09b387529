"""Random draft trees for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from localspec.speculation.tree import DraftTree
from tests.speculation.scripted import make_tree

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
