"""What lies in the folder of models: real files, whole, damaged, foreign and in parts."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from localspec.config import cache_folder
from localspec.errors import ModelFileError
from localspec.models.files.catalogue import DEFAULT_MODEL, SHIPPED_DRAFT, available, resolve
from localspec.models.files.check import check, failures
from localspec.models.files.header import parts_of, read_places
from localspec.models.files.inventory import ModelInventory, look_through, problem_of
from localspec.models.fit.memory import footprint
from tests.models.gguf import with_architecture, write
from tests.models.tiny import header


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    models = tmp_path / "models"
    models.mkdir()
    return models


def problems(inventory: ModelInventory) -> dict[str, str]:
    return {one.name: one.problem for one in inventory.unusable}


def test_an_empty_folder(folder: Path) -> None:
    inventory = look_through()
    assert [entry.name for entry in inventory.models] == [DEFAULT_MODEL]
    assert [entry.name for entry in inventory.drafts] == [SHIPPED_DRAFT, DEFAULT_MODEL]
    assert inventory.unusable == ()


def test_folders_that_come_and_go_meanwhile_are_no_error(folder: Path) -> None:
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            inner = folder / "tiny" / ".pieces-x" / "wheels"
            inner.mkdir(parents=True)
            shutil.rmtree(folder / "tiny")

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(150):
            look_through()
    finally:
        over.set()
        worker.join()


def test_what_cannot_be_used_is_listed_with_the_reason(folder: Path, model_path: Path) -> None:
    data = model_path.read_bytes()
    (folder / "sub").mkdir()
    shutil.copy(model_path, folder / "good.gguf")
    write(folder / "sub" / "short.gguf", data[:-100])
    write(folder / "head.gguf", data[:50_000])
    write(folder / "empty.gguf", b"")
    write(folder / "noise.gguf", b"\0" + np.random.default_rng(1).bytes(4000))
    write(folder / "page.gguf", b"<!DOCTYPE html><html>")
    write(folder / "eyes.gguf", with_architecture(data, "clip"))
    write(folder / "weights.safetensors", (100).to_bytes(8, "little") + b'{"a": 1}')
    write(folder / "renamed.bin", data)
    write(folder / "notes.txt", b"not a model, and nobody takes it for one")
    write(folder / ".hidden.bin", b"x")
    found = look_through()
    assert [entry.name for entry in found.models] == [DEFAULT_MODEL, "good"]
    told = problems(found)
    assert set(told) == {
        "sub/short.gguf", "head.gguf", "empty.gguf", "noise.gguf", "page.gguf", "eyes.gguf", "weights.safetensors",
        "renamed.bin",
    }  # fmt: skip
    for name, words in {
        "sub/short.gguf": "cut off: at least 100 bytes are missing",
        "head.gguf": "damaged (it is cut off)",
        "empty.gguf": "is empty",
        "noise.gguf": "not a GGUF file",
        "page.gguf": "a web page",
        "eyes.gguf": "not a model that writes text (clip)",
        "weights.safetensors": "safetensors",
        "renamed.bin": "Rename it",
    }.items():
        assert words in told[name], told[name]


def test_what_did_not_pass_when_it_was_loaded_stays_listed_until_it_changes(folder: Path, model_path: Path) -> None:
    strange = write(folder / "strange.gguf", with_architecture(model_path.read_bytes(), "nonsense"))
    assert not problems(look_through()), "its header is sound: only loading tells"
    with pytest.raises(ModelFileError, match="does not know the architecture nonsense"):
        check(strange, cache_folder())
    assert "nonsense" in problems(look_through())["strange.gguf"]
    assert "nonsense" in failures(cache_folder())(strange)
    with pytest.raises(ModelFileError, match="nonsense"):
        check(strange, cache_folder())  # it is tried again, not refused for what was
    shutil.copy(model_path, strange)
    inventory = look_through()
    assert not inventory.unusable
    assert "strange" in [entry.name for entry in inventory.models]


def test_a_model_in_several_files_stands_once(folder: Path, model_path: Path) -> None:
    first, second = (folder / f"big-0000{part}-of-00002.gguf" for part in (1, 2))
    shutil.copy(model_path, first)
    shutil.copy(model_path, second)
    assert [entry.name for entry in look_through().models] == [DEFAULT_MODEL, first.stem]
    second.unlink()
    assert f"{second.name} is missing" in problems(look_through())[first.name]
    shutil.copy(model_path, second)
    first.unlink()
    assert f"{first.name} is missing" in problems(look_through())[second.name]


@pytest.mark.parametrize("name", ["a.gguf", "a-00000-of-00002.gguf", "a-00003-of-00002.gguf", "a-00001-of-99999.gguf"])
def test_names_that_are_no_parts(name: str) -> None:
    assert parts_of(Path(name)) == [Path(name)]


def test_a_catalogue_of_ones_own_that_is_damaged_is_said(folder: Path) -> None:
    (folder / "catalogue.toml").write_text("[[model]]\nname = 5\n", encoding="utf-8")
    told = problems(look_through())["catalogue.toml"]
    assert "name is not of the type str" in told
    assert str(folder / "catalogue.toml") in told


def test_data_begin_where_llama_cpp_says(model_path: Path) -> None:
    places = read_places(model_path)
    assert len(places) == 272
    assert all(place % 32 == 0 for _, place in places)
    assert sorted(place for _, place in places)[-1] < model_path.stat().st_size
    assert problem_of(model_path) == ""


def test_embedding_models_and_rerankers_are_told_by_their_files_not_their_names(folder: Path) -> None:
    header(folder / "qwen3-embedding.gguf", "qwen3", {"pooling_type": 3})
    header(folder / "chat.gguf", "llama", {"pooling_type": 4})
    header(folder / "bert.gguf", "llama", {})
    found = look_through()
    assert [entry.name for entry in found.models] == [DEFAULT_MODEL, "bert"]
    told = problems(found)
    assert "embedding model" in told["qwen3-embedding.gguf"]
    assert "reranker" in told["chat.gguf"]
    with pytest.raises(ModelFileError, match="embedding model"):
        check(folder / "qwen3-embedding.gguf", cache_folder())


def test_raw_pieces_are_listed_once_with_how_to_join_them(folder: Path, model_path: Path) -> None:
    data = model_path.read_bytes()
    half = len(data) // 2
    first = write(folder / "big.gguf.part1of2", data[:half])
    assert "piece 2 is missing" in problems(look_through())[first.name]
    second = write(folder / "big.gguf.part2of2", data[half:])
    told = problems(look_through())
    assert list(told) == [first.name]
    assert 'cat "big.gguf.part1of2" "big.gguf.part2of2" > "big.gguf"' in told[first.name]
    with pytest.raises(ModelFileError, match="piece 2 of 2 of big"):
        check(second, cache_folder())
    write(folder / "big.gguf", data)
    found = look_through()
    assert not found.unusable
    assert "big" in [entry.name for entry in found.models]


def test_a_split_model_counts_all_its_files_and_loads_by_any_of_them(folder: Path, model_path: Path) -> None:
    first, second = (folder / f"big-0000{part}-of-00002.gguf" for part in (1, 2))
    shutil.copy(model_path, first)
    with pytest.raises(ModelFileError, match=f"{second.name} is missing"):
        check(first, cache_folder())
    shutil.copy(model_path, second)
    entry = resolve(str(second))
    assert entry.path == first
    assert entry.bytes == footprint(entry).file_bytes == 2 * model_path.stat().st_size
    assert [one.path for one in available(folder)].count(first) == 1
    assert second not in [one.path for one in available(folder)]
