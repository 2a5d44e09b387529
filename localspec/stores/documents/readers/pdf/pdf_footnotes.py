"""Footnotes and endnotes of a PDF: raised marks in the text, and the lines below it that begin with the same mark."""

from __future__ import annotations

import re
import statistics
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from localspec.stores.documents.readers.pdf.pdf_lines import Line, PdfPage, RaisedMark

_SMALLER = 0.92  # part of the text's height below which notes are
_FOOT = 0.4  # of a page's height, below which notes stand
_LAST_PAGES = 0.6  # of a document's pages, behind which endnotes stand
_UNIT = re.compile(r"(?:[cdkm]?m|[a-zA-Z]|.*\d)$")  # before an exponent

_ALONE = re.compile(r"\d{1,3}|[*†‡§¶]{1,3}")


class _Note(NamedTuple):
    mark: str
    page: int
    line: int


def with_notes(pages: Sequence[PdfPage]) -> list[PdfPage]:
    """The pages, with notes and their marks in the text as "[1]". A mark without a note stays as it is."""
    pages = [_with_marks_joined(page) for page in pages]
    marks = [list(_in_text(page)) for page in pages]
    if not any(marks):
        return list(pages)
    lines = [list(page.lines) for page in pages]
    for index, page in enumerate(pages):
        wanted = {mark.text for mark, _ in marks[index]}
        for note in _footnotes(page, index, wanted):
            _write(note, marks[index], lines, index, lines[index][note.line].baseline)
    for note in _endnotes(pages, marks):
        before = next(
            (
                at
                for at in range(note.page, -1, -1)
                if any(mark.text == note.mark and not _UNIT.match(mark.before) for mark, _ in marks[at])
            ),
            None,
        )
        if before is not None:
            _write(
                note, marks[before], lines, before, lines[note.page][note.line].baseline if before == note.page else 0.0
            )
    return [page._replace(lines=found) for page, found in zip(pages, lines, strict=True)]


def _with_marks_joined(page: PdfPage) -> PdfPage:
    """The page with small raised numbers and signs, which PDFium holds for lines of their own, at what they touch."""
    lines = list(page.lines)
    marks = list(page.marks)
    gone: set[int] = set()
    usual = statistics.median(line.height for line in lines) if lines else 0.0
    for number, mark in enumerate(page.lines):
        if len(mark.text) > 3 or mark.height > 0.85 * usual or not _ALONE.fullmatch(mark.text):
            continue
        for other, line in enumerate(lines):
            higher = 0.15 * line.height < mark.baseline - line.baseline < 0.75 * line.height
            if not higher or mark.height > 0.85 * line.height or not line.edges or other in gone:
                continue
            if abs(mark.left - line.right) < 0.25 * line.height:
                before = line.text.rpartition(" ")[2]
                edges = array("f", line.edges)
                edges[-1] = mark.right
                lines[other] = line._replace(text=line.text + mark.text, right=mark.right, edges=edges)
                marks.append(RaisedMark(mark.text, before, (mark.left + mark.right) / 2, line.baseline))
            elif 0.0 <= line.left - mark.right < line.height:
                edges = array("f", [*mark.edges, *line.edges])
                lines[other] = line._replace(text=f"{mark.text} {line.text}", left=mark.left, edges=edges)
                marks.append(RaisedMark(mark.text, "", mark.left, line.baseline))
            else:
                continue
            gone.add(number)
            break
    if not gone:
        return page
    return page._replace(lines=[one for number, one in enumerate(lines) if number not in gone], marks=tuple(marks))


def _in_text(page: PdfPage) -> Iterator[tuple[RaisedMark, int]]:
    """Marks behind a word, each with the number of its line."""
    for mark in page.marks:
        for number, line in enumerate(page.lines):
            if abs(line.baseline - mark.baseline) < 0.5 * line.height and line.left < mark.left < line.right + 1.0:
                yield mark, number
                break


def _footnotes(page: PdfPage, index: int, wanted: set[str]) -> Iterator[_Note]:
    """Notes at the foot of a page: smaller than the text, with a raised mark, or right below a short rule."""
    if not wanted:
        return
    usual = statistics.median(line.height for line in page.lines for _ in range(0, len(line.text), 8))
    begun = {(round(mark.left), round(mark.baseline)) for mark in page.marks}
    order = sorted(range(len(page.lines)), key=lambda number: -page.lines[number].baseline)
    below_rule = float("-inf")
    for number in order:
        line = page.lines[number]
        found = _begins_with(line.text, wanted)
        if found is None or line.baseline > 0.75 * page.height:
            continue
        raised = any(abs(line.left - left) < 2 and abs(line.baseline - low) < line.height for left, low in begun)
        small = line.height < _SMALLER * usual and line.baseline < _FOOT * page.height
        if raised or small or line.baseline < below_rule or _is_below_rule(page, line):
            below_rule = max(below_rule, line.baseline)
            yield _Note(found, index, number)


def _begins_with(text: str, wanted: set[str]) -> str | None:
    """The mark with which a text begins, if a letter of it follows at once or behind a blank."""
    found = re.match(r"(\d{1,3}|[ivxl]{1,4}|[a-z]|[*†‡§¶]{1,3})(?:[.)]?\s|(?=[^\W\d_]))", text)
    if found is None or found[1] not in wanted or not text[found.end() : found.end() + 2].strip():
        return None
    return None if found[1].isalpha() and text[found.end()].islower() else found[1]


def _is_below_rule(page: PdfPage, line: Line) -> bool:
    """Whether a rule of less than half the page's width stands above a line, with nothing between them."""
    for rule in page.rules:
        near = line.baseline < rule.bottom < line.baseline + 3.0 * line.height
        if rule.horizontal and near and abs(rule.left - line.left) < 12.0 and rule.right - rule.left < 0.5 * page.width:
            between = any(line.baseline + 1.0 < one.baseline < rule.bottom for one in page.lines)
            under = any(rule.bottom < one.baseline < rule.bottom + 0.35 * one.height for one in page.lines)
            return not between and not under
    return False


def _endnotes(pages: Sequence[PdfPage], marks: Sequence[Sequence[tuple[RaisedMark, int]]]) -> Iterator[_Note]:
    """Notes behind the text: their marks are raised, or letters that touch the note's first word."""
    wanted = {mark.text for found in marks for mark, _ in found}
    for index, page in enumerate(pages):
        if index + 1 < _LAST_PAGES * len(pages):
            continue
        top = max((line.baseline for line in page.lines), default=0.0)
        above: Line | None = None
        for number in sorted(range(len(page.lines)), key=lambda one: -page.lines[one].baseline):
            line = page.lines[number]
            found = _begins_with(line.text, wanted)
            if found is None:
                continue
            touching = re.match(r"(?:[ivxl]{1,4}|\d{1,3})[^\W\d_a-z]", line.text) is not None
            first = line.baseline > top - 0.5 * line.height or above is not None
            raised = any(
                abs(line.left - mark.left) < 2 and 0 <= mark.baseline - line.baseline < line.height
                for mark in page.marks
            )
            if (touching and first) or raised:
                above = line
                yield _Note(found, index, number)


def _write(note: _Note, marks: list[tuple[RaisedMark, int]], lines: list[list[Line]], page: int, above: float) -> None:
    """Mark a note and where it belongs to; the first fitting mark counts once."""
    own = lines[note.page][note.line]
    fitting = [
        (mark, number) for mark, number in marks if mark.text == note.mark and lines[page][number].baseline > above
    ]
    fitting.sort(key=lambda one: (_UNIT.match(one[0].before) is not None, -one[0].baseline, one[0].left))
    if own.note or not fitting:
        return
    mark, number = fitting[0]
    line = lines[page][number]
    words = line.text.split(" ")
    if len(line.edges) < 2 * len(words) or not own.edges:
        return
    at = next(
        (
            place
            for place in range(len(words))
            if line.edges[2 * place] - 0.5 <= mark.left <= line.edges[2 * place + 1] + 0.5
        ),
        None,
    )
    if at is None or mark.text not in words[at]:
        return
    before, _, after = words[at].rpartition(mark.text)
    words[at] = f"{before}[{mark.text}]{after}"
    edges = array("f", line.edges)
    if at + 1 < len(words) and words[at + 1][0] in ".,;:!?)":  # a small letter leaves a gap before it
        words[at : at + 2] = [words[at] + words[at + 1]]
        del edges[2 * at + 1 : 2 * at + 3]
    lines[page][number] = line._replace(text=" ".join(words), edges=edges)
    marks.remove((mark, number))
    rest = own.text[len(note.mark) :]
    own_words = own.text.split(" ")
    if own_words[0] == note.mark or own_words[0] in (f"{note.mark}.", f"{note.mark})"):
        lines[note.page][note.line] = own._replace(text=" ".join([f"[{note.mark}]", *own_words[1:]]), note=True)
        return
    left, right = own.edges[0], own.edges[1]
    share = left + (right - left) * len(note.mark) / max(1, len(own_words[0]))
    edges = array("f", [left, share, share, *own.edges[1:]])
    lines[note.page][note.line] = own._replace(text=f"[{note.mark}] {rest}", edges=edges, note=True)
