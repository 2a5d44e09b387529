"""PDF: what a reader sees of each page, in the order in which it is read.

`pdf_reader` reads a file. A page goes from `pdf_characters`, `pdf_words` and `pdf_lines` (with `pdf_direction`,
`pdf_rules`) over `pdf_footnotes`, `pdf_running`, `pdf_grid`, `pdf_justified`, `pdf_numbers` and `pdf_tables` (with
`pdf_cells`, `pdf_rows`), `pdf_columns` and `pdf_layout` to `pdf_writing` (with `pdf_indents`). Before that,
`pdf_hidden` and `pdf_layers` take out what is not seen, `pdf_scans` and `pdf_ocr` read pictures of text, and
`pdf_beside` adds fields and notes (`pdf_annotations`; `pdf_fields` and `pdf_pieces`: their labels; `pdf_notes`: their
texts).
"""
