"""The keyboard: what is done often is done without the mouse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.running import RunningApp

pytestmark = pytest.mark.browser
LONG = "Tell me a long story about the keeper of a lighthouse and the sea."


@pytest.fixture
def page(running: RunningApp, browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(running.sign_in_address)
    expect(page.locator("#status [data-model=ready]")).to_be_visible(timeout=120_000)
    yield page
    page.close()


def test_send_stop_and_begin_anew(page: Page) -> None:
    entry = page.locator("#entry textarea")
    entry.focus()
    page.keyboard.type(LONG)
    page.keyboard.press("Enter")
    expect(page.locator("#entry .stop-button")).to_be_visible()
    expect(page.locator("#panel section[data-state=writing]")).to_be_attached(timeout=60_000)
    page.keyboard.press("Escape")
    expect(page.locator("#panel section[data-state=stopped]")).to_be_attached(timeout=60_000)
    expect(page.locator("#entry .submit-button")).to_be_visible()
    page.keyboard.press("Control+Shift+O")
    expect(page.locator("#chat .message")).to_have_count(0)
    expect(entry).to_be_focused()


def test_search_list_and_help(page: Page) -> None:
    entry = page.locator("#entry textarea")
    field = page.locator("#search-chats textarea, #search-chats input")
    page.keyboard.press("Control+b")
    expect(field).to_be_hidden()
    page.keyboard.press("Control+k")
    expect(field).to_be_visible()
    expect(field).to_be_focused()
    page.keyboard.type("?/")
    expect(field).to_have_value("?/")
    page.keyboard.press("Escape")
    expect(entry).to_be_focused()
    page.locator("#title h1").click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    help_ = page.locator("#keys dialog")
    expect(help_).to_be_visible()
    expect(help_).to_contain_text("Ctrl + K")
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    expect(entry).to_be_focused()
    expect(entry).to_have_value("")
