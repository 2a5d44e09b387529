"""The list of chats by mouse and keyboard, in a real browser: menus, folders, pins, undo, and where the focus is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from localspec import texts
from localspec.application.list_states import DELETED_LISTED
from localspec.stores.conversations import Conversations
from localspec.stores.stored_turns import StoredConversation, StoredTurn
from tests.running import RunningApp
from tests.ui.test_browser import LONG

pytestmark = pytest.mark.browser

CHATS = 40
REDRAWN = (
    "() => { const list = document.querySelector('#chats'); const kept = list.dataset.redrawn || 0;"
    " new MutationObserver(() => { list.dataset.redrawn = 1 + Number(list.dataset.redrawn || 0); })"
    ".observe(list, { childList: true, subtree: true }); }"
)
"""Counts how often the list is drawn anew."""


class Column:
    """A tab, seen by its list of chats."""

    def __init__(self, page: Page, app: RunningApp) -> None:
        self.page = page
        page.set_default_timeout(LONG)
        page.goto(app.sign_in_address)
        self.list = page.locator("#chats")
        self.rows = self.list.locator(".chat")
        expect(self.rows.first).to_be_visible()
        page.evaluate(REDRAWN)

    def row(self, title: str) -> Locator:
        return self.rows.filter(has=self.page.locator(".open", has_text=re.compile(f"^{title}$")))

    def button(self, title: str) -> Locator:
        return self.row(title).locator("summary")

    def choose(self, title: str, action: str) -> None:
        self.button(title).click()
        self.row(title).locator(".choices").get_by_text(action, exact=True).click()

    @property
    def open_menus(self) -> Locator:
        return self.page.locator("details:is(.menu, .switch)[open]")

    @property
    def said(self) -> Locator:
        return self.page.locator("#announced[role=status]")

    def group(self, heading: str) -> Locator:
        return self.list.locator(".group").filter(has=self.page.locator("h2", has_text=heading))

    def redrawn(self) -> int:
        return int(self.list.get_attribute("data-redrawn") or 0)

    def tops(self) -> list[float]:
        """Where each row stands."""
        found = self.page.evaluate(
            "() => [...document.querySelectorAll('#chats .chat')].map((one) => one.getBoundingClientRect().top)"
        )
        return [float(top) for top in found]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    home = tmp_path_factory.mktemp("menus")
    (home / "stores").mkdir()
    store = Conversations(home / "stores")
    now = datetime.now(timezone.utc)
    store.add(
        StoredConversation(
            f"Chat {number}",
            "documents",
            (StoredTurn(f"Question {number}?", f"Question {number}?", f"Answer {number}.", finish="end"),),
            changed=(now - timedelta(days=20, minutes=number)).isoformat(timespec="milliseconds"),
        )
        for number in range(CHATS)
    )
    store.close()
    started = RunningApp(home)
    try:
        started.wait_until_served()
        yield started
    finally:
        started.close()


@pytest.fixture
def column(browser: Browser, app: RunningApp) -> Iterator[Column]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield Column(context.new_page(), app)
    context.close()


@pytest.fixture
def other(browser: Browser, app: RunningApp) -> Iterator[Column]:
    """Another window."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield Column(context.new_page(), app)
    context.close()


def test_one_menu_is_open_at_most_and_floats(column: Column) -> None:
    page = column.page
    before = column.tops()
    column.button("Chat 2").click()
    expect(column.open_menus).to_have_count(1)
    column.button("Chat 14").click()  # which the first menu does not cover
    expect(column.open_menus).to_have_count(1)
    expect(column.row("Chat 14").locator(".choices")).to_be_visible()
    page.get_by_label(texts.CHATS_MENU).click()
    expect(column.open_menus).to_have_count(1)
    expect(page.get_by_text(texts.IMPORT_CHATS, exact=True).locator("visible=true")).to_be_visible()
    page.locator("#active-library summary").click()
    expect(column.open_menus).to_have_count(1)
    expect(page.locator("#active-library .choices")).to_be_visible()
    page.locator("#title h1").click()
    expect(column.open_menus).to_have_count(0)

    # The last row in sight: its menu is whole, and nothing has moved for it.
    bottom = column.list.bounding_box()
    assert bottom
    last = max((top, number) for number, top in enumerate(before) if top < bottom["y"] + bottom["height"] - 40)[1]
    row = column.rows.nth(last)
    row.locator("summary").click()
    box = row.locator(".choices").bounding_box()
    assert box
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 800
    for item in row.locator(".choices > *").all():
        at = item.bounding_box()
        assert at
        hit = "([x, y]) => document.elementFromPoint(x, y).textContent"
        assert page.evaluate(hit, [at["x"] + 5, at["y"] + at["height"] / 2]) == item.inner_text()
    assert column.tops() == before
    page.keyboard.press("Escape")
    expect(column.open_menus).to_have_count(0)
    expect(row.locator("summary")).to_be_focused()


def test_a_menu_is_used_by_keyboard_alone(column: Column) -> None:
    page = column.page
    button = column.button("Chat 5")
    button.focus()
    page.keyboard.press("ArrowDown")
    items = column.row("Chat 5").locator(".choices > *")
    expect(items.first).to_be_focused()
    for key, place in (("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", -1), ("ArrowDown", 0), ("End", -1), ("Home", 0)):
        page.keyboard.press(key)
        expect(items.nth(place)).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    expect(page.locator("#entry textarea")).not_to_be_focused()
    # Whoever tabs on leaves it.
    page.keyboard.press("Enter")
    for _ in range(items.count()):
        page.keyboard.press("Tab")
    expect(column.row("Chat 6").locator(".open")).to_be_focused()
    expect(column.open_menus).to_have_count(0)


def test_deleting_is_done_at_once_and_undone(column: Column, other: Column) -> None:
    page = column.page
    column.row("Chat 10").locator(".open").click()
    expect(page.locator("#chat .bot.message")).to_contain_text("Answer 10.")
    place = [row.inner_text() for row in column.rows.all()].index(column.row("Chat 10").inner_text())
    column.choose("Chat 10", texts.DELETE)
    expect(column.row("Chat 10")).to_have_count(0)
    expect(column.said).to_have_text("“Chat 10” was deleted.")
    expect(page.locator("#chat .bot.message")).to_have_count(0)
    expect(other.row("Chat 10")).to_have_count(0)
    expect(other.page.locator("#chats .undo")).to_have_count(0)
    # What stands in its place has the focus now; several are deleted one after the other.
    expect(column.button("Chat 11")).to_be_focused()
    for number in (11, 12):
        page.keyboard.press("Enter")
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        expect(column.row(f"Chat {number}")).to_have_count(0)
        expect(column.said).to_have_text(f"“Chat {number}” was deleted.")
    undo = page.locator("#chats .undo")
    expect(undo).to_be_in_viewport()
    undo.get_by_role("button", name=texts.UNDO).click()
    expect(column.row("Chat 12")).to_be_visible()
    expect(undo).to_have_count(0)

    # The others are among those recently deleted, of which every window knows, also after it is loaded anew.
    for tab in (column, other):
        tab.page.reload()
        expect(tab.rows.first).to_be_visible()
    other.page.locator(".bin summary").click()
    other.page.get_by_role("button", name="Restore “Chat 10”").click()
    expect(other.row("Chat 10")).to_be_visible()
    expect(column.row("Chat 10")).to_be_visible()
    shown = [row.inner_text() for row in other.rows.all()]
    assert shown[place] == other.row("Chat 10").inner_text(), "it stands where it stood"
    # What is unfolded stays so when the list is drawn anew.
    expect(other.page.get_by_role("button", name="Restore “Chat 11”")).to_be_visible()
    other.page.get_by_role("button", name="Delete “Chat 11” permanently").click()
    expect(other.page.get_by_role("button", name="Restore “Chat 11”")).to_have_count(0)
    column.page.get_by_placeholder(texts.SEARCH_CHATS).fill("Answer 11.")
    expect(column.list).to_contain_text(texts.NOTHING_FOUND)


def test_the_chat_on_the_page_comes_back_to_it(column: Column) -> None:
    page = column.page
    column.row("Chat 15").locator(".open").click()
    expect(page.locator("#chat .bot.message")).to_contain_text("Answer 15.")
    column.choose("Chat 15", texts.DELETE)
    expect(page.locator("#chat .bot.message")).to_have_count(0)
    page.locator("#chats .undo").get_by_role("button", name=texts.UNDO).click()
    expect(page.locator("#chat .bot.message")).to_contain_text("Answer 15.")
    expect(column.row("Chat 15").locator(".open")).to_have_attribute("aria-current", "true")


def test_more_than_ten_deleted_chats_are_all_there(column: Column) -> None:
    page = column.page
    number = DELETED_LISTED + 1
    for deleted in range(CHATS - number, CHATS):
        column.choose(f"Chat {deleted}", texts.DELETE)
        expect(column.row(f"Chat {deleted}")).to_have_count(0)
    page.locator(".bin summary").click()
    first = page.get_by_role("button", name=f"Restore “Chat {CHATS - number}”")
    expect(first).to_have_count(0)
    page.locator(".bin").get_by_role("button", name=texts.MORE_CHATS).click()
    first.click()
    expect(column.row(f"Chat {CHATS - number}")).to_be_visible()


def test_pins_and_folders(column: Column, other: Column) -> None:
    page = column.page
    column.choose("Chat 20", texts.PIN)
    expect(column.group(texts.PINNED).locator(".chat")).to_have_count(1)
    expect(column.rows.first).to_contain_text("Chat 20")
    expect(column.button("Chat 20")).to_be_focused()

    # A new folder by keyboard, an existing one by its name.
    column.choose("Chat 21", texts.FILE)
    field = page.get_by_label(texts.FOLDER_NAME)
    expect(field).to_be_focused()
    page.keyboard.type("Work & <b>play</b>")
    page.keyboard.press("Enter")
    folder = column.group("Work & <b>play</b>")
    expect(folder.locator(".chat")).to_have_count(1)
    expect(column.row("Chat 21").locator(".open")).to_be_focused()
    column.choose("Chat 22", texts.FILE)
    page.get_by_role("button", name="Work & <b>play</b>", exact=True).click()
    expect(folder.locator(".chat")).to_have_count(2)
    expect(other.group("Work & <b>play</b>").locator(".chat")).to_have_count(2)
    page.reload()
    expect(folder.locator(".chat")).to_have_count(2)

    # Collapsed, it stays so, in every window.
    folder.locator(".fold").click()
    expect(folder.locator(".chat")).to_have_count(0)
    expect(folder.locator(".fold")).to_be_focused()
    expect(folder.locator(".fold")).to_have_attribute("aria-expanded", "false")
    expect(other.group("Work").locator(".chat")).to_have_count(0)
    page.reload()
    expect(folder.locator(".fold")).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Escape")
    folder.locator(".fold").press("Enter")
    expect(folder.locator(".chat")).to_have_count(2)

    folder.locator(".head summary").click()
    folder.get_by_text(texts.RENAME, exact=True).locator("visible=true").first.click()
    name = page.get_by_label(texts.NEW_FOLDER_NAME)
    expect(name).to_be_focused()
    name.fill("Travel")
    name.press("Enter")
    travel = column.group("Travel")
    expect(travel.locator(".chat")).to_have_count(2)
    travel.locator(".head summary").click()
    travel.get_by_text(texts.FOLDER_DELETE, exact=True).click()
    expect(travel).to_have_count(0)
    expect(column.row("Chat 21")).to_be_visible()
    expect(column.said).to_have_text("Folder “Travel” was deleted; its chats are kept.")
    page.locator("#chats .undo").get_by_role("button", name=texts.UNDO).click()
    expect(travel.locator(".chat")).to_have_count(2)
    column.choose("Chat 21", texts.UNFILE)
    column.choose("Chat 22", texts.UNFILE)
    expect(travel.locator(".chat")).to_have_count(0)
    expect(travel).to_be_visible()
    column.choose("Chat 20", texts.UNPIN)
    expect(column.group(texts.PINNED)).to_have_count(0)


def test_focus_and_menu_survive_what_others_do(column: Column, other: Column) -> None:
    page = column.page
    column.row("Chat 1").locator(".open").focus()
    before = column.redrawn()
    other.choose("Chat 25", texts.PIN)
    expect(column.group(texts.PINNED)).to_be_visible()
    assert column.redrawn() > before
    expect(column.row("Chat 1").locator(".open")).to_be_focused()

    column.button("Chat 3").click()
    page.keyboard.press("ArrowDown")
    other.choose("Chat 25", texts.UNPIN)
    expect(column.group(texts.PINNED)).to_have_count(0)
    expect(column.open_menus).to_have_count(1)
    item = column.row("Chat 3").locator(".choices").get_by_text(texts.PIN, exact=True)
    expect(item).to_be_visible()
    expect(item).to_be_focused()
    page.keyboard.press("Escape")
    expect(column.button("Chat 3")).to_be_focused()

    # A chat that goes leaves the focus in its place, and its menu goes with it.
    column.button("Chat 6").click()
    other.choose("Chat 6", texts.DELETE)
    expect(column.row("Chat 6")).to_have_count(0)
    expect(column.open_menus).to_have_count(0)
    expect(column.list.locator(":focus")).to_have_count(1)
    # Where a person is elsewhere, nothing takes the focus away.
    entry = page.locator("#entry textarea")
    entry.focus()
    other.page.locator("#chats .undo").get_by_role("button", name=texts.UNDO).click()
    expect(column.row("Chat 6")).to_be_visible()
    expect(entry).to_be_focused()


def test_what_is_typed_survives_what_others_do(column: Column, other: Column) -> None:
    page = column.page
    column.choose("Chat 7", texts.RENAME)
    title = page.get_by_label(texts.NEW_TITLE)
    expect(title).to_be_focused()
    title.fill("Half a ti")
    other.choose("Chat 26", texts.PIN)
    expect(other.group(texts.PINNED)).to_be_visible()
    page.wait_for_timeout(3000)  # a tick and more
    page.keyboard.type("tle")
    expect(title).to_have_value("Half a title")
    page.keyboard.press("Enter")
    expect(column.row("Half a title").locator(".open")).to_be_focused()
    other.choose("Chat 26", texts.UNPIN)


def test_tab_from_the_library_goes_on(column: Column) -> None:
    page = column.page
    page.keyboard.press("Control+,")
    page.locator("#settings [role=tab][data-tab=documents]").click()
    first = page.locator("#shelf .press").first
    expect(first).to_be_visible(timeout=2 * LONG)
    field = page.locator("#library input")
    field.focus()
    page.keyboard.press("Tab")
    expect(first).to_be_focused()
    page.wait_for_timeout(3000)  # whatever is drawn anew for it
    expect(first).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#shelf .press").nth(1)).to_be_focused()
    # Also where another library was named, and all about it is drawn anew.
    field.fill("Another")
    page.keyboard.press("Tab")
    expect(page.locator("#active-library b")).to_have_text("Another")
    expect(first).to_be_focused()
