"""Cuts a table into parts that can be read alone: each begins with the table's title and the names of its columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from localspec.stores.documents.blocks import CELL_SEPARATOR, Table
from localspec.stores.documents.cutting import Ruler, pieces, shortened

_NAME_SHARE = 6
"""A column's name may take this part of a passage; longer ones are no names but text."""
_TITLE_SHARE = 4
_KEY_SHARE = 6


def table_parts(table: Table, room: int, first: int, ruler: Ruler) -> list[str]:
    """The rows of a table in texts of at most `room` tokens, of which the first has at most `first` where that holds a
    row. No row is cut but one that is longer than a passage: that one between its cells, and each part begins with the
    first of them, its key. Header rows and title stand in each text."""
    rows = [row for row in table.rows if any(row)]
    named = sum(any(row) for row in table.rows[: table.header_rows])
    header, body = rows[:named], rows[named:]
    names = [name for row in header for name in row if name]
    if names and max(ruler.sizes(names)) > room // _NAME_SHARE:
        header, body = [], rows
    title = shortened(table.title, room // _TITLE_SHARE, ruler)
    top = [title] if title else []
    # One that is too long to stand everywhere stands once as it is.
    parts = [text for text, _ in pieces(table.title, room, ruler)] if title != table.title else []
    lead = [*top, *map(_line, header)]
    if not body:
        header, body, lead = [], rows, top
    space = room - sum(ruler.sizes(lead))
    lines = [_line(row) for row in body]
    sizes = ruler.sizes(lines)
    whole = sum(size for size in sizes if size <= space)
    taken: list[str] = []
    filled = 0
    free = first - (room - space)
    # Of about the same size, so that no part holds a last row alone.
    target = whole if whole <= free else whole / max(1, -(-whole // max(1, space)))
    for row, line, size in zip(body, lines, sizes, strict=True):
        if size > space:
            if taken:
                parts.append("\n".join([*lead, *taken]))
            taken, filled, free = [], 0, space
            parts += _cut_row(row, header, top, room, ruler)
            continue
        if taken and (filled + size > free or filled + size / 2 > target):
            parts.append("\n".join([*lead, *taken]))
            taken, filled, free = [], 0, space
        taken.append(line)
        filled += size
    if taken:
        parts.append("\n".join([*lead, *taken]))
    return parts


def _cut_row(
    row: Sequence[str], header: Sequence[Sequence[str]], top: Sequence[str], room: int, ruler: Ruler
) -> Iterator[str]:
    """One row in parts, each with its key and the names of the columns that it holds."""
    at_key = next(column for column, cell in enumerate(row) if cell)
    key = shortened(row[at_key], room // _KEY_SHARE, ruler)
    is_key = bool(header) or key == row[at_key]  # a text in a table without column names is none
    columns = [column for column in range(len(row)) if column != at_key or key != row[at_key]]
    keys = [at_key] if is_key else []
    space = room - sum(ruler.sizes([*top, *([key, *(names[at_key] for names in header)] if is_key else ())]))
    costs = [sum(ruler.sizes([row[column], *(names[column] for names in header)])) for column in columns]
    costs = [cost + 1 + len(header) for cost in costs]  # and what parts them
    group: list[int] = []
    filled = 0
    for column, cost in zip(columns, costs, strict=True):
        if group and filled + cost > space:
            yield _part(top, header, row, keys, key, group)
            group, filled = [], 0
        if cost > space:
            names = sum(ruler.sizes([names[column] for names in header])) + 1 + len(header)
            for text, _ in pieces(row[column], max(1, space - names), ruler):
                cut = [text if at == column else cell for at, cell in enumerate(row)]
                yield _part(top, header, cut, keys, key, [column])
            continue
        group.append(column)
        filled += cost
    if group:
        yield _part(top, header, row, keys, key, group)


def _part(
    top: Sequence[str],
    header: Sequence[Sequence[str]],
    row: Sequence[str],
    keys: list[int],
    key: str,
    columns: list[int],
) -> str:
    names = [_line([line[column] for column in (*keys, *columns)]) for line in header]
    return "\n".join([*top, *names, _line([*(key for _ in keys), *(row[column] for column in columns)])])


def _line(cells: Sequence[str]) -> str:
    return CELL_SEPARATOR.join(cells)
