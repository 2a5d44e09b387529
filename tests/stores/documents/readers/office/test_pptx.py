"""Presentations: what slides show, what stands beside them, and nothing that their layouts only offer."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.oxml import parse_xml
from pptx.util import Inches

from localspec.stores.documents.blocks import Block, Span
from localspec.stores.documents.readers.content import Content, ParseLimits
from localspec.stores.documents.readers.office.pptx import read_pptx
from tests.builders import change_member

DATA = Path(__file__).parents[4] / "data" / "documents"
BOX = (Inches(1), Inches(1), Inches(4), Inches(1))
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def saved(presentation: Any, folder: Path) -> Path:
    path = folder / "made.pptx"
    presentation.save(str(path))
    return path


def read(path: Path) -> Content:
    return read_pptx(path, ParseLimits())


def slide_of(presentation: Any, layout: int, title: str = "") -> Any:
    slide = presentation.slides.add_slide(presentation.slide_layouts[layout])
    if title:
        slide.shapes.title.text = title
    return slide


def add_part(path: Path, owner: str, name: str, kind: str, data: str, *, id: str = "rIdNew") -> None:
    """Add a part that `owner` refers to."""
    folder, _, file = owner.rpartition("/")
    relations = f"{folder}/_rels/{file}.rels"
    target = f'<Relationship Id="{id}" Type="{kind}" Target="/{name}"/></Relationships>'
    change_member(path, relations, (b"</Relationships>", target.encode()))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, data)


def texts(blocks: list[Block]) -> list[str]:
    return [block.text for block in blocks]


def test_titles_bullets_and_numbers(tmp_path: Path) -> None:
    presentation = Presentation()
    body = slide_of(presentation, 1, "Plan").placeholders[1].text_frame
    body.text = "First"
    for text, level in (("Inner", 1), ("Second", 0)):
        paragraph = body.add_paragraph()
        paragraph.text, paragraph.level = text, level
    for text, properties in (
        ("one", '<a:buAutoNum type="arabicPeriod"/>'),
        ("two", '<a:buAutoNum type="arabicPeriod"/>'),
        ("five", '<a:buAutoNum type="alphaLcParenBoth" startAt="5"/>'),
        ("plain", "<a:buNone/>"),
    ):
        paragraph = body.add_paragraph()
        paragraph.text = text
        paragraph._p.get_or_add_pPr().append(
            parse_xml(properties.replace(" ", f" {A} ", 1) if " " in properties else f"<a:buNone {A}/>")
        )
    slide_of(presentation, 0, "Opening").placeholders[1].text = "A subtitle"
    found = read(saved(presentation, tmp_path))
    assert texts(found.blocks) == [
        *("Plan", "- First", "- Inner", "- Second", "1. one", "2. two", "(e) five", "plain"),
        *("Opening", "A subtitle"),
    ]
    assert [(block.kind, block.level, block.page) for block in found.blocks[:3]] == [
        ("heading", 1, 1),
        ("list item", 0, 1),
        ("list item", 1, 1),
    ]
    assert found.pages == 2


def test_groups_and_hidden_shapes(tmp_path: Path) -> None:
    presentation = Presentation()
    slide = slide_of(presentation, 5, "Groups")
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(*BOX).text_frame.text = "outer"
    group.shapes.add_group_shape().shapes.add_textbox(*BOX).text_frame.text = "inner"
    slide.shapes.add_textbox(*BOX).text_frame.text = "last"
    away = slide.shapes.add_textbox(*BOX)
    away.text_frame.text = "hidden shape"
    away._element.nvSpPr.cNvPr.set("hidden", "1")
    assert texts(read(saved(presentation, tmp_path)).blocks) == ["Groups", "outer", "inner", "last"]


def test_hidden_slides_are_named_so(tmp_path: Path) -> None:
    presentation = Presentation()
    slide_of(presentation, 5, "Shown")
    slide_of(presentation, 5, "Old figures")._element.set("show", "0")
    bare = slide_of(presentation, 6)
    bare._element.set("show", "0")
    bare.shapes.add_textbox(*BOX).text_frame.text = "4711"
    found = read(saved(presentation, tmp_path)).blocks
    assert texts(found) == ["Shown", "Old figures (hidden slide)", "(hidden slide)", "4711"]
    assert [block.section for block in found] == ["Shown", "Old figures (hidden slide)", *["(hidden slide)"] * 2]


def test_tables_with_merged_cells(tmp_path: Path) -> None:
    presentation = Presentation()
    table = slide_of(presentation, 5, "Weights").shapes.add_table(3, 3, *BOX).table
    for place, text in {
        (0, 0): "Item",
        (0, 1): "Weight",
        (1, 1): "net",
        (1, 2): "gross",
        (2, 0): "K-1",
        (2, 2): "7",
    }.items():
        table.cell(*place).text = text
    table.cell(0, 0).merge(table.cell(1, 0))
    table.cell(0, 1).merge(table.cell(0, 2))
    found = read(saved(presentation, tmp_path)).blocks[-1].table
    assert found is not None
    assert found.rows == (("Item", "Weight", "Weight"), ("Item", "net", "gross"), ("K-1", "", "7"))
    assert (found.header_rows, set(found.spans)) == (2, {Span(0, 0, 2, 1), Span(0, 1, 1, 2)})


@pytest.mark.parametrize("kind", ["COLUMN_CLUSTERED", "LINE", "PIE", "BAR_STACKED_100", "AREA", "DOUGHNUT", "RADAR"])
def test_charts_have_titles_categories_and_values(tmp_path: Path, kind: str) -> None:
    data: Any = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = ["North", "South"]
    data.add_series("2024", (0.1 + 0.2, None))
    presentation = Presentation()
    frame = slide_of(presentation, 5, "Sales").shapes.add_chart(getattr(XL_CHART_TYPE, kind), *BOX, data)
    frame.chart.has_title = True
    frame.chart.chart_title.text_frame.text = "By region"
    found = read(saved(presentation, tmp_path)).blocks[-1]
    assert (found.kind, found.text) == ("chart", "Chart: By region\nCategory | 2024\nNorth | 0.3\nSouth | ")
    assert found.table is not None
    assert found.table.title == "By region"


def test_diagrams(tmp_path: Path) -> None:
    presentation = Presentation()
    slide_of(presentation, 5, "Process")
    path = saved(presentation, tmp_path)
    frame = (
        '<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="9" name="d"/><p:cNvGraphicFramePr/>'
        "<p:nvPr/></p:nvGraphicFramePr>"
        '<a:graphic><a:graphicData uri="d">'
        '<dgm:relIds xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
        ' r:dm="rIdNew"/></a:graphicData></a:graphic></p:graphicFrame></p:spTree>'
    )
    change_member(path, "ppt/slides/slide1.xml", (b"</p:spTree>", frame.encode()))
    points = "".join(
        f'<dgm:pt modelId="{n}"><dgm:t><a:p><a:r><a:t>{n} step</a:t></a:r></a:p></dgm:t></dgm:pt>' for n in (1, 2)
    )
    data = (
        f'<dgm:dataModel {A} xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram">'
        f"<dgm:ptLst>{points}</dgm:ptLst></dgm:dataModel>"
    )
    add_part(path, "ppt/slides/slide1.xml", "ppt/diagrams/data1.xml", f"{RELATIONS}/diagramData", data)
    assert texts(read(path).blocks) == ["Process", "- 1 step", "- 2 step"]


def test_notes_and_both_kinds_of_comments(tmp_path: Path) -> None:
    presentation = Presentation()
    slide = slide_of(presentation, 5, "Talk")
    slide.notes_slide.notes_text_frame.text = "say hello\nand wait"
    path = saved(presentation, tmp_path)
    p = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
    q = f'xmlns:q="http://schemas.microsoft.com/office/powerpoint/2018/8/main" {A}'
    old = f'<p:cmLst {p}><p:cm authorId="0" idx="1"><p:text>too long</p:text></p:cm></p:cmLst>'
    said = "<q:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></q:txBody>"
    reply = f'<q:replyLst><q:reply authorId="{{B}}">{said.format("done")}</q:reply></q:replyLst>'
    new = f'<q:cmLst {q}><q:cm authorId="{{A}}">{reply}{said.format("shorter?")}</q:cm></q:cmLst>'
    add_part(path, "ppt/slides/slide1.xml", "ppt/comments/comment1.xml", f"{RELATIONS}/comments", old)
    modern = "http://schemas.microsoft.com/office/2018/10/relationships"
    add_part(path, "ppt/slides/slide1.xml", "ppt/comments/modern.xml", f"{modern}/comments", new, id="rIdModern")
    add_part(
        path,
        "ppt/presentation.xml",
        "ppt/commentAuthors.xml",
        f"{RELATIONS}/commentAuthors",
        f'<p:cmAuthorLst {p}><p:cmAuthor id="0" name="Ann"/></p:cmAuthorLst>',
    )
    authors = f'<q:authorLst {q}><q:author id="{{A}}" name="Cy"/><q:author id="{{B}}" name="Bo"/></q:authorLst>'
    add_part(path, "ppt/presentation.xml", "ppt/authors.xml", f"{modern}/authors", authors, id="rIdAuthors")
    found = read(path).blocks
    assert texts(found) == [
        "Talk",
        "Comment by Ann: too long",
        "Comment by Cy: shorter?",
        "Reply by Bo: done",
        "Notes: say hello\nand wait",
    ]
    assert {block.kind for block in found[1:]} == {"note"}


def test_footers_once_and_no_slide_numbers(tmp_path: Path) -> None:
    presentation = Presentation()
    master = presentation.slide_master.shapes
    master._spTree.append(
        parse_xml(
            f'<p:sp xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" {A}>'
            '<p:nvSpPr><p:cNvPr id="77" name="x"/>'
            "<p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/><a:p><a:r>"
            "<a:t>Confidential</a:t></a:r></a:p>"
            "</p:txBody></p:sp>"
        )
    )
    for title in ("One", "Two"):
        slide = slide_of(presentation, 5, title)
        for kind, inside in (
            ("ftr", "<a:r><a:t>Meridian Ltd</a:t></a:r>"),
            ("sldNum", '<a:fld id="{1}" type="slidenum"><a:t>7</a:t></a:fld>'),
        ):
            slide.shapes._spTree.append(
                parse_xml(
                    f'<p:sp xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" {A}><p:nvSpPr>'
                    f'<p:cNvPr id="9" name="{kind}"/><p:cNvSpPr/><p:nvPr><p:ph type="'
                    f'{kind}" idx="11"/></p:nvPr></p:nvSpPr>'
                    f"<p:spPr/><p:txBody><a:bodyPr/><a:p>{inside}</a:p></p:txBody></p:sp>"
                )
            )
    found = read(saved(presentation, tmp_path)).blocks
    assert texts(found) == ["One", "Meridian Ltd", "Confidential", "Two"]
    assert [block.kind for block in found] == ["heading", "running", "running", "heading"]
