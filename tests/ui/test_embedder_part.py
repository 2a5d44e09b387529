"""The choice of the embedding model: what is offered, asked, fetched from an index on 127.0.0.1, and used."""

from __future__ import annotations

import hashlib
import html
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from localspec import config
from localspec.application.conversation import Conversation
from localspec.application.state import Application
from localspec.errors import LibraryInUseError, SettingsError
from localspec.models.embedder_catalogue import built_in, chosen, embedder_entry, multilingual
from localspec.models.files import package_index
from localspec.ui import library_markup
from localspec.ui.embedder_markup import EmbedderQuestion, EmbedderState, embedders
from localspec.ui.embedder_part import EmbedderPart
from tests.models.files.index import VERSION, Index, index_settings, running_index, use_index
from tests.models.test_packed_embedder import packed_model
from tests.running import RunningApp
from tests.ui.test_browser import Visit
from tests.ui.test_panel import HOSTILE, Tags

NAME, TITLE = "tiny", "A tiny one"
PATIENCE = 60.0


def put_model(index: Index, home: Path) -> None:
    """Have a model in the index, and in the person's own catalogue."""
    (home / "models").mkdir(parents=True, exist_ok=True)
    packed_model(home / "packed.bin")
    content = (home / "packed.bin").read_bytes()
    index.put("tiny-embedder", {"tiny_embedder/model.bin": content})
    (home / "models" / "embedders.toml").write_text(
        f'[[embedder]]\nname = "{NAME}"\ntitle = "{TITLE}"\nabout = "For tests."\nbytes = 300_000\nlicence = "MIT"\n'
        f'wheel = "tiny-embedder=={VERSION}"\npacked = "tiny_embedder/model.bin"\n'
        f"packed_bytes = {len(content)}\nwheel_bytes = {2 * len(content)}\n"
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"\nnear = 0.9\n',
        encoding="utf-8",
    )


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Index]:
    with running_index() as started:
        monkeypatch.setattr(package_index, "_WAITS", (0.0,))
        monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
        monkeypatch.delenv("LOCALSPEC_EMBEDDER", raising=False)
        use_index(started, monkeypatch, tmp_path)
        put_model(started, tmp_path)
        yield started


@pytest.fixture
def application(index: Index) -> Iterator[Application]:
    made = Application()
    yield made
    index.go_on.set()
    made.close()


class Shown:
    """The part, as one tab sees it."""

    def __init__(self, application: Application) -> None:
        self.part = EmbedderPart(application)
        self.conversation = Conversation()

    @property
    def page(self) -> str:
        return self.part.shown(self.conversation)

    @property
    def text(self) -> str:
        return Tags(self.page).text

    def press(self, action: str) -> None:
        """One of its buttons, which must be there."""
        assert f"embedder:{action}={NAME}" in self.page, self.page
        self.part.act(self.conversation, action, NAME)

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end, self.page
            time.sleep(0.02)


def test_it_is_downloaded_asked_about_and_used(index: Index, application: Application) -> None:
    shown = Shown(application)
    assert "Embedding model: all-MiniLM-L6-v2" in shown.text
    for words in ("multilingual-e5-small", "91 MB download, 471 MB on disk", "huggingface.co/BAAI/bge-m3"):
        assert words in shown.text
    assert "<details" in shown.page
    assert " open>" not in shown.page
    shown.press("ask")
    assert "from the Python package index" in shown.text
    assert "Licence: MIT" in shown.text
    assert index.fetched == [], "nothing is sent before the person says so"
    shown.press("not")
    assert "Yes" not in shown.text
    shown.press("ask")
    index.hold_at = "tiny-embedder"
    shown.press("get")
    assert index.held.wait(PATIENCE)
    shown.until(lambda: 'data-state="running"' in shown.page)
    shown.press("stop")
    shown.until(lambda: 'data-state="stopped"' in shown.page)
    index.hold_at = ""
    index.go_on.set()
    shown.press("get")
    shown.until(lambda: 'data-state="done"' in shown.page)
    assert embedder_entry(NAME).is_here
    shown.press("use")
    assert "There are no documents to embed again." in shown.text
    shown.press("use-now")
    assert f"Embedding model: {TITLE}" in shown.text
    assert chosen().name == application.libraries.embedder.entry.name == NAME
    assert application.endpoint._vectors.embedder is application.libraries.embedder
    assert application.downloads.states() == []


def test_what_failed_is_told(index: Index, application: Application) -> None:
    index.wheels = {}
    shown = Shown(application)
    shown.press("ask")
    shown.press("get")
    shown.until(lambda: 'data-state="failed"' in shown.page)
    assert f"The Python package index has no tiny-embedder=={VERSION}" in shown.text
    shown.press("close")
    assert 'data-state="failed"' not in shown.page


def test_no_other_one_while_an_answer_is_written(
    index: Index, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Shown(application)
    shown.press("ask")
    shown.press("get")
    shown.until(lambda: 'data-state="done"' in shown.page)
    with application.libraries.question("documents"), pytest.raises(LibraryInUseError, match="embedding model"):
        application.use_embedder(NAME)
    assert chosen() == built_in()
    monkeypatch.setenv("LOCALSPEC_EMBEDDER", built_in().name)
    with pytest.raises(SettingsError, match="LOCALSPEC_EMBEDDER"):
        application.use_embedder(NAME)
    assert application.libraries.embedder.entry == built_in()


def test_a_press_that_was_not_asked_about_does_nothing(application: Application) -> None:
    part, conversation = EmbedderPart(application), Conversation()
    part.act(conversation, "use-now", NAME)
    assert application.libraries.embedder.entry == built_in()
    with pytest.raises(SettingsError):
        part.act(conversation, "ask", "../nothing")


def test_too_little_room_is_told_before() -> None:
    entry = embedder_entry("multilingual-e5-small")
    state = EmbedderState(entry, used=False, here=False, arrived=0, under_way=False)
    drawn = embedders([state], [], EmbedderQuestion("get", entry.name, 10**8, enough=False))
    assert "471 MB are needed, 100 MB are free" in Tags(drawn).text
    assert "embedder:get" not in drawn


def test_a_name_from_a_folder_is_escaped() -> None:
    entry = type(built_in())(HOSTILE, HOSTILE)
    drawn = embedders([EmbedderState(entry, used=True, here=True, arrived=0, under_way=False)], [], None)
    assert "<img" not in drawn
    assert "<script" not in drawn


def test_documents_in_other_languages_are_told_with_a_way_out() -> None:
    offer = multilingual()
    assert offer is not None
    drawn = library_markup.foreign({"Anleitung.txt": "german"}, ("english",), offer)
    assert "Found by words only" in Tags(drawn).text
    assert "Anleitung.txt (German)" in Tags(drawn).text
    assert f"embedder:ask={offer.name}" in drawn
    assert "python -m" not in html.unescape(drawn)
    assert library_markup.foreign({}, ("english",), offer) == ""


def test_an_own_catalogue_that_is_damaged_is_left_aside(index: Index, tmp_path: Path) -> None:
    file = config.models_folder() / "embedders.toml"
    for text in ("[[embedder", '[[embedder]]\nname = "../up"', '[[embedder]]\nname = "x"\nwheel = "-r evil"', "a = 1"):
        file.write_text(text)
        with pytest.raises(SettingsError):
            embedder_entry(NAME)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningApp, Index]]:
    home = tmp_path_factory.mktemp("embedders")
    with running_index() as index:
        put_model(index, home)
        started = RunningApp(home, extra={**index_settings(index, home), "LOCALSPEC_EMBEDDER": "", "BROWSER": "true"})
        started.wait_until_served()
        yield started, index
        started.close()


@pytest.mark.browser
def test_it_is_chosen_on_the_page(browser: Browser, app: tuple[RunningApp, Index], tmp_path: Path) -> None:
    """A German document is told to be found by words only; the way out is followed to its end."""
    running, _ = app
    context: BrowserContext = browser.new_context(viewport={"width": 1280, "height": 900})
    visit = Visit(context, running)
    page = visit.page
    (tmp_path / "Leuchtturm.txt").write_text(
        "Der Leuchtturm wurde im Jahr 1874 gebaut. Die Lampe muss jeden Morgen mit einem weichen Tuch gereinigt"
        " werden, weil der Film der Seife das Licht streut.\n\n" * 6,
        encoding="utf-8",
    )
    visit.drop(tmp_path / "Leuchtturm.txt")
    visit.ask("Wann wurde er gebaut?")
    expect(page.locator("li.document.ready")).to_have_count(1)
    expect(page.locator(".foreign")).to_contain_text("Leuchtturm.txt (German)")
    part = page.locator("#embedders")
    expect(part.locator("details")).not_to_have_attribute("open", "")
    visit.open_settings("documents")
    page.locator(".foreign button").click()
    expect(part).to_contain_text("Download 91 MB from the Python package index")
    part.get_by_role("button", name="Cancel").click()
    expect(part.locator(".asked")).to_have_count(0)
    part.locator("summary").click()
    row = part.locator(f'[data-embedder="{NAME}"]')
    row.get_by_role("button", name="Download").click()
    row.get_by_role("button", name="Download now").click()
    expect(part.locator(".download[data-state=done]")).to_have_count(1)
    part.locator(".download").get_by_role("button", name="Use").click()
    expect(row).to_contain_text("of 1 library are embedded again")
    row.get_by_role("button", name="Use now").click()
    expect(part.locator("summary")).to_have_text(f"Embedding model: {TITLE}")
    expect(page.locator(".foreign")).to_have_count(0)
    expect(page.locator("li.document.ready")).to_have_count(1)
    visit.ask("Wann wurde der Leuchtturm gebaut?")
    assert visit.problems == []
    context.close()
