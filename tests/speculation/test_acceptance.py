"""Acceptance estimates: one scale for all sources, priors, and what replies teach."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.acceptance import FEATURES, KINDS, START_RESIDUAL, Acceptance, features, priors
from localspec.speculation.tree import (
    SOURCE_DRAFT,
    SOURCE_DRESD,
    SOURCE_PROMPT,
    SOURCE_RECYCLED,
    SOURCE_REST,
    DraftTree,
    evidence_of,
)
from tests.speculation.scripted import calibration_error, make_tree, paths_of
from tests.speculation.strategies import draft_trees

LOWEST, HIGHEST = 0.002, 0.995
"""Nothing is certain."""
NOTHING = np.empty(0, np.int32)
TAKEN = np.array([0], np.int32)


def node(
    source: int, *, length: float = 0, share: float = 0, near: float = 0, guess: float = 0, again: float = 0
) -> DraftTree:
    """A tree of one node."""
    return make_tree([7], [-1], source=source, evidence=[[length, share, near, 0, guess, again]])


def match(length: float, share: float = 1.0, source: int = SOURCE_PROMPT) -> DraftTree:
    return node(source, length=length, share=share)


def guess(probability: float) -> DraftTree:
    return node(SOURCE_DRAFT, guess=probability)


def chance_of(acceptance: Acceptance, tree: DraftTree) -> float:
    return float(acceptance.calibrate(tree).probability[0])


def rises(acceptance: Acceptance, trees: list[DraftTree]) -> bool:
    return bool((np.diff([chance_of(acceptance, tree) for tree in trees]) > 0).all())


def test_the_shipped_priors_say_what_everybody_expects():
    acceptance = Acceptance()
    assert rises(acceptance, [match(length) for length in (2, 4, 8, 16)])
    assert rises(acceptance, [match(6, share) for share in (0.1, 0.3, 0.6, 1.0)])
    assert rises(acceptance, [guess(probability) for probability in (0.1, 0.3, 0.6, 0.9)])
    assert rises(acceptance, [node(SOURCE_DRESD, near=near, share=1.0) for near in (0.4, 0.6, 0.8, 0.95)])
    assert rises(acceptance, [node(SOURCE_RECYCLED, again=again) for again in (0.1, 0.3, 0.6, 0.9)])
    for source in (SOURCE_PROMPT, SOURCE_REST):
        assert 0.5 < chance_of(acceptance, match(2, 1.0, source)) < chance_of(acceptance, match(24, 1.0, source))
        assert chance_of(acceptance, match(2, 0.2, source)) < 0.5
    # Who agrees is believed, who is passed over is not.
    found, drafted = {"length": 3, "share": 1.0}, {"guess": 0.9}
    both = chance_of(acceptance, node(SOURCE_PROMPT | SOURCE_DRAFT, **found, **drafted))
    assert both > max(chance_of(acceptance, node(SOURCE_PROMPT, **found)), chance_of(acceptance, guess(0.9)))
    siblings = make_tree(
        [1, 2], [-1, -1], source=[SOURCE_PROMPT, SOURCE_DRAFT], evidence=[[3, 1, 0, 0, 0, 0], [0, 0, 0, 1, 0.6, 0]]
    )
    assert acceptance.calibrate(siblings).probability[0] < chance_of(acceptance, match(3))


def test_priors_cover_all_features():
    weights, precision = priors()
    assert weights.shape == precision.shape == (len(FEATURES),)
    assert (precision > 0).all()


@given(draft_trees())
def test_calibration_changes_probabilities_only_and_keeps_trees_closed(tree):
    calibrated = Acceptance().calibrate(tree)
    assert paths_of(calibrated) == paths_of(tree)
    assert calibrated.source.tolist() == tree.source.tolist()
    assert ((calibrated.probability > 0) & (calibrated.probability < 1)).all() or len(tree) == 0
    values = calibrated.path_probability
    for place, parent in enumerate(tree.parents.tolist()):
        assert parent < 0 or values[place] <= values[parent]


@given(draft_trees(), st.lists(st.floats(-1, 1), min_size=len(KINDS), max_size=len(KINDS)), st.integers(0, 99))
def test_chances_are_the_logistic_function_of_the_features(tree, residual, seed):
    acceptance = Acceptance()
    acceptance.weights[:] = np.random.default_rng(seed).normal(0, 1, len(FEATURES))
    acceptance.residual[:] = residual
    chance = acceptance.chance()
    for known in evidence_of(tree):
        odds = sum(acceptance.weights[place] * value for place, value in features(known, residual))
        assert chance(*known) == pytest.approx(min(max(1 / (1 + np.exp(-odds)), LOWEST), HIGHEST), rel=1e-9)


@pytest.mark.parametrize(
    "tree",
    [
        match(4),
        match(4, source=SOURCE_REST),
        guess(0.5),
        node(SOURCE_DRESD, near=0.7, share=0.5),
        node(SOURCE_RECYCLED, again=0.4),
        node(SOURCE_PROMPT | SOURCE_DRAFT, length=3, share=1.0, guess=0.5),
    ],
    ids=["prompt", "REST", "draft", "DReSD", "recycled", "prompt and draft"],
)
def test_hits_raise_and_misses_lower_what_is_alike(tree):
    up, down = Acceptance(), Acceptance()
    before = chance_of(up, tree)
    for _ in range(200):
        up.observe(tree, TAKEN)
        down.observe(tree, NOTHING)
    up.begin()
    down.begin()
    assert chance_of(up, tree) > before + (1 - before) * 0.15
    assert chance_of(down, tree) < before * 0.85
    assert up.trials == 200


def test_sources_learn_apart():
    acceptance = Acceptance()
    drafted, recycled = chance_of(acceptance, guess(0.5)), chance_of(acceptance, node(SOURCE_RECYCLED, again=0.4))
    for _ in range(50):
        acceptance.observe(match(4), NOTHING)
    acceptance.begin()
    assert chance_of(acceptance, guess(0.5)) == pytest.approx(drafted, abs=1e-6)
    assert chance_of(acceptance, node(SOURCE_RECYCLED, again=0.4)) == pytest.approx(recycled, abs=1e-6)


def test_residual_is_followed_within_a_reply_and_forgotten_after_it():
    acceptance = Acceptance()
    assert acceptance.residual.tolist() == [START_RESIDUAL] * len(KINDS)
    for _ in range(6):
        acceptance.observe(match(3), NOTHING)
    assert acceptance.residual[0] < -0.1
    assert acceptance.residual[1:].tolist() == [START_RESIDUAL] * (len(KINDS) - 1)
    for _ in range(12):
        acceptance.observe(match(3), TAKEN)
    assert acceptance.residual[0] > 0.0
    acceptance.begin()
    assert acceptance.residual.tolist() == [START_RESIDUAL] * len(KINDS)


def test_only_nodes_whose_parent_was_visited_are_trials():
    # root -> 1, 9; 1 -> 2 -> 3; 9 -> 8. Accepted: 1, 2. Visited: root, 1, 2; tried: 1, 9, 2, 3.
    tree = make_tree([1, 9, 2, 3, 8], [-1, -1, 0, 2, 1], evidence=[[3, 1], [2, 1], [4, 1], [5, 1], [2, 1]])
    acceptance = Acceptance()
    acceptance.observe(tree, np.array([0, 2], np.int32))
    assert acceptance.trials == 4


def test_an_empty_tree_teaches_nothing():
    acceptance = Acceptance()
    before = acceptance.weights.copy()
    acceptance.observe(DraftTree.empty(), NOTHING)
    assert acceptance.weights.tolist() == before.tolist()
    assert acceptance.trials == 0


@given(draft_trees(), st.integers(0, 10))
def test_chances_stay_chances_whatever_is_observed(tree, seed):
    acceptance = Acceptance()
    stream = np.random.default_rng(seed)
    for _ in range(20):
        path: list[int] = []
        while len(below := np.flatnonzero(tree.parents == (path[-1] if path else -1))) and stream.random() < 0.7:
            path.append(int(stream.choice(below)))
        acceptance.observe(tree, np.array(path, np.int32))
    assert np.isfinite(acceptance.weights).all()
    probability = acceptance.calibrate(tree).probability
    assert ((probability > 0) & (probability < 1)).all()


def test_it_becomes_calibrated_on_a_source_that_priors_misjudge():
    """A draft model that is right half as often as it says."""
    stream = np.random.default_rng(3)
    acceptance = Acceptance()
    expected: list[float] = []
    came: list[float] = []
    for trial in range(1200):
        said = float(stream.uniform(0.05, 0.95))
        tree = acceptance.calibrate(guess(said))
        taken = stream.random() < said / 2
        if trial >= 600:
            expected.append(float(tree.probability[0]))
            came.append(float(taken))
        acceptance.observe(tree, TAKEN if taken else NOTHING)
    assert calibration_error(np.array(expected), np.array(came)) < 0.08


def test_calibration_error():
    assert calibration_error(np.empty(0), np.empty(0)) == 0
    expected = np.array([0.05, 0.05, 0.95, 0.95])
    assert calibration_error(expected, np.array([0.0, 0.0, 1.0, 1.0])) == pytest.approx(0.05)
    assert calibration_error(expected, np.array([1.0, 1.0, 0.0, 0.0])) == pytest.approx(0.95)
    assert calibration_error(np.full(10, 0.3), np.array([1.0] * 3 + [0.0] * 7)) == pytest.approx(0.0)
    assert calibration_error(np.array([1.0]), np.array([1.0])) == 0, "the last bin holds its upper end"


def test_features_name_their_columns():
    tree = node(SOURCE_PROMPT | SOURCE_RECYCLED, length=4, share=0.5, again=0.5)
    (known,) = evidence_of(tree)
    found = {FEATURES[place]: value for place, value in features(known, [0.25, 0.0, 0.0, -0.5]) if value}
    assert found == pytest.approx(
        {
            "n-gram": 1, "n-gram length": 2, "n-gram share": np.log(0.5), "n-gram residual": 0.25,
            "recycled": 1, "recycled residual": -0.5, "n-gram and recycled": 1,
        }
    )  # fmt: skip


def test_what_was_learnt_is_kept(tmp_path: Path):
    file = tmp_path / "acceptance.json"
    acceptance = Acceptance()
    for _ in range(50):
        acceptance.observe(match(4), NOTHING)
    acceptance.save(file)
    acceptance.begin()
    again = Acceptance.load(file)
    assert chance_of(again, match(4)) == pytest.approx(chance_of(acceptance, match(4)))
    assert [entry.name for entry in tmp_path.iterdir()] == ["acceptance.json"]
    for _ in range(3):  # and it stays as hard to convince of the opposite
        again.observe(match(4), TAKEN)
        acceptance.observe(match(4), TAKEN)
    assert again.weights.tolist() == pytest.approx(acceptance.weights.tolist())


def test_what_an_earlier_version_learnt_is_read(tmp_path: Path):
    """Its features had other names."""
    file = tmp_path / "acceptance.json"
    acceptance = Acceptance()
    for _ in range(50):
        acceptance.observe(match(4), NOTHING)
    acceptance.save(file)
    text = file.read_text(encoding="utf-8")
    for word, former in (("n-gram", "exact"), ("dense", "near"), ("residual", "luck"), ("rejected", "doubted")):
        text = text.replace(word, former)
    assert "exact luck" in text
    file.write_text(text, encoding="utf-8")
    assert Acceptance.load(file).weights.tolist() == acceptance.weights.tolist()


@pytest.mark.parametrize(
    "content", ["", "no json", "[]", "{}", '{"weights": {}}', json.dumps({"weights": {n: [1e9, 1] for n in FEATURES}})]
)
def test_what_cannot_be_read_or_believed_is_left(tmp_path: Path, content: str):
    file = tmp_path / "acceptance.json"
    fresh = chance_of(Acceptance(), match(4))
    assert chance_of(Acceptance.load(file), match(4)) == fresh
    file.write_text(content, encoding="utf-8")
    assert chance_of(Acceptance.load(file), match(4)) == fresh
