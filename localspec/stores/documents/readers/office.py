"""The reader of XLSX."""

from __future__ import annotations

import datetime
from pathlib import Path

from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits
from localspec.stores.documents.readers.plain import one_line


def read_xlsx(path: Path, limits: ParseLimits) -> Content:
    """Rows of every sheet as `a | b | c`; formulas show the value that was last calculated."""
    from openpyxl import load_workbook

    workbook = load_workbook(path, read_only=True, data_only=True, keep_links=False)
    writer = BlockWriter(limits)
    warnings: list[str] = []
    # Empty cells before a filled one are cheap but not free: one row can be 16,384 cells wide.
    filled, visited = limits.cells, limits.cells * 20
    for sheet in workbook.worksheets:
        sheet.reset_dimensions()  # what the file claims about its size may be wrong or hostile
        lines: list[str] = []
        for row in sheet.iter_rows(values_only=True):
            cells = [_cell_text(value) for value in row]
            filled -= sum(1 for cell in cells if cell)
            visited -= len(cells) + 1
            if filled < 0 or visited < 0:
                break
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                lines.append(" | ".join(cells))
        writer.turn(section=one_line(sheet.title))
        writer.add("\n".join(lines))
        if filled < 0 or visited < 0:
            warnings.append(
                f"The workbook is very large: only about the first {limits.cells:,} filled cells were read "
                f"(up to sheet '{one_line(sheet.title)}')."
            )
            break
    title = one_line(workbook.properties.title or "")
    workbook.close()
    return Content(title, "xlsx", writer.blocks, None, tuple(warnings))


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.datetime):
        whole_day = value.time() == datetime.time()
        return value.date().isoformat() if whole_day else value.isoformat(sep=" ", timespec="seconds")
    return one_line(str(value))
