"""Rules of a PDF's page: the horizontal and vertical lines that are drawn, also as thin or filled rectangles."""

from __future__ import annotations

import ctypes
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from localspec.stores.documents.readers.content import Untyped

_THIN = 2.5  # points: a rectangle that is not thicker is a rule
_SHORTEST = 4.0  # points
_MOST_OBJECTS = 20_000  # of a page that are looked at
_MOST_SEGMENTS = 400  # of one path: a curve or a map has more, and no rules
_MOST_RULES = 3_000  # of a page: with more it is a drawing
_Point = tuple[float, float]


class Rule(NamedTuple):
    """A horizontal or vertical line; points from the lower left corner of the page as it is read."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def horizontal(self) -> bool:
        """Whether it is wider than high."""
        return self.right - self.left > self.top - self.bottom

    def swapped(self) -> Rule:
        """With its coordinates in the other order, x for y."""
        return Rule(self.bottom, self.left, self.top, self.right)


def turned_point(x: float, y: float, turn: int, width: float, height: float) -> _Point:
    """A point of a page after `turn` quarter turns anticlockwise, which make text upright that runs clockwise."""
    if turn == 1:
        return height - y, x
    if turn == 2:
        return width - x, height - y
    if turn == 3:
        return y, width - x
    return x, y


def page_rules(page: Untyped, turn: int, width: float, height: float) -> list[Rule]:
    """Rules of a page; pieces that touch each other on one line are one rule."""
    import pypdfium2.raw as pdfium

    found: list[Rule] = []
    for number, item in enumerate(page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_PATH], max_depth=4)):
        if number >= _MOST_OBJECTS or len(found) > 4 * _MOST_RULES:
            return []
        for first, second in _path_edges(item):
            one, other = turned_point(*first, turn, width, height), turned_point(*second, turn, width, height)
            left, right = sorted((one[0], other[0]))
            bottom, top = sorted((one[1], other[1]))
            if min(right - left, top - bottom) <= 0.6 and max(right - left, top - bottom) >= _SHORTEST:
                found.append(Rule(left, bottom, right, top))
    rules = _merged(found)
    return rules if len(rules) <= _MOST_RULES else []


def _to_page(item: Untyped) -> Untyped:
    """The matrix from a page object's coordinates to the page's, out of the forms around it."""
    matrix = item.get_matrix()
    while item.container is not None:
        item = item.container
        matrix = matrix.multiply(item.get_matrix())
    return matrix


def _path_edges(item: Untyped) -> Iterator[tuple[_Point, _Point]]:
    """Straight edges of a path that is seen; a thin filled shape gives its middle line."""
    import pypdfium2.raw as pdfium

    count = pdfium.FPDFPath_CountSegments(item)
    if not 2 <= count <= _MOST_SEGMENTS:
        return
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(item, fill, stroke)
    if not fill.value and not stroke.value:
        return
    if not stroke.value and _is_white(item):
        return
    x, y = ctypes.c_float(), ctypes.c_float()
    matrix = _to_page(item)
    part: list[_Point] = []
    parts: list[list[_Point]] = []
    for number in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(item, number)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_BEZIERTO:
            return
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            part = []
            parts.append(part)
        part.append(matrix.on_point(x.value, y.value))
        if pdfium.FPDFPathSegment_GetClose(segment) and part[0] != part[-1]:
            part.append(part[0])
    for part in parts:
        yield from _part_edges(part, closed=not stroke.value)


def _part_edges(part: list[_Point], *, closed: bool) -> Iterator[tuple[_Point, _Point]]:
    """Edges of one part of a path; `closed` where it is only filled."""
    if len(part) < 2:
        return
    left, right = min(x for x, _ in part), max(x for x, _ in part)
    bottom, top = min(y for _, y in part), max(y for _, y in part)
    if len(part) > 2 and right - left <= _THIN < top - bottom:
        yield ((left + right) / 2, bottom), ((left + right) / 2, top)
    elif len(part) > 2 and top - bottom <= _THIN < right - left:
        yield (left, (bottom + top) / 2), (right, (bottom + top) / 2)
    else:
        yield from itertools.pairwise(part)
        if closed and part[0] != part[-1]:
            yield part[-1], part[0]


def _is_white(item: Untyped) -> bool:
    """Whether a path is filled with white, which nobody sees on paper."""
    import pypdfium2.raw as pdfium

    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not pdfium.FPDFPageObj_GetFillColor(item, red, green, blue, alpha):
        return False
    return alpha.value == 0 or min(red.value, green.value, blue.value) >= 250


def _merged(rules: Iterable[Rule]) -> list[Rule]:
    """Rules of which those on one line are one, where they touch (3 points); doubled rules are one."""
    horizontal = [rule for rule in rules if rule.horizontal]
    vertical = [rule for rule in rules if not rule.horizontal]
    merged = [Rule(low, place, high, place) for place, low, high in _joined(horizontal, lambda one: one)]
    merged += [Rule(place, low, place, high) for place, low, high in _joined(vertical, lambda one: one.swapped())]
    return merged


def _joined(rules: list[Rule], turned: Callable[[Rule], Rule]) -> Iterator[tuple[float, float, float]]:
    """(place across, from, to) of the rules that are left."""
    rows: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
    level, last = 0, float("-inf")
    for rule in sorted(map(turned, rules), key=lambda one: one.bottom + one.top):
        place = (rule.bottom + rule.top) / 2
        if place - last > 1.2:
            level += 1
        last = place
        rows[level].append((rule.left, rule.right, place))
    for row in rows.values():
        row.sort()
        low, high, place = row[0]
        for left, right, other in row[1:]:
            if left > high + 3.0:
                yield place, low, high
                low, high, place = left, right, other
            else:
                high = max(high, right)
        yield place, low, high
