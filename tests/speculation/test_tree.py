"""Draft trees against brute force."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.tree import (
    DRAFT_PROBABILITY,
    EVIDENCE,
    MATCH_LENGTH,
    PADDING,
    SIBLING_RANK,
    SIMILARITY,
    VOTE_SHARE,
    DraftTree,
    cut,
    depths,
    from_continuations,
    fuse,
    path_probabilities,
    without_branches,
)
from tests.speculation.scripted import make_tree, paths_of
from tests.speculation.strategies import draft_trees

Path = tuple[int, ...]

ROWS = st.integers(1, 5).flatmap(
    lambda width: st.lists(
        st.tuples(
            st.lists(st.integers(0, 2), max_size=width).map(lambda ids: ids + [PADDING] * (width - len(ids))),
            st.integers(2, 16),
            st.sampled_from([1.0, 2.0, 4.0, 16.0, 1024.0]),  # sums of these are exact
            st.sampled_from([0.0, 0.25, 0.5, 1.0]),
        ),
        max_size=12,
    )
)


def brute_force_trie(rows: list[tuple[list[int], int, float, float]]) -> dict[Path, float]:
    """Weight of every prefix of every continuation."""
    weights: dict[Path, float] = defaultdict(float)
    for continuation, _, weight, _ in rows:
        for length in range(1, len(continuation) + 1):
            if continuation[length - 1] == PADDING:
                break
            weights[tuple(continuation[:length])] += weight
    return dict(weights)


def build(rows: list[tuple[list[int], int, float, float]], limit: int, least_share: float = 0.0) -> DraftTree:
    width = len(rows[0][0]) if rows else 3
    return from_continuations(
        np.array([row[0] for row in rows], np.int32).reshape(len(rows), width),
        np.array([row[1] for row in rows], np.int16),
        np.array([row[2] for row in rows], np.float64),
        2,
        limit,
        np.array([row[3] for row in rows], np.float32),
        least_share,
    )


@given(ROWS, st.integers(0, 30))
def test_a_trie_of_continuations_equals_brute_force(rows, limit):
    tree = build(rows, limit)
    trie = brute_force_trie(rows)
    total = sum(row[2] for row in rows)
    paths = paths_of(tree)

    assert len(set(paths)) == len(paths) == min(limit, len(trie))
    assert set(paths) <= set(trie)
    assert (tree.source == 2).all()
    weights = [trie[path] for path in paths]
    assert weights == sorted(weights, reverse=True), "heaviest first"
    assert weights == sorted(trie.values(), reverse=True)[: len(paths)], "no heavier node was left out"
    for node, path in enumerate(paths):
        passing = [row for row in rows if tuple(row[0][: len(path)]) == path]
        siblings = [weight for other, weight in trie.items() if len(other) == len(path) and other[:-1] == path[:-1]]
        share = np.float32(trie[path] / (trie[path[:-1]] if len(path) > 1 else total))
        length, vote, similarity, rank, drafted, again = tree.evidence[node]
        assert tree.probability[node] == vote == share
        assert length == max(row[1] for row in passing) + len(path) - 1
        assert similarity == np.float32(max(row[3] for row in passing))
        assert drafted == again == 0, "no model has seen it"
        assert (
            sum(weight > trie[path] for weight in siblings) <= rank < sum(weight >= trie[path] for weight in siblings)
        )


@given(ROWS, st.integers(0, 30), st.sampled_from([0.02, 0.25, 0.5, 1.0]))
def test_nodes_with_too_small_a_share_are_left_out(rows, limit, least_share):
    whole = build(rows, limit)
    tree = build(rows, limit, least_share)
    trie = brute_force_trie(rows)
    least = least_share * sum(row[2] for row in rows)
    assert paths_of(tree) == [path for path in paths_of(whole) if trie[path] >= least]


@given(ROWS)
def test_shares_of_siblings_add_up_to_one_at_most(rows):
    tree = build(rows, 1000)
    for parent in range(-1, len(tree)):
        children = tree.probability[tree.parents == parent]
        assert children.sum() <= 1.0 + 1e-6


def test_a_row_that_ends_leaves_its_share_unused():
    tree = build([([1, 2], 4, 1.0, 0.0), ([1, PADDING], 4, 3.0, 0.0)], 9)
    assert paths_of(tree) == [(1,), (1, 2)]
    assert tree.probability.tolist() == [1.0, 0.25]


def test_nothing_to_merge_gives_the_empty_tree():
    nothing = from_continuations(np.empty((0, 10), np.int32), np.empty(0, np.int16), np.empty(0), 1, 10)
    only_padding = build([([PADDING, PADDING], 3, 1.0, 0.0)], 5)
    for tree in (nothing, only_padding, fuse([]), fuse([DraftTree.empty()] * 2), cut(DraftTree.empty(), 5)):
        assert len(tree) == 0
        assert tree.evidence.shape == (0, EVIDENCE)
        assert tree.tokens.dtype == tree.parents.dtype == np.int32


@given(st.lists(draft_trees(), max_size=4))
def test_fusion_is_exactly_the_union_of_paths(trees):
    fused = fuse(trees)
    paths = paths_of(fused)
    assert len(set(paths)) == len(paths)
    holders: dict[Path, list[tuple[DraftTree, int]]] = defaultdict(list)
    for tree in trees:
        for node, path in enumerate(paths_of(tree)):
            holders[path].append((tree, node))
    assert set(paths) == set(holders)
    assert all(parent < node for node, parent in enumerate(fused.parents.tolist())), "parents precede children"
    for node, path in enumerate(paths):
        held = holders[path]
        assert fused.source[node] == np.bitwise_or.reduce([tree.source[place] for tree, place in held])
        assert fused.probability[node] == max(tree.probability[place] for tree, place in held)
        for column in (MATCH_LENGTH, VOTE_SHARE, SIMILARITY, DRAFT_PROBABILITY):
            assert fused.evidence[node, column] == max(tree.evidence[place, column] for tree, place in held)
        assert fused.evidence[node, SIBLING_RANK] == min(tree.evidence[place, SIBLING_RANK] for tree, place in held)


@given(draft_trees(), st.lists(st.integers(0, 13), max_size=5))
def test_a_branch_goes_with_all_that_hangs_below_it(tree, wishes):
    tops = [wish for wish in wishes if wish < len(tree)]
    kept = without_branches(tree, tops)
    paths = paths_of(tree)
    gone = [paths[top] for top in tops]
    left = [node for node, path in enumerate(paths) if not any(path[: len(top)] == top for top in gone)]
    assert paths_of(kept) == [paths[node] for node in left], "in the order in which they were"
    for column in ("tokens", "source", "probability", "evidence"):
        assert getattr(kept, column).tolist() == getattr(tree, column)[left].tolist()
        assert getattr(kept, column).dtype == getattr(tree, column).dtype
    assert kept.parents.dtype == np.int32
    assert kept.evidence.shape == (len(left), EVIDENCE)


@given(draft_trees(), st.integers(-1, 16), st.none() | st.integers(0, 6))
def test_a_cut_keeps_the_best_nodes(tree, limit, deepest):
    kept = cut(tree, limit, deepest)
    whole = dict(zip(paths_of(tree), path_probabilities(tree).tolist(), strict=True))
    reachable = {path: value for path, value in whole.items() if deepest is None or len(path) <= deepest}
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
    probability = path_probabilities(kept)
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
        assert path_probabilities(tree)[node] == pytest.approx(np.prod(tree.probability[above].astype(float)))
