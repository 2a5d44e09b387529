"""What a tab shows of the lists of chats and documents."""

from __future__ import annotations

from dataclasses import dataclass

CHATS_LISTED = 100
"""Chats are shown so many at a time."""
DELETED_LISTED = 10
"""The same of what was deleted"""
DOCUMENTS_LISTED = 200
"""The same of documents"""


@dataclass(slots=True)
class ListState:
    """What a tab shows of the list of chats."""

    query: str = ""
    limit: int = CHATS_LISTED
    deleted_limit: int = DELETED_LISTED
    renaming: int = 0  # id of the chat whose title is being changed; 0 for none
    filing: int = 0  # id of the chat whose folder is being chosen; 0 for none
    renaming_folder: int = 0  # id of the folder whose name is being changed; 0 for none
    deleted: tuple[str, int] = ("", 0)
    """kind ("chat" or "folder") and id of what this tab deleted last, until that is taken back or waved away"""

    @property
    def is_typing(self) -> bool:
        """True while the person may be typing inside the list."""
        return bool(self.renaming or self.filing or self.renaming_folder)

    def settle(self) -> None:
        """Nothing is being typed there."""
        self.renaming = self.filing = self.renaming_folder = 0


@dataclass(slots=True)
class DocumentListState:
    """What a tab shows of a library's documents."""

    query: str = ""
    limit: int = DOCUMENTS_LISTED
