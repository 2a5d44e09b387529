"""The dense index on real hnswlib: near brute force, and never fooled by its cache file."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localspec.errors import StoreError
from localspec.stores import vectors as vectors_module
from localspec.stores.vectors import Metric, VectorIndex, forget, manifest_path

DIMENSION = 16


def random_vectors(count: int, dimension: int = DIMENSION, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimension), dtype=np.float32)


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def filled(count: int = 300) -> VectorIndex:
    index = VectorIndex(DIMENSION, "maker")
    index.add(range(count), random_vectors(count))
    return index


@pytest.mark.parametrize("metric", ["cosine", "ip"])
def test_recall_and_similarities_against_brute_force(metric: Metric) -> None:
    vectors, queries = random_vectors(3000, 64), random_vectors(50, 64, seed=1)
    index = VectorIndex(64, "maker", metric=metric)
    for start in range(0, 3000, 700):  # grows twice
        index.add(np.arange(start, min(start + 700, 3000)), vectors[start : start + 700])
    labels, similarities = index.search(queries, 10)
    assert labels.shape == similarities.shape == (50, 10)
    assert labels.dtype == np.int64
    assert similarities.dtype == np.float32
    exact = unit(queries) @ unit(vectors).T if metric == "cosine" else queries @ vectors.T
    best = np.argsort(-exact, axis=1)[:, :10]
    recall = np.mean([len(set(a) & set(b)) for a, b in zip(labels.tolist(), best.tolist(), strict=True)]) / 10
    assert recall > 0.95
    assert np.allclose(similarities, np.take_along_axis(exact, labels, axis=1), atol=1e-3)
    assert (np.diff(similarities, axis=1) <= 1e-6).all()


def test_fewer_vectors_than_asked_for() -> None:
    index = VectorIndex(DIMENSION, "maker")
    assert index.search(random_vectors(2), 5)[0].shape == (2, 0)
    index.add([7, 3], random_vectors(2))
    labels, _ = index.search(random_vectors(2), 5)
    assert labels.tolist() == [[7, 3], [3, 7]]
    index.remove([7])
    assert index.search(random_vectors(1), 5)[0].tolist() == [[3]]
    assert index.search(random_vectors(0), 5)[0].shape == (0, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_as_a_whole(bad: float) -> None:
    index = filled(10)
    vectors = random_vectors(3)
    vectors[2, 5] = bad
    with pytest.raises(ValueError, match="finite"):
        index.add([20, 21, 22], vectors)
    assert len(index) == 10
    with pytest.raises(ValueError, match="finite"):
        index.search(vectors, 1)


def test_wrong_shapes_and_labels_are_refused() -> None:
    index = filled(10)
    for labels, vectors in (
        ([1, 2], random_vectors(1)),
        ([1], random_vectors(1, DIMENSION + 1)),
        ([30, 30], random_vectors(2)),
        ([-1], random_vectors(1)),
    ):
        with pytest.raises(ValueError, match=r"labels|vectors"):
            index.add(labels, vectors)
    with pytest.raises(ValueError, match="vectors"):
        index.search(random_vectors(1)[0], 1)
    with pytest.raises(ValueError, match="k must"):
        index.search(random_vectors(1), 0)
    with pytest.raises(ValueError, match="dimension"):
        VectorIndex(0, "maker")
    assert index.labels().tolist() == list(range(10))


def test_removed_labels_are_not_found_even_when_most_are_removed() -> None:
    index = filled(2000)
    index.remove(range(1995))
    index.remove([5, 99_999])  # removed and unknown ones are no error
    assert len(index) == 5
    assert index.removed == 1995
    labels, similarities = index.search(random_vectors(2000)[1995:], 10)
    assert labels[:, 0].tolist() == list(range(1995, 2000))
    assert {*labels.ravel().tolist()} == set(range(1995, 2000))
    assert np.allclose(similarities[:, 0], 1, atol=1e-5)
    index.compact()
    assert index.removed == 0
    assert index.search(random_vectors(2000)[1995:], 10)[0].tolist() == labels.tolist()


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["add", "remove", "compact"]), st.lists(st.integers(0, 30), max_size=12, unique=True)
        ),
        max_size=15,
    ),
    metric=st.sampled_from(["cosine", "ip"]),
)
def test_any_course_of_changes_equals_a_dictionary(steps: list[tuple[str, list[int]]], metric: Metric) -> None:
    index = VectorIndex(DIMENSION, "maker", metric=metric)
    kept: dict[int, np.ndarray] = {}
    for number, (step, labels) in enumerate(steps):
        if step == "add":
            vectors = random_vectors(len(labels), seed=number)
            index.add(labels, vectors)
            kept.update(zip(labels, vectors, strict=True))
        elif step == "remove":
            index.remove(labels)
            kept = {label: vector for label, vector in kept.items() if label not in labels}
        else:
            index.compact()
    assert index.labels().tolist() == sorted(kept)
    query = random_vectors(1, seed=999)
    found, similarities = index.search(query, 40)
    assert sorted(found[0].tolist()) == sorted(kept)
    for label, similarity in zip(found[0].tolist(), similarities[0].tolist(), strict=True):
        vector = kept[label]
        exact = float((unit(query) @ unit(vector[None]).T if metric == "cosine" else query @ vector[:, None])[0, 0])
        assert similarity == pytest.approx(exact, abs=1e-3)


def test_searching_while_adding() -> None:
    index = filled(50)
    vectors = random_vectors(4000, seed=5)
    failures: list[BaseException] = []
    done = threading.Event()

    def search() -> None:
        try:
            while not done.is_set():
                labels, _ = index.search(vectors[:3], 20)
                assert labels.shape == (3, 20)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in range(0, 4000, 100):
        index.add(np.arange(1000 + start, 1100 + start), vectors[start : start + 100])
    done.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(index) == 4050


def test_a_saved_index_is_loaded_and_grows(tmp_path: Path) -> None:
    path = tmp_path / "cache.hnsw"
    index = filled(1500)
    index.remove(range(0, 1500, 3))
    index.save(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cache.hnsw", "cache.hnsw.json"]
    loaded = VectorIndex.load(path, DIMENSION, "maker")
    assert loaded is not None
    assert loaded.labels().tolist() == [label for label in range(1500) if label % 3]
    queries = random_vectors(20, seed=3)
    assert loaded.search(queries, 5)[0].tolist() == index.search(queries, 5)[0].tolist()
    loaded.add(range(5000, 7000), random_vectors(2000, seed=4))
    assert len(loaded) == 3000
    loaded.save(path)
    again = VectorIndex.load(path, DIMENSION, "maker")
    assert again is not None
    assert len(again) == 3000
    forget(path)
    assert not list(tmp_path.iterdir())
    assert VectorIndex.load(path, DIMENSION, "maker") is None


def test_a_loaded_index_goes_on_as_it_was_built(tmp_path: Path) -> None:
    path = tmp_path / "cache.hnsw"
    index = VectorIndex(DIMENSION, "maker", connections=5, build_width=33, search_width=300)
    index.add(range(1500), random_vectors(1500))
    index.save(path)
    loaded = VectorIndex.load(path, DIMENSION, "maker", search_width=300)
    assert loaded is not None
    loaded.remove(range(700))
    loaded.compact()
    loaded.save(path)
    smaller = VectorIndex(DIMENSION, "maker", connections=5, build_width=33)
    smaller.add(range(700, 1500), random_vectors(1500)[700:])
    smaller.save(tmp_path / "other.hnsw")
    assert abs(path.stat().st_size - (tmp_path / "other.hnsw").stat().st_size) < 800 * 20


def test_a_search_does_not_wait_for_a_long_addition() -> None:
    index = filled(500)
    vectors = random_vectors(6000, seed=9)
    adder = threading.Thread(target=index.add, args=(range(1000, 7000), vectors))
    adder.start()
    searches = 0
    while adder.is_alive():
        index.search(vectors[:1], 5)
        searches += 1
    adder.join()
    # Each piece of 64 lets whoever waits go first.
    assert searches > 30
    assert len(index) == 6500


def test_removed_vectors_are_not_in_the_file(tmp_path: Path) -> None:
    vectors = unit(random_vectors(100))
    index = VectorIndex(DIMENSION, "maker", metric="ip")
    index.add(range(100), vectors)
    index.save(tmp_path / "before")
    index.remove([42])
    index.save(tmp_path / "after")
    assert vectors[42].tobytes() in (tmp_path / "before").read_bytes()
    after = (tmp_path / "after").read_bytes()
    assert vectors[42].tobytes() not in after
    assert vectors[43].tobytes() in after


def test_no_changed_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "cache.hnsw"
    filled().save(path)
    content, manifest = path.read_bytes(), manifest_path(path).read_bytes()
    generator = np.random.default_rng(0)
    places = [*range(0, 96, 5), *generator.integers(0, len(content), 30).tolist()]
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(flipped)
        assert VectorIndex.load(path, DIMENSION, "maker") is None
    for size in (0, 10, 96, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        assert VectorIndex.load(path, DIMENSION, "maker") is None
    path.write_bytes(content + b"\0")
    assert VectorIndex.load(path, DIMENSION, "maker") is None
    path.write_bytes(content)
    assert VectorIndex.load(path, DIMENSION, "maker") is not None
    for broken in (b"", b"{", b"[]", b"\xff\xfe", manifest[:-5], manifest.replace(b"300", b"299")):
        manifest_path(path).write_bytes(broken)
        assert VectorIndex.load(path, DIMENSION, "maker") is None
    for key in json.loads(manifest):
        manifest_path(path).write_text(json.dumps({**json.loads(manifest), key: "other"}))
        assert VectorIndex.load(path, DIMENSION, "maker") is None
    manifest_path(path).unlink()
    assert VectorIndex.load(path, DIMENSION, "maker") is None


def test_files_of_other_vectors_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "cache.hnsw"
    filled().save(path)
    assert VectorIndex.load(path, DIMENSION // 2, "maker") is None
    assert VectorIndex.load(path, DIMENSION * 2, "maker") is None
    assert VectorIndex.load(path, DIMENSION, "another maker") is None
    assert VectorIndex.load(path, DIMENSION, "maker", metric="ip") is None
    other = tmp_path / "other.hnsw"
    VectorIndex(DIMENSION * 2, "maker").save(other)
    path.write_bytes(other.read_bytes())  # as after a kill between the two renames
    assert VectorIndex.load(path, DIMENSION, "maker") is None


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from localspec.errors import DiskFullError
from localspec.stores.vectors import VectorIndex

path = Path(sys.argv[1])
index = VectorIndex.load(path, 16, "maker")
assert index is not None
index.add(range(1000, 3000), np.random.default_rng(1).standard_normal((2000, 16), dtype=np.float32))
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, resource.RLIM_INFINITY))
try:
    index.save(path)
except DiskFullError as error:
    print("refused", len(index), error.advice != "")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes")
def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "cache.hnsw"
    filled().save(path)
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(path)], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["refused", "2300", "True"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cache.hnsw", "cache.hnsw.json"]
    loaded = VectorIndex.load(path, DIMENSION, "maker")
    assert loaded is not None
    assert len(loaded) == 300


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="absent"):
        filled(3).save(tmp_path / "absent" / "cache.hnsw")


def test_few_removed_vectors_of_a_large_index_are_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors_module, "_REBUILT", 100)
    index, rows = VectorIndex(DIMENSION, "maker", metric="ip"), unit(random_vectors(300))
    index.add(range(300), rows)
    graph = index._index
    index.remove(range(5))
    index.save(tmp_path / "index")
    assert index._index is graph, "not built anew"
    assert (len(index), index.removed) == (295, 0)
    content = (tmp_path / "index").read_bytes()
    assert rows[200].tobytes()[:32] in content
    for label in range(5):
        assert rows[label].tobytes()[:32] not in content
        assert rows[label].tobytes()[-32:] not in content
    loaded = VectorIndex.load(tmp_path / "index", DIMENSION, "maker", metric="ip")
    assert loaded is not None
    assert loaded.labels().tolist() == [*range(5, 300)]
    found, _ = loaded.search(rows, 1)
    assert (found[5:, 0] == np.arange(5, 300)).mean() > 0.98
    assert not set(found.ravel()) & {*range(5)}
    loaded.add([2], rows[2:3])
    assert len(loaded) == 296
    assert loaded.search(rows[2:3], 1)[0][0, 0] == 2
    loaded.remove(range(5, 60))  # many: without them, then
    loaded.save(tmp_path / "index")
    assert len(loaded) == loaded._index.element_count == 241, "built anew"
