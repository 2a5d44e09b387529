"""Trees grown from everything that is known, best node first."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.acceptance import Acceptance, Evidence
from localspec.speculation.growth import Candidate, TreeInputs, grow
from localspec.speculation.sightings import Match
from localspec.speculation.tree import (
    DOUBTED,
    DRAFT_PROBABILITY,
    MATCH_LENGTH,
    RECYCLED_PROBABILITY,
    SIBLING_RANK,
    SIMILARITY,
    SOURCE_DRAFT,
    SOURCE_DRESD,
    SOURCE_PROMPT,
    SOURCE_RECYCLED,
    SOURCE_REST,
    VOTE_SHARE,
    DraftTree,
    depths,
    path_probabilities,
)
from tests.speculation.scripted import paths_of

ROOT = 0


def seen(text: list[int], length: int = 4, weight: float = 1.0, source: int = SOURCE_PROMPT) -> Match:
    return Match(text, 0, length, 0.0, weight, source)


def share_or_guess(evidence: Evidence) -> float:
    """A chance that is easy to follow."""
    return max(evidence.share * 0.9, evidence.draft_probability, evidence.recycled_probability)


def grown(soil: TreeInputs, limit: int = 20, least: float = 0.0, deepest: int = 20) -> DraftTree:
    return grow(soil, share_or_guess, limit, least, deepest)[0]


def test_nothing_grows_from_nothing():
    tree, paths = grow(TreeInputs(ROOT, []), share_or_guess, 8, 0.0, 8)
    assert len(tree) == 0
    assert paths == []
    assert len(grown(TreeInputs(ROOT, [seen([])]))) == 0
    assert len(grown(TreeInputs(ROOT, [seen([-1, 5])]))) == 0, "padding ends a text"
    assert len(grown(TreeInputs(ROOT, [seen([5])]), limit=0)) == 0


def test_sightings_vote():
    tree = grown(TreeInputs(ROOT, [seen([1, 2], 6, 3.0), seen([1, 3], 4, 1.0), seen([4], 2, 1.0)]))
    assert dict(zip(paths_of(tree), tree.evidence[:, VOTE_SHARE].tolist(), strict=True)) == pytest.approx(
        {(1,): 0.8, (1, 2): 0.75, (1, 3): 0.25, (4,): 0.2}
    )
    lengths = dict(zip(paths_of(tree), tree.evidence[:, MATCH_LENGTH].tolist(), strict=True))
    assert lengths == {(1,): 6, (1, 2): 7, (1, 3): 5, (4,): 2}, "one more token matches at each level"
    assert tree.evidence[:, SIBLING_RANK].tolist() == [0, 0, 1, 1]


def test_texts_that_end_keep_their_vote():
    tree = grown(TreeInputs(ROOT, [seen([1, 2], weight=1.0), seen([1], weight=3.0)]))
    assert tree.evidence[:, VOTE_SHARE].tolist() == [1.0, 0.25]


def test_nearest_states_vote_among_themselves():
    near = Match([1], 0, 0, 0.8, 0.2, SOURCE_DRESD)
    other = Match([2], 0, 0, 0.7, 0.1, SOURCE_DRESD)
    tree = grown(TreeInputs(ROOT, [seen([2], 5, 50.0), near, other]))
    rows = dict(zip(paths_of(tree), tree.evidence.tolist(), strict=True))
    assert rows[1,][VOTE_SHARE] == pytest.approx(2 / 3)
    assert rows[1,][SIMILARITY] == pytest.approx(0.8)
    assert rows[1,][MATCH_LENGTH] == 0
    assert rows[2,][VOTE_SHARE] == 1.0
    bits = dict(zip(paths_of(tree), tree.source.tolist(), strict=True))
    assert bits == {(1,): SOURCE_DRESD, (2,): SOURCE_DRESD | SOURCE_PROMPT}


def test_a_draft_models_tree_and_what_was_seen_are_one_tree():
    guesses = {
        -1: [Candidate(1, 0.7, 0), Candidate(2, 0.2, 1)],
        0: [Candidate(3, 0.9, 2)],
    }
    soil = TreeInputs(ROOT, [seen([1, 4], 3)], guesses)
    told: dict[int, Evidence] = {}

    def chance(evidence: Evidence) -> float:
        told.setdefault(evidence.bits, evidence)
        return share_or_guess(evidence)

    tree, _ = grow(soil, chance, 20, 0.0, 20)
    bits = dict(zip(paths_of(tree), tree.source.tolist(), strict=True))
    assert bits == {
        (1,): SOURCE_DRAFT | SOURCE_PROMPT,
        (2,): SOURCE_DRAFT,
        (1, 3): SOURCE_DRAFT,
        (1, 4): SOURCE_PROMPT,
    }
    assert told[SOURCE_PROMPT].doubted, "the draft model looked at its parent and did not propose it"
    assert not told[SOURCE_DRAFT | SOURCE_PROMPT].doubted


def test_below_a_node_that_the_draft_model_did_not_propose_it_says_nothing():
    soil = TreeInputs(ROOT, [seen([5, 6])], {-1: [Candidate(1, 0.9, 0)], 0: [Candidate(6, 0.8, -1)]})
    rows = dict(zip(paths_of(grown(soil)), grown(soil).evidence.tolist(), strict=True))
    assert rows[5, 6][DRAFT_PROBABILITY] == 0, "it never looked there"
    assert rows[5,][DRAFT_PROBABILITY] == DOUBTED
    assert rows[1, 6][DRAFT_PROBABILITY] == pytest.approx(0.8)


def test_the_chat_is_looked_up_behind_nodes_that_only_a_model_proposed():
    asked: list[list[int]] = []

    def look_up(path: list[int]) -> list[Match]:
        asked.append(path)
        return [seen([9])] if path == [1, 2] else []

    soil = TreeInputs(ROOT, [seen([5])], {-1: [Candidate(1, 0.8, 0)], 0: [Candidate(2, 0.8, -1)]}, look_up=look_up)
    tree = grown(soil)
    assert (1, 2, 9) in paths_of(tree)
    assert [5] not in asked, "what was seen goes on where it was seen"


def test_recycled_tokens_hang_everywhere():
    table = {ROOT: [Candidate(1, 0.6, -1)], 1: [Candidate(2, 0.5, -1)], 2: [Candidate(1, 0.1, -1)]}
    tree = grown(TreeInputs(ROOT, [], recycled=table.get), limit=3)
    assert paths_of(tree) == [(1,), (1, 2), (1, 2, 1)]
    assert (tree.source == SOURCE_RECYCLED).all()
    assert tree.evidence[:, RECYCLED_PROBABILITY].tolist() == pytest.approx([0.6, 0.5, 0.1])


TEXT = st.lists(st.integers(0, 3), max_size=5)
SEEN = st.lists(
    st.builds(
        Match,
        TEXT,
        st.integers(0, 2),
        st.integers(2, 20),
        st.floats(0, 1),
        st.floats(0.1, 9),
        st.sampled_from([SOURCE_PROMPT, SOURCE_REST, SOURCE_DRESD]),
    ),
    max_size=6,
)
GUESSES = st.dictionaries(
    st.integers(-1, 3),
    st.lists(st.builds(Candidate, st.integers(0, 3), st.floats(0.01, 0.9), st.integers(-1, 3)), max_size=3),
    max_size=4,
)


@given(
    SEEN,
    GUESSES,
    st.dictionaries(
        st.integers(0, 3), st.lists(st.builds(Candidate, st.integers(0, 3), st.floats(0.01, 0.9), st.just(-1)))
    ),
    st.integers(0, 12),
    st.sampled_from([0.0, 0.05, 0.3]),
    st.integers(1, 5),
)
def test_whatever_it_grows_from_the_best_come_first(sightings, guesses, table, limit, least, deepest):
    soil = TreeInputs(ROOT, sightings, guesses, table.get, lambda path: [seen([path[-1]])])
    tree, paths = grow(soil, Acceptance().chance(), limit, least, deepest)
    assert len(tree) == len(paths) <= limit
    assert path_probabilities(tree).tolist() == pytest.approx(paths, rel=1e-5)
    assert all(left >= right for left, right in pairwise(paths))
    assert len(set(paths_of(tree))) == len(tree), "no node twice"
    if len(tree):
        assert min(paths) >= least
        assert depths(tree).max() <= deepest
        assert (tree.parents < np.arange(len(tree))).all()
        assert (tree.source > 0).all()
    again = Acceptance().calibrate(tree)
    assert again.probability.tolist() == pytest.approx(tree.probability.tolist(), rel=1e-3), "one scale"
