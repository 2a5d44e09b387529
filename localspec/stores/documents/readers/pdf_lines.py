"""Pieces of a PDF's lines with their geometry: words of PDFium that stand together, parted at wide gaps."""

from __future__ import annotations

import ctypes
import math
import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple

from localspec.stores.documents.readers.content import Untyped
from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.pdf_annotations import Box
from localspec.stores.documents.readers.pdf_direction import (
    RIGHT_TO_LEFT,
    DrawnCharacter,
    reading_order,
    runs_right_to_left,
)
from localspec.stores.documents.readers.pdf_rules import Rule, page_rules, turned_point

HYPHEN = "\x02"
"""Ends a piece whose last word seems to go on in the next line."""
WIDE_GAP = 0.6
"""Of the line's height (1.1 to 1.3 times the font size): a wider gap parts pieces. Justified lines seldom have it."""
_BREAK = re.compile(r"(?<=[^\W\d_])[-\u2010]$")
_BOLD = re.compile(rb"bold|black|heavy|demi|CMBX|BX\d|Medi", re.IGNORECASE)
_FIXED = re.compile(
    rb"mono|courier|typewriter|consol|menlo|cursor|CMTT|SFTT|LMTT|xtt|NimbusMon|BeraSansMono", re.IGNORECASE
)
_ENUMERATOR = re.compile(r"[•◦▪‣●○■–—*·\uf0b7\uf0a7-]|\(?\d{1,3}[.)]|\(?[A-Za-z][.)]|\[\d{1,3}\]")
_ACCENTS = {
    "´": "\u0301",
    "¨": "\u0308",
    "ˆ": "\u0302",
    "˜": "\u0303",
    "ˇ": "\u030c",
    "˘": "\u0306",
    "¯": "\u0304",
    "˚": "\u030a",
    "˙": "\u0307",
    "˝": "\u030b",
}
_ACCENTED = re.compile(f"([{''.join(_ACCENTS)}])([^\\W\\d_])")
_SHAPELESS = b"GlyphLessFont"
_HYPHEN_UNITS = frozenset({0x02, 0xAD, 0xFFFE})


class Line(NamedTuple):
    """A piece of a line, or a whole one. Points, from the lower left corner of the page as it is read."""

    text: str  # words with one blank between them; ends with HYPHEN where a word may go on in the next line
    left: float
    right: float
    baseline: float
    height: float  # of the font, ascent to descent
    fixed: bool = False  # fixed-width font
    bold: bool = False
    edges: Sequence[float] = ()  # left and right edge of each word of the text, in turn


class FieldLine(NamedTuple):
    """A line of a form as it is read: "label: value", or what somebody typed onto the page."""

    text: str
    box: Box
    height: float  # of the label's font, points
    kind: Literal["field", "note"] = "field"


class PdfPage(NamedTuple):
    """What stands on a page. One that is read from right to left is held mirrored: its lines begin on the left."""

    lines: list[Line]  # in PDFium's order
    width: float
    height: float
    turned: tuple[str, ...] = ()  # texts in another direction than the most of the page: stamps, labels of axes
    rules: tuple[Rule, ...] = ()
    fields: tuple[FieldLine, ...] = ()
    notes: tuple[str, ...] = ()  # of people who read the page


class _Word(NamedTuple):
    text: str
    left: float
    right: float
    baseline: float
    height: float
    place: int  # index of a character of it


class _Reader:
    """Asks PDFium about the characters of a page, and turns what it says so that most of the text is upright."""

    def __init__(self, page: Untyped, text_page: Untyped, without: Collection[int]) -> None:
        import pypdfium2.raw as pdfium

        self.pdfium = pdfium
        self.text_page = text_page
        count = text_page.count_chars()
        self.units = [pdfium.FPDFText_GetUnicode(text_page, index) for index in range(count)]
        for index in without:
            self.units[index] = 32
        width, height = page.get_size()
        self.width, self.height = (height, width) if page.get_rotation() % 180 else (width, height)
        self.turn = 0
        self._rectangle = pdfium.FS_RECTF()
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._flags = ctypes.c_int()
        self._name = ctypes.create_string_buffer(128)

    def found_lines(self) -> Iterator[range]:
        """Indices of the characters of PDFium's lines that hold something to see."""
        start = 0
        for index in range(len(self.units) + 1):
            unit = self.units[index] if index < len(self.units) else 10
            broken = unit in (0x02, 0xFFFE)  # a hyphen, behind which the next line begins at once
            if broken or unit in (10, 13):
                if any(one > 32 and one != 0xA0 for one in self.units[start:index]):
                    yield range(start, index + broken)
                start = index + 1

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


def pdf_page(page: Untyped, fields: Sequence[FieldLine] = (), without: Collection[int] = ()) -> PdfPage:
    """Pieces and rules of a page, turned so that most of its text is upright. `fields` of its form are turned alike;
    `without` are the numbers of characters that they hold or nobody sees."""
    text_page = page.get_textpage()
    try:
        reader = _Reader(page, text_page, without)
        found = [(reader.quarter(indices), indices) for indices in reader.found_lines()]
        quarters = Counter[int]()
        for quarter, indices in found:
            quarters[quarter] += len(indices)
        most = max(quarters, key=lambda quarter: quarters[quarter], default=0)
        reader.turn = max(0, most)
        lines: list[Line] = []
        turned: list[str] = []
        for quarter, indices in found:
            words = _words(reader, indices)
            if quarter == most:
                lines += _pieces(reader, words)
            elif words:
                turned.append(" ".join(word.text for word in words).rstrip(HYPHEN))
        rules = page_rules(page, reader.turn, reader.width, reader.height)
        fields = [field._replace(box=reader.turned_box(field.box)) for field in fields]
    finally:
        text_page.close()
    width, height = (reader.height, reader.width) if reader.turn % 2 else (reader.width, reader.height)
    if runs_right_to_left(line.text for line in lines):
        lines = [_mirrored(line, width) for line in lines]
        rules = [rule._replace(left=width - rule.right, right=width - rule.left) for rule in rules]
        mirrored = [field.box._replace(left=width - field.box.right, right=width - field.box.left) for field in fields]
        fields = [field._replace(box=box) for field, box in zip(fields, mirrored, strict=True)]
    return PdfPage(lines, width, height, tuple(turned), tuple(rules), tuple(fields))


def piece(line: Line, first: int, end: int) -> Line:
    """The words from `first` to before `end` of a line."""
    edges = line.edges[2 * first : 2 * end]
    text = " ".join(line.text.split(" ")[first:end])
    return line._replace(text=text, left=min(edges), right=max(edges), edges=edges)


def glued(pieces: Sequence[Line]) -> Line:
    """Pieces of one line as one."""
    if len(pieces) == 1:
        return pieces[0]
    longest = max(pieces, key=lambda one: len(one.text))
    edges = array("f")
    for one in pieces:
        edges.extend(one.edges)
    texts = [one.text[:-1] + "-" if one.text.endswith(HYPHEN) else one.text for one in pieces[:-1]]
    return longest._replace(
        text=" ".join([*texts, pieces[-1].text]),
        left=min(one.left for one in pieces),
        right=max(one.right for one in pieces),
        fixed=all(one.fixed for one in pieces),
        bold=all(one.bold for one in pieces),
        edges=edges,
    )


def spaced(line: Line) -> str:
    """A line of a fixed-width font with as many blanks between its words as there is room for."""
    words = line.text.split(" ")
    width = sum(line.edges[1::2]) - sum(line.edges[::2])
    width /= max(1, sum(map(len, words)))
    text = words[0]
    for number in range(1, len(words)):
        gap = line.edges[2 * number] - line.edges[2 * number - 1]
        text += " " * (max(1, min(60, round(gap / width))) if width > 0 else 1) + words[number]
    return text


def _words(reader: _Reader, indices: range) -> list[_Word]:
    """Words of a line of PDFium, in the order in which they are read."""
    text = _from_units(reader.units[indices.start : indices.stop])
    if RIGHT_TO_LEFT.search(text):
        return _right_to_left_words(reader, indices)
    words: list[_Word] = []
    recognized = reader.is_recognized(next(index for index in indices if reader.units[index] > 32))
    start = indices.start
    for index in range(indices.start, indices.stop + 1):
        inside = index < indices.stop and reader.units[index] > 32 and reader.units[index] != 0xA0
        if inside or (index < indices.stop and reader.units[index] in _HYPHEN_UNITS):
            continue
        if index > start:
            shown = [place for place in range(start, index) if reader.units[place] not in _HYPHEN_UNITS]
            broken = index == indices.stop and reader.units[index - 1] in _HYPHEN_UNITS
            word = _composed(one_line(_from_units([reader.units[place] for place in shown])))
            if word:
                left, right, bottom, top = reader.box(shown[0])
                if len(shown) > 1:
                    box = reader.box(shown[-1])
                    left, right = min(left, box[0]), max(right, box[1])
                if recognized:  # tesseract stretches a word and a blank behind it to the width of the word
                    right += (right - left) / len(shown)
                baseline = reader.baseline(shown[0])
                text = word.replace(" ", "") + (HYPHEN if broken else "")
                words.append(_Word(text, left, right, baseline, top - bottom, shown[0]))
        start = index + 1
    return words


def _right_to_left_words(reader: _Reader, indices: range) -> list[_Word]:
    """Words of a line in which there are right-to-left letters: by the places of its characters."""
    characters: list[DrawnCharacter] = []
    heights: list[float] = []
    visible = indices.start
    for index in indices:
        unit = reader.units[index]
        if unit in _HYPHEN_UNITS or reader.pdfium.FPDFText_IsGenerated(reader.text_page, index) == 1:
            continue
        left, right, bottom, top = reader.box(index)
        blank = unit <= 32 or unit == 0xA0
        characters.append(DrawnCharacter(" " if blank else _from_units([unit]), left, right))
        if not blank:
            heights.append(top - bottom)
            visible = index
    if not heights:
        return []
    height, baseline = sorted(heights)[len(heights) // 2], reader.baseline(visible)
    words = []
    for group in reading_order(characters, height):
        text = one_line("".join(one.text for one in group)).replace(" ", "")
        if text:
            left, right = min(one.left for one in group), max(one.right for one in group)
            words.append(_Word(text, left, right, baseline, height, visible))
    return words


def _pieces(reader: _Reader, words: list[_Word]) -> Iterator[Line]:
    """Words of a line, parted where the gap is wide; a bullet or number stays with its item."""
    start = 0
    fixed = bool(words) and (_is_fixed(words) or reader.font(words[0].place)[0])
    wide = WIDE_GAP * (2 if fixed else 1)  # a blank of a fixed-width font is half as wide as its lines are high
    for number in range(1, len(words) + 1):
        if number < len(words):
            before, word = words[number - 1], words[number]
            height = max(before.height, word.height)
            gap = max(word.left - before.right, before.left - word.right)
            enumerator = number - start == 1 and _ENUMERATOR.fullmatch(before.text) is not None
            same = abs(word.baseline - before.baseline) < 0.7 * height
            if same and gap < (3.0 if enumerator else wide) * height:
                continue
        yield _line(reader, words[start:number])
        start = number


def _line(reader: _Reader, words: list[_Word]) -> Line:
    longest = max(words, key=lambda word: len(word.text))
    fonts = [reader.font(word.place) for word in (words[0], longest, words[-1])]
    fixed, bold = all(font[0] for font in fonts), all(font[1] for font in fonts)
    text = " ".join(word.text for word in words)
    fixed = fixed or _is_fixed(words)
    if not fixed:
        text = _BREAK.sub(HYPHEN, text)
    edges = array("f")
    for word in words:
        edges.extend((word.left, word.right))
    return Line(text, min(edges), max(edges), longest.baseline, longest.height, fixed, bold, edges)


def _is_fixed(words: list[_Word]) -> bool:
    """Whether all words have letters of one width, whatever the font says of itself."""
    widths = [
        (word.right - word.left) / len(word.text)
        for word in words
        if len(word.text) > 2 and word.text.isascii() and any(map(str.isalpha, word.text))
    ]
    return len(widths) > 3 and max(widths) - min(widths) < 0.012 * max(widths)


def _mirrored(line: Line, width: float) -> Line:
    edges = array("f")
    for place in range(0, len(line.edges), 2):
        edges.extend((width - line.edges[place + 1], width - line.edges[place]))
    return line._replace(left=width - line.right, right=width - line.left, edges=edges)


def _composed(text: str) -> str:
    """Letters whose accent is drawn before them, as TeX does, as one character each."""
    if text.isascii():
        return text
    return _ACCENTED.sub(lambda match: _accented(match[1], match[2]), text)


def _accented(accent: str, letter: str) -> str:
    letter = {"ı": "i", "ȷ": "j"}.get(letter, letter)
    whole = unicodedata.normalize("NFC", letter + _ACCENTS[accent])
    return whole if len(whole) == 1 else accent + letter


def _from_units(units: list[int]) -> str:
    """Text of PDFium's units, which are UTF-16 units on some systems and code points on others."""
    if all(unit < 0xD800 for unit in units):
        return "".join(map(chr, units))
    text = "".join(chr(unit) if unit < 0x110000 else "\ufffd" for unit in units)
    return text.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="replace")
