"""The switch and the token."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localspec.endpoint.access import Access
from localspec.endpoint.refusals import RequestError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    return tmp_path / "stores" / ".cache"


def refused(access: Access, *authorization: bytes) -> int:
    with pytest.raises(RequestError) as caught:
        access.check(authorization)
    return caught.value.status


def test_off_until_it_is_switched_on(folder: Path) -> None:
    access = Access()
    assert not access.is_on
    assert refused(access, b"Bearer ") == 404
    assert not folder.exists()
    access.switch(True)
    access.check([b"Bearer " + access.token.encode()])
    access.check([b"bearer  " + access.token.encode() + b" "])
    access.switch(False)
    assert refused(access, b"Bearer " + access.token.encode()) == 404


def test_nothing_but_the_token_opens(folder: Path) -> None:
    access = Access()
    access.switch(True)
    token = access.token.encode()
    wrong = (b"", b"Bearer", b"Bearer ", token, b"Basic " + token, b"Bearer " + token[:-1], b"Bearer " + token + b"x")
    for given in (*wrong, b"Bearer \xff\xfe" + token, b"Bearer " + token.upper()):
        assert refused(access, given) == 401
    assert refused(access) == 401
    assert refused(access, b"Bearer " + token, b"Bearer " + token) == 401


def test_token_is_random_and_outlives_the_application(folder: Path) -> None:
    access, later = Access(), Access()
    access.switch(True)
    later.switch(True)
    assert access.token == later.token
    assert len(access.token) >= 43
    if os.name != "nt":
        assert (folder / "endpoint-token").stat().st_mode & 0o777 == 0o600
    before = access.token
    access.renew()
    assert access.token != before
    assert refused(access, b"Bearer " + before.encode()) == 401
    latest = Access()
    latest.switch(True)
    assert latest.token == access.token
    access.switch(False)
    access.switch(True)
    assert latest.token == access.token


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe", b"x" * 10_000, b"sk-localspec-" + b"a" * 42 + b"!"])
def test_damaged_file_gives_another_token(folder: Path, content: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / "endpoint-token").write_bytes(content)
    access, later = Access(), Access()
    access.switch(True)
    access.check([b"Bearer " + access.token.encode()])
    assert len(access.token) == len("sk-localspec-") + 43
    later.switch(True)
    assert later.token == access.token


def test_folder_that_cannot_be_written_gives_a_token_all_the_same(folder: Path) -> None:
    (folder / "endpoint-token").mkdir(parents=True)
    (folder / "endpoint-token" / "inside").touch()
    access = Access()
    access.switch(True)
    access.check([b"Bearer " + access.token.encode()])
