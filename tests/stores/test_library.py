"""The library on real files, SQLite and hnswlib; the embedder is a hash of words except where meaning matters."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from localspec.errors import DocumentError, EmbedderError, LibraryInUseError, SettingsError, StoreError
from localspec.models.embedder import Embedder
from localspec.stores.documents.search import RANK_OFFSET, fuse, words_query
from localspec.stores.ingestion.worker import EMBEDDED_AT_ONCE
from localspec.stores.library import IngestionProgress, Library, StateReaderLike, library_name, list_libraries
from localspec.stores.overview import library_identity, overview
from tests.builders import make_docx, make_pdf

STAGES = ("queued", "parsed", "passages", "ngrams", "ready")

MANUAL = """# Developer's handbook

## Orphaning a package

If you can no longer maintain a package, you need to inform others, and see that the package is marked as orphaned.
You should set the maintainer to the quality assurance group and submit a bug report against the pseudo package wnpp.

## Non-maintainer uploads

Every package has one or more maintainers. Sometimes another developer may upload a new version of it without being its
maintainer. Such an upload is called an NMU. Give the maintainer time to react, and announce what you intend to do.

## Cooking rice

Wash the rice until the water runs clear, bring it to the boil with one and a half times its volume of water, cover
the pot and let it simmer on a low flame for twelve minutes. Leave the lid on for ten more minutes before serving it.

## Security updates

Due to their sensitive nature, security related bugs must be handled carefully. The security team coordinates this work,
keeps track of outstanding problems and issues advisories for the stable release.
"""


class WordEmbedder:
    """Vectors of 64 dimensions that are near when texts share words."""

    dimension = 64

    def __init__(self, fingerprint: str = "words") -> None:
        self.fingerprint = fingerprint
        self.calls: list[int] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls.append(len(texts))
        vectors = np.full((len(texts), self.dimension), 1e-3, np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                vectors[row, hashlib.sha256(word.encode()).digest()[0] % self.dimension] += 1
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


class BrokenEmbedder(WordEmbedder):
    """An embedder whose model is not installed."""

    def __init__(self) -> None:
        self.calls = []

    @property
    def fingerprint(self) -> str:  # type: ignore[override]
        raise EmbedderError("The embedding model is not installed.", "Install it.")

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise EmbedderError("The embedding model is not installed.", "Install it.")


def bytes_as_tokens(text: str) -> NDArray[np.int32]:
    return np.frombuffer(text.encode(), np.uint8).astype(np.int32)


def open_library(
    folder: Path,
    *,
    tokenizer: str = "bytes",
    embedder: WordEmbedder | Embedder | None = None,
    reader: StateReaderLike | None = None,
) -> Library:
    return Library(
        folder,
        tokenizer_fingerprint=tokenizer,
        tokenize=bytes_as_tokens,
        embedder=embedder or WordEmbedder(),
        state_reader=reader,
    )


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = open_library(tmp_path / "library")
    yield opened
    opened.close()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    (tmp_path / "sources").mkdir()

    def write_text(name: str, text: str) -> Path:
        path = tmp_path / "sources" / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


def long_text(name: str, paragraphs: int) -> str:
    return "\n\n".join(
        f"Paragraph {number} of {name} " + " ".join(f"{name}{number}word{word}" for word in range(40))
        for number in range(paragraphs)
    )


def contents(library: Library) -> dict[str, object]:
    """Everything a person can get out of a library, without the ids."""
    return {
        document.name: (
            document.kind,
            document.status,
            document.characters,
            document.tokens,
            [(p.ordinal, p.page, p.section, p.text) for p in library.passages.of(document.id)],
            library.document_text(document.id),
        )
        for document in library.documents()
    }


def cached_vectors(library: Library) -> int:
    """Vectors in the file of the index."""
    return int(json.loads((library.folder / "passages.hnsw.json").read_text())["count"])


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_documents_of_several_kinds_become_ready(library: Library, tmp_path: Path, write: Callable[..., Path]) -> None:
    sources = [
        write("manual.md", MANUAL),
        make_pdf(tmp_path / "report.pdf", ["The first page is about apples.", "The second page is about pears."]),
        make_docx(tmp_path / "letter.docx", ["# Greeting", "Dear reader, this letter is about quinces."]),
    ]
    queued = [library.add(path) for path in sources]
    assert [document.status for document in queued] == ["queued"] * 3
    seen: list[IngestionProgress] = []
    finished = library.ingest(progress=seen.append)
    assert finished == library.documents()
    assert [(document.name, document.kind, document.status) for document in finished] == [
        ("manual.md", "markdown", "ready"),
        ("report.pdf", "pdf", "ready"),
        ("letter.docx", "docx", "ready"),
    ]
    for document in finished:
        text = library.document_text(document.id)
        assert document.characters == len(text)
        assert document.tokens == len(text.encode())
        assert document.passages == len(library.passages.of(document.id)) > 0
    assert finished[1].pages == 2
    assert [passage.page for passage in library.passages.of(finished[1].id)] == [1, 2]
    assert library.ngrams.count() == sum(document.tokens for document in finished)
    matches = library.ngrams.lookup(bytes_as_tokens("this letter is about q"), continuation=6)
    assert bytes(matches.continuations[0].tolist()) == b"uinces"
    assert library.progress == seen[-1]
    assert library.progress.done
    assert (library.progress.documents_done, library.progress.documents_total) == (3, 3)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert {progress.stage for progress in seen} == {"reading", "splitting", "n-grams", "vectors", ""}
    assert library.ingest() == []


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
    assert stages.index("vectors") == 9
    assert early == ["three.txt"]


def test_search_by_meaning_and_words_finds_the_right_passage(tmp_path: Path, write: Callable[..., Path]) -> None:
    library = open_library(tmp_path / "library", embedder=Embedder())
    library.add(write("manual.md", MANUAL))
    library.ingest()
    for question, expected in (
        ("How do I give up a package that I have no time for?", "Orphaning a package"),
        ("NMU", "Non-maintainer uploads"),
        ("Who deals with vulnerabilities?", "Security updates"),
        ("What is the way to prepare basmati as a side dish?", "Cooking rice"),
    ):
        found = library.passages.search(question, 2)
        assert len(found) == 2
        assert expected in found[0].section + found[0].text
        assert found[0].name == "manual.md"
        assert 2 / (RANK_OFFSET + 1) >= found[0].score >= found[1].score > 0
    best = library.passages.search("NMU", 1)[0]
    rest = library.passages.search("NMU", 10, exclude=[best.id])
    assert best.id not in {passage.id for passage in rest}
    assert rest
    library.close()


def test_search_with_nothing_to_find(library: Library, write: Callable[..., Path]) -> None:
    assert library.passages.search("anything") == []
    library.add(write("manual.md", MANUAL))
    library.ingest()
    assert library.passages.search("") == library.passages.search(" \n") == library.passages.search("rice", 0) == []
    # No word of the question occurs: the vectors alone answer.
    assert len(library.passages.search("xylophone ?!", 3)) == 3


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    question=st.text(st.characters(exclude_categories=[]), max_size=60) | st.text('"*():^-+{}NEAROT AND', max_size=30)
)
def test_any_text_is_a_question(question: str, searchable: Library) -> None:
    for passage in searchable.passages.search(question, 3):
        assert passage.name == "manual.md"


@pytest.fixture(scope="module")
def searchable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("searchable")
    (folder / "manual.md").write_text(MANUAL)
    library = open_library(folder / "library", embedder=BrokenEmbedder())
    library.add(folder / "manual.md")
    with pytest.raises(EmbedderError):
        library.ingest()
    yield library
    library.close()


def test_a_broken_embedder_leaves_the_search_by_words(searchable: Library) -> None:
    assert "NMU" in searchable.passages.search('what is an "NMU"?', 1)[0].text
    assert "not installed" in searchable.progress.problem
    assert not searchable.progress.done
    assert [document.status for document in searchable.documents()] == ["ngrams"]
    assert searchable.ngrams.count() > 0
    assert any("not installed" in reason for reason in searchable.rebuild_needed())


def test_questions_become_quoted_words() -> None:
    assert words_query('Say "NEAR(p q)" NOT col:x* ^y') == '"say" OR "near" OR "p" OR "q" OR "col" OR "x" OR "y"'
    assert words_query("Who is with the NMU?") == '"nmu"'
    assert words_query("Who is it?") == '"who" OR "is" OR "it"'
    assert words_query("?! \x00 \ud800") == ""
    assert words_query("same SAME same") == '"same"'
    assert words_query(" ".join(f"w{number}" for number in range(500))).count(" OR ") == 63


def test_rank_fusion() -> None:
    assert fuse([[1, 2], [2, 3]]) == pytest.approx({1: 1 / 61, 2: 1 / 62 + 1 / 61, 3: 1 / 62})
    assert fuse([[], []]) == {}


def test_the_same_content_twice_is_one_document(library: Library, write: Callable[..., Path]) -> None:
    first = library.add(write("one.txt", "The same words."))
    library.ingest()
    again = library.add(write("copy of one.txt", "The same words."))
    assert (again.id, again.name, again.status) == (first.id, "one.txt", "ready")
    assert len(library.documents()) == 1
    assert len(list((library.folder / "files").iterdir())) == 1
    assert library.ingest() == []


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


def test_files_that_cannot_be_added(library: Library, tmp_path: Path) -> None:
    for path in (tmp_path / "absent.txt", tmp_path):
        with pytest.raises(DocumentError) as caught:
            library.add(path)
        assert path.name in str(caught.value)
    assert library.documents() == []
    assert list((library.folder / "files").iterdir()) == []


def test_a_copy_that_was_lost_fails_and_comes_back(library: Library, write: Callable[..., Path]) -> None:
    source = write("one.txt", "Some words.")
    library.add(source)
    for file in (library.folder / "files").iterdir():
        file.unlink()
    (failed,) = library.ingest()
    assert failed.status == "failed"
    assert failed.reason.startswith("one.txt: ")
    library.add(source)
    assert [document.status for document in library.ingest()] == ["ready"]


def test_odd_names(library: Library, tmp_path: Path) -> None:
    names = ["no suffix", "größe 中文 😀.txt", "two.tar.weird suffix", "UPPER.TXT", ".hidden", "a" * 200 + ".md"]
    if sys.platform.startswith("linux"):
        names.append(os.fsdecode(b"latin-\xe9.txt"))
    for number, name in enumerate(names):
        (tmp_path / name).write_text(f"Text number {number}.")
        library.add(tmp_path / name)
    assert [document.status for document in library.ingest()] == ["ready"] * len(names)
    assert [document.name for document in library.documents()][:6] == names[:6]


def test_removal_leaves_no_trace(library: Library, write: Callable[..., Path]) -> None:
    marker = "zyxomarkerquux"
    kept = library.add(write("kept.txt", long_text("kept", 30)))
    secret = library.add(write(f"{marker}.txt", long_text(marker, 200)))
    library.add(write("also.txt", long_text("also", 30)))
    library.ingest()
    assert marker.encode() in bytes_of(library.folder)
    assert library.passages.search(f"{marker}3word3", 1)[0].document == secret.id
    before, size = contents(library), library.disk_bytes()
    library.remove(secret.id)
    library.ingest()
    library.remove(secret.id)  # an unknown document is no error
    left = bytes_of(library.folder)
    # The n-grams are kept backwards, one byte of text per 32-bit id.
    backwards = b"".join(bytes([0, 0, 0, byte]) for byte in marker[::-1].encode())
    for trace in (marker.encode(), marker[::-1].encode(), marker[4:10].encode(), backwards):
        assert trace not in left
    assert b"".join(bytes([0, 0, 0, byte]) for byte in b"kept"[::-1]) in left
    assert library.disk_bytes() < size / 2
    assert {name: text for name, text in before.items() if marker not in name} == contents(library)
    assert all(passage.document != secret.id for passage in library.passages.search(f"{marker}3word3 {marker}", 50))
    assert library.ngrams.documents() == {document.id for document in library.documents()}
    assert len(library.ngrams.lookup(bytes_as_tokens(f"{marker}3word3")[-16:], min_n=14).lengths) == 0
    assert library.passages.search("kept3word3", 1)[0].document == kept.id
    assert cached_vectors(library) == sum(document.passages for document in library.documents())


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


def test_a_cache_from_before_a_removal_loses_what_was_removed(tmp_path: Path, write: Callable[..., Path]) -> None:
    folder = tmp_path / "library"
    library = open_library(folder)
    gone = library.add(write("gone.txt", long_text("gone", 5)))
    library.add(write("kept.txt", long_text("kept", 5)))
    library.ingest()
    old = {path: path.read_bytes() for path in folder.glob("passages.hnsw*")}
    assert len(old) == 2
    library.remove(gone.id)
    assert not any(path.exists() for path in old)
    library.close()
    for path, content in old.items():
        path.write_bytes(content)
    library = open_library(folder)
    library.ingest()
    assert cached_vectors(library) == library.documents()[0].passages
    library.close()


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


INGEST_UNTIL_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.stores.test_library import open_library

library = open_library(Path(sys.argv[1]))
commits, statements = int(sys.argv[2]), int(sys.argv[3])

def count_down(statement):
    global commits, statements
    if commits:
        commits -= statement == "COMMIT"
    elif statements:
        statements -= 1
    else:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

library._database._connection.set_trace_callback(count_down)
library.ingest()
"""


def test_a_killed_ingestion_goes_on_to_the_same_result(tmp_path: Path, write: Callable[..., Path]) -> None:
    sources = [write(f"{name}.txt", long_text(name, 50)) for name in ("one", "two", "three")]
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
    for commits, statements in ((0, 3), (1, 40), (1, 400), (4, 5), (5, 9), (4, 3), (20, 3)):
        child = subprocess.run(
            [
                *(sys.executable, "-c", textwrap.dedent(INGEST_UNTIL_KILLED)),
                *(str(tmp_path / "killed"), str(commits), str(statements)),
            ],
            capture_output=True,
            check=False,
        )
        assert child.returncode != 0
        assert child.stderr == b""
        library = open_library(tmp_path / "killed")
        stages.append([document.status for document in library.documents()])
        library.close()
    assert stages[0] == ["queued"] * 4
    assert {stage for course in stages for stage in course} == {*STAGES, "failed"}
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
from tests.stores.test_library import open_library

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


def test_another_instance_is_refused(library: Library) -> None:
    with pytest.raises(LibraryInUseError, match="library"):
        open_library(library.folder)
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INGEST_UNTIL_KILLED), str(library.folder), "0", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 1
    assert "LibraryInUseError" in child.stderr
    library.close()
    open_library(library.folder).close()


def test_a_damaged_database_gives_the_lock_back(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    open_library(folder).close()
    database = (folder / "library.db").read_bytes()
    (folder / "library.db").write_bytes(b"no database at all " * 500)
    errors = []  # kept, so that no collected garbage gives the lock back
    for _ in range(2):
        with pytest.raises(StoreError, match="damaged") as caught:
            open_library(folder)
        errors.append(caught.value)
    (folder / "library.db").write_bytes(database)
    open_library(folder).close()


def test_another_embedder_needs_a_rebuild(tmp_path: Path, write: Callable[..., Path]) -> None:
    folder = tmp_path / "library"
    library = open_library(folder)
    library.add(write("manual.md", MANUAL))
    library.ingest()
    assert library.rebuild_needed() == []
    library.close()

    other = WordEmbedder("other words")
    library = open_library(folder, embedder=other)
    (reason,) = library.rebuild_needed()
    assert "embedding model" in reason
    assert library.ingest() == []  # never silently
    assert other.calls == []
    assert "NMU" in library.passages.search("nmu", 1)[0].text
    assert library.passages.search("xylophone") == []  # vectors of the other embedder are not asked
    library.rebuild()
    assert [document.status for document in library.documents()] == ["ngrams"]
    assert [document.status for document in library.ingest()] == ["ready"]
    assert library.rebuild_needed() == []
    assert len(library.passages.search("xylophone", 3)) == 3
    library.close()


def test_another_tokenizer_needs_a_rebuild(tmp_path: Path, write: Callable[..., Path]) -> None:
    folder = tmp_path / "library"
    library = open_library(folder)
    library.add(write("manual.md", MANUAL))
    library.add(write("one.txt", "One more."))
    library.ingest()
    library.close()

    library = open_library(folder, tokenizer="other")
    (reason,) = library.rebuild_needed()
    assert "2 documents" in reason
    assert "tokenizer" in reason
    assert library.ingest() == []
    assert library.ngrams.count() == 0
    library.rebuild()
    library.start()
    assert library.wait(30)
    assert library.rebuild_needed() == []
    assert library.ngrams.count() == sum(document.tokens for document in library.documents())
    assert len(library.passages.search("xylophone", 3)) == 3  # the vectors stayed
    library.close()
    library = open_library(folder)
    assert library.rebuild_needed() == []  # the n-grams of the first tokenizer are still there
    library.close()


@pytest.mark.parametrize("harm", ["delete", "truncate", "flip", "foreign"])
def test_the_vector_cache_is_made_again(tmp_path: Path, write: Callable[..., Path], harm: str) -> None:
    folder = tmp_path / "library"
    library = open_library(folder)
    library.add(write("manual.md", MANUAL))
    library.ingest()
    expected = library.passages.search("xylophone", 5)
    library.close()
    cache = folder / "passages.hnsw"
    content = cache.read_bytes()
    if harm == "delete":
        cache.unlink()
    elif harm == "truncate":
        cache.write_bytes(content[:-100])
    elif harm == "flip":
        cache.write_bytes(bytes([content[0] ^ 0xFF]) + content[1:])
    else:
        # The cache of another library, whose passages have the same ids.
        other = open_library(tmp_path / "other")
        other.add(write("other.txt", long_text("other", 5)))
        other.ingest()
        other.close()
        for name in ("passages.hnsw", "passages.hnsw.json"):
            (folder / name).write_bytes((tmp_path / "other" / name).read_bytes())
    library = open_library(folder)
    assert library.passages.search("xylophone", 5) == expected
    library.ingest()
    assert cache.stat().st_size == len(content)
    library.close()


def test_leftovers_of_a_kill_are_swept(tmp_path: Path, write: Callable[..., Path]) -> None:
    folder = tmp_path / "library"
    library = open_library(folder)
    document = library.add(write("one.txt", "One."))
    library.close()
    (folder / "files" / "0123.txt").write_text("copied, but never in the database")
    (folder / "files" / "abcd.tmp").write_text("half a copy")
    library = open_library(folder)
    assert len(list((folder / "files").iterdir())) == 1
    assert [found.id for found in library.ingest()] == [document.id]
    library.close()


def test_a_cited_passage_is_found_among_its_neighbours(library: Library, write: Callable[..., Path]) -> None:
    pages = [
        f"Page {number} tells of {word * 60}." for number, word in enumerate(("tea ", "salt ", "rope ", "tar "), 1)
    ]
    first = library.add(make_pdf(library.folder.parent / "stores.pdf", pages))
    library.ingest()
    passages = library.passages.of(first.id)
    assert len(passages) == 4
    made = passages[1]
    assert library.passages.around(made.id, made.text, made.name, 1) == passages[:3]
    assert library.passages.around(passages[0].id, passages[0].text, made.name) == passages[:3]
    # Another text has its id, or its document was added anew: what was cited counts.
    assert library.passages.around(made.id, "Another text.", made.name) == []
    library.remove(first.id)
    assert library.passages.around(made.id, made.text, made.name) == []
    again = library.add(make_pdf(library.folder.parent / "stores.pdf", pages))
    library.ingest()
    found = library.passages.around(made.id, made.text, made.name, 1)
    assert [one.ordinal for one in found] == [0, 1, 2]
    assert {one.document for one in found} == {again.id}
    assert library.passages.around(made.id, made.text, "other.pdf") == []
    assert library_identity(library.folder) == library.identity


def test_an_overview_needs_no_lock_and_no_model(library: Library, write: Callable[..., Path]) -> None:
    empty = overview(library.folder)
    assert (empty.name, empty.documents, empty.tokens, empty.replies, empty.states) == ("library", 0, 0, 0, {})
    library.add(write("manual.md", MANUAL))
    tokens = library.ingest()[0].tokens
    library.replies.add(bytes_as_tokens("What was said."), None, origin="chat")
    held = overview(library.folder)  # while it is open
    assert (held.documents, held.tokens, held.replies, held.states) == (1, tokens + 14, 1, {})
    assert held.bytes >= library.disk_bytes() > 0
    library.close()
    before = {path: path.read_bytes() for path in library.folder.rglob("*") if path.is_file()}
    closed = overview(library.folder)
    assert (closed.documents, closed.tokens, closed.replies) == (1, tokens + 14, 1)
    assert {path: path.read_bytes() for path in before} == before
    with sqlite3.connect(library.folder / "library.db") as connection:
        connection.execute("DROP TABLE replies")  # as an older version left it
    connection.close()
    assert overview(library.folder).replies == 0
    for folder, content in (("absent", None), ("damaged", b"no database " * 500)):
        (library.folder.parent / folder).mkdir()
        if content is not None:
            (library.folder.parent / folder / "library.db").write_bytes(content)
        with pytest.raises(StoreError, match=folder):
            overview(library.folder.parent / folder)


def test_names_of_libraries(tmp_path: Path) -> None:
    assert library_name("  My papers (2024) ") == "My papers (2024)"
    assert library_name("Bücher") == library_name("Bu\u0308cher") == "Bücher"
    bad = ["", "  ", ".", "..", "../up", "a/b", "a\\b", "C:", ".cache", "end.", "con", "NUL.txt", "com1", "LPT9 .x"]
    bad += ["a\0b", "a\nb", "\ud800", "a\u202eb", "x" * 65, "中" * 200, "what?", "a*", "<b>", "p|q", '"quoted"']
    for text in bad:
        with pytest.raises(SettingsError) as caught:
            library_name(text)
        assert caught.value.advice
    assert list_libraries(tmp_path) == []
    for name in ("zoo", "Bücher", "console"):
        open_library(tmp_path / library_name(name)).close()
    (tmp_path / "no library").mkdir()
    (tmp_path / ".cache").mkdir()
    assert list_libraries(tmp_path) == ["Bücher", "console", "zoo"]


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(exclude_categories=[]), max_size=80))
def test_every_accepted_name_is_one_folder(text: str) -> None:
    try:
        name = library_name(text)
    except SettingsError:
        return
    assert (Path("stores") / name).parent == Path("stores")
    assert Path(name).name == name == library_name(name)
    assert len(name.encode()) <= 255
