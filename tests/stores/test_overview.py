"""A library in figures, read without opening it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from localspec.errors import StoreError
from localspec.stores.library import Library
from localspec.stores.overview import overview, standings
from localspec.stores.stored_turns import Citation
from tests.stores.libraries import MANUAL, bytes_as_tokens


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


def test_what_became_of_cited_documents(library: Library, write: Callable[..., Path]) -> None:
    before, later = "2026-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00"
    plain = "The lamp is cleaned with vinegar every morning. "
    gone = library.add(write("gone.txt", "The horn sounds in fog. " * 5))
    library.add(write("kept.txt", plain * 5))
    stale = library.add(write("stale.txt", "The boat costs 12 crowns. " * 5))
    library.ingest()
    made = {}
    for document in library.documents():
        (passage, *_) = library.passages.of(document.id)
        made[document.name] = Citation(1, document.name, None, "", passage.text, passage.id)
    cited = [(made[name], before) for name in ("gone.txt", "kept.txt", "stale.txt")]
    assert standings(library.folder, cited) == ["", "", ""]

    library.remove(gone.id)
    library._table.replace(stale.id, write("stale.txt", "The boat costs 15 crowns. " * 5))
    library.ingest()
    assert standings(library.folder, cited) == ["removed", "", "changed"]

    # Read anew, the document has other passages, but says the same.
    cut = replace(made["kept.txt"], passage=plain.strip(), source=10_000)
    assert standings(library.folder, [(cut, before)]) == [""]
    other = replace(cut, passage="Words that the reader of an earlier version gave.")
    assert standings(library.folder, [(other, later), (other, before)]) == ["", "changed"]

    # The content is there under the other of its names.
    library.add(write("twin.txt", plain * 5))
    assert standings(library.folder, [(replace(cut, file="twin.txt"), before)]) == [""]
