"""The command line: one file a command (`desktop` and `models` are groups), `shared_options.py` for what they share.

`main.py` puts the commands together; `python -m localspec` runs it. A command reads its options, calls the rooms below,
and prints: answers, lists and figures to stdout, all else to stderr.

May import `application` and everything below it; imported by `__main__` and by the benchmarks.
"""
