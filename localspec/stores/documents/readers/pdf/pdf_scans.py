"""Pages of a PDF that are pictures of text: recognized where tesseract is installed, else told by their numbers."""

from __future__ import annotations

import ctypes
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from localspec.stores.documents.readers.content import UnreadableError, Untyped
from localspec.stores.documents.readers.pdf.pdf_hidden import Sight
from localspec.stores.documents.readers.pdf.pdf_lines import PdfPage, pdf_page
from localspec.stores.documents.readers.pdf.pdf_ocr import find_tesseract, recognize

_PICTURED = 0.1  # part of a page without text that pictures cover at least, if they may show text
_DRAWN = 30  # lines and areas of such a page, if they may be drawn letters
_FULL_PAGE = 0.8  # part that a scan covers on which a little text lies: a stamp, or a number
_STAMP_CHARACTERS = 100
_EVEN = 0.2  # heights of recognized lines differ by less from each other where the font does not
INSTALL = (
    "Install tesseract to have them read (on Debian and Ubuntu: sudo apt install tesseract-ocr, with the languages"
)
"""Begins the advice that ends with `_OR_ELSE`."""
_OR_ELSE = " that you need), and add the file again; or run it through an OCR program, for example OCRmyPDF."


class Scans(NamedTuple):
    """Numbers of pages, from 1, by what became of them."""

    read: tuple[int, ...] = ()
    blank: tuple[int, ...] = ()  # no text was recognized
    late: tuple[int, ...] = ()  # there was no time
    unread: tuple[int, ...] = ()  # tesseract is not installed


def is_scan(found: PdfPage, sight: Sight) -> bool:
    """Whether a page seems to be a picture of text."""
    characters = sum(len(line.text) for line in found.lines)
    if not characters:
        return sight.pictured >= _PICTURED or sight.drawn >= _DRAWN
    return sight.pictured >= _FULL_PAGE and not sight.recognized and characters < _STAMP_CHARACTERS


def read_scans(pdf: Untyped, pages: list[PdfPage], indices: Sequence[int], seconds: float) -> Scans:
    """Put the recognized text of the pages with these indices into `pages`, for so many seconds altogether."""
    import pypdfium2

    program = find_tesseract()
    numbers = tuple(index + 1 for index in indices)
    if program is None:
        return Scans(unread=numbers)
    became: dict[str, list[int]] = {"read": [], "blank": [], "late": []}
    for index, recognized in recognize(program, pdf, indices, seconds, language=_language(pdf)):
        before = pages[index]
        kind = "late" if recognized is None else "blank"
        if recognized:
            words = pypdfium2.PdfDocument(recognized)
            found = even(pdf_page(words[0]))
            words.close()
            if sum(len(line.text) for line in found.lines) > sum(len(line.text) for line in before.lines):
                pages[index] = found._replace(fields=before.fields, notes=before.notes)
                kind = "read"
        became[kind].append(index + 1)
    return Scans(**{kind: tuple(found) for kind, found in became.items()})


def even(page: PdfPage) -> PdfPage:
    """A recognized page whose lines are as high as each other where they nearly are: it is measured by letters."""
    if not page.lines:
        return page
    usual = statistics.median(line.height for line in page.lines)
    lines = [line._replace(height=usual) if abs(line.height - usual) < _EVEN * usual else line for line in page.lines]
    return page._replace(lines=lines)


def scan_warnings(scans: Scans, seconds: float) -> list[str]:
    """What a person should know about these pages."""
    warnings = []
    if scans.unread:
        one = len(scans.unread) == 1
        holds = "is a picture of text, which was" if one else "are pictures of text, which were"
        warnings.append(f"{page_names(scans.unread)} {holds} not read. {INSTALL}{_OR_ELSE}")
    if scans.late:
        was = "was" if len(scans.late) == 1 else "were"
        warnings.append(
            f"{page_names(scans.late)} {was} not read: recognizing pictures of text took longer than {seconds:,.0f} "
            "seconds. Split the document, or run it through an OCR program, for example OCRmyPDF."
        )
    if scans.read:
        was = "was" if len(scans.read) == 1 else "were"
        warnings.append(f"{page_names(scans.read)} {was} read from pictures (OCR); some words may be wrong.")
    if scans.blank and (scans.read or scans.late):
        holds = "is a picture" if len(scans.blank) == 1 else "are pictures"
        warnings.append(f"{page_names(scans.blank)} {holds} in which no text was found.")
    return warnings


def refuse_pictures(scans: Scans, seconds: float) -> None:
    """Raise UnreadableError for a document that holds nothing but such pages, none of which could be read."""
    if scans.unread:
        raise UnreadableError(
            "holds pictures of pages and no text: it needs OCR (text recognition).", INSTALL + _OR_ELSE
        )
    if scans.late:
        raise UnreadableError(
            f"holds pictures of pages, and recognizing their text (OCR) took longer than {seconds:,.0f} seconds.",
            "Split it, or run it through an OCR program, for example OCRmyPDF, and add the result.",
        )
    if scans.blank:
        raise UnreadableError(
            "holds pictures in which no text was found by OCR (text recognition).",
            "If they show text, install its language for tesseract (on Debian: tesseract-ocr-deu and the like).",
        )


def page_names(numbers: Sequence[int]) -> str:
    """ "Page 3", or "Pages 3, 5 to 9 and 12"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    names: list[str] = []
    for run in runs:
        names += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run)
    words = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return f"Page{'s' if len(numbers) > 1 else ''} {words}"


def _language(pdf: Untyped) -> str:
    import pypdfium2.raw as pdfium

    buffer = (pdfium.FPDF_WCHAR * 32)()
    size = pdfium.FPDFCatalog_GetLanguage(pdf, buffer, ctypes.sizeof(buffer))
    return bytes(buffer)[: max(0, size)].decode("utf-16-le", errors="replace").rstrip("\0") if size <= 64 else ""
