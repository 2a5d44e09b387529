"""Texts of diagrams (SmartArt): the points of their data model with the level at which each stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from localspec.stores.documents.readers.office.drawing_charts import rich_text
from localspec.stores.documents.readers.office.office_xml import Element, child, children, whole_number

_NO_TEXT = {"doc", "pres", "parTrans", "sibTrans"}


def diagram_texts(data: Element | None) -> Iterator[tuple[int, str]]:
    """Levels from 0 and texts in reading order (ISO/IEC 29500-1, 21.4)."""
    model = data if data is not None and data.tag == "dgm:dataModel" else child(data, "dgm:dataModel")
    points = {one.get("modelId", ""): one for one in children(child(model, "dgm:ptLst"), "dgm:pt")}
    below: dict[str, list[tuple[int, str]]] = defaultdict(list)
    inner = set()
    for one in children(child(model, "dgm:cxnLst"), "dgm:cxn"):
        if one.get("type", "parOf") == "parOf":
            below[one.get("srcId", "")].append((whole_number(one.get("srcOrd")), one.get("destId", "")))
            inner.add(one.get("destId", ""))
    seen: set[str] = set()
    roots = [name for name, one in points.items() if one.get("type") == "doc"]
    roots += [name for name in points if name not in inner and name not in roots]
    # Points that nothing leads to come last.
    pending = [(name, -1 if points[name].get("type") == "doc" else 0) for name in reversed([*roots, *points])]
    while pending:
        name, level = pending.pop()
        if name in seen or name not in points:
            continue
        seen.add(name)
        point = points[name]
        text = child(point, "dgm:t")
        if point.get("type", "node") not in _NO_TEXT and text is not None:
            words = rich_text(text).strip()
            if words:
                yield max(level, 0), words
        pending += [(target, level + 1) for _, target in sorted(below[name], reverse=True)]
