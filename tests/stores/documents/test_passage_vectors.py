"""The cached index of passage vectors: made again whenever anything about its file is doubtful."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stores.libraries import MANUAL, WordEmbedder, cached_vectors, long_text, open_library


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
    assert [document.status for document in library.documents()] == ["ngrams"]
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
