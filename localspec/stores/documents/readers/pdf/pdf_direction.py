"""Lines with right-to-left letters: from the places of their characters to the order of reading.

A simplified inverse of the Unicode bidirectional algorithm (UAX 9) for one line: what is drawn tells the order from
left to right, and runs of letters and numbers tell in which direction each part is read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
"""Letters and marks of Hebrew, Arabic, Syriac, Thaana and N'Ko, with the presentation forms."""
_PRESENTATION_FORMS = re.compile("[\ufb1d-\ufdff\ufe70-\ufefc]+")
_MARKS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # they only steer the direction
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")
_WITH_NUMBERS = frozenset("%$€£°#")
_BESIDE_NUMBERS = frozenset(".,:/-+%$€£°")


class DrawnCharacter(NamedTuple):
    """A character with its marks, and its left and right edge in points."""

    text: str
    left: float
    right: float


def runs_right_to_left(texts: Iterable[str]) -> bool:
    """Whether most letters of the texts are of scripts that are read from right to left."""
    right = left = 0
    for text in texts:
        if text.isascii():
            left += sum(map(str.isalpha, text))
        else:
            found = len(RIGHT_TO_LEFT.findall(text))
            right += found
            left += sum(map(str.isalpha, text)) - found
    return right > left


def plain_forms(text: str) -> str:
    """Presentation forms of Hebrew and Arabic letters as the letters themselves (NFKC of those alone)."""
    text = _MARKS.sub("", text)
    return _PRESENTATION_FORMS.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)


def reading_order(characters: Sequence[DrawnCharacter], height: float) -> list[list[DrawnCharacter]]:
    """Words of a line in the order in which they are read: blanks part them and gaps over a quarter of `height`."""
    shown = (one for one in characters if one.text != " " or one.right > one.left)  # others are not where they seem
    drawn = sorted(_with_ligatures(list(shown)), key=lambda one: one.left + one.right)
    spaced: list[DrawnCharacter] = []
    for character in drawn:
        if spaced and spaced[-1].text != " " and character.text != " ":
            gap = character.left - spaced[-1].right
            if gap > 0.24 * height:
                spaced.append(DrawnCharacter(" ", spaced[-1].right, character.left))
        spaced.append(character)
    if runs_right_to_left(one.text for one in spaced):
        ordered = _numbers_turned(spaced[::-1])
    else:
        ordered = _letters_turned(spaced)
    words: list[list[DrawnCharacter]] = [[]]
    for character in _with_brackets(ordered):
        if character.text == " ":
            words.append([])
        else:
            words[-1].append(character)
    return [word for word in words if word]


def _with_ligatures(characters: Sequence[DrawnCharacter]) -> list[DrawnCharacter]:
    """Characters of one glyph together: marks behind their letter, the ligature of lam and alef in its order."""
    joined: list[DrawnCharacter] = []
    for one in characters:
        text = plain_forms(one.text)
        before = joined[-1] if joined else None
        if not text:
            continue
        if before is not None and before.text != " " and unicodedata.combining(text[0]):
            joined[-1] = before._replace(text=before.text + text)
        elif before is not None and before.text in "اأإآ" and text == "ل" and before[1:] == one[1:]:
            joined[-1] = before._replace(text=text + before.text)
        elif before is not None and before[1:] == one[1:] and one.right > one.left and text != " ":
            joined[-1] = before._replace(text=before.text + text)
        else:
            joined.append(one._replace(text=text))
    return joined


def _direction(text: str) -> str:
    """'R', 'L', 'N' for numbers, '' for what has no direction of its own."""
    kind = unicodedata.bidirectional(text[0])
    return {"R": "R", "AL": "R", "L": "L", "EN": "N", "AN": "N"}.get(kind, "")


def _numbers_turned(reversed_line: list[DrawnCharacter]) -> list[DrawnCharacter]:
    """A line read from the right, in which words of other scripts and numbers are turned back."""
    kinds = [_direction(one.text) for one in reversed_line]
    ordered = list(reversed_line)
    start = 0
    while start < len(kinds):
        if kinds[start] not in ("L", "N"):
            start += 1
            continue
        end = start
        while end < len(kinds) and kinds[end] != "R":
            end += 1
        first, last = start, end
        if "L" not in kinds[start:end]:  # a number alone, with what stands close to it
            last = start
            while first > 0 and reversed_line[first - 1].text in _WITH_NUMBERS:
                first -= 1
            while last < end and (kinds[last] == "N" or reversed_line[last].text in _BESIDE_NUMBERS):
                last += 1
        while last > first and not kinds[last - 1] and reversed_line[last - 1].text not in _WITH_NUMBERS:
            last -= 1
        ordered[first:last] = reversed_line[first:last][::-1]
        start = last
    return ordered


def _letters_turned(line: list[DrawnCharacter]) -> list[DrawnCharacter]:
    """A line read from the left, in which runs of right-to-left letters are turned."""
    kinds = [_direction(one.text) for one in line]
    ordered: list[DrawnCharacter] = []
    start = 0
    while start < len(line):
        end = start + 1
        if kinds[start] == "R":
            run = start
            while run < len(line) and kinds[run] != "L":
                run += 1
            end = max(place for place in range(start, run) if kinds[place] == "R") + 1
            ordered += _numbers_turned(line[start:end][::-1])
        else:
            ordered.append(line[start])
        start = end
    return ordered


def _with_brackets(ordered: list[DrawnCharacter]) -> list[DrawnCharacter]:
    """Brackets as they are written: some programs store the one that is seen, which is the mirrored one."""
    texts = [" ", *(one.text for one in ordered), " "]
    wrong = right = 0
    for before, text, after in zip(texts, texts[1:], texts[2:], strict=False):
        near_word = "R" in (_direction(before), _direction(after))
        if near_word and text in "()[]{}" and (before == " ") != (after == " "):
            if (text in "([{") == (before == " "):
                right += 1
            else:
                wrong += 1
    if wrong <= right:
        return ordered
    return [one._replace(text=one.text.translate(_MIRRORED)) for one in ordered]
