"""The cached index of passage vectors: made again whenever anything about its file is doubtful."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.stores.libraries import MANUAL, WordEmbedder, bytes_of, cached_vectors, long_text, open_library


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
    assert library.rebuild_needed() == []
    assert [document.status for document in library.ingest()] == ["ready"]
    assert library.rebuild_needed() == []
    assert len(library.passages.search("xylophone", 3)) == 3
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


def copied(words: str, times: int) -> str:
    """One paragraph of a passage's length, again and again."""
    return "\n\n".join([" ".join([words] * (600 // len(words)))] * times)


def test_copies_of_a_passage_have_one_vector_and_hide_nothing(tmp_path: Path, write: Callable[..., Path]) -> None:
    embedder = WordEmbedder()
    library = open_library(tmp_path / "library", embedder=embedder)
    library.add(write("form.txt", copied("Leave this page empty.", 400)))
    library.add(write("same.txt", "Other words first. " + copied("Leave this page empty.", 400)))
    library.add(write("birds.txt", "The heron stands in the shallow water, and this page is about birds."))
    library.ingest()
    assert sum(document.passages for document in library.documents()) > 300
    assert sum(embedder.calls) < 12
    found = library.passages.search("Which page should be empty, and which has the heron?", 6)
    assert "birds.txt" in {passage.name for passage in found}
    assert len({passage.text for passage in found}) == len(found)
    # A copy of what the chat knows already says nothing new.
    asked = "page empty"
    (known, *_) = library.passages.search(asked, 1)
    again = library.passages.search(asked, 6, exclude=[known.id])
    assert known.text not in {passage.text for passage in again}
    library.close()


def test_a_text_stays_found_while_one_of_its_documents_is_there(tmp_path: Path, write: Callable[..., Path]) -> None:
    library = open_library(tmp_path / "library")
    shared = copied("The badger digs.", 3)
    first = library.add(write("first.txt", shared))
    library.add(write("second.txt", shared + "\n\n" + copied("The fox sleeps.", 3)))
    library.ingest()
    assert library.passages.search("badger digs", 1)[0].name == "first.txt"
    library.remove(first.id)
    assert library.passages.search("badger digs", 1)[0].name == "second.txt"
    library.remove(library.documents()[0].id)
    assert library.passages.search("badger digs", 1) == []
    assert b"badger" not in bytes_of(library.folder)
    ((texts,),) = library._database.rows("SELECT count(*) FROM embedded_texts")
    assert texts == 0
    library.close()


ONE_PER_PASSAGE = """
CREATE TABLE embeddings (
    passage INTEGER PRIMARY KEY REFERENCES passages (id) ON DELETE CASCADE,
    embedder INTEGER NOT NULL REFERENCES embedders (id),
    vector BLOB NOT NULL
);
INSERT INTO embeddings
    SELECT passages.id, embedder, vector FROM passages JOIN text_vectors ON text_vectors.text = embedded;
DROP TABLE text_vectors;
DROP INDEX passages_embedded;
ALTER TABLE passages DROP COLUMN embedded;
DROP TABLE embedded_texts;
DELETE FROM migrations WHERE name = 'search-3-texts';
"""


def test_a_library_with_a_vector_for_each_passage_keeps_them(tmp_path: Path, write: Callable[..., Path]) -> None:
    folder = tmp_path / "library"
    library = open_library(folder)
    library.add(write("manual.md", MANUAL))
    library.add(write("copies.txt", copied("Leave this page empty.", 5)))
    library.ingest()
    expected = library.passages.search("xylophone", 5)
    library.close()
    with closing(sqlite3.connect(folder / "library.db")) as connection:
        connection.executescript(ONE_PER_PASSAGE)
    embedder = WordEmbedder()
    library = open_library(folder, embedder=embedder)
    assert library.rebuild_needed() == []
    assert library.ingest() == []
    assert embedder.calls == []
    assert library.passages.search("xylophone", 5) == expected
    library.close()


def test_where_no_document_can_be_finished_nothing_is_committed(tmp_path: Path, write: Callable[..., Path]) -> None:
    library = open_library(tmp_path / "library")
    library.add(write("one.txt", long_text("one", 3)))
    library.ingest()
    before = library.changes
    library._vectors.finish_documents()
    assert library.changes == before
    library.close()
