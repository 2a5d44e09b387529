"""The fields about models over a real application: they say what is loaded, and lose nothing. Without a browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import numpy as np
import pytest

from localspec.application.remembered import Choice
from localspec.application.state import Application
from localspec.errors import ModelError
from localspec.models.files.catalogue import AUTOMATIC, DEFAULT_MODEL, NO_DRAFT, SHIPPED_DRAFT, ModelEntry
from localspec.models.files.inventory import ModelInventory
from localspec.models.llama import LoadSettings
from localspec.ui import model_fields
from localspec.ui.model_fields import FIELDS, draft_choices, fields_of
from localspec.ui.model_part import ModelPart
from localspec.ui.part import Tick
from localspec.ui.picker_part import PickerPart
from tests.measurements import measurements
from tests.models.fit.test_memory import gguf
from tests.running import foreign_draft
from tests.ui.test_panel import Tags

SETTINGS = LoadSettings(512, 1, 0)
FOREIGN = "wide"
"""A model of the list with other tokens; its file has no weights, so that it cannot be loaded."""


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """One without a model; those that need one load it."""
    home = measurements.lend(tmp_path_factory.mktemp("home"))
    (home / "models").mkdir()
    gguf(
        home / "models" / f"{FOREIGN}.gguf", general__architecture="llama", llama__context_length=4096,
        llama__block_count=2, llama__embedding_length=64, llama__attention__head_count=2,
        tokenizer__ggml__tokens=["a", "b"], tokenizer__ggml__model="llama",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALSPEC_HOME", str(home))
        started = Application()
        yield started
        started.close()


class Tab:
    """A tab: what stands in its fields, and what it is told of the parts of the page."""

    def __init__(self, application: Application, key: str) -> None:
        self.part = ModelPart(application)
        self.request = cast("gr.Request", SimpleNamespace(session_hash=key))
        self.conversation = application.conversation(key)
        self.fields: list[Any] = list(fields_of(Choice(), [DEFAULT_MODEL]))
        self.told: dict[str, Any] = {}
        self._take(FIELDS, self.part.open(self.request, *self.fields))

    def _take(self, names: tuple[str, ...], updates: tuple[Any, ...]) -> None:
        for name, update in zip(names, updates, strict=True):
            values = update if isinstance(update, dict) else {"value": update}
            if "value" not in values:  # skipped
                continue
            if name in FIELDS:
                self.fields[FIELDS.index(name)] = values["value"]
            else:
                self.told[name] = values["value"]

    def look(self) -> None:
        """A tick."""
        tick = Tick(self.conversation, "auto")
        for part in (self.part, self.part.picker):
            part.tell(tick)
        tick.end()
        self._take(tuple(tick.updates), tuple(tick.updates.values()))

    def put(self, name: str, value: Any) -> None:
        """What stands in a field is changed by hand."""
        self.fields[FIELDS.index(name)] = value
        if name == "models":
            self._take(("model-file", "draft-status", "fit"), self.part.pick(self.request, *self.fields))
        elif name == "model-file":
            self._take(("models", "draft-status", "fit"), self.part.type_path(self.request, *self.fields))
        else:
            self._take(("draft-status", "fit"), self.part.look(self.request, *self.fields))

    def press(self, wanted: str) -> None:
        """A button inside markup."""
        self._take(self.part._answered, self.part.press(self.request, f"{wanted} 1 ", *self.fields))

    def field(self, name: str) -> Any:
        return self.fields[FIELDS.index(name)]

    def shows(self, name: str) -> str:
        return Tags(self.told.get(name, "")).text


def settled(application: Application) -> None:
    until = time.monotonic() + 120
    while application.models.loading or application.models.unloading:
        assert time.monotonic() < until
        time.sleep(0.02)


def loaded(application: Application) -> None:
    """The model that comes with the application is loaded, and nothing is wrong."""
    if application.models.loaded is None:
        application.models.load(DEFAULT_MODEL, SETTINGS, NO_DRAFT)
        settled(application)
    application.models.dismiss()
    assert application.models.error is None


# -- a path and the list -----------------------------------------------------------------------------------------------


def test_a_pasted_path_outlives_a_click_on_the_list(application: Application, tmp_path: Path) -> None:
    tab = Tab(application, "path")
    path = str(tmp_path / "some.gguf")
    tab.put("model-file", path)
    # A list that is left says what it held, or nothing, though nothing was picked.
    for clicked in (DEFAULT_MODEL, None, ""):
        tab.conversation.models.listed = clicked or ""
        tab.put("models", clicked)
        assert tab.field("model-file") == path
    tab.put("models", FOREIGN)
    assert tab.field("model-file") == "", "who picks another model means that one"
    assert tab.conversation.models.picked == Choice(FOREIGN)


def test_only_one_of_the_two_names_a_model(application: Application, tmp_path: Path) -> None:
    tab = Tab(application, "one")
    tab.put("model-file", str(tmp_path / "some.gguf"))
    assert tab.field("models") is None
    tab.put("models", FOREIGN)
    tab.put("model-file", "")
    assert tab.field("models") == FOREIGN
    tab.put("models", FOREIGN)
    assert tab.conversation.models.picked == Choice(FOREIGN)


# -- drafts -----------------------------------------------------------------------------------------------------------


def test_every_draft_can_be_picked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [ModelEntry(name, Path(f"{name}.gguf")) for name in ("own", "auto", "big", "own")]
    monkeypatch.setattr(model_fields, "drafts", lambda: found)
    assert draft_choices() == [("Automatic", "auto"), ("None", "none"), ("own", "own"), ("big", "big")]


def test_a_draft_is_judged_beside_the_model_that_is_picked(application: Application, tmp_path: Path) -> None:
    tab = Tab(application, "draft")
    tab.put("drafts", SHIPPED_DRAFT)
    assert f"{SHIPPED_DRAFT} fits {DEFAULT_MODEL}" in tab.shows("draft-status")
    tab.put("models", FOREIGN)
    assert "This draft model cannot be used" in tab.shows("draft-status"), "the verdict follows the model"
    tab.put("models", DEFAULT_MODEL)
    assert f"{SHIPPED_DRAFT} fits {DEFAULT_MODEL}" in tab.shows("draft-status")
    noise = tmp_path / "noise.gguf"
    noise.write_bytes(np.random.default_rng(1).bytes(4000))
    other = foreign_draft(tmp_path / "other.gguf")
    for wanted, words in ((str(noise), "noise.gguf"), (f'"{other}"', "cannot draft for"), ("no such", "no such")):
        tab.put("drafts", wanted)
        assert words in tab.shows("draft-status")
        assert 'data-draft="unfit"' in tab.told["draft-status"]
        assert "<b>" not in tab.told["draft-status"]
        tab.look()
        assert words in tab.shows("draft-status"), "a tick says the same"


@pytest.mark.slow
def test_a_draft_that_is_in_use_is_told_as_such(application: Application) -> None:
    loaded(application)
    tab = Tab(application, "used")
    tab.look()
    assert tab.field("drafts") == NO_DRAFT
    assert tab.shows("draft-status") == "No draft model is loaded."
    tab.put("drafts", AUTOMATIC)
    assert "to apply this" in tab.shows("draft-status")
    tab.put("drafts", NO_DRAFT)
    assert tab.shows("draft-status") == "No draft model is loaded."


# -- what is loaded ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_fields_follow_what_is_loaded(application: Application) -> None:
    application.models.dismiss()
    if application.models.loaded is not None:
        application.unload()
        settled(application)
    first, second, busy = (Tab(application, key) for key in ("first", "second", "busy"))
    busy.put("context", 2048)
    assert first.field("context") == 0
    application.models.load(DEFAULT_MODEL, LoadSettings(768, 1, 0), NO_DRAFT)
    settled(application)
    for tab in (first, second, busy):
        tab.look()
    for tab in (first, second):
        assert tab.fields == [DEFAULT_MODEL, "", NO_DRAFT, 768, 0, 1]
        assert tab.conversation.models.picked == application.models.used
    assert busy.field("context") == 2048, "what was changed by hand stays"


@pytest.mark.slow
def test_a_model_of_the_list_that_cannot_be_loaded_is_not_shown_as_if_it_were(application: Application) -> None:
    loaded(application)
    tab = Tab(application, "broken")
    tab.look()
    tab.put("models", FOREIGN)
    tab.look()
    assert tab.field("models") == FOREIGN
    tab.press(f"model:use={FOREIGN}")
    settled(application)
    tab.look()
    assert application.models.failed == FOREIGN
    assert tab.field("models") == DEFAULT_MODEL
    assert "The previous model is used again." in tab.shows("status")
    first = tab.told["picker"].index('aria-checked="true"')
    assert tab.told["picker"].count('aria-checked="true"') == 1
    assert tab.told["picker"].index('data-item="model smollm2&#45;135m"') > first
    # The list follows, the error stays until it is closed.
    tab.look()
    assert tab.field("models") == DEFAULT_MODEL
    tab.press("model:dismiss=")
    assert "used again" not in tab.shows("status")


@pytest.mark.slow
def test_an_error_goes_when_the_person_turns_to_another_model(application: Application, tmp_path: Path) -> None:
    loaded(application)
    tab = Tab(application, "error")
    noise = tmp_path / "noise.gguf"
    noise.write_bytes(b"\0" + np.random.default_rng(1).bytes(4000))
    tab.press(f"model:file={noise}")
    assert "noise.gguf" in tab.shows("status")
    assert tab.field("model-file") == str(noise)
    tab.look()
    assert "noise.gguf" in tab.shows("status")
    assert tab.field("model-file") == str(noise), "a path is there to be mended"
    tab.put("context", 1024)
    tab.look()
    assert "noise.gguf" in tab.shows("status"), "another setting is no other model"
    tab.put("models", DEFAULT_MODEL)
    tab.look()
    assert "noise.gguf" not in tab.shows("status")
    assert application.models.error is None


def test_an_error_of_a_load_under_way_stays(application: Application) -> None:
    models = application.models
    models.refuse(ModelError("no"), "one")
    told: list[None] = []
    models.changed = lambda: told.append(None)
    try:
        models.loading = "two"
        models.wanted("three")
        assert models.error is not None
        models.loading = ""
        models.wanted("one")
        assert (str(models.error), len(told)) == ("no", 0)
        models.wanted("three")
        assert (models.failed, len(told)) == ("", 1)
    finally:
        models.loading = ""
        models.changed = lambda: None


def test_a_closed_menu_looks_at_nothing(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    tab = Tab(application, "closed")
    tab.look()
    looks: list[None] = []
    picker: PickerPart = tab.part.picker

    def looked() -> ModelInventory:
        looks.append(None)
        return picker.folder.known()

    monkeypatch.setattr(picker.folder, "inventory", looked)
    before = picker.menu(tab.conversation)
    assert before == picker.menu(tab.conversation)
    assert looks == []
    picker.open(tab.conversation, True)
    picker.menu(tab.conversation)
    assert len(looks) == 1


def test_the_model_in_the_package_is_listed(application: Application) -> None:
    tab = Tab(application, "listed")
    tab.press("model:menu=open")
    assert tab.conversation.models.menu_open
    assert DEFAULT_MODEL in tab.shows("picker")
    tab.press("model:menu=closed")
    assert not tab.conversation.models.menu_open
