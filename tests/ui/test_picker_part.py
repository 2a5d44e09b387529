"""The picker of the heading, by keyboard and by mouse. In a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from localspec.models.files.catalogue import DEFAULT_MODEL, resolve
from tests.models.fit.test_memory import gguf
from tests.running import RunningApp
from tests.ui.test_browser import LONG, Visit

pytestmark = pytest.mark.browser

OTHER, BIG = "another", "wide"
"""The default model under another name; one that no computer has the memory for"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    home = tmp_path_factory.mktemp("home")
    (home / "models").mkdir()
    shutil.copyfile(resolve("").path, home / "models" / f"{OTHER}.gguf")
    gguf(
        home / "models" / f"{BIG}.gguf", general__architecture="llama", llama__context_length=4_194_304,
        llama__block_count=6400, llama__embedding_length=819_200, llama__attention__head_count=64,
        tokenizer__ggml__tokens=["a", "b"], tokenizer__ggml__model="llama",
    )  # fmt: skip
    running = RunningApp(home)
    try:
        running.wait_until_served()
        yield running
    finally:
        running.close()


@pytest.fixture
def tab(browser: Browser, app: RunningApp) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    visited = Visit(context, app)
    yield visited
    visited.assert_quiet()
    context.close()


def toggle(tab: Visit) -> Locator:
    return tab.page.locator("#status [data-picker=toggle]")


def menu(tab: Visit) -> Locator:
    return tab.page.get_by_role("menu", name="Models")


def item(tab: Visit, name: str) -> Locator:
    return menu(tab).locator("[role^=menuitem]").filter(has_text=name)


def ready(tab: Visit, name: str) -> None:
    expect(tab.page.locator("#status [data-model=ready] .name")).to_have_text(name, timeout=2 * LONG)


def load(tab: Visit, name: str) -> None:
    """By mouse, where it is not loaded already."""
    if toggle(tab).locator(".name").inner_text() != name:
        toggle(tab).click()
        item(tab, name).first.click()
        ready(tab, name)


def test_by_keyboard(tab: Visit) -> None:
    load(tab, DEFAULT_MODEL)
    expect(toggle(tab)).to_contain_text("135M · 98 MB")
    expect(toggle(tab)).to_have_attribute("title", re.compile(r"context 8,192 · \d+ threads?"))
    expect(toggle(tab)).to_have_attribute("aria-expanded", "false")
    expect(menu(tab)).to_have_count(0)
    keys = tab.page.keyboard
    toggle(tab).focus()
    keys.press("ArrowDown")
    expect(menu(tab)).to_be_visible()
    expect(toggle(tab)).to_have_attribute("aria-expanded", "true")
    # The one that is loaded is checked, and has the focus, also when the server draws the menu again.
    checked = menu(tab).get_by_role("menuitemradio", checked=True)
    expect(checked).to_contain_text(DEFAULT_MODEL)
    expect(checked).to_be_focused()
    expect(item(tab, BIG)).to_contain_text("does not fit")
    expect(item(tab, OTHER).first).to_contain_text("98 MB")
    tab.page.wait_for_timeout(2000)
    expect(checked).to_be_focused()
    keys.press("End")
    expect(item(tab, "Unload")).to_be_focused()
    keys.press("ArrowUp")
    expect(item(tab, "Get models")).to_be_focused()
    keys.press("Home")
    keys.press("ArrowUp")
    expect(item(tab, "Unload")).to_be_focused()
    keys.press("Escape")
    expect(menu(tab)).to_have_count(0)
    expect(toggle(tab)).to_be_focused()
    expect(toggle(tab)).to_have_attribute("aria-expanded", "false")

    # Enter opens, and picks; the focus is on the button through all that is drawn meanwhile.
    keys.press("Enter")
    expect(checked).to_be_focused()
    other = item(tab, OTHER).first
    keys.press("ArrowDown")
    expect(other).to_be_focused()
    keys.press("Enter")
    expect(menu(tab)).to_have_count(0)
    ready(tab, OTHER)
    expect(toggle(tab)).to_be_focused()
    # The list of the settings follows.
    expect(tab.page.locator("#model input")).to_have_value(OTHER)
    toggle(tab).focus()
    keys.press("Enter")
    expect(checked).to_contain_text(OTHER)
    keys.press("Tab")
    expect(menu(tab)).to_have_count(0)


def test_by_mouse(tab: Visit) -> None:
    load(tab, OTHER)
    toggle(tab).click()
    expect(menu(tab)).to_be_visible()
    tab.page.locator("#title").click()
    expect(menu(tab)).to_have_count(0)
    toggle(tab).click()
    item(tab, "Unload").click()
    expect(tab.page.locator("#status [data-model=none] .name")).to_have_text("No model is loaded")
    toggle(tab).click()
    expect(item(tab, "Unload")).to_have_count(0)
    expect(menu(tab).get_by_role("menuitemradio", checked=True)).to_have_count(0)
    item(tab, DEFAULT_MODEL).click()
    expect(menu(tab)).to_have_count(0)
    ready(tab, DEFAULT_MODEL)
    # What does not fit is not loaded: what would is said beside the fields.
    toggle(tab).click()
    item(tab, BIG).click()
    expect(menu(tab)).to_have_count(0)
    expect(tab.page.locator("#fit [data-fit=not]")).to_contain_text(f"{BIG} does not fit")
    expect(tab.page.locator("#fit")).to_be_visible()
    expect(tab.page.locator("#model input")).to_have_value(BIG)
    tab.close_settings()
    ready(tab, DEFAULT_MODEL)
    toggle(tab).click()
    item(tab, "Get models").click()
    expect(tab.page.locator("#offers")).to_be_visible()


def test_a_file_elsewhere(tab: Visit, app: RunningApp) -> None:
    load(tab, DEFAULT_MODEL)
    noise = app.home / "noise.gguf"
    noise.write_bytes(b"\0no model" * 500)
    elsewhere = app.home / "own model (1).gguf"
    shutil.copyfile(resolve("").path, elsewhere)
    keys, field = tab.page.keyboard, tab.page.locator("#picker-path")
    toggle(tab).focus()
    keys.press("Enter")
    expect(field).to_be_hidden()
    expect(menu(tab)).to_be_visible()
    item(tab, "Choose a file").focus()
    keys.press("Enter")
    expect(field).to_be_focused()
    expect(item(tab, "Choose a file")).to_have_attribute("aria-expanded", "true")
    keys.press("Escape")
    expect(item(tab, "Choose a file")).to_be_focused()
    keys.press("Enter")
    # What is typed outlives what the server draws meanwhile.
    keys.insert_text(str(noise))
    tab.page.wait_for_timeout(5000)
    expect(field).to_have_value(str(noise))
    expect(field).to_be_focused()
    keys.press("Enter")
    expect(menu(tab)).to_have_count(0)
    note = tab.page.locator("#status").get_by_role("alert")
    expect(note).to_contain_text("noise.gguf")
    ready(tab, DEFAULT_MODEL)
    tab.page.wait_for_timeout(2000)
    expect(note).to_be_visible()
    note.get_by_role("button", name="Close").click()
    expect(note).to_have_count(0)

    toggle(tab).click()
    item(tab, "Choose a file").click()
    field.fill(f'"{elsewhere}"')
    tab.page.locator("#picker").get_by_role("button", name="Load", exact=True).click()
    ready(tab, "own model (1)")
    toggle(tab).click()
    expect(menu(tab).get_by_role("menuitemradio", checked=True)).to_contain_text("own model (1)")
    expect(tab.page.locator("#status").get_by_role("alert")).to_have_count(0)


def test_escape_closes_the_menu_and_ends_no_answer(tab: Visit) -> None:
    load(tab, DEFAULT_MODEL)
    tab.ask_endlessly("Who built the lighthouse?")
    stop = tab.page.locator("#entry .stop-button")
    expect(stop).to_be_visible()
    toggle(tab).click()
    expect(menu(tab)).to_be_visible()
    tab.page.keyboard.press("Escape")
    expect(menu(tab)).to_have_count(0)
    tab.page.wait_for_timeout(1000)
    expect(stop).to_be_visible()
    tab.page.keyboard.press("Escape")
    tab.wait()


def test_in_a_narrow_window(browser: Browser, app: RunningApp) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 800})
    tab = Visit(context, app)
    toggle(tab).click()
    expect(menu(tab)).to_be_visible()
    shown = tab.page.locator("#picker").bounding_box()
    assert shown is not None
    assert shown["x"] >= 0
    assert shown["x"] + shown["width"] <= 420
    tab.assert_quiet()
    context.close()
