"""The library on real files, SQLite and hnswlib; the embedder is a hash of words except where meaning matters."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from localspec.errors import LibraryInUseError, StoreError
from localspec.stores.library import IngestionProgress, Library
from tests.builders import make_docx, make_pdf
from tests.stores.libraries import INGEST_UNTIL_KILLED, MANUAL, WordEmbedder, bytes_as_tokens, long_text, open_library


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


def test_memory_is_what_the_open_indexes_hold(library: Library, write) -> None:
    library.add(write("one.txt", long_text("one", 100)))
    assert library.memory_bytes() == 0
    library.ingest()
    library.ngrams.lookup(bytes_as_tokens("one1word1 "))
    tokens, passages = library.documents()[0].tokens, library.documents()[0].passages
    least = 8 * tokens + passages * 4 * WordEmbedder.dimension
    assert least < library.memory_bytes() < 2 * least + 50 * 1024 + 300 * passages
