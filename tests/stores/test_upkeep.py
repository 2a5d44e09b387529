"""What people do with a library after its documents are in: pause, index again, rename, delete. On real files."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from localspec.errors import LibraryInUseError, SettingsError, StoreError
from localspec.stores.documents.document_table import DOCUMENT_MIGRATIONS
from localspec.stores.library import IngestionProgress, Library, list_libraries
from localspec.stores.naming import delete_library, rename_library, sweep_deleted
from tests.builders import make_pdf
from tests.stores.test_library import (
    WordEmbedder,
    bytes_as_tokens,
    bytes_of,
    contents,
    library,
    long_text,
    open_library,
    write,
)

__all__ = ["library", "write"]


def statuses(library: Library) -> dict[str, str]:
    return {info.name: info.status for info in library.documents()}


# -- pause ----------------------------------------------------------------------------------------------------------


def test_a_paused_library_stays_paused_and_answers_with_what_is_there(tmp_path: Path) -> None:
    first = make_pdf(tmp_path / "first.pdf", ["The heron eats fish."])
    second = make_pdf(tmp_path / "second.pdf", ["The badger eats worms."])
    library = open_library(tmp_path / "library")
    library.add(first)
    library.ingest()
    library.pause(True)
    assert library.progress.paused
    library.start()
    library.add(second)
    assert library.wait(30)
    assert statuses(library) == {"first.pdf": "ready", "second.pdf": "queued"}
    library.close()

    library = open_library(tmp_path / "library")  # as after a restart
    assert library.paused
    library.start()
    assert library.wait(30)
    assert statuses(library) == {"first.pdf": "ready", "second.pdf": "queued"}
    assert not library.progress.done
    assert library.passages.search("What does the heron eat?")[0].name == "first.pdf"
    assert len(library.ngrams.lookup(bytes_as_tokens("The heron ea"), continuation=4).continuations) == 1
    # Replies are learnt all the same.
    library.replies.add_later(bytes_as_tokens("an answer that the model wrote"))
    assert library.wait(30)
    assert library.replies.count()[0] == 1

    library.pause(False)
    assert library.wait(30)
    assert statuses(library) == {"first.pdf": "ready", "second.pdf": "ready"}
    assert library.progress == IngestionProgress(documents_done=1, documents_total=1, seconds_left=0.0)
    library.close()


def test_pausing_between_batches_of_vectors_and_going_on(tmp_path: Path, write) -> None:
    embedder = WordEmbedder()
    library = open_library(tmp_path / "library", embedder=embedder)
    document = library.add(write("long.txt", long_text("long", 300)))
    at_work = threading.Event()
    paused = threading.Event()
    embed = embedder.embed

    def embed_slowly(texts):
        at_work.set()
        assert paused.wait(30)
        return embed(texts)

    embedder.embed = embed_slowly  # type: ignore[method-assign]
    library.start()
    assert at_work.wait(30)
    library.pause(True)
    paused.set()
    assert library.wait(30)
    assert len(embedder.calls) == 1, "the step at work is done, and no other"
    assert library.embedded() == {document.id: embedder.calls[0]}
    assert library.progress.stage == ""
    library.pause(False)
    assert library.wait(60)
    assert statuses(library) == {"long.txt": "ready"}
    assert library.embedded() == {}, "of documents that have some only"
    library.close()


def test_an_ingest_that_is_asked_for_does_not_heed_the_pause(library: Library, write) -> None:
    library.pause(True)
    library.add(write("one.txt", long_text("one", 2)))
    library.ingest()
    assert statuses(library) == {"one.txt": "ready"}
    assert library.paused


PAUSE_UNTIL_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.stores.test_library import open_library

library = open_library(Path(sys.argv[1]))
steps = 0

def paused_then_killed(statement):
    global steps
    steps += statement == "COMMIT"
    if steps == 4:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

library.pause(True)
library.start()
library.wait(30)
print({info.status for info in library.documents()}, flush=True)
library._database._connection.set_trace_callback(paused_then_killed)
library.pause(False)
library.wait(60)
"""


def test_a_kill_after_a_pause_loses_nothing(tmp_path: Path, write) -> None:
    folder = tmp_path / "library"
    library = open_library(folder)
    for name in ("one", "two"):
        library.add(write(f"{name}.txt", long_text(name, 20)))
    library.close()
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PAUSE_UNTIL_KILLED), str(folder)], capture_output=True, check=False
    )
    assert child.returncode in (-getattr(signal, "SIGKILL", 9), 1), child.stderr.decode()
    assert child.stdout == b"{'queued'}\n"
    library = open_library(folder)
    assert not library.paused
    assert "ready" not in statuses(library).values()
    library.ingest()
    assert set(statuses(library).values()) == {"ready"}
    library.close()


# -- index again, remove --------------------------------------------------------------------------------------------


def test_indexing_again_makes_everything_anew(tmp_path: Path) -> None:
    library = open_library(tmp_path / "library")
    pdf = make_pdf(tmp_path / "birds.pdf", ["The heron eats fish.", "The wren eats insects."])
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    library.add(pdf)
    library.add(tmp_path / "broken.pdf")
    library.ingest()
    before, passages = contents(library), [p.id for p in library.passages.of(1)]
    (document, broken) = library.documents()
    library.index_again(document.id)
    assert statuses(library) == {"birds.pdf": "queued", "broken.pdf": "failed"}
    assert library.passages.of(document.id) == []
    assert library.ngrams.count() == 0
    library.ingest()
    assert contents(library) == before
    assert library.documents()[0].id == document.id
    assert not set(passages) & {p.id for p in library.passages.of(document.id)}
    assert library.passages.search("heron fish", 1)[0].document == document.id

    # One that failed is tried again, and fails again for the same reason.
    library.index_again(broken.id)
    assert statuses(library)["broken.pdf"] == "queued"
    library.ingest()
    assert library.documents()[1].reason == broken.reason != ""

    library.index_again()
    assert set(statuses(library).values()) == {"queued"}
    library.ingest()
    assert contents(library) == before
    library.index_again(12345)  # unknown: no error
    assert library.remove_failed() == 1
    assert statuses(library) == {"birds.pdf": "ready"}
    assert [path.suffix for path in (library.folder / "files").iterdir()] == [".pdf"]
    library.close()


def test_indexing_again_takes_what_changed_in_a_file_of_this_computer(tmp_path: Path) -> None:
    library = open_library(tmp_path / "library")
    path = make_pdf(tmp_path / "notes.pdf", ["The secret word is quince."])
    old = library.add(path, name="work/notes.pdf", keeps_source=True)
    upload = make_pdf(tmp_path / "upload.pdf", ["This came through a browser."])
    library.add(upload)
    library.ingest()
    assert (old.source, old.bytes) == (str(path), path.stat().st_size)
    assert library.documents()[1].source == ""
    make_pdf(path, ["The secret word is damson."])
    upload.unlink()
    library.index_again()
    names = {info.name: info for info in library.documents()}
    assert names["work/notes.pdf"].id != old.id, "a chat that was sent the old text does not know the new one"
    assert len(names) == 2
    library.ingest()
    assert "damson" in library.document_text(names["work/notes.pdf"].id)
    assert library.passages.search("quince", 5, exclude=()) == [] or all(
        "quince" not in found.text for found in library.passages.search("quince", 5)
    )
    assert len(list((library.folder / "files").iterdir())) == 2
    # Where the file is gone, the library's copy is read.
    path.unlink()
    library.index_again(names["work/notes.pdf"].id)
    library.ingest()
    assert set(statuses(library).values()) == {"ready"}
    library.close()
    assert b"quince" not in bytes_of(library.folder)


def test_indexing_again_while_the_worker_is_at_it(library: Library, write) -> None:
    for name in ("one", "two", "three"):
        library.add(write(f"{name}.txt", long_text(name, 60)))
    library.start()
    for _ in range(6):
        for info in library.documents():
            library.index_again(info.id)
        time.sleep(0.02)
    assert library.wait(60)
    assert set(statuses(library).values()) == {"ready"}
    assert library.ngrams.documents() == {info.id for info in library.documents()}
    for info in library.documents():
        assert info.passages == len(library.passages.of(info.id)) > 0


def test_memory_is_what_the_open_indexes_hold(library: Library, write) -> None:
    library.add(write("one.txt", long_text("one", 100)))
    assert library.memory_bytes() == 0
    library.ingest()
    library.ngrams.lookup(bytes_as_tokens("one1word1 "))
    tokens, passages = library.documents()[0].tokens, library.documents()[0].passages
    least = 8 * tokens + passages * 4 * WordEmbedder.dimension
    assert least < library.memory_bytes() < 2 * least + 50 * 1024 + 300 * passages


def test_a_library_from_before_gets_sizes(tmp_path: Path, write) -> None:
    library = open_library(tmp_path / "library")
    document = library.add(write("one.txt", "One word."))
    library.close()
    with sqlite3.connect(tmp_path / "library" / "library.db") as connection:
        connection.executescript(
            "ALTER TABLE documents DROP COLUMN bytes; ALTER TABLE documents DROP COLUMN source;"
            "ALTER TABLE library DROP COLUMN paused;"
            f"DELETE FROM migrations WHERE name = '{DOCUMENT_MIGRATIONS[1].name}'"
        )
    connection.close()
    library = open_library(tmp_path / "library")
    assert library.documents()[0] == document
    assert document.bytes == len("One word.")
    assert not library.paused
    library.close()


def test_time_left_until_all_can_be_asked(library: Library, write) -> None:
    for name in ("one", "two", "three"):
        library.add(write(f"{name}.txt", long_text(name, 20)))
    left: list[float | None] = []
    library.ingest(
        progress=lambda now: left.append(now.seconds_left) if now.stage in ("reading", "splitting", "n-grams") else None
    )
    assert left[:3] == [None] * 3
    assert all(seconds is not None and seconds > 0 for seconds in left[3:])
    assert len(left) == 9


# -- rename, delete -------------------------------------------------------------------------------------------------


def test_a_renamed_library_has_all_it_had(tmp_path: Path) -> None:
    library = open_library(tmp_path / "papers")
    library.add(make_pdf(tmp_path / "birds.pdf", ["The heron eats fish."]))
    library.ingest()
    library.replies.add(np.arange(5, dtype=np.int32), None, origin="chat")
    library.pause(True)
    before, identity = contents(library), library.identity
    with pytest.raises(LibraryInUseError):
        rename_library(tmp_path, "papers", "other")
    with pytest.raises(LibraryInUseError):
        delete_library(tmp_path, "papers")
    library.close()
    (tmp_path / "taken").mkdir()
    for wanted in ("taken", "a/b", "", ".x"):
        with pytest.raises(SettingsError):
            rename_library(tmp_path, "papers", wanted)
    with pytest.raises(SettingsError, match="no library called 'absent'"):
        rename_library(tmp_path, "absent", "other")
    assert rename_library(tmp_path, "papers", "papers") == "papers"
    assert rename_library(tmp_path, "papers", " Vögel 2 ") == "Vögel 2"
    assert list_libraries(tmp_path) == ["Vögel 2"]
    library = open_library(tmp_path / "Vögel 2")
    assert (contents(library), library.identity, library.replies.count()) == (before, identity, (1, 5))
    assert library.paused
    assert library.passages.search("heron", 1)[0].name == "birds.pdf"
    library.close()


@pytest.mark.skipif(sys.platform == "win32", reason="folders with open files cannot be moved")
def test_a_library_is_safe_to_rename_in_the_middle_of_indexing(tmp_path: Path, write) -> None:
    library = open_library(tmp_path / "busy")
    for name in ("one", "two", "three"):
        library.add(write(f"{name}.txt", long_text(name, 100)))
    library.start()
    library.close()
    rename_library(tmp_path, "busy", "calm")
    library = open_library(tmp_path / "calm")
    library.ingest()
    assert set(statuses(library).values()) == {"ready"}
    library.close()


def test_a_deleted_library_leaves_nothing_but_the_persons_files(tmp_path: Path) -> None:
    stores, theirs = tmp_path / "stores", tmp_path / "theirs"
    theirs.mkdir()
    pdf = make_pdf(theirs / "birds.pdf", ["The heron eats fish."])
    content = pdf.read_bytes()
    library = open_library(stores / "papers")
    library.watching.add(theirs, watched=True, removes=True)
    os.utime(pdf, (1, 1))
    library.watching.look()
    library.ingest()
    assert statuses(library) == {"theirs/birds.pdf": "ready"}
    library.close()
    delete_library(stores, "papers")
    assert list(stores.iterdir()) == []
    assert pdf.read_bytes() == content
    with pytest.raises(SettingsError, match="no library called 'papers'"):
        delete_library(stores, "papers")
    # What a kill left of one is no library, and goes.
    left = stores / ".deleted-0123"
    (left / "files").mkdir(parents=True)
    (left / "library.db").write_bytes(b"x")
    assert list_libraries(stores) == []
    sweep_deleted(stores)
    assert not left.exists()


def test_a_closed_library_of_another_name_gives_an_error_and_no_new_folder(tmp_path: Path) -> None:
    library = open_library(tmp_path / "papers")
    library.close()
    delete_library(tmp_path, "papers")
    with pytest.raises(StoreError):
        library.documents()
    assert list(tmp_path.iterdir()) == []
