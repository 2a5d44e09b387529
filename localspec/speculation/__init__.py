"""Speculative decoding on token ids and arrays: draft trees, their verification, and how much to draft.

`interface.py` holds the protocols (target, sampler, drafter, matcher) and the values they exchange; `decode.py` the one
decoding loop; `tree.py` and `builder.py` draft trees and how they are built, `fusion.py` unites them;
`verify.py` the walk down a tree; `acceptance.py` how likely nodes are to be accepted; `cost.py` what rows and steps
cost; `tree_size.py` how large a tree pays; `policy.py` how large trees are and which sources are asked; `metrics.py`
and `totals.py` the figures; `alternation.py` several ways through one text in turns, `paired.py` how much faster one is
than plain decoding by that; `context_index.py` and `recycled_table.py` what drafters look up in a reply; `loops.py`
answers that run in circles. The published methods are in `drafters/`.

Text, templates and models live outside: this room imports the package's errors and native code alone, and its
`drafters` the stores and the draft model too. Everything from `chat` upwards may import it.
"""
