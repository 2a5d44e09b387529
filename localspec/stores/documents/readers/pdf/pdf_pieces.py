"""Words of a PDF's page that stand together, with their characters, for finding out which belong to a field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from localspec.stores.documents.readers.content import Untyped
from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.pdf.pdf_annotations import Box

BLANKS = re.compile(r"_{2,}|(?:[.·]\s?){4,}|…{2,}")
"""Printed lines to write on."""
_BESIDE = 0.4  # part of the lower one's height that two share which stand on a line
_MOST_CHARACTERS = 200_000  # of one page among which labels are looked for


class Words(NamedTuple):
    """Words that stand together on a line, with the numbers of their characters."""

    text: str
    box: Box
    places: tuple[int, ...]


def page_pieces(text_page: Untyped, fields: list[Box]) -> list[Words]:
    """Words of a page that stand together: parted at wide spaces, at fields and at printed lines to write on."""
    import pypdfium2.raw as pdfium

    pieces: list[Words] = []
    characters: list[tuple[str, int, Box | None]] = []
    rectangle = pdfium.FS_RECTF()
    last: Box | None = None

    def end() -> None:
        pieces.extend(_parted(characters))
        characters.clear()

    for place in range(min(_MOST_CHARACTERS, text_page.count_chars())):
        unit = pdfium.FPDFText_GetUnicode(text_page, place)
        if unit in (10, 13, 2, 0xFFFE):
            end()
            last = None
        elif unit <= 32 or unit == 0xA0:
            characters.append((" ", place, None))
        else:
            pdfium.FPDFText_GetLooseCharBox(text_page, place, rectangle)
            ys = sorted((rectangle.bottom, rectangle.top))
            box = Box(rectangle.left, ys[0], rectangle.right, ys[1])
            if last is not None and _apart(last, box, fields):
                end()
            last = box
            characters.append((chr(unit) if unit < 0x110000 else "\ufffd", place, box))
    end()
    return pieces


def _apart(last: Box, box: Box, fields: list[Box]) -> bool:
    gap = box.left - last.right
    height = max(1.0, last.top - last.bottom)
    if gap > 0.9 * height or gap < -2 * height or not last.height_shared(box) > 0.3:
        return True
    if gap < 4:
        return False
    return any(field.left >= last.right - 2 and field.right <= box.left + 2 and beside(field, box) for field in fields)


def _parted(characters: list[tuple[str, int, Box | None]]) -> Iterable[Words]:
    text = "".join(character for character, _, _ in characters)
    start = 0
    for blank in [*BLANKS.finditer(text), None]:
        ends = (len(text), len(text)) if blank is None else blank.span()
        for first, end in ((start, ends[0]), ends):
            boxes = [box for _, _, box in characters[first:end] if box is not None]
            if boxes and (words := one_line(text[first:end])):
                yield Words(words, around(boxes), tuple(place for _, place, _ in characters[first:end]))
        start = ends[1]


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of these."""
    return Box(
        min(box.left for box in boxes),
        min(box.bottom for box in boxes),
        max(box.right for box in boxes),
        max(box.top for box in boxes),
    )


def beside(one: Box, other: Box) -> bool:
    """Whether both stand on one line."""
    return one.height_shared(other) >= _BESIDE
