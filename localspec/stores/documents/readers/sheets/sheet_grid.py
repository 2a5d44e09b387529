"""Cells of a spreadsheet as its readers gather them, before they become tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from localspec.stores.documents.blocks import Span

MOST_COLUMNS = 16_384  # of a sheet in Excel, and in LibreOffice


class Area(NamedTuple):
    """A rectangle of cells, from 0 on, its last row and column included."""

    top: int
    left: int
    bottom: int
    right: int
    header_rows: int = 0  # of a table that is declared as one


@dataclass(slots=True)
class GridRow:
    """The cells of a row that holds any. Sets of columns are numbers with a bit for each column."""

    number: int  # from 0 on
    cells: list[str] = field(default_factory=list)  # from the first column on; what is missing behind is empty
    filled: int = 0  # columns with a text
    numeric: int = 0  # of these, numbers, dates, truth values and formulas
    dates: int = 0  # of these, dates and times
    bold: int = 0
    shaded: int = 0  # cells with a background
    covered: int = 0  # columns whose text stands in another cell, which covers them
    hidden: bool = False

    def put(self, column: int, text: str, *, numeric: bool = False, date: bool = False) -> int:
        """Set the text of a cell that is further right than all others; the cell's bit in sets of columns."""
        if len(self.cells) < column:
            self.cells.extend([""] * (column - len(self.cells)))
        self.cells.append(text)
        bit = 1 << column
        self.filled |= bit
        if numeric:
            self.numeric |= bit
        if date:
            self.dates |= bit
        return bit

    def text(self, column: int) -> str:
        """The text of a cell; empty where there is none."""
        return self.cells[column] if column < len(self.cells) else ""


class CellNote(NamedTuple):
    """A comment on a cell."""

    row: int
    column: int
    author: str
    text: str


@dataclass(slots=True)
class Grid:
    """A sheet: its rows from above, and what is known of their form."""

    name: str = ""
    hidden: bool = False
    rows: list[GridRow] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    declared: list[Area] = field(default_factory=list)
    header_ends: list[int] = field(
        default_factory=list
    )  # rows that end a header: filtered, frozen, printed on each page
    hidden_columns: set[int] = field(default_factory=set)
    narrow_columns: set[int] = field(default_factory=set)  # that only part others
    notes: list[CellNote] = field(default_factory=list)


def column_name(column: int) -> str:
    """'A' for 0, 'AA' for 26."""
    name = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


def cell_place(reference: str) -> tuple[int, int]:
    """Row and column from 0 on of 'B3' or '$B$3'. Raises ValueError."""
    column = 0
    reference = reference.replace("$", "")
    for index, letter in enumerate(reference):
        if not "A" <= letter <= "Z":
            return int(reference[index:]) - 1, column - 1
        column = column * 26 + ord(letter) - ord("A") + 1
    raise ValueError(f"{reference!r} names no cell")


def area(reference: str, header_rows: int = 0) -> Area:
    """The cells of 'B3:D9' or 'B3'. Raises ValueError."""
    first, _, last = reference.partition(":")
    top, left = cell_place(first)
    bottom, right = cell_place(last or first)
    return Area(min(top, bottom), min(left, right), max(top, bottom), max(left, right), header_rows)


def repeat_spans(grid: Grid, cells: int) -> None:
    """Put the text of each cell that covers others into their places, at most `cells` places; the spans are cut to the
    rows and columns that hold anything."""
    width = max((len(row.cells) for row in grid.rows), default=0)
    by_number = {row.number: row for row in grid.rows}
    kept = []
    for span in grid.spans:
        first = by_number.get(span.row)
        last_column = min(span.column + span.columns, width)
        if first is None or not first.text(span.column) or span.column >= last_column:
            continue
        numbers = range(span.row, min(span.row + span.rows, grid.rows[-1].number + 1))
        if len(numbers) > len(grid.rows):
            numbers = range(span.row, span.row + 1)  # a whole column: nothing is there to repeat
        rows = [by_number[number] for number in numbers if number in by_number]
        cells -= len(rows) * (last_column - span.column)
        if cells < 0:
            break
        bits = (1 << last_column) - (1 << span.column)
        text = first.text(span.column)
        for row in rows:
            row.cells.extend([""] * (last_column - len(row.cells)))
            row.cells[span.column : last_column] = [text] * (last_column - span.column)
            row.filled |= bits
            row.covered |= bits if row is not first else bits & ~(1 << span.column)
            for name in ("numeric", "dates", "bold", "shaded"):
                if getattr(first, name) >> span.column & 1:
                    setattr(row, name, getattr(row, name) | bits)
        if len(rows) > 1 or last_column - span.column > 1:
            kept.append(Span(span.row, span.column, rows[-1].number - span.row + 1, last_column - span.column))
    grid.spans = kept
