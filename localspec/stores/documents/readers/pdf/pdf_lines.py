"""Pieces of a PDF's lines with their geometry: words that stand together, parted at wide gaps."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple

from localspec.stores.documents.readers.content import Untyped
from localspec.stores.documents.readers.pdf.pdf_annotations import Box
from localspec.stores.documents.readers.pdf.pdf_characters import Characters
from localspec.stores.documents.readers.pdf.pdf_direction import runs_right_to_left
from localspec.stores.documents.readers.pdf.pdf_rules import Rule, page_rules
from localspec.stores.documents.readers.pdf.pdf_words import HYPHEN, Word, words_of

WIDE_GAP = 0.6
"""Of the line's height (1.1 to 1.3 times the font size): a wider gap parts pieces. Justified lines seldom have it."""
_TOUCHING = 0.1  # of a line's height
_BREAK = re.compile(r"(?<=[^\W\d_])[-\u2010]$")
BULLETS = "•◦▪▫‣●○■□◆◇▶▸►➢➤➔✓✔❑❖∙∗⋆⁃−–—*·\uf0b7\uf0a7\uf0d8\uf076\uf0fc-"
"""Signs before items of lists, for a class of a regular expression."""
_ENUMERATOR = re.compile(rf"[{BULLETS}]|\(?\d{{1,3}}[.)]|\(?(?:[A-Za-z]|[ivx]{{2,5}})[.)]|\[\d{{1,3}}\]")

_MARK = re.compile(r"^[\[(]?(\d{1,3}|[ivxl]{1,4}|[a-z]|[*†‡§¶]{1,3})[\])]?[.,;:]?$")


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
    note: bool = False  # begins a note below the text
    numbered: int = 0  # an item of a numbered list: its level from 1
    justified: bool = False  # with wide gaps
    size: float = 0.0  # of the font, in points: fonts of one size differ in height


class FieldLine(NamedTuple):
    """A line of a form as it is read: "label: value", or what somebody typed onto the page."""

    text: str
    box: Box
    height: float  # of the label's font, points
    kind: Literal["field", "note"] = "field"


class RaisedMark(NamedTuple):
    """A small number or sign above a line, as marks of notes and exponents are; points."""

    text: str
    before: str  # what it touches
    left: float
    baseline: float  # of what it touches, else its own


class PdfPage(NamedTuple):
    """What stands on a page. One that is read from right to left is held mirrored: its lines begin on the left."""

    lines: list[Line]  # in PDFium's order
    width: float
    height: float
    turned: tuple[str, ...] = ()  # texts in another direction than the most of the page: stamps, labels of axes
    rules: tuple[Rule, ...] = ()
    fields: tuple[FieldLine, ...] = ()
    notes: tuple[str, ...] = ()  # of people who read the page
    marks: tuple[RaisedMark, ...] = ()


def pdf_page(page: Untyped, fields: Sequence[FieldLine] = (), without: Collection[int] = ()) -> PdfPage:
    """Pieces and rules of a page, turned so that most of its text is upright. `fields` of its form are turned alike;
    `without` are the numbers of characters that they hold or nobody sees."""
    text_page = page.get_textpage()
    try:
        reader = Characters(page, text_page, without)
        found = [(reader.quarter(indices), indices) for indices in reader.found_lines()]
        quarters = Counter[int]()
        for quarter, indices in found:
            quarters[quarter] += len(indices)
        most = max(quarters, key=lambda quarter: quarters[quarter], default=0)
        reader.turn = max(0, most)
        lines: list[Line] = []
        turned: list[str] = []
        marks: list[RaisedMark] = []
        for quarter, indices in found:
            words = words_of(reader, indices, upright=quarter == most)
            if quarter == most:
                lines += _pieces(reader, words)
                marks += _raised_marks(words)
            elif words:
                turned.append(" ".join(word.text for word in words).rstrip(HYPHEN))
        rules = page_rules(page, reader.turn, reader.width, reader.height)
        fields = [field._replace(box=reader.turned_box(field.box)) for field in fields]
    finally:
        text_page.close()
    width, height = (reader.height, reader.width) if reader.turn % 2 else (reader.width, reader.height)
    if runs_right_to_left(line.text for line in lines):
        lines = [_mirrored(line, width) for line in lines]
        marks = [mark._replace(left=width - mark.left) for mark in marks]
        rules = [rule._replace(left=width - rule.right, right=width - rule.left) for rule in rules]
        mirrored = [field.box._replace(left=width - field.box.right, right=width - field.box.left) for field in fields]
        fields = [field._replace(box=box) for field, box in zip(fields, mirrored, strict=True)]
    return PdfPage(lines, width, height, tuple(turned), tuple(rules), tuple(fields), marks=tuple(marks))


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
    text = ""
    for number, one in enumerate(pieces):
        # PDFium begins a new line behind a raised mark: a sign that touches it goes on with its word.
        sign = one.text != "" and one.text[0] in ".,;:!?)"
        if number and sign and edges and one.edges and abs(one.left - edges[-1]) < _TOUCHING * one.height:
            edges[-1] = one.edges[1]
            edges.extend(one.edges[2:])
        else:
            text += " " * bool(number)
            edges.extend(one.edges)
        broken = one.text.endswith(HYPHEN) and number < len(pieces) - 1
        text += one.text[:-1] + "-" if broken else one.text
    return longest._replace(
        text=text,
        left=min(one.left for one in pieces),
        right=max(one.right for one in pieces),
        fixed=all(one.fixed for one in pieces),
        bold=all(one.bold for one in pieces),
        edges=edges,
        note=pieces[0].note,
        numbered=pieces[0].numbered,
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


def _raised_marks(words: list[Word]) -> Iterator[RaisedMark]:
    """Marks of a line: the raised end or beginning of a word, or a small word that stands higher than the one beside
    it."""
    for number, word in enumerate(words):
        if word.raised and (found := _MARK.search(word.text[-word.raised :])):
            width = (word.right - word.left) / len(word.text)
            yield RaisedMark(found[1], word.text[: -word.raised], word.right - 0.5 * width, word.baseline)
            continue
        if word.begins_raised and (found := _MARK.fullmatch(word.text[: word.begins_raised])):
            yield RaisedMark(found[1], "", word.left, word.baseline)
            continue
        beside = words[number + 1] if number + 1 < len(words) else words[number - 1]
        higher = 0.15 * beside.height < word.baseline - beside.baseline < beside.height
        if higher and word.height < 0.85 * beside.height and (found := _MARK.fullmatch(word.text)):
            yield RaisedMark(found[1], "", word.left, word.baseline)


def _pieces(reader: Characters, words: list[Word]) -> Iterator[Line]:
    """Words of a line, parted where the gap is wide; a bullet or number stays with its item."""
    start = 0
    fixed = bool(words) and (_is_fixed(words) or reader.font(words[0].place)[0])
    # A blank of a fixed-width font is half as wide as its lines are high; one between spaced-out words is wider.
    wide = WIDE_GAP * (2 if fixed or (words and words[0].spaced_out) else 1)
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


def _line(reader: Characters, words: list[Word]) -> Line:
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
    size = reader.size(longest.place, longest.height)
    return Line(text, min(edges), max(edges), longest.baseline, longest.height, fixed, bold, edges, size=size)


def _is_fixed(words: list[Word]) -> bool:
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
