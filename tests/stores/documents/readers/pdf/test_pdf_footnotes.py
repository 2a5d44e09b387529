"""Notes at the foot of a page or behind the text, and the raised marks that point to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf

FILLING = [f"Line {number} of the text tells of the rake and of the pump" for number in range(12)]


def draw(canvas: Canvas, left: float, height: float, *parts: str, size: float = 10) -> None:
    """Parts behind each other, every second one small and raised."""
    text = canvas.beginText(left, height)
    for number, part in enumerate(parts):
        text.setFont("Helvetica", size * (0.6 if number % 2 else 1))
        text.setRise(0.4 * size if number % 2 else 0)
        text.textOut(part)
    canvas.drawText(text)


def page(canvas: Canvas, *sentences: tuple[str, ...]) -> None:
    """Lines of text with sentences below them."""
    for number, line in enumerate([*((line,) for line in FILLING), *sentences]):
        draw(canvas, 60, 740 - 14 * number, *line)


def read(path: Path) -> list[tuple[str, str]]:
    return [(block.kind, " ".join(block.text.split())) for block in read_pdf(path, ParseLimits()).blocks]


def texts(found: list[tuple[str, str]]) -> str:
    return " ".join(text for kind, text in found if kind != "note")


@pytest.mark.parametrize("glued", [True, False])
@pytest.mark.parametrize("form", ["raised", "small", "rule"])
def test_footnotes_and_their_marks(tmp_path: Path, form: str, glued: bool) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    page(canvas, ("The rake is driven", "1", " by a motor", "2", ", and the pond is 30 m", "2", " wide."))
    size = 8 if form == "small" else 10
    for number, note in enumerate(("Counted by hand.", "Of the harbour.")):
        blank = "" if glued else " "
        mark = ("", f"{number + 1}", f"{blank}{note}") if form == "raised" else (f"{number + 1}{blank}{note}",)
        draw(canvas, 60, 100 - 14 * number, *mark, size=size)
    if form == "rule":
        canvas.line(60, 114, 180, 114)
    canvas.save()
    found = read(tmp_path / "a.pdf")
    assert [text for kind, text in found if kind == "note"] == ["[1] Counted by hand.", "[2] Of the harbour."]
    assert "The rake is driven[1] by a motor[2], and the pond is 30 m2 wide." in texts(found)


@pytest.mark.parametrize("raised", [True, False])
def test_endnotes_stand_behind_the_text(tmp_path: Path, raised: bool) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    page(canvas, ("The rake is driven", "i", " by a motor", "ii", "."))
    canvas.showPage()
    for number, (mark, note) in enumerate((("i", "Counted by hand."), ("ii", "Of the harbour."))):
        draw(canvas, 60, 740 - 14 * number, *(("", mark, note) if raised else (mark + note,)))
    canvas.save()
    found = read(tmp_path / "a.pdf")
    assert [text for kind, text in found if kind == "note"] == ["[i] Counted by hand.", "[ii] Of the harbour."]
    assert "The rake is driven[i] by a motor[ii]." in texts(found)


def test_exponents_and_numbered_lines_are_no_notes(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    page(
        canvas,
        ("The pond has 10", "2", " fish and 30 m", "3", " of water."),
        ("2 Fish are kept.",),
        ("3 Water is not.",),
    )
    canvas.save()
    found = read(tmp_path / "a.pdf")
    assert not any(kind == "note" for kind, _ in found)
    assert "The pond has 102 fish and 30 m3 of water." in texts(found)
