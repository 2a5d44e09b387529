"""How a module of this package is started as a program: with this package, whatever folder and paths the caller has;
and what became of one that loads a model for trial, which llama.cpp may end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

_PACKAGE_PARENT = str(Path(__file__).resolve().parents[3])
_CRT_ABORT = 3
"""Exit status of a Windows program that calls abort(); Python itself never ends with it."""
_NT_ERRORS = 0xC0000000
"""Exit statuses of Windows from here on are exceptions, such as 0xC0000005, an access violation."""


class Child(NamedTuple):
    """What `subprocess` wants to know to start a module."""

    command: list[str]
    cwd: str
    env: dict[str, str]
    creationflags: int  # Windows: no console window; 0 elsewhere


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """What a child left behind."""

    code: int  # Exit status; negative = the signal that ended it
    report: dict[str, Any]  # The JSON object on its last line; empty where it did not come that far
    error_output: str

    @property
    def was_killed(self) -> bool:
        """True where the system ended it, as it does when memory runs out."""
        return not self.report and self.code in (-int(getattr(signal, "SIGKILL", 9)), 137)

    @property
    def crashed(self) -> bool:
        """True where it ended neither by itself nor by an order: by a signal of its own making, or an abort."""
        by_itself = self.code < 0 or self.code == _CRT_ABORT or self.code >= _NT_ERRORS
        return not self.report and by_itself and not self.was_killed

    @property
    def how(self) -> str:
        """The end in a word: the signal's name, or the exit status."""
        with contextlib.suppress(ValueError):
            if self.code < 0:
                return signal.Signals(-self.code).name
        return f"exit status {self.code}"

    @property
    def last_words(self) -> str:
        """The line of its error output that tells most; "" where it wrote none."""
        lines = [line.strip() for line in self.error_output.splitlines() if line.strip()]
        telling = ("GGML_ASSERT", "GGML_ABORT", "error")
        found = (line for words in telling for line in lines if words.lower() in line.lower())
        return next(found, "".join(lines[-1:]))


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


def run(child: Child, limit: float) -> ChildEnd:
    """Wait until the child has ended. Raises subprocess.TimeoutExpired after `limit` seconds, and OSError where it
    cannot be started."""
    done = subprocess.run(
        child.command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=child.cwd,
        env=child.env,
        timeout=limit,
        check=False,
        creationflags=child.creationflags,
    )
    return ChildEnd(done.returncode, _last_report(done.stdout), done.stderr.decode("utf-8", "replace"))


def _last_report(output: bytes) -> dict[str, Any]:
    lines = output.strip().splitlines()
    with contextlib.suppress(ValueError):
        report = json.loads(lines[-1]) if lines else {}
        if isinstance(report, dict):
            return report
    return {}
