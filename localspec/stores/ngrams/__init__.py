"""What followed each n-gram of a library's documents and learnt replies, for REST (arXiv 2311.08252).

`ngram_store.NgramStore` adds, removes and looks up; `suffixes` is the sorted index over arrays; `runs` are its rows in
SQLite. May import the ground, `stores.database` and `stores.vectors`.
"""
