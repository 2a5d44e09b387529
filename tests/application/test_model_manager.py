"""The model with layers on a graphics card that is full, or where llama.cpp crashes: it is loaded and told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from localspec.application import model_manager
from localspec.application.model_manager import ModelManager, fit_sentence
from localspec.application.remembered import Choice, recall
from localspec.models.files.catalogue import DEFAULT_MODEL, NO_DRAFT
from localspec.models.fit.fitting import fit
from localspec.models.fit.memory import Room
from localspec.models.llama import LoadSettings
from localspec.ui import picker_markup
from tests.measurements import measurements
from tests.models.files.recommended import recommend
from tests.models.fit.test_fitting import DRAFT, TARGET, computer
from tests.models.test_offload import CARD, GIB, StandIn
from tests.ui.test_panel import Tags

ANY = LoadSettings(context=512, threads=1)


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """There is none here: the room is said to have one, and a script stands in for loads on it."""
    monkeypatch.setattr(model_manager, "measure_room", lambda: Room(64 * GIB, 64 * GIB, True, (CARD,)))
    return StandIn(tmp_path, monkeypatch)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelManager]:
    monkeypatch.setenv("LOCALSPEC_HOME", str(measurements.lend(tmp_path)))
    manager = ModelManager(lambda: None)
    yield manager
    manager.close()


def load(models: ModelManager, settings: LoadSettings) -> None:
    models.load("", settings, NO_DRAFT)
    settle(models)


def settle(models: ModelManager) -> None:
    until = time.monotonic() + 120
    while models.loading and time.monotonic() < until:
        time.sleep(0.02)
    assert not models.loading


def status(models: ModelManager) -> str:
    return Tags(picker_markup.status(models)).text


def problem(models: ModelManager) -> str:
    return str(models.error or "")


def loaded(models: ModelManager) -> LoadSettings | None:
    return models.engine.settings if models.engine is not None else None


@pytest.mark.slow
def test_a_card_that_is_full_or_crashes_costs_layers_only(models: ModelManager, card: StandIn) -> None:
    card.most = 20
    load(models, ANY)
    assert problem(models) == ""
    assert loaded(models) == LoadSettings(512, 1, 15)
    assert "The GPU (Card) is full: 15 of 30 layers are on the GPU" in status(models)
    assert models.used is not None
    assert models.used.gpu_layers == -1, "the next start tries it again"

    load(models, LoadSettings(512, 1, 25))
    assert "25 layers of smollm2-135m do not fit. Choose 12 GPU layers" in problem(models)
    assert loaded(models) == LoadSettings(512, 1, 15)

    card.end, card.most = "SIGSEGV", -1
    card.took = []
    load(models, LoadSettings(1024, 1))
    assert loaded(models) == LoadSettings(1024, 1, 0)
    assert "llama.cpp crashed with layers of smollm2-135m on the GPU (Card; SIGSEGV" in status(models)

    load(models, LoadSettings(512, 1, 0))
    assert models.offload_notice == ""
    assert "GPU" not in status(models)


def test_the_card_that_lacks_most_is_named() -> None:
    found = fit(TARGET, DRAFT, computer(64, 7, 1.2), gpu_layers=40)
    assert "on the GPU (Card 1.2), 1.2 GiB are available" in fit_sentence(found)


# -- where no model is named ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_better_model_is_loaded_once_it_is_here(models: ModelManager, tmp_path: Path) -> None:
    settings = LoadSettings(512, 1, 0)
    load(models, settings)
    assert (models.used or Choice()).model == DEFAULT_MODEL
    entry = recommend(tmp_path, here=True)
    load(models, settings)
    assert problem(models) == ""
    assert (models.used or Choice()).model == entry.name
    assert models.engine is not None
    assert models.engine.name == entry.name
    models.load("", settings, NO_DRAFT, keep=True)
    settle(models)
    assert recall() == Choice("", NO_DRAFT, 512, 0, 1), "a default is not remembered as if it had been chosen"


@pytest.mark.slow
def test_one_that_cannot_be_loaded_gives_way_to_the_packaged_one(models: ModelManager, tmp_path: Path) -> None:
    entry = recommend(tmp_path, here=True)
    with entry.path(tmp_path / "models").open("r+b") as file:
        file.seek(10)
        file.write(bytes(1000))
    load(models, LoadSettings(512, 1, 0))
    assert problem(models) == ""
    assert models.engine is not None
    assert models.engine.name == DEFAULT_MODEL
    assert models.notice.startswith(f"{entry.name} cannot be used: ")
    assert models.notice.endswith(f"{DEFAULT_MODEL} is loaded instead.")
