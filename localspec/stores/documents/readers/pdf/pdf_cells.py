"""Cells of a PDF's table: lines of one row together, the rows that name the columns, names over several columns."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from localspec.stores.documents.blocks import Span, Table
from localspec.stores.documents.readers.pdf.pdf_lines import Line
from localspec.stores.documents.readers.pdf.pdf_rows import TextRow, joined_text
from localspec.stores.documents.readers.pdf.pdf_words import HYPHEN

_NUMBER = re.compile(r"[-+−–~<>≤≥±(]{0,2}\s?[$€£]?\d[\d.,:/\s'×^±()-]*\s?(?:%|°?[^\W\d]{1,3})?\)?[*†‡]?$|[-–—]+$")
_YEAR = re.compile(r"(?:FY|Q\d )?(?:19|20)\d\d\D{0,3}$")


class Cell(NamedTuple):
    """A piece of a line in its columns, from `first` to `last`."""

    first: int
    last: int
    line: Line


def is_number(text: str) -> bool:
    """Whether a cell holds a number, with a sign, a unit or a currency, or the dash that stands for none."""
    return _NUMBER.match(text) is not None


def assembled(
    rows: list[TextRow],
    lines: list[list[Cell]],
    columns: Sequence[tuple[float, float]],
    inner: Sequence[float],
    words: frozenset[str],
    short: Sequence[float] = (),
) -> Table:
    """The table of cells in lines. `inner`: heights of the rules between rows, from the top; `short`: of those that go
    over a part of the width only."""
    groups = _row_groups(rows, lines, columns, inner, short)
    grid = [[""] * len(columns) for _ in groups]
    spans: list[Span] = []
    for number, group in enumerate(groups):
        gathered: dict[tuple[int, int], list[Line]] = {}
        for cell in (cell for line in group for cell in lines[line]):
            key = next((key for key in gathered if key[0] <= cell.first <= key[1]), (cell.first, cell.last))
            gathered.setdefault(key, []).append(cell.line)
        for (first, last), parts in sorted(gathered.items()):
            text = joined_text(parts, words)
            for column in range(first, last + 1):
                grid[number][column] = f"{grid[number][column]} {text}".strip()
            if last > first:
                spans.append(Span(number, first, 1, last - first + 1))
    ruled = _above(rows, groups, inner[0]) if inner else 0
    every = len(inner) > 0.5 * (len(groups) - 1) and len(groups) > 3  # rules under every row tell nothing
    if every or ruled > max(1, min(4, len(groups) // 2)):
        ruled = 0
    header_rows = header_rows_of(grid, spans, [_is_bold(rows, group) for group in groups], ruled)
    for number in range(header_rows - 1):
        spans += _names_over_columns(grid, number, [cell for line in groups[number] for cell in lines[line]], columns)
    return Table.of(grid, header_rows=header_rows, spans=spans)


def _row_groups(
    rows: list[TextRow],
    lines: list[list[Cell]],
    columns: Sequence[tuple[float, float]],
    inner: Sequence[float],
    short: Sequence[float],
) -> list[list[int]]:
    """Numbers of the lines that make up each row of the table."""
    gaps = [upper.baseline - lower.baseline for upper, lower in itertools.pairwise(rows)]
    # A rule explains why a gap is wider than others; where there is one between most rows, the others are tight.
    bare = [
        gap
        for gap, (upper, lower) in zip(gaps, itertools.pairwise(rows), strict=True)
        if not any(lower.baseline < height < upper.baseline for height in (*inner, *short))
    ]
    tight = _tight_gap(rows, bare if len(bare) >= 0.5 * len(gaps) else gaps)
    groups = [[0]]
    for number in range(1, len(rows)):
        above, line = lines[number - 1], lines[number]
        ruled = any(rows[number].baseline < height < rows[number - 1].baseline for height in inner)
        partial = min(_filled(above), _filled(line)) <= len(columns) / 2
        goes_on = gaps[number - 1] < tight and partial
        goes_on = goes_on or overlapping(rows[number - 1], rows[number])
        if not ruled and (goes_on or _goes_on([c for k in groups[-1] for c in lines[k]], line, columns)):
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def overlapping(row: TextRow, below: TextRow) -> bool:
    """Whether rows overlap in height, as lines do that stand in the middle of a row beside several others."""
    return row.baseline - below.baseline < 0.75 * min(row.height, below.height)


def _filled(line: list[Cell]) -> int:
    return len({cell.first for cell in line})


def _tight_gap(rows: list[TextRow], gaps: list[float]) -> float:
    """Below this gap lines stand in one row; 0.0 where the gaps do not tell."""
    order = sorted(gaps)
    if len(order) < 2 or order[0] > 1.5 * rows[0].height:
        return 0.0
    jumps = [(high / max(low, 0.1), place) for place, (low, high) in enumerate(itertools.pairwise(order))]
    ratio, place = max(jumps)
    # Where most gaps are small, they are those of rows, and the others part groups of them.
    if ratio < 1.18 or place + 1 > 0.6 * len(order):
        return 0.0
    return (order[place] + order[place + 1]) / 2


def _goes_on(above: list[Cell], line: list[Cell], columns: Sequence[tuple[float, float]]) -> bool:
    """Whether every cell of a line goes on with the one above it: its first word had no room there."""
    first = {cell.first for cell in line}
    if 0 in first and len(first) > 1:
        return False
    for cell in line:
        before = [other.line for other in above if other.first == cell.first]
        if not before or is_number(cell.line.text):
            return False
        if (
            abs(before[-1].left - cell.line.left) > 3.0
            or before[-1].baseline - cell.line.baseline > 1.5 * cell.line.height
        ):
            return False
        if before[-1].text.endswith(HYPHEN):
            continue
        word = cell.line.edges[1] - cell.line.edges[0] if cell.line.edges else 0.0
        if before[-1].right + word < columns[cell.first][1] - 0.5 or (0 in first and cell.line.text[:1].isupper()):
            return False
    return bool(line)


def header_rows_of(grid: list[list[str]], spans: Sequence[Span], bold: Sequence[bool], ruled: int = 0) -> int:
    """How many rows name the columns: `ruled` of them where a rule tells, else those without numbers over numbers."""
    if ruled:
        return ruled
    if len(grid) < 2:
        return 0
    numeric = [
        column
        for column in range(len(grid[0]))
        if (filled := [row[column] for row in grid[1:] if row[column]])
        and sum(map(is_number, filled)) >= 0.6 * len(filled)
    ]
    most = max(1, len(grid) // 2)
    if bold[0] and not all(bold):
        count = next(number for number, one in enumerate(bold) if not one)
        return count if count <= most else 1
    if _has_numbers(grid[0], numeric):
        return 0
    names = max(
        [1, *(max(span.rows, 1 + (span.columns > 1)) for span in spans if span.row == 0 and span.rows < len(grid))]
    )
    if names == 1 and len(grid) > 3 and not grid[1][0] and numeric and sum(map(bool, grid[1])) > 1:
        names = 2
    over_columns = any(span.row == 0 and span.columns > 1 for span in spans)
    if over_columns and names == 2 < len(grid):  # names of their own stand below it, however short the table is
        most = max(most, names)
    while names > 1 and (names > most or _has_numbers(grid[names - 1], numeric)):
        names -= 1
    return names


def _has_numbers(row: Sequence[str], numeric: Sequence[int]) -> bool:
    """Whether a row has numbers in columns of numbers; years may name them."""
    return any(is_number(row[column]) and not _YEAR.match(row[column]) for column in numeric)


def _above(rows: list[TextRow], groups: list[list[int]], height: float) -> int:
    return sum(1 for group in groups if rows[group[-1]].baseline > height)


def _is_bold(rows: list[TextRow], group: list[int]) -> bool:
    pieces = [one for number in group for one in rows[number].pieces]
    return sum(1 for one in pieces if one.bold) > 0.7 * len(pieces)


def _names_over_columns(
    grid: list[list[str]], number: int, cells: list[Cell], columns: Sequence[tuple[float, float]]
) -> list[Span]:
    """Spans of names that stand in the middle of several columns, or at the left of them, over names of their own."""
    spans = []
    for cell in cells:
        column = cell.first
        if cell.last > column or not grid[number + 1][column]:
            continue
        low, high = column, column
        while low > 0 and not grid[number][low - 1] and grid[number + 1][low - 1]:
            low -= 1
        while high + 1 < len(columns) and not grid[number][high + 1] and grid[number + 1][high + 1]:
            high += 1
        middle = (cell.line.left + cell.line.right) / 2
        ranges = [
            (first, last)
            for first in range(low, column + 1)
            for last in range(column, high + 1)
            if last > first
            and abs((columns[first][0] + columns[last][1]) / 2 - middle)
            < max(3.0, 0.12 * (columns[last][1] - columns[first][0]))
        ]
        alone = abs(sum(columns[column]) / 2 - middle) < 1.0
        if not ranges and abs(cell.line.left - columns[column][0]) < 2.0 and high > column and not alone:
            ranges = [(column, high)]
        if ranges:
            first, last = max(ranges, key=lambda one: one[1] - one[0])
            for place in range(first, last + 1):
                grid[number][place] = grid[number][column]
            spans.append(Span(number, first, 1, last - first + 1))
    return spans


def continued(before: Table, table: Table) -> Table:
    """A table that goes on with one of the page before: under its title and under the rows that name its columns."""
    names = before.rows[: before.header_rows]
    if table.rows[: len(names)] == names:
        return _filled_down(before, replace(table, header_rows=len(names), title=before.title))
    moved = [span._replace(row=span.row + len(names)) for span in table.spans]
    spans = [span for span in before.spans if span.row < len(names)] + moved
    return _filled_down(before, Table(names + table.rows, len(names), before.title, tuple(spans)))


def _filled_down(before: Table, table: Table) -> Table:
    """With the first cell of the last row before in the first row, where its own is the only empty one of the column: a
    page ends inside of a row or of a cell over several."""
    at = table.header_rows
    own = [row[0] for row in table.rows[at:]]
    if not own or own[0] or not all(own[1:]) or not all(row[0] for row in before.rows[before.header_rows :]):
        return table
    if (
        sum(map(is_number, own[1:])) > 0.5 * len(own)
        or before.header_rows == len(before.rows)
        or not before.rows[-1][0]
    ):
        return table
    row = (before.rows[-1][0], *table.rows[at][1:])
    return replace(table, rows=(*table.rows[:at], row, *table.rows[at + 1 :]))
