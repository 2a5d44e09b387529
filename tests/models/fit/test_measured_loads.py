"""What loads took is kept for these files on these cards with this build, and for nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localspec.models.fit import measured_loads
from localspec.models.fit.device_split import MeasuredLoad
from localspec.models.fit.measured_loads import FILE, keep, read
from localspec.models.llama import Device

CARDS = (Device("Card", 10, 100), Device("Card", 5, 50))
LOAD = MeasuredLoad(4096, 12, (70, 30), (60, 40))


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    model, draft = tmp_path / "model.gguf", tmp_path / "draft.gguf"
    model.write_bytes(b"model")
    draft.write_bytes(b"draft")
    return model, draft


def test_what_is_kept_is_read_again(files: tuple[Path, Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert read(cache, *files, CARDS) == ()
    keep(cache, *files, CARDS, LOAD)
    busier = tuple(Device(card.name, 1, card.total) for card in CARDS)
    assert read(cache, *files, busier) == (LOAD,)
    assert [path.name for path in cache.iterdir()] == [FILE]


def test_a_newer_load_takes_the_place_of_one_with_the_same_settings(files: tuple[Path, Path], tmp_path: Path) -> None:
    newer = MeasuredLoad(4096, 12, (71, 31), (60, 40))
    other = MeasuredLoad(8192, 12, (80, 40), (60, 40))
    for load in (LOAD, other, newer):
        keep(tmp_path, *files, CARDS, load)
    assert read(tmp_path, *files, CARDS) == (newer, other)


def test_other_files_cards_and_builds_know_nothing_of_it(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, draft = files
    keep(tmp_path, model, draft, CARDS, LOAD)
    assert read(tmp_path, model, None, CARDS) == ()
    assert read(tmp_path, draft, draft, CARDS) == ()
    assert read(tmp_path, model, draft, CARDS[:1]) == ()
    with monkeypatch.context() as patch:
        patch.setattr(measured_loads, "library_version", lambda: "another")
        assert read(tmp_path, model, draft, CARDS) == ()
    status = model.stat()
    os.utime(model, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert read(tmp_path, model, draft, CARDS) == ()


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"x": 5}'])
def test_what_cannot_be_read_counts_as_nothing(content: bytes, files: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert read(tmp_path, *files, CARDS) == ()
    keep(tmp_path, *files, CARDS, LOAD)
    assert read(tmp_path, *files, CARDS) == (LOAD,)


@pytest.mark.parametrize("old, new", [("[\n", '[5, {"context": 3},'), ('"took"', '"tok"'), ("70,", "")])
def test_a_damaged_entry_is_left_out(old: str, new: str, files: tuple[Path, Path], tmp_path: Path) -> None:
    keep(tmp_path, *files, CARDS, LOAD)
    file = tmp_path / FILE
    file.write_text(file.read_text().replace(old, new, 1))
    assert read(tmp_path, *files, CARDS) == ((LOAD,) if "[5" in new else ())


def test_only_the_last_loads_are_kept(files: tuple[Path, Path], tmp_path: Path) -> None:
    for layers in range(30):
        keep(tmp_path, *files, CARDS, MeasuredLoad(512, layers, (1, 1), (1, 1)))
    assert [load.gpu_layers for load in read(tmp_path, *files, CARDS)] == list(range(29, 13, -1))


def test_a_folder_that_cannot_be_written_is_no_error(files: tuple[Path, Path], tmp_path: Path) -> None:
    occupied = tmp_path / "a file"
    occupied.write_text("no folder")
    keep(occupied, *files, CARDS, LOAD)
    assert read(occupied, *files, CARDS) == ()
