"""Which models there are, and what a name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from localspec.errors import ModelFileError
from localspec.models.catalogue import DEFAULT_MODEL, available, resolve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of models as people leave it."""
    models = tmp_path / "models"
    (models / "nested").mkdir(parents=True)
    for name in ("b.gguf", "a-q4.gguf", "nested/c.gguf", "readme.txt", "d.gguf.part"):
        (models / name).write_bytes(b"x" * 10)
    (models / "folder.gguf").mkdir()
    return models


def test_the_shipped_model_comes_first(folder: Path) -> None:
    entries = available(folder)
    assert [entry.name for entry in entries] == [DEFAULT_MODEL, "a-q4", "b", "nested/c"]
    assert [entry.bytes for entry in entries[1:]] == [10, 10, 10]
    assert entries[0].bytes > 50_000_000
    with entries[0].path.open("rb") as file:
        assert file.read(4) == b"GGUF"


def test_the_folder_is_the_persons(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSPEC_HOME", str(folder.parent))
    assert [entry.name for entry in available()] == [entry.name for entry in available(folder)]
    assert resolve("b").path == (folder / "b.gguf").resolve()


@pytest.mark.parametrize(
    ("wanted", "file"),
    [
        ("b", "b.gguf"),
        ("b.gguf", "b.gguf"),
        ("nested/c", "nested/c.gguf"),
        ("c", "nested/c.gguf"),
        ("c.gguf", "nested/c.gguf"),
        ("a-q4", "a-q4.gguf"),
    ],
)
def test_names_and_file_names(folder: Path, wanted: str, file: str) -> None:
    assert resolve(wanted, folder).path == folder / file


def test_no_name_is_the_shipped_model(folder: Path) -> None:
    assert resolve("", folder) == resolve(DEFAULT_MODEL, folder) == available(folder)[0]


def test_a_path_outside_the_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(b"y")
    assert resolve(str(other), folder).path == other.resolve()
    monkeypatch.chdir(tmp_path)
    assert resolve("other.gguf", folder).path == other.resolve()
    assert resolve("./other.gguf", folder).name == "other"
    # A path that ends like a model is taken at its word: loading it says that it does not exist.
    assert resolve("absent.gguf", folder).path == (tmp_path / "absent.gguf").resolve()


@pytest.mark.parametrize("wanted", ["absent", "B", "nested", "x" * 5000])
def test_unknown_names_list_what_there_is(folder: Path, wanted: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        resolve(wanted, folder)
    for name in (DEFAULT_MODEL, "a-q4", "b", "nested/c"):
        assert name in caught.value.message
    assert str(folder) in caught.value.advice
