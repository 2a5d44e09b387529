"""Which rows of a spreadsheet's table name its columns: by how they are marked, else by what stands below them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from localspec.stores.documents.readers.sheets.sheet_grid import Grid, GridRow

MOST_HEADER_ROWS = 5
_LOOKED_AT = 200  # rows below a header that tell what its columns hold
_NAME_CHARACTERS = 80
_YEAR = re.compile(r"(19|20|21)\d\d")

Rows = Sequence[tuple[GridRow, int]]
"""Rows with the set of their columns that are filled and belong to the table, as a number with a bit for each."""


def is_lone(row: GridRow, mask: int, whole: Sequence[int] = ()) -> bool:
    """Whether a row has one text alone, in one cell or in one over several columns; of a table with the columns `whole`
    that covers all of them, or is the first."""
    own = mask & ~row.covered
    if own.bit_count() != 1 or row.numeric & mask:
        return False
    if mask != own:
        column = own.bit_length() - 1
        texts = {row.text(at) for at in range(mask.bit_length()) if mask >> at & 1}
        if texts != {row.text(column)}:
            return False
        return not whole or len(whole) == mask.bit_count() or column == whole[0]
    return not whole or own.bit_length() - 1 == whole[0]


def header_count(grid: Grid, rows: Rows, columns: Sequence[int]) -> int:
    """Rows at the top of a table that name its columns; 0 if none does."""
    count = _header_count(grid, rows, columns)
    if 0 < count < len(rows) - 1:
        # pandas writes the names of the first columns on a row of their own, where the rows above leave gaps.
        row, mask = rows[count]
        above = 0
        for _, filled in rows[:count]:
            above |= filled
        if mask and not mask & above and not row.numeric & mask and (mask | above).bit_count() == len(columns):
            return count + 1
    return count


def _header_count(grid: Grid, rows: Rows, columns: Sequence[int]) -> int:
    if len(rows) < 2:
        return 0
    top = rows[0][0].number
    for end in sorted(grid.header_ends):
        count = sum(1 for row, _ in rows[: MOST_HEADER_ROWS + 1] if row.number <= end)
        if top <= end and 0 < count <= MOST_HEADER_ROWS and count < len(rows):
            return count
    below_spans = _below_spans(grid, rows, columns)
    marked = _marked_rows([(row.bold, mask) for row, mask in rows]) or _marked_rows(
        [(row.shaded, mask) for row, mask in rows]
    )
    numbers = next((index for index, one in enumerate(rows[:marked]) if _has_numbers(*one)), marked)
    if below_spans or marked:
        return max(below_spans, numbers, 1)
    return 1 if not _looks_like_data(rows, columns) else 0


def _below_spans(grid: Grid, rows: Rows, columns: Sequence[int]) -> int:
    """Rows down to the names below headings that span several columns; 0 if the first row has no such heading."""
    ends: dict[int, int] = {}  # of the last row that each heading reaches, by the row where it stands
    wide: set[int] = set()
    left, right = columns[0], columns[-1]
    top = rows[0][0].number
    for span in grid.spans:
        if left <= span.column <= right and top <= span.row < top + MOST_HEADER_ROWS:
            ends[span.row] = max(ends.get(span.row, 0), span.row + span.rows - 1)
            if span.columns > 1 and span.columns < len(columns):
                wide.add(span.row)
    if top not in wide:
        return 0
    count = 1
    while count < min(len(rows) - 1, MOST_HEADER_ROWS):
        row, mask = rows[count]
        reaches = any(
            end >= row.number for start, end in ends.items() if start < row.number and start <= top + count - 1
        )
        before = rows[count - 1][0].number
        if not (before in wide or (reaches and not row.numeric & mask)) or _has_numbers(row, mask):
            break
        count += 1
    return count


def _has_numbers(row: GridRow, mask: int) -> bool:
    """Numbers other than years and dates, which name columns, too."""
    numbers = row.numeric & mask & ~row.dates & ~row.covered
    return any(not _YEAR.fullmatch(row.text(at)) for at in range(numbers.bit_length()) if numbers >> at & 1)


def _marked_rows(rows: Sequence[tuple[int, int]]) -> int:
    """Rows at the top all of whose cells are in the first set; 0 where the rows below are as well."""
    count = 0
    for marks, mask in rows[: MOST_HEADER_ROWS + 1]:
        if mask & ~marks:
            break
        count += 1
    return count if count <= MOST_HEADER_ROWS and count < len(rows) else 0


def _looks_like_data(rows: Rows, columns: Sequence[int]) -> bool:
    """Whether the first row is like those below it: numbers above numbers, or values beside their labels."""
    first, mask = rows[0]
    body = rows[1:_LOOKED_AT]
    labels = [row.text(columns[0]).rstrip() for row, _ in rows[:_LOOKED_AT]]
    if sum(1 for label in labels if label.endswith((":", "："))) * 2 > len(labels):
        return True
    numbers = dates = filled = 0
    counts: dict[int, list[int]] = {column: [0, 0, 0] for column in columns}
    for row, row_mask in body:
        for column in columns:
            if row_mask >> column & 1:
                count = counts[column]
                count[0] += 1
                count[1] += row.numeric >> column & 1
                count[2] += row.dates >> column & 1
    for column, (total, numeric, dated) in counts.items():
        bit = 1 << column
        filled |= bit if total else 0
        numbers |= bit if total and numeric * 2 >= total else 0
        dates |= bit if total and dated * 2 >= total else 0
    same = first.numeric & mask & numbers
    different = same & (first.dates ^ dates)
    years = 0
    for column in columns:
        if same >> column & 1 and _YEAR.fullmatch(first.text(column)):
            below = sum(1 for row, row_mask in body if row_mask >> column & 1 and _YEAR.fullmatch(row.text(column)))
            years |= (1 << column) if below * 2 < counts[column][0] else 0
    if same & ~different & ~years:
        return True
    if first.numeric & mask & ~numbers & ~first.dates:
        return True  # a number above texts names nothing
    if numbers & mask & ~first.numeric or years or different:
        return False
    return _is_list_of_values(rows, columns)


def _is_list_of_values(rows: Rows, columns: Sequence[int]) -> bool:
    """Of texts alone: a gap in the first row, or what is too long or said twice for a name."""
    first, mask = rows[0]
    if len(columns) == 1:
        return True
    texts = [first.text(column) for column in columns if mask >> column & 1]
    if mask.bit_count() < len(columns) - 1 or any(len(text) > _NAME_CHARACTERS for text in texts):
        return True
    if len(set(texts)) < len(texts) and not first.covered:
        return True
    if len(columns) == 2:  # labels in bold beside their values
        marked = [row.bold & row_mask for row, row_mask in rows[:_LOOKED_AT]]
        first_bit = 1 << columns[0]
        return len(rows) > 1 and all(found == first_bit for found in marked)
    return False
