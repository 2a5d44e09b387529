"""Which parts of an answer are formulas. Pure functions.

The page draws what stands between marks that nobody writes (characters without a shape), and this module alone sets
them: so a dollar sign is never more than a dollar sign to the page, whatever stands around it. A formula that could do
more than be read, such as link, load a picture, define commands or take the space of a wall, stays text.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

_INLINE = ("\u2061\u2062", "\u2062\u2061")
_DISPLAY = ("\u2061\u2064", "\u2064\u2061")
DELIMITERS: list[dict[str, str | bool]] = [
    {"left": _DISPLAY[0], "right": _DISPLAY[1], "display": True},
    {"left": _INLINE[0], "right": _INLINE[1], "display": False},
]
"""As Gradio's chatbot takes them."""
_MARKS = dict.fromkeys(map(ord, "\u2061\u2062\u2063\u2064"))

LONGEST = 4_000
"""Characters of a formula; the inline ones between dollar signs are much shorter."""
_LONGEST_INLINE = 400
_DEEPEST = 30
"""Braces in braces: the page draws them by recursion."""
_OPENING = re.compile(r"\$\$|\$|\\\[|\\\(")
_CLOSING = {"$$": "$$", "\\[": "\\]", "\\(": "\\)", "$": "$"}
_EMPTY_LINE = re.compile(r"\n[ \t]*\n")
_UNTAMED = re.compile(
    r"\\(?:[gex]?def|let|futurelet|(?:re|provide)?newcommand|providecommand|global|long|csname|expandafter"
    r"|href|url|includegraphics|html[A-Za-z]*)(?![A-Za-z])"
)
_HUGE = re.compile(r"\d{3,}(?:\.\d*)?\s*(?:em|ex|pt|mm|cm|in|bp|pc|dd|cc|nd|nc|sp|mu|px)(?![A-Za-z])")
_COMMAND = re.compile(r"\\(?:text[a-z]*|mbox|mathrm|operatorname)\s*\{[^{}]*\}|\\[A-Za-z]+")
_MATHEMATICAL = re.compile(r"[\\^_{}=<>|]")
_ORDINAL = re.compile(r"(?:th|st|nd|rd|s)(?![A-Za-z])")
"""What may follow a formula directly: the $n$th."""
_NAMES = frozenset(("mod", "log", "ln", "exp", "sin", "cos", "tan", "max", "min", "lim", "det", "gcd", "lcm", "deg"))


class Formula(NamedTuple):
    """The inside of a formula, and whether it has a line for itself."""

    text: str
    is_display: bool


def unmarked(text: str) -> str:
    """`text` without the marks of formulas, which have no shape."""
    return text.translate(_MARKS)


def formula_at(text: str, position: int) -> tuple[Formula, int] | None:
    """The formula that begins at a position of `text`, which is no code, and where it ends. None where there is none;
    one that is not closed yet, or that only looks like one, is text."""
    opening = _OPENING.match(text, position)
    if opening is None:
        return None
    mark, inside = opening.group(), opening.end()
    end = _end(text, mark, inside)
    if end < 0:
        return None
    formula, after = text[inside:end], end + len(_CLOSING[mark])
    if not _is_formula(formula, mark, text[max(0, position - 1) : position], text[after:][:3]):
        return None
    return Formula(formula.strip(), mark in ("$$", "\\[")), after


def marked(formula: Formula) -> str:
    """A formula as the page is to draw it."""
    left, right = _DISPLAY if formula.is_display else _INLINE
    return f"{left}{html.escape(formula.text)}{right}"


def as_written(markup: str) -> str:
    """Markup with its formulas as text."""
    for marks, sign in ((_DISPLAY, "$$"), (_INLINE, "$")):
        markup = markup.replace(marks[0], f'<span class="formula">{sign}').replace(marks[1], f"{sign}</span>")
    return markup


def _end(text: str, mark: str, inside: int) -> int:
    """Where a formula that begins at `inside` ends; -1 where it does not."""
    closing = _CLOSING[mark]
    limit = inside + (_LONGEST_INLINE if mark == "$" else LONGEST) + len(closing)
    end = text.find(closing, inside, limit)
    # Inside a formula `\$` is a dollar sign.
    while "$" in closing and end > inside and text[end - 1] == "\\":
        end = text.find(closing, end + 1, limit)
    return end


def _is_formula(formula: str, mark: str, before: str, after: str) -> bool:
    inside = formula.strip()
    if not inside or _EMPTY_LINE.search(formula) or not _is_tame(inside):
        return False
    if mark == "$":
        joined = (after[:1].isalnum() and not _ORDINAL.match(after)) or after[:1] == "$"
        if before.isalnum() or joined or inside != formula:
            return False
        return not _is_prose(inside)
    # `\[1\]` is how Markdown writes a bracket that means nothing.
    return mark == "$$" or not inside.isdigit()


def _is_prose(text: str) -> bool:
    """Whether what stands between two dollar signs is about money, or words, and not a formula."""
    words = re.findall(r"(?<![A-Za-z])[A-Za-z]{2,}", _COMMAND.sub(" ", text))
    plain = [word for word in words if word not in _NAMES]
    if text[0].isdigit() and re.search(r"(?:^|[\s/,.;–-])[A-Za-z]{2,}", _COMMAND.sub("", text)):
        return any(re.search(rf"[\s/,.;–-]{word}", text) for word in plain)
    return len([word for word in plain if len(word) > 2]) > 1 and not _MATHEMATICAL.search(text)


def _is_tame(formula: str) -> bool:
    """Whether a formula can do nothing but be read, and ends where its mark is."""
    if _UNTAMED.search(formula) or _HUGE.search(formula):
        return False
    depth = deepest = 0
    escaped = False
    for character in formula:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "{":
            depth += 1
            deepest = max(deepest, depth)
        elif character == "}":
            depth -= 1
            if depth < 0:
                return False
    return depth == 0 and not escaped and deepest <= _DEEPEST
