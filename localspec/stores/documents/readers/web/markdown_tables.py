"""Tables that pandoc's Markdown draws with rules and grids, as tables with bars, which every parser knows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from localspec.stores.documents.blocks import Table
from localspec.stores.documents.readers.plain_tables import MOST_ROWS, drawn_table, multiline_table

_DRAWN = re.compile(r" {0,3}(?:\+[-=:]{3}|-{3})")
_RULE = re.compile(r" *-{2,}(?: +-{2,})+ *$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_CAPTION = re.compile(r" {0,3}(?:Table)?: +(\S.{0,300})")


def with_bars(text: str) -> str:
    """`text` with such tables written as `| cell | cell |`, a caption below them above. What stands in fences stays."""
    if "\n+--" not in text and "-- --" not in text and "-  --" not in text:
        return text
    parts = re.split(r"(\n[ \t]*(?:\n[ \t]*)*\n)", f"\n\n{text}")  # paragraphs and what parts them
    groups = [part.split("\n") for part in parts[::2]]
    found: list[str] = []
    fence = ""
    at = 0
    while at < len(groups):
        group = groups[at]
        table, count = (None, 1) if fence else _table(groups, at)
        if table is None:
            for line in group:
                mark = _FENCE.match(line)
                if mark and not fence:
                    fence = mark[1]
                elif mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                    fence = ""
            found.append("\n".join(group))
        else:
            caption = _CAPTION.fullmatch(" ".join(groups[at + count])) if at + count < len(groups) else None
            found.append((f"{caption[1]}\n\n" if caption else "") + "\n".join(_lines(table)))
            count += caption is not None
        at += count
        found += parts[2 * at - 1 : 2 * at]
    return "".join(found)[2:]


def _table(groups: Sequence[Sequence[str]], at: int) -> tuple[Table | None, int]:
    """The table that the paragraphs from there on draw, and how many they are."""
    first = groups[at]
    if not (_DRAWN.match(first[0]) or (len(first) > 2 and _RULE.match(first[1]))):
        return None, 1
    several = multiline_table(groups[at : at + MOST_ROWS])
    table, count = several if several is not None else (drawn_table(first), 1)
    return (table, count) if table is not None and table.header_rows == 1 else (None, 1)


def _lines(table: Table) -> list[str]:
    # A line end that a backslash keeps is a space by now.
    rows = [[cell.replace("\\ ", " ").replace("|", "\\|") for cell in row] for row in table.rows]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [lines[0], f"|{' --- |' * len(table.rows[0])}", *lines[1:]]
