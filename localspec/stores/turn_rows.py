"""The turns of a conversation as rows: a tree, in which each turn has a parent and each place knows what it shows.

Siblings are turns of one parent. Of them the one in `shown` is shown, else the newest. A passage lies with the first
turn of a path that was given it: other branches may have another one of its number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable

from sqlite_utils import Database

from localspec.stores import stored_turns
from localspec.stores.database import Migration
from localspec.stores.stored_turns import Citation, StoredNode, StoredTurn, writable

_BRANCHES = """
ALTER TABLE turns RENAME COLUMN position TO number;
ALTER TABLE turns ADD COLUMN parent INTEGER NOT NULL DEFAULT -1;  -- number of the turn before, -1 for none
UPDATE turns SET parent = coalesce((
    SELECT max(number) FROM turns AS earlier
    WHERE earlier.conversation = turns.conversation AND earlier.number < turns.number
), -1);
CREATE INDEX turns_tree ON turns (conversation, number, parent);
CREATE TABLE shown (
    conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    parent INTEGER NOT NULL,
    number INTEGER NOT NULL,     -- of the turn that is shown; without a row, it is the newest
    PRIMARY KEY (conversation, parent)
) WITHOUT ROWID;
CREATE TABLE cited (
    conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    turn INTEGER NOT NULL,       -- number of the turn that was first given it
    number INTEGER NOT NULL,
    source INTEGER NOT NULL,     -- id of the passage in that turn's library, 0 where unknown
    file TEXT NOT NULL,
    page INTEGER,
    section TEXT NOT NULL,
    passage TEXT NOT NULL,
    label TEXT NOT NULL,
    PRIMARY KEY (conversation, turn, number)
) WITHOUT ROWID;
INSERT INTO cited SELECT conversation, position, number, source, file, page, section, passage, label FROM citations;
DROP TABLE citations;
ALTER TABLE cited RENAME TO citations;
"""

BRANCH_MIGRATIONS: tuple[Migration, ...] = (Migration("conversations-5-branches", _BRANCHES),)
"""Come after those that create `turns` and the tables for its words."""

_GIVEN_ABOVE = """
WITH RECURSIVE above (number) AS (
    SELECT :parent
    UNION ALL
    SELECT turns.parent FROM above JOIN turns ON turns.conversation = :conversation AND turns.number = above.number
)
SELECT citations.number FROM above
JOIN citations ON citations.conversation = :conversation AND citations.turn = above.number
"""


def put(database: Database, conversation: int, number: int, parent: int, turn: StoredTurn) -> None:
    """Write a turn with the passages that no turn before it was given. A new one is shown in its place."""
    place = [conversation, number]
    there = database.execute("SELECT parent FROM turns WHERE conversation = ? AND number = ?", place).fetchone()
    names = ("conversation", "number", "parent", *stored_turns.COLUMNS)
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[2:])
    database.execute(
        f"INSERT INTO turns ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        f" ON CONFLICT (conversation, number) DO UPDATE SET {changes}",
        [conversation, number, parent, *stored_turns.as_row(turn)],
    )
    if there is None or there[0] != parent:
        database.execute("DELETE FROM shown WHERE conversation = ? AND parent = ?", [conversation, parent])
    database.execute("DELETE FROM citations WHERE conversation = ? AND turn = ?", place)
    if turn.given:
        above = {"conversation": conversation, "parent": parent}
        known = {row[0] for row in database.execute(_GIVEN_ABOVE, above)}
        for made in turn.given:
            if made.number not in known:
                _cite(database, conversation, number, made)


def _cite(database: Database, conversation: int, turn: int, made: Citation) -> None:
    database.execute(
        "INSERT OR IGNORE INTO citations (conversation, turn, number, source, file, page, section, passage, label)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            *(conversation, turn, made.number, made.source),
            *(writable(made.file), made.page, writable(made.section), writable(made.passage), writable(made.label)),
        ],
    )


def show(database: Database, conversation: int, numbers: Iterable[int]) -> None:
    """Show these turns in their places, where they are there."""
    for number in numbers:
        database.execute(
            "INSERT OR REPLACE INTO shown (conversation, parent, number)"
            " SELECT conversation, parent, number FROM turns WHERE conversation = ? AND number = ?",
            [conversation, number],
        )


def remove(database: Database, conversation: int, numbers: Collection[int]) -> None:
    """Delete these turns; what follows one of them must be among them."""
    for number in numbers:
        place = [conversation, number]
        database.execute("DELETE FROM turns WHERE conversation = ? AND number = ?", place)
        database.execute("DELETE FROM citations WHERE conversation = ? AND turn = ?", place)
        database.execute("DELETE FROM shown WHERE conversation = ? AND (number = ? OR parent = ?)", [*place, number])


def read(connection: sqlite3.Connection, conversation: int) -> list[StoredNode]:
    """All turns of a conversation, by number. Raises ValueError, TypeError or KeyError for what `put` cannot have
    written."""
    rows = connection.execute(
        f"SELECT number, parent, {', '.join(stored_turns.COLUMNS)} FROM turns WHERE conversation = ? ORDER BY number",
        [conversation],
    ).fetchall()
    own: dict[int, dict[int, Citation]] = {}
    for turn, *cited in connection.execute(
        "SELECT turn, number, file, page, section, passage, source, label FROM citations WHERE conversation = ?",
        [conversation],
    ):
        own.setdefault(turn, {})[cited[0]] = Citation(*cited)
    newest = {parent: number for number, parent, *_ in rows}
    choices = connection.execute("SELECT parent, number FROM shown WHERE conversation = ?", [conversation])
    shown = dict(choices.fetchall())
    known: dict[int, dict[int, Citation]] = {stored_turns.NO_PARENT: {}}
    nodes = []
    for number, parent, *columns in rows:
        known[number] = {**known[parent], **own[number]} if number in own else known[parent]
        turn = stored_turns.of_row(columns, known[number])
        nodes.append(StoredNode(number, parent, turn, number == shown.get(parent, newest[parent])))
    return nodes
