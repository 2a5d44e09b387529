"""Draft trees against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.tree import EVIDENCE, DraftTree, cut, depths, without_branches
from tests.speculation.scripted import make_tree, path_products, paths_of
from tests.speculation.strategies import draft_trees


@given(draft_trees(), st.lists(st.integers(0, 13), max_size=5))
def test_a_branch_goes_with_all_that_hangs_below_it(tree, wishes):
    tops = [wish for wish in wishes if wish < len(tree)]
    kept = without_branches(tree, tops)
    paths = paths_of(tree)
    gone = [paths[top] for top in tops]
    left = [node for node, path in enumerate(paths) if not any(path[: len(top)] == top for top in gone)]
    assert paths_of(kept) == [paths[node] for node in left], "in the order in which they were"
    for column in ("tokens", "source", "probability", "path_probability", "evidence"):
        assert getattr(kept, column).tolist() == getattr(tree, column)[left].tolist()
        assert getattr(kept, column).dtype == getattr(tree, column).dtype
    assert kept.parents.dtype == np.int32
    assert kept.evidence.shape == (len(left), EVIDENCE)


def test_a_cut_of_nothing_is_the_empty_tree():
    assert cut(DraftTree.empty(), 5) is DraftTree.empty()


@given(draft_trees(), st.integers(-1, 16), st.none() | st.integers(0, 6))
def test_a_cut_keeps_the_best_nodes(tree, limit, max_depth):
    kept = cut(tree, limit, max_depth)
    whole = dict(zip(paths_of(tree), tree.path_probability.tolist(), strict=True))
    reachable = {path: value for path, value in whole.items() if max_depth is None or len(path) <= max_depth}
    paths = paths_of(kept)

    assert len(set(paths)) == len(paths) == min(max(limit, 0), len(reachable))
    assert set(paths) <= set(reachable), "closed under parents and within the depth"
    values = sorted((reachable[path] for path in paths), reverse=True)
    assert values == sorted(reachable.values(), reverse=True)[: len(paths)], "no better node was left out"
    place = {path: node for node, path in enumerate(paths_of(tree))}
    for node, path in enumerate(paths):
        for column in ("tokens", "source", "probability"):
            assert getattr(kept, column)[node] == getattr(tree, column)[place[path]]
        assert kept.evidence[node].tolist() == tree.evidence[place[path]].tolist()


@given(draft_trees(), st.integers(1, 16))
def test_a_cut_lists_the_best_branch_first(tree, limit):
    kept = cut(tree, limit)
    paths = paths_of(kept)
    probability = kept.path_probability
    assert probability.tolist() == path_products(kept)
    for node in range(1, len(kept)):
        parent = int(kept.parents[node])
        above = paths[parent] if parent >= 0 else ()
        assert paths[node - 1][: len(above)] == above, "depth-first: the node before lies below the same parent"
    for parent in range(-1, len(kept)):
        siblings = probability[kept.parents == parent]
        assert (np.diff(siblings) <= 0).all(), "best child first"


@given(draft_trees())
def test_ties_go_to_the_earlier_node(tree):
    for limit in range(1, len(tree)):
        smaller, larger = (set(paths_of(cut(tree, size))) for size in (limit, limit + 1))
        assert smaller < larger, "a larger cut adds a node and exchanges none"
    flat = make_tree([3, 1, 2], [-1, -1, -1], [0.5, 0.5, 0.5])
    assert cut(flat, 2).tokens.tolist() == [3, 1]


@given(draft_trees())
def test_depths_and_path_probabilities(tree):
    paths = paths_of(tree)
    place = {path: node for node, path in enumerate(paths)}
    assert depths(tree).tolist() == [len(path) for path in paths]
    for node, path in enumerate(paths):
        above = [place[path[:length]] for length in range(1, len(path) + 1)]
        assert tree.path_probability[node] == pytest.approx(np.prod(tree.probability[above].astype(float)))
