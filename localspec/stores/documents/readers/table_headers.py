"""How many rows of a table name its columns, where the file does not say."""

from __future__ import annotations

import re
from collections.abc import Sequence

from localspec.stores.documents.blocks import Span

_YEAR = re.compile(r"(1[5-9]|20|21)\d\d")
_NUMBER = re.compile(r"[-+(]?[\d.,\s']*\d[\d.,\s']*[)%€$£]?")


def is_number(text: str) -> bool:
    """Whether a cell's text is a number, perhaps with a sign, a currency or percent."""
    return bool(_NUMBER.fullmatch(text.strip().strip("€$£¥ ")))


def is_value(text: str) -> bool:
    """Whether a cell's text is a number that names no column, as a year does."""
    return is_number(text) and not _YEAR.fullmatch(text.strip())


def with_spans(rows: Sequence[Sequence[str]], spans: Sequence[Span], first: int) -> int:
    """`first` rows that name the columns, and those below that belong to them: under a cell over several columns stand
    the names of its columns, and a cell over several rows ends with the last of them."""
    count = first
    for _ in range(3):
        if not 0 < count < len(rows):
            break
        reaching = any(one.row < count < one.row + one.rows for one in spans)
        parted = any(one.row == count - 1 and one.columns > 1 and one.rows == 1 for one in spans)
        named = not any(map(is_value, rows[count]))
        if not (reaching or (parted and named)) or count + 1 >= len(rows):
            break
        count += 1
    return count


def guessed(rows: Sequence[Sequence[str]], spans: Sequence[Span] = ()) -> int:
    """1 if the first row is made of words and another one of numbers below them, or all its cells are short and no two
    are alike; more with merged cells; 0 if it looks like all others."""
    if len(rows) < 2:
        return 0
    head = [text.strip() for text in rows[0]]
    named = [text for text in head if text]
    if len(named) < 2 or any(map(is_value, named)):
        return 0
    if any(len(text) > 60 for text in named):
        return 0
    numbers_below = any(is_number(text) for row in rows[1:] for text, name in zip(row, head, strict=False) if name)
    if numbers_below or (len(named) >= len(head) - 1 and len(head) > 2):
        return with_spans(rows, spans, 1)
    return 0
