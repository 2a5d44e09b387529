"""Takes in the documents of folders, once or for as long as they are watched for what is new, changed or gone.

Nothing tells of changes: the folders are looked through every half minute, by size and time of their files. What was
done with a file is committed with its document; small files are taken some at a time, so that a kill repeats a few.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from sqlite_utils import Database

from localspec.errors import DocumentError, LocalSpecError
from localspec.stores.background import BackgroundWorker
from localspec.stores.database import StoreDatabase
from localspec.stores.documents.document_table import DocumentTable
from localspec.stores.documents.folders import FolderContents, FolderInfo, FoundFile, contents

_logger = logging.getLogger(__name__)

POLL_SECONDS = 30.0
SETTLED_NANOSECONDS = 2 * 10**9
"""A file that changed so lately may be half written: it is taken when it is older, or the same at the next look."""
_SOON_SECONDS = 2.0
_TAKEN_AT_ONCE = 32
_SMALL_BYTES = 64 * 1024
"""Files up to this are taken together: their transactions would take most of the time."""


@dataclass(slots=True)
class _Now:
    """What is known of a folder while this process runs."""

    problem: str = ""
    taken: int = 0
    wanted: int = 0
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Size and time of files that may still be being written"""


class _FileRow(NamedTuple):
    """What is known of a file in a folder."""

    size: int
    modified: int
    document: int | None
    vanished: int


class Watching(BackgroundWorker):
    """The folders of a library, and the thread that looks at them, at once and then every half minute."""

    def __init__(
        self,
        database: StoreDatabase,
        table: DocumentTable,
        *,
        excluded: Collection[Path] = (),
        halted: Callable[[], bool] = lambda: False,
    ) -> None:
        """Folders `excluded` are never looked into: LocalSpec's own. While `halted`, nothing is looked at."""
        super().__init__("watching")
        self._database = database
        self._table = table
        self._excluded = tuple(excluded)
        self._halted = halted
        self._now: dict[int, _Now] = {}

    def add(self, folder: Path, *, watched: bool = False, removes: bool = False) -> int:
        """Take in the documents of a folder, once or as long as it is `watched`; its id. One that is known is looked
        through again. Raises DocumentError when it is not there, or lies where LocalSpec keeps its own files."""
        path = folder.expanduser()
        if not path.is_dir():
            contents(path)  # says why not
            raise DocumentError(path, f"{path} is not a folder.", "Name the folder that holds the documents.")
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
        self.wake()
        return int(identity)

    def watch(self, folder: int, on: bool) -> None:
        """Watch a folder, or no more; its documents stay."""
        self._change("UPDATE folders SET watched = ? WHERE id = ?", int(on), folder)

    def again(self, folder: int) -> None:
        """Look through a folder soon, once more."""
        self._change("UPDATE folders SET done = 0 WHERE id = ? AND NOT watched", folder)

    def set_removes(self, folder: int, on: bool) -> None:
        """Remove documents when their files are gone, or tell of it."""
        self._change("UPDATE folders SET removes = ? WHERE id = ?", int(on), folder)

    def forget(self, folder: int) -> None:
        """Take a folder off the list; its documents stay."""
        self._database.change("DELETE FROM folders WHERE id = ?", [folder])
        self._now.pop(folder, None)

    def settle_vanished(self, folder: int, *, remove: bool) -> None:
        """Remove the documents whose files are gone, or keep them and tell of them no more."""
        with self._database.write() as database:
            rows = database.execute(
                "SELECT path, document FROM folder_files WHERE folder = ? AND vanished AND document NOT NULL", [folder]
            ).fetchall()
            (root,) = database.execute("SELECT path FROM folders WHERE id = ?", [folder]).fetchone() or ("",)
            alone = []
            for path, document in rows:
                if self._is_shared(database, folder, Path(root), path, document):
                    self._table.leave(database, document, Path(root) / path)
                else:
                    alone.append(document)
            database.execute("DELETE FROM folder_files WHERE folder = ? AND vanished", [folder])
            if remove:
                self._table.drop(alone)

    def folders(self) -> list[FolderInfo]:
        """All folders, in the order in which they were added."""
        rows = self._database.rows(
            "SELECT id, path, watched, removes, done, counts,"
            " (SELECT count(*) FROM folder_files WHERE folder = id AND document NOT NULL AND NOT vanished),"
            " (SELECT count(*) FROM folder_files WHERE folder = id AND vanished)"
            " FROM folders ORDER BY id"
        )
        failures = self._database.rows(
            "SELECT folder, problem FROM folder_files WHERE problem != '' AND NOT vanished ORDER BY folder, path"
        )
        found = []
        for identity, path, watched, removes, done, counts, files, vanished in rows:
            flags = bool(watched), bool(removes), bool(done)
            problems = tuple(problem for folder, problem in failures if folder == identity)
            now = self._now.get(identity, _Now())
            state = now.problem, now.taken, now.wanted
            found.append(FolderInfo(identity, path, *flags, files, vanished, problems, json.loads(counts), *state))
        return found

    def look(self, should_yield: Callable[[], bool] = lambda: False) -> bool:
        """Look once through all folders that are watched, or not done yet. True when some files were left for later
        because they may be half written. Before each file it waits while `should_yield` is true."""
        pending = False
        with self.working:
            for folder in self.folders():
                if self.stopping.is_set() or self._halted():
                    break
                if not folder.watched and folder.done:
                    continue
                now = self._now.setdefault(folder.id, _Now())
                try:
                    pending |= self._look_at(folder, now, should_yield)
                    now.problem = ""
                except DocumentError as error:
                    now.problem = f"{error.reason} {error.advice}".strip()
                except LocalSpecError as error:
                    now.problem = str(error)
                    _logger.warning("%s: %s", folder.path, error)
                finally:
                    now.taken = now.wanted = 0
        return pending

    def _change(self, statement: str, *values: int) -> None:
        self._database.change(statement, values)
        self.wake()

    def _turn(self, should_yield: Callable[[], bool]) -> float | None:
        """Look once; the seconds until the next time, or None until there is a folder to look at."""
        try:
            if self._halted() or not any(folder.watched or not folder.done for folder in self.folders()):
                return None
            return _SOON_SECONDS if self.look(should_yield) else POLL_SECONDS
        except LocalSpecError as error:  # a thread has no caller; whoever shows the folders meets it, too
            _logger.warning("Folders were not looked at: %s", error)
            return POLL_SECONDS

    def _look_at(self, folder: FolderInfo, now: _Now, should_yield: Callable[[], bool]) -> bool:
        """Look through one folder; True when some files were left for the next time."""
        root = Path(folder.path)
        found = contents(root, excluded=self._excluded, should_stop=self.stopping.is_set)
        if self.stopping.is_set():
            return False
        known = self._files(folder.id)
        if found.is_empty and any(not row.vanished for row in known.values()):
            # Where a disk is not connected there often is an empty folder.
            raise DocumentError(root, f"The folder {root} is empty now: nothing is removed.", "Is its disk connected?")
        changed = [file for file in found.files if not _is_same(known.get(file.inside), file)]
        settled = [file for file in changed if self._is_settled(now, file)]
        now.wanted = len(settled)
        pending = len(settled) < len(changed)
        for part in _parts(settled):
            if not self.may_go_on(should_yield) or self._halted():
                return False
            with self._database.write() if len(part) > 1 else nullcontext():
                pending |= not self._take(folder, part, known, now)
        with self._database.write():
            self._table.drop(self._conclude(folder, found, done=not pending))
        return pending

    def _is_settled(self, now: _Now, file: FoundFile) -> bool:
        state = file.size, file.modified
        if abs(time.time_ns() - file.modified) >= SETTLED_NANOSECONDS or now.seen.get(file.inside) == state:
            now.seen.pop(file.inside, None)
            return True
        now.seen[file.inside] = state
        return False

    def _take(self, folder: FolderInfo, files: list[FoundFile], known: dict[str, _FileRow], now: _Now) -> bool:
        """Add the documents of some files, and remove those in whose places they come, all together; False when one of
        the files changed meanwhile."""
        settled = True
        replaced: list[tuple[FoundFile, int]] = []
        for file in files:
            row = known.get(file.inside)
            before = row.document if row is not None else None
            document, problem = self._add(folder, file, before)
            if before is not None and before != document:
                replaced.append((file, before))
            with self._database.write() as database:
                # Unless the folder was taken off the list meanwhile. Where the file changed since it was found, the
                # next look sees that by these figures.
                database.execute(
                    "INSERT OR REPLACE INTO folder_files (folder, path, size, modified, document, problem)"
                    " SELECT id, ?, ?, ?, (SELECT id FROM documents WHERE id = ?), ? FROM folders WHERE id = ?",
                    [file.inside, file.size, file.modified, document, problem, folder.id],
                )
                if file is files[-1]:
                    self._drop_replaced(database, folder, replaced)
            settled &= _is_unchanged(file)
            now.taken += 1
        return settled

    def _add(self, folder: FolderInfo, file: FoundFile, before: int | None) -> tuple[int | None, str]:
        """Add a file's document. The one that it has now, which is that of `before` where it could not be taken, and
        why it could not."""
        name = str(PurePosixPath(Path(folder.path).name, file.inside))
        try:
            return self._table.add(file.path, name=name, keeps_source=True).id, ""
        except DocumentError as error:
            return before, str(error)  # what was there of it stays

    def _drop_replaced(self, database: Database, folder: FolderInfo, replaced: list[tuple[FoundFile, int]]) -> None:
        """Inside a transaction: remove the documents that these files had before. Asked when all of the files are
        taken, for one may have the content now that another had."""
        alone = []
        for file, document in replaced:
            if self._is_shared(database, folder.id, Path(folder.path), file.inside, document):
                self._table.leave(database, document, file.path)
            else:
                alone.append(document)
        self._table.drop(alone)

    def _is_shared(
        self, connection: Database | sqlite3.Connection, folder: int, root: Path, path: str, document: int
    ) -> bool:
        """Whether another file that is there has the same content, and so the same document."""
        row = connection.execute(
            "SELECT 1 FROM folder_files WHERE document = ? AND NOT vanished AND NOT (folder = ? AND path = ?) LIMIT 1",
            [document, folder, path],
        ).fetchone()
        return row is not None or self._table.is_elsewhere(document, root / path)

    def _files(self, folder: int) -> dict[str, _FileRow]:
        """What is known of a folder's files, by their way from the folder on."""
        query = "SELECT path, size, modified, document, vanished FROM folder_files WHERE folder = ?"
        return {path: _FileRow(*known) for path, *known in self._database.rows(query, [folder])}

    def _conclude(self, folder: FolderInfo, found: FolderContents, *, done: bool) -> list[int]:
        """Note what is gone, what is back, and what was left out; nothing where all is as it was. The documents that go
        with their files, for the caller to remove in the same transaction."""
        known, there = self._files(folder.id), {file.inside for file in found.files}
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
                root = Path(folder.path)
                if document is not None and self._is_shared(database, folder.id, root, path, document):
                    self._table.leave(database, document, root / path)
                elif document is not None:
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


def _is_unchanged(file: FoundFile) -> bool:
    """Whether a file is as it was found."""
    try:
        status = file.path.stat()
    except OSError:
        return False  # gone meanwhile: the next look tells
    return (status.st_size, status.st_mtime_ns) == (file.size, file.modified)


def _is_same(row: _FileRow | None, file: FoundFile) -> bool:
    return row is not None and (row.size, row.modified) == (file.size, file.modified)


def _gone(known: dict[str, _FileRow], there: Collection[str], unreadable: Collection[str]) -> list[str]:
    """Known files that are not there; of those that cannot be seen now, nothing is known."""
    inside = tuple(f"{path}/" for path in unreadable)
    return [path for path in known if path not in there and path not in unreadable and not path.startswith(inside)]


def _parts(files: list[FoundFile]) -> Iterator[list[FoundFile]]:
    """Files that are taken together: some small ones, or one that is not."""
    part: list[FoundFile] = []
    for file in files:
        if part and (len(part) == _TAKEN_AT_ONCE or max(part[0].size, file.size) > _SMALL_BYTES):
            yield part
            part = []
        part.append(file)
    if part:
        yield part
