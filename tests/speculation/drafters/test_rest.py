"""REST drafts from a real n-gram store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localspec.native import steps as native_steps
from localspec.speculation.drafters.matching import MIN_SHARE
from localspec.speculation.drafters.rest import CONTINUATION, MAX_N, MIN_N, RestDrafter
from localspec.speculation.interface import Context
from localspec.speculation.tree import IN_DOCUMENT, MATCH_LENGTH, SOURCE_LEARNT, SOURCE_REST, DraftTree, credited
from localspec.stores.database import StoreDatabase
from localspec.stores.ngrams.ngram_store import NGRAM_MIGRATIONS, NgramStore
from tests.speculation.scripted import paths_of

BASE = 1.5
"""Vote of a match against that of one a token shorter."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NgramStore]:
    database = StoreDatabase(tmp_path / "library.db", NGRAM_MIGRATIONS)
    yield NgramStore(database, "tokenizer")
    database.close()


@pytest.fixture(params=["native", "python"])
def code(request, monkeypatch):
    """What builds the trees."""
    if request.param == "native" and not native_steps.available():
        pytest.skip("the native part of a step is not built")
    if request.param == "python":
        monkeypatch.setattr(native_steps, "available", lambda: False)


def propose(store: NgramStore, tokens: list[int], limit: int = 64, *, paper: bool) -> DraftTree:
    drafter = RestDrafter(store, paper=paper)
    context = Context(np.array(tokens, np.int32), 4)
    drafter.begin(context)
    return drafter.propose(context, limit)


def first_tokens(tree: DraftTree) -> dict[int, float]:
    first = tree.parents == -1
    return dict(zip(tree.tokens[first].tolist(), tree.probability[first].tolist(), strict=True))


def test_as_published_the_longest_suffix_answers_alone(store):
    store.add(1, [9, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 6, 0, 3, 4, 7])
    context = [8, 1, 2, 3, 4]
    assert first_tokens(propose(store, context, paper=True)) == {5: np.float32(2 / 3), 6: np.float32(1 / 3)}
    # All lengths: three matches of 4 tokens, and one of 2 tokens.
    total = 3 * BASE**4 + BASE**2
    assert first_tokens(propose(store, context, paper=False)) == {
        5: np.float32(2 * BASE**4 / total),
        6: np.float32(BASE**4 / total),
        7: np.float32(BASE**2 / total),
    }


def test_as_published_all_matches_vote_alike(store):
    store.add(1, [1, 2, 5] * 30 + [0] + [1, 2, 6] * 10)
    shares = first_tokens(propose(store, [7, 1, 2], paper=True))
    assert shares == {5: np.float32(30 / 40), 6: np.float32(10 / 40)}


def test_without_a_hit_nothing_is_drafted(store):
    assert len(propose(store, [1, 2, 3], paper=True)) == 0
    store.add(1, [1, 2, 3, 4])
    for paper in (True, False):
        assert len(propose(store, [7, 7, 3], paper=paper)) == 0, "one token is no match"
        assert len(propose(store, [2], paper=paper)) == 0
        assert len(propose(store, [3, 4], paper=paper)) == 0, "nothing followed at the end of the document"


def test_ids_beyond_16_bits_are_kept(store):
    store.add(1, [70_001, 70_002, 65_541, 5])
    assert paths_of(propose(store, [70_001, 70_002], paper=True)) == [(65_541,), (65_541, 5)]
    assert len(propose(store, [70_001 - 65_536, 70_002 - 65_536], paper=True)) == 0


def test_documents_and_learnt_answers_share_a_tree_and_are_told_apart(store, code):
    store.add(1, [1, 2, 5, 6, 0])
    document = dict.fromkeys(((5,), (5, 6), (5, 6, 0)), SOURCE_REST)
    tree = propose(store, [7, 1, 2], paper=True)
    assert dict(zip(paths_of(tree), tree.source.tolist(), strict=True)) == document
    store.add(-1, [1, 2, 5, 8])
    store.compact()
    tree = propose(store, [7, 1, 2], paper=True)
    both = SOURCE_REST | SOURCE_LEARNT | IN_DOCUMENT
    bits = dict(zip(paths_of(tree), tree.source.tolist(), strict=True))
    assert bits == {
        (5,): both,
        (5, 6): SOURCE_REST | IN_DOCUMENT,
        (5, 6, 0): SOURCE_REST | IN_DOCUMENT,
        (5, 8): SOURCE_REST | SOURCE_LEARNT,
    }
    told = dict(zip(paths_of(tree), credited(tree.source).tolist(), strict=True))
    assert told == {**document, (5,): SOURCE_REST | SOURCE_LEARNT, (5, 8): SOURCE_LEARNT}
    assert first_tokens(tree) == {5: 1.0}, "they vote together"
    # One that is left out is as if it were not there.
    for left_out, kept in ((-1, [6, 0]), (1, [8])):
        drafter = RestDrafter(store, paper=True, without=[left_out])
        assert drafter.propose(Context(np.array([7, 1, 2], np.int32), 4), 64).tokens.tolist() == [5, *kept]


@pytest.mark.parametrize("paper", [True, False])
def test_of_learnt_answers_alone_all_is_learnt(store, paper, code):
    store.add(-1, [1, 2, 5, 6])
    tree = propose(store, [7, 1, 2], paper=paper)
    assert len(tree) == 2
    assert set(credited(tree.source).tolist()) == {SOURCE_LEARNT}


Texts = st.lists(st.integers(0, 2), min_size=1, max_size=40)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(documents=st.lists(Texts, min_size=1, max_size=3), context=st.lists(st.integers(0, 2), min_size=2, max_size=20))
def test_both_modes_equal_brute_force(store, documents, context):
    for number in range(3):
        store.add(number, documents[number] if number < len(documents) else [])
    matches: list[tuple[int, list[int]]] = []
    for document in documents:
        for end in range(len(document) - 1):
            length = 0
            while length < min(MAX_N, end + 1, len(context)) and document[end - length] == context[-1 - length]:
                length += 1
            if length >= MIN_N:
                matches.append((length, document[end + 1 :][:CONTINUATION]))
    longest = max((length for length, _ in matches), default=0)

    for paper in (True, False):
        tree = propose(store, context, limit=10_000, paper=paper)
        voting = [match for match in matches if not paper or match[0] == longest]
        if len(voting) > 64:
            continue  # the store draws a sample; its own tests hold that
        votes: dict[tuple[int, ...], float] = defaultdict(float)
        lengths: dict[tuple[int, ...], int] = {}
        for length, continuation in voting:
            for size in range(1, len(continuation) + 1):
                prefix = tuple(continuation[:size])
                votes[prefix] += 1 if paper else BASE ** min(length, 10)
                lengths[prefix] = max(lengths.get(prefix, 0), length + size - 1)
        total = sum(1 if paper else BASE ** min(length, 10) for length, _ in voting)
        least = 0.0 if paper else MIN_SHARE * total
        paths = paths_of(tree)
        assert set(paths) == {prefix for prefix, weight in votes.items() if weight >= least}
        assert (tree.source == SOURCE_REST).all()
        for node, path in enumerate(paths):
            above = votes[path[:-1]] if len(path) > 1 else total
            assert tree.probability[node] == np.float32(votes[path] / above)
            assert tree.evidence[node, MATCH_LENGTH] == lengths[path]
