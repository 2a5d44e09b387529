"""Whether a model fits: `memory.py` counts what it takes against what is free, `fitting.py` chooses context and layers,
`device_split.py` tells which GPU gets which part, `measured_loads.py` keeps what loads took there.

What is free is `psutil`'s available memory with what closing the loaded model gives back (what loading it took, at most
what was counted for it). GPU memory is asked of ggml, with llama.cpp's own margin of 1 GiB per card; Apple silicon and
built-in GPUs count in main memory as well. What does not fit is refused before what is loaded goes; "Load it anyway" is
offered only where target and cache alone have room. Only where the automatic choice differs from the usual one does the
engine get other settings than those asked for, so measured times and tunings keep their keys.

May import `models.files`, `models.llama` and `models.pairing`; imported by `models.choice` and the rooms above.
"""
