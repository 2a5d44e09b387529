"""Readers of the document formats: each turns one file into blocks of clean text with their places.

Everything but text, Markdown and code runs in the child process of `localspec.stores.parsing`, which has checked the
archive before a library here opens it. The libraries are imported inside the readers, so that the child loads only
the one it needs. Readers raise `UnreadableError` for what they understand; any other exception means a damaged file.
"""

from __future__ import annotations

import codecs
import ctypes
import datetime
import itertools
import posixpath
import re
import statistics
import unicodedata
import urllib.parse
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

TITLE_CHARACTERS = 200

_Untyped: TypeAlias = Any
"""An object of a library that comes without types."""


@dataclass(frozen=True, slots=True)
class Block:
    """A run of text with its place."""

    text: str
    page: int | None
    """1-based page (PDF) or slide (PPTX); None where the format has none."""
    section: str
    """Nearest heading, sheet name or chapter title; empty if none."""


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What one document may cost. Sizes in bytes unless named otherwise."""

    file_bytes: int = 200 * 1024**2
    text_bytes: int = 50 * 1024**2
    """Size limit of files that are read as text or HTML."""
    characters: int = 50_000_000
    """Characters of text that one document may yield."""
    seconds: float = 120.0
    """Wall-clock time of the parsing process."""
    memory_bytes: int = 2 * 1024**3
    """Address space of the parsing process, where the system can limit it."""
    archive_bytes: int = 512 * 1024**2
    """Unpacked size of an office file or e-book."""
    archive_members: int = 10_000
    archive_ratio: int = 100
    """Unpacked to packed size of a large archive member above which it counts as a bomb."""
    cells: int = 1_000_000
    """Filled spreadsheet cells that are read; further cells are left out with a warning."""


class Content(NamedTuple):
    """What a reader found; becomes a `ParsedDocument`."""

    title: str
    kind: str
    blocks: list[Block]
    pages: int | None = None
    warnings: tuple[str, ...] = ()


class UnreadableError(Exception):
    """The document cannot be read: `reason` in plain words, `advice` what to do next."""

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice


# --- clean text ------------------------------------------------------------------------------------------------------

_NEWLINES = re.compile("\r\n?|[\u2028\u2029\x0b\x0c\x85]")
# What SQLite or a browser cannot hold, and marks that only disturb search: controls, surrogates, non-characters, BOMs.
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff\U0001fffe\U0001ffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_TYPOGRAPHY = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}) | {
    **dict.fromkeys((0x00AD, 0x200B, 0x2060), ""),  # soft hyphen, zero-width space, word joiner
    **dict.fromkeys((0x00A0, 0x202F, 0x2007), " "),  # no-break spaces
}


def clean(text: str) -> str:
    """`text` that SQLite can store as UTF-8: newlines as LF, no controls but tab and LF, no lone surrogates."""
    if not text.isascii():
        text = _SURROGATES.sub("\ufffd", text)
    return _UNWANTED.sub("", _NEWLINES.sub("\n", text))


def tidy(text: str) -> str:
    """`clean` text of a typeset document: ligatures spelled out, soft hyphens dropped, one kind of space."""
    return unicodedata.normalize("NFC", clean(text).translate(_TYPOGRAPHY))


def one_line(text: str) -> str:
    """`tidy` text with every run of white space as one space."""
    return " ".join(tidy(text).split())


class BlockWriter:
    """Gathers paragraphs into one block per place. Raises UnreadableError past the character limit."""

    def __init__(self, limits: ParseLimits) -> None:
        self.blocks: list[Block] = []
        self.page: int | None = None
        self.section = ""
        self._paragraphs: list[str] = []
        self._run = ""
        self._left = limits.characters
        self._limit = limits.characters

    def add(self, paragraph: str, *, run: str = "") -> None:
        """Add one clean paragraph, if not empty; no empty line parts those of one `run` ('list', 'rows')."""
        paragraph = paragraph.strip("\n").rstrip()
        if not paragraph.strip():
            return
        self._left -= len(paragraph)
        if self._left < 0:
            raise too_much_text(self._limit)
        if self._paragraphs:
            self._paragraphs.append("\n" if run and run == self._run else "\n\n")
        self._run = run
        self._paragraphs.append(paragraph)

    def turn(self, *, page: int | None = None, section: str = "") -> None:
        """What follows stands on `page` under `section`."""
        self.finish()
        self.page, self.section = page, section[:TITLE_CHARACTERS]

    def finish(self) -> list[Block]:
        """All blocks so far."""
        if self._paragraphs:
            self.blocks.append(Block("".join(self._paragraphs), self.page, self.section))
            self._paragraphs = []
        return self.blocks


def too_much_text(limit: int) -> UnreadableError:
    """The error for a document with more than `limit` characters."""
    return UnreadableError(f"holds more than {limit:,} characters of text.", "Split it into smaller documents.")


# --- text, Markdown, code --------------------------------------------------------------------------------------------

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r\f\v\b\x1b")) + b"\x7f"
_WESTERN_SIGNS = b"\x80\x85\x91-\x97\x99\xa0\xa1\xa3\xa7\xa9\xab\xae\xb0-\xb3\xb5\xb7\xbb-\xbf"
_HIGH = re.compile(rb"[\x80-\xff]+")
_WESTERN_LETTERS = rb"[\xc0-\xd6\xd8-\xf6\xf8-\xff]{1,3}"
_WESTERN = re.compile(rb"[%s]+|(?<=[A-Za-z])%s|%s(?=[A-Za-z])" % (_WESTERN_SIGNS, _WESTERN_LETTERS, _WESTERN_LETTERS))
_SAMPLE_BYTES = 64 * 1024
_BINARY = UnreadableError(
    "is a binary file, not text.", "Open it with its own program and save it as PDF, DOCX or text."
)


def decode(data: bytes) -> tuple[str, str]:
    """Text of a file of unknown encoding, and a warning ('' if there is nothing to tell).

    Byte-order mark, then UTF-8, then UTF-16 by its zero bytes, then UTF-8 with broken places, then a guess.
    Raises UnreadableError when the bytes are no text.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            text = data.decode(encoding if encoding != "utf-8" else "utf-8-sig", errors="replace")
            _refuse_controls(text)
            return text, _broken_warning(text, encoding.upper())
    encoding = _utf16_without_mark(data)
    if encoding:
        text = data.decode(encoding, errors="replace")
        _refuse_controls(text)
        return text, ""
    # Real text holds next to none of these; compressed or machine data holds one in ten.
    if len(data) - len(data.translate(None, _CONTROL_BYTES)) > len(data) // 100:
        raise _BINARY
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    intact = len(text) - len(text.encode("ascii", errors="ignore")) - broken
    guessed = None if intact >= broken else _guess_encoding(data)
    if guessed is None:
        return text, _broken_warning(text, "UTF-8")
    return data.decode(guessed, errors="replace"), f"The file is not UTF-8; it was read as {guessed}, which is a guess."


def _refuse_controls(text: str) -> None:
    if len(_UNWANTED.findall(text)) > max(1, len(text) // 100):
        raise _BINARY


def _broken_warning(text: str, encoding: str) -> str:
    count = text.count("\ufffd")
    return f"The file is broken {encoding}: {count:,} places could not be decoded and show as \ufffd." if count else ""


def _utf16_without_mark(data: bytes) -> str:
    sample = data[:_SAMPLE_BYTES]
    pairs = len(sample) // 2
    if pairs < 4 or len(data) % 2:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > pairs * 0.6 and even <= pairs * 0.01:
        return "utf-16-le"
    if even > pairs * 0.6 and odd <= pairs * 0.01:
        return "utf-16-be"
    return ""


def _guess_encoding(data: bytes) -> str | None:
    first = next(_HIGH.finditer(data)).start()
    start = data.rfind(b"\n", 0, first) + 1
    sample = data[max(start, first - _SAMPLE_BYTES) :][:_SAMPLE_BYTES]
    high = sum(map(len, _HIGH.findall(sample)))
    if high < 3 or (high < 8 and high < len(sample) * 0.1):
        # Too little for statistics, which would offer Arabic for two broken bytes.
        return "cp1252" if not _HIGH.search(_WESTERN.sub(b"", sample)) else None
    from charset_normalizer import from_bytes

    matches = from_bytes(sample, cp_exclusion=["utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_7", "utf_8"])
    best = matches.best()
    if best is None:
        return None
    # Its neighbours decode Western text as well, and differ in rare letters only: the common one is the better guess.
    if any(match.encoding == "cp1252" and match.chaos <= best.chaos for match in matches):
        return "cp1252"
    return best.encoding


_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}#{1,6}(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_MARKUP = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)|`+|\*\*?|(?<!\w)_{1,2}|_{1,2}(?!\w)")


def read_text(data: bytes, kind: str, limits: ParseLimits) -> Content:
    """Plain text, code (`kind` 'text', 'code') or Markdown ('markdown', whose headings become sections)."""
    text, warning = decode(data)
    text = clean(text)
    if len(text) > limits.characters:
        raise too_much_text(limits.characters)
    blocks = list(_markdown_blocks(text)) if kind == "markdown" else [Block(text, None, "")]
    title = blocks[0].section if blocks and kind == "markdown" else ""
    return Content(title, kind, blocks, None, (warning,) if warning else ())


def _markdown_blocks(text: str) -> Iterator[Block]:
    """One block per heading, the heading's own line included; headings in code fences and front matter are none."""
    lines = text.split("\n")
    skip_to = 0
    if lines[0].rstrip() == "---":  # front matter: its closing rule would look like an underlined heading
        skip_to = next((number + 1 for number, line in enumerate(lines[1:400], 1) if line.rstrip() == "---"), 0)
    section, start, fence = "", 0, ""
    for number in range(skip_to, len(lines)):
        line = lines[number]
        if not line or line[0] not in " `~#=-":
            continue
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
            fence = ""
        if fence or mark:
            continue
        heading, first = _markdown_heading(lines, number, skip_to)
        if heading:
            yield from _block("\n".join(lines[start:first]), section)
            section, start = heading, first
    yield from _block("\n".join(lines[start:]), section)


def _markdown_heading(lines: list[str], number: int, earliest: int) -> tuple[str, int]:
    """Heading that the line completes ('' if none) and the number of its first line."""
    line = lines[number].rstrip()
    found = _ATX.match(line) if len(line) < 1000 else None
    if found:
        return _plain_heading(found[1] or ""), number
    underlined = len(line) >= 2 and (not line.strip("=") or not line.strip("-")) and number - 1 >= earliest
    above = lines[number - 1].strip() if underlined else ""
    before = lines[number - 2].strip() if number - 2 >= earliest else ""
    if above and not before and above[0] not in "#>|-*+<=`" and len(above) < 200:
        return _plain_heading(above), number - 1
    return "", number


def _plain_heading(heading: str) -> str:
    return one_line(_MARKUP.sub(lambda found: found[1] or "", heading))[:TITLE_CHARACTERS]


def _block(text: str, section: str) -> Iterator[Block]:
    if text.strip():
        yield Block(text.strip("\n").rstrip(), None, section)


# --- PDF -------------------------------------------------------------------------------------------------------------

_HYPHEN = "\x02"
"""Ends a line that PDFium found to be hyphenated."""
_BULLET = re.compile(r"(?:[•◦▪‣●○■–—*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s")
_NUMBERED = re.compile(r"\d{1,3}(?:\.\d{1,3})*\.?\s+[^\W\d]")
_LEADERS = re.compile(r"(?:\.\s?){4,}\s*\w+$")
_PAGE_NUMBER = re.compile(r"^(\d{1,5})\b|\b(\d{1,5})$")
_ROMAN = re.compile(r"[ivxlcdm]{1,7}")
_WORD = re.compile(r"\w+(?:-\w+)+|\w+")
_SENTENCE_END = (".", "!", "?", ":", "”", '."', ".)")
EMPTY_TITLES = {"untitled", "powerpoint presentation", "slide 1", "presentation", "document", "word document"}


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
    blocks = writer.finish()
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


def _pdf_lines(page: _Untyped) -> list[_Line]:
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


def _outline(pdf: _Untyped) -> list[tuple[int, float, str]]:
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


# --- DOCX, PPTX, XLSX ------------------------------------------------------------------------------------------------

_WORD_XML = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SKIPPED_IN_WORD = {
    *("del", "moveFrom", "delText"),  # tracked changes: what was there before
    *("Fallback", "instrText"),  # second copies of drawings, field codes
    *("pPr", "rPr", "tblPr", "trPr", "tcPr", "sdtPr"),
}


def read_docx(path: Path, limits: ParseLimits) -> Content:
    """Paragraphs and tables of a Word document in their order, then its foot- and endnotes."""
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.oxml import parse_xml
    from docx.package import Package

    package = Package.open(str(path))
    main = package.main_document_part
    # The part of a macro-enabled document or a template is plain bytes to python-docx; its XML is the same.
    element = main.element if hasattr(main, "element") else parse_xml(main.blob)
    names = _heading_styles(main, parse_xml)
    writer = BlockWriter(limits)
    body = element.find(f"{_WORD_XML}body")
    for item in _word_items(body if body is not None else element):
        if _local(item) == "tbl":
            writer.add("\n".join(_word_rows(item)))
            continue
        text = _word_text(item)
        style = item.find(f"{_WORD_XML}pPr/{_WORD_XML}pStyle")
        style_id = style.get(f"{_WORD_XML}val", "") if style is not None else ""
        level = item.find(f"{_WORD_XML}pPr/{_WORD_XML}outlineLvl")
        is_heading = style_id in names or (level is not None and level.get(f"{_WORD_XML}val") != "9")
        if text.strip() and is_heading and len(text) < 300:
            writer.turn(section=one_line(text))
        listed = item.find(f"{_WORD_XML}pPr/{_WORD_XML}numPr") is not None
        if listed and not is_heading and text.strip():
            writer.add(f"- {text.strip()}", run="list")
        else:
            writer.add(text)
    for kind, title in ((RELATIONSHIP_TYPE.FOOTNOTES, "Footnotes"), (RELATIONSHIP_TYPE.ENDNOTES, "Endnotes")):
        for relation in main.rels.values():
            if relation.reltype == kind and not relation.is_external:
                writer.turn(section=title)
                for note in parse_xml(relation.target_part.blob):
                    writer.add("\n".join(_word_text(item) for item in _word_items(note)))
    title = one_line(package.core_properties.title or "")
    return Content(title, "docx", writer.finish())


def _heading_styles(main: _Untyped, parse_xml: _Untyped) -> set[str]:
    """Ids of the heading and title styles; ids are translated in Word's languages, names are not."""
    ids = {"Title", *(f"Heading{level}" for level in range(1, 10))}
    for relation in main.rels.values():
        if relation.reltype.endswith("/styles") and not relation.is_external:
            part = relation.target_part
            for style in parse_xml(part.blob):
                name = style.find(f"{_WORD_XML}name")
                label = name.get(f"{_WORD_XML}val", "").lower() if name is not None else ""
                if re.fullmatch(r"heading \d|title", label):
                    ids.add(style.get(f"{_WORD_XML}styleId", ""))
    return ids - {""}


def _local(element: _Untyped) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _word_items(parent: _Untyped) -> Iterator[_Untyped]:
    """Paragraphs and tables, also those inside content controls and tracked insertions."""
    for child in parent:
        name = _local(child)
        if name in ("p", "tbl"):
            yield child
        elif name not in _SKIPPED_IN_WORD:
            yield from _word_items(child)


def _word_rows(table: _Untyped) -> Iterator[str]:
    for row in _inside(table, "tr"):
        cells = [" ".join(_word_text(cell).split()) for cell in _inside(row, "tc")]
        if any(cells):
            yield " | ".join(cells)


def _inside(parent: _Untyped, name: str) -> Iterator[_Untyped]:
    """Nearest descendants of that name: rows of a table but not those of the tables in its cells."""
    for child in parent:
        local = _local(child)
        if local == name:
            yield child
        elif local in ("sdt", "sdtContent", "ins", "moveTo", "customXml"):
            yield from _inside(child, name)


def _word_text(element: _Untyped) -> str:
    parts: list[str] = []
    _collect_word_text(element, parts)
    return tidy("".join(parts))


def _collect_word_text(element: _Untyped, parts: list[str]) -> None:
    for child in element:
        name = _local(child)
        if name == "t":  # of the text, of formulas and of drawings
            parts.append(child.text or "")
        elif name == "tab":
            parts.append("\t")
        elif name in ("br", "cr"):
            parts.append("\n")
        elif name == "noBreakHyphen":
            parts.append("-")
        elif name and name not in _SKIPPED_IN_WORD:
            if name in ("p", "tc") and parts:
                parts.append("\n")
            _collect_word_text(child, parts)


def read_pptx(path: Path, limits: ParseLimits) -> Content:
    """Slides as pages: title first, then the other shapes, tables and the speaker's notes."""
    from pptx import Presentation

    presentation = Presentation(str(path))
    writer = BlockWriter(limits)
    number = 0
    for number, slide in enumerate(presentation.slides, 1):
        title_shape = slide.shapes.title
        title = one_line(title_shape.text_frame.text) if title_shape is not None else ""
        writer.turn(page=number, section=title)
        writer.add(title)
        title_id = title_shape.shape_id if title_shape is not None else None
        pending = list(slide.shapes)[::-1]
        while pending:
            shape = pending.pop()
            if hasattr(shape, "shapes"):  # a group
                pending += list(shape.shapes)[::-1]
            elif getattr(shape, "has_table", False):
                rows = ([one_line(cell.text) for cell in row.cells] for row in shape.table.rows)
                writer.add("\n".join(" | ".join(cells) for cells in rows if any(cells)))
            elif shape.has_text_frame and shape.shape_id != title_id:
                writer.add(tidy(shape.text_frame.text))
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            notes = tidy(slide.notes_slide.notes_text_frame.text).strip()
            writer.add(f"Notes: {notes}" if notes else "")
    title = one_line(presentation.core_properties.title or "")
    return Content(title, "pptx", writer.finish(), number or None)


def read_xlsx(path: Path, limits: ParseLimits) -> Content:
    """Rows of every sheet as `a | b | c`; formulas show the value that was last calculated."""
    from openpyxl import load_workbook

    workbook = load_workbook(path, read_only=True, data_only=True, keep_links=False)
    writer = BlockWriter(limits)
    warnings: list[str] = []
    # Empty cells before a filled one are cheap but not free: one row can be 16,384 cells wide.
    filled, visited = limits.cells, limits.cells * 20
    for sheet in workbook.worksheets:
        sheet.reset_dimensions()  # what the file claims about its size may be wrong or hostile
        lines: list[str] = []
        for row in sheet.iter_rows(values_only=True):
            cells = [_cell_text(value) for value in row]
            filled -= sum(1 for cell in cells if cell)
            visited -= len(cells) + 1
            if filled < 0 or visited < 0:
                break
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                lines.append(" | ".join(cells))
        writer.turn(section=one_line(sheet.title))
        writer.add("\n".join(lines))
        if filled < 0 or visited < 0:
            warnings.append(
                f"The workbook is very large: only about the first {limits.cells:,} filled cells were read "
                f"(up to sheet '{one_line(sheet.title)}')."
            )
            break
    title = one_line(workbook.properties.title or "")
    workbook.close()
    return Content(title, "xlsx", writer.finish(), None, tuple(warnings))


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.datetime):
        whole_day = value.time() == datetime.time()
        return value.date().isoformat() if whole_day else value.isoformat(sep=" ", timespec="seconds")
    return one_line(str(value))


# --- HTML, EPUB ------------------------------------------------------------------------------------------------------

_SKIPPED_TAGS = {
    *("script", "style", "noscript", "template", "head", "nav"),
    *("svg", "canvas", "iframe", "object", "embed", "button", "select", "datalist"),
}
_BLOCK_TAGS = {
    *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl"),
    *("dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "legend", "li", "main"),
    *("menu", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul"),
}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_VOID_TAGS = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_SELF_CLOSED = re.compile(rf"<(?!(?:{_VOID_TAGS})[\s/>])([A-Za-z][\w:.-]*)(\s[^<>]*)?/>")
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""^<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{2,40})""")
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def read_html(data: bytes, limits: ParseLimits) -> Content:
    """Visible text of a page; headings are its sections. Nothing is fetched and no script runs."""
    text, warning = _decode_html(data)
    writer = BlockWriter(limits)
    title = _write_html(writer, text, None)
    blocks = writer.finish()
    return Content(title, "html", blocks, None, (warning,) if warning else ())


def _decode_html(data: bytes) -> tuple[str, str]:
    declared = _XML_ENCODING.match(data) or _CHARSET.search(data[:4096])
    if declared and not data.startswith(tuple(mark for mark, _ in _BOMS)):
        name = declared[1].decode("ascii").lower()
        # As browsers do: Latin-1 means Windows-1252, and a page that can say so in ASCII is not UTF-16.
        name = {"iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252"}.get(name, name)
        try:
            codec = codecs.lookup(name).name
            if codec != "utf-8" and not codec.startswith(("utf-16", "utf-32", "utf-7")):
                return data.decode(codec, errors="replace"), ""
        except (LookupError, UnicodeError):
            return decode(data)  # no such text encoding
    return decode(data)


def _write_html(writer: BlockWriter, markup: str, chapter: str | None) -> str:
    """Write the page's paragraphs; with a chapter's title, that names what stands before its first heading."""
    from selectolax.lexbor import LexborHTMLParser, SelectolaxError

    # A self-closed <title/> or <script/> is XHTML; an HTML parser would take all that follows for its content.
    if "<?xml" in markup[:200] or "www.w3.org/1999/xhtml" in markup[:2000]:
        markup = _SELF_CLOSED.sub(r"<\1\2></\1>", markup)
    try:
        # A NUL ends the text for the parser's C strings.
        tree = LexborHTMLParser(clean(markup))
    except SelectolaxError as error:  # HTML is never wrong: only memory can run out
        raise MemoryError from error
    title_node = tree.css_first("title")
    title = one_line(title_node.text() or "") if title_node is not None else ""
    if chapter is not None:
        writer.turn(section=chapter)
    first_heading = _HtmlFlow(writer).run(tree.body)
    return title or first_heading


class _HtmlFlow:
    """Walks a tree without recursion (a hostile page nests a million tags) and writes its paragraphs."""

    def __init__(self, writer: BlockWriter) -> None:
        self._writer = writer
        self._parts: list[str] = []
        self._pre = 0
        self._cells = 0  # inside that many table rows, whose blocks stay on one line
        self._first_heading = ""

    def run(self, root: _Untyped) -> str:
        """Write all text below `root`; the first heading."""
        pending: list[tuple[Any, bool]] = [(root, False)] if root is not None else []
        while pending:
            node, leaving = pending.pop()
            tag = node.tag or ""
            if leaving:
                self._leave(tag)
            elif node.is_text_node:
                self._text(node.text_content or "")
            elif node.is_element_node and not _is_hidden(tag, node.attributes):
                self._enter(tag)
                pending.append((node, True))
                pending += [(child, False) for child in node.iter(include_text=True)][::-1]
        self._flush()
        return self._first_heading

    def _text(self, text: str) -> None:
        if self._pre:
            self._parts.append(tidy(text))
            return
        text = tidy(text)
        collapsed = " ".join(text.split())
        if text[:1].isspace():
            self._parts.append(" ")
        self._parts.append(collapsed)
        if collapsed and text[-1:].isspace():
            self._parts.append(" ")

    def _enter(self, tag: str) -> None:
        if tag == "tr":
            self._flush()
            self._cells += 1
        elif tag in _HEADINGS and not self._cells:
            self._flush()
        elif tag in ("td", "th"):
            if "".join(self._parts).strip():
                self._parts.append(" | ")
        elif tag == "br":
            self._parts.append(" " if self._cells else "\n")
        elif tag == "pre":
            self._block_edge()
            self._pre += 1
        elif tag in _BLOCK_TAGS:
            self._block_edge()
            if tag == "li" and not self._cells:
                self._parts.append("- ")

    def _leave(self, tag: str) -> None:
        if tag in _HEADINGS and not self._cells:
            heading = one_line("".join(self._parts)).rstrip("¶# ")
            self._parts = [heading]
            if heading:
                self._writer.turn(page=self._writer.page, section=heading)
                self._first_heading = self._first_heading or heading
            self._flush()
        elif tag == "tr":
            self._cells = max(0, self._cells - 1)
            if self._cells:
                self._block_edge()
            else:
                self._flush("rows")
        elif tag == "pre":
            self._flush()
            self._pre = max(0, self._pre - 1)
        elif tag in _BLOCK_TAGS:
            self._block_edge()

    def _block_edge(self) -> None:
        if self._cells:
            self._parts.append(" ")
        else:
            self._flush()

    def _flush(self, run: str = "") -> None:
        text = "".join(self._parts)
        self._parts = []
        if self._pre:
            self._writer.add(text)
        elif text.strip(" \n-"):
            lines = (" ".join(line.split()) for line in text.split("\n"))
            run = run or ("list" if text.lstrip().startswith("- ") else "")
            self._writer.add("\n".join(line for line in lines if line), run=run)


def _is_hidden(tag: str, attributes: _Untyped) -> bool:
    if tag in _SKIPPED_TAGS:
        return True
    if not attributes:
        return False
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or attributes.get("role") == "navigation"
        or "headerlink" in (attributes.get("class") or "").split()
        or _INVISIBLE.search(attributes.get("style") or "") is not None
    )


_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"


class _Item(NamedTuple):
    """Entry of an e-book's manifest."""

    member: str
    is_navigation: bool
    media_type: str


def read_epub(archive: zipfile.ZipFile, limits: ParseLimits) -> Content:
    """Chapters of an e-book in reading order; their titles come from its table of contents.

    Only members of the archive are read, so that names which point out of it lead nowhere.
    """
    names = set(archive.namelist())
    package_name = _epub_package_name(archive, names)
    package = _xml(archive, package_name)
    base = posixpath.dirname(package_name)
    manifest = {
        item.get("id", ""): _Item(
            _resolve(base, item.get("href", "")),
            "nav" in item.get("properties", "").split(),
            item.get("media-type", ""),
        )
        for item in package.findall(".//{*}item")
    }
    spine = [item.get("idref", "") for item in package.findall(".//{*}itemref")]
    order = [manifest[identifier].member for identifier in spine if identifier in manifest]
    chapters = [name for name in dict.fromkeys(order) if name in names]
    if not chapters:
        raise UnreadableError("is a damaged e-book: its table of chapters is empty.", "Get the file again.")
    locked = _encrypted_members(archive, names)
    if any(name in locked for name in chapters):
        raise UnreadableError("is copy-protected (DRM): its chapters are encrypted.", "Use a copy without protection.")
    titles = _epub_titles(archive, names, manifest.values())
    writer = BlockWriter(limits)
    chapter = ""
    for name in chapters:
        chapter = titles.get(name, chapter)
        text, _ = _decode_html(archive.read(name))
        _write_html(writer, text, chapter)
    missing = len(set(order)) - len(chapters)
    warnings = (f"{missing} chapters named in the e-book are missing from the file.",) if missing else ()
    title_node = package.find(".//{http://purl.org/dc/elements/1.1/}title")
    title = one_line(title_node.text or "") if title_node is not None else ""
    return Content(title, "epub", writer.finish(), None, warnings)


def _epub_package_name(archive: zipfile.ZipFile, names: set[str]) -> str:
    if _CONTAINER in names:
        for root in _xml(archive, _CONTAINER).findall(".//{*}rootfile"):
            if root.get("full-path", "") in names:
                return str(root.get("full-path"))
    name = next((name for name in sorted(names) if name.endswith(".opf")), None)
    if name is None:
        raise UnreadableError("is a damaged e-book: its list of contents is missing.", "Get the file again.")
    return name


def _epub_titles(archive: zipfile.ZipFile, names: set[str], items: Iterable[_Item]) -> dict[str, str]:
    """Title of each chapter file, from the EPUB 3 navigation page or the EPUB 2 NCX."""
    titles: dict[str, str] = {}
    for member, is_navigation, media_type in items:
        base = posixpath.dirname(member)
        if member in names and is_navigation:
            from selectolax.lexbor import LexborHTMLParser

            markup = clean(_decode_html(archive.read(member))[0])
            links: Iterable[tuple[str, str]] = [
                (node.attributes.get("href") or "", node.text()) for node in LexborHTMLParser(markup).css("nav a[href]")
            ]
        elif member in names and media_type == "application/x-dtbncx+xml":
            links = [
                (point.find("{*}content").get("src", ""), "".join(point.find("{*}navLabel").itertext()))
                for point in _xml(archive, member).findall(".//{*}navPoint")
                if point.find("{*}content") is not None and point.find("{*}navLabel") is not None
            ]
        else:
            continue
        for target, title in links:
            if one_line(title):
                titles.setdefault(_resolve(base, target), one_line(title))
    return titles


def _encrypted_members(archive: zipfile.ZipFile, names: set[str]) -> set[str]:
    if _ENCRYPTION not in names:
        return set()
    references = _xml(archive, _ENCRYPTION).findall(".//{*}CipherReference")
    return {urllib.parse.unquote(reference.get("URI", "")) for reference in references}


def _resolve(base: str, target: str) -> str:
    """Archive member that a link means; `../` beyond the archive's top stays in the name and matches no member."""
    return posixpath.normpath(posixpath.join(base, urllib.parse.unquote(target.partition("#")[0])))


def _xml(archive: zipfile.ZipFile, name: str) -> _Untyped:
    from defusedxml import ElementTree  # type: ignore[import-untyped]

    return ElementTree.fromstring(archive.read(name))
