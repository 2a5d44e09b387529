"""The passages' vectors: kept in SQLite, searched through a cached index.

Each distinct text has one vector, however many passages have it: a graph of many equal vectors leads a search to
nothing but these (1,000 copies of a line left 7% of the other passages findable).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from localspec.errors import EmbedderError, StoreError
from localspec.stores.database import Migration, StoreDatabase
from localspec.stores.vectors import VectorIndex, forget

_logger = logging.getLogger(__name__)

_STORED = np.dtype("<f2")
_LOADED_AT_ONCE = 4096
_EMBEDDER = "(SELECT id FROM embedders WHERE fingerprint = ?)"
"""SQL for the number of this embedder; NULL, which equals none, while the database holds no vector of it."""
_WITHOUT_VECTOR = (
    "documents JOIN passages ON passages.document = documents.id"
    f" LEFT JOIN text_vectors ON text_vectors.text = embedded AND embedder = {_EMBEDDER} WHERE vector IS NULL"
)
"""SQL for the passages without a vector of this embedder."""
_FILLED_AT_ONCE = 10_000


class EmbedderLike(Protocol):
    """What the stores need of an embedding model. Members may raise EmbedderError."""

    @property
    def fingerprint(self) -> str:
        """Names what decides the vectors."""

    @property
    def dimension(self) -> int:
        """Components of a vector."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector of length 1 per text, [n, d]."""


_TABLES = """
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused: it is the label of the vector index
    document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    page INTEGER,
    section TEXT NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (document, ordinal)
);
CREATE VIRTUAL TABLE passages_fts USING fts5(
    section, text, content = 'passages', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
    INSERT INTO passages_fts (rowid, section, text) VALUES (new.id, new.section, new.text);
END;
CREATE TRIGGER passages_removed AFTER DELETE ON passages BEGIN
    INSERT INTO passages_fts (passages_fts, rowid, section, text) VALUES ('delete', old.id, old.section, old.text);
END;
CREATE TABLE embedders (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE);
CREATE TABLE embeddings (
    passage INTEGER PRIMARY KEY REFERENCES passages (id) ON DELETE CASCADE,
    embedder INTEGER NOT NULL REFERENCES embedders (id),
    vector BLOB NOT NULL  -- float16, little-endian, [d]
);
"""

_ONE_PER_TEXT = """
CREATE TABLE embedded_texts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused: it is the label of the vector index
    hash BLOB NOT NULL UNIQUE
);
ALTER TABLE passages ADD COLUMN embedded INTEGER;  -- the text whose vector it is found by
CREATE INDEX passages_embedded ON passages (embedded);
CREATE TABLE text_vectors (
    text INTEGER PRIMARY KEY REFERENCES embedded_texts (id) ON DELETE CASCADE,
    embedder INTEGER NOT NULL REFERENCES embedders (id),
    vector BLOB NOT NULL  -- float16, little-endian, [d]
);
"""


def enter_texts(database: Database, document: int | None = None) -> None:
    """Inside a transaction: enter the texts of the passages that have none entered yet, of one document or of all."""
    chosen = "embedded IS NULL AND (document = ? OR ? IS NULL)"
    while rows := database.execute(
        f"SELECT id, section, text FROM passages WHERE {chosen} LIMIT ?", [document, document, _FILLED_AT_ONCE]
    ).fetchall():
        hashes = [(text_hash(_embedded(section, text)), passage) for passage, section, text in rows]
        database.conn.executemany(
            "INSERT OR IGNORE INTO embedded_texts (hash) VALUES (?)", [(found,) for found, _ in hashes]
        )
        database.conn.executemany(
            "UPDATE passages SET embedded = (SELECT id FROM embedded_texts WHERE hash = ?) WHERE id = ?", hashes
        )


def text_hash(text: str) -> bytes:
    """Names a text, however much white space parts its words: embedders do not see that."""
    return hashlib.blake2b(" ".join(text.split()).encode(), digest_size=16).digest()


def _embedded(section: str, text: str) -> str:
    return f"{section}\n{text}" if section else text


def _keep_vectors(database: Database) -> None:
    """Vectors of a library where each passage had its own."""
    enter_texts(database)
    database.execute(
        "INSERT OR IGNORE INTO text_vectors (text, embedder, vector) SELECT embedded, embedder, vector FROM embeddings"
        " JOIN passages ON passages.id = passage"
    )
    database.execute("DROP TABLE embeddings")


PASSAGE_MIGRATIONS: tuple[Migration, ...] = (
    Migration("search-1-passages", _TABLES),
    Migration("search-3-texts", _ONE_PER_TEXT, _keep_vectors),
)
"""Come after the migration that creates `documents` (id, name)."""


class PassageVectors:
    """The passages' vectors under one embedder. Methods raise EmbedderError when it cannot be used."""

    def __init__(self, database: StoreDatabase, cache: Path, library: str, embedder: EmbedderLike) -> None:
        """`library` is the random id of the database: ids of texts mean nothing in another one."""
        self._database = database
        self._cache = cache
        self._library = library
        self._embedder = embedder
        self._index: VectorIndex | None = None
        self._unsaved = False
        self._asked = 0
        """Texts up to this id had a vector, or no turn, when `missing` was asked last"""
        self._counts: tuple[int, tuple[int, int]] | None = None
        """The number of commits, and what was counted then"""

    def missing(self, limit: int) -> list[tuple[int, str]]:
        """(id, text to embed) of texts without a vector, in documents whose turn it is; oldest first."""
        # Where many have theirs, a search from the beginning would look at all of them each time.
        for after in dict.fromkeys((self._asked, 0)):
            rows = self._database.rows(
                "SELECT embedded_texts.id, section, passages.text FROM embedded_texts"
                f" LEFT JOIN text_vectors ON text_vectors.text = embedded_texts.id AND embedder = {_EMBEDDER}"
                " CROSS JOIN passages ON passages.embedded = embedded_texts.id"
                " CROSS JOIN documents ON documents.id = document"
                " WHERE embedded_texts.id > ? AND vector IS NULL AND stage = 'ngrams'"
                " GROUP BY embedded_texts.id ORDER BY embedded_texts.id LIMIT ?",
                [self._embedder.fingerprint, after, limit],
            )
            if rows:
                self._asked = rows[0][0] - 1
                return [(text, _embedded(section, words)) for text, section, words in rows]
        self._asked = 0
        return []

    def embed(self, texts: Sequence[tuple[int, str]]) -> None:
        """Compute and store the vectors of (id, text); those whose passages were removed meanwhile are left out."""
        vectors = self._embedder.embed([text for _, text in texts])
        fingerprint = self._embedder.fingerprint
        by_text = {text: vector for (text, _), vector in zip(texts, vectors, strict=True)}
        with self._database.write() as database:
            database.execute("INSERT OR IGNORE INTO embedders (fingerprint) VALUES (?)", [fingerprint])
            kept = [
                text
                for (text,) in database.execute(
                    "SELECT id FROM embedded_texts WHERE id IN (SELECT value FROM json_each(?))",
                    [json.dumps([*by_text])],
                )
            ]
            database.conn.executemany(
                f"INSERT OR REPLACE INTO text_vectors (text, embedder, vector) VALUES (?, {_EMBEDDER}, ?)",
                [(text, fingerprint, by_text[text].astype(_STORED).tobytes()) for text in kept],
            )
            self._database.after_commit(lambda: self._added(kept, [by_text[text] for text in kept]))

    def forget(self, database: Database, documents: Collection[int]) -> None:
        """Inside the transaction that removes these documents' passages, before that: the texts that only they have go
        with their vectors, from the index and its file, too."""
        rows = database.execute(
            "SELECT embedded FROM passages WHERE document IN (SELECT value FROM json_each(?)) GROUP BY embedded"
            " HAVING count(*) = (SELECT count(*) FROM passages AS all_passages"
            " WHERE all_passages.embedded = passages.embedded)",
            [json.dumps([*documents])],
        ).fetchall()
        texts = [text for (text,) in rows]
        database.execute("DELETE FROM embedded_texts WHERE id IN (SELECT value FROM json_each(?))", [json.dumps(texts)])
        if texts:
            self._database.after_commit(lambda: self._removed(texts))

    def outdated(self) -> tuple[int, int]:
        """(passages, documents) that were ready, but not under this embedder."""
        row = self._database.row(
            f"SELECT count(*), count(DISTINCT document) FROM {_WITHOUT_VECTOR} AND stage = 'ready'",
            [self._embedder.fingerprint],
        )
        return int(row[0]), int(row[1])

    def drop_outdated(self, database: Database) -> None:
        """Inside a transaction: delete the vectors of other embedders, and have their documents embedded again."""
        fingerprint = [self._embedder.fingerprint]
        database.execute(f"DELETE FROM text_vectors WHERE embedder IS NOT {_EMBEDDER}", fingerprint)
        database.execute("DELETE FROM embedders WHERE fingerprint != ?", fingerprint)
        database.execute(
            "UPDATE documents SET stage = 'ngrams' WHERE stage = 'ready' AND EXISTS (SELECT 1 FROM passages"
            " LEFT JOIN text_vectors ON text_vectors.text = embedded WHERE document = documents.id AND vector IS NULL)"
        )

    def finish_documents(self, texts: Collection[int] | None = None) -> None:
        """The documents whose turn it is are ready when all their passages have a vector: those with a passage of these
        texts, or all."""
        among, values = "", [self._embedder.fingerprint]
        if texts is not None:
            among = " AND id IN (SELECT document FROM passages WHERE embedded IN (SELECT value FROM json_each(?)))"
            values.insert(0, json.dumps([*texts]))
        self._database.change(
            f"UPDATE documents SET stage = 'ready' WHERE stage = 'ngrams'{among}"
            " AND NOT EXISTS (SELECT 1 FROM passages"
            f" LEFT JOIN text_vectors ON text_vectors.text = embedded AND embedder = {_EMBEDDER}"
            " WHERE document = documents.id AND vector IS NULL)",
            values,
        )

    def search(self, question: str, limit: int) -> dict[int, float]:
        """The nearest passages, best first, as id → cosine similarity; of equal ones the first. Empty while there are
        no vectors."""
        index = self.index()
        if len(index) == 0:
            return {}
        labels, similarities = index.search(self._embedder.embed([question]), limit)
        rows = self._database.rows(
            "SELECT embedded, min(id) FROM passages WHERE embedded IN (SELECT value FROM json_each(?))"
            " GROUP BY embedded",
            [json.dumps(labels[0].tolist())],
        )
        first = dict(rows)
        found = zip(labels[0].tolist(), similarities[0].tolist(), strict=True)
        return {first[text]: similarity for text, similarity in found if text in first}

    def first_alike(self, passages: Collection[int]) -> dict[int, int]:
        """For each of these passages the first one with the same text, in their order; without those that are gone."""
        rows = self._database.rows(
            "SELECT id, (SELECT min(id) FROM passages AS alike WHERE alike.embedded = passages.embedded) FROM passages"
            " WHERE id IN (SELECT value FROM json_each(?))",
            [json.dumps([*passages])],
        )
        first = dict(rows)
        return {passage: first[passage] or passage for passage in passages if passage in first}

    def are_complete(self) -> bool:
        """Whether every passage can be searched by meaning."""
        return len(self.index()) >= self._counted()[1]

    def total(self) -> int:
        """All passages."""
        return self._counted()[0]

    def _counted(self) -> tuple[int, int]:
        """Passages and their different texts; counting takes tens of milliseconds where there are a million."""
        commits = self._database.commits
        if self._counts is None or self._counts[0] != commits:
            counts = "SELECT (SELECT count(*) FROM passages), (SELECT count(*) FROM embedded_texts)"
            self._counts = commits, self._database.row(counts)
        return self._counts[1]

    def index(self) -> VectorIndex:
        """The index, in step with the database: from its file where that fits, else made again."""
        index = self._index
        if index is not None:
            return index
        # Under the writer's lock no vector can come or go between reading them and publishing the index.
        with self._database.write() as database:
            if self._index is None:
                self._index = self._load(database)
            return self._index

    def embedded(self) -> dict[int, int]:
        """How many passages have a vector, by document, in documents whose turn it is."""
        rows = self._database.rows(
            "SELECT document, count(*) FROM documents JOIN passages ON passages.document = documents.id"
            " JOIN text_vectors ON text_vectors.text = embedded"
            f" WHERE stage = 'ngrams' AND embedder = {_EMBEDDER} GROUP BY document",
            [self._embedder.fingerprint],
        )
        return dict(rows)

    @property
    def memory_bytes(self) -> int:
        """Of the index, an estimate; 0 before it was loaded."""
        index = self._index
        return index.memory_bytes if index is not None else 0

    def prepare(self) -> None:
        """Load the index, and write its file if there is something new. The file is a cache: failures are logged."""
        try:
            index = self.index()
        except EmbedderError as error:
            _logger.warning("Searching by words only: %s", error)
            return
        with self._database.write():
            if not self._unsaved:
                return
            # Cleared first: what is added while the file is written makes the index unsaved again.
            self._unsaved = False
        try:
            index.save(self._cache)
        except StoreError as error:
            self._unsaved = True
            _logger.warning("The search index is made again next time: %s", error)

    def _load(self, database: Database) -> VectorIndex:
        found = database.execute(
            f"SELECT text FROM text_vectors WHERE embedder = {_EMBEDDER}", [self._embedder.fingerprint]
        )
        stored = np.array([text for (text,) in found], np.int64)
        fingerprint = f"{self._library} texts {self._embedder.fingerprint}"
        index = VectorIndex.load(self._cache, self._embedder.dimension, fingerprint)
        if index is None:
            index = VectorIndex(self._embedder.dimension, fingerprint)
        # After a kill the file is older than the database.
        surplus = np.setdiff1d(index.labels(), stored)
        index.remove(surplus.tolist())
        absent = np.setdiff1d(stored, index.labels())
        for start in range(0, len(absent), _LOADED_AT_ONCE):
            part: list[int] = absent[start : start + _LOADED_AT_ONCE].tolist()
            rows = database.execute(
                "SELECT text, vector FROM text_vectors WHERE text IN (SELECT value FROM json_each(?))",
                [json.dumps(part)],
            ).fetchall()
            try:
                vectors = np.stack([np.frombuffer(vector, _STORED) for _, vector in rows]).astype(np.float32)
                index.add([text for text, _ in rows], vectors)
            except ValueError as error:
                raise StoreError(
                    f"The passage vectors in {self._database.path} are damaged ({error}).",
                    "Rebuild the library's index.",
                ) from error
        self._unsaved = len(absent) + len(surplus) > 0
        return index

    def _added(self, texts: list[int], vectors: list[NDArray[np.float32]]) -> None:
        if self._index is None or not texts:
            return
        try:
            self._index.add(texts, np.stack(vectors))
            self._unsaved = True
        except (StoreError, ValueError) as error:
            # The vectors are stored; the next search makes the index again and reports what is wrong.
            _logger.warning("The search index is made again: %s", error)
            self._index = None

    def _removed(self, texts: Collection[int]) -> None:
        if self._index is not None:
            self._index.remove(texts)
            self._unsaved = True
        try:
            forget(self._cache)
        except StoreError as error:
            _logger.warning("The search index still holds removed vectors until it is saved: %s", error)
