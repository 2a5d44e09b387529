"""Tables of Word documents: rows, merged cells and the rows that name the columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from localspec.stores.documents.blocks import Span, Table
from localspec.stores.documents.readers import table_headers
from localspec.stores.documents.readers.office.office_xml import Element, child, is_on, value_of, whole_number

_WRAPPERS = {"w:sdt", "w:sdtContent", "w:ins", "w:moveTo", "w:customXml", "w:smartTag"}
_WIDEST = 1000  # columns that one cell may span
_FIRST_ROW = 0x20  # of the older form of `w:tblLook`


def nearest(parent: Element, name: str) -> Iterator[Element]:
    """Rows of a table or cells of a row, through controls and insertions, but not those of the tables in its cells."""
    for one in parent:
        if one.tag == name:
            yield one
        elif one.tag in _WRAPPERS:
            yield from nearest(one, name)


def rows_of(table: Element) -> list[Element]:
    """Rows that were not deleted."""
    return [row for row in nearest(table, "w:tr") if child(row, "w:trPr", "w:del") is None and not _is_hidden(row)]


def _is_hidden(row: Element) -> bool:
    return is_on(child(row, "w:trPr", "w:hidden"))


def cells_of(row: Element) -> list[Element]:
    """Cells that were not deleted."""
    return [cell for cell in nearest(row, "w:tc") if child(cell, "w:tcPr", "w:cellDel") is None]


def read_table(table: Element, text_of: Callable[[Element], str], *, title: str = "") -> Table:
    """The table with what `text_of` says of its cells, which are asked for in their order; spans repeat their text."""
    grid: list[list[str]] = []
    spans: dict[tuple[int, int], Span] = {}
    open_spans: dict[int, tuple[int, int]] = {}  # by column: where a cell began that goes on below
    marked = 0
    rows = rows_of(table)
    for number, row in enumerate(rows):
        line = [""] * min(whole_number(value_of(row, "w:trPr", "w:gridBefore")), _WIDEST)
        still_open: dict[int, tuple[int, int]] = {}
        for cell in cells_of(row):
            column = len(line)
            wide = min(max(whole_number(value_of(cell, "w:tcPr", "w:gridSpan"), 1), 1), _WIDEST)
            merge = child(cell, "w:tcPr", "w:vMerge")
            across = child(cell, "w:tcPr", "w:hMerge")
            begin = open_spans.get(column)
            if across is not None and across.get("w:val") != "restart" and line:
                line.append(line[-1])
                _widen(spans, number, column)
                continue
            if merge is not None and merge.get("w:val", "continue") != "restart" and begin is not None:
                first = spans[begin]
                spans[begin] = first._replace(rows=number - first.row + 1)
                line += [grid[first.row][first.column]] * wide
                still_open[column] = begin
                text_of(cell)
                continue
            line += [text_of(cell)] * wide
            if wide > 1 or merge is not None or across is not None:
                spans[number, column] = Span(number, column, 1, wide)
                if merge is not None:
                    still_open[column] = (number, column)
        open_spans = still_open
        grid.append(line)
        if marked == number and is_on(child(row, "w:trPr", "w:tblHeader")):
            marked += 1
    kept = [span for span in spans.values() if span.rows > 1 or span.columns > 1]
    return Table.of(grid, header_rows=_header_rows(table, grid, kept, marked), title=title, spans=kept)


def _widen(spans: dict[tuple[int, int], Span], row: int, column: int) -> None:
    """A cell in the older form of merging goes on to the right."""
    for begin in range(column - 1, -1, -1):
        if (row, begin) in spans:
            spans[row, begin] = spans[row, begin]._replace(columns=column - begin + 1)
            return


def _header_rows(table: Element, grid: list[list[str]], spans: list[Span], marked: int) -> int:
    if marked:
        return marked if marked < len(grid) else min(1, len(grid) - 1)
    look = child(table, "w:tblPr", "w:tblLook")
    named = look.get("w:firstRow") if look is not None else None
    if named is None and look is not None:
        try:
            named = "1" if int(look.get("w:val") or "0", 16) & _FIRST_ROW else "0"
        except ValueError:
            named = None
    if named in ("1", "true", "on") and len(grid) > 1 and not any(map(table_headers.is_value, grid[0])):
        return table_headers.with_spans(grid, spans, 1)
    return table_headers.guessed(grid, spans)
