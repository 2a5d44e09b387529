"""A library in figures, read without opening it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from localspec.errors import StoreError
from localspec.stores.library import Library
from localspec.stores.overview import overview
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
