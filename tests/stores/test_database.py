"""What a store's database is opened with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from localspec.errors import DamagedStoreError
from localspec.stores import database
from localspec.stores.database import Migration, StoreDatabase

_TEXTS = (Migration("texts-1", "CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT);\n"),)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A file that was closed, and whose middle is something else now."""
    path = tmp_path / "texts.db"
    store = StoreDatabase(path, _TEXTS)
    with store.write() as writer:
        writer.conn.executemany("INSERT INTO texts (text) VALUES (?)", [("word " * 200,) for _ in range(500)])
    store.close()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 8192] = b"\xff" * 8192
    path.write_bytes(content)
    return path


def test_a_damaged_file_is_not_opened(damaged: Path) -> None:
    with pytest.raises(DamagedStoreError, match=r"texts\.db is damaged"):
        StoreDatabase(damaged, _TEXTS)


def test_a_large_file_is_checked_only_where_it_was_not_closed(
    damaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_CHECKED_BYTES", 10_000)
    store = StoreDatabase(damaged, _TEXTS)
    assert store.row("SELECT text FROM texts LIMIT 1") == ("word " * 200,)
    with pytest.raises(DamagedStoreError):
        store.rows("SELECT text FROM texts")
    # As a kill leaves it.
    left = tmp_path / "left.db"
    store.change("INSERT INTO texts (id, text) VALUES (100000, 'new')")
    for suffix in ("", "-wal"):
        shutil.copy(f"{damaged}{suffix}", f"{left}{suffix}")
    store.close()
    with pytest.raises(DamagedStoreError):
        StoreDatabase(left, _TEXTS)


def test_a_method_that_is_asked_for_again_runs_once_behind_a_commit(tmp_path: Path) -> None:
    store = StoreDatabase(tmp_path / "texts.db", _TEXTS)
    ran: list[str] = []

    class Counter:
        def count(self) -> None:
            ran.append("count")

    counter, other = Counter(), Counter()
    with store.write():
        for one in (counter, counter, other):
            store.after_commit(one.count)
        with pytest.raises(ZeroDivisionError), store.write():
            store.after_commit(counter.count)
            raise ZeroDivisionError
    assert ran == ["count"] * 2
    store.close()
