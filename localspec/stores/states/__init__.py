"""What followed each hidden state of a library's documents and learnt replies, for DReSD (arXiv 2502.15572).

A hidden state is the target's last layer at one token. `state_store.StateStore` adds, removes and searches; `transform`
is the projection onto few dimensions, `index_build` the index while it is filled and the tokens that follow,
`state_rows` and `schema` the rows in SQLite. May import the ground, `stores.database` and `stores.vectors`.
"""
