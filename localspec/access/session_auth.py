"""Who may come in: every start draws a secret, and a browser has it as a cookie or is refused.

It gets the cookie by the address that the terminal shows, by a ticket in the address of a window that LocalSpec opens,
or for the password. Imports nothing that takes long, because a second start makes tickets, too.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path

TICKET_SECONDS = 120.0
"""A browser that is not running yet takes a while to start on a slow computer."""
_SOCKETS = ("/proc/net/tcp", "/proc/net/tcp6")


def drawn() -> str:
    """A secret that nobody guesses."""
    return secrets.token_urlsafe(32)


def cookie_name(port: int) -> str:
    """Browsers give a cookie to every port of a computer, so each application has one of its own."""
    return f"localspec-{port}"


def cookie(token: str, port: int) -> str:
    """The header by which a program comes in."""
    return f"{cookie_name(port)}={token}"


def with_token(address: str, token: str) -> str:
    """The address by which a person comes in, as often as wanted. Not for the command line of another program, which
    everybody on the computer can read."""
    return f"{address}/?token={token}"


def with_ticket(address: str, token: str) -> str:
    """The address of a window: it lets one browser in, once, and is worth nothing after two minutes."""
    made = f"{time.time() + TICKET_SECONDS:.0f}.{secrets.token_urlsafe(12)}"
    return f"{address}/?ticket={made}.{_signature(token, made)}"


class SessionAuth:
    """The secret of this start, and who has shown it."""

    def __init__(self, token: str, password: str = "") -> None:
        """`password` is another way in; "" for none."""
        self.token = token
        self.has_password = bool(password)
        self.is_served = False
        """False while the server starts, when Gradio asks itself whether it answers"""
        self._password = _digest(password)
        self._used: dict[str, float] = {}
        self._lock = threading.Lock()

    def knows(self, cookies: Iterable[str], port: int) -> bool:
        """True when one of these Cookie headers carries the secret. Another program on this computer may have set
        cookies of the same name beside it."""
        name = cookie_name(port)
        pairs = (pair.strip().partition("=") for header in cookies for pair in header.split(";"))
        return any(key == name and self.is_token(value) for key, _, value in pairs)

    def is_token(self, given: str) -> bool:
        """True for the secret itself."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def is_password(self, given: str) -> bool:
        """True for the password, where there is one."""
        return self.has_password and hmac.compare_digest(_digest(given), self._password)

    def takes(self, ticket: str, is_foreign: Callable[[], bool] = lambda: False) -> bool:
        """True once for every ticket that is valid. One that another user brings (`is_foreign`) was read off a command
        line: it is refused, and stays good for whom it was made."""
        made, _, signature = ticket.rpartition(".")
        if not hmac.compare_digest(signature.encode(), _signature(self.token, made).encode()):
            return False
        expiry, now = float(made.partition(".")[0]), time.time()
        with self._lock:
            self._used = {used: end for used, end in self._used.items() if end >= now}
            if not now <= expiry <= now + 2 * TICKET_SECONDS or made in self._used or is_foreign():
                return False
            self._used[made] = expiry
        return True


def user_of(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """The user whose program holds the other end of a connection between two addresses of this computer; None where
    the system doesn't say (all but Linux)."""
    wanted = (_place(client), _place(server))
    for file in _SOCKETS:
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in Path(file).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                # Of an IPv4 address that is written as IPv6 the last part is the address.
                ends = tuple(f"{end.partition(':')[0][-8:]}:{end.partition(':')[2]}" for end in fields[1:3])
                if ends == wanted:
                    return int(fields[7])
    return None


def is_another_user(client: tuple[str, int] | None, server: tuple[str, int] | None) -> bool:
    """True when a connection is known to come from another user of this computer."""
    if client is None or server is None or not hasattr(os, "getuid"):
        return False
    try:
        user = user_of(client, server)
    except ValueError:
        return False
    return user is not None and user != os.getuid()


def _place(end: tuple[str, int]) -> str:
    """As Linux writes it: the last four bytes of the address as one number of the processor, and the port."""
    packed = ip_address(end[0]).packed[-4:]
    return f"{int.from_bytes(packed, 'little'):08X}:{end[1]:04X}"


def _signature(token: str, made: str) -> str:
    return hmac.new(token.encode(), f"ticket {made}".encode(), hashlib.sha256).hexdigest()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", errors="replace")).digest()
