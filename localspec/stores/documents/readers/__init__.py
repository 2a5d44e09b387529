"""Readers of the document formats: each turns one file into blocks of clean text with their places.

`plain` reads text, Markdown and code, `html` EPUB as well, `office` DOCX, PPTX and XLSX, `pdf` PDF; `content` is what
they give back. A page of a PDF goes from `pdf_lines` (with `pdf_direction`, `pdf_rules`) over `pdf_running`,
`pdf_grid` and `pdf_tables` (with `pdf_cells`, `pdf_rows`), `pdf_columns` and `pdf_layout` to `pdf_writing`. Before
that, `pdf_hidden` and `pdf_layers` take out what is not seen, `pdf_scans` and `pdf_ocr` read pictures of text, and
`pdf_beside` adds fields and notes (`pdf_annotations`; `pdf_fields` and `pdf_pieces`: their labels; `pdf_notes`: their
texts). Everything but what `plain` reads runs in the child process (`parse_child`), which has checked the archive
before a library here opens it. The libraries are imported inside the readers, so that the child loads only the one it
needs. Readers raise `UnreadableError` for what they understand; any other exception means a damaged file.
"""
