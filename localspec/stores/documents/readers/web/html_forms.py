"""What fields of a page show."""

from __future__ import annotations

import re

from localspec.stores.documents.readers.content import Untyped
from localspec.stores.documents.readers.encodings import one_line

_NOT_TYPED = {"hidden", "submit", "button", "image", "reset", "file", "password", "search"}
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?|-?\.\d{1,15}")


def is_typed(kind: str, attributes: Untyped) -> bool:
    """Whether an input of this type shows a value that somebody typed or chose."""
    return kind not in _NOT_TYPED or (kind == "search" and bool(attributes.get("value")))


def chosen_options(node: Untyped, attributes: Untyped) -> str:
    """What a browser shows as chosen in a `select`."""
    options = node.css("option")
    chosen = [option for option in options if "selected" in option.attributes]
    if not chosen and "multiple" not in attributes and not (attributes.get("size") or "1").strip("1"):
        chosen = [option for option in options if "disabled" not in option.attributes][:1]
    if "multiple" not in attributes:
        chosen = chosen[-1:]
    return ", ".join(one_line(option.attributes.get("label") or option.text() or "") for option in chosen)


def shown_amount(tag: str, attributes: Untyped) -> str:
    """What the bar of a `progress` or `meter` says: "40%", or "3 of 12" where it has a unit of its own."""
    value, most = _number(attributes.get("value")), _number(attributes.get("max"))
    if value is None:
        return ""
    if tag == "progress" or most is None or most == 1:
        part = value / most if most else value
        return f"{100 * part:.0f}%"
    return f"{value:g} of {most:g}"


def _number(text: str | None) -> float | None:
    found = _NUMBER.fullmatch((text or "").strip())
    return float(found.group()) if found else None
