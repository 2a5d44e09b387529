"""What the styles of a page hide for good: elements that no reader sees and that nothing on the page opens."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from localspec.stores.documents.readers.content import Untyped

_HIDES = re.compile(r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)", re.IGNORECASE)
_MOST_CHARACTERS = 1_000_000  # of styles; tinycss2 reads 400,000 a second
_MOST_RULES = 2_000
_DEPTH = 8  # of rules inside of rules
_WINDOW = 1280  # pixels, as wide as a page is shown
_EM = 16
_NO_SCREEN = re.compile(
    r"\bprint\b|\bspeech\b|scheme\s*:\s*dark|hover\s*:\s*none|reduced-|forced-colors|scripting\s*:\s*none"
)
_WIDTH = re.compile(r"(min|max)-(?:device-)?width\s*:\s*([\d.]+)\s*(px|em|rem)")
_WITHOUT_SCRIPTS = re.compile(r"\.(?:no-?js|no-?script)\b|\bnoscript\b", re.IGNORECASE)
_STATE = re.compile(
    r":(?:hover|focus(?:-within|-visible)?|active|target(?:-within)?|checked)\b"
    r"|\.(?:[\w-]+[-_])?(?:active|show|shown|showing|open|opened|in|visible|expand|expanded|current|selected|on|toggled"
    r"|checked|js)(?![\w-])"
    r"|\[(?:open|aria-(?:expanded|selected|hidden)|data-(?:state|open|active|expanded|show|visible))[^\]]*\]",
    re.IGNORECASE,
)
"""What an element has or is inside of only while somebody points at it or has opened it."""
_ELEMENT_LIKE = re.compile(r"::|:(?:before|after|first-line|first-letter)", re.IGNORECASE)
_PANELS = {"div", "section", "article", "ul", "ol", "dl", "table", "fieldset", "form", "figure"}
_NAMED = re.compile(r"""["'`][#.]?([\w-]{1,80})["'`]""")
_IDS = re.compile(r"#[\w-]+")
_CLASSES = re.compile(r"\.[\w-]+|\[[^\]]*\]|(?<!:):[\w-]+")
_TYPES = re.compile(r"(?:^|[\s>+~(])[A-Za-z][\w-]*")


class _Rule(NamedTuple):
    selector: str
    name: str  # 'display' or 'visibility'
    hides: bool
    rank: tuple[bool, int, int, int, int]  # important, ids, classes, types, place: the greatest wins


class Hidden(NamedTuple):
    """Elements by their `mem_id`."""

    for_good: frozenset[int] = frozenset()
    openable: frozenset[int] = frozenset()  # hidden at first; a pointer or a script shows them


def hidden_by_styles(tree: Untyped, linked: Iterable[str] = ()) -> Hidden:
    """What the styles in a page, and those `linked` to it, hide on a screen. Nothing where they would hide most of the
    page, as styles do that wait for a script."""
    root = tree.body
    sheets = [*linked]
    sheets += [node.text() or "" for node in tree.css("style") if applies(node.attributes.get("media") or "")]
    sheets = [sheet for sheet in sheets if sheet]
    if root is None or sum(map(len, sheets)) > _MOST_CHARACTERS or not any(map(_HIDES.search, sheets)):
        return Hidden()
    rules = [*_rules(sheets)][:_MOST_RULES]
    best: dict[tuple[int, str], _Rule] = {}
    nodes: dict[int, Untyped] = {}
    matched: list[tuple[int, str]] = []
    for rule in rules:
        if rule.hides and not _STATE.search(rule.selector):
            for node in _matched(root, rule.selector):
                nodes[node.mem_id] = node
                matched.append((node.mem_id, rule.selector))
                _decide(best, node, rule)
    if not nodes:
        return Hidden()
    openable: set[int] = set()
    for rule in rules:
        if rule.hides:
            continue
        relaxed = _STATE.sub("", rule.selector) if _STATE.search(rule.selector) else ""
        for node in _matched(root, rule.selector):
            if node.mem_id in nodes:
                _decide(best, node, rule)
        if relaxed:
            openable |= {node.mem_id for node in _matched(root, _complete(relaxed)) if node.mem_id in nodes}
    hidden = {node for (node, _), rule in best.items() if rule.hides}
    hidden -= {node for node in hidden if _shown_by_itself(nodes[node])}
    # Where a neighbour of the same kind is shown in spite of the same rule, one of a set is shown at a time.
    sets = {_set_of(nodes[one], selector) for one, selector in matched if one not in hidden}
    openable |= {
        one for one, selector in matched if nodes[one].tag in _PANELS and _set_of(nodes[one], selector) in sets
    }
    named = _named_in_scripts(tree)
    openable |= {one for one in hidden if not named.isdisjoint(_names_of(nodes[one]))} if named else set()
    if 2 * _length_of(hidden, nodes) > len(root.text() or ""):
        return Hidden()
    return Hidden(frozenset(hidden - openable), frozenset(hidden & openable))


def applies(media: str) -> bool:
    """Whether a media query holds on a screen of a usual width. What it does not know is taken for true."""
    return not media.strip() or any(_holds(query) for query in media.lower().split(","))


def _holds(query: str) -> bool:
    if query.strip().startswith("not "):
        return _NO_SCREEN.search(query) is not None
    if _NO_SCREEN.search(query):
        return False
    for bound, number, unit in _WIDTH.findall(query):
        width = float(number) * (1 if unit == "px" else _EM) if number.count(".") < 2 else _WINDOW
        if (width > _WINDOW) if bound == "min" else (width < _WINDOW):
            return False
    return True


def _rules(sheets: Sequence[str]) -> Iterator[_Rule]:
    """Rules about what is shown, in their order."""
    import tinycss2

    place = 0
    for sheet in sheets:
        pending = [(one, 0) for one in tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True)][::-1]
        while pending:
            rule, depth = pending.pop()
            if rule.type == "at-rule" and rule.content is not None and depth < _DEPTH:
                name = rule.lower_at_keyword
                if name in ("supports", "layer", "container") or (
                    name == "media" and applies(tinycss2.serialize(rule.prelude))
                ):
                    inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
                    pending += [(one, depth + 1) for one in inner][::-1]
            elif rule.type == "qualified-rule":
                place += 1
                yield from _of_rule(rule, place)


def _of_rule(rule: Untyped, place: int) -> Iterator[_Rule]:
    import tinycss2

    found: dict[str, tuple[bool, bool]] = {}
    for one in tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True):
        if one.type == "declaration" and one.lower_name in ("display", "visibility"):
            value = tinycss2.serialize(one.value).strip().lower()
            found[one.lower_name] = value in ("none", "hidden", "collapse"), one.important
    if not found:
        return
    for selector in _parted(rule.prelude):
        if _ELEMENT_LIKE.search(selector) or _WITHOUT_SCRIPTS.search(selector):
            continue
        weight = tuple(len(kind.findall(selector)) for kind in (_IDS, _CLASSES, _TYPES))
        for name, (hides, important) in found.items():
            yield _Rule(selector, name, hides, (important, weight[0], weight[1], weight[2], place))


def _parted(prelude: Sequence[Untyped]) -> Iterator[str]:
    """The selectors of a rule."""
    import tinycss2

    part: list[Untyped] = []
    for token in [*prelude, None]:
        if token is None or (token.type == "literal" and token.value == ","):
            selector = tinycss2.serialize(part).strip()
            if selector:
                yield selector
            part = []
        else:
            part.append(token)


def _complete(selector: str) -> str:
    """A selector again, where the parts that stood for a state left a gap."""
    parts = [part.strip() or "*" for part in re.split(r"([>+~])", selector)]
    return " ".join(parts)


def _matched(root: Untyped, selector: str) -> list[Untyped]:
    from selectolax.lexbor import SelectolaxError

    try:
        found: list[Untyped] = root.css(selector)
    except SelectolaxError:  # one that it does not know
        return []
    return [node for node in found if node.tag not in ("html", "body", "main")]


def _decide(best: dict[tuple[int, str], _Rule], node: Untyped, rule: _Rule) -> None:
    place = (node.mem_id, rule.name)
    if place not in best or rule.rank > best[place].rank:
        best[place] = rule


def _set_of(node: Untyped, selector: str) -> tuple[int, str, str]:
    return (node.parent.mem_id if node.parent is not None else 0), node.tag or "", selector


def _named_in_scripts(tree: Untyped) -> frozenset[str]:
    """Ids and classes that scripts in the page look for: they may show what has them."""
    scripts = [node.text() or "" for node in tree.css("script:not([src])")]
    scripts += [node.attributes.get("onclick") or "" for node in tree.css("[onclick]")]
    return frozenset(_NAMED.findall("\n".join(scripts)[:_MOST_CHARACTERS]))


def _names_of(node: Untyped) -> set[str]:
    return {*(node.attributes.get("class") or "").split(), node.attributes.get("id") or ""} - {""}


def _shown_by_itself(node: Untyped) -> bool:
    style = (node.attributes.get("style") or "").lower()
    return ("display" in style or "visibility" in style) and _HIDES.search(style) is None


def _length_of(hidden: set[int], nodes: dict[int, Untyped]) -> int:
    """Characters of hidden text, each counted once."""
    total = 0
    for one in hidden:
        outer = nodes[one].parent
        while outer is not None and outer.mem_id not in hidden:
            outer = outer.parent
        if outer is None:
            total += len(nodes[one].text() or "")
    return total
