"""Locks hold between processes, and end with them."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from localspec.locks import try_lock

HOLDER = "import sys, pathlib; from localspec.locks import try_lock\nlock = try_lock(pathlib.Path(sys.argv[1]))\n"


def test_a_lock_that_is_held_here_is_not_given_twice(tmp_path: Path) -> None:
    first = try_lock(tmp_path / "lock")
    assert first is not None
    assert try_lock(tmp_path / "lock") is None
    # Whichever thread gives it back.
    thread = threading.Thread(target=first.release)
    thread.start()
    thread.join()
    again = try_lock(tmp_path / "lock")
    assert again is not None
    again.release()


def test_a_lock_ends_with_its_process_however_it_ends(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER + "print('held', flush=True); sys.stdin.read()", str(tmp_path / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert try_lock(tmp_path / "lock") is None
        holder.kill()
    lock = try_lock(tmp_path / "lock")
    assert lock is not None
    lock.release()


def test_a_folder_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        try_lock(tmp_path / "file" / "lock")
