"""Layout of a PDF's lines: paragraphs with their kinds, and lines that run on or stay apart."""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from localspec.stores.documents.blocks import BlockKind
from localspec.stores.documents.readers.pdf.pdf_lines import BULLETS, Line, spaced
from localspec.stores.documents.readers.pdf.pdf_rows import WITHOUT_BLANKS, unbroken
from localspec.stores.documents.readers.pdf.pdf_words import HYPHEN

_BULLET = re.compile(rf"(?:[{BULLETS}]|\(?\d{{1,3}}[.)]|\(?(?:[a-z]|[ivx]{{2,5}})[.)])\s")
_NUMBERED = re.compile(r"\d{1,3}(?:\.\d{1,3})*\.?\s+[^\W\d]")
_LEADERS = re.compile(r"(?:\.\s?){4,}\s*\w+$")
_CONTENTS = re.compile(r"\w\s+\d{1,4}$|(?:\.\s?){4,}")
_OF_HEADINGS = 1.2  # of the font's size: from line to line of a heading
_FEWEST_LETTERS = 30  # of a text under a bold heading
_SENTENCE_END = (".", "!", "?", ":", "”", '."', ".)", "。", "！", "？", "।")
_CAPTION = re.compile(
    r"(?:Fig(?:ure|\.)?|Tab(?:le|elle|leau|la|ella|\.)|Abb(?:ildung|\.)|Listing|Рис(?:унок|\.)|Таблица|Chart|Scheme|Example)"
    r"\s?[A-Z]?\d{1,3}(?:[.-]\d{1,3})*\s?[.:–—-]?\s|[图表圖]\s?\d{1,3}"
)
TABLE_CAPTION = re.compile(r"Tab|Таб|表")
_HYPHEN_IN_NUMBER = re.compile(r"\d[-\u2010\u2011]$")
_NOTE = re.compile(r"(?:\d{1,3}|[*†‡§¶]{1,3}|\[\d{1,3}\])\s?[^\W\d_].|[a-z]\s(?![a-z])[^\W\d_].")
SMALL = 0.92
"""Of the text's height: what is lower may be a note."""


class Measures(NamedTuple):
    """What is usual in a document."""

    height: float  # of the text's lines, in points
    headings: tuple[float, ...]  # font sizes of larger lines, from the largest
    words: frozenset[str]
    size: float = 0.0  # of the text's font, in points
    leading: float = 0.0  # from line to line of a paragraph, in parts of the font's size; 0 where nothing tells it


class Paragraph(NamedTuple):
    """Lines of one paragraph with what it is."""

    kind: BlockKind
    text: str
    lines: list[Line]


def paragraphs(lines: list[Line], page: Sequence[Line], page_height: float, measures: Measures) -> Iterator[Paragraph]:
    """Paragraphs of lines that follow each other. `page`: all lines of the page, which tell where columns end."""
    parts = list(_parted(lines, measures))
    found = [(_kind(part, page_height, measures), part) for part in parts]
    for number, (part, after) in enumerate(itertools.pairwise(parts)):
        if found[number][0] == "paragraph" and _stands_over(part, after):
            found[number] = ("heading", part)
    for kind, group in itertools.groupby(found, key=lambda one: one[0]):
        parts = [part for _, part in group]
        if kind == "code":
            together = [line for part in parts for line in part]
            yield Paragraph(kind, _listing(together), together)
            continue
        for part in parts:
            yield Paragraph(kind, _join_lines(part, page, measures.words), part)


def _kind(lines: list[Line], page_height: float, measures: Measures) -> BlockKind:
    first = lines[0]
    text = " ".join(line.text for line in lines[:4])
    if first.note:
        return "note"
    if all(line.fixed for line in lines):
        return "code"
    if _CAPTION.match(text) and len(lines) <= 8 and not text[:1].islower():
        return "caption"
    if is_large(first, measures) and len(text) <= 120 and len(lines) < 4 and any(map(str.isalpha, text)):
        return "heading"
    if len(lines) < 3 and first.bold and all(line.bold for line in lines) and _NUMBERED.match(text) and len(text) < 90:
        return "heading"
    if first.height < SMALL * measures.height and first.baseline < 0.35 * page_height and _NOTE.match(text):
        return "note"
    return "list item" if first.numbered or _BULLET.match(first.text) else "paragraph"


def is_large(line: Line, measures: Measures) -> bool:
    """Whether a line is larger than the text, as headings are. In another font one of the same size may be higher."""
    return line.size >= measures.size * 1.15 and line.height >= measures.height * (1.0 if line.bold else 1.1)


def _stands_over(title: list[Line], after: list[Line]) -> bool:
    """Whether a short bold line is the heading of the text below it, and no term that is explained beside it."""
    first = after[0]
    beside = first.left > title[0].left + 1.5 * title[0].height or first.left < title[0].left - 1.5 * title[0].height
    below = 0.0 < title[-1].baseline - first.baseline < 4.0 * first.height
    of_text = sum(len(line.text) for line in after) > _FEWEST_LETTERS and not first.bold and not first.fixed
    contents = _LEADERS.search(title[-1].text) or (title[-1].text[-1].isdigit() and _CONTENTS.search(after[0].text))
    return _is_title(title) and below and not beside and of_text and not contents


def _is_title(lines: list[Line]) -> bool:
    """Whether lines are bold and read like a heading: short, from a capital or number on, and no sentence."""
    text = " ".join(line.text for line in lines)
    if len(lines) > 2 or len(text) > 80 or not all(line.bold and not line.fixed for line in lines):
        return False
    letters = sum(map(str.isalpha, text))
    return (
        letters > 2
        and letters > 0.7 * len(text.replace(" ", ""))
        and not text[0].islower()
        and text[0].isalnum()
        and (text[-1].isalnum() or text[-1] in ")?!”»")
    )


def _parted(lines: list[Line], measures: Measures) -> Iterator[list[Line]]:
    """Lines parted where the space grows, the font's size changes, an item begins or an indented line does."""
    gaps = [upper.baseline - lower.baseline for upper, lower in itertools.pairwise(lines)]
    near = [gap for gap, line in zip(gaps, lines, strict=False) if 0.5 * line.height < gap < 2.5 * line.height]
    usual = statistics.median(near) if near else 0.0
    paragraph: list[Line] = []
    for number, line in enumerate(lines):
        if paragraph:
            above, gap = paragraph[-1], gaps[number - 1]
            most = max(1.6 * above.height, measures.leading * above.size)
            leading = min(usual, most) if usual else most
            leading = max(leading, _OF_HEADINGS * above.size) if is_large(above, measures) else leading
            ended = above.text.endswith(_SENTENCE_END)
            resized = not 0.88 < line.size / (above.size or 1.0) < 1.14
            column = gap < -0.5 * line.height
            indented = ended and line.left > above.left + 0.8 * line.height and not above.fixed
            item = _BULLET.match(line.text) is not None and not above.text.endswith(HYPHEN) and not line.fixed
            item = item or line.numbered > 0 or _is_behind_item(paragraph, line, lines, column=column)
            restyled = above.fixed != line.fixed and not (column and not ended)
            item = item or line.note or (ended and _CAPTION.match(line.text) is not None)
            far = gap > 1.3 * leading or (ended and measures.leading and gap > 1.3 * measures.leading * line.size)
            restyled = restyled or (above.bold != line.bold and _is_heading_apart(paragraph, line, lines))
            if far or resized or (column and ended) or (indented and not column) or item or restyled:
                yield paragraph
                paragraph = []
        paragraph.append(line)
    if paragraph:
        yield paragraph


def _is_heading_apart(paragraph: list[Line], line: Line, lines: Sequence[Line]) -> bool:
    """Whether a bold title ends above a line, or one begins with it behind the end of a paragraph."""
    above = paragraph[-1]
    if line.bold:
        return above.text.endswith(_SENTENCE_END) and _is_title([line])
    return _is_title(paragraph) and _had_room(above, line, _column_end(above, lines))


def _column_end(above: Line, lines: Sequence[Line]) -> float:
    """Where lines over and under a line end."""
    return max(line.right for line in lines if line.left < above.right and line.right > above.left)


def _is_behind_item(paragraph: list[Line], line: Line, lines: Sequence[Line], *, column: bool) -> bool:
    """Whether a line stands no further right than the item above it, or in the next column, and the item's last line
    had room for its first word."""
    first, above = paragraph[0], paragraph[-1]
    if not first.numbered and not _BULLET.match(first.text):
        return False
    return (column or line.left < first.left + 1.0) and _had_room(above, line, _column_end(above, lines))


def _had_room(above: Line, line: Line, margin: float) -> bool:
    """Whether the first word of a line would still have fitted above: the author broke the line."""
    word = line.edges[1] - line.edges[0] if line.edges else 0.0
    return above.right + word + 0.2 * line.height < margin


def _right_margin(paragraph: list[Line], lines: Sequence[Line]) -> float:
    """Where lines of the paragraph's column end: a short list or listing is narrower than the text around it."""
    left = min(line.left for line in paragraph)
    block = max(line.right for line in paragraph)
    if len(paragraph) > 3 and all(block - line.right < 1.5 for line in paragraph[:-1]):
        return block  # justified: a quotation between margins of its own
    column = sorted(line.right for line in lines if line.left < left + paragraph[0].height and line.right > left)
    usual = column[len(column) * 3 // 4] if column else 0.0  # a title across two columns must not count
    return max(usual, max(line.right for line in paragraph))


def _listing(lines: list[Line]) -> str:
    """Lines of code with their indentation, and an empty line where there is one."""
    edge = min(line.left for line in lines)
    parts: list[str] = []
    for number, line in enumerate(lines):
        gap = lines[number - 1].baseline - line.baseline if number else 0.0
        text = spaced(line)
        text = text[:-1] + "-" if text.endswith(HYPHEN) else text
        width = (line.right - line.left) / max(1, len(text))
        indentation = min(80, round((line.left - edge) / width)) if width > 0 else 0
        parts += ["\n\n" if gap > 1.7 * line.height else "\n"] * bool(number) + [" " * indentation + text]
    return "".join(parts)


def _join_lines(lines: list[Line], page: Sequence[Line], words: frozenset[str]) -> str:
    """One paragraph: full lines run on, short ones (addresses, verse) keep their line breaks."""
    parts: list[str] = []
    above = lines[0]
    for stretch in _by_columns(lines):
        margin = _right_margin(stretch, page)
        for number, line in enumerate(stretch):
            if number:
                parts.append(_separator(stretch[number - 1], line, margin, words))
            elif parts:
                broken = above.text.endswith(HYPHEN)
                parts.append(unbroken(above.text, line.text, words) if broken else _blank(above, line))
            parts.append(line.text.rstrip(HYPHEN))
            above = line
    if lines[-1].text.endswith(HYPHEN):
        parts.append("-")
    return "".join(parts)


def _by_columns(lines: list[Line]) -> Iterator[list[Line]]:
    """Lines of a paragraph, parted where it goes on at the top of the next column."""
    start = 0
    for number in range(1, len(lines) + 1):
        if number == len(lines) or lines[number].baseline > lines[number - 1].baseline + lines[number].height:
            yield lines[start:number]
            start = number


def _separator(above: Line, line: Line, margin: float, words: frozenset[str]) -> str:
    if above.text.endswith(HYPHEN):
        return unbroken(above.text, line.text, words)
    if _LEADERS.search(above.text):
        return "\n"
    if above.text[-1].isdigit() and _NUMBERED.match(line.text):  # a table of contents
        return "\n"
    blank = _blank(above, line)
    if abs(above.baseline - line.baseline) < 0.3 * line.height:
        return blank
    return "\n" if line.baseline < above.baseline and _had_room(above, line, margin) else blank


def _blank(above: Line, line: Line) -> str:
    """What stands between two lines that run on: nothing within Chinese or Japanese, or behind a number's hyphen."""
    last, first = above.text[-1:], line.text[:1]
    if WITHOUT_BLANKS.match(last) and WITHOUT_BLANKS.match(first):
        return ""
    return "" if _HYPHEN_IN_NUMBER.search(above.text) and first.isdigit() else " "
