"""The buttons about models: their names say what they do, and about which model. Pure functions."""

from __future__ import annotations

from urllib.parse import quote, unquote

from localspec.ui import elements

PRESS = "model"
"""What the names of these buttons begin with: model:ACTION=WHAT, in which WHAT is quoted as in an address."""


def model_button(action: str, what: str, label: str, kind: str = "quiet") -> str:
    """A button that does `action` with `what`."""
    return elements.press(f"{PRESS}:{action}={quote(what, safe='')}", label, kind)


def read_button(name: str) -> tuple[str, str] | None:
    """What a button stands for: action, and about what; None for the name of a button of another part."""
    part, _, rest = name.partition(":")
    if part != PRESS:
        return None
    action, _, what = rest.partition("=")
    return action, unquote(what)
