"""Readers of the document formats: each turns one file into blocks of clean text with their places.

`plain` reads text and code, `markdown` Markdown, `html` pages, `epub` e-books, `office` DOCX, PPTX and XLSX, `pdf` PDF;
`content` is what they give back. Everything but text, code and short Markdown runs in the child process
(`parse_child`), which has checked the
archive before a library here opens it. The libraries are imported inside the readers, so that the child loads only
the one it needs. Readers raise `UnreadableError` for what they understand; any other exception means a damaged file.
"""
