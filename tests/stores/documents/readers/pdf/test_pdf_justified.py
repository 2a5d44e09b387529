"""Justified lines of a PDF with wide gaps: they are text, and not rows of a table."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf

LINES = (
    "Water enters through the alder gate,",
    "which stays open from spring to the",
    "first days of frost; behind that the",
    "birch basin slows a stream, so that",
    "gravel and sand sink before a river",
    "takes what is left of it to the sea.",
)


def write(canvas: Canvas, left: float, right: float) -> None:
    """Lines whose words stand at equal gaps from one margin to the other."""
    canvas.setFont("Times-Roman", 11)
    for number, line in enumerate(LINES):
        words = line.split()
        widths = [canvas.stringWidth(word, "Times-Roman", 11) for word in words]
        gap = (right - left - sum(widths)) / (len(words) - 1)
        x = left
        for word, width in zip(words, widths, strict=True):
            canvas.drawString(x, 700 - 13 * number, word)
            x += width + gap


@pytest.mark.parametrize("width", [180.0, 200.0, 215.0])
def test_lines_with_wide_gaps_are_a_paragraph(tmp_path: Path, width: float) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    write(canvas, 60, 60 + width)
    canvas.save()
    blocks = read_pdf(tmp_path / "a.pdf", ParseLimits()).blocks
    assert [(block.kind, block.text) for block in blocks] == [("paragraph", " ".join(LINES))]


def test_so_are_they_in_two_columns(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    write(canvas, 60, 270)
    write(canvas, 300, 510)
    canvas.save()
    blocks = read_pdf(tmp_path / "a.pdf", ParseLimits()).blocks
    assert {block.kind for block in blocks} == {"paragraph"}
    assert " ".join(" ".join(block.text for block in blocks).split()) == " ".join([*LINES, *LINES])


def test_cells_whose_widths_differ_stay_a_table(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    rows = [
        ("Town", "River", "Bridge", "Harbour"),
        ("Ansbach", "Rezat", "stone", "none"),
        ("Hof", "Saale", "iron", "small"),
        ("Passau", "Danube", "wood", "large"),
    ]
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            canvas.drawString(60 + 62 * column, 700 - 14 * number, text)
    canvas.save()
    tables = [block.table for block in read_pdf(tmp_path / "a.pdf", ParseLimits()).blocks]
    assert [table.rows for table in tables if table is not None] == [tuple(rows)]
