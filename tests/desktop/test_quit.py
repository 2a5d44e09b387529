"""Ending LocalSpec from its page, in a real browser: the process is gone, and nothing that was written is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from localspec import texts
from localspec.stores.overview import overview
from localspec.ui.dialogs import quitting
from tests.running import RunningApp
from tests.ui.test_browser import LONG, Visit

pytestmark = pytest.mark.browser


@pytest.fixture
def app(tmp_path: Path) -> Iterator[RunningApp]:
    app = RunningApp(tmp_path)
    try:
        app.wait_until_served()
        yield app
    finally:
        app.close()


def ask_to_quit(tab: Visit) -> None:
    """By the menu of the heading."""
    tab.page.get_by_label(texts.MORE_NAME, exact=True).click()
    tab.page.get_by_role("button", name=texts.QUIT_NAME, exact=True).click()
    expect(tab.page.locator("#quit dialog")).to_be_visible()


def test_quit_asks_ends_the_answer_and_says_when_it_is_over(browser: Browser, app: RunningApp) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    tab = Visit(context, app)
    other = context.new_page()
    other.goto(app.address)
    expect(other.locator("#heading [data-view=settings]")).to_be_visible()
    answer = tab.ask_endlessly("Write a very long story about a lighthouse and its keeper.")
    limit = time.monotonic() + LONG / 1000
    while len(tab.letters(answer)) < 200 and time.monotonic() < limit:
        tab.page.wait_for_timeout(50)

    # The question can be taken back, by its button and by the Escape key.
    dialog = tab.page.locator("#quit dialog")
    for take_back in ("Cancel", "Escape"):
        ask_to_quit(tab)
        expect(dialog).to_contain_text(texts.QUIT_SURE)
        if take_back == "Escape":
            tab.page.keyboard.press("Escape")
        else:
            dialog.get_by_role("button", name=take_back).click()
        expect(dialog).to_be_hidden()
    assert app.process.poll() is None

    ask_to_quit(tab)
    dialog.get_by_role("button", name=texts.QUIT, exact=True).click()
    expect(dialog.locator(".stopped")).to_be_visible(timeout=LONG)
    expect(dialog).to_contain_text(texts.QUIT_DONE_ADVICE)
    expect(other.locator("#quit dialog .stopped")).to_be_visible(timeout=LONG)
    assert app.process.wait(60) == 0
    assert "Traceback" not in app.log.read_text()
    # What was written stands there still, and the library has learnt it.
    assert len(tab.letters(answer)) >= 200
    expect(answer).to_contain_text(texts.STOPPED)
    assert overview(app.home / "stores" / "documents").replies == 1
    # Nothing of it can be taken for a question that is still open.
    tab.page.keyboard.press("Escape")
    expect(dialog.locator(".stopped")).to_be_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_dialog_fits_a_small_window(browser: Browser, running: RunningApp, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 600}, color_scheme=scheme)  # type: ignore[arg-type]
    tab = Visit(context, running)
    ask_to_quit(tab)
    box = tab.page.locator("#quit dialog").bounding_box()
    assert box is not None
    # In the middle.
    assert 0 <= box["x"] == pytest.approx(420 - box["x"] - box["width"], abs=16)  # a scroll bar beside it
    assert 0 < box["y"] == pytest.approx(600 - box["y"] - box["height"], abs=2)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 420
    tab.assert_quiet()
    context.close()


def test_only_the_own_page_may_end_it(running: RunningApp) -> None:
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}):
        assert running.request("POST", "/localspec/quit", headers).status == 403
    assert running.request("GET", "/localspec/quit").status in (404, 405)
    assert running.request("GET", "/localspec/instance", {"Origin": "http://evil.example"}).status == 403
    assert running.process.poll() is None


def test_the_page_has_its_icon(running: RunningApp) -> None:
    answer = running.request("GET", "/favicon.ico")
    assert answer.status == 200
    assert (answer.getheader("Content-Type") or "").startswith("image/svg")
    assert b"#0d9488" in answer.read()


def test_the_markup_has_no_blank_line_that_would_end_it() -> None:
    assert "\n" not in quitting()
