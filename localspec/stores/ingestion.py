"""Brings a library's documents from file to searchable, one small committed step after the other.

Stages of a document: queued -> parsed -> passages -> ngrams -> ready, or failed. Each step reads what the one before
has stored and moves the stage in the transaction of its own results, so that a kill at any moment repeats at most one
step. Passages and n-grams of all documents come first, for with them a person can ask; their vectors follow.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from localspec.errors import DiskFullError, DocumentError, LocalSpecError
from localspec.stores.database import Migration, StoreDatabase, disk_error
from localspec.stores.documents import Block, ParsedDocument, parse
from localspec.stores.ngrams import NgramStore
from localspec.stores.passages import split
from localspec.stores.search import PassageVectors

_logger = logging.getLogger(__name__)

EMBEDDED_AT_ONCE = 32
"""Passages per batch: 1.5 s on two cores with all-MiniLM-L6-v2, which is how long a question may have to wait."""
_YIELD_SECONDS = 0.05
_SHARE_BEFORE_VECTORS = 0.1
"""Part of the progress bar for reading, passages and n-grams: more than their time, so that it moves at once."""


def _create(database: Database) -> None:
    database.execute("CREATE TABLE library (id TEXT NOT NULL)")
    database.execute("INSERT INTO library (id) VALUES (lower(hex(randomblob(16))))")
    database.execute(
        """
        CREATE TABLE documents (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            sha256 TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,  -- of the file that was added
            file TEXT NOT NULL,  -- of its copy in files/
            stage TEXT NOT NULL CHECK (stage IN ('queued', 'parsed', 'passages', 'ngrams', 'ready', 'failed')),
            title TEXT NOT NULL DEFAULT '',
            kind TEXT NOT NULL DEFAULT '',
            reason TEXT NOT NULL DEFAULT '',      -- why it failed
            warnings TEXT NOT NULL DEFAULT '[]',  -- JSON list of texts
            pages INTEGER,
            characters INTEGER NOT NULL DEFAULT 0,
            passages INTEGER NOT NULL DEFAULT 0,
            tokens INTEGER NOT NULL DEFAULT 0,
            added TEXT NOT NULL
        )
        """
    )
    database.execute(
        """
        CREATE TABLE blocks (
            document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
            ordinal INTEGER NOT NULL,
            page INTEGER,
            section TEXT NOT NULL,
            text TEXT NOT NULL,
            PRIMARY KEY (document, ordinal)
        ) WITHOUT ROWID
        """
    )


INGESTION_MIGRATIONS: tuple[Migration, ...] = (Migration("library-1-documents", _create),)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the work on the documents stands."""

    documents_done: int = 0
    documents_total: int = 0
    """Documents of this round: since the worker last had nothing to do."""
    name: str = ""
    """The document at work; empty when there is none."""
    stage: str = ""
    """The work: 'reading', 'splitting', 'n-grams', 'vectors', or empty."""
    fraction: float = 1.0
    """Of the round's work, 0 to 1."""
    seconds_left: float | None = None
    """Estimate; None while it cannot be known."""
    problem: str = ""
    """What stopped the work, for the person to read. It goes on with the next added document or start."""

    @property
    def done(self) -> bool:
        """Nothing is left to do, and nothing stopped it."""
        return self.documents_done == self.documents_total and not self.problem


class Ingestion:
    """The steps, and the background thread that takes them. One thread at a time works."""

    def __init__(
        self,
        database: StoreDatabase,
        files: Path,
        ngrams: NgramStore,
        vectors: PassageVectors,
        tokenize: Callable[[str], NDArray[np.int32]],
    ) -> None:
        self._database = database
        self._files = files
        self._ngrams = ngrams
        self._vectors = vectors
        self._tokenize = tokenize
        self._working = threading.Lock()
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wanted = False
        self._busy = False
        self._stopping = threading.Event()
        self._round: set[int] = set()
        self._embedded = 0
        self._embedding_seconds = 0.0
        self._warm = False
        self.progress = Progress()

    def run(
        self, should_yield: Callable[[], bool] = lambda: False, report: Callable[[Progress], None] | None = None
    ) -> set[int]:
        """Take steps until none is left or `stop` is called; the documents that became ready or failed.

        `should_yield` is asked before each step, and while it is true nothing happens. Raises StoreError,
        DiskFullError or EmbedderError: what was committed stays, and the next run goes on there.
        """
        with self._working:
            self._embedded, self._embedding_seconds = 0, 0.0
            self.progress = replace(self.progress, problem="")
            unfinished = self._unfinished()
            try:
                while not self._stopping.is_set():
                    while should_yield() and not self._stopping.wait(_YIELD_SECONDS):
                        pass
                    if self._stopping.is_set() or not self._step(report):
                        break
                    unfinished |= self._unfinished()
                self._vectors.prepare()
            except LocalSpecError as error:
                self.progress = replace(self.progress, problem=str(error))
                if report is not None:
                    report(self.progress)
                raise
            finally:
                if not self.progress.done:
                    self.progress = replace(self.progress, name="", stage="", seconds_left=None)
            return unfinished - self._unfinished()

    def start(self, should_yield: Callable[[], bool]) -> None:
        """Start the worker thread, which begins with what is unfinished; one that is there tries again."""
        with self._condition:
            self._wanted = True
            self._condition.notify_all()
            if self._thread is not None and self._thread.is_alive():
                return
            self._stopping.clear()
            self._thread = threading.Thread(target=self._work, args=[should_yield], name="ingestion", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """There is new work."""
        with self._condition:
            self._wanted = True
            self._condition.notify_all()

    def stop(self) -> None:
        """End the worker, and a `run` in any thread, after the step at work; what is unfinished stays for later."""
        self._stopping.set()
        with self._condition:
            thread, self._thread = self._thread, None
            self._condition.notify_all()
        if thread is not None:
            thread.join()
        with self._working:
            self._stopping.clear()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the worker has nothing to do or has met a problem; False after `timeout` seconds."""

        def idle() -> bool:
            return self._thread is None or not self._thread.is_alive() or not (self._wanted or self._busy)

        with self._condition:
            return self._condition.wait_for(idle, timeout)

    def _work(self, should_yield: Callable[[], bool]) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._wanted or self._stopping.is_set())
                if self._stopping.is_set():
                    return
                self._wanted, self._busy = False, True
            try:
                self.run(should_yield)
                if not self._stopping.is_set():
                    self._database.reclaim()
            except LocalSpecError as error:
                # A thread has no caller: the progress display shows it.
                self.progress = replace(self.progress, problem=str(error))
                _logger.warning("Indexing stopped: %s", error)
            except Exception as error:
                self.progress = replace(self.progress, problem=f"Indexing stopped: {type(error).__name__}: {error}")
                _logger.exception("Indexing stopped")
            finally:
                with self._condition:
                    self._busy = False
                    self._condition.notify_all()

    def _step(self, report: Callable[[Progress], None] | None) -> bool:
        """Take one step of one document, or embed one batch; False when nothing is left."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT id, name, file, stage FROM documents WHERE stage IN ('queued', 'parsed', 'passages')"
                " ORDER BY id LIMIT 1"
            ).fetchone()
        if row is None:
            return self._embed(report)
        document, name, file, stage = row
        work = {"queued": "reading", "parsed": "splitting", "passages": "n-grams"}[stage]
        self._show(name, work, report)
        try:
            if stage == "queued":
                self._parse(document, name, file)
            elif stage == "parsed":
                self._split(document)
            else:
                self._add_ngrams(document)
        except DocumentError as error:
            if isinstance(error.__cause__, OSError):
                reason = disk_error(error.__cause__, self._files)
                if isinstance(reason, DiskFullError):  # no fault of the document
                    raise reason from error
            self._fail(document, str(DocumentError(name, error.reason, error.advice)))
        except LocalSpecError:
            raise
        except Exception as error:
            # One document must not keep the others from being indexed.
            _logger.exception("Indexing %s failed", name)
            self._fail(document, f"{name}: could not be indexed ({type(error).__name__}: {error}).")
        return True

    def _parse(self, document: int, name: str, file: str) -> None:
        path = self._files / file
        parsed = parse(path)
        # A document without a title of its own is named after its file, which here is a copy.
        title = Path(name).stem if parsed.title == path.stem else parsed.title
        with self._database.write() as database:
            if self._moved(database, document, "queued", "parsed"):
                database.conn.executemany(
                    "INSERT INTO blocks (document, ordinal, page, section, text) VALUES (?, ?, ?, ?, ?)",
                    [(document, at, block.page, block.section, block.text) for at, block in enumerate(parsed.blocks)],
                )
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
                database.execute("UPDATE documents SET passages = ? WHERE id = ?", [len(passages), document])

    def _add_ngrams(self, document: int) -> None:
        tokens = self._tokenize(read_document(self._database, document).text)
        with self._database.write() as database:
            if self._moved(database, document, "passages", "ngrams"):
                self._ngrams.add(document, tokens)
                database.execute("UPDATE documents SET tokens = ? WHERE id = ?", [len(tokens), document])

    def _embed(self, report: Callable[[Progress], None] | None) -> bool:
        passages = self._vectors.missing(EMBEDDED_AT_ONCE)
        if passages:
            with self._database.read() as connection:
                row = connection.execute(
                    "SELECT name FROM documents JOIN passages ON document = documents.id WHERE passages.id = ?",
                    [passages[0][0]],
                ).fetchone()
            self._show(row[0] if row else "", "vectors", report)
            start = time.perf_counter()
            self._vectors.embed(passages)
            if self._warm:  # the first batch of all also loads the model
                self._embedding_seconds += time.perf_counter() - start
                self._embedded += len(passages)
            self._warm = True
        with self._database.write() as database:
            database.execute(
                "UPDATE documents SET stage = 'ready' WHERE stage = 'ngrams' AND NOT EXISTS (SELECT 1 FROM passages"
                " LEFT JOIN embeddings ON passage = passages.id AND embedder = ?"
                " WHERE document = documents.id AND passage IS NULL)",
                [self._vectors.embedder_row(database.conn)],
            )
        if not passages:
            self._show("", "", report)
        return bool(passages)

    def _moved(self, database: Database, document: int, before: str, after: str) -> bool:
        """Move the stage; False when the document was removed or added anew since this step began."""
        cursor = database.execute(
            "UPDATE documents SET stage = ? WHERE id = ? AND stage = ?", [after, document, before]
        )
        return cursor.rowcount == 1

    def _fail(self, document: int, reason: str) -> None:
        with self._database.write() as database:
            self.forget(database, document)
            database.execute(
                "UPDATE documents SET stage = 'failed', reason = ?, passages = 0, tokens = 0 WHERE id = ?",
                [reason, document],
            )

    def forget(self, database: Database, document: int) -> None:
        """Inside a transaction: delete everything that was made from a document, but not its row."""
        rows = database.execute("SELECT id FROM passages WHERE document = ?", [document]).fetchall()
        self._vectors.forget([passage for (passage,) in rows])
        self._ngrams.remove(document)
        database.execute("DELETE FROM blocks WHERE document = ?", [document])
        if rows:
            database.execute("DELETE FROM passages WHERE document = ?", [document])
            # FTS5 only notes what is deleted; merging everything is what makes it forget the words.
            database.execute("INSERT INTO passages_fts (passages_fts) VALUES ('optimize')")

    def _unfinished(self) -> set[int]:
        with self._database.read() as connection:
            rows = connection.execute("SELECT id FROM documents WHERE stage NOT IN ('ready', 'failed')").fetchall()
        return {document for (document,) in rows}

    def _show(self, name: str, work: str, report: Callable[[Progress], None] | None) -> None:
        with self._database.read() as connection:
            rows = connection.execute("SELECT id, stage, passages FROM documents").fetchall()
        stages = {document: (stage, passages) for document, stage, passages in rows}
        unfinished = {document for document, (stage, _) in stages.items() if stage not in ("ready", "failed")}
        if unfinished and self.progress.documents_done == self.progress.documents_total:
            self._round = set()
        self._round |= unfinished
        self._round &= stages.keys()
        ours = [stages[document] for document in self._round]
        waiting = sum(stage in ("queued", "parsed", "passages") for stage, _ in ours)
        finished = sum(stage in ("ready", "failed") for stage, _ in ours)
        passages = sum(count for _, count in ours)
        left = sum(count for stage, count in ours if stage == "ngrams")
        if left and not waiting:  # while documents wait, the embedder must not be needed
            left -= self._vectors.embedded()
        fraction = _SHARE_BEFORE_VECTORS * (1 - waiting / len(ours)) if ours else 1.0
        if ours and not waiting:
            fraction += (1 - _SHARE_BEFORE_VECTORS) * (1 - left / passages if passages else 1.0)
        seconds_left = None
        if not left and not waiting:
            seconds_left = 0.0
        elif self._embedded and not waiting:
            seconds_left = left * self._embedding_seconds / self._embedded
        self.progress = Progress(finished, len(ours), name, work, min(fraction, 1.0), seconds_left)
        if report is not None:
            report(self.progress)


def read_document(database: StoreDatabase, document: int) -> ParsedDocument:
    """What `parse` gave for a document, as stored; empty when the document is gone."""
    with database.read() as connection:
        row = connection.execute(
            "SELECT title, kind, pages, warnings FROM documents WHERE id = ?", [document]
        ).fetchone()
        blocks = connection.execute(
            "SELECT text, page, section FROM blocks WHERE document = ? ORDER BY ordinal", [document]
        ).fetchall()
    title, kind, pages, warnings = row or ("", "text", None, "[]")
    return ParsedDocument(title, kind, tuple(Block(*block) for block in blocks), pages, tuple(json.loads(warnings)))
