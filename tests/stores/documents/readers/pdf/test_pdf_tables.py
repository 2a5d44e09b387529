"""Tables of PDFs by their geometry, with the cells that the writer put in; and what must not become a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reportlab.lib import colors
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer
from reportlab.platypus import Table as DrawnTable

from localspec.stores.documents.blocks import Span, Table
from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf

STYLE = getSampleStyleSheet()["BodyText"]
TEXT = "The following values were measured with the standard load and a supply that was stable. " * 4
LIMITS = [
    ["Part", "Limits", "", "", "Unit"],
    ["", "Min", "Typ", "Max", ""],
    ["Supply", "", "", "18", "V"],
    ["Ripple", "2", "", "9", "mV"],
    ["Drift", "", "5", "", "ppm"],
    ["Load", "1", "2", "3", "A"],
    ["Standby current\nin cold store", "", "40", "", "uA"],
]
SPAN = ("SPAN", (1, 0), (3, 0))
GRID = ("GRID", (0, 0), (-1, -1), 0.5, colors.black)
STYLES: dict[str, list[Any]] = {
    "grid": [GRID],
    "rule below the names": [("LINEBELOW", (0, 1), (-1, 1), 1, colors.black)],
    "three rules": [
        ("LINEABOVE", (0, 0), (-1, 0), 1, colors.black),
        ("LINEBELOW", (0, 1), (-1, 1), 1, colors.black),
        ("LINEBELOW", (0, -1), (-1, -1), 1, colors.black),
    ],
    "stripes": [("ROWBACKGROUNDS", (0, 0), (-1, -1), [colors.lightgrey, colors.white])],
    "no rules": [],
}


def make(path: Path, *parts: Flowable) -> Path:
    """A PDF of parts below each other, with text before and after them."""
    story = [Paragraph(TEXT, STYLE), Spacer(1, 8), *parts, Spacer(1, 8), Paragraph(TEXT, STYLE)]
    SimpleDocTemplate(str(path), invariant=1).build(story)
    return path


def tables(path: Path) -> list[Table]:
    """Tables that the reader finds."""
    return [block.table for block in read_pdf(path, ParseLimits()).blocks if block.table is not None]


@pytest.mark.parametrize("style", STYLES)
def test_empty_cells_keep_their_place_and_names_stand_over_several_columns(tmp_path: Path, style: str) -> None:
    path = make(tmp_path / "a.pdf", DrawnTable(LIMITS, style=[SPAN, *STYLES[style]]))
    (table,) = tables(path)
    expected = [[" ".join(cell.split()) for cell in row] for row in LIMITS]
    expected[0][1:4] = ["Limits"] * 3
    assert [list(row) for row in table.rows] == expected
    assert table.header_rows == 2
    assert Span(0, 1, 1, 3) in table.spans
    paragraphs = [block.text for block in read_pdf(path, ParseLimits()).blocks if block.kind == "paragraph"]
    assert [" ".join(text.split()) for text in paragraphs] == [TEXT.strip()] * 2


@pytest.mark.parametrize("valign", ["TOP", "MIDDLE", "BOTTOM"])
@pytest.mark.parametrize("ruled", [True, False])
def test_cells_of_several_lines_are_one(tmp_path: Path, valign: str, ruled: bool) -> None:
    long = "A valve that closes by itself when the pressure falls below one bar and opens again above two"
    rows = [["Name", "Description", "Price"]]
    rows += [[f"Valve {number}", (long, "Holds water")[number % 2], f"{number + 5}.00"] for number in range(6)]
    cells = [[cell if column != 1 else Paragraph(cell, STYLE) for column, cell in enumerate(row)] for row in rows]
    style: list[Any] = [("VALIGN", (0, 0), (-1, -1), valign), *([GRID] if ruled else [])]
    (table,) = tables(make(tmp_path / "a.pdf", DrawnTable(cells, colWidths=[80, 200, 60], style=style)))
    assert [list(row) for row in table.rows] == rows


def test_cells_over_rows_have_their_text_in_each_place(tmp_path: Path) -> None:
    rows = [["Region", "City", "Sales"], ["North", "Oslo", "12"], ["", "Bergen", "7"], ["South", "Rome", "9"]]
    path = make(tmp_path / "a.pdf", DrawnTable(rows, style=[GRID, ("SPAN", (0, 1), (0, 2))]))
    (table,) = tables(path)
    assert [row[0] for row in table.rows] == ["Region", "North", "North", "South"]
    assert table.spans == (Span(1, 0, 2, 1),)


@pytest.mark.parametrize("repeat", [0, 1])
@pytest.mark.parametrize("ruled", [True, False])
def test_tables_over_pages_have_their_names_on_each(tmp_path: Path, repeat: int, ruled: bool) -> None:
    rows = [["Key", "City", "Weight", "Remark"]]
    rows += [[f"K-{n}", ("Oslo", "Rome")[n % 2], str(3 * n), ("", "fragile", "")[n % 3]] for n in range(110)]
    style = [GRID] if ruled else []
    found = tables(make(tmp_path / "a.pdf", DrawnTable(rows, repeatRows=repeat, style=style)))
    assert len(found) > 2
    assert {(table.rows[0], table.header_rows) for table in found} == {(tuple(rows[0]), 1)}
    assert [list(row) for table in found for row in table.rows[1:]] == rows[1:]


def test_captions_are_titles(tmp_path: Path) -> None:
    caption = Paragraph("Table 3: Limits of the supply", STYLE)
    path = make(tmp_path / "a.pdf", caption, DrawnTable(LIMITS, style=[SPAN, GRID]))
    (table,) = tables(path)
    assert table.title == "Table 3: Limits of the supply"


def test_years_name_columns_and_a_table_may_have_no_names(tmp_path: Path) -> None:
    years = [["Revenue", "2021", "2022"], ["Books", "1,200", "1,310"], ["Games", "800", "750"], ["Maps", "65", "70"]]
    bare = [["Books", "1,200", "1,310"], ["Games", "800", "750"], ["Maps", "65", "70"]]
    assert tables(make(tmp_path / "a.pdf", DrawnTable(years)))[0].header_rows == 1
    assert tables(make(tmp_path / "b.pdf", DrawnTable(bare)))[0].header_rows == 0


def test_a_table_in_a_column_beside_text(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), invariant=1)
    canvas.setFont("Times-Roman", 10)
    for number in range(30):
        canvas.drawString(320, 700 - 13 * number, f"The right column tells of the forest and its oaks {number + 100}")
        if number < 12 or number > 20:
            canvas.drawString(60, 700 - 13 * number, f"The left column tells of the harbour and its boats {number}")
    for line, row in enumerate(
        (("Boat", "Length", "Mast"), ("Alba", "12", "9"), ("Bris", "7", ""), ("Cora", "", "11"))
    ):
        for place, cell in zip((60, 140, 220), row, strict=True):
            canvas.drawString(place, 700 - 13 * (13 + line), cell)
    canvas.save()
    (table,) = tables(tmp_path / "a.pdf")
    assert table.rows == (("Boat", "Length", "Mast"), ("Alba", "12", "9"), ("Bris", "7", ""), ("Cora", "", "11"))
    numbers = [word for block in read_pdf(tmp_path / "a.pdf", ParseLimits()).blocks for word in block.text.split()]
    assert [int(word) for word in numbers if word.isdigit() and int(word) > 99] == list(range(100, 130))


def contents(canvas: Canvas) -> None:
    """A table of contents."""
    for number, title in enumerate(("Introduction to pumps", "Valves and their use", "Motors of pumps", "The index")):
        canvas.drawString(60, 700 - 14 * number, str(number + 1))
        canvas.drawString(90, 700 - 14 * number, f"{title} {'. ' * 30}")
        canvas.drawRightString(500, 700 - 14 * number, str(3 + 9 * number))


def listing(canvas: Canvas) -> None:
    """Code with its columns."""
    canvas.setFont("Courier", 10)
    for number in range(6):
        canvas.drawString(60, 700 - 12 * number, f"value_{number}  = {number}      # remark {number}")


def items(canvas: Canvas) -> None:
    """A list whose bullets stand apart."""
    for number in range(6):
        canvas.drawString(60, 700 - 14 * number, "•")
        canvas.drawString(80, 700 - 14 * number, f"Item {number} of the list")


def columns(canvas: Canvas) -> None:
    """A text in two columns."""
    for number in range(12):
        canvas.drawString(60, 700 - 14 * number, "The harbour keeps its boats in winter")
        canvas.drawString(320, 700 - 14 * number, "and the forest grows oaks and ferns")


def frame(canvas: Canvas) -> None:
    """A text in a frame between two others."""
    canvas.rect(50, 620, 480, 100)
    for number in range(6):
        canvas.drawString(
            60, 700 - 14 * number, "Warning: the pump may be hot after long use, so do not touch its case"
        )


def formulas(canvas: Canvas) -> None:
    """Formulas with their numbers."""
    for number in range(4):
        canvas.drawString(200, 700 - 24 * number, f"a = {number} b + c")
        canvas.drawString(480, 700 - 24 * number, f"({number + 1})")


@pytest.mark.parametrize("draw", [contents, listing, items, columns, frame, formulas])
def test_what_is_no_table(tmp_path: Path, draw: Callable[[Canvas], None]) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), invariant=1)
    draw(canvas)
    canvas.save()
    assert tables(tmp_path / "a.pdf") == []
