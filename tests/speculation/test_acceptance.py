"""Acceptance estimates: priors, and what replies teach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from localspec.speculation.acceptance import LONGEST_BUCKET, PRIOR_HIT, PRIOR_NEAR, PRIOR_WEIGHT, Acceptance
from localspec.speculation.tree import SOURCE_DRESD, SOURCE_PROMPT, SOURCE_REST, DraftTree, path_probabilities
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
    assert (calibrated.probability <= tree.probability).all()
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
