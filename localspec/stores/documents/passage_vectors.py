"""The passages' vectors: kept in SQLite, searched through a cached index.

Each distinct text has one vector, however many passages have it: a graph of many equal vectors leads a search to
nothing but these (1,000 copies of a line left 7% of the other passages findable).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from localspec.errors import EmbedderError, StoreError
from localspec.stores.database import StoreDatabase
from localspec.stores.documents.passages import embedded_text
from localspec.stores.vectors import VectorIndex, forget, move

_logger = logging.getLogger(__name__)

_STORED = np.dtype("<f2")
_LOADED_AT_ONCE = 4096
_EMBEDDER = "(SELECT id FROM embedders WHERE fingerprint = ?)"
"""SQL for the number of this embedder; NULL, which equals none, while the database holds no vector of it."""
WITHOUT_VECTOR = (
    "documents JOIN passages ON passages.document = documents.id"
    f" LEFT JOIN text_vectors ON text_vectors.text = embedded AND embedder = {_EMBEDDER} WHERE vector IS NULL"
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


class PassageVectors:
    """The passages' vectors under one embedder. Methods raise EmbedderError when it cannot be used."""

    def __init__(
        self,
        database: StoreDatabase,
        cache: Path,
        library: str,
        embedder: EmbedderLike,
        others: Callable[[], Sequence[EmbedderLike]] = list,
    ) -> None:
        """`library` is the random id of the database: ids of texts mean nothing in another one. `others` gives further
        embedders, one of which may have made vectors that this one has not replaced yet."""
        self._database = database
        self._cache = cache
        self._library = library
        self._embedder = embedder
        self._index: VectorIndex | None = None
        self._unsaved = False
        self._others = others
        self._former: PassageVectors | None = None
        self._former_cache = cache.with_name(f"former-{cache.name}")
        self._has_former = True
        """until it was seen that there are no vectors of another embedder: nothing makes any here"""
        self._asked = 0
        """Texts up to this id had a vector, or no turn, when `missing` was asked last"""
        self._counts: tuple[int, tuple[int, int]] | None = None
        """The number of commits, and what was counted then"""

    @property
    def embedder(self) -> EmbedderLike:
        """What makes the vectors."""
        return self._embedder

    def former(self) -> PassageVectors | None:
        """The vectors of another embedder that serve until those of this one are there; None where there are none."""
        if self.are_complete():
            self._former = None
            return None
        if self._former is not None or not self._has_former:
            return self._former
        rows = self._database.rows(
            "SELECT fingerprint FROM embedders WHERE fingerprint != ?"
            " AND EXISTS (SELECT 1 FROM text_vectors WHERE embedder = embedders.id) ORDER BY id DESC",
            [self._embedder.fingerprint],
        )
        found = [fingerprint for (fingerprint,) in rows]
        self._has_former = len(found) > 0
        others = {other.fingerprint: other for other in self._others()} if found else {}
        if newest := next((others[fingerprint] for fingerprint in found if fingerprint in others), None):
            self._former = PassageVectors(self._database, self._former_cache, self._library, newest)
            self._former._former_cache = self._former_cache  # there is none before that
        return self._former

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
                " AND document NOT IN (SELECT document FROM renewals WHERE NOT reads)"
                " GROUP BY embedded_texts.id ORDER BY embedded_texts.id LIMIT ?",
                [self._embedder.fingerprint, after, limit],
            )
            if rows:
                self._asked = rows[0][0] - 1
                return [(text, embedded_text(section, words)) for text, section, words in rows]
        self._asked = 0
        return []

    def embed(self, texts: Sequence[tuple[int, str]]) -> None:
        """Compute and store the vectors of (id, text); those whose passages were removed meanwhile are left out."""
        vectors = self._embedder.embed([text for _, text in texts])
        fingerprint = self._embedder.fingerprint
        by_text = {text: vector for (text, _), vector in zip(texts, vectors, strict=True)}
        with self._database.write() as database:
            kept = [
                text
                for (text,) in database.execute(
                    "SELECT id FROM embedded_texts WHERE id IN (SELECT value FROM json_each(?))",
                    [json.dumps([*by_text])],
                )
            ]
            self._enter_vectors(database, {text: by_text[text].astype(_STORED).tobytes() for text in kept}, fingerprint)

    def made_of(self, texts: Sequence[str]) -> list[bytes]:
        """The vectors of these texts, as they are stored."""
        return [vector.astype(_STORED).tobytes() for vector in self._embedder.embed(texts)]

    def of_texts(self, document: int) -> dict[str, bytes]:
        """The vectors that a document's passages have under this embedder, as stored, by the text that was embedded."""
        rows = self._database.rows(
            "SELECT section, passages.text, vector FROM passages JOIN text_vectors ON text_vectors.text = embedded"
            f" WHERE document = ? AND embedder = {_EMBEDDER}",
            [document, self._embedder.fingerprint],
        )
        return {embedded_text(section, text): vector for section, text, vector in rows}

    def enter(self, database: Database, vectors: Mapping[int, bytes]) -> None:
        """Inside a transaction: store vectors, as `made_of` gives them, of passages that are there, where their texts
        have none."""
        rows = database.execute(
            "SELECT embedded, passages.id FROM passages LEFT JOIN text_vectors ON text_vectors.text = embedded"
            f" AND embedder = {_EMBEDDER} WHERE passages.id IN (SELECT value FROM json_each(?)) AND vector IS NULL",
            [self._embedder.fingerprint, json.dumps([*vectors])],
        )
        self._enter_vectors(
            database, {text: vectors[passage] for text, passage in rows.fetchall()}, self._embedder.fingerprint
        )

    def _enter_vectors(self, database: Database, vectors: Mapping[int, bytes], fingerprint: str) -> None:
        database.execute("INSERT OR IGNORE INTO embedders (fingerprint) VALUES (?)", [fingerprint])
        database.conn.executemany(
            f"INSERT OR REPLACE INTO text_vectors (text, embedder, vector) VALUES (?, {_EMBEDDER}, ?)",
            [(text, fingerprint, vector) for text, vector in vectors.items()],
        )
        arrays = [np.frombuffer(vector, _STORED).astype(np.float32) for vector in vectors.values()]
        self._database.after_commit(lambda: self._added([*vectors], arrays))

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
        """(passages, documents) that were made for another embedder, and of which nobody has asked to have them made
        anew."""
        fingerprint = self._embedder.fingerprint
        row = self._database.row(
            f"SELECT count(*), count(DISTINCT document) FROM {WITHOUT_VECTOR}"
            " AND (stage = 'ready' OR stage = 'ngrams' AND cut NOT IN ('', ?))"
            " AND document NOT IN (SELECT document FROM renewals)",
            [fingerprint, fingerprint],
        )
        return int(row[0]), int(row[1])

    def finish_documents(self, texts: Collection[int] | None = None) -> None:
        """The documents whose turn it is are ready when all their passages have a vector: those with a passage of these
        texts, or all."""
        among, values = "", [self._embedder.fingerprint]
        if texts is not None:
            among = " AND id IN (SELECT document FROM passages WHERE embedded IN (SELECT value FROM json_each(?)))"
            values.insert(0, json.dumps([*texts]))
        whole = (
            f"stage = 'ngrams'{among} AND NOT EXISTS (SELECT 1 FROM passages"
            f" LEFT JOIN text_vectors ON text_vectors.text = embedded AND embedder = {_EMBEDDER}"
            " WHERE document = documents.id AND vector IS NULL)"
        )
        # What is kept while nothing is committed stays, where there is nothing to do.
        if self._database.row(f"SELECT 1 FROM documents WHERE {whole} LIMIT 1", values) is not None:
            self._database.change(f"UPDATE documents SET stage = 'ready' WHERE {whole}", values)

    def search(self, question: str, limit: int) -> dict[int, float]:
        """The nearest passages, best first, as id → cosine similarity; of equal ones the first. Empty while there are
        no vectors."""
        index = self.index()
        if len(index) == 0:
            return {}
        labels, similarities = index.search(self._embedder.embed_questions([question]), limit)
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

    def embedded(self, documents: Collection[int] | None = None) -> dict[int, int]:
        """How many passages have a vector, by document, in documents whose turn it is; in all, or in some of them."""
        among, values = "", [self._embedder.fingerprint]
        if documents is not None:
            among = " AND documents.id IN (SELECT value FROM json_each(?))"
            values.append(json.dumps([*documents]))
        rows = self._database.rows(
            "SELECT document, count(*) FROM documents JOIN passages ON passages.document = documents.id"
            " JOIN text_vectors ON text_vectors.text = embedded"
            f" WHERE stage = 'ngrams' AND embedder = {_EMBEDDER}{among} GROUP BY document",
            values,
        )
        return dict(rows)

    @property
    def memory_bytes(self) -> int:
        """Of the index, an estimate; 0 before it was loaded."""
        former = self._former.memory_bytes if self._former is not None else 0
        index = self._index
        return former + (index.memory_bytes if index is not None else 0)

    def prepare(self) -> None:
        """Load the index, and write its file if there is something new; so with the former one, if it was loaded. The
        files are caches: failures are logged."""
        try:
            index = self.index()
        except EmbedderError as error:
            _logger.warning("Searching by words only: %s", error)
            return
        self._write(index)
        former = self._former
        if self.are_complete():
            self._forget_files([self._former_cache])
        elif former is not None and former._index is not None:
            former._write(former._index)

    def _write(self, index: VectorIndex) -> None:
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
            try:
                move(self._cache, self._former_cache)  # it may be that of the embedder before
            except StoreError as error:
                _logger.warning("The search index of the embedder before is made again: %s", error)
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
        if self._former is not None:
            self._former._removed(texts)
        if self._index is not None:
            self._index.remove(texts)
            self._unsaved = True
        self._forget_files([self._cache, self._former_cache])

    def _forget_files(self, caches: Sequence[Path]) -> None:
        for cache in caches:
            try:
                forget(cache)
            except StoreError as error:
                _logger.warning("The search index still holds removed vectors until it is saved: %s", error)
