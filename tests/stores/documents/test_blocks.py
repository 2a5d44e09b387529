"""The document model: tables are rectangular, and blocks survive the way through JSON."""

from __future__ import annotations

import json

from localspec.stores.documents.blocks import Block, Span, Table, from_row, joined, to_row


def test_a_table_keeps_empty_cells_in_their_places() -> None:
    table = Table.of([["Item", "Price", "Note"], ["Tea", "", "cold\n one"], ["Milk"]], header_rows=1, title=" A  b ")
    assert table.rows == (("Item", "Price", "Note"), ("Tea", "", "cold one"), ("Milk", "", ""))
    assert (table.header_rows, table.title) == (1, "A b")
    assert table.lines() == ["Item | Price | Note", "Tea |  | cold one", "Milk |  | "]


def test_an_empty_table_has_no_header() -> None:
    assert Table.of([], header_rows=2) == Table(())


def test_blocks_are_the_same_after_json() -> None:
    table = Table.of([["a", "a"], ["1", "2"]], header_rows=1, spans=[Span(0, 0, 1, 2)])
    blocks = [
        Block("Title", 3, "Title", "heading", 2, "iii"),
        Block("a | a\n1 | 2", 3, "Title", "table", table=table),
        Block("plain", None, ""),
    ]
    assert [from_row(json.loads(json.dumps(to_row(block)))) for block in blocks] == blocks


def test_list_items_and_fields_stand_on_lines_of_their_own() -> None:
    kinds = [("p", "paragraph"), ("- a", "list item"), ("- b", "list item"), ("Name: x", "field"), ("Age: 3", "field")]
    assert joined(Block(text, None, "", kind) for text, kind in kinds) == "p\n\n- a\n- b\n\nName: x\nAge: 3"  # type: ignore[arg-type]


def test_the_title_of_a_table_stands_in_the_text_once() -> None:
    table = Table.of([["a", "b"]], title="Fees")
    block = Block("a | b", None, "", "table", table=table)
    assert joined([block]) == "Fees\na | b"
    assert joined([Block("Table 1: Fees", None, "", "caption"), block]) == "Table 1: Fees\n\na | b"
