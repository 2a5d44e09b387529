"""Readers of the document formats: each turns one file into blocks of clean text with their places.

Everything but text, Markdown and code runs in the child process (`parse_child`), which has checked the
archive before a library here opens it. The libraries are imported inside the readers, so that the child loads only
the one it needs. Readers raise `UnreadableError` for what they understand; any other exception means a damaged file.
"""

from __future__ import annotations

from localspec.stores.documents.readers.content import (
    EMPTY_TITLES,
    TITLE_CHARACTERS,
    Block,
    Content,
    ParseLimits,
    UnreadableError,
)
from localspec.stores.documents.readers.html import read_epub, read_html
from localspec.stores.documents.readers.office import read_docx, read_pptx, read_xlsx
from localspec.stores.documents.readers.pdf import read_pdf
from localspec.stores.documents.readers.plain import clean, one_line, read_text

__all__ = [
    "EMPTY_TITLES",
    "TITLE_CHARACTERS",
    "Block",
    "Content",
    "ParseLimits",
    "UnreadableError",
    "clean",
    "one_line",
    "read_docx",
    "read_epub",
    "read_html",
    "read_pdf",
    "read_pptx",
    "read_text",
    "read_xlsx",
]
