"""Chooses a weight format beside the application, in a process that is halted whenever something else is to be done.

Both ends: `TuningRun` starts the process, `Interruptions` tells it which measurements were disturbed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, TextIO, TypeVar

import psutil

from localspec.config import home
from localspec.errors import ModelError
from localspec.models.files.child import child_of
from localspec.models.llama import LoadSettings

_logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_MAX_TRIES = 8
"""After so many disturbed measurements the last one counts."""
_SETTLE_SECONDS = 0.02
"""A line that was sent before the process went on is read within this time."""
_DIE_WITH_PARENT = 1
"""Linux's PR_SET_PDEATHSIG (sys/prctl.h)."""
_POLL_SECONDS = 0.03
"""A question waits no longer for the cores."""
_MAX_LOG = 2000


class TuningRun:
    """One search for the best format of a model, in a child process. `busy` tells it to give way."""

    def __init__(
        self,
        program: str,
        model: str,
        settings: LoadSettings,
        busy: Callable[[], bool],
        finished: Callable[[TuningRun], None],
        *,
        again: bool = False,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`program` is the name of the module that searches (it may be of a room above this one). `finished` is called
        once at the end, from the run's thread, unless the run was stopped; `changed` whenever its figures change."""
        self.format = ""
        """what is being tried"""
        self.done, self.total = 0, 0
        """formats tried, and how many there are at most"""
        self.halted = False
        """True while it gives way"""
        self.error: ModelError | None = None
        """why it failed"""
        self._program = program
        self._arguments = [
            *(model, "--threads", str(settings.threads), "--gpu-layers", str(settings.gpu_layers)),
            *(["--again"] if again else []),
        ]
        self._busy = busy
        self._finished = finished
        self._changed = changed
        self._stopping = threading.Event()
        self._over = threading.Event()
        self._report: dict[str, object] = {}
        self._thread = threading.Thread(target=self._run, name="tuning", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End it, and wait until its process is gone; what is half done is of no use."""
        self._stopping.set()
        self._thread.join(30)

    @property
    def running(self) -> bool:
        """True until it is over."""
        return not self._over.is_set()

    def _run(self) -> None:
        try:
            self._watch()
        except OSError as error:
            self.error = ModelError(f"Formats could not be tried: {error}.", "Start LocalSpec again.")
        finally:
            self._over.set()
        if not self._stopping.is_set():
            self._finished(self)

    def _watch(self) -> None:
        program = child_of(self._program, *self._arguments)
        # The process ends with the thread that started it (`_die_with_parent`), so it is started here.
        child = subprocess.Popen(
            program.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            cwd=program.cwd,
            env=program.env | {"PYTHONIOENCODING": "utf-8", "LOCALSPEC_HOME": str(home())},
            creationflags=program.creationflags,
        )
        assert child.stdin is not None  # all three are pipes
        assert child.stdout is not None
        assert child.stderr is not None
        log: list[str] = []
        readers = [
            threading.Thread(target=self._read, args=[child.stdout], daemon=True),
            threading.Thread(target=lambda: log.extend(child.stderr or []), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            while child.poll() is None and not self._stopping.wait(_POLL_SECONDS):
                self._give_way(child, child.stdin)
        finally:
            with contextlib.suppress(OSError):
                child.kill()
            child.wait()
            for reader in readers:
                reader.join(5)
            for pipe in (child.stdin, child.stdout, child.stderr):
                with contextlib.suppress(OSError):
                    pipe.close()
        if not self._stopping.is_set() and not self._report.get("finished"):
            self.error = self._failure(child.returncode, "".join(log)[-_MAX_LOG:])

    def _give_way(self, child: subprocess.Popen[str], orders: IO[str]) -> None:
        """Halt the process while there is other work; it hears of every interruption before it goes on."""
        busy = self._busy()
        if busy == self.halted:
            return
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(child.pid)
            if busy:
                process.suspend()
            else:
                orders.write("halted\n")
                orders.flush()
                process.resume()
            self.halted = busy
            self._changed()

    def _read(self, output: IO[str]) -> None:
        for line in output:
            try:
                said = json.loads(line)
            except ValueError:
                continue  # a library's own words
            if "format" in said:
                self.done, self.total, self.format = int(said["done"]), int(said["total"]), str(said["format"])
                self._changed()
            else:
                self._report = said

    def _failure(self, code: int, log: str) -> ModelError:
        if "error" in self._report:
            return ModelError(str(self._report["error"]), str(self._report.get("advice", "")))
        _logger.warning("Choosing a format ended with status %s: %s", code, log)
        if code in (-9, 137):
            return ModelError("Trying formats was ended by the system, most likely for lack of memory.")
        return ModelError(f"Trying formats failed (status {code}).", "The model is used as it is.")


class Interruptions:
    """Counts how often this process was halted, as its parent tells it: a line per interruption."""

    def __init__(self) -> None:
        self.count = 0

    def listen(self, lines: TextIO) -> None:
        """Count the lines, in a thread; at their end the parent is gone, and this process goes, too."""
        _die_with_parent()
        threading.Thread(target=self._read, args=[lines], name="orders", daemon=True).start()

    def undisturbed(self, work: Callable[[], Result]) -> Result:
        """The result of `work`, done again while it is interrupted."""
        for _ in range(_MAX_TRIES):
            before = self.count
            result = work()
            time.sleep(_SETTLE_SECONDS)
            if self.count == before:
                break
        return result

    def _read(self, lines: TextIO) -> None:
        for _ in lines:
            self.count += 1
        # Not sys.exit, which would end this thread only; files under work have temporary names.
        os._exit(1)


def _die_with_parent() -> None:
    """A halted process cannot see that its parent is gone; Linux can end it all the same."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, int(signal.SIGKILL))
