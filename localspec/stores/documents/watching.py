"""Takes in the documents of folders, once or for as long as they are watched for what is new, changed or gone.

Nothing tells of changes: the folders are looked through every half minute, by size and time of their files. What was
done with a file is committed behind its document, so that a kill repeats at most one file.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from localspec.errors import DocumentError, LocalSpecError
from localspec.stores.background import BackgroundWorker
from localspec.stores.database import StoreDatabase
from localspec.stores.documents.document_table import DocumentTable
from localspec.stores.documents.folder_rows import FileRow, FolderInfo, FolderRows
from localspec.stores.documents.folders import FoundFile, contents

__all__ = ["FolderInfo", "Watching"]

_logger = logging.getLogger(__name__)

POLL_SECONDS = 30.0
SETTLED_NANOSECONDS = 2 * 10**9
"""A file that changed so lately may be half written: it is taken when it is older, or the same at the next look."""
_SOON_SECONDS = 2.0


@dataclass(slots=True)
class _Now:
    """What is known of a folder while this process runs."""

    problem: str = ""
    taken: int = 0
    wanted: int = 0
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Size and time of files that may still be being written"""


class Watching:
    """The folders of a library, and the thread that looks at them. Any thread may call any method.

    Methods raise StoreError when the database cannot be read or written.
    """

    def __init__(
        self,
        database: StoreDatabase,
        table: DocumentTable,
        *,
        excluded: Collection[Path] = (),
        halted: Callable[[], bool] = lambda: False,
    ) -> None:
        """Folders `excluded` are never looked into: LocalSpec's own. While `halted`, nothing is looked at."""
        self._database = database
        self._table = table
        self._excluded = tuple(excluded)
        self._rows = FolderRows(database, excluded)
        self._halted = halted
        self._worker = BackgroundWorker("watching", self._turn)
        self._now: dict[int, _Now] = {}

    def add(self, folder: Path, *, watched: bool = False, removes: bool = False) -> int:
        """Take in the documents of a folder, once or as long as it is `watched`; its id. One that is known is looked
        through again. Raises DocumentError when it is not there, or lies where LocalSpec keeps its own files."""
        identity = self._rows.add(folder, watched=watched, removes=removes)
        self.wake()
        return identity

    def watch(self, folder: int, on: bool) -> None:
        """Watch a folder, or no more; its documents stay."""
        self._rows.watch(folder, on)
        self.wake()

    def again(self, folder: int) -> None:
        """Look through a folder soon, once more."""
        self._rows.again(folder)
        self.wake()

    def set_removes(self, folder: int, on: bool) -> None:
        """Remove documents when their files are gone, or tell of it."""
        self._rows.set_removes(folder, on)
        self.wake()

    def forget(self, folder: int) -> None:
        """Take a folder off the list; its documents stay."""
        self._rows.forget(folder)
        self._now.pop(folder, None)

    def settle_vanished(self, folder: int, *, remove: bool) -> None:
        """Remove the documents whose files are gone, or keep them and tell of them no more."""
        with self._database.write():
            alone = self._rows.settle_vanished(folder)
            if remove:
                self._table.remove(*alone)

    def folders(self) -> list[FolderInfo]:
        """All folders, in the order in which they were added."""
        found = []
        for folder in self._rows.all():
            now = self._now.get(folder.id, _Now())
            found.append(replace(folder, problem=now.problem, taken=now.taken, wanted=now.wanted))
        return found

    def look(self, should_yield: Callable[[], bool] = lambda: False) -> bool:
        """Look once through all folders that are watched, or not done yet. True when some files were left for later
        because they may be half written.

        Before each file it waits while `should_yield` is true.
        """
        pending = False
        with self._worker.working:
            for folder in self._rows.all():
                if self._worker.stopping.is_set() or self._halted():
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

    def start(self, should_yield: Callable[[], bool]) -> None:
        """Start the thread that looks, at once and then every half minute."""
        self._worker.start(should_yield)

    def wake(self) -> None:
        """Look soon."""
        self._worker.wake()

    def stop(self) -> None:
        """End the thread, and a `look` in any other, after the file at hand."""
        self._worker.stop()

    def _turn(self, should_yield: Callable[[], bool]) -> float | None:
        """Look once; the seconds until the next time, or None until there is a folder to look at."""
        try:
            if self._halted() or not any(folder.watched or not folder.done for folder in self._rows.all()):
                return None
            return _SOON_SECONDS if self.look(should_yield) else POLL_SECONDS
        except LocalSpecError as error:  # a thread has no caller; whoever shows the folders meets it, too
            _logger.warning("Folders were not looked at: %s", error)
            return POLL_SECONDS

    def _look_at(self, folder: FolderInfo, now: _Now, should_yield: Callable[[], bool]) -> bool:
        """Look through one folder; True when some files were left for the next time."""
        root = Path(folder.path)
        found = contents(root, excluded=self._excluded, should_stop=self._worker.stopping.is_set)
        if self._worker.stopping.is_set():
            return False
        known = self._rows.files(folder.id)
        if found.is_empty and any(not row.vanished for row in known.values()):
            # Where a disk is not connected there often is an empty folder.
            raise DocumentError(root, f"The folder {root} is empty now: nothing is removed.", "Is its disk connected?")
        changed = [file for file in found.files if not _is_same(known.get(file.inside), file)]
        settled = [file for file in changed if self._is_settled(now, file)]
        now.wanted = len(settled)
        pending = len(settled) < len(changed)
        for file in settled:
            if not self._worker.may_go_on(should_yield) or self._halted():
                return False
            pending |= not self._take(folder, file, known.get(file.inside))
            now.taken += 1
        with self._database.write():
            self._table.remove(*self._rows.conclude(folder, found, done=not pending))
        return pending

    def _is_settled(self, now: _Now, file: FoundFile) -> bool:
        state = file.size, file.modified
        if abs(time.time_ns() - file.modified) >= SETTLED_NANOSECONDS or now.seen.get(file.inside) == state:
            now.seen.pop(file.inside, None)
            return True
        now.seen[file.inside] = state
        return False

    def _take(self, folder: FolderInfo, file: FoundFile, row: FileRow | None) -> bool:
        """Add or replace a file's document; False when the file changed meanwhile."""
        name = str(PurePosixPath(Path(folder.path).name, file.inside))
        document = row.document if row is not None else None
        problem = ""
        try:
            if document is not None and not self._rows.is_shared(folder.id, file.inside, document):
                document = self._table.replace(document, file.path, name=name).id
            else:
                document = self._table.add(file.path, name=name, keeps_source=True).id
        except DocumentError as error:
            problem = str(error)  # what was there of it stays
        try:
            status = file.path.stat()
        except OSError:
            return False  # gone meanwhile: the next look tells
        if (status.st_size, status.st_mtime_ns) != (file.size, file.modified):
            return False
        self._rows.enter(folder.id, file, document, problem)
        return True


def _is_same(row: FileRow | None, file: FoundFile) -> bool:
    return row is not None and (row.size, row.modified) == (file.size, file.modified)
