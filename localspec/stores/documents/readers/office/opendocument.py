"""What text, slides and sheets of OpenDocument share: the file, texts of paragraphs, tables, charts inside."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple
from xml.etree.ElementTree import Element as Node

from localspec.stores.documents.blocks import Span, Table
from localspec.stores.documents.readers.content import UnreadableError
from localspec.stores.documents.readers.encodings import one_line, tidy
from localspec.stores.documents.readers.office.equations import mathml_equation
from localspec.stores.documents.readers.office.office_xml import Element, child, children, parse_xml, whole_number

MOST_COLUMNS = 16_384
"""Wider rows are cut: a cell may be repeated any number of times."""
_MOST_COVERED = 1_000_000
_HEADER_GROUPS = {"table:table-header-rows"}
_ROW_GROUPS = {"table:table-rows", "table:table-row-group", "text:soft-page-break", *_HEADER_GROUPS}
_SILENT = {
    "text:tracked-changes",  # what was deleted
    *("text:hidden-text", "text:hidden-paragraph", "text:ruby-text"),
    *("text:number", "text:list-level-style-number"),  # a list's number, which its reader gives
    *("svg:title", "svg:desc", "office:event-listeners", "office:binary-data"),
    *("presentation:notes", "office:forms"),
    *("text:bookmark", "text:sequence-decls", "text:variable-decls", "text:user-field-decls"),
}


class OpenDocumentFile:
    """The parts of a file in OpenDocument format. Raises UnreadableError where it is locked or has no content."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = set(archive.namelist())
        manifest = self.xml("META-INF/manifest.xml")
        if manifest is not None and any(True for _ in manifest.iter("manifest:encryption-data")):
            raise UnreadableError("is protected by a password.", "Save a copy without a password and add that.")
        content = self.xml("content.xml")
        body = child(content, "office:body")
        if content is None or body is None or not len(body):
            raise UnreadableError(
                "is damaged: its content is missing.", "Get the file again, or open it in its own program and save it."
            )
        self.content = content
        self.styles = self.xml("styles.xml")
        self.body = body[0]
        """`office:text`, `office:presentation`, `office:spreadsheet` or `office:drawing`."""
        self.style_elements = {
            (one.get("style:family", ""), one.get("style:name", "")): one
            for root in (self.styles, self.content)
            for group in ("office:styles", "office:automatic-styles")
            for one in children(child(root, group), "style:style")
        }
        """Styles by family and name; those of the content hide those of `styles.xml`."""

    def xml(self, name: str) -> Element | None:
        """The root of a member; None where there is none."""
        return parse_xml(self._archive.read(name)) if name in self._names else None

    def title(self) -> str:
        """The title that somebody gave to the document; empty if none."""
        found = child(self.xml("meta.xml"), "office:meta", "dc:title")
        return one_line(found.text or "") if found is not None else ""

    def styled(self, family: str, name: str | None, group: str, attribute: str) -> str | None:
        """A property of a style or of the styles it is based on, such as ('text', …, 'style:text-properties', …)."""
        for _ in range(20):
            style = self.style_elements.get((family, name or ""))
            if style is None:
                return None
            for properties in (style,) if group == "style:style" else children(style, group):
                if attribute in properties.attrib:
                    return properties.get(attribute)
            name = style.get("style:parent-style-name")
        return None

    def object_of(self, frame: Element) -> Element | None:
        """The content of the object in a `draw:frame`: a chart, a formula or a table. None where it has none."""
        for one in children(frame, "draw:object"):
            name = (one.get("xlink:href") or "").removeprefix("./").strip("/")
            if name:
                return self.xml(f"{name}/content.xml")
            if len(one):  # inside the frame itself, as in flat files
                return one[0]
        return None


@dataclass
class Found:
    """What a paragraph holds beside its text, in order: notes, comments, frames."""

    notes: list[Element] = field(default_factory=list)  # `text:note`
    comments: list[Element] = field(default_factory=list)  # `office:annotation`
    frames: list[Element] = field(default_factory=list)  # `draw:frame`, shapes and groups
    sequence: str = ""  # of a caption with a number: what is counted, such as "Table"
    page_number: str | None = None  # what stands for the numbers of pages; None: they are read


def paragraph_text(
    document: OpenDocumentFile, element: Element, found: Found | None = None, *, indented: bool = False
) -> str:
    """Text of a `text:p` or `text:h` as it is read: hidden parts are left out, notes leave their mark in brackets.
    What stands beside the text is added to `found`. If `indented`, spaces at its beginning stay."""
    parts: list[str] = []
    _collect(document, element, parts, found if found is not None else Found())
    text = tidy("".join(parts)).rstrip()
    return text if indented else text.lstrip()


def _collect(document: OpenDocumentFile, element: Element, parts: list[str], found: Found) -> None:
    _add_text(parts, element.text)
    for one in element:
        name = one.tag
        if name == "text:s":
            parts.append(" " * min(whole_number(one.get("text:c"), 1), 1000))
        elif name == "text:tab":
            parts.append("\t")
        elif name == "text:line-break":
            parts.append("\n")
        elif name == "text:note":
            parts.append(f"[{note_mark(one)}]")
            found.notes.append(one)
        elif name == "office:annotation":
            found.comments.append(one)
        elif name == "text:ruby":
            base = child(one, "text:ruby-base")
            if base is not None:
                _collect(document, base, parts, found)
        elif name.startswith("draw:") and name != "draw:a":
            content = document.object_of(one) if name == "draw:frame" else None
            if content is not None and content.tag == "math:math":
                parts.append(mathml_equation(content))
            else:
                found.frames.append(one)
        elif name in ("text:page-number", "text:page-count") and found.page_number is not None:
            parts.append(found.page_number)
        elif name not in _SILENT and not _is_hidden(document, one):
            if name == "text:sequence":
                found.sequence = one.get("text:name", "")
            _collect(document, one, parts, found)
        _add_text(parts, one.tail)


def _add_text(parts: list[str], text: str | None) -> None:
    """Runs of white space are one space, across elements, too (OpenDocument 1.3, part 3, 6.1.2)."""
    if text:
        shown = " ".join(text.split())
        if text[0].isspace() and not (parts and parts[-1].endswith((" ", "\n"))):
            shown = f" {shown}"
        if text[-1].isspace() and shown.strip():
            shown += " "
        parts.append(shown)


def _is_hidden(document: OpenDocumentFile, element: Element) -> bool:
    if element.tag != "text:span":
        return False
    name = element.get("text:style-name")
    return document.styled("text", name, "style:text-properties", "text:display") == "none"


def note_mark(note: Element) -> str:
    """The mark of a foot- or endnote in the text."""
    citation = child(note, "text:note-citation")
    return one_line("".join(citation.itertext())) if citation is not None else "*"


class TableRow(NamedTuple):
    """A `table:table-row` with how often it is repeated."""

    element: Element
    times: int
    is_header: bool


def rows_of(table: Element, *, is_header: bool = False) -> Iterator[TableRow]:
    """Rows of a table through all its groups."""
    for one in table:
        if one.tag == "table:table-row":
            yield TableRow(one, max(1, whole_number(one.get("table:number-rows-repeated"), 1)), is_header)
        elif one.tag in _ROW_GROUPS:
            yield from rows_of(one, is_header=is_header or one.tag in _HEADER_GROUPS)


def cells_of(row: Element) -> Iterator[tuple[Element, int]]:
    """`table:table-cell` and `table:covered-table-cell` of a row, with how often each is repeated."""
    for one in row:
        if one.tag in ("table:table-cell", "table:covered-table-cell"):
            yield one, max(1, whole_number(one.get("table:number-columns-repeated"), 1))


def table_of(table: Element, text_of: Callable[[Element], str], *, cells: int = 1_000_000, title: str = "") -> Table:
    """A table with what `text_of` says of its cells; spans repeat their text. Repeated empty rows and columns behind
    the last filled ones are none, and about `cells` cells are taken at most."""
    _add_covered_cells(table)
    grid: list[list[str]] = []
    spans: list[Span] = []
    header_rows = empty = 0
    for row in rows_of(table):
        line: list[str] = []
        for cell, times in cells_of(row.element):
            text = text_of(cell) if cell.tag == "table:table-cell" else ""
            wide = whole_number(cell.get("table:number-columns-spanned"), 1)
            tall = whole_number(cell.get("table:number-rows-spanned"), 1)
            if wide > 1 or tall > 1:
                spans.append(Span(len(grid) + empty, len(line), tall, min(wide, MOST_COLUMNS)))
            line += [text] * min(times, MOST_COLUMNS - len(line))
        while line and not line[-1]:
            line.pop()
        if not line:  # kept only where a filled row follows
            empty = min(empty + row.times, cells)
            continue
        grid += [[]] * empty
        times = min(row.times, cells // len(line))
        grid += [line] * times
        cells -= times * len(line) + empty
        empty = 0
        if row.is_header:
            header_rows = len(grid)
        if cells <= 0:
            break
    return _spread(grid, spans, header_rows, title, cells)


def _add_covered_cells(table: Element) -> None:
    """Give a table with spans the `table:covered-table-cell` elements that pandoc leaves out. A cell of the header ends
    with the header, of which pandoc writes one row only."""
    rows = list(rows_of(table))
    spanning = ("table:number-columns-spanned", "table:number-rows-spanned")
    tags = [cell for row in rows for cell in row.element if any(cell.get(name, "1") != "1" for name in spanning)]
    if not tags or any(cell.tag == "table:covered-table-cell" for row in rows for cell in row.element):
        return
    headers = sum(row.is_header for row in rows)
    taken: set[tuple[int, int]] = set()
    for number, row in enumerate(rows):
        end = headers if row.is_header else len(rows)
        column = 0
        for cell, times in list(cells_of(row.element)):
            while (number, column) in taken:
                row.element.insert(list(row.element).index(cell), Node("table:covered-table-cell"))
                column += 1
            wide = min(whole_number(cell.get(spanning[0]), 1), MOST_COLUMNS)
            tall = min(whole_number(cell.get(spanning[1]), 1), end - number)
            cell.set(spanning[1], str(tall))
            if len(taken) + wide * tall > _MOST_COVERED:
                return
            places = product(range(number + 1, number + tall), range(column, column + wide))
            taken.update(places)
            for _ in range(1, wide):
                row.element.insert(list(row.element).index(cell) + 1, Node("table:covered-table-cell"))
            column += wide * times
        while (number, column) in taken:
            row.element.append(Node("table:covered-table-cell"))
            column += 1


def _spread(grid: list[list[str]], spans: list[Span], header_rows: int, title: str, cells: int) -> Table:
    """The table whose merged cells have their text in each place that they cover, `cells` places at most."""
    kept = []
    for span in spans:
        rows = min(span.rows, len(grid) - span.row)
        cells -= max(0, rows) * span.columns
        if rows < 1 or cells < 0:
            continue
        kept.append(Span(span.row, span.column, rows, span.columns))
        line = grid[span.row]
        text = line[span.column] if span.column < len(line) else ""
        if not text:
            continue
        end = span.column + span.columns
        for number in range(span.row, span.row + rows):
            line = grid[number] = grid[number] + [""] * (end - len(grid[number]))
            line[span.column : end] = [text] * span.columns
    return Table.of(grid, header_rows=header_rows, title=title, spans=kept)


def chart_of(content: Element | None) -> Table | None:
    """The chart that an object holds, as a table of its categories and series; None where it is no chart."""
    chart = child(content, "office:body", "office:chart", "chart:chart")
    data = child(chart, "table:table")
    if data is None:
        return None

    def texts(element: Element | None) -> str:
        return (
            one_line(" ".join("".join(one.itertext()) for one in element.iter("text:p"))) if element is not None else ""
        )

    axes = [texts(child(one, "chart:title")) for one in children(child(chart, "chart:plot-area"), "chart:axis")]
    title = texts(child(chart, "chart:title"))
    named = ", ".join(filter(None, axes))
    title = f"{title} ({named})" if title and named else title or named
    rows = [list(row) for row in table_of(data, texts).rows]
    if rows and rows[0] and not rows[0][0]:
        rows[0][0] = "Category"
    return Table.of(rows, header_rows=1, title=title)
