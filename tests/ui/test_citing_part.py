"""The dialog of a cited passage: its surroundings, its pages, and a note only where there is one."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import get_args

import pytest

from localspec import texts
from localspec.chat.citations import Citation
from localspec.stores.documents.blocks import CELL_SEPARATOR, Block, BlockKind, Span, Table
from localspec.stores.documents.parse import ParsedDocument
from localspec.stores.documents.passages import split
from localspec.stores.library import FoundPassage
from localspec.ui import elements
from localspec.ui.citing_part import passage

OURS = {
    *("div", "dialog", "h2", "h3", "h4", "button", "p", "mark", "ul", "li", "pre", "code", "br"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
}
"""Elements of the dialog."""
KEPT = "Nothing of it is left there."
TEXTS = [
    "The lamp is lit at dusk by the keeper.",
    "The keeper climbs two hundred steps.",
    "At dawn the lamp is put out.",
]
FOUND = [FoundPassage(at, 1, "lamp.pdf", at, "", text, 0.0, at - 1) for at, text in enumerate(TEXTS, 1)]


def test_a_passage_in_its_surroundings_has_no_note() -> None:
    shown = passage("1", Citation(1, "lamp.pdf", 2, "", TEXTS[1], 2), FOUND, "")
    assert shown.count("<mark>") == 1
    assert f"<mark>{elements.lines(TEXTS[1])}</mark>" in shown
    assert [f'passage-page">Page {page}<' in shown for page in (1, 2, 3, 4)] == [True, True, True, False]
    assert shown.partition("</button></div>")[2].startswith('<div class="passage-text"'), "no note"


def test_other_places_of_the_same_content_are_named() -> None:
    places = tuple(f"<old {number}>/lamp.pdf" for number in range(1, 8))
    shown = passage(
        "1", Citation(1, "lamp.pdf", 2, "", TEXTS[1], 2), [replace(one, copies=places) for one in FOUND], ""
    )
    assert html.unescape(shown).count("Also as <old 1>/lamp.pdf, ") == 1
    assert "<old 5>/lamp.pdf …<" in html.unescape(shown)
    assert "<old" not in shown


def test_a_passage_that_was_cut_anew_says_so() -> None:
    kept = f"{TEXTS[1]} {TEXTS[2]}"
    shown = passage("1", Citation(1, "lamp.pdf", 2, "", kept, 99), FOUND, "")
    assert elements.note(texts.PASSAGE_CUT_ANEW) in shown
    assert shown.count("<mark>") == 1


def test_a_passage_that_is_gone_is_shown_as_it_was_kept() -> None:
    shown = passage("1", Citation(1, "lamp.pdf", 2, "", KEPT, 99), [], "lamp.pdf was removed.")
    assert elements.note("lamp.pdf was removed.") in shown
    assert f"<mark>{elements.lines(KEPT)}</mark>" in shown


def of_blocks(*blocks: Block, cited: int) -> str:
    document = ParsedDocument("title", "docx", blocks, None, ())
    found = [
        FoundPassage(at, 1, "lamp.docx", one.page, one.section, one.text, 0.0, at, one.label)
        for at, one in enumerate(split(document), 1)
    ]
    kept = found[cited]
    return passage("1", Citation(1, "lamp.docx", kept.page, "", kept.text, kept.id), found, "", blocks)


def test_a_table_is_shown_as_one_with_the_cited_rows_marked() -> None:
    rows = [["Lamp", "Oil", "Oil"], ["", "day", "night"], *([f"L{number}", "1", f"{number} l"] for number in range(99))]
    table = Table.of(rows, header_rows=2, title="Use of oil", spans=[Span(0, 0, 2, 1), Span(0, 1, 1, 2)])
    shown = of_blocks(Block("\n".join(table.lines()), None, "", "table", table=table), cited=1)
    assert "<caption>Use of oil</caption>" in shown
    head = '<tr><th scope="col" rowspan="2">Lamp</th><th scope="col" colspan="2">Oil</th></tr>'
    assert f'<thead>{head}<tr><th scope="col">day</th><th scope="col">night</th></tr></thead>' in shown
    assert CELL_SEPARATOR not in shown
    marked = [int(number) for number in re.findall(r"<td><mark>(\d+) l</mark></td>", shown)]
    assert marked == [*range(marked[0], marked[-1] + 1)]
    assert 0 < marked[0] < marked[-1] < 98
    assert shown.count('<tr class="cited">') == len(marked)


def test_blocks_are_shown_as_what_they_are() -> None:
    shown = of_blocks(
        Block("# The lamp", None, "", "heading", 2),
        Block("- Oil", None, "", "list item"),
        Block("- Wick", None, "", "list item", 1),
        Block("Colour: red", None, "", "field"),
        Block("```c\nlight();\n  wait();\n```", None, "", "code"),
        Block("1 See the log.", None, "", "note"),
        cited=0,
    )
    text = re.sub("</?mark>", "", shown)
    assert "<h4>The lamp</h4>" in text
    assert '<ul class="items"><li class="level-0">&#45; Oil</li><li class="level-1">&#45; Wick</li></ul>' in text
    assert '<ul class="fields"><li class="level-0">Colour&#58; red</li></ul>' in text
    assert f"<pre><code>{elements.literal('light();')}<br>  {elements.literal('wait();')}</code></pre>" in text
    assert '<div class="passage-note" role="note">1 See the log&#46;</div>' in text


@pytest.mark.parametrize("kind", [*get_args(BlockKind)])
def test_nothing_that_a_document_says_is_markup(kind: BlockKind) -> None:
    evil = "</td></table><img src=x onerror=alert(1)> \"'><script>x</script> ![a](http://evil.example/x) $x$ &lt;"
    table = Table.of([[evil, "b"], ["c", evil]], header_rows=1, title=evil) if kind in ("table", "chart") else None
    block = Block("\n".join(table.lines()) if table else evil, 3, evil, kind, 1, evil, table)
    for shown in (of_blocks(block, cited=0), of_blocks(block, Block("A line.", 4, ""), cited=0)):
        assert set(re.findall(r"<(\w+)", shown)) <= OURS
        assert "](" not in shown
        assert "&lt;" not in shown  # escaped by numbers, so that this is what the document says
