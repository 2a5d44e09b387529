"""The workbook by openpyxl, XlsxWriter and pandas."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.stores.documents.written import content

LANGUAGE_ROWS = (("Language", "Sentence"), *((name, language.text) for name, language in content.LANGUAGES.items()))
NUMBER_FORM = "0.0"
MAINS_ROW, STOCK_ROWS = 3, len(content.STOCK) + 1
"""Row of the sheet, from 1, in which the table of mains begins below its title, and rows of the stock."""


def value_of(text: str) -> str | float:
    """A number where the text is one."""
    return float(text) if text.replace(".", "", 1).isdigit() else text


def stock_rows() -> list[list[Any]]:
    """The stock with numbers for weights, which their format shows as kilograms."""
    return [[item, shelf, int(net.split()[0]), int(gross.split()[0])] for item, shelf, net, gross in content.STOCK]


def by_openpyxl(path: Path) -> Path:
    """openpyxl calculates no formula."""
    from openpyxl import Workbook
    from openpyxl.chart import BarChart, Reference
    from openpyxl.comments import Comment
    from openpyxl.styles import Alignment

    book = Workbook()
    mains = book.active
    mains.title = "Mains"
    mains["A1"] = content.MAINS_TITLE
    for row, column, cell in content.spanned(content.MAINS):
        place = mains.cell(row + MAINS_ROW, column + 1, value_of(cell.text) if cell.text else None)
        place.number_format = NUMBER_FORM if isinstance(place.value, float) else "General"
        place.alignment = Alignment(wrap_text="\n" in cell.text)
        if cell.rows > 1 or cell.columns > 1:
            end = (row + MAINS_ROW + cell.rows - 1, column + cell.columns)
            mains.merge_cells(start_row=row + MAINS_ROW, start_column=column + 1, end_row=end[0], end_column=end[1])
    stock = book.create_sheet("Stock")
    for line in (content.STOCK_HEADER, *stock_rows()):
        stock.append(list(line))
    for cells in stock.iter_rows(min_row=2, min_col=3):
        for one in cells:
            one.number_format = '0" kg"'
    numbers = book.create_sheet("Numbers")
    numbers.append(["Name", "Value"])
    for figure in content.NUMBERS:
        numbers.append([figure.name, figure.value])
        numbers.cell(numbers.max_row, 2).number_format = figure.form
    for name, rows in (("Bill", content.BILL), ("Staff", content.STAFF), ("Draft", content.DRAFT)):
        sheet = book.create_sheet(name)
        for one_row in rows:
            sheet.append(list(one_row))
    book["Staff"].row_dimensions[3].hidden = True
    book["Staff"].column_dimensions["C"].hidden = True
    book["Draft"].sheet_state = "hidden"
    sales = book.create_sheet("Sales")
    sales.append(["", *(name for name, _ in content.CHART_SERIES)])
    for at, category in enumerate(content.CHART_CATEGORIES):
        sales.append([category, *(values[at] for _, values in content.CHART_SERIES)])
    chart = BarChart()
    chart.title = content.CHART_TITLE
    chart.add_data(Reference(sales, min_col=2, max_col=3, min_row=1, max_row=5), titles_from_data=True)
    chart.set_categories(Reference(sales, min_col=1, min_row=2, max_row=5))
    sales.add_chart(chart, "E2")
    words = book.create_sheet("Words")
    for pair in LANGUAGE_ROWS:
        words.append(list(pair))
    words["A2"].comment = Comment(content.CELL_NOTE, "Ann")
    mains.oddHeader.center.text, mains.oddFooter.center.text = content.HEADER, content.FOOTER
    book.save(path)
    return path


def by_xlsxwriter(path: Path, *, calculated: bool = False) -> Path:
    """XlsxWriter writes 0 for a formula's result, unless it is told one."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(path)) as book:
        mains = book.add_worksheet("Mains")
        mains.write("A1", content.MAINS_TITLE)
        plain, number = book.add_format({"text_wrap": True}), book.add_format({"num_format": NUMBER_FORM})
        for row, column, cell in content.spanned(content.MAINS):
            place = (row + MAINS_ROW - 1, column)
            value = value_of(cell.text)
            form = number if isinstance(value, float) else plain
            if cell.rows > 1 or cell.columns > 1:
                mains.merge_range(*place, place[0] + cell.rows - 1, place[1] + cell.columns - 1, value, form)
            elif cell.text:
                mains.write(*place, value, form)
        mains.set_header(f"&C{content.HEADER}")
        mains.set_footer(f"&C{content.FOOTER}")
        stock, weight = book.add_worksheet("Stock"), book.add_format({"num_format": '0" kg"'})
        stock.write_row(0, 0, content.STOCK_HEADER)
        for at, line in enumerate(stock_rows(), 1):
            stock.write_row(at, 0, line[:2])
            stock.write_row(at, 2, line[2:], weight)
        numbers = book.add_worksheet("Numbers")
        numbers.write_row(0, 0, ("Name", "Value"))
        for at, figure in enumerate(content.NUMBERS, 1):
            numbers.write(at, 0, figure.name)
            numbers.write(at, 1, figure.value, book.add_format({"num_format": figure.form}))
        bill = book.add_worksheet("Bill")
        for at, cells in enumerate(content.BILL):
            for right, one in enumerate(cells):
                if isinstance(one, str) and one.startswith("="):
                    bill.write_formula(at, right, one, None, content.BILL_RESULTS[one] if calculated else 0)
                elif one is not None:
                    bill.write(at, right, one)
        staff, draft = book.add_worksheet("Staff"), book.add_worksheet("Draft")
        for sheet, texts in ((staff, content.STAFF), (draft, content.DRAFT)):
            for at, text_row in enumerate(texts):
                sheet.write_row(at, 0, text_row)
        staff.set_row(2, None, None, {"hidden": True})
        staff.set_column("C:C", None, None, {"hidden": True})
        draft.hide()
        sales = book.add_worksheet("Sales")
        sales.write_row(0, 1, [name for name, _ in content.CHART_SERIES])
        sales.write_column(1, 0, content.CHART_CATEGORIES)
        chart = book.add_chart({"type": "column"})
        for at, (_, values) in enumerate(content.CHART_SERIES, 1):
            sales.write_column(1, at, values)
            ranges = {"name": ["Sales", 0, at], "categories": ["Sales", 1, 0, 4, 0], "values": ["Sales", 1, at, 4, at]}
            chart.add_series(ranges)
        chart.set_title({"name": content.CHART_TITLE})
        sales.insert_chart("E2", chart)
        words = book.add_worksheet("Words")
        for at, pair in enumerate(LANGUAGE_ROWS):
            words.write_row(at, 0, pair)
        words.write_comment("A2", content.CELL_NOTE, {"author": "Ann"})
    return path


def frames() -> dict[str, Any]:
    """The tables as pandas has them: the columns of the mains have two levels, their rows a name."""
    import pandas

    columns = pandas.MultiIndex.from_tuples(
        [("Pressure in bar", "lowest"), ("Pressure in bar", "highest"), ("Notes", "remarks")]
    )
    rows = [
        [value_of(low) or None, value_of(high) or None, text or None] for _, low, high, text in content.MAINS_READ[2:]
    ]
    index = pandas.Index([row[0] for row in content.MAINS_READ[2:]], name="Main")
    return {
        "Mains": pandas.DataFrame(rows, columns=columns, index=index),
        "Stock": pandas.DataFrame(content.STOCK, columns=list(content.STOCK_HEADER)),
        "Words": pandas.DataFrame(LANGUAGE_ROWS[1:], columns=list(LANGUAGE_ROWS[0])),
    }


def by_pandas(path: Path, *, engine: str) -> Path:
    """pandas with one of its two engines."""
    import pandas

    with pandas.ExcelWriter(path, engine=engine) as writer:
        for name, frame in frames().items():
            frame.to_excel(writer, sheet_name=name, index=name == "Mains")
    return path


def by_pandas_as_text(path: Path) -> Path:
    """pandas' CSV of the stock."""
    frames()["Stock"].to_csv(path, index=False)
    return path


def by_pandas_as_page(path: Path) -> Path:
    """pandas' HTML of all its tables."""
    parts = [f"<h2>{name}</h2>{frame.to_html(index=name == 'Mains', na_rep='')}" for name, frame in frames().items()]
    path.write_text(f'<!DOCTYPE html><meta charset="utf-8"><title>Book</title>{"".join(parts)}', encoding="utf-8")
    return path


WORKBOOKS: dict[str, Callable[[Path], Path]] = {
    "workbook-openpyxl.xlsx": by_openpyxl,
    "workbook-xlsxwriter.xlsx": by_xlsxwriter,
    "workbook-xlsxwriter-results.xlsx": partial(by_xlsxwriter, calculated=True),
    "workbook-pandas-openpyxl.xlsx": partial(by_pandas, engine="openpyxl"),
    "workbook-pandas-xlsxwriter.xlsx": partial(by_pandas, engine="xlsxwriter"),
    "workbook-pandas.csv": by_pandas_as_text,
    "workbook-pandas.html": by_pandas_as_page,
}
"""How each is written when the tests run."""
