"""States of documents on real files and SQLite; the target is a function of the last eight tokens."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from localspec.errors import EmbedderError, ModelError, SettingsError, StoreError
from localspec.stores.ingestion.state_reading import OVERLAP, WINDOW
from localspec.stores.library import IngestionProgress, Library
from tests.stores.libraries import BrokenEmbedder, bytes_as_tokens, open_library

STEP = WINDOW - OVERLAP
"""New positions of every window but a document's first."""


def states_of(tokens: NDArray[np.int32]) -> NDArray[np.float16]:
    """[n, 48]: equal for positions with the same last eight tokens, unlike for others."""
    number = np.zeros(len(tokens), np.int64)
    for back, weight in enumerate((1, 257, 66_049, 3, 771, 198_147, 7, 1_799)):
        number[back:] += weight * (tokens[: max(0, len(tokens) - back)].astype(np.int64) + 1)
    frequencies = np.random.default_rng(1).uniform(0.5, 3.0, 48)
    return np.sin(number[:, None] % 1_000_003 * frequencies).astype(np.float16)


class HashReader:
    """Reads as a target would, at once."""

    dimension = 48

    def __init__(self, fingerprint: str = "hash") -> None:
        self.fingerprint = fingerprint
        self.windows: list[int] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def read(self, tokens: NDArray[np.int32], should_yield: Callable[[], bool]) -> NDArray[np.float16] | None:
        assert 0 < len(tokens) <= 1024
        self.meanwhile()
        if should_yield():
            return None
        self.windows.append(len(tokens))
        return states_of(tokens)


@pytest.fixture
def reader() -> HashReader:
    return HashReader()


@pytest.fixture
def library(tmp_path: Path, reader: HashReader) -> Iterator[Library]:
    opened = open_library(tmp_path / "library", reader=reader)
    yield opened
    opened.close()


def text(name: str, length: int) -> str:
    """A text of exactly `length` characters that begins with its name and repeats nothing."""
    letters = np.random.default_rng([*name.encode()]).choice([*"etaoinshrdlu    \n"], length)
    return f"{name} {''.join(letters)}"[:length]


def expected_positions(library: Library) -> dict[int, int]:
    """States per document once all is read."""
    return {info.id: info.tokens - 1 for info in library.documents() if info.status == "ready" and info.tokens > 1}


def assert_complete(library: Library) -> None:
    """Each position has its state once, and each state the tokens that follow it."""
    states = library.states
    assert states is not None
    assert library.state_reading.missing() == 0
    positions = states.positions()
    assert {document: count for document, count in positions.items() if document > 0} == expected_positions(library)
    assert states.count() == sum(positions.values())
    for info in library.documents():
        tokens = bytes_as_tokens(library.document_text(info.id))
        whole = states_of(tokens)
        # Ends of windows, where a hole or a shift would be, and the ends of the document.
        places = {0, 1, len(tokens) - 2, len(tokens) // 2}
        for end in range(WINDOW, len(tokens), STEP):
            places |= {end - 2, end - 1, end, end + 1}
        for place in (place for place in places if 0 <= place < len(tokens) - 1):
            following = np.full(20, -1, np.int32)
            following[: len(tokens) - 1 - place] = tokens[place + 1 : place + 21]
            found = states.search(whole[place].astype(np.float32), 50)
            assert found.similarities[0] > 0.99
            assert following.tolist() in found.continuations.tolist(), (info.name, place)


def test_documents_are_read_when_that_is_wanted(
    library: Library, reader: HashReader, write: Callable[..., Path]
) -> None:
    library.add(write("long.log", text("long", 3000)))
    library.add(write("short.log", text("short", 300)))
    library.ingest()
    assert library.states is not None
    assert (library.state_reading.wanted, library.states.count(), reader.windows) == (False, 0, [])
    assert library.state_reading.missing() == 2999 + 299
    assert library.progress.done

    library.state_reading.want(True)
    assert library.state_reading.wanted
    seen: list[IngestionProgress] = []
    assert library.ingest(progress=seen.append) == []  # they were ready before
    assert reader.windows == [WINDOW, WINDOW, 2999 - 2 * STEP, 299]
    assert_complete(library)
    assert library.progress.done
    reading = [progress for progress in seen if progress.stage == "states"]
    assert [progress.name for progress in reading] == ["long.log"] * 3 + ["short.log"]
    assert [progress.documents_done for progress in reading] == [0, 0, 0, 1]
    assert {progress.documents_total for progress in reading} == {2}
    assert [progress.states_left for progress in reading] == [3298, 3298 - WINDOW, 3298 - WINDOW - STEP, 299]
    fractions = [progress.fraction for progress in reading]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] == pytest.approx(2999 / 3298)
    assert reading[0].seconds_left is None
    assert all(progress.seconds_left is not None for progress in reading[1:])
    assert not any(progress.done for progress in reading)
    assert [info.status for info in library.documents()] == ["ready", "ready"]


def test_later_documents_follow_and_nothing_is_read_twice(
    tmp_path: Path, reader: HashReader, write: Callable[..., Path]
) -> None:
    library = open_library(tmp_path / "library", reader=reader)
    library.state_reading.want(True)
    library.add(write("one.log", text("one", 500)))
    library.ingest()
    library.close()
    library = open_library(tmp_path / "library", reader=reader)
    assert library.state_reading.wanted
    library.add(write("two.log", text("two", 600)))
    library.ingest(states=False)
    assert reader.windows == [499]
    assert (library.state_reading.missing(), library.progress.done) == (599, False)
    library.ingest()
    assert reader.windows == [499, 599]
    assert library.ingest() == []
    assert reader.windows == [499, 599]
    assert library.progress.done
    assert_complete(library)
    library.close()


def test_the_index_is_prepared_also_when_nothing_is_read(
    tmp_path: Path, reader: HashReader, write: Callable[..., Path]
) -> None:
    library = open_library(tmp_path / "library", reader=reader)
    library.state_reading.want(True)
    library.add(write("one.log", text("one", 3000)))
    library.ingest()
    assert library.states is not None
    assert len(library.states.search(np.ones(48, np.float32)).similarities)
    library.state_reading.want(False)
    library.close()
    library = open_library(tmp_path / "library", reader=reader)
    assert library.states is not None
    library.start()
    assert library.wait(30)
    assert len(library.states.search(np.ones(48, np.float32)).similarities)
    library.close()


def test_wanting_wakes_the_worker(library: Library, reader: HashReader, write: Callable[..., Path]) -> None:
    library.start()
    library.add(write("one.log", text("one", 2500)))
    assert library.wait(30)
    assert reader.windows == []
    library.state_reading.want(True)
    assert library.wait(30)
    assert library.progress.done
    assert_complete(library)


def test_wanting_no_more_ends_the_reading_within_its_window(
    library: Library, reader: HashReader, write: Callable[..., Path]
) -> None:
    library.add(write("one.log", text("one", 5000)))
    library.state_reading.want(True)

    def change_of_mind() -> None:
        if len(reader.windows) == 2:
            library.state_reading.want(False)

    reader.meanwhile = change_of_mind
    library.ingest()
    assert reader.windows == [WINDOW] * 2
    assert library.states is not None
    assert library.states.positions() == {1: WINDOW + STEP}
    assert library.progress.done
    assert library.state_reading.missing() == 4999 - WINDOW - STEP
    reader.meanwhile = lambda: None
    library.state_reading.want(True)
    library.ingest()
    assert sum(reader.windows) == 4999 + OVERLAP * (len(reader.windows) - 1)
    assert_complete(library)


def test_a_reply_has_priority_inside_a_window(library: Library, reader: HashReader, write: Callable[..., Path]) -> None:
    library.add(write("one.log", text("one", 5000)))
    library.ingest()
    replying = threading.Event()

    def question() -> None:
        if len(reader.windows) == 2:
            replying.set()

    reader.meanwhile = question
    library.start(should_yield=replying.is_set)
    library.state_reading.want(True)
    assert not library.wait(0.5)
    assert library.states is not None
    assert library.states.positions() == {1: WINDOW + STEP}
    reader.meanwhile = lambda: None
    replying.clear()
    assert library.wait(30)
    assert_complete(library)
    assert sum(reader.windows) == 4999 + OVERLAP * (len(reader.windows) - 1)


def test_a_new_document_comes_before_states(library: Library, reader: HashReader, write: Callable[..., Path]) -> None:
    library.add(write("one.log", text("one", 3000)))
    late = write("two.log", text("two", 800))
    seen: list[tuple[str, str]] = []

    def drop_a_file() -> None:
        if len(reader.windows) == 1:
            library.add(late)

    reader.meanwhile = drop_a_file
    library.state_reading.want(True)
    library.ingest(progress=lambda now: seen.append((now.name, now.stage)))
    assert [stage for name, stage in seen if name == "two.log"] == [
        "reading", "splitting", "n-grams", "vectors", "states",
    ]  # fmt: skip
    assert seen.index(("two.log", "vectors")) < len(seen) - 1 - seen[::-1].index(("one.log", "states"))
    assert_complete(library)


def test_stopping_and_going_on(tmp_path: Path, reader: HashReader, write: Callable[..., Path]) -> None:
    library = open_library(tmp_path / "library", reader=reader)
    library.add(write("one.log", text("one", 6000)))
    library.state_reading.want(True)
    stopper: list[threading.Thread] = []

    def stop() -> None:
        if len(reader.windows) == 3 and not stopper:
            stopper.append(threading.Thread(target=library.stop))
            stopper[0].start()
            time.sleep(0.2)

    reader.meanwhile = stop
    library.ingest()
    assert library.states is not None
    assert library.states.positions() == {1: WINDOW + 2 * STEP}
    assert not library.progress.done
    library.close()
    library = open_library(tmp_path / "library", reader=reader)
    library.ingest()
    assert_complete(library)
    assert sum(reader.windows) == 5999 + OVERLAP * (len(reader.windows) - 1)
    library.close()


def test_documents_with_nothing_to_follow(library: Library, reader: HashReader, write: Callable[..., Path]) -> None:
    library.state_reading.want(True)
    library.add(write("letter.log", "A"))
    library.add(write("two.log", "AB"))
    library.add(write("broken.pdf", "%PDF-1.4 this is no PDF"))
    library.ingest()
    assert reader.windows == [1]
    assert library.states is not None
    assert library.states.positions() == {2: 1}
    assert (library.state_reading.missing(), library.progress.done) == (0, True)


@pytest.mark.parametrize("length", [WINDOW, WINDOW + 1, WINDOW + 2, WINDOW + STEP + 1, WINDOW + STEP + 2])
def test_lengths_around_the_window(
    library: Library, reader: HashReader, write: Callable[..., Path], length: int
) -> None:
    library.state_reading.want(True)
    library.add(write("one.log", text("one", length)))
    library.ingest()
    assert len(reader.windows) == 1 + max(0, -(-(length - 1 - WINDOW) // STEP))
    assert_complete(library)


def test_two_targets_in_one_library(tmp_path: Path, write: Callable[..., Path]) -> None:
    first, second = HashReader("first"), HashReader("second")
    library = open_library(tmp_path / "library", reader=first)
    library.add(write("one.log", text("one", 2000)))
    library.state_reading.want(True)
    library.ingest()
    library.close()

    library = open_library(tmp_path / "library", reader=second)
    assert library.states is not None
    assert not library.state_reading.wanted
    library.ingest()
    assert (second.windows, library.states.count(), library.state_reading.missing()) == ([], 0, 1999)
    assert len(library.states.search(states_of(bytes_as_tokens("any text"))[-1].astype(np.float32)).similarities) == 0
    library.add(write("two.log", text("two", 1000)))
    library.state_reading.want(True)
    library.ingest()
    assert_complete(library)
    assert library.states.targets() == {"first": 1999, "second": 1999 + 999}
    library.rebuild()
    library.close()

    library = open_library(tmp_path / "library", reader=first)
    assert library.states is not None
    assert library.state_reading.missing() == 999
    library.ingest()
    assert_complete(library)
    library.remove(1)
    assert library.states.targets() == {"first": 999, "second": 999}
    library.ingest()
    assert_complete(library)
    library.close()

    library = open_library(tmp_path / "library")  # without a reader
    assert library.states is None
    assert (library.state_reading.wanted, library.state_reading.missing()) == (False, 0)
    with pytest.raises(SettingsError):
        library.state_reading.want(True)
    library.remove(2)
    library.close()
    library = open_library(tmp_path / "library", reader=first)
    assert library.states is not None
    assert library.states.targets() == {}
    library.close()


def test_states_wait_for_the_n_grams_of_their_tokenizer(
    tmp_path: Path, reader: HashReader, write: Callable[..., Path]
) -> None:
    library = open_library(tmp_path / "library", reader=reader)
    library.add(write("one.log", text("one", 500)))
    library.ingest()
    library.close()
    library = open_library(tmp_path / "library", tokenizer="other", reader=reader)
    library.state_reading.want(True)
    library.ingest()
    assert (reader.windows, library.state_reading.missing()) == ([], 0)
    library.rebuild()
    library.ingest()
    assert reader.windows == [499]
    assert_complete(library)
    library.close()


@pytest.mark.parametrize("how", ["remove", "drop"])
def test_removal_in_the_middle_of_a_window(
    library: Library, reader: HashReader, write: Callable[..., Path], how: str
) -> None:
    library.add(write("gone.log", text("gone", 3000)))
    library.add(write("kept.log", text("kept", 3000)))
    library.state_reading.want(True)
    library.ingest(states=False)
    assert library.states is not None

    def remove() -> None:
        if len(reader.windows) == 1 and how == "remove":
            library.remove(1)
        elif len(reader.windows) == 1 and library.states is not None:
            library.states.drop()

    reader.meanwhile = remove
    library.ingest()
    assert set(library.states.positions()) == ({2} if how == "remove" else {1, 2})
    assert library.progress.done
    assert_complete(library)


def test_removal_while_the_worker_reads(library: Library, reader: HashReader, write: Callable[..., Path]) -> None:
    added = [library.add(write(f"{name}.log", text(name, 8000))) for name in ("aa", "bb", "cc", "dd")]
    library.state_reading.want(True)
    reader.meanwhile = lambda: time.sleep(0.005)
    library.start()
    while not reader.windows:
        time.sleep(0.01)
    for document in added[:3]:
        library.remove(document.id)
        time.sleep(0.02)
    assert library.wait(60)
    assert library.progress.problem == ""
    assert_complete(library)


def test_a_failing_target_fails_no_document(library: Library, reader: HashReader, write: Callable[..., Path]) -> None:
    library.add(write("one.log", text("one", 3000)))
    library.state_reading.want(True)

    def fail() -> None:
        if len(reader.windows) == 1:
            raise ModelError("The model failed.", "Choose a smaller context.")

    reader.meanwhile = fail
    with pytest.raises(ModelError):
        library.ingest()
    assert "The model failed. Choose" in library.progress.problem
    assert library.progress.states_left == 2999 - WINDOW
    assert [info.status for info in library.documents()] == ["ready"]
    library.start()
    library.add(write("two.log", text("two", 300)))
    assert library.wait(30)
    assert "The model failed" in library.progress.problem
    assert [info.status for info in library.documents()] == ["ready", "ready"]
    reader.meanwhile = lambda: None
    library.start()
    assert library.wait(30)
    assert library.progress.done
    assert_complete(library)


READ_UNTIL_KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
from tests.stores.libraries import open_library
from tests.stores.ingestion.test_state_reading import HashReader

reader = HashReader()
reader.meanwhile = lambda: time.sleep(0.002)
library = open_library(Path(sys.argv[1]), reader=reader)

def kill():
    time.sleep(float(sys.argv[2]))
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

threading.Thread(target=kill).start()
library.ingest()
time.sleep(60)
"""


def test_a_killed_reading_goes_on_without_holes(tmp_path: Path, write: Callable[..., Path]) -> None:
    folder = tmp_path / "library"
    library = open_library(folder, reader=HashReader())
    for name in ("one", "two", "three"):
        library.add(write(f"{name}.log", text(name, 5000)))
    library.ingest()
    library.state_reading.want(True)
    library.close()
    delays = np.random.default_rng(int(time.time())).uniform(0, 0.1, 5)
    stored = []
    for delay in delays:
        child = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(READ_UNTIL_KILLED), str(folder), str(delay)],
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert child.returncode != 0
        assert child.stderr == b"", delays
        library = open_library(folder, reader=HashReader())
        assert library.states is not None
        stored.append(library.states.count())
        for count in library.states.positions().values():
            assert count == 4999 or (count - WINDOW) % STEP == 0
        library.close()
    assert stored == sorted(stored)
    library = open_library(folder, reader=HashReader())
    library.ingest()
    assert_complete(library)
    library.close()


FULL_DISK = """
import resource, sys
from pathlib import Path
from localspec.errors import DiskFullError
from tests.stores.libraries import open_library
from tests.stores.ingestion.test_state_reading import HashReader

library = open_library(Path(sys.argv[1]), reader=HashReader())
limit = max(path.stat().st_size for path in Path(sys.argv[1]).rglob("*")) + 300_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
library.state_reading.want(True)
library.start()
library.wait()
print("worker:", library.progress.problem)
print("done:", library.progress.done)
try:
    library.ingest()
except DiskFullError as error:
    print("call:", error)
print("status:", *(document.status for document in library.documents()))
print("found:", library.passages.search("one", 1)[0].name)
print("some:", 0 < library.states.count() < library.states.count() + library.state_reading.missing())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes")
def test_a_full_disk_stops_the_reading_and_loses_nothing(tmp_path: Path, write: Callable[..., Path]) -> None:
    folder = tmp_path / "library"
    library = open_library(folder, reader=HashReader())
    library.add(write("one.log", text("one", 12_000)))
    library.ingest()
    library.close()
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(folder)], capture_output=True, text=True, check=True
    )
    answers = dict(line.split(": ", 1) for line in child.stdout.splitlines())
    for key in ("worker", "call"):
        assert "disk is full" in answers[key]
    assert answers["done"] == "False"
    assert (answers["status"], answers["found"], answers["some"]) == ("ready", "one.log", "True")
    library = open_library(folder, reader=HashReader())
    assert library.state_reading.wanted
    library.ingest()
    assert_complete(library)
    library.close()


def test_states_need_no_embedder(tmp_path: Path, reader: HashReader, write: Callable[..., Path]) -> None:
    library = open_library(tmp_path / "library", embedder=BrokenEmbedder(), reader=reader)
    library.add(write("one.log", text("one", 1500)))
    library.state_reading.want(True)
    with pytest.raises(EmbedderError):
        library.ingest()
    assert "not installed" in library.progress.problem
    assert [info.status for info in library.documents()] == ["ngrams"]
    assert library.states is not None
    assert library.states.positions() == {1: 1499}
    assert len(library.states.search(np.ones(48, np.float32)).similarities)
    library.close()


def test_states_that_are_no_numbers_are_the_models_fault(
    library: Library, reader: HashReader, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    library.add(write("one.log", text("one", 500)))
    library.state_reading.want(True)
    monkeypatch.setattr(reader, "read", lambda tokens, _: np.full((len(tokens), 48), np.inf, np.float16))
    with pytest.raises(ModelError, match=r"one\.log"):
        library.ingest()
    assert library.states is not None
    assert library.states.count() == 0


def test_a_store_that_fails_is_a_problem_and_not_a_failed_document(
    library: Library, reader: HashReader, write: Callable[..., Path]
) -> None:
    library.add(write("one.log", text("one", 500)))
    library.state_reading.want(True)
    library.ingest(states=False)

    def refuse() -> None:
        raise StoreError("The disk was unplugged.")

    reader.meanwhile = refuse
    library.start()
    assert library.wait(30)
    assert library.progress.problem == "The disk was unplugged."
    assert [info.status for info in library.documents()] == ["ready"]


def test_damaged_n_grams_and_missing_states_end_the_reading(
    library: Library, reader: HashReader, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    library.add(write("one.log", text("one", 500)))
    library.state_reading.want(True)
    library.ingest(states=False)
    monkeypatch.setattr(reader, "read", lambda tokens, _: np.empty((0, 48), np.float16))
    with pytest.raises(ModelError, match=r"one\.log"):
        library.ingest()
    for length in (0, 1, 400):
        monkeypatch.setattr(library.ngrams, "tokens", lambda _, length=length: np.zeros(length, np.int32))
        library.state_reading._tokens = None
        with pytest.raises(StoreError, match=r"one\.log are damaged"):
            library.ingest()


@pytest.mark.parametrize("damage", ["chunks SET tokens = x''", "targets SET next_label = 1 << 60"])
def test_damaged_states_are_read_again(
    tmp_path: Path, reader: HashReader, write: Callable[..., Path], damage: str
) -> None:
    library = open_library(tmp_path / "library", reader=reader)
    library.add(write("one.log", text("one", 500)))
    library.state_reading.want(True)
    library.ingest()
    with library._database.write() as database:
        database.execute(f"UPDATE state_{damage}")
    library.close()
    library = open_library(tmp_path / "library", reader=reader)
    library.ingest(states=False)
    assert library.state_reading.missing() == 499
    library.ingest()
    assert reader.windows == [499, 499]
    assert_complete(library)
    with library._database.write() as database:  # met while a reply is stored, before the index is prepared
        database.execute(f"UPDATE state_{damage}")
    tokens = bytes_as_tokens(text("reply", 60))
    library.replies.add_later(tokens, states_of(tokens))
    library.ingest()
    assert library.progress.done
    assert library.state_reading.missing() == 0
    library.close()
