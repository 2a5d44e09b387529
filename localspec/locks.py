"""Locks on files that the system lifts when their process ends, however it ends."""

from __future__ import annotations

from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

Lock = BaseFileLock
"""What `try_lock` gives; `release` gives it back."""


def try_lock(path: Path) -> Lock | None:
    """The lock of the file `path`, made where it is missing; None while someone else holds it. Raises OSError."""
    # Not thread-local: whichever thread is done with what it guards gives it back.
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock
