"""Lines of a table that are rows of their own or go on with the row above, and rows that name the columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from localspec.stores.documents.blocks import Table
from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf

PLACES = (169, 220, 271, 322)
"""Left edges of columns, in points."""
WIDE, OVER_TWO = (163, 430), (217, 311)
MAINS = (
    (*("", "Pressure in bar", "", ""), 700.0),
    (*("Main", "lowest", "highest", "Remarks"), 683.0),
    (*("North", "2.5", "6.0", "flushed in May"), 666.0),
    (*("South", "", "7.5", ""), 654.0),
    (*("", "3.1", "", "sealed"), 642.0),
    (*("East", "4.0", "4.4", ""), 630.0),
)


def typeset(
    path: Path, lines: Iterable[tuple[str, str, str, str, float]], rules: Sequence[tuple[tuple[int, int], float]]
) -> list[Table]:
    """Tables in a page on which the cells of each line stand in their columns, and rules (from, to) at heights."""
    canvas = Canvas(str(path), invariant=1)
    canvas.setFont("Times-Roman", 10)
    for *cells, height in lines:
        for place, cell in zip(PLACES, cells, strict=True):
            canvas.drawString(place, height, cell)
    for (left, right), height in rules:
        canvas.line(left, height, right, height)
    canvas.save()
    return [block.table for block in read_pdf(path, ParseLimits()).blocks if block.table is not None]


@pytest.mark.parametrize("below_name", [[(OVER_TWO, 694.0)], []])
def test_rows_stand_closer_than_what_rules_part(
    tmp_path: Path, below_name: list[tuple[tuple[int, int], float]]
) -> None:
    rules = [(WIDE, 712.0), *below_name, (WIDE, 677.0), (WIDE, 624.0)]
    (table,) = typeset(tmp_path / "a.pdf", MAINS, rules)
    expected = [list(cells) for *cells, _ in MAINS]
    expected[0][1:3] = ["Pressure in bar"] * 2
    assert [list(row) for row in table.rows] == expected
    assert table.header_rows == 2


def test_columns_of_numbers_stand_half_an_em_apart(tmp_path: Path) -> None:
    rows = [
        ("Sold", "2021", "2022"),
        ("Books", "1,200", "1,310"),
        ("Games", "8,006", "7,504"),
        ("Maps", "6,517", "7,012"),
    ]
    canvas = Canvas(str(tmp_path / "a.pdf"), invariant=1)
    canvas.setFont("Helvetica", 10)
    for number, row in enumerate(rows):
        for right, cell in zip((98, 130, 161), row, strict=True):
            canvas.drawRightString(right, 700 - 20 * number, cell)
    canvas.save()
    (found,) = [block.table for block in read_pdf(tmp_path / "a.pdf", ParseLimits()).blocks if block.table is not None]
    assert list(found.rows) == rows
