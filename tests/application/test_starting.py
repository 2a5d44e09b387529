"""Which model a start loads: what was remembered, what the command line says, and what is left where files are gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from localspec.application import starting
from localspec.application.remembered import FILE, Choice, keep, recall
from localspec.application.starting import Start
from localspec.config import cache_folder
from localspec.models.files.catalogue import AUTOMATIC, DEFAULT_MODEL, NO_DRAFT, resolve
from localspec.models.fit.memory import Room
from tests.models.files.recommended import recommend


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path


@pytest.fixture
def own(home: Path) -> str:
    """A model in the folder, by its name."""
    shutil.copy(resolve("").path, home / "models" / "own.gguf")
    return "own"


def test_a_choice_is_kept_and_recalled() -> None:
    assert recall() is None
    choice = Choice("Größe.gguf", NO_DRAFT, 2048, 12, 3)
    keep(choice)
    assert recall() == choice
    keep(Choice())
    assert recall() == Choice()
    assert [path.name for path in cache_folder().iterdir()] == [FILE]


DAMAGED = ("", "{", "[]", '"x"', '{"model": 5}', '{"context": true}', '{"context": "1"}', '{"else": 1}', "[" * 60_000)


@pytest.mark.parametrize("stored", DAMAGED)
def test_what_is_no_choice_counts_as_none(stored: str) -> None:
    (cache_folder() / FILE).write_text(stored, encoding="utf-8")
    assert recall() is None
    assert Start().choice == Choice()


def test_the_last_choice_is_loaded(own: str) -> None:
    last = Choice(own, NO_DRAFT, 1024, 0, 1)
    keep(last)
    start = Start()
    assert (start.choice, start.notice) == (last, "")


def test_options_win(own: str) -> None:
    keep(Choice(own, NO_DRAFT, 1024, 0, 1))
    assert Start(context=512).choice == Choice(own, NO_DRAFT, 512, 0, 1)
    assert Start(model=own, draft=AUTOMATIC).choice == Choice(own, AUTOMATIC, 1024, 0, 1)
    assert Start(model="").choice == Choice(""), "another model: nothing else of the last choice counts"
    assert Start(model="gone.gguf", threads=2).choice == Choice("gone.gguf", threads=2), "loading it says what is wrong"
    assert recall() == Choice(own, NO_DRAFT, 1024, 0, 1), "they are for this start only"


def test_a_model_that_is_gone_gives_way_to_the_default_one(own: str, home: Path) -> None:
    keep(Choice(own, NO_DRAFT, 1024, 0, 1))
    (home / "models" / "own.gguf").unlink()
    start = Start()
    assert start.choice == Choice()
    assert "own, used last time, cannot be used" in start.notice
    assert "The default model is loaded instead." in start.notice


def test_a_draft_that_is_gone_gives_way_to_the_automatic_one(own: str, home: Path) -> None:
    draft = home / "small.gguf"
    keep(Choice(own, str(draft), 1024, 0, 1))
    start = Start()
    assert start.choice == Choice(own, AUTOMATIC, 1024, 0, 1)
    assert "small.gguf" in start.notice


def test_one_that_does_not_fit_today_is_not_tried(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(Choice(own, context=8192))
    monkeypatch.setattr(starting, "measure_room", lambda: Room(2**20, 2**20))
    start = Start()
    assert start.choice == Choice()
    assert "own does not fit: it needs about" in start.notice


def test_the_better_model_is_the_default_once_it_is_here(own: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = recommend(home, here=True)
    monkeypatch.setattr(starting, "measure_room", lambda: Room(2**40, 2**40))
    assert Start().choice == Choice(entry.name)
    assert Start(threads=2).choice == Choice(entry.name, threads=2)
    assert recall() is None, "a default is not remembered as if it had been chosen"
    keep(Choice(own))
    assert Start().choice == Choice(own), "who chose a model keeps it"
    keep(Choice(DEFAULT_MODEL))
    assert Start().choice == Choice(DEFAULT_MODEL)
