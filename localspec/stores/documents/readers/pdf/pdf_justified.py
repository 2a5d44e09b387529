"""Justified lines of a PDF: words at equal gaps, however wide these are, stand in one line of text and not in cells."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from localspec.stores.documents.readers.pdf.pdf_lines import Line, glued
from localspec.stores.documents.readers.pdf.pdf_rows import rows_of

_NARROW = 0.42  # of a line's height: a gap that may be one between cells
_WIDE = 2.0
_EQUAL = 0.05  # of a line's height
_FEWEST_GAPS = 3
_FEWEST_WORDS = 3  # of letters only
_MIXED = 1.8  # times as wide as the narrowest word is the widest at least: cells of one kind are alike
_PAUSES = (".", ",", ":", ";", "!", "?")


def justified_lines(lines: Sequence[Line]) -> list[Line]:
    """The lines; justified ones with wide gaps in one piece each, and marked."""
    whole: dict[int, Line] = {}
    gone: set[int] = set()
    for row in rows_of(lines):
        for pieces in _runs(row.pieces):
            line = glued(pieces)
            if _is_justified(line):
                whole[id(pieces[0])] = line._replace(justified=True)
                gone |= {id(one) for one in pieces[1:]}
    return [whole.get(id(line), line) for line in lines if id(line) not in gone] if whole else list(lines)


def _runs(pieces: Sequence[Line]) -> Iterator[list[Line]]:
    """Pieces of a row with equal gaps between them."""
    run = [pieces[0]]
    usual = 0.0
    for before, one in itertools.pairwise(pieces):
        gap = one.left - before.right
        inner = [later - earlier for earlier, later in zip(one.edges[1:-1:2], one.edges[2::2], strict=False)]
        usual = usual or _inner_gap(run) or gap
        fits = _fits(gap, usual, before) and all(_fits(other, usual, one) for other in inner[:1])
        if not one.text or not before.text or not fits or gap > _WIDE * one.height:
            yield run
            run, usual = [], 0.0
        run.append(one)
    yield run


def _inner_gap(run: Sequence[Line]) -> float:
    """The first gap between words of a run, or 0.0 where there is one word."""
    edges = [edge for one in run for edge in one.edges]
    return edges[2] - edges[1] if len(edges) > 2 else 0.0


def _fits(gap: float, usual: float, before: Line) -> bool:
    """Whether a gap is as wide as the others, or somewhat wider behind a sentence."""
    tolerance = _EQUAL * before.height
    return abs(gap - usual) < tolerance or (before.text.endswith(_PAUSES) and usual < gap < 2.5 * usual)


def _is_justified(line: Line) -> bool:
    words = line.text.split(" ")
    if line.fixed or len(words) <= _FEWEST_GAPS or len(line.edges) != 2 * len(words):
        return False
    gaps = [later - earlier for earlier, later in zip(line.edges[1:-1:2], line.edges[2::2], strict=True)]
    plain = [gap for gap, word in zip(gaps, words, strict=False) if not word.endswith(_PAUSES)]
    if len(plain) < 2 or min(plain) < _NARROW * line.height or max(plain) - min(plain) > 2 * _EQUAL * line.height:
        return False
    widths = [right - left for left, right in zip(line.edges[::2], line.edges[1::2], strict=True)]
    of_letters = sum(1 for word in words if word.strip("".join(_PAUSES)).isalpha())
    return of_letters >= _FEWEST_WORDS and max(widths) > _MIXED * min(widths)
