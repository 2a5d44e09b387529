"""Tables of a PDF with rules: grids of horizontal and vertical ones, and open tables between two horizontal ones."""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence

from localspec.stores.documents.blocks import Span, Table
from localspec.stores.documents.readers.pdf.pdf_cells import Cell, assembled, header_rows_of
from localspec.stores.documents.readers.pdf.pdf_lines import Line, piece
from localspec.stores.documents.readers.pdf.pdf_rows import TextRow, joined_text, rows_of
from localspec.stores.documents.readers.pdf.pdf_rules import Rule
from localspec.stores.documents.readers.pdf.pdf_tables import PlacedTable, table_of

_NEAR = 3.0  # points between rules that meet
_MOST_STACKED = 60  # rules of one length on a page
_MOST_PAIRS = 400_000  # of rules that are compared


def ruled_tables(
    lines: Sequence[Line], rules: Sequence[Rule], words: frozenset[str]
) -> tuple[list[PlacedTable], list[Line]]:
    """Tables that rules show, and the lines that stand in none of them."""
    horizontal = [rule for rule in rules if rule.horizontal and rule.right - rule.left > 8.0]
    vertical = [rule for rule in rules if not rule.horizontal and rule.top - rule.bottom > 5.0]
    tables: list[PlacedTable] = []
    rest = list(lines)
    if len(horizontal) * max(1, len(vertical)) > _MOST_PAIRS:
        return tables, rest
    for bars, posts in _meeting(horizontal, vertical):
        table, inside = _grid_table(rest, bars, posts, words)
        if table is not None:
            tables.append(table)
            rest = [line for line in rest if id(line) not in inside]
    for left, right, heights in _stacks(horizontal):
        for table, inside in _between(rest, left, right, heights, horizontal, words):
            tables.append(table)
            rest = [line for line in rest if id(line) not in inside]
    return tables, rest


def _meeting(horizontal: list[Rule], vertical: list[Rule]) -> Iterator[tuple[list[Rule], list[Rule]]]:
    """Groups of rules that meet each other, with two in each direction at least."""
    group = list(range(len(horizontal) + len(vertical)))

    def root(number: int) -> int:
        while group[number] != number:
            group[number] = group[group[number]]
            number = group[number]
        return number

    for low, bar in enumerate(horizontal):
        for high, post in enumerate(vertical, len(horizontal)):
            if (
                bar.left - _NEAR <= post.left <= bar.right + _NEAR
                and post.bottom - _NEAR <= bar.bottom <= post.top + _NEAR
            ):
                group[root(low)] = root(high)
    members: dict[int, tuple[list[Rule], list[Rule]]] = defaultdict(lambda: ([], []))
    for number, rule in enumerate([*horizontal, *vertical]):
        members[root(number)][number >= len(horizontal)].append(rule)
    for bars, posts in members.values():
        if len(bars) > 1 and posts:
            yield bars, posts


def _levels(places: Sequence[float]) -> list[float]:
    """Places from low to high, those within three points as one."""
    found: list[list[float]] = []
    for place in sorted(places):
        if found and place - found[-1][-1] < _NEAR:
            found[-1].append(place)
        else:
            found.append([place])
    return [statistics.mean(group) for group in found]


def _grid_table(
    lines: list[Line], bars: list[Rule], posts: list[Rule], words: frozenset[str]
) -> tuple[PlacedTable | None, set[int]]:
    """The table of a grid and the lines in it; None where the grid is a frame, a drawing or empty."""
    nothing: tuple[PlacedTable | None, set[int]] = None, set()
    across, down = _levels([post.left for post in posts]), _levels([bar.bottom for bar in bars])[::-1]
    left, right = min(bar.left for bar in bars), max(bar.right for bar in bars)
    top, bottom = max(down[0], max(post.top for post in posts)), min(down[-1], min(post.bottom for post in posts))
    open_left, open_right = across[0] - left > 8.0, right - across[-1] > 8.0
    across = [left] * open_left + across + [right] * open_right
    down = [top] * (top - down[0] > 8.0) + down + [bottom] * (down[-1] - bottom > 8.0)
    inside = [
        line
        for line in lines
        if bottom - 1.0 < line.baseline + 0.25 * line.height < top + 1.0
        and across[0] - 2.0 < (line.left + line.right) / 2 < across[-1] + 2.0
    ]
    held = {id(line) for line in inside}
    if len(across) < 3 or len(down) < 3 or len(inside) < 3:
        return nothing
    rows = rows_of(inside)
    if open_left or open_right:  # posts only part the first column: gaps may part the others
        placed = table_of(rows, bars, words, bounded=True)
        if placed is not None and len(placed.table.rows[0]) > len(across) - 1:
            return placed, held
    table = _filled_grid(rows, across, down, bars, posts, words)
    if table is None:
        return nothing
    return PlacedTable(table, across[0], across[-1], bottom, top, tuple(itertools.pairwise(across))), held


def _filled_grid(
    rows: list[TextRow],
    across: list[float],
    down: list[float],
    bars: list[Rule],
    posts: list[Rule],
    words: frozenset[str],
) -> Table | None:
    """The table of a grid with edges of columns, from the left, and of rows, from the top."""
    cells: dict[tuple[int, int], list[Line]] = defaultdict(list)
    for row in rows:
        for line in row.pieces:
            level = sum(1 for height in down[1:-1] if line.baseline + 0.25 * line.height < height)
            for column, part in _parts(line, across):
                cells[level, column].append(part)
    areas = _areas(across, down, bars, posts)
    if len(down) - 1 <= 3:
        opened = _opened(rows, across, down, areas, cells, words)
        if opened is not None:
            return opened
    grid = [[""] * (len(across) - 1) for _ in down[1:]]
    spans, filled = [], 0
    for top, left, height, width in areas:
        places = [(row, column) for row in range(top, top + height) for column in range(left, left + width)]
        parts = sorted(
            (one for place in places for one in cells.get(place, ())), key=lambda one: (-one.baseline, one.left)
        )
        text = joined_text([one for row in rows_of(parts) for one in row.pieces], words)
        filled += bool(text)
        for level, column in places:
            grid[level][column] = text
        if len(places) > 1 and text:
            spans.append(Span(top, left, height, width))
    if not _is_grid(grid, areas, filled):
        return None
    return _without_empty(grid, spans, header_rows_of(grid, spans, _bold_rows(cells, len(grid))))


def _is_grid(grid: list[list[str]], areas: list[tuple[int, int, int, int]], filled: int) -> bool:
    """Whether enough cells are filled, in two rows and two columns at least, and not with a page's text."""
    if filled < 3 or filled < 0.25 * len(areas):
        return False
    if sum(1 for row in grid if any(row)) < 2 or sum(1 for column in zip(*grid, strict=True) if any(column)) < 2:
        return False
    if all(len(set(row)) == 1 for row in grid) or all(len(set(column)) == 1 for column in zip(*grid, strict=True)):
        return False
    texts = {text for row in grid for text in row if text}
    return not (len(texts) <= 4 and statistics.mean(map(len, texts)) > 300)


def _parts(line: Line, across: list[float]) -> Iterator[tuple[int, Line]]:
    """A piece as parts in the columns in which the middles of its words lie."""

    def column(number: int) -> int:
        middle = (line.edges[2 * number] + line.edges[2 * number + 1]) / 2
        return sum(1 for edge in across[1:-1] if edge < middle)

    count = len(line.edges) // 2
    start = 0
    for number in range(1, count + 1):
        if number == count or column(number) != column(start):
            yield column(start), piece(line, start, number) if number - start < count else line
            start = number


def _areas(
    across: list[float], down: list[float], bars: list[Rule], posts: list[Rule]
) -> list[tuple[int, int, int, int]]:
    """Cells as (row, column, rows, columns): places of the grid that no rule parts are one."""

    def parted(rules: list[Rule], place: float, low: float, high: float, *, bar: bool) -> bool:
        covered = 0.0
        for rule in rules:
            if abs((rule.bottom if bar else rule.left) - place) < _NEAR:
                start, end = (rule.left, rule.right) if bar else (rule.bottom, rule.top)
                covered += max(0.0, min(high, end) - max(low, start))
        return covered > 0.6 * (high - low)

    columns, rows = len(across) - 1, len(down) - 1
    taken: set[tuple[int, int]] = set()
    areas = []
    for row, column in itertools.product(range(rows), range(columns)):
        if (row, column) in taken:
            continue
        width = height = 1
        while (
            column + width < columns
            and (row, column + width) not in taken
            and not parted(posts, across[column + width], down[row + 1], down[row], bar=False)
        ):
            width += 1
        while (
            row + height < rows
            and all(
                (row + height, place) not in taken
                and not parted(bars, down[row + height], across[place], across[place + 1], bar=True)
                for place in range(column, column + width)
            )
            and not any(
                parted(posts, across[place], down[row + height + 1], down[row + height], bar=False)
                for place in range(column + 1, column + width)
            )
        ):
            height += 1
        taken.update(itertools.product(range(row, row + height), range(column, column + width)))
        areas.append((row, column, height, width))
    return areas


def _opened(
    rows: list[TextRow],
    across: list[float],
    down: list[float],
    areas: list[tuple[int, int, int, int]],
    cells: dict[tuple[int, int], list[Line]],
    words: frozenset[str],
) -> Table | None:
    """The table of a grid with few rules across, where the lines between them are rows of their own."""
    area_of = {
        (row, column): (left, left + width - 1)
        for top, left, height, width in areas
        for row, column in itertools.product(range(top, top + height), range(left, left + width))
    }
    placed = {id(part): area_of[place] for place, parts in cells.items() for part in parts}
    parts = rows_of(part for place in cells for part in cells[place])
    lines = [[Cell(*placed[id(one)], one) for one in row.pieces] for row in parts]
    bodies = [sum(1 for row in parts if high > row.baseline > low) for high, low in itertools.pairwise(down)]
    several = [line for line in lines if len({cell.first for cell in line}) > 1]
    if max(bodies) < 3 or sum(1 for line in several if line[0].first == 0) < 3:
        return None
    columns = []
    for number, (low, high) in enumerate(itertools.pairwise(across)):
        own = [cell.line for line in lines for cell in line if cell.first == cell.last == number]
        columns.append((min((one.left for one in own), default=low), max((one.right for one in own), default=high)))
    table = assembled(parts, lines, columns, down[1:-1], words)
    return table if len(table.rows) > 0.7 * len(several) else None


def _bold_rows(cells: dict[tuple[int, int], list[Line]], count: int) -> list[bool]:
    """Which rows of a grid are bold."""
    bold = []
    for number in range(count):
        parts = [part for (row, _), found in cells.items() if row == number for part in found]
        bold.append(sum(1 for part in parts if part.bold) > 0.7 * len(parts))
    return bold


def _without_empty(grid: list[list[str]], spans: list[Span], header_rows: int) -> Table:
    """A table without the rows and columns in which nothing stands."""
    rows = [number for number, row in enumerate(grid) if any(row)]
    columns = [number for number in range(len(grid[0])) if any(row[number] for row in grid)]
    kept = []
    for span in spans:
        height = [row for row in rows if span.row <= row < span.row + span.rows]
        width = [column for column in columns if span.column <= column < span.column + span.columns]
        if len(height) * len(width) > 1:
            kept.append(Span(rows.index(height[0]), columns.index(width[0]), len(height), len(width)))
    header_rows = sum(1 for row in rows if row < header_rows)
    cells = [[grid[row][column] for column in columns] for row in rows]
    return Table.of(cells, header_rows=header_rows, spans=kept)


def _stacks(horizontal: list[Rule]) -> Iterator[tuple[float, float, list[float]]]:
    """Rules of one length above each other: (left, right, their heights from the top)."""
    stacks: list[list[Rule]] = []
    for rule in sorted(horizontal, key=lambda one: (round(one.left), -one.bottom)):
        same = next(
            (
                stack
                for stack in stacks
                if abs(stack[0].left - rule.left) < 4.0 and abs(stack[0].right - rule.right) < 4.0
            ),
            None,
        )
        if same is not None:
            same.append(rule)
        elif rule.right - rule.left > 40.0:
            stacks.append([rule])
    for stack in stacks:
        heights = _levels([rule.bottom for rule in stack])[::-1]
        if 2 <= len(heights) <= _MOST_STACKED:
            yield min(rule.left for rule in stack), max(rule.right for rule in stack), heights


def _between(
    lines: list[Line], left: float, right: float, heights: list[float], rules: list[Rule], words: frozenset[str]
) -> Iterator[tuple[PlacedTable, set[int]]]:
    """Open tables between two of the rules, the highest that there are."""
    middle = [line for line in lines if left - 3.0 < line.left and line.right < right + 3.0]
    held = {id(line) for line in middle}
    crossing = [line for line in lines if line.left < right and line.right > left and id(line) not in held]
    start = 0
    while start < len(heights) - 1:
        for end in range(min(len(heights) - 1, start + 40), start, -1):
            inside = [line for line in middle if heights[end] < line.baseline + 0.25 * line.height < heights[start]]
            if any(heights[end] < line.baseline < heights[start] for line in crossing):
                continue
            rows = rows_of(inside)
            table = table_of(rows, rules, words, bounded=True) if len(rows) > 1 else None
            if table is not None:
                placed, inside = _extended(middle, inside, table, rules, words)
                bottom, top = min(placed.bottom, heights[end]), max(placed.top, heights[start])
                yield PlacedTable(placed.table, left, right, bottom, top, placed.columns), {id(line) for line in inside}
                start = end
                break
        start += 1


def _extended(
    lines: list[Line], inside: list[Line], table: PlacedTable, rules: list[Rule], words: frozenset[str]
) -> tuple[PlacedTable, list[Line]]:
    """A table between rules with rows of the same columns right above the first rule and below the last one."""
    others = rows_of(line for line in lines if id(line) not in {id(one) for one in inside})
    for above in (True, False):
        near = [
            row for row in others if (row.baseline > table.top - 1.0 if above else row.baseline < table.bottom + 1.0)
        ]
        for row in near[::-1][:3] if above else near[:3]:
            edge = max(one.baseline for one in inside) if above else min(one.baseline for one in inside)
            gap = abs(row.baseline - edge)
            if len(row.pieces) < 2 or gap > 2.6 * row.height:
                break
            longer = table_of(rows_of([*inside, *row.pieces]), rules, words, bounded=True)
            if longer is None or len(longer.table.rows[0]) != len(table.table.rows[0]):
                break
            table, inside = longer, [*inside, *row.pieces]
    return table, inside
