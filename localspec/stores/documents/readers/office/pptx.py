"""The reader of PowerPoint presentations: slides as pages, with tables, charts, diagrams, notes and comments."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from localspec.stores.documents.blocks import Span, Table
from localspec.stores.documents.readers import table_headers
from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits
from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.office.diagrams import diagram_texts
from localspec.stores.documents.readers.office.drawing_charts import chart_table
from localspec.stores.documents.readers.office.office_xml import Element, Package, child, children, whole_number
from localspec.stores.documents.readers.office.pptx_text import line_text, lines_of

_TITLES = {"title", "ctrTitle"}
_RUNNING = {"ftr", "dt", "sldNum", "hdr"}
_BODIES = {"body", "obj", "subTitle", "tbl", "chart", "dgm", "media", "clipArt", "pic", ""}
_WIDEST = 1000  # columns that one cell may span
HIDDEN_SLIDE = "(hidden slide)"


def read_pptx(path: Path, limits: ParseLimits) -> Content:
    """Slides as pages: title first, then the other shapes in their order, comments and the speaker's notes."""
    with zipfile.ZipFile(path) as archive:
        package = Package(archive)
        writer = BlockWriter(limits)
        relations = package.relations(package.main)
        authors = _authors(package)
        written: set[str] = set()
        number = 0
        for one in children(child(package.xml(package.main), "p:sldIdLst"), "p:sldId"):
            relation = relations.get(one.get("r:id", ""))
            if relation is not None and not relation.external and package.has(relation.target):
                number += 1
                _Slide(package, relation.target, writer, written).write(number, authors)
        return Content(package.title(), "pptx", writer.blocks, number or None)


def _authors(package: Package) -> dict[str, str]:
    """Names of those who commented, by id: older and newer comments have lists of their own."""
    names = [name for kind in ("commentAuthors", "authors") for name in package.related(package.main, kind)]
    return {one.get("id", ""): one_line(one.get("name", "")) for name in names for one in package.xml(name) or ()}


class _Slide:
    """One slide with the layout and master that its placeholders take their styles from."""

    def __init__(self, package: Package, part: str, writer: BlockWriter, written: set[str]) -> None:
        self._package = package
        self._part = part
        self._writer = writer
        self._written = written  # footers and texts of masters so far
        root = package.xml(part)
        assert root is not None
        self._root = root
        layouts = package.related(part, "slideLayout")[:1]
        masters = package.related(layouts[0], "slideMaster")[:1] if layouts else []
        self._above = [one for name in (*layouts, *masters) if (one := package.xml(name)) is not None]

    def write(self, number: int, authors: dict[str, str]) -> None:
        """All blocks of the slide, which is the `number`th."""
        shapes = list(_shapes(child(self._root, "p:cSld", "p:spTree")))
        title_shape = next((one for one in shapes if _placeholder(one)[0] in _TITLES), None)
        title = ""
        if title_shape is not None:
            lines = (line_text(one) for one in children(child(title_shape, "p:txBody"), "a:p"))
            title = one_line(" ".join(lines))
        hidden = self._root.get("show") in ("0", "false")
        heading = f"{title} {HIDDEN_SLIDE}".strip() if hidden else title
        self._writer.turn(page=number, section=heading)
        self._writer.add(heading, "heading" if title else "paragraph", 1 if title else 0)
        for one in shapes:
            if one is not title_shape:
                self._shape(one)
        if self._root.get("showMasterSp") not in ("0", "false"):
            self._write_master_texts()
        self._write_comments(authors)
        self._write_notes()

    def _shape(self, shape: Element) -> None:
        kind, index = _placeholder(shape)
        if shape.tag == "p:graphicFrame":
            self._graphic(shape)
            return
        body = child(shape, "p:txBody")
        if body is None:
            return
        if kind in _RUNNING:
            is_field = any(True for _ in body.iter("a:fld"))
            if kind != "sldNum" and not (kind == "dt" and is_field):
                self._running(body)
            return
        for line in lines_of(body, self._styles(kind, index)):
            if line.mark:
                self._writer.add(f"{line.mark} {line.text}", "list item", line.level)
            else:
                self._writer.add(line.text)

    def _running(self, body: Element) -> None:
        text = "\n".join(filter(None, (line_text(one) for one in children(body, "a:p"))))
        if text and text not in self._written:
            self._written.add(text)
            self._writer.add(text, "running")

    def _styles(self, kind: str | None, index: str) -> list[Element]:
        """Lists of paragraph properties for a placeholder, of the layout and then of the master."""
        if kind is None:
            return []
        found = []
        for root in self._above:
            for one in _shapes(child(root, "p:cSld", "p:spTree")):
                other, place = _placeholder(one)
                if other is None:
                    continue
                same = place == index if root.tag == "p:sldLayout" else _family(other) == _family(kind)
                style = child(one, "p:txBody", "a:lstStyle")
                if same and style is not None:
                    found.append(style)
                    break
            style = child(root, "p:txStyles", "p:bodyStyle" if kind in _BODIES else "p:otherStyle")
            if style is not None:
                found.append(style)
        return found

    def _graphic(self, frame: Element) -> None:
        for one in frame.iter():
            if one.tag == "a:tbl":
                self._writer.add_table(_table(one))
                return
            relation = None
            if one.tag in ("c:chart", "cx:chart"):
                relation = self._package.relations(self._part).get(one.get("r:id", ""))
            elif one.tag == "dgm:relIds":
                relation = self._package.relations(self._part).get(one.get("r:dm", ""))
            if relation is None or not self._package.has(relation.target):
                continue
            if one.tag == "dgm:relIds":
                for level, text in diagram_texts(self._package.xml(relation.target)):
                    self._writer.add(f"- {text}", "list item", level)
            else:
                table = chart_table(self._package.data(relation.target))
                if table is not None:
                    self._writer.add_chart(table)
            return

    def _write_master_texts(self) -> None:
        """What the layout and the master show on each slide beside their placeholders, once."""
        for root in self._above:
            for one in _shapes(child(root, "p:cSld", "p:spTree")):
                body = child(one, "p:txBody")
                if body is not None and _placeholder(one)[0] is None:
                    self._running(body)
            if root.get("showMasterSp") in ("0", "false"):
                return

    def _write_comments(self, authors: dict[str, str]) -> None:
        for name in self._package.related(self._part, "comments"):
            root = self._package.xml(name)
            for comment in root if root is not None else ():
                self._comment("Comment", comment, authors)
                for reply in children(child(comment, "p188:replyLst"), "p188:reply"):
                    self._comment("Reply", reply, authors)

    def _comment(self, kind: str, element: Element, authors: dict[str, str]) -> None:
        plain = child(element, "p:text")
        lines = [line_text(one) for one in children(child(element, "p188:txBody"), "a:p")]
        text = one_line(plain.text or "") if plain is not None else "\n".join(filter(None, lines))
        author = authors.get(element.get("authorId", ""), "")
        if text:
            self._writer.add(f"{kind} by {author}: {text}" if author else f"{kind}: {text}", "note")

    def _write_notes(self) -> None:
        for name in self._package.related(self._part, "notesSlide"):
            for shape in _shapes(child(self._package.xml(name), "p:cSld", "p:spTree")):
                kind, _ = _placeholder(shape)
                if kind in _RUNNING or kind == "sldImg":
                    continue
                lines = lines_of(child(shape, "p:txBody"), [])
                text = "\n".join(f"{line.mark} {line.text}".strip() for line in lines)
                self._writer.add(f"Notes: {text}" if text else "", "note")


def _shapes(tree: Element | None) -> Iterator[Element]:
    """Shapes and frames in their order, also those in groups; hidden ones are left out."""
    for one in tree if tree is not None else ():
        if one.tag == "mc:AlternateContent":
            found: list[Element] = []
            for choice in one:
                found = found or [shape for shape in _shapes(choice) if shape.tag != "p:pic"]
            yield from found
        elif one.tag in ("p:sp", "p:graphicFrame", "p:grpSp", "p:cxnSp", "p:pic"):
            about = next((part for part in one if part.tag.endswith("Pr") and part.tag.startswith("p:nv")), None)
            about = child(about, "p:cNvPr")
            if about is not None and about.get("hidden") in ("1", "true"):
                continue
            if one.tag == "p:grpSp":
                yield from _shapes(one)
            else:
                yield one


def _placeholder(shape: Element) -> tuple[str | None, str]:
    """Type and index of a placeholder; None as the type of other shapes."""
    for about in shape:
        mark = child(about, "p:nvPr", "p:ph")
        if mark is not None:
            return mark.get("type", "obj"), mark.get("idx", "0")
    return None, ""


def _family(kind: str) -> str:
    return "title" if kind in _TITLES else "body" if kind in _BODIES else kind


def _table(element: Element) -> Table:
    """A table of a slide; merged cells repeat their text."""
    grid: list[list[str]] = []
    spans: list[Span] = []
    for number, row in enumerate(children(element, "a:tr")):
        line: list[str] = []
        for cell in children(row, "a:tc"):
            across, down = cell.get("hMerge") in ("1", "true"), cell.get("vMerge") in ("1", "true")
            column = len(line)
            if across and line and not down:
                line.append(line[-1])
            elif down and number and column < len(grid[-1]):
                line.append(grid[-1][column])
            else:
                line.append(
                    "\n".join(text for one in lines_of(child(cell, "a:txBody"), []) if (text := _cell_line(one)))
                )
                wide, tall = whole_number(cell.get("gridSpan"), 1), whole_number(cell.get("rowSpan"), 1)
                if wide > 1 or tall > 1:
                    spans.append(Span(number, column, tall, min(wide, _WIDEST)))
        grid.append(line)
    properties = child(element, "a:tblPr")
    first = properties is not None and properties.get("firstRow") in ("1", "true")
    named = first and len(grid) > 1
    header_rows = table_headers.with_spans(grid, spans, 1) if named else table_headers.guessed(grid, spans)
    return Table.of(grid, header_rows=header_rows, spans=spans)


def _cell_line(line: tuple[str, str, int]) -> str:
    text, mark, _ = line
    return f"{mark} {text}".strip()
