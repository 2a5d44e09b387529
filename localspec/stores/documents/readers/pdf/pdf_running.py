"""Running headers and footers of a PDF: lines at the edges of pages that come again, and page numbers."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence

from localspec.stores.documents.readers.pdf.pdf_lines import Line, PdfPage

_PAGE_NUMBER = re.compile(r"^(\d{1,5})\b|\b(\d{1,5})$")
_ROMAN = re.compile(r"[ivxlcdm]{1,7}")
_FEWEST_NUMBERS = 3  # pages whose printed numbers show how they count
_FEW_PAGES = 4  # of a document in which two copies show a running line
_OUTERMOST = 0.08  # of a page's height
_PAGE_OF = re.compile(
    r"(?:\w{1,8}\.?\s)?(\d{1,4})\s?(?:/|of|von|sur|de|di|van|av|из|z)\s?(\d{1,4})|[-–—]\s?(\d{1,4})\s?[-–—]"
)


def running_lines(pages: Sequence[PdfPage]) -> dict[tuple[int, int], bool]:
    """Headers, footers and page numbers by (page index, line number): whether it is the first copy, which is kept."""
    margin: list[tuple[int, int, int, str]] = []  # page index, line number, slot, text
    for index, page in enumerate(pages):
        if len(page.lines) > 1:
            margin += [(index, number, slot, text) for number, slot, text in _margin_lines(page)]
    needed = max(2 if len(pages) <= _FEW_PAGES else 3, len(pages) // 20)
    copies = Counter((slot, text) for _, _, slot, text in margin)
    alone = _smaller_lines(pages, margin) if len(pages) <= _FEW_PAGES else set()
    offsets = Counter(offset for index, _, _, text in margin for offset in _page_offsets(text, index))
    offset, numbered = offsets.most_common(1)[0] if offsets else (0, 0)
    romans = sum(1 for _, _, _, text in margin if _ROMAN.fullmatch(text.lower()))
    running: dict[tuple[int, int], bool] = {}
    shows = numbered >= max(_FEWEST_NUMBERS, len(pages) * 0.3)
    with_number = {(index, slot) for index, _, slot, text in margin if shows and offset in _page_offsets(text, index)}
    titles: dict[tuple[int, int], str] = {}  # what stands on a line with a page's number
    for index, _, slot, text in margin:
        if (index, slot) in with_number:
            title = _PAGE_NUMBER.sub("", text).strip(" |/-–—") if offset in _page_offsets(text, index) else text
            titles[index, slot] = f"{titles.get((index, slot), '')} {title}".strip()
    first: dict[tuple[int, str], int] = {}
    for index, number, slot, text in margin:
        roman = romans >= _FEWEST_NUMBERS and _ROMAN.fullmatch(text.lower()) is not None
        name = titles.get((index, slot), text)
        paged = _is_number_of(text, index, len(pages))
        sure = needed > 2 or (any(map(str.isalpha, text)) and not _is_larger(pages[index], number))
        again = copies[slot, text] >= needed and sure
        if (index, slot) in with_number or roman or paged or again or (index, number) in alone:
            titled = any(map(str.isalpha, name)) and not roman and not paged and not text.isdecimal()
            running[index, number] = titled and first.get((slot, name), index) == index
        first.setdefault((slot, name), index)
    emptied = {index for index, _ in running} - {
        index
        for index, page in enumerate(pages)
        if any((index, number) not in running for number in range(len(page.lines)))
    }
    return {place: first for place, first in running.items() if place[0] not in emptied}


def _is_number_of(text: str, index: int, count: int) -> bool:
    """Whether a line says the page's number, with the number of pages or between dashes."""
    found = _PAGE_OF.fullmatch(text)
    if found is None:
        return False
    return int(found[1] or found[3]) == index + 1 and (not found[2] or int(found[2]) == count)


def _usual_height(page: PdfPage) -> float:
    """The height of the line in the middle of the page's letters, in points."""
    return statistics.median(line.height for line in page.lines for _ in range(0, len(line.text), 8))


def _is_larger(page: PdfPage, number: int) -> bool:
    """Whether a line is larger than the page's text, as the titles of slides are."""
    return page.lines[number].height > 1.2 * _usual_height(page)


def _smaller_lines(pages: Sequence[PdfPage], margin: Sequence[tuple[int, int, int, str]]) -> set[tuple[int, int]]:
    """(page index, line number) of short lines at the very edge that are smaller than the text and far from it."""
    found = set()
    for index, number, _, text in margin:
        page = pages[index]
        line = page.lines[number]
        others = [one.baseline for one in page.lines if abs(one.baseline - line.baseline) > 2]
        far = min(abs(place - line.baseline) for place in others) > 2.2 * line.height if others else False
        edge = min(line.baseline, page.height - line.baseline) < _OUTERMOST * page.height
        if edge and far and not line.note and line.height < 0.92 * _usual_height(page) and len(text) < 80:
            found.add((index, number))
    return found


def printed_numbers(pages: Sequence[PdfPage]) -> list[str]:
    """What stands as its number at the edge of each page, where most numbers grow with the pages; else empty texts."""
    margin = [[text for _, _, text in _margin_lines(page)] if len(page.lines) > 1 else [] for page in pages]
    offsets = Counter(offset for index, texts in enumerate(margin) for offset in _offsets_of(texts, index))
    romans = [next((text for text in texts if _ROMAN.fullmatch(text.lower())), "") for texts in margin]
    starts = Counter(_roman_value(text) - index for index, text in enumerate(romans) if text)
    found = [""] * len(pages)
    if offsets:
        offset, count = offsets.most_common(1)[0]
        if count >= max(_FEWEST_NUMBERS, 0.3 * len(pages)):
            numbered = [index for index, texts in enumerate(margin) if offset in _offsets_of(texts, index)]
            for index in range(numbered[0], numbered[-1] + 1):  # pages between have theirs, too, printed or not
                found[index] = str(index + offset)
    if starts:
        start, count = starts.most_common(1)[0]
        for index, text in enumerate(romans):
            if count >= _FEWEST_NUMBERS and text and _roman_value(text) - index == start:
                found[index] = text
    return found


def _offsets_of(texts: Sequence[str], index: int) -> set[int]:
    return {offset for text in texts for offset in _page_offsets(text, index)}


def _roman_value(text: str) -> int:
    values = [{"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}[letter] for letter in text.lower()]
    return sum(-one if one < other else one for one, other in zip(values, [*values[1:], 0], strict=True))


def _margin_lines(page: PdfPage) -> Iterator[tuple[int, int, str]]:
    """(line number, baseline in whole points, text) of the outermost lines that stand apart from the rest."""
    order = sorted(range(len(page.lines)), key=lambda number: page.lines[number].baseline)
    for ends, low in ((order, True), (order[::-1], False)):
        edge = page.lines[ends[0]].baseline
        at_edge = [number for number in ends[:12] if abs(page.lines[number].baseline - edge) < 2]
        inner = next((number for number in ends if number not in at_edge), None)
        outside = edge < page.height * 0.12 if low else edge > page.height * 0.88
        if inner is None or not outside:
            continue
        neighbour = page.lines[inner]
        if _are_rows(page.lines, at_edge, neighbour):
            continue
        if abs(neighbour.baseline - edge) > 1.4 * neighbour.height:
            for number in at_edge:
                yield number, round(page.lines[number].baseline), page.lines[number].text


def _are_rows(lines: Sequence[Line], at_edge: Sequence[int], neighbour: Line) -> bool:
    """Whether pieces at the edge stand over those of the next line, as the cells of two rows of a table do."""
    row = [line for line in lines if abs(line.baseline - neighbour.baseline) < 2]
    near = abs(lines[at_edge[0]].baseline - neighbour.baseline) < 4 * neighbour.height
    under = sum(
        1
        for number in at_edge
        if any(line.left < lines[number].right and line.right > lines[number].left for line in row)
    )
    return near and len(row) > 1 and len(at_edge) > 2 and under > 1


def _page_offsets(text: str, index: int) -> set[int]:
    """Differences between the numbers at the ends of a line and the page's index."""
    return {int(first or last) - index for first, last in _PAGE_NUMBER.findall(text)}
