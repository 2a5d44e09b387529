"""Texts and slides of office programs: DOCX, PPTX, ODT, ODP, RTF.

`docx`, `pptx`, `opendocument_text`, `opendocument_slides` and `rtf` read a file each. `office_xml` and `opendocument`
open them (`opendocument_flat`: as one XML), `docx_text`, `docx_numbering`, `docx_tables`, `docx_notes`, `pptx_text`,
`opendocument_lists` and `rtf_story` read their parts; `drawing_charts`, `diagrams`, `equations`, `list_numbers`,
`symbol_fonts` and `running` each know one thing that several formats have.
"""
