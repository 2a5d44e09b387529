"""The tables that chats are kept in, and how those of earlier versions become them."""

from __future__ import annotations

from sqlite_utils import Database

from localspec.stores.database import Migration


def _create(database: Database) -> None:
    database.execute(
        """
        CREATE TABLE conversations (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            title TEXT NOT NULL,
            library TEXT NOT NULL,
            created TEXT NOT NULL,
            changed TEXT NOT NULL
        )
        """
    )
    database.execute("CREATE INDEX conversations_changed ON conversations (changed)")
    # What searches and lists read stands in front: the rest of a row lies on pages of its own when it is long.
    database.execute(
        """
        CREATE TABLE turns (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,   -- 0, 1, ...
            asked TEXT NOT NULL,
            method TEXT NOT NULL,
            finish TEXT NOT NULL,        -- '' while it is written
            library TEXT NOT NULL,       -- identity of the library that `details` tells of
            question TEXT NOT NULL,
            reply TEXT NOT NULL,
            content TEXT,                -- as sent to the model, where that is not the question alone
            tokenizer TEXT NOT NULL,
            tokens BLOB NOT NULL,        -- ids of the reply, int32 little-endian
            details TEXT NOT NULL,       -- JSON
            metrics TEXT NOT NULL,       -- JSON
            UNIQUE (conversation, position)
        )
        """
    )
    database.execute(
        """
        CREATE TABLE citations (
            conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            position INTEGER NOT NULL,   -- of the turn that was first given it
            source INTEGER NOT NULL,     -- id of the passage in that turn's library, 0 where unknown
            file TEXT NOT NULL,
            page INTEGER,
            section TEXT NOT NULL,
            passage TEXT NOT NULL,
            PRIMARY KEY (conversation, number)
        ) WITHOUT ROWID
        """
    )
    database.execute(
        "CREATE VIRTUAL TABLE words USING fts5(question, reply, content = 'turns', content_rowid = 'id',"
        " tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3')"
    )
    remove = "INSERT INTO words (words, rowid, question, reply) VALUES ('delete', old.id, old.question, old.reply);"
    add = "INSERT INTO words (rowid, question, reply) VALUES (new.id, new.question, new.reply);"
    database.execute(f"CREATE TRIGGER turns_added AFTER INSERT ON turns BEGIN {add} END")
    database.execute(f"CREATE TRIGGER turns_removed AFTER DELETE ON turns BEGIN {remove} END")
    database.execute(f"CREATE TRIGGER turns_changed AFTER UPDATE OF question, reply ON turns BEGIN {remove} {add} END")


def _add_origins(database: Database) -> None:
    # Of which sources the tokens of a reply came, as `chat.origins` packs it; empty where that is not known.
    database.execute("ALTER TABLE turns ADD COLUMN origins BLOB NOT NULL DEFAULT x''")


def _add_system(database: Database) -> None:
    database.execute("ALTER TABLE conversations ADD COLUMN system TEXT NOT NULL DEFAULT ''")


CONVERSATION_MIGRATIONS: tuple[Migration, ...] = (
    Migration("conversations-1-chats", _create),
    Migration("conversations-2-origins", _add_origins),
    Migration("conversations-3-system", _add_system),
)
