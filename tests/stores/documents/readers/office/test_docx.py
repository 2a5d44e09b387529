"""Word documents: what Word shows is read, in its order, and nothing that it does not show."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from localspec.stores.documents.blocks import Block, Span
from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.office.docx import read_docx
from tests.builders import change_member

DATA = Path(__file__).parents[4] / "data" / "documents"
OFFICE = "http://schemas.openxmlformats.org/"
NAMES = {
    "w": OFFICE + "wordprocessingml/2006/main",
    "r": OFFICE + "officeDocument/2006/relationships",
    "m": OFFICE + "officeDocument/2006/math",
    "a": OFFICE + "drawingml/2006/main",
    "c": OFFICE + "drawingml/2006/chart",
    "dgm": OFFICE + "drawingml/2006/diagram",
    "mc": OFFICE + "markup-compatibility/2006",
    "v": "urn:schemas-microsoft-com:vml",
    "w14": "http://schemas.microsoft.com/office/word/2010/wordml",
    "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
}
DECLARED = " ".join(f'xmlns:{name}="{place}"' for name, place in NAMES.items())
RELATIONS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
ROOTS = {"numbering": "numbering", "styles": "styles", "comments": "comments", "settings": "settings"}
ROOTS |= {"footnotes": "footnotes", "endnotes": "endnotes", "header": "hdr", "footer": "ftr"}


def word(folder: Path, body: str, **parts: str) -> Path:
    """A Word file with this body. A part is the inside of the XML of its kind; 'header_2' is one more header."""
    path = folder / "made.docx"
    related = []
    with zipfile.ZipFile(path, "w") as archive:
        for name, inside in parts.items():
            kind = name.partition("_")[0]
            root = f"w:{ROOTS[kind]}" if kind in ROOTS else ""
            data = f"<{root} {DECLARED}>{inside}</{root}>" if root else inside.replace(">", f" {DECLARED}>", 1)
            archive.writestr(f"word/{name}.xml", data)
            related.append(f'<Relationship Id="{name}" Type="{NAMES["r"]}/{kind}" Target="{name}.xml"/>')
        archive.writestr("word/document.xml", f"<w:document {DECLARED}><w:body>{body}</w:body></w:document>")
        archive.writestr("word/_rels/document.xml.rels", RELATIONS.format("".join(related)))
        main = f'<Relationship Id="m" Type="{NAMES["r"]}/officeDocument" Target="word/document.xml"/>'
        archive.writestr("_rels/.rels", RELATIONS.format(main))
        archive.writestr("[Content_Types].xml", "<Types/>")
    return path


def read(path: Path) -> list[Block]:
    return read_docx(path, ParseLimits()).blocks


def lines(path: Path) -> list[str]:
    return [block.text for block in read(path)]


def p(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{r(text)}</w:p>"


def r(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>' if text else ""


def item(text: str, level: int = 0, number: int = 1) -> str:
    return p(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


def levels(*forms: tuple[str, str], more: dict[int, str] | None = None) -> str:
    return "".join(
        f'<w:lvl w:ilvl="{place}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>{(more or {}).get(place, "")}'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
        for place, (form, text) in enumerate(forms)
    )


def numbering(inside: str, *numbers: str) -> str:
    nums = "".join(
        f'<w:num w:numId="{place}"><w:abstractNumId w:val="1"/>{override}</w:num>'
        for place, override in enumerate(numbers or ("",), 1)
    )
    return f'<w:abstractNum w:abstractNumId="1">{inside}</w:abstractNum>{nums}'


def field(code: str, result: str) -> str:
    def mark(kind: str) -> str:
        return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'

    code = f'<w:r><w:instrText xml:space="preserve"> {code} </w:instrText></w:r>'
    return f"{mark('begin')}{code}{mark('separate')}{r(result)}{mark('end')}"


# -- numbers -----------------------------------------------------------------------------------------------------------


def test_clauses_have_their_numbers(tmp_path: Path) -> None:
    body = item("Delivery") + item("Ten days", 1) + item("Late", 1) + item("Payment") + item("Thirty", 1)
    made = word(tmp_path, body, numbering=numbering(levels(("decimal", "%1."), ("decimal", "%1.%2"))))
    assert lines(made) == ["1. Delivery", "1.1 Ten days", "1.2 Late", "2. Payment", "2.1 Thirty"]
    assert [(block.kind, block.level) for block in read(made)][:2] == [("list item", 0), ("list item", 1)]


def test_each_level_has_its_own_form(tmp_path: Path) -> None:
    body = item("a") + item("b", 1) + item("c", 2) + item("d", 2) + item("e") + item("f", 2)
    forms = levels(("upperRoman", "Article %1."), ("lowerLetter", "(%2)"), ("decimal", "%1-%3"))
    found = lines(word(tmp_path, body, numbering=numbering(forms)))
    assert found == ["Article I. a", "(a) b", "I-1 c", "I-2 d", "Article II. e", "II-1 f"]


def test_legal_numbers_and_levels_that_go_on(tmp_path: Path) -> None:
    body = item("a") + item("b", 1) + item("c") + item("d", 1)
    forms = levels(("upperRoman", "%1."), ("decimal", "%1.%2"), more={1: '<w:lvlRestart w:val="0"/><w:isLgl/>'})
    assert lines(word(tmp_path, body, numbering=numbering(forms))) == ["I. a", "1.1 b", "II. c", "2.2 d"]


def test_lists_that_begin_anew_and_lists_that_go_on(tmp_path: Path) -> None:
    override = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    made = numbering(levels(("decimal", "%1)")), "", "", override)
    body = item("a") + item("b", number=2) + item("c", number=3) + item("d", number=3) + item("e", number=1)
    assert lines(word(tmp_path, body, numbering=made)) == ["1) a", "2) b", "5) c", "6) d", "7) e"]


def test_numbers_come_from_styles(tmp_path: Path) -> None:
    styles = (
        '<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/><w:pPr><w:numPr>'
        '<w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="berschrift2"><w:name w:val="heading 2"/>'
        '<w:basedOn w:val="berschrift1"/>'
        '<w:pPr><w:numPr><w:ilvl w:val="1"/></w:numPr></w:pPr></w:style>'
    )
    forms = levels(
        ("decimal", "%1"),
        ("decimal", "%1.%2"),
        more={0: '<w:pStyle w:val="berschrift1"/>', 1: '<w:pStyle w:val="berschrift2"/>'},
    )
    one, two = '<w:pStyle w:val="berschrift1"/>', '<w:pStyle w:val="berschrift2"/>'
    none = one + '<w:numPr><w:numId w:val="0"/></w:numPr>'
    body = p("Scope", one) + p("Terms", two) + p("Preface", none) + p("Price", one) + p("text")
    found = read(word(tmp_path, body, styles=styles, numbering=numbering(forms)))
    assert [(block.text, block.kind, block.level) for block in found] == [
        ("1 Scope", "heading", 1),
        ("1.1 Terms", "heading", 2),
        ("Preface", "heading", 1),
        ("2 Price", "heading", 1),
        ("text", "paragraph", 0),
    ]
    assert found[-1].section == "2 Price"


@pytest.mark.parametrize(
    ("form", "text", "font", "shown"),
    [
        ("bullet", "\uf0b7", "Symbol", "- x"),
        ("bullet", "o", "Courier New", "- x"),
        ("bullet", "\uf0a8", "Wingdings", "☐ x"),
        ("decimalZero", "%1.", "", "01. x"),
        ("ordinal", "%1", "", "1st x"),
        ("chineseCounting", "第%1条", "", "第一条 x"),
        ("russianLower", "%1)", "", "а) x"),
        ("decimalEnclosedCircle", "%1", "", "① x"),
        ("none", "", "", "x"),
    ],
)
def test_forms_of_numbers(tmp_path: Path, form: str, text: str, font: str, shown: str) -> None:
    fonts = f'<w:rPr><w:rFonts w:ascii="{font}"/></w:rPr>'
    forms = (
        f'<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/>{fonts}</w:lvl>'
    )
    assert lines(word(tmp_path, item("x"), numbering=numbering(forms))) == [shown]


# -- changes, fields, hidden text, forms -------------------------------------------------------------------------------


def test_changes_are_taken(tmp_path: Path) -> None:
    body = (
        f"<w:p>{r('The price is ')}<w:del>{r('500')}</w:del><w:ins>{r('620')}</w:ins>{r(' euros')}"
        f"<w:moveFrom>{r(' gone')}</w:moveFrom><w:moveTo>{r(' moved')}</w:moveTo></w:p>"
        + item("kept")
        + f"<w:p><w:pPr><w:numPr><w:numId w:val='1'/></w:numPr><w:rPr><w:del/></w:rPr></w:pPr>"
        f"<w:del>{r('cut')}</w:del></w:p>"
        + item("next")
        + f"<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr>{r('joined ')}</w:p>{p('lines')}"
        + f"<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc>{p('old row')}</w:tc><w:tc>{p('1')}</w:tc></w:tr>"
        f"<w:tr><w:tc>{p('new row')}</w:tc><w:tc>{p('2')}</w:tc></w:tr><w:tr><w:tc>{p('last')}</w:tc></w:tr></w:tbl>"
    )
    found = lines(word(tmp_path, body, numbering=numbering(levels(("decimal", "%1.")))))
    assert found == ["The price is 620 euros moved", "1. kept", "2. next", "joined lines", "new row | 2\nlast | "]


def test_results_of_fields_are_read_and_their_codes_are_not(tmp_path: Path) -> None:
    nested = (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> IF </w:instrText></w:r>'
        + field("MERGEFIELD x", "inner")
        + '<w:r><w:fldChar w:fldCharType="separate"/></w:r>'
        + r("outer")
        + '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )
    contents = (
        '<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> TOC </w:instrText></w:r>'
        f'<w:r><w:fldChar w:fldCharType="separate"/></w:r>{r("Scope")}<w:r><w:tab/></w:r>{r("1")}</w:p>'
        f'<w:p>{r("Price")}<w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>'
    )
    simple = f'<w:fldSimple w:instr=" REF a ">{r("4.2")}</w:fldSimple>'
    body = f"{contents}<w:p>{r('see ')}{field('REF _Ref1', 'clause 4.1')}{r(' and ')}{simple}{r(' ')}{nested}</w:p>"
    assert lines(word(tmp_path, body)) == ["Scope\t1", "Price", "see clause 4.1 and 4.2 outer"]


def test_a_field_without_an_end_hides_nothing(tmp_path: Path) -> None:
    begin = '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> PAGEREF </w:instrText></w:r>'
    assert lines(word(tmp_path, f"<w:p>{r('one')}{begin}</w:p>{p('two')}")) == ["one", "two"]


def test_hidden_text_is_left_out(tmp_path: Path) -> None:
    styles = (
        '<w:style w:type="character" w:styleId="H"><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="HP"><w:rPr><w:vanish/></w:rPr></w:style>'
    )
    body = f"<w:p>{r('seen')}{r(' not', '<w:vanish/>')}{r(' nor', '<w:rStyle w:val=' + chr(34) + 'H' + chr(34) + '/>')}"
    body += f"{r(' again', '<w:vanish w:val=' + chr(34) + '0' + chr(34) + '/>')}</w:p>" + p(
        "x", '<w:pStyle w:val="HP"/>'
    )
    assert lines(word(tmp_path, body, styles=styles)) == ["seen again"]


def test_form_fields_show_their_values(tmp_path: Path) -> None:
    def old(data: str) -> str:
        return (
            f'<w:r><w:fldChar w:fldCharType="begin"><w:ffData>{data}</w:ffData></w:fldChar></w:r>'
            '<w:r><w:instrText> FORM </w:instrText></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>'
        )

    def control(properties: str, text: str) -> str:
        return f"<w:sdt><w:sdtPr>{properties}</w:sdtPr><w:sdtContent>{r(text)}</w:sdtContent></w:sdt>"

    entries = '<w:ddList><w:result w:val="1"/><w:listEntry w:val="red"/><w:listEntry w:val="blue"/></w:ddList>'
    body = (
        f"<w:p>{r('Smoker: ')}"
        f"{old('<w:checkBox><w:default w:val=' + chr(39) + '1' + chr(39) + '/></w:checkBox>')}</w:p>"
        f"<w:p>{r('Colour: ')}{old(entries)}</w:p>"
        f"<w:p>{r('Tick: ')}"
        f"{control('<w14:checkbox><w14:checked w14:val=' + chr(39) + '0' + chr(39) + '/></w14:checkbox>', '?')}</w:p>"
        f"<w:p>{r('Term: ')}{control('<w:dropDownList/>', '24 months')}</w:p>"
    )
    found = read(word(tmp_path, body))
    assert [block.text for block in found] == ["Smoker: ☒", "Colour: blue", "Tick: ☐", "Term: 24 months"]
    assert {block.kind for block in found} == {"field"}


# -- beside the text ---------------------------------------------------------------------------------------------------


def test_notes_stand_behind_their_paragraphs_with_their_marks(tmp_path: Path) -> None:
    def mark(kind: str, number: int, more: str = "", text: str = "") -> str:
        return f'<w:r><w:{kind}Reference w:id="{number}" {more}/>{text}</w:r>'

    def note(kind: str, number: int, text: str) -> str:
        return f'<w:{kind} w:id="{number}">{p(text)}</w:{kind}>'

    own = mark("footnote", 4, 'w:customMarkFollows="1"', "<w:t>*</w:t>")
    body = f"<w:p>{r('One')}{mark('footnote', 3)}{r(' two')}{mark('endnote', 2)}{own}</w:p>" + p("after")
    rest = '<w:footnote w:id="0" w:type="separator"><w:p/></w:footnote>'
    found = read(
        word(
            tmp_path,
            body,
            footnotes=rest + note("footnote", 3, "below") + note("footnote", 4, "starred"),
            endnotes=note("endnote", 2, "at the end"),
        )
    )
    assert [block.text for block in found] == ["One[1] two[i]*", "[1] below", "[i] at the end", "[*] starred", "after"]
    assert [block.kind for block in found] == ["paragraph", "note", "note", "note", "paragraph"]


def test_comments_name_their_authors(tmp_path: Path) -> None:
    body = (
        f"<w:p>{r('Due in thirty days')}<w:r><w:commentReference w:id='0'/></w:r><w:r>"
        "<w:commentReference w:id='1'/></w:r></w:p>"
    )
    comments = (
        f'<w:comment w:id="0" w:author="Ann">{p("forty-five")}</w:comment>'
        f'<w:comment w:id="1" w:author="Bo">{p("no")}</w:comment>'
    )
    found = read(word(tmp_path, body, comments=comments))
    assert [block.text for block in found] == ["Due in thirty days", "Comment by Ann: forty-five", "Comment by Bo: no"]
    assert found[1].kind == "note"


def test_headers_and_footers_stand_once(tmp_path: Path) -> None:
    def section(*names: tuple[str, str, str], title: bool = False) -> str:
        refs = "".join(f'<w:{kind}Reference w:type="{of}" r:id="{name}"/>' for kind, of, name in names)
        return f"<w:sectPr>{refs}{'<w:titlePg/>' if title else ''}</w:sectPr>"

    one = section(("header", "first", "header_1"), ("header", "default", "header_2"), title=True)
    two = section(("header", "default", "header_2"), ("header", "even", "header_3"), ("footer", "default", "footer_1"))
    body = f"<w:p><w:pPr>{one}</w:pPr>{r('first part')}</w:p>{p('second part')}{two}"
    found = read(
        word(
            tmp_path,
            body,
            header_1=p("Letterhead"),
            header_2=p("Meridian Ltd"),
            header_3=p("never shown"),
            footer_1=f"<w:p>{r('Page ')}{field('PAGE', '1')}{r(' of ')}{field('NUMPAGES', '9')}</w:p>"
            f"<w:p>{r('IBAN DE02')}<w:r><w:tab/></w:r>{r('Seite ')}<w:fldSimple w:instr='PAGE'>"
            f"{r('1')}</w:fldSimple></w:p>",
        )
    )
    expected = ["Letterhead", "Meridian Ltd", "first part", "second part", "IBAN DE02"]
    assert [block.text for block in found] == expected
    assert [block.kind for block in found] == ["running", "running", "paragraph", "paragraph", "running"]


def test_text_boxes_stand_once(tmp_path: Path) -> None:
    inside = f"<w:txbxContent>{p('boxed')}</w:txbxContent>"
    body = (
        f"<w:p>{r('around')}<w:r><mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wps:wsp><wps:txbx>{inside}"
        f"</wps:txbx></wps:wsp></w:drawing></mc:Choice><mc:Fallback><w:pict><v:shape><v:textbox>{inside}</v:textbox>"
        f"</v:shape></w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>"
        f"<w:p><w:r><w:pict><v:shape><v:textbox>{inside.replace('boxed', 'older')}</v:textbox>"
        "</v:shape></w:pict></w:r></w:p>"
    )
    assert lines(word(tmp_path, body)) == ["around", "boxed", "older"]


def test_charts_and_diagrams(tmp_path: Path) -> None:
    def cached(kind: str, *values: str) -> str:
        points = "".join(f'<c:pt idx="{n}"><c:v>{value}</c:v></c:pt>' for n, value in enumerate(values))
        return f"<c:{kind}Ref><c:{kind}Cache>{points}</c:{kind}Cache></c:{kind}Ref>"

    chart = (
        "<c:chartSpace><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>Rain</a:t></a:r></a:p></c:rich></c:tx></c:title>"
        f"<c:plotArea><c:barChart><c:ser><c:tx>{cached('str', '2024')}</c:tx><c:cat>"
        f"{cached('str', 'May', 'June')}</c:cat>"
        f"<c:val>{cached('num', '12', '7')}</c:val></c:ser></c:barChart></c:plotArea></c:chart></c:chartSpace>"
    )
    texts = {"2": "Plan", "3": "Build", "4": "Detail"}
    points = "".join(
        f'<dgm:pt modelId="{n}"><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>'
        for n, text in texts.items()
    )
    lead = "".join(
        f'<dgm:cxn modelId="{n}" srcId="{source}" destId="{target}" srcOrd="{order}"/>'
        for n, (source, target, order) in enumerate([("1", "3", 1), ("1", "2", 0), ("2", "4", 0)], 10)
    )
    diagram = (
        f'<dgm:dataModel><dgm:ptLst><dgm:pt modelId="1" type="doc"/>{points}</dgm:ptLst><dgm:cxnLst>{lead}</dgm:cxnLst>'
        "</dgm:dataModel>"
    )
    body = "<w:p><w:r><w:drawing><c:chart r:id='chart_1'/></w:drawing></w:r></w:p>"
    body += "<w:p><w:r><w:drawing><dgm:relIds r:dm='diagramData_1'/></w:drawing></w:r></w:p>"
    found = read(word(tmp_path, body, chart_1=chart, diagramData_1=diagram))
    assert found[0].text == "Chart: Rain\nCategory | 2024\nMay | 12\nJune | 7"
    assert found[0].kind == "chart"
    assert [(block.text, block.level) for block in found[1:]] == [("- Plan", 0), ("- Detail", 1), ("- Build", 0)]


def test_equations_are_text(tmp_path: Path) -> None:
    def run(text: str) -> str:
        return f"<m:r><m:t>{text}</m:t></m:r>"

    fraction = f"<m:f><m:num>{run('a+b')}</m:num><m:den>{run('2')}</m:den></m:f>"
    power = f"<m:sSup><m:e>{run('x')}</m:e><m:sup>{run('2')}</m:sup></m:sSup>"
    total = (
        f"<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr><m:sub>{run('i=1')}</m:sub><m:sup>{run('n')}"
        f"</m:sup><m:e>{power}</m:e></m:nary>"
    )
    body = f"<w:p>{r('Mean ')}<m:oMath>{fraction}</m:oMath>{r(' and ')}<m:oMath>{total}</m:oMath></w:p>"
    assert lines(word(tmp_path, body)) == ["Mean (a+b)/2 and ∑_(i=1)^n x^2"]


# -- tables ------------------------------------------------------------------------------------------------------------


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(text)}</w:tc>"


def row(*cells: str, properties: str = "") -> str:
    return f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(cells)}</w:tr>"


def test_merged_cells_repeat_their_text(tmp_path: Path) -> None:
    wide, begin, goes_on = '<w:gridSpan w:val="2"/>', '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    look = '<w:tblPr><w:tblLook w:val="04A0"/></w:tblPr>'
    body = (
        f"<w:tbl>{look}"
        + row(cell("Item", begin), cell("Weight", wide))
        + row(cell("", goes_on), cell("net"), cell("gross"))
    )
    body += (
        row(cell("K-1"), cell("5"), cell("")) + row(cell("Total"), properties='<w:gridBefore w:val="1"/>') + "</w:tbl>"
    )
    table = read(word(tmp_path, body))[0].table
    assert table is not None
    assert table.rows == (("Item", "Weight", "Weight"), ("Item", "net", "gross"), ("K-1", "5", ""), ("", "Total", ""))
    assert table.header_rows == 2
    assert set(table.spans) == {Span(0, 0, 2, 1), Span(0, 1, 1, 2)}


def test_header_rows_that_repeat_on_each_page(tmp_path: Path) -> None:
    head = "<w:tblHeader/>"
    body = (
        f"<w:tbl>{row(cell('a'), cell('b'), properties=head)}{row(cell('c'), cell('d'), properties=head)}"
        f"{row(cell('1'), cell('2'))}</w:tbl>"
    )
    table = read(word(tmp_path, body))[0].table
    assert table is not None
    assert table.header_rows == 2


def test_captions_name_their_tables(tmp_path: Path) -> None:
    styles = '<w:style w:type="paragraph" w:styleId="Beschriftung"><w:name w:val="caption"/></w:style>'
    style = '<w:pPr><w:pStyle w:val="Beschriftung"/></w:pPr>'
    table = f"<w:tbl>{row(cell('Part'), cell('Price'))}{row(cell('Pump'), cell('18'))}</w:tbl>"
    above = f"<w:p>{style}{r('Table ')}{field('SEQ Table', '3')}{r(': Prices')}</w:p>"
    figure = f"<w:p>{style}{r('Figure ')}{field('SEQ Figure', '1')}</w:p>"
    below = f"<w:p>{style}{r('Table 4: Costs')}</w:p>"
    found = read(word(tmp_path, above + table + figure + p("text") + table + below, styles=styles))
    titles = [block.table.title for block in found if block.table is not None]
    assert titles == ["Table 3: Prices", "Table 4: Costs"]
    assert [block.text for block in found if block.kind == "caption"] == [
        "Table 3: Prices",
        "Figure 1",
        "Table 4: Costs",
    ]


def test_nested_tables_follow_and_boxes_are_text(tmp_path: Path) -> None:
    inner = f"<w:tbl>{row(cell('x'), cell('1'))}{row(cell('y'), cell('2'))}</w:tbl>"
    outer = f"<w:tbl>{row(cell('a'), cell('b'))}{row(f'<w:tc>{p(chr(99))}{inner}</w:tc>', cell('d'))}</w:tbl>"
    box = f"<w:tbl>{row(f'<w:tc>{p(chr(113))}{p(chr(122))}</w:tc>')}</w:tbl>"
    found = read(word(tmp_path, outer + box))
    assert [(block.text, block.kind) for block in found] == [
        ("a | b\nc | d", "table"),
        ("x | 1\ny | 2", "table"),
        ("q", "paragraph"),
        ("z", "paragraph"),
    ]


# -- files -------------------------------------------------------------------------------------------------------------


def test_strict_files_and_relations_to_nothing(tmp_path: Path) -> None:
    made = word(tmp_path, item("x"), numbering=numbering(levels(("decimal", "%1."))))
    strict = tmp_path / "strict.docx"
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(strict, "w") as target:
        for name in source.namelist():
            text = source.read(name).decode()
            for old, new in (
                ("wordprocessingml/2006/main", "wordprocessingml/main"),
                ("officeDocument/2006/relationships", "officeDocument/relationships"),
            ):
                text = text.replace(OFFICE + old, "http://purl.oclc.org/ooxml/" + new)
            missing = '<Relationship Id="n" Type="x/header" Target="/word/NULL"/></Relationships>'
            target.writestr(name, text.replace("</Relationships>", missing))
    assert lines(strict) == ["1. x"]


@pytest.mark.parametrize("suffix", ["html", "mht"])
def test_web_pages_inside(tmp_path: Path, suffix: str) -> None:
    page = "<html><body><p>naïve page</p></body></html>"
    if suffix == "mht":
        head = "MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
        page = head + page
    made = word(tmp_path, p("before") + '<w:altChunk r:id="new"/>' + p("after"), numbering="")
    relation = f'<Relationship Id="new" Type="{NAMES["r"]}/aFChunk" Target="page.{suffix}"/></Relationships>'
    change_member(made, "word/_rels/document.xml.rels", (b"</Relationships>", relation.encode()))
    with zipfile.ZipFile(made, "a") as archive:
        archive.writestr(f"word/page.{suffix}", page)
    assert lines(made) == ["before", "naïve page", "after"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("libreoffice.docx", ["1.1 Late goods", "I. Roman one", "(b) letter b", "III. Roman three", "Boxed text once"]),
        (
            "pandoc.docx",
            ["b. noch einer", "(2) Beispiel zwei", "- ☒ erledigt", "[1] Die Fußnote sagt etwas Wichtiges."],
        ),
    ],
)
def test_files_of_other_writers(name: str, expected: list[str]) -> None:
    found = lines(DATA / name)
    assert [one for one in expected if found.count(one) != 1] == []
