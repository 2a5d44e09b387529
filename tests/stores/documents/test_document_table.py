"""Documents added, read again, replaced and removed, on real files."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from localspec.errors import DocumentError
from localspec.stores.documents.document_table import DOCUMENT_MIGRATIONS
from localspec.stores.library import Library
from tests.builders import make_pdf
from tests.stores.libraries import (
    bytes_as_tokens,
    bytes_of,
    cached_vectors,
    contents,
    long_text,
    open_library,
    statuses,
)


def test_the_same_content_twice_is_one_document(library: Library, write: Callable[..., Path]) -> None:
    first = library.add(write("one.txt", "The same words."))
    library.ingest()
    again = library.add(write("copy of one.txt", "The same words."))
    assert (again.id, again.name, again.status) == (first.id, "one.txt", "ready")
    assert again.copies == ("copy of one.txt",)
    library.add(write("copy of one.txt", "The same words."))
    assert library.documents()[0].copies == ("copy of one.txt",), "once"
    assert len(library.documents()) == 1
    assert len(list((library.folder / "files").iterdir())) == 1
    assert library.ingest() == []


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


@pytest.mark.parametrize("left", [None, "", "Some", "\0" * len("Some words.")])
def test_a_copy_that_was_lost_is_made_again_from_its_place(
    library: Library, write: Callable[..., Path], left: str | None
) -> None:
    library.add(write("one.txt", "Some words."), keeps_source=True)
    (copy,) = (library.folder / "files").iterdir()
    copy.unlink()
    if left is not None:
        copy.write_text(left)
    (document,) = library.ingest()
    assert document.status == "ready"
    assert copy.read_text() == "Some words."


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
    library.removed.put(library.failed())
    library.removed.delete()
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
