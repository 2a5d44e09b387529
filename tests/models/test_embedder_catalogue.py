"""Embedding models: which there are, and which one is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from localspec import config
from localspec.errors import SettingsError
from localspec.models.embedder import Embedder
from localspec.models.embedder_catalogue import available, built_in, catalogue, choose, chosen, embedder_entry


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    monkeypatch.delenv("LOCALSPEC_EMBEDDER", raising=False)
    return tmp_path


def own_model(name: str) -> None:
    folder = config.models_folder() / "embedders" / name
    folder.mkdir(parents=True)
    (folder / "modules.json").write_text("[]")


def test_the_built_in_model_is_used_until_another_is_chosen() -> None:
    assert chosen() == built_in()
    assert built_in().name == Embedder().name
    assert Embedder.chosen().languages == ("english",)
    own_model("my-own")
    assert [entry.name for entry in available()] == [*(entry.name for entry in catalogue()), "my-own"]
    assert choose("my-own").name == chosen().name == "my-own"
    made = Embedder.chosen()
    assert made.folder == config.models_folder() / "embedders" / "my-own"
    assert (made.languages, made.relevance) == ((), None)
    choose(built_in().name)
    assert chosen() == built_in()


def test_what_is_not_here_is_not_chosen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="embedders download multilingual-e5-small"):
        choose("multilingual-e5-small")
    with pytest.raises(SettingsError, match="BAAI/bge-m3"):
        choose("bge-m3")
    with pytest.raises(SettingsError, match="no embedding model called"):
        embedder_entry("nothing")
    own_model("multilingual-e5-small")
    choose("multilingual-e5-small")
    (home / "models" / "embedders" / "multilingual-e5-small" / "modules.json").unlink()
    assert chosen() == built_in(), "its folder is gone"
    (home / "stores" / "embedder.json").write_text("{")
    assert chosen() == built_in()
    monkeypatch.setenv("LOCALSPEC_EMBEDDER", "nothing")
    with pytest.raises(SettingsError, match="no embedding model called"):
        chosen()


def test_the_catalogue_says_what_a_person_needs_to_know() -> None:
    for entry in catalogue():
        assert entry.bytes > 10_000_000
        assert entry.licence in ("MIT", "Apache-2.0")
        assert entry.about.endswith(".")
        assert entry.is_built_in or entry.repository
        assert bool(entry.wheel) == (len(entry.sha256) == 64)
    e5 = embedder_entry("multilingual-e5-small")
    assert (e5.question, e5.passage) == ("query: ", "passage: ")
