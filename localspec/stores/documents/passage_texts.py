"""The tables of passages, of their distinct texts, and of the vector that each distinct text has."""

from __future__ import annotations

import hashlib

from sqlite_utils import Database

from localspec.stores.database import Migration
from localspec.stores.documents.passages import embedded_text

_FILLED_AT_ONCE = 10_000

_TABLES = """
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused: it is the label of the vector index
    document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    page INTEGER,
    section TEXT NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (document, ordinal)
);
CREATE VIRTUAL TABLE passages_fts USING fts5(
    section, text, content = 'passages', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
    INSERT INTO passages_fts (rowid, section, text) VALUES (new.id, new.section, new.text);
END;
CREATE TRIGGER passages_removed AFTER DELETE ON passages BEGIN
    INSERT INTO passages_fts (passages_fts, rowid, section, text) VALUES ('delete', old.id, old.section, old.text);
END;
CREATE TABLE embedders (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE);
CREATE TABLE embeddings (
    passage INTEGER PRIMARY KEY REFERENCES passages (id) ON DELETE CASCADE,
    embedder INTEGER NOT NULL REFERENCES embedders (id),
    vector BLOB NOT NULL  -- float16, little-endian, [d]
);
"""

_ONE_PER_TEXT = """
CREATE TABLE embedded_texts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused: it is the label of the vector index
    hash BLOB NOT NULL UNIQUE
);
ALTER TABLE passages ADD COLUMN embedded INTEGER;  -- the text whose vector it is found by
CREATE INDEX passages_embedded ON passages (embedded);
CREATE TABLE text_vectors (
    text INTEGER PRIMARY KEY REFERENCES embedded_texts (id) ON DELETE CASCADE,
    embedder INTEGER NOT NULL REFERENCES embedders (id),
    vector BLOB NOT NULL  -- float16, little-endian, [d]
);
"""


def enter_texts(database: Database, document: int | None = None) -> None:
    """Inside a transaction: enter the texts of the passages that have none entered yet, of one document or of all."""
    chosen = "embedded IS NULL AND (document = ? OR ? IS NULL)"
    while rows := database.execute(
        f"SELECT id, section, text FROM passages WHERE {chosen} LIMIT ?", [document, document, _FILLED_AT_ONCE]
    ).fetchall():
        hashes = [(text_hash(embedded_text(section, text)), passage) for passage, section, text in rows]
        database.conn.executemany(
            "INSERT OR IGNORE INTO embedded_texts (hash) VALUES (?)", [(found,) for found, _ in hashes]
        )
        database.conn.executemany(
            "UPDATE passages SET embedded = (SELECT id FROM embedded_texts WHERE hash = ?) WHERE id = ?", hashes
        )


def text_hash(text: str) -> bytes:
    """Names a text, however much white space parts its words: embedders do not see that."""
    return hashlib.blake2b(" ".join(text.split()).encode(), digest_size=16).digest()


def _keep_vectors(database: Database) -> None:
    """Vectors of a library where each passage had its own."""
    enter_texts(database)
    database.execute(
        "INSERT OR IGNORE INTO text_vectors (text, embedder, vector) SELECT embedded, embedder, vector FROM embeddings"
        " JOIN passages ON passages.id = passage"
    )
    database.execute("DROP TABLE embeddings")


PASSAGE_MIGRATIONS: tuple[Migration, ...] = (
    Migration("search-1-passages", _TABLES),
    Migration("search-2-labels", "ALTER TABLE passages ADD COLUMN label TEXT NOT NULL DEFAULT '';"),
    Migration("search-3-texts", _ONE_PER_TEXT, _keep_vectors),
)
"""Come after the migration that creates `documents` (id, name)."""
