"""Workbooks as openpyxl, XlsxWriter and pandas write them."""

from __future__ import annotations

import datetime
from pathlib import Path

import openpyxl
import pandas
import pytest
import xlsxwriter
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.worksheet.table import Table as DeclaredTable

from localspec.stores.documents.blocks import Block, Table
from localspec.stores.documents.parse import parse as parse_in_child
from localspec.stores.documents.parse_child import read as read_kind
from localspec.stores.documents.readers.content import Content, ParseLimits
from tests.builders import change_member


def tables(parsed: Content) -> list[Table]:
    """Tables of a document; those of charts are none."""
    return [block.table for block in parsed.blocks if block.table is not None and block.kind == "table"]


def parse(path: Path, limits: ParseLimits = ParseLimits()) -> Content:  # noqa: B008 - frozen
    """What the child process reads of a file, in this process."""
    return read_kind("zip", path, limits)


def only_table(parsed: Content) -> Table:
    (table,) = tables(parsed)
    return table


def sheet_of(rows: list[list[object]], name: str = "Prices") -> openpyxl.Workbook:
    workbook = openpyxl.Workbook()
    workbook.active.title = name
    for row in rows:
        workbook.active.append(row)
    return workbook


def read(workbook: openpyxl.Workbook, path: Path) -> Content:
    workbook.save(path / "a.xlsx")
    return parse(path / "a.xlsx")


def test_values_are_shown_as_in_the_sheet(tmp_path: Path) -> None:
    workbook = sheet_of(
        [
            ["Region", "Share", "Sum", "Day", "Length", "Price", "Error", "Done"],
            [
                "North",
                0.475,
                0.1 + 0.2,
                datetime.date(2024, 3, 5),
                datetime.timedelta(hours=27.25),
                1234.5,
                "#N/A",
                True,
            ],
            ["Code", 1001, 5, datetime.datetime(2024, 3, 6, 9, 15), datetime.time(14, 30), -87, "=1/0", False],
        ]
    )
    for place, code in (("B2", "0.0%"), ("E2", "[h]:mm"), ("F2", '#,##0.00 "€"'), ("B3", "00000")):
        workbook.active[place].number_format = code
    assert only_table(read(workbook, tmp_path)).rows[1:] == (
        ("North", "47.5%", "0.3", "2024-03-05", "27:15", "1,234.50 €", "#N/A", "TRUE"),
        ("Code", "01001", "5", "2024-03-06 9:15:00", "14:30:00", "-87", "=1/0", "FALSE"),
    )


def test_merged_headings_name_every_column_below(tmp_path: Path) -> None:
    workbook = sheet_of(
        [
            ["Area", "2023", None, "2024", None],
            [None, "Q1", "Q2", "Q1", "Q2"],
            ["Berlin", 302, 303, 304, 305],
            [None, 402, 403, 404, 405],
        ]
    )
    for merged in ("A1:A2", "B1:C1", "D1:E1", "A3:A4"):
        workbook.active.merge_cells(merged)
    table = only_table(read(workbook, tmp_path))
    assert table.header_rows == 2
    assert table.rows == (
        ("Area", "2023", "2023", "2024", "2024"),
        ("Area", "Q1", "Q2", "Q1", "Q2"),
        ("Berlin", "302", "303", "304", "305"),
        ("Berlin", "402", "403", "404", "405"),
    )
    assert set(table.spans) == {(0, 0, 2, 1), (0, 1, 1, 2), (0, 3, 1, 2), (2, 0, 2, 1)}


def test_what_is_hidden_is_there_and_says_so(tmp_path: Path) -> None:
    workbook = sheet_of([["Name", "Sum", "Secret"], ["a", 1, 2], ["b", 3, 4]])
    workbook.active.row_dimensions[3].hidden = True
    workbook.active.column_dimensions["C"].hidden = True
    draft = workbook.create_sheet("Draft")
    draft.append(["Salary", 98765])
    draft.sheet_state = "veryHidden"
    parsed = read(workbook, tmp_path)
    assert tables(parsed)[0].rows == (
        ("Name", "Sum", "Secret (hidden column)"),
        ("a", "1", "2"),
        ("b (hidden row)", "3", "4"),
    )
    assert tables(parsed)[1].title == parsed.blocks[-1].section == "Draft (hidden sheet)"


def test_tables_of_one_sheet_are_parted(tmp_path: Path) -> None:
    workbook = sheet_of(
        [
            ["Prices of 2024"],
            ["Item", "Price", None, "City", "People"],
            ["Tea", 2, None, "Rome", 5],
            ["Milk", 3, None, "Bonn", 6],
            [None],
            ["Staff"],
            [None],
            ["Name", "Phone"],
            ["Ann", "12-3"],
            [None],
            [None],
            ["Written in May"],
        ]
    )
    parsed = read(workbook, tmp_path)
    assert [(table.title, table.header_rows, table.rows[0]) for table in tables(parsed)] == [
        ("Prices of 2024", 1, ("Item", "Price")),
        ("Prices", 1, ("City", "People")),
        ("Staff", 1, ("Name", "Phone")),
    ]
    assert parsed.blocks[-1].text == "Written in May"


def test_an_empty_row_parts_no_table_that_goes_on(tmp_path: Path) -> None:
    rows: list[list[object]] = [["Item", "Price"], ["Tea", 2], ["Milk", 3], [None], ["Oil", 4], ["Salt", 5]]
    assert only_table(read(sheet_of(rows), tmp_path)).rows[-2:] == (("Oil", "4"), ("Salt", "5"))


def test_an_empty_column_parts_no_label_from_its_value(tmp_path: Path) -> None:
    rows: list[list[object]] = [["Customer:", None, "ACME"], ["Street:", None, "High Road 1"], ["Sum:", None, 12]]
    table = only_table(read(sheet_of(rows), tmp_path))
    assert (table.header_rows, table.rows) == (0, (("Customer:", "ACME"), ("Street:", "High Road 1"), ("Sum:", "12")))


@pytest.mark.parametrize(
    ("rows", "header_rows"),
    [
        ([["Item", "Price"], ["Tea", 2], ["Milk", 3]], 1),
        ([["Rent", 1200], ["Power", 310], ["Water", 85]], 0),
        ([["Area", 2022, 2023], ["North", 12, 13], ["South", 14, 15]], 1),
        ([["Item", datetime.date(2024, 1, 1), datetime.date(2024, 2, 1)], ["Tea", 4, 5], ["Milk", 6, 7]], 1),
        ([["Name", "City"], ["Ann", "Rome"], ["Bob", "Bonn"]], 1),
        ([["Name:", "Ann"], ["City:", "Rome"], ["Job:", "Cook"]], 0),
        ([[None, "Price"], ["Tea", 2], ["Milk", 3]], 1),
        ([[1, 2, 3], [4, 5, 6]], 0),
        ([["one", "two"]], 0),
    ],
)
def test_header_rows_are_told_by_what_stands_below(tmp_path: Path, rows: list[list[object]], header_rows: int) -> None:
    assert only_table(read(sheet_of(rows), tmp_path)).header_rows == header_rows


@pytest.mark.parametrize("mark", ["bold", "shade", "freeze", "filter", "print", "declare"])
def test_header_rows_are_told_by_their_marks(tmp_path: Path, mark: str) -> None:
    workbook = sheet_of([["Name", "City"], ["long", "long"], ["Ann", "Rome"], ["Bob", "Bonn"]])
    sheet = workbook.active
    for cell in (*sheet[1], *sheet[2]):
        if mark == "bold":
            cell.font = Font(bold=True)
        elif mark == "shade":
            cell.fill = PatternFill("solid", fgColor="DDEEFF")
    if mark == "freeze":
        sheet.freeze_panes = "A3"
    elif mark == "filter":
        sheet.auto_filter.ref = "A2:B4"
    elif mark == "print":
        sheet.print_title_rows = "1:2"
    elif mark == "declare":
        sheet.add_table(DeclaredTable(displayName="People", ref="A2:B4"))
    found = tables(read(workbook, tmp_path))[-1]
    assert found.rows[found.header_rows :] == (("Ann", "Rome"), ("Bob", "Bonn"))


def test_formulas_that_nobody_calculated_are_shown_with_a_warning(tmp_path: Path) -> None:
    parsed = read(sheet_of([["Rent", 1200], ["Power", 310], ["Total", "=SUM(B1:B2)"]], "Costs"), tmp_path)
    assert only_table(parsed).rows[-1] == ("Total", "=SUM(B1:B2)")
    assert "'Costs'" in parsed.warnings[0]
    assert "B3" in parsed.warnings[0]


def test_results_that_are_stored_are_shown(tmp_path: Path) -> None:
    sheet_of([["Rent", 1200], ["Total", "=SUM(B1:B1)"], ["Word", '=""']]).save(tmp_path / "a.xlsx")
    sheet = "xl/worksheets/sheet1.xml"
    change_member(tmp_path / "a.xlsx", sheet, (b"<f>SUM(B1:B1)</f><v></v>", b"<f>SUM(B1:B1)</f><v>1200</v>"))
    change_member(tmp_path / "a.xlsx", sheet, (b'<c r="B3"><f>', b'<c r="B3" t="str"><f>'))
    parsed = parse(tmp_path / "a.xlsx")
    assert only_table(parsed).rows == (("Rent", "1200"), ("Total", "1200"), ("Word", ""))
    assert parsed.warnings == ()


def test_zeros_of_xlsxwriter_are_no_results(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
        sheet = workbook.add_worksheet("Costs")
        sheet.write_row(0, 0, ["Rent", 1200])
        sheet.write_row(1, 0, ["Zero", 0])
        sheet.write(2, 0, "Total")
        sheet.write_formula(2, 1, "=SUM(B1:B2)")
        sheet.write(3, 0, "Known")
        sheet.write_formula(3, 1, "=B1*2", None, 2400)
    parsed = parse(tmp_path / "a.xlsx")
    assert [row[1] for row in only_table(parsed).rows] == ["1200", "0", "=SUM(B1:B2)", "2400"]
    assert "B3" in parsed.warnings[0]
    assert "B4" not in parsed.warnings[0]


def test_notes_stand_behind_the_table(tmp_path: Path) -> None:
    workbook = sheet_of([["Item", "Price"], ["Tea", 2]])
    workbook.active["B2"].comment = Comment("Ann:\nask again", "Ann")
    parsed = read(workbook, tmp_path)
    assert (parsed.blocks[-1].kind, parsed.blocks[-1].text) == ("note", "Note on B2 (2): Ann: ask again")


def test_charts_shapes_and_printed_headers_are_read(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
        sheet = workbook.add_worksheet("Sales")
        sheet.write_column(0, 0, ["Q1", "Q2"])
        sheet.write_column(0, 1, [12, 15])
        chart = workbook.add_chart({"type": "column"})
        chart.add_series({"name": "Tea", "categories": "=Sales!$A$1:$A$2", "values": "=Sales!$B$1:$B$2"})
        chart.set_title({"name": "Sold by quarter"})
        sheet.insert_chart("D2", chart)
        sheet.insert_textbox("D20", "Read this first")
        sheet.set_header('&L&"Arial,Bold"&12Confidential&RPage &P of &N')
    parsed = parse(tmp_path / "a.xlsx")
    kinds: dict[str, list[Block]] = {}
    for block in parsed.blocks:
        kinds.setdefault(block.kind, []).append(block)
    assert kinds["chart"][0].text == "Chart: Sold by quarter\nCategory | Tea\nQ1 | 12\nQ2 | 15"
    assert [block.text for block in kinds["running"]] == ["Confidential", "Page of"]
    assert [block.text for block in kinds["paragraph"]] == ["Read this first"]


def test_frames_of_pandas_keep_their_names(tmp_path: Path) -> None:
    columns = pandas.MultiIndex.from_product([["2023", "2024"], ["Q1", "Q2"]])
    frame = pandas.DataFrame([[1, 2, 3, 4], [5, 6, 7, 8]], index=["north", "south"], columns=columns)
    for engine in ("openpyxl", "xlsxwriter"):
        frame.to_excel(tmp_path / "a.xlsx", engine=engine)
        table = only_table(parse(tmp_path / "a.xlsx"))
        assert table.rows[:2] == (("", "2023", "2023", "2024", "2024"), ("", "Q1", "Q2", "Q1", "Q2"))
        assert table.rows[table.header_rows :][0] == ("north", "1", "2", "3", "4")


def test_macro_books_and_words_of_many_runs(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_rich_string(0, 0, "fat ", workbook.add_format({"bold": True}), "words", " here")
        sheet.write_string(0, 1, "line\r\nbreak")
        sheet.write_url(1, 0, "https://example.org/a", string="the site")
    (tmp_path / "a.xlsx").rename(tmp_path / "a.xlsm")
    parsed = parse_in_child(tmp_path / "a.xlsm")
    assert parsed.text == "fat words here | line break\nthe site | "
    assert parsed.warnings == ()


def test_merged_cells_over_a_whole_sheet_cost_nothing(tmp_path: Path) -> None:
    workbook = sheet_of([["Title"], ["Item", "Price"], ["Tea", 2]])
    workbook.active.merge_cells("A1:B1")
    workbook.save(tmp_path / "a.xlsx")
    all_others = (b"</mergeCells>", b'<mergeCell ref="C1:XFD1048576"/><mergeCell ref="D2:D1048576"/></mergeCells>')
    parsed = parse(change_member(tmp_path / "a.xlsx", "xl/worksheets/sheet1.xml", all_others))
    assert (only_table(parsed).title, only_table(parsed).rows[-1]) == ("Title", ("Tea", "2"))


def test_a_sheet_ends_at_the_limit_of_cells(tmp_path: Path) -> None:
    sheet_of([[row, "x"] for row in range(100)]).save(tmp_path / "a.xlsx")
    parsed = parse(tmp_path / "a.xlsx", ParseLimits(cells=50))
    assert len(only_table(parsed).rows) == 25
    assert "first 50 filled cells" in parsed.warnings[0]
