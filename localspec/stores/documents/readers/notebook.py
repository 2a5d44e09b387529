"""The reader of Jupyter notebooks (IPYNB, the formats 3 and 4 of nbformat)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from localspec.stores.documents.blocks import Block
from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits, Untyped
from localspec.stores.documents.readers.encodings import clean, decode, one_line
from localspec.stores.documents.readers.plain import read_text
from localspec.stores.documents.readers.web.html import read_html

_OBJECT = re.compile(r"<[A-Z][\w.]*(?: (?:size|object|at)\b[^<>]*)?>|<[\w.]+ object[^<>]*>|<IPython[^<>]*>")
"""What stands for something that is no text: "<Figure size 640x480 with 1 Axes>"."""
_COLOURS = re.compile("\x1b\\[[0-9;]*[A-Za-z]")


def read_notebook(data: bytes, limits: ParseLimits) -> Content:
    """Cells in their order: text as Markdown, code, and what it wrote (tables, text, errors; no pictures). A file that
    is no notebook is read as code."""
    text, warning = decode(data)
    try:
        notebook = json.loads(text)
        cells = list(_cells(notebook))
    except (ValueError, RecursionError, LookupError, TypeError):
        return read_text(data, "code", limits)
    writer = BlockWriter(limits)
    for cell in cells:
        kind = cell.get("cell_type")
        source = clean(_joined(cell.get("source", cell.get("input", ""))))
        if kind == "code":
            writer.add(source, "code")
            for output in cell.get("outputs") or ():
                _write_output(writer, output, limits)
        elif kind == "markdown":
            _write_blocks(
                writer, read_text(source.encode("utf-8"), "markdown", limits).blocks if source.strip() else []
            )
        elif kind == "heading":
            writer.turn(section=one_line(source))
            writer.add(source, "heading", int(cell.get("level") or 1))
        else:
            writer.add(source)
    metadata = notebook.get("metadata") or {}
    title = metadata.get("title") or metadata.get("name") or ""
    first = next((block.section for block in writer.blocks if block.section), "")
    return Content(one_line(str(title)) or first, "notebook", writer.blocks, None, (warning,) if warning else ())


def _cells(notebook: Untyped) -> Iterator[Mapping[str, Untyped]]:
    """Raises LookupError or TypeError for what is no notebook."""
    if "cells" in notebook:
        yield from (cell for cell in notebook["cells"] if isinstance(cell, dict))
        return
    for sheet in notebook["worksheets"]:
        yield from (cell for cell in sheet["cells"] if isinstance(cell, dict))


def _joined(text: Untyped) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text or "")


def _write_output(writer: BlockWriter, output: Untyped, limits: ParseLimits) -> None:
    if not isinstance(output, dict):
        return
    kind = output.get("output_type")
    if kind in ("error", "pyerr"):
        writer.add(clean(f"{output.get('ename', '')}: {output.get('evalue', '')}"), "code")
        return
    found = output.get("data")
    data = found if isinstance(found, dict) else output
    page = _joined(data.get("text/html", data.get("html", "")))
    text = _joined(data.get("text/plain") or data.get("text") or "")
    says_nothing = _OBJECT.fullmatch(text.strip()) is not None
    if "<table" in page or (says_nothing and page):
        _write_blocks(writer, read_html(page.encode("utf-8"), limits).blocks)
        return
    if says_nothing and (written := _joined(data.get("text/latex", data.get("latex", "")))):
        writer.add(clean(written))
    elif says_nothing and (written := _joined(data.get("text/markdown"))):
        _write_blocks(writer, read_text(written.encode("utf-8"), "markdown", limits).blocks)
    elif not says_nothing:
        writer.add(_COLOURS.sub("", clean(text or _joined(data.get("text/markdown")))), "code")


def _write_blocks(writer: BlockWriter, blocks: list[Block]) -> None:
    """Write blocks of another reader; those without a section stay in the one above."""
    for block in blocks:
        if block.section:
            writer.turn(section=block.section)
        if block.table is not None:
            writer.add_table(block.table)
        else:
            writer.add(block.text, block.kind, block.level)
