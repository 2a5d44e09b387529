"""The dense store of a library: what followed each hidden state of its documents (DReSD, arXiv 2502.15572).

Key: the target's last-layer state at a position, projected (`transform`). Value: the 20 tokens after
it. States come in chunks, one row each. All tokens of a target lie in one virtual sequence: a chunk owns the places
from its base on, the label of a state is its place, and labels are never used twice. So the values of all neighbours
are one look-up in one array.

A store begins with raw states, from which it can fit any transform. When there are as many as its sample holds, it
keeps that, for later transforms to be fitted on, and of every state the principal components, by which they are applied
without the model. SQLite holds all
of it; the index of the projected states is a cache, in memory and in a file, which `StateStore.prepare` makes.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from localspec.errors import StoreError
from localspec.stores.database import StoreDatabase
from localspec.stores.states.index_build import GAP, IndexBuild, TokenSequence, empty_index, labels_of, load_index
from localspec.stores.states.schema import CONTINUATION, STATE_MIGRATIONS
from localspec.stores.states.state_rows import SAMPLE_ROWS, Added, DamagedStatesError, FittedTransform, StateRows
from localspec.stores.states.transform import SEARCHED, fit, unit
from localspec.stores.vectors import VectorIndex, forget

__all__ = ["CONTINUATION", "STATE_MIGRATIONS", "DamagedStatesError", "Neighbours", "StateStore"]

_logger = logging.getLogger(__name__)

_MIN_STATES = 32  # states from which on a transform is fitted
_REGROWTH = 10  # the transform is fitted again when the store has grown by this factor since
_REGROWTH_RAW = 4  # the same while all states are raw: fitting is exact then, and done in a second
_UNSAVED_SHARE = 20
"""The cache file is written anew when it lacks one in so many states; up to there, adding them to it is cheaper."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The stored states nearest to a query, nearest first."""

    similarities: NDArray[np.float32]  # [n] inner products of unit vectors, descending.
    continuations: NDArray[np.int32]
    """[n, 20] token ids: column 0 is the token right after the neighbour's position; -1 where the document ends."""
    labels: NDArray[np.int64]  # [n] of the states; `StateStore.labels` tells those of a document.


_NONE = Neighbours(np.empty(0, np.float32), np.empty((0, CONTINUATION), np.int32), np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What searches use: parts that belong together, replaced as a whole."""

    fitted: FittedTransform
    index: VectorIndex
    tokens: TokenSequence


class StateStore:
    """The states of a library's documents under one target. Any thread calls any method; changes wait for each other,
    searches for none of them. There is one object per database and target at a time."""

    def __init__(
        self,
        database: StoreDatabase,
        folder: Path,
        library: str,
        fingerprint: str,
        dimension: int,
        *,
        sample_rows: int = SAMPLE_ROWS,
    ) -> None:
        """`folder` gets the cache file; `library` is the random id of the database: labels mean nothing in another.
        `fingerprint` names the target's weights and format, `dimension` is the width of its states: what was stored
        under others is neither searched nor counted. `sample_rows` raw states are kept for fitting."""
        if dimension < 1:
            raise ValueError("dimension must be positive")
        self._database = database
        self._rows = StateRows(database.path, fingerprint, dimension, sample_rows)
        self._folder = folder
        self._cache = self._cache_of(fingerprint)
        self._named = f"{library} {fingerprint} {dimension}"
        self._dimension = dimension
        self._preparing = threading.Lock()
        # These change only under the writer's lock.
        self._snapshot: _Snapshot | None = None
        self._building: IndexBuild | None = None
        self._tokens: TokenSequence | None = None
        self._unsaved = 0
        self._current: FittedTransform | None = None
        try:
            with database.read() as connection:
                self._current = self._rows.fitted(connection, None)
        except DamagedStatesError as error:  # the library is of use without its states; `prepare` drops them
            _logger.warning("%s", error)

    def add(self, document: int, first: int, tokens: NDArray[np.int32], states: NDArray[np.float16]) -> None:
        """Store the states [n, d] of the positions from `first` on. One transaction; nests in an outer one.

        `tokens` [n + t] are those at these positions and the t that follow: 20, fewer only where the document ends. A
        negative `document` is none of the library's. Searches find the states once the outermost transaction is
        committed. Raises ValueError, before anything is stored, for NaN, infinity (also what float16 cannot hold),
        wrong shapes, and positions whose states are stored already.
        """
        states, tokens = self._checked(first, tokens, states)
        if not len(states):
            return
        with self._database.write() as database:
            added = self._rows.add(database, document, first, tokens, states, self._current)
            self._database.after_commit(lambda: self._added(added, tokens, states))

    def remove(self, document: int) -> None:
        """Remove every trace of a document, of whatever target. One transaction; nests in an outer one. The cache files
        that held its states are deleted with them; the freed space goes back to the disk with `StoreDatabase.reclaim`.
        An unknown document is no error."""
        with self._database.write() as database:
            own = self._rows.number(database.conn)
            removed = self._rows.remove(database, document)
            places, empty = np.empty((0, 2), np.int64), False
            for target, parts in removed:
                if target.id == own:
                    places, empty = parts, target.states == 0
            caches = [self._cache_of(target.fingerprint) for target, _ in removed]
            # Before the commit, for a kill after it; and after it, for a file that is being saved now.
            self._forget(caches)
            self._database.after_commit(lambda: self._removed(places, caches, empty=empty))

    def drop(self) -> None:
        """Delete everything of this target, damaged or not. One transaction; nests in an outer one."""
        with self._database.write() as database:
            self._rows.drop(database)
            self._forget([self._cache])
            self._database.after_commit(lambda: self._removed(np.empty((0, 2), np.int64), [self._cache], empty=True))

    def count(self) -> int:
        """States stored (committed) under this target; 0 where they are damaged."""
        try:
            with self._database.read() as connection:
                target = self._rows.target(connection)
        except DamagedStatesError:
            return 0
        return target.states if target else 0

    def positions(self) -> dict[int, int]:
        """How many states are stored (committed) under this target, by document."""
        with self._database.read() as connection:
            return self._rows.positions(connection)

    def labels(self, documents: Collection[int]) -> NDArray[np.int64]:
        """The labels [n] of all states of these documents under this target, as `Neighbours` has them."""
        with self._database.read() as connection:
            places = self._rows.places_of(connection, documents)
        return labels_of(places[:, 0], places[:, 1])

    def targets(self) -> dict[str, int]:
        """How many states are stored (committed), by the fingerprint of their target."""
        rows = self._database.rows(
            "SELECT fingerprint, sum(states) FROM state_targets GROUP BY fingerprint HAVING sum(states) > 0"
        )
        return {fingerprint: int(states) for fingerprint, states in rows}

    @property
    def memory_bytes(self) -> int:
        """Memory that searches hold, an estimate: the index, 4 bytes per place of the token sequence, and the transform
        (twice 256 components of the state's width, 4 bytes each); with an index in the making, that too."""
        tokens = self._tokens
        total = tokens.memory_bytes if tokens is not None else 0
        for part in (self._snapshot, self._building):
            if part is not None:
                total += part.index.memory_bytes + 2 * part.fitted.transform.components.nbytes
        return total

    def search(self, state: NDArray[np.float32], k: int = 50) -> Neighbours:
        """The k stored states nearest to a raw state [d], fewer when there are fewer; none before `prepare`. Reads
        memory only. Raises ValueError for another width, NaN, infinity, or k < 1."""
        query = np.asarray(state, np.float32)
        if query.shape != (self._dimension,):
            raise ValueError(f"a state must be [{self._dimension}], not {list(query.shape)}")
        if k < 1 or not np.isfinite(query).all():
            raise ValueError("k must be positive, and a state of finite numbers")
        snapshot = self._snapshot
        if snapshot is None:
            return _NONE
        labels, similarities = snapshot.index.search(snapshot.fitted.transform.project(query[None]), k)
        continuations = snapshot.tokens.take(labels[0])
        there = continuations[:, 0] != GAP
        if there.all():
            return Neighbours(similarities[0], continuations, labels[0])
        return Neighbours(similarities[0][there], continuations[there], labels[0][there])

    def project(self, states: ArrayLike) -> NDArray[np.float32] | None:
        """Unit vectors [m, 64] of raw states [m, d], as `search` compares them; None while there is no transform.
        Raises ValueError for another width."""
        rows = np.asarray(states, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self._dimension:
            raise ValueError(f"states must be [m, {self._dimension}], not {list(rows.shape)}")
        snapshot = self._snapshot
        fitted = snapshot.fitted if snapshot else self._current  # of the index that is in use, where there is one
        return fitted.transform.project(rows) if fitted else None

    def prepare(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Idle work: fit the transform where that is due, load the index or build it, and save it.

        Searches go on with what there was until the new index is complete. When `should_stop` is true it returns
        after the piece at hand (some 1,000 states; fitting, loading and saving are one piece each), and goes on there
        the next time. The file is a cache: failures to write it are logged. Damaged states are dropped, so that they
        are read again where they are wanted.
        """
        with self._preparing:
            try:
                while not should_stop():
                    if self._building is None and not self._begin():
                        self._sweep()
                        self._save()
                        return
                    self._fill()
            except DamagedStatesError as error:
                _logger.warning("All states of this model are dropped. %s", error)
                self.drop()

    def _begin(self) -> bool:
        """Begin to build what is due; False when nothing is."""
        # Under the writer's lock, where several statements see one state of the database: what does not fit together
        # is damage then.
        with self._database.write() as database:
            target = self._rows.target(database.conn)
            if target is None:
                return False
            self._rows.places(database.conn, target)
            current = self._rows.fitted(database.conn, self._current)
            if current is None and target.states < _MIN_STATES:
                return False
            snapshot = self._snapshot
            growth = _REGROWTH if target.reduced else _REGROWTH_RAW
            due = current is None or target.states >= current.fitted_on * growth
            in_use = snapshot is not None and current is not None and snapshot.fitted.id == current.id
            if in_use and snapshot is not None and not due and snapshot.index.removed == 0:
                return False
        loaded = load_index(self._cache, self._named, current) if current is not None and snapshot is None else None
        if current is None or (due and loaded is None):
            with self._database.write() as database:
                target = self._rows.target(database.conn)
                if target is None or target.states == 0:
                    return False
                raw = self._rows.raw(database.conn, target)
            fitted = FittedTransform(0, target.states, fit(raw))
        else:
            fitted = current
        replaced = current.id if current else 0
        index = loaded if loaded is not None else empty_index(self._named, fitted)
        building = IndexBuild(self._rows, fitted, index, replaced)
        # Under the writer's lock no state comes or goes between reading them and publishing the index.
        with self._database.write() as database:
            target = self._rows.target(database.conn)
            if target is None:
                return False
            if self._tokens is None:
                # As long as the chunks need: there may be many free labels behind them.
                places = self._rows.places(database.conn, target)
                tokens = TokenSequence(int(places[-1].sum()) if len(places) else 0)
                for base, count, ids in self._rows.tokens(database.conn, target):
                    tokens.put(base, count, ids)
                self._tokens = tokens
            if loaded is not None:
                building.compare(database, target)
            self._building = building
        return True

    def _fill(self) -> None:
        """Index the next chunks, or put the index in use when none is left."""
        with self._database.write() as database:
            building, target = self._building, self._rows.target(database.conn)
            current = self._rows.fitted(database.conn, self._current)
            if building is None or target is None or (current.id if current else 0) != building.replaced:
                self._building = None  # everything was removed, or another transform came
                return
            if building.add_chunks(database, target):
                return
            fitted = building.fitted
            if fitted.id == 0:
                fitted = self._rows.insert_transform(database, target, fitted)
            self._database.after_commit(lambda: self._publish(building, fitted))

    def _publish(self, building: IndexBuild, fitted: FittedTransform) -> None:
        assert self._tokens is not None
        building.index.fingerprint = f"{self._named} {fitted.id}"
        self._snapshot = _Snapshot(fitted, building.index, self._tokens)
        self._current = fitted
        self._unsaved = building.added
        self._building = None

    def _sweep(self) -> None:
        """Delete cache files of targets without states, as a kill may leave them."""
        kept = {self._cache_of(fingerprint).name for fingerprint in self.targets()}
        found = {f"{file.name.partition('.hnsw')[0]}.hnsw" for file in self._folder.glob("states-*.hnsw*")}
        self._forget([self._folder / name for name in found - kept])

    def _save(self) -> None:
        with self._database.write():
            snapshot, unsaved = self._snapshot, self._unsaved
            if snapshot is None or (self._cache.exists() and unsaved * _UNSAVED_SHARE <= len(snapshot.index)):
                return
            # Cleared first: what is added while the file is written may not be in it.
            self._unsaved = 0
        try:
            snapshot.index.save(self._cache)
        except StoreError as error:
            self._unsaved += unsaved
            _logger.warning("The index of states is made again next time: %s", error)

    def _added(self, added: Added, tokens: NDArray[np.int32], states: NDArray[np.float16]) -> None:
        self._current = added.current
        if self._tokens is not None:
            self._tokens.put(added.base, len(states), tokens)
        snapshot = self._snapshot
        if snapshot is None:
            return
        if added.reduced is not None and added.current is not None and added.current.id == snapshot.fitted.id:
            vectors = unit(added.reduced[:, :SEARCHED])
        else:
            vectors = snapshot.fitted.transform.project(states)
        try:
            snapshot.index.add(np.arange(added.base, added.base + len(states)), vectors)
            self._unsaved += len(states)
        except (StoreError, ValueError) as error:
            # The states are stored; `prepare` makes the index again and reports what is wrong.
            _logger.warning("The index of states is made again: %s", error)
            self._snapshot = None

    def _removed(self, places: NDArray[np.int64], caches: list[Path], *, empty: bool) -> None:
        parts = (self._snapshot, self._building)
        if empty:
            self._current = self._snapshot = self._building = self._tokens = None
            self._unsaved = 0
        labels = labels_of(places[:, 0], places[:, 1])
        for part in parts:
            if part is not None:
                # Waits for a save that is under way, whose file is deleted below; a later one has no trace of these.
                part.index.remove((part.index.labels() if empty else labels).tolist())
        if self._tokens is not None:
            for base, count in places.tolist():
                self._tokens.wipe(base, count)
        self._forget(caches)

    def _cache_of(self, fingerprint: str) -> Path:
        return self._folder / f"states-{hashlib.sha256(fingerprint.encode()).hexdigest()[:12]}.hnsw"

    def _forget(self, caches: list[Path]) -> None:
        for cache in caches:
            try:
                forget(cache)
            except StoreError as error:
                _logger.warning("The index of states still holds removed ones until it is saved: %s", error)

    def _checked(
        self, first: int, tokens: NDArray[np.int32], states: NDArray[np.float16]
    ) -> tuple[NDArray[np.float16], NDArray[np.int32]]:
        with np.errstate(over="ignore"):  # what float16 cannot hold becomes infinite, and is refused
            rows = np.asarray(states, np.float16)
        ids = np.asarray(tokens)
        if rows.ndim != 2 or rows.shape[1] != self._dimension:
            raise ValueError(f"states must be [n, {self._dimension}], not {list(rows.shape)}")
        if first < 0 or ids.ndim != 1 or not len(rows) <= len(ids) <= len(rows) + CONTINUATION:
            raise ValueError(f"{len(rows)} states need their tokens and up to {CONTINUATION} that follow")
        if len(ids) and (ids.dtype.kind not in "iu" or int(ids.min()) < 0 or int(ids.max()) > np.iinfo(np.int32).max):
            raise ValueError("token ids must be integers within 0 and 2**31 - 1")
        if not np.isfinite(rows).all():
            raise ValueError("states must be finite numbers")
        return rows, ids.astype(np.int32)
