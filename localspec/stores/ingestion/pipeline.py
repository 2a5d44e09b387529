"""The stages of a document from file to searchable, and the steps that move it on.

Stages: queued -> parsed -> passages -> ngrams -> ready, or failed. Each step reads what the one before has stored and
moves the stage in the transaction of its own results, so that a kill at any moment repeats at most one step.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from localspec.errors import DiskFullError, DocumentError, LocalSpecError
from localspec.stores.database import StoreDatabase, disk_error
from localspec.stores.documents.document_table import read_document, write_blocks
from localspec.stores.documents.parse import parse
from localspec.stores.documents.passage_vectors import PassageVectors
from localspec.stores.documents.passage_words import store_words
from localspec.stores.documents.passages import split
from localspec.stores.ngrams.ngram_store import NgramStore
from localspec.stores.states.state_store import StateStore

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class QueuedDocument:
    """A document that is not searchable yet."""

    document: int
    name: str
    file: str  # name of its copy
    stage: str
    bytes: int  # of its file

    @property
    def work(self) -> str:
        """The step to take: 'reading', 'splitting' or 'n-grams'."""
        return {"queued": "reading", "parsed": "splitting", "passages": "n-grams"}[self.stage]


class Pipeline:
    """Takes a library's documents from stage to stage, up to 'ngrams', and forgets what was made from them."""

    def __init__(
        self,
        database: StoreDatabase,
        files: Path,
        tokenize: Callable[[str], NDArray[np.int32]],
        *,
        ngrams: NgramStore,
        vectors: PassageVectors,
        states: StateStore,
    ) -> None:
        """`files` is the folder of copies."""
        self._database = database
        self._files = files
        self._tokenize = tokenize
        self._ngrams = ngrams
        self._vectors = vectors
        self._states = states

    def next(self) -> QueuedDocument | None:
        """The oldest document that is not searchable yet."""
        row = self._database.row(
            "SELECT id, name, file, stage, bytes FROM documents WHERE stage IN ('queued', 'parsed', 'passages')"
            " ORDER BY id LIMIT 1"
        )
        return QueuedDocument(*row) if row else None

    def advance(self, queued: QueuedDocument) -> None:
        """Take the next step of a document; one that cannot be indexed moves to 'failed'."""
        name = queued.name
        try:
            if queued.stage == "queued":
                self._parse(queued.document, name, queued.file)
            elif queued.stage == "parsed":
                self._split(queued.document)
            else:
                self._add_ngrams(queued.document)
        except DocumentError as error:
            if isinstance(error.__cause__, OSError):
                reason = disk_error(error.__cause__, self._files)
                if isinstance(reason, DiskFullError):  # no fault of the document
                    raise reason from error
            self._fail(queued.document, str(DocumentError(name, error.reason, error.advice)))
        except LocalSpecError:
            raise
        except Exception as error:
            # One document must not keep the others from being indexed.
            _logger.exception("Indexing %s failed", name)
            self._fail(queued.document, f"{name}: could not be indexed ({type(error).__name__}: {error}).")

    def unfinished(self) -> set[int]:
        """The documents that are neither ready nor failed."""
        rows = self._database.rows("SELECT id FROM documents WHERE stage NOT IN ('ready', 'failed')")
        return {document for (document,) in rows}

    def _parse(self, document: int, name: str, file: str) -> None:
        path = self._files / file
        parsed = parse(path)
        # A document without a title of its own is named after its file, which here is a copy.
        title = Path(name).stem if parsed.title == path.stem else parsed.title
        with self._database.write() as database:
            if self._moved(database, document, "queued", "parsed"):
                write_blocks(database, document, parsed.blocks)
                database.execute(
                    "UPDATE documents SET title = ?, kind = ?, warnings = ?, pages = ?, characters = ? WHERE id = ?",
                    [title, parsed.kind, json.dumps(parsed.warnings), parsed.pages, len(parsed.text), document],
                )

    def _split(self, document: int) -> None:
        passages = split(read_document(self._database, document))
        with self._database.write() as database:
            if self._moved(database, document, "parsed", "passages"):
                database.conn.executemany(
                    "INSERT INTO passages (document, ordinal, page, section, text) VALUES (?, ?, ?, ?, ?)",
                    [(document, passage.ordinal, passage.page, passage.section, passage.text) for passage in passages],
                )
                store_words(database, document)
                database.execute("UPDATE documents SET passages = ? WHERE id = ?", [len(passages), document])

    def _add_ngrams(self, document: int) -> None:
        tokens = self._tokenize(read_document(self._database, document).text)
        with self._database.write() as database:
            if self._moved(database, document, "passages", "ngrams"):
                self._ngrams.add(document, tokens)
                database.execute("UPDATE documents SET tokens = ? WHERE id = ?", [len(tokens), document])

    def _moved(self, database: Database, document: int, before: str, after: str) -> bool:
        """Move the stage; False when the document was removed or added anew since this step began."""
        cursor = database.execute(
            "UPDATE documents SET stage = ? WHERE id = ? AND stage = ?", [after, document, before]
        )
        return cursor.rowcount == 1

    def _fail(self, document: int, reason: str) -> None:
        with self._database.write() as database:
            self.forget(database, [document])
            database.execute(
                "UPDATE documents SET stage = 'failed', reason = ?, passages = 0, tokens = 0 WHERE id = ?",
                [reason, document],
            )

    def forget(self, database: Database, documents: Sequence[int]) -> None:
        """Inside a transaction: delete everything that was made from documents, but not their rows."""
        wanted = [json.dumps([*documents])]
        rows = database.execute(
            "SELECT id FROM passages WHERE document IN (SELECT value FROM json_each(?))", wanted
        ).fetchall()
        self._vectors.forget([passage for (passage,) in rows])
        self._ngrams.remove(*documents)
        for document in documents:
            self._states.remove(document)
        database.execute("DELETE FROM blocks WHERE document IN (SELECT value FROM json_each(?))", wanted)
        if rows:
            database.execute("DELETE FROM passages WHERE document IN (SELECT value FROM json_each(?))", wanted)
            # FTS5 only notes what is deleted; merging everything is what makes it forget the words.
            database.execute("INSERT INTO passages_fts (passages_fts) VALUES ('optimize')")
