"""A person's documents: the files, what they say, and the passages that a question finds.

- `blocks` is the model of a document: what each piece is, where it stands, and tables with their cells.
- `file_kinds` says what a file truly is, `parse` whether it can be read; `parse_child` reads it in a process of its
  own, with a limit on memory and time, because files come from anywhere; `readers/` has one module per family of
  formats. A new file kind begins there.
- `document_table` holds the documents, `file_store` copies of their files, named by the SHA-256 of the content.
- `passages` cuts a document, by tokens of the embedder: `table_passages` its tables, `cutting` what is longer than a
  passage. `passage_blocks` finds the blocks of passages again, to show them.
- `passage_texts` knows the passages' distinct texts, `passage_vectors` embeds each once, `passage_words` keeps their
  words, `search` fuses the search by meaning and by words.
- `folders` and `watching` take in the documents of folders, also as they change.

A document of a changed file is a new one with a new id, so that no chat believes it knows the new text; one that is
only indexed again keeps its id. Two files with one content are one document, which names both places, and stays while
one of them does. A folder that is gone or suddenly empty removes nothing, nor does what may not be read; a file that
changed less than two seconds ago waits for the next look.

May import the ground, `stores.database`, `stores.vectors`, `stores.background`, `stores.languages` and `stores.words`.
"""
