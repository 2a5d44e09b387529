"""Numbered lists of a PDF: items with their numbers and levels, and what is no list."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from localspec.stores.documents.blocks import Block
from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf

CLAUSES = (
    ("1", "Words and their meaning"),
    ("2", "Delivery of the goods to the buyer"),
    ("2.1", "Goods are brought on working days"),
    ("2.2", "The buyer signs for them"),
    ("2.2.1", "A guard may sign at night"),
    ("3", "Payment of the price"),
    ("3.1", "Bills are due after thirty days"),
)
LEVELS = [number.count(".") for number, _ in CLAUSES]


def blocks(canvas: Canvas, path: Path) -> list[Block]:
    """What the reader gives of a page."""
    canvas.save()
    return list(read_pdf(path, ParseLimits()).blocks)


@pytest.mark.parametrize("gap", [4.0, 12.0, 30.0])
@pytest.mark.parametrize("indent", [0.0, 20.0])
@pytest.mark.parametrize("dot", ["", "."])
@pytest.mark.parametrize("pitch", [12.0, 20.0])
def test_clauses_are_items_with_their_levels(tmp_path: Path, gap: float, indent: float, dot: str, pitch: float) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    canvas.setFont("Times-Roman", 10)
    y = 740.0
    canvas.drawString(60, y, "These clauses bind the seller and everybody who buys goods of any kind from the seller.")
    for number, text in CLAUSES:
        y -= pitch
        left = 60 + indent * number.count(".")
        canvas.drawString(left, y, number + dot)
        canvas.drawString(left + canvas.stringWidth(number + dot, "Times-Roman", 10) + gap, y, text)
    canvas.drawString(
        60, y - pitch, "Whoever buys goods has read these clauses, and has signed them with his own name."
    )
    found = blocks(canvas, tmp_path / "a.pdf")
    assert [(block.level, block.text) for block in found if block.kind == "list item"] == [
        (level, f"{number}{dot} {text}") for level, (number, text) in zip(LEVELS, CLAUSES, strict=True)
    ]
    assert found[0].kind == found[-1].kind == "paragraph"


def test_an_item_of_several_lines_is_one_block(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    for number in range(1, 5):
        y = 760 - 40 * number
        canvas.drawString(60, y, f"4.{number}")
        canvas.drawString(90, y, "Interest on what is not paid in time is due after thirty days, without a letter")
        canvas.drawString(90, y - 12, "that says so")
    items = [block.text for block in blocks(canvas, tmp_path / "a.pdf") if block.kind == "list item"]
    text = "Interest on what is not paid in time is due after thirty days, without a letter that says so"
    assert [item.replace("\n", " ") for item in items] == [f"4.{number} {text}" for number in range(1, 5)]


def test_a_list_goes_on_in_the_next_column(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    for row in range(12):
        canvas.drawString(50, 740 - 14 * row, f"{row + 1} Rule {'abcdefghijkl'[row]} of all the boats in the harbour")
        canvas.drawString(320, 740 - 14 * row, f"{row + 13} Rule {'mnopqrstuvwx'[row]} of all the boats at the quay")
    items = [block.text for block in blocks(canvas, tmp_path / "a.pdf") if block.kind == "list item"]
    assert [int(item.split()[0]) for item in items] == list(range(1, 25))


def test_rows_with_numbers_under_names_of_columns_are_a_table(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    rows = [("No", "Fruit", "Price"), *((str(one), f"Fruit {'abcdef'[one]}", f"{one}.50") for one in range(1, 6))]
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            canvas.drawString(60 + 80 * column, 700 - 14 * number, text)
    found = blocks(canvas, tmp_path / "a.pdf")
    assert [block.kind for block in found] == ["table"]
    assert found[0].table is not None
    assert found[0].table.rows == tuple(rows)


@pytest.mark.parametrize("leaders", [". . . . . . . . .", "........", ""])
def test_a_table_of_contents_is_no_list(tmp_path: Path, leaders: str) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    for row in range(8):
        canvas.drawString(60, 700 - 14 * row, f"1.{row + 1} Chapter about the {'abcdefgh'[row]} of harbours {leaders}")
        canvas.drawRightString(520, 700 - 14 * row, str(3 * row + 5))
    assert not any(block.kind == "list item" for block in blocks(canvas, tmp_path / "a.pdf"))


def test_a_sentence_that_begins_with_a_number_is_no_item(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    for number, text in enumerate(
        ("The boats of the harbour were", "12 in the spring and there were", "30 in summer.")
    ):
        canvas.drawString(60, 700 - 14 * number, text)
    assert {block.kind for block in blocks(canvas, tmp_path / "a.pdf")} == {"paragraph"}
