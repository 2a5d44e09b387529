"""Printed page numbers: kept beside the physical ones where they differ."""

from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name

from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf import read_pdf
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
