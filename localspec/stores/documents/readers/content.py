"""What readers are given and what they give back: limits, and blocks with their places or why there are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from localspec.stores.documents.blocks import Block, BlockKind, Table

TITLE_CHARACTERS = 200
EMPTY_TITLES = {"untitled", "powerpoint presentation", "slide 1", "presentation", "document", "word document"}
"""Titles, in lower case, that a program wrote and nobody chose."""

Untyped: TypeAlias = Any
"""An object of a library that comes without types."""


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What one document may cost. Sizes in bytes unless named otherwise."""

    file_bytes: int = 200 * 1024**2
    text_bytes: int = 50 * 1024**2  # size limit of files that are read as text or HTML
    characters: int = 50_000_000  # characters of text that one document may yield
    seconds: float = 120.0  # wall-clock time of the parsing process
    ocr_seconds: float = 600.0  # more of it for text recognition: pages that are not reached are told by number
    memory_bytes: int = 2 * 1024**3  # address space of the parsing process, where the system can limit it
    archive_bytes: int = 512 * 1024**2  # unpacked size of an office file or e-book
    archive_members: int = 10_000
    archive_ratio: int = 100  # unpacked to packed size of a large archive member above which it counts as a bomb
    cells: int = 1_000_000  # filled spreadsheet cells that are read; further cells are left out with a warning


class Content(NamedTuple):
    """What a reader found; becomes a `ParsedDocument`."""

    title: str
    kind: str
    blocks: list[Block]
    pages: int | None = None
    warnings: tuple[str, ...] = ()


ReadFile: TypeAlias = Callable[[str, Path, ParseLimits], Content]
"""Reads a file of a kind. Raises UnreadableError, and anything else for a damaged file."""


class UnreadableError(Exception):
    """The document cannot be read: `reason` in plain words, `advice` what to do next."""

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice


class BlockWriter:
    """Gathers blocks with their places. Raises UnreadableError past the character limit."""

    def __init__(self, limits: ParseLimits) -> None:
        self.blocks: list[Block] = []
        self.page: int | None = None
        self.section = ""
        self.label = ""
        self._left = limits.characters
        self._limit = limits.characters

    def add(self, text: str, kind: BlockKind = "paragraph", level: int = 0) -> None:
        """Add a clean text, if not empty."""
        text = text.strip("\n").rstrip()
        if text.strip():
            self._append(Block(text, self.page, self.section, kind, level, self.label))

    def add_code_line(self, text: str) -> None:
        """Add a line of code to the block of code before it, or begin one."""
        last = self.blocks[-1] if self.blocks else None
        if last is None or (last.kind, last.page, last.section) != ("code", self.page, self.section):
            self.add(text, "code")
        elif text.strip():
            self.blocks.pop()
            self._left += len(last.text)
            self.add(f"{last.text}\n{text}", "code")

    def add_table(self, table: Table) -> None:
        """Add a table, if any of its cells is filled."""
        if any(map(any, table.rows)):
            text = "\n".join(table.lines())
            self._append(Block(text, self.page, self.section, "table", 0, self.label, table))

    def add_chart(self, table: Table) -> None:
        """Add a chart as the table of its categories and series, its title before them."""
        lines = [f"Chart: {table.title}" if table.title else "Chart", *table.lines()]
        self._append(Block("\n".join(lines), self.page, self.section, "chart", 0, self.label, table))

    def turn(self, *, page: int | None = None, section: str = "", label: str = "") -> None:
        """What follows stands on `page`, whose printed number is `label`, under `section`."""
        self.page, self.section, self.label = page, section[:TITLE_CHARACTERS], label

    def _append(self, block: Block) -> None:
        self._left -= len(block.text)
        if self._left < 0:
            raise too_much_text(self._limit)
        self.blocks.append(block)


def too_much_text(limit: int) -> UnreadableError:
    """The error for a document with more than `limit` characters."""
    return UnreadableError(f"holds more than {limit:,} characters of text.", "Split it into smaller documents.")
