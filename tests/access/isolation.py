"""Runs a command where there is no network but a loopback device: `python -m tests.access.isolation COMMAND`.

What listens at every address there can be reached by nobody, and what calls elsewhere gets nowhere. The device has one
more address, OTHER, so that there is one that is not the loopback one.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
from functools import cache

OTHER = "192.0.2.5"
_SET_ADDRESS, _SET_FLAGS = 0x8916, 0x8914  # linux/sockios.h
_UP_AND_RUNNING = 0x41
_COMMAND = ("unshare", "--map-root-user", "--net")


@cache
def is_possible() -> bool:
    """Whether this system lets a person make such a place: Linux mostly does."""
    if shutil.which("unshare") is None:
        return False
    return run(sys.executable, "-c", "").returncode == 0


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command there, with these environment variables, from the current folder."""
    return subprocess.run(
        [*_COMMAND, sys.executable, "-m", "tests.access.isolation", *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def _prepare() -> None:
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP_AND_RUNNING))
        address = struct.pack("16sH2s4s8x", b"lo:1", socket.AF_INET, b"", socket.inet_aton(OTHER))
        fcntl.ioctl(probe, _SET_ADDRESS, address)


if __name__ == "__main__":
    _prepare()
    os.execvp(sys.argv[1], sys.argv[1:])
