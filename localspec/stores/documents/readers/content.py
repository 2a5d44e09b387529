"""What readers are given and what they give back: limits, and blocks with their places or why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

TITLE_CHARACTERS = 200
EMPTY_TITLES = {"untitled", "powerpoint presentation", "slide 1", "presentation", "document", "word document"}
"""Titles, in lower case, that a program wrote and nobody chose."""

Untyped: TypeAlias = Any
"""An object of a library that comes without types."""


@dataclass(frozen=True, slots=True)
class Block:
    """A run of text with its place."""

    text: str
    page: int | None  # 1-based page (PDF) or slide (PPTX); None where the format has none
    section: str  # nearest heading, sheet name or chapter title; empty if none


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What one document may cost. Sizes in bytes unless named otherwise."""

    file_bytes: int = 200 * 1024**2
    text_bytes: int = 50 * 1024**2  # size limit of files that are read as text or HTML
    characters: int = 50_000_000  # characters of text that one document may yield
    seconds: float = 120.0  # wall-clock time of the parsing process
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


class UnreadableError(Exception):
    """The document cannot be read: `reason` in plain words, `advice` what to do next."""

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice


class BlockWriter:
    """Gathers paragraphs into one block per place. Raises UnreadableError past the character limit."""

    def __init__(self, limits: ParseLimits) -> None:
        self.blocks: list[Block] = []
        self.page: int | None = None
        self.section = ""
        self._paragraphs: list[str] = []
        self._run = ""
        self._left = limits.characters
        self._limit = limits.characters

    def add(self, paragraph: str, *, run: str = "") -> None:
        """Add one clean paragraph, if not empty; no empty line parts those of one `run` ('list', 'rows')."""
        paragraph = paragraph.strip("\n").rstrip()
        if not paragraph.strip():
            return
        self._left -= len(paragraph)
        if self._left < 0:
            raise too_much_text(self._limit)
        if self._paragraphs:
            self._paragraphs.append("\n" if run and run == self._run else "\n\n")
        self._run = run
        self._paragraphs.append(paragraph)

    def turn(self, *, page: int | None = None, section: str = "") -> None:
        """What follows stands on `page` under `section`."""
        self.finish()
        self.page, self.section = page, section[:TITLE_CHARACTERS]

    def finish(self) -> list[Block]:
        """All blocks so far."""
        if self._paragraphs:
            self.blocks.append(Block("".join(self._paragraphs), self.page, self.section))
            self._paragraphs = []
        return self.blocks


def too_much_text(limit: int) -> UnreadableError:
    """The error for a document with more than `limit` characters."""
    return UnreadableError(f"holds more than {limit:,} characters of text.", "Split it into smaller documents.")
