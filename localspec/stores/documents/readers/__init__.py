"""Readers of the document formats: each turns one file into blocks of clean text with their places.

`plain` reads text and code (`plain_tables`: tables drawn with signs), `markdown` Markdown (`markdown_tables`), `html`
pages, `epub` e-books, `mhtml` pages saved whole, `mail` EML and MBOX, `outlook` MSG (`outlook_rtf`: texts,
`attachments`: files in them), `csv_table`, `notebook`, `subtitles`, `docx`, `pptx`, `xlsx`, `ods`, `opendocument_text`
and `opendocument_slides` (`opendocument_flat`: as one XML), `rtf` and `pdf` what they are named after.

Below them, `encodings` decodes and cleans texts. Tags and texts of a page, an e-book or Markdown flow through
`html_flow`: `html_inline` reads what stands in a line, `html_lists` marks of items, `html_tables` places cells,
`html_styles` finds what is hidden for good, `html_panels` what can be opened, `html_forms` says what fields show,
`html_maths` reads formulas, and `html_pieces` writes the blocks under their sections. Sheets meet in `sheet_grid`;
`sheet_tables` parts and names their tables, `sheet_headers` finds the names of their columns, `cell_formats` and
`date_formats` say what a cell shows, `xlsx_book`, `xlsx_sheet` and `ods_pages` read the parts. `office_xml` and
`opendocument` open office files, `docx_text`, `docx_numbering`, `docx_tables`, `docx_notes`, `pptx_text`,
`opendocument_lists` and `rtf_story` read their parts; `drawing_charts`, `diagrams`, `equations`, `list_numbers`,
`symbol_fonts`, `table_headers` and `running` each know one thing that several formats have.

A page of a PDF goes from `pdf_characters` over `pdf_words` (with `pdf_direction`), `pdf_lines` (with `pdf_rules`),
`pdf_running`, `pdf_grid` and `pdf_tables` (with `pdf_cells`, `pdf_rows`), `pdf_columns` and `pdf_layout` (with
`pdf_indents`) to `pdf_writing`. Before that, `pdf_hidden` and `pdf_layers` take out what is not seen, `pdf_scans` and
`pdf_ocr` read pictures of text, and `pdf_beside` adds fields and notes (`pdf_annotations`; `pdf_fields` and
`pdf_pieces`: their labels; `pdf_notes`: their texts).

`content` is what they give back. Everything but code, short text and short Markdown runs in the child process
(`parse_child`), which has checked the archive before a library here opens it. The libraries are imported inside the
readers, so that the child loads only the one it needs. Readers raise `UnreadableError` for what they understand; any
other exception means a damaged file.
"""
