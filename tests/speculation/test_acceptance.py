"""Acceptance estimates: priors, and what replies teach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.acceptance import (
    LONGEST_BUCKET,
    PRIOR_DRAFT,
    PRIOR_HIT,
    PRIOR_NEAR,
    PRIOR_WEIGHT,
    Acceptance,
)
from localspec.speculation.tree import (
    SOURCE_DRAFT,
    SOURCE_DRESD,
    SOURCE_PROMPT,
    SOURCE_REST,
    DraftTree,
    path_probabilities,
)
from tests.speculation.scripted import make_tree, paths_of
from tests.speculation.strategies import draft_trees

NOTHING = np.empty(0, np.int32)


def match(length: int, share: float = 1.0) -> DraftTree:
    return make_tree([7], [-1], [share], evidence=[[length, share, 0, 0]])


def test_priors_are_probabilities_that_grow_with_the_match():
    assert len(PRIOR_HIT) == LONGEST_BUCKET + 1
    assert (np.diff(PRIOR_HIT) >= 0).all()
    assert 0 < PRIOR_HIT[0] < PRIOR_HIT[-1] < 1


@pytest.mark.parametrize("length", [0, 2, 7, 16, 24, 100])
def test_a_share_is_scaled_by_the_prior_of_its_match_length(length):
    (probability,) = Acceptance().calibrate(match(length, 0.5)).probability
    assert probability == pytest.approx(0.5 * PRIOR_HIT[min(length, LONGEST_BUCKET)])


@given(draft_trees())
def test_calibration_changes_probabilities_only_and_keeps_trees_closed(tree):
    calibrated = Acceptance().calibrate(tree)
    assert paths_of(calibrated) == paths_of(tree)
    assert calibrated.source.tolist() == tree.source.tolist()
    assert ((calibrated.probability >= 0) & (calibrated.probability <= 1)).all()
    values = path_probabilities(calibrated)
    for node, parent in enumerate(tree.parents.tolist()):
        assert parent < 0 or values[node] <= values[parent]


def test_hits_and_misses_move_only_their_own_length():
    acceptance = Acceptance()
    before = {length: float(acceptance.calibrate(match(length)).probability[0]) for length in (4, 6, 8)}
    for _ in range(30):
        acceptance.observe(match(4), np.array([0], np.int32))
        acceptance.observe(match(8), NOTHING)
    after = {length: float(acceptance.calibrate(match(length)).probability[0]) for length in (4, 6, 8)}
    prior = {length: float(PRIOR_HIT[length]) for length in (4, 8)}
    assert after[4] == pytest.approx((prior[4] * PRIOR_WEIGHT + 30) / (PRIOR_WEIGHT + 30))
    assert after[8] == pytest.approx(prior[8] * PRIOR_WEIGHT / (PRIOR_WEIGHT + 30))
    assert after[6] == before[6]


def test_every_visited_node_with_children_is_one_trial():
    # root -> 1 -> 2 -> 3, and root -> 9; accepted: 1, 2. Visited with children: root (hit), 1 (hit), 2 (miss).
    tree = make_tree(
        [1, 9, 2, 3], [-1, -1, 0, 2], [1.0] * 4, evidence=[[3, 1, 0, 0], [2, 1, 0, 1], [4, 1, 0, 0], [5, 1, 0, 0]]
    )
    acceptance = Acceptance()
    acceptance.observe(tree, np.array([0, 2], np.int32))

    def rate(length: int) -> float:
        return float(acceptance.calibrate(match(length)).probability[0])

    assert rate(3) == pytest.approx((PRIOR_HIT[3] * PRIOR_WEIGHT + 1) / (PRIOR_WEIGHT + 1))
    assert rate(4) == pytest.approx((PRIOR_HIT[4] * PRIOR_WEIGHT + 1) / (PRIOR_WEIGHT + 1))
    assert rate(5) == pytest.approx(PRIOR_HIT[5] * PRIOR_WEIGHT / (PRIOR_WEIGHT + 1))
    assert rate(2) == pytest.approx(PRIOR_HIT[2]), "children of one node share one trial, under the longest match"


def test_an_empty_tree_teaches_nothing():
    acceptance = Acceptance()
    acceptance.observe(DraftTree.empty(), NOTHING)
    assert float(acceptance.calibrate(match(4)).probability[0]) == pytest.approx(PRIOR_HIT[4])


def near(similarity: float, source: int = SOURCE_DRESD, length: int = 0) -> DraftTree:
    return make_tree([7], [-1], [1.0], source, evidence=[[length, 1, similarity, 0]])


def test_nearest_states_have_rates_of_their_own():
    assert len(PRIOR_NEAR) == 11
    assert (np.diff(PRIOR_NEAR) >= 0).all()
    acceptance = Acceptance()
    for similarity, bucket in ((0.42, 4), (0.68, 7), (0.96, 10), (1.0, 10), (-0.3, 0)):
        assert float(acceptance.calibrate(near(similarity)).probability[0]) == pytest.approx(PRIOR_NEAR[bucket])
    # Found by both kinds of search, the better evidence counts.
    both = SOURCE_DRESD | SOURCE_REST
    assert float(acceptance.calibrate(near(0.5, both, 16)).probability[0]) == pytest.approx(PRIOR_HIT[16])
    assert float(acceptance.calibrate(near(1.0, both, 2)).probability[0]) == pytest.approx(PRIOR_NEAR[10])


def test_a_kind_learns_from_its_own_drafts_only():
    # The root's children: 1 by exact match, 2 by nearest state; the target took 2.
    tree = make_tree([1, 2], [-1, -1], [1.0, 1.0], evidence=[[6, 1, 0, 0], [0, 1, 0.8, 1]])
    tree.source[:] = [SOURCE_PROMPT, SOURCE_DRESD]
    acceptance = Acceptance()
    acceptance.observe(tree, np.array([1], np.int32))
    exact = float(acceptance.calibrate(match(6)).probability[0])
    dense = float(acceptance.calibrate(near(0.8)).probability[0])
    assert exact == pytest.approx(PRIOR_HIT[6] * PRIOR_WEIGHT / (PRIOR_WEIGHT + 1))
    assert dense == pytest.approx((PRIOR_NEAR[8] * PRIOR_WEIGHT + 1) / (PRIOR_WEIGHT + 1))


# -- the draft model's nodes ------------------------------------------------------------------------------------------


def guess(probability: float, source: int = SOURCE_DRAFT, length: int = 0, share: float = 0.0) -> DraftTree:
    return make_tree([7], [-1], [0.5], source, evidence=[[length, share, 0, 0, probability]])


def chance_of(acceptance: Acceptance, tree: DraftTree) -> float:
    return float(acceptance.calibrate(tree).probability[0])


@given(st.lists(st.floats(0.0, 1.0, width=32), min_size=1, max_size=8))
def test_a_draft_model_is_taken_at_its_word_at_first(probabilities):
    """Between the measured probabilities too, so siblings keep the order in which it has them."""
    assert PRIOR_DRAFT[0] == 0
    assert PRIOR_DRAFT[-1] == 1
    probabilities.sort(reverse=True)
    count = len(probabilities)
    evidence = [[0, 0, 0, rank, probability] for rank, probability in enumerate(probabilities)]
    siblings = make_tree(range(count), [-1] * count, source=SOURCE_DRAFT, evidence=evidence)
    calibrated = Acceptance().calibrate(siblings).probability
    assert calibrated.tolist() == pytest.approx(probabilities, abs=1e-6)
    assert (np.diff(calibrated) <= 1e-7).all()


def test_siblings_whose_probabilities_differ_a_little_are_told_apart():
    tree = make_tree([1, 2, 3], [-1] * 3, source=SOURCE_DRAFT, evidence=[[0, 0, 0, 0, p] for p in (0.33, 0.32, 0.31)])
    acceptance = Acceptance()
    assert (np.diff(acceptance.calibrate(tree).probability) < 0).all()
    acceptance.observe(tree, np.array([0], np.int32))
    assert (np.diff(acceptance.calibrate(tree).probability) < 0).all()


def test_about_as_probable_guesses_learn_together():
    acceptance = Acceptance()
    for _ in range(30):
        acceptance.observe(guess(0.51), NOTHING)
        acceptance.observe(guess(0.79), np.array([0], np.int32))
    half = 0.5 * PRIOR_WEIGHT / (PRIOR_WEIGHT + 30)
    high = (0.8 * PRIOR_WEIGHT + 30) / (PRIOR_WEIGHT + 30)
    assert chance_of(acceptance, guess(0.5)) == pytest.approx(half)
    assert chance_of(acceptance, guess(0.8)) == pytest.approx(high)
    for untouched in (0.0, 0.2, 0.45, 0.55, 0.65, 0.75, 0.85, 1.0):
        assert chance_of(acceptance, guess(untouched)) == pytest.approx(untouched)
    assert chance_of(acceptance, guess(0.525)) == pytest.approx((half + 0.55) / 2), "on a straight line between two"
    assert chance_of(acceptance, guess(0.79)) == pytest.approx(0.75 + (high - 0.75) * 0.8, rel=1e-5)


def test_each_guess_at_a_visited_place_is_a_trial():
    # root -> 1 (0.6), 2 (0.3), 3 (0.3); 1 -> 4 (0.9); 4 -> 5 (0.8); 2 -> 6 (0.7). Accepted: 1, 4.
    tree = make_tree(
        [1, 2, 3, 4, 5, 6],
        [-1, -1, -1, 0, 3, 1],
        source=SOURCE_DRAFT,
        evidence=[[0, 0, 0, 0, probability] for probability in (0.6, 0.3, 0.3, 0.9, 0.8, 0.7)],
    )
    acceptance = Acceptance()
    acceptance.observe(tree, np.array([0, 3], np.int32))

    def expected(probability: float, hits: int, trials: int) -> object:
        return pytest.approx((probability * PRIOR_WEIGHT + hits) / (PRIOR_WEIGHT + trials))

    assert chance_of(acceptance, guess(0.6)) == expected(0.6, 1, 1)
    assert chance_of(acceptance, guess(0.9)) == expected(0.9, 1, 1)
    assert chance_of(acceptance, guess(0.8)) == expected(0.8, 0, 1)
    assert chance_of(acceptance, guess(0.3)) == expected(0.3, 0, 2), "siblings are trials of their own"
    assert chance_of(acceptance, guess(0.7)) == expected(0.7, 0, 0), "its parent was not visited"


def test_what_a_draft_model_and_a_search_know_of_a_node():
    acceptance = Acceptance()
    both = SOURCE_DRAFT | SOURCE_REST
    assert chance_of(acceptance, guess(0.9, both, 2, 1.0)) == pytest.approx(0.9)
    assert chance_of(acceptance, guess(0.1, both, 16, 1.0)) == pytest.approx(PRIOR_HIT[16])
    assert chance_of(acceptance, guess(0.1, both, 16, 0.5)) == pytest.approx(0.5 * PRIOR_HIT[16])
    assert chance_of(acceptance, guess(0.9, SOURCE_REST, 2, 1.0)) == pytest.approx(PRIOR_HIT[2]), "it did not guess it"
    assert chance_of(acceptance, guess(0.4, SOURCE_DRAFT, 24, 1.0)) == pytest.approx(0.4), "nobody found it"


def test_searches_and_the_draft_model_learn_apart():
    # Root's children: 1 found, 2 guessed, 3 both; the target took 3.
    tree = make_tree(
        [1, 2, 3],
        [-1, -1, -1],
        source=[SOURCE_REST, SOURCE_DRAFT, SOURCE_REST | SOURCE_DRAFT],
        evidence=[[6, 0.5, 0, 0, 0], [0, 0, 0, 1, 0.2], [6, 0.5, 0, 0, 0.7]],
    )
    acceptance = Acceptance()
    acceptance.observe(tree, np.array([2], np.int32))
    assert chance_of(acceptance, match(6)) == pytest.approx((PRIOR_HIT[6] * PRIOR_WEIGHT + 1) / (PRIOR_WEIGHT + 1))
    assert chance_of(acceptance, guess(0.2)) == pytest.approx(0.2 * PRIOR_WEIGHT / (PRIOR_WEIGHT + 1))
    assert chance_of(acceptance, guess(0.7)) == pytest.approx((0.7 * PRIOR_WEIGHT + 1) / (PRIOR_WEIGHT + 1))
    assert chance_of(acceptance, guess(0.0)) == 0, "a found node is no guess of probability 0"
    before = chance_of(acceptance, guess(0.35))
    acceptance.observe(match(4), NOTHING)
    assert chance_of(acceptance, guess(0.35)) == before


@given(draft_trees(), st.integers(0, 10))
def test_chances_stay_chances_whatever_is_observed(tree, seed):
    acceptance = Acceptance()
    stream = np.random.default_rng(seed)
    for _ in range(20):
        path: list[int] = []
        while len(below := np.flatnonzero(tree.parents == (path[-1] if path else -1))) and stream.random() < 0.7:
            path.append(int(stream.choice(below)))
        acceptance.observe(tree, np.array(path, np.int32))
    probability = acceptance.calibrate(tree).probability
    assert ((probability >= 0) & (probability <= 1)).all()


def test_what_a_draft_model_passed_over_is_doubted_and_learnt_apart():
    # The root's children: 1 retrieved and drafted, 2 retrieved only.
    tree = make_tree(
        [1, 2], [-1, -1], [1.0, 1.0], [SOURCE_DRAFT | SOURCE_REST, SOURCE_REST], [[8, 1, 0, 0, 0.1], [8, 1, 0, 1, 0.0]]
    )
    acceptance = Acceptance()
    agreed, doubted = acceptance.calibrate(tree).probability
    assert agreed == pytest.approx(PRIOR_HIT[8])
    assert 0 < doubted < agreed / 2
    for _ in range(50):
        acceptance.observe(tree, np.array([1], np.int32))
    agreed_now, doubted_now = acceptance.calibrate(tree).probability
    assert doubted_now > 0.8
    assert agreed_now < agreed
    rests = float(acceptance.calibrate(match(8)).probability[0])
    assert rests == pytest.approx(agreed_now), "without a draft model in the tree nothing is doubted"
