"""OpenDocument texts and slides: what LibreOffice shows is read, in its order."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from localspec.errors import DocumentError
from localspec.stores.documents.blocks import Block, Span
from localspec.stores.documents.parse import ParsedDocument, parse

DATA = Path(__file__).parents[4] / "data" / "documents"
OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
PLACES = {name: f"{OASIS}{name}:1.0" for name in ("office", "style", "text", "table", "chart", "presentation", "form")}
PLACES |= {"draw": f"{OASIS}drawing:1.0", "dc": "http://purl.org/dc/elements/1.1/"}
PLACES |= {"xlink": "http://www.w3.org/1999/xlink", "math": "http://www.w3.org/1998/Math/MathML"}
DECLARED = " ".join(f'xmlns:{name}="{place}"' for name, place in PLACES.items())


def made(
    folder: Path,
    body: str,
    *,
    kind: str = "text",
    automatic: str = "",
    styles: str = "",
    masters: str = "",
    **parts: str,
) -> ParsedDocument:
    """A file with this body as it is read; `parts` are further members, with one underscore for a slash."""
    path = folder / ("a.odt" if kind == "text" else "a.odp")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        content = f"<office:automatic-styles>{automatic}</office:automatic-styles><office:body><office:{kind}>{body}"
        content = (
            f"<office:document-content {DECLARED}>{content}</office:{kind}></office:body></office:document-content>"
        )
        archive.writestr("content.xml", content)
        inside = f"<office:styles>{styles}</office:styles><office:master-styles>{masters}</office:master-styles>"
        archive.writestr("styles.xml", f"<office:document-styles {DECLARED}>{inside}</office:document-styles>")
        archive.writestr("Configurations2/accelerator/current.xml", "")
        for name, data in parts.items():
            archive.writestr(name.replace("_", "/") + ".xml", data.replace(">", f" {DECLARED}>", 1))
    return parse(path)


def texts(document: ParsedDocument) -> list[str]:
    return [block.text for block in document.blocks]


def p(text: str, style: str = "") -> str:
    return f'<text:p text:style-name="{style}">{text}</text:p>'


def items(*inside: str, style: str = "L", more: str = "") -> str:
    each = "".join(f"<text:list-item>{one}</text:list-item>" for one in inside)
    return f'<text:list text:style-name="{style}" {more}>{each}</text:list>'


LISTS = (
    '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1"'
    ' style:num-suffix="."/><text:list-level-style-number text:level="2" style:num-format="a" style:num-prefix="("'
    ' style:num-suffix=")"/><text:list-level-style-number text:level="3" style:num-format="1" text:display-levels="3"/>'
    '</text:list-style><text:list-style style:name="B"><text:list-level-style-bullet text:level="1"'
    ' text:bullet-char="•"/></text:list-style>'
)


def test_numbers_of_lists(tmp_path: Path) -> None:
    body = (
        items(p("one") + items(p("in") + items(p("deep"))), p("two") + p("more of two"))
        + items(p("new"))
        + items(p("goes on"), more='text:continue-numbering="true"')
        + '<text:list text:style-name="L"><text:list-header><text:p>none</text:p></text:list-header>'
        '<text:list-item text:start-value="7"><text:p>seven</text:p></text:list-item></text:list>'
        + items(p("dot"), style="B")
    )
    assert texts(made(tmp_path, body, automatic=LISTS)) == [
        *("1. one", "(a) in", "1.a.1 deep", "2. two", "more of two"),
        *("1. new", "2. goes on", "none", "7. seven", "- dot"),
    ]


def test_numbers_of_headings(tmp_path: Path) -> None:
    outline = (
        '<text:outline-style><text:outline-level-style text:level="1" style:num-format="A"/>'
        '<text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/></text:outline-style>'
        '<style:style style:name="Bare" style:family="paragraph" style:list-style-name=""/>'
    )

    def h(text: str, level: int, style: str = "") -> str:
        return f'<text:h text:style-name="{style}" text:outline-level="{level}">{text}</text:h>'

    body = h("Scope", 1) + h("Terms", 2) + h("Foreword", 1, "Bare") + h("Price", 1) + h("Net", 2) + p("text")
    found = made(tmp_path, body, styles=outline).blocks
    assert [block.text for block in found] == ["A Scope", "A.1 Terms", "Foreword", "B Price", "B.1 Net", "text"]
    assert (found[1].kind, found[1].level, found[-1].section) == ("heading", 2, "B.1 Net")


def test_spaces_fields_and_hidden_text(tmp_path: Path) -> None:
    hidden = (
        '<style:style style:name="H" style:family="text"><style:text-properties text:display="none"/></style:style>'
    )
    body = (
        p(
            'a\n  b<text:s text:c="3"/>c<text:tab/>d<text:line-break/>e '
            "<text:span>f</text:span> <text:span> g</text:span>"
        )
        + p('seen<text:span text:style-name="H"> not</text:span><text:hidden-text>x</text:hidden-text>')
        + '<text:section text:display="none"><text:p>away</text:p></text:section>'
        + "<text:section><text:p>in a section <text:bookmark-ref>4.2</text:bookmark-ref></text:p></text:section>"
    )
    assert texts(made(tmp_path, body, automatic=hidden)) == ["a b   c\td\ne f g", "seen", "in a section 4.2"]


def test_merged_and_repeated_cells(tmp_path: Path) -> None:
    def cell(text: str, more: str = "") -> str:
        return f"<table:table-cell {more}><text:p>{text}</text:p></table:table-cell>"

    empty = "<table:covered-table-cell/>"
    wide, tall = 'table:number-columns-spanned="2"', 'table:number-rows-spanned="2"'
    body = (
        "<table:table><table:table-header-rows><table:table-row>"
        f"{cell('Item', tall)}{cell('Weight', wide)}{empty}</table:table-row><table:table-row>{empty}"
        f"{cell('net')}{cell('gross')}"
        '</table:table-row></table:table-header-rows><table:table-row table:number-rows-repeated="2">'
        f"""{cell("K")}<table:table-cell table:number-columns-repeated="1"/>{cell("7")}</table:table-row>"""
        '<table:table-row table:number-rows-repeated="1048000">'
        '<table:table-cell table:number-columns-repeated="16000"/>'
        "</table:table-row></table:table>"
    )
    table = made(tmp_path, body).blocks[0].table
    assert table is not None
    assert table.rows == (("Item", "Weight", "Weight"), ("Item", "net", "gross"), ("K", "", "7"), ("K", "", "7"))
    assert (table.header_rows, set(table.spans)) == (2, {Span(0, 0, 2, 1), Span(0, 1, 1, 2)})


def test_repeated_cells_cannot_fill_the_memory(tmp_path: Path) -> None:
    cell = '<table:table-cell table:number-columns-repeated="2000000000"><text:p>x</text:p></table:table-cell>'
    row = f'<table:table-row table:number-rows-repeated="2000000000">{cell}</table:table-row>'
    table = made(tmp_path, f"<table:table>{row}</table:table>").blocks[0].table
    assert table is not None
    assert sum(map(len, table.rows)) <= 1_000_000


def test_captions_name_their_tables(tmp_path: Path) -> None:
    style = '<style:style style:name="Table" style:family="paragraph" style:parent-style-name="Caption"/>'
    grid = (
        "<table:table><table:table-row><table:table-cell><text:p>1</text:p></table:table-cell>"
        "</table:table-row></table:table>"
    )
    above = p('Table <text:sequence text:name="Table">1</text:sequence>: Prices', "Table")
    figure = p('Figure <text:sequence text:name="Illustration">1</text:sequence>', "Table")
    found = made(tmp_path, above + grid + figure + p("text") + grid + p("Table 2", "Table"), styles=style).blocks
    assert [block.table.title for block in found if block.table is not None] == ["Table 1: Prices", "Table 2"]


def test_charts_and_equations(tmp_path: Path) -> None:
    def row(*cells: str) -> str:
        inside = "".join(f"<table:table-cell><text:p>{one}</text:p></table:table-cell>" for one in cells)
        return f"<table:table-row>{inside}</table:table-row>"

    chart = (
        "<office:document-content><office:body><office:chart><chart:chart><chart:title><text:p>Rain"
        "</text:p></chart:title>"
        f"<table:table><table:table-header-rows>{row('', 'mm')}</table:table-header-rows>"
        f"<table:table-rows>{row('May', '12')}"
        "</table:table-rows></table:table></chart:chart></office:chart></office:body></office:document-content>"
    )
    formula = (
        "<math:math><math:semantics><math:mrow><math:mi>x</math:mi><math:mo>=</math:mo><math:mfrac><math:mn>1</math:mn>"
        "<math:mn>2</math:mn></math:mfrac></math:mrow><math:annotation>x = 1 over 2"
        "</math:annotation></math:semantics></math:math>"
    )

    def frame(name: str) -> str:
        return f'<draw:frame><draw:object xlink:href="./{name}"/><draw:image xlink:href="x.png"/></draw:frame>'

    body = p(f"where {frame('O1')} holds") + p(frame("O2"))
    found = made(tmp_path, body, O1_content=formula, O2_content=chart).blocks
    assert [block.text for block in found] == ["where x=1/2 holds", "Chart: Rain\nCategory | mm\nMay | 12"]
    assert found[1].kind == "chart"


def test_form_controls(tmp_path: Path) -> None:
    forms = (
        '<office:forms><form:form><form:checkbox form:id="c" form:label="Smoker" form:current-state="checked"/>'
        '<form:text form:id="t" form:current-value="Leeds"/><form:listbox form:id="l"><form:option form:label="red"/>'
        '<form:option form:label="blue" form:current-selected="true"/></form:listbox></form:form></office:forms>'
    )
    body = forms + "".join(p(f'<draw:control draw:control="{name}"/>') for name in "ctl")
    found = made(tmp_path, body).blocks
    assert [(block.text, block.kind) for block in found] == [
        ("☒ Smoker", "field"),
        ("Leeds", "field"),
        ("blue", "field"),
    ]


def test_locked_and_unknown_files(tmp_path: Path) -> None:
    for kind, manifest, words in (
        ("text", '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><m:file-entry>'
         "<m:encryption-data/></m:file-entry></m:manifest>", "password"),
        ("formula", "<x/>", "OpenDocument"),
    ):  # fmt: skip
        path = tmp_path / "locked.odt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
            archive.writestr("META-INF/manifest.xml", manifest)
        with pytest.raises(DocumentError, match=words):
            parse(path)


# -- slides ------------------------------------------------------------------------------------------------------------


def page(title: str, inside: str = "", style: str = "", more: str = "") -> str:
    frame = f'<draw:frame presentation:class="title"><draw:text-box>{p(title)}</draw:text-box></draw:frame>'
    return (
        f'<draw:page draw:name="x" draw:style-name="{style}" draw:master-page-name="M" {more}>{frame}'
        f"{inside}</draw:page>"
    )


def box(inside: str, kind: str = "outline") -> str:
    return f'<draw:frame presentation:class="{kind}"><draw:text-box>{inside}</draw:text-box></draw:frame>'


def test_slides_with_all_that_stands_beside_them(tmp_path: Path) -> None:
    styles = (
        f'{LISTS}<style:style style:name="away" style:family="drawing-page"><style:drawing-page-properties'
        ' presentation:visibility="hidden"/></style:style>'
    )
    notes = f"<presentation:notes>{box(p('say hello'), 'notes')}{box(p('7'), 'page-number')}</presentation:notes>"
    comment = f"<office:annotation><dc:creator>Ann</dc:creator>{p('shorter?')}</office:annotation>"
    group = (
        f"<draw:g><draw:custom-shape>{p('outer')}</draw:custom-shape><draw:g><draw:rect>{p('inner')}"
        "</draw:rect></draw:g></draw:g>"
    )
    # On slides each paragraph may have a list of its own.
    lists = items(p("one")) + items(items(p("deep"))) + items(p("two"))
    footer = 'presentation:use-footer-name="f"'
    body = (
        '<presentation:footer-decl presentation:name="f">Meridian</presentation:footer-decl>'
        + page("Plan", comment + box(lists) + group + notes, more=footer)
        + page("Old", style="away", more=footer)
    )
    masters = (
        f'<style:master-page style:name="M">{box(p("Click"), "title")}<draw:rect>{p("Secret")}'
        "</draw:rect></style:master-page>"
    )
    found = made(tmp_path, body, kind="presentation", automatic=styles, masters=masters)
    assert texts(found) == [
        *("Plan", "1. one", "(a) deep", "2. two", "outer", "inner", "Meridian", "Secret"),
        *("Comment by Ann: shorter?", "Notes: say hello", "Old (hidden slide)"),
    ]
    assert (found.kind, found.pages, found.blocks[-1].page) == ("odp", 2, 2)
    kinds = [block.kind for block in found.blocks]
    assert kinds[6:] == ["running", "running", "note", "note", "heading"]


# -- files of LibreOffice and pandoc -----------------------------------------------------------------------------------


def test_a_text_of_libreoffice() -> None:
    found = parse(DATA / "libreoffice.odt")
    assert (found.kind, found.title) == ("odt", "Flat sample")
    assert texts(found) == [
        *("Meridian Ltd · Ref 7", "Delivery", "Goods are delivered[1] within ten days.", "[1] Ex works, Leeds."),
        *("Comment by Rev Iewer: Client wants twelve", "1.1 Late goods", "The price is 620 euros."),
        *("I. Roman one", "(a) letter a", "(b) letter b", "- bullet", "II. Roman two", "second paragraph of two"),
        *("Between.", "III. Roman three", "Prices"),
        "Item | Weight | Weight\nItem | net | gross\nK-1 |  | 7",
        *("A box  here.", "Boxed text once", "End[i].", "[i] An endnote.", "Confidential"),
    ]


def test_slides_of_libreoffice() -> None:
    found = parse(DATA / "libreoffice.odp")
    chart = next(block for block in found.blocks if block.kind == "chart")
    assert chart.text.startswith("Chart: Tonnes shipped\nCategory | Rotterdam | Tilbury\nSpring | 19.2 | 4\n")
    assert {"outer text", "inner text", "Notes: say hello", "Hidden slide (hidden slide)"} <= set(texts(found))


def test_a_text_of_pandoc() -> None:
    found: list[Block] = list(parse(DATA / "pandoc.odt").blocks)
    lines = [block.text for block in found]
    assert {"b. noch einer", "(2) Beispiel zwei", "- ☒ erledigt", "[1] Die Fußnote sagt etwas Wichtiges."} <= set(lines)
    assert "def f(x):\n    return x" in lines
    titles = [block.table.title for block in found if block.table is not None]
    assert titles[0].startswith("Preise der Teile")
