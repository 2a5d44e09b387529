"""A person's documents: the files, what they say, and the passages that a question finds.

- `parse` decides what a file truly is; `parse_child` reads it in a process of its own, with a limit on memory and time,
  because files come from anywhere; `readers/` has one module per family of formats. A new file kind begins there.
- `document_table` and `file_store` hold the documents and copies of their files, named by the SHA-256 of the content.
- `passages` cuts a document, `passage_vectors` embeds the passages, `search` fuses the search by meaning and by words.
- `folders`, `folder_rows` and `watching` take in the documents of folders, also as they change.

May import the ground, `stores.database`, `stores.vectors` and `stores.background`.
"""
