"""Blocks of a PDF's pages: paragraphs, tables with their captions, notes and running lines under their sections."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from localspec.stores.documents.readers.content import BlockWriter
from localspec.stores.documents.readers.pdf.pdf_cells import continued
from localspec.stores.documents.readers.pdf.pdf_columns import Item, reading_order
from localspec.stores.documents.readers.pdf.pdf_grid import ruled_tables
from localspec.stores.documents.readers.pdf.pdf_indents import Indents
from localspec.stores.documents.readers.pdf.pdf_justified import justified_lines
from localspec.stores.documents.readers.pdf.pdf_layout import (
    SMALL,
    TABLE_CAPTION,
    Measures,
    Paragraph,
    is_large,
    paragraphs,
)
from localspec.stores.documents.readers.pdf.pdf_lines import FieldLine, Line, PdfPage, glued
from localspec.stores.documents.readers.pdf.pdf_numbers import numbered_items
from localspec.stores.documents.readers.pdf.pdf_rows import WORD, rows_of
from localspec.stores.documents.readers.pdf.pdf_running import running_lines
from localspec.stores.documents.readers.pdf.pdf_tables import PlacedTable, rest_of
from localspec.stores.documents.readers.pdf.pdf_words import HYPHEN

_NUMBER = re.compile(r"^(?:[A-Z]|\d{1,3})(?:\.\d{1,3})*\.?\s+")
_SENTENCE = 30  # letters: of a line of text, at least
_OFTEN = 0.15  # of a text's lines stand as far from the next ones as those of a paragraph do
_NAME = re.compile(r"[\W_]+")


class Mark(NamedTuple):
    """A bookmark."""

    page: int  # its index
    down: float  # the distance down the page as a negative y, in points
    title: str
    level: int  # from 1


def write_pages(writer: BlockWriter, pages: Sequence[PdfPage], outline: Sequence[Mark], labels: Sequence[str]) -> None:
    """Write the blocks of all pages; bookmarks, else large lines, give the sections. `labels` are what is printed as
    pages' numbers, empty where it is the physical one."""
    _Pages(writer, pages, outline, labels).write()


class _Pages:
    """Pages on their way to blocks: what came before decides about sections and tables that go on."""

    def __init__(
        self, writer: BlockWriter, pages: Sequence[PdfPage], outline: Sequence[Mark], labels: Sequence[str]
    ) -> None:
        self._writer = writer
        self._pages = pages
        self._outline = outline
        self._labels = labels
        self._measures = _measures(pages)
        self._next_mark = 0
        self._table: PlacedTable | None = None  # the last thing on the page before
        self._caption = ""  # of a table, where it is the last thing on the page before
        self._stamps: set[str] = set()
        self._indents = Indents()
        self._titles: dict[int, set[str]] = defaultdict(set)
        for mark in outline:
            self._titles[mark.page].add(_name(mark.title))

    def write(self) -> None:
        """Write all pages."""
        running = running_lines(self._pages)
        for index, page in enumerate(self._pages):
            self._turn(index, self._writer.section)
            first = [line for number, line in enumerate(page.lines) if running.get((index, number))]
            lines = [line for number, line in enumerate(page.lines) if (index, number) not in running]
            self._write_running(line for line in first if line.baseline > page.height / 2)
            self._write_page(index, page, lines)
            self._write_running(line for line in first if line.baseline <= page.height / 2)
            for text in page.turned:
                if text not in self._stamps:
                    self._writer.add(text, "running")
                self._stamps.add(text)

    def _turn(self, index: int, section: str) -> None:
        self._writer.turn(page=index + 1, section=section, label=self._labels[index])

    def _write_running(self, lines: Iterable[Line]) -> None:
        for row in rows_of(lines):
            self._writer.add(glued(row.pieces).text.rstrip(HYPHEN), "running")

    def _write_page(self, index: int, page: PdfPage, lines: list[Line]) -> None:
        words = self._measures.words
        tables, rest = ruled_tables(lines, page.rules, words)
        top = max((table.top for table in tables), default=0.0)
        above = [line for line in rest if line.baseline > top]
        going_on = rest_of(self._table, above, words) if self._table is not None else None
        if going_on is not None:
            rest = [line for line in rest if id(line) not in going_on[1]]
        rest = numbered_items(justified_lines(rest), self._measures.size)
        items = reading_order(rest, [*tables, *page.fields], page.rules, words)
        parts = list(self._parts(items, page, self._titles[index]))
        if going_on is not None:
            parts.insert(0, going_on[0])
        before, self._table = self._table, None
        caption, self._caption = self._caption, ""
        notes: list[Paragraph] = []
        for number, part in enumerate(parts):
            if isinstance(part, PlacedTable):
                table = part.table
                goes_on = before is not None and not any(isinstance(one, PlacedTable) for one in parts[:number])
                if goes_on and before is not None and number == 0 and _same_columns(before, part):
                    table = continued(before.table, table)
                else:
                    table = replace(table, title=_caption(parts, number) or (caption if number == 0 else ""))
                self._writer.add_table(table)
                self._caption = ""
                self._table = part._replace(table=table)
                continue
            if part.kind == "note" or (notes and self._goes_on(notes[-1], part)):
                notes.append(part)
                continue
            self._table = None
            self._caption = part.text if part.kind == "caption" and TABLE_CAPTION.match(part.text) else ""
            self._write_paragraph(index, part)
        for text in [*(note.text for note in notes), *page.notes]:
            self._writer.add(text, "note")

    def _goes_on(self, note: Paragraph, part: Paragraph) -> bool:
        """Whether a part goes on with the footnote above it: a small text of several paragraphs."""
        first, last = part.lines[0], note.lines[-1]
        small = max(line.height for line in part.lines) < SMALL * self._measures.height
        return small and first.baseline < last.baseline and part.kind in ("paragraph", "list item", "code")

    def _parts(self, items: Sequence[Item], page: PdfPage, titles: set[str]) -> Iterator[Paragraph | PlacedTable]:
        """Paragraphs and tables; lines that a bookmark names stand alone."""
        flow: list[Line] = []
        for item in items:
            if isinstance(item, Line) and (_name(item.text) in titles or _name(_NUMBER.sub("", item.text)) in titles):
                yield from paragraphs(flow, page.lines, page.height, self._measures)
                yield from paragraphs([item], page.lines, page.height, self._measures)
                flow = []
                continue
            if isinstance(item, Line):
                flow.append(item)
                continue
            yield from paragraphs(flow, page.lines, page.height, self._measures)
            flow = []
            if isinstance(item, FieldLine):
                line = Line(item.text, item.box.left, item.box.right, item.box.bottom, item.height)
                yield Paragraph(item.kind, item.text, [line])
            else:
                yield item
        yield from paragraphs(flow, page.lines, page.height, self._measures)

    def _write_paragraph(self, index: int, part: Paragraph) -> None:
        mark = self._passed_mark(index, part.lines[0])
        text = " ".join(part.text.split())
        named = mark is not None and _is_named(text, mark.title)
        section = mark.title if mark is not None else ""
        if part.kind == "heading" and not self._outline:
            section = text
        if section and section != self._writer.section:
            self._turn(index, section)
        if named and mark is not None and part.kind in ("paragraph", "list item", "heading"):
            self._writer.add(text, "heading", mark.level)
        elif part.kind == "heading":
            self._writer.add(text, "heading", self._level(part.lines[0]))
        elif part.kind == "list item":
            self._writer.add(part.text, part.kind, self._indents.level(part.lines))
            return
        else:
            self._writer.add(part.text, part.kind)
        self._indents.passed(part)

    def _passed_mark(self, index: int, line: Line) -> Mark | None:
        """The last bookmark that points to this line or before it: a little above the first line of what it names."""
        found = None
        while self._next_mark < len(self._outline) and self._outline[self._next_mark][:2] <= (index, -line.baseline):
            found = self._outline[self._next_mark]
            self._next_mark += 1
        return found

    def _level(self, line: Line) -> int:
        """A heading's level by its size, from 1 for the largest."""
        if not is_large(line, self._measures):
            return len(self._measures.headings) + 1
        return 1 + sum(1 for size in self._measures.headings if size > 1.03 * line.size)


def _measures(pages: Sequence[PdfPage]) -> Measures:
    heights, sizes, leadings = Counter[float](), Counter[float](), Counter[float]()
    words: set[str] = set()
    for page in pages:
        for line in page.lines:
            heights[round(line.height, 1)] += len(line.text)
            sizes[round(line.size, 1)] += len(line.text)
            words.update(WORD.findall(line.text.lower()))
        leadings.update(_leadings(page.lines))
    height = heights.most_common(1)[0][0] if heights else 0.0
    size = sizes.most_common(1)[0][0] if sizes else 0.0
    levels: list[float] = []
    for one in sorted(sizes, reverse=True):
        if one >= size * 1.15 and (not levels or one < 0.97 * levels[-1]):
            levels.append(one)
    often = [one for one, count in leadings.items() if count >= _OFTEN * leadings.total()]
    return Measures(height, tuple(levels), frozenset(words), size, min(often, default=0.0))


def _leadings(lines: Sequence[Line]) -> Iterator[float]:
    """From line to line of a text, in parts of the font's size, to a twentieth."""
    for above, line in itertools.pairwise(lines):
        gap = (above.baseline - line.baseline) / (line.size or 1.0)
        alike = abs(above.size - line.size) < 0.05 and abs(above.left - line.left) < 3.0
        if alike and 0.8 < gap < 2.6 and len(above.text) > _SENTENCE:
            yield round(20 * gap) / 20


def _is_named(text: str, title: str) -> bool:
    """Whether a text is the heading that a bookmark names: the same letters, with or without its number."""
    one, other = _name(text), _name(title)
    return len(one) < 200 and (one.endswith(other) or other.endswith(one)) and min(len(one), len(other)) > 0


def _name(text: str) -> str:
    """The letters and digits of a title."""
    return _NAME.sub("", text).lower()


def _same_columns(one: PlacedTable, other: PlacedTable) -> bool:
    """Whether a table at the top of a page may go on with the one before: as wide, with as many columns."""
    same = len(one.table.rows[0]) == len(other.table.rows[0])
    return same and abs(one.left - other.left) < 8.0 and abs(one.right - other.right) < 12.0


def _caption(parts: Sequence[Paragraph | PlacedTable], number: int) -> str:
    """The caption of a table: right above it, else right below."""
    for place in (number - 1, number + 1):
        part = parts[place] if 0 <= place < len(parts) else None
        if isinstance(part, Paragraph) and part.kind == "caption" and TABLE_CAPTION.match(part.text):
            return part.text
    return ""
