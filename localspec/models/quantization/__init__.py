"""Weight formats of a model file, and the search for the one that is fastest here and still near the original.

- `formats.py` which formats there are and how files are converted, `quality.py` how far outputs are apart, `needs.py`
  the disk and memory it takes
- `format_search.py` tries formats; what drafts save and the text to compare on are passed in (`Judgement`);
  `turn_taking.py` measures two in turn, and says whether one is faster or that cannot be told
- `tuned.py` keeps what was chosen; `tuning_run.py` runs a search in a process that gives way

May import `models.files`, `models.llama` and `models.decode_times`; never `chat` or `speculation`.
"""
