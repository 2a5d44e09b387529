"""Formulas of a page (MathML) as one line of text."""

from __future__ import annotations

from collections.abc import Callable

from localspec.stores.documents.readers.content import Untyped
from localspec.stores.documents.readers.encodings import one_line

_DEPTH = 40  # deeper formulas are read as the texts in them
_TEX = {"application/x-tex", "text/x-tex", "tex", "latex", "application/x-latex"}


def formula(node: Untyped) -> str:
    """What the page says that the formula reads as: alternative text, TeX, else its own signs in one line."""
    written = one_line(node.attributes.get("alttext") or "")
    if not written:
        for note in node.css("annotation"):
            if (note.attributes.get("encoding") or "").lower() in _TEX:
                written = one_line(note.text() or "")
    return written or one_line(_linear(node, _DEPTH))


def _linear(node: Untyped, depth: int) -> str:
    if node.is_text_node:
        return " ".join((node.text_content or "").split())
    if depth == 0:
        return one_line(node.text() or "")
    if node.tag in ("annotation", "annotation-xml", "mphantom"):
        return ""
    parts = [_linear(child, depth - 1) for child in node.iter(include_text=True)]
    parts = [part for part in parts if part]
    if node.tag == "mo":
        sign = "".join(parts)
        return f" {sign} " if sign in ("=", "<", ">", "≤", "≥", "≈", "≠", "→", "⇒", "±", "+", "-", "−") else sign
    if node.tag == "mtr":
        return ", ".join(parts) + "; "
    build = _BUILT.get(node.tag or "")
    return build([part.strip() for part in parts]) if build is not None else "".join(parts)


def _grouped(part: str) -> str:
    return part if part.isalnum() else f"({part})"


def _joined(marks: tuple[str, ...]) -> Callable[[list[str]], str]:
    def build(parts: list[str]) -> str:
        if len(parts) != len(marks) + 1:
            return "".join(parts)
        return _grouped_base(parts[0]) + "".join(
            mark + _grouped(part) for mark, part in zip(marks, parts[1:], strict=True)
        )

    return build


def _grouped_base(part: str) -> str:
    return _grouped(part) if any(sign in part for sign in " +-−/") and not part.startswith("(") else part


def _root(parts: list[str]) -> str:
    if len(parts) == 2:
        return f"({parts[0]})^(1/{parts[1]})"
    return "".join(parts)


_BUILT: dict[str, Callable[[list[str]], str]] = {
    "msup": _joined(("^",)),
    "msub": _joined(("_",)),
    "munder": _joined(("_",)),
    "mover": _joined(("^",)),
    "msubsup": _joined(("_", "^")),
    "munderover": _joined(("_", "^")),
    "mfrac": lambda parts: "/".join(map(_grouped, parts)),
    "msqrt": lambda parts: f"√{_grouped(''.join(parts))}",
    "mroot": _root,
}
