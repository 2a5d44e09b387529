"""Other sites' pages, and names that lead here: they get nothing done, even with the cookies of somebody who is in."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Frame, expect

from tests.access import evil
from tests.access.evil import Evil
from tests.running import RunningApp
from tests.ui.test_browser import LONG
from tests.ui.test_chat_part import ChatVisit
from tests.ui.watched import attacker, visit

__all__ = ["attacker", "visit"]
pytestmark = pytest.mark.browser

REFUSED = "This address belongs to another page."


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost"])
def test_another_sites_page_gets_nothing_done(visit: ChatVisit, attacker: Evil, running: RunningApp, host: str) -> None:
    """The visitor is in, with this very browser. A page of another port of this computer even gets the cookie sent."""
    chats = running.request("GET", "/export/all.json").read().partition(b'"conversations"')[2]
    files = {path for path in running.home.rglob("*") if "planted" in path.name}
    page = visit.page.context.new_page()
    downloads: list[str] = []
    page.on("download", lambda download: downloads.append(download.url))
    page.goto(attacker.page(running.address, host))
    page.wait_for_function("window.done", timeout=LONG)
    done: dict[str, str] = page.evaluate("window.done")
    assert len(done) > 40
    # Gradio lets pages of this computer's other ports read what they are answered, and that is a refusal.
    leaked = {name: said for name, said in done.items() if said not in ("blocked", "opaque") and REFUSED not in said}
    assert leaked == {}
    framed = [frame for frame in page.frames if frame.url.startswith(running.address) and _is_ours(frame)]
    assert framed == []
    assert downloads == []
    assert running.process.poll() is None
    assert running.request("GET", "/export/all.json").read().partition(b'"conversations"')[2] == chats
    assert {path for path in running.home.rglob("*") if "planted" in path.name} == files
    assert running.request("GET", "/v1/models").status == 404, "the endpoint stays off"
    page.close()
    expect(visit.page.locator("#endpoint [data-endpoint=off]")).to_be_attached()


def _is_ours(frame: Frame) -> bool:
    """Whether anything of the application is shown in a frame."""
    return bool(frame.locator("gradio-app, main").count())


def test_a_name_that_leads_here_is_not_answered(visit: ChatVisit, running: RunningApp) -> None:
    """DNS rebinding: the name of another site suddenly means this computer."""
    context: BrowserContext = visit.page.context
    page = context.new_page()
    rebound = f"http://rebound.example:{running.port}"
    for path in ("/", f"/?token={running.token}", "/config", "/export/all.json", "/localspec/instance", "/v1/models"):
        answer = page.goto(f"{rebound}{path}")
        assert answer is not None
        assert answer.status == 403
        assert "gradio" not in page.content()
    assert [one for one in context.cookies(rebound) if one["name"].startswith("localspec")] == []
    for method in ("POST", "GET"):
        for path in evil.STATE_CHANGING:
            own = {"Host": f"rebound.example:{running.port}", "Origin": rebound}
            assert running.request(method, path, own).status == 403
    page.close()
    assert running.process.poll() is None


def test_the_page_cannot_be_framed(running: RunningApp) -> None:
    for path in ("/", "/config", "/gradio_api/app_id", "/export/all.json", "/nothing"):
        for is_in in (True, False):
            answer = running.request("GET", path, is_in=is_in)
            assert "frame-ancestors 'none'" in (answer.getheader("Content-Security-Policy") or "")
            assert answer.getheader("X-Frame-Options") == "DENY"
            assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_page_embeds_is_refused_with_any_cookie(running: RunningApp, site: str) -> None:
    for mode, target in (("no-cors", "image"), ("navigate", "iframe"), ("cors", "empty"), ("websocket", "websocket")):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": target}
        assert running.request("GET", "/config", headers).status == 403
    link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert running.request("GET", "/", link).status == 200
    assert running.request("POST", "/localspec/quit", link).status == 403
