"""`python -m localspec`: the command line."""

from __future__ import annotations

from localspec.cli.main import main

if __name__ == "__main__":
    main()
