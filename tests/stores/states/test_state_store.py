"""The dense store on real SQLite and hnswlib: equal to brute force, whatever happens to its process and files."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localspec.stores.database import StoreDatabase
from localspec.stores.states.state_store import CONTINUATION, STATE_MIGRATIONS, StateStore
from localspec.stores.vectors import VectorIndex, manifest_path

WIDTH = 8
"""All components are kept of so narrow states, so that nothing is lost by reducing them."""
SAMPLE = 150
EVERYTHING = 10_000


def open_database(folder: Path) -> StoreDatabase:
    return StoreDatabase(folder / "library.db", STATE_MIGRATIONS)


def open_store(
    database: StoreDatabase, fingerprint: str = "target-a", width: int = WIDTH, sample: int = SAMPLE
) -> StateStore:
    return StateStore(database, database.path.parent, "library", fingerprint, width, sample_rows=sample)


def document(number: int, count: int, width: int = WIDTH) -> tuple[np.ndarray, np.ndarray]:
    """Token ids [count] that occur nowhere else, and states [count, width]."""
    generator = np.random.default_rng(abs(number) * 1000 + count)
    tokens = (abs(number) * 10_000 + np.arange(count)).astype(np.int32)
    return tokens, (3 * generator.standard_normal((count, width)) + 1).astype(np.float16)


def add(store: StateStore, number: int, count: int, chunk: int = 50, width: int = WIDTH) -> None:
    tokens, states = document(number, count, width)
    for start in range(0, count, chunk):
        store.add(number, start, tokens[start : start + chunk + CONTINUATION], states[start : start + chunk])


def is_ready(store: StateStore) -> bool:
    """Searches find something."""
    return len(store.search(np.ones(WIDTH, np.float32), 1).similarities) == 1


def holds_exactly(store: StateStore, documents: dict[int, int]) -> None:
    """Everything is counted, found with its continuation and its similarity, and nothing else is."""
    assert store.positions() == {number: count for number, count in documents.items() if count}
    assert store.count() == sum(documents.values())
    query = np.random.default_rng(5).standard_normal(WIDTH).astype(np.float32) + 1
    found = store.search(query, EVERYTHING)
    expected: dict[tuple[int, ...], np.ndarray] = {}
    for number, count in documents.items():
        tokens, states = document(number, count)
        padded = np.concatenate([tokens, np.full(CONTINUATION, -1, np.int32)])
        for place in range(count):
            # The last state of a document has no continuation to be known by.
            expected[tuple(padded[place + 1 : place + 1 + CONTINUATION].tolist())] = states[place]
    assert {tuple(row) for row in found.continuations.tolist()} == set(expected)
    assert len(found.similarities) == store.count()
    assert (np.diff(found.similarities) <= 1e-6).all()
    projected = store.project(query[None])
    vectors = store.project(np.array([expected[tuple(row)] for row in found.continuations.tolist()]))
    assert projected is not None
    assert vectors is not None
    known = found.continuations[:, 0] >= 0
    assert np.allclose((vectors @ projected[0])[known], found.similarities[known], atol=0.02)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[StoreDatabase]:
    opened = open_database(tmp_path)
    yield opened
    opened.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(1, 6), st.integers(1, 120)),
            st.tuples(st.just("remove"), st.integers(1, 6), st.just(0)),
            st.tuples(st.sampled_from(["prepare", "reopen", "stop"]), st.just(0), st.integers(0, 3)),
        ),
        max_size=14,
    )
)
def test_any_course_of_changes_equals_brute_force(
    steps: list[tuple[str, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    database = open_database(tmp_path_factory.mktemp("course"))
    store = open_store(database)
    stored: dict[int, int] = {}
    for step, number, count in steps:
        if step == "add" and number not in stored:
            add(store, number, count)
            stored[number] = count
        elif step == "remove":
            store.remove(number)
            stored.pop(number, None)
        elif step == "prepare":
            store.prepare()
        elif step == "stop":
            answers = iter([False] * count)
            store.prepare(lambda answers=answers: next(answers, True))  # type: ignore[misc]
        elif step == "reopen":
            store = open_store(database)
    store.prepare()
    if sum(stored.values()) >= 32 or store.project(np.ones((1, WIDTH))) is not None:
        holds_exactly(store, stored)
        store = open_store(database)
        assert not len(store.search(np.zeros(WIDTH, np.float32)).similarities)
        store.prepare()
        holds_exactly(store, stored)
    else:
        assert store.count() == sum(stored.values())
        assert not len(store.search(np.zeros(WIDTH, np.float32)).similarities)
    database.close()


def test_an_empty_store_and_one_of_few_states(database: StoreDatabase) -> None:
    store = open_store(database)
    for _ in range(2):
        assert store.project(np.ones((2, WIDTH))) is None
        assert store.search(np.ones(WIDTH, np.float32)).continuations.shape == (0, CONTINUATION)
        store.prepare()
        store.remove(3)
        store.drop()
        assert store.count() == 0
        assert store.targets() == {}
        add(store, 1, 31)
        store.prepare()
        assert not is_ready(store)
        store.drop()
    add(store, 1, 32)
    assert not is_ready(store)
    store.prepare()
    assert is_ready(store)
    holds_exactly(store, {1: 32})


def test_continuations_are_padded_where_the_document_ends(database: StoreDatabase) -> None:
    store = open_store(database)
    tokens, states = document(-7, 60)
    store.add(-7, 0, tokens[:60], states[:40])
    store.add(-7, 40, tokens[40:], states[40:])
    store.prepare()
    nearest = store.search(states[39].astype(np.float32), 1).continuations
    assert nearest.tolist() == [tokens[40:60].tolist()]
    nearest = store.search(states[57].astype(np.float32), 1).continuations
    assert nearest.tolist() == [[*tokens[58:60].tolist(), *[-1] * 18]]
    assert store.positions() == {-7: 60}


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_what_is_no_number_is_refused_before_anything_is_stored(database: StoreDatabase, bad: float) -> None:
    store = open_store(database)
    tokens, states = document(1, 40)
    wrong = states.astype(np.float32)
    wrong[39, 3] = bad
    with pytest.raises(ValueError, match="finite"):
        store.add(1, 0, tokens, wrong)  # type: ignore[arg-type]
    assert store.targets() == {}
    store.add(1, 0, tokens, states)
    if bad != 1e6:
        with pytest.raises(ValueError, match="finite"):
            store.search(wrong[39])


def test_wrong_shapes_are_refused(database: StoreDatabase) -> None:
    store = open_store(database)
    tokens, states = document(1, 40)
    for wrong_tokens, wrong_states, first in (
        (tokens, states[:, :-1], 0),
        (tokens[:39], states, 0),
        (tokens, states[:19], 0),
        (tokens, states, -1),
        (-tokens, states, 0),
        (tokens.astype(float), states, 0),
        (tokens, states[0], 0),
    ):
        with pytest.raises(ValueError, match=r"states|token"):
            store.add(1, first, wrong_tokens, wrong_states)
    with pytest.raises(ValueError, match="must be"):
        store.search(np.ones(WIDTH + 1, np.float32))
    with pytest.raises(ValueError, match="must be"):
        store.search(np.ones((1, WIDTH), np.float32))
    with pytest.raises(ValueError, match="k must"):
        store.search(np.ones(WIDTH, np.float32), 0)
    with pytest.raises(ValueError, match="must be"):
        store.project(np.ones((3, WIDTH + 1)))
    with pytest.raises(ValueError, match="dimension"):
        open_store(database, width=0)
    add(store, 1, 40, 30)
    with pytest.raises(ValueError, match="stored already"):
        store.add(1, 29, tokens[:5], states[:5])
    assert store.count() == 40


@pytest.mark.parametrize(("fingerprint", "width"), [("target-b", WIDTH), ("target-b", 12), ("target-a", 12)])
def test_another_targets_states_are_never_searched(database: StoreDatabase, fingerprint: str, width: int) -> None:
    first, second = open_store(database), open_store(database, fingerprint, width)
    for number in range(1, 5):
        add(first, number, 70)
        add(second, number + 10, 60, width=width)
    first.prepare()
    second.prepare()
    holds_exactly(first, dict.fromkeys(range(1, 5), 70))
    found = second.search(np.ones(width, np.float32), EVERYTHING).continuations
    assert len(found) == second.count() == 240
    assert ((found == -1) | (found >= 110_000)).all()
    assert sum(first.targets().values()) == 520
    again = open_store(database, fingerprint, width)
    again.prepare()
    assert (again.search(np.ones(width, np.float32), EVERYTHING).continuations[:, 0] != 10_001).all()
    second.drop()
    assert second.count() == 0
    assert not len(second.search(np.ones(width, np.float32)).similarities)
    holds_exactly(first, dict.fromkeys(range(1, 5), 70))
    assert first.targets() == {"target-a": 280}


def test_removal_leaves_no_trace(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    store, other = open_store(database), open_store(database, "target-b")
    for number in range(1, 5):
        add(store, number, 100)
    add(other, 3, 40)
    store.prepare()
    other.prepare()
    tokens, states = document(3, 100)
    traces = [tokens[20:30].astype("<i4").tobytes(), *(row.astype("<f2").tobytes() for row in states)]
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert all(any(trace in content for trace in kind) for kind in (traces[:1], traces[1:]))
    assert len(list(tmp_path.glob("*.hnsw"))) == 2
    other.remove(3)
    assert not list(tmp_path.glob("*.hnsw*"))
    database.reclaim()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert not any(trace in content for trace in traces)
    assert other.count() == 0
    database.close()


def test_what_is_removed_is_not_in_the_next_cache_file(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    store = open_store(database)
    for number in range(1, 5):
        add(store, number, 100)
    store.prepare()
    projected = store.project(document(3, 100)[1])
    assert projected is not None
    store.remove(3)
    assert not list(tmp_path.glob("*.hnsw*"))
    rest = {1: 100, 2: 100, 4: 100}
    holds_exactly(store, rest)
    store.prepare()
    (cache,) = tmp_path.glob("*.hnsw")
    size = cache.stat().st_size
    store.prepare()
    assert cache.stat().st_size == size
    assert size < 300 * 700
    holds_exactly(store, rest)
    database.close()


def test_changes_nest_and_what_is_rolled_back_is_never_seen(database: StoreDatabase) -> None:
    store = open_store(database)
    add(store, 1, 100)
    store.prepare()
    with pytest.raises(RuntimeError), database.write():
        add(store, 2, 200)  # reaches the sample's size: states are reduced, in vain
        store.remove(1)
        raise RuntimeError
    store.prepare()
    holds_exactly(store, {1: 100})
    with database.write():
        add(store, 2, 200)
        with pytest.raises(RuntimeError), database.write():
            add(store, 3, 20)
            raise RuntimeError
        store.remove(1)
        assert store.count() == 100
    store.prepare()
    holds_exactly(store, {2: 200})


def test_refitting_keeps_the_recall(database: StoreDatabase) -> None:
    """Correlated states of 400 dimensions, so that reducing them loses something."""
    generator = np.random.default_rng(0)
    mixing = generator.standard_normal((60, 400))
    centres = generator.standard_normal((150, 60))

    def states(count: int) -> np.ndarray:
        inner = centres[generator.integers(0, 150, count)] + 0.4 * generator.standard_normal((count, 60))
        return (inner @ mixing + 0.5 * generator.standard_normal((count, 400))).astype(np.float16)

    store = open_store(database, width=400, sample=300)
    everything, transforms = states(4000), set()
    for start in range(0, 4000, 100):
        tokens = np.arange(start, start + 120, dtype=np.int32)
        store.add(1 + start // 1000, start % 1000, tokens, everything[start : start + 100])
        if start % 500 == 0:
            store.prepare()
            projected = store.project(everything[:1])
            assert projected is not None
            transforms.add(projected.tobytes())
    store.prepare()
    assert len(transforms) == 3
    queries = states(60)
    projected, vectors = store.project(queries), store.project(everything)
    assert projected is not None
    assert vectors is not None
    exact = np.argsort(-(projected @ vectors.T), axis=1)[:, :50]
    recalls = [
        len({*(store.search(query.astype(np.float32)).continuations[:, 0] - 1).tolist()} & {*best.tolist()}) / 50
        for query, best in zip(queries, exact, strict=True)
    ]
    assert np.mean(recalls) > 0.8


def test_changed_cache_files_are_made_again(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    store = open_store(database)
    add(store, 1, 200)
    store.prepare()
    (cache,) = tmp_path.glob("*.hnsw")
    content, manifest = cache.read_bytes(), manifest_path(cache).read_bytes()
    generator = np.random.default_rng(0)
    changes = [(cache, content, place) for place in [*range(0, 96, 9), *generator.integers(0, len(content), 10)]]
    changes += [(manifest_path(cache), manifest, place) for place in generator.integers(0, len(manifest), 10)]
    for file, whole, place in changes:
        for changed in (
            whole[:place],
            whole[:place] + bytes([whole[place] ^ 1 << int(generator.integers(8))]) + whole[place + 1 :],
        ):
            cache.write_bytes(content)
            manifest_path(cache).write_bytes(manifest)
            file.write_bytes(changed)
            store = open_store(database)
            store.prepare()
            holds_exactly(store, {1: 200})
    cache.unlink()
    store = open_store(database)
    store.prepare()
    holds_exactly(store, {1: 200})
    assert cache.exists()
    database.close()


@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE state_chunks SET vectors = x'0001' WHERE base = 0",
        "UPDATE state_chunks SET vectors = CAST(vectors AS TEXT)",
        "UPDATE state_chunks SET tokens = x'000102'",
        "UPDATE state_chunks SET tokens = x''",
        "UPDATE state_chunks SET tokens = zeroblob(4 * (count + 21))",
        "UPDATE state_chunks SET tokens = CAST(tokens AS TEXT)",
        "UPDATE state_chunks SET base = -70 WHERE base = 0",
        "UPDATE state_chunks SET base = base + (1 << 60) WHERE base = 0",
        "UPDATE state_chunks SET base = 5 WHERE base > 0 AND base = (SELECT max(base) FROM state_chunks)",
        "UPDATE state_chunks SET count = count + (1 << 50) WHERE base = 0",
        "UPDATE state_chunks SET count = 'many' WHERE base = 0",
        "UPDATE state_targets SET next_label = next_label + (1 << 60)",
        "UPDATE state_targets SET next_label = next_label + (1 << 32)",
        "UPDATE state_targets SET next_label = 'x'",
        "UPDATE state_targets SET states = states + 1",
        "UPDATE state_targets SET reduced = CASE reduced WHEN 0 THEN 1 ELSE 3 END",
        "NaN",
        "infinity",
    ],
)
def test_damaged_states_are_dropped(database: StoreDatabase, damage: str, reduced: bool) -> None:
    store = open_store(database)
    numbers = [1, 2] if reduced else [1]
    for number in numbers:
        add(store, number, 120 if reduced else 100)
    if damage in ("NaN", "infinity"):
        damage = (
            "UPDATE state_chunks SET vectors ="
            f" CAST(x'{'007E' if damage == 'NaN' else '007C'}' || substr(vectors, 3) AS BLOB) WHERE base = 0"
        )
    with database.write() as connection:
        connection.execute(damage)
    store = open_store(database)
    store.count()
    store.prepare()
    assert store.targets() == {}
    assert (store.count(), store.positions(), is_ready(store)) == (0, {}, False)
    for number in numbers:
        add(store, number, 120)
    store.prepare()
    holds_exactly(store, dict.fromkeys(numbers, 120))


def test_damaged_transforms_and_samples_are_dropped(database: StoreDatabase) -> None:
    for damage in (
        "UPDATE state_transforms SET matrices = x'00'",
        "UPDATE state_transforms SET matrices = CAST(matrices AS TEXT)",
        "UPDATE state_transforms SET fitted_on = 'x'",
        "UPDATE state_transforms SET id = id + 1",
    ):
        store = open_store(database)
        add(store, 1, 200)
        store.prepare()
        assert is_ready(store)
        with database.write() as connection:
            connection.execute(damage)
        store = open_store(database)
        store.prepare()
        assert store.targets() == {}, damage


def test_documents_of_damaged_states_can_be_removed(database: StoreDatabase) -> None:
    for damage in ("chunks SET count = count + (1 << 50)", "chunks SET count = 'x'", "targets SET next_label = -1"):
        store = open_store(database)
        add(store, 1, 100)
        store.prepare()
        with database.write() as connection:
            connection.execute(f"UPDATE state_{damage}")
        store.remove(1)
        store.prepare()
        assert (store.targets(), is_ready(store)) == ({}, False)


def test_a_negative_token_ends_a_continuation(database: StoreDatabase) -> None:
    store = open_store(database)
    add(store, 1, 50)
    with database.write() as connection:
        tokens = document(1, 50)[0].astype("<i4")
        tokens[10] = -7
        connection.execute("UPDATE state_chunks SET tokens = ?", [tokens.tobytes()])
    store.prepare()
    found = store.search(document(1, 50)[1][4].astype(np.float32), 1).continuations
    assert found.tolist() == [[*range(10_005, 10_010), *[-1] * 15]]


@pytest.mark.parametrize("how", ["remove", "drop"])
def test_what_is_forgotten_while_it_is_saved_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    database = open_database(tmp_path)
    store = open_store(database)
    add(store, 1, 100)
    saving, write = threading.Event(), VectorIndex._write

    def slowly(index: VectorIndex, path: Path) -> None:
        saving.set()
        time.sleep(0.2)
        write(index, path)

    monkeypatch.setattr(VectorIndex, "_write", slowly)
    worker = threading.Thread(target=store.prepare)
    worker.start()
    assert saving.wait(10)
    if how == "remove":
        store.remove(1)
    else:
        store.drop()
    worker.join()
    assert not list(tmp_path.glob("*.hnsw*"))
    database.close()


def test_files_of_targets_without_states_are_deleted(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    store, other = open_store(database), open_store(database, "target-b")
    add(store, 1, 100)
    add(other, 1, 100)
    store.prepare()
    other.prepare()
    contents = {file: file.read_bytes() for file in tmp_path.glob("*.hnsw*")}
    assert len(contents) == 4
    other.drop()
    for file, content in contents.items():
        file.write_bytes(content)
    store.prepare()
    assert len(list(tmp_path.glob("*.hnsw*"))) == 2
    store.drop()
    for file, content in contents.items():
        file.write_bytes(content)
    store.prepare()
    assert not list(tmp_path.glob("*.hnsw*"))
    database.close()


def test_searching_while_adding_removing_and_refitting(database: StoreDatabase) -> None:
    store = open_store(database)
    add(store, 1, 60)
    store.prepare()
    done = threading.Event()
    wrong: list[object] = []
    query = document(1, 60)[1][0].astype(np.float32)

    def search() -> None:
        try:
            while not done.is_set():
                found = store.search(query, 5)
                tokens = found.continuations
                # Tokens of one document follow each other; a removed state's never show.
                if (
                    (tokens < -1).any()
                    or 10_001 not in tokens[:, 0]
                    or ((np.diff(tokens) != 1) & (tokens[:, 1:] >= 0)).any()
                ):
                    wrong.append(tokens)
        except BaseException as error:
            wrong.append(error)
            raise

    def prepare() -> None:
        while not done.is_set():
            store.prepare()

    threads = [threading.Thread(target=work) for work in (search, search, prepare)]
    for thread in threads:
        thread.start()
    try:
        for number in range(2, 26):
            add(store, number, 90)
            if number % 3 == 0:
                store.remove(number - 1)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not wrong
    store.prepare()
    left = set(range(2, 26)) - {number - 1 for number in range(2, 26) if number % 3 == 0}
    holds_exactly(store, {1: 60} | dict.fromkeys(left, 90))


CHILD = """
import sys
from pathlib import Path
from tests.stores.states.test_state_store import add, open_database, open_store

store = open_store(open_database(Path(sys.argv[1])))
print("open", flush=True)
store.prepare()
for number in range(int(sys.argv[2]), 100_000):
    add(store, number, 60, 60)
    print(number, flush=True)
    if number % 4 == 0:
        store.remove(number - 1)
        print(-number, flush=True)
    store.prepare()
"""


def test_a_killed_process_leaves_a_whole_store(tmp_path: Path) -> None:
    """Kills fall into additions, the reduction, refitting, and the writing of the cache file."""
    first = 1
    for pause in (0.0, 0.05, 0.11, 0.31):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path), str(first)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            reported = [int(child.stdout.readline())]
            time.sleep(pause)
            child.kill()
            reported += [int(line) for line in child.stdout.read().splitlines() if line]
        database = open_database(tmp_path)
        store = open_store(database)
        stored = store.positions()
        last = max(stored)
        assert max(map(abs, reported)) <= last <= max(map(abs, reported)) + 1
        gone = {number - 1 for number in range(1, last + 1) if number % 4 == 0}
        # The kill may lie between an addition and the removal that follows it.
        assert set(stored) in (set(range(1, last + 1)) - gone, set(range(1, last + 1)) - gone | {last - 1})
        store.prepare()
        holds_exactly(store, dict.fromkeys(stored, 60))
        if last % 4 == 0:
            store.remove(last - 1)
        database.close()
        first = last + 1


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from localspec.errors import DiskFullError
from tests.stores.states.test_state_store import add, holds_exactly, open_database, open_store

folder = Path(sys.argv[1])
database = open_database(folder)
store = open_store(database)
add(store, 1, 100)
database.reclaim()
limit = (folder / "library.db").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    add(store, 2, 2000, 2000)
except DiskFullError:
    print("refused", store.count())
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
store.prepare()
print(len(list(folder.glob("*.hnsw"))), len(store.search(np.ones(8, np.float32)).similarities))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
add(store, 2, 2000, 2000)
store.prepare()
holds_exactly(store, {1: 100, 2: 2000})
print(len(list(folder.glob("*.hnsw"))))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes")
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(tmp_path)], capture_output=True, text=True, check=True
    )
    lines = answer.stdout.split()
    assert lines[:2] == ["refused", "100"]
    assert lines[-1] == "1"


def test_searches_need_no_new_file_for_few_new_states(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    store = open_store(database)
    add(store, 1, 400)
    store.prepare()
    (cache,) = tmp_path.glob("*.hnsw")
    before = cache.stat().st_mtime_ns
    add(store, 2, 10)
    store.prepare()
    assert cache.stat().st_mtime_ns == before
    store = open_store(database)
    store.prepare()
    holds_exactly(store, {1: 400, 2: 10})
    add(store, 3, 50)
    store.prepare()
    assert cache.stat().st_mtime_ns != before
    database.close()


def test_what_is_set_aside_is_not_found_until_it_is_back(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    store = open_store(database)
    add(store, 1, 60)
    add(store, 2, 90)
    store.prepare()
    tokens, _ = document(1, 60)

    def found() -> bool:
        neighbours = store.search(np.ones(WIDTH, np.float32), EVERYTHING)
        return bool(np.isin(neighbours.continuations[:, 0], tokens).any())

    assert found()
    store.set_aside(1)
    assert not found()
    database.close()
    database = open_database(tmp_path)
    store = open_store(database)
    store.prepare()
    assert len(store.search(np.ones(WIDTH, np.float32), EVERYTHING).similarities) == 90
    assert not found()
    store.set_aside(1, False)
    holds_exactly(store, {1: 60, 2: 90})
    store.set_aside(1)
    store.remove(1)
    add(store, 1, 60)
    holds_exactly(store, {1: 60, 2: 90})
    database.close()
