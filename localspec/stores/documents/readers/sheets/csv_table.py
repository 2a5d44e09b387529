"""The reader of tables in text: CSV, TSV and what spreadsheets of other languages write instead (RFC 4180, loosely)."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator

from localspec.stores.documents.blocks import CELL_SEPARATOR
from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits
from localspec.stores.documents.readers.encodings import clean, decode, one_line
from localspec.stores.documents.readers.plain import read_text
from localspec.stores.documents.readers.sheets.sheet_grid import MOST_COLUMNS, Grid, GridRow
from localspec.stores.documents.readers.sheets.sheet_tables import write_grid

_DELIMITERS = ",;\t|"
_SAMPLE_CHARACTERS = 64 * 1024
_SAMPLE_ROWS = 300
_AGREED = 0.6  # of the sample's rows have as many cells as most, where it is a table
_LONGEST_CELL = 200  # lines; a longer one began with a quotation mark that is none
_ROWS_OF_REST = 500
_DECLARED = re.compile(r"sep=([^\r\n])\r?\n", re.IGNORECASE)
_NUMBER = re.compile(r"[-+(]?\s?[€$£¥]?\s?\d[\d.,'\s]*(?:[eE][-+]?\d+)?\s?(?:%|€|\$|£|¥)?\)?")
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?(?:[T ].*)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?: .*)?|\d{1,2}:\d\d(?::\d\d)?")


def read_csv(data: bytes, limits: ParseLimits) -> Content:
    """A table in text by the delimiter that its rows agree on, with the names of its columns; plain text where they
    agree on none. Behind `limits.cells` cells, rows are lines of text that begin with the names, too."""
    text, warning = decode(data)
    text = clean(text)
    declared = _DECLARED.match(text)
    start = declared.end() if declared else 0
    sample = text[start : start + _SAMPLE_CHARACTERS]
    if len(text) - start > _SAMPLE_CHARACTERS:
        sample = sample[: sample.rfind("\n") + 1] or sample
    delimiter = declared[1] if declared else _delimiter(sample)
    if not delimiter:
        return read_text(data, "text", limits)
    writer = BlockWriter(limits)
    rows = _records(text[start:], delimiter, sample)
    grid = Grid()
    left = limits.cells
    for number, record in rows:
        row = _row(number, record)
        left -= row.filled.bit_count()
        if row.filled:
            grid.rows.append(row)
        if left <= 0:
            break
    write_grid(writer, grid, limits.cells)
    header = next((block.table for block in writer.blocks if block.table is not None and block.table.header_rows), None)
    names = header.lines()[: header.header_rows] if header is not None else []
    warnings = (warning,) if warning else ()
    if left <= 0 and _write_rest(writer, rows, names):
        note = f"The table is very large: behind its first {limits.cells:,} cells it was read as lines of text."
        warnings = (*warnings, note)
    return Content("", "csv", writer.blocks, None, warnings)


def _delimiter(sample: str) -> str:
    """The delimiter that the rows of a sample agree on; '' if none."""
    best, best_score = "", 0.0
    for delimiter in _DELIMITERS:
        if delimiter not in sample:
            continue
        rows = [
            row for _, (_, row) in zip(range(_SAMPLE_ROWS), _records(sample, delimiter, sample), strict=False) if row
        ]
        widths = Counter(len(row) for row in rows if len(row) > 1)
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        cells = [cell for row in rows for cell in row]
        # A comma inside of numbers parts cells that still hold the true delimiter.
        mixed = sum(1 for cell in cells if any(other in cell for other in ";\t|" if other != delimiter)) / len(cells)
        agreed = count / max(1, len(rows))
        # Commas of a sentence part its words, too: few rows of many lengths are text.
        score = agreed * (1 - mixed) + min(width, 20) / 1000
        if agreed >= _AGREED and score > best_score and not (delimiter == "," and _is_prose(rows)):
            best, best_score = delimiter, score
    return best


def _is_prose(rows: list[list[str]]) -> bool:
    """Whether cells are parts of sentences: a space follows most commas, and words follow that."""
    behind = [cell for row in rows for cell in row[1:]]
    spaced = sum(1 for cell in behind if cell[:1] == " " and cell[1:2].isalpha())
    return bool(behind) and spaced * 2 > len(behind) and len({len(row) for row in rows}) > 1


def _records(text: str, delimiter: str, sample: str) -> Iterator[tuple[int, list[str]]]:
    """Records with their numbers from 0 on; cells may hold line breaks and quotation marks."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    if _quotes_are_words(sample, delimiter):
        return enumerate(line.split(delimiter) if line else [] for line in text.split("\n"))
    return enumerate(_quoted(text, delimiter, sample))


def _quoted(text: str, delimiter: str, sample: str, *, strict: bool = False) -> Iterator[list[str]]:
    escaped = '\\"' in sample and '""' not in sample.replace('\\"', "")
    return csv.reader(
        text.splitlines(keepends=True),
        delimiter=delimiter,
        doublequote=not escaped,
        escapechar="\\" if escaped else None,
        strict=strict,
    )


def _quotes_are_words(sample: str, delimiter: str) -> bool:
    """Whether quotation marks are part of the words, as inches: cells that begin with one do not end with one, and more
    rows are alike without them."""
    try:
        records = list(_quoted(sample, delimiter, sample, strict=True))
        if not any(cell.count("\n") > _LONGEST_CELL for record in records for cell in record):
            return False
    except csv.Error as error:
        if "unexpected end" in str(error):
            return sample.count('"') == 1
        records = list(_quoted(sample, delimiter, sample))
    plain = [line.split(delimiter) for line in sample.split("\n")]
    return _alike(plain) > _alike(records)


def _alike(rows: list[list[str]]) -> int:
    """Rows of the commonest number of cells."""
    widths = Counter(len(row) for row in rows if len(row) > 1)
    return widths.most_common(1)[0][1] if widths else 0


def _row(number: int, record: list[str]) -> GridRow:
    row = GridRow(number)
    for column, cell in enumerate(record[:MOST_COLUMNS]):
        text = cell if cell.isalnum() and cell.isascii() else one_line(cell)
        if text:
            first = text[0]
            may_count = not first.isalpha()
            dated = may_count and _DATE.fullmatch(text) is not None
            row.put(column, text, numeric=dated or (may_count and _NUMBER.fullmatch(text) is not None), date=dated)
    return row


def _write_rest(writer: BlockWriter, rows: Iterator[tuple[int, list[str]]], names: list[str]) -> bool:
    """Write further records as lines, each part under the names of the columns; whether there were any."""
    lines: list[str] = []
    found = False
    for _, record in rows:
        if any(record):
            lines.append(CELL_SEPARATOR.join(map(one_line, record)))
        if len(lines) >= _ROWS_OF_REST:
            writer.add("\n".join([*names, *lines]))
            lines, found = [], True
    writer.add("\n".join([*names, *lines]) if lines else "")
    return found or bool(lines)
