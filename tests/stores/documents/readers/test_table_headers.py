"""Rows that name the columns, where the file does not say which they are."""

from __future__ import annotations

import pytest

from localspec.stores.documents.blocks import Span
from localspec.stores.documents.readers.table_headers import guessed, is_number, with_spans


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([["Item", "Price"], ["Pump", "18"]], 1),
        ([["", "2023", "2024"], ["North", "1", "2"]], 1),
        ([["", "23", "24"], ["North", "1", "2"]], 0),
        ([["Name", "Ada"], ["Town", "London"]], 0),
        ([["Name", "Town", "Country"], ["Ada", "London", "England"]], 1),
        ([["Item", "Price"]], 0),
        ([["a sentence that is much longer than the name of any column would ever be", "b"], ["x", "1"]], 0),
    ],
)
def test_a_first_row_of_words_above_numbers(rows: list[list[str]], count: int) -> None:
    assert guessed(rows) == count


def test_merged_cells_take_the_names_below_them_along() -> None:
    rows = [["All", "All"], ["Item", "Price"], ["Pump", "18"], ["Rod", "4"]]
    assert with_spans(rows, [Span(0, 0, 1, 2)], 1) == 2
    assert with_spans(rows[1:], [Span(0, 0, 1, 1)], 1) == 1
    assert with_spans([["", "W", "W"], ["", "5", "7"], ["K", "1", "2"]], [Span(0, 1, 1, 2)], 1) == 1


@pytest.mark.parametrize(
    ("text", "yes"), [("18", True), ("-3.5 %", True), ("1,200", True), ("€ 4", True), ("K-1", False)]
)
def test_numbers(text: str, yes: bool) -> None:
    assert is_number(text) == yes
