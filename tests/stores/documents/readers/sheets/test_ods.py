"""OpenDocument sheets: one made by LibreOffice 7.4 (of an openpyxl workbook, which it wrote as XLSX again, too), and
pandas' own where its library for them is there."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from localspec.stores.documents.parse import parse
from localspec.stores.documents.parse_child import read
from localspec.stores.documents.readers.content import Content, ParseLimits, UnreadableError

SAMPLES = Path(__file__).resolve().parents[4] / "data" / "documents"

_START = (
    '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    ' xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
    ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    ' xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"><office:body><office:spreadsheet>'
)


def made(path: Path, sheets: str, limits: ParseLimits = ParseLimits(), *, manifest: str = "<m/>") -> Content:  # noqa: B008
    """What is read of a file with these tables."""
    with zipfile.ZipFile(path / "a.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr(
            "content.xml", f"{_START}{sheets}</office:spreadsheet></office:body></office:document-content>"
        )
    return read("zip", path / "a.ods", limits)


@pytest.mark.parametrize("name", ["libreoffice.ods", "libreoffice.xlsx"])
def test_a_workbook_of_libreoffice(name: str) -> None:
    content = read("zip", SAMPLES / name, ParseLimits())
    assert content.kind == name[-len("xlsx") :].lstrip(".")
    prices, merged, draft = [block.table for block in content.blocks if block.table is not None]
    assert prices is not None
    assert merged is not None
    assert draft is not None
    assert (prices.title, prices.header_rows) == ("Prices of 2024", 1)
    assert prices.rows == (
        ("Item", "Share", "Price", "Day", "Length", "Secret (hidden column)"),
        ("Tea", "47.5%", "1,234.50 €", "05.03.2024", "27:15", "1"),
        ("Milk (hidden row)", "120.0%", "-87.00 €", "06.04.2024", "0:05", "2"),
        ("Oil", "30.0%", "5.00 €", "07.05.2024", "0:06", "3"),
        ("Total", "", "1152.5", "", "", ""),
    )
    assert merged.header_rows == 2
    assert merged.rows[1:3] == (("Area", "Q1", "Q2", "Q1", "Q2"), ("Berlin", "302", "303", "304", "305"))
    assert set(merged.spans) == {(0, 0, 2, 1), (0, 1, 1, 2), (0, 3, 1, 2), (2, 0, 2, 1)}
    assert draft.title == "Draft (hidden sheet)"
    assert [block.text for block in content.blocks if block.kind == "note"] == ["Note on C3 (1,234.50 €): ask again"]


def test_its_name_fits() -> None:
    parsed = parse(SAMPLES / "libreoffice.ods")
    assert (parsed.kind, parsed.warnings) == ("ods", ())


def test_repeated_rows_and_columns_do_not_explode(tmp_path: Path) -> None:
    content = made(
        tmp_path,
        '<table:table table:name="T"><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell>'
        '<table:table-cell table:number-columns-repeated="3"><text:p>b</text:p></table:table-cell>'
        '<table:table-cell table:number-columns-repeated="1000000000"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="1048570">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="3"><table:table-cell><text:p>c</text:p></table:table-cell>'
        "</table:table-row></table:table>",
    )
    assert [block.text for block in content.blocks] == ["T", "a | b | b | b", "c\nc\nc"]


def test_spaces_lines_and_shapes_keep_their_words(tmp_path: Path) -> None:
    content = made(
        tmp_path,
        '<table:table table:name="T"><table:shapes><draw:frame><draw:text-box><text:p>floats</text:p></draw:text-box>'
        "</draw:frame></table:shapes><table:table-row><table:table-cell>"
        '<text:p>one<text:s text:c="2"/>two<text:span> three</text:span></text:p><text:p>four</text:p>'
        "<draw:custom-shape><text:p>in a shape</text:p></draw:custom-shape></table:table-cell></table:table-row>"
        "</table:table>",
    )
    assert [block.text for block in content.blocks] == ["T", "one two three four", "floats", "in a shape"]


def test_rows_that_repeat_on_each_page_are_the_header(tmp_path: Path) -> None:
    def row(*cells: str) -> str:
        inside = "".join(f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>" for cell in cells)
        return f"<table:table-row>{inside}</table:table-row>"

    content = made(
        tmp_path,
        '<table:table table:name="T"><table:table-header-rows>'
        f"{row('Name', 'City')}{row('long', 'long')}</table:table-header-rows>{row('Ann', 'Rome')}{row('Bob', 'Bonn')}"
        "</table:table>",
    )
    assert [block.table.header_rows for block in content.blocks if block.table is not None] == [2]


def test_a_large_sheet_ends_at_the_limit(tmp_path: Path) -> None:
    rows = "<table:table-row><table:table-cell><text:p>x</text:p></table:table-cell></table:table-row>" * 100
    content = made(tmp_path, f'<table:table table:name="T">{rows}</table:table>', ParseLimits(cells=10))
    assert content.blocks[-1].text.count("x") == 10
    assert "first 10 filled cells" in content.warnings[0]


def test_a_locked_sheet_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="password"):
        made(tmp_path, "", manifest="<m><encryption-data/></m>")
