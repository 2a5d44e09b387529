"""What tabs show of what was chosen: at their opening, and when it was chosen in another one. Without a browser."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest

from localspec.application.chats import Chat, Exchange
from localspec.application.conversation import Conversation
from localspec.application.model_manager import ModelManager
from localspec.application.preferences import NAMES, Chosen
from localspec.application.state import Application
from localspec.chat.sampling_presets import SETTINGS
from localspec.models.llama.sampling import SamplingSettings
from localspec.stores.library import DocumentInfo
from localspec.ui.first_page import with_look
from localspec.ui.options import ALL, NONE, PASSAGES
from localspec.ui.page import Page
from localspec.ui.part import Tick
from localspec.ui.settings_part import explain


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Page:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    page = Page(Application())
    with gr.Blocks() as blocks:
        page.build()
        page.connect(blocks)
    return page


def tab(page: Page, key: str) -> Conversation:
    """One that was opened."""
    conversation = page.application.conversation(key)
    page.opening(conversation)
    return conversation


def told(page: Page, conversation: Conversation) -> dict[str, Any]:
    tick = Tick(conversation, "auto")
    for part in (page.method, page.reading, page.sampling, page.look):
        part.tell(tick)
    tick.end()
    return {name: update["value"] for name, update in tick.updates.items() if "value" in (update or ())}


def keep(page: Page, name: str, value: object, key: str) -> None:
    """What the page's handlers do."""
    part = next(part for part in page.parts if name in part.named)
    part._kept._keeper(name)(value, SimpleNamespace(session_hash=key))  # type: ignore[attr-defined]


def test_every_preference_has_a_field_or_a_script(page: Page) -> None:
    page.application.preferences.update(method="plain", sampling="", read="none", theme="dark", rows=2)
    wanted = page.opening(page.application.new_conversation())
    explained = wanted.pop("method-explained")["value"]
    assert {*NAMES} - {"chats", "panel", "library", "tab"} == {*wanted}
    assert {*page._opened} == {*wanted, "method-explained"}
    values = {name: props["value"] for name, props in wanted.items()}
    assert Chosen(**values) == page.application.preferences.chosen
    assert explained == explain("plain")


def test_other_tabs_follow_once(page: Page) -> None:
    here, there = tab(page, "here"), tab(page, "there")
    told(page, here)
    told(page, there)
    keep(page, "rows", 3, "here")
    keep(page, "theme", "dark", "here")
    assert told(page, here) == {}
    assert told(page, there) == {"rows": 3, "theme": "dark"}
    assert told(page, there) == {}


def test_nobody_types_against_another_tab(page: Page) -> None:
    tab(page, "here")
    there = tab(page, "there")
    told(page, there)
    there.typing = "max_tokens"
    keep(page, "max_tokens", 60, "here")
    keep(page, "max_tokens", None, "there")  # the field is empty while somebody types
    assert told(page, there) == {}
    there.typing = ""
    assert told(page, there) == {"max_tokens": 60}
    # Leaving a field that another tab has changed meanwhile changes nothing.
    there.typing = "seed"
    keep(page, "seed", "7", "here")
    keep(page, "seed", "", "there")
    assert page.application.preferences.chosen.seed == "7"


def test_another_library_leaves_what_is_typed_alone(page: Page) -> None:
    here = tab(page, "here")
    keep(page, "max_tokens", 60, "here")
    under_way = Tick(here, "auto")
    page.sampling.tell(under_way)
    here.use_library("another")
    assert {*told(page, here)} == {"read"}
    # What is typed while a tick is under way to the page, and is sent the moment after, stays.
    keep(page, "rows", 5, "here")
    under_way.end()
    assert told(page, here) == {}


def test_what_is_recommended_is_not_told_again_to_a_tab_that_was_opened_with_it(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tab(page, "before the model was there")
    sampling = SamplingSettings(temperature=0.25)
    model = SimpleNamespace(name="one.gguf", recommended=SimpleNamespace(sampling=sampling))
    monkeypatch.setattr(ModelManager, "engine", model)
    here = page.application.conversation("here")
    opened = page.sampling.opening(here)
    assert {name: opened[name]["value"] for name in SETTINGS} == {name: getattr(sampling, name) for name in SETTINGS}
    for conversation, changed in ((here, False), (before, True)):
        tick = Tick(conversation, "auto")
        page.sampling.tell(tick)
        assert ({*SETTINGS} <= {*tick.updates}) is changed


def test_a_preset_of_one_tab_is_that_of_all(page: Page) -> None:
    request: Any = SimpleNamespace(session_hash="here")
    here, there = tab(page, "here"), tab(page, "there")
    told(page, here)
    told(page, there)
    page.sampling.presets.pick("Creative", request)
    assert (here.own_sampling, there.own_sampling) == (True, False)
    assert told(page, here) == {}
    following = told(page, there)
    assert (following["sampling"], following["temperature"], there.own_sampling) == ("Creative", 1.1, True)
    assert tab(page, "new").own_sampling
    page.sampling.presets.pick("Recommended", request)
    assert told(page, there) == {"sampling": "Recommended"}
    assert not there.own_sampling


def test_new_chats_go_without_documents_where_that_was_chosen_last(page: Page) -> None:
    here, there = tab(page, "here"), tab(page, "there")
    told(page, here)
    told(page, there)
    page.reading.set_read(NONE, SimpleNamespace(session_hash="here"))  # type: ignore[arg-type]
    assert here.chat.without_documents
    assert told(page, there)["read"] == NONE, "nothing was asked in it yet"
    old = Chat(7, exchanges=[Exchange("Why?")])
    there.show(old)
    assert told(page, there)["read"] == PASSAGES
    assert not old.without_documents, "a chat keeps its own"
    there.show(Chat())
    assert told(page, there)["read"] == NONE
    assert page.opening(page.application.new_conversation())["read"]["value"] == NONE


def test_a_document_read_whole_falls_back_to_the_best_passages(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    info: Any = SimpleNamespace(id=3, name="a.pdf", status="ready", tokens=9)
    infos: list[DocumentInfo] = [info]
    library = SimpleNamespace(documents=lambda: infos)
    monkeypatch.setattr(page.application.libraries, "opened", lambda name: library)
    here = tab(page, "here")
    page.reading.set_read("3 documents", SimpleNamespace(session_hash="here"))  # type: ignore[arg-type]
    assert page.opening(page.application.new_conversation())["read"]["value"] == "3 documents"
    told(page, here)
    infos.clear()
    assert told(page, here)["read"] == PASSAGES
    infos += [info, info]
    here.use_library("letters")
    assert told(page, here)["read"] == PASSAGES
    page.reading.set_read(ALL, SimpleNamespace(session_hash="here"))  # type: ignore[arg-type]
    here.use_library("documents")
    assert told(page, here)["read"] == ALL


def test_what_scripts_keep_is_checked(page: Page) -> None:
    request = cast("gr.Request", SimpleNamespace(session_hash="here"))
    for sent in ("", "x", "[1]", "[" * 100_000, '{"theme": "dark", "chats": 3, "tab": ["x"], "method": "plain"}'):
        page.look.keep(sent, request)
    assert page.application.preferences.chosen == Chosen()
    page.look.keep('{"count": 1, "chats": false, "panel": true, "tab": "look"}', request)
    assert page.application.preferences.chosen == Chosen(chats=False, panel=True, tab="look")


def test_the_page_begins_with_its_look() -> None:
    page = with_look(b'<!doctype html><html\n lang="en"><head><title>', "go()", Chosen(theme="dark", chats=False))
    found = re.search(
        r'<html data-theme="dark" data-chats="closed" data-panel="closed" data-tab=""\n lang="en">', page.decode()
    )
    assert found
    assert b"<script>go()</script><title>" in page


def test_a_check_brings_again_what_did_not_come(page: Page) -> None:
    here = tab(page, "here")
    assert page.check(here, "here") is None, "a tab that has not looked yet is to look"
    here.opened = True
    page._tick(here, "here").end()
    assert page.check(here, "here") == {}
    first = page.check(here, "here", again=["panel"])
    assert first is not None
    assert {*first} == {"panel"}
    everything = page.check(here, "here", again=["*"])
    assert everything is not None
    assert {"panel", "chats", "status"} < {*everything} <= {*page._elements.values()}
    # What the page could not draw is Gradio's to draw: the look that follows tells it.
    assert page.check(here, "here", missed=["panel"]) is None
    assert {*page._tick(here, "here").updates} == {"panel"}
