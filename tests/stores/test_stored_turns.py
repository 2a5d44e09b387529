"""The fields of a turn: each is in the one table of them, and is kept as it was."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from localspec.stores.conversations import Conversations
from localspec.stores.stored_turns import (
    CITATIONS,
    FIELDS,
    FLAG,
    NAME,
    NUMBER,
    NUMBERS,
    PACKED,
    RECORD,
    TEXT,
    TEXTS,
    TIME,
    TOKENS,
    Citation,
    StoredConversation,
    StoredField,
    StoredTurn,
    plain,
)

SAMPLES: dict[str, Any] = {
    TEXT.name: "A text\nof two lines.",
    NAME.name: "end",
    TIME.name: "2026-01-02T03:04:05+00:00",
    TEXTS.name: ["one", "two"],
    NUMBER.name: 5,
    NUMBERS.name: [3, 7],
    FLAG.name: True,
    CITATIONS.name: [Citation(1, "a.pdf", 3, "", "Clean it."), Citation(2, "b.md", None, "Horn", "Loud.")],
    TOKENS.name: [1, 2, 151_000],
    RECORD.name: {"size": 4096, "question": 7},
    PACKED.name: b"\1\0\1\4",
}
EMPTY = StoredTurn("Question", "Question", asked="2026-01-01T00:00:00+00:00")


def with_sample(turn: StoredTurn, each: StoredField) -> StoredTurn:
    """The turn with a value in this field; what is cited was given, too."""
    value = SAMPLES[each.kind.name]
    changes: dict[str, Any] = {"given": tuple(SAMPLES[CITATIONS.name])} if each.kind is CITATIONS else {}
    changes[each.name] = each.many(value) if each.kind in (TEXTS, NUMBERS, CITATIONS) else value
    return replace(turn, **changes)


def test_every_field_is_in_the_table_once() -> None:
    assert [each.name for each in FIELDS] == [each.name for each in fields(StoredTurn)]
    assert len({each.label for each in FIELDS}) == len(FIELDS)
    columns = [each.column for each in FIELDS if each.column]
    assert len(set(columns)) == len(columns)


@pytest.mark.parametrize("each", FIELDS, ids=lambda each: each.name)
def test_every_field_is_kept_as_it_was(tmp_path: Path, each: StoredField) -> None:
    turn = with_sample(EMPTY, each)
    assert turn != EMPTY
    store = Conversations(tmp_path)
    identity = store.begin("Title", "documents")
    store.put(identity, 0, EMPTY)
    store.put(identity, 0, turn)
    store.add([StoredConversation("Another", "documents", (EMPTY, turn))])
    store.close()
    store = Conversations(tmp_path)
    assert store.load(identity).turns == (turn,)
    assert store.load(store.newest(1)[0].id).turns == (EMPTY, turn)
    store.close()


def test_a_copy_has_lists_of_its_own() -> None:
    turn = replace(EMPTY, notices=["one"], reply_tokens=[1])
    copied = StoredTurn(**plain(turn))
    turn.notices.append("two")
    turn.reply_tokens += [2]
    assert (copied.notices, copied.reply_tokens) == (["one"], [1])
