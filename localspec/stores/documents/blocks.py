"""The model of a document: blocks in reading order, each with its kind and place, and tables with their cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

BlockKind: TypeAlias = Literal[
    "heading",
    "paragraph",
    "list item",  # its number or bullet is part of its text
    "table",
    "code",
    "note",  # footnote, comment, annotation, a speaker's notes
    "running",  # header or footer, which stands in a document once
    "field",  # of a form: "label: value"
    "caption",
    "chart",
]
_ONE_LINE_EACH = frozenset({"list item", "field"})
CELL_SEPARATOR = " | "
SECTION_SEPARATOR = " › "
"""Between the names of a section and of the parts around it: "Part One › Dawn"."""


class Span(NamedTuple):
    """A cell over several rows or columns; its text stands in each place that it covers."""

    row: int  # 0-based place of its upper left corner
    column: int
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class Table:
    """Texts of cells, [rows][columns], every row as long as the longest. An empty cell is an empty text."""

    rows: tuple[tuple[str, ...], ...]
    header_rows: int = 0  # the first so many rows name the columns
    title: str = ""
    spans: tuple[Span, ...] = ()

    @classmethod
    def of(
        cls, rows: Iterable[Sequence[str]], *, header_rows: int = 0, title: str = "", spans: Iterable[Span] = ()
    ) -> Table:
        """A table of rows that may end early: what is missing is empty. Texts become one line each."""
        cells = [tuple(" ".join(text.split()) for text in row) for row in rows]
        width = max(map(len, cells), default=0)
        padded = tuple(row + ("",) * (width - len(row)) for row in cells)
        return cls(padded, min(header_rows, len(padded)), " ".join(title.split()), tuple(spans))

    def lines(self) -> list[str]:
        """One line per row, header rows first."""
        return [CELL_SEPARATOR.join(row) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list item, table or the like, with its place."""

    text: str  # of a table, its title and lines
    page: int | None  # 1-based page (PDF) or slide (PPTX); None where the format has none
    section: str  # nearest heading, sheet name or chapter title; empty if none
    kind: BlockKind = "paragraph"
    level: int = 0  # of a heading from 1; of a list item from 0
    label: str = ""  # what is printed as the page's number, where that is not `page`
    table: Table | None = field(default=None, repr=False)


def joined(blocks: Iterable[Block]) -> str:
    """Their text: items of a list and fields of a form stand on lines of their own, all others behind empty lines. The
    title of a table stands above it where the block before does not say it."""
    parts: list[str] = []
    before: Block | None = None
    for block in blocks:
        if before is not None:
            tight = block.kind in _ONE_LINE_EACH and before.kind == block.kind
            parts.append("\n" if tight else "\n\n")
        title = block.table.title if block.table is not None else ""
        if title and title not in block.text and (before is None or title not in " ".join(before.text.split())):
            parts.append(f"{title}\n")
        parts.append(block.text)
        before = block
    return "".join(parts)


def to_row(block: Block) -> list[object]:
    """As JSON values, for `from_row`."""
    table = block.table
    cells = None if table is None else [table.rows, table.header_rows, table.title, table.spans]
    return [block.text, block.page, block.section, block.kind, block.level, block.label, cells]


def from_row(row: Sequence[Any]) -> Block:
    """The block that `to_row` gave."""
    text, page, section, kind, level, label, cells = row
    table = None
    if cells is not None:
        rows, header_rows, title, spans = cells
        table = Table(tuple(map(tuple, rows)), header_rows, title, tuple(Span(*span) for span in spans))
    return Block(text, page, section, kind, level, label, table)
