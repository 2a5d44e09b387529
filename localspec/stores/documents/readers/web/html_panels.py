"""Hidden parts of a page that its reader can open (panels behind tabs, folded text), and the names of such parts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from localspec.stores.documents.readers.content import Untyped
from localspec.stores.documents.readers.encodings import one_line

_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_PANEL_CLASSES = {"tab-pane", "tab-panel", "tabpanel", "tabcontent", "tab-content-item", "tabs-panel", "tabbed-block"}
_PANEL_CLASSES |= {"sd-tab-content", "accordion-collapse", "ui-tabs-panel", "collapsible-content"}
_CANDIDATES = ", ".join(
    (
        *("[hidden]", '[style*="display"]', '[style*="visibility"]', '[role="tabpanel"]', "dialog", "[popover]"),
        *(f".{name}" for name in sorted(_PANEL_CLASSES)),
    )
)
_CONTROLS = ", ".join(
    (
        *("[aria-controls]", "[data-bs-target]", "[data-target]", "[data-tab]", "[popovertarget]", "[commandfor]"),
        *("[onclick]", 'a[href^="#"]'),
    )
)
_TARGETS = ("aria-controls", "data-bs-target", "data-target", "data-tab", "popovertarget", "commandfor", "href")
_CALLED = re.compile(r"""['"]#?([\w:.-]+)['"]""")
_TAB_LISTS = {"nav-tabs", "tabbed-labels", "ui-tabs-nav", "tab-list", "tablist"}
_TAB_SETS = {"sd-tab-set", "tabbed-set", "tab-set"}
_NO_PANELS = {"p", "span", "li", "button", "a", "option", "tr", "td", "dialog"}
_NAME_CHARACTERS = 120
_NEAR = 60  # controls and panels of one set


def is_hidden(tag: str, attributes: Untyped) -> bool:
    """Whether an element is not shown at first."""
    if not attributes:
        return tag == "dialog"
    return (
        "hidden" in attributes
        or "popover" in attributes
        or (tag == "dialog" and "open" not in attributes)
        or _INVISIBLE.search(attributes.get("style") or "") is not None
    )


class Panels:
    """The parts of a page that can be opened, by the nodes' `mem_id`."""

    def __init__(self, root: Untyped, styled: frozenset[int] = frozenset()) -> None:
        """`styled` are parts that styles hide, by their `mem_id`."""
        self._styled = styled
        self.names: dict[int, str] = {}  # empty where a part has none
        self.tab_lists: set[int] = set()  # whose texts are the names
        candidates = {node.mem_id: node for node in root.css(_CANDIDATES)}
        if styled:
            candidates |= {node.mem_id: node for node in root.css("div, section, article, ul") if node.mem_id in styled}
        if not candidates:
            return
        controls = _controls(root)
        grouped: set[int] = set()
        for node in candidates.values():
            self._name(node, controls)
        for node in candidates.values():
            parent = node.parent
            if not self.names.get(node.mem_id) and parent is not None and parent.mem_id not in grouped:
                grouped.add(parent.mem_id)
                self._name_by_position(parent, candidates)
        if self.names:
            for node in root.css('[role="tablist"], ' + ", ".join(f".{name}" for name in sorted(_TAB_LISTS))):
                self.tab_lists.add(node.mem_id)
            for node in root.css(", ".join(f".{kind} > {tag}" for kind in _TAB_SETS for tag in ("label", "input"))):
                self.tab_lists.add(node.mem_id)

    def _name(self, node: Untyped, controls: dict[str, str]) -> None:
        """By what the page says: a label, or a control that names the part."""
        attributes = node.attributes
        name = one_line(attributes.get("aria-label") or "")
        labels = (attributes.get("aria-labelledby") or "").split()
        identifier = attributes.get("id") or attributes.get("data-tab-content") or ""
        is_panel = attributes.get("role") == "tabpanel" or _classes(attributes) & _PANEL_CLASSES
        if is_panel or node.mem_id in self._styled or is_hidden(node.tag or "", attributes):
            known = identifier in controls or any(f"#{label}" in controls for label in labels)
            name = name or " ".join(filter(None, (controls.get(f"#{label}", "") for label in labels)))
            name = name or controls.get(identifier, "")
            before = _previous(node)
            if not name and before is not None and _is_control(before):
                name, known = _text(before), True
            if known or is_panel:
                self.names[node.mem_id] = name

    def _name_by_position(self, parent: Untyped, candidates: dict[int, Untyped]) -> None:
        """The first button belongs to the first panel of its set, and so on."""
        children = [child for child in _some(parent.iter()) if child.is_element_node]
        kinds: dict[tuple[str, str], list[Untyped]] = {}
        for child in children:
            # The one that is open has a class more.
            first, *_ = (child.attributes.get("class") or "").split() or [""]
            kinds.setdefault((child.tag or "", first), []).append(child)
        for group in kinds.values():
            hidden = [child for child in group if child.mem_id in candidates]
            if len(group) < 2 or not hidden or group[0].tag in _NO_PANELS:
                continue
            inside = {child.mem_id for child in group}
            places = [child for child in children if child.mem_id not in inside]
            before = _previous(parent)
            names = _control_names(places) or (_control_names([before]) if before is not None else [])
            names = names if len(names) >= 2 else _control_names(_controls_before(parent))
            if len(names) < 2:
                continue
            for number, child in enumerate(group):
                if not self.names.get(child.mem_id):
                    self.names[child.mem_id] = names[number] if number < len(names) else ""


def _some(nodes: Iterable[Untyped]) -> Iterator[Untyped]:
    for number, node in enumerate(nodes):
        if number > _NEAR:
            return
        yield node


def _classes(attributes: Untyped) -> set[str]:
    return set((attributes.get("class") or "").split())


def _text(node: Untyped) -> str:
    """Short text of a control; empty where it is too long for a name."""
    text = one_line(node.text() or "")
    return text if len(text) <= _NAME_CHARACTERS else ""


def _previous(node: Untyped) -> Untyped:
    before = node.prev
    while before is not None and not before.is_element_node:
        before = before.prev
    return before


def _controls_before(node: Untyped) -> list[Untyped]:
    """Labels and buttons that stand right before an element, with what they belong to."""
    found: list[Untyped] = []
    before = _previous(node)
    while before is not None and before.tag in ("label", "button", "input", "a") and len(found) < _NEAR:
        found.append(before)
        before = _previous(before)
    return found[::-1]


def _is_control(node: Untyped) -> bool:
    attributes = node.attributes
    if node.tag == "button" or attributes.get("role") == "button" or "aria-expanded" in attributes:
        return True
    if "sd-tab-label" in _classes(attributes):
        return True
    return node.tag in ("h1", "h2", "h3", "h4", "h5", "h6") and node.css_first("button, [aria-expanded]") is not None


def _controls(root: Untyped) -> dict[str, str]:
    """Text of what opens a part, by the part's id; and of what names one, by '#' and its own id."""
    found: dict[str, str] = {}
    for node in root.css(_CONTROLS):
        attributes = node.attributes
        targets = [name for key in _TARGETS for name in (attributes.get(key) or "").split()]
        targets += _CALLED.findall(attributes.get("onclick") or "")
        text = _text(node) if targets else ""
        for target in targets:
            if text:
                found.setdefault(target.removeprefix("#"), text)
    wanted = {name for node in root.css("[aria-labelledby]") for name in node.attributes["aria-labelledby"].split()}
    for node in root.css("[id]") if wanted else ():
        if node.id in wanted:
            found.setdefault(f"#{node.id}", _text(node))
    return found


def _control_names(places: list[Untyped]) -> list[str]:
    """Texts of the controls of the first kind of which there are several."""
    for selector in ('[role="tab"]', "button", "label", 'a[href^="#"]', "li"):
        names: dict[int, str] = {}
        for place in places:
            if place.tag == selector or (place.attributes.get("role") == "tab" and "tab" in selector):
                names[place.mem_id] = _text(place)
            for node in _some(place.css(selector)):
                names[node.mem_id] = _text(node)
        if len(names) >= 2:
            return list(names.values())
    return []
