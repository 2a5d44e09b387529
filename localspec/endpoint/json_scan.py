"""Looks through JSON that is still arriving: where a value ends, what a text in it says."""

from __future__ import annotations

import json

_SPACES = " \t\r\n"
_SCALAR_ENDS = ",}] \t\r\n"


class ShortText(Exception):  # noqa: N818 - no fault: more is to come
    """The text ends before what is looked for is decided."""


def blank(text: str, position: int) -> int:
    """The first character from `position` on that is no space. Raises ShortText where none has arrived."""
    while position < len(text):
        if text[position] not in _SPACES:
            return position
        position += 1
    raise ShortText


def json_string(text: str, position: int) -> tuple[str, int] | None:
    """The text whose opening quote is at `position`, and where it ends; None where it is not valid.

    Raises ShortText."""
    end = JsonScan().feed(text, position)
    if end is None:
        raise ShortText
    try:
        value = json.loads(text[position:end], strict=False)
    except ValueError:
        return None
    return (value, end) if isinstance(value, str) else None


class JsonScan:
    """Finds the end of one JSON value in a text that arrives in pieces. What is inside is not checked."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = self._is_escaped = False
        self._is_scalar = False

    def feed(self, text: str, position: int = 0) -> int | None:
        """The place behind the value's last character; None while it goes on behind this piece."""
        for place in range(position, len(text)):
            character = text[place]
            if self._in_string:
                if self._is_escaped:
                    self._is_escaped = False
                elif character == "\\":
                    self._is_escaped = True
                elif character == '"':
                    self._in_string = False
                    if self._depth == 0:
                        return place + 1
            elif self._is_scalar:
                if character in _SCALAR_ENDS:
                    return place
            elif character == '"':
                self._in_string = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if self._depth <= 0:
                    return place + 1
            elif self._depth == 0:
                self._is_scalar = True
        return None
