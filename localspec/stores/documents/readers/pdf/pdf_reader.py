"""The reader of PDF: lines with their geometry become paragraphs under the headings of the outline."""

from __future__ import annotations

import re
from collections.abc import Callable
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
from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.pdf.pdf_beside import beside_text
from localspec.stores.documents.readers.pdf.pdf_footnotes import with_notes
from localspec.stores.documents.readers.pdf.pdf_hidden import hide_unseen
from localspec.stores.documents.readers.pdf.pdf_layers import with_marked_layers
from localspec.stores.documents.readers.pdf.pdf_lines import PdfPage, pdf_page
from localspec.stores.documents.readers.pdf.pdf_ocr import find_tesseract
from localspec.stores.documents.readers.pdf.pdf_running import printed_numbers
from localspec.stores.documents.readers.pdf.pdf_scans import (
    Scans,
    even,
    is_scan,
    read_scans,
    refuse_pictures,
    scan_warnings,
)
from localspec.stores.documents.readers.pdf.pdf_writing import Mark, write_pages

_LABEL_CHARACTERS = 40


def read_pdf(path: Path, limits: ParseLimits, begin_ocr: Callable[[], None] = lambda: None) -> Content:
    """Text of a PDF page by page; bookmarks, else large lines, give the sections. Running headers are left out.
    `begin_ocr` is called before scanned pages are recognized, which may take `limits.ocr_seconds`."""
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
            "is damaged or not a PDF.", "Get the file again, or open it in a viewer and print it to a new PDF."
        ) from error
    form = pdf.formenv if pdf.get_formtype() and pdf.init_forms() else None
    pages: list[PdfPage] = []
    scans: list[int] = []
    broken = 0
    attached: int = pdf.count_attachments()
    left = limits.characters
    for index in range(len(pdf)):
        try:
            page = pdf[index]
            sight = hide_unseen(page, marked is not None)
            beside = beside_text(page, form)
            attached += beside.attached
            found = pdf_page(page, beside.fields, beside.taken | sight.outside)._replace(notes=tuple(beside.notes))
        except pypdfium2.PdfiumError:
            broken += 1
            pages.append(PdfPage([], 0.0, 0.0))
            continue
        left -= sum(len(line.text) for line in found.lines)
        if left < 0:
            raise too_much_text(limits.characters)
        if sight.recognized:
            found = even(found)
        if is_scan(found, sight):
            scans.append(index)
        pages.append(found)
        page.close()
    if scans and find_tesseract():
        begin_ocr()
    became = read_scans(pdf, pages, scans, limits.ocr_seconds) if scans else Scans()
    _refuse_pdf_without_text(pages, became, broken, limits)
    pages = with_notes(pages)
    writer = BlockWriter(limits)
    write_pages(writer, pages, _outline(pdf), _labels(pdf, pages))
    blocks = writer.blocks
    title = one_line(pdf.get_metadata_value("Title") or "")
    return Content(
        title,
        "pdf",
        blocks,
        len(pages),
        (*scan_warnings(became, limits.ocr_seconds), *_pdf_warnings(pdf, blocks, broken, attached)),
    )


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


def _refuse_pdf_without_text(pages: list[PdfPage], scans: Scans, broken: int, limits: ParseLimits) -> None:
    if any(page.lines or page.fields or page.notes for page in pages):
        return
    if pages and broken == len(pages):
        raise UnreadableError("is damaged: none of its pages can be opened.", "Get the file again.")
    refuse_pictures(scans, limits.ocr_seconds)
    raise UnreadableError("holds no text: its pages are empty.", "Check in a PDF viewer that this is the right file.")


def _pdf_warnings(pdf: Untyped, blocks: list[Block], broken: int, attached: int) -> tuple[str, ...]:
    import pypdfium2.raw as pdfium

    warnings = []
    if broken:
        warnings.append(f"{broken} of {len(pdf)} pages are damaged and were left out.")
    if attached:
        files = "an attached file, which was" if attached == 1 else f"{attached} attached files, which were"
        warnings.append(f"Holds {files} not read. Save what you need from a PDF viewer and add it.")
    if pdf.get_formtype() == pdfium.FORMTYPE_XFA_FULL and not any(block.kind == "field" for block in blocks):
        warnings.append("Its form (XFA) was not read. Open it in Adobe Reader, print it to a PDF and add that.")
    text = "".join(block.text for block in blocks)
    strange = len(re.findall("[\ue000-\uf8ff\ufffd]", text))
    if strange > len(text) * 0.2:
        warnings.append("Much of the text has no readable letters: the PDF's fonts do not say which letters they show.")
    return tuple(warnings)


def _labels(pdf: Untyped, pages: list[PdfPage]) -> list[str]:
    """What is printed as each page's number, empty where that is the physical one. The document says it, or else the
    numbers at the edges of its pages."""
    labels = [one_line(pdf.get_page_label(index) or "") for index in range(len(pdf))]
    if not any(labels):
        labels = printed_numbers(pages)
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
