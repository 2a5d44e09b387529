"""Tables that begin on one page and go on on the next one, with the titles above them."""

from __future__ import annotations

from pathlib import Path

from reportlab.platypus import PageBreak, Paragraph
from reportlab.platypus import Table as DrawnTable

from tests.stores.documents.readers.pdf.test_pdf_tables import GRID, STYLE, make, tables

NAMES = ["Main", "Pressure", "Remark"]
FIRST = [NAMES, ["North", "2.5", "flushed"], ["South", "7.5", "open"]]


def test_a_title_at_the_end_of_a_page_belongs_to_the_table_on_the_next(tmp_path: Path) -> None:
    title = "Table 2: Pressure of the mains"
    (table,) = tables(
        make(tmp_path / "a.pdf", Paragraph(title, STYLE), PageBreak(), DrawnTable(FIRST, style=[GRID], hAlign="LEFT"))
    )
    assert table.title == title


def test_a_title_right_behind_a_sentence_is_no_part_of_it(tmp_path: Path) -> None:
    title, text = "Table 2: Pressure of the mains", "Pressures were taken in a week without rain."
    drawn = DrawnTable(FIRST, style=[GRID])
    (table,) = tables(make(tmp_path / "a.pdf", Paragraph(f"{text}<br/>{title}", STYLE), drawn))
    assert table.title == title


def test_a_cell_over_rows_goes_on_behind_the_end_of_a_page(tmp_path: Path) -> None:
    rows = [[f"Main {number // 2}", str(number), "sealed"] for number in range(99)]
    drawn = [[name if number % 2 == 0 else "", *rest] for number, (name, *rest) in enumerate(rows)]
    spans = [("SPAN", (0, number), (0, number + 1)) for number in range(1, 98, 2)]
    table = DrawnTable([NAMES, *drawn], style=[GRID, *spans], repeatRows=1, splitByRow=1)
    found = tables(make(tmp_path / "a.pdf", table))
    assert len(found) > 2
    assert [list(row) for table in found for row in table.rows[1:]] == rows


def test_empty_first_cells_stay_empty_where_others_are(tmp_path: Path) -> None:
    rows = [[f"Main {number}" if number % 3 == 0 else "", str(number), "sealed"] for number in range(99)]
    found = tables(make(tmp_path / "a.pdf", DrawnTable([NAMES, *rows], style=[GRID], repeatRows=1)))
    assert [list(row) for table in found for row in table.rows[1:]] == rows


def test_names_below_a_name_over_columns_are_a_header_row_of_a_short_table(tmp_path: Path) -> None:
    rows = [["Main", "Pressure in bar", "", "Remarks"], ["", "lowest", "highest", ""], ["North", "2.5", "6.0", "open"]]
    spans = [("SPAN", (0, 0), (0, 1)), ("SPAN", (1, 0), (2, 0)), ("SPAN", (3, 0), (3, 1))]
    (table,) = tables(make(tmp_path / "a.pdf", DrawnTable(rows, style=[*spans, GRID])))
    assert table.header_rows == 2
    assert table.rows[1] == ("Main", "lowest", "highest", "Remarks")
