"""One handbook, one workbook and one talk, written by many programs, and what must be read from each.

`content` holds what all of them say. `flat` and `flat_sheets` write it as flat OpenDocument for LibreOffice, `sources`
as Markdown for pandoc, LaTeX and HTML; `programs` makes the files of tests/data/documents/written from these.
`text_writers`, `sheet_writers` and `slide_writers` write it with Python's libraries, and `printing` with Chromium, when
the tests run.
"""
