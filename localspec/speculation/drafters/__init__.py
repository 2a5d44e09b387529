"""The drafting methods, one a file: each proposes a draft tree for a context (`interface.Drafter`).

Prompt lookup, REST and DReSD search for matches (`interface.Matcher`), from which they build a tree of their own and
`auto.py` one of all sources; `model.py` is the draft model alone, `rasd.py` fuses it with any searches. May import
`speculation`, the n-gram and state stores and `models.draft`; `chat` chooses among the methods.
"""
