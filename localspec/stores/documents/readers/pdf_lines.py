"""Lines of a PDF's pages with their geometry, as PDFium finds them."""

from __future__ import annotations

import ctypes
import statistics
from typing import NamedTuple

from localspec.stores.documents.readers.content import Untyped
from localspec.stores.documents.readers.plain import one_line

HYPHEN = "\x02"
"""Ends a line that PDFium found to be hyphenated."""


class Line(NamedTuple):
    text: str  # ends with HYPHEN where a word goes on in the next line
    left: float  # edges and baseline in points from the lower left corner of the page
    right: float
    baseline: float
    height: float  # of the font, ascent to descent
    fixed: bool  # fixed-width font


class PdfPage(NamedTuple):
    lines: list[Line]
    height: float
    upright: bool


def pdf_lines(page: Untyped) -> list[Line]:
    """Lines of a page in PDFium's reading order, with their geometry."""
    import pypdfium2.raw as pdfium

    text_page = page.get_textpage()
    lines: list[Line] = []
    units: list[int] = []
    visible: list[int] = []
    count = text_page.count_chars()
    rectangle, flags = pdfium.FS_RECTF(), ctypes.c_int()
    x, y = ctypes.c_double(), ctypes.c_double()
    for index in range(count + 1):
        unit = pdfium.FPDFText_GetUnicode(text_page, index) if index < count else 10
        hyphen = unit in (0x02, 0xFFFE)
        if unit not in (10, 13) and not hyphen:
            units.append(unit)
            if unit > 32 and unit != 0xA0:
                visible.append(index)
            continue
        if visible:
            pdfium.FPDFText_GetCharOrigin(text_page, visible[0], x, y)
            boxes = []
            for place in (visible[0], visible[len(visible) // 2], visible[-1]):
                pdfium.FPDFText_GetLooseCharBox(text_page, place, rectangle)
                boxes.append((rectangle.left, rectangle.right, abs(rectangle.top - rectangle.bottom)))
            pdfium.FPDFText_GetFontInfo(text_page, visible[len(visible) // 2], None, 0, flags)
            height = statistics.median(box[2] for box in boxes)
            text = one_line(_from_units(units))
            if text:
                text += HYPHEN if hyphen else ""
                lines.append(Line(text, boxes[0][0], boxes[2][1], y.value, height, bool(flags.value & 1)))
        units, visible = [], []
    text_page.close()
    return lines


def _from_units(units: list[int]) -> str:
    """Text of PDFium's units, which are UTF-16 units on some systems and code points on others."""
    if all(unit < 0xD800 for unit in units):
        return "".join(map(chr, units))
    text = "".join(chr(unit) if unit < 0x110000 else "\ufffd" for unit in units)
    return text.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="replace")
