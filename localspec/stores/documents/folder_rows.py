"""The folders that a library's documents come from: which they are, and what was done with their files."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from localspec.errors import DocumentError
from localspec.stores.database import Migration, StoreDatabase
from localspec.stores.documents.folders import FolderContents, FoundFile, contents


def _create(database: Database) -> None:
    database.execute(
        """
        CREATE TABLE folders (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            path TEXT NOT NULL UNIQUE,
            watched INTEGER NOT NULL,
            removes INTEGER NOT NULL DEFAULT 0,  -- documents go with their files
            done INTEGER NOT NULL DEFAULT 0,     -- looked through from beginning to end
            counts TEXT NOT NULL DEFAULT '{}'    -- JSON: what was left out
        )
        """
    )
    database.execute(
        """
        CREATE TABLE folder_files (
            folder INTEGER NOT NULL REFERENCES folders (id) ON DELETE CASCADE,
            path TEXT NOT NULL,  -- from the folder on, with /
            size INTEGER NOT NULL,
            modified INTEGER NOT NULL,  -- nanoseconds
            document INTEGER REFERENCES documents (id) ON DELETE SET NULL,  -- NULL: the person removed it, or `problem`
            problem TEXT NOT NULL DEFAULT '',
            vanished INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (folder, path)
        ) WITHOUT ROWID
        """
    )
    database.execute("CREATE INDEX folder_files_document ON folder_files (document)")


WATCHING_MIGRATIONS: tuple[Migration, ...] = (Migration("watching-1-folders", _create),)
"""Come after the migration that creates `documents` (id)."""


@dataclass(frozen=True, slots=True)
class FolderInfo:
    """What a person sees of a folder."""

    id: int
    path: str
    watched: bool
    removes: bool
    """Documents are removed when their files are gone"""
    done: bool
    """It was looked through from beginning to end"""
    files: int
    """Files with a document"""
    vanished: int
    """Documents whose files are gone"""
    failures: tuple[str, ...]
    """Files that could not be taken, and why"""
    counts: dict[str, int]
    """As `FolderContents.counts` gives them"""
    problem: str = ""
    """Why it cannot be looked through now"""
    taken: int = 0
    """Of the files that are new or changed, those that are copied already"""
    wanted: int = 0
    """Files that are new or changed, while they are copied; else 0"""


@dataclass(frozen=True, slots=True)
class FileRow:
    """What is known of a file in a folder."""

    size: int
    modified: int
    document: int | None
    vanished: bool


class FolderRows:
    """The tables. Any thread may call any method; methods raise StoreError when the database fails."""

    def __init__(self, database: StoreDatabase, excluded: Collection[Path] = ()) -> None:
        """Folders inside those `excluded` are refused."""
        self._database = database
        self._excluded = tuple(excluded)

    def add(self, folder: Path, *, watched: bool, removes: bool) -> int:
        """Enter a folder; its id. One that is known is to be looked through again. Raises DocumentError when it is not
        there, or lies where LocalSpec keeps its own files."""
        path = folder.expanduser()
        if not path.is_dir():
            contents(path)  # says why not
            raise DocumentError(path, f"{path} is no folder.", "Name the folder that holds the documents.")
        path = path.resolve()
        if any(path.is_relative_to(own.resolve()) for own in self._excluded):
            raise DocumentError(path, f"{path} is where LocalSpec keeps its own files.", "Name a folder of yours.")
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            raise DocumentError(path, "The folder's name cannot be stored.", "Give it another name.") from error
        with self._database.write() as database:
            database.execute(
                "INSERT INTO folders (path, watched, removes) VALUES (:path, :watched, :removes)"
                " ON CONFLICT (path) DO UPDATE SET done = 0, watched = max(watched, :watched),"
                " removes = CASE WHEN :watched THEN :removes ELSE removes END",
                {"path": str(path), "watched": int(watched), "removes": int(removes)},
            )
            (identity,) = database.execute("SELECT id FROM folders WHERE path = ?", [str(path)]).fetchone()
        return int(identity)

    def watch(self, folder: int, on: bool) -> None:
        """Watch a folder, or no more; its documents stay."""
        with self._database.write() as database:
            database.execute("UPDATE folders SET watched = ? WHERE id = ?", [int(on), folder])

    def again(self, folder: int) -> None:
        """It is to be looked through once more; one that is watched is, anyway."""
        with self._database.write() as database:
            database.execute("UPDATE folders SET done = 0 WHERE id = ? AND NOT watched", [folder])

    def set_removes(self, folder: int, on: bool) -> None:
        """Remove documents when their files are gone, or tell of it."""
        with self._database.write() as database:
            database.execute("UPDATE folders SET removes = ? WHERE id = ?", [int(on), folder])

    def forget(self, folder: int) -> None:
        """Take a folder off the list; its documents stay."""
        with self._database.write() as database:
            database.execute("DELETE FROM folders WHERE id = ?", [folder])

    def all(self) -> list[FolderInfo]:
        """All folders, in the order in which they were added."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT id, path, watched, removes, done, counts,"
                " (SELECT count(*) FROM folder_files WHERE folder = id AND document NOT NULL AND NOT vanished),"
                " (SELECT count(*) FROM folder_files WHERE folder = id AND vanished)"
                " FROM folders ORDER BY id"
            ).fetchall()
            failures = connection.execute(
                "SELECT folder, problem FROM folder_files WHERE problem != '' AND NOT vanished ORDER BY folder, path"
            ).fetchall()
        return [
            FolderInfo(
                identity,
                path,
                bool(watched),
                bool(removes),
                bool(done),
                files,
                vanished,
                tuple(problem for folder, problem in failures if folder == identity),
                json.loads(counts),
            )
            for identity, path, watched, removes, done, counts, files, vanished in rows
        ]

    def files(self, folder: int) -> dict[str, FileRow]:
        """What is known of a folder's files, by their way from the folder on."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT path, size, modified, document, vanished FROM folder_files WHERE folder = ?", [folder]
            ).fetchall()
        return {path: FileRow(size, modified, document, bool(gone)) for path, size, modified, document, gone in rows}

    def is_shared(self, folder: int, path: str, document: int) -> bool:
        """Whether another file that is there has the same content, and so the same document."""
        with self._database.read() as connection:
            return _is_shared(connection, folder, path, document)

    def enter(self, folder: int, file: FoundFile, document: int | None, problem: str) -> None:
        """Note what became of a file, unless the folder was taken off the list meanwhile."""
        with self._database.write() as database:
            database.execute(
                "INSERT OR REPLACE INTO folder_files (folder, path, size, modified, document, problem)"
                " SELECT id, :path, :size, :modified, (SELECT id FROM documents WHERE id = :document), :problem"
                " FROM folders WHERE id = :folder",
                {
                    "folder": folder,
                    "path": file.inside,
                    "size": file.size,
                    "modified": file.modified,
                    "document": document,
                    "problem": problem,
                },
            )

    def conclude(self, folder: FolderInfo, found: FolderContents, *, done: bool) -> list[int]:
        """Note what is gone, what is back, and what was left out; nothing where all is as it was. The documents that go
        with their files, for the caller to remove in the same transaction."""
        known, there = self.files(folder.id), {file.inside for file in found.files}
        back = [path for path, row in known.items() if row.vanished and path in there]
        gone = [] if found.truncated or "." in found.unreadable else _gone(known, there, found.unreadable)
        gone = [path for path in gone if not known[path].vanished or folder.removes]
        done = done or folder.done
        if not back and not gone and (found.counts(), done) == (folder.counts, folder.done):
            return []
        removed: list[int] = []
        with self._database.write() as database:
            for path in gone:
                document = known[path].document
                change = "DELETE FROM folder_files WHERE folder = ? AND path = ?"
                if document is not None and not _is_shared(database, folder.id, path, document):
                    if folder.removes:
                        removed.append(document)
                    else:
                        change = "UPDATE folder_files SET vanished = 1 WHERE folder = ? AND path = ?"
                database.execute(change, [folder.id, path])
            for path in back:
                database.execute(
                    "UPDATE folder_files SET vanished = 0 WHERE folder = ? AND path = ?", [folder.id, path]
                )
            database.execute(
                "UPDATE folders SET counts = ?, done = ? WHERE id = ?",
                [json.dumps(found.counts()), int(done), folder.id],
            )
        return removed

    def settle_vanished(self, folder: int) -> list[int]:
        """Tell of the files that are gone no more; the documents that only they had."""
        with self._database.write() as database:
            rows = database.execute(
                "SELECT path, document FROM folder_files WHERE folder = ? AND vanished AND document NOT NULL", [folder]
            ).fetchall()
            alone = [document for path, document in rows if not _is_shared(database, folder, path, document)]
            database.execute("DELETE FROM folder_files WHERE folder = ? AND vanished", [folder])
        return alone


def _gone(known: dict[str, FileRow], there: Collection[str], unreadable: Collection[str]) -> list[str]:
    """Known files that are not there; of those that cannot be seen now, nothing is known."""
    inside = tuple(f"{path}/" for path in unreadable)
    return [path for path in known if path not in there and path not in unreadable and not path.startswith(inside)]


def _is_shared(connection: Database | sqlite3.Connection, folder: int, path: str, document: int) -> bool:
    row = connection.execute(
        "SELECT 1 FROM folder_files WHERE document = ? AND NOT vanished AND NOT (folder = ? AND path = ?) LIMIT 1",
        [document, folder, path],
    ).fetchone()
    return row is not None
