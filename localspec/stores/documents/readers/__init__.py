"""Readers of the document formats: each turns one file into blocks of clean text with their places.

`plain` reads text, Markdown and code, `html` EPUB as well, `mail` EML, `outlook` MSG, `csv_table`, `notebook`,
`subtitles`, `docx`, `pptx`, `xlsx`, `ods`, `opendocument_text` and `opendocument_slides`, `rtf` and `pdf` what they are
named after. Sheets meet in `sheet_grid`; `sheet_tables` parts and names their tables, `sheet_headers` finds the names
of their columns, `cell_formats` and `date_formats` say what a cell shows, `xlsx_book` and `xlsx_sheet` read the parts.
Below them, `office_xml` and `opendocument` open the files, `docx_text`, `docx_numbering`, `docx_tables`, `docx_notes`,
`pptx_text`, `opendocument_lists` and `rtf_story` read their parts; `drawing_charts`, `diagrams`, `equations`,
`list_numbers`, `symbol_fonts`, `table_headers` and `running` each know one thing that several formats have.

`content` is what they give back. Everything but what `plain` reads runs in the child process (`parse_child`), which has
checked the archive before a library here opens it. The libraries are imported inside the readers, so that the child
loads only the one it needs. Readers raise `UnreadableError` for what they understand; any other exception means a
damaged file.
"""
