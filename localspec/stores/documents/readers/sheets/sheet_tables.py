"""Tables of a spreadsheet: where each begins and ends on its sheet, which rows name its columns, what it is called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from localspec.stores.documents.blocks import Span, Table
from localspec.stores.documents.readers.content import BlockWriter
from localspec.stores.documents.readers.sheets.sheet_grid import Grid, GridRow, column_name, repeat_spans
from localspec.stores.documents.readers.sheets.sheet_headers import header_count, is_lone

_HIDDEN_SHEET = " (hidden sheet)"
_HIDDEN_ROW = " (hidden row)"
_HIDDEN_COLUMN = " (hidden column)"
_UNNAMED = re.compile(
    r"(sheet|tabelle|feuil|hoja|foglio|planilha|blad|ark|taul|list|лист|arkusz|munka|sayfa|シート|工作表|시트)\s?_?\d*",
    re.IGNORECASE,
)
_TITLE_GAP = 3  # rows from a title to its table at most
_LINKED_GAP = 2


@dataclass(slots=True)
class Region:
    """Rows of a sheet that belong together, restricted to some columns."""

    rows: list[tuple[GridRow, int]]  # with the set of its columns that are filled in here
    columns: list[int] = field(default_factory=list)
    declared_header: int = 0
    titles: list[str] = field(default_factory=list)
    header_rows: int = 0

    def __post_init__(self) -> None:
        self._find_columns()

    def _find_columns(self) -> None:
        union = 0
        for _, mask in self.rows:
            union |= mask
        self.columns = columns_of(union)

    @property
    def top(self) -> int:
        """Number of its first row."""
        return self.rows[0][0].number

    @property
    def bottom(self) -> int:
        """Number of its last row."""
        return self.rows[-1][0].number

    def extend(self, rows: list[tuple[GridRow, int]]) -> None:
        """Add rows behind its last one."""
        self.rows += rows
        self._find_columns()

    def pop_first(self) -> str:
        """Take its first row away, which has one text; that text."""
        row, mask = self.rows.pop(0)
        self._find_columns()
        return row.text(columns_of(mask)[0])


def columns_of(mask: int) -> list[int]:
    """The columns of a set, from the left."""
    return [column for column in range(mask.bit_length()) if mask >> column & 1]


def write_grid(writer: BlockWriter, grid: Grid, cells: int) -> None:
    """Write a sheet's tables and single texts from above, each table under the text that names it, then its notes."""
    name = grid.name + (_HIDDEN_SHEET if grid.hidden else "")
    writer.turn(section=name)
    repeat_spans(grid, cells)
    is_named = grid.hidden or not _UNNAMED.fullmatch(grid.name)
    if is_named and (grid.rows or grid.notes):
        writer.add(name, "heading", 1)
    for region in _titled(grid, _joined(grid, _regions(grid))):
        titles = "\n".join(region.titles)
        if len(region.rows) == 1 and is_lone(*region.rows[0]):
            writer.add("\n".join(filter(None, [titles, _marked_text(grid, region)])))
            continue
        if region.titles:
            writer.add(titles, "caption")
        title = " ".join(titles.split())
        if not title and is_named:
            title = name
        writer.add_table(_table(grid, region, title))
    for row, column, author, text in sorted(grid.notes):
        value = next((one.text(column) for one in grid.rows if one.number == row), "")
        place = f"{column_name(column)}{row + 1}" + (f" ({value})" if value else "")
        writer.add(f"Note on {place}: {f'{author}: ' if author else ''}{text}", "note")


# -- where tables are --------------------------------------------------------------------------------------------------


def _regions(grid: Grid) -> list[Region]:
    """Declared tables, then what empty rows and columns part of the rest; from above and from the left."""
    left = [(row, row.filled) for row in grid.rows if row.filled]
    found: list[Region] = []
    for area in grid.declared:
        bits = (1 << (area.right + 1)) - (1 << area.left)
        inside = [(row, mask & bits) for row, mask in left if area.top <= row.number <= area.bottom and mask & bits]
        if inside:
            found.append(Region(inside, declared_header=area.header_rows))
            left = [
                (row, mask & ~bits if area.top <= row.number <= area.bottom else mask)
                for row, mask in left
                if mask & ~bits or not area.top <= row.number <= area.bottom
            ]
    pending = [left] if left else []
    while pending:
        for band in _bands(pending.pop()):
            groups = _column_groups(grid, band)
            if len(groups) == 1:
                found.append(Region(band))
            else:
                pending += [[(row, mask & bits) for row, mask in band if mask & bits] for bits in groups]
    return sorted(found, key=lambda region: (region.top, region.columns[0]))


def _bands(rows: list[tuple[GridRow, int]]) -> Iterator[list[tuple[GridRow, int]]]:
    """Runs of rows without an empty one between them."""
    start = 0
    for index in range(1, len(rows) + 1):
        if index == len(rows) or rows[index][0].number > rows[index - 1][0].number + 1:
            yield rows[start:index]
            start = index


def _column_groups(grid: Grid, rows: list[tuple[GridRow, int]]) -> list[int]:
    """Sets of columns that empty columns part into tables side by side. A column that only widens a gap in one table,
    or parts a label from its value, parts nothing."""
    union = 0
    for _, mask in rows:
        union |= mask
    groups: list[int] = []
    previous = -2
    for column in columns_of(union):
        gap = column - previous - 1
        is_spacer = gap > 0 and set(range(previous + 1, column)) <= grid.narrow_columns
        if not groups or (gap > 0 and not is_spacer):
            groups.append(0)
        groups[-1] |= 1 << column
        previous = column
    merged = groups[:1]
    for group in groups[1:]:
        if _is_table(rows, merged[-1]) and _is_table(rows, group):
            merged.append(group)
        else:
            merged[-1] |= group
    return merged


def _is_table(rows: list[tuple[GridRow, int]], bits: int) -> bool:
    return sum(1 for _, mask in rows if (mask & bits).bit_count() > 1) > 1


def _joined(grid: Grid, regions: list[Region]) -> list[Region]:
    """Regions with their headers; one behind an empty row that only goes on with the table above is part of it."""
    found: list[Region] = []
    for region in regions:
        _take_titles(region)
        region.header_rows = region.declared_header or header_count(grid, region.rows, region.columns)
        above = found[-1] if found else None
        if above is not None and _names(grid, above, region):
            above.header_rows = len(above.rows)
            above.extend(region.rows)
        elif above is not None and _goes_on(above, region):
            above.extend(region.rows)
        else:
            found.append(region)
    return found


def _take_titles(region: Region) -> None:
    """Texts that stand alone above the first row with several cells are its titles."""
    if region.declared_header:
        return
    count = 0
    while count < len(region.rows) - 1 and count < 4 and is_lone(*region.rows[count], whole=region.columns):
        count += 1
    if count and any(mask.bit_count() > 1 for _, mask in region.rows[count : count + 3]):
        region.titles = [region.pop_first() for _ in range(count)]


def _names(grid: Grid, above: Region, region: Region) -> bool:
    """Whether nothing but names stands above an empty row, as pandas writes names of several levels."""
    if len(above.columns) < 2 or region.top - above.bottom != 2 or not set(above.columns) <= set(region.columns):
        return False
    is_words = all(not row.numeric & mask for row, mask in above.rows)
    is_wide = any(span.row == above.top and span.columns > 1 for span in grid.spans)
    is_marked = all(_is_marked(*one) for one in above.rows)
    return is_words and (is_wide or is_marked) and not region.titles and not _is_marked(*region.rows[0])


def _goes_on(above: Region, region: Region) -> bool:
    gap = region.top - above.bottom - 1
    if region.titles or region.declared_header or above.declared_header or not above.header_rows:
        return False
    if not 0 < gap <= _LINKED_GAP or len(region.columns) < 2 or not set(region.columns) <= set(above.columns):
        return False
    numeric = 0
    for row, _ in above.rows[above.header_rows :]:
        numeric |= row.numeric
    first, mask = region.rows[0]
    is_marked = _is_marked(first, mask)
    if numeric & mask and not is_marked:
        return bool(first.numeric & mask)
    return not is_marked and (_is_marked(*above.rows[0]) or region.header_rows == 0)


def _is_marked(row: GridRow, mask: int) -> bool:
    return not mask & ~row.bold or not mask & ~row.shaded


def _titled(grid: Grid, regions: list[Region]) -> Iterator[Region]:
    """Regions in their order; a text that stands alone shortly above a table is its title and no region of its own."""
    waiting: list[Region] = []
    for region in regions:
        if len(region.rows) == 1 and is_lone(*region.rows[0]) and not region.titles:
            waiting.append(region)
            continue
        near = [
            one
            for one in waiting
            if 0 < region.top - one.bottom <= _TITLE_GAP
            and region.columns[0] - 1 <= one.columns[0] <= region.columns[-1]
        ]
        yield from (one for one in waiting if one not in near)
        region.titles = [text for one in near for text in _marked_text(grid, one).split("\n")] + region.titles
        waiting = []
        yield region
    yield from waiting


# -- what they hold ----------------------------------------------------------------------------------------------------


def _marked_text(grid: Grid, region: Region) -> str:
    row, mask = region.rows[0]
    column = columns_of(mask)[0]
    hidden = _HIDDEN_ROW if row.hidden else _HIDDEN_COLUMN if column in grid.hidden_columns else ""
    return row.text(column) + hidden


def _table(grid: Grid, region: Region, title: str) -> Table:
    columns = region.columns
    whole = columns == list(range(len(columns)))
    rows: list[tuple[str, ...]] = []
    for row, mask in region.rows:
        if whole and mask == row.filled:
            cells = row.cells + [""] * (len(columns) - len(row.cells))
        else:
            cells = [row.text(column) if mask >> column & 1 else "" for column in columns]
        if row.hidden:
            first = next((index for index, cell in enumerate(cells) if cell), 0)
            cells[first] += _HIDDEN_ROW
        rows.append(tuple(cells))
    marked = [index for index, column in enumerate(columns) if column in grid.hidden_columns]
    if marked and rows:
        at = max(0, region.header_rows - 1)
        names = list(rows[at])
        for index in marked:
            names[index] = (names[index] + _HIDDEN_COLUMN).strip()
        rows[at] = tuple(names)
    return Table(tuple(rows), min(region.header_rows, len(rows)), title, tuple(_spans(grid, region)))


def _spans(grid: Grid, region: Region) -> Iterator[Span]:
    """The sheet's spans by the places of the table."""
    if not grid.spans:
        return
    row_at = {row.number: index for index, (row, _) in enumerate(region.rows)}
    column_at = {column: index for index, column in enumerate(region.columns)}
    for span in grid.spans:
        end_row, end_column = span.row + span.rows - 1, span.column + span.columns - 1
        if span.row in row_at and end_row in row_at and span.column in column_at and end_column in column_at:
            row, column = row_at[span.row], column_at[span.column]
            yield Span(row, column, row_at[end_row] - row + 1, column_at[end_column] - column + 1)
