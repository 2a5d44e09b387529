"""The background work: its order, how it gives way, pauses, stops, is killed and goes on; on real files and SQLite."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from localspec.stores.documents.document_table import read_document
from localspec.stores.ingestion import pipeline
from localspec.stores.ingestion.worker import EMBEDDED_AT_ONCE
from localspec.stores.library import IngestionProgress, Library
from tests.builders import make_pdf
from tests.stores.libraries import (
    INGEST_UNTIL_KILLED,
    STAGES,
    WordEmbedder,
    bytes_as_tokens,
    bytes_of,
    cached_vectors,
    contents,
    long_text,
    open_library,
    statuses,
)


def test_vectors_come_after_the_words_of_all_documents(library: Library, write: Callable[..., Path]) -> None:
    for name in ("one", "two", "three"):
        library.add(write(f"{name}.txt", long_text(name, 3)))
    stages: list[str] = []
    early: list[str] = []

    def watch(progress: IngestionProgress) -> None:
        stages.append(progress.stage)
        if progress.stage == "vectors" and not early:
            early.extend(passage.name for passage in library.passages.search("three2word7"))
            assert all(document.status == "ngrams" for document in library.documents())

    library.ingest(progress=watch)
    assert stages.index("vectors") == 3, "small documents take a step together"
    assert early == ["three.txt"]


def test_small_documents_take_each_step_together(library: Library, write: Callable[..., Path]) -> None:
    for number in range(70):
        library.add(write(f"{number}.txt", f"Number {number} of many texts."))
    broken = library.add(write("broken.txt", "\0" * 100))
    before = library.changes
    library.ingest()
    assert library.changes - before < 60
    told = statuses(library)
    assert told.pop(broken.name) == "failed"
    assert {*told.values()} == {"ready"}


def test_a_failing_document_does_not_stop_the_others(library: Library, write: Callable[..., Path]) -> None:
    library.add(write("before.txt", "Words before."))
    broken = library.add(write("broken.pdf", "%PDF-1.4 this is no PDF"))
    library.add(write("after.txt", "Words after."))
    finished = library.ingest()
    assert [document.status for document in finished] == ["ready", "failed", "ready"]
    assert finished[1].reason.startswith("broken.pdf: ")
    assert library.progress.done
    assert (library.progress.documents_done, library.progress.documents_total) == (3, 3)
    assert library.passages.of(broken.id) == []
    # Adding it again tries again.
    assert library.add(write("broken.pdf", "%PDF-1.4 this is no PDF")).status == "queued"
    assert [document.id for document in library.ingest()] == [broken.id]


def test_a_document_that_breaks_the_indexing_fails_alone(tmp_path: Path, write: Callable[..., Path]) -> None:
    def picky(text: str) -> NDArray[np.int32]:
        if "poison" in text:
            raise OverflowError("too much")
        return bytes_as_tokens(text)

    library = Library(tmp_path / "library", tokenizer_fingerprint="picky", tokenize=picky, embedder=WordEmbedder())
    library.add(write("bad.txt", "A drop of poison in the well."))
    library.add(write("good.txt", "Clear water."))
    bad, good = library.ingest()
    assert (bad.status, good.status) == ("failed", "ready")
    assert "too much" in bad.reason
    assert [passage.name for passage in library.passages.search("poison well water", 5)] == ["good.txt"]
    library.close()


def test_removal_while_the_worker_is_busy(library: Library, write: Callable[..., Path]) -> None:
    added = [library.add(write(f"{name}.txt", long_text(name, 60))) for name in ("aa", "bb", "cc", "dd")]
    library.start()
    for document in added[:3]:
        library.remove(document.id)
        time.sleep(0.01)
    assert library.wait(60)
    assert library.progress.problem == ""
    (left,) = library.documents()
    assert (left.name, left.status) == ("dd.txt", "ready")
    assert {passage.document for passage in library.passages.search("aa1word1 bb1word1 cc1word1 dd1word1", 50)} == {
        left.id
    }
    assert library.ngrams.documents() == {left.id}
    assert len(list((library.folder / "files").iterdir())) == 1
    assert b"aa1word1" not in bytes_of(library.folder)


@pytest.mark.parametrize("during", ["n-grams", "vectors"])
def test_removal_in_the_middle_of_a_step(tmp_path: Path, write: Callable[..., Path], during: str) -> None:
    class RemovingEmbedder(WordEmbedder):
        def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            if during == "vectors" and any("gone" in text for text in texts):
                opened.remove(1)
            return super().embed(texts)

    def tokenize(text: str) -> NDArray[np.int32]:
        if during == "n-grams" and "gone" in text:
            opened.remove(1)
        return bytes_as_tokens(text)

    opened = Library(
        tmp_path / "library", tokenizer_fingerprint="bytes", tokenize=tokenize, embedder=RemovingEmbedder()
    )
    opened.add(write("gone.txt", long_text("gone", 5)))
    opened.add(write("kept.txt", long_text("kept", 5)))
    finished = opened.ingest()
    assert [(document.name, document.status) for document in finished] == [("kept.txt", "ready")]
    assert opened.documents() == finished
    assert opened.ngrams.documents() == {2}
    assert cached_vectors(opened) == finished[0].passages
    assert {passage.document for passage in opened.passages.search("gone1word1 kept1word1", 50)} == {2}
    opened.close()


def test_the_worker_takes_what_is_added(library: Library, write: Callable[..., Path]) -> None:
    library.start()
    assert library.wait(10)
    for name in ("one", "two"):
        library.add(write(f"{name}.txt", long_text(name, 3)))
        assert library.wait(30)
        assert {document.status for document in library.documents()} == {"ready"}
    library.stop()
    library.add(write("three.txt", long_text("three", 3)))
    assert library.wait(0.1)  # nobody works
    assert library.documents()[2].status == "queued"
    library.start()
    assert library.wait(30)
    assert library.documents()[2].status == "ready"


def test_a_reply_has_priority(library: Library, write: Callable[..., Path]) -> None:
    library.add(write("one.txt", long_text("one", 3)))
    replying = threading.Event()
    replying.set()
    library.start(should_yield=replying.is_set)
    assert not library.wait(0.3)
    assert library.documents()[0].status == "queued"
    replying.clear()
    assert library.wait(30)
    assert library.documents()[0].status == "ready"
    replying.set()
    library.add(write("two.txt", long_text("two", 3)))
    start = time.monotonic()
    library.stop()  # does not wait for the reply
    assert time.monotonic() - start < 5
    assert library.documents()[1].status == "queued"


def test_storing_documents_gives_way_to_a_reply(library: Library, write: Callable[..., Path]) -> None:
    for number in range(5):
        library.add(write(f"{number}.txt", long_text(f"name{number}", 2)))
    steps = library._pipeline
    for _ in ("reading", "splitting"):
        assert len(steps.advance(steps.next())) == 5
    replying = iter((False, True))
    steps.gives_way = lambda: next(replying, False)
    taken = steps.advance(steps.next())
    assert [one.document for one in taken] == [1, 2], "those that were stored before it began"
    assert [info.status for info in library.documents()] == ["ngrams"] * 2 + ["passages"] * 3
    library.ingest()
    assert set(statuses(library).values()) == {"ready"}


def test_cutting_a_document_gives_way_to_a_reply(library: Library, write: Callable[..., Path]) -> None:
    library.add(write("one.txt", long_text("one", 20)))
    library.ingest()
    library._pipeline.gives_way = lambda: True
    cut = threading.Thread(target=lambda: library._pipeline.passages(read_document(library._database, 1)), daemon=True)
    cut.start()
    cut.join(0.3)
    assert cut.is_alive(), "as long as a reply is written"
    library._pipeline.gives_way = lambda: False
    cut.join(30)
    assert not cut.is_alive()


def test_the_words_of_a_large_document_come_in_steps(tmp_path: Path, write: Callable[..., Path], monkeypatch) -> None:
    whole = open_library(tmp_path / "whole")
    whole.add(write("large.txt", long_text("large", 30)))
    whole.ingest()
    monkeypatch.setattr(pipeline, "WORDED_AT_ONCE", 5)
    monkeypatch.setattr(pipeline, "store_words", None)  # not in the transaction of its passages
    library = open_library(tmp_path / "steps")
    library.add(tmp_path / "sources" / "large.txt")
    library.ingest()
    assert library._database.row("SELECT count(*) FROM passages_unworded") == (0,)
    assert contents(library) == contents(whole)
    for question in ("large7word3", "large29word39", "paragraph of large"):
        found = [one.search(question, 5) for one in (library.passages, whole.passages)]
        assert found[0] == found[1] != []
    for one in (library, whole):
        one.close()


def test_stopping_between_batches_and_going_on(tmp_path: Path, write: Callable[..., Path]) -> None:
    source = write("long.txt", long_text("long", 300))
    embedder = WordEmbedder()
    library = open_library(tmp_path / "library", embedder=embedder)
    library.add(source)
    stopped: list[IngestionProgress] = []

    def stop_at_third_batch(progress: IngestionProgress) -> None:
        if len(embedder.calls) == 2 and not stopped:
            stopped.append(progress)
            threading.Thread(target=library.stop).start()
            time.sleep(0.2)

    assert library.ingest(progress=stop_at_third_batch) == []
    assert embedder.calls == [EMBEDDED_AT_ONCE] * 3
    assert 0.1 < stopped[0].fraction < 1
    assert stopped[0].seconds_left is not None
    library.close()
    library = open_library(tmp_path / "library", embedder=embedder)
    (document,) = library.ingest()
    assert document.status == "ready"
    assert sum(embedder.calls) == document.passages > 3 * EMBEDDED_AT_ONCE
    library.close()


def test_a_killed_ingestion_goes_on_to_the_same_result(tmp_path: Path, write: Callable[..., Path]) -> None:
    sources = [write(f"{name}.txt", long_text(name, 150)) for name in ("one", "two", "three")]
    sources.append(write("broken.pdf", "%PDF-1.4 this is no PDF"))

    def filled(folder: Path) -> Library:
        library = open_library(folder)
        for source in sources:
            library.add(source)
        return library

    straight = filled(tmp_path / "straight")
    straight.ingest()
    expected = contents(straight)
    questions = ["two7word9", "Paragraph 3 of three", "one"]
    answers = [[(p.name, p.ordinal) for p in straight.passages.search(question)] for question in questions]
    tokens = straight.ngrams.count()
    straight.close()

    filled(tmp_path / "killed").close()
    stages = []
    wanted = {*STAGES, "failed"}
    # One commit at a time at first, so that no stage is passed over, then many: there are about 100 of vectors.
    few = [(1, statements) for statements in (40, 20, 3, 5, 9, 3)] * 3
    for commits, statements in ((0, 3), *few, *[(20, 3), (7, 9)] * 10):
        child = subprocess.run(
            [
                *(sys.executable, "-c", textwrap.dedent(INGEST_UNTIL_KILLED)),
                *(str(tmp_path / "killed"), str(commits), str(statements)),
            ],
            capture_output=True,
            check=False,
        )
        assert child.stderr == b""
        if child.returncode == 0:
            break
        library = open_library(tmp_path / "killed")
        stages.append([document.status for document in library.documents()])
        library.close()
        if {stage for course in stages for stage in course} == wanted:
            break
    assert stages[0] == ["queued"] * 4
    assert {stage for course in stages for stage in course} == wanted
    library = open_library(tmp_path / "killed")
    library.ingest()
    assert contents(library) == expected
    assert [[(p.name, p.ordinal) for p in library.passages.search(question)] for question in questions] == answers
    assert library.ngrams.count() == tokens
    assert library.ngrams.documents() == {d.id for d in library.documents() if d.status == "ready"}
    library.close()


FULL_DISK = """
import resource, sys
from pathlib import Path
from localspec.errors import DiskFullError
from tests.stores.libraries import open_library

library = open_library(Path(sys.argv[1]))
limit = max(path.stat().st_size for path in Path(sys.argv[1]).rglob("*")) + 60_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
library.start()
library.wait()
print("worker:", library.progress.problem)
print("done:", library.progress.done)
try:
    library.ingest()
except DiskFullError as error:
    print("call:", error)
try:
    library.add(Path(sys.argv[2]))
except DiskFullError as error:
    print("copy:", error)
print("found:", library.passages.search("small3word3", 1)[0].name)
print("files:", len(list((Path(sys.argv[1]) / "files").iterdir())))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes")
def test_a_full_disk_stops_the_work_and_loses_nothing(tmp_path: Path, write: Callable[..., Path]) -> None:
    folder = tmp_path / "library"
    library = open_library(folder)
    library.add(write("small.txt", long_text("small", 10)))
    library.ingest()
    library.add(write("large.txt", long_text("large", 1000)))
    library.close()
    huge = write("huge.txt", long_text("huge", 6000))
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(folder), str(huge)],
        capture_output=True,
        text=True,
        check=True,
    )
    answers = dict(line.split(": ", 1) for line in child.stdout.splitlines())
    for key in ("worker", "call", "copy"):
        assert "disk is full" in answers[key]
        assert "Free some space" in answers[key]
    assert (answers["done"], answers["found"], answers["files"]) == ("False", "small.txt", "2")
    library = open_library(folder)
    assert [document.name for document in library.ingest()] == ["large.txt"]
    assert [document.status for document in library.documents()] == ["ready", "ready"]
    assert library.document_text(2) == long_text("large", 1000)
    assert library.passages.search("large999word7", 1)[0].document == 2
    library.close()


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
    assert library.embedded() == library.embedded([document.id]) == {document.id: embedder.calls[0]}
    assert library.embedded([]) == {}
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
from tests.stores.libraries import open_library

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


def test_time_left_until_all_can_be_asked(library: Library, write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_AT_ONCE", 1)
    for name in ("one", "two", "three"):
        library.add(write(f"{name}.txt", long_text(name, 20)))
    left: list[float | None] = []
    library.ingest(
        progress=lambda now: left.append(now.seconds_left) if now.stage in ("reading", "splitting", "n-grams") else None
    )
    assert left[:3] == [None] * 3
    assert all(seconds is not None and seconds > 0 for seconds in left[3:])
    assert len(left) == 9
