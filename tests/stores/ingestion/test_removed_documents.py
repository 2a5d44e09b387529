"""Documents that are removed and brought back, over the real stores."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from localspec.stores.library import MIGRATIONS, Library
from localspec.stores.overview import overview
from tests.builders import make_pdf
from tests.stores.libraries import MANUAL, WordEmbedder, bytes_as_tokens, bytes_of, contents, long_text, open_library


def added(library: Library, *paths: Path) -> list[int]:
    ids = [library.add(path).id for path in paths]
    library.ingest()
    return ids


def finds(library: Library, question: str) -> list[tuple[str, int]]:
    return [(found.name, found.id) for found in library.passages.search(question)]


def drafts(library: Library, text: str) -> bytes:
    found = library.ngrams.lookup(bytes_as_tokens(text), continuation=6).continuations
    return bytes(found[0].tolist()) if len(found) else b""


def test_a_removed_document_is_in_nothing_and_comes_back_as_it_was(library: Library, write, tmp_path: Path) -> None:
    manual, other = write("manual.md", MANUAL), write("other.txt", "Quinces are yellow.")
    report = make_pdf(tmp_path / "report.pdf", ["Page one is about apples.", "Page two is about pears."])
    ids = added(library, manual, other, report)
    embedder = library._vectors.embedder
    assert isinstance(embedder, WordEmbedder)
    before, found = contents(library), finds(library, "How is rice cooked?")
    infos, calls = library.documents(), len(embedder.calls)
    assert found[0][0] == "manual.md"
    assert drafts(library, "Wash the rice until the") == b" water"

    assert library.removed.put([ids[0], 999]) == [ids[0]]
    assert [info.name for info in library.documents()] == ["other.txt", "report.pdf"]
    assert all(name != "manual.md" for name, _ in finds(library, "How is rice cooked?"))
    assert drafts(library, "Wash the rice until the") == b""
    assert library.ngrams.count() == sum(info.tokens for info in infos[1:])
    assert library.passages.of(ids[0]) == []
    assert library.document_text(ids[0]) == ""
    (kept,) = library.removed.all()
    assert (kept.id, kept.name) == (ids[0], "manual.md")
    assert kept.bytes > len(MANUAL)
    library.ingest()

    assert library.removed.bring_back([ids[0], 999]) == [ids[0]]
    assert library.removed.all() == []
    assert library.ingest() == []
    assert contents(library) == before
    assert library.documents() == infos
    assert finds(library, "How is rice cooked?") == found
    assert drafts(library, "Wash the rice until the") == b" water"
    questions = len(embedder.calls) - calls
    assert sum(embedder.calls[calls:]) == questions  # questions alone were embedded: one text a call
    assert library.rebuild_needed() == []


def test_removed_documents_outlive_a_restart(tmp_path: Path, write: Callable[..., Path]) -> None:
    library = open_library(tmp_path / "library")
    (one, two) = added(library, write("manual.md", MANUAL), write("other.txt", "Quinces are yellow."))
    before = contents(library)
    library.removed.put([one])
    library.close()
    figures = overview(tmp_path / "library")
    assert (figures.documents, figures.tokens) == (1, len(b"Quinces are yellow."))
    library = open_library(tmp_path / "library")
    try:
        assert [info.id for info in library.documents()] == [two]
        library.removed.bring_back([one])
        assert contents(library) == before
        assert finds(library, "rice")[0][0] == "manual.md"
        assert library.ingest() == []
    finally:
        library.close()


def test_deleting_for_good_leaves_no_trace(library: Library, write: Callable[..., Path]) -> None:
    one, two = added(library, write("secret.md", MANUAL), write("other.txt", long_text("quince", 3)))
    library.removed.put([one])
    assert b"Wash the rice" in bytes_of(library.folder)
    library.removed.delete()
    library.ingest()
    assert b"Wash the rice" not in bytes_of(library.folder)
    assert b"secret.md" not in bytes_of(library.folder)
    assert library.removed.all() == []
    assert library.removed.bring_back([one]) == []
    assert [info.id for info in library.documents()] == [two]


def test_what_was_kept_for_thirty_days_goes(tmp_path: Path, write: Callable[..., Path]) -> None:
    library = open_library(tmp_path / "library")
    old, young = added(library, write("old.md", MANUAL), write("young.txt", "Quinces are yellow."))
    library.removed.put([old, young])
    change = "UPDATE removed_documents SET removed = datetime('now', ?) WHERE document = ?"
    library._database.change(change, ["-31 days", old])
    library._database.change(change, ["-29 days", young])
    library.close()
    library = open_library(tmp_path / "library")
    try:
        assert [one.name for one in library.removed.all()] == ["young.txt"]
        assert len(list((library.folder / "files").iterdir())) == 1
    finally:
        library.close()


@pytest.mark.parametrize("stage", ["queued", "parsed", "passages", "ngrams"])
def test_a_document_at_work_goes_on_where_it_was(library: Library, write: Callable[..., Path], stage: str) -> None:
    path = write("manual.md", MANUAL)
    document = library.add(path).id
    while library.documents()[0].status != stage:
        library._pipeline.advance(library._pipeline.next())
    library.removed.put([document])
    assert library.ingest() == []
    library.removed.bring_back([document])
    assert library.documents()[0].status == stage
    library.ingest()
    assert library.documents()[0].status == "ready"
    assert finds(library, "rice")[0][0] == "manual.md"


def test_the_same_file_again_brings_it_back_under_its_new_name(library: Library, write: Callable[..., Path]) -> None:
    (document,) = added(library, write("manual.md", MANUAL))
    library.removed.put([document])
    info = library.add(write("handbook.md", MANUAL))
    assert (info.id, info.name, info.status, info.copies) == (document, "handbook.md", "ready", ())
    assert library.removed.all() == []


def test_failed_ones_come_back_failed(library: Library, write: Callable[..., Path]) -> None:
    path = write("broken.pdf", "no PDF")
    (document,) = added(library, path)
    assert library.failed() == [document]
    before = library.documents()
    library.removed.put(library.failed())
    assert library.documents() == []
    library.removed.bring_back([document])
    assert library.documents() == before


def test_a_file_of_a_folder_is_known_again(tmp_path: Path) -> None:
    library = open_library(tmp_path / "stores" / "library")
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "paper.txt").write_text("Quinces are yellow.")
    library.watching.add(folder)
    while library.watching.look():
        pass
    library.ingest()
    (info,) = library.documents()
    library.removed.put([info.id])
    assert library.watching.folders()[0].files == 0
    library.watching.again(library.watching.folders()[0].id)
    library.watching.look()
    assert library.documents() == []  # the person's word counts
    library.removed.bring_back([info.id])
    assert library.watching.folders()[0].files == 1
    assert library.documents() == [info]
    library.close()


def test_another_embedder_or_tokenizer_meanwhile(tmp_path: Path, write: Callable[..., Path]) -> None:
    library = open_library(tmp_path / "library")
    document, _ = added(library, write("manual.md", MANUAL), write("other.txt", "Quinces are yellow."))
    library.removed.put([document])
    library.close()
    library = open_library(tmp_path / "library", tokenizer="other", embedder=WordEmbedder("another"))
    try:
        library.rebuild()
        library.ingest()
        library.removed.bring_back([document])
        library.ingest()
        assert [info.status for info in library.documents()] == ["ready", "ready"]
        assert library.rebuild_needed() == []
        assert finds(library, "rice")[0][0] == "manual.md"
        assert drafts(library, "Wash the rice until the") == b" water"
    finally:
        library.close()


def test_rows_of_an_older_schema_are_read_again(library: Library, write: Callable[..., Path]) -> None:
    (document,) = added(library, write("manual.md", MANUAL))
    before = contents(library)
    library.removed.put([document])
    library._database.change("UPDATE removed_documents SET migrations = migrations - 1")
    library.removed.bring_back([document])
    assert [info.status for info in library.documents()] == ["queued"]
    library.ingest()
    assert contents(library) == before


def test_a_library_from_before_is_taken_over(tmp_path: Path, write: Callable[..., Path]) -> None:
    library = open_library(tmp_path / "library")
    (document,) = added(library, write("manual.md", MANUAL))
    library.close()
    with closing(sqlite3.connect(tmp_path / "library" / "library.db")) as old:
        for table in ("removed_vectors", "removed_rows", "removed_documents", "states_aside"):
            old.execute(f"DROP TABLE {table}")
        old.execute("DELETE FROM migrations WHERE name IN ('removed-1-documents', 'states-2-aside')")
        old.commit()
    library = open_library(tmp_path / "library")
    try:
        assert [name for (name,) in library._database.rows("SELECT name FROM migrations")] != []
        assert len(MIGRATIONS) == library._database.row("SELECT count(*) FROM migrations")[0]
        library.removed.put([document])
        assert [one.name for one in library.removed.all()] == ["manual.md"]
    finally:
        library.close()
