"""Folders that chats lie in, each chat in one at most.

A folder that is deleted keeps its row, and its chats still name it, until it is purged: taken back, it holds them
again. Meanwhile they are in no folder.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlite_utils import Database

from localspec.errors import StoreError
from localspec.stores.database import Migration, StoreDatabase
from localspec.stores.stored_turns import writable

FOLDER_CHARACTERS = 60
"""of a folder's name"""

Changing = Callable[[], AbstractContextManager[Database]]
"""Begins a transaction after which lists of chats are other than before."""

CHAT_FOLDER_MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        "conversations-5-folders",
        """
        CREATE TABLE folders (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            collapsed INTEGER NOT NULL DEFAULT 0,
            deleted TEXT                           -- when; NULL where it is not
        );
        ALTER TABLE conversations ADD COLUMN deleted TEXT;  -- when; NULL where it is not
        ALTER TABLE conversations ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE conversations ADD COLUMN folder INTEGER NOT NULL DEFAULT 0;  -- 0 for none
        """,
    ),
)


@dataclass(frozen=True, slots=True)
class ChatFolder:
    """A folder of chats as a list shows it."""

    id: int
    name: str
    collapsed: bool = False


class ChatFolders:
    """The folders of `Conversations`. Its methods raise as those do."""

    def __init__(self, database: StoreDatabase, changing: Changing) -> None:
        self._database = database
        self._changing = changing

    def all(self) -> list[ChatFolder]:
        """Every folder, by name."""
        rows = self._database.rows("SELECT id, name, collapsed FROM folders WHERE deleted IS NULL")
        found = [ChatFolder(number, name, bool(collapsed)) for number, name, collapsed in rows]
        return sorted(found, key=lambda folder: (folder.name.casefold(), folder.name))

    def move(self, conversation: int, folder: int) -> None:
        """Put a chat into a folder, 0 for none. Raises StoreError where either is not there any more."""
        with self._changing() as database:
            if folder and not _is_there(database, folder):
                raise _no_folder()
            _move(database, conversation, folder)

    def move_to(self, conversation: int, name: str) -> None:
        """Put a chat into the folder of this name, which is made where there is none; an empty name changes nothing."""
        clean = folder_name(name)
        if clean:
            with self._changing() as database:
                _move(database, conversation, folder_of(database, clean))

    def rename(self, folder: int, name: str) -> None:
        """Give a folder another name; an empty one changes nothing. Folders of one name become one."""
        clean = folder_name(name)
        if clean:
            with self._changing() as database:
                if not _is_there(database, folder):
                    raise _no_folder()
                other = find_folder(database, clean)
                if other and other != folder:
                    merge(database, folder, other)
                else:
                    database.execute("UPDATE folders SET name = ? WHERE id = ?", [clean, folder])

    def collapse(self, folder: int, collapsed: bool) -> None:
        """Show its name only, or its chats, too."""
        with self._changing() as database:
            database.execute("UPDATE folders SET collapsed = ? WHERE id = ?", [int(collapsed), folder])


def folder_name(text: str) -> str:
    """`text` as a folder's name: one line of at most `FOLDER_CHARACTERS` characters."""
    return " ".join(writable(text).replace("\0", " ").split())[:FOLDER_CHARACTERS].rstrip()


def folder_of(database: Database, name: str) -> int:
    """The id of the folder of this name, which is made where there is none."""
    found = find_folder(database, name)
    if found:
        return found
    made = database.execute("INSERT INTO folders (name) VALUES (?)", [name]).lastrowid
    assert made is not None
    return made


def merge(database: Database, folder: int, other: int) -> None:
    """Put all chats of a folder, deleted ones included, into the `other` one, and remove it."""
    database.execute("UPDATE conversations SET folder = ? WHERE folder = ?", [other, folder])
    database.execute("DELETE FROM folders WHERE id = ?", [folder])


def find_folder(database: Database, name: str) -> int:
    """The id of the folder of this name, small and capital letters alike; 0 where there is none."""
    wanted = name.casefold()
    rows = database.execute("SELECT id, name FROM folders WHERE deleted IS NULL ORDER BY id").fetchall()
    return next((number for number, known in rows if known.casefold() == wanted), 0)


def _move(database: Database, conversation: int, folder: int) -> None:
    if not database.execute("UPDATE conversations SET folder = ? WHERE id = ?", [folder, conversation]).rowcount:
        raise StoreError("This chat no longer exists.", "Start a new one.")


def _is_there(database: Database, folder: int) -> bool:
    return bool(database.execute("SELECT 1 FROM folders WHERE id = ? AND deleted IS NULL", [folder]).fetchone())


def _no_folder() -> StoreError:
    return StoreError("This folder no longer exists.", "Choose another one.")
