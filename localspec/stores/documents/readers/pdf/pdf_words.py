"""Words of a PDF's lines: parted by the gaps between their letters, with accents over the letters that they belong to.

PDFium's own blanks are hints only: it leaves them out where the font changes, and sets them into spaced-out words.
"""

from __future__ import annotations

import itertools
import re
import statistics
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.pdf.pdf_characters import HYPHEN_UNITS, Characters, from_units
from localspec.stores.documents.readers.pdf.pdf_direction import RIGHT_TO_LEFT, DrawnCharacter, reading_order

HYPHEN = "\x02"
"""Ends a piece whose last word seems to go on in the next line."""
_GAP = 0.15
"""Of the font's size: a wider gap parts words. Kerning stays below 0.05, a thin space of TeX has 0.167."""
_WIDE_LETTERS_GAP = 0.42  # between letters of scripts without blanks, which stand as far apart as their frames say
_AFTER_SCRIPT_GAP = 0.03  # behind a small letter or digit, before one of full size: TeX sets half a point there
_SPACED_OUT = 0.045  # the usual gap in a line whose letters stand apart
_JUMP = 0.12  # between gaps of letters and gaps of words in such a line
_ONE_WORD = 0.6  # no wider gap stands in a word
_WIDE = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uff60]")
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
    "ˋ": "\u0300",
    "`": "\u0300",
    "¸": "\u0327",
}
_STANDING = {"ˆ": "^", "˜": "~", "\u0300": "`", "\u0301": "´", "\u0302": "^", "\u0303": "~", "\u0308": "¨"}
_ACCENT = re.compile(f"[{''.join(_ACCENTS)}\u0300-\u030c]")
_FARTHEST = 6  # letters behind which an accent is drawn


class Word(NamedTuple):
    """A word on a line; points."""

    text: str
    left: float
    right: float
    baseline: float
    height: float
    place: int  # index of a character of it
    spaced_out: bool = False  # its letters stand apart
    raised: int = 0  # so many letters at its end are small and higher
    begins_raised: int = 0  # the same at its beginning


class _Glyph(NamedTuple):
    text: str
    left: float
    right: float
    bottom: float
    top: float
    place: int
    blank: int  # before it: 2 where one is drawn, 1 where PDFium thinks so


def words_of(reader: Characters, indices: range, *, upright: bool = True) -> list[Word]:
    """Words of a line of PDFium, in the order in which they are read. One that is not upright has no geometry."""
    if RIGHT_TO_LEFT.search(from_units(reader.units[indices.start : indices.stop])):
        return _right_to_left_words(reader, indices)
    glyphs = _glyphs(reader, indices)
    if not glyphs:
        return []
    if upright and any(_ACCENT.search(glyph.text) for glyph in glyphs):
        glyphs = _accented(reader, glyphs)
    recognized = reader.is_recognized(glyphs[0].place)
    broken = reader.units[indices[-1]] in HYPHEN_UNITS
    words = []
    spaced_out, groups = _groups(reader, glyphs, trusted=recognized or not upright)
    for group in groups:
        text = one_line(_joined(group)).replace(" ", "")
        if not text:
            continue
        left, right = min(one.left for one in group), max(one.right for one in group)
        if recognized:  # tesseract stretches a word and a blank behind it to the width of the word
            right += (right - left) / len(group)
        first = group[0]
        heights = sorted(one.top - one.bottom for one in group)  # a letter with a tail or an accent may be higher
        height = heights[(len(heights) - 1) // 2]
        raised = (_raised(reader, group), _raised(reader, group[::-1])) if len(text) == len(group) else (0, 0)
        words.append(Word(text, left, right, reader.baseline(first.place), height, first.place, spaced_out, *raised))
    if words and broken:
        words[-1] = words[-1]._replace(text=words[-1].text + HYPHEN)
    return words


def _glyphs(reader: Characters, indices: range) -> list[_Glyph]:
    """What is seen of a line, each with the blank before it."""
    glyphs: list[_Glyph] = []
    units = reader.units
    blank = 0
    for index, (left, right, bottom, top) in zip(indices, reader.boxes(indices), strict=True):
        unit = units[index]
        if unit <= 32 or unit == 0xA0:
            blank = max(blank, 2 if right - left > 0.01 else 1)
        elif unit not in HYPHEN_UNITS:
            if 0xDC00 <= unit < 0xE000 and glyphs and not blank:  # the other half of a character
                glyphs[-1] = glyphs[-1]._replace(text=glyphs[-1].text + chr(unit))
            else:
                letter = chr(unit) if unit < 0x110000 else "\ufffd"
                glyphs.append(_Glyph(letter, left, right, bottom, top, index, blank))
            blank = 0
    return glyphs


def _raised(reader: Characters, group: list[_Glyph]) -> int:
    """How many glyphs at the end of a group are smaller and stand higher than its first one."""
    first, count = group[0], 0
    height = first.top - first.bottom
    for glyph in reversed(group[1:]):
        if glyph.top - glyph.bottom > 0.85 * height or glyph.bottom < first.bottom + 0.2 * height:
            break
        count += 1
    return count if count and reader.baseline(group[-1].place) > reader.baseline(first.place) + 0.15 * height else 0


def _joined(glyphs: Sequence[_Glyph]) -> str:
    text = "".join(glyph.text for glyph in glyphs)
    if text.isascii() or not any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        return text
    return text.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="replace")


def _groups(reader: Characters, glyphs: list[_Glyph], *, trusted: bool) -> tuple[bool, list[list[_Glyph]]]:
    """Whether letters stand apart, and the glyphs of each word. `trusted`: PDFium's blanks are all that tells."""
    groups = [[glyphs[0]]]
    gaps: list[float] = []
    right, known, size = glyphs[0].right, 0.0, 1.0
    for before, glyph in itertools.pairwise(glyphs):
        height = glyph.top - glyph.bottom
        if abs(height - known) > 0.01:
            known, size = height, reader.size(glyph.place, height)
        gap = (glyph.left - right) / size
        if gap < -0.5:
            gap = max(gap, (before.left - glyph.right) / size)
        gaps.append(gap)
        right = glyph.right if gap > _GAP or glyph.right > right else right
    spaced_out = _spaced_out(glyphs, gaps)
    for (before, glyph), gap in zip(itertools.pairwise(glyphs), gaps, strict=True):
        if glyph.blank == 2:
            apart = True
        elif trusted or before.right - before.left < 0.01:
            apart = glyph.blank > 0
        elif spaced_out:
            apart = gap > spaced_out
        else:
            apart = gap > 0.0 and (glyph.blank > 0 or gap > _least_gap(reader, before, glyph))
            apart = apart or _on_another_line(reader, before, glyph)
        if apart:
            groups.append([])
        groups[-1].append(glyph)
    return spaced_out > 0.0, groups


def _on_another_line(reader: Characters, before: _Glyph, glyph: _Glyph) -> bool:
    """Whether a glyph of the same size stands higher or lower: a cell of a table that touches the next."""
    height = glyph.top - glyph.bottom
    if abs(before.bottom - glyph.bottom) < 0.3 * height or abs(before.top - before.bottom - height) > 0.02 * height:
        return False
    return abs(reader.baseline(before.place) - reader.baseline(glyph.place)) > 0.3 * height


def _least_gap(reader: Characters, before: _Glyph, glyph: _Glyph) -> float:
    """The gap, in parts of the font's size, from which two glyphs belong to two words."""
    if _WIDE.match(before.text) and _WIDE.match(glyph.text):
        return _WIDE_LETTERS_GAP
    heights = before.top - before.bottom, glyph.top - glyph.bottom
    if heights[0] < 0.85 * heights[1] and before.text.isalnum() and glyph.text.isalpha():
        sizes = reader.size(before.place, heights[0]), reader.size(glyph.place, heights[1])
        return _AFTER_SCRIPT_GAP if sizes[0] < 0.85 * sizes[1] else _GAP
    return _GAP


def _spaced_out(glyphs: list[_Glyph], gaps: list[float]) -> float:
    """Above which gap words part in a line whose letters stand apart; 0.0 for a usual line. Infinite for one word."""
    inner = sorted(gap for gap, glyph in zip(gaps, glyphs[1:], strict=True) if glyph.blank < 2)
    if (
        len(inner) < 5
        or statistics.median(inner) < _SPACED_OUT
        or inner[len(inner) // 4] < _SPACED_OUT / 2
        or _WIDE.search(_joined(glyphs))
    ):
        return 0.0
    if statistics.median(inner) > _ONE_WORD or sum(map(str.isalpha, _joined(glyphs))) < 0.6 * len(glyphs):
        return 0.0  # cells, or dots that lead to a number
    for low, high in itertools.pairwise(inner[len(inner) // 2 :]):
        if high - low > _JUMP:
            return (low + high) / 2
    return float("inf") if inner[-1] < _ONE_WORD else 0.0


def _accented(reader: Characters, glyphs: list[_Glyph]) -> list[_Glyph]:
    """Letters whose accent is drawn before or behind them, as TeX does, as one character each."""
    found = list(glyphs)
    gone = set()
    for number, glyph in enumerate(glyphs):
        accent = _ACCENTS.get(glyph.text, glyph.text)
        if not "\u0300" <= accent <= "\u0327":
            continue
        left, right = reader.seen(glyph.place)
        middle = (left + right) / 2
        near = [number + 1, *range(number - 1, max(-1, number - 1 - _FARTHEST), -1)]
        under = next(
            (
                place
                for place in near
                if place < len(found)
                and place not in gone
                and found[place].left - 0.1 <= middle <= found[place].right + 0.1
            ),
            None,
        )
        whole = None if under is None else _composed(found[under].text, accent)
        if under is None or whole is None:
            if glyph.text in _STANDING and (under is None or accent != glyph.text):
                found[number] = glyph._replace(text=_STANDING[glyph.text])
            continue
        found[under] = found[under]._replace(text=whole)
        gone.add(number)
        if under > number:
            found[under] = found[under]._replace(blank=max(found[under].blank % 2, glyph.blank))
        elif number + 1 < len(found):  # the pen comes back from the accent
            found[number + 1] = found[number + 1]._replace(blank=max(found[number + 1].blank, glyph.blank))
    return [glyph for number, glyph in enumerate(found) if number not in gone]


def _composed(letter: str, accent: str) -> str | None:
    """One character of both, or None."""
    letter = {"ı": "i", "ȷ": "j"}.get(letter, letter)
    whole = unicodedata.normalize("NFC", letter + accent)
    return whole if len(whole) == 1 else None


def _right_to_left_words(reader: Characters, indices: range) -> list[Word]:
    """Words of a line in which there are right-to-left letters: by the places of its characters."""
    characters: list[DrawnCharacter] = []
    heights: list[float] = []
    visible = indices.start
    for index in indices:
        unit = reader.units[index]
        if unit in HYPHEN_UNITS or reader.pdfium.FPDFText_IsGenerated(reader.text_page, index) == 1:
            continue
        left, right, bottom, top = reader.box(index)
        blank = unit <= 32 or unit == 0xA0
        characters.append(DrawnCharacter(" " if blank else from_units([unit]), left, right))
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
            words.append(Word(text, left, right, baseline, height, visible))
    return words
