"""What a choice of names takes, from the real files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from localspec.errors import ModelFileError
from localspec.models.choice import default_model, draft_for, fit_of
from localspec.models.files.catalogue import AUTOMATIC, DEFAULT_MODEL, NO_DRAFT, SHIPPED_DRAFT, resolve, resolve_draft
from localspec.models.fit.memory import Room, footprint, memory_report
from localspec.models.llama import LoadSettings
from tests.models.files.recommended import recommend
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


# -- what is loaded where no model is named ---------------------------------------------------------------------------


def test_the_packaged_model_is_the_default_until_the_better_one_is_here(home: Path) -> None:
    entry = recommend(home)
    assert default_model(lambda: ROOM) == default_model(lambda: Room(2**20, 2**20))
    assert (default_model(lambda: ROOM).name, default_model(lambda: ROOM).notice) == (DEFAULT_MODEL, "")
    path = entry.path(home / "models")
    path.parent.mkdir()
    path.write_bytes(b"GGUF, cut off")
    assert default_model(lambda: ROOM).name == DEFAULT_MODEL, "it is not whole"
    shutil.copy(resolve("").path, path)
    assert (default_model(lambda: ROOM).name, default_model(lambda: ROOM).notice) == (entry.name, "")
    assert resolve(entry.name).path == path


def test_the_better_one_must_fit_with_its_usual_context(home: Path) -> None:
    entry = recommend(home, here=True)
    enough = memory_report(footprint(entry)).needed
    assert default_model(lambda: Room(enough, 2**40)).name == entry.name, "a draft that is not here does not count"
    found = default_model(lambda: Room(enough - 2**20, 2**40))
    assert found.name == DEFAULT_MODEL
    assert f"{entry.name} does not fit" in found.notice
    assert f"{DEFAULT_MODEL} is loaded instead" in found.notice


def test_a_file_of_the_persons_own_of_that_name_is_no_default(home: Path) -> None:
    entry = recommend(home, here=True)
    shutil.copy(resolve("").path, home / "models" / f"{entry.name}.gguf")
    assert default_model(lambda: ROOM).name == DEFAULT_MODEL


def test_a_draft_that_nobody_asked_for_gives_way_where_memory_is_short() -> None:
    target, draft = footprint(resolve("")), footprint(resolve_draft(SHIPPED_DRAFT))
    alone = fit_of("", NO_DRAFT, LoadSettings(), ROOM, embedder=False)
    short = Room(alone.report.needed + draft.file_bytes // 2, 2**40)
    found = fit_of("", AUTOMATIC, LoadSettings(), short, embedder=False)
    assert (found.draft, found.gave_way, found.context) == (None, draft.name, alone.context)
    wanted = fit_of("", SHIPPED_DRAFT, LoadSettings(), short, embedder=False)
    assert (wanted.draft, wanted.gave_way) == (draft, "")
    assert found.target == target
