"""The rows of a dense store in SQLite: chunks of states, transforms, and a sample of raw states."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from localspec.errors import StoreError
from localspec.stores.states.schema import CONTINUATION
from localspec.stores.states.transform import KEPT, Transform, fit

SAMPLE_ROWS = 16_384
_SAMPLE_BYTES = 64 * 1024**2
"""Raw states kept for fitting: as many as either allows."""
_MAX_REMOVED = 2**27
"""Labels that may lie free behind the last chunk. A damaged row must not have gigabytes reserved for it."""
_MAX_LABEL = 2**40
_TOKEN = np.dtype("<i4")
_HALF = np.dtype("<f2")


class DamagedStatesError(StoreError):
    """Stored states cannot be used. They can be read again, so whoever meets this may drop them."""


class StateTarget(NamedTuple):
    """What is known of a target; changes with every chunk."""

    id: int
    fingerprint: str
    states: int
    next_label: int
    reduced: bool  # chunks hold principal components, not raw states


class FittedTransform(NamedTuple):
    """A transform and where it comes from."""

    id: int  # 0 while it is not in the database; never reused
    fitted_on: int  # states in the store at that time
    transform: Transform


@dataclass(frozen=True, slots=True)
class Chunk:
    """States of one chunk. Its labels are base, base + 1, ..."""

    base: int
    count: int
    transform: int | None  # id of the one that reduced the states; None: they are raw
    states: NDArray[np.float16]  # [count, 256], or raw [count, d]


class Added(NamedTuple):
    """What became of an addition."""

    base: int
    current: FittedTransform | None  # the current transform then
    reduced: NDArray[np.float16] | None  # [n, 256] by that transform; None if the states are stored raw


class StateRows:
    """The rows of one target. Methods that change something run inside a transaction of the caller's."""

    def __init__(self, path: Path, fingerprint: str, dimension: int, sample_rows: int) -> None:
        """`path` is the database's, for messages; `dimension` the width of raw states. The sample holds `sample_rows`,
        or fewer where these are wide."""
        self._path = path
        self._fingerprint = fingerprint
        self._dimension = dimension
        self._capacity = max(1, min(sample_rows, _SAMPLE_BYTES // (2 * dimension)))

    def number(self, connection: sqlite3.Connection) -> int | None:
        """This target's id, also where its row is damaged; None before its first state."""
        row = connection.execute(
            "SELECT id FROM state_targets WHERE fingerprint = ? AND dimension = ?", [self._fingerprint, self._dimension]
        ).fetchone()
        return row[0] if row else None

    def target(self, connection: sqlite3.Connection) -> StateTarget | None:
        """This target as the connection sees it; None before its first state."""
        # One statement, which sees one state of the database.
        row = connection.execute(
            "SELECT id, fingerprint, states, next_label, reduced, (SELECT base + count FROM state_chunks"
            " WHERE target = state_targets.id ORDER BY base DESC LIMIT 1)"
            " FROM state_targets WHERE fingerprint = ? AND dimension = ?",
            [self._fingerprint, self._dimension],
        ).fetchone()
        if row is None:
            return None
        *_, states, next_label, reduced, end = row
        used = 0 if end is None else end
        if not (
            all(isinstance(number, int) for number in (states, next_label, used))
            and 0 <= states <= next_label <= min(used + _MAX_REMOVED, _MAX_LABEL)
            and reduced in (0, 1)
        ):
            raise self.damaged(f"{states} states up to {used}, next label {next_label}")
        return StateTarget(row[0], row[1], states, next_label, bool(reduced))

    def fitted(self, connection: sqlite3.Connection, known: FittedTransform | None) -> FittedTransform | None:
        """The current transform as the connection sees it; `known` itself if it is that one."""
        row = connection.execute(
            "SELECT max(state_transforms.id) FROM state_transforms JOIN state_targets ON target = state_targets.id"
            " WHERE fingerprint = ? AND dimension = ?",
            [self._fingerprint, self._dimension],
        ).fetchone()
        if row[0] is None:
            return None
        return known if known is not None and known.id == row[0] else self.transform(connection, row[0])

    def transform(self, connection: sqlite3.Connection, number: int) -> FittedTransform:
        """The transform with this id."""
        row = connection.execute(
            f"SELECT id, fitted_on, {_blob('matrices')} FROM state_transforms WHERE id = ?", [number]
        ).fetchone()
        try:
            if row is None:
                raise ValueError(f"no transform {number}")
            if not isinstance(row[1], int) or row[1] < 1 or row[2] is None:
                raise ValueError(f"transform {number}")
            return FittedTransform(row[0], row[1], Transform.from_bytes(row[2], self._dimension))
        except ValueError as error:
            raise self.damaged(error) from error

    def raw(self, connection: sqlite3.Connection, target: StateTarget) -> NDArray[np.float16]:
        """The raw states [n, d] there are to fit on: all, in the order of their labels, or the sample."""
        if target.reduced:
            query = f"SELECT 1, NULL, {_blob('state')} FROM state_samples WHERE target = ? ORDER BY id"
        else:
            query = f"SELECT count, transform, {_blob('vectors')} FROM state_chunks WHERE target = ? ORDER BY base"
        parts = []
        for count, transform, stored in connection.execute(query, [target.id]):
            if transform is not None:
                raise self.damaged("reduced states among raw ones")
            parts.append(self._vectors(stored, count, self._dimension))
        if not parts:
            raise self.damaged("no raw states")
        return np.concatenate(parts)

    def chunks(self, connection: sqlite3.Connection, target: StateTarget, first: int) -> Iterator[Chunk]:
        """The chunks from label `first` on, in the order of their labels."""
        rows = connection.execute(
            f"SELECT base, count, transform, {_blob('vectors')} FROM state_chunks"
            " WHERE target = ? AND base >= ? ORDER BY base",
            [target.id, first],
        )
        for base, count, transform, stored in rows:
            self._check_place(target, base, count)
            width = self._dimension if transform is None else KEPT
            yield Chunk(base, count, transform, self._vectors(stored, count, width))

    def places(self, connection: sqlite3.Connection, target: StateTarget) -> NDArray[np.int64]:
        """Base and count of every chunk, [n, 2], ascending. `target` as the same transaction sees it."""
        rows = connection.execute(
            "SELECT base, count FROM state_chunks WHERE target = ? ORDER BY base", [target.id]
        ).fetchall()
        free = 0
        for base, count in rows:
            self._check_place(target, base, count)
            if base < free:
                raise self.damaged(f"two chunks at {base}")
            free = base + count + CONTINUATION
        if sum(count for _, count in rows) != target.states:
            raise self.damaged(f"not {target.states} states")
        return np.array(rows, np.int64).reshape(-1, 2)

    def places_of(self, connection: sqlite3.Connection, documents: Collection[int]) -> NDArray[np.int64]:
        """Base and count of every chunk of these documents, [n, 2]."""
        rows = connection.execute(
            "SELECT base, count FROM state_chunks JOIN state_targets ON target = state_targets.id"
            " WHERE fingerprint = ? AND dimension = ? AND document IN (SELECT value FROM json_each(?))",
            [self._fingerprint, self._dimension, json.dumps([*documents])],
        ).fetchall()
        return np.array(rows, np.int64).reshape(-1, 2)

    def tokens(
        self, connection: sqlite3.Connection, target: StateTarget
    ) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
        """Base, count and tokens [count to count + 20] of every chunk."""
        rows = connection.execute(
            f"SELECT base, count, {_blob('tokens')} FROM state_chunks WHERE target = ?", [target.id]
        )
        for base, count, stored in rows:
            self._check_place(target, base, count)
            size = _TOKEN.itemsize
            if stored is None or len(stored) % size or not count <= len(stored) // size <= count + CONTINUATION:
                raise self.damaged(f"tokens of {count} states at {base}")
            yield base, count, np.frombuffer(stored, _TOKEN)

    def positions(self, connection: sqlite3.Connection) -> dict[int, int]:
        """States of this target by document."""
        rows = connection.execute(
            "SELECT document, sum(count) FROM state_chunks JOIN state_targets ON target = state_targets.id"
            " WHERE fingerprint = ? AND dimension = ? GROUP BY document",
            [self._fingerprint, self._dimension],
        )
        try:
            return {int(document): int(count) for document, count in rows}
        except (TypeError, ValueError) as error:
            raise self.damaged(error) from error

    def add(
        self,
        database: Database,
        document: int,
        first: int,
        tokens: NDArray[np.int32],
        states: NDArray[np.float16],
        known: FittedTransform | None,
    ) -> Added:
        """Insert a chunk, and reduce all of them when there are enough for that. `known` is the current transform.
        Raises ValueError when states of the document are stored for some of these positions."""
        count = len(states)
        database.execute(
            "INSERT OR IGNORE INTO state_targets (fingerprint, dimension) VALUES (?, ?)",
            [self._fingerprint, self._dimension],
        )
        target = self.target(database.conn)
        assert target is not None
        overlap = database.execute(
            "SELECT 1 FROM state_chunks WHERE document = ? AND target = ? AND first < ? AND first + count > ?",
            [document, target.id, first + count, first],
        ).fetchone()
        if overlap:
            raise ValueError(f"states of document {document} within {first} and {first + count} are stored already")
        current = self.fitted(database.conn, known)
        by = current if target.reduced else None
        reduced = by.transform.reduce(states) if by else None
        place = (target.id, target.next_label, document, first, count, by.id if by else None)
        stored = states if reduced is None else reduced
        database.execute(
            "INSERT INTO state_chunks (target, base, document, first, count, transform, tokens, vectors)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [*place, tokens.astype(_TOKEN).tobytes(), stored.astype(_HALF).tobytes()],
        )
        database.execute(
            "UPDATE state_targets SET states = states + ?, next_label = ? WHERE id = ?",
            [count, target.next_label + count + CONTINUATION, target.id],
        )
        if target.reduced:
            self._sample(database, target, document, states)
        elif target.states + count >= self._capacity:
            current = self._reduce(database, target)
        return Added(target.next_label, current, reduced)

    def insert_transform(self, database: Database, target: StateTarget, fitted: FittedTransform) -> FittedTransform:
        """Make a transform the current one, under its new id; those that no chunk needs any more are deleted."""
        row = database.execute(
            "INSERT INTO state_transforms (target, fitted_on, matrices) VALUES (?, ?, ?)",
            [target.id, fitted.fitted_on, fitted.transform.to_bytes()],
        ).lastrowid
        assert row is not None
        database.execute(
            "DELETE FROM state_transforms WHERE target = :target AND id != :row AND id NOT IN"
            " (SELECT transform FROM state_chunks WHERE target = :target AND transform NOT NULL)",
            {"target": target.id, "row": row},
        )
        return fitted._replace(id=row)

    def remove(self, database: Database, document: int) -> list[tuple[StateTarget, NDArray[np.int64]]]:
        """Delete a document's states under every target: each target as it is now, and base and count of what went. Of
        a target whose rows are damaged everything goes."""
        removed = []
        for number, fingerprint, states, next_label, reduced in database.execute(
            "SELECT id, fingerprint, states, next_label, reduced FROM state_targets"
            " WHERE id IN (SELECT target FROM state_chunks WHERE document = ?)",
            [document],
        ).fetchall():
            rows = database.execute(
                "SELECT base, count FROM state_chunks WHERE document = ? AND target = ?", [document, number]
            ).fetchall()
            try:
                target = StateTarget(number, fingerprint, states, next_label, bool(reduced))
                for base, count in rows:
                    self._check_place(target, base, count)
                left = states - sum(count for _, count in rows)
                if left < 0:
                    raise self.damaged(f"{states} states")
            except DamagedStatesError:
                self._drop(database, number)
                removed.append((StateTarget(number, fingerprint, 0, 0, False), np.empty((0, 2), np.int64)))
                continue
            database.execute("UPDATE state_targets SET states = ? WHERE id = ?", [left, number])
            if left == 0:  # the transform tells of removed states alone
                database.execute("DELETE FROM state_transforms WHERE target = ?", [number])
                database.execute("UPDATE state_targets SET reduced = 0 WHERE id = ?", [number])
            removed.append((target._replace(states=left), np.array(rows, np.int64).reshape(-1, 2)))
        database.execute("DELETE FROM state_chunks WHERE document = ?", [document])
        database.execute("DELETE FROM state_samples WHERE document = ?", [document])
        return removed

    def drop(self, database: Database) -> None:
        """Delete everything of this target, damaged or not."""
        if (number := self.number(database.conn)) is not None:
            self._drop(database, number)

    def _drop(self, database: Database, number: int) -> None:
        for table in ("state_chunks", "state_samples", "state_transforms"):
            database.execute(f"DELETE FROM {table} WHERE target = ?", [number])
        database.execute("DELETE FROM state_targets WHERE id = ?", [number])

    def _sample(self, database: Database, target: StateTarget, document: int, states: NDArray[np.float16]) -> None:
        """Let new states into the sample, each as likely as the old ones are in it, for others (reservoir sampling)."""
        generator = np.random.default_rng([target.id, target.next_label])
        chosen = states[generator.random(len(states)) < self._capacity / (target.states + len(states))]
        if not len(chosen):
            return
        held = [row for (row,) in database.execute("SELECT id FROM state_samples WHERE target = ?", [target.id])]
        surplus = min(len(held), len(held) + len(chosen) - self._capacity)
        if surplus > 0:
            leaving = generator.choice(held, surplus, replace=False).tolist()
            database.conn.executemany("DELETE FROM state_samples WHERE id = ?", [(row,) for row in leaving])
        self._insert_samples(database, target, [(document, row) for row in chosen])

    def _reduce(self, database: Database, target: StateTarget) -> FittedTransform:
        """Fit on all states, which are raw still, and keep their principal components and a sample instead."""
        chunks = database.execute(
            "SELECT id, document, count FROM state_chunks WHERE target = ? ORDER BY base", [target.id]
        ).fetchall()
        documents = np.repeat([document for _, document, _ in chunks], [count for _, _, count in chunks])
        ends = np.cumsum([count for _, _, count in chunks])
        raw = self.raw(database.conn, target)
        generator = np.random.default_rng(target.id)
        chosen = np.sort(generator.choice(len(raw), min(self._capacity, len(raw)), replace=False))
        fitted = self.insert_transform(database, target, FittedTransform(0, len(raw), fit(raw[chosen])))
        reduced = np.split(fitted.transform.reduce(raw).astype(_HALF), ends[:-1])
        database.conn.executemany(
            "UPDATE state_chunks SET transform = ?, vectors = ? WHERE id = ?",
            [(fitted.id, part.tobytes(), chunk) for part, (chunk, _, _) in zip(reduced, chunks, strict=True)],
        )
        self._insert_samples(database, target, [(int(documents[row]), raw[row]) for row in chosen.tolist()])
        database.execute("UPDATE state_targets SET reduced = 1 WHERE id = ?", [target.id])
        return fitted

    def _insert_samples(
        self, database: Database, target: StateTarget, rows: list[tuple[int, NDArray[np.float16]]]
    ) -> None:
        database.conn.executemany(
            "INSERT INTO state_samples (target, document, state) VALUES (?, ?, ?)",
            [(target.id, document, row.astype(_HALF).tobytes()) for document, row in rows],
        )

    def _check_place(self, target: StateTarget, base: object, count: object) -> None:
        """Raise unless a chunk of `count` states can lie at `base`."""
        if not (
            isinstance(base, int)
            and isinstance(count, int)
            and isinstance(target.next_label, int)
            and isinstance(target.states, int)
            and base >= 0
            and count >= 1
            and base + count + CONTINUATION <= target.next_label
        ):
            raise self.damaged(f"{count} states at {base}")

    def _vectors(self, stored: bytes | None, count: int, width: int) -> NDArray[np.float16]:
        """The states [count, width] of a blob, which is None where something else was stored."""
        if stored is None or not isinstance(count, int) or len(stored) != count * width * _HALF.itemsize:
            raise self.damaged(f"vectors of {count} states")
        vectors = np.frombuffer(stored, _HALF).reshape(count, width)
        if not np.isfinite(vectors).all():
            raise self.damaged("states that are no numbers")
        return vectors

    def damaged(self, reason: object) -> DamagedStatesError:
        """The error for stored states that cannot be used."""
        return DamagedStatesError(
            f"The states in {self._path} are damaged ({reason}).", "Have the states indexed again."
        )


def _blob(column: str) -> str:
    """SQL for what is in the column if it is a blob, else NULL: Python may fail to decode what damage made a text."""
    return f"CASE typeof({column}) WHEN 'blob' THEN {column} END"
