"""The tables of the dense store."""

from __future__ import annotations

from localspec.stores.database import Migration

CONTINUATION = 20  # tokens kept after each state (DReSD's code)

_TABLES = """
CREATE TABLE state_targets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    states INTEGER NOT NULL DEFAULT 0,
    next_label INTEGER NOT NULL DEFAULT 0,  -- never decreases
    reduced INTEGER NOT NULL DEFAULT 0,     -- 1: chunks hold principal components; 0: raw states
    UNIQUE (fingerprint, dimension)
);
CREATE TABLE state_transforms (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- the newest one of a target is current
    target INTEGER NOT NULL REFERENCES state_targets (id) ON DELETE CASCADE,
    fitted_on INTEGER NOT NULL,            -- states in the store at that time
    matrices BLOB NOT NULL                 -- Transform.to_bytes
);
CREATE INDEX state_transforms_by_target ON state_transforms (target);
CREATE TABLE state_chunks (
    id INTEGER PRIMARY KEY,
    target INTEGER NOT NULL REFERENCES state_targets (id) ON DELETE CASCADE,
    base INTEGER NOT NULL,      -- label of the first state
    document INTEGER NOT NULL,  -- negative for learnt replies
    first INTEGER NOT NULL,     -- position of the first state in the document
    count INTEGER NOT NULL,
    transform INTEGER,          -- by which `vectors` were reduced; NULL: they are raw
    tokens BLOB NOT NULL,       -- int32, little-endian, [count + up to 20]
    vectors BLOB NOT NULL,      -- float16, little-endian, [count, 256], or raw [count, dimension]
    UNIQUE (target, base)
);
CREATE INDEX state_chunks_by_document ON state_chunks (document, target, first, count);
CREATE TABLE state_samples (
    id INTEGER PRIMARY KEY,
    target INTEGER NOT NULL REFERENCES state_targets (id) ON DELETE CASCADE,
    document INTEGER NOT NULL,
    state BLOB NOT NULL  -- float16, little-endian, [dimension], raw
);
CREATE INDEX state_samples_by_target ON state_samples (target);
CREATE INDEX state_samples_by_document ON state_samples (document);
"""

_ADD_ASIDE = "CREATE TABLE states_aside (document INTEGER PRIMARY KEY);  -- nothing finds the states of these for now"

STATE_MIGRATIONS: tuple[Migration, ...] = (
    Migration("states-1-chunks", _TABLES),
    Migration("states-2-aside", f"{_ADD_ASIDE}\n"),
)
