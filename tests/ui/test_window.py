"""The window as a whole: how much of it meets the eye, that nothing jumps, that nothing is lost, and that all can use
it."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Route, expect

from localspec import texts
from tests.running import RunningApp
from tests.ui.test_browser import LONG, Visit

pytestmark = pytest.mark.browser

AXE = "axe-core@4.10.3"
CONTROLS = "button, input, select, textarea, a[href], summary, [role=button], [role=tab], [role=option], [tabindex='0']"
SEEN = """(selector) => [...document.querySelectorAll(selector)].filter((node) => {
  const box = node.getBoundingClientRect();
  if (!box.width || !box.height || box.bottom <= 0 || box.top >= innerHeight) return false;
  if (box.right <= 0 || box.left >= innerWidth) return false;
  if (!node.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
  return !node.parentElement.closest(selector);  // what lies inside another one is a part of it
}).map((node) => node.id || node.getAttribute("aria-label") || node.outerHTML.slice(0, 80))"""
SHIFTS = """() => {
  window.__shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      for (const source of entry.sources || []) {
        const node = source.node && (source.node.nodeType === 1 ? source.node : source.node.parentElement);
        if (!node || node.closest("#chat")) continue;
        const now = source.currentRect;
        const before = source.previousRect;
        const by = Math.max(Math.abs(now.y - before.y), Math.abs(now.x - before.x));
        window.__shifts.push([by, node.id || node.className || node.tagName]);
      }
    }
  }).observe({ type: "layout-shift", buffered: false });
}"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    started = RunningApp(tmp_path_factory.mktemp("window"))
    try:
        started.wait_until_served()
        yield started
    finally:
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 800})
    yield made
    made.close()


def test_few_controls_meet_the_eye_before_the_first_message(context: BrowserContext, app: RunningApp) -> None:
    visit = Visit(context, app)
    seen = visit.page.evaluate(SEEN, CONTROLS)
    assert len(seen) <= 20, seen
    assert visit.page.locator("#status button").first.is_visible(), "the model is picked without scrolling"
    visit.assert_quiet()


def test_nothing_moves_while_an_answer_is_written(context: BrowserContext, app: RunningApp) -> None:
    visit = Visit(context, app)
    visit.page.locator("#heading [data-view=panel]").click()
    visit.ask_endlessly("Write a very long story about the lighthouse and its keeper.")
    expect(visit.page.locator("#panel section[data-state=writing]")).to_be_attached()
    visit.page.evaluate(SHIFTS)
    visit.page.wait_for_timeout(6000)
    shifts: list[Any] = visit.page.evaluate("window.__shifts")
    visit.page.locator("#entry .stop-button").click()
    visit.wait()
    assert [shift for shift in shifts if shift[0] > 0] == []
    visit.assert_quiet()


def test_of_an_answer_that_is_written_gradio_draws_nothing(context: BrowserContext, app: RunningApp) -> None:
    visit = Visit(context, app)
    for _ in range(2):  # what is sent by Gradio more than once must still be ours to draw
        visit.ask_endlessly("Write about the lighthouse.")
        expect(visit.panel).to_have_attribute("data-state", "writing")
        limit = time.monotonic() + LONG / 1000
        while not all("/localspec/check" in url for url in visit.requests[-3:]):  # the question itself is drawn
            assert time.monotonic() < limit
            visit.page.wait_for_timeout(100)
        asked = len(visit.requests)
        visit.page.wait_for_timeout(3000)
        while_written = visit.requests[asked:]
        visit.page.locator("#entry .stop-button").click()
        visit.wait()
        visit.ends("stopped")
        assert any("/localspec/check" in url for url in while_written)
        assert not [url for url in while_written if "/gradio_api/" in url]
        visit.page.locator("#new-chat").click()
        expect(visit.answers).to_have_count(0)
    for name in ("panel", "below", "chats", "status", "documents", "offers"):
        expect(visit.page.locator(f"#{name} .drawn")).to_have_count(1)
    visit.assert_quiet()


def test_stop_is_said_and_done_without_gradio(context: BrowserContext, app: RunningApp) -> None:
    visit = Visit(context, app)
    visit.ask_endlessly("Write a very long story about the sea.")
    expect(visit.page.locator("#chat .growing p").first).to_be_visible()
    held: list[Route] = []
    visit.page.route("**/run/predict", lambda route: held.append(route))
    visit.page.locator("#entry .stop-button").click()
    expect(visit.page.locator("#chat .growing-below")).to_contain_text(texts.STOPPING)
    limit, kept = time.monotonic() + LONG / 1000, ""
    while '"stopped"' not in kept:
        assert time.monotonic() < limit
        time.sleep(0.1)
        kept = visit.page.request.get(f"{visit.page.url.partition('#')[0]}export/all.json").text()
    for route in held:
        route.continue_()
    visit.page.unroute("**/run/predict")
    visit.wait()


@pytest.mark.parametrize("width", [1280, 420])
def test_panel_and_settings_open_over_nothing_that_moves(browser: Browser, app: RunningApp, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    visit = Visit(context, app)
    page = visit.page
    page.locator("#heading [data-view=panel]").click()
    expect(page.locator("#panel-column")).to_be_visible()
    page.locator("#panel-column [data-view=panel]").click()
    expect(page.locator("#panel-column")).to_be_hidden()
    entry = page.locator("#entry").bounding_box()
    page.locator("#heading [data-view=settings]").click()
    for tab in texts.SETTINGS_TABS:
        page.locator(f"#to-{tab}").click()
        expect(page.locator(f"#tab-{tab}")).to_be_visible()
        expect(page.locator(".settings-tab.chosen")).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#entry").bounding_box() == entry
    page.keyboard.press("Escape")
    expect(page.locator("#settings")).to_be_hidden()
    expect(page.locator("#heading [data-view=settings]")).to_be_focused()
    visit.assert_quiet()
    context.close()


def test_settings_by_keyboard(context: BrowserContext, app: RunningApp) -> None:
    visit = Visit(context, app)
    page = visit.page
    page.keyboard.press("Control+,")
    expect(page.locator("#settings")).to_be_visible()
    names = [*texts.SETTINGS_TABS]
    first = page.evaluate("document.activeElement.dataset.tab")
    assert first in names
    for step in range(1, len(names) + 1):
        page.keyboard.press("ArrowRight")
        wanted = names[(names.index(first) + step) % len(names)]
        expect(page.locator(f"#to-{wanted}")).to_be_focused()
        expect(page.locator(f"#tab-{wanted}")).to_be_visible()
    # The page behind it cannot be reached.
    for _ in range(80):
        page.keyboard.press("Tab")
        assert not page.evaluate("Boolean(document.activeElement.closest('#columns'))")
    page.keyboard.press("Control+,")
    expect(page.locator("#settings")).to_be_hidden()
    visit.assert_quiet()


# -- nothing is lost --------------------------------------------------------------------------------------------------


def letters(answer: Locator) -> str:
    return re.sub(r"[^a-zA-Z]", "", answer.inner_text())


def test_an_answer_goes_on_while_its_page_is_loaded_again(context: BrowserContext, app: RunningApp) -> None:
    """At random moments, from before the first word to the end: it is there whole, and once."""
    visit = Visit(context, app)
    moments = random.Random(18)
    words = " ".join(f"word{number}" for number in range(60))
    for _ in range(6):
        visit.page.locator("#new-chat").click()
        expect(visit.answers).to_have_count(0)
        visit.longest(400)
        visit.force(words)
        visit.send("Write the words.")
        time.sleep(moments.uniform(0.0, 2.5))
        visit.page.reload()
        expect(visit.answers).to_have_count(1)
        expect(visit.page.locator("#entry .submit-button")).to_be_visible(timeout=2 * LONG)
        expect(visit.answers.first).to_contain_text("word59")
        assert letters(visit.answers.first).count("word") == 60
        expect(visit.page.locator("#chat .user.message")).to_have_count(1)
        assert "chat=" in visit.page.url
    visit.assert_quiet()


def test_what_is_typed_and_not_sent_is_there_after_a_reload(context: BrowserContext, app: RunningApp) -> None:
    visit = Visit(context, app)
    visit.page.locator("#new-chat").click()
    visit.entry.press_sequentially("How tall is")
    visit.page.reload()
    expect(visit.entry).to_have_value("How tall is")
    visit.entry.fill("")
    visit.entry.press("a")
    visit.entry.press("Backspace")
    visit.page.reload()
    expect(visit.page.locator("#status [data-model=ready]")).to_be_visible()
    expect(visit.entry).to_have_value("")


def agree(one: Visit, two: Visit) -> None:
    """Wait until no answer is written and both windows show the same messages."""
    limit = time.monotonic() + LONG / 1000
    said: list[list[str]] = []
    while time.monotonic() < limit:
        one.wait()
        two.wait()
        said = [visit.page.locator("#chat .message").all_inner_texts() for visit in (one, two)]
        if said[0] == said[1] and not any("…" in text for text in said[0]):
            return
        one.page.wait_for_timeout(200)
    assert said[0] == said[1]


def test_two_windows_show_the_same(context: BrowserContext, app: RunningApp) -> None:
    """Twenty things done in turn, in both: questions, retries, edits, names, methods."""
    one = Visit(context, app)
    one.page.locator("#new-chat").click()
    one.longest(6)
    one.ask("Name a fruit.")
    address = one.page.url
    two = Visit(context, app)
    two.page.goto(address)
    two.page.reload()
    expect(two.answers).to_have_count(1)
    for step in range(1, 11):
        for mine, other in ((one, two), (two, one)):
            if step % 3 == 0:
                mine.page.locator("#chat .actions").get_by_role("button", name=texts.RETRY).last.click()
                expect(mine.page.locator("#chat .message").last).to_contain_text(re.compile(r"\d/\d"))
            else:
                mine.settings = {}
                mine.ask(f"Name fruit {step}.")
            agree(mine, other)
    assert one.page.locator("#chats").inner_text() == two.page.locator("#chats").inner_text()
    one.assert_quiet()
    two.assert_quiet()


# -- everybody can use it ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of the accessibility checker, from the npm registry."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is needed to get the accessibility checker")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder), AXE]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return (Path(folder) / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_violation_of_accessibility(browser: Browser, app: RunningApp, axe: str, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    visit = Visit(context, app)
    visit.longest(12)
    visit.page.evaluate(axe)

    def violations(state: str) -> list[str]:
        found = visit.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{state}: {one['id']} ({one['impact']}): {json.dumps([node['target'] for node in one['nodes']][:4])}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]

    found = violations("start")
    visit.ask("Name a fruit.")
    found += violations("answer")
    visit.page.locator("#heading [data-view=panel]").click()
    found += violations("panel")
    visit.page.locator("#heading [data-view=settings]").click()
    for tab in texts.SETTINGS_TABS:
        visit.page.locator(f"#to-{tab}").click()
        found += violations(tab)
    assert found == []
    context.close()
