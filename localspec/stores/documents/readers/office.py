"""The readers of DOCX, PPTX and XLSX."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from pathlib import Path

from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits, Untyped
from localspec.stores.documents.readers.encodings import one_line, tidy

_WORD_XML = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SKIPPED_IN_WORD = {
    *("del", "moveFrom", "delText"),  # tracked changes: what was there before
    *("Fallback", "instrText"),  # second copies of drawings, field codes
    *("pPr", "rPr", "tblPr", "trPr", "tcPr", "sdtPr"),
}


def read_docx(path: Path, limits: ParseLimits) -> Content:
    """Paragraphs and tables of a Word document in their order, then its foot- and endnotes."""
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.oxml import parse_xml
    from docx.package import Package

    package = Package.open(str(path))
    main = package.main_document_part
    # The part of a macro-enabled document or a template is plain bytes to python-docx; its XML is the same.
    element = main.element if hasattr(main, "element") else parse_xml(main.blob)
    names = _heading_styles(main, parse_xml)
    writer = BlockWriter(limits)
    body = element.find(f"{_WORD_XML}body")
    for item in _word_items(body if body is not None else element):
        if _local(item) == "tbl":
            writer.add("\n".join(_word_rows(item)))
            continue
        text = _word_text(item)
        style = item.find(f"{_WORD_XML}pPr/{_WORD_XML}pStyle")
        style_id = style.get(f"{_WORD_XML}val", "") if style is not None else ""
        level = item.find(f"{_WORD_XML}pPr/{_WORD_XML}outlineLvl")
        is_heading = style_id in names or (level is not None and level.get(f"{_WORD_XML}val") != "9")
        if text.strip() and is_heading and len(text) < 300:
            writer.turn(section=one_line(text))
        listed = item.find(f"{_WORD_XML}pPr/{_WORD_XML}numPr") is not None
        if listed and not is_heading and text.strip():
            writer.add(f"- {text.strip()}", kind="list item")
        else:
            writer.add(text)
    for kind, title in ((RELATIONSHIP_TYPE.FOOTNOTES, "Footnotes"), (RELATIONSHIP_TYPE.ENDNOTES, "Endnotes")):
        for relation in main.rels.values():
            if relation.reltype == kind and not relation.is_external:
                writer.turn(section=title)
                for note in parse_xml(relation.target_part.blob):
                    writer.add("\n".join(_word_text(item) for item in _word_items(note)))
    title = one_line(package.core_properties.title or "")
    return Content(title, "docx", writer.blocks)


def _heading_styles(main: Untyped, parse_xml: Untyped) -> set[str]:
    """Ids of the heading and title styles; ids are translated in Word's languages, names are not."""
    ids = {"Title", *(f"Heading{level}" for level in range(1, 10))}
    for relation in main.rels.values():
        if relation.reltype.endswith("/styles") and not relation.is_external:
            part = relation.target_part
            for style in parse_xml(part.blob):
                name = style.find(f"{_WORD_XML}name")
                label = name.get(f"{_WORD_XML}val", "").lower() if name is not None else ""
                if re.fullmatch(r"heading \d|title", label):
                    ids.add(style.get(f"{_WORD_XML}styleId", ""))
    return ids - {""}


def _local(element: Untyped) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _word_items(parent: Untyped) -> Iterator[Untyped]:
    """Paragraphs and tables, also those inside content controls and tracked insertions."""
    for child in parent:
        name = _local(child)
        if name in ("p", "tbl"):
            yield child
        elif name not in _SKIPPED_IN_WORD:
            yield from _word_items(child)


def _word_rows(table: Untyped) -> Iterator[str]:
    for row in _inside(table, "tr"):
        cells = [" ".join(_word_text(cell).split()) for cell in _inside(row, "tc")]
        if any(cells):
            yield " | ".join(cells)


def _inside(parent: Untyped, name: str) -> Iterator[Untyped]:
    """Nearest descendants of that name: rows of a table but not those of the tables in its cells."""
    for child in parent:
        local = _local(child)
        if local == name:
            yield child
        elif local in ("sdt", "sdtContent", "ins", "moveTo", "customXml"):
            yield from _inside(child, name)


def _word_text(element: Untyped) -> str:
    parts: list[str] = []
    _collect_word_text(element, parts)
    return tidy("".join(parts))


def _collect_word_text(element: Untyped, parts: list[str]) -> None:
    for child in element:
        name = _local(child)
        if name == "t":  # of the text, of formulas and of drawings
            parts.append(child.text or "")
        elif name == "tab":
            parts.append("\t")
        elif name in ("br", "cr"):
            parts.append("\n")
        elif name == "noBreakHyphen":
            parts.append("-")
        elif name and name not in _SKIPPED_IN_WORD:
            if name in ("p", "tc") and parts:
                parts.append("\n")
            _collect_word_text(child, parts)


def read_pptx(path: Path, limits: ParseLimits) -> Content:
    """Slides as pages: title first, then the other shapes, tables and the speaker's notes."""
    from pptx import Presentation

    presentation = Presentation(str(path))
    writer = BlockWriter(limits)
    number = 0
    for number, slide in enumerate(presentation.slides, 1):
        title_shape = slide.shapes.title
        title = one_line(title_shape.text_frame.text) if title_shape is not None else ""
        writer.turn(page=number, section=title)
        writer.add(title)
        title_id = title_shape.shape_id if title_shape is not None else None
        pending = list(slide.shapes)[::-1]
        while pending:
            shape = pending.pop()
            if hasattr(shape, "shapes"):  # a group
                pending += list(shape.shapes)[::-1]
            elif getattr(shape, "has_table", False):
                rows = ([one_line(cell.text) for cell in row.cells] for row in shape.table.rows)
                writer.add("\n".join(" | ".join(cells) for cells in rows if any(cells)))
            elif shape.has_text_frame and shape.shape_id != title_id:
                writer.add(tidy(shape.text_frame.text))
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            notes = tidy(slide.notes_slide.notes_text_frame.text).strip()
            writer.add(f"Notes: {notes}" if notes else "")
    title = one_line(presentation.core_properties.title or "")
    return Content(title, "pptx", writer.blocks, number or None)


def read_xlsx(path: Path, limits: ParseLimits) -> Content:
    """Rows of every sheet as `a | b | c`; formulas show the value that was last calculated."""
    from openpyxl import load_workbook

    workbook = load_workbook(path, read_only=True, data_only=True, keep_links=False)
    writer = BlockWriter(limits)
    warnings: list[str] = []
    # Empty cells before a filled one are cheap but not free: one row can be 16,384 cells wide.
    filled, visited = limits.cells, limits.cells * 20
    for sheet in workbook.worksheets:
        sheet.reset_dimensions()  # what the file claims about its size may be wrong or hostile
        lines: list[str] = []
        for row in sheet.iter_rows(values_only=True):
            cells = [_cell_text(value) for value in row]
            filled -= sum(1 for cell in cells if cell)
            visited -= len(cells) + 1
            if filled < 0 or visited < 0:
                break
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                lines.append(" | ".join(cells))
        writer.turn(section=one_line(sheet.title))
        writer.add("\n".join(lines))
        if filled < 0 or visited < 0:
            warnings.append(
                f"The workbook is very large: only about the first {limits.cells:,} filled cells were read "
                f"(up to sheet '{one_line(sheet.title)}')."
            )
            break
    title = one_line(workbook.properties.title or "")
    workbook.close()
    return Content(title, "xlsx", writer.blocks, None, tuple(warnings))


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.datetime):
        whole_day = value.time() == datetime.time()
        return value.date().isoformat() if whole_day else value.isoformat(sep=" ", timespec="seconds")
    return one_line(str(value))
