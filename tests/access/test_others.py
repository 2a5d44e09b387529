"""LocalSpec for other computers: only where it was asked for, and with a password. It runs where nobody else is."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from localspec import texts
from localspec.access.session_auth import cookie
from tests.access import isolation
from tests.access.isolation import OTHER
from tests.access.test_sign_in import FORM, secret
from tests.running import REPOSITORY, RunningApp, free_port

PASSWORD = "four words and more"
INSIDE = "LOCALSPEC_TEST_ALONE"
needs_others = pytest.mark.skipif(INSIDE not in os.environ, reason="runs inside test_other_computers")


def test_other_computers() -> None:
    """The tests below, where there is no network but one of their own."""
    if INSIDE in os.environ:
        return
    if not isolation.is_possible():
        pytest.skip("this system makes no place without a network (unshare --net)")
    done = isolation.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__, **{INSIDE: "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert " skipped" not in done.stdout


@pytest.fixture(scope="module")
def open_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """One that other computers can reach."""
    extra = {"LOCALSPEC_PASSWORD": PASSWORD, "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    app = RunningApp(tmp_path_factory.mktemp("open"), "--host", "0.0.0.0", "--name", "Chat.Example", extra=extra)
    try:
        app.wait_until_served()
        yield app
    finally:
        app.close()


def from_there(
    app: RunningApp, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, str, str]:
    """One request over another address than the loopback one: status, cookie, text."""
    host = OTHER
    connection = http.client.HTTPConnection(host, app.port, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Host": f"{host}:{app.port}", "Content-Length": str(len(body)), **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Set-Cookie") or "", answer.read().decode()


@needs_others
def test_other_computers_come_in_by_the_password_alone(open_app: RunningApp) -> None:
    host = OTHER
    assert open_app.said(f"http://{OTHER}:{open_app.port}")
    assert texts.REACHED_MEANS in open_app.log.read_text()
    assert PASSWORD not in open_app.log.read_text()
    status, _, said = from_there(open_app, "GET", "/", {"Accept": "text/html"})
    assert status == 401
    assert 'type="password"' in said
    own = {"Cookie": cookie(open_app.token, open_app.port)}
    assert from_there(open_app, "GET", "/config", own)[0] == 200
    assert from_there(open_app, "GET", "/config", {**own, "Host": f"chat.example:{open_app.port}"})[0] == 200
    for foreign in ("evil.example", f"evil.example:{open_app.port}", f"127.0.0.1:{open_app.port}", f"{host}:1", host):
        assert from_there(open_app, "GET", "/config", {**own, "Host": foreign})[0] == 403, foreign
    origin = {"Origin": "http://evil.example"}
    assert from_there(open_app, "POST", "/localspec/quit", {**own, **origin})[0] == 403

    right = urlencode({"secret": PASSWORD}).encode()
    status, given, _ = from_there(
        open_app, "POST", "/localspec/enter", {**FORM, "Origin": f"http://{host}:{open_app.port}"}, right
    )
    assert status == 303
    assert given.endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert from_there(open_app, "GET", "/", {"Cookie": given.partition(";")[0]})[0] == 200
    # The endpoint is for programs on this computer.
    assert from_there(open_app, "GET", "/v1/models", own)[0] == 401
    assert open_app.request("GET", "/v1/models").status == 404


@needs_others
def test_wrong_guesses_are_slowed_down(open_app: RunningApp) -> None:
    wrong = urlencode({"secret": "not the password"}).encode()
    statuses = [from_there(open_app, "POST", "/localspec/enter", FORM, wrong)[0] for _ in range(6)]
    assert statuses == [401] * 4 + [429] * 2
    # The right one doesn't help now, from there; this computer's own windows are not locked out.
    right = urlencode({"secret": PASSWORD}).encode()
    assert from_there(open_app, "POST", "/localspec/enter", FORM, right)[0] == 429
    assert secret(open_app, PASSWORD)[0] == 303
    assert open_app.request("GET", "/config").status == 200


def test_the_programs_it_starts_do_not_get_the_password() -> None:
    script = (
        "import os; from localspec.access.bind_address import decide; decide('0.0.0.0'); import subprocess, sys;"
        " print(subprocess.run([sys.executable, '-c', 'import os; print(sorted(os.environ))'],"
        " capture_output=True, text=True).stdout)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, env={**os.environ, "LOCALSPEC_PASSWORD": PASSWORD},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "PATH" in answer.stdout
    assert "LOCALSPEC_PASSWORD" not in answer.stdout


@pytest.mark.slow
def test_without_a_password_it_does_not_start_for_others(tmp_path: Path) -> None:
    app = RunningApp(tmp_path, "--host", "0.0.0.0")
    assert app.process.wait(60) == 1
    said = app.log.read_text()
    assert "a password is required" in said
    assert "LOCALSPEC_PASSWORD" in said
    assert "Traceback" not in said


@needs_others
@pytest.mark.slow
def test_a_second_start_finds_one_at_another_address(tmp_path: Path) -> None:
    host = OTHER
    app = RunningApp(
        tmp_path, "--host", host, extra={"LOCALSPEC_PASSWORD": PASSWORD, "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    )
    try:
        assert app.said(f"LocalSpec is running at http://{host}:{app.port}/?token=")
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", app.port)) != 0
        second = RunningApp(tmp_path, log="second.log", port=free_port())
        assert second.process.wait(60) == 0
        assert second.log.read_text().startswith(f"LocalSpec is already running at http://{host}:{app.port}/?token=")
        app.process.send_signal(signal.SIGTERM)
        assert app.process.wait(60) == 0
    finally:
        app.close()
