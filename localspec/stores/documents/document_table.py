"""The documents of a library one by one, each with a copy of its file: added, listed, read again, replaced, removed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from localspec.errors import StoreError
from localspec.stores.database import Migration, StoreDatabase
from localspec.stores.documents.blocks import Block, from_row, to_row
from localspec.stores.documents.file_store import FileStore
from localspec.stores.documents.parse import READER, ParsedDocument, content_hash

_TABLES = """
CREATE TABLE library (id TEXT NOT NULL);
INSERT INTO library (id) VALUES (lower(hex(randomblob(16))));
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
);
CREATE TABLE blocks (
    document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    page INTEGER,
    section TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (document, ordinal)
) WITHOUT ROWID;
"""
_ADD_SOURCES = """
ALTER TABLE documents ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;  -- of the file
ALTER TABLE documents ADD COLUMN source TEXT NOT NULL DEFAULT '';  -- its path, where it is known
ALTER TABLE library ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
"""

_ADD_KINDS = """
ALTER TABLE blocks ADD COLUMN kind TEXT NOT NULL DEFAULT 'paragraph';
ALTER TABLE blocks ADD COLUMN level INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocks ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE blocks ADD COLUMN cells TEXT NOT NULL DEFAULT 'null';  -- JSON of a table
"""
_ADD_UNFINISHED = """
CREATE INDEX documents_unfinished ON documents (id) WHERE stage IN ('queued', 'parsed', 'passages');
"""
_ADD_PLACES = """
CREATE TABLE document_places (  -- files with the same content as a document's, beside its own
    document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    source TEXT NOT NULL,  -- as in documents
    PRIMARY KEY (document, name, source)
) WITHOUT ROWID;
"""

_ADD_READER = """
ALTER TABLE documents ADD COLUMN reader INTEGER NOT NULL DEFAULT 0;  -- version of what read it
CREATE TABLE renewals (  -- documents that are read again beside what there is of them
    document INTEGER PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
    parsed TEXT NOT NULL DEFAULT ''  -- JSON of what the reader gave; empty before
);
"""

DOCUMENT_MIGRATIONS: tuple[Migration, ...] = (
    Migration("library-1-documents", _TABLES),
    Migration("library-2-sources", _ADD_SOURCES),
    Migration("library-3-kinds", _ADD_KINDS),
    Migration("library-4-reader", _ADD_READER),
    Migration("library-5-unfinished", _ADD_UNFINISHED),
    Migration("library-6-places", _ADD_PLACES),
)


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """What a person sees of a document."""

    id: int
    name: str  # File name as added; of one from a folder, the folder's name and the way from there, with /.
    kind: str  # 'pdf', 'docx', ... as it truly is; empty before it was read.
    status: str  # 'queued', 'parsed', 'passages' or 'ngrams' (the last step done), 'ready', or 'failed'.
    reason: str  # Why it failed; else the warnings of its reader, one per line.
    pages: int | None
    characters: int
    passages: int
    tokens: int  # Under the tokenizer its n-grams were last made with.
    added: str  # ISO 8601, UTC.
    bytes: int = 0  # Of the file.
    source: str = ""
    """Where the file lies on this computer; empty where that is not known, as for one that came through a browser."""
    outdated: bool = False
    """Whether an older version read it, so that it can be read better now; False once that is wanted."""
    copies: tuple[str, ...] = ()
    """Names of other files with the same content"""


class DocumentTable:
    """The rows of `documents`, each with its copy in the file store."""

    def __init__(
        self,
        database: StoreDatabase,
        files: FileStore,
        *,
        forget: Callable[[Database, Sequence[int]], None],
        erase: Callable[[], None],
        on_change: Callable[[], None],
    ) -> None:
        """`forget` deletes, inside a transaction, everything that was made from documents but their rows; `erase` has
        the disk forget what can be forgotten at once, and `on_change` is called when there is something new to do."""
        self._database = database
        self._files = files
        self._forget = forget
        self._erase = erase
        self._on_change = on_change
        self.bring_back: Callable[[str], bool] = lambda sha256: False
        """Brings the document with this content back if the person has removed it; whether there was one"""
        self._known: tuple[int, list[DocumentInfo]] | None = None
        """The number of commits, and all documents then"""
        self._enter_missing_sizes()

    def add(self, path: Path, *, name: str = "", keeps_source: bool = False) -> DocumentInfo:
        """Copy a file into the library and queue it. With `keeps_source` its place on this computer is kept, so that
        `again` finds what has changed there. A file with the same content as one that is there gives that one, with one
        more place; if that had failed, it is tried again. Raises DocumentError when the file cannot be read."""
        return self._add(path, name, keeps_source, None)

    def replace(self, document: int, path: Path, *, name: str = "") -> DocumentInfo:
        """Add a file in the place of a document, whose file it is with a new content. What was made from the old one
        goes in the same transaction. The document has a new id: chats that were sent the old one are not told that
        they know the new one. Raises DocumentError when the file cannot be read; then nothing is changed."""
        return self._add(path, name, True, document)

    def all(self) -> list[DocumentInfo]:
        """All documents, oldest first. Where there are 10,000, reading them takes 0.1 s: they are read anew only when
        something was written since."""
        commits, known = self._database.commits, self._known
        if known is None or known[0] != commits:
            known = self._known = commits, [_info(row) for row in self._database.rows(f"{_SELECT} ORDER BY id")]
        return [*known[1]]

    def remove(self, *documents: int) -> None:
        """Delete documents with everything that was made from them. Unknown ones are no error."""
        if self.drop(documents):
            self._erase()

    def drop(self, documents: Sequence[int]) -> bool:
        """The same as a part of a larger change, which leaves it to the worker to have the disk forget them; whether
        there were any."""
        with self._database.write() as database:
            removed = self._remove(database, documents)
        if removed:
            self._database.reclaim()
            self._on_change()  # the worker writes the vectors' file anew
        return removed

    def again(self, document: int | None) -> None:
        """Read a document again, or all of them: the file, where it is known to lie and has changed, else the copy. An
        unknown one is no error. Raises DocumentError when a changed file cannot be read."""
        wanted = [info.id for info in self.all()] if document is None else [document]
        queued = [one for one in wanted if not self._replace_if_changed(one)]
        if not queued:
            return
        with self._database.write() as database:
            self._forget(database, queued)
            database.execute(
                "UPDATE documents SET stage = 'queued', reason = '', warnings = '[]', characters = 0, passages = 0,"
                " tokens = 0 WHERE id IN (SELECT value FROM json_each(?))",
                [json.dumps(queued)],
            )
        self._database.reclaim()
        self._on_change()

    def _replace_if_changed(self, document: int) -> bool:
        """Take the new content of a document's file where it has one; False where it has not."""
        row = self._database.row("SELECT name, sha256, file, source FROM documents WHERE id = ?", [document])
        if row is None:
            return True
        name, sha256, file, source = row
        path = Path(source)
        if not source or not path.is_file():
            return False
        if content_hash(path) != sha256:
            self.replace(document, path, name=name)
            return True
        if not (self._files.folder / file).exists():
            self._files.add(path, sha256)
        return False

    def _add(self, path: Path, name: str, keeps_source: bool, replaced: int | None) -> DocumentInfo:
        sha256 = content_hash(path)
        name = _printable(name or path.name)
        source = str(path.absolute()) if keeps_source else ""
        if source != _printable(source):
            source = ""
        known = self._by_hash(sha256)
        if known is None and self.bring_back(sha256):
            with self._database.write() as database:  # as if it came for the first time
                database.execute("UPDATE documents SET name = ?, source = ? WHERE sha256 = ?", [name, source, sha256])
                database.execute(
                    "DELETE FROM document_places WHERE document = (SELECT id FROM documents WHERE sha256 = ?)", [sha256]
                )
            known = self._by_hash(sha256)
        if known is not None and known.status != "failed":
            self._enter_place(known, name, source)
            if replaced is not None and replaced != known.id:
                self.drop([replaced])
            return self._by_hash(sha256) or known
        file = self._files.add(path, sha256, durable=not source)
        with self._database.write() as database:
            database.execute(
                "INSERT INTO documents (sha256, name, file, stage, added, bytes, source)"
                " VALUES (:sha256, :name, :file, 'queued', :now, :bytes, :source)"
                " ON CONFLICT (sha256) DO UPDATE SET stage = 'queued', reason = '', name = :name, file = :file,"
                " bytes = :bytes, source = :source WHERE stage = 'failed'",
                {
                    "sha256": sha256,
                    "name": name,
                    "file": file.name,
                    "now": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                    "bytes": file.stat().st_size if file.exists() else 0,
                    "source": source,
                },
            )
            if not file.exists():  # `remove` deletes the copy under the same lock
                raise StoreError(f"{path.name} was removed from the library while it was added.", "Add it again.")
            if replaced is not None:
                self._remove(database, [replaced], but=sha256)
        if replaced is not None:
            self._database.reclaim()
        self._on_change()
        added = self._by_hash(sha256)
        if added is None:
            raise StoreError(f"{path.name} was removed from the library right after it was added.", "Add it again.")
        return added

    def _enter_place(self, known: DocumentInfo, name: str, source: str) -> None:
        """Note where a document's content lies, too."""
        if source == known.source and (source or name == known.name):
            return
        place = known.id, name, source
        if source and not (known.source and Path(known.source).is_file()):
            with self._database.write() as database:
                database.execute("UPDATE documents SET name = ?, source = ? WHERE id = ?", [name, source, known.id])
                database.execute("DELETE FROM document_places WHERE (document, name, source) = (?, ?, ?)", place)
                # One that was moved has its new place alone; one that a person gave has both.
                if not known.source and Path(known.name).name != Path(name).name:
                    place = known.id, known.name, ""
                    database.execute("INSERT OR IGNORE INTO document_places VALUES (?, ?, ?)", place)
        elif source or Path(name).name != Path(known.name).name:
            query = "SELECT 1 FROM document_places WHERE (document, name, source) = (?, ?, ?)"
            if self._database.row(query, place, so_far=True) is None:
                self._database.change("INSERT OR IGNORE INTO document_places VALUES (?, ?, ?)", place)

    def leave(self, database: Database, document: int, source: Path) -> None:
        """Inside a transaction: the file of a document at `source` is gone or another one now, while others with its
        content are there. The document is named after one of these."""
        gone = document, str(source)
        database.execute("DELETE FROM document_places WHERE (document, source) = (?, ?)", gone)
        row = database.execute("SELECT 1 FROM documents WHERE (id, source) = (?, ?)", gone).fetchone()
        place = database.execute(
            "SELECT name, source FROM document_places WHERE document = ? ORDER BY source = '', name LIMIT 1", [document]
        ).fetchone()
        if row is not None and place is not None:
            database.execute("UPDATE documents SET name = ?, source = ? WHERE id = ?", [*place, document])
            database.execute(
                "DELETE FROM document_places WHERE (document, name, source) = (?, ?, ?)", [document, *place]
            )

    def is_elsewhere(self, document: int, source: Path) -> bool:
        """Whether the content of a document has a place beside the file at `source`."""
        rows = self._database.rows(
            "SELECT source FROM document_places WHERE document = :id UNION SELECT source FROM documents"
            " WHERE id = :id AND source != ''",
            {"id": document},
            so_far=True,
        )
        return any(place != str(source) and (not place or Path(place).is_file()) for (place,) in rows)

    def _remove(self, database: Database, documents: Sequence[int], but: str = "") -> bool:
        """Inside a transaction: delete documents, but not the one with the hash `but`; whether there were any."""
        rows = database.execute(
            "SELECT id, sha256 FROM documents WHERE id IN (SELECT value FROM json_each(?)) AND sha256 != ?",
            [json.dumps([*documents]), but],
        ).fetchall()
        if not rows:
            return False
        found = [document for document, _ in rows]
        self._forget(database, found)
        database.execute("DELETE FROM documents WHERE id IN (SELECT value FROM json_each(?))", [json.dumps(found)])
        copies = [copy for _, sha256 in rows for copy in self._files.of(sha256)]
        self._database.after_commit(lambda: self._files.delete(copies))
        return True

    def _by_hash(self, sha256: str) -> DocumentInfo | None:
        row = self._database.row(f"{_SELECT} WHERE sha256 = ?", [sha256], so_far=True)
        return _info(row) if row else None

    def _enter_missing_sizes(self) -> None:
        """Enter the sizes of documents that were added before sizes were kept."""
        rows = self._database.rows("SELECT id, file FROM documents WHERE bytes = 0")
        sizes = []
        for document, file in rows:
            path = self._files.folder / file
            if path.is_file() and (size := path.stat().st_size):
                sizes.append((size, document))
        if sizes:
            with self._database.write() as database:
                database.conn.executemany("UPDATE documents SET bytes = ? WHERE id = ?", sizes)


def write_blocks(database: Database, document: int, blocks: Sequence[Block]) -> None:
    """Inside a transaction: store what a reader gave for a document that has no blocks yet."""
    rows = [[document, at, *to_row(block)] for at, block in enumerate(blocks)]
    database.conn.executemany(
        "INSERT INTO blocks (document, ordinal, text, page, section, kind, level, label, cells)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [[*row, json.dumps(cells)] for *row, cells in rows],
    )


def read_document(database: StoreDatabase, document: int) -> ParsedDocument:
    """What `parse` gave for a document, as stored; empty when the document is gone."""
    row = database.row("SELECT title, kind, pages, warnings FROM documents WHERE id = ?", [document])
    rows = database.rows(
        "SELECT text, page, section, kind, level, label, cells FROM blocks WHERE document = ? ORDER BY ordinal",
        [document],
    )
    blocks = (from_row([*places, json.loads(cells)]) for *places, cells in rows)
    title, kind, pages, warnings = row or ("", "text", None, "[]")
    return ParsedDocument(title, kind, tuple(blocks), pages, tuple(json.loads(warnings)))


_SELECT = (
    "SELECT id, name, kind, stage, reason, pages, characters, passages, tokens, added, bytes, source, warnings,"
    f" reader < {READER} AND stage IN ('ngrams', 'ready', 'failed') AND id NOT IN (SELECT document FROM renewals),"
    " (SELECT json_group_array(name) FROM document_places WHERE document = documents.id GROUP BY document)"
    " FROM documents"
)


def _info(row: tuple[Any, ...]) -> DocumentInfo:
    *facts, warnings, outdated, copies = row
    if facts[3] != "failed":
        facts[4] = "\n".join(json.loads(warnings)) if warnings != "[]" else ""
    facts += [bool(outdated), tuple(json.loads(copies)) if copies else ()]
    return DocumentInfo(*facts)


def _printable(name: str) -> str:
    """A file name that SQLite can store: bytes that are no UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")
