"""Readers of the document formats: each turns one file into blocks of clean text with their places.

`pdf/`, `office/` (texts and slides), `sheets/`, `web/` (pages, e-books, Markdown) and `mailboxes/` have a module for
each format; here `plain` reads text and code (`plain_tables`: tables drawn with signs), `notebook` and `subtitles` what
they are named after. `encodings` decodes and cleans texts, `table_headers` tells the rows that name columns.

`content` is what they give back. Everything but code, short text and short Markdown runs in the child process
(`parse_child`), which has checked the archive before a library here opens it. The libraries are imported inside the
readers, so that the child loads only the one it needs. Readers raise `UnreadableError` for what they understand; any
other exception means a damaged file.
"""
