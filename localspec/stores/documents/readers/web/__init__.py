"""Pages, e-books and Markdown: tags and texts that flow.

`html` reads pages, `mhtml` pages saved whole, `epub` e-books, `markdown` Markdown (with `markdown_tables`), all through
`html_flow`: `html_inline` reads what stands in a line, `html_lists` marks of items, `html_tables` places cells,
`html_styles` finds what is hidden for good, `html_panels` what can be opened, `html_forms` says what fields show,
`html_maths` reads formulas, and `html_pieces` writes the blocks under their sections.
"""
