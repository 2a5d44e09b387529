"""Accents of a PDF that are drawn over or under a letter of their own, as old fonts of TeX need it."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf


@pytest.mark.parametrize(
    ("before", "accent", "letter", "after", "whole"),
    [("rivi", "`", "e", "re", "rivière"), ("gar", "¸", "c", "on", "garçon"), ("o", "`", "u", "", "où")],
)
def test_an_accent_over_or_under_a_letter_is_one_with_it(
    tmp_path: Path, before: str, accent: str, letter: str, after: str, whole: str
) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), invariant=1)
    text = canvas.beginText(60, 700)
    text.setFont("Times-Roman", 12)
    text.textOut("La ")
    wide = canvas.stringWidth(accent, "Times-Roman", 12)
    back = (canvas.stringWidth(letter, "Times-Roman", 12) - wide) / 2
    to, from_it = -back * 1000 / 12, (back + wide) * 1000 / 12
    text._code.append(f"[({before}) {to:.0f} (\\{ord(accent):03o}) {from_it:.0f} ({letter}{after} coule)] TJ")
    canvas.drawText(text)
    canvas.save()
    assert read_pdf(tmp_path / "a.pdf", ParseLimits()).blocks[0].text == f"La {whole} coule"


def test_a_grave_accent_before_a_word_stays(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), invariant=1)
    canvas.drawString(60, 700, "Use `edit` to write it.")
    canvas.save()
    assert read_pdf(tmp_path / "a.pdf", ParseLimits()).blocks[0].text == "Use `edit` to write it."
