"""How far LocalSpec can be reached: this computer alone, or others as well once there is a password."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import psutil

from localspec import texts
from localspec.errors import SettingsError

LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = (LOOPBACK, "localhost")
PASSWORD_VARIABLE = "LOCALSPEC_PASSWORD"
PASSWORD_CHARACTERS = 12
"""The fewest."""


@dataclass(frozen=True, slots=True)
class BindAddress:
    """The address that the server listens at, and the names by which browsers may call it."""

    host: str = LOOPBACK  # An address of this computer; 0.0.0.0 or :: for all of them
    names: tuple[str, ...] = ()  # Beside its addresses, in lower case
    password: str = field(default="", repr=False)

    @property
    def is_local(self) -> bool:
        """True when only programs on this computer can reach it."""
        return ip_address(self.host).is_loopback

    def address(self, port: int) -> str:
        """Where this computer's own browser finds it, http://…:PORT."""
        host = LOOPBACK if ip_address(self.host).is_unspecified else self.host
        return f"http://{_bracketed(host)}:{port}"

    def others(self, port: int) -> list[str]:
        """Where browsers on other computers may find it."""
        if self.is_local:
            return []
        if not ip_address(self.host).is_unspecified:
            found = [self.host]
        else:
            families = (socket.AF_INET, socket.AF_INET6) if ":" in self.host else (socket.AF_INET,)
            found = [
                entry.address
                for entries in psutil.net_if_addrs().values()
                for entry in entries
                if entry.family in families and _reaches_others(entry.address)
            ]
        return [f"http://{_bracketed(host)}:{port}" for host in (*found, *self.names)]

    def hosts(self, server: tuple[str, int]) -> set[str]:
        """What may stand in Host of a request that came in at `server`, an address of this computer and the port."""
        local = plain_address(server[0])
        names = {_bracketed(local)}
        if ip_address(local).is_loopback:
            names.update(LOOPBACK_NAMES)
        if not self.is_local:
            names.update(self.names)
        ports = {f":{server[1]}"} | ({""} if server[1] == 80 else set())
        return {f"{name}{port}" for name in names for port in ports}


def decide(
    host: str = "", names: Sequence[str] = (), password_file: Path | None = None,
    environment: MutableMapping[str, str] = os.environ,
) -> BindAddress:  # fmt: skip
    """What the arguments and LOCALSPEC_PASSWORD ask for; the variable is gone afterwards, for the programs that this
    one starts. Raises SettingsError, above all when other computers could come in without a password."""
    password = environment.pop(PASSWORD_VARIABLE, "")
    if password_file is not None:
        password = _read(password_file)
    if password and len(password) < PASSWORD_CHARACTERS:
        raise SettingsError(
            texts.PASSWORD_SHORT.format(least=PASSWORD_CHARACTERS, given=len(password)), texts.PASSWORD_SHORT_ADVICE
        )
    try:
        address = ip_address(LOOPBACK if host in ("", "localhost") else host.strip("[]"))
    except ValueError as error:
        raise SettingsError(texts.HOST_UNKNOWN.format(host=host), texts.HOST_ADVICE) from error
    if not is_here(str(address)):
        raise SettingsError(texts.HOST_ELSEWHERE.format(host=host), texts.HOST_ADVICE)
    if not address.is_loopback and not password:
        raise SettingsError(
            texts.HOST_WITHOUT_PASSWORD.format(host=host),
            texts.HOST_WITHOUT_PASSWORD_ADVICE.format(variable=PASSWORD_VARIABLE, least=PASSWORD_CHARACTERS),
        )
    own = socket.gethostname().lower()
    known = tuple(dict.fromkeys([*(name.lower() for name in names), own, f"{own}.local"]))
    return BindAddress(str(address), known, password)


def is_here(host: str) -> bool:
    """True for an address of this computer."""
    try:
        family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
        with socket.socket(family) as probe:
            probe.bind((host, 0))
    except (OSError, ValueError):
        return False
    return True


def plain_address(host: str) -> str:
    """An IPv4 address that is written as IPv6, as IPv4."""
    address = ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _reaches_others(host: str) -> bool:
    address = ip_address(host.partition("%")[0])
    return not (address.is_loopback or address.is_link_local)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _read(file: Path) -> str:
    """The password in a file, which must be its owner's alone."""
    try:
        if sys.platform != "win32" and file.stat().st_mode & 0o077:
            raise SettingsError(texts.PASSWORD_FILE_OPEN.format(file=file), texts.PASSWORD_FILE_OPEN_ADVICE)
        return file.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, ValueError) as error:
        raise SettingsError(texts.PASSWORD_FILE_UNREADABLE.format(file=file, error=error)) from error
