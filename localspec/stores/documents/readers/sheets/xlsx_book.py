"""Parts of a workbook that all its sheets share: texts, formats of cells, the list of sheets (ECMA-376 part 1, 18)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, NamedTuple

from localspec.stores.documents.readers.content import UnreadableError
from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.office.office_xml import (
    Element,
    Package,
    child,
    children,
    local_name,
    parse_xml,
    whole_number,
)
from localspec.stores.documents.readers.sheets.cell_formats import GENERAL, is_date

_DAMAGED = "Get the file again, or open it in its own program and save it again."
_DATE, _TIME = "yyyy-mm-dd", "h:mm:ss"
_LOCAL_FORMATS = {
    # The computer's own language decides how these look, so they are written as in ISO 8601.
    14: _DATE,
    22: f"{_DATE} h:mm",
    **dict.fromkeys((*range(27, 32), 36, *range(50, 55), 57, 58), _DATE),
    **dict.fromkeys((*range(32, 36), 55, 56), _TIME),
}
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_PRINT_TITLES = "_xlnm.Print_Titles"
_ROWS = re.compile(r"\$(\d+):\$(\d+)$")


class CellStyle(NamedTuple):
    """What of a cell's style matters."""

    code: str  # number format
    is_date: bool
    bold: bool
    shaded: bool  # with a background


class SheetPart(NamedTuple):
    """A sheet in the workbook's list."""

    name: str
    part: str
    hidden: bool
    title_rows: int  # rows down to this one, from 1 on, are printed on each page; 0 if none are


@dataclass(slots=True)
class Book:
    """What is known of a workbook before its sheets are read."""

    texts: list[str] = field(default_factory=list)
    styles: list[CellStyle] = field(default_factory=list)
    sheets: list[SheetPart] = field(default_factory=list)
    from_1904: bool = False
    not_calculated: bool = False  # zeros as results of formulas mean nothing: the program that wrote it counts nothing


PLAIN_STYLE = CellStyle(GENERAL, False, False, False)


def read_book(package: Package) -> Book:
    """The workbook's own parts. Raises UnreadableError where its list of sheets is missing."""
    root = package.xml(package.main)
    if root is None or child(root, "sheets") is None:
        raise UnreadableError("is damaged: its list of sheets is missing.", _DAMAGED)
    book = Book()
    properties, calculation = child(root, "workbookPr"), child(root, "calcPr")
    book.from_1904 = properties is not None and properties.get("date1904") in ("1", "true")
    book.not_calculated = calculation is not None and calculation.get("fullCalcOnLoad") in ("1", "true")
    book.not_calculated |= _application(package).startswith("Apache POI")
    relations = package.relations(package.main)
    titles = _title_rows(root)
    for index, sheet in enumerate(children(child(root, "sheets"), "sheet")):
        relation = relations.get(sheet.get("r:id", ""))
        if relation is None or relation.kind != "worksheet" or not package.has(relation.target):
            continue  # a sheet of macros, or a chart alone
        hidden = sheet.get("state", "visible") != "visible"
        book.sheets.append(SheetPart(one_line(sheet.get("name", "")), relation.target, hidden, titles.get(index, 0)))
    for part in package.related(package.main, "sharedStrings"):
        if package.has(part):
            with package.open(part) as file:
                book.texts += _shared_texts(file)
    for part in package.related(package.main, "styles"):
        if package.has(part):
            book.styles += _styles(parse_xml(package.data(part)))
    return book


def _application(package: Package) -> str:
    for part in package.related("", "extended-properties"):
        found = child(package.xml(part), "Application")
        if found is not None:
            return (found.text or "").strip()
    return ""


def _title_rows(root: Element) -> dict[int, int]:
    found = {}
    for one in children(child(root, "definedNames"), "definedName"):
        rows = _ROWS.search((one.text or "").rpartition(",")[2])
        if one.get("name") == _PRINT_TITLES and rows:
            found[whole_number(one.get("localSheetId"), -1)] = int(rows[2])
    return found


def _shared_texts(file: IO[bytes]) -> Iterator[str]:
    from defusedxml.ElementTree import iterparse  # type: ignore[import-untyped]

    root: Element | None = None
    for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
        if root is None:
            root = element
        elif event == "end" and local_name(element.tag) == "si":
            yield text_of(element)
            root.clear()


def text_of(element: Element) -> str:
    """The text of a shared or inline string, without what only tells how to pronounce it; one line."""
    parts: list[str] = []
    for one in element:
        name = local_name(one.tag)
        if name == "t":
            parts.append(one.text or "")
        elif name == "r":
            parts += [run.text or "" for run in one if local_name(run.tag) == "t"]
    return plain_text("".join(parts))


def plain_text(text: str) -> str:
    """A text as it is shown: `_x000D_` and the like are characters."""
    if "_x" in text:
        text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return one_line(text)


def _styles(root: Element) -> Iterator[CellStyle]:
    """Styles of cells in their order (`cellXfs`)."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS

    codes = {**BUILTIN_FORMATS, **_LOCAL_FORMATS}
    for one in children(child(root, "numFmts"), "numFmt"):
        number = whole_number(one.get("numFmtId"), -1)
        if number not in _LOCAL_FORMATS:
            codes[number] = plain_code(one.get("formatCode", GENERAL))
    bold = [_is_bold(font) for font in children(child(root, "fonts"), "font")]
    filled = [_is_filled(fill) for fill in children(child(root, "fills"), "fill")]
    for style in children(child(root, "cellXfs"), "xf"):
        code = codes.get(whole_number(style.get("numFmtId")), GENERAL)
        font, fill = whole_number(style.get("fontId")), whole_number(style.get("fillId"))
        is_bold = 0 <= font < len(bold) and bold[font]
        yield CellStyle(code, is_date(code), is_bold, 0 <= fill < len(filled) and filled[fill])


def plain_code(code: str) -> str:
    """A format code; 'General' however it is written."""
    return GENERAL if code.strip().lower() in ("general", "standard", "") else code


def _is_bold(font: Element) -> bool:
    found = child(font, "b")
    return found is not None and found.get("val") not in ("0", "false")


def _is_filled(fill: Element) -> bool:
    pattern = child(fill, "patternFill")
    if pattern is None:
        return child(fill, "gradientFill") is not None
    if pattern.get("patternType") in (None, "none", "gray125"):
        return False
    colour = child(pattern, "fgColor")
    return colour is None or (
        colour.get("rgb", "").upper()[-6:] != "FFFFFF" and colour.get("indexed") not in ("9", "65")
    )
