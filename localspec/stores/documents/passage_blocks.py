"""Finds the blocks that passages were cut from, so that they can be shown as what they are: tables, lists, headings.

Passages keep their text only, because libraries hold millions of them; blocks are stored once, in reading order.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from localspec.stores.documents.blocks import CELL_SEPARATOR, Block

_WINDOW = 24
"""Lines and rows in which the next line of a passage is looked for: nothing lies between them but what is shown once,
as the title of a table."""
_FOUND = 0.9
"""Of a passage's letters must be found; else the document is another one than the passages were cut from."""
_MOST_STARTS = 64
_MOST_LINES = 8
_MOST_BLOCKS = 400
_WHOLE_ROWS = 30  # a table of so many rows is shown whole
_WHOLE_LETTERS = 400  # so much beside the passages is shown of a text
_LEAST_PART = 12  # letters of a line that stand in a block although the line begins before it


class Marked(NamedTuple):
    """Characters of a text, the last one excluded."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """A block, or the part of it that passages were cut from. A table has `rows`, any other block `text`."""

    block: Block
    text: str = ""
    cited: tuple[Marked, ...] = ()  # in `text`
    rows: range = range(0)  # of the table, those that name the columns included only where the range reaches them
    cited_rows: frozenset[int] = frozenset()
    goes_before: bool = False  # whether there is more of it than is shown
    goes_on: bool = False


@dataclass(slots=True)
class _Line:
    """A line of a text, or a row of a table: its letters without white space."""

    block: int
    letters: str
    start: int = 0  # of the line in its text
    row: int = -1  # in its table
    texts: Sequence[str] = ()
    is_header: bool = False
    title: str = ""  # of its table

    @property
    def cells(self) -> list[str]:
        """The letters of each cell."""
        return [_letters(text) for text in self.texts]


class _Hit(NamedTuple):
    line: int
    start: int  # in the letters of the line
    end: int


class _Starts(NamedTuple):
    said: list[str]  # the lines of a passage
    at: int  # which of them was looked for
    hits: list[_Hit]


class _Way(NamedTuple):
    """A passage as it lies in the lines: where, how many letters were found, how many lines lie between."""

    hits: list[_Hit]
    letters: int
    gaps: int


def surroundings(texts: Sequence[str], cited: int, blocks: Sequence[Block]) -> list[ShownBlock] | None:
    """The blocks from which passages with these texts were cut, which follow each other in their document; what
    belongs to the one at `cited` is marked. None where the blocks do not hold them."""
    lines = [*_lines(blocks)]
    begun = [_starts(text, lines) for text in texts]
    # From the one that can be in the fewest places.
    surest = min(range(len(texts)), key=lambda at: len(begun[at].hits) or len(lines) + 1)
    ways: dict[int, _Way] = {}
    for at in (*range(surest, len(texts)), *range(surest - 1, -1, -1)):
        beside = ways.get(at - 1 if at > surest else at + 1)
        limit = beside and (max(beside.hits) if at > surest else min(beside.hits))
        way = _way(texts[at], begun[at], lines, limit, 1 if at > surest else -1)
        if way is None:
            return None
        ways[at] = way
    here, found = ways[cited], [*ways.values()]
    hits = [hit for way in found for hit in way.hits]
    covered = sorted({lines[hit.line].block for hit in hits})
    span = range(covered[0], covered[-1] + 1)
    said = sum(len(_letters(text)) for text in texts)
    between = sum(len(blocks[at].text) for at in span if at not in covered)
    if len(span) > _MOST_BLOCKS or between > said:
        return None
    return [
        _shown(blocks[at], at, lines, hits, here.hits, inner=covered[0] < at < covered[-1])
        for at in span
        if not _is_title(blocks[at], blocks[at + 1] if at + 1 in span else None)
    ]


def _is_title(block: Block, after: Block | None) -> bool:
    """Whether a block says nothing but the title of the table behind it."""
    table = after.table if after is not None else None
    return table is not None and bool(table.title) and " ".join(block.text.split()) == table.title


def _lines(blocks: Sequence[Block]) -> Iterator[_Line]:
    for at, block in enumerate(blocks):
        if block.table is not None:
            title = _letters(block.table.title)
            for row, texts in enumerate(block.table.rows):
                letters = _letters(CELL_SEPARATOR.join(texts))
                if any(texts):
                    yield _Line(at, letters, 0, row, texts, row < block.table.header_rows, title)
            continue
        start = 0
        for line in block.text.splitlines(keepends=True):
            if letters := _letters(line):
                yield _Line(at, letters, start)
            start += len(line)


def _letters(text: str) -> str:
    return "".join(text.split())


def _starts(text: str, lines: Sequence[_Line]) -> _Starts:
    """The longest line that is found, and its places; the names of columns, which many passages have, come last."""
    said = [line for line in text.splitlines() if line.strip()]
    by_length = sorted(range(len(said)), key=lambda at: -len(said[at]))
    names = _Starts(said, 0, [])
    for longest in by_length[:_MOST_LINES]:
        hits = [hit for at, line in enumerate(lines) if (hit := _in_line(said[longest], line, at)) is not None]
        if not hits:  # it begins with the end of the page before
            hits = [hit for at, line in enumerate(lines) for hit in _in_part(said[longest], line, at)]
        below = [hit for hit in hits if not lines[hit.line].is_header]
        if below:
            return _Starts(said, longest, below)
        names = names if names.hits else _Starts(said, longest, hits)
    return names


def _way(text: str, starts: _Starts, lines: Sequence[_Line], beside: _Hit | None, step: int) -> _Way | None:
    """Where a passage lies: that place of those with its longest line where most of the others stand beside it; of
    several the next one behind `beside`, or before it where `step` is negative."""
    hits = starts.hits
    if beside is not None:
        hits = sorted(hits, key=lambda hit: (step * (hit.line - beside.line) < 0, abs(hit.line - beside.line)))
    ways = [_followed(starts.said, starts.at, hit, lines) for hit in hits[:_MOST_STARTS]]
    best = max(ways, key=lambda way: (way.letters, -way.gaps), default=None)
    return best if best is not None and best.letters >= _FOUND * len(_letters(text)) else None


def _followed(said: Sequence[str], at: int, start: _Hit, lines: Sequence[_Line]) -> _Way:
    """The way of a passage whose line `at` lies at `start`."""
    hits = _with_beginning(said[at], start, lines)
    found = sum(hit.end - hit.start for hit in hits) if lines[start.line].row < 0 else len(_letters(said[at]))
    gaps = 0
    for step, rest in ((1, said[at + 1 :]), (-1, said[:at][::-1])):
        here = start
        for text in rest:
            # What each passage of a table begins with says nothing about where it lies.
            hit = None if step < 0 and _is_repeated(text, here, lines) else _next(text, here, step, lines)
            if hit is not None:
                gaps += max(0, abs(hit.line - here.line) - 1)
                hits += _with_beginning(text, hit, lines)
                here = hit
            if hit is not None or _is_repeated(text, here, lines):
                found += len(_letters(text))
    return _Way(hits, found, gaps)


def _with_beginning(text: str, hit: _Hit, lines: Sequence[_Line]) -> list[_Hit]:
    """The hit of a line, and that of its beginning where that is the end of a line before."""
    letters = _letters(text)
    missing = len(letters) - (hit.end - hit.start)
    if missing <= 0 or lines[hit.line].row >= 0:
        return [hit]
    for at in range(hit.line - 1, max(-1, hit.line - _WINDOW), -1):
        if lines[at].letters.endswith(letters[:missing]):
            return [_Hit(at, len(lines[at].letters) - missing, len(lines[at].letters)), hit]
    return [hit]


def _next(text: str, here: _Hit, step: int, lines: Sequence[_Line]) -> _Hit | None:
    """The nearest place of a text behind `here`, or before it."""
    letters = _letters(text)
    line = lines[here.line]
    if line.row < 0:
        start = line.letters.find(letters, here.end) if step > 0 else line.letters.rfind(letters, 0, here.start)
        if start >= 0:
            return _Hit(here.line, start, start + len(letters))
    near = range(here.line + step, here.line + step * (_WINDOW + 1), step)
    near = (
        range(max(near.start, 0), min(near.stop, len(lines))) if step > 0 else range(near.start, max(near.stop, -1), -1)
    )
    found = (_in_line(text, lines[at], at) for at in near)
    hit = next((hit for hit in found if hit is not None), None)
    return hit or next((hit for at in near for hit in _in_part(text, lines[at], at)), None)


def _is_repeated(text: str, here: _Hit, lines: Sequence[_Line]) -> bool:
    """Whether a text is the title, or the names of columns, of the table at `here`."""
    line = lines[here.line]
    if line.row < 0:
        return False
    letters = _letters(text)
    if letters == line.title or (letters.endswith("…") and line.title.startswith(letters[:-1])):
        return True
    at = here.line
    while at and lines[at - 1].block == line.block:
        at -= 1
    names = itertools.takewhile(lambda one: one.is_header and one.block == line.block, lines[at : here.line])
    return any(_in_line(text, name, 0) is not None for name in names)


@lru_cache(_MOST_LINES * 4)
def _said(text: str) -> tuple[str, tuple[str, ...]]:
    """The letters of a line of a passage, and of its cells if it is a row of several."""
    cells = tuple(_letters(cell) for cell in text.split(CELL_SEPARATOR)) if CELL_SEPARATOR in text else ()
    return _letters(text), cells if any(cells) else ()


def _in_line(text: str, line: _Line, at: int) -> _Hit | None:
    """Where a line of a passage stands in a line of a block. A long row is cut between its cells, or in one."""
    letters, cells = _said(text)
    if line.row < 0:
        start = line.letters.find(letters)
        return _Hit(at, start, start + len(letters)) if start >= 0 else None
    is_there = letters == line.letters
    if not is_there and cells and (cells[0] in line.letters or cells[0].endswith("…")):
        own = line.cells
        is_there = all(cell in own or _is_in_cell(cell, own) for cell in cells)
    return _Hit(at, 0, len(line.letters)) if is_there else None


def _is_in_cell(part: str, cells: Sequence[str]) -> bool:
    part = part.removesuffix("…")
    return len(part) >= _LEAST_PART and any(part in cell for cell in cells)


def _in_part(text: str, line: _Line, at: int) -> Iterator[_Hit]:
    """Where a line that begins with the end of another block goes on in this one."""
    letters, _ = _said(text)
    start = letters.find(line.letters[:_LEAST_PART]) if len(line.letters) >= _LEAST_PART and line.row < 0 else -1
    if start > 0 and line.letters.startswith(letters[start:]):
        yield _Hit(at, 0, len(letters) - start)


def _shown(
    block: Block, at: int, lines: Sequence[_Line], hits: Sequence[_Hit], cited: Sequence[_Hit], *, inner: bool
) -> ShownBlock:
    covering = [hit for hit in hits if lines[hit.line].block == at]
    marked = [hit for hit in cited if lines[hit.line].block == at]
    if block.table is not None:
        return _shown_table(block, lines, covering, marked, inner=inner)
    places = [_in_text(block.text, lines[hit.line], hit) for hit in covering]
    start = min((place.start for place in places), default=0)
    end = max((place.end for place in places), default=len(block.text))
    start = 0 if inner or start <= _WHOLE_LETTERS else start
    end = len(block.text) if inner or len(block.text) - end <= _WHOLE_LETTERS else end
    ranges = _joined(block.text, [_in_text(block.text, lines[hit.line], hit) for hit in marked])
    return ShownBlock(
        block,
        block.text[start:end],
        tuple(Marked(place.start - start, place.end - start) for place in ranges),
        goes_before=start > 0,
        goes_on=end < len(block.text),
    )


def _shown_table(
    block: Block, lines: Sequence[_Line], covering: Sequence[_Hit], marked: Sequence[_Hit], *, inner: bool
) -> ShownBlock:
    assert block.table is not None
    total, header = len(block.table.rows), block.table.header_rows
    rows = [row for hit in covering if (row := lines[hit.line].row) >= header]
    start, end = min(rows, default=header), max(rows, default=total - 1) + 1
    if inner or total <= _WHOLE_ROWS:
        start, end = header, total
    named = frozenset(lines[hit.line].row for hit in marked)
    return ShownBlock(
        block,
        rows=range(start, end),
        cited_rows=frozenset(row for row in named if row >= header) or named,
        goes_before=start > header,
        goes_on=end < total,
    )


def _in_text(text: str, line: _Line, hit: _Hit) -> Marked:
    """The characters of a block's text at a hit."""
    seen = 0
    start = end = line.start
    for at in range(line.start, len(text)):
        if text[at].isspace():
            continue
        if seen == hit.start:
            start = at
        seen += 1
        if seen == hit.end:
            end = at + 1
            break
    return Marked(start, end)


def _joined(text: str, places: Sequence[Marked]) -> list[Marked]:
    """Places in order; those between which nothing but white space lies are one."""
    found: list[Marked] = []
    for place in sorted(places):
        if found and not text[found[-1].end : place.start].strip():
            found[-1] = Marked(found[-1].start, max(found[-1].end, place.end))
        else:
            found.append(place)
    return found
