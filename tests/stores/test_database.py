"""What a store's database is opened with."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path

import pytest

import localspec
from localspec.errors import DamagedStoreError, LibraryInUseError, StoreError
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


def test_what_follows_a_commit_runs_though_no_space_can_be_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 1)
    store = StoreDatabase(tmp_path / "texts.db", _TEXTS)
    store.change("INSERT INTO texts (text) VALUES (?)", ["long" * 100_000])
    ran: list[str] = []
    other = sqlite3.connect(tmp_path / "texts.db", isolation_level=None)

    def begin() -> None:
        other.execute("BEGIN IMMEDIATE")

    with pytest.raises(LibraryInUseError), store.write() as writer:
        writer.execute("DELETE FROM texts")
        store.after_commit(begin)
        store.reclaim()
        store.after_commit(lambda: ran.append("behind it"))
    assert ran == ["behind it"]
    other.close()
    store.close()


def test_what_was_closed_is_not_opened_by_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "texts.db"
    store = StoreDatabase(path, _TEXTS)
    store.close()
    path.unlink()
    with pytest.raises(StoreError, match="closed"):
        store.rows("SELECT text FROM texts")
    assert not path.exists()


def test_statements_suit_sqlite_of_python_3_10() -> None:
    # Before 3.39 (Ubuntu 22.04 has 3.37) SQLite takes no HAVING without a GROUP BY.
    sources = [path.read_text(encoding="utf-8") for path in Path(localspec.__file__).parent.rglob("*.py")]
    having = [source[max(0, at.start() - 100) : at.end()] for source in sources for at in re.finditer("HAVING", source)]
    assert having
    assert all("GROUP BY" in statement for statement in having)
