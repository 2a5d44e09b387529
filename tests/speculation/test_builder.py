"""The tree builder: matches alone against brute force, all inputs together, and the fusion of finished trees."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.acceptance import Acceptance
from localspec.speculation.builder import TreeInputs, build_reference, build_tree
from localspec.speculation.context_index import context_index
from localspec.speculation.drafters.prompt import VOTES
from localspec.speculation.fusion import fuse
from localspec.speculation.interface import Match
from localspec.speculation.tree import (
    DRAFT_PROBABILITY,
    EVIDENCE,
    MATCH_LENGTH,
    PADDING,
    RECYCLED_PROBABILITY,
    REJECTED,
    SIBLING_RANK,
    SIMILARITY,
    SOURCE_DRAFT,
    SOURCE_DRESD,
    SOURCE_PROMPT,
    SOURCE_RECYCLED,
    SOURCE_REST,
    VOTE_SHARE,
    DraftTree,
    Evidence,
    depths,
)
from tests.speculation.scripted import drafted_of, grouped, path_products, paths_of, recycled_of
from tests.speculation.strategies import draft_trees, drafted_trees, found_matches, recycled_entries

ROOT = 0
CONTEXT = np.array([ROOT], np.int32)
Path = tuple[int, ...]


def match(text: list[int], length: int = 4, votes: float = 1.0, source: int = SOURCE_PROMPT) -> Match:
    return Match(text, 0, length, 0.0, votes, source)


def simple_estimate(*values: Any) -> float:
    """One that is easy to follow."""
    evidence = Evidence(*values)
    return max(evidence.vote_share * 0.9, evidence.draft_probability, evidence.recycled_probability)


def built(inputs: TreeInputs, limit: int = 20) -> DraftTree:
    return build_reference(inputs, limit, simple_estimate, 0.0, 20)


def test_nothing_is_built_from_nothing():
    tree = built(TreeInputs(CONTEXT, []), 8)
    assert len(tree) == len(tree.path_probability) == 0
    assert len(built(TreeInputs(CONTEXT, grouped([match([])])))) == 0
    assert len(built(TreeInputs(CONTEXT, grouped([match([-1, 5])])))) == 0, "padding ends a text"
    assert len(built(TreeInputs(CONTEXT, grouped([match([5])])), limit=0)) == 0


def test_matches_vote():
    tree = built(TreeInputs(CONTEXT, grouped([match([1, 2], 6, 3.0), match([1, 3], 4, 1.0), match([4], 2, 1.0)])))
    assert dict(zip(paths_of(tree), tree.evidence[:, VOTE_SHARE].tolist(), strict=True)) == pytest.approx(
        {(1,): 0.8, (1, 2): 0.75, (1, 3): 0.25, (4,): 0.2}
    )
    lengths = dict(zip(paths_of(tree), tree.evidence[:, MATCH_LENGTH].tolist(), strict=True))
    assert lengths == {(1,): 6, (1, 2): 7, (1, 3): 5, (4,): 2}, "one more token matches at each level"
    assert tree.evidence[:, SIBLING_RANK].tolist() == [0, 0, 1, 1]


def test_texts_that_end_keep_their_vote():
    tree = built(TreeInputs(CONTEXT, grouped([match([1, 2], votes=1.0), match([1], votes=3.0)])))
    assert tree.evidence[:, VOTE_SHARE].tolist() == [1.0, 0.25]


def test_dense_matches_vote_among_themselves():
    near = Match([1], 0, 0, 0.8, 0.2, SOURCE_DRESD)
    other = Match([2], 0, 0, 0.7, 0.1, SOURCE_DRESD)
    tree = built(TreeInputs(CONTEXT, grouped([match([2], 5, 50.0), near, other])))
    rows = dict(zip(paths_of(tree), tree.evidence.tolist(), strict=True))
    assert rows[1,][VOTE_SHARE] == pytest.approx(2 / 3)
    assert rows[1,][SIMILARITY] == pytest.approx(0.8)
    assert rows[1,][MATCH_LENGTH] == 0
    assert rows[2,][VOTE_SHARE] == 1.0
    bits = dict(zip(paths_of(tree), tree.source.tolist(), strict=True))
    assert bits == {(1,): SOURCE_DRESD, (2,): SOURCE_DRESD | SOURCE_PROMPT}


def test_a_draft_models_tree_and_matches_are_one_tree():
    drafted = drafted_of([(1, -1, 0.7), (2, -1, 0.2), (3, 0, 0.9)])
    inputs = TreeInputs(CONTEXT, grouped([match([1, 4], 3)]), drafted)
    told: dict[int, Evidence] = {}

    def estimate(*values: Any) -> float:
        evidence = Evidence(*values)
        told.setdefault(evidence.source, evidence)
        return simple_estimate(*values)

    tree = build_reference(inputs, 20, estimate, 0.0, 20)
    bits = dict(zip(paths_of(tree), tree.source.tolist(), strict=True))
    assert bits == {(1,): SOURCE_DRAFT | SOURCE_PROMPT, (2,): SOURCE_DRAFT, (1, 3): SOURCE_DRAFT, (1, 4): SOURCE_PROMPT}
    assert told[SOURCE_PROMPT].rejected, "the draft model looked at its parent and did not propose it"
    assert not told[SOURCE_DRAFT | SOURCE_PROMPT].rejected


def test_below_a_node_that_the_draft_model_did_not_propose_it_says_nothing():
    inputs = TreeInputs(CONTEXT, grouped([match([5, 6])]), drafted_of([(1, -1, 0.9), (6, 0, 0.8)]))
    rows = dict(zip(paths_of(built(inputs)), built(inputs).evidence.tolist(), strict=True))
    assert rows[5, 6][DRAFT_PROBABILITY] == 0, "it never looked there"
    assert rows[5,][DRAFT_PROBABILITY] == REJECTED
    assert rows[1, 6][DRAFT_PROBABILITY] == pytest.approx(0.8)


def test_the_chat_is_looked_up_behind_nodes_that_only_a_model_proposed():
    context = np.array([ROOT, 5, 8, 4, 1, 2, 9, 7, ROOT], np.int32)
    index = context_index(VOTES)
    index.follow(context)
    drafted = drafted_of([(1, -1, 0.8), (2, 0, 0.8)])
    inputs = TreeInputs(context, grouped([match([5])]), drafted, index=index, votes=VOTES)
    for tree in (built(inputs), build_tree(inputs, 20, estimate=Acceptance(), max_depth=20)):
        bits = dict(zip(paths_of(tree), tree.source.tolist(), strict=True))
        lengths = dict(zip(paths_of(tree), tree.evidence[:, MATCH_LENGTH].tolist(), strict=True))
        assert bits[1, 2, 9] == SOURCE_PROMPT
        assert lengths[1, 2, 9] == 2
        assert bits[1, 2, 9, 7] == SOURCE_PROMPT, "and goes on from there"
        assert bits[5,] == SOURCE_PROMPT
        assert (5, 8) not in bits, "a match goes on where it was found"


def test_the_chat_is_looked_up_at_the_root():
    context = np.array([3, ROOT, 6, 4, 3, ROOT], np.int32)
    index = context_index(VOTES)
    index.follow(context)
    tree = built(TreeInputs(context, grouped([match([6], 9, VOTES[2])]), index=index, votes=VOTES))
    assert paths_of(tree)[:2] == [(6,), (6, 4)]
    assert tree.evidence[0, [MATCH_LENGTH, VOTE_SHARE]].tolist() == [9, 1.0]
    assert tree.evidence[1, [MATCH_LENGTH, VOTE_SHARE]].tolist() == [3, 0.5], "beside a text of equal votes that ends"


def test_recycled_tokens_hang_everywhere():
    table = recycled_of({ROOT: [(1, 0.6)], 1: [(2, 0.5)], 2: [(1, 0.1)]})
    tree = built(TreeInputs(CONTEXT, [], recycled=table), limit=3)
    assert paths_of(tree) == [(1,), (1, 2), (1, 2, 1)]
    assert (tree.source == SOURCE_RECYCLED).all()
    assert tree.evidence[:, RECYCLED_PROBABILITY].tolist() == pytest.approx([0.6, 0.5, 0.1])


@given(
    found_matches(),
    drafted_trees(),
    recycled_entries(),
    st.lists(st.integers(0, 3), max_size=30),
    st.integers(0, 12),
    st.sampled_from([0.0, 0.05, 0.3]),
    st.integers(1, 5),
)
def test_whatever_it_is_built_from_the_best_come_first(
    matches, drafted, table, text, limit, min_probability, max_depth
):
    context = np.array([*text, ROOT], np.int32)
    index = context_index(VOTES)
    index.follow(context)
    inputs = TreeInputs(context, grouped(matches), drafted, recycled_of(table), index, VOTES)
    tree = build_tree(inputs, limit, estimate=Acceptance(), min_probability=min_probability, max_depth=max_depth)
    paths = tree.path_probability.tolist()
    assert len(tree) == len(paths) <= limit
    assert path_products(tree) == pytest.approx(paths, rel=1e-5)
    assert all(left >= right for left, right in pairwise(paths))
    assert len(set(paths_of(tree))) == len(tree), "no node twice"
    if len(tree):
        assert min(paths) >= min_probability
        assert depths(tree).max() <= max_depth
        assert (tree.parents < np.arange(len(tree))).all()
        assert (tree.source > 0).all()
    again = Acceptance().calibrate(tree)
    assert again.probability.tolist() == pytest.approx(tree.probability.tolist(), rel=1e-3), "one scale"
    assert again.path_probability.tolist() == pytest.approx(path_products(again))


# -- matches of one kind alone ----------------------------------------------------------------------------------------

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


def build(
    rows: list[tuple[list[int], int, float, float]], limit: int, min_share: float = 0.0, source: int = SOURCE_REST
) -> DraftTree:
    dense = source == SOURCE_DRESD
    matches = [
        Match(text, 0, 0 if dense else length, similarity if dense else 0.0, votes, source)
        for text, length, votes, similarity in rows
    ]
    return build_tree(TreeInputs(CONTEXT, grouped(matches)), limit, min_probability=min_share, max_depth=5)


@given(ROWS, st.integers(0, 30), st.sampled_from([SOURCE_PROMPT, SOURCE_REST, SOURCE_DRESD]))
def test_a_trie_of_continuations_equals_brute_force(rows, limit, source):
    tree = build(rows, limit, source=source)
    dense = source == SOURCE_DRESD
    trie = brute_force_trie(rows)
    total = sum(row[2] for row in rows)
    paths = paths_of(tree)

    assert len(set(paths)) == len(paths) == min(limit, len(trie))
    assert set(paths) <= set(trie)
    assert (tree.source == source).all()
    weights = [trie[path] for path in paths]
    assert weights == sorted(weights, reverse=True), "heaviest first"
    assert weights == sorted(trie.values(), reverse=True)[: len(paths)], "no heavier node was left out"
    for node, path in enumerate(paths):
        passing = [row for row in rows if tuple(row[0][: len(path)]) == path]
        siblings = [weight for other, weight in trie.items() if len(other) == len(path) and other[:-1] == path[:-1]]
        share = np.float32(trie[path] / (trie[path[:-1]] if len(path) > 1 else total))
        length, vote, similarity, rank, drafted, again = tree.evidence[node]
        assert tree.probability[node] == vote == share
        assert length == (0 if dense else max(row[1] for row in passing) + len(path) - 1)
        assert similarity == (np.float32(max(row[3] for row in passing)) if dense else 0.0)
        assert tree.path_probability[node] == trie[path] / total
        assert drafted == again == 0, "no model has seen it"
        assert (
            sum(weight > trie[path] for weight in siblings) <= rank < sum(weight >= trie[path] for weight in siblings)
        )


@given(ROWS, st.integers(0, 30), st.sampled_from([0.02, 0.25, 0.5, 1.0]))
def test_nodes_with_too_small_a_share_are_left_out(rows, limit, min_share):
    whole = build(rows, limit)
    tree = build(rows, limit, min_share)
    trie = brute_force_trie(rows)
    least = min_share * sum(row[2] for row in rows)
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


@given(ROWS, st.sampled_from([0.5, 0.8]))
def test_with_decay_places_further_down_are_worth_less(rows, decay):
    whole = build(rows, 1000)
    matches = [Match(text, 0, 2, 0.0, votes, SOURCE_REST) for text, _, votes, _ in rows]
    tree = build_tree(TreeInputs(CONTEXT, grouped(matches)), 1000, max_depth=5, decay=decay)
    plain = dict(zip(paths_of(whole), whole.path_probability.tolist(), strict=True))
    assert set(paths_of(tree)) == set(plain)
    expected = [plain[path] * decay ** len(path) for path in paths_of(tree)]
    assert tree.path_probability.tolist() == pytest.approx(expected)
    assert path_products(tree) == pytest.approx(expected, rel=1e-5)


def test_no_node_is_deeper_than_asked():
    chain = Match([1, 2, 3, 4], 0, 4, 0.0, 1.0, SOURCE_REST)
    assert paths_of(build_tree(TreeInputs(CONTEXT, grouped([chain])), 9, max_depth=2)) == [(1,), (1, 2)]


def test_nothing_to_merge_gives_the_empty_tree():
    only_padding = build([([PADDING, PADDING], 3, 1.0, 0.0)], 5)
    for tree in (build([], 10), only_padding, fuse([]), fuse([DraftTree.empty()] * 2)):
        assert len(tree) == 0
        assert tree.evidence.shape == (0, EVIDENCE)
        assert tree.tokens.dtype == tree.parents.dtype == np.int32


# -- fusion -----------------------------------------------------------------------------------------------------------


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
    assert fused.path_probability.tolist() == path_products(fused)
    for node, path in enumerate(paths):
        held = holders[path]
        assert fused.source[node] == np.bitwise_or.reduce([tree.source[place] for tree, place in held])
        assert fused.probability[node] == max(tree.probability[place] for tree, place in held)
        for column in (MATCH_LENGTH, VOTE_SHARE, SIMILARITY, DRAFT_PROBABILITY):
            assert fused.evidence[node, column] == max(tree.evidence[place, column] for tree, place in held)
        assert fused.evidence[node, SIBLING_RANK] == min(tree.evidence[place, SIBLING_RANK] for tree, place in held)
