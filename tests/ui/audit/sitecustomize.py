"""Imported by every Python program that has this folder in PYTHONPATH: writes down, before it happens, whom it contacts
and which programs it starts, and lets it contact this computer only."""

from __future__ import annotations

import errno
import os
import sys

_FILE = os.environ.get("LOCALSPEC_TEST_AUDIT", "")
_CONTACTS = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind")
_NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


def _is_here(host: object) -> bool:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    return name is None or (isinstance(name, str) and (name in ("localhost", "::1") or name.startswith("127.")))


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event in _CONTACTS:
        address = arguments[1]
        # A tuple is an address of the internet; the others are names on this computer.
        host = address[0] if isinstance(address, tuple) else "127.0.0.1"
    elif event in _NAMES:
        host = arguments[0]
    elif event == "subprocess.Popen":
        host = None
    else:
        return
    here = _is_here(host)
    about = arguments[0] if event == "subprocess.Popen" else host
    line = f"{'here' if here else 'elsewhere'} {os.getpid()} {event} {about}\n"
    file = os.open(_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(file, line.encode("utf-8", "replace"))
    os.close(file)
    if not here:
        raise OSError(errno.ENETUNREACH, f"{event} is stopped by the test")


if _FILE:
    sys.addaudithook(_hook)
