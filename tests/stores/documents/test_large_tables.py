"""A table of twelve columns in four formats: each row is found by its key, whole and with the names of its columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from localspec.models.embedder import Embedder
from tests.stores.libraries import open_library

HEADER = (
    "item",
    "colour",
    "site",
    "rack",
    "shelf",
    "batch",
    "net weight",
    "gross weight",
    "height",
    "width",
    "state",
    "note",
)
ROWS = tuple(
    (
        *(f"K-{at:03}", ("red", "green", "grey")[at % 3], ("Lyon", "Ulm", "Cork")[at % 7 % 3], f"R{at * 7 % 40}"),
        *(
            str(at % 9 + 1),
            f"B{at * 7919 % 10_000:04}",
            f"{at * 13 % 400 / 10 + 5.5:.1f}",
            f"{at * 17 % 500 / 10 + 11.5:.1f}",
        ),
        *(str(at * 3 % 90), str(at * 5 % 80), ("held", "ok")[at % 2], ("oil", "")[at % 4 > 0]),
    )
    for at in range(40)
)


def as_csv(folder: Path) -> Path:
    path = folder / "stock.csv"
    path.write_text("\n".join(map(",".join, (HEADER, *ROWS))), encoding="utf-8")
    return path


def as_markdown(folder: Path) -> Path:
    path = folder / "stock.md"
    lines = [f"| {' | '.join(row)} |" for row in (HEADER, ("---",) * len(HEADER), *ROWS)]
    path.write_text("# Stock of the depot\n\n" + "\n".join(lines), encoding="utf-8")
    return path


def as_workbook(folder: Path) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    for row in (HEADER, *ROWS):
        book.active.append(list(row))
    book.save(folder / "stock.xlsx")
    return folder / "stock.xlsx"


def as_document(folder: Path) -> Path:
    from docx import Document

    document = Document()
    document.add_heading("Stock of the depot")
    table = document.add_table(0, len(HEADER))
    for row in (HEADER, *ROWS[:24]):
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    document.save(str(folder / "stock.docx"))
    return folder / "stock.docx"


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


@pytest.mark.parametrize("write", [as_csv, as_markdown, as_workbook, as_document])
def test_each_row_is_found_by_its_key(tmp_path: Path, write: Callable[[Path], Path], embedder: Embedder) -> None:
    rows = ROWS[:24] if write is as_document else ROWS
    library = open_library(tmp_path / "library", embedder=embedder)
    document = library.add(write(tmp_path))
    library.ingest()
    passages = library.passages.of(document.id)
    lines = [line.rstrip() for passage in passages for line in passage.text.splitlines() if line.startswith("K-")]
    assert lines == [" | ".join(row).rstrip() for row in rows]  # none is cut, none is twice
    for passage in passages:
        before, found, _ = passage.text.partition("K-")
        assert not found or " | ".join(HEADER) in before
    for at in range(3, len(rows), len(rows) // 9):
        row = rows[at]
        best = library.passages.search(f"What is the gross weight of item {row[0]}?", 5)
        assert any(" | ".join(row).rstrip() in passage.text for passage in best), row[0]
    library.close()
