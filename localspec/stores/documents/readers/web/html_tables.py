"""Tables of HTML pages: cells that cover several places, header rows, and tables that only lay a page out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from localspec.stores.documents.blocks import Span, Table
from localspec.stores.documents.readers import table_headers
from localspec.stores.documents.readers.web.html_pieces import PagePiece

_LARGEST_COLSPAN = 1000  # HTML, "forming a table": attributes above these are taken as these
_LARGEST_ROWSPAN = 65_534
_PLACES = 2_000_000  # a table that covers more is hostile: its spans count as 1
_NUMBER = re.compile(r"[^\w]*\d[\d.,:/ \u00a0'%€$£¥+-]*\w{0,3}")


_TABLE_TITLE = re.compile(
    r"(?:table|tab\.|tabelle|tableau|tabla|tabela|tabella|tabel|taulukko|таблица|таблиця|表|표)\s*(?:\d|[IVXA-Z]\b)",
    re.IGNORECASE,
)
_TITLE_CHARACTERS = 200


@dataclass(slots=True)
class PageCell:
    """What stands in one cell."""

    pieces: list[PagePiece]
    rows: int  # that it covers; 0: to the end of its group
    columns: int
    is_header: bool
    is_bold: bool = False

    @property
    def text(self) -> str:
        """All of it on one line; rows of a table inside are parted by semicolons."""
        parts = []
        for piece in self.pieces:
            if piece.table is not None:
                lines = [", ".join(filter(None, row)) for row in piece.table.rows]
                title = f"{piece.table.title}: " if piece.table.title else ""
                parts.append(title + "; ".join(filter(None, lines)))
            elif piece.kind not in ("close", "chapter", "page label"):
                parts.append(piece.text)
        return " ".join(parts)


@dataclass(slots=True)
class PageRow:
    """A row with the group (thead, tbody or tfoot) that it stands in."""

    cells: list[PageCell]
    group: int
    group_tag: str


@dataclass(slots=True)
class OpenTable:
    """A table that is being read."""

    is_layout: bool  # its author says so
    title: str = ""
    rows: list[PageRow] = field(default_factory=list)
    groups: int = 0
    group_tag: str = "tbody"

    def begin_group(self, tag: str) -> None:
        """The rows that follow stand in a thead, tbody or tfoot."""
        self.groups += 1
        self.group_tag = tag

    def begin_row(self) -> None:
        """The cells that follow stand in a new row."""
        self.rows.append(PageRow([], self.groups, self.group_tag))

    def add(self, cell: PageCell) -> None:
        """The next cell of the row."""
        if not self.rows:
            self.begin_row()
        self.rows[-1].cells.append(cell)

    def result(self) -> Table | list[PagePiece]:
        """The table; or the pieces in it, where it only lays them out."""
        # A footer may stand before the body, but is shown below it.
        self.rows.sort(key=lambda row: {"thead": 0, "tfoot": 2}.get(row.group_tag, 1))
        if self._lays_out():
            pieces = [piece for row in self.rows for cell in row.cells for piece in cell.pieces]
            return [*([PagePiece(self.title, "caption")] if self.title else []), *pieces]
        texts, spans = place(self.rows)
        filled = [any(row) for row in texts]
        kept = [number for number, is_filled in enumerate(filled) if is_filled]
        spans = [moved for span in spans if (moved := _moved(span, kept)) is not None]
        texts = [texts[number] for number in kept]
        rows = [self.rows[number] for number in kept]
        title = self.title
        if not title and _names_table(rows, texts):
            title = texts[0][0]
            rows, texts = rows[1:], texts[1:]
            spans = [span._replace(row=span.row - 1) for span in spans if span.row > 0]
        header_rows = _header_rows(rows, texts)
        if not header_rows and any(span.row == 0 and 1 < span.columns < len(texts[0]) for span in spans):
            header_rows = table_headers.guessed(texts, spans)
        return Table.of(texts, header_rows=header_rows, title=title, spans=spans)

    def _lays_out(self) -> bool:
        cells = [cell for row in self.rows for cell in row.cells]
        if self.is_layout or not cells:
            return True
        named = self.title or any(cell.is_header for cell in cells)
        one_column = all(len(row.cells) <= 1 for row in self.rows)
        if named:
            return one_column and len(self.rows) < 2
        one_row = len(self.rows) == 1
        return one_column or any(_is_composed(cell, alone=one_row) for cell in cells)


def _names_table(rows: Sequence[PageRow], texts: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is the table's title: one cell over all columns, or, as LibreOffice writes a sheet, the
    first cell alone is filled, and all cells of the next row are."""
    if len(rows) < 2 or len(texts[0]) < 2:
        return False
    if len(rows[0].cells) == 1:
        return all(texts[0])
    return len(rows) > 2 and len(texts[0]) > 2 and bool(texts[0][0]) and not any(texts[0][1:]) and all(texts[1])


def _is_composed(cell: PageCell, *, alone: bool) -> bool:
    """Whether a cell without a header over it holds what no cell of data holds."""
    kinds = [piece.kind for piece in cell.pieces]
    if any(kind in ("table", "heading", "open") for kind in kinds) or ("field" in kinds and len(kinds) > 1):
        return True
    if any(piece.kind == "code" and "\n" in piece.text for piece in cell.pieces):
        return True
    return alone and len(kinds) > 1


def span_of(attributes: Mapping[str, str | None]) -> tuple[int, int]:
    """(rows, columns) that a cell covers by its attributes; 0 rows mean all that are left in its group."""
    rows, columns = (_whole(attributes.get(name)) for name in ("rowspan", "colspan"))
    return (1 if rows is None else min(rows, _LARGEST_ROWSPAN)), min(columns or 1, _LARGEST_COLSPAN)


def _whole(text: str | None) -> int | None:
    found = re.match(r"\s*\+?(\d{1,9})", text or "", re.ASCII)
    return int(found[1]) if found else None


def place(rows: Sequence[PageRow]) -> tuple[list[list[str]], list[Span]]:
    """Texts [rows][columns] and the cells over several of them, by the way of browsers (HTML, "forming a table"). A
    column in which no cell begins only repeats the one before it, and is left out."""
    last_of_group = {row.group: number for number, row in enumerate(rows)}
    taken: dict[tuple[int, int], str] = {}
    spans: list[Span] = []
    begun: set[int] = set()
    for number, row in enumerate(rows):
        column = 0
        for cell in row.cells:
            while (number, column) in taken:
                column += 1
            below = last_of_group[row.group] + 1 - number
            height = min(cell.rows or below, below)
            width = cell.columns
            if len(taken) + height * width > _PLACES:
                height = width = 1
            text = cell.text
            begun.add(column)
            for down in range(height):
                for right in range(width):
                    taken.setdefault((number + down, column + right), text)
            if height > 1 or width > 1:
                spans.append(Span(number, column, height, width))
            column += width
    columns = sorted(begun)
    texts = [[taken.get((number, column), "") for column in columns] for number in range(len(rows))]
    return texts, [kept for span in spans if (kept := _narrowed(span, columns)) is not None]


def _narrowed(span: Span, columns: list[int]) -> Span | None:
    covered = [new for new, old in enumerate(columns) if span.column <= old < span.column + span.columns]
    if not covered or (len(covered) == 1 and span.rows == 1):
        return None
    return Span(span.row, covered[0], span.rows, len(covered))


def _moved(span: Span, kept: list[int]) -> Span | None:
    covered = [new for new, old in enumerate(kept) if span.row <= old < span.row + span.rows]
    if not covered or (len(covered) == 1 and span.columns == 1):
        return None
    return Span(covered[0], span.column, len(covered), span.columns)


def _header_rows(rows: Sequence[PageRow], texts: Sequence[Sequence[str]]) -> int:
    """Rows that name the columns: those in thead, else those of header cells alone, else a first row in bold."""
    head = sum(row.group_tag == "thead" for row in rows)
    if head == 0:
        # Cells of a header that reach down from above count for the rows that they cover.
        below = 0
        for number, row in enumerate(rows):
            filled = [cell for cell in row.cells if cell.text.strip()]
            if not all(cell.is_header for cell in filled) or not (filled or number < below):
                break
            if number and len(filled) == 1 and filled[0].columns > 1 and number >= below:
                break  # the title of a group of rows
            head = number + 1
            below = max(below, *(number + cell.rows for cell in row.cells)) if row.cells else below
    if head >= len(rows) and head > 1:
        head = 1
    return head or guessed_header_rows(texts, is_bold=_first_row_alone_is_bold(rows))


def _first_row_alone_is_bold(rows: Sequence[PageRow]) -> bool:
    def bold(row: PageRow) -> bool:
        return all(cell.is_bold or cell.is_header for cell in row.cells if cell.text.strip())

    return len(rows) > 1 and bold(rows[0]) and not bold(rows[1])


def guessed_header_rows(rows: Sequence[Sequence[str]], *, is_bold: bool = False) -> int:
    """1 where the first row names the columns though nothing says so: it is bold, or holds different words over columns
    of numbers; else 0."""
    if len(rows) < 2:
        return 0
    first = [text.strip() for text in rows[0]]
    if is_bold:
        return 1
    if not all(first) or len(set(first)) < len(first) or any(map(_NUMBER.fullmatch, first)):
        return 0
    body = rows[1:50]
    numbers = 0
    for column in range(len(first)):
        filled = [row[column].strip() for row in body if column < len(row) and row[column].strip()]
        numbers += bool(filled) and all(map(_NUMBER.fullmatch, filled))
    return int(numbers > 0)


def is_title(text: str) -> bool:
    """Whether a text before a table says what table it is: "Table 3: …"."""
    return len(text) <= _TITLE_CHARACTERS and _TABLE_TITLE.match(text) is not None


def with_title(table: Table, title: str) -> Table:
    """The table under another title."""
    return Table(table.rows, table.header_rows, " ".join(title.split()), table.spans)


def captioned(pieces: Sequence[PagePiece]) -> list[PagePiece]:
    """The pieces of a figure, whose caption names its one table. A caption that only repeats a picture's text goes."""
    captions = [piece for piece in pieces if piece.kind == "caption"]
    tables = [piece for piece in pieces if piece.table is not None]
    if len(captions) == 1 and len(tables) == 1 and tables[0].table is not None and not tables[0].table.title:
        tables[0].table = with_title(tables[0].table, captions[0].text)
        return [piece for piece in pieces if piece is not captions[0]]
    texts = [piece.text for piece in pieces]
    return [piece for number, piece in enumerate(pieces) if piece.kind != "caption" or piece.text not in texts[:number]]
