"""One handbook by six programs in ten formats: tables, lists, notes, order, headings, what runs along, languages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from localspec.stores.documents.blocks import Block, Table
from localspec.stores.documents.parse import ParsedDocument
from localspec.stores.documents.passages import split
from tests.stores.documents.written import content
from tests.stores.documents.written.files import NAMES, holding, marks, one_line, read
from tests.stores.documents.written.programs import MADE, WRITTEN
from tests.stores.documents.written.text_writers import REPORTLAB_LANGUAGES

PRINTED = {"endnote", "comment", "changes"}
"""What a printed page has no place for, or shows otherwise."""


class Handbook(NamedTuple):
    """What a program wrote of the handbook, where that is not all."""

    without: frozenset[str] = frozenset()
    inner_numbers: bool = False  # "2." for "4.2"
    titles: bool = True  # of tables, above them
    mains: tuple[tuple[str, ...], ...] = content.MAINS_READ
    headers: int = content.MAINS_HEADERS
    languages: tuple[str, ...] = tuple(content.LANGUAGES)


def left_out(*kinds: str) -> frozenset[str]:
    return frozenset(kinds)


_PANDOC = left_out("comment", "changes", "running")
_WITHOUT_SPANS = (  # a cell over several places stands in the first alone
    *(("Main", "Pressure in bar", "", "Remarks"), ("", "lowest", "highest", "")),
    *(content.MAINS_READ[2], content.MAINS_READ[3], ("", "3.1", "", "sealed"), content.MAINS_READ[5]),
)
_BY_LATEX = (
    ("", "Pressure in bar", "Pressure in bar", ""),
    ("Main", "lowest", "highest", "Remarks"),
    *_WITHOUT_SPANS[2:],
)
_COLUMNS = left_out("stock", "footnote", *PRINTED)
EXPECTED = {
    "handbook-libreoffice.docx": Handbook(),
    "handbook-libreoffice.odt": Handbook(),
    "handbook-libreoffice.rtf": Handbook(),
    # Comments are comments of HTML, and what was deleted stands there like the rest.
    "handbook-libreoffice.html": Handbook(left_out("comment", "changes"), inner_numbers=True),
    # Headings and items are paragraphs there, and header rows are missing.
    "handbook-libreoffice.epub": Handbook(
        left_out("headings", "clauses", "bullets", "stock", "comment", "changes", "running"),
        mains=content.MAINS_READ[2:],
        headers=0,
    ),
    "handbook-libreoffice.pdf": Handbook(left_out("comment", "changes")),
    "handbook-pandoc.docx": Handbook(left_out("running"), inner_numbers=True),
    # Of the header rows it writes the first.
    "handbook-pandoc.odt": Handbook(
        _PANDOC, inner_numbers=True, mains=(content.MAINS_READ[0], *content.MAINS_READ[2:]), headers=1
    ),
    "handbook-pandoc.rtf": Handbook(_PANDOC, inner_numbers=True, titles=False, mains=_WITHOUT_SPANS, headers=1),
    "handbook-pandoc.html": Handbook(_PANDOC, inner_numbers=True),
    "handbook-pandoc.epub": Handbook(_PANDOC, inner_numbers=True),
    # Its own Markdown, which draws tables with rules.
    "handbook-pandoc-own.md": Handbook(_PANDOC, inner_numbers=True, titles=False, mains=_WITHOUT_SPANS, headers=1),
    # Notes are written there as a person would type them.
    "handbook-pandoc.ipynb": Handbook(_PANDOC | {"footnote", "endnote"}, inner_numbers=True, titles=False),
    "handbook-pandoc.md": Handbook(_PANDOC, inner_numbers=True, titles=False),
    # The same, and headings are lines without a mark.
    "handbook-pandoc.txt": Handbook(
        _PANDOC | {"headings", "footnote", "endnote"}, inner_numbers=True, mains=_WITHOUT_SPANS, headers=1
    ),
    "handbook-pandoc.rst": Handbook(_PANDOC, inner_numbers=True, mains=_WITHOUT_SPANS, headers=1),
    "handbook-tex.pdf": Handbook(left_out(*PRINTED), mains=_BY_LATEX, languages=("de", "fr")),
    # Its old fonts have no euro.
    "handbook-tex-columns.pdf": Handbook(
        left_out("stock", "figures", *PRINTED), mains=_BY_LATEX, languages=("de", "fr")
    ),
    "handbook-chromium.pdf": Handbook(left_out("footnote", *PRINTED)),
    "handbook-chromium-columns.pdf": Handbook(_COLUMNS, languages=("de", "fr")),
    "handbook-python-docx.docx": Handbook(left_out("footnote", "endnote")),
    "handbook-reportlab.pdf": Handbook(left_out("footnote", *PRINTED), languages=REPORTLAB_LANGUAGES),
    "handbook-reportlab-columns.pdf": Handbook(_COLUMNS | {"mains"}, languages=REPORTLAB_LANGUAGES),
}
KNOWN_LIMITS: dict[str, tuple[str, tuple[str, ...]]] = {
    "bullets": ("levels are lost, or items are joined", ("tex-columns", "chromium", "chromium-columns")),
    "languages": (
        "paragraphs in several scripts are joined or taken for headings",
        ("libreoffice", "tex-columns", "chromium"),
    ),
}
"""By kind: what is read wrongly yet, and in which handbooks in PDF. One that is right fails its test."""


# -- what is right ----------------------------------------------------------------------------------------------------


def check_order(found: ParsedDocument, _: Handbook) -> None:
    """All paragraphs, each a block of its own, in their order."""
    paragraphs = [text for _, heading in content.HEADINGS for text in content.PARAGRAPHS[heading]]
    texts = [one_line(block.text) for block in found.blocks if block.kind == "paragraph"]
    assert [text for text in texts if text in {*paragraphs, content.LAST}] == [*paragraphs, content.LAST]
    words = re.findall(r"\w+", found.text)
    assert [word for word in words if word in content.ORDER] == list(content.ORDER)


def check_figures(found: ParsedDocument, _: Handbook) -> None:
    assert one_line(holding(found, "Losses were").text) == content.FIGURES


def check_headings(found: ParsedDocument, _: Handbook) -> None:
    """All of them and no others, on levels below each other, and what stands below them."""
    title = [content.TITLE] if any(block.text == content.TITLE for block in found.blocks) else []
    headings = [block for block in found.blocks if block.kind == "heading" and block.text != content.TITLE]
    assert [one_line(block.text) for block in headings] == [text for _, text in content.HEADINGS]
    first, second, third = (block.level for block in headings[:3])
    assert first < second < third
    assert {block.level for block in headings[3:]} == {first}
    for heading, paragraphs in content.PARAGRAPHS.items():
        assert holding(found, paragraphs[0]).section.endswith(heading)
    assert len(title) <= 1


def check_clauses(found: ParsedDocument, expected: Handbook) -> None:
    """Each with the number that its writer shows and its level."""
    wanted = []
    for clause in content.CLAUSES:
        number = f"{clause.number.split('.')[-1]}." if expected.inner_numbers else clause.number
        wanted.append((f"{number} {clause.text}", clause.level))
    items = [(one_line(block.text), block.level) for block in found.blocks if block.kind == "list item"]
    assert items[: len(wanted)] == wanted


def check_bullets(found: ParsedDocument, _: Handbook) -> None:
    items = [(block.level, one_line(block.text)) for block in found.blocks if block.kind == "list item"]
    marks = {text.partition(" ")[0] for _, text in items[-len(content.BULLETS) :]}
    assert marks <= {"-", "•", "◦", "–", "∙"}
    assert [(level, text.partition(" ")[2]) for level, text in items[-len(content.BULLETS) :]] == list(content.BULLETS)


def tables(found: ParsedDocument, name: str) -> Iterator[tuple[Block, Table]]:
    """Those one of whose columns has this name."""
    for block in found.blocks:
        if block.table is not None and any(name in row for row in block.table.rows[:3]):
            yield block, block.table


def check_mains(found: ParsedDocument, expected: Handbook) -> None:
    """Texts in their places; cells over several places in each of them, empty cells empty."""
    name = "lowest" if expected.headers == 2 else "North" if not expected.headers else "Pressure in bar"
    rows: list[tuple[str, ...]] = []
    for _, table in tables(found, name):
        assert table.header_rows == expected.headers
        if expected.titles:
            assert content.MAINS_TITLE in table.title
        rows += table.rows[expected.headers :] if rows else table.rows
    assert tuple(rows) == expected.mains


def check_stock(found: ParsedDocument, expected: Handbook) -> None:
    """A table over many passages: each begins with its title and the names of its columns, and no row is cut."""
    whole = [table for _, table in tables(found, "Shelf")]
    assert [row for table in whole for row in table.rows[1:]] == list(content.STOCK)
    assert {(table.header_rows, table.rows[0]) for table in whole} == {(1, content.STOCK_HEADER)}
    rows: list[str] = []
    for passage in split(found):
        lines = passage.text.splitlines()
        of_stock = [line for line in lines if line.startswith("K-")]
        if not of_stock:
            continue
        begin = lines.index(of_stock[0])
        assert lines[begin - 1] == " | ".join(content.STOCK_HEADER)
        if expected.titles:
            assert content.STOCK_TITLE in lines[begin - 2]
        rows += of_stock
    assert rows == [" | ".join(row) for row in content.STOCK]


def _check_note(found: ParsedDocument, before: str, text: str) -> None:
    note = holding(found, text)
    assert note.kind == "note"
    marked = re.fullmatch(rf"\[(\w+)\] {re.escape(text)}", one_line(note.text))
    assert marked is not None, note.text
    assert f"{before}[{marked[1]}]" in one_line(found.text)


def check_footnote(found: ParsedDocument, _: Handbook) -> None:
    _check_note(found, "The rake is driven", content.FOOTNOTE)


def check_endnote(found: ParsedDocument, _: Handbook) -> None:
    _check_note(found, "by a motor", content.ENDNOTE)


def check_comment(found: ParsedDocument, _: Handbook) -> None:
    comment = holding(found, content.COMMENT)
    assert (comment.kind, comment.text) == ("note", f"Comment by Ann: {content.COMMENT}")


def check_changes(found: ParsedDocument, _: Handbook) -> None:
    """What was inserted is there, what was deleted is not."""
    assert holding(found, content.INSERTED).text == f"It is stopped {content.INSERTED} at night."
    assert content.DELETED not in found.text


def check_running(found: ParsedDocument, _: Handbook) -> None:
    """Once, however many pages there are."""
    assert sorted(block.text for block in found.blocks if block.kind == "running") == [content.HEADER, content.FOOTER]
    assert one_line(found.text).count(content.HEADER) == one_line(found.text).count(content.FOOTER) == 1


def check_languages(found: ParsedDocument, expected: Handbook) -> None:
    """Each a paragraph of its own, letter by letter."""
    texts = [one_line(block.text) for block in found.blocks if block.kind == "paragraph"]
    wanted = [content.LANGUAGES[name].text for name in expected.languages]
    assert [text for text in wanted if text not in texts] == []


CHECKS: dict[str, Callable[[ParsedDocument, Handbook], None]] = {
    "order": check_order,
    "figures": check_figures,
    "headings": check_headings,
    "clauses": check_clauses,
    "bullets": check_bullets,
    "mains": check_mains,
    "stock": check_stock,
    "footnote": check_footnote,
    "endnote": check_endnote,
    "comment": check_comment,
    "changes": check_changes,
    "running": check_running,
    "languages": check_languages,
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(name, kind, marks=marks(name))
        for name, expected in EXPECTED.items()
        for kind in CHECKS
        if kind not in expected.without
    ],
)
def test_the_handbook(name: str, kind: str, folder: Path) -> None:
    expected = EXPECTED[name]
    found = read(name, folder)
    if name.removeprefix("handbook-").removesuffix(".pdf") not in KNOWN_LIMITS.get(kind, ("", ()))[1]:
        CHECKS[kind](found, expected)
        return
    try:
        CHECKS[kind](found, expected)
    except AssertionError:
        return
    pytest.fail("It is read rightly now: take it out of KNOWN_LIMITS.")


def test_every_file_is_in_the_matrix() -> None:
    assert {name for name in NAMES if name.startswith("handbook")} == set(EXPECTED)
    assert {path.name for path in WRITTEN.iterdir()} == set(MADE)
    limited = {f"handbook-{name}.pdf" for _, names in KNOWN_LIMITS.values() for name in names}
    assert limited <= set(EXPECTED)
    assert KNOWN_LIMITS.keys() <= CHECKS.keys()
