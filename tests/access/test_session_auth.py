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
    auth = SessionAuth(token)
    assert auth.knows([cookie(token, 7860)], 7860)
    assert not auth.knows([cookie(token, 7860)], 7861)
    assert not auth.knows([cookie(other, 7860)], 7860)
    for header in (
        "",
        "localspec-7860",
        "localspec-7860=",
        f"localspec-7860={token[:-1]}",
        f"x{cookie(token, 7860)}",
        "é",
    ):
        assert not auth.knows([header], 7860), header
    # What another program on another port has set in the same browser does no harm.
    assert auth.knows([f"a=b; localspec-7860=planted; {cookie(token, 7860)}; localspec-7861=x"], 7860)


def test_the_address_carries_the_secret() -> None:
    assert with_token(ADDRESS, "secret") == f"{ADDRESS}/?token=secret"


def test_a_ticket_is_good_once_and_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    token = drawn()
    auth = SessionAuth(token)
    first, second, late = ticket(token), ticket(token), ticket(token)
    assert first != second
    assert token not in first
    assert auth.takes(first)
    assert not auth.takes(first)
    assert auth.takes(second)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + session_auth.TICKET_SECONDS + 2)
    assert not auth.takes(late)
    assert auth.takes(ticket(token))


def test_made_up_tickets_are_worth_nothing() -> None:
    token = drawn()
    auth = SessionAuth(token)
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
        assert not auth.takes(given), given
    assert auth.takes(good)


def test_a_ticket_that_another_user_brings_stays_good_for_its_owner() -> None:
    token = drawn()
    auth, good = SessionAuth(token), ticket(token)
    assert not auth.takes(good, lambda: True)
    assert auth.takes(good, lambda: False)


def test_a_password_opens_only_where_there_is_one() -> None:
    assert not SessionAuth(drawn()).is_password("")
    auth = SessionAuth(drawn(), "correct horse battery")
    assert auth.is_password("correct horse battery")
    assert not auth.is_password("correct horse batterz")
    assert not auth.is_password("")


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
