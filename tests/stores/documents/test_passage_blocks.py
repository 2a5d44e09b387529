"""Passages find the blocks again that they were cut from."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localspec.stores.documents.blocks import Block, BlockKind, Table
from localspec.stores.documents.parse import ParsedDocument
from localspec.stores.documents.passage_blocks import ShownBlock, surroundings
from localspec.stores.documents.passages import split

NAMES = (["Pump", "Price", "Price"], ["", "old", "new"])
PUMPS = [[f"Pump {number}", f"{number} €", "" if number % 5 else f"{2 * number} €"] for number in range(1, 121)]
PRICES = Table.of([*NAMES, *PUMPS], header_rows=2, title="Prices of pumps")


def of_table(table: Table) -> Block:
    return Block("\n".join(table.lines()), None, "Prices", "table", table=table)


def cited(document: ParsedDocument, at: int) -> list[ShownBlock] | None:
    texts = [passage.text for passage in split(document)]
    first = max(0, at - 2)
    return surroundings(texts[first : at + 3], at - first, document.blocks)


def marked(shown: ShownBlock) -> str:
    return "".join(shown.text[start:end] for start, end in shown.cited)


def letters(text: str) -> str:
    return "".join(text.split())


def test_each_passage_of_a_table_marks_its_rows_and_no_names() -> None:
    caption = Block("Prices of pumps", None, "Prices", "caption")
    document = ParsedDocument("title", "docx", (caption, of_table(PRICES)), None, ())
    rows: list[int] = []
    for at, passage in enumerate(split(document)):
        found = cited(document, at)
        assert found is not None
        (shown,) = found  # the caption is the table's title
        rows += sorted(shown.cited_rows)
        assert set(shown.cited_rows) <= set(shown.rows)
        assert passage.text.count("\n") == len(shown.cited_rows) + 2
        assert shown.rows.start >= 2
        assert (shown.goes_before, shown.goes_on) == (shown.rows.start > 2, shown.rows.stop < len(PRICES.rows))
    assert rows == [*range(2, len(PRICES.rows))]


def test_a_row_that_was_cut_is_marked_in_each_of_its_parts() -> None:
    long = ["Basalt", *(" ".join(f"word{column}x{at}" for at in range(60)) for column in range(3))]
    table = Table.of([["Stone", "Use", "Place", "Care"], long, ["Slate", "roof", "hill", "brush"]], header_rows=1)
    document = ParsedDocument("title", "docx", (of_table(table),), None, ())
    passages = split(document)
    assert len(passages) > 3
    found = [sorted((cited(document, at) or [])[0].cited_rows) for at in range(len(passages))]
    assert found == [*([1] for _ in passages[:-1]), [2]]


def test_equal_texts_are_told_apart_by_what_stands_beside_them() -> None:
    same = "The machine must be switched off before any work. Wear gloves and keep the floor dry. " * 8
    blocks = [
        block
        for number in range(8)
        for block in (
            Block(f"Section {number}", None, f"Section {number}", "heading", 1),
            Block(same, None, f"Section {number}"),
            Block(f"The part of section {number} is replaced every year.", None, f"Section {number}"),
        )
    ]
    document = ParsedDocument("title", "markdown", tuple(blocks), None, ())
    for at, passage in enumerate(split(document)):
        shown = cited(document, at)
        assert shown is not None
        assert {one.block.section for one in shown if one.cited} == {passage.section}


def test_a_sentence_that_goes_over_a_page_is_marked_on_both() -> None:
    first = Block("It is winter. The keeper climbs the tower at dusk and", 1, "")
    second = Block("lights the lamp. Then he goes to bed.", 2, "")
    document = ParsedDocument("title", "pdf", (first, second), 2, ())
    assert split(document)[1].text.startswith("The keeper")
    shown = cited(document, 1)
    assert shown is not None
    assert [marked(one) for one in shown] == ["The keeper climbs the tower at dusk and", second.text]


def test_what_is_not_in_the_blocks_is_not_shown_from_them() -> None:
    document = ParsedDocument("title", "text", (Block("A text about herons.", None, ""),), None, ())
    assert surroundings(["A text about lamps and other things."], 0, document.blocks) is None
    assert surroundings(["A text about herons."], 0, ()) is None
    assert surroundings([""], 0, document.blocks) is None


_texts = st.lists(st.sampled_from(["one", "two.", "Three", "vier!", "- five", "\n", "字。", "sixteen"]), max_size=150)
_kinds: st.SearchStrategy[BlockKind] = st.sampled_from(["paragraph", "heading", "list item", "code", "note"])


@pytest.mark.parametrize("kind", ["pdf", "markdown"])
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(_texts, _kinds), min_size=1, max_size=8))
def test_marks_hold_the_letters_of_their_passage(kind: str, made: list[tuple[list[str], BlockKind]]) -> None:
    blocks = tuple(Block(f"{' '.join(words)} end{at}", None, "", kind_of) for at, (words, kind_of) in enumerate(made))
    document = ParsedDocument("title", kind, blocks, None, ())
    for at, passage in enumerate(split(document)):
        shown = cited(document, at)
        if shown is not None:
            found = "".join(letters(marked(one)) for one in shown)
            assert sorted(found) == sorted(letters(passage.text)) or len(letters(passage.text)) < 12
