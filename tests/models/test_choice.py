"""What a choice of names takes, from the real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from localspec.errors import ModelFileError
from localspec.models.choice import draft_for, fit_of
from localspec.models.files.catalogue import AUTOMATIC, DEFAULT_MODEL, NO_DRAFT, SHIPPED_DRAFT, resolve, resolve_draft
from localspec.models.fit.memory import Room, footprint
from localspec.models.llama import LoadSettings
from tests.running import foreign_draft

ROOM = Room(2**40, 2**40)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    return tmp_path


def test_target_and_draft_are_those_that_are_loaded() -> None:
    found = fit_of("", AUTOMATIC, LoadSettings(context=1024), ROOM)
    assert found.target == footprint(resolve(""))
    assert found.draft == footprint(resolve_draft(SHIPPED_DRAFT))
    assert (found.context, found.fits) == (1024, True)
    alone = fit_of(DEFAULT_MODEL, NO_DRAFT, LoadSettings(context=1024), ROOM)
    assert alone.draft is None
    assert alone.report.needed < found.report.needed


def test_a_draft_that_belongs_to_another_model_is_not_counted(home: Path) -> None:
    target = resolve("")
    noise = home / "noise.gguf"
    noise.write_bytes(np.random.default_rng(1).bytes(4000))
    for unfit in (str(foreign_draft(home / "other.gguf")), str(noise), "no such"):
        assert draft_for(target, unfit) is None
    assert draft_for(target, DEFAULT_MODEL) == footprint(target)


def test_a_model_that_is_not_there_or_tells_nothing(home: Path) -> None:
    (home / "noise.gguf").write_bytes(np.random.default_rng(1).bytes(4000))
    for name in ("absent.gguf", "absent", str(home / "noise.gguf")):
        with pytest.raises(ModelFileError):
            fit_of(name, AUTOMATIC, LoadSettings(), ROOM)
