"""The folders that a library's documents come from: their tables, and what is in them, within limits and counted."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from localspec.errors import DocumentError
from localspec.stores.database import Migration
from localspec.stores.documents.parse import SUPPORTED_SUFFIXES

MAX_FILES = 200_000  # documents taken from one folder: what is told of them takes 50 MB of memory
MAX_ENTRIES = 2_000_000  # files and folders looked at in one folder: reading their names takes about ten seconds
MAX_DEPTH = 32  # folders within folders: with links not followed, more is a mistake
_HIDDEN_ATTRIBUTE = 2  # Windows' FILE_ATTRIBUTE_HIDDEN


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A document in a folder."""

    path: Path
    inside: str  # its way from the folder on, with /
    size: int
    modified: int  # nanoseconds


@dataclass(slots=True)
class FolderContents:
    """What a folder holds."""

    files: list[FoundFile] = field(default_factory=list)  # In the order of their names.
    hidden: int = 0
    """Files and folders whose names begin with a dot or that the system hides, and what Office leaves while it edits"""
    unsupported: int = 0  # Files of kinds that are no documents
    links: int = 0  # Links to folders, which are not followed: they may lead in circles
    unreadable: list[str] = field(default_factory=list)
    """Ways from the folder on of what may not be read; "." is a name that no database can hold"""
    truncated: bool = False  # There is more than the limits allow.

    @property
    def is_empty(self) -> bool:
        """There is nothing at all."""
        return not (self.files or self.hidden or self.unsupported or self.links or self.unreadable)

    def counts(self) -> dict[str, int]:
        """What was left out, in figures."""
        return {
            "hidden": self.hidden,
            "unsupported": self.unsupported,
            "links": self.links,
            "unreadable": len(self.unreadable),
            "truncated": int(self.truncated),
        }


def contents(
    folder: Path, *, excluded: Collection[Path] = (), should_stop: Callable[[], bool] = lambda: False
) -> FolderContents:
    """The documents in `folder` and the folders inside it, but those in `excluded`. Links to files are followed, links
    to folders are not. It ends early once `should_stop` is true. Raises DocumentError when the folder itself is not
    there or may not be read."""
    found = FolderContents()
    skipped = {str(path.resolve()) for path in excluded}
    waiting = [(str(folder), "", 0)]
    looked_at = 0
    while waiting and not found.truncated and not should_stop():
        path, inside, depth = waiting.pop()
        try:
            with os.scandir(path) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if depth == 0:
                raise _unreadable(folder, error) from error
            found.unreadable.append(inside)
            continue
        deeper = []
        for entry in listed:
            looked_at += 1
            if looked_at > MAX_ENTRIES or len(found.files) >= MAX_FILES:
                found.truncated = True
                break
            if _look(found, entry, f"{inside}/{entry.name}" if inside else entry.name):
                if depth + 1 > MAX_DEPTH:
                    found.truncated = True
                elif os.path.realpath(entry.path) not in skipped:
                    deeper.append((entry.path, f"{inside}/{entry.name}" if inside else entry.name, depth + 1))
        waiting += reversed(deeper)  # the last one is taken first
    found.files.sort(key=lambda file: file.inside)
    return found


def _look(found: FolderContents, entry: os.DirEntry[str], inside: str) -> bool:
    """Count an entry; True for a folder to be looked into."""
    try:
        inside.encode()
    except UnicodeEncodeError:
        found.unreadable.append(".")
        return False
    try:
        if _is_hidden(entry):
            found.hidden += 1
        elif entry.is_dir(follow_symlinks=False) and not _is_junction(entry):
            return True
        elif entry.is_dir():
            found.links += 1
        elif os.path.splitext(entry.name)[1].lower() not in SUPPORTED_SUFFIXES:  # noqa: PTH122 - many thousand names
            found.unsupported += 1
        else:
            status = entry.stat()
            if stat.S_ISREG(status.st_mode):
                found.files.append(FoundFile(Path(entry.path), inside, status.st_size, status.st_mtime_ns))
            else:
                found.unsupported += 1
    except OSError:
        found.unreadable.append(inside)
    return False


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith((".", "~$")):
        return True
    if os.name != "nt":
        return False
    return bool(getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0) & _HIDDEN_ATTRIBUTE)


def _is_junction(entry: os.DirEntry[str]) -> bool:
    """Windows' links between folders, which are no symbolic links."""
    if os.name != "nt":
        return False
    tag = getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0)
    return bool(tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1))


def _unreadable(folder: Path, error: OSError) -> DocumentError:
    if isinstance(error, FileNotFoundError):
        return DocumentError(
            folder,
            f"The folder {folder} is missing.",
            "Check whether it was moved or renamed, and whether its disk is connected.",
        )
    if isinstance(error, NotADirectoryError):
        return DocumentError(folder, f"{folder} is not a folder.", "Name the folder that holds the documents.")
    if isinstance(error, PermissionError):
        return DocumentError(
            folder, f"The folder {folder} cannot be read: permission denied.", "Allow your user to read it."
        )
    return DocumentError(folder, f"The folder {folder} cannot be read ({error.strerror or error}).", "Check its disk.")


_TABLES = """
CREATE TABLE folders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    watched INTEGER NOT NULL,
    removes INTEGER NOT NULL DEFAULT 0,  -- documents go with their files
    done INTEGER NOT NULL DEFAULT 0,     -- looked through from beginning to end
    counts TEXT NOT NULL DEFAULT '{}'    -- JSON: what was left out
);
CREATE TABLE folder_files (
    folder INTEGER NOT NULL REFERENCES folders (id) ON DELETE CASCADE,
    path TEXT NOT NULL,  -- from the folder on, with /
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,  -- nanoseconds
    document INTEGER REFERENCES documents (id) ON DELETE SET NULL,  -- NULL: the person removed it, or `problem`
    problem TEXT NOT NULL DEFAULT '',
    vanished INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (folder, path)
) WITHOUT ROWID;
CREATE INDEX folder_files_document ON folder_files (document);
"""

WATCHING_MIGRATIONS: tuple[Migration, ...] = (Migration("watching-1-folders", _TABLES),)
"""Come after the migration that creates `documents` (id)."""


@dataclass(frozen=True, slots=True)
class FolderInfo:
    """What a person sees of a folder."""

    id: int
    path: str
    watched: bool
    removes: bool  # documents are removed when their files are gone
    done: bool  # it was looked through from beginning to end
    files: int  # files with a document
    vanished: int  # documents whose files are gone
    failures: tuple[str, ...]  # files that could not be taken, and why
    counts: dict[str, int]  # as `FolderContents.counts` gives them
    problem: str = ""  # why it cannot be looked through now
    taken: int = 0  # of the files that are new or changed, those that are copied already
    wanted: int = 0  # files that are new or changed, while they are copied; else 0
