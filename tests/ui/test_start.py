"""Starting and stopping the application."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from localspec import texts
from localspec.access.session_auth import with_token
from localspec.errors import SettingsError
from localspec.ui import app
from tests.desktop.test_window import recorder, started
from tests.running import REPOSITORY, RunningApp


def test_page_is_up_soon_and_says_where_and_ctrl_c_ends_it(running: RunningApp, tmp_path: Path) -> None:
    # `running` has started before, so that this start is a warm one.
    warm = RunningApp(tmp_path)
    try:
        seconds = warm.wait_until_served()
        print(f"the page answered {seconds:.2f} s after a warm start")  # noqa: T201
        assert seconds < 15  # 5 on an idle machine; the machines that run tests are busy
        # The server answers a moment before the address is printed.
        assert warm.said(f"LocalSpec is running at {warm.sign_in_address}\n")
        warm.process.send_signal(signal.SIGINT)
        assert warm.process.wait(60) == 0
        assert "Traceback" not in warm.log.read_text()
    finally:
        warm.close()


def test_nothing_heavy_is_imported_before_the_page_is_served() -> None:
    heavy = ("torch", "transformers", "llguidance")
    script = f"import sys, localspec.ui.app; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_taken_port_gives_the_next_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < app.free_port(port) < port + app.PORTS_TRIED


def test_no_free_port_is_said() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 65535))
        taken.listen()
        with pytest.raises(SettingsError, match="No free port"):
            app.free_port(65535)


def note(home: Path) -> dict[str, Any]:
    known: dict[str, Any] = json.loads((home / "stores" / ".cache" / "instance.json").read_text())
    return known


def enters(app: RunningApp, opened: str) -> bool:
    """Whether the address that a window was opened with lets a browser in."""
    answer = app.request("GET", opened.removeprefix(f"--app={app.address}"), is_in=False)
    return answer.status == 303 and app.token in (answer.getheader("Set-Cookie") or "")


def test_a_second_start_opens_a_window_at_the_first(running: RunningApp, tmp_path: Path) -> None:
    known = note(running.home)
    assert known["pid"] == running.process.pid
    assert known["address"] == running.address
    answer = json.loads(running.request("GET", "/localspec/instance").read())
    assert answer == {"application": "LocalSpec", "instance": known["identity"]}

    browser = recorder(tmp_path / "bin", "google-chrome", "exit 0")
    with_display = {"PATH": str(browser.parent), "DISPLAY": ":99", "BROWSER": "", "HOME": str(tmp_path)}
    second = RunningApp(running.home, log="second.log", extra=with_display)
    assert second.process.wait(60) == 0
    program, opened = started(browser.parent)
    assert program == str(browser)
    # What everybody on the computer can read lets nobody in but the window, and that once.
    assert opened.startswith(f"--app={running.address}/?ticket=")
    assert running.token not in opened
    assert enters(running, opened)
    assert not enters(running, opened)
    said = texts.RUNNING_ALREADY.format(address=running.address)
    assert second.log.read_text() == f"{said} {texts.WINDOW_OPENED}\n"

    # Without a display there is nothing to open, and with --no-browser nothing to be opened.
    third = RunningApp(running.home, "--model", "other", log="third.log")
    assert third.process.wait(60) == 0
    said = texts.RUNNING_ALREADY.format(address=running.sign_in_address)
    assert third.log.read_text() == f"{said} {texts.MODEL_LATER}\n"
    assert running.request("GET", "/").status == 200


@pytest.mark.slow
def test_a_killed_one_is_replaced_and_other_folders_have_their_own(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for home in (here, there):
        home.mkdir()
    browser = recorder(tmp_path / "bin", "google-chrome", "exec /bin/sleep 6")
    with_display = {"PATH": str(browser.parent), "DISPLAY": ":99", "BROWSER": "", "HOME": str(tmp_path)}
    apps = [RunningApp(here, log="killed.log")]
    try:
        apps[0].wait_until_served()
        assert apps[0].said("Press Ctrl-C")
        port, left = apps[0].port, note(here)
        apps[0].process.kill()
        apps[0].process.wait()
        assert note(here) == left

        apps += [RunningApp(here, port=port, extra=with_display), RunningApp(there, port=port)]
        addresses = set()
        for app in apps[1:]:
            assert app.said("LocalSpec is running at "), app.log.read_text()
            addresses.add(note(app.home)["address"])
            # What lets browsers in is printed only where no window opens by itself.
            address = note(app.home)["address"]
            shown = address if app.home == here else with_token(address, app.token)
            assert f"LocalSpec is running at {shown}\n" in app.log.read_text()
            assert note(app.home)["pid"] == app.process.pid
        assert len(addresses) == 2
        assert f"http://127.0.0.1:{port}" in addresses
        assert note(here)["identity"] != left["identity"]
        program, opened = started(browser.parent)
        assert program == str(browser)
        assert opened.startswith(f"--app={note(here)['address']}/?ticket=")

        for app in apps[1:]:
            app.process.send_signal(signal.SIGTERM)
        for app in apps[1:]:
            assert app.process.wait(60) == 0
            assert not (app.home / "stores" / ".cache" / "instance.json").exists()
            assert "Traceback" not in app.log.read_text()
    finally:
        for app in apps:
            app.close()
