"""Styles of a Word document, and the numbers that Word writes before paragraphs by itself: "4.2", "(a)", "III."."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from localspec.stores.documents.readers.office.list_numbers import shown_bullet, shown_number
from localspec.stores.documents.readers.office.office_xml import Element, child, children, is_on, value_of, whole_number
from localspec.stores.documents.readers.office.symbol_fonts import without_private_use

LEVELS = 9
_HEADING = re.compile(r"heading (\d)")
_CODE = {"source code", "html preformatted", "preformatted text", "code", "code block", "verbatim"}
_PLACE = re.compile(r"%([1-9])")


class DocxStyles:
    """`styles.xml`: what a paragraph has from its style and the styles that it is based on."""

    def __init__(self, root: Element | None) -> None:
        self._styles = {one.get("w:styleId", ""): one for one in children(root, "w:style")}
        self.default = next(
            (
                name
                for name, one in self._styles.items()
                if one.get("w:type") == "paragraph" and (one.get("w:default") or "0").lower() in ("1", "true", "on")
            ),
            "",
        )
        self._levels: dict[str, int] = {}

    def chain(self, style: str) -> list[Element]:
        """The style and those it is based on, nearest first."""
        found: list[Element] = []
        while style in self._styles and len(found) < 20:
            found.append(self._styles[style])
            style = value_of(found[-1], "w:basedOn") or ""
        return found

    def property(self, style: str, *path: str) -> Element | None:
        """The nearest element of that path in the chain."""
        return next((one for link in self.chain(style) if (one := child(link, *path)) is not None), None)

    def name(self, style: str) -> str:
        """The name that does not depend on Word's language, in lower case."""
        return (value_of(self._styles.get(style), "w:name") or style).lower()

    def heading_level(self, style: str) -> int:
        """1 to 9, 0 for what is no heading. The title and the headings of a table of contents have level 1."""
        if style not in self._levels:
            self._levels[style] = self._heading_level(style)
        return self._levels[style]

    def _heading_level(self, style: str) -> int:
        if style not in self._styles:
            found = re.fullmatch(r"heading ?(\d)", style.lower())
            return int(found[1]) if found else int(style.lower() == "title")
        for link in self.chain(style):
            name = self.name(link.get("w:styleId", ""))
            if found := _HEADING.fullmatch(name):
                return int(found[1])
            if name == "title":
                return 1
            level = value_of(link, "w:pPr", "w:outlineLvl")
            if level is not None:
                return whole_number(level, LEVELS) + 1 if 0 <= whole_number(level, LEVELS) < LEVELS else 0
        return 0

    def is_caption(self, style: str) -> bool:
        """Whether its paragraphs stand below or above a table or picture."""
        return any(self.name(link.get("w:styleId", "")) == "caption" for link in self.chain(style))

    def is_code(self, style: str) -> bool:
        """Whether its paragraphs keep their spaces, as code does."""
        return any(self.name(link.get("w:styleId", "")) in _CODE for link in self.chain(style))

    def is_hidden(self, style: str) -> bool:
        """Whether its text is hidden."""
        return is_on(self.property(style, "w:rPr", "w:vanish"))

    def number_of(self, style: str) -> str | None:
        """For styles of lists: the id of their numbering."""
        return value_of(self._styles.get(style), "w:pPr", "w:numPr", "w:numId")


class ListPlace(NamedTuple):
    """Where a paragraph stands in a list, and what is written before it; an empty text is no number."""

    level: int
    text: str


@dataclass
class _Level:
    start: int = 1
    form: str = "decimal"
    text: str = ""
    restart: int | None = None  # this many levels above begin it anew; None: all, 0: none
    legal: bool = False
    font: str = ""
    style: str = ""


@dataclass
class _Counters:
    """The numbers of one list so far; levels that did not occur since their last restart have None."""

    values: list[int | None] = field(default_factory=lambda: [None] * LEVELS)
    seen: set[tuple[str, int]] = field(default_factory=set)  # numberings and the levels at which they have begun


class DocxNumbering:
    """`numbering.xml` and the counters (ISO/IEC 29500-1, 17.9). Paragraphs are to be asked for in their order."""

    def __init__(self, root: Element | None, styles: DocxStyles) -> None:
        self._styles = styles
        self._abstract = {one.get("w:abstractNumId", ""): one for one in children(root, "w:abstractNum")}
        self._numbers = {one.get("w:numId", ""): one for one in children(root, "w:num")}
        self._levels: dict[str, list[_Level]] = {}
        self._counters: dict[str, _Counters] = {}

    def place(self, properties: Element | None, style: str) -> ListPlace | None:
        """The number of the next paragraph, with its `w:pPr`; None for one that stands in no list."""
        direct = child(properties, "w:numPr")
        number = value_of(direct, "w:numId")
        level = value_of(direct, "w:ilvl")
        if number is None:
            inherited = next(
                (
                    (link.get("w:styleId", ""), found)
                    for link in self._styles.chain(style)
                    if (found := child(link, "w:pPr", "w:numPr")) is not None and child(found, "w:numId") is not None
                ),
                None,
            )
            if inherited is None:
                return None
            number = value_of(inherited[1], "w:numId")
            if level is None:
                level = self._level_of_style(number or "", [style, inherited[0]]) or value_of(inherited[1], "w:ilvl")
        if number is None or number not in self._numbers:  # 0 takes the paragraph out of its style's list
            return None
        return self._next(number, min(max(whole_number(level), 0), LEVELS - 1))

    def _level_of_style(self, number: str, styles: list[str]) -> str | None:
        for style in styles:
            for place, level in enumerate(self._levels_of(number)):
                if level.style == style:
                    return str(place)
        return None

    def _next(self, number: str, level: int) -> ListPlace:
        levels = self._levels_of(number)
        counters = self._counters.setdefault(self._abstract_of(number), _Counters())
        if (number, level) not in counters.seen:
            counters.seen.add((number, level))
            # Only the level that is written begins anew: pandoc lets inner lists begin with starts for all levels.
            for override in children(self._numbers[number], "w:lvlOverride"):
                if child(override, "w:startOverride") is not None and whole_number(override.get("w:ilvl")) == level:
                    counters.values[level:] = [None] * (LEVELS - level)
        values = counters.values
        value = values[level]
        values[level] = levels[level].start if value is None else value + 1
        for below in range(level + 1, LEVELS):
            restart = levels[below].restart
            if restart is None or level < restart:
                values[below] = None
        return ListPlace(level, self._text(levels, values, level))

    def _text(self, levels: list[_Level], values: list[int | None], level: int) -> str:
        own = levels[level]
        if own.form == "bullet":
            return shown_bullet(own.text, own.font)

        def number(found: re.Match[str]) -> str:
            place = int(found[1]) - 1
            value = values[place]
            shown = levels[place].start if value is None else value
            form = levels[place].form
            return shown_number(shown, "decimal" if own.legal and form not in ("none", "bullet") else form)

        return _PLACE.sub(number, own.text).strip()

    def _abstract_of(self, number: str) -> str:
        name = value_of(self._numbers.get(number), "w:abstractNumId") or ""
        for _ in range(5):  # a list style holds the levels of those that are linked to it
            link = value_of(self._abstract.get(name), "w:numStyleLink")
            target = self._styles.number_of(link) if link else None
            if target is None or target not in self._numbers:
                break
            name = value_of(self._numbers[target], "w:abstractNumId") or ""
        return name

    def _levels_of(self, number: str) -> list[_Level]:
        if number not in self._levels:
            levels = [_Level() for _ in range(LEVELS)]
            for one in children(self._abstract.get(self._abstract_of(number)), "w:lvl"):
                place = whole_number(one.get("w:ilvl"))
                if 0 <= place < LEVELS:
                    levels[place] = _level(one)
            for override in children(self._numbers.get(number), "w:lvlOverride"):
                place = min(max(whole_number(override.get("w:ilvl")), 0), LEVELS - 1)
                own = child(override, "w:lvl")
                if own is not None:
                    levels[place] = _level(own)
                start = value_of(override, "w:startOverride")
                if start is not None:
                    levels[place].start = whole_number(start, 1)
            self._levels[number] = levels
        return self._levels[number]


def _level(element: Element) -> _Level:
    restart = value_of(element, "w:lvlRestart")
    fonts = child(element, "w:rPr", "w:rFonts")
    font = (fonts.get("w:ascii") or fonts.get("w:hAnsi") or "") if fonts is not None else ""
    form, text = _form(element), value_of(element, "w:lvlText") or ""
    if child(element, "w:lvlPicBulletId") is not None:
        form = "bullet"
    return _Level(
        start=whole_number(value_of(element, "w:start")),
        form=form,
        text=text if form == "bullet" else without_private_use(text, font),
        restart=None if restart is None else whole_number(restart),
        legal=is_on(child(element, "w:isLgl")),
        font=font,
        style=value_of(element, "w:pStyle") or "",
    )


def _form(element: Element) -> str:
    """The format; of a choice between a format with an example ("001, 002") and a known one, the first is taken."""
    found = next(element.iter("w:numFmt"), None)
    if found is None:
        return "decimal"
    example = (found.get("w:format") or "").partition(",")[0].strip()
    if found.get("w:val") == "custom" and example.isdigit():
        return "decimalZero" if example.startswith("0") else "decimal"
    return found.get("w:val") or "decimal"
