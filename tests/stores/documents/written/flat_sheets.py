"""The workbook and the talk as flat OpenDocument files, which LibreOffice reads and saves as others."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from tests.stores.documents.written import content
from tests.stores.documents.written.flat import cells_as_rows, document, font_faces, lines_as_paragraphs, nested_list
from tests.stores.documents.written.sheet_writers import LANGUAGE_ROWS, MAINS_ROW, stock_rows

_NUMBER = '<number:number number:min-integer-digits="1" number:decimal-places="{}" number:min-decimal-places="{}"{}/>'
_GROUPED = ' number:grouping="true"'
_STYLES = {
    "share": ("percentage", _NUMBER.format(1, 1, "") + "<number:text>%</number:text>"),
    "euro": ("number", _NUMBER.format(2, 2, _GROUPED) + "<number:text> €</number:text>"),
    "positive": ("number", _NUMBER.format(2, 2, _GROUPED)),
    "loss": (
        "number",
        f"<number:text>(</number:text>{_NUMBER.format(2, 2, _GROUPED)}<number:text>)</number:text>"
        '<style:map style:condition="value()&gt;=0" style:apply-style-name="Npositive"/>',
    ),
    "day": (
        "date",
        '<number:year number:style="long"/><number:text>-</number:text><number:month number:style="long"/>'
        '<number:text>-</number:text><number:day number:style="long"/>',
    ),
    "hours": ("time", '<number:hours/><number:text>:</number:text><number:minutes number:style="long"/>'),
    "code": ("number", '<number:number number:min-integer-digits="5" number:decimal-places="0"/>'),
    "sum": ("number", '<number:number number:min-integer-digits="1"/>'),
    "small": (
        "number",
        '<number:scientific-number number:decimal-places="2" number:min-decimal-places="2"'
        ' number:min-integer-digits="1" number:min-exponent-digits="2"/>',
    ),
    "plus": ("number", "<number:text>$</number:text>" + _NUMBER.format(0, 0, _GROUPED)),
    "dollars": (
        "number",
        f"<number:text>-$</number:text>{_NUMBER.format(0, 0, _GROUPED)}"
        '<style:map style:condition="value()&gt;=0" style:apply-style-name="Nplus"/>',
    ),
    "thousands": ("number", _NUMBER.format(0, 0, _GROUPED)),
    "weight": ("number", _NUMBER.format(0, 0, "") + "<number:text> kg</number:text>"),
    "tenth": ("number", _NUMBER.format(1, 1, "")),
}


def _number_styles() -> str:
    styles = ""
    for name, (kind, inner) in _STYLES.items():
        more = ' number:truncate-on-overflow="false"' if name == "hours" else ""
        styles += f'<number:{kind}-style style:name="N{name}"{more}>{inner}</number:{kind}-style>'
        styles += f'<style:style style:name="C{name}" style:family="table-cell" style:data-style-name="N{name}"/>'
    return styles


def _cell(value: object, style: str = "", inner: str = "") -> str:
    named = f' table:style-name="C{style}"' if style else ""
    if value is None:
        return "<table:table-cell/>"
    if isinstance(value, str) and value.startswith("="):
        formula = "of:=" + value[1:].replace("SUM(D2:D3)", "SUM([.D2:.D3])")
        for name in ("B2", "C2", "B3", "C3"):
            formula = formula.replace(name, f"[.{name}]") if "SUM" not in formula else formula
        return f'<table:table-cell table:formula="{formula}"/>'
    if isinstance(value, str):
        return f'<table:table-cell office:value-type="string">{inner}{lines_as_paragraphs(value)}</table:table-cell>'
    return f'<table:table-cell{named} office:value-type="float" office:value="{value!r}">{inner}</table:table-cell>'


def _sheet(name: str, rows: Sequence[str], columns: str = "", style: str = "") -> str:
    named = f' table:style-name="{style}"' if style else ""
    return f'<table:table table:name="{name}"{named}>{columns}{"".join(rows)}</table:table>'


def _rows(rows: Sequence[Sequence[object]], styles: Sequence[str] = ()) -> list[str]:
    styles = [*styles, *[""] * 9]
    return [
        f"<table:table-row>{''.join(_cell(value, style) for value, style in zip(row, styles, strict=False))}"
        "</table:table-row>"
        for row in rows
    ]


def chart(width: str = "10cm") -> str:
    """A frame with a bar chart and its own numbers."""
    rows: list[tuple[object, ...]] = [("", *(name for name, _ in content.CHART_SERIES))]
    rows += [
        (category, *(values[at] for _, values in content.CHART_SERIES))
        for at, category in enumerate(content.CHART_CATEGORIES)
    ]
    series = "".join(
        f'<chart:series chart:values-cell-range-address="local-table.{column}2:.{column}5"'
        f' chart:label-cell-address="local-table.{column}1" chart:class="chart:bar"/>'
        for column in "BC"
    )
    head, *body = _rows(rows)
    table = (
        '<table:table table:name="local-table"><table:table-header-columns><table:table-column/>'
        '</table:table-header-columns><table:table-columns><table:table-column table:number-columns-repeated="2"/>'
        f"</table:table-columns><table:table-header-rows>{head}</table:table-header-rows><table:table-rows>"
        f"{''.join(body)}</table:table-rows></table:table>"
    )
    plot = (
        '<chart:plot-area chart:data-source-has-labels="both"><chart:axis chart:dimension="x"><chart:categories'
        f' table:cell-range-address="local-table.A2:.A5"/></chart:axis><chart:axis chart:dimension="y"/>{series}'
        "</chart:plot-area>"
    )
    title = f"<chart:title>{lines_as_paragraphs(content.CHART_TITLE, '')}</chart:title>"
    inner = (
        f'<chart:chart svg:width="{width}" svg:height="6cm" chart:class="chart:bar">{title}{plot}{table}</chart:chart>'
    )
    made = document("chart", f"<office:body><office:chart>{inner}</office:chart></office:body>")
    made = made.partition("?>")[2]
    return (
        f'<draw:frame svg:x="12cm" svg:y="2cm" svg:width="{width}" svg:height="6cm">'
        f"<draw:object>{made}</draw:object></draw:frame>"
    )


def workbook() -> str:
    """A spreadsheet (FODS)."""
    begin = ["<table:table-row/>"] * (MAINS_ROW - 2)
    mains = [*_rows([(content.MAINS_TITLE,)]), *begin, *cells_as_rows(content.MAINS, number_style="Ctenth")]
    numbers = [
        f"<table:table-row>{_cell(figure.name)}{_cell(figure.value, figure.name)}</table:table-row>"
        for figure in content.NUMBERS
    ]
    staff = _rows(content.STAFF)
    staff[2] = staff[2].replace("<table:table-row>", '<table:table-row table:visibility="collapse">')
    hidden = '<table:table-column table:number-columns-repeated="2"/><table:table-column table:visibility="collapse"/>'
    sales = _rows(
        [
            (None, *(name for name, _ in content.CHART_SERIES)),
            *zip(content.CHART_CATEGORIES, *(values for _, values in content.CHART_SERIES), strict=True),
        ]
    )
    note = (
        f"<office:annotation><dc:creator>Ann</dc:creator>{lines_as_paragraphs(content.CELL_NOTE)}</office:annotation>"
    )
    words = _rows(LANGUAGE_ROWS)
    words[1] = words[1].replace('office:value-type="string">', f'office:value-type="string">{note}', 1)
    sheets = (
        _sheet("Mains", mains),
        _sheet("Stock", _rows([content.STOCK_HEADER, *stock_rows()], ("", "", "weight", "weight"))),
        _sheet("Numbers", [*_rows([("Name", "Value")]), *numbers]),
        _sheet("Bill", _rows(content.BILL)),
        _sheet("Staff", staff, hidden),
        _sheet("Draft", _rows(content.DRAFT), "", "Away"),
        _sheet("Sales", sales, f"<table:shapes>{chart()}</table:shapes>"),
        _sheet("Words", words),
    )
    automatic = (
        '<office:automatic-styles><style:style style:name="Away" style:family="table"><style:table-properties'
        f' table:display="false"/></style:style>{_number_styles()}<style:page-layout style:name="Page">'
        "<style:page-layout-properties/></style:page-layout></office:automatic-styles>"
    )
    pages = (
        '<office:master-styles><style:master-page style:name="Default" style:page-layout-name="Page"><style:header>'
        f"{lines_as_paragraphs(content.HEADER)}</style:header><style:footer>{lines_as_paragraphs(content.FOOTER)}"
        "</style:footer></style:master-page></office:master-styles>"
    )
    body = f"<office:body><office:spreadsheet>{''.join(sheets)}</office:spreadsheet></office:body>"
    return document("spreadsheet", font_faces(), automatic, pages, body)


_FRAME = '<draw:frame svg:x="2cm" svg:y="{}cm" svg:width="22cm" svg:height="{}cm"{}>{}</draw:frame>'


def _text_box(text: str, top: int, height: int, role: str = "") -> str:
    style = "outline1" if role == "outline" else role
    placed = f' presentation:style-name="Plain-{style}" presentation:class="{role}"' if role else ""
    return _FRAME.format(top, height, placed, f"<draw:text-box>{text}</draw:text-box>")


def _slide(name: str, title: str, inner: str, *, style: str = "", note: str = "") -> str:
    named = f' draw:style-name="{style}"' if style else ""
    notes = ""
    if note:
        box = _text_box(lines_as_paragraphs(note), 10, 5, "notes")
        notes = f"<presentation:notes>{box}</presentation:notes>"
    head = _text_box(lines_as_paragraphs(title), 1, 2, "title")
    return f'<draw:page draw:name="{name}" draw:master-page-name="Plain"{named}>{head}{inner}{notes}</draw:page>'


def talk() -> str:
    """A presentation (FODP)."""
    bullets = _text_box(nested_list(content.BULLETS, "Bullets"), 4, 8, "outline")
    table = "".join(cells_as_rows(content.MAINS))
    columns = '<table:table-column table:number-columns-repeated="4"/>'
    grid = _FRAME.format(4, 8, "", f'<table:table table:use-first-row-styles="true">{columns}{table}</table:table>')
    words = "".join(
        f'<text:p><text:span text:style-name="T{name}">{escape(language.text)}</text:span></text:p>'
        for name, language in content.LANGUAGES.items()
    )
    slides = (
        _slide("p1", content.TALK_TITLE, bullets, note=content.SPEAKER_NOTE),
        _slide("p2", content.MAINS_TITLE, grid),
        _slide("p3", content.CHART_TITLE, chart()),
        _slide("p4", content.HIDDEN_SLIDE, _text_box(lines_as_paragraphs("They rise."), 4, 2), style="Away"),
        _slide("p5", "Languages", _text_box(words, 4, 12)),
    )
    dots = "".join(
        f'<text:list-level-style-bullet text:level="{level}" text:bullet-char="•"><style:list-level-properties'
        f' text:space-before="{level}cm" text:min-label-width="0.6cm"/></text:list-level-style-bullet>'
        for level in (1, 2)
    )
    automatic = (
        '<office:automatic-styles><style:style style:name="Away" style:family="drawing-page">'
        '<style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
        f'<text:list-style style:name="Bullets">{dots}</text:list-style><style:page-layout style:name="Page">'
        '<style:page-layout-properties fo:page-width="28cm" fo:page-height="21cm"/></style:page-layout>'
        '<style:style style:name="Ground" style:family="drawing-page"/></office:automatic-styles>'
    )
    frame = '<draw:frame presentation:style-name="{0}" presentation:class="{1}" presentation:placeholder="true"'
    frame += ' svg:x="2cm" svg:y="{2}cm" svg:width="22cm" svg:height="{3}cm"><draw:text-box/></draw:frame>'
    frames = frame.format("Plain-title", "title", 1, 2) + frame.format("Plain-outline1", "outline", 4, 8)
    pages = (
        '<office:master-styles><style:master-page style:name="Plain" style:page-layout-name="Page"'
        f' draw:style-name="Ground">{frames}</style:master-page></office:master-styles>'
    )
    named = "".join(
        f'<style:style style:name="Plain-{name}" style:family="presentation"/>'
        for name in ("title", "outline1", "notes")
    )
    styles = f"<office:styles>{named}</office:styles>"
    body = f"<office:body><office:presentation>{''.join(slides)}</office:presentation></office:body>"
    return document("presentation", font_faces(), styles, automatic, pages, body)
