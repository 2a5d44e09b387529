"""Reading order of a PDF's page: columns one after another, whichever way the page was written."""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from localspec.stores.documents.readers.pdf.pdf_lines import FieldLine, Line, glued
from localspec.stores.documents.readers.pdf.pdf_rows import TextRow, rows_of
from localspec.stores.documents.readers.pdf.pdf_rules import Rule
from localspec.stores.documents.readers.pdf.pdf_tables import PlacedTable, open_tables

Item: TypeAlias = Line | PlacedTable | FieldLine

_DEEPEST = 5
_FEWEST_ROWS = 3  # of text on each side of a gutter
_SHARED_HEIGHT = 20.0  # points: of tables in two columns
_MOST_TRIED = 8  # gutters beside which a table is looked for
_NARROWEST = 5.0  # points: of a gutter
_FULL = 0.9  # of the column's width
_MANY_LINES = 12
_INDENT = 2.0  # heights: of the first line of a paragraph, at most
_INDEX_ENTRY = re.compile(r".*[,\s]\s*\d{1,4}(?:[-–]\d{1,4})?,?$")
_WIDE_LETTERS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class _Columns(NamedTuple):
    start: int  # rows from here
    end: int  # to before here
    gutter: float  # right edge of the gutter between them
    weight: int


def reading_order(
    lines: Sequence[Line], placed: Sequence[PlacedTable | FieldLine], rules: Sequence[Rule], words: frozenset[str]
) -> list[Item]:
    """Whole lines, tables and fields in the order in which they are read. `placed` are tables found by their rules, and
    fields of a form."""
    places = [_place(one) for one in placed]
    found = {id(place): one for place, one in zip(places, placed, strict=True)}
    items: list[Item] = []
    for item in _ordered(rows_of([*lines, *places]), rules, words, 0):
        if isinstance(item, PlacedTable):
            items.append(item)
            continue
        for is_placed, group in itertools.groupby(item.pieces, lambda one: id(one) in found):
            pieces = list(group)
            items += [found[id(one)] for one in pieces] if is_placed else [glued(pieces)]
    return items


def _place(one: PlacedTable | FieldLine) -> Line:
    """A line without a text, which takes part in the order instead of a table or field."""
    if isinstance(one, PlacedTable):
        return Line("", one.left, one.right, one.top - 2.0, 2.0, edges=(one.bottom, one.top))
    # Where a line in the middle of the field would stand.
    baseline = (one.box.bottom + one.box.top) / 2 - 0.3 * one.height
    return Line("", one.box.left, one.box.right, baseline, one.height)


def _ordered(
    rows: list[TextRow], rules: Sequence[Rule], words: frozenset[str], depth: int
) -> Iterator[TextRow | PlacedTable]:
    columns = _columns(rows, words) if depth < _DEEPEST and len(rows) > 1 else None
    if columns is None:
        edge = min((row.left for row in rows), default=0.0)
        for is_known, group in itertools.groupby(rows, lambda row: _is_known(row, edge)):
            stretch = list(group)
            yield from stretch if is_known else open_tables(stretch, rules, words)
        return
    yield from _ordered(rows[: columns.start], rules, words, depth + 1)
    pieces = [one for row in rows[columns.start : columns.end] for one in row.pieces]
    yield from _ordered(rows_of(one for one in pieces if one.left < columns.gutter - 1.0), rules, words, depth + 1)
    yield from _ordered(rows_of(one for one in pieces if one.left >= columns.gutter - 1.0), rules, words, depth + 1)
    yield from _ordered(rows[columns.end :], rules, words, depth + 1)


def _is_known(row: TextRow, edge: float) -> bool:
    """Whether something placed, a justified line or an item of a numbered list stands in a row: it is not of an open
    table. `edge`: where the column begins; a justified line further right may be one of a cell."""
    if len(row.pieces) == 1 and row.pieces[0].justified and row.left < edge + _INDENT * row.height:
        return True
    return any(not one.text or one.numbered for one in row.pieces)


def _columns(rows: list[TextRow], words: frozenset[str]) -> _Columns | None:
    """The longest run of rows with a gutter between two columns of text."""
    found = [one for gutter in _left_edges(rows) for one in _runs(rows, gutter)]
    tried = 0
    for columns in sorted(found, key=lambda one: -one.weight)[:40]:
        pieces = [one for row in rows[columns.start : columns.end] for one in row.pieces]
        left = [one for one in pieces if one.left < columns.gutter - 1.0]
        right = [one for one in pieces if one.left >= columns.gutter - 1.0]
        if min(len(left), len(right)) < _FEWEST_ROWS or not _side_by_side(left, right):
            continue
        prose = (_is_prose(left), _is_prose(right))
        if all(prose):
            return columns
        if any(prose) and tried < _MOST_TRIED:
            tried += 1
            if _holds_table(right if prose[0] else left, words):
                return columns
        if _hold_tables_beside(left, right):
            return columns
    return None


def _left_edges(rows: list[TextRow]) -> list[float]:
    """Where at least three pieces begin that have others on their left, or a table that its rules show."""
    edges = sorted(one.left for row in rows for one in row.pieces)
    first = edges[0] if edges else 0.0
    found: list[list[float]] = []
    for edge in edges:
        if found and edge - found[-1][0] < 2.0:
            found[-1].append(edge)
        else:
            found.append([edge])
    tables = {one.left for row in rows for one in row.pieces if not one.text and one.edges}
    return [
        group[0]
        for group in found
        if group[0] > first + 20.0 and (len(group) >= _FEWEST_ROWS or any(edge in tables for edge in group))
    ]


def _runs(rows: list[TextRow], gutter: float) -> Iterator[_Columns]:
    """Runs of rows in which nothing stands in the gutter, with text on both of its sides."""
    start = 0
    for number in range(len(rows) + 1):
        if number < len(rows) and not any(
            one.left < gutter - 1.0 and one.right > gutter - _NARROWEST for one in rows[number].pieces
        ):
            continue
        run = rows[start:number]
        left = [place for place, row in enumerate(run) if row.left < gutter - 1.0]
        right = [place for place, row in enumerate(run) if row.pieces[-1].left >= gutter - 1.0]
        if min(len(left), len(right)) >= _FEWEST_ROWS:
            first, end = _start_of_columns(run), _end_of_columns(run, left, right)
            yield _Columns(start + first, start + end, gutter, min(len(left), len(right)))
        start = number + 1


def _start_of_columns(run: list[TextRow]) -> int:
    """Without the lines of a title or of names above a wide gap."""
    for place in range(min(4, len(run) - 1), 0, -1):
        if any(not one.text for row in run[:place] for one in row.pieces):
            continue
        if _foot(run[place - 1]) - run[place].baseline > 3.0 * max(run[place - 1].height, run[place].height):
            return place
    return 0


def _end_of_columns(run: list[TextRow], left: list[int], right: list[int]) -> int:
    """Without lines behind a gap that the right column does not reach: a heading or a note below both columns. Beside
    narrow notes the text goes on."""
    if _are_side_notes([run[place] for place in right]):
        return len(run)
    tail = [place for place in left if place > right[-1]]
    for place in tail:
        gap = _foot(run[place - 1]) - run[place].baseline
        if gap > 2.2 * run[place].height and len(run) - place <= 3 and not run[place].pieces[0].numbered:
            return place
    return len(run)


def _foot(row: TextRow) -> float:
    """The baseline of a row, or the lower edge of the tables in it."""
    return min(one.baseline if one.text or not one.edges else one.edges[0] for one in row.pieces)


def _hold_tables_beside(left: list[Line], right: list[Line]) -> bool:
    """Whether tables that their rules show stand beside each other, as on reference cards."""
    tables, others = ([one.edges for one in pieces if not one.text and one.edges] for pieces in (left, right))
    return any(min(one[1], other[1]) - max(one[0], other[0]) > _SHARED_HEIGHT for one in tables for other in others)


def _are_side_notes(rows: list[TextRow]) -> bool:
    """Whether the last pieces of rows are smaller or much narrower than what stands before them."""
    both = [row for row in rows if len(row.pieces) > 1]
    if len(both) < 2:
        return False
    last = [row.pieces[-1] for row in both]
    first = [row.pieces[0] for row in both]
    smaller = statistics.median(one.height for one in last) < 0.9 * statistics.median(one.height for one in first)
    widths = [max(one.right for one in part) - min(one.left for one in part) for part in (last, first)]
    return smaller and widths[0] < 0.75 * widths[1]


def _side_by_side(left: list[Line], right: list[Line]) -> bool:
    """Whether two groups of pieces stand beside each other over two lines at least."""
    top = min(max(one.baseline for one in left), max(one.baseline for one in right))
    bottom = max(min(one.baseline for one in left), min(one.baseline for one in right))
    return top - bottom > 1.5 * statistics.median(one.height for one in left)


def _is_prose(pieces: list[Line]) -> bool:
    """Whether pieces look like lines of a text, or like entries of an index, and not like cells of a table."""
    pieces = [line for row in rows_of(pieces) for line in _sentences(row)]
    texts = [one.text for one in pieces if one.text]
    if len(texts) < _FEWEST_ROWS:
        return False
    letters = sum(sum(map(str.isalpha, text)) for text in texts)
    length = sum(len(text) + len(_WIDE_LETTERS.findall(text)) for text in texts) / len(texts)
    if letters < 0.6 * sum(len(text) - text.count(" ") for text in texts):
        return False
    if sum(1 for text in texts if _INDEX_ENTRY.match(text)) > 0.5 * len(texts):
        return len(texts) >= 10
    room = max(one.right for one in pieces) - min(one.left for one in pieces)
    fills = [(one.right - one.left) / (room or 1.0) for one in pieces]
    full = sum(1 for fill in fills if fill > _FULL)
    mixed = len(fills) >= _MANY_LINES and full >= 0.25 * len(fills)  # lists and short lines between those of a text
    return length >= 18 and (statistics.median(fills) >= 0.6 or mixed)


def _sentences(row: TextRow) -> Iterator[Line]:
    """Pieces of a row; those with gaps that a justified line may have are one."""
    gathered = [row.pieces[0]]
    for one in row.pieces[1:]:
        if one.left - gathered[-1].right > 1.2 * row.height:
            yield glued(gathered)
            gathered = []
        gathered.append(one)
    yield glued(gathered)


def _holds_table(pieces: list[Line], words: frozenset[str]) -> bool:
    """Whether an open table stands in a column."""
    return any(isinstance(item, PlacedTable) for item in open_tables(rows_of(pieces), (), words))
