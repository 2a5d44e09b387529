"""The passages' vectors: kept in SQLite, searched through a cached index."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from localspec.errors import EmbedderError, StoreError
from localspec.stores.database import Migration, StoreDatabase
from localspec.stores.documents.passages import embedded_text
from localspec.stores.vectors import VectorIndex, forget

_logger = logging.getLogger(__name__)

_STORED = np.dtype("<f2")
_LOADED_AT_ONCE = 4096
_EMBEDDER = "(SELECT id FROM embedders WHERE fingerprint = ?)"
"""SQL for the number of this embedder; NULL, which equals none, while the database holds no vector of it."""
_WITHOUT_VECTOR = (
    "documents JOIN passages ON passages.document = documents.id"
    f" LEFT JOIN embeddings ON passage = passages.id AND embedder = {_EMBEDDER} WHERE passage IS NULL"
)
"""SQL for the passages without a vector of this embedder."""


class EmbedderLike(Protocol):
    """What the stores need of an embedding model. Members may raise EmbedderError."""

    @property
    def fingerprint(self) -> str:
        """Names what decides the vectors."""

    @property
    def dimension(self) -> int:
        """Components of a vector."""

    @property
    def longest(self) -> int:
        """Tokens that it reads of a text, those at its beginning and end included."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each whole text, those at its beginning and end included."""

    @property
    def languages(self) -> tuple[str, ...]:
        """English names of those it was made for; empty for many."""

    @property
    def relevance(self) -> tuple[float, float, float] | None:
        """From which cosine on a passage is about a question, and the weights of coverage and of the library's size
        beside it (see `search`); None where that was not measured."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector of length 1 per text, [n, d]."""

    def embed_questions(self, questions: Sequence[str]) -> NDArray[np.float32]:
        """The same of questions, which some models take otherwise than passages."""


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

PASSAGE_MIGRATIONS: tuple[Migration, ...] = (
    Migration("search-1-passages", _TABLES),
    Migration("search-2-labels", "ALTER TABLE passages ADD COLUMN label TEXT NOT NULL DEFAULT '';"),
)
"""Come after the migration that creates `documents` (id, name)."""


class PassageVectors:
    """The passages' vectors under one embedder. Methods raise EmbedderError when it cannot be used."""

    def __init__(self, database: StoreDatabase, cache: Path, library: str, embedder: EmbedderLike) -> None:
        """`library` is the random id of the database: passage ids mean nothing in another one."""
        self._database = database
        self._cache = cache
        self._library = library
        self._embedder = embedder
        self._index: VectorIndex | None = None
        self._unsaved = False

    @property
    def fingerprint(self) -> str:
        """Names the embedder."""
        return self._embedder.fingerprint

    @property
    def longest(self) -> int:
        """Tokens that the embedder reads of a text, those at its beginning and end included."""
        return self._embedder.longest

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each whole text for the embedder, those at its beginning and end included."""
        return self._embedder.count_tokens(texts)

    @property
    def languages(self) -> tuple[str, ...]:
        """Those the embedder was made for; empty for many."""
        return self._embedder.languages

    @property
    def relevance(self) -> tuple[float, float, float] | None:
        """What the embedder's cosines say, as `EmbedderLike` has it."""
        return self._embedder.relevance

    def missing(self, limit: int) -> list[tuple[int, str]]:
        """(passage, text to embed) of passages without a vector, in documents whose turn it is; oldest first."""
        rows = self._database.rows(
            f"SELECT passages.id, section, text FROM {_WITHOUT_VECTOR} AND stage = 'ngrams'"
            " ORDER BY passages.id LIMIT ?",
            [self._embedder.fingerprint, limit],
        )
        return [(passage, embedded_text(section, text)) for passage, section, text in rows]

    def embed(self, passages: Sequence[tuple[int, str]]) -> None:
        """Compute and store the vectors of (passage, text); passages removed meanwhile are left out."""
        vectors = self._embedder.embed([text for _, text in passages])
        fingerprint = self._embedder.fingerprint
        by_passage = {passage: vector for (passage, _), vector in zip(passages, vectors, strict=True)}
        with self._database.write() as database:
            kept = [
                passage
                for (passage,) in database.execute(
                    "SELECT id FROM passages WHERE id IN (SELECT value FROM json_each(?))", [json.dumps([*by_passage])]
                )
            ]
            self.enter(
                database, {passage: by_passage[passage].astype(_STORED).tobytes() for passage in kept}, fingerprint
            )

    def made_of(self, texts: Sequence[str]) -> list[bytes]:
        """The vectors of these texts, as they are stored."""
        return [vector.astype(_STORED).tobytes() for vector in self._embedder.embed(texts)]

    def of_texts(self, document: int) -> dict[str, bytes]:
        """The vectors that a document's passages have under this embedder, as stored, by the text that was embedded."""
        rows = self._database.rows(
            "SELECT section, text, vector FROM passages JOIN embeddings ON passage = passages.id"
            f" WHERE document = ? AND embedder = {_EMBEDDER}",
            [document, self._embedder.fingerprint],
        )
        return {embedded_text(section, text): vector for section, text, vector in rows}

    def enter(self, database: Database, vectors: Mapping[int, bytes], fingerprint: str = "") -> None:
        """Inside a transaction: store vectors, as `made_of` gives them, of passages that are there."""
        fingerprint = fingerprint or self._embedder.fingerprint
        database.execute("INSERT OR IGNORE INTO embedders (fingerprint) VALUES (?)", [fingerprint])
        database.conn.executemany(
            f"INSERT OR REPLACE INTO embeddings (passage, embedder, vector) VALUES (?, {_EMBEDDER}, ?)",
            [(passage, fingerprint, vector) for passage, vector in vectors.items()],
        )
        arrays = [np.frombuffer(vector, _STORED).astype(np.float32) for vector in vectors.values()]
        self._database.after_commit(lambda: self._added([*vectors], arrays))

    def forget(self, passages: Collection[int]) -> None:
        """Inside the transaction that removes these passages: their vectors leave the index and its file with it."""
        self._database.after_commit(lambda: self._removed(passages))

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
        database.execute(f"DELETE FROM embeddings WHERE embedder IS NOT {_EMBEDDER}", fingerprint)
        database.execute("DELETE FROM embedders WHERE fingerprint != ?", fingerprint)
        database.execute(
            "UPDATE documents SET stage = 'ngrams' WHERE stage = 'ready' AND EXISTS (SELECT 1 FROM passages"
            " LEFT JOIN embeddings ON passage = passages.id WHERE document = documents.id AND passage IS NULL)"
        )

    def finish_documents(self) -> None:
        """The documents whose turn it is are ready when all their passages have a vector."""
        self._database.change(
            "UPDATE documents SET stage = 'ready' WHERE stage = 'ngrams' AND NOT EXISTS (SELECT 1 FROM passages"
            f" LEFT JOIN embeddings ON passage = passages.id AND embedder = {_EMBEDDER}"
            " WHERE document = documents.id AND passage IS NULL)",
            [self._embedder.fingerprint],
        )

    def search(self, question: str, limit: int) -> dict[int, float]:
        """The nearest passages, best first, as id → cosine similarity; empty while there are no vectors."""
        index = self.index()
        if len(index) == 0:
            return {}
        labels, similarities = index.search(self._embedder.embed_questions([question]), limit)
        return dict(zip(labels[0].tolist(), similarities[0].tolist(), strict=True))

    def count(self) -> int:
        """Passages that can be searched by meaning."""
        return len(self.index())

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
            " JOIN embeddings ON passage = passages.id"
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
            f"SELECT passage FROM embeddings WHERE embedder = {_EMBEDDER}", [self._embedder.fingerprint]
        )
        stored = np.array([passage for (passage,) in found], np.int64)
        fingerprint = f"{self._library} {self._embedder.fingerprint}"
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
                "SELECT passage, vector FROM embeddings WHERE passage IN (SELECT value FROM json_each(?))",
                [json.dumps(part)],
            ).fetchall()
            try:
                vectors = np.stack([np.frombuffer(vector, _STORED) for _, vector in rows]).astype(np.float32)
                index.add([passage for passage, _ in rows], vectors)
            except ValueError as error:
                raise StoreError(
                    f"The passage vectors in {self._database.path} are damaged ({error}).",
                    "Rebuild the library's index.",
                ) from error
        self._unsaved = len(absent) + len(surplus) > 0
        return index

    def _added(self, passages: list[int], vectors: list[NDArray[np.float32]]) -> None:
        if self._index is None or not passages:
            return
        try:
            self._index.add(passages, np.stack(vectors))
            self._unsaved = True
        except (StoreError, ValueError) as error:
            # The vectors are stored; the next search makes the index again and reports what is wrong.
            _logger.warning("The search index is made again: %s", error)
            self._index = None

    def _removed(self, passages: Collection[int]) -> None:
        if self._index is not None:
            self._index.remove(passages)
            self._unsaved = True
        try:
            forget(self._cache)
        except StoreError as error:
            _logger.warning("The search index still holds removed vectors until it is saved: %s", error)
