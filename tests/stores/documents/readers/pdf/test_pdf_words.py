"""Words of PDF lines: where blanks are missing or too many, accents that are drawn apart, and text that is turned."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf

SENTENCE = "The installer will automatically partition a disk if this is selected"


def page(path: Path) -> Canvas:
    """A canvas with a line of usual text."""
    canvas = Canvas(str(path), pagesize=(500, 400), invariant=1)
    canvas.setFont("Times-Roman", 11)
    canvas.drawString(50, 350, "A line of usual text stands on top of this page.")
    return canvas


def text_of(canvas: Canvas, path: Path) -> str:
    """All text of a finished page."""
    canvas.save()
    return " ".join(" ".join(block.text for block in read_pdf(path, ParseLimits()).blocks).split())


def pieces(canvas: Canvas, parts: list[tuple[str, str, float]], *, x: float = 50, y: float = 300) -> None:
    """Draws (text, font, gap behind it in points) one after another, without a blank."""
    for text, font, gap in parts:
        canvas.setFont(font, 11)
        canvas.drawString(x, y, text)
        x += stringWidth(text, font, 11) + gap


@pytest.mark.parametrize("gap", [2.0, 2.75, 3.5])
@pytest.mark.parametrize("font", ["Times-Italic", "Courier", "Times-Roman"])
def test_words_of_two_fonts_without_a_blank_are_two(tmp_path: Path, font: str, gap: float) -> None:
    canvas = page(tmp_path / "a.pdf")
    pieces(canvas, [("to resolve", "Times-Roman", gap), ("outline", font, gap), ("references", "Times-Roman", 0)])
    assert "to resolve outline references" in text_of(canvas, tmp_path / "a.pdf")


@pytest.mark.parametrize("kerning", [-0.8, 0.0, 0.4])
def test_parts_of_a_word_in_two_fonts_are_one(tmp_path: Path, kerning: float) -> None:
    canvas = page(tmp_path / "a.pdf")
    pieces(
        canvas, [("an un", "Times-Roman", kerning), ("break", "Times-Bold", kerning), ("able word", "Times-Roman", 0)]
    )
    assert "an unbreakable word" in text_of(canvas, tmp_path / "a.pdf")


def test_letters_in_boxes_of_one_width_make_words(tmp_path: Path) -> None:
    """As TeX's listings set a proportional font: each letter in the middle of a box."""
    canvas = page(tmp_path / "a.pdf")
    for number, letter in enumerate(SENTENCE):
        if letter != " ":
            width = stringWidth(letter, "Times-Roman", 9)
            canvas.setFont("Times-Roman", 9)
            canvas.drawString(50 + 5.4 * number + (5.4 - width) / 2, 300, letter)
    assert SENTENCE in text_of(canvas, tmp_path / "a.pdf")


@pytest.mark.parametrize("space", [1.0, 2.0, 3.0])
def test_spaced_out_headings_are_words(tmp_path: Path, space: float) -> None:
    canvas = page(tmp_path / "a.pdf")
    text = canvas.beginText(50, 300)
    text.setFont("Helvetica", 12)
    text.setCharSpace(space)
    text.textOut("CHAPTER FOURTEEN")
    canvas.drawText(text)
    assert "CHAPTER FOURTEEN" in text_of(canvas, tmp_path / "a.pdf")


def test_single_letters_in_columns_stay_apart(tmp_path: Path) -> None:
    canvas = page(tmp_path / "a.pdf")
    for row in range(6):
        for column, letter in enumerate("abcdefgh"):
            canvas.drawString(60 + 40 * column, 300 - 15 * row, letter)
    assert "abc" not in text_of(canvas, tmp_path / "a.pdf")


def test_a_footnote_mark_is_not_part_of_the_word_behind_it(tmp_path: Path) -> None:
    canvas = page(tmp_path / "a.pdf")
    canvas.setFont("Times-Roman", 7)
    canvas.drawString(50, 304, "1")
    canvas.setFont("Times-Roman", 10)
    canvas.drawString(50 + stringWidth("1", "Times-Roman", 7) + 0.5, 300, "Found in the second edition")
    assert "1 Found in the second edition" in text_of(canvas, tmp_path / "a.pdf")


@pytest.mark.parametrize("behind", [False, True])
def test_accents_go_to_the_letter_under_them(tmp_path: Path, behind: bool) -> None:
    """Old TeX draws the accent, goes back and draws the letter; others draw the letter first."""
    canvas = page(tmp_path / "a.pdf")
    x, y = 50.0, 300.0
    canvas.setFont("Times-Roman", 12)
    for letter, accent in [("r", ""), ("o", "ˆ"), ("l", ""), ("e", ""), ("n", "˜"), ("a", "¨")]:
        width = stringWidth(letter, "Times-Roman", 12)
        over = x + (width - stringWidth(accent, "Times-Roman", 12)) / 2
        for text, place in [(letter, x), (accent, over)] if behind else [(accent, over), (letter, x)]:
            if text:
                canvas.drawString(place, y, text)
        x += width
    assert "rôleñä" in text_of(canvas, tmp_path / "a.pdf")


def test_accents_beside_letters_are_signs(tmp_path: Path) -> None:
    canvas = page(tmp_path / "a.pdf")
    canvas.drawString(50, 300, "Type ˆS or ˆX to leave, see ˜user for more")
    assert "Type ^S or ^X to leave, see ~user for more" in text_of(canvas, tmp_path / "a.pdf")


def test_turned_words_beside_usual_ones_are_read(tmp_path: Path) -> None:
    canvas = page(tmp_path / "a.pdf")
    canvas.drawString(50, 50, "Two words")
    canvas.saveState()
    canvas.translate(110, 50)
    canvas.rotate(90)
    for number, name in enumerate(["Column one", "Column two", "Column three"]):
        canvas.drawString(90 * number, 0, name)
    canvas.restoreState()
    text = text_of(canvas, tmp_path / "a.pdf")
    assert "Two words" in text
    assert "Column one Column two Column three" in text


def test_few_words_of_single_letters_are_not_spaced_out(tmp_path: Path) -> None:
    canvas = page(tmp_path / "a.pdf")
    pieces(
        canvas,
        [("Let", "Times-Roman", 4), ("X", "Times-Italic", 4), ("be", "Times-Roman", 4), ("an", "Times-Roman", 4)],
    )
    assert "Let X be an" in text_of(canvas, tmp_path / "a.pdf")
