"""The reader of PDF: lines with their geometry become paragraphs under the headings of the outline."""

from __future__ import annotations

import re
from pathlib import Path

from localspec.stores.documents.blocks import Block
from localspec.stores.documents.readers.content import (
    BlockWriter,
    Content,
    ParseLimits,
    UnreadableError,
    Untyped,
    too_much_text,
)
from localspec.stores.documents.readers.pdf_beside import beside_text
from localspec.stores.documents.readers.pdf_hidden import hide_unseen
from localspec.stores.documents.readers.pdf_layers import with_marked_layers
from localspec.stores.documents.readers.pdf_lines import PdfPage, pdf_page
from localspec.stores.documents.readers.pdf_writing import Mark, write_pages
from localspec.stores.documents.readers.plain import one_line

_LABEL_CHARACTERS = 40


def read_pdf(path: Path, limits: ParseLimits) -> Content:
    """Text of a PDF page by page; bookmarks, else large lines, give the sections. Running headers are left out."""
    import pypdfium2

    _refuse_cut_off_pdf(path)
    try:
        marked = with_marked_layers(path)
        pdf = pypdfium2.PdfDocument(path if marked is None else marked)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower() or "security" in str(error).lower():
            raise UnreadableError(
                "is protected by a password.",
                "Open it in a PDF viewer, save or print it as a PDF without a password, and add that copy.",
            ) from error
        raise UnreadableError(
            "is damaged or no real PDF.", "Get the file again, or open it in a viewer and print it to a new PDF."
        ) from error
    form = pdf.formenv if pdf.get_formtype() and pdf.init_forms() else None
    pages: list[PdfPage] = []
    pictures = broken = 0
    left = limits.characters
    for index in range(len(pdf)):
        try:
            page = pdf[index]
            sight = hide_unseen(page, marked is not None)
            beside = beside_text(page, form)
            found = pdf_page(page, beside.fields, beside.taken | sight.outside)._replace(notes=tuple(beside.notes))
        except pypdfium2.PdfiumError:
            broken += 1
            pages.append(PdfPage([], 0.0, 0.0))
            continue
        left -= sum(len(line.text) for line in found.lines)
        if left < 0:
            raise too_much_text(limits.characters)
        if not found.lines and pypdfium2.raw.FPDFPage_CountObjects(page) > 0:
            pictures += 1
        pages.append(found)
        page.close()
    _refuse_pdf_without_text(pages, pictures, broken)
    writer = BlockWriter(limits)
    write_pages(writer, pages, _outline(pdf), _labels(pdf))
    blocks = writer.blocks
    title = one_line(pdf.get_metadata_value("Title") or "")
    return Content(title, "pdf", blocks, len(pages), _pdf_warnings(blocks, len(pages), pictures, broken))


def _refuse_cut_off_pdf(path: Path) -> None:
    """PDFium repairs what is left of a truncated file and would lose its last pages without a word."""
    with path.open("rb") as file:
        head = file.read(2048)
        size = file.seek(0, 2)
        file.seek(max(0, size - 65536))
        tail = file.read()
    declared = re.search(rb"/Linearized\b[^>]{0,400}?/L\s+(\d{1,12})\b", head)
    if not re.search(rb"%%EOF|startxref\s+\d", tail) or (declared and int(declared[1]) > size):
        raise UnreadableError("is cut off: the end of the PDF is missing.", "Download or copy the file again.")


def _refuse_pdf_without_text(pages: list[PdfPage], pictures: int, broken: int) -> None:
    if any(page.lines or page.fields or page.notes for page in pages):
        return
    if pages and broken == len(pages):
        raise UnreadableError("is damaged: none of its pages can be opened.", "Get the file again.")
    if pictures:
        raise UnreadableError(
            "holds pictures of pages and no text: it needs OCR (text recognition) first.",
            "Run it through an OCR program, for example OCRmyPDF, and add the result.",
        )
    raise UnreadableError("holds no text: its pages are empty.", "Check in a PDF viewer that this is the right file.")


def _pdf_warnings(blocks: list[Block], pages: int, pictures: int, broken: int) -> tuple[str, ...]:
    warnings = []
    if pictures:
        warnings.append(
            f"{pictures} of {pages} pages hold no text (pictures of pages?) and were left out; "
            "OCR would make them readable."
        )
    if broken:
        warnings.append(f"{broken} of {pages} pages are damaged and were left out.")
    text = "".join(block.text for block in blocks)
    strange = len(re.findall("[\ue000-\uf8ff\ufffd]", text))
    if strange > len(text) * 0.2:
        warnings.append("Much of the text has no readable letters: the PDF's fonts do not say which letters they show.")
    return tuple(warnings)


def _labels(pdf: Untyped) -> list[str]:
    """What is printed as each page's number, empty where that is the physical one."""
    labels = [one_line(pdf.get_page_label(index) or "") for index in range(len(pdf))]
    return ["" if label == str(number) else label[:_LABEL_CHARACTERS] for number, label in enumerate(labels, 1)]


def _outline(pdf: Untyped) -> list[Mark]:
    """Bookmarks in reading order."""
    marks = []
    for number, bookmark in enumerate(pdf.get_toc(max_depth=6)):
        destination = bookmark.get_dest()
        index = destination.get_index() if destination is not None else None
        title = one_line(bookmark.get_title() or "")
        if index is None or index < 0 or not title:
            continue
        mode, position = destination.get_view()
        top = position[1] if mode == 1 and len(position) > 1 and position[1] is not None else float("inf")
        marks.append(Mark(index, -top, title, bookmark.level + 1))
        if number > 20_000:
            break
    return sorted(marks, key=lambda mark: mark[:2])
