"""What a spreadsheet shows for a value: Excel's number format codes (ECMA-376 part 1, 18.8.30 and 18.8.31)."""

from __future__ import annotations

import decimal
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from localspec.stores.documents.readers.sheets.date_formats import DATE_LETTERS, DatePlan

GENERAL = "General"
_DIGITS = 15  # significant ones that spreadsheets keep
_ROUNDING = decimal.Context(prec=400, rounding=decimal.ROUND_HALF_UP)
_ZERO = decimal.Decimal(0)
_TOKEN = re.compile(
    r"""
    "(?P<quoted>[^"]*)"? | \\(?P<escaped>.) | _(?P<width>.) | \*(?P<fill>.) | \[(?P<bracket>[^\]]*)\]
    | (?P<general>General) | (?P<half>AM/PM|A/P|上午/下午) | (?P<exponent>[Ee][+-])
    | (?P<date>y+|m+|d+|h+|s+|e+|b+|g+) | (?P<digit>[0#?]) | (?P<other>.)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(r"\s*(<=|>=|<>|=|<|>)\s*(-?[\d.]+(?:[eE][+-]?\d+)?)\s*")
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "<>": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
}


class Token(NamedTuple):
    """Of a format's section. `kind`: 'text', 'digit', 'point', 'comma', 'percent', 'exponent', 'slash', 'at',
    'general', 'date', 'elapsed' or 'half' (AM/PM)."""

    kind: str
    text: str


class _Simple(NamedTuple):
    """A section of the commonest form: digits in one place, rounded, maybe in groups, words around them."""

    before: str
    after: str
    places: int
    grouped: bool
    percents: int


@dataclass(frozen=True, slots=True)
class _Section:
    """One of up to four parts of a format code."""

    tokens: tuple[Token, ...]
    kind: str  # 'number', 'date', 'text', 'general' or 'words' (nothing of the value)
    condition: tuple[str, float] | None
    dates: DatePlan | None
    simple: _Simple | None

    def holds(self, value: float) -> bool:
        if self.condition is None:
            return True
        comparison, bound = self.condition
        return _COMPARISONS[comparison](value, bound)


def general(value: float) -> str:
    """A number without a format: up to 15 significant digits, so that 0.1 + 0.2 is 0.3."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    text = f"{value:.{_DIGITS}g}"
    if "e" not in text:
        return text
    number = decimal.Decimal(text).normalize()
    if -4 <= number.adjusted() < 21:
        return f"{number:f}"
    digits, exponent = f"{number:E}".split("E")
    return f"{digits}E{int(exponent):+03d}"


def shown_number(value: float, code: str, *, from_1904: bool = False) -> str:
    """`value` by the format `code`; dates count days from 1900, or from 1904. One line, without outer spaces."""
    if code in ("", GENERAL) or not math.isfinite(value):
        return general(value)
    return _shown_number(value, code, from_1904)


@lru_cache(maxsize=20_000)
def _shown_number(value: float, code: str, from_1904: bool) -> str:
    try:
        return " ".join(_by_sections(value, code, from_1904).split())
    except decimal.InvalidOperation:  # more digits than anybody wants to see
        return general(value)


def shown_text(text: str, code: str) -> str:
    """A text by the format `code`, which may add words around it."""
    if "@" not in code:
        return (
            text
            if code.count(";") < 3
            else ("" if len(_sections(code)) > 3 and not _sections(code)[3].tokens else text)
        )
    sections = _sections(code)
    section = next((one for one in (*sections[3:4], *sections[::-1]) if one.kind == "text"), None)
    if section is None:
        return text
    return " ".join("".join(text if kind == "at" else part for kind, part in section.tokens).split())


def is_date(code: str) -> bool:
    """True if the format shows numbers as dates, times or durations."""
    return code not in ("", GENERAL) and _sections(code)[0].kind == "date"


def _by_sections(value: float, code: str, from_1904: bool) -> str:
    sections = _sections(code)
    numeric = [section for section in sections[:3] if section.kind != "text"] or list(sections[:1])
    section, signed = _chosen(numeric, value)
    if section is None or section.kind in ("general", "text"):
        shown = general(value if signed or section is None else abs(value))
        if section is None:
            return shown
        return "".join(shown if kind in ("general", "at") else part for kind, part in section.tokens)
    if section.kind == "date":
        return (section.dates.shown(value, from_1904=from_1904) if section.dates else "") or general(value)
    if section.simple is not None:
        return _simply(value, section.simple, signed)
    if section.kind == "words":
        sign = "-" if signed and value < 0 and section.tokens else ""
        return sign + "".join(part for _, part in section.tokens)
    number = _exact(value)
    text = _number(abs(number), section.tokens)
    return f"-{text}" if signed and number < _ZERO and re.search("[1-9]", text) else text


def _chosen(sections: list[_Section], value: float) -> tuple[_Section | None, bool]:
    """The section for a value, and whether it needs a minus of its own."""
    if any(section.condition for section in sections):
        for index, section in enumerate(sections):
            fallback = index == len(sections) - 1 or section.condition is not None
            if section.holds(value) if fallback else value < 0:
                own_sign = (
                    section.condition is not None and section.condition[0][0] == "<" and section.condition[1] <= 0
                )
                return section, not own_sign
        return None, True
    if len(sections) > 1 and value < 0:
        return sections[1], False
    if len(sections) > 2 and value == 0:
        return sections[2], False
    return sections[0], True


@lru_cache(maxsize=2_000)
def _sections(code: str) -> tuple[_Section, ...]:
    """The parts of a code, cut at semicolons outside of quotes and brackets."""
    sections: list[_Section] = []
    tokens: list[Token] = []
    language, condition = 0, None
    for found in (*_TOKEN.finditer(code), None):
        if found is None or found["other"] == ";":
            kind = _kind(tokens)
            dates = DatePlan(tokens, language) if kind == "date" else None
            simple = _simple(tokens) if kind == "number" else None
            sections.append(_Section(tuple(tokens), kind, condition, dates, simple))
            tokens, language, condition = [], 0, None
        elif found["bracket"] is not None:
            inside = found["bracket"]
            compared = _CONDITION.fullmatch(inside)
            if compared:
                condition = (compared[1], float(compared[2]))
            elif inside.startswith("$"):
                symbol, _, tag = inside[1:].rpartition("-") if "-" in inside else (inside[1:], "", "")
                tokens.append(Token("text", symbol))
                language = int(tag, 16) & 0xFFFF if re.fullmatch("[0-9a-fA-F]{1,8}", tag) else language
            elif inside and inside.lower().strip(inside[0].lower()) == "" and inside[0].lower() in "hms":
                tokens.append(Token("elapsed", inside.lower()))
        else:
            tokens.append(_token(found))
    return tuple(sections)


_DIGITS_ONLY = re.compile(r"(?:#,##)?0(?:\.0+)?")


def _simple(tokens: list[Token]) -> _Simple | None:
    inner = [index for index, token in enumerate(tokens) if token.kind in ("digit", "point", "comma")]
    digits = tokens[inner[0] : inner[-1] + 1]
    code = "".join(token.text for token in digits)
    around = tokens[: inner[0]] + tokens[inner[-1] + 1 :]
    if not _DIGITS_ONLY.fullmatch(code) or any(token.kind not in ("text", "percent") for token in around):
        return None
    before = "".join(token.text for token in tokens[: inner[0]])
    after = "".join(token.text for token in tokens[inner[-1] + 1 :])
    percents = sum(token.kind == "percent" for token in around)
    return _Simple(before, after, len(code.partition(".")[2]), "," in code, percents)


def _simply(value: float, simple: _Simple, signed: bool) -> str:
    before, after, places, grouped, percents = simple
    text = f"{value:.{_DIGITS}g}"
    if percents or "e" in text or (text.endswith("5") and len(text) - text.find(".") - 1 == places + 1):
        number: float | decimal.Decimal = _rounded(decimal.Decimal(text).scaleb(2 * percents), places)
    else:
        number = float(text)  # no tie, where floats would round to even
    digits = f"{number:,.{places}f}" if grouped else f"{number:.{places}f}"
    sign = "-" if signed and digits[0] == "-" and digits.strip("-0.") else ""
    return f"{sign}{before}{digits.lstrip('-')}{after}"


def _token(found: re.Match[str]) -> Token:
    name, text = found.lastgroup or "other", found[0]
    if name in ("quoted", "escaped"):
        return Token("text", found[name])
    if name == "width":
        return Token("text", " ")
    if name == "fill":
        return Token("text", "")
    if name == "date":
        return Token("date", text.lower())
    if name == "other":
        kind = {".": "point", ",": "comma", "%": "percent", "/": "slash", "@": "at"}.get(text, "text")
        return Token(kind, text)
    return Token(name, text)


def _kind(tokens: list[Token]) -> str:
    kinds = {token.kind for token in tokens}
    if "elapsed" in kinds or any(token.kind == "date" and token.text[0] in DATE_LETTERS for token in tokens):
        return "date"
    if "digit" in kinds:
        return "number"
    return "general" if "general" in kinds else "text" if "at" in kinds else "words"


def _exact(value: float) -> decimal.Decimal:
    return decimal.Decimal(f"{value:.{_DIGITS}g}")


def _rounded(number: decimal.Decimal, places: int) -> decimal.Decimal:
    return number.quantize(decimal.Decimal(1).scaleb(-places), context=_ROUNDING)


def _number(number: decimal.Decimal, tokens: tuple[Token, ...]) -> str:
    """A number that is not negative by a section with placeholders of digits."""
    number = number.scaleb(2 * sum(token.kind == "percent" for token in tokens))
    digits = [index for index, token in enumerate(tokens) if token.kind == "digit"]
    slash = next((index for index, token in enumerate(tokens) if token.kind == "slash"), None)
    if slash is not None and digits[0] < slash:
        return _fraction(number, tokens, slash)
    exponent = next((index for index, token in enumerate(tokens) if token.kind == "exponent"), None)
    mantissa = digits if exponent is None else [index for index in digits if index < exponent]
    if not mantissa:
        return "".join(token.text for token in tokens)
    point = next((index for index, token in enumerate(tokens) if token.kind == "point"), len(tokens))
    whole = [index for index in mantissa if index < point]
    decimals = [index for index in mantissa if index > point]
    power = 0
    if exponent is not None and number:
        step = max(1, len(whole))
        power = number.adjusted() - (number.adjusted() % step if step > 1 else 0)
        if _rounded(number.scaleb(-power), len(decimals)) >= decimal.Decimal(10) ** step:
            power += step
        number = number.scaleb(-power)
    last = whole[-1] if whole else point
    commas = [index for index, token in enumerate(tokens) if token.kind == "comma"]
    grouped = any(whole and whole[0] < index < last for index in commas)
    ends = {index for index in commas if last < index and index < (decimals[0] if decimals else len(tokens))}
    ends = {index for index in ends if all(tokens[one].kind == "comma" for one in range(last + 1, index))}
    if decimals and not ends:
        ends = {index for index in commas if index > decimals[-1]}
    number = number.scaleb(-3 * len(ends))
    left, _, right = f"{_rounded(number, len(decimals)):f}".partition(".")
    places = _whole_places(left.lstrip("0"), tokens, whole, grouped) | _decimal_places(right, tokens, decimals)
    if exponent is not None:
        places |= _exponent_places(power, tokens, exponent, [index for index in digits if index > exponent])
    if point < len(tokens) and not "".join(places[index] for index in decimals).strip():
        places[point] = ""
    dropped = set(ends) | ({index for index in commas if grouped and index < last})
    parts = []
    for index, token in enumerate(tokens):
        if index not in dropped:
            parts.append(places.get(index, token.text))
    if not whole and left.strip("0"):
        parts.insert(point, left)
    return "".join(parts)


def _whole_places(digits: str, tokens: tuple[Token, ...], places: list[int], grouped: bool) -> dict[int, str]:
    """Text of each placeholder before the point: filled from the right; the first takes all that is left."""
    found: dict[int, str] = {}
    count = 0
    for order, index in enumerate(reversed(places)):
        first = order == len(places) - 1
        piece = digits if first else digits[-1:]
        digits = digits[: len(digits) - len(piece)]
        if not piece and tokens[index].text == "0":
            piece = "0"
        text = ""
        for digit in reversed(piece):
            text = digit + ("," if grouped and count and count % 3 == 0 else "") + text
            count += 1
        found[index] = text or (" " if tokens[index].text == "?" else "")
    return found


def _decimal_places(digits: str, tokens: tuple[Token, ...], places: list[int]) -> dict[int, str]:
    found = {}
    for order, index in enumerate(places):
        needed = tokens[index].text == "0" or digits[order:].strip("0")
        found[index] = digits[order] if needed else (" " if tokens[index].text == "?" else "")
    return found


def _exponent_places(power: int, tokens: tuple[Token, ...], sign: int, places: list[int]) -> dict[int, str]:
    text = "E-" if power < 0 else "E+" if tokens[sign].text.endswith("+") else "E"
    found = {sign: text}
    digits = str(abs(power)).rjust(len(places), "0")
    for order, index in enumerate(places):
        found[index] = (
            digits[: len(digits) - len(places) + 1] if order == 0 else digits[len(digits) - len(places) + order]
        )
    return found


def _fraction(number: decimal.Decimal, tokens: tuple[Token, ...], slash: int) -> str:
    """As "1 1/2": placeholders of the whole (if any), the numerator and the denominator, or a fixed denominator."""
    runs: list[list[int]] = []
    for index, token in enumerate(tokens[:slash]):
        if token.kind == "digit":
            if runs and index == runs[-1][-1] + 1:
                runs[-1].append(index)
            else:
                runs.append([index])
    end = slash + 1
    while end < len(tokens) and (tokens[end].kind == "digit" or tokens[end].text.isdigit()):
        end += 1
    below = "".join(token.text for token in tokens[slash + 1 : end])
    value = Fraction(number)
    whole = int(value) if len(runs) > 1 else 0
    fixed = int(below) if below.isdigit() and int(below) else 0
    if fixed:
        numerator, denominator = int((value - whole) * fixed + Fraction(1, 2)), fixed
    else:
        part = (value - whole).limit_denominator(10 ** max(1, len(below)) - 1)
        numerator, denominator = part.numerator, part.denominator
    if len(runs) > 1 and numerator == denominator:
        whole, numerator = whole + 1, 0
    before = "".join(token.text for token in tokens[: runs[0][0]])
    after = "".join(token.text for token in tokens[end:])
    ratio = f"{numerator}/{denominator}" if numerator or len(runs) < 2 else ""
    count = str(whole) if len(runs) > 1 and (whole or not ratio) else ""
    return f"{before}{count} {ratio}{after}"
