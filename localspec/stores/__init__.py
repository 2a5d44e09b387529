"""What is kept on disk: libraries of documents, learnt replies and conversations. Knows no model and no drafter.

- `library.Library` is all of one library: a folder with copies of the files, one SQLite database, and caches that can
  be made again. Its parts are `passages`, `replies`, `state_reading`, `watching`, `ngrams` and `states`.
- `documents/` is what a person added, `ngrams/` and `states/` what drafts are looked up in, `ingestion/` the work that
  leads from one to the other.
- `replies` are answers of the model that were learnt for drafts. `conversations` are the chats, with `stored_turns` (a
  turn as it is kept, shown and exported, and the tables), `turn_rows` (turns as a tree: parents, siblings, which is
  shown), `chat_words` (how they are searched, hidden branches too), `chat_folders` and `deleted_chats` (what can be
  taken back).
- `languages` tells the language of a text and has its stop words and stems, `words` what search takes for words.
- `database` opens SQLite, `vectors` is the only importer of hnswlib, `background` a thread that works
  beside the page.
- `naming` names, renames and deletes libraries, `overview` reads one that is not open.

Rules: one writer per database, readers with connections of their own. Everything derived names the fingerprint of the
tokenizer, the target or the embedder it was made with, and is left aside when that is another one. A file beside the
database is a cache: what is doubtful about it is made again. Every step is one transaction, so that a kill at any
moment costs one step. Whatever reads or writes raises StoreError when that fails, and DiskFullError when the disk is
full. May import errors, config, locks and texts; models never import it, nor it them: what it needs of
a model (tokenizer, embedder, hidden states) is passed in behind a protocol.
"""
