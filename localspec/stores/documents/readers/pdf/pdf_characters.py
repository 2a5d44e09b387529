"""The characters of a PDF's page with their geometry, as PDFium tells them."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Collection, Iterator

from localspec.stores.documents.readers.content import Untyped
from localspec.stores.documents.readers.pdf.pdf_annotations import Box
from localspec.stores.documents.readers.pdf.pdf_rules import turned_point

HYPHEN_UNITS = frozenset({0x02, 0xAD, 0xFFFE})
"""PDFium's units for a hyphen at the end of a line, and soft hyphens."""
_BOLD = re.compile(rb"bold|black|heavy|demi|CMBX|BX\d|Medi", re.IGNORECASE)
_FIXED = re.compile(
    rb"mono|courier|typewriter|consol|menlo|cursor|CMTT|SFTT|LMTT|xtt|NimbusMon|BeraSansMono", re.IGNORECASE
)
_SHAPELESS = b"GlyphLessFont"


class Characters:
    """Asks PDFium about the characters of a page, and turns what it says so that most of the text is upright."""

    def __init__(self, page: Untyped, text_page: Untyped, without: Collection[int]) -> None:
        import pypdfium2.raw as pdfium

        self.pdfium = pdfium
        self.text_page = text_page
        count = text_page.count_chars()
        raw, unicode = text_page.raw, pdfium.FPDFText_GetUnicode
        self.units = [unicode(raw, index) for index in range(count)]
        for index in without:
            self.units[index] = 32
        width, height = page.get_size()
        self.width, self.height = (height, width) if page.get_rotation() % 180 else (width, height)
        self.turn = 0
        self._rectangle = pdfium.FS_RECTF()
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._flags = ctypes.c_int()
        self._name = ctypes.create_string_buffer(128)
        self._matrix = pdfium.FS_MATRIX()
        self._sides = [ctypes.c_double() for _ in range(4)]

    def found_lines(self) -> Iterator[range]:
        """Indices of the characters of PDFium's lines that hold something to see, parted where the direction turns."""
        start = 0
        for index in range(len(self.units) + 1):
            unit = self.units[index] if index < len(self.units) else 10
            broken = unit in (0x02, 0xFFFE)  # a hyphen, behind which the next line begins at once
            if broken or unit in (10, 13):
                if any(one > 32 and one != 0xA0 for one in self.units[start:index]):
                    yield from self._directions(range(start, index + broken))
                start = index + 1

    def _directions(self, indices: range) -> Iterator[range]:
        """Words that follow each other in one direction: PDFium does not end its line where the direction turns."""
        start, last = indices.start, None
        for index in indices:
            if self.units[index] <= 32 or (index > indices.start and self.units[index - 1] > 32):
                continue
            angle = self.pdfium.FPDFText_GetCharAngle(self.text_page, index)
            if last is not None and abs(angle - last) > 0.1 and abs(angle - last) < 6.2:
                yield range(start, index)
                start = index
            last = angle
        yield range(start, indices.stop)

    def quarter(self, indices: range) -> int:
        """Quarter turns (clockwise) of a line's text; -1 for a slope."""
        first = next(index for index in indices if self.units[index] > 32 and self.units[index] != 0xA0)
        turns = self.pdfium.FPDFText_GetCharAngle(self.text_page, first) / (math.pi / 2)
        return round(turns) % 4 if abs(turns - round(turns)) < 0.06 else -1

    def box(self, index: int) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of a character."""
        found = self._rectangle
        self.pdfium.FPDFText_GetLooseCharBox(self.text_page, index, found)
        if not self.turn:
            return found.left, found.right, min(found.bottom, found.top), max(found.bottom, found.top)
        box = self.turned_box(Box(found.left, found.bottom, found.right, found.top))
        return box.left, box.right, box.bottom, box.top

    def boxes(self, indices: range) -> Iterator[tuple[float, float, float, float]]:
        """`box` of each of several characters."""
        if self.turn:
            yield from map(self.box, indices)
            return
        found, page, loose = self._rectangle, self.text_page.raw, self.pdfium.FPDFText_GetLooseCharBox
        at = ctypes.byref(found)
        for index in indices:
            loose(page, index, at)
            bottom, top = found.bottom, found.top
            yield (found.left, found.right, bottom, top) if bottom <= top else (found.left, found.right, top, bottom)

    def turned_box(self, box: Box) -> Box:
        """A box of the page where it lies in what is read."""
        one = turned_point(box.left, box.bottom, self.turn, self.width, self.height)
        other = turned_point(box.right, box.top, self.turn, self.width, self.height)
        left, right = sorted((one[0], other[0]))
        bottom, top = sorted((one[1], other[1]))
        return Box(left, bottom, right, top)

    def baseline(self, index: int) -> float:
        """Where a character stands."""
        self.pdfium.FPDFText_GetCharOrigin(self.text_page, index, self._x, self._y)
        return turned_point(self._x.value, self._y.value, self.turn, self.width, self.height)[1]

    def size(self, index: int, height: float) -> float:
        """The size of a character's font in points, for one whose box is of this height; never 0."""
        size: float = self.pdfium.FPDFText_GetFontSize(self.text_page, index)
        if self.pdfium.FPDFText_GetMatrix(self.text_page, index, self._matrix):
            size *= math.hypot(self._matrix.a, self._matrix.b)
        return size if 0.4 * height < size < 2.5 * height else max(0.9 * height, 0.1)

    def seen(self, index: int) -> tuple[float, float]:
        """Left and right edge of what is drawn of a character."""
        sides = self._sides
        self.pdfium.FPDFText_GetCharBox(self.text_page, index, *sides)
        left, right, bottom, top = (side.value for side in sides)
        box = self.turned_box(Box(left, bottom, right, top))
        return box.left, box.right

    def font(self, index: int) -> tuple[bool, bool]:
        """Whether a character's font is of fixed width, and whether it is bold."""
        size = self.pdfium.FPDFText_GetFontInfo(self.text_page, index, self._name, 128, self._flags)
        name = self._name.value if 0 < size <= 128 else b""
        flags = self._flags.value
        # The letters of recognized text are as wide as each other, too.
        fixed = name != _SHAPELESS and (bool(flags & 1) or _FIXED.search(name) is not None)
        return fixed, bool(flags & 1 << 18) or _BOLD.search(name) is not None

    def is_recognized(self, index: int) -> bool:
        """Whether a character is of the font without shapes in which tesseract writes what it found in a picture."""
        self.pdfium.FPDFText_GetFontInfo(self.text_page, index, self._name, 128, self._flags)
        return self._name.value == _SHAPELESS


def from_units(units: list[int]) -> str:
    """Text of PDFium's units, which are UTF-16 units on some systems and code points on others."""
    if all(unit < 0xD800 for unit in units):
        return "".join(map(chr, units))
    text = "".join(chr(unit) if unit < 0x110000 else "\ufffd" for unit in units)
    return text.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="replace")
