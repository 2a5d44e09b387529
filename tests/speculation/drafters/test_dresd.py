"""Drafts from nearest states: a real state store, and the context's own states."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from localspec.speculation.drafters.dresd import (
    CONTINUATION,
    LONG_MATCH,
    MIN_STATES,
    PAPER_CONTINUATION,
    DresdDrafter,
    HybridDrafter,
)
from localspec.speculation.drafters.matching import similarity_weights
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.interface import Context
from localspec.speculation.tree import MATCH_LENGTH, SIMILARITY, SOURCE_DRESD, SOURCE_PROMPT, DraftTree, depths
from localspec.stores.database import StoreDatabase
from localspec.stores.states.state_store import STATE_MIGRATIONS, StateStore
from tests.speculation.scripted import paths_of

WIDTH = 48
SENTENCE = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24]


def state_of(meaning: int, noise: float = 0.0) -> NDArray[np.float16]:
    """A state that stands for `meaning`; noise turns it a little."""
    generator = np.random.default_rng(meaning)
    state = generator.standard_normal(WIDTH)
    return (state + noise * np.random.default_rng(meaning + 7919).standard_normal(WIDTH)).astype(np.float16)


def states_of(meanings: list[int], noise: float = 0.0) -> NDArray[np.float16]:
    return np.stack([state_of(meaning, noise) for meaning in meanings])


@pytest.fixture
def database(tmp_path: Path) -> Iterator[StoreDatabase]:
    opened = StoreDatabase(tmp_path / "library.db", STATE_MIGRATIONS)
    yield opened
    opened.close()


@pytest.fixture
def store(database: StoreDatabase, tmp_path: Path) -> StateStore:
    """One text, `SENTENCE` behind meaning 1, among two hundred states of other things."""
    made = StateStore(database, tmp_path, "library", "target", WIDTH)
    others = list(range(100, 300))
    made.add(1, 0, np.array([7] * len(others), np.int32), states_of(others))
    made.add(2, 0, np.array([5, *SENTENCE], np.int32), states_of([1, *range(50, 50 + len(SENTENCE))]))
    made.prepare()
    return made


def context_of(tokens: list[int], states: NDArray[np.float16], known: list[bool] | None = None) -> Context:
    """A context whose last token is the root, with the states of all others."""
    assert len(states) == len(tokens) - 1
    mask = np.array(known if known is not None else [True] * len(states), np.bool_)
    return Context(np.array(tokens, np.int32), 8, lambda: (states, mask))


def propose(drafter: DresdDrafter | HybridDrafter, context: Context, limit: int = 64) -> DraftTree:
    drafter.begin(context)
    return drafter.propose(context, limit)


@pytest.mark.parametrize("paper", [True, False])
def test_what_followed_a_similar_state_is_drafted(store: StateStore, paper: bool) -> None:
    # The text there: 5 (meaning 1), then 11. The root is 11, and a state like meaning 1 produced it.
    drafter = DresdDrafter(store, paper=paper)
    tree = propose(drafter, context_of([3, 5, 11], np.stack([state_of(400), state_of(1, 0.1)])))
    length = PAPER_CONTINUATION if paper else CONTINUATION
    expected = SENTENCE[1 : 1 + length]
    assert tuple(expected[:5]) in paths_of(tree)
    assert depths(tree).max() == len(expected)
    assert set(tree.source.tolist()) == {SOURCE_DRESD}
    assert (tree.evidence[:, SIMILARITY] > 0.9).all()
    assert (tree.evidence[:, MATCH_LENGTH] <= depths(tree)).all(), "no exact match is claimed"
    assert drafter.retrieval.searches == 1
    assert drafter.retrieval.kept == 1
    assert drafter.retrieval.mean_similarity > 0.9


def test_neighbours_that_led_elsewhere_are_no_drafts(store: StateStore) -> None:
    drafter = DresdDrafter(store)
    tree = propose(drafter, context_of([3, 5, 99], np.stack([state_of(400), state_of(1, 0.1)])))
    assert len(tree) == 0
    assert drafter.retrieval.kept == 0
    assert drafter.retrieval.mean_similarity == 0


def test_without_the_state_behind_the_root_there_is_no_draft(store: StateStore) -> None:
    states = np.stack([state_of(400), state_of(1)])
    assert len(propose(DresdDrafter(store), context_of([3, 5, 11], states, [True, False]))) == 0
    assert len(propose(DresdDrafter(store), context_of([11], states[:0]))) == 0
    assert len(propose(DresdDrafter(store), Context(np.array([3, 5, 11], np.int32), 4))) == 0


def test_nearer_neighbours_outvote_farther_ones(database: StoreDatabase, tmp_path: Path) -> None:
    made = StateStore(database, tmp_path, "library", "target", WIDTH)
    made.add(1, 0, np.array([7] * 100, np.int32), states_of(list(range(100, 200))))
    for number, (token, noise) in enumerate([(20, 0.1), (21, 0.7), (22, 0.75)], start=2):
        rows = np.stack([state_of(1, noise), state_of(500 + number)])
        made.add(number, 0, np.array([5, 11, token], np.int32), rows)
    made.prepare()
    tree = propose(DresdDrafter(made), context_of([5, 11], state_of(1)[None]))
    first = tree.tokens[tree.parents == -1].tolist()
    assert first[0] == 20
    near = {int(token): float(row[SIMILARITY]) for token, row in zip(tree.tokens, tree.evidence, strict=True)}
    assert near[20] > near[21]
    shares = dict(zip(first, tree.probability[tree.parents == -1].tolist(), strict=True))
    votes = similarity_weights(np.array([near[token] for token in first], np.float32))
    assert shares[20] == pytest.approx(votes[0] / votes.sum(), rel=1e-3)


def test_the_context_itself_is_searched(store: StateStore) -> None:
    """Dense prompt lookup: with the library's transform, and without a library by the context's own statistics."""
    before = [200 + number for number in range(2 * MIN_STATES)]
    tokens = [*before, 5, 10, 31, 32, 33, 6, 10]
    meanings = [*range(1000, 1000 + len(before)), 2, 60, 61, 62, 63, 2]
    states = states_of(meanings, 0.0)
    states[-1] = state_of(2, 0.1)
    for source in (store, None):
        tree = propose(DresdDrafter(source), context_of(tokens, states))
        assert (31, 32, 33, 6, 10) in paths_of(tree)
        assert (tree.evidence[:, SIMILARITY] > 0.9).all()
    assert len(propose(DresdDrafter(store, paper=True), context_of(tokens, states))) == 0, "not in the paper"
    # Too little is known to compare by.
    few = context_of(tokens[-7:], states[-6:])
    assert len(propose(DresdDrafter(None), few)) == 0
    # Positions whose states are unknown are never compared.
    known = [True] * len(states)
    known[len(before)] = False
    assert len(propose(DresdDrafter(store), context_of(tokens, states, known))) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=90), st.data())
def test_any_context_gives_a_proper_tree_of_its_own_tokens(tokens: list[int], data: st.DataObject) -> None:
    states = states_of([data.draw(st.integers(0, 3)) for _ in tokens[1:]], 0.2)
    known = [data.draw(st.booleans()) for _ in tokens[1:]]
    limit = data.draw(st.integers(1, 20))
    tree = propose(DresdDrafter(None), context_of(tokens, states, known), limit)
    assert len(tree) <= limit
    assert (tree.parents < np.arange(len(tree))).all()
    texts = {tuple(tokens[start : start + length]) for start in range(len(tokens)) for length in range(1, 20)}
    assert all((tokens[-1], *path) in texts for path in paths_of(tree))


def test_the_hybrid_joins_exact_and_dense_drafts(store: StateStore) -> None:
    tokens = [40, 41, 42, 43, 5, 40, 11, 91, 92, 40, 11]
    states = states_of([*range(700, 700 + len(tokens) - 2), 1], 0.0)
    drafter = HybridDrafter([PromptDrafter()], DresdDrafter(store))
    assert drafter.needs_states
    tree = propose(drafter, context_of(tokens, states))
    assert (91, 92) in paths_of(tree)
    assert tuple(SENTENCE[1:4]) in paths_of(tree)
    sources = set(tree.source.tolist())
    assert sources >= {SOURCE_PROMPT, SOURCE_DRESD}
    assert drafter.retrieval is not None
    assert drafter.retrieval.searches == 1


def test_a_long_exact_match_needs_no_search(store: StateStore) -> None:
    again = list(range(60, 60 + LONG_MATCH))
    tokens = [*again, 11, 91, 92, *again, 11]
    states = states_of([*range(700, 700 + len(tokens) - 2), 1])
    drafter = HybridDrafter([PromptDrafter()], DresdDrafter(store))
    tree = propose(drafter, context_of(tokens, states))
    assert set(tree.source.tolist()) == {SOURCE_PROMPT}
    assert drafter.retrieval is not None
    assert drafter.retrieval.searches == 0


@pytest.mark.parametrize("paper", [True, False])
def test_documents_that_are_left_out_are_not_drafted_from(store: StateStore, paper: bool) -> None:
    context = context_of([3, 5, 11], np.stack([state_of(400), state_of(1, 0.1)]))
    assert store.labels([1]).size == 200
    assert store.labels([2, 3]).size == len(SENTENCE) + 1
    assert not set(store.labels([1]).tolist()) & set(store.labels([2]).tolist())
    assert len(propose(DresdDrafter(store, paper=paper, without=[1]), context)) > 0
    assert len(propose(DresdDrafter(store, paper=paper, without=[2]), context)) == 0
