"""A dense index over vectors that are kept elsewhere; the only importer of hnswlib.

The index answers "which labels lie nearest" (HNSW graph, arXiv 1603.09320). Its file is a cache: whatever is doubtful
about it, it is made again from the vectors in SQLite, because hnswlib trusts its files. It writes a truncated file on
a full disk without an error, may crash on a flipped header byte, loads vectors of another dimension silently, accepts
NaN, and may crash when a search runs while vectors are added.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import hnswlib
import numpy as np
from numpy.typing import ArrayLike, NDArray

from localspec import config
from localspec.errors import DiskFullError, StoreError
from localspec.stores.database import disk_error, mapped_errors

_logger = logging.getLogger(__name__)

Metric: TypeAlias = Literal["cosine", "ip"]
"""How similarity is counted: cosine, or inner product."""

_CHUNK = 64  # vectors added under one hold of the lock, so that a search waits for a few milliseconds at most
_FIRST_CAPACITY = 1024
_EXACT_CHUNK = 65_536
_SEARCH_WIDTH = 100  # hnswlib's `ef`, the candidates it keeps while it walks the graph; twice k where that is more
_GROWTH = 1.25  # capacity is added in quarters: hnswlib spends 50 bytes on an element that is not there yet
_ROOM_BYTES = 50
_FORMAT = 2
_REBUILT = 10_000
_KEPT_REMOVED = 0.1
"""A graph of more vectors than the one is built anew only when a larger part than the other was removed: it takes a
millisecond a vector. Until then what they said is overwritten."""


class VectorIndex:
    """Labels and vectors of one dimension in memory. Any thread may call any method. Changes and saving wait for each
    other; a search waits for a few milliseconds of a change. It needs no lock that saving holds, but hnswlib keeps
    Python's interpreter lock while it writes or loads its file: all threads wait then. Raises ValueError for arguments
    of the wrong shape, and StoreError when memory runs out."""

    def __init__(
        self,
        dimension: int,
        fingerprint: str,
        *,
        metric: Metric = "cosine",
        connections: int = 16,
        build_width: int = 200,
        search_width: int = _SEARCH_WIDTH,
    ) -> None:
        """`fingerprint` names what made the vectors; a cache file with another one is not loaded. `connections`,
        `build_width` and `search_width` are hnswlib's M, ef_construction and least ef; M and ef_construction by default
        its own values."""
        if dimension < 1:
            raise ValueError("dimension must be positive")
        self.dimension = dimension
        self.fingerprint = fingerprint
        self.metric: Metric = metric
        self._connections = connections
        self._build_width = build_width
        self._search_width = search_width
        # Whoever changes or saves holds `_changes`, and `_lock` while the graph truly changes; a search holds `_lock`.
        self._changes = threading.Lock()
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        # hnswlib keeps removed vectors in its graph, and their labels in its list.
        self._removed: set[int] = set()
        self._overwritten: set[int] = set()
        self._index = self._empty(_FIRST_CAPACITY)

    def __len__(self) -> int:
        with self._held():
            return self._count()

    @property
    def removed(self) -> int:
        """Vectors that are removed but still there, until `compact`."""
        with self._held():
            return len(self._removed - self._overwritten)

    @property
    def memory_bytes(self) -> int:
        """Memory that the index holds, an estimate: the bytes of its file (vectors, labels and links lie in memory as
        there; removed ones are included), and 50 for each element there is room for (locks, levels, label table)."""
        with self._held():
            return int(self._index.index_file_size()) + _ROOM_BYTES * int(self._index.max_elements)

    def labels(self) -> NDArray[np.int64]:
        """The labels that searches can find, int64 [n], ascending."""
        with self._changes:
            return self._labels()

    def add(self, labels: Sequence[int] | NDArray[np.int64], vectors: ArrayLike) -> None:
        """Add vectors [n, d] under distinct labels [n]; a label that is there gets the new vector. Raises ValueError,
        before anything is added, for NaN, infinity, another dimension, or a label given twice."""
        numbers = np.asarray(labels, np.int64).reshape(-1)
        rows = self._rows(vectors)
        if len(numbers) != len(rows):
            raise ValueError(f"{len(numbers)} labels for {len(rows)} vectors")
        if len(numbers) and (int(numbers.min()) < 0 or len(np.unique(numbers)) != len(numbers)):
            raise ValueError("labels must be distinct and not negative")
        with self._changes:
            for start in range(0, len(numbers), _CHUNK):
                with self._held():
                    self._add(numbers[start : start + _CHUNK], rows[start : start + _CHUNK])

    def remove(self, labels: Iterable[int]) -> None:
        """Searches find these labels no more; unknown ones are ignored. Their vectors are there until `compact`."""
        with self._changes, self._held():
            for label in labels:
                if label in self._removed:
                    continue
                try:
                    self._index.mark_deleted(label)
                except RuntimeError:
                    continue  # hnswlib's only answer to an unknown label
                self._removed.add(label)

    def search(self, vectors: ArrayLike, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The k nearest labels, int64 [n, k], of each query [n, d], and their similarities, float32 [n, k], descending.
        There are fewer columns when the index holds fewer vectors. Raises ValueError for NaN, infinity or k < 1."""
        if k < 1:
            raise ValueError("k must be positive")
        queries = self._rows(vectors)
        with self._held():
            k = min(k, self._count())
            if k == 0 or len(queries) == 0:
                return np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
            self._index.set_ef(max(self._search_width, 2 * k))
            try:
                labels, distances = self._index.knn_query(queries, k=k, num_threads=_threads())
            except RuntimeError:
                # The graph did not reach k live vectors, as happens when most are removed.
                return self._search_exactly(queries, k)
        return labels.astype(np.int64), (1 - distances).astype(np.float32)

    def compact(self) -> None:
        """Leave no trace of what removed vectors said: build the graph anew without them, or, where they are few in a
        large one, put others in their places."""
        with self._changes:
            self._compact()

    def save(self, path: Path) -> None:
        """Write the cache file and its manifest `<path>.json`, without a trace of removed vectors. What is at `path`
        stays until the new file is complete. Raises DiskFullError or StoreError."""
        with self._changes, mapped_errors(path):
            self._compact()
            temporary = path.with_name(path.name + ".tmp")
            manifest = path.with_name(path.name + ".tmp.json")
            try:
                self._write(temporary)
                facts = self._facts(temporary.stat().st_size, _sha256(temporary), self._count(), self._removed)
                with manifest.open("w", encoding="utf-8") as file:
                    json.dump(facts, file)
                    file.flush()
                    os.fsync(file.fileno())
                # A kill between the two leaves a pair that does not match, which is not loaded.
                temporary.replace(path)
                manifest.replace(manifest_path(path))
            finally:
                temporary.unlink(missing_ok=True)
                manifest.unlink(missing_ok=True)
            _sync_folder(path.parent)

    @classmethod
    def load(
        cls,
        path: Path,
        dimension: int,
        fingerprint: str,
        *,
        metric: Metric = "cosine",
        search_width: int = _SEARCH_WIDTH,
    ) -> VectorIndex | None:
        """The index saved at `path`, or None when there is none or anything about it does not match. It grows as it was
        built: hnswlib writes `connections` and `build_width` into the file."""
        index = cls(dimension, fingerprint, metric=metric, search_width=search_width)
        loaded = hnswlib.Index(metric, dimension)
        try:
            facts = json.loads(manifest_path(path).read_text(encoding="utf-8"))
            if isinstance(facts, dict) and facts.get("format") in range(1, _FORMAT):
                return None  # of an earlier version
            size, checksum = path.stat().st_size, _sha256(path)
            count, removed = (facts.get("count"), facts.get("removed")) if isinstance(facts, dict) else (None, None)
            if not isinstance(count, int) or not isinstance(removed, list):
                raise ValueError("its manifest says nothing of its vectors")
            if facts != index._facts(size, checksum, count, removed):
                raise ValueError("it does not match its manifest, or other vectors")
            loaded.load_index(str(path), max_elements=max(count + len(removed), _FIRST_CAPACITY))
            if loaded.element_count != count + len(removed) or loaded.index_file_size() != size:
                raise ValueError(f"it holds {loaded.element_count} vectors")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            _logger.warning("The cache %s is made again: %s", path, error)
            return None
        index._index = loaded
        index._removed, index._overwritten = set(removed), set(removed)
        index._connections, index._build_width = loaded.M, loaded.ef_construction
        return index

    @contextmanager
    def _held(self) -> Iterator[None]:
        """The lock, which whoever waits gets before the thread that has it may take it again."""
        with self._turn:
            self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def _facts(self, size: int, checksum: str, count: int, removed: Iterable[int]) -> dict[str, object]:
        """What the manifest says; every entry must be equal for a file to be loaded."""
        return {
            "format": _FORMAT,
            "hnswlib": importlib.metadata.version("hnswlib"),
            # hnswlib writes C structures as they lie in memory.
            "machine": f"{platform.machine()} {sys.byteorder} {sys.maxsize.bit_length() + 1}",
            "fingerprint": self.fingerprint,
            "dimension": self.dimension,
            "metric": self.metric,
            "count": count,
            "removed": sorted(removed),
            "size": size,
            "sha256": checksum,
        }

    def _write(self, path: Path) -> None:
        try:
            self._index.save_index(str(path))
        except RuntimeError as error:
            raise StoreError(f"{path} could not be written: {error}.") from error
        if not path.exists():
            raise StoreError(f"{path} could not be written.", "Check that the folder exists and may be written.")
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        if path.stat().st_size != self._index.index_file_size():
            raise DiskFullError(
                f"The disk is full: {path} could not be written.",
                "Free some space; the file is a cache and is made again.",
            )

    def _rows(self, vectors: ArrayLike) -> NDArray[np.float32]:
        rows = np.ascontiguousarray(vectors, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.dimension:
            raise ValueError(f"vectors must be [n, {self.dimension}], not {list(rows.shape)}")
        if not np.isfinite(rows).all():
            raise ValueError("vectors must be finite numbers")
        return rows

    def _empty(self, capacity: int) -> Any:  # noqa: ANN401 - hnswlib comes without types
        index = hnswlib.Index(self.metric, self.dimension)
        index.init_index(capacity, M=self._connections, ef_construction=self._build_width, random_seed=1)
        return index

    def _count(self) -> int:
        return int(self._index.element_count) - len(self._removed)

    def _labels(self) -> NDArray[np.int64]:
        known = np.sort(np.asarray(self._index.get_ids_list(), np.int64))
        return np.setdiff1d(known, np.fromiter(self._removed, np.int64), assume_unique=True)

    def _add(self, labels: NDArray[np.int64], rows: NDArray[np.float32]) -> None:
        _insert(self._index, labels, rows)
        self._removed.difference_update(labels.tolist())
        self._overwritten.difference_update(labels.tolist())

    def _compact(self) -> None:
        if not self._removed:
            return
        if self._count() >= _REBUILT and len(self._removed) <= _KEPT_REMOVED * self._count():
            self._overwrite()
            return
        labels = self._labels()
        index = self._empty(max(len(labels), _FIRST_CAPACITY))
        for start in range(0, len(labels), _EXACT_CHUNK):
            part = labels[start : start + _EXACT_CHUNK]
            _insert(index, part, np.asarray(self._index.get_items(part), np.float32))
        with self._held():
            self._index = index
            self._removed, self._overwritten = set(), set()

    def _overwrite(self) -> None:
        """Move what was removed to chance places; it stays removed."""
        labels = np.array(sorted(self._removed - self._overwritten), np.int64)
        random = np.random.default_rng(len(labels))
        for start in range(0, len(labels), _CHUNK):
            part = labels[start : start + _CHUNK]
            rows = random.standard_normal((len(part), self.dimension), np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            with self._held():
                _insert(self._index, part, rows)  # what is added is not removed any more
                for label in part.tolist():
                    self._index.mark_deleted(label)
            self._overwritten.update(part.tolist())

    def _search_exactly(self, queries: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        if self.metric == "cosine":  # the stored vectors have length 1 already
            queries = queries / np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), np.float32(1e-30))
        live = self._labels()
        labels = np.empty((len(queries), 0), np.int64)
        similarities = np.empty((len(queries), 0), np.float32)
        for start in range(0, len(live), _EXACT_CHUNK):
            part = live[start : start + _EXACT_CHUNK]
            rows = np.asarray(self._index.get_items(part), np.float32)
            labels = np.hstack([labels, np.broadcast_to(part, (len(queries), len(part)))])
            similarities = np.hstack([similarities, queries @ rows.T])
            best = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
            labels = np.take_along_axis(labels, best, axis=1)
            similarities = np.take_along_axis(similarities, best, axis=1)
        return labels, similarities.astype(np.float32)


def manifest_path(path: Path) -> Path:
    """Where the manifest of the cache file `path` lies."""
    return path.with_name(path.name + ".json")


def forget(path: Path) -> None:
    """Delete a cache file, its manifest and what a killed `save` left. Raises StoreError."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        for file in (manifest_path(path), path, manifest_path(temporary), temporary):
            file.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error, path) from error


def move(path: Path, target: Path) -> None:
    """Give a cache file that is there another name, in the place of what had that name. Raises StoreError."""
    try:
        for file, there in ((path, target), (manifest_path(path), manifest_path(target))):
            if file.exists():
                file.replace(there)
    except OSError as error:
        raise disk_error(error, path) from error


def _insert(index: Any, labels: NDArray[np.int64], rows: NDArray[np.float32]) -> None:  # noqa: ANN401 - as above
    needed = int(index.element_count) + len(labels)
    capacity = int(index.max_elements)
    try:
        if needed > capacity:
            index.resize_index(max(int(_GROWTH * capacity), needed))
        index.add_items(rows, labels, num_threads=_threads())
    except (RuntimeError, MemoryError) as error:
        raise StoreError(
            f"The search index cannot grow to {needed:,} vectors ({error}).", "Close other programs and try again."
        ) from error


@functools.cache
def _threads() -> int:
    return config.default_threads()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable; Windows does so itself and cannot open folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
