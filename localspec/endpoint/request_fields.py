"""JSON of a request, read field by field: what is wrong with one is told with its name."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from localspec.endpoint.refusals import RequestError, refuse

LARGEST_BODY = 4 * 2**20
"""Bytes of a request"""
DEEPEST = 32
"""Lists and objects inside each other"""
WHOLE = 2**63
"""Whole numbers are less."""
WITHOUT_EFFECT = frozenset(
    ("metadata", "prediction", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier",
     "store", "user")
)  # fmt: skip
"""What changes no text, here"""
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {"modalities": (["text"],)}
"""Fields with the values that ask for nothing else than what is done anyway"""
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_SHOWN = 64


class Fields:
    """The members of a JSON object, taken one by one; what is left in the end is not supported."""

    def __init__(self, value: object, path: str = "") -> None:
        """`path` is the object's own name, for messages."""
        if not isinstance(value, dict):
            refuse("This must be an object.", path or None, "invalid_type")
        self._left = dict(value)
        self._path = f"{path}." if path else ""

    def take(self, name: str) -> object:
        """The value, unchecked; None where there is none."""
        return self._left.pop(name, None)

    def text(self, name: str) -> str | None:
        """The value, a text that can be written as UTF-8."""
        value = self.take(name)
        if value is not None and not isinstance(value, str):
            refuse("This must be a text.", self._path + name, "invalid_type")
        return None if value is None else sound(value, self._path + name)

    def flag(self, name: str) -> bool | None:
        """The value, None where there is none."""
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            refuse("This must be true or false.", self._path + name, "invalid_type")
        return value

    def number(self, name: str, least: float, most: float) -> float | None:
        """The value, in its bounds."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            refuse(f"This must be a number from {least:g} to {most:g}.", self._path + name)
        return float(value)

    def whole(self, name: str, least: int, most: int) -> int | None:
        """The value, in its bounds."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            refuse(f"This must be a whole number from {least} to {most}.", self._path + name)
        return value

    def finish(self, without_effect: frozenset[str] = frozenset()) -> None:
        """Refuse what was not taken, asks for something and is none of `without_effect`."""
        for name, value in self._left.items():
            neutral = not value or any(value == other for other in _NEUTRAL.get(name, ()) if not self._path)
            if not neutral and name not in without_effect:
                shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
                refuse(f"LocalSpec does not support {shown!r} here.", self._path + shown, "unsupported_parameter")


def read_json(body: bytes) -> object:
    """What the body of a request says. Raises RequestError (400)."""
    try:
        value = json.loads(body, parse_constant=_no_number, parse_float=_finite)
    # A number of more than 4300 digits and bytes that are no text are ValueErrors, too.
    except (ValueError, RecursionError):
        raise RequestError(400, "The body is not valid JSON.", code="invalid_json") from None
    level: list[object] = [value]
    for _ in range(DEEPEST):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return value
    raise RequestError(400, f"The body is nested more than {DEEPEST} levels deep.", code="invalid_json")


def sound(text: str, path: str) -> str:
    """`text`, which any tokenizer can read."""
    if _NO_TEXT.search(text):
        refuse("This text holds characters that are none (NUL, or half a surrogate pair).", path)
    return text


def sound_all(value: object, path: str) -> None:
    """Check every text inside `value`, names of members too."""
    level = [value]
    while level:
        for one in level:
            if isinstance(one, str):
                sound(one, path)
            elif isinstance(one, dict):
                for name in one:
                    sound(name, path)
        level = [inner for one in level for inner in _inside(one)]


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number
