"""Running lines of documents of few pages, and what stands at the edge of a page and is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf

TITLE = "Manual of the pump"
NOTICE = "Printed by the harbour"


def written(
    path: Path, pages: int, *, size: float = 10, notice: str = "", title: str = TITLE, words: int = 10
) -> list[tuple[str, str]]:
    """(kind, text) of what is read of pages with a title above and a notice below their text."""
    canvas = Canvas(str(path), pagesize=(600, 800), invariant=1)
    for page in range(pages):
        canvas.setFont("Helvetica", size)
        canvas.drawString(60, 770, title)
        canvas.drawString(60, 30, notice.format(page=page + 1, pages=pages))
        canvas.setFont("Helvetica", 10)
        for line in range(words):
            canvas.drawString(
                60, 700 - 14 * line, f"Line {line} of part {'abcdef'[page]} tells of the pump and its use."
            )
        canvas.showPage()
    canvas.save()
    return [(block.kind, block.text) for block in read_pdf(path, ParseLimits()).blocks]


@pytest.mark.parametrize("pages", [2, 3, 4])
def test_two_copies_are_enough_where_there_are_few_pages(tmp_path: Path, pages: int) -> None:
    found = written(tmp_path / "a.pdf", pages, notice=NOTICE)
    assert sorted(text for kind, text in found if kind == "running") == [TITLE, NOTICE]
    assert sum(text.count(TITLE) + text.count(NOTICE) for _, text in found) == 2


def test_on_one_page_they_are_smaller_than_its_text(tmp_path: Path) -> None:
    assert ("running", TITLE) in written(tmp_path / "a.pdf", 1, size=8)
    assert ("running", TITLE) not in written(tmp_path / "b.pdf", 1, size=10)


@pytest.mark.parametrize(
    "notice", ["{page}/{pages}", "Page {page} of {pages}", "Seite {page} von {pages}", "- {page} -"]
)
@pytest.mark.parametrize("pages", [1, 2])
def test_numbers_of_pages_are_left_out(tmp_path: Path, notice: str, pages: int) -> None:
    found = written(tmp_path / "a.pdf", pages, notice=notice)
    assert not any(notice.format(page=1, pages=pages) in text for _, text in found)


def test_fractions_and_large_titles_stay(tmp_path: Path) -> None:
    found = written(tmp_path / "a.pdf", 2, notice="3/4", size=24)
    assert [text for _, text in found].count(TITLE) == 2
    assert [text for _, text in found].count("3/4") == 2
    assert any("3/4" in text for _, text in written(tmp_path / "b.pdf", 1, notice="3/4"))
