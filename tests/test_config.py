"""Where things are kept, and what the person's own environment decides."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from localspec import config

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "TOKENIZERS_PARALLELISM": "false",
}


def test_the_environment_moves_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "somewhere" / "else"
    monkeypatch.setenv("LOCALSPEC_HOME", str(target))
    assert config.home() == target.resolve()
    assert not target.exists(), "asking where it is makes nothing"
    assert config.models_folder() == target.resolve() / "models"
    assert config.stores_folder() == target.resolve() / "stores"
    assert config.cache_folder().parent == config.stores_folder()
    assert (target / "models").is_dir()
    assert config.cache_folder().is_dir()
    assert config.models_folder().is_dir(), "a second time is no error"


def test_the_tilde_and_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("LOCALSPEC_HOME", "~/chats")
    assert config.home() == (tmp_path / "chats").resolve()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCALSPEC_HOME", "chats")
    assert config.home() == (tmp_path / "chats").resolve()


@pytest.mark.parametrize("empty", [True, False])
def test_without_it_the_checkout_is_home(monkeypatch: pytest.MonkeyPatch, empty: bool) -> None:
    if empty:
        monkeypatch.setenv("LOCALSPEC_HOME", "")
    else:
        monkeypatch.delenv("LOCALSPEC_HOME", raising=False)
    assert config.home() == Path(__file__).resolve().parents[1]


def test_offline_unless_the_person_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OFFLINE:
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    config.go_offline()
    assert {name: os.environ.get(name) for name in OFFLINE} == OFFLINE
    for name in OFFLINE:
        monkeypatch.setenv(name, "chosen")
    config.go_offline()
    assert {os.environ[name] for name in OFFLINE} == {"chosen"}


def test_threads_are_cores() -> None:
    assert 1 <= config.default_threads() <= max(1, psutil.cpu_count(logical=True) or 1)
