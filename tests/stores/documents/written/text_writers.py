"""The handbook by python-docx, reportlab and Chromium."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.stores.documents.written import content
from tests.stores.documents.written.content import Cell
from tests.stores.documents.written.printing import printed
from tests.stores.documents.written.sources import page

# -- python-docx ------------------------------------------------------------------------------------------------------

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_LISTS = (  # id, format and text of each of three levels
    ("71", ("decimal", "%1"), ("decimal", "%1.%2"), ("decimal", "%1.%2.%3")),
    ("72", ("bullet", "•"), ("bullet", "◦"), ("bullet", "▪")),
)


def by_python_docx(path: Path) -> Path:
    """python-docx, and by hand what it has no calls for: numbers of several levels and tracked changes."""
    from docx import Document
    from docx.oxml import OxmlElement, parse_xml
    from docx.oxml.ns import qn

    document = Document()
    document.core_properties.title = content.TITLE
    numbering = document.part.numbering_part.element
    for name, *levels in _LISTS:
        inner = "".join(
            f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/></w:lvl>'
            for level, (form, text) in enumerate(levels)
        )
        abstract = parse_xml(f'<w:abstractNum {_W} w:abstractNumId="{name}">{inner}</w:abstractNum>')
        numbering.insert(0, abstract)
        numbering.append(parse_xml(f'<w:num {_W} w:numId="{name}"><w:abstractNumId w:val="{name}"/></w:num>'))

    def item(text: str, level: int, list_id: str) -> None:
        properties = document.add_paragraph(text)._p.get_or_add_pPr()
        place = f'<w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/>'
        properties.append(parse_xml(f"<w:numPr {_W}>{place}</w:numPr>"))

    def table(rows: Any, headers: int, title: str) -> None:
        document.add_paragraph(title, style="Caption")
        width = sum(cell.columns for cell in rows[0])
        made = document.add_table(len(rows), width)
        for row, column, cell in content.spanned(rows):
            place = made.cell(row, column)
            if cell.rows > 1 or cell.columns > 1:
                place = place.merge(made.cell(row + cell.rows - 1, column + cell.columns - 1))
            place.text = cell.text
        for row in made.rows[:headers]:
            row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))

    section = document.sections[0]
    section.header.paragraphs[0].text = content.HEADER
    section.footer.paragraphs[0].text = content.FOOTER
    document.add_heading(content.TITLE, 0)
    for level, heading in content.HEADINGS:
        document.add_heading(heading, level)
        for text in content.PARAGRAPHS[heading]:
            document.add_paragraph(text)
        if heading == "Rake drive":
            document.add_paragraph(content.FIGURES)
            watched = document.add_paragraph("The rake is driven by a motor and ")
            document.add_comment(watched.add_run("watched"), text=content.COMMENT, author="Ann", initials="A")
            changed = document.add_paragraph("It is stopped ")
            mark = f'{_W} w:id="1" w:author="Ann" w:date="2026-01-02T10:00:00Z"'
            for name, run, text in (("ins", "t", content.INSERTED), ("del", "delText", content.DELETED)):
                inner = f"<w:r><w:{run}>{text}</w:{run}></w:r>"
                changed._p.append(parse_xml(f"<w:{name} {mark}>{inner}</w:{name}>"))
            changed.add_run(" at night.")
        elif heading == "Contracts":
            for clause in content.CLAUSES:
                item(clause.text, clause.level, "71")
            document.add_paragraph("The watchman carries:")
            for level, text in content.BULLETS:
                item(text, level, "72")
        elif heading == "Mains":
            table(content.MAINS, content.MAINS_HEADERS, f"Table 1: {content.MAINS_TITLE}")
        elif heading == "Stores":
            rows = tuple(tuple(Cell(text) for text in row) for row in (content.STOCK_HEADER, *content.STOCK))
            table(rows, 1, f"Table 2: {content.STOCK_TITLE}")
    for language in content.LANGUAGES.values():
        paragraph = document.add_paragraph(language.text)
        if language.from_right:
            paragraph._p.get_or_add_pPr().append(OxmlElement("w:bidi"))
            paragraph.runs[0]._r.get_or_add_rPr().append(OxmlElement("w:rtl"))
    document.add_paragraph(content.LAST)
    assert qn("w:p") == document.paragraphs[-1]._p.tag
    document.save(str(path))
    return path


# -- reportlab --------------------------------------------------------------------------------------------------------

_CID_FONTS = {"zh": "STSong-Light", "ja": "HeiseiMin-W3"}
REPORTLAB_LANGUAGES = ("de", "fr", "ru", "el", *_CID_FONTS)
"""Those that it has fonts for, or matplotlib brings."""


def by_reportlab(path: Path, *, columns: int = 1) -> Path:
    """reportlab's Platypus with frames, lists and tables."""
    import matplotlib
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph, Table

    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    pdfmetrics.registerFont(TTFont("Body", str(fonts / "DejaVuSans.ttf")))
    pdfmetrics.registerFont(TTFont("Strong", str(fonts / "DejaVuSans-Bold.ttf")))
    for name in _CID_FONTS.values():
        pdfmetrics.registerFont(UnicodeCIDFont(name))
    body = ParagraphStyle("body", fontName="Body", fontSize=10, leading=13, spaceAfter=7)
    heads = [
        ParagraphStyle(f"head{level}", body, fontName="Strong", fontSize=size, leading=size * 1.3, spaceBefore=8)
        for level, size in enumerate((20, 16, 13, 11))
    ]

    def table(rows: Any, headers: int) -> Any:
        placed = content.spanned(rows)
        width = sum(cell.columns for cell in rows[0])
        grid = [[""] * width for _ in rows]
        style: list[tuple[Any, ...]] = [
            ("GRID", (0, 0), (-1, -1), 0.5, colors.black),
            ("FONT", (0, 0), (-1, -1), "Body"),
        ]
        for row, column, cell in placed:
            grid[row][column] = cell.text
            if cell.rows > 1 or cell.columns > 1:
                style.append(("SPAN", (column, row), (column + cell.columns - 1, row + cell.rows - 1)))
        return Table(grid, style=style, repeatRows=headers, hAlign="LEFT")

    story: list[Any] = [Paragraph(content.TITLE, heads[0])]
    for level, heading in content.HEADINGS:
        story.append(Paragraph(heading, heads[level]))
        story += [Paragraph(text, body) for text in content.PARAGRAPHS[heading]]
        if heading == "Rake drive":
            story.append(Paragraph(content.FIGURES, body))
        elif heading == "Contracts":
            for clause in content.CLAUSES:
                indented = ParagraphStyle(
                    "item", body, leftIndent=30 + 25 * clause.level, bulletIndent=25 * clause.level
                )
                story.append(Paragraph(clause.text, indented, bulletText=clause.number))
            story.append(Paragraph("The watchman carries:", body))
            for level, text in content.BULLETS:
                indented = ParagraphStyle("item", body, leftIndent=15 + 15 * level, bulletIndent=15 * level)
                story.append(Paragraph(text, indented, bulletText="•"))
        elif heading == "Mains" and columns == 1:
            story += [Paragraph(f"Table 1: {content.MAINS_TITLE}", body), table(content.MAINS, content.MAINS_HEADERS)]
        elif heading == "Stores" and columns == 1:
            rows = tuple(tuple(Cell(text) for text in row) for row in (content.STOCK_HEADER, *content.STOCK))
            story += [Paragraph(f"Table 2: {content.STOCK_TITLE}", body), table(rows, 1)]
    for name in REPORTLAB_LANGUAGES:
        font = _CID_FONTS.get(name)
        style = ParagraphStyle(name, body, fontName=font, wordWrap="CJK") if font else body
        story.append(Paragraph(content.LANGUAGES[name].text, style))
    story.append(Paragraph(content.LAST, body))

    def around(canvas: Any, _: Any) -> None:
        canvas.setFont("Body", 8)
        canvas.drawString(57, A4[1] - 40, content.HEADER)
        canvas.drawString(57, 30, content.FOOTER)

    wide = (A4[0] - 114 - 20 * (columns - 1)) / columns
    frames = [
        Frame(57 + at * (wide + 20), 60, wide, A4[1] - 120 if columns == 1 else 420, 0, 0, 0, 0)
        for at in range(columns)
    ]
    made = BaseDocTemplate(str(path), pagesize=A4, title=content.TITLE, invariant=1)
    made.addPageTemplates([PageTemplate(frames=frames, onPage=around)])
    made.build(story)
    return path


# -- Chromium ---------------------------------------------------------------------------------------------------------


def by_chromium(path: Path, *, columns: int) -> Path:
    """Printed with the fonts that are everywhere."""
    return printed(path, page(languages=("de", "fr"), columns=columns))


HANDBOOKS: dict[str, Callable[[Path], Path]] = {
    "handbook-python-docx.docx": by_python_docx,
    "handbook-reportlab.pdf": by_reportlab,
    "handbook-reportlab-columns.pdf": partial(by_reportlab, columns=2),
    "handbook-chromium-columns.pdf": partial(by_chromium, columns=2),
}
"""How each is written when the tests run."""
