"""Paragraphs and tables of a Rich Text file, gathered until they are whole."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from localspec.stores.documents.blocks import Span, Table
from localspec.stores.documents.readers import table_headers
from localspec.stores.documents.readers.content import BlockWriter
from localspec.stores.documents.readers.encodings import one_line, tidy
from localspec.stores.documents.readers.list_numbers import shown_bullet

_HEADING_CHARACTERS = 300
_SAME_EDGE = 30  # twentieths of a point between edges of cells that count as one
_MARKER = re.compile(r"(•|·|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,6})[.)])\t")
_WIDEST = 1000


@dataclass
class ParagraphState:
    """What `\\pard` resets."""

    style: int = 0
    outline: int | None = None
    in_table: bool = False
    level: int = 0


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


class RtfStory:
    """The body, or a note, header or text box in it."""

    def __init__(self, writer: BlockWriter, outlines: dict[int, int], *, running: bool = False) -> None:
        self.writer = writer
        self.running = running
        self.parts: list[str] = []
        self.marker = ""
        self.paragraph = ParagraphState()
        self.row = RowState()
        self.beside: list[tuple[str, str]] = []  # kind and text of what stands behind the paragraph
        self._outlines = outlines  # level of the headings by style
        self._cell: list[str] = []  # paragraphs of the cell so far
        self._cells: list[str] = []
        self._rows: list[_Row] = []

    def end_paragraph(self) -> None:
        """`\\par`: what was gathered is a paragraph, or one of a cell."""
        text, marker = self._taken()
        if self.paragraph.in_table:
            self._cell.append(f"{marker} {text}".strip())
            return
        self.end_table()
        level = self._heading_level()
        if text and level and len(text) < _HEADING_CHARACTERS:
            heading = one_line(f"{marker} {text}" if marker not in ("", "-") else text)
            if not self.running:
                self.writer.turn(section=heading)
            self.writer.add(heading, "heading", level)
        elif text and marker:
            self.writer.add(f"{marker} {text}", "list item", self.paragraph.level)
        else:
            self.writer.add(text)
        self._write_beside()

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
            self.writer.add_table(_table(rows))
            self._write_beside()

    def end(self) -> None:
        """What was left open is whole."""
        if "".join(self.parts).strip():
            self.end_paragraph()
        self.end_table()
        self._write_beside()

    def _taken(self) -> tuple[str, str]:
        text = tidy("".join(self.parts)).strip()
        marker, self.parts, self.marker = one_line(self.marker), [], ""
        found = _MARKER.match(text) if not marker else None
        if found:
            marker, text = found[1], text[found.end() :].strip()
        if marker and not any(sign.isalnum() for sign in marker):
            marker = shown_bullet(marker)
        return text, marker

    def _heading_level(self) -> int:
        if self.paragraph.outline is not None:
            return self.paragraph.outline + 1 if self.paragraph.outline < 9 else 0
        return self._outlines.get(self.paragraph.style, 0)

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
