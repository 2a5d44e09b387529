"""Printed page numbers: kept beside the physical ones where they differ."""

from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name
from reportlab.pdfgen.canvas import Canvas

from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf
from tests.builders import make_pdf


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ([], ["", "", "", "", ""]),
        ([0, {"S": Name.D}], ["", "", "", "", ""]),
        ([0, {"S": Name.r}, 2, {"S": Name.D}], ["i", "ii", "1", "2", "3"]),
        ([0, {"S": Name.D, "St": 117}], ["117", "118", "119", "120", "121"]),
        ([0, {"S": Name.D}, 3, {"S": Name.D, "P": "A-"}], ["", "", "", "A-1", "A-2"]),
        ([0, {"P": "Cover"}, 1, {"S": Name.R}, 4, {"S": Name.a}], ["Cover", "I", "II", "III", "a"]),
    ],
)
def test_labels(tmp_path: Path, labels: list[object], wanted: list[str]) -> None:
    path = make_pdf(tmp_path / "a.pdf", [f"Text of page {number} of five" for number in range(5)])
    if labels:
        entries = [Dictionary(**entry) if isinstance(entry, dict) else entry for entry in labels]
        with pikepdf.open(path, allow_overwriting_input=True) as pdf:
            pdf.Root.PageLabels = Dictionary(Nums=Array(entries))
            pdf.save(path)
    blocks = read_pdf(path, ParseLimits()).blocks
    assert [(block.page, block.label) for block in blocks] == list(enumerate(wanted, 1))


def pages_with_numbers(path: Path, numbers: list[str], form: str) -> Path:
    """A page of text for each number, which stands at its foot."""
    canvas = Canvas(str(path), pagesize=(400, 500), invariant=1)
    for place, number in enumerate(numbers):
        for line in range(8):
            canvas.drawString(
                50, 420 - 14 * line, f"Line {line} of the text on the sheet {'abcdefghijk'[place]} of this book"
            )
        if number:
            canvas.drawCentredString(200, 30, form.format(number))
        canvas.showPage()
    canvas.save()
    return path


@pytest.mark.parametrize("form", ["{}", "{} / 233", "The Book of Harbours {}", "Page {}"])
@pytest.mark.parametrize(
    ("numbers", "wanted"),
    [
        (["17", "18", "19", "20", "21", "22"], ["17", "18", "19", "20", "21", "22"]),
        (["", "", "1", "2", "3", "4", "5"], ["", "", "1", "2", "3", "4", "5"]),
        (["11", "12", "", "14", "15", "16"], ["11", "12", "13", "14", "15", "16"]),  # a chapter's first page
        (["1", "2", "3", "4", "5"], [""] * 5),  # the physical ones
        (["40", "7", "93", "12", "60"], [""] * 5),  # no pages' numbers
    ],
)
def test_numbers_at_the_foot_are_labels(tmp_path: Path, numbers: list[str], wanted: list[str], form: str) -> None:
    blocks = read_pdf(pages_with_numbers(tmp_path / "a.pdf", numbers, form), ParseLimits()).blocks
    assert [next(block.label for block in blocks if block.page == page) for page in range(1, len(wanted) + 1)] == wanted


def test_roman_numbers_come_before_the_others(tmp_path: Path) -> None:
    numbers = ["", "ii", "iii", "iv", "1", "2", "3", "4", "5"]
    blocks = read_pdf(pages_with_numbers(tmp_path / "a.pdf", numbers, "{}"), ParseLimits()).blocks
    assert [next(block.label for block in blocks if block.page == page) for page in range(1, 10)] == numbers
