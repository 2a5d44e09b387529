"""The drafting methods, one a file: each proposes a draft tree for a context (`interface.Drafter`).

`prompt.py`, `rest.py` and `dresd.py` search for matches (`interface.Matcher`), from which `matching.py` builds a tree
of each and `auto.py` one of all sources; `recycling.py` adds what the target held likely before, `model.py` is the
draft model alone, `rasd.py` fuses it with any searches. May import `speculation`, the n-gram and state stores and
`models.draft`; `chat` chooses among the methods.

Auto looks the chat up, builds a tree, and asks the library's n-grams, the nearest hidden states and the draft model
only at steps of a kind where what they brought was worth more than what they took (source gates, `policy.py`); each
answer lets the tree grow anew. Where looking for drafts has not been worth its time in a reply, one step in four looks,
and an accepted draft brings it back (the speculation gate). A draft model that is hardly ever asked reads the prompt
only when it is.

RASD submits its searches to another thread right before the draft model's first decode, which runs without Python's
lock. The draft model's cache holds committed tokens only: nothing is rolled back. One that fails is given up.
"""
