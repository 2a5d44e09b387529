"""The flow of a page: its tags and texts, in their order, become blocks. HTML, e-books and Markdown are read by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from localspec.stores.documents.blocks import Table
from localspec.stores.documents.readers.content import BlockWriter
from localspec.stores.documents.readers.encodings import one_line, tidy
from localspec.stores.documents.readers.web import html_inline
from localspec.stores.documents.readers.web.html_lists import Lists
from localspec.stores.documents.readers.web.html_pieces import BLOCK_TAGS, HEADINGS, PagePiece, PieceStack
from localspec.stores.documents.readers.web.html_tables import (
    OpenTable,
    PageCell,
    captioned,
    is_title,
    span_of,
    with_title,
)

Attributes: TypeAlias = Mapping[str, str | None]

_CELLS = {"td", "th"}
_GROUPS = {"thead", "tbody", "tfoot"}
_NESTED_TABLES = 12  # deeper ones are read as text


class PageFlow:
    """Takes `enter`, `text` and `leave` for the tags and texts of a page, well nested, and writes its blocks. Call
    `close` at the end."""

    def __init__(self, writer: BlockWriter) -> None:
        self._pieces = PieceStack(writer)
        self._heading_level = 0
        self._inline = html_inline.InlineText()
        self._lists = Lists()
        self._tables: list[OpenTable] = []
        self._bold: list[bool] = []  # of each open cell: whether all of its text is
        self._too_deep = 0  # open tables beyond _NESTED_TABLES
        self._pre = 0
        self._language = ""
        self._next_label = ""
        self._notes = 0
        self._captions = 0
        self._running = 0
        self._figures: list[int] = []  # where the pieces of each open figure begin
        self._headings: list[int] = []  # levels of those that are open
        self._details: list[str] = []  # of each open one: '', 'summary' while its name is read, 'open' behind it
        self._labels: list[bool] = []  # of each open one: whether its block was empty before it

    @property
    def first_heading(self) -> str:
        """Of what was written; empty if none."""
        return self._pieces.writer.first_heading

    # -- parts with names -------------------------------------------------------------------------------------------

    def open_chapter(self, title: str) -> None:
        """What follows belongs to this chapter of a book."""
        self._flush()
        self._put(PagePiece(title, "chapter"))

    def open_part(self, name: str) -> None:
        """What follows, until `close_part`, is a panel or the like with this name."""
        self._flush()
        self._put(PagePiece(one_line(name), "open", min(self._heading_level + 1, 6)))

    def close_part(self) -> None:
        """The part that was opened last ends."""
        self._flush()
        self._put(PagePiece("", "close"))

    def page_label(self, label: str) -> None:
        """What follows stands on the printed page of this name; a paragraph that has begun stays whole."""
        if self._inline.is_empty():
            self._put(PagePiece(one_line(label), "page label"))
        else:
            self._next_label = one_line(label)

    # -- what stands between words ----------------------------------------------------------------------------------

    def field(self, value: str, label: str = "") -> None:
        """A field of a form; `label` is used where none stands before it."""
        if self._bold:
            self._inline.add(f" {value} ")
            return
        if self._inline.ends_with_field or self._inline.ends_with_amount:
            self._flush()
        if self._inline.has_ticks:  # which stand before this field's own label
            own = self._inline.cut_label()
            self._flush()
            self._inline.add_text(own)
        sink = self._pieces.top
        if self._inline.is_empty() and sink and sink[-1].kind == "label":
            label = sink.pop().text
        self._inline.add_field(one_line(value), one_line(label))

    def tick(self, is_on: bool, label: str = "") -> None:
        """A check box or radio button; `label` is what it is called where nothing stands behind it."""
        if self._inline.ends_with_field:
            self._flush()
        self._inline.add_tick(is_on, is_field=not self._lists.is_open)
        if label:
            self._inline.add(one_line(label))

    def amount(self, text: str) -> None:
        """What a bar or a computed field shows."""
        self._inline.add_amount(text)

    def formula(self, text: str, *, apart: bool = False) -> None:
        """A formula in one line, as a paragraph where it stands `apart`."""
        if apart and not self._bold:
            self._block_edge()
            self._inline.add_text(text)
            self._block_edge()
        else:
            self._inline.add_text(text)

    def image(self, text: str) -> None:
        """A picture with its text."""
        self._inline.add_image(one_line(text))

    def chart(self, text: str) -> None:
        """A drawing with its texts, one a line."""
        if self._bold:
            self._inline.add(f" {one_line(text)} ")
            return
        self._flush()
        self._put(PagePiece(text, "chart"))

    def code(self, text: str, language: str = "") -> None:
        """A block of code, which stays exactly as it is."""
        self._flush()
        self._language, before = language, self._language
        self._put_code(text)
        self._language = before

    def mark(self, marker: str) -> None:
        """The next block begins with this."""
        self._lists.marker = marker

    # -- tags and texts ---------------------------------------------------------------------------------------------

    def text(self, text: str) -> None:
        """Text between tags, as it stands in the page."""
        if self._pre:
            self._inline.add(tidy(text))
            return
        if self._inline.ends_with_field and text.strip()[:1].isalnum():
            self._flush()
        self._inline.add_text(tidy(text))

    def enter(self, tag: str, attributes: Attributes) -> None:
        """A tag opens."""
        if _is_heading(tag, attributes):
            self._enter_heading(tag, attributes)
        elif tag in BLOCK_TAGS:
            self._enter_block(tag, attributes)
        elif tag in _CELLS:
            self._enter_cell()
        elif tag == "br":
            self._inline.add("\n")
        elif tag == "label":
            if self._inline.ends_with_field:
                self._flush()
            self._labels.append(self._inline.is_empty())
            self._inline.begin_label()
        elif tag == "code" and self._pre:
            self._language = self._language or html_inline.code_language(attributes)
        else:
            self._inline.enter(tag, attributes)

    def leave(self, tag: str, attributes: Attributes) -> None:
        """A tag closes."""
        if _is_heading(tag, attributes):
            self._leave_heading()
        elif tag in BLOCK_TAGS:
            self._leave_block(tag, attributes)
        elif tag in _CELLS:
            self._leave_cell(tag, attributes)
        elif tag == "label":
            if self._labels:
                self._inline.end_label(was_empty=self._labels.pop())
        else:
            self._inline.leave(tag, attributes)

    def close(self) -> None:
        """The page ends."""
        self._flush()
        self._pieces.close()

    # -- headings ---------------------------------------------------------------------------------------------------

    def _enter_heading(self, tag: str, attributes: Attributes) -> None:
        if not self._in_summary():
            self._block_edge()
        level = (attributes.get("aria-level") or "") if attributes else ""
        self._headings.append(int(level) if level in "123456789" and level else HEADINGS.get(tag, 2))

    def _leave_heading(self) -> None:
        level = self._headings.pop() if self._headings else 2
        if self._in_summary():
            return
        text = one_line(self._inline.take().text).rstrip("¶").removesuffix(" #").rstrip()
        if text:
            self._heading_level = level
            before = self._lists.drop_bullet()
            self._put(PagePiece(f"{before} {text}" if before else text, "heading", level))

    def _in_summary(self) -> bool:
        return bool(self._details) and self._details[-1] == "summary"

    def _leave_summary(self) -> None:
        name = one_line(self._inline.take().text)
        self._details[-1] = "open" if name else ""
        if name:
            self.open_part(name)

    # -- blocks -----------------------------------------------------------------------------------------------------

    def _enter_block(self, tag: str, attributes: Attributes) -> None:
        if self._in_summary():
            self._inline.add(" ")
            return
        self._block_edge()
        if tag in ("table", "caption", "tr") or tag in _GROUPS:
            self._enter_table_part(tag, attributes)
        elif tag == "pre":
            self._pre += 1
            self._language = html_inline.code_language(attributes) or self._language
        elif tag == "details":
            self._details.append("")
        elif tag == "summary":
            if self._details:
                self._details[-1] = "summary"
        elif tag == "figure":
            self._figures.append(len(self._pieces.top))
        elif tag == "dt":
            self._put_marker()
            self._pieces.push()
        elif tag == "div":
            self._language = html_inline.code_language(attributes) or self._language
        self._captions += tag == "figcaption"
        self._running += html_inline.is_running(attributes)
        self._notes += html_inline.is_note(attributes)
        leftover = self._lists.enter(tag, attributes, is_note=bool(self._notes))
        if leftover:
            self._put(PagePiece(leftover, "paragraph"))

    def _leave_block(self, tag: str, attributes: Attributes) -> None:
        if self._in_summary():
            if tag == "summary":
                self._leave_summary()
            else:
                self._inline.add(" ")
            return
        if tag == "pre" and self._pre == 1:
            self._flush()
        self._block_edge()
        if tag in ("table", "caption"):
            self._leave_table_part(tag)
        elif tag in ("pre", "div"):
            self._pre = max(0, self._pre - (tag == "pre"))
            if tag == "pre" or html_inline.code_language(attributes):
                self._language = ""
        elif tag == "details":
            if self._details and self._details.pop() == "open":
                self.close_part()
        elif tag == "figure" and self._figures:
            start = self._figures.pop()
            self._pieces.top[start:] = captioned(self._pieces.top[start:])
        elif tag == "dt":
            self._leave_term(self._pieces.pop(), attributes)
        self._captions -= tag == "figcaption"
        self._running -= html_inline.is_running(attributes)
        self._notes -= html_inline.is_note(attributes)
        leftover = self._lists.leave(tag)
        if leftover:
            self._put(PagePiece(leftover, "paragraph"))

    def _leave_term(self, pieces: list[PagePiece], attributes: Attributes) -> None:
        is_signature = "sig" in ((attributes.get("class") if attributes else None) or "").split()
        is_plain = all(piece.kind in ("paragraph", "note") for piece in pieces)
        term = " ".join(piece.text for piece in pieces)
        if term and not (is_plain and not is_signature and self._lists.add_term(one_line(term))):
            for piece in pieces:
                self._put(piece)

    def _block_edge(self) -> None:
        if self._pre:
            self._inline.line_end()
        else:
            self._flush()

    def _flush(self) -> None:
        taken = self._inline.take()
        if self._bold and taken.text.strip():
            self._bold[-1] = self._bold[-1] and taken.is_bold
        lines = (" ".join(line.split()) for line in taken.text.split("\n"))
        text = "\n".join(line for line in lines if line)
        if self._pre:
            self._put_code(taken.text)
        elif self._notes and html_inline.is_note_number(text):
            self.mark(f"{text} ")
        elif text:
            marker = self._lists.take_marker()
            within = "caption" if self._captions else "note" if self._notes else "running" if self._running else ""
            kind = within or ("list item" if marker else taken.kind)
            self._put(PagePiece(marker + text, kind, self._lists.level if kind == "list item" else 0))

    def _put_code(self, text: str) -> None:
        text = text.strip("\n").rstrip()
        if not text or (self._bold and html_inline.are_line_numbers(text)):
            return
        self._put_marker()
        if self._language.lower() not in ("", "text") and not self._bold:
            fence = "```" if "```" not in text else "~~~~"
            text = f"{fence}{self._language}\n{text}\n{fence}"
        self._put(PagePiece(text, "code"))

    def _put_marker(self) -> None:
        """The number of an item that begins with a block of another kind."""
        level = self._lists.level
        marker = self._lists.drop_bullet()
        if marker:
            self._put(PagePiece(marker, "list item", level))

    # -- tables -----------------------------------------------------------------------------------------------------

    def _enter_table_part(self, tag: str, attributes: Attributes) -> None:
        if tag == "table":
            if self._pre:
                self._flush()
            if len(self._tables) >= _NESTED_TABLES:
                self._too_deep += 1
                return
            self._put_marker()
            role = ((attributes.get("role") if attributes else None) or "").lower()
            self._tables.append(OpenTable(role in ("presentation", "none")))
        elif self._too_deep or not self._tables:
            return
        elif tag == "caption":
            self._pieces.push()
        elif tag == "tr":
            self._tables[-1].begin_row()
        else:
            self._tables[-1].begin_group(tag)

    def _leave_table_part(self, tag: str) -> None:
        if self._too_deep:
            self._too_deep -= tag == "table"
        elif not self._tables:
            return
        elif tag == "caption":
            title = " ".join(piece.text for piece in self._pieces.pop())
            self._tables[-1].title = self._tables[-1].title or title
        else:
            self._put_table(self._tables.pop().result())

    def _put_table(self, result: Table | list[PagePiece]) -> None:
        if isinstance(result, list):
            for piece in result:
                self._put(piece)
            return
        sink = self._pieces.top
        title = sink[-1].text if sink and sink[-1].kind in ("paragraph", "label", "caption") else ""
        if title and not result.title and is_title(title):
            sink.pop()
            result = with_title(result, title)
        self._put(PagePiece("", "table", table=result))

    def _enter_cell(self) -> None:
        self._block_edge()
        if self._tables and not self._too_deep:
            self._pieces.push()
            self._bold.append(True)

    def _leave_cell(self, tag: str, attributes: Attributes) -> None:
        self._block_edge()
        if self._tables and not self._too_deep and self._bold:
            rows, columns = span_of(attributes or {})
            role = (attributes.get("role") if attributes else None) or ""
            is_header = tag == "th" or role in ("columnheader", "rowheader")
            self._tables[-1].add(PageCell(self._pieces.pop(), rows, columns, is_header, self._bold.pop()))

    def _put(self, piece: PagePiece) -> None:
        self._pieces.put(piece, may_write=not self._figures)
        if self._next_label:
            label, self._next_label = self._next_label, ""
            self._pieces.put(PagePiece(label, "page label"), may_write=not self._figures)


def _is_heading(tag: str, attributes: Attributes) -> bool:
    return tag in HEADINGS or (bool(attributes) and attributes.get("role") == "heading")
