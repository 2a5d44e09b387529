"""The index over hidden states while it is filled, and how it is begun: anew, or from its cache file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from localspec.stores.states.state_rows import Chunk, FittedTransform, StateRows, StateTarget
from localspec.stores.states.transform import SEARCHED, Carry, unit
from localspec.stores.vectors import VectorIndex

_CONNECTIONS = 16
_BUILD_WIDTH = 64
_SEARCH_WIDTH = 200
"""hnswlib's M, ef_construction and ef, measured with benchmarks/state_store.py."""
_PIECE = 1024
"""States, or the chunk that goes beyond, that are indexed under one hold of the writer's lock."""


@dataclass(slots=True)
class IndexBuild:
    """An index while it is filled, chunk by chunk in the order of the labels. Methods need a transaction."""

    rows: StateRows
    fitted: FittedTransform
    index: VectorIndex
    replaced: int
    """Id of the transform that was current at its beginning; 0 for none."""
    next_label: int = 0
    complete: Collection[int] = ()
    """Bases of later chunks that the index holds already."""
    added: int = 0
    carries: dict[int, Carry] = field(default_factory=dict)
    """By the id of the transform that a chunk was reduced by."""

    def compare(self, database: Database, target: StateTarget) -> None:
        """After a kill the cache file is older than the database: find what it lacks, remove what it has too much."""
        bases, counts = self.rows.places(database.conn, target).T
        labels = self.index.labels()
        self.index.remove(np.setdiff1d(labels, labels_of(bases, counts), assume_unique=True).tolist())
        present = np.searchsorted(labels, bases + counts) - np.searchsorted(labels, bases)
        absent = bases[present != counts]
        self.next_label = int(absent[0]) if len(absent) else target.next_label
        self.complete = frozenset(bases[(present == counts) & (bases > self.next_label)].tolist())

    def add_chunks(self, database: Database, target: StateTarget) -> bool:
        """Index the next chunks, some 1,000 states; False when none is left. Raises DamagedStatesError."""
        pieces: list[tuple[Chunk, NDArray[np.float32]]] = []
        size = 0
        for chunk in self.rows.chunks(database.conn, target, self.next_label):
            self.next_label = chunk.base + 1
            if chunk.base not in self.complete:
                pieces.append((chunk, self._vectors(database, chunk)))
                size += chunk.count
            if size >= _PIECE:
                break
        if not pieces:
            return False
        labels = np.concatenate([np.arange(chunk.base, chunk.base + chunk.count) for chunk, _ in pieces])
        try:
            self.index.add(labels, np.concatenate([vectors for _, vectors in pieces]))
        except ValueError as error:  # whose transform gave no numbers
            raise self.rows.damaged(error) from error
        self.added += size
        return True

    def _vectors(self, database: Database, chunk: Chunk) -> NDArray[np.float32]:
        """Unit vectors [n, 64] of a chunk under the transform that is built with."""
        if chunk.transform is None:
            return self.fitted.transform.project(chunk.states)
        if chunk.transform == self.fitted.id:
            return unit(chunk.states[:, :SEARCHED])
        if chunk.transform not in self.carries:
            old = self.rows.transform(database.conn, chunk.transform)
            self.carries[chunk.transform] = Carry(old.transform, self.fitted.transform)
        return self.carries[chunk.transform](chunk.states)


def empty_index(named: str, fitted: FittedTransform) -> VectorIndex:
    """An index without states. `named` names the library and the target."""
    return VectorIndex(
        SEARCHED,
        f"{named} {fitted.id}",
        metric="ip",
        connections=_CONNECTIONS,
        build_width=_BUILD_WIDTH,
        search_width=_SEARCH_WIDTH,
    )


def load_index(cache: Path, named: str, fitted: FittedTransform) -> VectorIndex | None:
    """The index in the cache file; None when there is none that fits."""
    return VectorIndex.load(cache, SEARCHED, f"{named} {fitted.id}", metric="ip", search_width=_SEARCH_WIDTH)


def labels_of(bases: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The labels of chunks: base, base + 1, ... of each, int64 [sum of the counts]."""
    starts = np.cumsum(counts) - counts
    return np.repeat(bases - starts, counts) + np.arange(int(counts.sum()))
