"""Tables in text as several programs and languages write them."""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.stores.documents.blocks import Table
from localspec.stores.documents.parse import parse
from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.sheets.csv_table import read_csv


def tables(data: str | bytes, limits: ParseLimits = ParseLimits()) -> list[Table]:  # noqa: B008 - frozen
    content = read_csv(data.encode() if isinstance(data, str) else data, limits)
    return [block.table for block in content.blocks if block.table is not None]


def only_table(data: str | bytes) -> Table:
    (table,) = tables(data)
    return table


_ROWS = (("item", "price"), ("Tea", "1.50"), ("Milk", "2.25"), ("Oil", "7.00"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_delimiter_is_found(delimiter: str, end: str) -> None:
    table = only_table(end.join(map(delimiter.join, _ROWS)))
    assert (table.rows, table.header_rows) == (_ROWS, 1)


def test_decimal_commas_are_no_delimiters() -> None:
    table = only_table("Ware;Preis;Gewicht\nTee;1,50;0,25\nMilch;2,25;1,00\nÖl;7,00;0,75\n")
    assert table.rows[1] == ("Tee", "1,50", "0,25")
    assert table.header_rows == 1
    assert only_table("1,5;2,5;3,5\n4,5;5,5;6,5\n").rows[0] == ("1,5", "2,5", "3,5")


def test_quoted_cells_hold_delimiters_quotes_and_line_breaks() -> None:
    data = 'name,text,sum\r\nAnn,"one, two\r\nthree",4\r\nBob,"says ""no""",5\r\nCid,,6\r\n'
    assert only_table(data).rows[1:] == (("Ann", "one, two three", "4"), ("Bob", 'says "no"', "5"), ("Cid", "", "6"))


def test_a_quotation_mark_that_is_none_swallows_nothing() -> None:
    lines = ["size,pipe", *(f'{number}," half inch' if number == 3 else f'{number},5" pipe' for number in range(900))]
    table = only_table("\n".join(lines))
    assert len(table.rows) == 901
    assert table.rows[-1] == ("899", '5" pipe')


def test_marks_and_names_of_delimiters_at_the_beginning() -> None:
    data = "sep=;\r\na;b\r\nKäse;1\r\n"
    for encoded in (
        codecs.BOM_UTF8 + data.encode(),
        codecs.BOM_UTF16_LE + data.encode("utf-16-le"),
        data.encode("cp1252"),
    ):
        assert only_table(encoded).rows == (("a", "b"), ("Käse", "1"))


def test_escaped_quotes_are_read() -> None:
    assert only_table('a,b\nx,"say \\"no\\", please"\ny,z\n').rows[1] == ("x", 'say "no", please')


def test_words_above_the_table_are_its_title() -> None:
    table = only_table("Report of sales\n\ncity,sum\nRome,4\nBonn,5\n")
    assert (table.title, table.rows[0], table.header_rows) == ("Report of sales", ("city", "sum"), 1)


def test_rows_of_numbers_alone_have_no_header() -> None:
    assert only_table("1,2,3\n4,5,6\n7,8,9\n").header_rows == 0


@pytest.mark.parametrize(
    "text",
    [
        "One line of words",
        "Dear all, thanks\nfor coming, Ann, and, well,\nfor more\nBye, see you, soon",
        "a\nb\nc\n",
        "\n",
    ],
)
def test_text_without_a_table_stays_text(text: str) -> None:
    content = read_csv(text.encode(), ParseLimits())
    assert content.kind == "text"
    assert [block.text for block in content.blocks] == [text.strip("\n")] * bool(text.strip())


def test_what_is_behind_the_limit_of_cells_is_read_as_lines_with_names() -> None:
    data = "key,sum\n" + "".join(f"K-{number},{number}\n" for number in range(2000))
    content = read_csv(data.encode(), ParseLimits(cells=100))
    assert "100 cells" in content.warnings[0]
    rest = content.blocks[1:]
    assert all(block.text.startswith("key | sum\nK-") for block in rest)
    assert rest[-1].text.endswith("K-1999 | 1999")
    assert sum(block.text.count("K-") for block in content.blocks) == 2000


def test_frames_of_pandas(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"city": ["Rome", "Bonn, West"], "people": [2.5, None]})
    frame.to_csv(tmp_path / "a.csv")
    parsed = parse(tmp_path / "a.csv")
    assert parsed.kind == "csv"
    assert parsed.warnings == ()
    assert parsed.text == " | city | people\n0 | Rome | 2.5\n1 | Bonn, West | "


_CELLS = st.text(st.characters(codec="latin-1", exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@given(st.lists(st.lists(_CELLS, min_size=3, max_size=3), min_size=2, max_size=20), st.sampled_from(",;\t|"))
def test_no_word_is_lost(rows: list[list[str]], delimiter: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    text = "\n".join(block.text for block in read_csv(buffer.getvalue().encode(), ParseLimits()).blocks)
    letters = [letter for row in rows for cell in row for letter in cell if letter.isascii() and letter.isalnum()]
    assert [letter for letter in text if letter.isascii() and letter.isalnum()] == letters
