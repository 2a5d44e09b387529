"""Paragraphs of slides: their text, and the bullets and numbers that they have from themselves or their layouts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from localspec.stores.documents.readers.encodings import tidy
from localspec.stores.documents.readers.office.equations import office_equation
from localspec.stores.documents.readers.office.list_numbers import shown_bullet, shown_number
from localspec.stores.documents.readers.office.office_xml import Element, child, children, value_of, whole_number

_BULLETS = {"a:buNone", "a:buChar", "a:buAutoNum", "a:buBlip"}
_FORM = re.compile(
    r"(alphaLc|alphaUc|arabic|romanLc|romanUc|thaiAlpha|thaiNum|hindiAlpha|hindiNum|circleNum|ea1\w{3})(\w*)"
)
_NUMBERS = {
    "alphaLc": "lowerLetter",
    "alphaUc": "upperLetter",
    "romanLc": "lowerRoman",
    "romanUc": "upperRoman",
    "thaiAlpha": "thaiLetters",
    "thaiNum": "thaiNumbers",
    "hindiNum": "hindiNumbers",
    "circleNum": "decimalEnclosedCircle",
    "ea1Chs": "chineseCounting",
    "ea1Cht": "taiwaneseCounting",
    "ea1Jpn": "japaneseCounting",
}


class SlideLine(NamedTuple):
    """A paragraph of a shape; `mark` is its bullet or number, empty where it has none."""

    text: str
    mark: str
    level: int


def line_text(paragraph: Element) -> str:
    """Text of an `a:p`; the number of the slide is left out."""
    parts: list[str] = []
    _collect(paragraph, parts)
    return tidy("".join(parts)).strip()


def _collect(element: Element, parts: list[str]) -> None:
    for one in element:
        name = one.tag
        if name == "a:t":
            parts.append(one.text or "")
        elif name == "a:br":
            parts.append("\n")
        elif name == "a:fld" and one.get("type") == "slidenum":
            continue
        elif name in ("m:oMath", "m:oMathPara"):
            parts.append(office_equation(one).strip())
        elif name == "mc:AlternateContent":
            before = len(parts)
            for choice in one:
                _collect(choice, parts)
                if len(parts) > before:
                    break
        elif name not in ("a:pPr", "a:rPr", "a:endParaRPr"):
            _collect(one, parts)


def lines_of(body: Element | None, styles: Sequence[Element]) -> Iterator[SlideLine]:
    """Filled paragraphs of a text body. `styles`: lists of paragraph properties by level (`a:lstStyle`, `p:bodyStyle`)
    that hold where the paragraph and the body say nothing, nearest first."""
    own = child(body, "a:lstStyle")
    styles = [own, *styles] if own is not None else styles
    counts: dict[int, tuple[str, int]] = {}
    for paragraph in children(body, "a:p"):
        text = line_text(paragraph)
        if not text:
            continue
        properties = child(paragraph, "a:pPr")
        level = min(max(whole_number(properties.get("lvl") if properties is not None else None), 0), 8)
        bullet = _bullet(properties, styles, level)
        counts = {place: count for place, count in counts.items() if place <= level}
        mark = ""
        if bullet is not None and bullet.tag == "a:buAutoNum":
            form = bullet.get("type", "arabicPeriod")
            before = counts.get(level)
            first = whole_number(bullet.get("startAt"), 1)
            number = before[1] + 1 if before is not None and before[0] == form else first
            counts[level] = (form, number)
            mark = _numbered(number, form)
        else:
            counts.pop(level, None)
            if bullet is not None and bullet.tag != "a:buNone":
                mark = shown_bullet(bullet.get("char", ""), _font(properties))
        yield SlideLine(text, mark, level)


def _bullet(properties: Element | None, styles: Sequence[Element], level: int) -> Element | None:
    sources = [properties, *(child(one, f"a:lvl{level + 1}pPr") for one in styles)]
    return next((one for source in sources if source is not None for one in source if one.tag in _BULLETS), None)


def _font(properties: Element | None) -> str:
    return value_of(properties, "a:buFont", name="typeface") or ""


def _numbered(number: int, form: str) -> str:
    found = _FORM.match(form)
    kind, rest = found.groups() if found else ("arabic", "Period")
    shown = shown_number(number, _NUMBERS.get(kind, "decimal"))
    if rest.endswith("ParenBoth"):
        return f"({shown})"
    if rest.endswith("ParenR"):
        return f"{shown})"
    if rest.endswith("Minus"):
        return f"- {shown} -"
    return f"{shown}." if rest.endswith("Period") else shown
