"""The reader of OpenDocument texts, and the story of paragraphs, lists and tables that slides have as well."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from localspec.stores.documents.readers import table_headers
from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits
from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.office.office_xml import Element, child, children, whole_number
from localspec.stores.documents.readers.office.opendocument import (
    Found,
    OpenDocumentFile,
    chart_of,
    note_mark,
    paragraph_text,
    table_of,
)
from localspec.stores.documents.readers.office.opendocument_lists import OpenDocumentCounters, OpenDocumentLists
from localspec.stores.documents.readers.office.running import PAGE_NUMBER, running_text

_FIGURES = {"illustration", "figure", "drawing", "abbildung", "bild"}
_CAPTIONS = {"Caption", "TableCaption", "FigureCaption", "Table_20_Caption"}
_CODE = {"Preformatted_20_Text", "Source_20_Code"}
_WITHOUT_TEXT = {"office:forms", "text:tracked-changes", "text:sequence-decls", "svg:title", "svg:desc"}


def read_odt(path: Path, limits: ParseLimits) -> Content:
    """A text document in its order, headers first and footers last, each once."""
    with zipfile.ZipFile(path) as archive:
        document = OpenDocumentFile(archive)
        writer = BlockWriter(limits)
        story = OpenDocumentStory(document, writer, limits)
        _write_running(document, story, "header")
        story.write(document.body)
        writer.turn()
        _write_running(document, story, "footer")
        return Content(document.title(), "odt", writer.blocks)


def _write_running(document: OpenDocumentFile, story: OpenDocumentStory, kind: str) -> None:
    """Headers or footers of the master pages that the text uses."""
    pages = {
        one.get("style:name", ""): one
        for one in children(child(document.styles, "office:master-styles"), "style:master-page")
    }
    used = {one.get("style:master-page-name", "") for one in document.style_elements.values()} & set(pages)
    used |= {"Standard"} & set(pages) or set(list(pages)[:1])
    used |= {pages[name].get("style:next-style-name", "") for name in used} & set(pages)
    written: set[str] = set()
    for name, page in pages.items():
        for one in page if name in used else ():
            if not one.tag.startswith(f"style:{kind}") or one.get("style:display") == "false":
                continue
            text = running_text(story.apart(one, PAGE_NUMBER))
            if text and text not in written:
                written.add(text)
                story.writer.add(text, "running")


class OpenDocumentStory:
    """Writes the blocks of a document's body, of a cell, a note or a text box in their order."""

    def __init__(
        self,
        document: OpenDocumentFile,
        writer: BlockWriter,
        limits: ParseLimits,
        *,
        lists: OpenDocumentLists | None = None,
        page_number: str | None = None,
    ) -> None:
        self.writer = writer
        self._document = document
        self._limits = limits
        self._lists = lists or OpenDocumentLists(document)
        self._page_number = page_number
        self._title = ""  # caption of the table that follows
        self._put_off: list[Found] | None = None  # in a cell: what is written behind the table
        self._controls = {
            one.get(key, ""): one
            for one in document.body.iter()
            if one.tag.startswith("form:")
            for key in ("xml:id", "form:id")
        }

    def write(self, elements: Iterable[Element]) -> None:
        """The blocks of these elements."""
        items = list(elements)
        for number, one in enumerate(items):
            before = items[number - 1] if number else None
            behind = items[number + 1] if number + 1 < len(items) else None
            self._item(one, before, behind)

    def apart(self, element: Element, page_number: str | None = None) -> str:
        """The text of what an element holds, such as a note or a header."""
        apart = BlockWriter(self._limits)
        story = OpenDocumentStory(self._document, apart, self._limits, lists=self._lists, page_number=page_number)
        story.write(element)
        return "\n".join(block.text.strip() for block in apart.blocks)

    def _item(self, one: Element, before: Element | None, behind: Element | None) -> None:
        name = one.tag
        if name == "text:h":
            self._heading(one, "")
        elif name == "text:p":
            self._paragraph(one, before, behind)
        elif name == "text:list":
            style = one.get("text:style-name") or self._style_of_first(one)
            goes_on = before is not None and before.tag == "text:list"
            self._list(one, style, 0, self._lists.counters(one, style, goes_on=goes_on))
        elif name == "table:table":
            self._table(one)
        elif name == "office:annotation":
            self.comment(one)
        elif name.startswith("draw:"):
            self.frame(one)
        elif name not in _WITHOUT_TEXT and one.get("text:display") != "none":
            # sections, indexes, numbered paragraphs
            self.write(one)

    def _style_of_first(self, element: Element) -> str:
        """The list style of the first paragraph in a list that names none."""
        first = next(element.iter("text:p"), None)
        name = first.get("text:style-name") if first is not None else None
        return self._document.styled("paragraph", name, "style:style", "style:list-style-name") or ""

    def _heading(self, element: Element, number: str) -> None:
        found = Found(page_number=self._page_number)
        text = one_line(paragraph_text(self._document, element, found))
        level = max(1, whole_number(element.get("text:outline-level"), 1))
        unnumbered = self._document.styled(
            "paragraph", element.get("text:style-name"), "style:style", "style:list-style-name"
        )
        if text and not number and unnumbered != "" and element.get("text:is-list-header") != "true":
            number = self._lists.heading_number(element, level - 1)
        if text:
            text = f"{number} {text}".strip() if number != "-" else text
            if self._page_number is None and self._put_off is None:
                self.writer.turn(page=self.writer.page, section=text)
            self.writer.add(text, "heading", level)
        self._beside(found)

    def _paragraph(self, element: Element, before: Element | None, behind: Element | None) -> None:
        found = Found(page_number=self._page_number)
        text = paragraph_text(self._document, element, found)
        chain = self._style_names(element)
        if text and "Title" in chain and self._page_number is None:
            self.writer.turn(page=self.writer.page, section=one_line(text))
            self.writer.add(one_line(text), "heading", 1)
        elif text and _CAPTIONS & chain:
            self._caption(text, found, before, behind)
        elif _CODE & chain:
            self.writer.add_code_line(paragraph_text(self._document, element, indented=True))
        else:
            self.writer.add(text)
        self._beside(found)

    def _style_names(self, element: Element) -> set[str]:
        """Names of the paragraph's style and of those it is based on."""
        names: set[str] = set()
        name = element.get("text:style-name")
        while name and name not in names:
            names.add(name)
            style = self._document.style_elements.get(("paragraph", name))
            name = style.get("style:parent-style-name") if style is not None else None
        return names

    def _caption(self, text: str, found: Found, before: Element | None, behind: Element | None) -> None:
        """A caption names the table below it, else the table above it, unless it counts figures."""
        above = self.writer.blocks[-1] if self.writer.blocks else None
        self.writer.add(text, "caption")
        if found.sequence.lower() in _FIGURES or found.frames:
            return
        is_below = before is not None and before.tag == "table:table"
        if behind is not None and behind.tag == "table:table":
            self._title = text
        elif is_below and above is not None and above.table is not None and not above.table.title:
            self.writer.blocks[-2] = replace(above, table=replace(above.table, title=one_line(text)))

    def _list(self, element: Element, style: str, level: int, counters: OpenDocumentCounters) -> None:
        for item in element:
            if item.tag not in ("text:list-item", "text:list-header"):
                continue
            numbered = item.tag == "text:list-item"
            for one in item:
                if one.tag == "text:list":
                    self._list(one, one.get("text:style-name") or style, level + 1, counters)
                elif one.tag in ("text:p", "text:h") and numbered:
                    numbered = False
                    self._list_item(one, item, style, level, counters)
                else:
                    self._item(one, None, None)

    def _list_item(self, one: Element, item: Element, style: str, level: int, counters: OpenDocumentCounters) -> None:
        found = Found(page_number=self._page_number)
        text = paragraph_text(self._document, one, found)
        if not text and not found.frames:
            return
        off = self._document.styled(
            "paragraph", one.get("text:style-name"), "style:paragraph-properties", "text:enable-numbering"
        )
        number = "" if off == "false" else self._lists.number(counters, style, level, item.get("text:start-value"))
        if one.tag == "text:h":
            self._heading(one, number)
            return
        if number:
            self.writer.add(f"{number} {text}" if text else "", "list item", level)
        else:
            self.writer.add(text)
        self._beside(found)

    def _table(self, element: Element) -> None:
        title, self._title = self._title, ""
        put_off: list[Found] = []
        nested: list[Element] = []

        def text_of(cell: Element) -> str:
            apart = BlockWriter(self._limits)
            story = OpenDocumentStory(
                self._document, apart, self._limits, lists=self._lists, page_number=self._page_number
            )
            story._put_off = put_off
            nested.extend(children(cell, "table:table"))
            story.write(one for one in cell if one.tag != "table:table")
            return "\n".join(block.text for block in apart.blocks)

        table = table_of(element, text_of, title=title)
        count = table.header_rows or table_headers.guessed(table.rows, table.spans)
        self.writer.add_table(replace(table, header_rows=count))
        for found in put_off:
            self._beside(found)
        for one in nested:
            self._table(one)

    def _beside(self, found: Found) -> None:
        """What a paragraph holds beside its text."""
        if self._put_off is not None:
            self._put_off.append(found)
            return
        for one in found.notes:
            body = child(one, "text:note-body")
            text = self.apart(body) if body is not None else ""
            self.writer.add(f"[{note_mark(one)}] {text}" if text else "", "note")
        for one in found.comments:
            self.comment(one)
        for one in found.frames:
            self.frame(one)

    def comment(self, element: Element) -> None:
        """An `office:annotation`."""
        author = child(element, "dc:creator")
        name = one_line(author.text or "") if author is not None else ""
        text = self.apart(element)
        if text:
            self.writer.add(f"Comment by {name}: {text}" if name else f"Comment: {text}", "note")

    def frame(self, element: Element) -> None:
        """A frame, shape, group or control: its text, table, chart or value."""
        if element.tag == "draw:control":
            self._control(self._controls.get(element.get("draw:control", "")))
            return
        if element.tag == "draw:frame":
            content = self._document.object_of(element)
            chart = chart_of(content)
            if chart is not None:
                self.writer.add_chart(chart)
                return
            sheet = child(content, "office:body", "office:spreadsheet")
            if sheet is not None:
                self.write(children(sheet, "table:table"))
                return
        for one in element:
            if one.tag in ("text:p", "text:h", "text:list", "table:table"):
                self._item(one, None, None)
            elif one.tag == "draw:text-box":
                self.write(one)
            elif one.tag.startswith("draw:"):
                self.frame(one)

    def _control(self, control: Element | None) -> None:
        """A field of a form: its label and its value."""
        if control is None:
            return
        label, kind = one_line(control.get("form:label", "")), control.tag
        if kind in ("form:checkbox", "form:radio"):
            state = (
                control.get("form:current-state") or control.get("form:state") or control.get("form:current-selected")
            )
            self.writer.add(f"{'☒' if state in ('checked', 'true') else '☐'} {label}", "field")
            return
        chosen = [
            one.get("form:label", "")
            for one in children(control, "form:option")
            if "true" in (one.get("form:current-selected"), one.get("form:selected"))
        ]
        value = ", ".join(chosen) or control.get("form:current-value") or control.get("form:value") or ""
        if kind not in ("form:button", "form:hidden", "form:password"):
            self.writer.add(one_line(f"{label}: {value}" if label and value else label or value), "field")
