"""What lies on a PDF's pages beside their text: the fields of forms and the annotations, as PDFium gives them."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from localspec.stores.documents.readers.content import Untyped
from localspec.stores.documents.readers.encodings import clean, one_line

FieldKind: TypeAlias = Literal["text", "tick", "radio", "choice", "signature", "typed"]
_INVISIBLE = 2 | 32  # flags Hidden and NoView (ISO 32000-1, table 165)
_PASSWORD = 1 << 13  # flag of a text field (table 228)
_MOST = 20_000  # annotations of a page that are looked at


class Box(NamedTuple):
    """A rectangle in points from the lower left corner of the page."""

    left: float
    bottom: float
    right: float
    top: float

    def holds(self, x: float, y: float) -> bool:
        """Whether the point lies inside."""
        return self.left <= x <= self.right and self.bottom <= y <= self.top

    def height_shared(self, other: Box) -> float:
        """Part of the lower one's height, 0 to 1, at which both lie side by side."""
        shared = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, shared) / max(0.1, min(self.top - self.bottom, other.top - other.bottom))

    def width_shared(self, other: Box) -> float:
        """Part of the narrower one's width, 0 to 1, at which both lie one above the other."""
        shared = min(self.right, other.right) - max(self.left, other.left)
        return max(0.0, shared) / max(0.1, min(self.right - self.left, other.right - other.left))


class FormField(NamedTuple):
    """One place of a form that can be filled in."""

    kind: FieldKind
    box: Box
    name: str  # full name; the buttons of a radio group share it
    tooltip: str
    value: str  # what is written or chosen, as it is shown
    ticked: bool  # of a tick or radio button
    export: str  # what a ticked button stands for


class Annotation(NamedTuple):
    """A note, highlight, stamp or the like that somebody put on a page."""

    subtype: int  # FPDF_ANNOT_*
    box: Box
    text: str
    author: str
    quads: tuple[Box, ...]  # of marked text, the places of its lines
    number: int  # among all of the page
    answers: int | None  # the number of the one that it replies to


def form_fields(page: Untyped, form: Untyped) -> list[FormField]:
    """The visible fields of a page in the order of the file. `form` is the document's form environment of PDFium's."""
    import pypdfium2.raw as pdfium

    fields: list[FormField] = []
    for _, annotation, subtype, box in _annotations(page):
        if subtype == pdfium.FPDF_ANNOT_WIDGET:
            field = _field(pdfium, annotation, form, box)
            if field is not None:
                fields.append(field)
    return fields


def page_annotations(page: Untyped) -> tuple[list[Annotation], int]:
    """The visible annotations of a page that have a text, in the order of the file, and how many hold a file. Links and
    fields are left out."""
    import pypdfium2.raw as pdfium

    left_out = {pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP}
    found: list[Annotation] = []
    attached = 0
    for number, annotation, subtype, box in _annotations(page):
        attached += subtype == pdfium.FPDF_ANNOT_FILEATTACHMENT
        # What a reviewer's program says about a comment ("Accepted set by …") is not a comment.
        if subtype in left_out or pdfium.FPDFAnnot_HasKey(annotation, b"StateModel"):
            continue
        text = _string(pdfium, annotation, b"Contents") or _plain_of_rich(_string(pdfium, annotation, b"RC"))
        if subtype == pdfium.FPDF_ANNOT_STAMP and not text:
            text = _string(pdfium, annotation, b"Subj")
        if not text:
            continue
        answers = None
        if pdfium.FPDFAnnot_HasKey(annotation, b"IRT"):
            parent = pdfium.FPDFAnnot_GetLinkedAnnot(annotation, b"IRT")
            answers = pdfium.FPDFPage_GetAnnotIndex(page, parent) if parent else -1
            if parent:
                pdfium.FPDFPage_CloseAnnot(parent)
        author = one_line(_string(pdfium, annotation, b"T"))
        found.append(Annotation(subtype, box, text, author, _quads(pdfium, annotation), number, answers))
    return found, attached


def _annotations(page: Untyped) -> Iterator[tuple[int, Untyped, int, Box]]:
    """The visible ones with their number, subtype and place; each is open until the next one is asked for."""
    import pypdfium2.raw as pdfium

    rectangle = pdfium.FS_RECTF()
    for number in range(min(_MOST, pdfium.FPDFPage_GetAnnotCount(page))):
        annotation = pdfium.FPDFPage_GetAnnot(page, number)
        if not annotation:
            continue
        if not pdfium.FPDFAnnot_GetFlags(annotation) & _INVISIBLE:
            pdfium.FPDFAnnot_GetRect(annotation, rectangle)
            ys, xs = sorted((rectangle.bottom, rectangle.top)), sorted((rectangle.left, rectangle.right))
            yield number, annotation, pdfium.FPDFAnnot_GetSubtype(annotation), Box(xs[0], ys[0], xs[1], ys[1])
        pdfium.FPDFPage_CloseAnnot(annotation)


def _field(pdfium: Untyped, annotation: Untyped, form: Untyped, box: Box) -> FormField | None:
    kinds: dict[int, FieldKind] = {
        pdfium.FPDF_FORMFIELD_TEXTFIELD: "text",
        pdfium.FPDF_FORMFIELD_CHECKBOX: "tick",
        pdfium.FPDF_FORMFIELD_RADIOBUTTON: "radio",
        pdfium.FPDF_FORMFIELD_COMBOBOX: "choice",
        pdfium.FPDF_FORMFIELD_LISTBOX: "choice",
        pdfium.FPDF_FORMFIELD_SIGNATURE: "signature",
    }
    kind = kinds.get(pdfium.FPDFAnnot_GetFormFieldType(form, annotation))
    if kind is None:  # a push button
        return None

    def string(function: Callable[..., int]) -> str:
        return _text(functools.partial(function, form, annotation))

    value, ticked, export = "", False, ""
    if kind in ("tick", "radio"):
        # What is shown; the value is another name in LibreOffice's files.
        state = _string(pdfium, annotation, b"AS")
        ticked = state != "Off" if state else bool(pdfium.FPDFAnnot_IsChecked(form, annotation))
        export = string(pdfium.FPDFAnnot_GetFormFieldExportValue)
    elif kind == "choice":
        value = _chosen(pdfium, annotation, form) or string(pdfium.FPDFAnnot_GetFormFieldValue)
    elif kind == "signature":
        value = "signed" if pdfium.FPDFAnnot_HasKey(annotation, b"V") else ""
    else:
        value = string(pdfium.FPDFAnnot_GetFormFieldValue)
        if pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD:
            value = "•" * len(value)
    name = string(pdfium.FPDFAnnot_GetFormFieldName)
    return FormField(kind, box, name, string(pdfium.FPDFAnnot_GetFormFieldAlternateName), value, ticked, export)


def _chosen(pdfium: Untyped, annotation: Untyped, form: Untyped) -> str:
    """The shown words of the chosen options; the value of the field may be a code."""
    chosen = []
    for option in range(min(_MOST, pdfium.FPDFAnnot_GetOptionCount(form, annotation))):
        if pdfium.FPDFAnnot_IsOptionSelected(form, annotation, option):
            label = functools.partial(pdfium.FPDFAnnot_GetOptionLabel, form, annotation, option)
            chosen.append(_text(label))
    return ", ".join(filter(None, chosen))


def _quads(pdfium: Untyped, annotation: Untyped) -> tuple[Box, ...]:
    quad = pdfium.FS_QUADPOINTSF()
    boxes = []
    for index in range(min(1000, pdfium.FPDFAnnot_CountAttachmentPoints(annotation))):
        if pdfium.FPDFAnnot_GetAttachmentPoints(annotation, index, quad):
            xs, ys = (quad.x1, quad.x2, quad.x3, quad.x4), (quad.y1, quad.y2, quad.y3, quad.y4)
            boxes.append(Box(min(xs), min(ys), max(xs), max(ys)))
    return tuple(boxes)


def _string(pdfium: Untyped, annotation: Untyped, key: bytes) -> str:
    return _text(functools.partial(pdfium.FPDFAnnot_GetStringValue, annotation, key))


def _text(function: Callable[[Untyped, int], int]) -> str:
    """What one of PDFium's functions writes into a buffer as UTF-16; the return value is the size in bytes."""
    import pypdfium2.raw as pdfium

    size = int(function(None, 0))
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    function(ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    text = buffer.raw[:size].decode("utf-16-le", errors="replace").rstrip("\0").lstrip("\ufeff")
    lines = (" ".join(line.split()) for line in clean(text.replace("\r\n", "\n").replace("\r", "\n")).split("\n"))
    return "\n".join(filter(None, lines))


def _plain_of_rich(rich: str) -> str:
    """The words of a note that has only a text with formats (XHTML)."""
    if not rich:
        return ""
    from selectolax.lexbor import LexborHTMLParser

    body = LexborHTMLParser(rich).body
    return " ".join((body.text(separator=" ") if body is not None else "").split())
