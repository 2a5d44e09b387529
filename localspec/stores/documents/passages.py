"""Splits documents into passages: pieces of one page and section that the embedder reads to their end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from localspec.stores.documents.blocks import Block, Table
from localspec.stores.documents.cutting import (
    MOST_TOKENS,
    Count,
    Ruler,
    estimated_tokens,
    last_sentence,
    line_pieces,
    paragraphs,
    pieces,
    says_nothing,
    shortened,
)
from localspec.stores.documents.parse import ParsedDocument
from localspec.stores.documents.table_passages import table_parts
from localspec.stores.words import UNSPACED_LETTERS

USUAL_TOKENS = 176
"""Paragraphs are put together up to this size, all else included, and longer texts cut into such parts: 900 characters
of English. One paragraph or item, or rows of a table, may fill the room that there is. With 256 for all, 22 of 27
held-out questions about small libraries pass the threshold of `search`; 25 do with this, and with the 900 characters
that it was fitted to."""
_TINY = 24
"""Tokens of what stands behind or before others where it can, so that a passage says something."""
_NUMBERING = 12
"""Characters that a heading has before its title: "Chapter 3: "."""
_SHORT = re.compile(r"[ \t]*(?:[^\n]{0,70}[^\n.!?…,;。！？]|\d[^\n]{0,60}\.)[ \t]*")
_ALIKE = 1 / 3
_SLIDES = frozenset({"pptx", "odp"})


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document with the place where it starts."""

    text: str
    page: int | None  # 1-based page or slide; None where the format has none
    section: str
    ordinal: int  # 0-based position among the document's passages
    label: str = ""  # what is printed as the page's number, where that is not `page`


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is not cut any more: a paragraph, a heading, rows of a table."""

    text: str
    before: str  # line ends or a space that part it from the one before it in a passage
    size: int
    block: Block
    leads: bool = False  # a heading or the like, which belongs to what follows
    short: bool = False  # a line that looks like one
    starts: bool = False  # only what leads to it stands before it in a passage
    alone: bool = False  # nothing stands behind it


def embedded_text(section: str, text: str) -> str:
    """What of a passage becomes its vector."""
    return f"{section}\n{text}" if section else text


def split(document: ParsedDocument, longest: int = MOST_TOKENS, count: Count = estimated_tokens) -> list[Passage]:
    """Passages of at most 256 tokens, or `longest` if that is less, as `count` counts what is embedded of them.

    No text but white space is lost. A table begins a passage, and each of its passages begins with its title and column
    names; its rows are not cut. A heading stands with what follows it. Other cuts fall between paragraphs and items of
    lists, else between sentences. A sentence that is longer than a passage, or goes on on the next page, stands in both
    of its passages in part. Raises ValueError where `longest` is less than 16.
    """
    ruler = Ruler(longest, count)
    made: list[Passage] = []
    waiting: list[_Unit] = []  # headings without anything below them yet
    runs = [[*run] for _, run in groupby(document.blocks, lambda block: (block.page, block.section))]
    for at, blocks in enumerate(runs):
        section = shortened(blocks[-1].section, ruler.room // 2, ruler)
        room = ruler.room - (ruler.size(section) if section else 0)
        before = runs[at - 1] if at and not waiting else []
        for least in (room, room * 7 // 8, room // 2):
            units = _gone_on(before, _units(blocks, document.kind, least, ruler, waiting), least, ruler)
            packed = [*_packed(units, least, ruler)]
            # Words beside each other may have more tokens than apart.
            if max(ruler.sizes([embedded_text(section, text) for text, _ in packed]), default=0) <= ruler.room:
                break
        waiting = []
        if all(unit.leads for unit in units) and _goes_on(blocks, runs[at + 1 : at + 2], document.kind):
            waiting = units
            continue
        for text, first in packed:
            place = first.block
            made.append(Passage(text, place.page, section, len(made), place.label))
    return made


def most_alike(text: str, others: Sequence[str]) -> int | None:
    """Which of some passages holds most of a text that was cut otherwise, by its runs of words; None where none holds a
    third of it."""
    runs = _runs_of_words(text)
    shares = [len(runs & there) / max(1, min(len(runs), len(there))) for there in map(_runs_of_words, others)]
    best = max(range(len(shares)), key=shares.__getitem__, default=None)
    return best if best is not None and shares[best] >= _ALIKE else None


def _runs_of_words(text: str) -> set[tuple[str, ...]]:
    words = re.findall(rf"[{UNSPACED_LETTERS}]|\w+", text.casefold())
    return {tuple(words[at : at + 3]) for at in range(max(1, len(words) - 2))} if words else set()


def _goes_on(blocks: Sequence[Block], following: Sequence[Sequence[Block]], kind: str) -> bool:
    """Whether headings belong to what follows on another page or in another section: slides stand for themselves."""
    if not following:
        return False
    here, (there, *_) = blocks[-1], following[0]
    if here.page == there.page:
        return True
    deeper = there.kind == "heading" and there.level > here.level
    return kind not in _SLIDES and (here.section == there.section or deeper)


# -- units -------------------------------------------------------------------------------------------------------------


def _units(blocks: Sequence[Block], kind: str, room: int, ruler: Ruler, waiting: Sequence[_Unit]) -> list[_Unit]:
    """What a run of blocks consists of, behind the headings that waited for it."""
    found = [*waiting]
    drafts: list[_Unit] = []
    for at, block in enumerate(blocks):
        after = blocks[at + 1] if at + 1 < len(blocks) else None
        if block.table is not None:
            found += _measured(drafts, ruler)
            drafts = []
            found += _table(block, block.table, found, room, ruler)
        elif after is None or after.table is None or not _is_title(block, after.table):
            drafts += _drafts(block, blocks[at - 1] if at else None, kind)
    found += _measured(drafts, ruler)
    return [small for unit in found for small in _small(unit, kind, room, ruler)]


def _drafts(block: Block, before: Block | None, kind: str) -> Iterator[_Unit]:
    """The parts of a block, not measured yet."""
    tight = before is not None and before.kind == block.kind and block.kind in ("list item", "field")
    parts = [(block.text, "")] if block.kind in ("heading", "code") else paragraphs(block.text)
    for at, (text, gap) in enumerate(parts):
        space = gap if at else "\n" if tight else "\n\n"
        leads = block.kind == "heading" or says_nothing(text) or _is_heading(text, block.section, kind)
        yield _Unit(text, space, 0, block, leads, block.kind == "paragraph" and _SHORT.fullmatch(text) is not None)


def _measured(drafts: Sequence[_Unit], ruler: Ruler) -> list[_Unit]:
    sizes = ruler.sizes([unit.text for unit in drafts])
    return [replace(unit, size=size) for unit, size in zip(drafts, sizes, strict=True)]


def _table(block: Block, table: Table, before: Sequence[_Unit], room: int, ruler: Ruler) -> Iterator[_Unit]:
    """The parts of a table. The first leaves room for the heading above it."""
    lead = 0
    for unit in reversed(before):
        if not _is_lead(unit) or lead + unit.size > room // 3:
            break
        lead += unit.size
    parts = table_parts(table, room, room - lead, ruler)
    for text, size in zip(parts, ruler.sizes(parts), strict=True):
        yield _Unit(text, "\n\n", size, block, starts=True, alone=len(parts) > 1)


def _small(unit: _Unit, kind: str, room: int, ruler: Ruler) -> Iterator[_Unit]:
    """A unit, cut where it is longer than a passage."""
    if unit.size <= room:
        yield unit
        return
    is_code = unit.block.kind == "code" or kind == "code" or unit.text.lstrip().startswith(("```", "~~~"))
    usual = _usual(room, ruler)
    cut = line_pieces(unit.text, usual, ruler) if is_code else pieces(unit.text, usual, ruler)
    sizes = ruler.sizes([text for text, _ in cut])
    for at, ((text, space), size) in enumerate(zip(cut, sizes, strict=True)):
        yield replace(unit, text=text, before=space if at else unit.before, size=size, leads=False)


def _gone_on(page_before: Sequence[Block], units: list[_Unit], room: int, ruler: Ruler) -> list[_Unit]:
    """The same, but a sentence that began on the page before begins here, too."""
    if not page_before or not units:
        return units
    here, there = units[0], page_before[-1]
    new_page = here.block.page != there.page and here.block.section == there.section
    if not new_page or {here.block.kind, there.kind} != {"paragraph"} or not _is_inside(here.text):
        return units
    begun = last_sentence(there.text)
    size = ruler.size(begun) if begun else 0
    if not 0 < size <= room // 4:
        return units
    if size + here.size <= room:
        return [replace(here, text=f"{begun} {here.text}", size=size + here.size), *units[1:]]
    return units


def _is_inside(text: str) -> bool:
    first = text.lstrip()[:1]
    return first.isalpha() and not first.isupper()


def _is_heading(text: str, section: str, kind: str) -> bool:
    """Whether a text is a heading by its form, or because its section is called so."""
    line, _, rest = text.strip().partition("\n")
    if kind == "markdown" and line.startswith("#") and not rest:
        return True
    return bool(section) and len(text) <= len(section) + _NUMBERING and _plain(text).endswith(_plain(section))


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _is_title(block: Block, table: Table) -> bool:
    """Whether a block only says what the table behind it says anyway."""
    return bool(table.title) and " ".join(block.text.split()) == table.title


def _is_lead(unit: _Unit) -> bool:
    """Whether it belongs to a table behind it."""
    return unit.leads or (unit.block.table is None and unit.size <= _TINY)


# -- packing -----------------------------------------------------------------------------------------------------------


def _packed(units: Sequence[_Unit], room: int, ruler: Ruler) -> Iterator[tuple[str, _Unit]]:
    """Texts of at most `room` tokens, each with the unit whose place it has."""
    usual = _usual(room, ruler)
    groups: list[list[_Unit]] = []
    group: list[_Unit] = []
    for unit in units:
        leads_here = unit.starts and all(map(_is_lead, group))
        # Only a heading's text may be longer than usual with it.
        most = room if all(each.leads for each in group) or unit.starts else usual
        full = _size(group) + unit.size > most
        if group and (full or (unit.starts and not leads_here) or group[-1].alone):
            taken = _leading(group, room - unit.size)
            groups.append(group)
            group = taken
        group.append(unit)
    if group:
        groups.append(group)
    groups = [group for group in groups if group]
    _balance(groups, room, ruler)
    for group in groups:
        text = _joined(group)
        if text.strip():
            yield text, next((unit for unit in group if not unit.leads), group[0])


def _leading(group: list[_Unit], room: int) -> list[_Unit]:
    """Take from the end of a group what leads to the next one, as far as it fits in there."""
    taken: list[_Unit] = []
    while group and group[-1].leads and _size(taken) + group[-1].size <= room:
        taken.insert(0, group.pop())
    if not taken and len(group) > 1 and group[-1].short and group[-1].size <= room:
        taken.append(group.pop())
    return taken


def _balance(groups: list[list[_Unit]], room: int, ruler: Ruler) -> None:
    """Join a last group that is tiny, or nothing but headings, to the one before, or give it some of that."""
    if len(groups) < 2 or any(unit.starts for unit in groups[-1]) or groups[-2][-1].alone:
        return
    before, last = groups[-2:]
    if not (_size(last) <= _TINY or all(unit.leads for unit in last)):
        return
    if _size(before) + _size(last) <= room:
        groups[-2:] = [before + last]
        return
    if len(before) == 1 and not before[0].starts:
        unit = before[0]
        cut = pieces(unit.text, max(1, unit.size * 2 // 3), ruler)
        sizes = ruler.sizes([text for text, _ in cut])
        before = [
            replace(unit, text=text, before=space if at else unit.before, size=size)
            for at, ((text, space), size) in enumerate(zip(cut, sizes, strict=True))
        ]
    both = before + last
    choices = [at for at in range(1, len(both)) if max(_size(both[:at]), _size(both[at:])) <= room]
    choices = [at for at in choices if not both[at - 1].leads and not any(unit.starts for unit in both[at:])]
    if choices:
        at = min(choices, key=lambda at: abs(_size(both[:at]) - _size(both[at:])))
        groups[-2:] = [both[:at], both[at:]]


def _usual(room: int, ruler: Ruler) -> int:
    """Tokens of a passage that is put together, where at most `room` are there for it beside its section's name."""
    return min(room, max(room // 2, room - ruler.room + USUAL_TOKENS - 2))


def _size(units: Sequence[_Unit]) -> int:
    return sum(unit.size for unit in units)


def _joined(group: Sequence[_Unit]) -> str:
    text = "".join(f"{unit.before if at else ''}{unit.text}" for at, unit in enumerate(group))
    return text.strip("\n").rstrip()
