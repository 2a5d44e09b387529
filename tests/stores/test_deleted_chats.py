"""Deleted chats: out of every list at once, whole again when taken back, and gone from the file a month later."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from localspec.errors import StoreError
from localspec.stores.conversations import DATABASE, Conversations
from localspec.stores.deleted_chats import KEPT_DAYS
from localspec.stores.stored_turns import Citation, StoredConversation, StoredTurn

CITED = (Citation(1, "a.pdf", 3, "", "Clean it with vinegar."),)
TURNS = (
    StoredTurn("Who xyzzy?", "Who xyzzy?", "Nobody plugh.", [1, 2], "tok", finish="end", given=CITED),
    StoredTurn("And then?", "And then?", "The end.", finish="stopped"),
)
KEPT = StoredConversation("One", "documents", TURNS, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "Be short.")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Conversations]:
    opened = Conversations(tmp_path)
    opened.add([replace(KEPT, pinned=True, folder="Work"), replace(KEPT, title="Two", changed="2026-01-03T00:00:00Z")])
    yield opened
    opened.close()


def age(folder: Path, table: str, number: int, days: float) -> None:
    """Something was deleted so long ago."""
    then = (datetime.now(timezone.utc) - timedelta(days=days)).isoformat(timespec="milliseconds")
    with closing(sqlite3.connect(folder / DATABASE, timeout=30)) as connection, connection:
        connection.execute(f"UPDATE {table} SET deleted = ? WHERE id = ?", [then, number])


def test_a_deleted_chat_is_seen_by_nothing_and_comes_back_whole(store: Conversations) -> None:
    before, listed, version = store.load(1), store.newest(), store.version
    store.bin.put("chat", 1)
    assert store.version > version, "lists are drawn anew"
    assert [info.id for info in store.newest()] == [2]
    assert store.newest(filed=True) == []
    assert store.count() == 1
    for query in ("nobody", "One", "obod"):
        assert 1 not in {info.id for info in store.search(query)}
    with pytest.raises(StoreError, match="no longer exists"):
        store.load(1)
    (item,) = store.bin.newest()
    assert (item.kind, item.id, item.title) == ("chat", 1, "One")
    store.bin.restore("chat", 1)
    assert store.bin.newest() == []
    assert store.load(1) == before
    assert store.newest() == listed, "pin, folder and place are what they were"
    assert 1 in {info.id for info in store.search("nobody")}


def test_a_search_is_not_cut_short_by_deleted_chats(store: Conversations) -> None:
    store.add(replace(KEPT, title=f"More {number}") for number in range(5))
    for number in range(3, 8):
        store.bin.put("chat", number)
    assert [info.id for info in store.search("nobody", 2)] == [2, 1]


def test_what_is_still_written_into_a_deleted_chat_is_kept(store: Conversations) -> None:
    store.bin.put("chat", 1)
    store.write_on(1, 1, "The very end.", [3])
    store.put(1, 2, TURNS[0])
    store.bin.restore("chat", 1)
    assert [turn.reply for turn in store.load(1).turns] == ["Nobody plugh.", "The very end.", "Nobody plugh."]


def test_the_one_deleted_last_comes_first_and_is_deleted_once(store: Conversations, tmp_path: Path) -> None:
    store.bin.put("chat", 1)
    age(tmp_path, "conversations", 1, 2)
    (first,) = store.bin.newest()
    store.bin.put("chat", 1)
    assert store.bin.newest() == [first], "its time is not begun anew"
    store.bin.put("chat", 2)
    store.bin.put("folder", 1)
    age(tmp_path, "folders", 1, 1)
    assert [(item.kind, item.id) for item in store.bin.newest()] == [("chat", 2), ("folder", 1), ("chat", 1)]
    assert [item.id for item in store.bin.newest(1)] == [2]


def test_a_deleted_folder_leaves_its_chats_and_holds_them_again(store: Conversations) -> None:
    store.folders.collapse(1, collapsed=True)
    folders = store.folders.all()
    store.bin.put("folder", 1)
    assert store.folders.all() == []
    assert [(info.id, info.folder) for info in store.newest()] == [(2, 0), (1, 0)]
    assert store.load(1).folder == ""
    with pytest.raises(StoreError):
        store.folders.move(2, 1)
    store.bin.restore("folder", 1)
    assert store.folders.all() == folders
    assert store.load(1).folder == "Work"


def test_a_folder_that_comes_back_beside_one_of_its_name_joins_it(store: Conversations) -> None:
    store.bin.put("folder", 1)
    store.folders.move_to(2, "WORK")
    store.bin.restore("folder", 1)
    (only,) = store.folders.all()
    assert {info.folder for info in store.newest()} == {only.id}


def test_a_chat_whose_folder_is_purged_comes_back_without(store: Conversations) -> None:
    store.bin.put("chat", 1)
    store.bin.put("folder", 1)
    store.bin.purge("folder", 1)
    store.bin.restore("chat", 1)
    assert store.load(1).folder == ""
    assert store.newest(filed=True)[0].pinned
    with pytest.raises(StoreError, match="permanently deleted"):
        store.bin.restore("folder", 1)


def test_only_what_was_deleted_can_be_purged(store: Conversations) -> None:
    store.bin.purge("chat", 1)
    store.bin.purge("folder", 1)
    assert store.load(1).folder == "Work"
    store.bin.put("chat", 1)
    store.bin.purge("chat", 1)
    with pytest.raises(StoreError, match="permanently deleted"):
        store.bin.restore("chat", 1)


def test_after_a_month_it_is_gone_from_the_file(store: Conversations, tmp_path: Path) -> None:
    store.rename(2, "Something else")
    store.remove(2, store.numbers(2))
    store.bin.put("chat", 1)
    store.bin.put("folder", 1)
    age(tmp_path, "conversations", 1, KEPT_DAYS - 0.01)
    age(tmp_path, "folders", 1, KEPT_DAYS - 0.01)
    assert store.bin.purge_old() == 0
    assert len(store.bin.newest()) == 2
    age(tmp_path, "conversations", 1, KEPT_DAYS + 0.01)
    age(tmp_path, "folders", 1, KEPT_DAYS + 0.01)
    assert store.bin.newest() == [], "nor is it listed until then"
    assert store.bin.purge_old() == 2
    assert store.bin.purge_old() == 0
    store.tidy()
    for file in tmp_path.glob(f"{DATABASE}*"):
        assert b"xyzzy" not in file.read_bytes()
        assert b"plugh" not in file.read_bytes()


CHANGES = """
import itertools, sys
from pathlib import Path
from localspec.stores.conversations import Conversations
store = Conversations(Path(sys.argv[1]))
for step in itertools.count():
    number = step % 8 + 1
    store.bin.put("chat", number)
    store.bin.put("folder", 1 + step % 2)
    store.folders.move_to(9 - number, f"Folder {step % 3}")
    store.pin(number, pinned=step % 2 == 0)
    store.bin.restore("chat", number)
    for item in store.bin.newest():
        store.bin.restore(item.kind, item.id)
    store.bin.purge_old()
    print(step, flush=True)
"""


def test_a_kill_at_any_moment_loses_no_chat(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    store.add(replace(KEPT, title=f"Chat {number}", folder=f"Folder {number % 2}") for number in range(1, 9))
    store.close()
    for steps in (1, 4, 9):
        process = subprocess.Popen([sys.executable, "-c", CHANGES, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(steps):
            assert process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        store = Conversations(tmp_path)
        assert store.set_aside is None
        for item in store.bin.newest():
            store.bin.restore(item.kind, item.id)
        chats = [store.load(number) for number in range(1, 9)]
        assert [kept.title for kept in chats] == [f"Chat {number}" for number in range(1, 9)]
        asked = [[(turn.question, turn.reply, turn.given) for turn in kept.turns] for kept in chats]
        assert asked == [[(turn.question, turn.reply, turn.given) for turn in TURNS]] * 8
        known = {folder.name for folder in store.folders.all()}
        assert len(known) == len(store.folders.all())
        assert {kept.folder for kept in chats} <= {*known, ""}
        store.close()
