"""Several libraries, folders and pauses in a real browser with the real model."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect

from tests.builders import make_pdf
from tests.running import RunningApp
from tests.ui.test_browser import LIGHTHOUSE, LONG, Visit

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>.md"


class ShelfVisit(Visit):
    """A tab, seen by what it says of its library."""

    def __init__(self, context: BrowserContext, running: RunningApp) -> None:
        super().__init__(context, running)
        self.context = context
        self.line = self.page.locator(".active-library")
        self.shelf = self.page.locator("#shelf")
        self.rows = self.page.locator("li.document[data-document]")
        self.folder = self.page.locator("li.folder")
        expect(self.shelf.locator(".shelf")).to_be_attached()

    def press(self, label: str, within: str = "#tab-documents") -> None:
        """A button of the documents in the settings, which stay open."""
        self.open_settings("documents")
        self.page.locator(within).get_by_role("button", name=label, exact=True).first.click()

    def begin(self, name: str) -> None:
        self.press("New library")
        field = self.shelf.get_by_label("Library name")
        field.fill(name)
        field.press("Enter")
        self.uses(name)

    def switch(self, name: str) -> None:
        """By the entry."""
        self.close_settings()
        self.line.locator("summary").click()
        self.line.get_by_role("button", name=name, exact=True).click()
        self.uses(name)

    def uses(self, name: str) -> None:
        """The page says so in both places."""
        expect(self.line.locator("b")).to_have_text(name)
        expect(self.page.locator("#library input")).to_have_value(name)

    def open_chat(self, at: int) -> None:
        self.close_settings()
        self.page.locator("#chats .chat .open").nth(at).click()

    def row(self, name: str) -> Locator:
        return self.rows.filter(has=self.page.get_by_text(name, exact=True))

    def drop_on_page(self, path: Path, onto: str) -> None:
        """What a file manager does: the browser is given paths, and looks into folders itself."""
        self.close_settings()
        box = self.page.locator(onto).bounding_box()
        assert box
        session = self.context.new_cdp_session(self.page)
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
            session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
        session.detach()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    started = RunningApp(tmp_path_factory.mktemp("libraries"))
    started.wait_until_served()
    yield started
    started.close()


@pytest.fixture
def visit(browser: Browser, app: RunningApp) -> Iterator[ShelfVisit]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield ShelfVisit(context, app)
    context.close()


def old(path: Path) -> Path:
    then = time.time() - 100
    os.utime(path, (then, then))
    return path


def test_libraries_are_begun_switched_renamed_and_deleted(browser: Browser, visit: ShelfVisit, app: RunningApp) -> None:
    visit.uses("My documents")
    visit.begin("Recipes")
    visit.longest(8)
    visit.ask("Name a vegetable.")
    visit.switch("My documents")
    visit.begin("Travel")
    visit.close_settings()
    visit.page.locator("#new-chat").click()
    expect(visit.answers).to_have_count(0)

    # A chat comes back with its library.
    visit.open_chat(0)
    visit.uses("Recipes")
    expect(visit.answers).to_have_count(1)
    # So does a tab that is loaded again.
    expect(visit.page.locator("#learnt")).to_contain_text(re.compile("answer"))
    visit.page.wait_for_timeout(1500)
    visit.page.reload()
    visit.uses("Recipes")

    # Another window that shows it follows when it is renamed.
    context = browser.new_context()
    other = ShelfVisit(context, app)
    other.uses("Recipes")  # it goes on with the library used last
    visit.press("Rename")
    field = visit.shelf.get_by_label("New library name")
    expect(field).to_have_value("Recipes")
    field.fill("Travel")
    visit.press("Save", "#shelf")
    expect(visit.page.get_by_text("There is something called 'Travel' already")).to_be_visible()
    field.fill("Cooking")
    field.press("Enter")
    visit.uses("Cooking")
    other.uses("Cooking")
    assert (app.home / "stores" / "Cooking").exists()
    assert not (app.home / "stores" / "Recipes").exists()
    visit.switch("Travel")
    visit.open_chat(0)
    visit.uses("Cooking")

    # Deleting asks first, and takes the page to another one.
    visit.press("Delete", "#shelf")
    expect(visit.shelf).to_contain_text("Delete the library “Cooking” permanently")
    visit.press("Cancel")
    expect(visit.shelf).not_to_contain_text("permanently")
    visit.press("Delete", "#shelf")
    visit.press("Delete library")
    visit.uses("My documents")
    other.uses("My documents")
    assert not (app.home / "stores" / "Cooking").exists()
    visit.close_settings()
    visit.line.locator("summary").click()
    offered = visit.line.get_by_role("group", name="Library", exact=True).get_by_role("button")
    expect(offered).to_have_text(["Travel", "New library", "Documents and folders"])
    visit.assert_quiet()
    other.assert_quiet()
    context.close()


def test_folders_are_dropped_typed_and_watched(visit: ShelfVisit, tmp_path: Path) -> None:
    visit.begin("Folders")
    papers = tmp_path / "papers"
    (papers / "more").mkdir(parents=True)
    old(make_pdf(papers / "lighthouse.pdf", LIGHTHOUSE))
    for name, text in (
        ("more/notes.md", "The badger eats worms."),
        (f"more/{HOSTILE}", "Nothing to see."),
        ("more/broken.docx", "This is no Word file."),
        (".hidden.md", "hidden"),
        ("photo.jpg", "no document"),
    ):
        (papers / name).write_text(text)
        old(papers / name)

    # A folder is dropped where files are dropped.
    visit.drop_on_page(papers, "#entry")
    visit.open_settings("documents")
    expect(visit.page.get_by_text("4 documents added to “Folders”.")).to_be_visible()
    expect(visit.page.get_by_text("Skipped: 1 hidden, 1 unsupported.")).to_be_visible()
    expect(visit.rows).to_have_count(4)
    expect(visit.line).to_contain_text("3 documents")
    expect(visit.row("papers/lighthouse.pdf").locator("[data-step=vectors]")).to_have_attribute("data-state", "done")
    expect(visit.row("papers/lighthouse.pdf")).to_contain_text("4 pages")
    expect(visit.row(f"papers/more/{HOSTILE}")).to_be_visible()
    expect(visit.row("papers/more/broken.docx")).to_contain_text("is named .docx but")
    expect(visit.shelf).to_contain_text("on disk")

    # One document is indexed again, and what failed is removed.
    visit.page.get_by_role("button", name="Reindex papers/more/notes.md").click()
    expect(visit.row("papers/more/notes.md").locator("[data-step=vectors]")).to_have_attribute("data-state", "done")
    visit.press("Remove failed")
    expect(visit.rows).to_have_count(3)
    visit.press("Reindex all")
    visit.press("Reindex everything")
    expect(visit.page.locator("[data-step=vectors][data-state=done]")).to_have_count(3)

    # The same folder by its path, and watched.
    visit.page.locator("#folder-part > button").click()
    path = visit.page.get_by_label("Folder path")
    path.fill("papers")
    visit.press("Add", "#folder-part")
    expect(visit.page.get_by_text("Enter the full path of the folder")).to_be_visible()
    path.fill(str(papers))
    visit.page.get_by_label("Watch for changes").check()
    visit.press("Add", "#folder-part")
    expect(visit.folder).to_contain_text("watched · 4 documents")
    expect(visit.folder).to_contain_text("Skipped: 1 hidden, 1 unsupported.")
    expect(path).to_have_value("")

    (papers / "new.md").write_text("The otter eats crayfish.")
    old(papers / "new.md")
    (papers / "more" / "notes.md").unlink()
    visit.press("Scan again")
    expect(visit.row("papers/new.md")).to_be_visible()
    expect(visit.folder).to_contain_text("1 file was deleted; its document is still in the library.")
    expect(visit.row("papers/more/notes.md")).to_be_visible()
    visit.press("Remove documents")
    expect(visit.row("papers/more/notes.md")).to_have_count(0)
    papers.rename(tmp_path / "moved")
    visit.press("Scan again")
    expect(visit.folder.locator(".problem")).to_contain_text("is missing")
    visit.press("Stop watching")
    expect(visit.folder).to_have_attribute("data-state", "once")
    visit.page.get_by_role("button", name=f"Remove {papers} from the list").click()
    expect(visit.folder).to_have_count(0)
    expect(visit.row("papers/new.md")).to_be_visible()
    visit.assert_quiet()


def test_a_document_among_many_is_found_by_its_name(visit: ShelfVisit, tmp_path: Path) -> None:
    visit.begin("Many")
    papers = tmp_path / "papers"
    papers.mkdir()
    for number in range(230):
        old_file = papers / f"note {number}.md"
        old_file.write_text(f"Words about number {number}.")
        old(old_file)
    (papers / HOSTILE).write_text("Harmless.")
    old(papers / HOSTILE)
    visit.open_settings("documents")
    visit.page.locator("#folder-part > button").click()
    visit.page.get_by_label("Folder path").fill(str(papers))
    visit.press("Add", "#folder-part")
    head = visit.page.locator(".documents-head > span")
    expect(head).to_have_text("231 documents", timeout=60_000)
    expect(visit.rows).to_have_count(200)
    visit.press("Show more (31 left)")
    expect(visit.rows).to_have_count(231)
    search = visit.page.get_by_placeholder("Search documents by name")
    search.fill("NOTE 7")
    expect(head).to_have_text("41 of 231 documents")
    search.fill("note 207")
    expect(head).to_have_text("1 of 231 documents")
    expect(visit.rows).to_contain_text("papers/note 207.md")
    # What is done with it there is done with that one, and the list stays what was looked for.
    visit.rows.get_by_role("button", name="Remove papers/note 207.md").click()
    expect(visit.page.locator("#documents")).to_contain_text("No documents found.")
    search.fill("onerror")
    expect(visit.rows).to_have_count(1)
    expect(visit.rows).to_contain_text(HOSTILE)
    search.fill("")
    expect(head).to_have_text("230 documents")
    visit.assert_quiet()


def test_indexing_is_paused_survives_a_kill_and_goes_on(browser: Browser, tmp_path: Path) -> None:
    long = tmp_path / "long.md"
    long.write_text("\n\n".join(f"Paragraph {number} tells of the {number}th heron. " * 12 for number in range(600)))
    app = RunningApp(tmp_path)
    try:
        app.wait_until_served()
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        visit = ShelfVisit(context, app)
        visit.drop(long)
        visit.taken()
        visit.press("Pause")
        paused = visit.page.locator("#indexing .paused")
        expect(paused).to_be_visible()
        expect(paused).to_contain_text("Indexing is paused.")
        expect(visit.page.locator("#indexing .meter")).to_have_count(0)
        vectors = visit.row("long.md").locator("[data-step=vectors]")
        expect(vectors).not_to_have_attribute("data-state", "done")

        # A question is answered with what is there; what is dropped now waits, and says so.
        visit.longest(8)
        visit.close_settings()
        short = tmp_path / "short.md"
        short.write_text("The badger eats worms.")
        visit.drop(short)
        answer = visit.ask("What does paragraph 7 tell of?")
        expect(answer).to_contain_text("Indexing is paused in this library")
        expect(visit.row("short.md")).to_contain_text("waiting")
        context.close()
        app.process.kill()
        app.process.wait()

        app = RunningApp(tmp_path, log="again.log")
        app.wait_until_served()
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        visit = ShelfVisit(context, app)
        visit.open_settings("documents")
        expect(visit.page.locator("#indexing .paused")).to_be_visible()
        expect(visit.row("short.md")).to_contain_text("waiting")
        visit.press("Resume")
        expect(visit.row("short.md").locator("[data-step=n-grams]")).to_have_attribute("data-state", "done")
        expect(visit.page.locator("#indexing .paused")).to_have_count(0)
        visit.page.get_by_role("button", name="Remove long.md").click()
        expect(visit.row("short.md").locator("[data-step=vectors]")).to_have_attribute(
            "data-state", "done", timeout=2 * LONG
        )
        visit.assert_quiet()
        context.close()
    finally:
        app.close()
