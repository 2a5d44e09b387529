"""Reads documents again that an older version of LocalSpec has read, beside what there is of them.

Blocks, passages and vectors are made step by step, each committed by itself, while the old ones are found and cited as
before. The last step puts them in the place of the old ones in one transaction. A kill at any moment repeats at most
one step.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from localspec.errors import DocumentError, LocalSpecError
from localspec.stores.database import Migration, StoreDatabase
from localspec.stores.documents.blocks import from_row, to_row
from localspec.stores.documents.parse import READER, ParsedDocument, ReadingStopped
from localspec.stores.documents.passage_vectors import PassageVectors
from localspec.stores.documents.passages import Passage, embedded_text
from localspec.stores.ingestion.pipeline import Pipeline

_logger = logging.getLogger(__name__)

_TABLES = """
CREATE TABLE renewed_passages (
    document INTEGER NOT NULL REFERENCES renewals (document) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    page INTEGER,
    section TEXT NOT NULL,
    text TEXT NOT NULL,
    label TEXT NOT NULL,
    embedder TEXT NOT NULL DEFAULT '',  -- fingerprint of the one that made the vector
    vector BLOB,
    PRIMARY KEY (document, ordinal)
) WITHOUT ROWID;
"""

RENEWAL_MIGRATIONS: tuple[Migration, ...] = (Migration("renewal-1-passages", _TABLES),)
"""Come after the migration that creates `renewals` (document, parsed)."""


class Renewal:
    """The documents of a library that are read again. One thread at a time takes steps."""

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
                "INSERT OR IGNORE INTO renewals (document) SELECT id FROM documents"
                " WHERE reader < ? AND stage IN ('ngrams', 'ready')",
                [READER],
            )
            database.execute(
                "UPDATE documents SET stage = 'queued', reason = '' WHERE reader < ? AND stage = 'failed'", [READER]
            )
        self._on_change()

    def left(self) -> int:
        """How many documents wait to be read again."""
        ((count,),) = self._database.rows("SELECT count(*) FROM renewals")
        return int(count)

    def next(self) -> tuple[int, str] | None:
        """(document, name) of the one to work on."""
        row = self._database.row(
            "SELECT document, name FROM renewals JOIN documents ON documents.id = document ORDER BY document LIMIT 1"
        )
        return tuple(row) if row else None

    def step(self, document: int, at_once: int, should_stop: Callable[[], bool] = lambda: False) -> bool:
        """Take the next step with a document, which embeds `at_once` passages at most; whether its new parts have taken
        the place of the old ones. One that cannot be read any more, by a fault of the file or of this program, stays as
        it was read before. Raises EmbedderError."""
        row = self._database.row(
            "SELECT parsed, name, file, stage FROM renewals JOIN documents ON documents.id = document"
            " WHERE document = ?",
            [document],
        )
        if row is None:
            return False
        parsed, name, file, stage = row
        try:
            if stage not in ("ngrams", "ready"):  # it is read from the start meanwhile
                self._database.change("DELETE FROM renewals WHERE document = ?", [document])
            elif not parsed:
                self._read(document, name, file, should_stop)
            elif not self._embed(document, at_once):
                self._replace(document, _parsed(parsed))
                return True
        except LocalSpecError:
            raise
        except Exception:
            _logger.exception("%s is left as it was read before", name)
            self._leave(document)
        return False

    def _read(self, document: int, name: str, file: str, should_stop: Callable[[], bool]) -> None:
        try:
            parsed = self._pipeline.read(name, file, should_stop)
        except ReadingStopped:
            return
        except DocumentError as error:
            # What an older version made of it is better than nothing.
            _logger.warning("%s is left as it was read before: %s", name, error)
            self._leave(document)
            return
        passages = self._pipeline.passages(parsed)
        known = self._vectors.of_texts(document)
        fingerprint = self._vectors.embedder.fingerprint
        with self._database.write() as database:
            database.execute("UPDATE renewals SET parsed = ? WHERE document = ?", [_json(parsed), document])
            if not database.execute("SELECT 1 FROM renewals WHERE document = ?", [document]).fetchone():
                return
            database.execute("DELETE FROM renewed_passages WHERE document = ?", [document])
            rows: list[tuple[Any, ...]] = []
            for one in passages:
                vector = known.get(embedded_text(one.section, one.text))
                place = (document, one.ordinal, one.page, one.section, one.text, one.label)
                rows.append((*place, fingerprint if vector is not None else "", vector))
            database.conn.executemany("INSERT INTO renewed_passages VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _leave(self, document: int) -> None:
        with self._database.write():
            self._database.change("UPDATE documents SET reader = ? WHERE id = ?", [READER, document])
            self._database.change("DELETE FROM renewals WHERE document = ?", [document])

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

    def _replace(self, document: int, parsed: ParsedDocument) -> None:
        rows = self._database.rows(
            "SELECT text, page, section, ordinal, label, vector FROM renewed_passages WHERE document = ?"
            " ORDER BY ordinal",
            [document],
        )
        passages = [Passage(*row[:-1]) for row in rows]
        self._pipeline.replace(document, parsed, passages, [row[-1] for row in rows])
        self._database.reclaim()


def _json(parsed: ParsedDocument) -> str:
    blocks = [to_row(block) for block in parsed.blocks]
    return json.dumps([parsed.title, parsed.kind, blocks, parsed.pages, parsed.warnings], ensure_ascii=False)


def _parsed(stored: str) -> ParsedDocument:
    title, kind, blocks, pages, warnings = json.loads(stored)
    return ParsedDocument(title, kind, tuple(map(from_row, blocks)), pages, tuple(warnings))
