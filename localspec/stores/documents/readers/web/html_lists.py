"""Lists of a page: what stands before each item, and terms before their definitions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_BULLET = "- "
_TERM_CHARACTERS = 120
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x")),
    *((9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)


@dataclass(slots=True)
class _List:
    kind: str  # 'ul', 'ol' or 'dl'
    number: int = 1
    step: int = 1
    style: str = "1"
    terms: list[str] = field(default_factory=list)


class Lists:
    """The lists that are open, and the mark of the item whose text has not come yet."""

    def __init__(self) -> None:
        self._open: list[_List] = []
        self.marker = ""

    @property
    def is_open(self) -> bool:
        """Whether the text stands in a list of items."""
        return any(one.kind != "dl" for one in self._open)

    @property
    def level(self) -> int:
        """Of an item here, from 0."""
        return max(0, len(self._open) - 1)

    def take_marker(self) -> str:
        """What stands before the text that comes now; empty behind the first block of an item."""
        marker, self.marker = self.marker, ""
        return marker

    def drop_bullet(self) -> str:
        """The mark without the sign that says nothing, taken, where a block comes that cannot follow it."""
        return self.take_marker().removesuffix(_BULLET).rstrip()

    def enter(self, tag: str, attributes: Mapping[str, str | None], *, is_note: bool) -> str:
        """A tag opens; text that is left over: a term whose definition begins with a list."""
        if tag in ("ul", "menu", "dir"):
            self._open.append(_List("ul"))
        elif tag == "ol":
            self._open.append(_ordered(attributes, is_note=is_note))
        elif tag == "dl":
            self._open.append(_List("dl"))
        elif tag == "li":
            outer = self.marker.removesuffix(_BULLET)
            self.marker = self._next_marker(attributes)
            if outer.endswith(": "):
                return outer.rstrip()
            self.marker = outer + self.marker
        elif tag == "dd" and self._open:
            terms = self._open[-1].terms
            if terms:
                name = ", ".join(terms).removesuffix(":")
                self.marker = f"[{name.strip('[]')}] " if is_note else f"{name}: "
                self._open[-1].terms = []
        return ""

    def leave(self, tag: str) -> str:
        """A tag closes; text that is left over: terms that nothing explains."""
        leftover = ""
        if tag in ("ul", "ol", "menu", "dir", "dl") and self._open:
            leftover = ", ".join(self._open.pop().terms)
        elif tag in ("li", "dd"):
            leftover = self.drop_bullet() if tag == "dd" else ""
            self.marker = ""
        return leftover

    def add_term(self, term: str) -> bool:
        """A term of a definition; False where it is too long to stand before one."""
        if len(term) > _TERM_CHARACTERS or not self._open:
            return False
        self._open[-1].terms.append(term)
        return True

    def _next_marker(self, attributes: Mapping[str, str | None]) -> str:
        here = self._open[-1] if self._open else None
        if here is None or here.kind != "ol":
            return _BULLET
        value = attributes.get("value") if attributes else None
        if value and re.fullmatch(r"-?\d{1,9}", value.strip(), re.ASCII):
            here.number = int(value)
        style = (attributes.get("type") if attributes else None) or here.style
        number = here.number
        here.number += here.step
        return f"[{number}] " if here.style == "note" else f"{numeral(number, style)}. "


def _ordered(attributes: Mapping[str, str | None], *, is_note: bool) -> _List:
    attributes = attributes or {}
    start = (attributes.get("start") or "").strip()
    number = int(start) if re.fullmatch(r"-?\d{1,9}", start, re.ASCII) else 1
    style = "note" if is_note else attributes.get("type") or _css_style(attributes.get("style") or "")
    return _List("ol", number, -1 if "reversed" in attributes else 1, style)


def _css_style(style: str) -> str:
    found = re.search(r"list-style(?:-type)?\s*:[^;]*?(lower|upper)-(alpha|latin|roman)", style)
    if not found:
        return "1"
    letter = "i" if found[2] == "roman" else "a"
    return letter.upper() if found[1] == "upper" else letter


def numeral(number: int, style: str) -> str:
    """A number as an ordered list of this type writes it: '1', 'a', 'A', 'i' or 'I'."""
    text = str(number)
    if style in ("a", "A") and number > 0:
        text, rest = "", number
        while rest:
            rest, letter = divmod(rest - 1, 26)
            text = chr(ord("a") + letter) + text
    elif style in ("i", "I") and 0 < number < 4000:
        text, rest = "", number
        for value, letters in _ROMAN:
            text += letters * (rest // value)
            rest %= value
    return text.upper() if style in ("A", "I") else text
