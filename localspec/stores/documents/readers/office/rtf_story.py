"""Paragraphs and tables of a Rich Text file, gathered until they are whole."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from localspec.stores.documents.blocks import Span, Table
from localspec.stores.documents.readers import table_headers
from localspec.stores.documents.readers.content import BlockWriter
from localspec.stores.documents.readers.encodings import one_line, tidy
from localspec.stores.documents.readers.office.list_numbers import shown_bullet

_HEADING_CHARACTERS = 300
_SAME_EDGE = 30  # twentieths of a point between edges of cells that count as one
_MARKER = re.compile(r"([•·◦▪–—]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,6})[.)])\t")
_WIDEST = 1000
_FIGURE = re.compile(r"fig|abb|ill|drawing|zeichnung|bild|рис", re.IGNORECASE)


@dataclass
class ParagraphState:
    """What `\\pard` resets."""

    style: int = 0
    outline: int | None = None
    in_table: bool = False
    level: int | None = None  # in its list, where that is said
    indent: int = 0  # twentieths of a point


@dataclass
class RowState:
    """What `\\trowd` resets: right edges of the cells, and which go on above or on the left."""

    edges: list[int] = field(default_factory=list)
    merges: list[set[str]] = field(default_factory=list)
    next_merge: set[str] = field(default_factory=set)
    is_header: bool = False


@dataclass
class _Row:
    texts: list[str]
    state: RowState


class RtfStyles:
    """What the styles of paragraphs say."""

    def __init__(self) -> None:
        self.outlines: dict[int, int] = {}  # level of headings
        self.captions: set[int] = set()

    def declare(self, number: int, name: str, level: int | None, based_on: int) -> None:
        """A style with its name in lower case, and the style that it is based on."""
        found = re.fullmatch(r"heading (\d)", name)
        if found:
            self.outlines[number] = int(found[1])
        elif name == "title":
            self.outlines[number] = 1
        elif level is not None and level < 9:
            self.outlines[number] = level + 1
        if name == "caption" or based_on in self.captions:
            self.captions.add(number)


class RtfStory:
    """The body, or a note, header or text box in it."""

    def __init__(self, writer: BlockWriter, styles: RtfStyles, *, running: bool = False) -> None:
        self.writer = writer
        self.running = running
        self.parts: list[str] = []
        self.marker = ""
        self.paragraph = ParagraphState()
        self.row = RowState()
        self.beside: list[tuple[str, str]] = []  # kind and text of what stands behind the paragraph
        self._styles = styles
        self._title = ""  # caption of the table that follows
        self._cell: list[str] = []  # paragraphs of the cell so far
        self._cells: list[str] = []
        self._rows: list[_Row] = []
        self._indents: list[int] = []  # of the list so far, from the outermost

    def end_paragraph(self) -> None:
        """`\\par`: what was gathered is a paragraph, or one of a cell."""
        text, marker = self._taken()
        if self.paragraph.in_table:
            self._cell.append(f"{marker} {text}".strip())
            return
        self.end_table()
        if text:
            self._end_caption()
        level = self._heading_level()
        if text and level and len(text) < _HEADING_CHARACTERS:
            heading = one_line(f"{marker} {text}" if marker not in ("", "-") else text)
            if not self.running:
                self.writer.turn(section=heading)
            self.writer.add(heading, "heading", level)
        elif text and self.paragraph.style in self._styles.captions:
            self._title = one_line(text)
            self.writer.add(text, "caption")
        elif text and marker:
            self.writer.add(f"{marker} {text}", "list item", self._list_level())
        else:
            if text and not self.paragraph.indent:
                self._indents = []
            self.writer.add(text)
        self._write_beside()

    def end_marked_paragraph(self) -> None:
        """A paragraph of which all stands where its number belongs."""
        marker, _, text = self.marker.partition("\t")
        self.marker, self.parts = marker.strip() or "-", [text]
        self.end_paragraph()

    def end_cell(self) -> None:
        """`\\cell`"""
        text, marker = self._taken()
        self._cells.append("\n".join(filter(None, [*self._cell, f"{marker} {text}".strip()])))
        self._cell = []

    def end_row(self) -> None:
        """`\\row`"""
        if self._cells:
            self._rows.append(_Row(self._cells, self.row))
            self._cells = []

    def end_table(self) -> None:
        """Write the rows so far as a table."""
        if self._cell:
            self.end_cell()
        self.end_row()
        if self._rows:
            rows, self._rows = self._rows, []
            while len(rows) > 1 and not any(map(str.strip, rows[-1].texts)):
                rows.pop()
            self.writer.add_table(replace(_table(rows), title=self._title))
            self._title = ""
            self._write_beside()

    def end(self) -> None:
        """What was left open is whole."""
        if "".join(self.parts).strip():
            self.end_paragraph()
        self.end_table()
        self._end_caption()
        self._write_beside()

    def _end_caption(self) -> None:
        """The caption that no table follows names the table above it."""
        title, self._title = self._title, ""
        above = self.writer.blocks[-2] if title and len(self.writer.blocks) > 1 else None
        if above is not None and above.table is not None and not above.table.title and not _FIGURE.match(title):
            self.writer.blocks[-2] = replace(above, table=replace(above.table, title=title))

    def _taken(self) -> tuple[str, str]:
        text = tidy("".join(self.parts)).strip()
        marker, self.parts, self.marker = one_line(self.marker), [], ""
        found = _MARKER.match(text) if not marker else None
        if found:
            marker, text = found[1], text[found.end() :].strip()
        if marker and not any(sign.isalnum() for sign in marker):
            marker = shown_bullet(marker)
        return text, marker

    def _list_level(self) -> int:
        """As it is said, else as far as the item is indented."""
        if self.paragraph.level is not None:
            return self.paragraph.level
        while self._indents and self._indents[-1] > self.paragraph.indent:
            self._indents.pop()
        if not self._indents or self._indents[-1] < self.paragraph.indent:
            self._indents.append(self.paragraph.indent)
        return len(self._indents) - 1

    def _heading_level(self) -> int:
        if self.paragraph.outline is not None:
            return self.paragraph.outline + 1 if self.paragraph.outline < 9 else 0
        return self._styles.outlines.get(self.paragraph.style, 0)

    def _write_beside(self) -> None:
        beside, self.beside = self.beside, []
        for kind, text in beside:
            self.writer.add(text, "note" if kind == "note" else "paragraph")


def _table(rows: list[_Row]) -> Table:
    """Cells under each other have the same edges: a cell spans the columns between its own."""
    edges: list[int] = []
    for edge in sorted({edge for row in rows for edge in row.state.edges}):
        if not edges or edge - edges[-1] > _SAME_EDGE:
            edges.append(edge)
    grid: list[list[str]] = []
    spans: dict[tuple[int, int], Span] = {}
    above: dict[int, tuple[int, int]] = {}
    for number, row in enumerate(rows):
        line: list[str] = []
        still: dict[int, tuple[int, int]] = {}
        for place, text in enumerate(row.texts):
            column, merges = len(line), row.state.merges[place] if place < len(row.state.merges) else set()
            wide = 1
            if place < len(row.state.edges):
                wide = sum(1 for edge in edges if edge <= row.state.edges[place] + _SAME_EDGE) - column
            wide = min(max(wide, 1), _WIDEST)
            if "clmrg" in merges and line:
                text = line[-1]
                begin = max((one for one in spans if one[0] == number), default=None)
                if begin is not None:
                    spans[begin] = spans[begin]._replace(columns=column + wide - begin[1])
            elif "clvmrg" in merges and column in above:
                begin = above[column]
                spans[begin] = spans[begin]._replace(rows=number - begin[0] + 1)
                text, still[column] = grid[begin[0]][begin[1]], begin
            elif wide > 1 or merges:
                spans[number, column] = Span(number, column, 1, wide)
                if "clvmgf" in merges:
                    still[column] = (number, column)
            line += [text] * wide
        above = still
        grid.append(line)
    kept = [span for span in spans.values() if span.rows > 1 or span.columns > 1]
    marked = 0
    while marked < len(rows) and rows[marked].state.is_header:
        marked += 1
    count = marked if 0 < marked < len(rows) else table_headers.guessed(grid, kept)
    return Table.of(grid, header_rows=count, spans=kept)
