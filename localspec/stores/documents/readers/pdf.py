"""The reader of PDF: lines with their geometry become paragraphs under the headings of the outline."""

from __future__ import annotations

import ctypes
import itertools
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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

_HYPHEN = "\x02"  # ends a line that PDFium found to be hyphenated
_BULLET = re.compile(r"(?:[•◦▪‣●○■–—*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s")
_NUMBERED = re.compile(r"\d{1,3}(?:\.\d{1,3})*\.?\s+[^\W\d]")
_LEADERS = re.compile(r"(?:\.\s?){4,}\s*\w+$")
_PAGE_NUMBER = re.compile(r"^(\d{1,5})\b|\b(\d{1,5})$")
_ROMAN = re.compile(r"[ivxlcdm]{1,7}")
_WORD = re.compile(r"\w+(?:-\w+)+|\w+")
_SENTENCE_END = (".", "!", "?", ":", "”", '."', ".)")


class _Line(NamedTuple):
    text: str  # ends with _HYPHEN where a word goes on in the next line
    left: float  # edges and baseline in points from the lower left corner of the page
    right: float
    baseline: float
    height: float  # of the font, ascent to descent
    fixed: bool  # fixed-width font


class _PdfPage(NamedTuple):
    lines: list[_Line]
    height: float
    upright: bool


def read_pdf(path: Path, limits: ParseLimits) -> Content:
    """Text of a PDF page by page; bookmarks, else large lines, give the sections. Running headers are left out."""
    import pypdfium2

    _refuse_cut_off_pdf(path)
    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower() or "security" in str(error).lower():
            raise UnreadableError(
                "is protected by a password.",
                "Open it in a PDF viewer, save or print it as a PDF without a password, and add that copy.",
            ) from error
        raise UnreadableError(
            "is damaged or no real PDF.", "Get the file again, or open it in a viewer and print it to a new PDF."
        ) from error
    pages: list[_PdfPage] = []
    pictures = broken = 0
    left = limits.characters
    for index in range(len(pdf)):
        try:
            page = pdf[index]
            lines = _pdf_lines(page)
        except pypdfium2.PdfiumError:
            broken += 1
            pages.append(_PdfPage([], 0.0, True))
            continue
        left -= sum(len(line.text) for line in lines)
        if left < 0:
            raise too_much_text(limits.characters)
        if not lines and pypdfium2.raw.FPDFPage_CountObjects(page) > 0:
            pictures += 1
        pages.append(_PdfPage(lines, page.get_height(), page.get_rotation() == 0))
        page.close()
    _refuse_pdf_without_text(pages, pictures, broken)
    writer = BlockWriter(limits)
    _write_pdf(writer, pages, _outline(pdf))
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


def _refuse_pdf_without_text(pages: list[_PdfPage], pictures: int, broken: int) -> None:
    if any(page.lines for page in pages):
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


def _pdf_lines(page: Untyped) -> list[_Line]:
    """Lines of a page in PDFium's reading order, with their geometry."""
    import pypdfium2.raw as pdfium

    text_page = page.get_textpage()
    lines: list[_Line] = []
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
                text += _HYPHEN if hyphen else ""
                lines.append(_Line(text, boxes[0][0], boxes[2][1], y.value, height, bool(flags.value & 1)))
        units, visible = [], []
    text_page.close()
    return lines


def _from_units(units: list[int]) -> str:
    """Text of PDFium's units, which are UTF-16 units on some systems and code points on others."""
    if all(unit < 0xD800 for unit in units):
        return "".join(map(chr, units))
    text = "".join(chr(unit) if unit < 0x110000 else "\ufffd" for unit in units)
    return text.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="replace")


def _outline(pdf: Untyped) -> list[tuple[int, float, str]]:
    """Bookmarks as (page index, distance down the page as a negative y, title), in reading order."""
    marks = []
    for number, bookmark in enumerate(pdf.get_toc(max_depth=6)):
        destination = bookmark.get_dest()
        index = destination.get_index() if destination is not None else None
        title = one_line(bookmark.get_title() or "")
        if index is None or index < 0 or not title:
            continue
        mode, position = destination.get_view()
        top = position[1] if mode == 1 and len(position) > 1 and position[1] is not None else float("inf")
        marks.append((index, -top, title))
        if number > 20_000:
            break
    return sorted(marks, key=lambda mark: mark[:2])


def _write_pdf(writer: BlockWriter, pages: list[_PdfPage], outline: list[tuple[int, float, str]]) -> None:
    running = _running_lines(pages)
    heights = Counter[float]()
    words: set[str] = set()
    for page in pages:
        for line in page.lines:
            heights[round(line.height, 1)] += len(line.text)
            words.update(_WORD.findall(line.text.lower()))
    body_height = heights.most_common(1)[0][0]
    section, next_mark = "", 0
    for index, page in enumerate(pages):
        writer.turn(page=index + 1, section=section)
        lines = [line for number, line in enumerate(page.lines) if (index, number) not in running]
        for paragraph in _paragraphs(lines, page.upright):
            first = paragraph[0]
            text = _join_lines(paragraph, _right_margin(paragraph, lines), words, page.upright)
            heading = ""
            # A bookmark points a little above the first line of what it names.
            while next_mark < len(outline) and outline[next_mark][:2] <= (index, -first.baseline):
                heading = outline[next_mark][2]
                next_mark += 1
            large = first.height >= body_height * 1.15 and len(text) <= 120 and any(map(str.isalpha, text))
            if not outline and large:
                heading = " ".join(text.split())
            if heading and heading != section:
                section = heading
                writer.turn(page=index + 1, section=section)
            writer.add(text)


def _running_lines(pages: list[_PdfPage]) -> set[tuple[int, int]]:
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


def _margin_lines(page: _PdfPage) -> Iterator[tuple[int, int, str]]:
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


def _paragraphs(lines: list[_Line], upright: bool) -> Iterator[list[_Line]]:
    """Lines parted where the space grows, the font's size changes or an indented line follows a sentence's end."""
    gaps = [upper.baseline - lower.baseline for upper, lower in itertools.pairwise(lines)]
    near = [gap for gap, line in zip(gaps, lines, strict=False) if 0.5 * line.height < gap < 2.5 * line.height]
    usual = statistics.median(near) if near else 0.0
    paragraph: list[_Line] = []
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


def _right_margin(paragraph: list[_Line], lines: list[_Line]) -> float:
    """Where lines of the paragraph's column end: a short list or listing is narrower than the text around it."""
    left = min(line.left for line in paragraph)
    column = sorted(line.right for line in lines if line.left < left + paragraph[0].height and line.right > left)
    usual = column[len(column) * 3 // 4] if column else 0.0  # a title across two columns must not count
    return max(usual, max(line.right for line in paragraph))


def _join_lines(lines: list[_Line], margin: float, words: set[str], upright: bool) -> str:
    """One paragraph: full lines run on, short ones (lists, tables, verse, code) keep their line breaks."""
    edge = min(line.left for line in lines)
    parts: list[str] = []
    for number, line in enumerate(lines):
        if number:
            parts.append(_separator(lines[number - 1], line, margin, words, upright))
        text = line.text.rstrip(_HYPHEN)
        if line.fixed and parts[-1:] in ([], ["\n"]):
            width = (line.right - line.left) / max(1, len(text))
            text = " " * min(40, round((line.left - edge) / width) if width > 0 else 0) + text
        parts.append(text)
    if lines[-1].text.endswith(_HYPHEN):
        parts.append("-")
    return "".join(parts)


def _separator(above: _Line, line: _Line, margin: float, words: set[str], upright: bool) -> str:
    if above.text.endswith(_HYPHEN):
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
