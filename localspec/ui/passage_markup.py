"""Draws passages among their surroundings: tables as tables, lists as lists, and what is cited marked. All that
documents say is escaped; the elements are ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from localspec import texts
from localspec.stores.documents.blocks import Block, Table
from localspec.stores.documents.passage_blocks import Marked, ShownBlock
from localspec.ui import elements

_FENCE = re.compile(r"[ \t]*(?:`{3,}|~{3,})[^\n]*\n?")
_HASHES = re.compile(r"#{1,6}[ \t]+")
_DEEPEST = 6
_TOP = 3  # the dialog's own heading is an h2
_MOST_LEVELS = 6
_GOES_ON = "…"
_CITED_ROW = ' class="cited"'


def blocks(shown: Sequence[ShownBlock]) -> str:
    """These blocks in order, each page named where it begins."""
    parts: list[str] = []
    page = ""
    for family, group in groupby(shown, lambda one: _family(one.block)):
        for at, one in enumerate(each := [*group]):
            said = texts.page(one.block.page, one.block.label)
            new = said if said != page else ""
            page = said
            if family:
                # A list goes on over pages, but is no list with the name of a page in it.
                opened = not at or new
                parts.append("</ul>" if at and new else "")
                parts.append(_page(new) + (f'<ul class="{family}">' if opened else ""))
                parts.append(_item(one))
                parts.append("</ul>" if at == len(each) - 1 else "")
            else:
                parts.append(_page(new) + _block(one))
    return "".join(parts)


def lines(text: str, page: str, *, cited: bool) -> str:
    """A passage as its lines, under the page that it stands on."""
    shown = elements.lines(text)
    return f'{_page(page)}<p class="cited"><mark>{shown}</mark></p>' if cited else f"{_page(page)}<p>{shown}</p>"


def _page(said: str) -> str:
    return f'<div class="passage-page">{elements.literal(said[:1].upper() + said[1:])}</div>' if said else ""


def _family(block: Block) -> str:
    """Blocks of one family are one list; empty for what is none."""
    return "items" if block.kind == "list item" else "fields" if block.kind == "field" else ""


def _item(one: ShownBlock) -> str:
    level = min(max(one.block.level, 0), _MOST_LEVELS)
    return f'<li class="level-{level}">{_text(one)}</li>'


def _block(one: ShownBlock) -> str:
    kind = one.block.kind
    if one.block.table is not None:
        return _table(one, one.block.table, texts.PASSAGE_CHART if kind == "chart" else "")
    text = _text(one)
    if kind == "heading":
        depth = min(_TOP + max(one.block.level, 1) - 1, _DEEPEST)
        return f"<h{depth}>{text}</h{depth}>"
    if kind == "code":
        return f"<pre><code>{text}</code></pre>"
    if kind == "note":
        return f'<div class="passage-note" role="note">{text}</div>'
    name = {"running": "running", "caption": "caption"}.get(kind)
    return f'<p class="{name}">{text}</p>' if name else f"<p>{text}</p>"


def _text(one: ShownBlock) -> str:
    """The text of a block with its cited parts marked, without the signs that its form says anyway."""
    text, cited = one.text, one.cited
    if one.block.kind == "heading" and (mark := _HASHES.match(text)):
        text, cited = _without_start(text, cited, mark.end())
    if one.block.kind == "code":
        if mark := _FENCE.match(text):
            text, cited = _without_start(text, cited, mark.end())
        body = text.rstrip()
        if (last := body.rfind("\n")) >= 0 and _FENCE.fullmatch(body[last + 1 :]):
            text = body[:last]
    parts: list[str] = []
    end = 0
    for start, stop in cited:
        start, stop = max(start, end), min(stop, len(text))
        if start < stop:
            parts += [_broken(text[end:start]), f"<mark>{_broken(text[start:stop])}</mark>"]
            end = stop
    parts.append(_broken(text[end:]))
    before = f"{_GOES_ON} " if one.goes_before else ""
    return f"{before}{''.join(parts)}{f' {_GOES_ON}' if one.goes_on else ''}"


def _without_start(text: str, cited: Sequence[Marked], length: int) -> tuple[str, tuple[Marked, ...]]:
    moved = (Marked(max(0, start - length), end - length) for start, end in cited)
    return text[length:], tuple(place for place in moved if place.end > place.start)


def _broken(text: str) -> str:
    """Text as it is in one line of markup; line ends at its own ends count as well."""
    return "<br>".join(map(elements.literal, text.split("\n")))


def _table(one: ShownBlock, table: Table, kind: str) -> str:
    header = range(min(table.header_rows, len(table.rows)))
    title = f"{kind}: {table.title}" if kind and table.title else table.title or kind
    caption = f"<caption>{elements.literal(title)}</caption>" if title else ""
    width = max(map(len, table.rows), default=0)
    more = f'<tr class="more"><td colspan="{width}">{_GOES_ON}</td></tr>'
    names = _rows(table, header, "th", one.cited_rows)
    head = f"<thead>{names}</thead>" if names else ""
    body = _rows(table, one.rows, "td", one.cited_rows)
    inner = f"{more if one.goes_before else ''}{body}{more if one.goes_on else ''}"
    # Wide ones are scrolled by themselves; the keys reach what can be scrolled.
    return f'<div class="passage-table" tabindex="0"><table>{caption}{head}<tbody>{inner}</tbody></table></div>'


def _rows(table: Table, shown: range, tag: str, cited: frozenset[int]) -> str:
    sizes = _sizes(table, shown)
    scope = ' scope="col"' if tag == "th" else ""
    rows = []
    for row in shown:
        cells = []
        for column, text in enumerate(table.rows[row]):
            size = sizes.get((row, column), "")
            if size is not None:
                content = elements.literal(text)
                content = f"<mark>{content}</mark>" if text and row in cited else content
                cells.append(f"<{tag}{scope}{size}>{content}</{tag}>")
        rows.append(f"<tr{_CITED_ROW if row in cited else ''}>{''.join(cells)}</tr>")
    return "".join(rows)


def _sizes(table: Table, shown: range) -> dict[tuple[int, int], str | None]:
    """Attributes of cells over several rows or columns, as far as these rows are shown; None at the places that they
    cover."""
    found: dict[tuple[int, int], str | None] = {}
    for span in table.spans:
        rows = range(max(span.row, shown.start), min(span.row + span.rows, shown.stop))
        columns = range(span.column, span.column + span.columns)
        if not rows:
            continue
        found |= {(row, column): None for row in rows for column in columns}
        tall = f' rowspan="{len(rows)}"' if len(rows) > 1 else ""
        wide = f' colspan="{len(columns)}"' if len(columns) > 1 else ""
        found[rows.start, columns.start] = tall + wide
    return found
