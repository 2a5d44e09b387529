"""The cells of a worksheet, read in a stream: what each shows, what covers others, what is hidden."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO

from localspec.stores.documents.blocks import Span
from localspec.stores.documents.readers.office.office_xml import Element, local_name, whole_number
from localspec.stores.documents.readers.sheets.cell_formats import GENERAL, general, shown_number, shown_text
from localspec.stores.documents.readers.sheets.sheet_grid import (
    MOST_COLUMNS,
    Grid,
    GridRow,
    area,
    cell_place,
    column_name,
)
from localspec.stores.documents.readers.sheets.xlsx_book import PLAIN_STYLE, Book, CellStyle, plain_text, text_of

_NARROW = 3.0  # characters that fit into a column that only parts others
_ON = ("1", "true")


@dataclass(slots=True)
class CellBudget:
    """Cells that may still be read of a workbook."""

    left: int
    spent: bool = False


@dataclass(slots=True)
class SheetExtras:
    """What a sheet says beside its cells."""

    open_formulas: list[str] = field(default_factory=list)  # places of formulas whose results nobody calculated
    drawings: list[str] = field(default_factory=list)  # ids of relations
    header_footer: list[str] = field(default_factory=list)


class SheetReader:
    """Reads one worksheet into `grid` and `extras`."""

    def __init__(self, book: Book, budget: CellBudget) -> None:
        self.grid = Grid()
        self.extras = SheetExtras()
        self._book = book
        self._budget = budget
        self._shared_formulas: dict[str, tuple[str, str]] = {}  # text and place, by index
        self._handlers: dict[str, Callable[[Element], None]] = {
            "cols": self._columns,
            "sheetView": self._view,
            "mergeCell": self._merged,
            "autoFilter": self._filtered,
            "hyperlink": self._link,
            "drawing": self._drawing,
            "headerFooter": self._header_footer,
        }
        self._links: dict[tuple[int, int], str] = {}

    def read(self, file: IO[bytes]) -> None:
        """Read the sheet's part, to the end or until the budget is spent."""
        from defusedxml.ElementTree import iterparse  # type: ignore[import-untyped]

        data: Element | None = None
        row_number = -1
        for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
            name = local_name(element.tag)
            if event == "start":
                if name == "sheetData":
                    data = element
            elif name == "row" and data is not None:
                row_number = self._row(element, row_number + 1)
                data.clear()
                if self._budget.spent:
                    break
            elif name in self._handlers:
                self._handlers[name](element)
        if self._links:
            self._show_links()

    # -- cells -----------------------------------------------------------------------------------------------------

    def _row(self, element: Element, expected: int) -> int:
        number = whole_number(element.get("r"), expected + 1) - 1
        row = GridRow(number, hidden=element.get("hidden") in _ON or element.get("ht") == "0")
        column = -1
        for cell in element:
            if local_name(cell.tag) != "c":
                continue
            reference = cell.get("r", "")
            place = _column(reference) if reference else column + 1
            if not column < place < MOST_COLUMNS:
                continue
            column = place
            style = self._style(cell)
            text, numeric = self._value(cell, style, number, column)
            if text:
                self._budget.left -= 1
                if self._budget.left < 0:
                    self._budget.spent = True
                    break
                bit = row.put(column, text, numeric=numeric, date=numeric and style.is_date)
                if style.bold:
                    row.bold |= bit
                if style.shaded:
                    row.shaded |= bit
        if row.filled:
            self.grid.rows.append(row)
        return number

    def _style(self, cell: Element) -> CellStyle:
        styles, index = self._book.styles, whole_number(cell.get("s"))
        return styles[index] if 0 <= index < len(styles) else PLAIN_STYLE

    def _value(self, cell: Element, style: CellStyle, row: int, column: int) -> tuple[str, bool]:
        """What a cell shows, and whether that is a number or the like."""
        value: str | None = None
        formula: Element | None = None
        inline: Element | None = None
        for one in cell:
            name = local_name(one.tag)
            if name == "v":
                value = one.text or ""
            elif name == "f":
                formula = one
            elif name == "is":
                inline = one
        kind = cell.get("t", "n")
        if formula is not None:
            text = self._formula(formula, row, column)
            if self._is_open(kind, value):
                self.extras.open_formulas.append(f"{column_name(column)}{row + 1}")
                return text, True
        if inline is not None:
            return shown_text(text_of(inline), style.code), False
        if not value:
            return "", False
        if kind == "s":
            index = whole_number(value, -1)
            text = self._book.texts[index] if 0 <= index < len(self._book.texts) else ""
            return (shown_text(text, style.code) if style.code != GENERAL else text), False
        if kind == "n":
            return self._number(value, style), True
        if kind == "b":
            return ("FALSE" if value.strip() in ("0", "false") else "TRUE"), True
        if kind == "d":
            return value.removesuffix("Z").removesuffix("T00:00:00").replace("T", " "), True
        return shown_text(plain_text(value), style.code), kind == "e"

    def _number(self, value: str, style: CellStyle) -> str:
        try:
            number = float(value)
        except ValueError:
            return plain_text(value)
        if style.code == GENERAL or style.code == "@":
            return general(number)
        return shown_number(number, style.code, from_1904=self._book.from_1904)

    def _is_open(self, kind: str, value: str | None) -> bool:
        """Whether nobody calculated a formula: no result is stored, or a zero that stands for none."""
        if kind == "str" and value is not None:
            return False  # an empty text is a result
        if value is None or not value.strip():
            return True
        return self._book.not_calculated and kind == "n" and value.strip() in ("0", "0.0")

    def _formula(self, element: Element, row: int, column: int) -> str:
        text = (element.text or "").strip()
        index = element.get("si")
        if element.get("t") == "shared" and index is not None:
            place = f"{column_name(column)}{row + 1}"
            if text:
                self._shared_formulas[index] = (text, place)
            elif index in self._shared_formulas:
                text = _moved(*self._shared_formulas[index], place)
        for prefix in ("_xlfn.", "_xlws.", "_xlpm."):
            text = text.replace(prefix, "")
        return f"={plain_text(text)}" if text else "="

    # -- around them -----------------------------------------------------------------------------------------------

    def _columns(self, element: Element) -> None:
        for one in element:
            first, last = whole_number(one.get("min")) - 1, whole_number(one.get("max")) - 1
            columns = range(max(0, first), min(last, MOST_COLUMNS - 1) + 1)
            width = _number_or(one.get("width"), 9.0)
            if one.get("hidden") in _ON or width == 0:
                self.grid.hidden_columns.update(columns)
            elif width < _NARROW:
                self.grid.narrow_columns.update(columns)

    def _view(self, element: Element) -> None:
        for one in element:
            if local_name(one.tag) == "pane" and one.get("state", "").startswith("frozen"):
                rows = int(_number_or(one.get("ySplit"), 0))
                if rows > 0:
                    self.grid.header_ends.append(rows - 1)

    def _merged(self, element: Element) -> None:
        try:
            top, left, bottom, right, _ = area(element.get("ref", ""))
        except ValueError:
            return
        self.grid.spans.append(Span(top, left, bottom - top + 1, right - left + 1))

    def _filtered(self, element: Element) -> None:
        try:
            self.grid.header_ends.append(area(element.get("ref", "")).top)
        except ValueError:
            return

    def _link(self, element: Element) -> None:
        try:
            self._links[cell_place(element.get("ref", "").partition(":")[0])] = plain_text(element.get("display", ""))
        except ValueError:
            return

    def _show_links(self) -> None:
        """A link without a text of its own shows its name."""
        rows = {row.number: row for row in self.grid.rows}
        for (number, column), text in self._links.items():
            row = rows.get(number)
            if row is not None and text and not row.text(column) and column >= len(row.cells):
                row.put(column, text)

    def _drawing(self, element: Element) -> None:
        self.extras.drawings += [value for name, value in element.items() if local_name(name) == "id"]

    def _header_footer(self, element: Element) -> None:
        self.extras.header_footer += [text for one in element if (text := one.text or "")]


def _column(reference: str) -> int:
    """The column of a cell's place, from 0 on; the row's own number tells the row."""
    column = 0
    for letter in reference:
        if not "A" <= letter <= "Z":
            break
        column = column * 26 + ord(letter) - 64
    return column - 1


def _moved(formula: str, origin: str, place: str) -> str:
    from openpyxl.formula.tokenizer import TokenizerError
    from openpyxl.formula.translate import Translator, TranslatorError

    try:
        return str(Translator(f"={formula}", origin=origin).translate_formula(place)).removeprefix("=")
    except (TranslatorError, TokenizerError, ValueError):
        return formula


def _number_or(text: str | None, default: float) -> float:
    try:
        return float(text) if text is not None else default
    except ValueError:
        return default


_HEADER_CODES = {"P": "", "N": "", "D": "", "T": "", "Z": "", "F": "", "A": "", "G": "", "&": "&"}


def header_texts(texts: list[str]) -> Iterator[str]:
    """What headers and footers of the printed page say, without page numbers and dates (18.3.1.46)."""
    for text in texts:
        parts, index = [], 0
        while index < len(text):
            if text[index] != "&" or index + 1 == len(text):
                parts.append(text[index])
                index += 1
                continue
            code = text[index + 1].upper()
            index += 2
            if code == '"':
                index = text.find('"', index) + 1 or len(text)
            elif code == "K":
                index += 6
            elif code.isdigit():
                while index < len(text) and text[index].isdigit():
                    index += 1
            elif code in "LCR":
                parts.append("\n")
            else:
                parts.append(_HEADER_CODES.get(code, ""))
        lines = (plain_text(line) for line in "".join(parts).split("\n"))
        yield from (line for line in lines if any(map(str.isalpha, line)))
