"""Numbers of lists and headings in OpenDocument, whose styles say how each level counts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from localspec.stores.documents.readers.office.list_numbers import shown_bullet, shown_number
from localspec.stores.documents.readers.office.office_xml import Element, child, children, whole_number
from localspec.stores.documents.readers.office.opendocument import OpenDocumentFile

LEVELS = 10
_FORMS = {  # the first number of a format, as it is written in `style:num-format`
    "a": "lowerLetter",
    "A": "upperLetter",
    "i": "lowerRoman",
    "I": "upperRoman",
    "01": "decimalZero",
    "1st": "ordinal",
    "一": "chineseCounting",
    "①": "decimalEnclosedCircle",
    "甲": "ideographTraditional",
    "子": "ideographZodiac",
    "ア": "aiueo",
    "イ": "iroha",
    "ㄱ": "chosung",
    "가": "ganada",
    "ก": "thaiLetters",
    "א": "hebrew1",
    "أ": "arabicAlpha",
    "А": "russianUpper",
    "а": "russianLower",
    "١": "decimal",
    "๑": "thaiNumbers",
    "壹": "chineseLegalSimplified",
    "１": "decimalFullWidth",
}
_PLACE = re.compile(r"%(\d+)%")


@dataclass
class _Level:
    form: str = "none"  # as in Word
    prefix: str = ""
    suffix: str = ""
    shown: int = 1  # how many levels the number has
    start: int = 1
    bullet: str | None = None
    template: str = ""  # "%1%.%2%)", LibreOffice's own


@dataclass
class OpenDocumentCounters:
    """The numbers of one list so far, by level from 0; None where a level did not occur since its last restart."""

    values: list[int | None] = field(default_factory=lambda: [None] * LEVELS)
    forms: list[_Level | None] = field(default_factory=lambda: [None] * LEVELS)  # each level's last one


class OpenDocumentLists:
    """List styles of a document, and the outline style of its headings."""

    def __init__(self, document: OpenDocumentFile) -> None:
        self._styles: dict[str, list[_Level]] = {}
        self._outline = [_Level() for _ in range(LEVELS)]
        for root in (document.styles, document.content):
            for group in ("office:styles", "office:automatic-styles"):
                for one in children(child(root, group), "text:list-style"):
                    self._styles[one.get("style:name", "")] = _levels(one)
                for one in children(child(root, group), "text:outline-style"):
                    self._outline = _levels(one)
        self._headings = OpenDocumentCounters()
        self._latest: OpenDocumentCounters | None = None
        self._are_slides = document.body.tag != "office:text"
        self._last: dict[str, OpenDocumentCounters] = {}  # by style
        self._named: dict[str, OpenDocumentCounters] = {}  # by id of the list

    def counters(self, element: Element, style: str, *, goes_on: bool = False) -> OpenDocumentCounters:
        """Counters for a `text:list` that is in no other: new ones, or those of the list that it goes on with. On
        slides that is the list right before it, if it `goes_on`: there each paragraph may have a list of its own."""
        continued = element.get("text:continue-list")
        found = self._named.get(continued) if continued else None
        if found is None and element.get("text:continue-numbering") == "true":
            found = self._last.get(style)
        if found is None and goes_on and self._are_slides:
            found = self._latest
        found = self._latest = found or OpenDocumentCounters()
        self._last[style] = found
        if name := element.get("xml:id"):
            self._named[name] = found
        return found

    def number(self, counters: OpenDocumentCounters, style: str, level: int, start: str | None = None) -> str:
        """The number or bullet of the next item, whose level counts from 0; empty where the style shows none."""
        return _next(self._styles.get(style), counters, level, start)

    def heading_number(self, heading: Element, level: int) -> str:
        """The number of the next `text:h`, whose level counts from 0."""
        start = heading.get("text:start-value") if heading.get("text:restart-numbering") == "true" else None
        return _next(self._outline, self._headings, level, start)


def _next(levels: list[_Level] | None, counters: OpenDocumentCounters, level: int, start: str | None) -> str:
    level = min(max(level, 0), LEVELS - 1)
    if levels is None:
        return "-"
    values, own = counters.values, levels[level]
    before = values[level] if counters.forms[level] in (None, own) else None
    counters.forms[level] = own
    number = own.start if before is None else before + 1
    values[level] = whole_number(start, number)
    values[level + 1 :] = [None] * (LEVELS - level - 1)
    if own.bullet is not None:
        return shown_bullet(own.bullet)

    def shown(place: int) -> str:
        value = values[place]
        return shown_number(levels[place].start if value is None else value, levels[place].form)

    if own.form == "none" and not own.template:
        return (own.prefix + own.suffix).strip()
    if own.template:
        return _PLACE.sub(lambda found: shown(min(int(found[1]) - 1, LEVELS - 1)), own.template).strip()
    numbers = filter(None, (shown(place) for place in range(max(0, level - own.shown + 1), level + 1)))
    return f"{own.prefix}{'.'.join(numbers)}{own.suffix}".strip()


def _levels(style: Element) -> list[_Level]:
    found = [_Level() for _ in range(LEVELS)]
    for one in style:
        place = whole_number(one.get("text:level")) - 1
        if not 0 <= place < LEVELS:
            continue
        form = (one.get("style:num-format") or "").partition(",")[0].strip()
        is_bullet = one.tag in ("text:list-level-style-bullet", "text:list-level-style-image")
        found[place] = _Level(
            form=_FORMS.get(form, "decimal") if form else "none",
            prefix=one.get("style:num-prefix", ""),
            suffix=one.get("style:num-suffix", ""),
            shown=max(1, whole_number(one.get("text:display-levels"), 1)),
            start=whole_number(one.get("text:start-value"), 1),
            bullet=one.get("text:bullet-char", "•") if is_bullet else None,
            template=one.get("loext:num-list-format", "") if form else "",
        )
    return found
