"""The reader of workbooks (XLSX, XLSM): what the cells of every sheet show, with notes, charts and shapes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import ParseError

from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits
from localspec.stores.documents.readers.office.drawing_charts import chart_table, rich_text
from localspec.stores.documents.readers.office.office_xml import (
    Element,
    Package,
    child,
    children,
    local_name,
    whole_number,
)
from localspec.stores.documents.readers.sheets.sheet_grid import CellNote, Grid, area, cell_place
from localspec.stores.documents.readers.sheets.sheet_tables import write_grid
from localspec.stores.documents.readers.sheets.xlsx_book import Book, SheetPart, plain_text, read_book, text_of
from localspec.stores.documents.readers.sheets.xlsx_sheet import CellBudget, SheetReader, header_texts

_LISTED = 5  # places that a warning names
_POINTS = 10_000  # of a chart's series
_AUTHOR = "tc="  # of a threaded comment's copy for old programs


def read_xlsx(path: Path, limits: ParseLimits) -> Content:
    """Tables, single texts, notes and charts of every sheet as they are shown. Formulas show the result that is stored,
    or themselves where nobody calculated them; what is hidden is there and says so."""
    with zipfile.ZipFile(path) as archive:
        return _read_package(Package(archive), limits)


def _read_package(package: Package, limits: ParseLimits) -> Content:
    book = read_book(package)
    writer = BlockWriter(limits)
    budget = CellBudget(limits.cells)
    warnings: list[str] = []
    readers: dict[str, SheetReader] = {}
    for sheet in book.sheets:
        readers[sheet.name] = _read_sheet(package, book, sheet, budget)
        if budget.spent:
            break
    grids = {name: reader.grid for name, reader in readers.items()}
    running: set[str] = set()  # headers and footers so far: most sheets have the same
    for sheet, reader in zip(book.sheets, readers.values(), strict=False):
        write_grid(writer, reader.grid, limits.cells)
        for text in header_texts(reader.extras.header_footer):
            if text not in running:
                running.add(text)
                writer.add(text, "running")
        _write_drawings(writer, package, sheet, reader.extras.drawings, grids)
        if reader.extras.open_formulas:
            warnings.append(_not_calculated(sheet.name, reader.extras.open_formulas))
    if budget.spent:
        warnings.append(
            f"The workbook is very large: only about the first {limits.cells:,} filled cells were read "
            f"(up to sheet '{sheet.name}')."
        )
    return Content(package.title(), "xlsx", writer.blocks, None, tuple(warnings))


def _read_sheet(package: Package, book: Book, sheet: SheetPart, budget: CellBudget) -> SheetReader:
    reader = SheetReader(book, budget)
    grid = reader.grid
    grid.name, grid.hidden = sheet.name, sheet.hidden
    if sheet.title_rows:
        grid.header_ends.append(sheet.title_rows - 1)
    with package.open(sheet.part) as file:
        reader.read(file)
    for part in package.related(sheet.part, "table"):
        root = package.xml(part)
        if root is not None:
            try:
                grid.declared.append(area(root.get("ref", ""), whole_number(root.get("headerRowCount"), 1)))
            except ValueError:
                continue
    grid.notes += _notes(package, sheet.part)
    return reader


def _not_calculated(sheet: str, places: Sequence[str]) -> str:
    count = len(places)
    named = ", ".join(places[:_LISTED]) + (", …" if count > _LISTED else "")
    results = "1 formula was" if count == 1 else f"{count:,} formulas were"
    return (
        f"In sheet '{sheet}', {results} never calculated ({named}): shown as formulas. "
        "Open the workbook in a spreadsheet program and save it to have the results."
    )


# -- notes -------------------------------------------------------------------------------------------------------------


def _notes(package: Package, part: str) -> Iterator[CellNote]:
    """Comments on cells; threads instead of the copies that old programs get of them."""
    threads = set()
    people = _people(package)
    for name in package.related(part, "threadedComment"):
        for one in children(package.xml(name), "threadedComment"):
            text = child(one, "text")
            found = _note(one.get("ref", ""), people.get(one.get("personId", ""), ""), text)
            if found is not None:
                threads.add((found.row, found.column))
                yield found
    for name in package.related(part, "comments"):
        root = package.xml(name)
        authors = [plain_text(one.text or "") for one in children(child(root, "authors"), "author")]
        for one in children(child(root, "commentList"), "comment"):
            author = whole_number(one.get("authorId"), -1)
            by = authors[author] if 0 <= author < len(authors) else ""
            found = _note(one.get("ref", ""), "" if by.startswith(_AUTHOR) else by, child(one, "text"))
            if found is not None and (found.row, found.column) not in threads:
                yield found


def _note(reference: str, author: str, text: Element | None) -> CellNote | None:
    try:
        row, column = cell_place(reference)
    except ValueError:
        return None
    words = (text_of(text) or plain_text(text.text or "")) if text is not None else ""
    words = words.removeprefix(f"{author}:").strip() if author else words
    return CellNote(row, column, author, words) if words else None


def _people(package: Package) -> dict[str, str]:
    return {
        one.get("id", ""): plain_text(one.get("displayName", ""))
        for part in package.related(package.main, "person")
        for one in children(package.xml(part), "person")
    }


# -- charts and shapes -------------------------------------------------------------------------------------------------


def _write_drawings(
    writer: BlockWriter, package: Package, sheet: SheetPart, ids: Sequence[str], grids: dict[str, Grid]
) -> None:
    """Charts and texts of shapes on a sheet, from above."""
    relations = package.relations(sheet.part)
    for identifier in ids:
        drawing = relations.get(identifier)
        root = package.xml(drawing.target) if drawing is not None else None
        if drawing is None or root is None:
            continue
        parts = package.relations(drawing.target)
        for anchor in sorted(root, key=_position):
            for element in anchor.iter():
                name = local_name(element.tag)
                if name == "txBody":
                    writer.add(rich_text(element))
                elif name == "chart" and element.get("r:id") in parts:
                    _write_chart(writer, package, parts[element.get("r:id", "")].target, grids)


def _write_chart(writer: BlockWriter, package: Package, part: str, grids: dict[str, Grid]) -> None:
    try:
        table = chart_table(package.data(part), lambda reference: _shown_cells(reference, grids))
    except (KeyError, ParseError, ValueError):
        return
    if table is not None:
        writer.add_chart(table)


def _position(anchor: Element) -> tuple[int, int]:
    start = next((one for one in anchor if local_name(one.tag) == "from"), None)
    places = {local_name(one.tag): whole_number(one.text) for one in start} if start is not None else {}
    return places.get("row", 0), places.get("col", 0)


def _shown_cells(reference: str, grids: dict[str, Grid]) -> list[str]:
    """What the cells of a reference like 'Sheet 1'!$B$2:$B$5 show, as far as their sheet was read already."""
    name, _, cells = reference.rpartition("!")
    grid = grids.get(name.strip("'").replace("''", "'"))
    try:
        top, left, bottom, right, _ = area(cells)
    except ValueError:
        return []
    if grid is None or (bottom - top + 1) * (right - left + 1) > _POINTS:
        return []
    rows = {row.number: row for row in grid.rows if top <= row.number <= bottom}
    return [
        rows[number].text(column) if number in rows else ""
        for number in range(top, bottom + 1)
        for column in range(left, right + 1)
    ]
