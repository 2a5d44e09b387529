"""Files that are dropped by the entry, as chips, and removed documents that come back, in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect

from tests.builders import make_pdf
from tests.running import RunningApp
from tests.ui.test_browser import ENDLESS, LIGHTHOUSE, LONG

pytestmark = pytest.mark.browser

SEND = """([field, action]) => {
  const input = document.querySelector(`#${field} textarea, #${field} input`);
  input.value = JSON.stringify({count: Math.random(), ...action});
  input.dispatchEvent(new Event("input", {bubbles: true}));
}"""
FILL = """(input, text) => {
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(input), "value").set.call(input, text);
  input.dispatchEvent(new Event("input", {bubbles: true}));
}"""
PUT = """async ([names, kind]) => {
  const data = new DataTransfer();
  for (const [name, content] of names) data.items.add(new File([content], name));
  const event = kind === "paste" ? new ClipboardEvent("paste", {bubbles: true, cancelable: true, clipboardData: data})
    : new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: data});
  document.querySelector("#entry textarea").dispatchEvent(event);
}"""


class Tab:
    """A tab over a library of its own."""

    def __init__(self, context: BrowserContext, running: RunningApp, library: str) -> None:
        self.page = context.new_page()
        self.running = running
        self.library = library
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        context.set_default_timeout(LONG)
        self.page.goto(running.sign_in_address)
        self.chips = self.page.locator("#attachments .attachment")
        self.entry = self.page.locator("#entry textarea")
        self.answers = self.page.locator("#chat .bot.message")
        expect(self.page.locator("#status [data-model=ready]")).to_be_visible()
        shown = self.page.locator("#active-library [data-library]")
        own = shown.get_attribute("data-library")
        self.send("shelf-act", {"do": "new", "library": own, "about": "", "text": library})
        expect(self.page.locator(f'#shelf [data-library="{library}"]')).to_be_attached()
        self.fill("#max-tokens input", "12")

    def send(self, field: str, action: dict[str, object]) -> None:
        self.page.evaluate(SEND, [field, action])

    def fill(self, field: str, text: str) -> None:
        """Fields of the settings, which are in the page while it is closed."""
        self.page.locator(field).evaluate(FILL, text)
        self.page.wait_for_timeout(300)

    def choose(self, *files: Path) -> None:
        """By the file dialog."""
        self.page.locator("#entry input[type=file]").first.set_input_files(list(files))

    def put(self, kind: str, **files: str) -> None:
        """By a drop on the entry, or from the clipboard."""
        self.page.evaluate(PUT, [[[name.replace("_", "."), text] for name, text in files.items()], kind])

    def chip(self, name: str) -> Locator:
        return self.chips.filter(has=self.page.get_by_text(name, exact=True))

    def documents(self) -> list[str]:
        return self.page.locator("#documents .document[data-document] .name").all_inner_texts()

    def press(self, within: str, label: str) -> None:
        """A button of the documents, wherever they are shown."""
        self.page.locator(f"{within} button", has_text=re.compile(f"^{re.escape(label)}$")).first.evaluate(
            "button => button.click()"
        )


@pytest.fixture
def tab(browser: Browser, running: RunningApp, request: pytest.FixtureRequest) -> Iterator[Tab]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = Tab(context, running, request.node.name[5:40])
    yield opened
    assert opened.problems == []
    context.close()


def test_files_are_chips_from_the_drop_to_the_question(tab: Tab, tmp_path: Path) -> None:
    states: list[str] = []
    tab.page.expose_function("told", lambda state: states.append(str(state)))
    tab.page.evaluate(
        """() => new MutationObserver(() => {
          for (const chip of document.querySelectorAll("#attachments .attachment")) told(chip.dataset.state);
        }).observe(document.querySelector("#chat-column"), {subtree: true, childList: true, characterData: true})"""
    )
    guide, letter = make_pdf(tmp_path / "guide.pdf", LIGHTHOUSE * 30), tmp_path / "letter.txt"
    letter.write_text("The wren is small.")
    tab.choose(guide, letter)
    expect(tab.chips).to_have_count(2)
    expect(tab.chip("letter.txt")).to_contain_text("18 bytes")
    for name in ("guide.pdf", "letter.txt"):
        expect(tab.chip(name)).to_have_attribute("data-state", "ready")
        expect(tab.chip(name)).to_contain_text("ready")
    assert "reading" in states  # nothing was sent yet
    expect(tab.answers).to_have_count(0)
    expect(tab.page.locator("#entry .thumbnail-item")).to_have_count(0)
    assert sorted(tab.documents()) == ["guide.pdf", "letter.txt"]

    # An empty entry sends nothing.
    tab.entry.press("Enter")
    expect(tab.page.locator("#notices")).to_contain_text("Enter a question.")
    expect(tab.chips).to_have_count(2)

    tab.entry.fill("How high is the lighthouse?")
    tab.entry.press("Enter")
    expect(tab.chips).to_have_count(0)
    asked = tab.page.locator("#chat .user.message")
    expect(asked.locator(".chip")).to_have_text(["guide.pdf", "letter.txt"])
    expect(tab.page.locator("#entry .submit-button")).to_be_visible(timeout=2 * LONG)
    expect(tab.answers.locator("button.citation").first).to_be_visible()
    expect(tab.answers).not_to_contain_text("Added to")


def test_the_cross_takes_off_what_was_not_there_before(tab: Tab, tmp_path: Path) -> None:
    known, new = tmp_path / "known.txt", tmp_path / "new.txt"
    known.write_text("Quinces are yellow.")
    new.write_text("Pears are green.")
    tab.choose(known)
    expect(tab.chip("known.txt")).to_have_attribute("data-state", "ready")
    tab.entry.fill("What is yellow?")
    tab.entry.press("Enter")
    expect(tab.chips).to_have_count(0)
    expect(tab.page.locator("#entry .submit-button")).to_be_visible(timeout=2 * LONG)

    tab.choose(known, new)
    expect(tab.chips).to_have_count(2)
    expect(tab.chip("new.txt")).to_have_attribute("data-state", "ready")
    for name in ("known.txt", "new.txt"):
        tab.chip(name).get_by_role("button").click()
        expect(tab.chip(name)).to_have_count(0)
    expect(tab.page.locator("#documents .document[data-document] .name")).to_have_text(["known.txt"])


def test_what_cannot_be_read_is_told_on_its_chip(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (tmp_path / "data.xyz").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "notes.xyz").write_text("Pears are green.")
    tab.choose(*(tmp_path / name for name in ("broken.pdf", "photo.png", "data.xyz", "notes.xyz")))
    expect(tab.chips).to_have_count(4)
    for name, why in (
        ("broken.pdf", "could not be read: "),
        ("photo.png", "could not be read: is a PNG picture."),
        ("data.xyz", "could not be read: is a binary file, not text."),
    ):
        expect(tab.chip(name)).to_have_attribute("data-state", "failed")
        expect(tab.chip(name)).to_contain_text(why)
        assert len(tab.chip(name).inner_text()) < 250
    expect(tab.chip("notes.xyz")).to_have_attribute("data-state", "ready")
    expect(tab.page.locator(".toast-body")).to_have_count(0)
    expect(tab.page.locator("#documents .failed .name")).to_have_text("broken.pdf")
    expect(tab.page.locator("#documents .failed")).to_contain_text("Not readable: ")
    expect(tab.page.locator("#documents .documents-head")).to_contain_text("1 document · 1 not readable")
    tab.entry.fill("Which fruit is green?")
    tab.entry.press("Enter")
    expect(tab.chips).to_have_count(0)
    expect(tab.page.locator("#entry .submit-button")).to_be_visible(timeout=2 * LONG)
    expect(tab.page.locator("#chat .user.message .chip")).to_have_text(["notes.xyz"])
    expect(tab.answers).not_to_contain_text("broken.pdf")
    expect(tab.answers).not_to_contain_text("could not be read")


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_files_of_a_drop_or_the_clipboard(tab: Tab, kind: str) -> None:
    tab.put(kind, first_txt="Pears are green.", second_md="# Quinces\n\nThey are yellow.")
    expect(tab.chips).to_have_count(2)
    expect(tab.chip("first.txt")).to_have_attribute("data-state", "ready")
    expect(tab.chip("second.md")).to_have_attribute("data-state", "ready")
    expect(tab.page.locator("#entry .thumbnail-item")).to_have_count(0)


def test_a_file_that_is_dropped_while_an_answer_is_written(tab: Tab, tmp_path: Path) -> None:
    tab.fill("#max-tokens input", "7000")
    tab.fill("#settings label:has-text('Grammar') textarea", ENDLESS)
    tab.entry.fill("Write a long story.")
    tab.entry.press("Enter")
    expect(tab.page.locator("#panel section[data-state=writing]")).to_be_attached()
    (tmp_path / "late.txt").write_text("Pears are green.")
    tab.choose(tmp_path / "late.txt")
    expect(tab.chip("late.txt")).to_be_visible()
    expect(tab.page.locator("#entry .stop-button")).to_be_visible()
    tab.page.locator("#entry .stop-button").click()
    expect(tab.page.locator("#entry .submit-button")).to_be_visible(timeout=2 * LONG)
    expect(tab.chip("late.txt")).to_have_attribute("data-state", "ready")


def test_a_removed_document_comes_back(tab: Tab, tmp_path: Path) -> None:
    guide, letter = make_pdf(tmp_path / "guide.pdf", LIGHTHOUSE), tmp_path / "letter.txt"
    letter.write_text("The wren is small.")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    tab.choose(guide, letter, tmp_path / "broken.pdf")
    expect(tab.chips).to_have_count(3)
    expect(tab.page.locator("#documents li.ready[data-document]")).to_have_count(2)
    rows = tab.page.locator("#documents .document[data-document] .name")
    tab.page.locator("#documents [aria-label='Remove guide.pdf']").evaluate("button => button.click()")
    expect(tab.page.locator("#documents .just-removed")).to_contain_text("guide.pdf was removed.")
    expect(rows).to_have_text(["broken.pdf", "letter.txt"])
    expect(tab.page.locator("#documents .removals summary")).to_contain_text("Removed: 1 document · ")
    tab.press("#documents .just-removed", "Undo")
    expect(rows).to_have_text(["broken.pdf", "letter.txt", "guide.pdf"])
    expect(tab.page.locator("#documents li.ready[data-document]")).to_have_count(2)
    expect(tab.page.locator("#documents .removals")).to_have_count(0)

    tab.press("#documents", "Remove failed")
    expect(rows).to_have_text(["letter.txt", "guide.pdf"])
    expect(tab.page.locator("#documents .just-removed")).to_contain_text("broken.pdf was removed.")
    tab.press("#documents .removals", "Delete all permanently")
    expect(tab.page.locator("#documents .removals")).to_have_count(0)
    expect(rows).to_have_text(["letter.txt", "guide.pdf"])


def test_what_is_read_and_the_library_are_picked_in_one_menu(tab: Tab, tmp_path: Path) -> None:
    long = tmp_path / "ledger.txt"
    long.write_text("\n".join(f"Entry {number}: {number * 7919 % 10007} crates of tea." for number in range(900)))
    tab.choose(make_pdf(tmp_path / "guide.pdf", LIGHTHOUSE), long)
    for name in ("guide.pdf", "ledger.txt"):
        expect(tab.chip(name)).to_have_attribute("data-state", "ready")
    menu = tab.page.locator("#active-library details")
    summary = menu.locator("summary")
    expect(summary).to_contain_text(re.compile(rf"Best passages\s*·\s*{re.escape(tab.library)}\s*· 2 documents"))
    summary.click()
    expect(menu.get_by_role("group").first.get_by_role("button")).to_have_count(5)
    too_long = menu.get_by_role("button", name="ledger.txt (whole, ")
    expect(too_long).to_be_disabled()
    expect(too_long).to_contain_text(re.compile(r"too long: [\d,]+ tokens left"))
    expect(menu.get_by_role("button", name="All documents (")).to_be_disabled()
    expect(menu.get_by_role("button", name="My documents", exact=True)).to_be_enabled()
    # By keyboard: the summary, then what can be picked.
    summary.focus()
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Tab")
    expect(menu.get_by_role("button", name="guide.pdf (whole, ")).to_be_focused()
    tab.page.keyboard.press("Enter")
    expect(menu).not_to_have_attribute("open", "")
    expect(summary).to_contain_text("guide.pdf (whole, ")
    expect(summary).to_be_focused()
    tab.entry.fill("Who built it?")
    tab.entry.press("Enter")
    expect(tab.page.locator("#entry .submit-button")).to_be_visible(timeout=2 * LONG)
    expect(tab.answers.locator("button.citation").first).to_be_attached()
    expect(summary).to_contain_text("guide.pdf (whole, ")

    # The rest stands in the settings.
    summary.click()
    menu.get_by_role("button", name="Documents and folders").click()
    expect(tab.page.locator("#tab-documents")).to_be_visible()
    expect(menu).not_to_have_attribute("open", "")
    tab.page.keyboard.press("Escape")
    summary.click()
    menu.get_by_role("button", name="New library").click()
    expect(tab.page.locator("#shelf input[data-shelf-text=new]")).to_be_focused()
    tab.page.keyboard.press("Escape")
    expect(tab.page.locator("#tab-documents")).to_be_hidden()

    # A document that goes is not to be read any more.
    tab.page.locator("#documents [aria-label='Remove guide.pdf']").evaluate("button => button.click()")
    expect(summary).to_contain_text("Best passages")


def test_attachments_of_strangers_are_not_taken(tab: Tab, tmp_path: Path) -> None:
    """Only what Gradio has taken in joins the library, whatever the page says."""
    secret = tmp_path / "secret.txt"
    secret.write_text("The heron is the password.")
    tab.send("attach-act", {"do": "add", "files": [{"path": str(secret), "name": "x.txt"}, 7, {"path": 3}]})
    tab.send("attach-act", {"do": "remove", "key": "999999"})
    tab.send("attach-act", {"do": "add", "files": [], "refused": [{"name": "<b>big</b>.pdf", "size": 3e8}]})
    expect(tab.chips).to_have_count(1)
    expect(tab.chips).to_contain_text("<b>big</b>.pdf")
    expect(tab.chips).to_contain_text("could not be read: is too large; the limit is 200 MB.")
    assert json.dumps(tab.documents()) == "[]"
