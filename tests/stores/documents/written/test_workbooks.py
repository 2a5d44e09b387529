"""One workbook by six programs in four formats: tables, shown numbers, formulas, what is hidden, notes, charts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from localspec.stores.documents.blocks import Table
from localspec.stores.documents.parse import ParsedDocument
from localspec.stores.documents.passages import split
from tests.stores.documents.written import content
from tests.stores.documents.written.files import NAMES, holding, one_line, read
from tests.stores.documents.written.sheet_writers import LANGUAGE_ROWS


class Workbook(NamedTuple):
    """What a program wrote of the workbook, where that is not all."""

    without: frozenset[str] = frozenset()
    mains: tuple[tuple[str, ...], ...] = content.MAINS_READ
    headers: int = content.MAINS_HEADERS
    title: str = content.MAINS_TITLE
    calculated: bool = True


_FRAMES = frozenset({"numbers", "formulas", "hidden", "note", "chart", "running"})
_LEVELS = (  # pandas writes the names of the index below those of the columns
    ("", "Pressure in bar", "Pressure in bar", "Notes"),
    ("", "lowest", "highest", "remarks"),
    ("Main", "", "", ""),
)
_PLAIN_NUMBERS = tuple(tuple(text.removesuffix(".0") for text in row) for row in content.MAINS_READ[2:])
_BY_PANDAS = Workbook(_FRAMES, (*_LEVELS, *_PLAIN_NUMBERS), 3, "")
EXPECTED = {
    "workbook-libreoffice.xlsx": Workbook(),
    "workbook-libreoffice.ods": Workbook(),
    # The page has what is shown: no header, nothing hidden, notes inside the cells, charts as pictures.
    "workbook-libreoffice.html": Workbook(frozenset({"hidden", "note", "chart", "running"})),
    # The first sheet alone, and no spans.
    "workbook-libreoffice.csv": Workbook(
        _FRAMES | {"stock", "languages"},
        (
            *(("Main", "Pressure in bar", "", "Remarks"), ("", "lowest", "highest", "")),
            *(_PLAIN_NUMBERS[0], _PLAIN_NUMBERS[1], ("", "3.1", "", "sealed"), _PLAIN_NUMBERS[3]),
        ),
        1,
    ),
    # The chart loses its numbers; in XLSX the sheet is not hidden any more, and cells rely on formats of their columns,
    # which Excel gives to empty cells alone.
    "workbook-gnumeric.xlsx": Workbook(frozenset({"chart", "hidden", "stock"})),
    "workbook-gnumeric.ods": Workbook(frozenset({"chart"})),
    "workbook-openpyxl.xlsx": Workbook(calculated=False),
    "workbook-xlsxwriter.xlsx": Workbook(calculated=False),
    "workbook-xlsxwriter-results.xlsx": Workbook(),
    "workbook-pandas-openpyxl.xlsx": _BY_PANDAS,
    "workbook-pandas-xlsxwriter.xlsx": _BY_PANDAS,
    "workbook-pandas.csv": Workbook(_FRAMES | {"mains", "languages"}),
    "workbook-pandas.html": _BY_PANDAS._replace(mains=(*_LEVELS, *content.MAINS_READ[2:])),
}


def the_table(found: ParsedDocument, name: str) -> Table:
    """The one that names a column so; charts are none."""
    tables = [block.table for block in found.blocks if block.table is not None and block.kind == "table"]
    (table,) = [table for table in tables if any(name in row for row in table.rows[:3])]
    return table


def check_mains(found: ParsedDocument, expected: Workbook) -> None:
    """Texts in their places below a title; merged cells in each of them, empty cells empty."""
    table = the_table(found, "lowest")
    assert table.rows == expected.mains
    assert table.header_rows == expected.headers
    assert expected.title in table.title


def check_stock(found: ParsedDocument, _: Workbook) -> None:
    """A table over many passages: each begins with the names of its columns, and no row is cut."""
    table = the_table(found, "Shelf")
    assert (table.header_rows, table.rows) == (1, (content.STOCK_HEADER, *content.STOCK))
    rows: list[str] = []
    for passage in split(found):
        lines = passage.text.splitlines()
        of_stock = [line for line in lines if line.startswith("K-")]
        if of_stock:
            assert lines[lines.index(of_stock[0]) - 1] == " | ".join(content.STOCK_HEADER)
        rows += of_stock
    assert rows == [" | ".join(row) for row in content.STOCK]


def check_numbers(found: ParsedDocument, _: Workbook) -> None:
    """As the sheet shows them."""
    rows = tuple((name, shown.replace("−", "-")) for name, shown in the_table(found, "Value").rows)
    assert rows == (("Name", "Value"), *((figure.name, figure.shown) for figure in content.NUMBERS))


def check_formulas(found: ParsedDocument, expected: Workbook) -> None:
    """Their results, or, where nobody calculated them, themselves with a warning."""
    totals = [row[3] for row in the_table(found, "Price").rows[1:]]
    if expected.calculated:
        assert totals == [str(result) for result in content.BILL_RESULTS.values()]
        assert found.warnings == ()
    else:
        assert totals == list(content.BILL_RESULTS)
        (warning,) = found.warnings
        assert "'Bill'" in warning
        assert "3 formulas were never calculated" in warning


def check_hidden(found: ParsedDocument, _: Workbook) -> None:
    """Rows, columns and sheets that are hidden say so."""
    assert the_table(found, "Room").rows == (
        ("Name", "Room", "Wage (hidden column)"),
        ("Ann", "12", "4100"),
        ("Bob (hidden row)", "14", "3900"),
        ("Cleo", "15", "5200"),
    )
    assert holding(found, "jackdaw tower").section == "Draft (hidden sheet)"


def check_note(found: ParsedDocument, _: Workbook) -> None:
    note = holding(found, content.CELL_NOTE)
    assert (note.kind, note.text) == ("note", f"Note on A2 (de): Ann: {content.CELL_NOTE}")


def check_chart(found: ParsedDocument, _: Workbook) -> None:
    """Title, categories and series."""
    (chart,) = [block.table for block in found.blocks if block.kind == "chart"]
    assert chart is not None
    assert chart.title == content.CHART_TITLE
    assert [row[1:] for row in chart.rows] == [row[1:] for row in content.CHART_READ]
    assert [row[0] for row in chart.rows[1:]] == list(content.CHART_CATEGORIES)


def check_running(found: ParsedDocument, _: Workbook) -> None:
    """Headers and footers of the printed pages, once, on however many sheets they are."""
    assert [block.text for block in found.blocks if block.kind == "running"] == [content.HEADER, content.FOOTER]


def check_languages(found: ParsedDocument, _: Workbook) -> None:
    texts = [one_line(cell) for block in found.blocks if block.table for row in block.table.rows for cell in row]
    assert [text for _, text in LANGUAGE_ROWS if text not in texts] == []


CHECKS: dict[str, Callable[[ParsedDocument, Workbook], None]] = {
    "mains": check_mains,
    "stock": check_stock,
    "numbers": check_numbers,
    "formulas": check_formulas,
    "hidden": check_hidden,
    "note": check_note,
    "chart": check_chart,
    "running": check_running,
    "languages": check_languages,
}


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name in EXPECTED for kind in CHECKS if kind not in EXPECTED[name].without]
)
def test_the_workbook(name: str, kind: str, folder: Path) -> None:
    CHECKS[kind](read(name, folder), EXPECTED[name])


def test_every_workbook_is_in_the_matrix() -> None:
    assert {name for name in NAMES if name.startswith("workbook")} == set(EXPECTED)
