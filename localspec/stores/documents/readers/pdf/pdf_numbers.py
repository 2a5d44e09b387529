"""Numbered lists of a PDF: lines whose numbers follow each other, as those of clauses do ("4.2.1")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from localspec.stores.documents.readers.pdf.pdf_lines import Line, glued
from localspec.stores.documents.readers.pdf.pdf_rows import TextRow, rows_of

_Number: TypeAlias = tuple[int, ...]

_ALONE = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,5})[.)]?")
_BEFORE_TEXT = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,5})[.)]?\s+(?=[^\W\d_]|[\"“„«‘'(])")
_SIMPLE = re.compile(r"\d{1,3}[.)]")
_CONTENTS = re.compile(r".*(?:(?:\s|\.)\d{1,4}|(?:\.\s?){4,})")
_FEWEST = 3  # items that follow each other; two where a number has several parts
_FARTHEST = 4.5  # heights between a number and its text
_NEAR = 60.0  # points between the left edges of two items that follow each other
_HEADER = 2.6  # heights over the first item
_SHORT = 25  # letters: of a cell
_ALIGNED = 3.0  # points


class _Candidate(NamedTuple):
    """A line that may be an item, in one piece or in two."""

    number: _Number
    pieces: tuple[Line, ...]
    simple: bool  # "3." or "3)", which other lines tell as well
    behind: Line | None  # what stands behind it on its row

    @property
    def left(self) -> float:
        return self.pieces[0].left


def numbered_items(lines: Sequence[Line], size: float) -> list[Line]:
    """The lines; those of a numbered list in one piece each, with their level. `size`: of the text's font, points;
    headings are larger, and notes smaller."""
    rows = rows_of(lines)
    chains = _chains(list(_candidates(rows, size)))
    members = {id(one.pieces[0]) for chain in chains for one in chain}
    items: dict[int, Line] = {}
    gone: set[int] = set()
    ends: dict[_Number, int] = {}  # last numbers of lists, and how many parts their shortest numbers have
    for chain in sorted(chains, key=lambda one: one[0].number):
        least = min(len(one.number) for one in chain)
        going_on = [parts for end, parts in ends.items() if _follows(end, chain[0].number)]
        if not going_on and not _is_list(chain, rows, members):
            continue
        least = min(least, *going_on) if going_on else least
        ends[chain[-1].number] = least
        for one in chain:
            level = len(one.number) - least
            items[id(one.pieces[0])] = glued(one.pieces)._replace(numbered=level + 1)
            gone |= {id(piece) for piece in one.pieces[1:]}
    return [items.get(id(line), line) for line in lines if id(line) not in gone]


def _candidates(rows: Sequence[TextRow], size: float) -> Iterator[_Candidate]:
    for row in rows:
        for place, line in enumerate(row.pieces):
            after = row.pieces[place + 1 : place + 3]
            text = after[0] if after else None
            found = _BEFORE_TEXT.match(line.text)
            if found is not None and _is_text(line, size):
                yield _Candidate(
                    _number(found[1]), (line,), _SIMPLE.fullmatch(line.text.split(" ", 1)[0]) is not None, text
                )
                continue
            found = _ALONE.fullmatch(line.text)
            if found is None or text is None or not _is_text(text, size):
                continue
            if text.left - line.right < _FARTHEST * text.height and text.text[:1].isalpha():
                behind = after[1] if len(after) > 1 else None
                yield _Candidate(_number(found[1]), (line, text), False, behind)


def _number(text: str) -> _Number:
    return tuple(map(int, text.split(".")))


def _is_text(line: Line, size: float) -> bool:
    """Whether a line is neither code nor a heading nor a note."""
    return not line.fixed and not line.bold and 0.85 * size < line.size < 1.3 * size


def _follows(one: _Number, other: _Number) -> bool:
    """Whether a number comes next: 2 or 1.1 after 1, 3 after 2.4.1, 3.1 after 2.4 where 3 is a heading."""
    if other == (*one, 1):
        return True
    for length in range(1, len(one) + 1):
        after = (*one[: length - 1], one[length - 1] + 1)
        if other in (after, (*after, 1)):
            return True
    return False


def _chains(candidates: Sequence[_Candidate]) -> list[list[_Candidate]]:
    """Candidates whose numbers follow each other from the top down."""
    chains: list[list[_Candidate]] = []
    for one in candidates:
        before = [chain for chain in chains if _follows(chain[-1].number, one.number)]
        nearest = min(before, key=lambda chain: abs(chain[-1].left - one.left), default=None)
        if nearest is not None and abs(nearest[-1].left - one.left) < _NEAR:
            nearest.append(one)
        else:
            chains.append([one])
    return chains


def _is_list(chain: Sequence[_Candidate], rows: Sequence[TextRow], members: set[int]) -> bool:
    """Whether candidates are items, and not the rows of a table or of a table of contents."""
    deep = any(len(one.number) > 1 for one in chain)
    if all(one.simple for one in chain) or len(chain) < (_FEWEST - deep):
        return False
    if sum(1 for one in chain if _CONTENTS.fullmatch(one.pieces[-1].text)) > 0.5 * len(chain):
        return False
    behind = [one.behind for one in chain if one.behind is not None and id(one.behind) not in members]
    if len(behind) > 0.5 * len(chain) and sorted(len(line.text) for line in behind)[len(behind) // 2] < _SHORT:
        return False
    return not _has_header(chain[0], rows)


def _has_header(first: _Candidate, rows: Sequence[TextRow]) -> bool:
    """Whether names of columns stand over the number and the text of the first item."""
    if len(first.pieces) == 1:
        return False
    number, text = first.pieces
    above = [row for row in rows if 0.5 * text.height < row.baseline - text.baseline < _HEADER * text.height]
    return any(
        any(abs(one.left - number.left) < _ALIGNED or abs(one.right - number.right) < _ALIGNED for one in row.pieces)
        and any(abs(one.left - text.left) < _ALIGNED for one in row.pieces)
        for row in above
    )
