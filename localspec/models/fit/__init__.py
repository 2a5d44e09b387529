"""Whether a model fits: `memory.py` counts what it takes against what is free, `fitting.py` chooses context and layers.

May import `models.files`, `models.llama` and `models.pairing`; imported by `models.choice` and the rooms above.
"""
