"""What was chosen for a model: notes that survive, and files that don't lie about."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from localspec.errors import ModelError
from localspec.models.llama import LoadSettings
from localspec.models.quantization import tuned
from localspec.models.quantization.tuned import Figures, Tuning
from localspec.models.quantization.turn_taking import DISTURBED

FINGERPRINT = "ab" * 32
SETTINGS = LoadSettings(threads=2, gpu_layers=0)
OWN = Figures("Q4_1", 1000, {1: 0.007, 2: 0.014}, 140.0, 0.0, 1.0, note="original")
WIDE = Figures("BF16", 3000, {1: 0.008, 2: 0.011}, 182.0, 0.0035, 0.966, 3500, "chosen", 1.3, 1.25, 1.34)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    return tmp_path


def made(**changes: object) -> Tuning:
    """A note with its file."""
    folder = tuned.folder_of(FINGERPRINT)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "BF16-BF16-BF16.gguf").write_bytes(b"x" * 3000)
    found = Tuning(
        "some", FINGERPRINT, tuned.device_key(SETTINGS), (OWN, WIDE), "BF16", "BF16-BF16-BF16.gguf", 3000, True
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def test_a_note_comes_back_for_its_device_and_file_only() -> None:
    assert tuned.read(FINGERPRINT, SETTINGS) is None
    found = made()
    tuned.write(found)
    assert tuned.read(FINGERPRINT, SETTINGS) == found
    assert tuned.read("cd" * 32, SETTINGS) is None
    assert tuned.read(FINGERPRINT, LoadSettings(threads=1, gpu_layers=0)) is None
    assert (found.original, found.best) == (OWN, WIDE)
    assert found.speedup == pytest.approx(1.3)
    assert found.spread == "1.25 to 1.34"
    assert found.path is not None
    assert found.path.stat().st_size == 3000


def test_a_note_of_an_older_version_is_used_and_promises_nothing() -> None:
    """It has no figures that were measured in turn."""
    tuned.write(made())
    (note,) = tuned.folder_of(FINGERPRINT).glob("*.json")
    stored = json.loads(note.read_text(encoding="utf-8"))
    for one in stored["figures"]:
        for name in ("gain", "least_gain", "most_gain"):
            del one[name]
    note.write_text(json.dumps(stored), encoding="utf-8")
    found = tuned.read(FINGERPRINT, SETTINGS)
    assert found is not None
    assert (found.in_use, found.chosen, found.path is not None) == (True, "BF16", True)
    assert (found.speedup, found.spread, found.best.times_as_fast, found.untold) == (0.0, "", "", None)


def test_what_could_not_be_told_is_no_choice() -> None:
    found = made(figures=(OWN, replace(WIDE, note=DISTURBED)), chosen="", file="")
    assert found.untold is not None
    assert found.untold.format == "BF16"
    assert (found.speedup, found.spread) == (1.0, "")


def test_use_and_back() -> None:
    tuned.write(made(in_use=False))
    found = tuned.use(made(), True)
    assert (found.in_use, found.decided) == (True, True)
    assert tuned.read(FINGERPRINT, SETTINGS) == found
    back = tuned.use(found, False)
    tuned.remove_file(back)
    assert back.path is None
    known = tuned.read(FINGERPRINT, SETTINGS)
    assert known is not None
    assert known.figures == (OWN, WIDE), "the figures stay"
    tuned.remove_file(back)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"version": 1}', b'{"version": 99}', b"\xff"])
def test_a_damaged_note_counts_as_none(content: bytes) -> None:
    tuned.write(made())
    (note,) = tuned.folder_of(FINGERPRINT).glob("*.json")
    note.write_bytes(content)
    assert tuned.read(FINGERPRINT, SETTINGS) is None
    tuned.clean(FINGERPRINT)


def test_a_note_cannot_name_a_file_elsewhere() -> None:
    tuned.write(made(file="../../other.gguf"))
    assert tuned.read(FINGERPRINT, SETTINGS) is None


def test_a_file_that_changed_is_not_used() -> None:
    found = made()
    tuned.write(found)
    assert found.path is not None
    found.path.write_bytes(b"x" * 2000)
    assert found.path is None


def test_leftovers_go_and_what_is_named_stays() -> None:
    found = made()
    tuned.write(found)
    folder = tuned.folder_of(FINGERPRINT)
    for name in ("work-F16.gguf", "work-F16.gguf.part", "F16-F16-F16.gguf", "BF16-BF16-BF16.gguf.part"):
        (folder / name).write_bytes(b"x")
    tuned.clean(FINGERPRINT)
    assert {path.name for path in folder.glob("*.gguf*")} == {"BF16-BF16-BF16.gguf"}
    assert tuned.read(FINGERPRINT, SETTINGS) == found


def test_one_tuning_at_a_time() -> None:
    with tuned.locked(FINGERPRINT), pytest.raises(ModelError, match="already being tuned"), tuned.locked(FINGERPRINT):
        raise AssertionError("two at a time")
    with tuned.locked(FINGERPRINT):
        pass


def test_a_folder_that_cannot_be_written(home: Path) -> None:
    (home / "models").mkdir()
    (home / "models" / ".tuned").write_text("no folder")
    with pytest.raises(ModelError, match="could not be written"), tuned.locked(FINGERPRINT):
        raise AssertionError("locked nothing")
    with pytest.raises(ModelError, match="could not be written"):
        tuned.write(Tuning("a", FINGERPRINT, "d", (OWN,), ""))
    assert tuned.read(FINGERPRINT, SETTINGS) is None
