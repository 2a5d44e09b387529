"""What is kept of documents while they are made anew: their new passages, and how far each is."""

from __future__ import annotations

import json
from dataclasses import dataclass

from localspec.stores.database import Migration
from localspec.stores.documents.blocks import from_row, to_row
from localspec.stores.documents.parse import ParsedDocument

_TABLES = """
CREATE TABLE renewed_passages (
    document INTEGER NOT NULL REFERENCES renewals (document) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    page INTEGER,
    section TEXT NOT NULL,
    text TEXT NOT NULL,
    label TEXT NOT NULL,
    embedder TEXT NOT NULL DEFAULT '',  -- fingerprint of the one that made the vector
    vector BLOB,
    PRIMARY KEY (document, ordinal)
) WITHOUT ROWID;
"""

_ADD_CUTS = """
ALTER TABLE documents ADD COLUMN cut TEXT NOT NULL DEFAULT '';  -- fingerprint of the embedder its passages are cut for
ALTER TABLE renewals ADD COLUMN cut TEXT NOT NULL DEFAULT '';  -- the same of the new passages; empty before
ALTER TABLE renewals ADD COLUMN reads INTEGER NOT NULL DEFAULT 1;  -- whether the file is read again
"""

RENEWAL_MIGRATIONS: tuple[Migration, ...] = (
    Migration("renewal-1-passages", _TABLES),
    Migration("renewal-2-cuts", _ADD_CUTS),
)
"""Come after the migration that creates `renewals` (document, parsed)."""


@dataclass(frozen=True, slots=True)
class WantedDocument:
    """A document that is made anew, and how far that is."""

    document: int
    parsed: str
    cut: str
    reads: int
    name: str
    file: str
    stage: str


def to_json(parsed: ParsedDocument) -> str:
    """What a reader gave, to be kept."""
    blocks = [to_row(block) for block in parsed.blocks]
    return json.dumps([parsed.title, parsed.kind, blocks, parsed.pages, parsed.warnings], ensure_ascii=False)


def from_json(stored: str) -> ParsedDocument:
    """What `to_json` has kept."""
    title, kind, blocks, pages, warnings = json.loads(stored)
    return ParsedDocument(title, kind, tuple(map(from_row, blocks)), pages, tuple(warnings))
