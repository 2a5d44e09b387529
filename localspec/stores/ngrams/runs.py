"""The rows of the n-gram store in SQLite: runs of joined documents, and how they are stored, cut and merged."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from localspec.stores.database import Migration
from localspec.stores.ngrams.suffixes import MAX_N, PLACE, SEPARATOR, STORED, cut, sort_places

_TABLES = """
CREATE TABLE ngram_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL,
    size INTEGER NOT NULL,  -- stored ids, separators included
    tokens BLOB NOT NULL,   -- int32, big-endian, backwards
    places BLOB NOT NULL    -- int32, little-endian, sorted by backward context
);
CREATE TABLE ngram_documents (
    document INTEGER NOT NULL,
    run INTEGER NOT NULL REFERENCES ngram_runs (id) ON DELETE CASCADE,
    start INTEGER NOT NULL,   -- index of the document's first stored id in its run
    length INTEGER NOT NULL,  -- its tokens
    PRIMARY KEY (document, run)
) WITHOUT ROWID;
CREATE INDEX ngram_documents_by_run ON ngram_documents (run);
"""

NGRAM_MIGRATIONS: tuple[Migration, ...] = (Migration("ngrams-1-runs", _TABLES),)


@dataclass(frozen=True, slots=True)
class Run:
    """A run in memory: joined tokens, int32 [n], sorted places, int32 [m], and (document, start, length)."""

    tokens: NDArray[np.int32]
    places: NDArray[np.int32]
    documents: list[tuple[int, int, int]]


def insert_run(connection: Database, run: Run, fingerprint: str) -> None:
    """Store a run under a new id."""
    cursor = connection.execute(
        "INSERT INTO ngram_runs (fingerprint, size, tokens, places) VALUES (?, ?, ?, ?)",
        [fingerprint, len(run.tokens), run.tokens.astype(STORED).tobytes(), run.places.astype(PLACE).tobytes()],
    )
    connection.conn.executemany(
        "INSERT INTO ngram_documents (document, run, start, length) VALUES (?, ?, ?, ?)",
        [(document, cursor.lastrowid, start, length) for document, start, length in run.documents],
    )


def documents_of(connection: Database, run: int) -> list[tuple[int, int, int]]:
    """(document, start, length) of a stored run, by start."""
    rows = connection.execute("SELECT document, start, length FROM ngram_documents WHERE run = ? ORDER BY start", [run])
    return [(document, start, length) for document, start, length in rows]


def without(run: Run, removed: Collection[int]) -> Run:
    """A run without some of its documents; the order of the other places stays."""
    gone = np.zeros(len(run.tokens), np.bool_)
    for document, start, length in run.documents:
        if document in removed:
            gone[start - 1 : start + length] = True  # the separator before a document goes with it
    shifts = np.cumsum(gone)
    documents = [
        (document, start - int(shifts[start]), length)
        for document, start, length in run.documents
        if document not in removed
    ]
    return Run(run.tokens[~gone], cut(run.places, gone), documents)


def read_run(connection: Database, run: int) -> Run:
    """A stored run."""
    tokens, places = connection.execute("SELECT tokens, places FROM ngram_runs WHERE id = ?", [run]).fetchone()
    return Run(
        np.frombuffer(tokens, STORED).astype(np.int32),
        np.frombuffer(places, PLACE).astype(np.int32, copy=False),
        documents_of(connection, run),
    )


def merged(runs: Iterable[Run]) -> Run:
    """The documents of several runs in one."""
    parts: list[NDArray[np.int32]] = []
    documents: list[tuple[int, int, int]] = []
    end = 0
    for run in runs:
        documents += [(document, start + end, length) for document, start, length in run.documents]
        parts.append(run.tokens[:-MAX_N])
        end += len(parts[-1])
    tokens = np.concatenate([*parts, np.full(MAX_N, SEPARATOR, np.int32)])
    del parts
    return Run(tokens, sort_places(tokens), documents)
