"""Charts of office files: DrawingML (`c:chartSpace`) and its extension of 2014 (`cx:chartSpace`) as tables."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from localspec.stores.documents.blocks import Table
from localspec.stores.documents.readers.office.office_xml import Element, child, children, parse_xml, whole_number

Resolve = Callable[[str], Sequence[str]]
"""Gives the shown texts of the cells that a reference such as "Sheet1!$B$2:$B$5" names; empty where it cannot."""

_PLOT_NAMES = {"c:cat": "Category", "c:xVal": "X"}
_POINTS = 100_000  # of one series; a file may declare any number


class _Series(NamedTuple):
    name: str
    categories: list[str]
    columns: list[tuple[str, list[str]]]  # name of the values (empty, or 'size' of bubbles) and the values


def chart_table(data: bytes, resolve: Resolve | None = None) -> Table | None:
    """A chart's part as a table: its title, the categories, a column for each series. None where it draws nothing.

    Values are the cached ones as their format shows them; `resolve` gives those that the file has no copy of, which is
    how openpyxl and XlsxWriter write charts. Raises ParseError for what is no XML.
    """
    root = parse_xml(data)
    if root.tag == "cx:chartSpace":
        return _extended(root)
    chart = child(root, "c:chart")
    plot = child(chart, "c:plotArea")
    if plot is None:
        return None
    series = [
        found
        for kind in plot
        if kind.tag.endswith(("Chart", "chart"))
        for number, one in enumerate(children(kind, "c:ser"), 1)
        if (found := _series(one, number, resolve)) is not None
    ]
    title = _title(child(chart, "c:title"), resolve)
    automatic = child(chart, "c:autoTitleDeleted")
    if not title and len(series) == 1 and (automatic is None or automatic.get("val") in ("0", "false")):
        title = series[0].name
    axes = [(one.tag, _title(child(one, "c:title"), resolve)) for one in plot if one.tag.endswith("Ax")]
    return _table(title, series, axes)


def _series(element: Element, number: int, resolve: Resolve | None) -> _Series | None:
    name = " ".join(_values(child(element, "c:tx"), resolve)).strip() or f"Series {number}"
    categories: list[str] = []
    columns: list[tuple[str, list[str]]] = []
    for one in element:
        if one.tag in _PLOT_NAMES:
            categories = _values(one, resolve)
        elif one.tag in ("c:val", "c:yVal"):
            columns.insert(0, ("", _values(one, resolve)))
        elif one.tag == "c:bubbleSize":
            columns.append(("size", _values(one, resolve)))
    return _Series(name, categories, columns) if any(values for _, values in columns) else None


def _table(title: str, series: list[_Series], axes: list[tuple[str, str]]) -> Table | None:
    if not series:
        return None
    category_axes = [text for tag, text in axes if tag in ("c:catAx", "c:dateAx") and text]
    value_axes = [text for tag, text in axes if tag == "c:valAx" and text]
    if all(tag == "c:valAx" for tag, _ in axes) and len(axes) == 2 and axes[0][1]:  # a scatter: both axes have values
        category_axes, value_axes = [axes[0][1]], [axes[1][1]] if axes[1][1] else []
    if value_axes:
        title = f"{title} ({', '.join(value_axes)})" if title else ", ".join(value_axes)
    first = category_axes[0] if category_axes else "Category"
    shared = [one.categories for one in series if one.categories]
    if all(one == shared[0] for one in shared):
        height = max(len(values) for one in series for _, values in one.columns)
        categories = shared[0] if shared else [str(number + 1) for number in range(height)]
        head, body = [first], [categories]
        for one in series:
            for kind, values in one.columns:
                head.append(f"{one.name} ({kind})" if kind else one.name)
                body.append(values)
        return Table.of([head, *_transposed(body)], header_rows=1, title=title)
    # Series with places of their own, as in a scatter plot
    width = max(len(one.columns) for one in series)
    rows = [["Series", first, "Value", "Size"][: 2 + width]]
    for one in series:
        rows += [[one.name, *row] for row in _transposed([one.categories, *(values for _, values in one.columns)])]
    return Table.of(rows, header_rows=1, title=title)


def _transposed(columns: Sequence[Sequence[str]]) -> list[list[str]]:
    height = max(map(len, columns), default=0)
    return [[column[row] if row < len(column) else "" for column in columns] for row in range(height)]


def _title(element: Element | None, resolve: Resolve | None) -> str:
    return " ".join(_values(child(element, "c:tx"), resolve)).strip()


def _values(element: Element | None, resolve: Resolve | None) -> list[str]:
    """Texts of a source of data: a cached reference, literals, rich text or a plain value."""
    for one in element if element is not None else ():
        if one.tag in ("c:numRef", "c:strRef", "c:multiLvlStrRef"):
            cache = next((part for part in one if part.tag.endswith("Cache")), None)
            found = _points(cache) if cache is not None else []
            formula = child(one, "c:f")
            if not any(found) and resolve is not None and formula is not None and formula.text:
                found = list(resolve(formula.text))
            return found
        if one.tag in ("c:numLit", "c:strLit"):
            return _points(one)
        if one.tag in ("c:rich", "cx:rich"):
            return [rich_text(one)]
        if one.tag == "c:v":
            return [one.text or ""]
    return []


def rich_text(element: Element) -> str:
    """Text of DrawingML paragraphs in one line."""
    paragraphs = ("".join(run.text or "" for run in one.iter("a:t")) for one in element.iter("a:p"))
    return " ".join(text for text in paragraphs if text.strip())


def _points(cache: Element) -> list[str]:
    levels = list(children(cache, "c:lvl"))
    if levels:  # the innermost level comes first; outer names stand once for all that follow
        inner, *outer = map(_level, levels)
        columns = [inner, *(_filled(one + [""] * (len(inner) - len(one))) for one in outer)]
        return [" ".join(filter(None, reversed(row))) for row in _transposed(columns)]
    return _level(cache)


def _level(element: Element) -> list[str]:
    code = child(element, "c:formatCode")
    points = {}
    for one in children(element, "c:pt"):
        value = child(one, "c:v")
        text = (value.text or "") if value is not None else ""
        shown = one.get("formatCode") or (code.text if code is not None else "") or ""
        points[whole_number(one.get("idx"))] = _shown(text, shown) if element.tag.startswith("c:num") else text
    declared = whole_number(next((one.get("val") for one in children(element, "c:ptCount")), None))
    count = min(max(declared if points else 0, max(points, default=-1) + 1), _POINTS)
    return [points.get(number, "") for number in range(count)]


def _filled(values: Iterable[str]) -> list[str]:
    found, last = [], ""
    for value in values:
        last = value or last
        found.append(last)
    return found


_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')


def _shown(text: str, code: str) -> str:
    """A number as its format shows it, as far as percent and dates go; others without the noise of binary fractions."""
    try:
        number = float(text)
    except ValueError:
        return text
    code = _QUOTED.sub("", code.partition(";")[0])
    if "%" in code:
        decimals = len(code.partition(".")[2].partition("%")[0])
        return f"{number * 100:.{decimals}f}%"
    lowered = code.lower()
    if ("y" in lowered or "d" in lowered) and "general" not in lowered and 0 < number < 2_958_466:
        moment = datetime.datetime(1899, 12, 30) + datetime.timedelta(days=number)
        whole = number == int(number) or "h" not in lowered
        return moment.date().isoformat() if whole else moment.isoformat(sep=" ", timespec="minutes")
    return f"{number:.15g}" if "e" not in f"{number:.15g}" else f"{number:g}"


def _extended(root: Element) -> Table | None:
    """Waterfall, sunburst, funnel and the like ([MS-ODRAWXML] 2.24.3)."""
    data = {one.get("id", ""): one for one in children(child(root, "cx:chartData"), "cx:data")}
    chart = child(root, "cx:chart")
    title = _extended_text(child(chart, "cx:title"))
    series = []
    region = child(chart, "cx:plotArea", "cx:plotAreaRegion")
    for number, one in enumerate(children(region, "cx:series"), 1):
        number_of = child(one, "cx:dataId")
        source = data.get(number_of.get("val", "") if number_of is not None else "")
        if source is None:
            continue
        categories: list[str] = []
        columns = []
        for dimension in source:
            levels = [_extended_level(level) for level in children(dimension, "cx:lvl")]
            if dimension.tag == "cx:strDim":
                categories = [" ".join(filter(None, reversed(row))) for row in _transposed(levels)]
            elif dimension.tag == "cx:numDim" and levels:
                columns.append(("", levels[0]))
        name = _extended_text(child(one, "cx:tx")) or f"Series {number}"
        if columns:
            series.append(_Series(name, categories, columns))
    return _table(title, series, [])


def _extended_text(element: Element | None) -> str:
    if element is None:
        return ""
    plain = next((one.text for one in element.iter("cx:v") if one.text), "")
    return rich_text(element) or plain


def _extended_level(element: Element) -> list[str]:
    code = element.get("formatCode", "")
    points = {whole_number(one.get("idx")): _shown(one.text or "", code) for one in children(element, "cx:pt")}
    count = min(max(points, default=-1) + 1, _POINTS)
    return [points.get(number, "") for number in range(count)]
