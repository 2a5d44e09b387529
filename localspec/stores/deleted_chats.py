"""Chats and folders that were deleted, and can be taken back for a month. Nothing of them changes meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal

from localspec.errors import StoreError
from localspec.stores.chat_folders import Changing, find_folder, merge
from localspec.stores.database import StoreDatabase
from localspec.stores.stored_turns import utc_now

KEPT_DAYS = 30
"""What was deleted can be taken back for so long."""
Kind = Literal["chat", "folder"]
_TABLES: dict[Kind, str] = {"chat": "conversations", "folder": "folders"}


@dataclass(frozen=True, slots=True)
class DeletedItem:
    """A chat or a folder that can be taken back."""

    kind: Kind
    id: int
    title: str
    deleted: str  # ISO 8601, UTC


class DeletedChats:
    """What was deleted of `Conversations`. Its methods raise as those do."""

    def __init__(self, database: StoreDatabase, changing: Changing) -> None:
        self._database = database
        self._changing = changing

    def newest(self, limit: int = -1) -> list[DeletedItem]:
        """What can be taken back, deleted last first; at most `limit` unless that is negative."""
        rows = self._database.rows(
            "SELECT 'chat', id, title, deleted AS at FROM conversations WHERE deleted > ?1"
            " UNION ALL SELECT 'folder', id, name, deleted FROM folders WHERE deleted > ?1"
            " ORDER BY at DESC, 1, 2 DESC LIMIT ?2",
            [_oldest(), limit],
        )
        return [DeletedItem(*row) for row in rows]

    def put(self, kind: Kind, number: int) -> None:
        """Delete it, so that it can be taken back. The chats of a folder stay, and are in none."""
        with self._changing() as database:
            database.execute(
                f"UPDATE {_TABLES[kind]} SET deleted = ? WHERE id = ? AND deleted IS NULL", [utc_now(), number]
            )

    def restore(self, kind: Kind, number: int) -> None:
        """Take it back, as it was. Chats of a folder return to it; where there is another one of its name by now, into
        that one. Raises StoreError when it was deleted for good meanwhile."""
        with self._changing() as database:
            column = "name" if kind == "folder" else "title"
            row = database.execute(f"SELECT {column} FROM {_TABLES[kind]} WHERE id = ?", [number]).fetchone()
            if row is None:
                raise StoreError("It was permanently deleted.", "Import it, if it was exported before.")
            other = find_folder(database, row[0]) if kind == "folder" else 0
            if other and other != number:
                merge(database, number, other)
            else:
                database.execute(f"UPDATE {_TABLES[kind]} SET deleted = NULL WHERE id = ?", [number])

    def purge(self, kind: Kind, number: int) -> None:
        """Delete it for good, if it was deleted before."""
        with self._changing() as database:
            gone = database.execute(
                f"DELETE FROM {_TABLES[kind]} WHERE id = ? AND deleted IS NOT NULL", [number]
            ).rowcount
            if gone and kind == "folder":
                database.execute("UPDATE conversations SET folder = 0 WHERE folder = ?", [number])

    def purge_old(self) -> int:
        """Delete for good what was deleted `KEPT_DAYS` ago; returns how many chats and folders."""
        old: list[tuple[Kind, int]] = self._database.rows(
            "SELECT 'chat', id FROM conversations WHERE deleted <= ?1"
            " UNION ALL SELECT 'folder', id FROM folders WHERE deleted <= ?1",
            [_oldest()],
        )
        if old:
            with self._changing():
                for kind, number in old:
                    self.purge(kind, number)
        return len(old)


def _oldest() -> str:
    """What was deleted before this moment is gone."""
    return (datetime.now(timezone.utc) - timedelta(days=KEPT_DAYS)).isoformat(timespec="milliseconds")
