"""The n-gram store on real SQLite files: equal to brute force, transactional, and free of traces after removal."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localspec.errors import StoreError
from localspec.stores.database import StoreDatabase
from localspec.stores.ngrams.ngram_store import NGRAM_MIGRATIONS, NgramStore, SuffixMatches
from localspec.stores.ngrams.suffixes import SuffixIndex, join, sort_places

FINGERPRINT = "tokenizer-a"
TINY_RUN = 120
EVERYTHING = 1_000_000

Found = Counter[tuple[int, tuple[int, ...], int]]


def open_database(folder: Path) -> StoreDatabase:
    return StoreDatabase(folder / "library.db", NGRAM_MIGRATIONS)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[StoreDatabase]:
    opened = open_database(tmp_path)
    yield opened
    opened.close()


def brute_force(
    documents: Mapping[int, Sequence[int]],
    context: Sequence[int],
    *,
    max_n: int = 16,
    min_n: int = 2,
    continuation: int = 10,
    all_lengths: bool = False,
) -> Found:
    """Every (length, continuation, document) by comparing the context with every place of every document."""
    found: Found = Counter()
    for document, tokens in documents.items():
        for last in range(len(tokens) - 1):
            length = 0
            while length < min(max_n, len(context), last + 1) and tokens[last - length] == context[-1 - length]:
                length += 1
            if length >= min_n:
                after = list(tokens[last + 1 : last + 1 + continuation])
                found[length, tuple(after + [-1] * (continuation - len(after))), document] += 1
    if all_lengths or not found:
        return found
    top = max(length for length, _, _ in found)
    return Counter({key: times for key, times in found.items() if key[0] == top})


def as_found(matches: SuffixMatches) -> Found:
    assert matches.continuations.dtype == np.int32
    assert matches.lengths.dtype == np.int16
    assert matches.lengths.tolist() == sorted(matches.lengths.tolist(), reverse=True)
    rows = [tuple(row) for row in matches.continuations.tolist()]
    return Counter(zip(matches.lengths.tolist(), rows, matches.documents.tolist(), strict=True))


def random_documents(count: int, length: int, vocabulary: int, seed: int = 0) -> dict[int, list[int]]:
    generator = np.random.default_rng(seed)
    return {number: generator.integers(0, vocabulary, length).tolist() for number in range(count)}


# A small alphabet makes long matches and many ties; the high ids need 32 bits, the last one the dense renumbering.
token = st.sampled_from([0, 1, 2, 65_536, 65_538, 299_999, 2**31 - 1])
few_tokens = st.lists(st.integers(0, 2), max_size=60)
any_tokens = st.one_of(few_tokens, st.lists(token, max_size=40))
change: st.SearchStrategy[tuple[str, int, list[int]]] = st.one_of(
    st.tuples(st.just("add"), st.integers(-4, 4), any_tokens),
    st.tuples(st.sampled_from(["remove", "remove three"]), st.integers(-4, 4), st.just([])),
    st.tuples(st.sampled_from(["compact", "reopen", "look"]), st.just(0), st.just([])),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    changes=st.lists(change, min_size=1, max_size=12),
    contexts=st.lists(any_tokens, min_size=1, max_size=5),
    max_n=st.integers(1, 16),
    continuation=st.integers(1, 12),
    run_tokens=st.sampled_from([40, TINY_RUN, 5000]),
)
def test_equals_brute_force_after_any_changes(
    changes: list[tuple[str, int, list[int]]], contexts: list[list[int]], max_n: int, continuation: int, run_tokens: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(Path(folder))
        store = NgramStore(database, FINGERPRINT, run_tokens=run_tokens)
        documents: dict[int, list[int]] = {}
        for kind, document, tokens in changes:
            if kind == "add":
                store.add(document, np.array(tokens, np.int32))
                documents[document] = tokens
            elif kind == "remove":
                store.remove(document)
                documents.pop(document, None)
            elif kind == "remove three":
                store.remove(document - 1, document, document + 1)
                for gone in (document - 1, document, document + 1):
                    documents.pop(gone, None)
            elif kind == "compact":
                store.compact()
            elif kind == "look":
                assert as_found(store.lookup([1, 2], matches=EVERYTHING)) == brute_force(documents, [1, 2])
            else:
                database.close()
                database = open_database(Path(folder))
                store = NgramStore(database, FINGERPRINT, run_tokens=run_tokens)
        assert store.documents() == set(documents)
        assert store.lengths() == {document: len(tokens) for document, tokens in documents.items()}
        assert store.count() == sum(map(len, documents.values()))
        for document in range(-4, 5):
            assert store.tokens(document).tolist() == documents.get(document, [])
        contexts += [tokens[: len(tokens) * 2 // 3] for tokens in documents.values()]
        min_n = min(2, max_n)
        for context in contexts:
            for all_lengths in (False, True):
                found = store.lookup(
                    context,
                    max_n=max_n,
                    min_n=min_n,
                    matches=EVERYTHING,
                    continuation=continuation,
                    all_lengths=all_lengths,
                )
                assert found.continuations.shape == (len(found.lengths), continuation)
                assert as_found(found) == brute_force(
                    documents, context, max_n=max_n, min_n=min_n, continuation=continuation, all_lengths=all_lengths
                )
        database.close()


@settings(max_examples=20, deadline=None)
@given(
    tokens=st.lists(st.lists(st.integers(0, 2), max_size=200), max_size=6), context=few_tokens, room=st.integers(1, 40)
)
def test_a_sample_is_part_of_everything_and_prefers_long_matches(
    tokens: list[list[int]], context: list[int], room: int
) -> None:
    documents = dict(enumerate(tokens))
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(Path(folder))
        store = NgramStore(database, FINGERPRINT, run_tokens=TINY_RUN)
        for document, ids in documents.items():
            store.add(document, np.array(ids, np.int32))
        for all_lengths in (False, True):
            everything = brute_force(documents, context, all_lengths=all_lengths)
            sample = store.lookup(context, matches=room, all_lengths=all_lengths)
            best = sorted((length for length, _, _ in everything.elements()), reverse=True)[:room]
            assert sample.lengths.tolist() == best
            assert as_found(sample) <= everything
            again = store.lookup(context, matches=room, all_lengths=all_lengths)
            assert np.array_equal(sample.continuations, again.continuations)
        database.close()


def test_random_documents_across_fences_and_merges_equal_brute_force(database: StoreDatabase) -> None:
    documents = random_documents(30, 400, 4)
    store = NgramStore(database, FINGERPRINT, run_tokens=5000)
    for document, tokens in documents.items():
        store.add(document, np.array(tokens, np.int32))
    with database.read() as connection:
        runs = connection.execute("SELECT count(*), max(size) FROM ngram_runs").fetchone()
    assert runs[0] < len(documents)
    assert 1000 < runs[1] <= 5000
    generator = np.random.default_rng(1)
    for number in range(0, 30, 3):
        end = int(generator.integers(20, 380))
        context = [*documents[number][:end], int(generator.integers(0, 4))]
        for all_lengths in (False, True):
            found = store.lookup(context, matches=EVERYTHING, all_lengths=all_lengths)
            assert as_found(found) == brute_force(documents, context, all_lengths=all_lengths)


def test_a_run_beyond_packed_sorting_is_ordered_alike() -> None:
    """Ids too large to pack must give the order that small ids of the same ranks give."""
    small = [np.array(ids, np.int32) for ids in random_documents(5, 300, 3).values()]
    large = [(ids + np.int32(2**31 - 3)).astype(np.int32) for ids in small]
    assert np.array_equal(sort_places(join(small)[0]), sort_places(join(large)[0]))


def test_ids_that_agree_in_their_low_16_bits_are_different(database: StoreDatabase) -> None:
    store = NgramStore(database, FINGERPRINT)
    store.add(1, np.array([70_000, 131_073, 5], np.int32))
    store.add(2, np.array([70_000 - 65_536, 1, 6], np.int32))
    assert store.lookup([70_000, 131_073], continuation=2).continuations.tolist() == [[5, -1]]
    assert store.lookup([70_000 - 65_536, 1], continuation=2).continuations.tolist() == [[6, -1]]
    assert not len(store.lookup([70_000, 1]).lengths)


def test_contexts_and_continuations_stop_at_document_ends(database: StoreDatabase) -> None:
    store = NgramStore(database, FINGERPRINT)
    store.add(1, np.array([1, 2, 3], np.int32))
    store.add(2, np.array([4, 5, 6], np.int32))
    store.compact()
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM ngram_runs").fetchone() == (1,)
    assert store.lookup([1, 2], continuation=4).continuations.tolist() == [[3, -1, -1, -1]]
    for crossing in ([3, 4], [6, 1], [2, 3], []):
        assert store.lookup(crossing).continuations.shape == (0, 10)


def test_a_sample_of_a_wide_interval_is_representative(database: StoreDatabase) -> None:
    """Three of four places go on with 7, in separate stretches of the store; the sample keeps that share."""
    store = NgramStore(database, FINGERPRINT)
    for document in range(40):
        tokens = []
        for place in range(100):
            tokens += [1000 + place + 100 * document, 1, 2, 7 if document < 30 else 8]
        store.add(document, np.array(tokens, np.int32))
    first = store.lookup([1, 2], matches=64, continuation=1).continuations[:, 0]
    assert len(first) == 64
    assert 46 <= int((first == 7).sum()) <= 50


def test_another_tokenizers_rows_are_never_returned(database: StoreDatabase) -> None:
    store = NgramStore(database, FINGERPRINT)
    other = NgramStore(database, "tokenizer-b")
    store.add(1, np.array([1, 2, 3], np.int32))
    other.add(1, np.array([1, 2, 4, 5], np.int32))
    other.add(2, np.array([8, 9, 8], np.int32))
    assert store.lookup([1, 2], continuation=1).continuations.tolist() == [[3]]
    assert other.lookup([1, 2], continuation=1).continuations.tolist() == [[4]]
    assert not len(store.lookup([8, 9]).lengths)
    assert (store.documents(), store.count()) == ({1}, 3)
    assert (other.documents(), other.count()) == ({1, 2}, 7)
    assert NgramStore(database, "tokenizer-c").documents() == set()
    store.remove(1)
    reopened = NgramStore(database, "tokenizer-b")
    assert reopened.documents() == {2}
    assert not len(reopened.lookup([1, 2]).lengths)


def test_adding_again_replaces(database: StoreDatabase) -> None:
    store = NgramStore(database, FINGERPRINT)
    store.add(1, np.array([1, 2, 3], np.int32))
    store.add(1, np.array([1, 2, 4], np.int32))
    assert store.lookup([1, 2], continuation=1).continuations.tolist() == [[4]]
    assert store.count() == 3


def test_removal_leaves_no_trace_and_the_space_is_reclaimed(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    store = NgramStore(database, FINGERPRINT)
    documents = random_documents(6, 20_000, 50_000)
    secret = [123_456_789, 987_654_321, 192_837_465, 918_273_645] * 10
    store.add(99, np.array(secret, np.int32))
    for document, tokens in documents.items():
        store.add(document, np.array(tokens, np.int32))
    needle = np.array(secret[3::-1], ">i4").tobytes()
    database.reclaim()
    assert needle in database.path.read_bytes()
    full = database.size()
    store.remove(99)
    for document in list(documents)[1:]:
        store.remove(document)
    assert not len(store.lookup(secret[:2]).lengths)
    database.reclaim()
    assert database.size() < full / 3
    assert store.documents() == {0}
    assert as_found(store.lookup(documents[0][:9])) == brute_force({0: documents[0]}, documents[0][:9])
    database.close()
    assert not [file for file in tmp_path.iterdir() if needle in file.read_bytes()]


def test_what_is_rolled_back_is_never_seen(database: StoreDatabase) -> None:
    store = NgramStore(database, FINGERPRINT, run_tokens=TINY_RUN)
    store.add(1, np.array([1, 2, 3], np.int32))
    assert len(store.lookup([1, 2]).lengths) == 1
    with pytest.raises(RuntimeError), database.write():
        for document in range(2, 9):
            store.add(document, np.array([1, 2, 3], np.int32))
        store.remove(1)
        assert len(store.lookup([1, 2]).lengths) == 1
        raise RuntimeError
    assert store.documents() == {1}
    assert len(store.lookup([1, 2]).lengths) == 1
    # The rolled-back runs' ids may come again: what they held must not.
    store.add(5, np.array([1, 2, 9], np.int32))
    assert sorted(store.lookup([1, 2], continuation=1).continuations[:, 0].tolist()) == [3, 9]


def test_changes_nest_in_one_transaction(database: StoreDatabase) -> None:
    store = NgramStore(database, FINGERPRINT, run_tokens=TINY_RUN)
    assert not len(store.lookup([1, 2]).lengths)
    with database.write():
        for document in range(9):
            store.add(document, np.array([1, 2, document], np.int32))
        with pytest.raises(RuntimeError), database.write():
            store.add(50, np.array([1, 2, 50], np.int32))
            raise RuntimeError
        store.remove(4)
        assert not len(store.lookup([1, 2]).lengths)
        assert store.documents() == set()
    assert store.documents() == set(range(9)) - {4}
    assert set(store.lookup([1, 2], continuation=1).continuations[:, 0].tolist()) == set(range(9)) - {4}


@pytest.mark.parametrize("tokens", [[1, -1, 2], [2**31], [0.5, 1.5], [[1, 2], [3, 4]]])
def test_no_token_ids_are_refused(database: StoreDatabase, tokens: list[object]) -> None:
    store = NgramStore(database, FINGERPRINT)
    with pytest.raises(ValueError, match="token ids must"):
        store.add(1, np.array(tokens))
    assert store.documents() == set()


@pytest.mark.parametrize(
    "wrong", [{"max_n": 17}, {"min_n": 0}, {"max_n": 3, "min_n": 4}, {"matches": 0}, {"continuation": 0}]
)
def test_arguments_out_of_range_are_refused(database: StoreDatabase, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be within"):
        NgramStore(database, FINGERPRINT).lookup([1, 2], **wrong)  # type: ignore[arg-type]


def test_a_negative_context_id_never_matches_a_separator(database: StoreDatabase) -> None:
    store = NgramStore(database, FINGERPRINT)
    store.add(1, np.array([1, 2, 3], np.int32))
    with pytest.raises(ValueError, match="token ids must"):
        store.lookup([-1, 1])


def test_places_outside_the_tokens_are_reported(database: StoreDatabase) -> None:
    store = NgramStore(database, FINGERPRINT)
    store.add(1, np.array([1, 2, 3], np.int32))
    with database.write() as connection:
        connection.execute("UPDATE ngram_runs SET places = ?", [np.array([9999], "<i4").tobytes()])
    with pytest.raises(StoreError, match="damaged"):
        NgramStore(database, FINGERPRINT).lookup([1, 2])
    with pytest.raises(ValueError, match="outside"):
        SuffixIndex(join([np.array([1, 2], np.int32)])[0].astype(">i4").tobytes(), b"\xff\xff\xff\x7f", [(1, 7)])


@pytest.mark.parametrize("damage", ["x'00000001'", "x'0000000100'", "x''", "CAST(tokens AS TEXT)"])
def test_damaged_tokens_are_reported(database: StoreDatabase, damage: str) -> None:
    store = NgramStore(database, FINGERPRINT)
    store.add(1, np.array([1, 200, 3], np.int32))
    with database.write() as connection:
        connection.execute(f"UPDATE ngram_runs SET tokens = {damage}")
    with pytest.raises(StoreError, match="damaged"):
        store.tokens(1)


def test_a_reader_beside_a_writer_sees_whole_changes_only(database: StoreDatabase) -> None:
    """Document 0 is replaced all the time: exactly one of its versions must be found at every moment."""
    store = NgramStore(database, FINGERPRINT, run_tokens=2000)
    filler = random_documents(12, 50, 20)
    store.add(0, np.array([100, 101, 0, 50], np.int32))
    done = threading.Event()
    wrong: list[list[list[int]]] = []
    looked = [0, 0]

    def look(reader: int) -> None:
        # Opening again and again makes loading meet the commits too.
        while not done.is_set():
            fresh = NgramStore(database, FINGERPRINT) if looked[reader] % 10 == 0 else store
            found = fresh.lookup([100, 101], continuation=2).continuations.tolist()
            if len(found) != 1 or found[0][1] != 50 + found[0][0]:
                wrong.append(found)
            looked[reader] += 1

    readers = [threading.Thread(target=look, args=(reader,)) for reader in range(2)]
    for reader in readers:
        reader.start()
    try:
        for version in range(1, 100):
            store.add(0, np.array([100, 101, version, 50 + version], np.int32))
            store.add(1 + version % 12, np.array(filler[version % 12], np.int32))
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert wrong == []
    assert min(looked) > 20
    assert store.lookup([100, 101], continuation=1).continuations.tolist() == [[99]]


CHILD = """
import sys
from pathlib import Path
import numpy as np
from localspec.stores.database import StoreDatabase
from localspec.stores.ngrams.ngram_store import NGRAM_MIGRATIONS, NgramStore

store = NgramStore(StoreDatabase(Path(sys.argv[1]), NGRAM_MIGRATIONS), "tokenizer-a", run_tokens=20_000)
first = int(sys.argv[2])
for document in range(first, first + 100_000):
    store.add(document, np.random.default_rng(document).integers(0, 3, 500).astype(np.int32))
    if document % 3 == 2:
        store.remove(document - 1)
    print(document, flush=True)
"""


def test_a_killed_process_leaves_a_consistent_store(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    first = 0
    for pause in (0.0, 0.013, 0.03):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CHILD), str(path), str(first)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            reported = [int(child.stdout.readline()) for _ in range(20)][-1]
            time.sleep(pause)
            child.kill()
            reported = max([reported, *(int(line) for line in child.stdout.read().splitlines() if line)])
        database = open_database(tmp_path)
        store = NgramStore(database, FINGERPRINT, run_tokens=20_000)
        stored = store.documents()
        last = max(stored)
        assert reported <= last <= reported + 1
        # The kill may lie between the addition of a document and the removal that follows it.
        gone = {document - 1 for document in range(last + 1) if document % 3 == 2}
        assert stored in (set(range(last + 1)) - gone, set(range(last + 1)) - gone | {last - 1})
        documents = {
            document: np.random.default_rng(document).integers(0, 3, 500).tolist() for document in sorted(stored)
        }
        assert store.count() == 500 * len(stored)
        found = store.lookup(documents[last][:300], matches=EVERYTHING, all_lengths=True, min_n=7)
        assert as_found(found) == brute_force(documents, documents[last][:300], all_lengths=True, min_n=7)
        database.close()
        # Again from the group of three that the kill may have left unfinished.
        first = last - last % 3
