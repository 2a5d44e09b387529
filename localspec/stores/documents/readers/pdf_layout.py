"""Layout of a PDF's lines: running headers and footers, paragraphs, and lines that run on or stay apart."""

from __future__ import annotations

import itertools
import re
import statistics
from collections import Counter
from collections.abc import Iterator

from localspec.stores.documents.readers.pdf_lines import HYPHEN, Line, PdfPage

_BULLET = re.compile(r"(?:[•◦▪‣●○■–—*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s")
_NUMBERED = re.compile(r"\d{1,3}(?:\.\d{1,3})*\.?\s+[^\W\d]")
_LEADERS = re.compile(r"(?:\.\s?){4,}\s*\w+$")
_PAGE_NUMBER = re.compile(r"^(\d{1,5})\b|\b(\d{1,5})$")
_ROMAN = re.compile(r"[ivxlcdm]{1,7}")
WORD = re.compile(r"\w+(?:-\w+)+|\w+")
"""A word, or several with hyphens between them."""
_SENTENCE_END = (".", "!", "?", ":", "”", '."', ".)")


def running_lines(pages: list[PdfPage]) -> set[tuple[int, int]]:
    """(page index, line number) of headers, footers and page numbers; the first copy of a header stays in the text."""
    margin: list[tuple[int, int, int, str]] = []  # page index, line number, slot, text
    for index, page in enumerate(pages):
        if page.upright and len(page.lines) > 1:
            margin += [(index, number, slot, text) for number, slot, text in _margin_lines(page)]
    needed = max(3, len(pages) // 20)
    copies = Counter((slot, text) for _, _, slot, text in margin)
    offsets = Counter(offset for index, _, _, text in margin for offset in _page_offsets(text, index))
    offset, numbered = offsets.most_common(1)[0] if offsets else (0, 0)
    romans = sum(1 for _, _, _, text in margin if _ROMAN.fullmatch(text.lower()))
    running: set[tuple[int, int]] = set()
    seen: set[tuple[int, str]] = set()
    for index, number, slot, text in margin:
        page_number = numbered >= max(3, len(pages) * 0.3) and offset in _page_offsets(text, index)
        roman = romans >= 3 and _ROMAN.fullmatch(text.lower()) is not None
        copy = copies[slot, text] >= needed and (slot, text) in seen
        if page_number or roman or copy:
            running.add((index, number))
        seen.add((slot, text))
    emptied = {index for index, _ in running} - {
        index
        for index, page in enumerate(pages)
        if any((index, number) not in running for number in range(len(page.lines)))
    }
    return {place for place in running if place[0] not in emptied}


def _margin_lines(page: PdfPage) -> Iterator[tuple[int, int, str]]:
    """(line number, baseline in whole points, text) of the outermost lines that stand apart from the rest."""
    order = sorted(range(len(page.lines)), key=lambda number: page.lines[number].baseline)
    for ends, low in ((order, True), (order[::-1], False)):
        edge = page.lines[ends[0]].baseline
        at_edge = [number for number in ends[:4] if abs(page.lines[number].baseline - edge) < 2]
        inner = next((number for number in ends if number not in at_edge), None)
        outside = edge < page.height * 0.12 if low else edge > page.height * 0.88
        if inner is None or not outside:
            continue
        neighbour = page.lines[inner]
        if abs(neighbour.baseline - edge) > 1.4 * neighbour.height:
            for number in at_edge:
                yield number, round(page.lines[number].baseline), page.lines[number].text


def _page_offsets(text: str, index: int) -> set[int]:
    """Differences between the numbers at the ends of a line and the page's index."""
    return {int(first or last) - index for first, last in _PAGE_NUMBER.findall(text)}


def paragraphs(lines: list[Line], upright: bool) -> Iterator[list[Line]]:
    """Lines parted where the space grows, the font's size changes or an indented line follows a sentence's end."""
    gaps = [upper.baseline - lower.baseline for upper, lower in itertools.pairwise(lines)]
    near = [gap for gap, line in zip(gaps, lines, strict=False) if 0.5 * line.height < gap < 2.5 * line.height]
    usual = statistics.median(near) if near else 0.0
    paragraph: list[Line] = []
    for number, line in enumerate(lines):
        if paragraph and upright:
            above, gap = paragraph[-1], gaps[number - 1]
            leading = min(usual, 1.6 * above.height) if usual else 1.6 * above.height
            ended = above.text.endswith(_SENTENCE_END)
            resized = not 0.88 < line.height / (above.height or 1.0) < 1.14
            column = gap < -0.5 * line.height
            indented = ended and line.left > above.left + 0.8 * line.height and not above.fixed
            if (gap > 1.3 * leading) or resized or (column and ended) or (indented and not column):
                yield paragraph
                paragraph = []
        paragraph.append(line)
    if paragraph:
        yield paragraph


def right_margin(paragraph: list[Line], lines: list[Line]) -> float:
    """Where lines of the paragraph's column end: a short list or listing is narrower than the text around it."""
    left = min(line.left for line in paragraph)
    column = sorted(line.right for line in lines if line.left < left + paragraph[0].height and line.right > left)
    usual = column[len(column) * 3 // 4] if column else 0.0  # a title across two columns must not count
    return max(usual, max(line.right for line in paragraph))


def join_lines(lines: list[Line], margin: float, words: set[str], upright: bool) -> str:
    """One paragraph: full lines run on, short ones (lists, tables, verse, code) keep their line breaks."""
    edge = min(line.left for line in lines)
    parts: list[str] = []
    for number, line in enumerate(lines):
        if number:
            parts.append(_separator(lines[number - 1], line, margin, words, upright))
        text = line.text.rstrip(HYPHEN)
        if line.fixed and parts[-1:] in ([], ["\n"]):
            width = (line.right - line.left) / max(1, len(text))
            text = " " * min(40, round((line.left - edge) / width) if width > 0 else 0) + text
        parts.append(text)
    if lines[-1].text.endswith(HYPHEN):
        parts.append("-")
    return "".join(parts)


def _separator(above: Line, line: Line, margin: float, words: set[str], upright: bool) -> str:
    if above.text.endswith(HYPHEN):
        return _hyphen(above.text, line.text, words)
    if not upright or _BULLET.match(line.text) or _LEADERS.search(above.text):
        return "\n"
    if above.text[-1].isdigit() and _NUMBERED.match(line.text):  # a table of contents
        return "\n"
    if abs(above.baseline - line.baseline) < 0.3 * line.height:
        return " "
    if above.fixed and line.fixed:
        return "\n"
    first_word = line.text.split(" ", 1)[0]
    word_width = (line.right - line.left) * (len(first_word) + 1) / max(1, len(line.text))
    # The next word would still have fitted: the author broke the line, not the typesetter.
    return "\n" if line.baseline < above.baseline and above.right + word_width < margin else " "


def _hyphen(above: str, below: str, words: set[str]) -> str:
    """'' where the hyphen only broke a word, '-' where it belongs to a compound that the document uses elsewhere."""
    first = re.search(r"(\w+)\x02$", above)
    second = re.match(r"\w+", below)
    if first is None or second is None or not second[0][0].islower():
        return "-"
    compound, whole = f"{first[1]}-{second[0]}".lower(), f"{first[1]}{second[0]}".lower()
    return "-" if compound in words and whole not in words else ""
