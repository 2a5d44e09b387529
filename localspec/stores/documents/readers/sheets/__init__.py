"""Workbooks and tables of values: XLSX, ODS, CSV.

`xlsx` (with `xlsx_book`, `xlsx_sheet`), `ods` (with `ods_pages`) and `csv_table` meet in `sheet_grid`; `sheet_tables`
parts and names their tables, `sheet_headers` finds the names of their columns, `cell_formats` and `date_formats` say
what a cell shows.
"""
