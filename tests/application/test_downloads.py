"""Downloads as the page begins, stops and shows them, from a server on 127.0.0.1."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localspec.application.downloads import (
    CHECKING,
    DONE,
    FAILED,
    RUNNING,
    STOPPED,
    WAITING,
    Downloads,
    DownloadState,
    arrived,
)
from localspec.errors import DownloadError
from localspec.models.files import download as module
from localspec.models.files.catalogue import CatalogueEntry
from tests.models.files.hub import CONTENT, Hub, entry_of, running_hub

PATIENCE = 60.0


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub() as started:
        monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
        monkeypatch.setenv("HF_ENDPOINT", started.address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(module, "_WAITS", (0.0, 0.0))
        yield started


@pytest.fixture
def downloads(hub: Hub) -> Iterator[Downloads]:
    made = Downloads()
    yield made
    hub.go_on.set()
    made.close()


def of(downloads: Downloads, name: str = "tiny") -> DownloadState:
    return next(state for state in downloads.states() if state.entry.name == name)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def path_of(offer: CatalogueEntry, home: Path) -> Path:
    return offer.path(home / "models")


def test_every_change_is_told_and_bytes_now_and_then(hub: Hub, downloads: Downloads) -> None:
    told: list[tuple[str, int]] = []

    def changed() -> None:
        told.extend((one.state, one.done) for one in downloads.states())  # nothing is locked

    downloads.changed = changed
    downloads.begin([entry_of(hub)])
    until(lambda: of(downloads).state == DONE)
    until(lambda: told[-1] == (DONE, len(CONTENT)))
    assert {state for state, _ in told} >= {RUNNING, DONE}
    number = len(told)
    assert number < 30
    downloads.dismiss("tiny")
    assert (downloads.states(), len(told)) == ([], number)


def test_one_runs_to_its_end(hub: Hub, downloads: Downloads, tmp_path: Path) -> None:
    offer = entry_of(hub)
    hub.hold_after = 100_000
    downloads.begin([offer])
    until(lambda: of(downloads).done >= 100_000)
    state = of(downloads)
    assert (state.state, state.total) == (RUNNING, len(CONTENT))
    assert state.done < len(CONTENT)
    hub.go_on.set()
    until(lambda: of(downloads).state == DONE)
    assert path_of(offer, tmp_path).read_bytes() == CONTENT
    assert of(downloads).done == len(CONTENT)
    downloads.dismiss("tiny")
    assert downloads.states() == []


def test_a_stopped_one_goes_on_where_it_was(hub: Hub, downloads: Downloads, tmp_path: Path) -> None:
    offer = entry_of(hub)
    hub.hold_after = 100_000
    downloads.begin([offer])
    until(lambda: of(downloads).done >= 100_000)
    downloads.dismiss("tiny")
    assert downloads.states(), "one that is under way is not forgotten"
    downloads.stop("tiny")
    hub.go_on.set()
    until(lambda: of(downloads).state == STOPPED)
    there = of(downloads).done
    assert there == arrived(offer) >= 100_000
    assert not path_of(offer, tmp_path).exists()

    # In the application after a restart as well: what is on disk is all that counts.
    again = Downloads()
    again.begin([offer])
    until(lambda: of(again).state == DONE)
    assert hub.ranges_asked == [None, f"bytes={there}-"]
    assert path_of(offer, tmp_path).read_bytes() == CONTENT
    again.close()


def test_they_come_one_after_the_other(hub: Hub, downloads: Downloads, tmp_path: Path) -> None:
    first, second, third = (entry_of(hub, name=name, file=f"{name}.gguf") for name in ("one", "two", "three"))
    hub.hold_after = 1000
    downloads.begin([first, second])
    downloads.begin([second, third])
    until(lambda: of(downloads, "one").done >= 1000)
    assert [state.state for state in downloads.states()] == [RUNNING, WAITING, WAITING]
    downloads.stop("two")
    assert of(downloads, "two").state == STOPPED
    hub.go_on.set()
    until(lambda: of(downloads, "three").state == DONE)
    assert of(downloads, "one").state == DONE
    assert of(downloads, "two").state == STOPPED
    assert len(hub.asked) == 2
    downloads.begin([second])
    until(lambda: of(downloads, "two").state == DONE)


def test_a_wrong_checksum_and_no_network_are_told(
    hub: Hub, downloads: Downloads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = CONTENT[:-1] + b"x"
    hub.content = other
    hub.version = hashlib.sha256(CONTENT).hexdigest()
    offer = entry_of(hub, sha256=hub.version)
    downloads.begin([offer])
    until(lambda: of(downloads).state == FAILED)
    assert "its checksum is wrong. It was deleted." in of(downloads).problem
    assert "Download it again" in of(downloads).problem
    assert (of(downloads).done, arrived(offer)) == (0, 0)

    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    downloads.begin([offer])
    until(lambda: of(downloads).state == FAILED and "does not answer" in of(downloads).problem)
    assert "Check the network connection and try again." in of(downloads).problem
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    hub.content = CONTENT
    downloads.begin([offer])
    until(lambda: of(downloads).state == DONE)
    assert of(downloads).problem == ""


def test_an_application_that_ends_takes_no_more(hub: Hub, downloads: Downloads) -> None:
    downloads.close()
    with pytest.raises(DownloadError, match="shutting down"):
        downloads.begin([entry_of(hub)])
    assert hub.asked == []


def test_what_is_left_of_the_time() -> None:
    offer = CatalogueEntry("a", "A", "o/a", "a.gguf", 1000, "MIT", 1, 1, 1)
    assert DownloadState(offer, RUNNING, 400, 1000, 100.0).seconds_left == 6.0
    assert DownloadState(offer, CHECKING, 1000, 1000).seconds_left is None
    assert DownloadState(offer, RUNNING, 400, 0, 100.0).seconds_left is None


def test_one_that_is_fetched_again_after_its_check_is_under_way(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    downloads = Downloads()

    def fetch(entry: CatalogueEntry, progress: Callable[[int, int], None], **_: object) -> Path:
        for done in (5, 10, 10, 7, 10):  # whole and checked, then a piece of it once more
            progress(done, 10)
            seen.append(of(downloads).state)
        raise DownloadError("It ends here.")

    monkeypatch.setattr("localspec.application.downloads.download", fetch)
    downloads.begin([entry_of(hub)])
    until(lambda: of(downloads).state == FAILED)
    assert seen == [RUNNING, CHECKING, CHECKING, RUNNING, CHECKING]
    downloads.close()
