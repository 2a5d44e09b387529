"""Headers and footers: their lines without the numbers of pages."""

from __future__ import annotations

PAGE_NUMBER = "\ue0ff"
"""Stands for the number of a page, or how many there are, in a header or footer."""
_LETTERS_BESIDE_A_NUMBER = 14  # "Page 3 of 12", "Seite 3 von 12", "Страница 3 из 12"


def running_text(text: str) -> str:
    """The lines with the parts between tabs that hold more than a page's number: "Page 3 of 12" is left out."""
    return "\n".join(filter(None, map(_line, text.split("\n"))))


def _line(line: str) -> str:
    parts = []
    for part in line.split("\t"):
        rest = "".join(sign for sign in part.replace(PAGE_NUMBER, "") if sign.isalnum())
        if PAGE_NUMBER in part and len(rest) <= _LETTERS_BESIDE_A_NUMBER:
            continue
        parts.append(part.replace(PAGE_NUMBER, "").strip())
    return "\t".join(filter(None, parts))
