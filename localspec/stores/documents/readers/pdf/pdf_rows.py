"""Rows of a PDF's page: pieces on one baseline, and the texts of several lines as one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from localspec.stores.documents.readers.pdf.pdf_lines import Line
from localspec.stores.documents.readers.pdf.pdf_words import HYPHEN

WORD = re.compile(r"\w+(?:-\w+)+|\w+")
"""A word, or several with hyphens between them."""
WITHOUT_BLANKS = re.compile("[\u3000-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uff65]")
"""Letters and signs of scripts that part no words: Chinese characters and kana."""


class TextRow(NamedTuple):
    """Pieces on one baseline, from left to right."""

    pieces: tuple[Line, ...]
    baseline: float
    height: float

    @property
    def left(self) -> float:
        """Left edge of the first piece, in points."""
        return self.pieces[0].left

    @property
    def right(self) -> float:
        """Right edge of the last piece, in points."""
        return max(one.right for one in self.pieces)


def rows_of(lines: Iterable[Line]) -> list[TextRow]:
    """Rows from top to bottom. Pieces whose baselines differ by less than a third of their height are on one."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda one: -one.baseline):
        if rows and _on_one_row(rows[-1], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    found = []
    for pieces in rows:
        main = max(pieces, key=lambda one: one.height)
        found.append(TextRow(tuple(sorted(pieces, key=lambda one: one.left)), main.baseline, main.height))
    return found


def _on_one_row(row: list[Line], line: Line) -> bool:
    first = row[0]
    if first.baseline - line.baseline >= 0.34 * min(first.height, line.height):
        return False
    # Lines that lie over one another are two, however close they stand.
    left, right, shared = line.left, line.right, 0.5 * line.height
    for one in row:  # a loop: this is where the most time goes on pages with many pieces
        if (one.right if one.right < right else right) - (one.left if one.left > left else left) > shared:
            return False
    return True


def joined_text(lines: Sequence[Line], words: frozenset[str]) -> str:
    """Texts of lines that run on, with blanks between them; broken words are whole."""
    text = ""
    for line in lines:
        if text.endswith(HYPHEN):
            text = text[:-1] + unbroken(text, line.text, words) + line.text
        else:
            runs_on = not text or (WITHOUT_BLANKS.match(text[-1]) and WITHOUT_BLANKS.match(line.text))
            text += line.text if runs_on else f" {line.text}"
    return text[:-1] + "-" if text.endswith(HYPHEN) else text


def unbroken(above: str, below: str, words: frozenset[str]) -> str:
    """'' where the hyphen only broke a word, '-' where it belongs to a compound that the document uses elsewhere."""
    first = re.search(r"(\w+)\x02$", above)
    second = re.match(r"\w+", below)
    if first is None or second is None or not second[0][0].islower():
        return "-"
    compound, whole = f"{first[1]}-{second[0]}".lower(), f"{first[1]}{second[0]}".lower()
    return "-" if compound in words and whole not in words else ""
