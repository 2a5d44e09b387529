"""The command line: `ask.py` answers, `index.py` is about libraries, `bench.py` measures, `shared_options.py` is what
the commands share, `interrupts.py` makes Ctrl-C a stop.

`main.py` puts the commands together; `python -m localspec` runs it. A command reads its options, calls the rooms below,
and prints: answers, lists and figures to stdout, all else to stderr.

May import `application` and everything below it; imported by `__main__` and by the benchmarks.
"""
