"""The secret of a start, tickets, and whose connection it is."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from localspec.access import session_auth
from localspec.access.session_auth import SessionAuth, cookie, drawn, is_another_user, user_of, with_ticket, with_token

ADDRESS = "http://127.0.0.1:7860"


def ticket(token: str) -> str:
    return with_ticket(ADDRESS, token).partition("?ticket=")[2]


def test_cookies_are_told_apart_by_port_and_by_secret() -> None:
    token, other = drawn(), drawn()
    door = SessionAuth(token)
    assert door.knows([cookie(token, 7860)], 7860)
    assert not door.knows([cookie(token, 7860)], 7861)
    assert not door.knows([cookie(other, 7860)], 7860)
    for header in (
        "",
        "localspec-7860",
        "localspec-7860=",
        f"localspec-7860={token[:-1]}",
        f"x{cookie(token, 7860)}",
        "é",
    ):
        assert not door.knows([header], 7860), header
    # What another program on another port has set in the same browser does no harm.
    assert door.knows([f"a=b; localspec-7860=planted; {cookie(token, 7860)}; localspec-7861=x"], 7860)


def test_the_address_carries_the_secret() -> None:
    assert with_token(ADDRESS, "secret") == f"{ADDRESS}/?token=secret"


def test_a_ticket_is_good_once_and_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    token = drawn()
    door = SessionAuth(token)
    first, second, late = ticket(token), ticket(token), ticket(token)
    assert first != second
    assert token not in first
    assert door.takes(first)
    assert not door.takes(first)
    assert door.takes(second)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + session_auth.TICKET_SECONDS + 2)
    assert not door.takes(late)
    assert door.takes(ticket(token))


def test_made_up_tickets_are_worth_nothing() -> None:
    token = drawn()
    door = SessionAuth(token)
    good = ticket(token)
    expiry, nonce, signature = good.split(".")
    made_up = [
        "",
        ".",
        "..",
        "1.2.3",
        ticket(drawn()),
        f"{int(expiry) + 60}.{nonce}.{signature}",
        good[:-1],
        f"{good}0",
        "ü.ü.ü",
    ]
    for given in made_up:
        assert not door.takes(given), given
    assert door.takes(good)


def test_a_ticket_that_another_user_brings_stays_good_for_its_owner() -> None:
    token = drawn()
    door, good = SessionAuth(token), ticket(token)
    assert not door.takes(good, lambda: True)
    assert door.takes(good, lambda: False)


def test_a_password_opens_only_where_there_is_one() -> None:
    assert not SessionAuth(drawn()).is_password("")
    door = SessionAuth(drawn(), "correct horse battery")
    assert door.is_password("correct horse battery")
    assert not door.is_password("correct horse batterz")
    assert not door.is_password("")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux says whose connections there are")
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::ffff:127.0.0.1")])
def test_whose_program_a_connection_comes_from(family: socket.AddressFamily, host: str) -> None:
    with socket.socket() as server, socket.socket(family) as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect((host, server.getsockname()[1]))
        accepted, theirs = server.accept()
        with accepted:
            assert user_of(theirs, accepted.getsockname()) == os.getuid()
            assert not is_another_user(theirs, accepted.getsockname())
            assert user_of(theirs, ("127.0.0.1", 1)) is None


def test_another_user_is_known_by_what_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = (("127.0.0.1", 40000), ("127.0.0.1", 7860))
    for user, another in ((os.getuid(), False), (os.getuid() + 1, True), (None, False)):
        monkeypatch.setattr(session_auth, "user_of", lambda *_, user=user: user)
        assert is_another_user(*ends) is another
    assert not is_another_user(None, ends[1])
