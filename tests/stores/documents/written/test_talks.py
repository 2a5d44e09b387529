"""One talk by three programs in three formats: titles, lists, tables, charts, hidden slides, notes, languages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from localspec.stores.documents.parse import ParsedDocument
from tests.stores.documents.written import content
from tests.stores.documents.written.files import NAMES, holding, one_line, read


class Talk(NamedTuple):
    """What a program wrote of the talk, where that is not all."""

    without: frozenset[str] = frozenset()
    titles: tuple[str, ...] = (
        *(content.TALK_TITLE, content.MAINS_TITLE, content.CHART_TITLE),
        *(f"{content.HIDDEN_SLIDE} (hidden slide)", "Languages"),
    )
    mains: tuple[tuple[str, ...], ...] = content.MAINS_READ
    headers: int = content.MAINS_HEADERS


EXPECTED = {
    "talk-python-pptx.pptx": Talk(),
    "talk-libreoffice.pptx": Talk(),
    "talk-libreoffice.odp": Talk(),
    # No chart, nothing hidden, and no spans.
    "talk-pandoc.pptx": Talk(
        frozenset({"chart", "hidden"}),
        (content.TALK_TITLE, content.MAINS_TITLE, "Languages"),
        (
            *(("Main", "Pressure in bar", "", "Remarks"), ("", "lowest", "highest", "")),
            *(content.MAINS_READ[2], content.MAINS_READ[3], ("", "3.1", "", "sealed"), content.MAINS_READ[5]),
        ),
        1,
    ),
    # Hidden slides and notes are not printed, and a chart is a drawing.
    "talk-libreoffice.pdf": Talk(
        frozenset({"chart", "hidden", "note"}),
        (content.TALK_TITLE, content.MAINS_TITLE, content.CHART_TITLE, "Languages"),
    ),
}
KNOWN_LIMITS = {
    ("talk-libreoffice.pdf", "titles"): "points of a slide are headings",
    ("talk-libreoffice.pdf", "bullets"): "points of a slide are headings",
    ("talk-libreoffice.pdf", "languages"): "paragraphs in several scripts are joined",
}
"""What is read wrongly yet. One that is right fails its test."""


def check_titles(found: ParsedDocument, expected: Talk) -> None:
    """Each slide has its title, which is the section of what stands on it."""
    assert tuple(block.text for block in found.blocks if block.kind == "heading") == expected.titles
    assert found.pages == len(expected.titles)
    assert holding(found, content.BULLETS[0][1]).section == content.TALK_TITLE


def check_bullets(found: ParsedDocument, _: Talk) -> None:
    items = [block for block in found.blocks if block.kind == "list item" and block.page == 1]
    assert [(block.level, block.text[2:]) for block in items] == list(content.BULLETS)
    assert {block.text[:2] for block in items} <= {"- ", "• "}


def check_mains(found: ParsedDocument, expected: Talk) -> None:
    """Texts in their places; merged cells in each of them, empty cells empty."""
    (table,) = [block.table for block in found.blocks if block.kind == "table"]
    assert table is not None
    assert (table.header_rows, table.rows) == (expected.headers, expected.mains)


def check_chart(found: ParsedDocument, _: Talk) -> None:
    (block,) = [block for block in found.blocks if block.kind == "chart"]
    assert block.table is not None
    assert (block.page, block.table.title) == (3, content.CHART_TITLE)
    assert block.table.rows == (("Category", *content.CHART_READ[0][1:]), *content.CHART_READ[1:])


def check_hidden(found: ParsedDocument, _: Talk) -> None:
    """The title of a hidden slide says so, and so does the section of its text."""
    hidden = holding(found, "They rise.")
    assert (hidden.page, hidden.section) == (4, f"{content.HIDDEN_SLIDE} (hidden slide)")


def check_note(found: ParsedDocument, _: Talk) -> None:
    note = holding(found, content.SPEAKER_NOTE)
    assert (note.kind, note.page, note.text) == ("note", 1, f"Notes: {content.SPEAKER_NOTE}")


def check_languages(found: ParsedDocument, _: Talk) -> None:
    texts = [one_line(block.text).removeprefix("- ") for block in found.blocks]
    assert [language.text for language in content.LANGUAGES.values() if language.text not in texts] == []


CHECKS: dict[str, Callable[[ParsedDocument, Talk], None]] = {
    "titles": check_titles,
    "bullets": check_bullets,
    "mains": check_mains,
    "chart": check_chart,
    "hidden": check_hidden,
    "note": check_note,
    "languages": check_languages,
}


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name in EXPECTED for kind in CHECKS if kind not in EXPECTED[name].without]
)
def test_the_talk(name: str, kind: str, folder: Path) -> None:
    found = read(name, folder)
    if (name, kind) not in KNOWN_LIMITS:
        CHECKS[kind](found, EXPECTED[name])
        return
    try:
        CHECKS[kind](found, EXPECTED[name])
    except AssertionError:
        return
    pytest.fail("It is read rightly now: take it out of KNOWN_LIMITS.")


def test_every_talk_is_in_the_matrix() -> None:
    assert {name for name in NAMES if name.startswith("talk")} == set(EXPECTED)
