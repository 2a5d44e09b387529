"""Layers of a PDF (optional content) that are off when it is opened. PDFium gives no way to ask for them and finds
their text like any other, so they are marked in a copy, by a name that the reader of pages knows."""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterable
from pathlib import Path

from localspec.stores.documents.readers.content import Untyped

OFF_MARK = "LocalSpec: a layer that is off"
"""The name of such layers in the copy."""
_DEEPEST = 20  # expressions of visibility within each other


def with_marked_layers(path: Path) -> bytes | None:
    """A copy of the PDF in which layers that are off bear OFF_MARK as name and their objects are empty. None where no
    layer is off."""
    if not _may_have_layers(path):
        return None
    import pikepdf

    try:
        with pikepdf.open(path) as pdf:
            layers = _Layers(pdf)
            if not layers.off:
                return None
            _mark(pdf, layers)
            copy = io.BytesIO()
            pdf.save(copy)
            return copy.getvalue()
    except (pikepdf.PdfError, pikepdf.PasswordError, ValueError, TypeError, AttributeError, KeyError):
        return None  # damaged where it speaks of layers: read as if it had none


def _may_have_layers(path: Path) -> bool:
    """Most documents have no layers, and this is found out without a second library."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(b"/OCProperties") >= 0 or data.find(b"/ObjStm") >= 0 or data.find(b"/Encrypt") >= 0


class _Layers:
    """Which layers are off in the default configuration (ISO 32000-1, 8.11)."""

    def __init__(self, pdf: Untyped) -> None:
        properties = pdf.Root.get("/OCProperties", {})
        default = properties.get("/D", {})
        groups = list(properties.get("/OCGs", []))
        named = {key: _numbers(default.get(key, [])) for key in ("/ON", "/OFF")}
        base = str(default.get("/BaseState", "/ON"))
        self.off: set[tuple[int, int]] = set(named["/OFF"])
        if base == "/OFF":
            self.off |= _numbers(groups) - named["/ON"]
        for usage in default.get("/AS", []):
            if str(usage.get("/Event", "")) == "/View":
                for group in usage.get("/OCGs", []):
                    self._by_usage(group, {str(category) for category in usage.get("/Category", [])})

    def _by_usage(self, group: Untyped, categories: set[str]) -> None:
        """A group that says for itself whether it is shown on screen."""
        state = str(group.get("/Usage", {}).get("/View", {}).get("/ViewState", ""))
        if "/View" in categories and state == "/OFF":
            self.off.add(group.objgen)
        elif "/View" in categories and state == "/ON":
            self.off.discard(group.objgen)

    def hides(self, content: Untyped) -> bool:
        """Whether a group, or a membership dictionary of groups, is not shown."""
        if str(content.get("/Type", "")) != "/OCMD":
            return content.objgen in self.off
        expression = content.get("/VE")
        if expression is not None:
            return not self._holds(expression, _DEEPEST)
        groups = content.get("/OCGs", [])
        states = [group.objgen not in self.off for group in (groups if _is_array(groups) else [groups]) if group]
        if not states:
            return False
        policy = str(content.get("/P", "/AnyOn"))
        shown = {"/AllOn": all(states), "/AnyOff": not all(states), "/AllOff": not any(states)}
        return not shown.get(policy, any(states))

    def _holds(self, expression: Untyped, deepest: int) -> bool:
        if not _is_array(expression):
            return not self.hides(expression)
        operator, *parts = list(expression)
        values = [self._holds(part, deepest - 1) for part in parts] if deepest else []
        if str(operator) == "/Not":
            return not any(values[:1])
        return any(values) if str(operator) == "/Or" else all(values)


def _mark(pdf: Untyped, layers: _Layers) -> None:
    import pikepdf

    for thing in pdf.objects:
        if not isinstance(thing, (pikepdf.Dictionary, pikepdf.Stream)):
            continue
        content = thing.get("/OC")
        if isinstance(thing, pikepdf.Stream) and content is not None and layers.hides(content):
            if str(thing.get("/Subtype", "")) == "/Form":
                thing.write(b"")
        elif str(thing.get("/Type", "")) in ("/OCG", "/OCMD") and layers.hides(thing):
            thing.Name = OFF_MARK
        resources = thing.get("/Resources", thing)
        properties = resources.get("/Properties") if isinstance(resources, pikepdf.Dictionary) else None
        if isinstance(properties, pikepdf.Dictionary):
            for inline in properties.values():
                if isinstance(inline, pikepdf.Dictionary) and "/Type" in inline and layers.hides(inline):
                    inline.Name = OFF_MARK
    for page in pdf.pages:
        shown = page.get("/Annots")
        if shown is not None:
            kept = [one for one in shown if one.get("/OC") is None or not layers.hides(one.OC)]
            if len(kept) < len(shown):
                page.Annots = pikepdf.Array(kept)


def _numbers(groups: Iterable[Untyped]) -> set[tuple[int, int]]:
    return {group.objgen for group in groups}


def _is_array(thing: Untyped) -> bool:
    import pikepdf

    return isinstance(thing, (pikepdf.Array, list))
