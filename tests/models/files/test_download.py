"""Downloads from a real server on 127.0.0.1, with everything that goes wrong on the way."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from localspec.errors import DownloadError, DownloadStoppedError, SettingsError
from localspec.models.files import download as downloads
from localspec.models.files.catalogue import available
from localspec.models.files.download import download
from localspec.models.files.partial import Partial
from tests.models.files.hub import CONTENT, Hub, entry_of, running_hub

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub() as started:
        monkeypatch.setenv("HF_ENDPOINT", f"{started.address}/")
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # as the application starts
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(downloads, "_WAITS", (0.0, 0.0, 0.0))
        yield started


def left_over(folder: Path) -> list[str]:
    """Files beside the model, the lock apart."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def partly(hub: Hub, folder: Path, size: int, **changes: object) -> None:
    """Have `size` bytes arrive, then stop."""
    hub.hold_after = size
    there = 0

    def progress(done: int, total: int) -> None:
        nonlocal there
        there = done

    with pytest.raises(DownloadStoppedError, match="was stopped"):
        download(entry_of(hub, **changes), folder, progress, lambda: there >= size)
    assert left_over(folder) == ["tiny.gguf.part", "tiny.gguf.part.json"]
    hub.hold_after = None
    hub.fetched.clear()


# -- what goes well ---------------------------------------------------------------------------------------------------


def test_a_file_arrives_whole(hub: Hub, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = download(entry_of(hub, revision="abc"), tmp_path, lambda done, total: seen.append((done, total)))
    assert path == tmp_path / "tiny" / "tiny.gguf"
    assert path.read_bytes() == CONTENT
    assert left_over(tmp_path) == ["tiny.gguf"]
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    assert [headers["path"] for headers in hub.asked] == ["/owner/Tiny-GGUF/resolve/abc/tiny.gguf"]
    download(entry_of(hub), tmp_path)
    assert len(hub.asked) == 1, "what is there is not asked for again"


def test_it_goes_to_the_persons_folder(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    assert download(entry_of(hub)) == tmp_path.resolve() / "models" / "tiny" / "tiny.gguf"


def test_a_file_of_another_size_is_replaced(hub: Hub, tmp_path: Path) -> None:
    path = entry_of(hub).path(tmp_path)
    path.parent.mkdir()
    path.write_bytes(b"GGUF, cut off")
    assert download(entry_of(hub), tmp_path).read_bytes() == CONTENT


def test_without_figures_in_the_catalogue_the_hubs_count(hub: Hub, tmp_path: Path) -> None:
    entry = entry_of(hub, sha256="", bytes=5, approximate=True)
    assert download(entry, tmp_path).read_bytes() == CONTENT
    hub.version = "0" * 64
    with pytest.raises(DownloadError, match="checksum is wrong"):
        download(entry_of(hub, name="other", sha256="", bytes=5, approximate=True), tmp_path)


def test_a_plain_server_that_states_nothing(hub: Hub, tmp_path: Path) -> None:
    hub.linked, hub.etag, hub.states_length = False, None, False
    assert download(entry_of(hub), tmp_path).read_bytes() == CONTENT
    hub.cuts = [1000]
    hub.fetched.clear()
    assert download(entry_of(hub, name="other"), tmp_path).read_bytes() == CONTENT
    assert hub.ranges_asked == [None, None], "bytes of an unknown version are not continued"


# -- breaks and what is continued -------------------------------------------------------------------------------------


def test_connections_that_break_are_continued(hub: Hub, tmp_path: Path) -> None:
    hub.cuts = [100_000, 50_000, 1, 0, 0, 30_000, 0]
    assert download(entry_of(hub), tmp_path).read_bytes() == CONTENT
    starts = [None, *(f"bytes={start}-" for start in (100_000, 150_000, 150_001, 150_001, 150_001, 180_001, 180_001))]
    assert hub.ranges_asked == starts


def test_one_that_breaks_for_good_keeps_what_arrived(hub: Hub, tmp_path: Path) -> None:
    hub.cuts = [70_000] + [0] * 20
    with pytest.raises(DownloadError, match="broke off again and again") as caught:
        download(entry_of(hub), tmp_path)
    assert "again to resume" in caught.value.advice
    assert Partial(entry_of(hub).path(tmp_path)).size == 70_000
    assert len(hub.fetched) == 1 + 3
    assert [entry.name for entry in available(tmp_path)] == ["smollm2-135m"], "no model as long as it is not complete"
    hub.cuts = []
    hub.fetched.clear()
    assert download(entry_of(hub), tmp_path).read_bytes() == CONTENT
    assert hub.ranges_asked == ["bytes=70000-"]


def test_a_stopped_one_is_continued(hub: Hub, tmp_path: Path) -> None:
    partly(hub, tmp_path, 40_000)
    seen: list[int] = []
    assert download(entry_of(hub), tmp_path, lambda done, total: seen.append(done)).read_bytes() == CONTENT
    assert hub.ranges_asked == ["bytes=40000-"]
    assert seen[0] == 40_000


def test_stopped_before_it_began(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DownloadStoppedError):
        download(entry_of(hub), tmp_path, should_stop=lambda: True)
    assert hub.asked == []


def test_stopped_while_it_waits_for_another_try(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_WAITS", (3600.0, 3600.0))
    hub.statuses = [503]
    with pytest.raises(DownloadStoppedError):
        download(entry_of(hub), tmp_path, should_stop=lambda: len(hub.asked) > 0)


def test_all_is_there_but_unchecked(hub: Hub, tmp_path: Path) -> None:
    partial = Partial(entry_of(hub).path(tmp_path))
    partial.path.parent.mkdir()
    partial.begin(f'"{hub.version}"')
    partial.path.write_bytes(CONTENT)
    assert download(entry_of(hub), tmp_path).read_bytes() == CONTENT
    assert hub.ranges_asked == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("size", [40_000, len(CONTENT), len(CONTENT) + 10])
def test_a_file_that_changed_meanwhile_starts_afresh(hub: Hub, tmp_path: Path, size: int) -> None:
    partial = Partial(entry_of(hub).path(tmp_path))
    partial.path.parent.mkdir()
    partial.begin('"an older version"')
    partial.path.write_bytes(b"GGUF" + b"o" * (size - 4))
    assert download(entry_of(hub), tmp_path).read_bytes() == CONTENT
    assert hub.ranges_asked == [f"bytes={size}-", None]


def test_it_changes_while_it_is_fetched(hub: Hub, tmp_path: Path) -> None:
    entry = entry_of(hub, sha256="")
    partly(hub, tmp_path, 40_000, sha256="")
    hub.content = b"GGUF" + CONTENT[:3:-1]
    hub.version = hashlib.sha256(hub.content).hexdigest()
    assert download(entry, tmp_path).read_bytes() == hub.content
    assert hub.ranges_asked == ["bytes=40000-", None]


def test_one_that_changes_all_the_time_comes_to_an_end(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Partial, "version", lambda self: "another each time")
    hub.cuts = [1000, 2000] * 20
    with pytest.raises(DownloadError, match="has changed"):
        download(entry_of(hub), tmp_path)


def test_a_server_that_ignores_ranges_starts_over(hub: Hub, tmp_path: Path) -> None:
    hub.ranges = False
    partly(hub, tmp_path, 40_000)
    hub.cuts = [60_000]
    assert download(entry_of(hub), tmp_path).read_bytes() == CONTENT
    assert hub.ranges_asked == ["bytes=40000-", "bytes=60000-"]


def test_bytes_without_a_note_are_not_trusted(hub: Hub, tmp_path: Path) -> None:
    partial = Partial(entry_of(hub).path(tmp_path))
    partial.path.parent.mkdir()
    for note in ("", "no json", "[]", '{"version": 3}'):
        partial.path.write_bytes(b"GGUFxxxx")
        partial.path.with_name("tiny.gguf.part.json").write_text(note)
        assert download(entry_of(hub), tmp_path).read_bytes() == CONTENT
        entry_of(hub).path(tmp_path).unlink()
    assert set(hub.ranges_asked) == {None}


def test_a_process_that_is_killed(hub: Hub, tmp_path: Path) -> None:
    hub.hold_after = 50_000
    code = (
        "import sys; from pathlib import Path; from localspec.models.files.catalogue import CatalogueEntry;"
        "from localspec.models.files.download import download;"
        f"download({entry_of(hub)!r}, Path(sys.argv[1]))"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
    try:
        partial = Partial(entry_of(hub).path(tmp_path))
        end = time.monotonic() + 120
        while partial.size < 50_000:
            assert child.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        with pytest.raises(DownloadError, match="is already being downloaded"):
            download(entry_of(hub), tmp_path)
    finally:
        child.kill()
        child.wait()
    hub.hold_after = None
    hub.fetched.clear()
    assert download(entry_of(hub), tmp_path).read_bytes() == CONTENT
    assert hub.ranges_asked == ["bytes=50000-"]


def test_two_at_once(hub: Hub, tmp_path: Path) -> None:
    hub.hold_after = 50_000
    begun = threading.Event()
    paths: list[Path] = []

    def first() -> None:
        paths.append(download(entry_of(hub), tmp_path, lambda done, total: begun.set() if done else None))

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert begun.wait(60)
        with pytest.raises(DownloadError, match="is already being downloaded"):
            download(entry_of(hub), tmp_path)
    finally:
        hub.go_on.set()
        thread.join(60)
    assert [path.read_bytes() for path in paths] == [CONTENT]
    assert len(hub.asked) == 1


# -- what cannot work -------------------------------------------------------------------------------------------------


def test_a_wrong_checksum_deletes_the_file(hub: Hub, tmp_path: Path) -> None:
    hub.linked = False
    with pytest.raises(DownloadError, match="checksum is wrong") as caught:
        download(entry_of(hub, sha256="0" * 64), tmp_path)
    assert "tiny.gguf" in caught.value.message
    assert left_over(tmp_path) == []


def test_bytes_that_were_damaged_here_are_found(hub: Hub, tmp_path: Path) -> None:
    partly(hub, tmp_path, 40_000)
    partial = Partial(entry_of(hub).path(tmp_path))
    partial.path.write_bytes(b"GGUF" + bytes(39_996))
    with pytest.raises(DownloadError, match="checksum is wrong"):
        download(entry_of(hub), tmp_path)
    assert download(entry_of(hub), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("changes", [{"sha256": "0" * 64}, {"bytes": 1000}])
def test_another_file_than_the_catalogues_is_not_fetched(hub: Hub, tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(DownloadError, match="is not the file that the catalogue describes"):
        download(entry_of(hub, **changes), tmp_path)
    assert left_over(tmp_path) == []


def test_more_bytes_than_announced(hub: Hub, tmp_path: Path) -> None:
    hub.linked, hub.states_length = False, False
    with pytest.raises(DownloadError, match="sends more than the 1000 bytes"):
        download(entry_of(hub, bytes=1000, sha256=""), tmp_path)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("ranges", "said"),
    [(True, "is not the file that the catalogue"), (False, f"after {len(CONTENT)} of {len(CONTENT) + 5} bytes")],
)
def test_fewer_bytes_than_announced(hub: Hub, tmp_path: Path, ranges: bool, said: str) -> None:
    hub.linked, hub.states_length, hub.ranges = False, False, ranges
    with pytest.raises(DownloadError, match=said):
        download(entry_of(hub, bytes=len(CONTENT) + 5, sha256=""), tmp_path)


@pytest.mark.parametrize("page", ["declared", "undeclared", "short"])
def test_a_web_page_in_place_of_the_model(hub: Hub, tmp_path: Path, page: str) -> None:
    hub.linked = False
    hub.content = b"<h" if page == "short" else b"<!doctype html><title>Log in</title>" * 100
    hub.content_type = "text/html; charset=utf-8" if page == "declared" else "application/octet-stream"
    with pytest.raises(DownloadError, match="web page"):
        download(entry_of(hub, sha256="", approximate=True), tmp_path)
    assert left_over(tmp_path) == []


def test_a_log_in_page_does_not_cost_what_is_there(hub: Hub, tmp_path: Path) -> None:
    partly(hub, tmp_path, 40_000)
    hub.linked, hub.ranges, hub.content, hub.content_type = False, False, b"<html>" * 10, "text/html"
    with pytest.raises(DownloadError, match="web page"):
        download(entry_of(hub, bytes=len(CONTENT)), tmp_path)
    assert Partial(entry_of(hub).path(tmp_path)).size == 40_000


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "does not hand out"), (403, "does not hand out"), (404, "no longer has"), (400, "cannot be downloaded")],
)
def test_refusals_are_told_at_once(hub: Hub, tmp_path: Path, status: int, said: str) -> None:
    hub.statuses = [status]
    with pytest.raises(DownloadError, match=said) as caught:
        download(entry_of(hub), tmp_path)
    assert f"status {status}" in caught.value.message
    assert caught.value.advice
    assert len(hub.asked) == 1


def test_a_server_in_trouble_is_asked_again(hub: Hub, tmp_path: Path) -> None:
    hub.statuses = [500, 429, 503]
    assert download(entry_of(hub), tmp_path).read_bytes() == CONTENT
    hub.statuses = [500] * 10
    with pytest.raises(DownloadError, match="status 500"):
        download(entry_of(hub, name="other"), tmp_path)


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    with running_hub() as gone:
        address = gone.address
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(DownloadError, match="does not answer") as caught:
        download(entry_of(hub), tmp_path)
    assert "network" in caught.value.advice


@pytest.mark.parametrize("address", ["huggingface.co", "file:///etc", "https://"])
def test_an_endpoint_that_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(SettingsError, match="HF_ENDPOINT"):
        download(entry_of(Hub()), tmp_path)


@pytest.mark.parametrize("address", ["http://[", "http://127.0.0.1:x"])
def test_an_endpoint_that_nothing_can_be_asked_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setattr(downloads, "_WAITS", (0.0,))
    with pytest.raises(DownloadError, match="could not be downloaded"):
        download(entry_of(Hub()), tmp_path)


def test_redirects_in_a_circle(hub: Hub, tmp_path: Path) -> None:
    hub.second = hub.address
    with pytest.raises(DownloadError, match="redirects"):
        download(entry_of(hub), tmp_path)


def test_too_little_space(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=1000))
    with pytest.raises(DownloadError, match="GB are free"):
        download(entry_of(hub), tmp_path)


def test_a_disk_that_fills_up_keeps_what_is_there(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    partly(hub, tmp_path, 40_000)
    with monkeypatch.context() as patched:
        patched.setattr(Partial, "open", lambda self: Full())
        with pytest.raises(DownloadError, match="The disk is full"):
            download(entry_of(hub), tmp_path)
    assert download(entry_of(hub), tmp_path).read_bytes() == CONTENT
    assert hub.ranges_asked == ["bytes=40000-"] * 2


def test_a_folder_that_cannot_be_written(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "tiny").write_text("a file where the folder should be")
    with pytest.raises(DownloadError, match="could not be written"):
        download(entry_of(hub), tmp_path)


# -- who learns what --------------------------------------------------------------------------------------------------


def test_a_token_goes_to_the_hub_alone(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    download(entry_of(hub), tmp_path)
    assert [headers.get("authorization") for headers in hub.asked] == ["Bearer secret"]
    assert [headers.get("authorization") for headers in hub.fetched] == [None]


def test_a_token_that_cannot_be_sent_is_not_shown(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "sec\nret")
    with pytest.raises(SettingsError, match="HF_TOKEN") as caught:
        download(entry_of(hub), tmp_path)
    assert "sec" not in str(caught.value)
    assert hub.asked == []


def test_without_one_nothing_is_sent(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    token = tmp_path / ".cache" / "huggingface" / "token"
    token.parent.mkdir(parents=True)
    token.write_text("secret")
    download(entry_of(hub), tmp_path / "models")
    for headers in hub.asked + hub.fetched:
        assert "secret" not in str(headers)
        assert not headers.keys() & {"authorization", "cookie"}
