"""What searches of states use, while it is made: the index, begun anew or from its cache file, and the tokens."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from localspec.stores.states.schema import CONTINUATION
from localspec.stores.states.state_rows import Chunk, FittedTransform, StateRows, StateTarget
from localspec.stores.states.transform import SEARCHED, Carry, unit
from localspec.stores.vectors import VectorIndex

GAP = -2  # what the sequence holds where there is no chunk (any more)
_CONNECTIONS = 16
_BUILD_WIDTH = 64
_SEARCH_WIDTH = 200
"""hnswlib's M, ef_construction and ef, measured with benchmarks/state_store.py."""
_PIECE = 1024  # states, or the chunk that goes beyond, that are indexed under one hold of the writer's lock


@dataclass(slots=True)
class IndexBuild:
    """An index while it is filled, chunk by chunk in the order of the labels. Methods need a transaction."""

    rows: StateRows
    fitted: FittedTransform
    index: VectorIndex
    replaced: int  # id of the transform that was current at its beginning; 0 for none
    next_label: int = 0
    complete: Collection[int] = ()  # bases of later chunks that the index holds already
    added: int = 0
    carries: dict[int, Carry] = field(default_factory=dict)  # by the id of the transform that a chunk was reduced by

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


class TokenSequence:
    """All tokens of a target in one sequence, where a state's label is its place. One thread changes it, any takes."""

    def __init__(self, places: int) -> None:
        """Room for `places` labels and what follows the last."""
        self._places = np.full(places + CONTINUATION, GAP, np.int32)

    @property
    def memory_bytes(self) -> int:
        """4 bytes per place."""
        return self._places.nbytes

    def put(self, base: int, count: int, tokens: NDArray[np.int32]) -> None:
        """Enter the tokens [count to count + 20] of a chunk at its places."""
        end = base + count + CONTINUATION
        if end > len(self._places):
            # A quarter more, in a new array: whoever takes meanwhile has the old one.
            grown = np.full(max(end, len(self._places) * 5 // 4), GAP, np.int32)
            grown[: len(self._places)] = self._places
            self._places = grown
        self._places[base:end] = -1
        self._places[base : base + len(tokens)] = tokens

    def wipe(self, base: int, count: int) -> None:
        """Remove a chunk."""
        self._places[base : base + count + CONTINUATION] = GAP

    def take(self, labels: NDArray[np.int64]) -> NDArray[np.int32]:
        """What follows the states [n], [n, 20], then -1; the first column is -2 for those removed meanwhile."""
        following: NDArray[np.int32] = self._places[labels[:, None] + np.arange(1, CONTINUATION + 1)]
        gone = following[:, 0] == GAP
        # A gap may begin within a row while a chunk is wiped, and damage may leave any number: all of it ends the row.
        following[np.logical_or.accumulate(following < 0, axis=1)] = -1
        following[gone, 0] = GAP
        return following
