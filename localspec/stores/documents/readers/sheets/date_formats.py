"""Dates, times and durations as a spreadsheet's format shows them."""

from __future__ import annotations

import datetime
import locale
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

DATE_LETTERS = frozenset("ymdhseb")
"""What a date, a time or both are written with in a format code; b is a year of the Buddhist calendar, e any year."""
_LAST_DAY = 2_958_465  # 9999-12-31
_SECONDS = 86_400
_BUDDHIST_YEARS = 543


class DatePlan:
    """A section of a format that shows counts of days, ready to be used many times.

    tokens: pairs (kind, text) as `cell_formats` cuts them; language: a Windows language id, 0 if none is named."""

    def __init__(self, tokens: Sequence[tuple[str, str]], language: int) -> None:
        self._language = language
        self._fraction_digits = _fraction_digits(tokens)
        self._elapsed = any(kind == "elapsed" for kind, _ in tokens)
        self._twelve_hours = any(kind == "half" for kind, _ in tokens)
        self._parts: list[tuple[str, int, str]] = []  # what it is ('' for words), how long, words
        skipped = 0
        for index, (kind, text) in enumerate(tokens):
            if skipped:
                skipped -= 1
            elif kind == "point" and self._fraction_digits and tokens[index + 1 : index + 2] == [("digit", "0")]:
                self._parts.append(("fraction", self._fraction_digits, ""))
                skipped = self._fraction_digits
            elif kind == "date":
                minute = text[0] == "m" and len(text) <= 2 and _is_minute(tokens, index)
                self._parts.append(("minute" if minute else text[0], len(text), ""))
            elif kind == "elapsed":
                self._parts.append((f"[{text[0]}]", len(text), ""))
            elif kind == "half":
                self._parts.append(("half", 0, ""))
            elif kind != "at":
                self._parts.append(("", 0, text))

    def shown(self, value: float, *, from_1904: bool) -> str:
        """`value`, a count of days; '' for what is no date, as a negative one."""
        if not math.isfinite(value) or abs(value) > _LAST_DAY or (value < 0 and not self._elapsed):
            return ""
        scale = 10**self._fraction_digits
        # Rounded to what is shown, so that 14:29:59.9999 is 14:30.
        seconds, fraction = divmod(round(abs(value) * _SECONDS * scale), scale)
        day, second = divmod(seconds, _SECONDS)
        year, month, date, weekday = _calendar(day + (1462 if from_1904 else 0))
        names = _names(self._language)
        parts = ["-"] if value < 0 else []
        for letter, length, words in self._parts:
            if not letter:
                parts.append(words)
            elif letter in "ybe":
                year_shown = year + _BUDDHIST_YEARS if letter == "b" else year
                parts.append(f"{year_shown % 100:02d}" if length <= 2 and letter != "e" else f"{year_shown:04d}")
            elif letter == "m":
                name = names[f"{'b' if length == 3 else 'B'}{month}"] if length > 2 else str(month).rjust(length, "0")
                parts.append(name[:1] if length == 5 else name)
            elif letter == "d":
                name = names[f"{'a' if length == 3 else 'A'}{weekday}"] if length > 2 else str(date).rjust(length, "0")
                parts.append(name)
            elif letter == "h":
                hour = second // 3600
                parts.append(str((hour % 12 or 12) if self._twelve_hours else hour).rjust(min(length, 2), "0"))
            elif letter == "half":
                parts.append(names["am"] if second < _SECONDS // 2 else names["pm"])
            else:
                number = {"minute": second // 60 % 60, "s": second % 60, "fraction": fraction}.get(letter)
                if number is None:
                    number = seconds // {"[h]": 3600, "[m]": 60, "[s]": 1}[letter]
                point = "." if letter == "fraction" else ""
                parts.append(point + str(number).rjust(length if number is fraction else min(length, 9), "0"))
        return "".join(parts)


def _fraction_digits(tokens: Sequence[tuple[str, str]]) -> int:
    for index, (kind, _) in enumerate(tokens):
        if kind == "point":
            count = 0
            while index + 1 + count < len(tokens) and tokens[index + 1 + count] == ("digit", "0"):
                count += 1
            return count
    return 0


def _is_minute(tokens: Sequence[tuple[str, str]], index: int) -> bool:
    """An `m` is a minute behind an hour or before a second."""
    before = next((text for kind, text in reversed(tokens[:index]) if kind in ("date", "elapsed")), "")
    after = next((text for kind, text in tokens[index + 1 :] if kind in ("date", "elapsed")), "")
    return before[:1] == "h" or after[:1] == "s"


@lru_cache(maxsize=5_000)
def _calendar(day: int) -> tuple[int, int, int, int]:
    """Year, month, day and weekday (0 is Monday) of day 1 = 1900-01-01; Excel takes 1900 for a leap year."""
    if day == 60:
        return 1900, 2, 29, 2
    if day < 1:
        return 1900, 1, 0, 5
    date = datetime.date(1899, 12, 30) + datetime.timedelta(day if day > 60 else day + 1)
    return date.year, date.month, date.day, date.weekday()


@lru_cache(maxsize=32)
def _names(language: int) -> Mapping[str, str]:
    """Names of months ('B1', short 'b1') and days ('A0', 'a0') of a Windows language id, English if it is unknown."""
    from babel import Locale, UnknownLocaleError

    try:
        found = Locale.parse(locale.windows_locale.get(language, "en_US"))
    except (UnknownLocaleError, ValueError):
        found = Locale.parse("en_US")
    months, days = found.months["format"], found.days["format"]
    periods = found.day_periods.get("format", {}).get("abbreviated", {}) if language else {}
    names = {f"B{number}": str(name) for number, name in months["wide"].items()}
    names |= {f"b{number}": str(name).rstrip(".") for number, name in months["abbreviated"].items()}
    names |= {f"A{number}": str(name) for number, name in days["wide"].items()}
    names |= {f"a{number}": str(name).rstrip(".") for number, name in days["abbreviated"].items()}
    return names | {"am": str(periods.get("am", "AM")), "pm": str(periods.get("pm", "PM"))}
