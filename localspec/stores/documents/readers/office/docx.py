"""The reader of Word documents: headings, numbered lists, tables, notes, comments, headers and footers, charts."""

from __future__ import annotations

import email
import email.policy
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits
from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.office.diagrams import diagram_texts
from localspec.stores.documents.readers.office.docx_notes import (
    comment_author,
    note_elements,
    note_marks,
    running_parts,
)
from localspec.stores.documents.readers.office.docx_numbering import DocxNumbering, DocxStyles
from localspec.stores.documents.readers.office.docx_tables import cells_of, read_table, rows_of
from localspec.stores.documents.readers.office.docx_text import Anchor, DocxParagraph, DocxText
from localspec.stores.documents.readers.office.drawing_charts import chart_table
from localspec.stores.documents.readers.office.office_xml import Element, Package, child, is_on, value_of
from localspec.stores.documents.readers.office.running import running_text
from localspec.stores.documents.readers.web.html import read_html

_HEADING_CHARACTERS = 300  # longer paragraphs in the style of a heading are none
_FIELD_CHARACTERS = 300
_FIGURES = {"figure", "abbildung", "fig.", "fig", "bild", "illustration", "drawing", "图", "図"}
_NO_BLOCKS = {"w:del", "w:moveFrom", "w:sectPr", "w:tblPr", "w:tblGrid", "w:pPr", "w:rPr", "w:sdtPr", "w:tcPr"}


def read_docx(path: Path, limits: ParseLimits) -> Content:
    """A Word document in its order; notes and comments stand behind the paragraphs that they belong to."""
    with zipfile.ZipFile(path) as archive:
        package = Package(archive)
        writer = BlockWriter(limits)
        _Document(package, limits).write(writer)
        return Content(package.title(), "docx", writer.blocks)


class _Document:
    """What all stories of a document share: its styles, numbers and notes."""

    def __init__(self, package: Package, limits: ParseLimits) -> None:
        self.package = package
        self.limits = limits
        main = package.main
        self.settings, styles, numbers = (
            package.xml(name[0]) if (name := package.related(main, kind)) else None
            for kind in ("settings", "styles", "numbering")
        )
        self.root = package.xml(main)
        assert self.root is not None
        self.styles = DocxStyles(styles)
        self.numbering = DocxNumbering(numbers, self.styles)
        self.notes = {kind: note_elements(package, main, kind) for kind in ("footnote", "endnote", "comment")}
        self.marks = {
            kind: note_marks(self.root, self.settings, kind, self.notes[kind]) for kind in ("footnote", "endnote")
        }
        self.written: set[str] = set()  # headers and footers so far, which sections may share

    def write(self, writer: BlockWriter) -> None:
        """All blocks: each section between its header and its footer."""
        assert self.root is not None
        body = child(self.root, "w:body")
        story = _Story(self, self.package.main, writer)
        for items, section in _sections(body if body is not None else self.root):
            if section is not None:
                self._write_running(writer, section, "header")
            story.write(items)
            if section is not None:
                self._write_running(writer, section, "footer")

    def _write_running(self, writer: BlockWriter, section: Element, kind: str) -> None:
        relations = self.package.relations(self.package.main)
        for name in running_parts(section, self.settings, kind):
            relation = relations.get(name)
            root = self.package.xml(relation.target) if relation is not None and not relation.external else None
            if relation is None or root is None:
                continue
            apart = BlockWriter(self.limits)
            _Story(self, relation.target, apart, running=True).write(list(root))
            text = running_text("\n".join(block.text for block in apart.blocks))
            if text and text not in self.written:
                self.written.add(text)
                before = writer.section
                writer.turn()
                writer.add(text, "running")
                writer.turn(section=before)


def _sections(body: Element) -> Iterator[tuple[list[Element], Element | None]]:
    """Items of the body by section, each with its `w:sectPr`, which stands in the section's last paragraph."""
    items: list[Element] = []
    for one in body:
        if one.tag == "w:sectPr":
            yield items, one
            return
        items.append(one)
        ended = child(one, "w:pPr", "w:sectPr")
        if ended is not None:
            yield items, ended
            items = []
    yield items, None


class _Story:
    """The text of one part, or of a cell, note or text box in it: writes its blocks in their order."""

    def __init__(self, document: _Document, part: str, writer: BlockWriter, *, running: bool = False) -> None:
        self._document = document
        self._part = part
        self._writer = writer
        self._running = running
        self._text = DocxText(document.styles, document.marks, running=running)
        self._anchors: list[Anchor] | None = None  # in a cell: what is written behind the table
        self._title = ""  # caption of the table that follows
        self._carried = ""  # text before a paragraph's mark that was deleted or is hidden
        self._carried_anchors: list[Anchor] = []

    def write(self, items: list[Element]) -> None:
        """The blocks of these paragraphs and tables."""
        found = list(_items(items))
        for number, one in enumerate(found):
            behind = found[number + 1] if number + 1 < len(found) else None
            if one.tag == "w:tbl":
                self._table(one)
            elif one.tag == "w:altChunk":
                self._imported(one)
            else:
                self._paragraph(one, found[number - 1] if number else None, behind)
        if self._carried:
            self._writer.add(self._carried)
            self._carried = ""

    def _paragraph(self, element: Element, before: Element | None, behind: Element | None) -> None:
        styles = self._document.styles
        properties = child(element, "w:pPr")
        style = value_of(properties, "w:pStyle") or styles.default
        paragraph = self._text.read(element, style)
        anchors = [*self._carried_anchors, *paragraph.anchors]
        mark = child(properties, "w:rPr")
        if any(child(mark, name) is not None for name in ("w:del", "w:moveFrom")) or is_on(child(mark, "w:vanish")):
            self._carried += paragraph.text
            self._carried_anchors = anchors
            return
        text, self._carried, self._carried_anchors = (self._carried + paragraph.text).strip(), "", []
        place = self._document.numbering.place(properties, style) if text or self._counts(element) else None
        number = place.text if place is not None else ""
        level = self._heading_level(properties, style)
        if text and level and len(text) < _HEADING_CHARACTERS and not self._running:
            heading = f"{number} {text}".strip() if number not in ("", "-") else text
            self._writer.turn(section=one_line(heading))
            self._writer.add(one_line(heading), "heading", level)
        elif text and number and place is not None:
            self._writer.add(f"{number} {text}", "list item", place.level)
        elif text and styles.is_caption(style):
            self._caption(text, paragraph, before, behind)
        elif styles.is_code(style):
            self._writer.add_code_line(paragraph.text)
        else:
            is_field = paragraph.has_controls and len(text) < _FIELD_CHARACTERS
            self._writer.add(text, "field" if is_field else "paragraph")
        self._write_anchors(anchors)

    @staticmethod
    def _counts(element: Element) -> bool:
        """Whether an empty paragraph of a list has a number: it has where something stands in it, such as a picture."""
        return any(True for _ in element.iter("w:r"))

    def _heading_level(self, properties: Element | None, style: str) -> int:
        own = value_of(properties, "w:outlineLvl")
        if own is not None:
            return int(own) + 1 if own.isdigit() and int(own) < 9 else 0
        return self._document.styles.heading_level(style)

    def _caption(self, text: str, paragraph: DocxParagraph, before: Element | None, behind: Element | None) -> None:
        """A caption names the table below it, else the table above it, unless it counts figures."""
        self._writer.add(text, "caption")
        if paragraph.sequence in _FIGURES or paragraph.has_picture:
            return
        above = self._writer.blocks[-2] if len(self._writer.blocks) > 1 else None
        is_below = before is not None and before.tag == "w:tbl"
        if behind is not None and behind.tag == "w:tbl":
            self._title = text
        elif is_below and above is not None and above.table is not None and not above.table.title:
            self._writer.blocks[-2] = replace(above, table=replace(above.table, title=one_line(text)))

    def _table(self, table: Element) -> None:
        cells = [cell for row in rows_of(table) for cell in cells_of(row)]
        title, self._title = self._title or one_line(value_of(table, "w:tblPr", "w:tblCaption") or ""), ""
        if _is_layout(table, cells):
            for cell in cells:
                self.write(list(cell))
            return
        anchors: list[Anchor] = []
        nested: list[Element] = []

        def text_of(cell: Element) -> str:
            apart = BlockWriter(self._document.limits)
            story = _Story(self._document, self._part, apart, running=self._running)
            story._text, story._anchors = self._text, anchors
            own = list(_items(list(cell)))
            nested.extend(one for one in own if one.tag == "w:tbl")
            story.write([one for one in own if one.tag != "w:tbl"])
            return "\n".join(block.text for block in apart.blocks)

        self._writer.add_table(read_table(table, text_of, title=title))
        self._write_anchors(anchors)
        for one in nested:
            self._table(one)

    def _imported(self, element: Element) -> None:
        """A web page that Word takes in when it opens the document, as converters from HTML write it."""
        package = self._document.package
        relation = package.relations(self._part).get(element.get("r:id", ""))
        if relation is None or relation.external or not package.has(relation.target):
            return
        data = package.data(relation.target)
        if relation.target.lower().endswith((".mht", ".mhtml")):
            body = email.message_from_bytes(data, policy=email.policy.default).get_body(("html", "plain"))
            data = body.get_content().encode() if body is not None else b""
        elif not relation.target.lower().endswith((".htm", ".html", ".xhtml", ".txt")):
            return
        for block in read_html(data, self._document.limits).blocks:
            if block.table is not None:
                self._writer.add_table(block.table)
            else:
                self._writer.add(block.text, block.kind, block.level)

    def _write_anchors(self, anchors: list[Anchor]) -> None:
        if self._anchors is not None:
            self._anchors += anchors
            return
        for one in anchors:
            if one.element is not None:
                self.write(list(one.element))
            elif one.kind in ("footnote", "endnote"):
                text = self._apart(self._document.notes[one.kind].get(one.id), f"{one.kind}s")
                mark = self._document.marks[one.kind].get(one.id, "")
                self._writer.add(f"[{mark}] {text}" if text else "", "note")
            elif one.kind == "comment":
                comment = self._document.notes["comment"].get(one.id)
                text = self._apart(comment, "comments")
                if comment is not None and text:
                    author = comment_author(comment)
                    self._writer.add(f"Comment by {author}: {text}" if author else f"Comment: {text}", "note")
            else:
                self._drawing(one)

    def _apart(self, element: Element | None, kind: str) -> str:
        """The text of a note."""
        if element is None:
            return ""
        part = next(iter(self._document.package.related(self._document.package.main, kind)), self._part)
        apart = BlockWriter(self._document.limits)
        _Story(self._document, part, apart).write(list(element))
        return "\n".join(block.text.strip() for block in apart.blocks)

    def _drawing(self, anchor: Anchor) -> None:
        package = self._document.package
        relation = package.relations(self._part).get(anchor.id)
        if relation is None or not package.has(relation.target):
            return
        if anchor.kind == "chart":
            table = chart_table(package.data(relation.target))
            if table is not None:
                self._writer.add_chart(table)
            return
        for level, text in diagram_texts(package.xml(relation.target)):
            self._writer.add(f"- {text}", "list item", level)


def _items(elements: list[Element]) -> Iterator[Element]:
    """Paragraphs and tables, also those inside content controls and tracked insertions."""
    for one in elements:
        if one.tag in ("w:p", "w:tbl", "w:altChunk"):
            yield one
        elif one.tag == "mc:AlternateContent":
            yield from _items(list(one)[:1])
        elif one.tag not in _NO_BLOCKS:
            yield from _items(list(one))


def _is_layout(table: Element, cells: list[Element]) -> bool:
    """Whether a table only places its text: one cell, or one row whose cells hold several paragraphs or tables."""
    if len(cells) <= 1:
        return True
    if len(rows_of(table)) > 1:
        return False
    return any(sum(1 for one in _items(list(cell)) if any(True for _ in one.iter("w:t"))) > 1 for cell in cells)
