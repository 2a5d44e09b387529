"""A program that is measured beside others: started once, with a log, and ended by its own handle."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import process_time, sleep
from types import TracebackType

import psutil

from localspec.errors import ModelError

LAST_LINES = 12
GRACE_SECONDS = 10.0
"""What a program gets to end by itself before it is killed."""


class Child:
    """A running program; what it says goes to a temporary file, and its last lines into errors."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        spoken_to: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`spoken_to`: its standard input and output are pipes, and only its errors are logged; `environment`:
        variables beside this process's own.

        Raises ModelError when it cannot be started.
        """
        self.name = name
        # Kept by name: the file is read again while the program writes it.
        self._log = tempfile.NamedTemporaryFile(prefix="localspec-peer-", suffix=".log")  # noqa: SIM115
        pipe = subprocess.PIPE if spoken_to else None
        try:
            self.process = subprocess.Popen(
                command,
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or self._log,
                stderr=self._log,
                env={**os.environ, **(environment or {})},
            )
        except OSError as error:
            self._log.close()
            raise ModelError(f"{command[0]} cannot be started ({error}).", "Check the path.") from error

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def last_lines(self) -> str:
        """What it said last."""
        lines = Path(self._log.name).read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:])

    def failure(self, what: str) -> ModelError:
        """The error for `what` went wrong: whether the program has ended, and its last lines."""
        sleep(0.1)  # a program that closes its connection dies a moment later
        code = self.process.poll()
        state = "it is still running" if code is None else f"it ended with status {code}"
        return ModelError(f"{self.name}: {what}; {state}. Its last lines:\n{self.last_lines()}")

    def seconds_used(self) -> float:
        """Processor time it has used."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def close(self) -> None:
        """End it; safe to call twice."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self._log.close()


def idle_shares(children: Sequence[Child], seconds: float = 1.0) -> dict[str, float]:
    """Which share of one core each program, and this one, uses while nobody asks anything."""
    before = [child.seconds_used() for child in children]
    own = process_time()
    sleep(seconds)
    shares = {child.name: (child.seconds_used() - used) / seconds for child, used in zip(children, before, strict=True)}
    return {**shares, "this program": (process_time() - own) / seconds}
