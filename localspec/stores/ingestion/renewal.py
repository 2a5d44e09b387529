"""Makes documents anew beside what there is of them: those that an older version of LocalSpec has read are read again,
and those that another embedder has embedded are cut for this one and embedded again.

Blocks, passages and vectors are made step by step, each committed by itself, while the old ones are found and cited as
before. The last step puts them in the place of the old ones in one transaction. Where a document's passages come out as
they were, only their vectors are made, where they are. A kill at any moment repeats at most one step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from localspec.errors import DocumentError, EmbedderError, LocalSpecError
from localspec.stores.database import StoreDatabase
from localspec.stores.documents.document_table import read_document
from localspec.stores.documents.parse import READER, ParsedDocument, ReadingStopped
from localspec.stores.documents.passage_vectors import WITHOUT_VECTOR, PassageVectors
from localspec.stores.documents.passages import Passage, embedded_text
from localspec.stores.ingestion.pipeline import Pipeline
from localspec.stores.ingestion.renewed_documents import WantedDocument, from_json, to_json

_logger = logging.getLogger(__name__)


class Renewal:
    """The documents of a library that are made anew. One thread at a time takes steps."""

    def __init__(
        self, database: StoreDatabase, pipeline: Pipeline, vectors: PassageVectors, on_change: Callable[[], None]
    ) -> None:
        """`on_change` is called when there is something new to do."""
        self._database = database
        self._pipeline = pipeline
        self._vectors = vectors
        self._on_change = on_change

    def want(self) -> None:
        """Have all documents read again that an older version has read; those that it could not read are tried anew."""
        with self._database.write() as database:
            database.execute(
                "INSERT INTO renewals (document) SELECT id FROM documents"
                " WHERE reader < ? AND stage IN ('ngrams', 'ready')"
                " ON CONFLICT (document) DO UPDATE SET reads = 1, parsed = '', cut = '' WHERE NOT reads",
                [READER],
            )
            database.execute(
                "UPDATE documents SET stage = 'queued', reason = '' WHERE reader < ? AND stage = 'failed'", [READER]
            )
        self._on_change()

    def want_embedded(self) -> None:
        """Have all documents embedded anew that have no vectors of this embedder. Raises EmbedderError."""
        fingerprint = self._vectors.embedder.fingerprint
        with self._database.write() as database:
            # Those whose passages are this embedder's need no other ones.
            database.execute(
                "UPDATE documents SET stage = 'ngrams' WHERE stage = 'ready' AND cut = ?"
                f" AND id IN (SELECT documents.id FROM {WITHOUT_VECTOR})",
                [fingerprint, fingerprint],
            )
            database.execute(
                "INSERT OR IGNORE INTO renewals (document, reads) SELECT DISTINCT documents.id, 0 FROM"
                f" {WITHOUT_VECTOR} AND cut != ?"
                " AND (stage = 'ready' OR stage IN ('passages', 'ngrams') AND cut != '')",
                [fingerprint, fingerprint],
            )
        self._on_change()

    def left(self) -> int:
        """How many documents wait to be made anew."""
        ((count,),) = self._database.rows("SELECT count(*) FROM renewals")
        return int(count)

    def next(self) -> tuple[int, str, bool, float] | None:
        """The one to work on: its id, its name, whether it is read again, and what part of it is embedded."""
        row = self._database.row(
            "SELECT document, name, reads, (SELECT coalesce(avg(embedder = renewals.cut), 0) FROM renewed_passages"
            " WHERE renewed_passages.document = renewals.document) FROM renewals"
            " JOIN documents ON documents.id = document ORDER BY document LIMIT 1"
        )
        return (row[0], row[1], bool(row[2]), float(row[3])) if row else None

    def step(self, document: int, at_once: int, should_stop: Callable[[], bool] = lambda: False) -> bool:
        """Take the next step with a document, which embeds `at_once` passages at most; whether its new parts have taken
        the place of the old ones. One that cannot be read any more, by a fault of the file or of this program, stays as
        it was read before. Raises EmbedderError."""
        row = self._database.row(
            "SELECT parsed, renewals.cut, reads, name, file, stage FROM renewals"
            " JOIN documents ON documents.id = document WHERE document = ?",
            [document],
        )
        if row is None:
            return False
        wanted = WantedDocument(document, *row)
        try:
            if wanted.stage not in ("ngrams", "ready"):  # it is read from the start meanwhile
                self._database.change("DELETE FROM renewals WHERE document = ?", [document])
            elif wanted.cut != self._vectors.embedder.fingerprint:
                self._cut(wanted, should_stop)
            elif not self._embed(document, at_once):
                self._replace(wanted)
                return True
        except LocalSpecError:
            raise
        except Exception:
            _logger.exception("%s is left as it was read before", wanted.name)
            self._leave(document)
        return False

    def _cut(self, wanted: WantedDocument, should_stop: Callable[[], bool]) -> None:
        """Store a document's new passages, or find that they are as they were. Raises EmbedderError."""
        fingerprint = self._vectors.embedder.fingerprint
        document = wanted.document
        parsed = self._parsed(wanted, should_stop)
        if parsed is None:
            return
        passages, cut = self._pipeline.passages(parsed)
        if cut != fingerprint:
            raise EmbedderError("Passages cannot be cut for the embedding model.", "Install the requirements again.")
        if not wanted.reads and passages == self._stored(document):
            with self._database.write() as database:
                database.execute("DELETE FROM renewals WHERE document = ?", [document])
                database.execute(
                    "UPDATE documents SET cut = ?, stage = 'ngrams' WHERE id = ? AND stage IN ('ngrams', 'ready')",
                    [cut, document],
                )
            return
        known = self._vectors.of_texts(document)
        with self._database.write() as database:
            database.execute(
                "UPDATE renewals SET parsed = ?, cut = ? WHERE document = ?",
                [to_json(parsed) if wanted.reads else "", cut, document],
            )
            if not database.execute("SELECT 1 FROM renewals WHERE document = ?", [document]).fetchone():
                return
            database.execute("DELETE FROM renewed_passages WHERE document = ?", [document])
            rows: list[tuple[Any, ...]] = []
            for one in passages:
                vector = known.get(embedded_text(one.section, one.text))
                place = (document, one.ordinal, one.page, one.section, one.text, one.label)
                rows.append((*place, cut if vector is not None else "", vector))
            database.conn.executemany("INSERT INTO renewed_passages VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _parsed(self, wanted: WantedDocument, should_stop: Callable[[], bool]) -> ParsedDocument | None:
        """What a document's passages are cut from; None where it could not be read."""
        if not wanted.reads:
            return read_document(self._database, wanted.document)
        if wanted.parsed:  # for another embedder
            return from_json(wanted.parsed)
        try:
            return self._pipeline.read(wanted.name, wanted.file, should_stop)
        except ReadingStopped:
            return None
        except DocumentError as error:
            # What an older version made of it is better than nothing.
            _logger.warning("%s is left as it was read before: %s", wanted.name, error)
            self._leave(wanted.document)
            return None

    def _leave(self, document: int) -> None:
        with self._database.write():
            self._database.change("UPDATE documents SET reader = ? WHERE id = ?", [READER, document])
            self._database.change("DELETE FROM renewals WHERE document = ?", [document])

    def _stored(self, document: int) -> list[Passage]:
        """The passages that a document has now."""
        rows = self._database.rows(
            "SELECT text, page, section, ordinal, label FROM passages WHERE document = ? ORDER BY ordinal", [document]
        )
        return [Passage(*row) for row in rows]

    def _embed(self, document: int, at_once: int) -> bool:
        """Make vectors of passages that have none of this embedder; False where all have one."""
        fingerprint = self._vectors.embedder.fingerprint
        rows = self._database.rows(
            "SELECT ordinal, section, text FROM renewed_passages WHERE document = ? AND embedder != ?"
            " ORDER BY ordinal LIMIT ?",
            [document, fingerprint, at_once],
        )
        if not rows:
            return False
        vectors = self._vectors.made_of([embedded_text(section, text) for _, section, text in rows])
        with self._database.write() as database:
            database.conn.executemany(
                "UPDATE renewed_passages SET embedder = ?, vector = ? WHERE document = ? AND ordinal = ?",
                [(fingerprint, vector, document, at) for (at, _, _), vector in zip(rows, vectors, strict=True)],
            )
        return True

    def _replace(self, wanted: WantedDocument) -> None:
        rows = self._database.rows(
            "SELECT text, page, section, ordinal, label, vector FROM renewed_passages WHERE document = ?"
            " ORDER BY ordinal",
            [wanted.document],
        )
        passages = [Passage(*row[:-1]) for row in rows]
        parsed = from_json(wanted.parsed) if wanted.reads else None
        self._pipeline.replace(wanted.document, parsed, passages, [row[-1] for row in rows], wanted.cut)
        self._database.reclaim()
