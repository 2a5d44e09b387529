"""Where a PDF's paragraphs begin and end, which are headings, and how their lines are joined."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf

FIRST = ("Water enters through the gate, which is open from spring until the first frost of the", "year.")
SECOND = ("Behind it the basin slows the stream, so that sand sinks before the water moves", "on.")
THIRD = ("Two screens hold back leaves and twigs; a watchman cleans them each morning at", "six.")


def read(canvas: Canvas, path: Path) -> list[tuple[str, str]]:
    """Kind and text of each block."""
    canvas.save()
    return [(block.kind, " ".join(block.text.split())) for block in read_pdf(path, ParseLimits()).blocks]


def write(canvas: Canvas, y: float, lines: tuple[str, ...], pitch: float = 13.0, left: float = 60.0) -> float:
    """Lines below each other; the height of the next one."""
    for number, line in enumerate(lines):
        canvas.drawString(left, y - pitch * number, line)
    return y - pitch * len(lines)


@pytest.mark.parametrize("space", [5.5, 7.0, 12.0])
def test_short_paragraphs_with_some_space_between_them_stay_apart(tmp_path: Path, space: float) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    canvas.setFont("Times-Roman", 11)
    y = 740.0
    for lines in (FIRST, SECOND, THIRD):
        y = write(canvas, y, lines) - space
    assert read(canvas, tmp_path / "a.pdf") == [("paragraph", " ".join(lines)) for lines in (FIRST, SECOND, THIRD)]


def test_lines_with_much_space_between_them_are_one_paragraph(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    canvas.setFont("Times-Roman", 11)
    lines = tuple(
        f"Line {number} of a letter that is written with two spaces goes on and on to its end" for number in "abcde"
    )
    write(canvas, 740, lines, 26)
    assert read(canvas, tmp_path / "a.pdf") == [("paragraph", " ".join(lines))]


@pytest.mark.parametrize("size", [10, 11])
@pytest.mark.parametrize("space", [0.0, 6.0])
def test_a_bold_line_over_a_text_is_a_heading(tmp_path: Path, size: int, space: float) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    canvas.setFont("Times-Roman", 11)
    y = write(canvas, 740, FIRST) - space
    canvas.setFont("Times-Bold", size)
    y = write(canvas, y, ("Rake drive",)) - space
    canvas.setFont("Times-Roman", 11)
    write(canvas, y, THIRD)
    assert read(canvas, tmp_path / "a.pdf") == [
        ("paragraph", " ".join(FIRST)),
        ("heading", "Rake drive"),
        ("paragraph", " ".join(THIRD)),
    ]


def test_bold_terms_that_are_explained_below_and_bold_sentences_are_no_headings(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    canvas.setFont("Times-Bold", 11)
    y = write(canvas, 740, ("verbose",))
    canvas.setFont("Times-Roman", 11)
    y = write(canvas, y, ("Tells of each boat when it leaves the harbour and when it comes back",), left=90) - 10
    canvas.setFont("Times-Bold", 11)
    y = write(canvas, y, ("Never open the gate at night.",)) - 10
    canvas.setFont("Times-Roman", 11)
    write(canvas, y, SECOND)
    assert not any(kind == "heading" for kind, _ in read(canvas, tmp_path / "a.pdf"))


def test_a_short_last_line_with_tails_or_accents_and_other_scripts_are_no_headings(tmp_path: Path) -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    canvas.setFont("Times-Roman", 11)
    y = write(canvas, 740, (FIRST[0], "gypsy year.")) - 8
    y = write(canvas, y, ("Über die Öffnungszeiten der Überlaufschwelle und die Größe der Äcker steht nichts da.",)) - 8
    y = write(canvas, y, SECOND) - 8
    canvas.setFont("STSong-Light", 11)
    write(canvas, y, ("水泵站每天向城市供应清洁的饮用水，水泵站每天向城市供应并检查管道的", "压力。"))
    found = read(canvas, tmp_path / "a.pdf")
    assert {kind for kind, _ in found} == {"paragraph"}
    assert found[-1][1] == "水泵站每天向城市供应清洁的饮用水，水泵站每天向城市供应并检查管道的压力。"


def test_a_date_that_is_broken_behind_its_hyphen_is_whole(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    write(canvas, 740, ("Losses were counted in the town, and against them stands what was sold on 2026-", "03-01."))
    assert read(canvas, tmp_path / "a.pdf")[0][1].endswith("sold on 2026-03-01.")
