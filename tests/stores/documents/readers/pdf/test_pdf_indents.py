"""Levels of list items of a PDF, by their indentation."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf

ITEMS = [
    (0, "•", "the boats of the harbour"),
    (1, "–", "those with a mast and sails"),
    (2, "∗", "with one mast for the north"),
    (2, "∗", "with two masts for the south"),
    (1, "–", "those that are rowed by hand"),
    (0, "•", "the nets that hang to dry"),
    (1, "(a)", "for herring in the spring"),
    (1, "(b)", "for cod in the long winter"),
    (0, "3.", "the lamps along the wall"),
]


def page(canvas: Canvas, items: list[tuple[int, str, str]], left: float, first: str) -> None:
    """A paragraph over list items, whose second lines stand under their texts."""
    y = 700.0
    canvas.setFont("Times-Roman", 10)
    canvas.drawString(left, y, first)
    for level, sign, text in items:
        y -= 18
        canvas.drawString(left + 12 + 16 * level, y, sign)
        canvas.drawString(left + 28 + 16 * level, y, f"{text}, as it was written down by the master of the place")
        y -= 12
        canvas.drawString(left + 28 + 16 * level, y, "and read by his son")
    canvas.drawString(left, y - 24, "A paragraph follows that stands at the margin of the page again, behind the list.")
    canvas.showPage()


def levels(path: Path) -> list[tuple[int, str]]:
    """Level and sign of each item."""
    blocks = read_pdf(path, ParseLimits()).blocks
    return [(block.level, block.text.split()[0]) for block in blocks if block.kind == "list item"]


@pytest.mark.parametrize("left", [50.0, 90.0])
def test_items_have_the_level_of_their_indentation(tmp_path: Path, left: float) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    page(
        canvas,
        ITEMS,
        left,
        "What is found in the harbour of the old town is written here, from the boats to the lamps.",
    )
    canvas.save()
    assert levels(tmp_path / "a.pdf") == [(level, sign) for level, sign, _ in ITEMS]


def test_a_list_behind_a_paragraph_begins_anew(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    page(canvas, ITEMS[:3], 50, "The first list of the document stands under this line of text, which is long enough.")
    page(canvas, ITEMS[:2], 80, "The second list of the document stands under this line of text, which is long enough.")
    canvas.save()
    assert [level for level, _ in levels(tmp_path / "a.pdf")] == [0, 1, 2, 0, 1]
