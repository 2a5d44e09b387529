"""The reader of plain text, Markdown and code."""

from __future__ import annotations

from localspec.stores.documents.blocks import Block
from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits, too_much_text
from localspec.stores.documents.readers.encodings import clean, decode, one_line, tidy
from localspec.stores.documents.readers.markdown import read_markdown

__all__ = ["clean", "one_line", "read_text", "tidy"]


def read_text(data: bytes, kind: str, limits: ParseLimits, suffix: str = "") -> Content:
    """Plain text, code or Markdown (`kind` 'text', 'code', 'markdown'); `suffix` tells of the kind of text."""
    text, warning = decode(data)
    text = clean(text)
    if len(text) > limits.characters:
        raise too_much_text(limits.characters)
    warnings = (warning,) if warning else ()
    if kind == "markdown":
        writer = BlockWriter(limits)
        title = read_markdown(text, writer)
        return Content(title, kind, writer.blocks, None, warnings)
    blocks = [Block(text, None, "", "code" if kind == "code" else "paragraph")]
    return Content("", kind, blocks, None, warnings)
