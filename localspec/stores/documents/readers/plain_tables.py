"""Tables that are drawn with signs in plain text: grids of `+---+`, rows between bars, columns under rules."""

from __future__ import annotations

import re
from collections.abc import Sequence

from localspec.stores.documents.blocks import Table

_BORDER = re.compile(r"[+|]?[-=+|: \u2500-\u257f]{3,}[+|]?")
_DRAWN = str.maketrans({"│": "|", "┃": "|", "║": "|", "─": "-", "━": "-", "═": "=", "┼": "+", "╪": "+", "╬": "+"})
_LONG_RULE = re.compile("-{6,}")
MOST_ROWS = 500
"""Of a table with empty lines between its rows."""
_CELL = re.compile(r"(?:^|(?<=\s))(?:\d*(?:\.\d+)?[+*])?[<^>]?[aehlmsd]?\|")  # of AsciiDoc, with what says its form
_RULES = re.compile(r"[=-]{2,}(?:[ \t]+[=-]{2,})+")


def drawn_table(lines: Sequence[str]) -> Table | None:
    """The table that the lines of a paragraph draw; None where they draw none, or cells over several places."""
    texts = [line.strip() for line in lines]
    is_barred = len(texts) >= 3 and texts[0][:1] in "+|┌╔├┏" and texts[-1][:1] in "+|└╚┗├"
    if is_barred and "|" in texts[1].translate(_DRAWN):
        return _barred([text.translate(_DRAWN) for text in texts])
    if len(lines) >= 3 and _RULES.fullmatch(texts[0]) and texts[0] == texts[-1]:
        return _ruled([line.expandtabs() for line in lines])
    if len(lines) >= 3 and _RULES.fullmatch(texts[1]) and not _RULES.fullmatch(texts[0]):
        return _ruled([line.expandtabs() for line in (lines[1], lines[0], *lines[1:], lines[1])])
    return None


def multiline_table(groups: Sequence[Sequence[str]]) -> tuple[Table, int] | None:
    """The table that these paragraphs begin with, and how many belong to it: pandoc parts the rows of a table whose
    cells have several lines by empty lines, and puts it between two long rules. None where there is none."""
    first = [line.strip() for line in groups[0]]
    rule = next((number for number, text in enumerate(first) if number and _RULES.fullmatch(text)), 0)
    if not rule or not _LONG_RULE.fullmatch(first[0]) or len(first[0]) < len(first[rule]):
        return None
    ends = (n for n, group in enumerate(groups[:MOST_ROWS], 1) if len(group) > 1 and group[-1].strip() == first[0])
    count = next(ends, 0)
    if not count:
        return None
    starts = [found.start() for found in re.finditer("-+", groups[0][rule].expandtabs())]
    rows = [groups[0][1:rule], groups[0][rule + 1 :], *groups[1:count]]
    rows[-1] = rows[-1][:-1]
    cells = [[_columns(line.expandtabs(), starts) for line in row] for row in rows if row]
    return Table.of(
        [[" ".join(filter(None, column)) for column in zip(*row, strict=True)] for row in cells], header_rows=1
    ), count


def _columns(line: str, starts: Sequence[int]) -> list[str]:
    return [line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]


def asciidoc_table(lines: Sequence[str]) -> Table | None:
    """The table between the marks of AsciiDoc (`|===`): rows on one line each, or cells one below another. None where
    cells do not fill their rows."""
    written = [line for line in lines if line.strip()]
    rows = [[cell.strip() for cell in _CELL.split(line)] for line in written]
    if not rows or not all(row[0] == "" and len(row) > 1 for row in rows):
        return None
    rows = [row[1:] for row in rows]
    width = len(rows[0])
    cells = [cell for row in rows for cell in row]
    if len(cells) % width:
        return None
    has_header = len(lines) > 1 and bool(lines[0].strip()) and not lines[1].strip()
    made = [cells[start : start + width] for start in range(0, len(cells), width)]
    return Table.of(made, header_rows=int(has_header))


def _barred(texts: list[str]) -> Table | None:
    """Rows between bars. With a border between all of them, several lines are one row."""
    groups: list[list[list[str]]] = [[]]
    strong = 0  # rows above a border of double lines
    for text in texts:
        if text[0] != "|" or _BORDER.fullmatch(text):
            if text[0] not in "+|┌└├╔╚┏┗" or (text[0] == "+" and not _BORDER.fullmatch(text)):
                return None
            if groups[-1]:
                strong = strong or (len(groups) if "=" in text else 0)
                groups.append([])
            continue
        groups[-1].append([cell.strip() for cell in text.strip("|").split("|")])
    groups = [group for group in groups if group]
    widths = {len(cells) for group in groups for cells in group}
    if len(widths) != 1:
        return None
    if len(groups) > 2 or (len(groups) == 2 and strong):
        rows = [[" ".join(filter(None, column)) for column in zip(*group, strict=True)] for group in groups]
        return Table.of(rows, header_rows=strong or 1)
    rows = [cells for group in groups for cells in group]
    return Table.of(rows, header_rows=len(groups[0]) if len(groups) == 2 else 0)


def _ruled(lines: list[str]) -> Table | None:
    """Columns under rules (reStructuredText's simple tables, output of databases)."""
    starts = [found.start() for found in re.finditer(r"[=-]+", lines[0])]
    ends = [*starts[1:], None]
    rows: list[list[str]] = []
    header_rows = 0
    for line in lines[1:-1]:
        if _RULES.fullmatch(line.strip()):
            header_rows = header_rows or len(rows)
            continue
        if any(line[start - 1 : start].strip() for start in starts[1:]):
            return None  # a cell runs over the rule
        cells = [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]
        if rows and not cells[0] and len(rows) != header_rows:
            rows[-1] = [" ".join(filter(None, pair)) for pair in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(cells)
    return Table.of(rows, header_rows=header_rows) if rows else None
