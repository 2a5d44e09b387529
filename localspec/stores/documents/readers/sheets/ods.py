"""The reader of OpenDocument spreadsheets (ODS): what their cells show, in tables (OpenDocument 1.3, part 3, 9)."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from localspec.stores.documents.blocks import Span
from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits, UnreadableError
from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.office.office_xml import Element, local_name, parse_xml, whole_number
from localspec.stores.documents.readers.office.opendocument import chart_of
from localspec.stores.documents.readers.sheets.ods_pages import page_texts
from localspec.stores.documents.readers.sheets.sheet_grid import MOST_COLUMNS, CellNote, Grid, GridRow
from localspec.stores.documents.readers.sheets.sheet_tables import write_grid

_DAMAGED = UnreadableError(
    "is damaged: its content is missing.", "Get the file again, or open it in its own program and save it again."
)
_LOCKED = UnreadableError("is protected by a password.", "Save a copy without a password and add that.")
_NUMERIC = frozenset({"float", "percentage", "currency", "date", "time", "boolean"})
_DRAWN = frozenset({"frame", "custom-shape", "rect", "ellipse", "g", "caption", "a"})
_MOST_REPEATED = 1000  # rows that say the same; spreadsheets hold a million of them


@dataclass(slots=True)
class _Styles:
    """Names of styles that matter."""

    bold: set[str] = field(default_factory=set)
    shaded: set[str] = field(default_factory=set)
    hidden_tables: set[str] = field(default_factory=set)
    pages: dict[str, None] = field(default_factory=dict)  # master pages of tables, in their order

    def note(self, style: Element) -> None:
        name = _attribute(style, "name")
        parent = _attribute(style, "parent-style-name")
        if page := _attribute(style, "master-page-name"):
            self.pages[page] = None
        for names in (self.bold, self.shaded):
            if parent in names:
                names.add(name)
        for one in style:
            kind = local_name(one.tag)
            if kind == "text-properties" and _attribute(one, "font-weight") in ("bold", "600", "700", "800", "900"):
                self.bold.add(name)
            elif kind == "table-cell-properties" and _attribute(one, "background-color") not in ("", "transparent"):
                self.shaded.add(name)
            elif kind == "table-properties" and _attribute(one, "display") == "false":
                self.hidden_tables.add(name)


@dataclass(slots=True)
class _Drawn:
    """What floats above a sheet."""

    texts: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)  # parts, such as charts

    def take(self, element: Element) -> None:
        """Note the texts and objects of a frame or shape."""
        inside = {id(line) for one in element.iter() if local_name(one.tag) == "object" for line in one.iter()}
        for one in element.iter():
            name = local_name(one.tag)
            if name == "object" and _attribute(one, "href"):
                self.objects.append(f"{_attribute(one, 'href').removeprefix('./').strip('/')}/content.xml")
            elif name in ("p", "h") and id(one) not in inside and (text := one_line(_line(one))):
                self.texts.append(text)


def read_ods(path: Path, limits: ParseLimits) -> Content:
    """Tables, single texts and notes of every sheet as they are shown; what is hidden is there and says so."""
    with zipfile.ZipFile(path) as archive:
        return _read_archive(archive, limits)


def _read_archive(archive: zipfile.ZipFile, limits: ParseLimits) -> Content:
    names = set(archive.namelist())
    if "META-INF/manifest.xml" in names and b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise _LOCKED
    if "content.xml" not in names:
        raise _DAMAGED
    title = ""
    if "meta.xml" in names:
        found = next((one for one in parse_xml(archive.read("meta.xml")).iter() if one.tag == "dc:title"), None)
        title = one_line(found.text or "") if found is not None else ""
    reader = _SheetReader(limits.cells)
    styles = parse_xml(archive.read("styles.xml")) if "styles.xml" in names else None
    for style in styles.iter() if styles is not None else ():
        if local_name(style.tag) == "style":
            reader.styles.note(style)
    reader.read(archive)
    writer = BlockWriter(limits)
    for grid, drawn in zip(reader.grids, reader.drawn, strict=True):
        write_grid(writer, grid, limits.cells)
        for text in drawn.texts:
            writer.add(text)
        for name in dict.fromkeys(drawn.objects):
            chart = chart_of(parse_xml(archive.read(name))) if name in names else None
            if chart is not None:
                writer.add_chart(chart)
    writer.turn()
    for text in page_texts(styles, reader.styles.pages):
        writer.add(text, "running")
    warnings = []
    if reader.left < 0:
        warnings.append(
            f"The workbook is very large: only about the first {limits.cells:,} filled cells were read "
            f"(up to sheet '{reader.grids[-1].name}')."
        )
    return Content(title, "ods", writer.blocks, None, tuple(warnings))


class _SheetReader:
    """Reads the sheets of `content.xml` in a stream."""

    def __init__(self, cells: int) -> None:
        self.grids: list[Grid] = []
        self.drawn: list[_Drawn] = []  # of each sheet
        self.styles = _Styles()
        self.left = cells
        self._row = self._column = 0
        self._headers = 0  # header groups that are open
        self._column_styles: list[tuple[int, str]] = []  # up to this column, that style

    def read(self, archive: zipfile.ZipFile) -> None:
        """Read all sheets, or as many cells as are allowed."""
        from defusedxml.ElementTree import iterparse  # type: ignore[import-untyped]

        depth = 0  # tables in cells or in charts are no sheets
        with archive.open("content.xml") as file:
            for event, element in iterparse(file, events=("start", "end")):
                name = local_name(element.tag)
                if name == "table":
                    depth += 1 if event == "start" else -1
                    if depth == 1 and event == "start":
                        self._begin(element)
                    elif depth == 0:
                        element.clear()
                elif name == "style" and event == "end":
                    self.styles.note(element)
                elif depth != 1:
                    continue
                elif name == "table-header-rows":
                    self._headers += 1 if event == "start" else -1
                    if event == "end" and self._row:
                        self.grids[-1].header_ends.append(self._row - 1)
                elif name == "shapes" and event == "end":
                    self.drawn[-1].take(element)
                elif name == "table-column" and event == "end":
                    self._note_column(element)
                elif name == "table-row" and event == "end":
                    self._read_row(element)
                    element.clear()
                    if self.left < 0:
                        return

    def _begin(self, element: Element) -> None:
        hidden = _attribute(element, "style-name") in self.styles.hidden_tables
        self.grids.append(Grid(one_line(_attribute(element, "name")), hidden))
        self.drawn.append(_Drawn())
        self._row = self._column = 0
        self._column_styles = []

    def _note_column(self, element: Element) -> None:
        count = _repeated(element, "number-columns-repeated")
        if _attribute(element, "visibility") in ("collapse", "filter"):
            last = min(self._column + count, MOST_COLUMNS)
            self.grids[-1].hidden_columns.update(range(self._column, last))
        self._column += count
        self._column_styles.append((self._column, _attribute(element, "default-cell-style-name")))

    def _read_row(self, element: Element) -> None:
        times = _repeated(element, "number-rows-repeated")
        grid = self.grids[-1]
        row = GridRow(self._row, hidden=_attribute(element, "visibility") in ("collapse", "filter"))
        column = 0
        for cell in element:
            if local_name(cell.tag) in ("table-cell", "covered-table-cell") and column < MOST_COLUMNS:
                column += self._read_cell(cell, grid, row, column)
        if row.filled:
            for number in range(self._row, self._row + min(times, _MOST_REPEATED)):
                self.left -= row.filled.bit_count()
                if self.left < 0:
                    break
                copied = (row.filled, row.numeric, row.dates, row.bold, row.shaded, 0, row.hidden)
                grid.rows.append(GridRow(number, row.cells[:], *copied))
        self._row += times

    def _read_cell(self, cell: Element, grid: Grid, row: GridRow, column: int) -> int:
        """Take one cell, and how many columns it stands for."""
        times = _repeated(cell, "number-columns-repeated")
        is_covered = local_name(cell.tag) == "covered-table-cell"
        lines = [] if is_covered else [_line(one) for one in cell if local_name(one.tag) in ("p", "h")]
        text = one_line(" ".join(lines))
        for one in cell:
            if local_name(one.tag) in _DRAWN:
                self.drawn[-1].take(one)
            elif local_name(one.tag) == "annotation":
                author = next((part.text or "" for part in one if local_name(part.tag) == "creator"), "")
                words = one_line(" ".join(_line(part) for part in one if local_name(part.tag) in ("p", "h", "list")))
                if words:
                    grid.notes.append(CellNote(row.number, column, one_line(author), words))
        wide, tall = _repeated(cell, "number-columns-spanned"), _repeated(cell, "number-rows-spanned")
        if text and (wide > 1 or tall > 1):
            grid.spans.append(Span(row.number, column, tall, wide))
        if text:
            kind = _attribute(cell, "value-type")
            style = _attribute(cell, "style-name") or self._style_of(column)
            for at in range(column, min(column + times, MOST_COLUMNS)):
                bit = row.put(at, text, numeric=kind in _NUMERIC, date=kind in ("date", "time"))
                row.bold |= bit if style in self.styles.bold else 0
                row.shaded |= bit if style in self.styles.shaded else 0
        return times

    def _style_of(self, column: int) -> str:
        return next((style for end, style in self._column_styles if column < end), "")


def _attribute(element: Element, name: str) -> str:
    """An attribute by its name without the namespace; empty if it is not there."""
    for key, value in element.items():
        if key.endswith(name) and local_name(key) == name:
            return value
    return ""


def _repeated(element: Element, name: str) -> int:
    return max(1, whole_number(_attribute(element, name) or None, 1))


def _line(element: Element) -> str:
    """Text of a paragraph: spaces and tabs are elements of their own."""
    parts = [element.text or ""]
    for one in element:
        name = local_name(one.tag)
        if name in ("s", "tab", "line-break"):
            parts.append(" ")
        elif name not in ("annotation", "ruby-text"):
            parts.append(_line(one))
        parts.append(one.tail or "")
    return "".join(parts)
