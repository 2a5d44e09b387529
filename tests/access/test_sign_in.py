"""Nobody comes in without the secret of this start, whatever is asked for; whoever should, does."""

from __future__ import annotations

import base64
import json
import os
import socket
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Route, expect

from localspec import texts
from localspec.access.session_auth import cookie, drawn, with_ticket
from tests.running import RunningApp
from tests.ui.test_browser import LONG, Visit

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ROUTES = (
    *(("GET", path) for path in ("/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt")),
    *(("GET", path) for path in ("/assets/index.js", "/static/x", "/user", "/nothing", "/export/all.json")),
    *(
        ("GET", path)
        for path in ("/gradio_api/queue/data?session_hash=x", "/gradio_api/heartbeat/x", "/gradio_api/info")
    ),
    *(("GET", path) for path in ("/gradio_api/app_id", "/gradio_api/file=/etc/hostname", "/gradio_api/startup-events")),
    *(
        ("GET", path)
        for path in (
            "/localspec/instance",
            "/localspec/changes",
            "/config?token=",
            "/gradio_api/upload_progress?upload_id=x",
        )
    ),
    *(
        ("POST", path)
        for path in ("/gradio_api/queue/join", "/gradio_api/upload", "/gradio_api/cancel", "/gradio_api/reset")
    ),
    *(("POST", path) for path in ("/localspec/quit", "/localspec/leave", "/gradio_api/run/predict", "/login", "/")),
    ("POST", "/gradio_api/call/x"),
    ("HEAD", "/"),
    ("OPTIONS", "/config"),
)


def secret(app: RunningApp, typed: str, **headers: str) -> tuple[int, str, str]:
    """Status, cookie and text after this was typed into the page."""
    body = urlencode({"secret": typed}).encode()
    answer = app.request("POST", "/localspec/enter", {**FORM, "Accept": "text/html", **headers}, body, is_in=False)
    return answer.status, answer.getheader("Set-Cookie") or "", answer.read().decode()


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_everything_is_refused_without_the_secret(running: RunningApp, method: str, path: str) -> None:
    wrong = cookie(drawn(), running.port)
    for headers in (
        {},
        {"Cookie": wrong},
        {"Cookie": f"localspec={running.token}"},
        {"Authorization": f"Bearer {running.token}"},
    ):
        answer = running.request(method, path, headers, is_in=False)
        said = answer.read().decode()
        assert answer.status == 401, headers
        assert answer.getheader("Cache-Control") == "no-store"
        assert answer.getheader("Set-Cookie") is None
        assert "gradio" not in said
        assert running.token not in said
    assert running.process.poll() is None


def test_the_secret_opens_the_front_door_only(running: RunningApp) -> None:
    token = running.token
    answer = running.request("GET", f"/?token={token}&__theme=dark", is_in=False)
    assert answer.status == 303
    assert answer.getheader("Location") == "/?__theme=dark"
    given = answer.getheader("Set-Cookie") or ""
    assert given == f"{cookie(token, running.port)}; Path=/; HttpOnly; SameSite=Strict"
    assert running.request("GET", "/", {"Cookie": given.partition(";")[0]}, is_in=False).status == 200
    for path in (f"/config?token={token}", f"/gradio_api/info?token={token}", f"/export/all.json?token={token}"):
        assert running.request("GET", path, is_in=False).status == 401
    assert running.request("POST", f"/?token={token}", is_in=False).status == 401
    for wrong in (drawn(), "", token[:-1], f"{token}x"):
        assert running.request("GET", f"/?token={wrong}", is_in=False).status == 401


def test_a_ticket_lets_one_in_and_then_the_cookie_counts(running: RunningApp) -> None:
    path = with_ticket("", running.token)
    assert running.request("GET", path, is_in=False).status == 303
    again = running.request("GET", path, {"Accept": "text/html"}, is_in=False)
    assert again.status == 401
    assert texts.SIGN_IN_STALE in again.read().decode()
    # A window that is opened anew by its browser is in already.
    assert running.request("GET", path).status == 303


def test_where_a_request_says_it_comes_from_is_not_believed(running: RunningApp) -> None:
    forwarded = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    path = with_ticket("", running.token)
    answer = running.request("GET", path, forwarded, is_in=False)
    assert answer.status == 303
    assert answer.getheader("Location") == "/"


def test_a_foreign_websocket_without_the_secret_is_refused(running: RunningApp) -> None:
    for path in ("/gradio_api/queue/join", "/", "/v1/x"):
        key = base64.b64encode(os.urandom(16)).decode()
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
            lines = (
                f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{running.port}", "Upgrade: websocket",
                "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "",
            )  # fmt: skip
            connection.sendall("\r\n".join(lines).encode())
            assert connection.recv(64).startswith((b"HTTP/1.1 401", b"HTTP/1.1 403", b"HTTP/1.1 404"))


def test_only_its_owner_can_read_where_the_secret_is(running: RunningApp) -> None:
    note = running.home / "stores" / ".cache" / "instance.json"
    assert json.loads(note.read_text())["token"] == running.token
    assert note.stat().st_mode & 0o077 == 0
    assert (running.home / "stores").stat().st_mode & 0o077 == 0
    other = running.request("GET", "/localspec/instance").read().decode()
    assert running.token not in other


def test_what_is_typed_into_the_page_lets_in(running: RunningApp) -> None:
    for typed in (running.token, f" {running.sign_in_address}\n"):
        status, given, _ = secret(running, typed)
        assert status == 303
        assert running.token in given
    for typed in ("", drawn(), "x" * 20_000, running.address):
        status, given, said = secret(running, typed)
        assert (status, given) == (401, "")
        assert texts.SIGN_IN_WRONG in said
    assert secret(running, running.token, Origin="http://evil.example")[0] == 403


@pytest.mark.browser
def test_a_window_without_the_secret_says_how_to_come_in(browser: Browser, running: RunningApp) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 700}, color_scheme="dark")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(running.address)
    expect(page.get_by_role("heading")).to_have_text(texts.SIGN_IN_TITLE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    page.get_by_label(texts.SIGN_IN_ADDRESS).fill("not the address")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text(texts.SIGN_IN_WRONG)
    page.get_by_label(texts.SIGN_IN_ADDRESS).fill(running.sign_in_address)
    page.get_by_role("button", name=texts.SIGN_IN_ENTER).click()
    expect(page.locator("#entry textarea")).to_be_visible(timeout=LONG)
    # The secret stays out of the address, which people copy and browsers remember; a reload and a second tab are in.
    assert page.url == f"{running.address}/"
    assert running.token not in str(page.evaluate("document.cookie + JSON.stringify(localStorage)"))
    page.reload()
    expect(page.locator("#entry textarea")).to_be_visible(timeout=LONG)
    second = context.new_page()
    second.goto(running.address)
    expect(second.locator("#entry textarea")).to_be_visible(timeout=LONG)
    assert not problems
    context.close()


def _answered(body: str, route: Route) -> None:
    route.fulfill(body=body, content_type="text/html")


@pytest.mark.browser
def test_a_link_on_another_site_leads_in_who_is_in(browser: Browser, running: RunningApp) -> None:
    context = browser.new_context()
    visit = Visit(context, running)
    for target, is_in in ((running.address, True), (f"{running.address}/export/all.json", False)):
        other = context.new_page()
        link = f'<a href="{target}">go</a>'
        other.route("http://other.example/**", partial(_answered, link))
        other.goto("http://other.example/")
        other.get_by_text("go").click()
        if is_in:
            expect(other.locator("#entry textarea")).to_be_visible(timeout=LONG)
        else:
            expect(other.get_by_role("heading")).to_have_text(texts.SIGN_IN_TITLE)
    expect(visit.entry).to_be_visible()
    context.close()


@pytest.mark.browser
def test_windows_of_an_earlier_start_say_so_and_lead_on(browser: Browser, tmp_path: Path) -> None:
    app = RunningApp(tmp_path)
    try:
        app.wait_until_served()
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        old = Visit(context, app)
        dialog = old.page.locator("#watch dialog")
        expect(dialog).to_be_hidden()
        first, port = app.token, app.port

        app.process.kill()
        app.process.wait()
        expect(dialog.locator(".silent")).to_be_visible(timeout=LONG)
        expect(dialog).to_contain_text(texts.SILENT_WHY)

        app = RunningApp(tmp_path, port=port)
        app.wait_until_served()
        assert app.token != first
        expect(dialog.locator(".again")).to_be_visible(timeout=LONG)
        dialog.get_by_role("button", name=texts.AGAIN_BUTTON).click()
        # This browser hasn't come in since.
        expect(old.page.get_by_role("heading")).to_have_text(texts.SIGN_IN_TITLE)
        expect(old.page.locator("body")).to_contain_text(texts.SIGN_IN_BY_START)
        old.page.goto(app.sign_in_address)
        expect(old.page.locator("#entry textarea")).to_be_visible()
        context.close()
    finally:
        app.close()
