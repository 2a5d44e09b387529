"""How a module of this package is started as a program: with this package, whatever folder and paths the caller has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

_PACKAGE_PARENT = str(Path(__file__).resolve().parents[3])


class Child(NamedTuple):
    """What `subprocess` wants to know to start a module."""

    command: list[str]
    cwd: str
    env: dict[str, str]
    creationflags: int  # Windows: no console window; 0 elsewhere


def child_of(module: str, *arguments: str) -> Child:
    """`python -m module arguments`; llama.cpp writes no backtrace where it aborts there, as it is expected to."""
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([_PACKAGE_PARENT, inherited] if inherited else [_PACKAGE_PARENT])
    return Child(
        [sys.executable, "-m", module, *arguments],
        _PACKAGE_PARENT,
        os.environ | {"PYTHONPATH": path, "GGML_NO_BACKTRACE": "1"},
        int(getattr(subprocess, "CREATE_NO_WINDOW", 0)),
    )
