"""Documents that a person has removed and can bring back: in no list and no search, and whole as long as they are kept.

Their rows lie as JSON, by the names of their columns, in tables of their own, so that nothing else has to know of them;
vectors lie beside them, n-grams and states where they were, set aside. After 30 days, or when the person says so, all
of it is deleted.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from sqlite_utils import Database

from localspec.errors import EmbedderError, LocalSpecError
from localspec.stores.database import Migration, StoreDatabase
from localspec.stores.documents.file_store import FileStore
from localspec.stores.documents.passage_texts import enter_texts
from localspec.stores.documents.passage_vectors import PassageVectors
from localspec.stores.documents.passage_words import WORDED_AT_ONCE, forget_words, store_words
from localspec.stores.ingestion.pipeline import Pipeline
from localspec.stores.ingestion.renewal import Renewal
from localspec.stores.ngrams.ngram_store import NgramStore
from localspec.stores.states.state_store import StateStore

_logger = logging.getLogger(__name__)

KEPT_DAYS = 30
"""So long a removed document can be brought back."""
_TABLES = """
CREATE TABLE removed_documents (
    document INTEGER PRIMARY KEY,  -- its id, which no other one gets
    sha256 TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    file TEXT NOT NULL,            -- of its copy in files/
    removed TEXT NOT NULL,         -- ISO 8601, UTC
    bytes INTEGER NOT NULL,        -- on disk: the copy, and what was made of it
    migrations INTEGER NOT NULL    -- of the database then
);
CREATE TABLE removed_rows (
    document INTEGER NOT NULL REFERENCES removed_documents (document) ON DELETE CASCADE,
    part TEXT NOT NULL,            -- the table that it is a row of
    row TEXT NOT NULL              -- JSON object
);
CREATE INDEX removed_rows_document ON removed_rows (document, part);
CREATE TABLE removed_vectors (
    document INTEGER NOT NULL REFERENCES removed_documents (document) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,      -- of the passage
    embedder INTEGER NOT NULL,     -- as in text_vectors
    vector BLOB NOT NULL,
    PRIMARY KEY (document, ordinal)
) WITHOUT ROWID;
"""
REMOVED_MIGRATIONS: tuple[Migration, ...] = (Migration("removed-1-documents", _TABLES),)
"""Come after all that `documents` and what refers to it are made by."""

_PARTS = {"documents": "id", "blocks": "document", "document_places": "document", "passages": "document"}
"""Tables whose rows come back, with the column that names the document; `documents` first, to which the others refer"""
_AMONG = "IN (SELECT value FROM json_each(?))"
_BYTES_PER_TOKEN = 8  # of an n-gram run


@dataclass(frozen=True, slots=True)
class RemovedDocument:
    """A document that can be brought back."""

    id: int
    name: str
    removed: str  # ISO 8601, UTC
    bytes: int  # that it takes on the disk


class RemovedDocuments:
    """The removed documents of a library. Any thread may call any method; each change is one transaction."""

    def __init__(
        self,
        database: StoreDatabase,
        files: FileStore,
        pipeline: Pipeline,
        renewal: Renewal,
        *,
        vectors: PassageVectors,
        ngrams: NgramStore,
        states: StateStore,
        erase: Callable[[], None],
        on_change: Callable[[], None],
    ) -> None:
        """`erase` has the disk forget words of what is deleted for good; `on_change` is called when there is something
        new to do. What is kept for too long is deleted."""
        self._database = database
        self._files = files
        self._pipeline = pipeline
        self._renewal = renewal
        self._vectors = vectors
        self._ngrams = ngrams
        self._states = states
        self._erase = erase
        self._on_change = on_change
        self._delete_old()

    def all(self) -> list[RemovedDocument]:
        """Those that can be brought back, the last one first."""
        rows = self._database.rows(
            "SELECT document, name, removed, bytes FROM removed_documents ORDER BY removed DESC, document DESC"
        )
        return [RemovedDocument(*row) for row in rows]

    def files(self) -> set[str]:
        """Names of their copies."""
        return {file for (file,) in self._database.rows("SELECT file FROM removed_documents")}

    def put(self, documents: Sequence[int]) -> list[int]:
        """Remove documents; those that there were. Nothing finds them from then on."""
        wanted = json.dumps([*documents])
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        with self._database.write() as database:
            rows = database.execute(f"SELECT id FROM documents WHERE id {_AMONG}", [wanted]).fetchall()
            found = [document for (document,) in rows]
            if not found:
                return []
            database.execute(
                "INSERT INTO removed_documents SELECT id, sha256, name, file, ?, 0, (SELECT count(*) FROM migrations)"
                f" FROM documents WHERE id {_AMONG}",
                [now, wanted],
            )
            for part, column in {**_PARTS, "folder_files": "document"}.items():
                pairs = ", ".join(f"'{name}', {name}" for name in _columns(database, part))
                database.execute(
                    f"INSERT INTO removed_rows SELECT {column}, '{part}', json_object({pairs}) FROM {part}"
                    f" WHERE {column} {_AMONG}",
                    [wanted],
                )
            database.execute(
                "INSERT INTO removed_vectors SELECT document, ordinal, embedder, vector FROM passages"
                f" JOIN text_vectors ON text_vectors.text = embedded WHERE document {_AMONG}",
                [wanted],
            )
            database.execute(
                "UPDATE removed_documents SET bytes = (SELECT bytes + tokens * ? FROM documents WHERE id = document)"
                " + (SELECT coalesce(sum(length(row)), 0) FROM removed_rows AS own"
                " WHERE own.document = removed_documents.document)"
                " + (SELECT coalesce(sum(length(vector)), 0) FROM removed_vectors AS own"
                f" WHERE own.document = removed_documents.document) WHERE document {_AMONG}",
                [_BYTES_PER_TOKEN, wanted],
            )
            self._take_out(database, found)
        self._delete_old()
        self._on_change()
        return found

    def bring_back(self, documents: Sequence[int]) -> list[int]:
        """Undo the removal of documents, with all that was made from them and the ids they had; those that there
        were."""
        with self._database.write() as database:
            found = [document for document in documents if self._put_back(database, document)]
            self._database.after_commit(lambda: self._complete(found))
        return found

    def bring_back_content(self, sha256: str) -> bool:
        """The same of the document with this content, which is added again; False where there is none."""
        row = self._database.row("SELECT document FROM removed_documents WHERE sha256 = ?", [sha256], so_far=True)
        return row is not None and len(self.bring_back([row[0]])) > 0

    def delete(self, documents: Sequence[int] | None = None) -> None:
        """Delete removed documents for good, these or all."""
        with self._database.write() as database:
            rows = database.execute(
                f"SELECT document, sha256 FROM removed_documents WHERE ? OR document {_AMONG}",
                [documents is None, json.dumps([*(documents or ())])],
            ).fetchall()
            if not rows:
                return
            found = [document for document, _ in rows]
            self._pipeline.forget(database, found)
            database.execute(f"DELETE FROM removed_documents WHERE document {_AMONG}", [json.dumps(found)])
            copies = [copy for _, sha256 in rows for copy in self._files.of(sha256)]
            self._database.after_commit(lambda: self._files.delete(copies))
        self._database.reclaim()
        self._erase()

    def _delete_old(self) -> None:
        """Delete those that were kept long enough."""
        limit = datetime.now(timezone.utc) - timedelta(days=KEPT_DAYS)
        rows = self._database.rows(
            "SELECT document FROM removed_documents WHERE removed < ?", [limit.isoformat(timespec="seconds")]
        )
        if rows:
            self.delete([document for (document,) in rows])

    def _take_out(self, database: Database, documents: Sequence[int]) -> None:
        """Inside a transaction: delete the rows of documents, which are kept already."""
        self._vectors.forget(database, documents)
        self._ngrams.set_aside(*documents)
        for document in documents:
            self._states.set_aside(document)
        wanted = [json.dumps([*documents])]
        if database.execute(f"DELETE FROM passages WHERE document {_AMONG}", wanted).rowcount:
            forget_words(database)
        database.execute(f"DELETE FROM documents WHERE id {_AMONG}", wanted)

    def _put_back(self, database: Database, document: int) -> bool:
        """Inside a transaction: give a document its rows again; False where it is not kept."""
        row = database.execute(
            "SELECT sha256, migrations = (SELECT count(*) FROM migrations) FROM removed_documents WHERE document = ?",
            [document],
        ).fetchone()
        if row is None:
            return False
        sha256, is_same_schema = row
        if database.execute("SELECT 1 FROM documents WHERE sha256 = ?", [sha256]).fetchone():
            return False  # somebody has just added it again
        if is_same_schema:
            for part in _PARTS:
                _put_rows(database, document, part)
            self._put_passages(database, document)
            self._ngrams.bring_back(document)
            self._states.set_aside(document, False)
        else:  # what was made of it may have had another form
            _put_rows(database, document, "documents")
            self._pipeline.forget(database, [document])
            database.execute("UPDATE documents SET stage = 'queued', reason = '' WHERE id = ?", [document])
        database.execute(
            "UPDATE folder_files SET document = :document WHERE document IS NULL AND (folder, path, size, modified) IN"
            " (SELECT json_extract(row, '$.folder'), json_extract(row, '$.path'), json_extract(row, '$.size'),"
            " json_extract(row, '$.modified') FROM removed_rows WHERE document = :document AND part = 'folder_files')",
            {"document": document},
        )
        database.execute("DELETE FROM removed_documents WHERE document = ?", [document])
        return True

    def _put_passages(self, database: Database, document: int) -> None:
        """Inside a transaction: have a document's passages, which are back, found by meaning and by words."""
        database.execute("UPDATE passages SET embedded = NULL WHERE document = ?", [document])
        enter_texts(database, document)
        made = (
            "FROM removed_vectors JOIN passages USING (document, ordinal) WHERE removed_vectors.document = ?"
            " AND removed_vectors.embedder {} (SELECT id FROM embedders WHERE fingerprint = ?)"
        )
        try:
            values = [document, self._vectors.embedder.fingerprint]
            rows = database.execute(f"SELECT passages.id, vector {made.format('IS')}", values).fetchall()
            self._vectors.enter(database, dict(rows))
        except EmbedderError as error:  # then nothing is searched by meaning
            _logger.warning("%s", error)
            values = [document, ""]
        database.execute(
            f"INSERT OR IGNORE INTO text_vectors SELECT embedded, embedder, vector {made.format('IS NOT')}", values
        )
        (passages,) = database.execute("SELECT count(*) FROM passages WHERE document = ?", [document]).fetchone()
        if passages <= WORDED_AT_ONCE:  # else the worker stores their words next, in steps
            store_words(database, document)

    def _complete(self, documents: Sequence[int]) -> None:
        """After the commit: queue what documents lack that were removed under another tokenizer or embedder."""
        try:
            known = self._ngrams.documents()
            without = [document for document in documents if document not in known]
            self._database.change(
                f"UPDATE documents SET stage = 'passages' WHERE stage IN ('ngrams', 'ready') AND id {_AMONG}",
                [json.dumps(without)],
            )
            self._renewal.want_embedded()
        except LocalSpecError as error:  # the next opening of the library sees it, too
            _logger.warning("%s", error)
        self._on_change()


def _columns(database: Database, table: str) -> list[str]:
    return [row[1] for row in database.execute(f"PRAGMA table_info({table})")]


def _put_rows(database: Database, document: int, part: str) -> None:
    """Inside a transaction: give a table the rows of a document again. Columns that came since have their defaults."""
    values = [document, part]
    first = database.execute("SELECT row FROM removed_rows WHERE (document, part) = (?, ?) LIMIT 1", values).fetchone()
    if first is None:
        return
    kept = json.loads(first[0])
    columns = [name for name in _columns(database, part) if name in kept]
    fields = ", ".join(f"json_extract(row, '$.{name}')" for name in columns)
    database.execute(
        f"INSERT INTO {part} ({', '.join(columns)}) SELECT {fields} FROM removed_rows"
        " WHERE (document, part) = (?, ?) ORDER BY rowid",
        values,
    )
