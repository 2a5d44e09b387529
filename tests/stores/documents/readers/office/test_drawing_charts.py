"""Charts of office files: title, categories and series, as they are shown."""

from __future__ import annotations

import io
import zipfile

import pytest

from localspec.stores.documents.readers.office.drawing_charts import chart_table

CHART = '<c:chartSpace xmlns:c="{c}" xmlns:a="{a}"><c:chart>{body}</c:chart></c:chartSpace>'
NAMES = (
    ("http://schemas.openxmlformats.org/drawingml/2006/chart", "http://schemas.openxmlformats.org/drawingml/2006/main"),
    ("http://purl.oclc.org/ooxml/drawingml/chart", "http://purl.oclc.org/ooxml/drawingml/main"),
)


def chart(body: str, *, strict: bool = False) -> bytes:
    c, a = NAMES[strict]
    return CHART.format(c=c, a=a, body=body).encode()


def title(words: str) -> str:
    return f"<c:title><c:tx><c:rich><a:p><a:r><a:t>{words}</a:t></a:r></a:p></c:rich></c:tx></c:title>"


def cache(kind: str, values: list[str], code: str = "General") -> str:
    points = "".join(f'<c:pt idx="{n}"><c:v>{v}</c:v></c:pt>' for n, v in enumerate(values) if v)
    form = f"<c:formatCode>{code}</c:formatCode>" if kind == "num" else ""
    copy = f'{form}<c:ptCount val="{len(values)}"/>{points}'
    return f"<c:{kind}Ref><c:f>S!A1</c:f><c:{kind}Cache>{copy}</c:{kind}Cache></c:{kind}Ref>"


def series(name: str, categories: list[str], values: list[str], code: str = "General") -> str:
    return (
        f"<c:ser><c:tx>{cache('str', [name])}</c:tx><c:cat>{cache('str', categories)}</c:cat>"
        f"<c:val>{cache('num', values, code)}</c:val></c:ser>"
    )


@pytest.mark.parametrize("strict", [False, True])
def test_categories_and_series_become_columns(strict: bool) -> None:
    body = (
        f"{title('Sales')}<c:plotArea><c:barChart>{series('2023', ['North', 'South'], ['0.30000000000000004', '7'])}"
        f"{series('2024', ['North', 'South'], ['', '9'])}</c:barChart><c:catAx>{title('Region')}</c:catAx>"
        f"<c:valAx>{title('Million euros')}</c:valAx></c:plotArea>"
    )
    table = chart_table(chart(body, strict=strict))
    assert table is not None
    assert table.title == "Sales (Million euros)"
    assert table.rows == (("Region", "2023", "2024"), ("North", "0.3", ""), ("South", "7", "9"))
    assert table.header_rows == 1


def test_values_are_shown_in_their_format() -> None:
    body = f"<c:plotArea><c:pieChart>{series('Share', ['a', 'b'], ['0.475', '0.5'], '0.0%')}</c:pieChart></c:plotArea>"
    table = chart_table(chart(body))
    assert table is not None
    # A single series names a chart that has no title of its own.
    assert (table.title, table.rows) == ("Share", (("Category", "Share"), ("a", "47.5%"), ("b", "50.0%")))


def test_categories_that_are_days() -> None:
    dates = cache("num", ["45292", "45323"], "yyyy\\-mm\\-dd")
    body = f"<c:ser><c:cat>{dates}</c:cat><c:val>{cache('num', ['1', '2'])}</c:val></c:ser>"
    table = chart_table(chart(f"<c:plotArea><c:lineChart>{body}</c:lineChart></c:plotArea>"))
    assert table is not None
    assert table.rows[1:] == (("2024-01-01", "1"), ("2024-02-01", "2"))


def test_categories_on_several_levels() -> None:
    levels = (
        '<c:multiLvlStrRef><c:multiLvlStrCache><c:ptCount val="3"/>'
        '<c:lvl><c:pt idx="0"><c:v>Q1</c:v></c:pt><c:pt idx="1"><c:v>Q2</c:v></c:pt>'
        '<c:pt idx="2"><c:v>Q1</c:v></c:pt></c:lvl>'
        '<c:lvl><c:pt idx="0"><c:v>2023</c:v></c:pt><c:pt idx="2"><c:v>2024</c:v></c:pt></c:lvl>'
        "</c:multiLvlStrCache></c:multiLvlStrRef>"
    )
    body = f"<c:ser><c:cat>{levels}</c:cat><c:val>{cache('num', ['1', '2', '3'])}</c:val></c:ser>"
    table = chart_table(chart(f"<c:plotArea><c:barChart>{body}</c:barChart></c:plotArea>"))
    assert table is not None
    assert [row[0] for row in table.rows[1:]] == ["2023 Q1", "2023 Q2", "2024 Q1"]


def test_scatter_series_with_places_of_their_own() -> None:
    def dots(name: str, xs: list[str], ys: list[str]) -> str:
        return (
            f"<c:ser><c:tx><c:v>{name}</c:v></c:tx><c:xVal>{cache('num', xs)}</c:xVal>"
            f"<c:yVal>{cache('num', ys)}</c:yVal></c:ser>"
        )

    body = (
        f"<c:plotArea><c:scatterChart>{dots('A', ['1'], ['5'])}{dots('B', ['2'], ['6'])}</c:scatterChart></c:plotArea>"
    )
    table = chart_table(chart(body))
    assert table is not None
    assert table.rows == (("Series", "Category", "Value"), ("A", "1", "5"), ("B", "2", "6"))


def test_values_without_copies_come_from_the_sheet() -> None:
    from openpyxl.chart import BarChart, Reference
    from openpyxl.workbook import Workbook

    workbook = Workbook()
    sheet = workbook.active
    for row in (["Month", "Rain"], ["May", 12], ["June", 7]):
        sheet.append(row)
    made = BarChart()
    made.title = "Weather"
    made.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    made.set_categories(Reference(sheet, min_col=1, min_row=2, max_row=3))
    sheet.add_chart(made, "D1")
    file = io.BytesIO()
    workbook.save(file)
    data = zipfile.ZipFile(file).read("xl/charts/chart1.xml")
    cells = {"'Sheet'!B1": ["Rain"], "'Sheet'!$A$2:$A$3": ["May", "June"], "'Sheet'!$B$2:$B$3": ["12", "7"]}
    table = chart_table(data, lambda reference: cells[reference])
    assert table is not None
    assert (table.title, table.rows) == ("Weather", (("Category", "Rain"), ("May", "12"), ("June", "7")))
    assert chart_table(data) is None


def test_charts_of_2014() -> None:
    data = (
        '<cx:chartSpace xmlns:cx="http://schemas.microsoft.com/office/drawing/2014/chartex"'
        ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><cx:chartData><cx:data id="0">'
        '<cx:strDim type="cat"><cx:lvl ptCount="2"><cx:pt idx="0">Start</cx:pt>'
        '<cx:pt idx="1">End</cx:pt></cx:lvl></cx:strDim>'
        '<cx:numDim type="val"><cx:lvl ptCount="2" formatCode="General"><cx:pt idx="0">10</cx:pt>'
        '<cx:pt idx="1">25</cx:pt>'
        "</cx:lvl></cx:numDim></cx:data></cx:chartData><cx:chart><cx:title><cx:tx><cx:txData><cx:v>Cash</cx:v></cx:txData>"
        '</cx:tx></cx:title><cx:plotArea><cx:plotAreaRegion><cx:series layoutId="waterfall"><cx:tx><cx:txData>'
        "<cx:v>Sum</cx:v>"
        '</cx:txData></cx:tx><cx:dataId val="0"/></cx:series></cx:plotAreaRegion>'
        "</cx:plotArea></cx:chart></cx:chartSpace>"
    )
    table = chart_table(data.encode())
    assert table is not None
    assert (table.title, table.rows) == ("Cash", (("Category", "Sum"), ("Start", "10"), ("End", "25")))


def test_no_chart_is_none() -> None:
    assert chart_table(b"<x/>") is None
    assert chart_table(chart("<c:plotArea/>")) is None
