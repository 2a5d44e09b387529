"""Folders of chats: made by their names, found by them, and none of them loses a chat."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localspec.errors import StoreError
from localspec.stores import stored_turns
from localspec.stores.chat_folders import FOLDER_CHARACTERS, ChatFolder, folder_name
from localspec.stores.chat_words import CHAT_WORD_MIGRATIONS
from localspec.stores.conversations import DATABASE, Conversations
from localspec.stores.database import StoreDatabase
from localspec.stores.stored_turns import StoredConversation, StoredTurn

TURNS = (StoredTurn("Who?", "Who?", "Nobody.", finish="end", asked="2026-01-01T00:00:00+00:00"),)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Conversations]:
    opened = Conversations(tmp_path)
    opened.add(StoredConversation(f"Chat {number}", "documents", TURNS) for number in range(1, 6))
    yield opened
    opened.close()


def names(store: Conversations) -> list[str]:
    return [folder.name for folder in store.folders.all()]


def inside(store: Conversations, name: str) -> set[int]:
    number = next(folder.id for folder in store.folders.all() if folder.name == name)
    return {info.id for info in store.newest() if info.folder == number}


def test_a_folder_is_made_by_its_name_and_found_by_it(store: Conversations) -> None:
    store.folders.move_to(1, "  Work \n at home ")
    store.folders.move_to(2, "WORK AT HOME")
    store.folders.move_to(3, "Ärzte")
    store.folders.move_to(4, "")
    assert names(store) == ["Work at home", "Ärzte"]
    assert inside(store, "Work at home") == {1, 2}
    work, doctors = store.folders.all()
    store.folders.move(1, doctors.id)
    store.folders.move(2, 0)
    assert inside(store, "Ärzte") == {1, 3}
    assert inside(store, "Work at home") == set()
    with pytest.raises(StoreError, match="folder no longer exists"):
        store.folders.move(1, 99)
    with pytest.raises(StoreError, match="chat no longer exists"):
        store.folders.move_to(99, "Nobody's")
    assert len(store.folders.all()) == 2
    assert inside(store, "Ärzte") == {1, 3}
    assert work == ChatFolder(work.id, "Work at home")


def test_moving_and_pinning_do_not_make_a_chat_the_newest(store: Conversations) -> None:
    before = [info.id for info in store.newest()]
    store.folders.move_to(1, "Work")
    store.pin(2, pinned=True)
    assert [info.id for info in store.newest()] == before
    assert [info.id for info in store.newest() if info.pinned] == [2]
    assert {info.id for info in store.newest(filed=True)} == {1, 2}
    assert [info.id for info in store.newest(2, filed=False)] == [5, 4]
    store.pin(2, pinned=False)
    assert {info.id for info in store.newest(filed=True)} == {1}


def test_a_search_tells_pin_and_folder(store: Conversations) -> None:
    store.folders.move_to(1, "Work")
    store.pin(2, pinned=True)
    found = {info.id: (info.pinned, bool(info.folder), info.snippet) for info in store.search("nobody")}
    assert found[1][:2] == (False, True)
    assert found[2][:2] == (True, False)
    assert all(snippet for _, _, snippet in found.values())


def test_a_folder_is_renamed_and_two_of_one_name_become_one(store: Conversations) -> None:
    store.folders.move_to(1, "Work")
    store.folders.move_to(2, "Home")
    home, work = store.folders.all()
    store.folders.rename(work.id, "work")
    store.folders.rename(work.id, " ")
    assert names(store) == ["Home", "work"]
    store.folders.rename(work.id, "HOME")
    assert store.folders.all() == [home]
    assert inside(store, "Home") == {1, 2}
    with pytest.raises(StoreError):
        store.folders.rename(work.id, "Gone")


def test_what_is_collapsed_stays_so_after_a_restart(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    store.add([replace(StoredConversation("A", "documents", TURNS), folder="Work", pinned=True)])
    (work,) = store.folders.all()
    store.folders.collapse(work.id, collapsed=True)
    store.close()
    store = Conversations(tmp_path)
    assert store.folders.all() == [replace(work, collapsed=True)]
    (info,) = store.newest()
    assert (info.pinned, info.folder) == (True, work.id)
    store.folders.collapse(work.id, collapsed=False)
    assert store.folders.all() == [work]
    store.close()


def test_whole_chats_carry_pin_and_folder(store: Conversations) -> None:
    kept = StoredConversation("New", "documents", TURNS, pinned=True, folder="Trips")
    store.add([kept, replace(kept, folder="TRIPS"), replace(kept, pinned=False, folder="")])
    one, two, three = (store.load(number) for number in (6, 7, 8))
    assert (one.pinned, one.folder) == (two.pinned, two.folder) == (True, "Trips")
    assert (three.pinned, three.folder) == (False, "")
    assert names(store) == ["Trips"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(st.characters(), max_size=100))
def test_any_name_will_do(store: Conversations, name: str) -> None:
    store.folders.move(1, 0)
    store.folders.move_to(1, name)
    clean = folder_name(name)
    assert len(clean) <= FOLDER_CHARACTERS
    assert store.load(1).folder.casefold() == clean.casefold()


def test_chats_of_the_version_before_are_taken_over(tmp_path: Path) -> None:
    """As the form before had them: no folder, not pinned, not deleted."""
    landed = (*stored_turns.CONVERSATION_MIGRATIONS[:4], *CHAT_WORD_MIGRATIONS)
    StoreDatabase(tmp_path / DATABASE, landed).close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute(
            "INSERT INTO conversations (title, library, created, changed, system) VALUES ('Old', 'work', 'a', 'b', 's')"
        )
        connection.execute(
            "INSERT INTO turns (conversation, position, asked, method, finish, library, question, reply, tokenizer,"
            " tokens, details, metrics) VALUES (1, 0, 'a', '', 'end', '', 'Who?', 'Nobody.', '', x'', '{}', '{}')"
        )
    store = Conversations(tmp_path)
    (info,) = store.newest()
    assert (info.title, info.pinned, info.folder) == ("Old", False, 0)
    kept = store.load(info.id)
    assert (kept.system, kept.pinned, kept.folder, len(kept.turns)) == ("s", False, "", 1)
    assert store.folders.all() == []
    assert store.bin.newest() == []
    assert [one.id for one in store.search("nobody")] == [info.id]
    store.close()
