"""What stands on a PDF's page beside its text, in the form in which the layout takes it: lines of forms, and notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from localspec.stores.documents.readers.content import Untyped
from localspec.stores.documents.readers.pdf.pdf_annotations import form_fields, page_annotations
from localspec.stores.documents.readers.pdf.pdf_fields import field_lines
from localspec.stores.documents.readers.pdf.pdf_lines import FieldLine
from localspec.stores.documents.readers.pdf.pdf_notes import note_texts, typed


class Beside(NamedTuple):
    """What annotations add to a page."""

    fields: Sequence[FieldLine] = ()
    notes: Sequence[str] = ()
    attached: int = 0  # files that hang on the page
    taken: frozenset[int] = frozenset()  # characters of the page's text that the fields' lines hold


def beside_text(page: Untyped, form: Untyped) -> Beside:
    """The fields and notes of a page. `form` is the document's form environment of PDFium's, None without a form."""
    import pypdfium2.raw as pdfium

    if pdfium.FPDFPage_GetAnnotCount(page) < 1:
        return Beside()
    fields = form_fields(page, form) if form is not None else []
    remarks, attached = page_annotations(page)
    fields += typed(remarks)
    if not fields and not remarks:
        return Beside(attached=attached)
    text_page = page.get_textpage()
    lines, taken = field_lines(text_page, fields) if fields else ([], set())
    notes = note_texts(text_page, remarks)
    text_page.close()
    return Beside(lines, notes, attached, frozenset(taken))
