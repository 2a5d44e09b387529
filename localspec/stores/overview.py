"""What a library holds, read without opening it: no lock is taken, no model is needed, and nothing is changed."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from localspec.stores.database import BUSY_MILLISECONDS, mapped_errors
from localspec.stores.naming import DATABASE
from localspec.stores.ngrams.ngram_store import ASIDE
from localspec.stores.stored_turns import Citation

_logger = logging.getLogger(__name__)

_NOT_ASIDE = f"CASE WHEN fingerprint LIKE '{ASIDE}%' THEN 0 ELSE length END"
Standing: TypeAlias = Literal["", "changed", "removed"]
"""What became of a document since a passage of it was cited; "" where its text is as it was, or not read now."""


@dataclass(frozen=True, slots=True)
class LibraryOverview:
    """A library in figures."""

    name: str
    bytes: int  # Of everything in its folder.
    documents: int  # That could be read, or wait for it.
    tokens: int  # Of its n-grams, under all tokenizers together.
    replies: int  # Learnt from chats, or by the command that learns.
    passages: int = 0
    states: dict[str, int] = field(default_factory=dict)
    """How many, by the first twelve characters of the target's fingerprint."""


def overview(folder: Path) -> LibraryOverview:
    """The library in `folder`, which may be open elsewhere or come from an older version. Raises StoreError."""
    with _opened(folder) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

        def number(table: str, figure: str) -> int:
            """A figure of a table, which an older version may not have."""
            is_there = table.split()[0] in tables
            return int(connection.execute(f"SELECT {figure} FROM {table}").fetchone()[0]) if is_there else 0

        states: dict[str, int] = {}
        if "state_targets" in tables:
            for target, count in connection.execute("SELECT fingerprint, states FROM state_targets WHERE states > 0"):
                shown = target[:12]
                states[shown] = states.get(shown, 0) + count
        return LibraryOverview(
            folder.name,
            folder_bytes(folder),
            number("documents", "coalesce(sum(stage != 'failed'), 0)"),
            number("ngram_documents JOIN ngram_runs ON run = id", f"coalesce(sum({_NOT_ASIDE}), 0)"),
            number("replies", "count(*)"),
            number("passages", "count(*)"),
            states,
        )


def library_identity(folder: Path) -> str:
    """What names the library in `folder` for good. Raises StoreError when it cannot be read."""
    with _opened(folder) as connection:
        row = connection.execute("SELECT id FROM library").fetchone()
    return str(row[0]) if row else ""


def standings(folder: Path, cited: Sequence[tuple[Citation, str]]) -> list[Standing]:
    """What became of the documents of passages, each with the time when it was cited (ISO 8601, UTC). Raises StoreError
    when the library in `folder` cannot be read."""
    with _opened(folder) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return [_standing(connection, citation, asked, "document_places" in tables) for citation, asked in cited]


def _standing(connection: sqlite3.Connection, citation: Citation, asked: str, places: bool) -> Standing:
    same = "SELECT 1 FROM passages WHERE id = ? AND text = ?"
    if connection.execute(same, [citation.source, citation.passage]).fetchone():
        return ""
    named = "name = :name" + (" OR id IN (SELECT document FROM document_places WHERE name = :name)" if places else "")
    documents = connection.execute(
        f"SELECT id, added, stage FROM documents WHERE {named}", {"name": citation.file}
    ).fetchall()
    if not documents:
        return "removed"
    wanted = " ".join(citation.passage.split())
    for document, added, stage in documents:
        # A changed file is another document. What was there then is only cut into other passages now.
        if added <= asked or stage in ("queued", "failed"):
            return ""
        blocks = connection.execute("SELECT text FROM blocks WHERE document = ? ORDER BY ordinal", [document])
        if wanted in " ".join(" ".join(text.split()) for (text,) in blocks):
            return ""
    return "changed"


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError as error:  # deleted since it was listed
            _logger.debug("Not counted: %s", error)
    return total


@contextmanager
def _opened(folder: Path) -> Iterator[sqlite3.Connection]:
    path = folder / DATABASE
    with mapped_errors(path):
        # Read-only, so that this connection never checkpoints: only the library's writer does.
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_MILLISECONDS / 1000)) as connection:
            yield connection
