"""The stages of a document from file to searchable, and the steps that move it on.

Stages: queued -> parsed -> passages -> ngrams -> ready, or failed. Each step reads what the one before has stored and
moves the stage in the transaction of its own results, so that a kill at any moment repeats at most one step. Small
documents take a step together: a transaction each would take most of the time.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from localspec.errors import DiskFullError, DocumentError, EmbedderError, LocalSpecError
from localspec.stores.database import StoreDatabase, disk_error
from localspec.stores.documents.document_table import read_document, write_blocks
from localspec.stores.documents.file_store import FileStore
from localspec.stores.documents.parse import READER, ParsedDocument, ReadingStopped, content_hash, parse
from localspec.stores.documents.passage_texts import enter_texts
from localspec.stores.documents.passage_vectors import PassageVectors
from localspec.stores.documents.passage_words import WORDED_AT_ONCE, forget_words, store_words
from localspec.stores.documents.passages import Passage, split
from localspec.stores.ngrams.ngram_store import NgramStore
from localspec.stores.states.state_store import StateStore

_logger = logging.getLogger(__name__)

_GIVEN_SECONDS = 0.05
_AT_ONCE = 64
"""Documents that take a step together, at most."""
Storing: TypeAlias = Callable[[Database], None]
"""Stores inside a transaction what a step has made."""


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
        self.gives_way: Callable[[], bool] = lambda: False
        """whether a reply is being written, which comes first"""

    def next(self) -> list[QueuedDocument]:
        """The oldest documents that are not searchable yet, as far as their next step is the same; oldest first."""
        rows = self._database.rows(
            "SELECT id, name, file, stage, bytes FROM documents WHERE stage IN ('queued', 'parsed', 'passages')"
            " ORDER BY id LIMIT ?",
            [_AT_ONCE],
        )
        found = [QueuedDocument(*row) for row in rows]
        return [*takewhile(lambda queued: queued.stage == found[0].stage, found)]

    def advance(
        self,
        documents: Sequence[QueuedDocument],
        should_stop: Callable[[], bool] = lambda: False,
        enough: Callable[[], bool] = lambda: False,
    ) -> Sequence[QueuedDocument]:
        """Take the next step of documents of one stage, in one transaction; those that took it. Behind each but the
        last it ends if `enough` is true. Reading, which may take minutes, is given up when `should_stop` says so. A
        document that cannot be indexed moves to 'failed'."""
        made: list[Storing] = []
        for queued in documents:
            if made and enough():
                break
            try:
                made.append(self._made(queued, should_stop))
            except ReadingStopped:
                break
        stored = 0
        with self._database.write():
            for queued, store in zip(documents, made, strict=False):
                if stored and self.gives_way():
                    break  # what was made of the others is made again: that takes less than storing it
                self._store(queued, store)
                stored += 1
        return documents[:stored]

    def _made(self, queued: QueuedDocument, should_stop: Callable[[], bool]) -> Storing:
        """What the next step of a document makes, to be stored. Raises ReadingStopped."""
        try:
            if queued.stage == "queued":
                return self._parse(queued, should_stop)
            return self._split(queued) if queued.stage == "parsed" else self._add_ngrams(queued)
        except ReadingStopped:
            raise
        except DocumentError as error:
            if isinstance(error.__cause__, OSError):
                full = disk_error(error.__cause__, self._files)
                if isinstance(full, DiskFullError):  # no fault of the document
                    raise full from error
            reason = str(DocumentError(queued.name, error.reason, error.advice))
        except LocalSpecError:
            raise
        except Exception as error:  # noqa: BLE001 - one document must not keep the others from being indexed
            reason = _broken(queued.name, error)
        return lambda database: self._fail(database, queued.document, reason)

    def _store(self, queued: QueuedDocument, store: Storing) -> None:
        try:
            with self._database.write() as database:
                store(database)
        except LocalSpecError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            reason = _broken(queued.name, error)
            with self._database.write() as database:
                self._fail(database, queued.document, reason)

    def unfinished(self) -> set[int]:
        """The documents that are neither ready nor failed."""
        rows = self._database.rows("SELECT id FROM documents WHERE stage NOT IN ('ready', 'failed')")
        return {document for (document,) in rows}

    def read(self, name: str, file: str, should_stop: Callable[[], bool] = lambda: False) -> ParsedDocument:
        """What the reader makes of the copy `file` of a document. Raises DocumentError, and ReadingStopped when
        `should_stop` says so."""
        path = self._files / file
        parsed = parse(path, should_stop=should_stop, gives_way=self.gives_way)
        # A document without a title of its own is named after its file, which here is a copy.
        return dataclasses.replace(parsed, title=Path(name).stem) if parsed.title == path.stem else parsed

    def passages(self, parsed: ParsedDocument) -> tuple[list[Passage], str]:
        """A document's passages, as long as the embedder reads, with its fingerprint; where that cannot be asked,
        surely no longer, and ""."""
        embedder = self._vectors.embedder

        def count(texts: Sequence[str]) -> Sequence[int]:
            while self.gives_way():  # cutting a large document takes many seconds
                time.sleep(_GIVEN_SECONDS)
            return embedder.count_tokens(texts)

        try:
            return split(parsed, embedder.longest, count), embedder.fingerprint
        except EmbedderError as error:
            _logger.warning("The length of passages is estimated: %s", error)
            return split(parsed), ""

    def replace(
        self,
        document: int,
        parsed: ParsedDocument | None,
        passages: Sequence[Passage],
        vectors: Sequence[bytes],
        cut: str,
    ) -> None:
        """Put these parts of a searchable document in the place of those that it has, all or none; without `parsed` its
        text, n-grams and states stay. `vectors` as `PassageVectors.made_of` gives them for the passages, which are cut
        for the embedder of the fingerprint `cut`."""
        tokens = self._tokenize(parsed.text) if parsed is not None else None
        with self._database.write() as database:
            if not self._moved(database, document, "ngrams", "ready") and not self._moved(
                database, document, "ready", "ready"
            ):
                return
            if parsed is None:
                self._vectors.forget(database, [document])
                database.execute("DELETE FROM passages WHERE document = ?", [document])
                forget_words(database)
            else:
                self.forget(database, [document])
                self._write_parsed(database, document, parsed)
            self._write_passages(database, document, passages, cut)
            rows = database.execute("SELECT id FROM passages WHERE document = ? ORDER BY ordinal", [document])
            made = {passage: vector for (passage,), vector in zip(rows.fetchall(), vectors, strict=True)}
            self._vectors.enter(database, made)
            if tokens is not None:
                self._ngrams.add(document, tokens)
                database.execute("UPDATE documents SET tokens = ? WHERE id = ?", [len(tokens), document])
            database.execute("DELETE FROM renewals WHERE document = ?", [document])

    def _parse(self, queued: QueuedDocument, should_stop: Callable[[], bool]) -> Storing:
        self._restore(queued, self._files / queued.file)
        parsed = self.read(queued.name, queued.file, should_stop)
        document = queued.document

        def store(database: Database) -> None:
            if self._moved(database, document, "queued", "parsed"):
                self._write_parsed(database, document, parsed)

        return store

    def _write_parsed(self, database: Database, document: int, parsed: ParsedDocument) -> None:
        write_blocks(database, document, parsed.blocks)
        database.execute(
            "UPDATE documents SET title = ?, kind = ?, warnings = ?, pages = ?, characters = ?, reader = ?"
            " WHERE id = ?",
            [
                *(parsed.title, parsed.kind, json.dumps(parsed.warnings), parsed.pages, len(parsed.text)),
                *(READER, document),
            ],
        )

    def _write_passages(
        self, database: Database, document: int, passages: Sequence[Passage], cut: str, *, worded: bool = True
    ) -> None:
        database.conn.executemany(
            "INSERT INTO passages (document, ordinal, page, section, text, label) VALUES (?, ?, ?, ?, ?, ?)",
            [(document, one.ordinal, one.page, one.section, one.text, one.label) for one in passages],
        )
        enter_texts(database, document)
        if worded:
            store_words(database, document)
        database.execute("UPDATE documents SET passages = ?, cut = ? WHERE id = ?", [len(passages), cut, document])

    def _restore(self, queued: QueuedDocument, path: Path) -> None:
        """Copy a document's file again where the copy was lost, or is empty or zeros, as when the power fails right
        behind it."""
        row = self._database.row("SELECT sha256, source FROM documents WHERE id = ?", [queued.document])
        if row is None or not row[1] or not Path(row[1]).is_file():  # then the copy was on disk before it had its name
            return
        sha256, source = row
        whole = path.is_file() and path.stat().st_size == queued.bytes and content_hash(path) == sha256
        if not whole and content_hash(source) == sha256:
            FileStore(self._files).add(Path(source), sha256)

    def _split(self, queued: QueuedDocument) -> Storing:
        document = queued.document
        passages, cut = self.passages(read_document(self._database, document))

        def store(database: Database) -> None:
            if self._moved(database, document, "parsed", "passages"):
                # The words of many take long: the worker stores them next, in steps.
                self._write_passages(database, document, passages, cut, worded=len(passages) <= WORDED_AT_ONCE)

        return store

    def _add_ngrams(self, queued: QueuedDocument) -> Storing:
        document = queued.document
        tokens = self._tokenize(read_document(self._database, document).text)

        def store(database: Database) -> None:
            if self._moved(database, document, "passages", "ngrams"):
                self._ngrams.add(document, tokens)
                database.execute("UPDATE documents SET tokens = ? WHERE id = ?", [len(tokens), document])

        return store

    def _moved(self, database: Database, document: int, before: str, after: str) -> bool:
        """Move the stage; False when the document was removed or added anew since this step began."""
        cursor = database.execute(
            "UPDATE documents SET stage = ? WHERE id = ? AND stage = ?", [after, document, before]
        )
        return cursor.rowcount == 1

    def _fail(self, database: Database, document: int, reason: str) -> None:
        self.forget(database, [document])
        database.execute(
            "UPDATE documents SET stage = 'failed', reason = ?, passages = 0, tokens = 0, reader = ? WHERE id = ?",
            [reason, READER, document],
        )

    def forget(self, database: Database, documents: Sequence[int]) -> None:
        """Inside a transaction: delete everything that was made from documents, but not their rows. The index of words
        forgets theirs at the end of a round."""
        wanted = [json.dumps([*documents])]
        self._vectors.forget(database, documents)
        self._ngrams.remove(*documents)
        for document in documents:
            self._states.remove(document)
        for table in ("blocks", "renewals"):
            database.execute(f"DELETE FROM {table} WHERE document IN (SELECT value FROM json_each(?))", wanted)
        passages = database.execute("DELETE FROM passages WHERE document IN (SELECT value FROM json_each(?))", wanted)
        if passages.rowcount:
            forget_words(database)


def _broken(name: str, error: Exception) -> str:
    """The reason why a document failed by a fault of this program; logged, too."""
    _logger.error("Indexing %s failed", name, exc_info=error)
    return f"{name}: could not be indexed ({type(error).__name__}: {error})."
