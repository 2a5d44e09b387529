"""Text of a Word paragraph as it is read: changes taken, hidden text and field codes left out, marks of notes kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from localspec.stores.documents.readers.encodings import tidy
from localspec.stores.documents.readers.office.docx_numbering import DocxStyles
from localspec.stores.documents.readers.office.equations import office_equation
from localspec.stores.documents.readers.office.office_xml import Element, child, children, is_on, value_of, whole_number
from localspec.stores.documents.readers.office.running import PAGE_NUMBER
from localspec.stores.documents.readers.office.symbol_fonts import shown_symbol, without_private_use

_PAGE_FIELDS = {"PAGE", "NUMPAGES", "SECTIONPAGES"}
_SKIPPED = {
    *("w:del", "w:moveFrom", "w:delText", "w:delInstrText"),  # what was there before the changes
    *("w:pPr", "w:rPr", "w:sdtPr", "w:sdtEndPr", "w:tblPr", "w:trPr", "w:tcPr", "w:sectPr", "w:tblGrid"),
    *("w:rt", "w:object"),
}
_TICKED, _UNTICKED = "☒", "☐"


class Anchor(NamedTuple):
    """What belongs to a paragraph but is no part of its line."""

    kind: str  # 'comment', 'footnote', 'endnote', 'text box', 'chart', 'diagram'
    id: str = ""  # of a note or comment, or of the relation to a part
    element: Element | None = None  # of a text box, its content


@dataclass
class DocxParagraph:
    """A paragraph's text and what hangs on it."""

    text: str = ""
    anchors: list[Anchor] = field(default_factory=list)
    has_controls: bool = False  # fields of a form
    has_picture: bool = False
    sequence: str = ""  # of a caption with a number: what is counted, such as "Table"


@dataclass
class _Field:
    element: Element | None
    code: str = ""
    in_result: bool = False
    ticked: str | None = None  # what a form field shows that has no result


class DocxText:
    """Reads paragraphs in their order: a field may begin in one and end in another."""

    def __init__(self, styles: DocxStyles, marks: dict[str, dict[str, str]], *, running: bool = False) -> None:
        """`marks`: of 'footnote' and 'endnote', the mark of each id. If `running`, page numbers are PAGE_NUMBER."""
        self._styles = styles
        self._marks = marks
        self._running = running
        self._fields: list[_Field] = []
        self._parts: list[str] = []
        self._found = DocxParagraph()

    def read(self, paragraph: Element, style: str = "") -> DocxParagraph:
        """The paragraph, with the name of its style."""
        self._parts, self._found = [], DocxParagraph()
        if not self._styles.is_hidden(style):
            self._inside(paragraph)
        for one in self._fields:  # a field whose end is missing must not hide the rest of the document
            one.in_result = True
        self._found.text = tidy("".join(self._parts))
        return self._found

    def _inside(self, element: Element) -> None:
        for one in element:
            self._collect(one)

    def _collect(self, element: Element) -> None:
        name = element.tag
        if name == "w:r":
            self._run(element)
        elif name in ("m:oMath", "m:oMathPara"):
            lines = [element] if name == "m:oMath" else list(children(element, "m:oMath"))
            self._add(" ".join(office_equation(one).strip() for one in lines))
        elif name == "w:fldSimple":
            self._simple_field(element)
        elif name == "w:sdt":
            self._control(element)
        elif name == "mc:AlternateContent":
            self._alternatives(element)
        elif name not in _SKIPPED:
            self._inside(element)

    def _run(self, run: Element) -> None:
        properties = child(run, "w:rPr")
        vanish = child(properties, "w:vanish")
        style = value_of(properties, "w:rStyle")
        hidden = is_on(vanish) if vanish is not None else bool(style and self._styles.is_hidden(style))
        fonts = child(properties, "w:rFonts")
        font = (fonts.get("w:ascii") or fonts.get("w:hAnsi") or "") if fonts is not None else ""
        for one in run:
            if one.tag in ("w:fldChar", "w:instrText"):
                self._field_mark(one)
            elif not hidden:
                self._run_part(one, font)

    def _run_part(self, element: Element, font: str) -> None:
        name = element.tag
        if name == "w:t":
            self._add(without_private_use(element.text or "", font))
        elif name in ("w:tab", "w:ptab"):
            self._add("\t")
        elif name in ("w:br", "w:cr"):
            self._add("\n")
        elif name == "w:noBreakHyphen":
            self._add("-")
        elif name == "w:sym":
            code = whole_number(str(int(element.get("w:char") or "0", 16)))
            self._add(shown_symbol(code, element.get("w:font", "")) or ("" if code >= 0xE000 else chr(code)))
        elif name in ("w:footnoteReference", "w:endnoteReference"):
            self._note(element)
        elif name == "w:commentReference":
            self._found.anchors.append(Anchor("comment", element.get("w:id", "")))
        elif name == "w:pgNum":
            self._add(PAGE_NUMBER if self._running else "")
        elif name in ("w:drawing", "w:pict", "w:object"):
            self._drawing(element)
        elif name == "w:ruby":
            base = child(element, "w:rubyBase")
            if base is not None:
                self._inside(base)
        else:
            self._collect(element)

    def _add(self, text: str) -> None:
        if text and all(one.in_result for one in self._fields):
            self._parts.append(text)

    def _note(self, element: Element) -> None:
        kind = "footnote" if element.tag == "w:footnoteReference" else "endnote"
        note = element.get("w:id", "")
        mark = self._marks.get(kind, {}).get(note)
        if mark is not None and all(one.in_result for one in self._fields):
            if (element.get("w:customMarkFollows") or "0") not in ("1", "true", "on"):
                self._add(f"[{mark}]")
            self._found.anchors.append(Anchor(kind, note))

    def _drawing(self, element: Element) -> None:
        for one in element:
            name = one.tag
            if name == "w:txbxContent":
                self._found.anchors.append(Anchor("text box", element=one))
            elif name in ("c:chart", "cx:chart"):
                self._found.anchors.append(Anchor("chart", one.get("r:id", "")))
            elif name == "dgm:relIds":
                self._found.anchors.append(Anchor("diagram", one.get("r:dm", "")))
            elif name == "v:textpath" and one.get("string"):
                self._add(one.get("string", ""))
            elif name == "a:t":  # in a canvas of drawings
                self._add(f"{one.text or ''} ")
            elif name == "mc:AlternateContent":
                self._alternatives(one, drawing=True)
            else:
                self._found.has_picture |= name in ("pic", "v:imagedata", "a:blip")
                self._drawing(one)

    def _alternatives(self, element: Element, *, drawing: bool = False) -> None:
        """The first choice that holds something; the fallback is a second copy of it."""
        before = len(self._parts), len(self._found.anchors), self._found.has_picture
        for one in element:
            if drawing:
                self._drawing(one)
            else:
                for part in one:
                    self._run_part(part, "")
            if (len(self._parts), len(self._found.anchors), self._found.has_picture) != before:
                return

    def _control(self, element: Element) -> None:
        properties = child(element, "w:sdtPr")
        box = child(properties, "w14:checkbox")
        kinds = ("w:dropDownList", "w:comboBox", "w:date", "w:text")
        self._found.has_controls |= box is not None or any(child(properties, kind) is not None for kind in kinds)
        if box is not None:
            ticked = (value_of(box, "w14:checked", name="w14:val") or "0").lower() in ("1", "true", "on")
            self._add(_TICKED if ticked else _UNTICKED)
            return
        content = child(element, "w:sdtContent")
        if content is not None:
            self._inside(content)

    def _simple_field(self, element: Element) -> None:
        code = element.get("w:instr", "")
        if self._is_page_number(code):
            self._add(PAGE_NUMBER)
        else:
            self._remember_sequence(code)
            self._inside(element)

    def _is_page_number(self, code: str) -> bool:
        return self._running and (code.split() or [""])[0].upper() in _PAGE_FIELDS

    def _remember_sequence(self, code: str) -> None:
        words = code.split()
        if len(words) > 1 and words[0].upper() == "SEQ":
            self._found.sequence = words[1].lower()

    def _field_mark(self, element: Element) -> None:
        if element.tag == "w:instrText":
            if self._fields and not self._fields[-1].in_result:
                self._fields[-1].code += element.text or ""
            return
        kind = element.get("w:fldCharType")
        if kind == "begin":
            self._fields.append(_Field(child(element, "w:ffData")))
        elif kind == "separate" and self._fields:
            self._fields[-1].in_result = True
            self._remember_sequence(self._fields[-1].code)
            if self._is_page_number(self._fields[-1].code):  # its result, the number when it was saved, is left out
                self._fields[-1].in_result = False
        elif kind == "end" and self._fields:
            ended = self._fields.pop()
            if self._is_page_number(ended.code):
                self._add(PAGE_NUMBER)
            elif ended.element is not None:
                self._found.has_controls = True
                self._add(_form_value(ended.element))
            elif found := re.match(r"\s*SYMBOL\s+(\d+|0x[0-9a-fA-F]+)(?:.*\\f\s+\"?([^\"\\]+))?", ended.code):
                self._add(shown_symbol(int(found[1], 0), found[2] or "Symbol") or chr(min(int(found[1], 0), 0x10FFFF)))


def _form_value(data: Element) -> str:
    """What a check box or a list of the older forms shows; the result of a text field stands in the text."""
    box = child(data, "w:checkBox")
    if box is not None:
        checked = child(box, "w:checked")
        return _TICKED if is_on(checked if checked is not None else child(box, "w:default")) else _UNTICKED
    choice = child(data, "w:ddList")
    if choice is None:
        return ""
    entries = [one.get("w:val", "") for one in children(choice, "w:listEntry")]
    place = whole_number(value_of(choice, "w:result") or value_of(choice, "w:default"))
    return entries[place] if 0 <= place < len(entries) else ""
