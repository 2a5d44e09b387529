"""Opens a SQLite database the way every store of the application does it, and maps its errors.

One connection writes, under a lock; each further thread reads through a connection of its own. WAL keeps readers
and the writer apart. SQLite before 3.51.3 has a rare WAL-reset corruption when several connections checkpoint, so
only the writer's connection checkpoints.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from sqlite_utils import Database

from localspec.errors import DamagedStoreError, DiskFullError, LibraryInUseError, StoreError

BUSY_MILLISECONDS = 10_000
_CHECKED_BYTES = 256 * 1024**2
"""A larger file is checked only where its last user did not close it: reading all of it takes some seconds a gigabyte.
What is damaged in it is told when it is met."""
_INCREMENTAL = 2  # SQLite's number for that kind of vacuum
_IF_DAMAGED = "Move the folder aside and index its documents again; nothing else uses it."
_IF_NEWER = "Update LocalSpec, or choose another library."


Values: TypeAlias = Sequence[Any] | dict[str, Any]
"""What stands for the question marks or names of a statement."""


class Migration(NamedTuple):
    """One step of a schema. `name` is recorded for good and never reused: `<store>-<number>-<what>`."""

    name: str
    script: str  # SQL statements, each of which ends with a semicolon at the end of a line
    fill: Callable[[Database], None] | None = None  # what SQL cannot say; behind the script, in the same transaction

    def apply(self, database: Database) -> None:
        """Take the step inside the transaction that is open, which sqlite3's own `executescript` would commit."""
        statement = ""
        for line in self.script.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                database.execute(statement)
                statement = ""
        if self.fill is not None:
            self.fill(database)


class StoreDatabase:
    """A SQLite file with one writer and a read-only connection per further thread. Raises DamagedStoreError when the
    file is no database or corrupt, StoreError when a newer version wrote it."""

    def __init__(
        self, path: Path, migrations: Sequence[Migration], *, if_damaged: str = _IF_DAMAGED, if_newer: str = _IF_NEWER
    ) -> None:
        """`if_damaged` and `if_newer` tell the person what to do then; by default, of a library's database."""
        self.path = path
        self._if_damaged = if_damaged
        self._if_newer = if_newer
        self._lock = threading.RLock()
        self._local = threading.local()
        # A lock of its own: a thread's first read must not wait for the writer's transaction to end.
        self._readers_lock = threading.Lock()
        self._readers: list[sqlite3.Connection] = []
        self._is_closed = False
        self._writing: int | None = None  # the thread whose transaction is open
        self._after_commit: list[Callable[[], None]] = []
        self.commits = 0
        """Transactions so far: what was read at the same number is still true."""
        with mapped_errors(path, if_damaged):
            path.parent.mkdir(parents=True, exist_ok=True)
            is_checked = not path.exists() or path.stat().st_size <= _CHECKED_BYTES or self._log.exists()
            self._connection = self._connect(read_only=False)
            try:
                self._writer = Database(self._connection)
                if is_checked:
                    self._check()
                self._migrate(migrations)
            except BaseException:
                self._connection.close()
                raise

    def _connect(self, *, read_only: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, check_same_thread=False, isolation_level=None, timeout=BUSY_MILLISECONDS / 1000
        )
        try:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
            connection.execute("PRAGMA foreign_keys = ON")
            if read_only:
                connection.execute("PRAGMA query_only = ON")
                connection.execute("PRAGMA wal_autocheckpoint = 0")
            else:
                # Setting it writes to the file, which may be one to be left as it is.
                if connection.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
                    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                # Removed rows are overwritten on pages that stay in use; whole free pages go with `reclaim`.
                connection.execute("PRAGMA secure_delete = FAST")
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self) -> None:
        verdict = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            verdict = " ".join(verdict.split())
            raise DamagedStoreError(f"The database {self.path} is damaged ({verdict}).", self._if_damaged)

    def _migrate(self, migrations: Sequence[Migration]) -> None:
        with self.write() as database:
            database.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY) WITHOUT ROWID")
            done = {row[0] for row in database.execute("SELECT name FROM migrations")}
            unknown = done - {migration.name for migration in migrations}
            if unknown:
                raise StoreError(
                    f"{self.path} was written by a newer version of LocalSpec ({', '.join(sorted(unknown))}).",
                    self._if_newer,
                )
            for migration in migrations:
                if migration.name not in done:
                    migration.apply(database)
                    database.execute("INSERT INTO migrations (name) VALUES (?)", [migration.name])

    @contextmanager
    def write(self) -> Iterator[Database]:
        """One transaction on the writer's connection: all of it is committed, or none of it. Nests: an inner block that
        fails is undone alone, so that the outer one may catch the error and go on."""
        with self._lock, mapped_errors(self.path, self._if_damaged):
            nested = self._connection.in_transaction
            actions_before = len(self._after_commit)
            self._connection.execute("SAVEPOINT nested" if nested else "BEGIN IMMEDIATE")
            self._writing = threading.get_ident()
            try:
                yield self._writer
                self._connection.execute("RELEASE nested" if nested else "COMMIT")
            except BaseException:
                del self._after_commit[actions_before:]
                # SQLite itself rolls back on a full disk; then there is nothing left to undo.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK TO nested" if nested else "ROLLBACK")
                    if nested:
                        self._connection.execute("RELEASE nested")
                raise
            finally:
                if not nested:
                    self._writing = None
            if not nested:
                self.commits += 1
                actions, self._after_commit = self._after_commit, []
                # Last what may fail where the disk is full: it must not keep the others from running.
                for action in sorted(actions, key=lambda action: action == self.reclaim):
                    action()

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` once the transaction of the enclosing `write()` is on disk; never if it is rolled back. It runs
        before another writer may start, so actions come in the order of the commits. It must not raise. The same method
        of an object runs once, however often it is asked for."""
        with self._lock:
            if action not in self._after_commit:
                self._after_commit.append(action)

    @contextmanager
    def read(self, *, so_far: bool = False) -> Iterator[sqlite3.Connection]:
        """A read-only connection of the calling thread; it sees the last committed state. Inside `write()`, with
        `so_far`, it is the writer's, which sees what was written so far and may be rolled back: not for caches."""
        with mapped_errors(self.path, self._if_damaged):
            if so_far and self._writing == threading.get_ident():
                yield self._connection
                return
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                with self._readers_lock:
                    if self._is_closed:  # a connection now would stay open, and keep the folder from being deleted
                        raise StoreError(f"{self.path} was closed meanwhile.")
                    connection = self._connect(read_only=True)
                    self._readers.append(connection)
                self._local.connection = connection
            yield connection

    def rows(self, query: str, values: Values = (), *, so_far: bool = False) -> list[Any]:
        """What a query gives, as `read` sees it."""
        with self.read(so_far=so_far) as connection:
            return connection.execute(query, values).fetchall()

    def row(self, query: str, values: Values = (), *, so_far: bool = False) -> Any:  # noqa: ANN401 - the query decides
        """The first row of what a query gives, or None."""
        with self.read(so_far=so_far) as connection:
            return connection.execute(query, values).fetchone()

    def change(self, statement: str, values: Values = ()) -> None:
        """One statement as a transaction; nests in an outer one."""
        with self.write() as database:
            database.execute(statement, values)

    def reclaim(self) -> None:
        """Give the space of deleted rows back to the disk and empty the write-ahead log. Inside `write()` it happens
        after the commit."""
        with self._lock, mapped_errors(self.path, self._if_damaged):
            if self._connection.in_transaction:
                self.after_commit(self.reclaim)
                return
            # `execute` takes one step of a statement without columns, which would free a single page.
            self._connection.executescript("PRAGMA incremental_vacuum")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        return sum(file.stat().st_size for file in (self.path, self._log) if file.exists())

    @property
    def _log(self) -> Path:
        """The write-ahead log, which is there while the file is open, and after a kill."""
        return self.path.with_name(self.path.name + "-wal")

    def close(self) -> None:
        """Close every connection; the last checkpoint happens here."""
        with self._lock, self._readers_lock:
            self._is_closed = True
            for connection in self._readers:
                connection.close()
            self._readers.clear()
            self._local = threading.local()
            self._connection.close()


@contextmanager
def mapped_errors(path: Path, if_damaged: str = _IF_DAMAGED) -> Iterator[None]:
    """Turn SQLite's and the system's errors into the application's own, naming the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise _mapped(error, path, if_damaged) from error
    except OSError as error:
        raise disk_error(error, path) from error


def disk_error(error: OSError, path: Path) -> StoreError:
    """The application's error for a failed file operation (28 is ENOSPC, 122 EDQUOT, 27 EFBIG)."""
    if error.errno in (28, 122, 27):
        return DiskFullError(
            f"The disk is full: {path} could not be written.",
            "Free some space and try again; everything saved before is intact.",
        )
    return StoreError(f"{path} could not be read or written: {error.strerror or error}.")


def _mapped(error: sqlite3.Error, path: Path, if_damaged: str) -> StoreError:
    text = str(error)
    if "disk is full" in text or "disk I/O error" in text:
        return DiskFullError(
            f"The disk is full or failing: {path} could not be written ({text}).",
            "Free some space and try again; everything saved before is intact.",
        )
    if "locked" in text:
        return LibraryInUseError(
            f"{path} is locked by another program.", "Close the other LocalSpec window or program and try again."
        )
    if "malformed" in text or "not a database" in text:
        return DamagedStoreError(f"The database {path} is damaged ({text}).", if_damaged)
    return StoreError(f"{path}: {text}.")
