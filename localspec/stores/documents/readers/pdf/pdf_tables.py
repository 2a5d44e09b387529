"""Tables of a PDF without a grid of rules: rows whose pieces stand in columns with clear gaps between them."""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from localspec.stores.documents.blocks import Table
from localspec.stores.documents.readers.pdf.pdf_cells import Cell, assembled, is_number, overlapping
from localspec.stores.documents.readers.pdf.pdf_lines import Line, glued, piece
from localspec.stores.documents.readers.pdf.pdf_rows import TextRow, rows_of
from localspec.stores.documents.readers.pdf.pdf_rules import Rule

_FEWEST_ROWS = 3  # with two filled columns
_NARROWEST = 3.0  # points: between columns
_SHORTEST_RULE = 8.0  # points: below names over several columns
_LEADERS = re.compile(r"(?:\.\s?){4,}")
_ITEM = re.compile(r"[•◦▪‣●○■*\uf0b7\uf0a7]\s?\S*|\(?\d{1,3}[.)]\s")
_FORMULA_NUMBER = re.compile(r"\(\d{1,3}(?:\.\d{1,3})*[a-z]?\)")
_PAGE_NUMBER = re.compile(r"\d{1,4}|[ivxlc]{1,6}|[A-Z]-\d{1,3}")


class PlacedTable(NamedTuple):
    """A table with its place, in points."""

    table: Table
    left: float
    right: float
    bottom: float
    top: float
    columns: tuple[tuple[float, float], ...] = ()  # left and right edge of each


def open_tables(rows: list[TextRow], rules: Sequence[Rule], words: frozenset[str]) -> Iterator[TextRow | PlacedTable]:
    """The rows in their order, those of a table as one."""
    done = 0
    finer = _finely_parted(rows)
    for start, end in _candidates(finer):
        table = table_of(finer[start:end], rules, words)
        if table is not None:
            yield from rows[done:start]
            yield table
            done = end
    yield from rows[done:]


def _finely_parted(rows: list[TextRow]) -> list[TextRow]:
    """Rows of which the short ones are parted at gaps that are only somewhat wider than a blank."""
    room = max((row.right for row in rows), default=0.0) - min((row.left for row in rows), default=0.0)
    found = []
    for row in rows:
        if row.right - row.left < 0.8 * room or max(len(one.text) for one in row.pieces) < 40:
            pieces = tuple(part for one in row.pieces for part in _at_gaps(one))
            row = row._replace(pieces=pieces)
        found.append(row)
    return found


def _at_gaps(line: Line) -> Iterator[Line]:
    """A piece, parted at gaps over two fifths of its height that no sentence or item's number explains."""
    edges, texts = line.edges, [] if line.fixed else line.text.split(" ")
    start = 0
    for number in range(1, len(texts)):
        explained = texts[number - 1].endswith((".", ",", ":", ";", "?", "!", ")")) or not texts[number - 1].isalnum()
        explained = explained and not (is_number(texts[number - 1]) and is_number(texts[number]))
        if edges[2 * number] - edges[2 * number - 1] > 0.4 * line.height and not (explained and number == start + 1):
            if texts[number - 1].endswith((".", ":", ";", "?", "!")):
                continue
            yield piece(line, start, number)
            start = number
    yield piece(line, start, len(texts)) if start else line


def _candidates(rows: list[TextRow]) -> Iterator[tuple[int, int]]:
    """Runs of rows, most of which are of several pieces; one piece alone may go on with a cell or head a group."""
    start = end = None
    left, right = min((row.left for row in rows), default=0.0), max((row.right for row in rows), default=0.0)
    for number, row in enumerate(rows):
        parts = _parts(row)
        several = parts > 1 and row.pieces[0].text != ""
        wide = row.right - row.left > 0.6 * (right - left) or sum(len(one.text) for one in row.pieces) > 60
        if parts == 1 and wide and row.left < left + row.height and start is not None and end is not None:
            yield from _with_edges(rows, start, end)  # a line of text
            start = end = None
            continue
        if end is not None and start is not None:
            gap = rows[number - 1].baseline - row.baseline
            if number - end > 2 or gap > 3.2 * row.height or row.pieces[0].text == "":
                yield from _with_edges(rows, start, end)
                start = end = None
        if several:
            start, end = number if start is None else start, number + 1
    if start is not None and end is not None:
        yield from _with_edges(rows, start, end)


def _parts(row: TextRow) -> int:
    """Pieces of a row; those of a sentence with a somewhat wider gap are one."""
    count = 1
    for one, other in itertools.pairwise(row.pieces):
        near = other.left - one.right < row.height
        count += not (
            near and (one.text.endswith((".", ",", ":", ";", "?", "!")) or len(one.text) + len(other.text) > 50)
        )
    return count


def _with_edges(rows: list[TextRow], start: int, end: int) -> Iterator[tuple[int, int]]:
    """A run with the lines above and below it that belong to cells of its first and last row."""
    if sum(1 for row in rows[start:end] if _parts(row) > 1) < _FEWEST_ROWS:
        return
    pitch = statistics.median(
        [upper.baseline - lower.baseline for upper, lower in zip(rows[start:end], rows[start + 1 : end], strict=False)]
    )
    if end < len(rows) and len(rows[end].pieces) == 1 and rows[end].pieces[0].text:
        only = rows[end].pieces[0]
        gap = rows[end - 1].baseline - rows[end].baseline
        cells = [one for one in rows[end - 1].pieces if abs(one.left - only.left) < 2.0]
        if gap < 0.85 * pitch and cells and only.right <= max(one.right for one in rows[end - 1].pieces):
            end += 1
    while end < len(rows) and overlapping(rows[end - 1], rows[end]) and rows[end].pieces[0].text:
        end += 1
    while start > 0 and overlapping(rows[start - 1], rows[start]) and rows[start - 1].pieces[0].text:
        start -= 1
    yield start, end


def table_of(
    rows: list[TextRow], rules: Sequence[Rule], words: frozenset[str], *, bounded: bool = False
) -> PlacedTable | None:
    """The table that rows are, or None where there is not enough evidence. `bounded`: rules above and below hold it."""
    pieces = [one for row in rows for one in row.pieces]
    if sum(1 for one in pieces if one.fixed) > 0.5 * len(pieces):
        return None  # a listing
    edges = _column_edges(rows)
    columns = _without_strays(rows, edges) if len(edges) > 1 else []
    if len(columns) < 2:
        return None
    lines = [_cells(row, columns) for row in rows]
    if not is_table(_over_one_another(rows, lines), columns, bounded=bounded):
        return None
    left, right = min(row.left for row in rows), max(row.right for row in rows)
    inner, short = _inner_rules(rows, rules, left, right)
    table = assembled(rows, lines, columns, inner, words, short)
    top, bottom = rows[0].baseline + rows[0].height, rows[-1].baseline - 0.3 * rows[-1].height
    return PlacedTable(table, left, right, bottom, top, tuple(columns))


def _over_one_another(rows: list[TextRow], lines: list[list[Cell]]) -> list[list[Cell]]:
    """Cells of rows, those together that overlap in height: cells of several lines stand in the middle of a row."""
    together = [list(lines[0])]
    for number in range(1, len(rows)):
        if overlapping(rows[number - 1], rows[number]):
            together[-1] += lines[number]
        else:
            together.append(list(lines[number]))
    return together


def _column_edges(rows: list[TextRow]) -> list[tuple[float, float]]:
    """Left and right edges of columns: where pieces stand. A few wide pieces may lie across gaps."""
    several = [row for row in rows if len(row.pieces) > 1]
    usual = max((len(row.pieces) for row in several), default=0)
    if usual < 2:
        return []
    columns = _covered(several, 0)
    if len(columns) >= usual or len(several) < _FEWEST_ROWS:
        return columns
    tolerant = _covered(several, max(1, int(0.12 * len(several))))
    for one in (one for row in several for one in row.pieces):  # a column that is seldom filled
        if all(one.right <= low - _NARROWEST or one.left >= high + _NARROWEST for low, high in tolerant):
            tolerant.append((one.left, one.right))
    return tolerant if len(tolerant) > len(columns) else columns


def _without_strays(rows: list[TextRow], columns: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Columns of which two are one where only a name stands on the left and its numbers on the right, or the reverse,
    and where a column without a name holds what words of a stretched line were parted."""
    names = {one.first for row in rows[:2] for one in _cells(row, columns)}
    lines = [_cells(row, columns) for row in rows]
    filled: list[set[int]] = [set() for _ in columns]
    for number, line in enumerate(lines):
        for cell in line:
            for column in range(cell.first, cell.last + 1):
                filled[column].add(number)
    numeric = {cell.first for line in lines for cell in line if is_number(cell.line.text)}
    for number in range(1, len(columns)):
        left, right = filled[number - 1], filled[number]
        named, bare = (left, right) if number - 1 in names else (right, left)
        apart = not named & bare and max(named, default=9) < 2 and min(bare, default=0) >= max(named, default=9)
        stretched = (
            number not in names
            and right <= left
            and len(right) < 0.5 * len(rows)
            and number not in numeric
            and all(_close(lines[line], number) for line in right)
        )
        bare_gap = not any(cell.first == cell.last == number for line in lines for cell in line) and any(
            cell.first < number <= cell.last for line in lines for cell in line
        )
        if apart or stretched or bare_gap:
            merged = (columns[number - 1][0], columns[number][1])
            return _without_strays(rows, [*columns[: number - 1], merged, *columns[number + 1 :]])
    return columns


def _close(line: list[Cell], column: int) -> bool:
    """Whether the cell of a column stands close behind a text in the column before it."""
    if any(cell.first < column <= cell.last for cell in line):
        return True
    before = [cell.line for cell in line if cell.last == column - 1]
    after = [cell.line for cell in line if cell.first == column]
    if not before or not after or is_number(before[-1].text):
        return False
    return after[0].left - before[-1].right < 1.3 * after[0].height


def _covered(rows: list[TextRow], allowed: int) -> list[tuple[float, float]]:
    """Intervals that more than `allowed` rows cover."""
    ends: list[tuple[float, int]] = []
    for row in rows:
        for one in row.pieces:
            ends += [(one.left, 1), (one.right, -1)]
    columns: list[tuple[float, float]] = []
    depth, start = 0, 0.0
    for place, change in sorted(ends, key=lambda end: (end[0], -end[1])):
        before, depth = depth, depth + change
        if before <= allowed < depth:
            start = place
        elif depth <= allowed < before:
            if columns and start - columns[-1][1] < _NARROWEST:
                columns[-1] = (columns[-1][0], place)
            elif place - start > 0.5:
                columns.append((start, place))
    return columns


def _cells(row: TextRow, columns: Sequence[tuple[float, float]]) -> list[Cell]:
    """Pieces of a row with their columns; a piece over several is cut where the gap between its words is wide."""
    found: list[Cell] = []
    for one in row.pieces:
        for part in _cut(one, columns):
            reached = [
                number
                for number, (low, high) in enumerate(columns)
                if min(high, part.right) - max(low, part.left) > min(2.0, 0.5 * (part.right - part.left))
            ]
            if not reached:
                middle = (part.left + part.right) / 2
                gaps = [max(low - middle, middle - high) for low, high in columns]
                reached = [gaps.index(min(gaps))]
            if found and (found[-1].first, found[-1].last) == (reached[0], reached[-1]):
                found[-1] = found[-1]._replace(line=glued([found[-1].line, part]))
            else:
                found.append(Cell(reached[0], reached[-1], part))
    return found


def _cut(line: Line, columns: Sequence[tuple[float, float]]) -> Iterator[Line]:
    """A piece, cut where one of its wider gaps lies between two columns."""
    start = 0
    edges = line.edges
    for number in range(1, len(edges) // 2):
        right, left = edges[2 * number - 1], edges[2 * number]
        if left - right < 0.4 * line.height:
            continue
        if any(right <= upper[0] + 1.0 and left >= lower[1] - 1.0 for lower, upper in itertools.pairwise(columns)):
            yield piece(line, start, number)
            start = number
    yield piece(line, start, len(edges) // 2) if start else line


def is_table(lines: list[list[Cell]], columns: Sequence[tuple[float, float]], *, bounded: bool) -> bool:
    """Whether rows in columns are a table, and not a text in columns, a table of contents, formulas or names."""
    count = len(columns)
    several = [cells for cells in lines if len({one.first for one in cells}) > 1]
    if len(several) < (2 if bounded else _FEWEST_ROWS) or len(several) < (0.4 if bounded else 0.5) * len(lines):
        return False
    texts: list[list[str]] = [[] for _ in columns]
    for cells in several:
        for one in cells:
            if one.first == one.last:
                texts[one.first].append(one.line.text)
    if sum(1 for column in texts if len(column) > 1) < 2 or sum(map(len, texts)) < 0.3 * count * len(several):
        return False
    if sum(1 for cells in several if any(one.last > one.first for one in cells)) > 0.35 * len(several) + 1:
        return False
    numeric = list(map(_numeric, texts))
    lengths = [statistics.median(map(len, column)) if column else 0 for column in texts]
    if sum(1 for length in lengths if length > 30) > 1:
        return False
    everything = [text for column in texts for text in column]
    if sum(1 for text in everything if _LEADERS.search(text)) > 0.1 * len(everything):
        return False
    alone = [cells[0] for cells in lines if len(cells) == 1 and (cells[0].last > cells[0].first or cells[0].first == 0)]
    if len(alone) > 0.5 * len(lines) or sum(1 for cell in alone if len(cell.line.text) > 50) > 0.05 * len(lines):
        return False  # lines of text
    if sum(map(_is_stretched, several)) > 0.4 * len(several):
        return False  # a justified text
    if any(re.match(r"[$#] ?\w", cells[0].line.text) for cells in lines) and not any(map(_numeric, texts)):
        return False  # commands
    if sum(1 for cells in several if _ITEM.match(cells[0].line.text)) > 0.5 * len(several):
        return False
    if bounded:
        return True
    if _is_contents(texts) or any("@" in one.line.text for one in several[-1]):
        return False
    if count == 2 and not any(numeric):
        gutter = columns[1][0] - columns[0][1]
        if len(several) <= _FEWEST_ROWS or lengths[0] > 25 or gutter < 0.5 * several[0][0].line.height:
            return False
    if statistics.median(lengths) > 30:
        return False
    return sum(map(_aligned, range(count), [several] * count)) >= max(2, 0.6 * count)


def _is_stretched(cells: list[Cell]) -> bool:
    """Whether the cells of a long line stand as close to each other as words of a justified line do."""
    if sum(len(cell.line.text) for cell in cells) < 60:
        return False
    lines = sorted((cell.line for cell in cells), key=lambda one: one.left)
    return all(other.left - one.right < 0.9 * one.height for one, other in itertools.pairwise(lines))


def _numeric(texts: Sequence[str]) -> bool:
    return sum(map(is_number, texts)) >= 0.6 * len(texts) > 0


def _is_contents(texts: list[list[str]]) -> bool:
    """Whether columns are those of a table of contents or of numbered formulas."""
    last = texts[-1]
    if last and all(_FORMULA_NUMBER.fullmatch(text) for text in last):
        return True
    if len(texts) > 3 or not last or not all(_PAGE_NUMBER.fullmatch(text) for text in last):
        return False
    numbers = [int(text) for text in last if text.isdigit()]
    titles = max(texts[:-1], key=lambda column: sum(map(len, column)))
    return numbers == sorted(numbers) and len(set(numbers)) > 1 and statistics.median(map(len, titles)) > 12


def _aligned(column: int, lines: list[list[Cell]]) -> bool:
    """Whether most cells of a column share their left edge, their right edge or their middle."""
    cells = [one.line for line in lines for one in line if one.first == one.last == column]
    if len(cells) < 2:
        return False
    for edge in (lambda one: one.left, lambda one: one.right, lambda one: (one.left + one.right) / 2):
        places = sorted(map(edge, cells))
        usual = places[len(places) // 2]
        if sum(1 for place in places if abs(place - usual) < 2.5) >= 0.6 * len(places):
            return True
    return False


def _inner_rules(
    rows: list[TextRow], rules: Sequence[Rule], left: float, right: float
) -> tuple[list[float], list[float]]:
    """Heights of rules between the table's rows, from the top: over the most of its width, and shorter ones."""
    top, bottom = rows[0].baseline, rows[-1].baseline
    wide: list[float] = []
    short: list[float] = []
    for rule in rules:
        if rule.horizontal and bottom < rule.bottom < top:
            shared = min(right, rule.right) - max(left, rule.left)
            if shared > 0.7 * (right - left):
                wide.append(rule.bottom)
            elif shared > _SHORTEST_RULE:
                short.append(rule.bottom)
    return sorted(wide, reverse=True), sorted(short, reverse=True)


def rest_of(before: PlacedTable, lines: Sequence[Line], words: frozenset[str]) -> tuple[PlacedTable, set[int]] | None:
    """One or two rows at the top of a page that lie in the columns of the table before it, and their lines' ids."""
    rows = rows_of(lines)
    fitting: list[TextRow] = []
    for row in rows[:3]:
        inside = all(any(_lies_in(one, column) for column in before.columns) for one in row.pieces)
        near = not fitting or fitting[-1].baseline - row.baseline < 3.2 * row.height
        if not inside or len(row.pieces) < 2 or not near:
            break
        fitting.append(row)
    if not 0 < len(fitting) < 3:
        return None
    table = assembled(fitting, [_cells(row, before.columns) for row in fitting], before.columns, (), words)
    top, bottom = fitting[0].baseline + fitting[0].height, fitting[-1].baseline
    table = replace(table, header_rows=0)
    placed = PlacedTable(table, before.left, before.right, bottom, top, before.columns)
    return placed, {id(one) for row in fitting for one in row.pieces}


def _lies_in(line: Line, column: tuple[float, float]) -> bool:
    return column[0] - 3.0 < line.left and line.right < column[1] + 3.0
