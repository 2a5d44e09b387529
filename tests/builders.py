"""Makes real documents for the tests, with the libraries that people's programs use or by hand where they cannot."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

EPUB_CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
    '<rootfiles><rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles>'
    "</container>"
)


def make_pdf(
    path: Path, pages: Sequence[str], *, title: str = "", password: str = "", bookmarks: Sequence[str] = ()
) -> Path:
    """A PDF with one text per page, broken into lines at 80 characters; empty lines part paragraphs."""
    import textwrap

    from reportlab.lib.pagesizes import A4
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    encryption = StandardEncryption(password, canPrint=0) if password else None
    canvas = Canvas(str(path), pagesize=A4, encrypt=encryption, invariant=1)
    if title:
        canvas.setTitle(title)
    for number, text in enumerate(pages):
        if number < len(bookmarks):
            canvas.bookmarkPage(f"mark{number}")
            canvas.addOutlineEntry(bookmarks[number], f"mark{number}")
        canvas.setFont("Helvetica", 11)
        height = 780.0
        for paragraph in text.split("\n\n"):
            for line in textwrap.wrap(paragraph, 80):
                canvas.drawString(60, height, line)
                height -= 14
            height -= 12
        canvas.showPage()
    canvas.save()
    return path


def make_scanned_pdf(path: Path, pages: Sequence[str | None]) -> Path:
    """A PDF whose pages are pictures where the text is None."""
    from PIL import Image
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    picture = ImageReader(Image.new("L", (40, 60), 200))
    canvas = Canvas(str(path), invariant=1)
    for text in pages:
        if text is None:
            canvas.drawImage(picture, 0, 0, 500, 700)
        else:
            canvas.drawString(60, 700, text)
        canvas.showPage()
    canvas.save()
    return path


def make_docx(
    path: Path, paragraphs: Sequence[str], *, title: str = "", table: Sequence[Sequence[str]] = (), end: str = ""
) -> Path:
    """A Word file; `# ` and `## ` begin headings. The table stands after the paragraphs and before `end`."""
    from docx import Document

    document = Document()
    document.core_properties.title = title
    for paragraph in paragraphs:
        marks = len(paragraph) - len(paragraph.lstrip("#"))
        if marks:
            document.add_heading(paragraph[marks:].strip(), level=marks)
        else:
            document.add_paragraph(paragraph)
    if table:
        grid = document.add_table(rows=len(table), cols=len(table[0]))
        for row, values in zip(grid.rows, table, strict=True):
            for cell, value in zip(row.cells, values, strict=True):
                cell.text = value
    if end:
        document.add_paragraph(end)
    document.save(str(path))
    return path


def make_pptx(path: Path, slides: Sequence[tuple[str, str, str]], *, table: Sequence[Sequence[str]] = ()) -> Path:
    """A presentation of (title, body, notes) slides; the table stands on the last slide."""
    from pptx import Presentation
    from pptx.util import Inches

    presentation = Presentation()
    slide = None
    for title, body, notes in slides:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    if table and slide is not None:
        size = (Inches(1), Inches(4), Inches(5), Inches(1))
        grid = slide.shapes.add_table(len(table), len(table[0]), *size).table
        for row_number, values in enumerate(table):
            for column_number, value in enumerate(values):
                grid.cell(row_number, column_number).text = value
    presentation.save(str(path))
    return path


def make_xlsx(path: Path, sheets: dict[str, Iterable[Sequence[object]]]) -> Path:
    """A workbook with the rows of each sheet."""
    from openpyxl import Workbook

    workbook = Workbook(write_only=True)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    workbook.save(path)
    return path


def make_epub(
    path: Path, chapters: Sequence[tuple[str, str]], *, title: str = "A book", extra: dict[str, str] | None = None
) -> Path:
    """An EPUB 2 book of (chapter title, XHTML body) with an NCX; the manifest lists the chapters in reverse."""
    numbers = range(len(chapters))
    items = "".join(
        f'<item id="c{number}" href="text/c{number}.xhtml" media-type="application/xhtml+xml"/>'
        for number in reversed(numbers)
    )
    spine = "".join(f'<itemref idref="c{number}"/>' for number in numbers)
    points = "".join(
        f'<navPoint id="n{number}"><navLabel><text>{chapters[number][0]}</text></navLabel>'
        f'<content src="text/c{number}.xhtml#top"/></navPoint>'
        for number in numbers
    )
    files = {
        "META-INF/container.xml": EPUB_CONTAINER,
        "OEBPS/content.opf": (
            '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="2.0">'
            f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></metadata>'
            f'<manifest>{items}<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/></manifest>'
            f'<spine toc="ncx">{spine}</spine></package>'
        ),
        "OEBPS/toc.ncx": (
            '<?xml version="1.0"?><!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" '
            '"http://www.daisy.org/z3986/2005/ncx-2005-1.dtd"><ncx xmlns="http://www.daisy.org/z3986/2005/ncx/">'
            f"<navMap>{points}</navMap></ncx>"
        ),
    }
    for number, (_, body) in enumerate(chapters):
        files[f"OEBPS/text/c{number}.xhtml"] = (
            '<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><head><title/>'
            f'<script src="x.js"/></head><body>{body}</body></html>'
        )
    files |= extra or {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def change_member(path: Path, name: str, change: tuple[bytes, bytes] | bytes) -> Path:
    """Replace text inside a member of a ZIP file, or the whole member."""
    out = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        names = source.namelist()
        for member in names:
            data = source.read(member)
            if member == name:
                data = change if isinstance(change, bytes) else data.replace(*change)
            target.writestr(member, data)
        if name not in names and isinstance(change, bytes):
            target.writestr(name, change)
    path.write_bytes(out.getvalue())
    return path
