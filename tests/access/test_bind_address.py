"""How far LocalSpec can be reached, and that nobody but this computer gets there without a password."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import psutil
import pytest

from localspec.access.bind_address import PASSWORD_VARIABLE, BindAddress, decide
from localspec.access.throttle import FREE_FAILURES, LONGEST_WAIT, Throttle
from localspec.errors import SettingsError
from tests.running import finished

PASSWORD = "four words and more"


def test_this_computer_alone_unless_asked() -> None:
    bind = decide("", environment={})
    assert bind == BindAddress("127.0.0.1", bind.names)
    assert bind.is_local
    assert bind.others(7860) == []
    assert bind.address(7860) == "http://127.0.0.1:7860"
    assert bind.hosts(("127.0.0.1", 7860)) == {"127.0.0.1:7860", "localhost:7860"}
    assert decide("localhost", environment={}).is_local
    assert decide("::1", environment={}).hosts(("::1", 80)) >= {"[::1]:80", "[::1]", "localhost"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_computers_need_a_password(host: str) -> None:
    with pytest.raises(SettingsError, match="password is required") as caught:
        decide(host, environment={})
    assert PASSWORD_VARIABLE in caught.value.advice
    with pytest.raises(SettingsError, match="has 11 characters; at least 12 are required"):
        decide(host, environment={PASSWORD_VARIABLE: "elevenchars"})
    environment = {PASSWORD_VARIABLE: PASSWORD, "OTHER": "1"}
    bind = decide(host, ["My-Computer.lan"], environment=environment)
    assert environment == {"OTHER": "1"}, "the programs that LocalSpec starts don't get it"
    assert not bind.is_local
    assert PASSWORD not in repr(bind)
    assert bind.address(7860) == "http://127.0.0.1:7860"
    # By the address it came in at, and by its names; a name that only resolves to it is none.
    own = socket.gethostname().lower()
    assert bind.hosts(("192.168.1.5", 7860)) == {
        "192.168.1.5:7860",
        f"{own}:7860",
        f"{own}.local:7860",
        "my-computer.lan:7860",
    }
    assert bind.hosts(("::ffff:127.0.0.1", 7860)) >= {"127.0.0.1:7860", "localhost:7860"}
    assert "http://my-computer.lan:7860" in bind.others(7860)


def test_the_addresses_of_this_computer_are_told() -> None:
    entries = [entry.address for entries in psutil.net_if_addrs().values() for entry in entries if entry.family == 2]
    bind = decide("0.0.0.0", environment={PASSWORD_VARIABLE: PASSWORD})
    told = bind.others(7860)
    for address in entries:
        is_told = f"http://{address}:7860" in told
        assert is_told is not address.startswith(("127.", "169.254."))


@pytest.mark.parametrize("host", ["example.org", "1.2.3", "203.0.113.7", "x"])
def test_what_is_no_address_of_this_computer_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match=host):
        decide(host, environment={PASSWORD_VARIABLE: PASSWORD})


def test_a_file_with_the_password_must_be_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o640)
    with pytest.raises(SettingsError, match="Other users of this computer"):
        decide("0.0.0.0", password_file=file, environment={})
    file.chmod(0o600)
    assert decide("0.0.0.0", password_file=file, environment={}).password == PASSWORD
    with pytest.raises(SettingsError, match="cannot be read"):
        decide("0.0.0.0", password_file=tmp_path / "missing", environment={})


def test_guessing_gets_slower_and_slower() -> None:
    now = 1000.0

    async def at_once(_seconds: float) -> None:
        pass

    throttle = Throttle(lambda: now, at_once)

    def guess(address: str, right: bool = False) -> float | None:
        return finished(throttle.guess(address, lambda: right))

    waits = [guess("192.168.1.9") for _ in range(FREE_FAILURES)]
    assert waits == [0.0] * (FREE_FAILURES - 1) + [2.0]
    assert guess("192.168.1.9", right=True) == 2.0, "not even looked at"
    assert guess("192.168.1.8", right=True) is None
    for wait in (4.0, 8.0, 16.0):
        now += wait / 2
        assert guess("192.168.1.9") == wait
    for _ in range(20):
        now += LONGEST_WAIT
        assert (guess("192.168.1.9") or 0) <= LONGEST_WAIT
    # One network of IPv6 counts as one.
    for number in range(FREE_FAILURES):
        guess(f"2001:db8::{number}")
    assert throttle.wait("2001:db8::ffff") > 0
    assert throttle.wait("2001:db8:0:1::1") == 0
    now += LONGEST_WAIT
    assert guess("192.168.1.9", right=True) is None
    assert guess("192.168.1.9") == 0.0, "all is forgotten once it was right"


def test_guesses_wait_for_each_other() -> None:
    asleep, most = 0, 0

    async def counted(_seconds: float) -> None:
        nonlocal asleep, most
        asleep += 1
        most = max(most, asleep)
        await asyncio.sleep(0)
        asleep -= 1

    throttle = Throttle(pause=counted)

    async def many() -> list[float | None]:
        return await asyncio.gather(*(throttle.guess(f"10.0.0.{number}", lambda: False) for number in range(40)))

    waits = finished(many())
    assert most == 1
    assert sum(bool(wait) for wait in waits) == 20, "no more than so many stand in line"
