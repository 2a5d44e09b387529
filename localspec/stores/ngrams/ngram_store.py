"""The n-gram store of a library: what followed each context in its documents, for REST drafts (arXiv 2311.08252).

Documents' tokens lie in *runs*: one row holds the joined tokens of some documents and their sorted places
(`suffixes`), 8 bytes per token together. A new document becomes a run of its own; when four runs of
like size have gathered they are merged (a log-structured merge tree), so a look-up searches few runs and each token is
sorted a few times only. Runs never change: adding, merging and removing replace rows, in one transaction each.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sqlite_utils import Database

from localspec.errors import StoreError
from localspec.stores.database import StoreDatabase
from localspec.stores.ngrams.runs import NGRAM_MIGRATIONS, Run, documents_of, insert_run, merged, read_run, without
from localspec.stores.ngrams.suffixes import MAX_N, STORED, SuffixIndex, backward_window, join, search, sort_places

__all__ = ["NGRAM_MIGRATIONS", "RUN_TOKENS", "NgramStore", "SuffixMatches", "token_ids"]

RUN_TOKENS = 2**21 - 1
"""Runs are not merged beyond this: up to here two ranks and a place fit into 63 bits and sort twice as fast, removal
rewrites at most 16 MB, and blobs stay far below SQLite's limit of 1 GB. A longer document is a run of its own."""
_MERGED_AT_ONCE = 4
_MAX_DOCUMENT_TOKENS = 200_000_000  # 800 MB of SQLite's 1 GB per blob


@dataclass(frozen=True, slots=True)
class SuffixMatches:
    """What followed the matches of a context, longest match first. Empty arrays when nothing matched."""

    continuations: NDArray[np.int32]
    """[m, c] token ids, padded with -1 where the document ends; the first column never is -1."""
    lengths: NDArray[np.int16]  # [m] tokens of the context that matched, descending.
    documents: NDArray[np.int64]  # [m] what they lie in; learnt replies have negative numbers.


class NgramStore:
    """The n-grams of a library's documents under one tokenizer. One thread at a time adds and removes; any thread looks
    up, without waiting and without ever seeing half a change."""

    def __init__(self, database: StoreDatabase, fingerprint: str, *, run_tokens: int = RUN_TOKENS) -> None:
        """`fingerprint` names the tokenizer: rows written under another one are neither returned nor counted."""
        self._database = database
        self._fingerprint = fingerprint
        self._run_tokens = run_tokens
        self._lock = threading.Lock()
        # None until the first look-up; afterwards replaced as a whole, never changed in place.
        self._indexes: dict[int, SuffixIndex] | None = None

    def add(self, document: int, tokens: ArrayLike) -> None:
        """Store the token ids [n] of a document, in place of what it had here before. One transaction. Look-ups find
        them once the outermost transaction is committed. Raises ValueError for ids that are negative, no integers or
        beyond 32 bits, and StoreError for more than 200 million tokens."""
        ids = token_ids(tokens)
        if len(ids) > _MAX_DOCUMENT_TOKENS:
            raise StoreError(
                f"A document of {len(ids):,} tokens is too long for {self._database.path}.", "Split the document."
            )
        joined, (start,) = join([ids])
        run = Run(joined, sort_places(joined), [(document, start, len(ids))])
        with self._change() as connection:
            self._remove(connection, [document], self._fingerprint)
            insert_run(connection, run, self._fingerprint)
            self._merge(connection, self._like_sized)

    def remove(self, *documents: int) -> None:
        """Remove every trace of documents, whatever tokenizer they were added with. One transaction. The freed space
        goes back to the disk with `StoreDatabase.reclaim`. An unknown document is no error."""
        with self._change() as connection:
            self._remove(connection, documents, None)
            self._merge(connection, self._like_sized)

    def documents(self) -> set[int]:
        """The documents stored (committed) under this tokenizer."""
        return set(self.lengths())

    def lengths(self) -> dict[int, int]:
        """Tokens of each document stored (committed) under this tokenizer."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT document, length FROM ngram_documents JOIN ngram_runs ON run = id WHERE fingerprint = ?",
                [self._fingerprint],
            )
            return dict(rows.fetchall())

    def tokens(self, document: int) -> NDArray[np.int32]:
        """The token ids [n] of a document as they were added under this tokenizer; empty for an unknown one. Raises
        StoreError when they are damaged."""
        row = self._database.row(
            "SELECT CASE typeof(tokens) WHEN 'blob' THEN tokens END, start, length"
            " FROM ngram_documents JOIN ngram_runs ON run = id WHERE document = ? AND fingerprint = ?",
            [document, self._fingerprint],
        )
        if row is None:
            return np.empty(0, np.int32)
        tokens, start, length = row
        if tokens is None or len(tokens) % STORED.itemsize or not 0 <= start <= len(tokens) // STORED.itemsize - length:
            raise self._damaged(f"tokens of document {document}")
        return np.frombuffer(tokens, STORED)[start : start + length][::-1].astype(np.int32)

    def count(self) -> int:
        """Tokens stored (committed) under this tokenizer."""
        row = self._database.row(
            "SELECT coalesce(sum(length), 0) FROM ngram_documents JOIN ngram_runs ON run = id WHERE fingerprint = ?",
            [self._fingerprint],
        )
        return int(row[0])

    @property
    def memory_bytes(self) -> int:
        """Memory that look-ups hold; 0 before the first."""
        return sum(index.memory_bytes for index in (self._indexes or {}).values())

    def compact(self) -> None:
        """Merge into as few runs as their largest size allows: look-ups get a little faster. One transaction."""
        with self._change() as connection:
            self._merge(connection, self._all_small)

    def lookup(
        self,
        context: Sequence[int] | NDArray[np.integer[Any]],
        *,
        max_n: int = MAX_N,
        min_n: int = 2,
        matches: int = 64,
        continuation: int = 10,
        all_lengths: bool = False,
    ) -> SuffixMatches:
        """What followed the last tokens of `context` [n] (root last) wherever they occur in the documents.

        Suffixes of `max_n` down to `min_n` tokens are looked up exactly. As published, the first length with a hit
        answers alone (REST, arXiv 2311.08252: 16 to 2 tokens, 10 tokens of continuation, up to 5000 matches). With
        `all_lengths` shorter matches follow until there are `matches`; each place comes once, with its own longest
        length. Of more places than `matches`, every k-th is taken in the order of their contexts: an even,
        repeatable sample. Raises ValueError for arguments out of range.
        """
        if not 1 <= min_n <= max_n <= MAX_N or matches < 1 or continuation < 1:
            raise ValueError(f"lengths must be within 1 and {MAX_N}, matches and continuation positive")
        indexes = self._indexes
        if indexes is None:
            indexes = self._load()
        window = backward_window(token_ids(context[-max_n:]))
        return SuffixMatches(*search(indexes.values(), window, min_n, matches, continuation, all_lengths=all_lengths))

    def _load(self) -> dict[int, SuffixIndex]:
        with self._lock:
            if self._indexes is None:
                self._indexes = self._read({})
            return self._indexes

    def _read(self, known: dict[int, SuffixIndex]) -> dict[int, SuffixIndex]:
        """The committed runs by id; `known` ones are taken over, for runs never change and ids are never reused."""
        # One statement sees one state of the database, whatever is written meanwhile.
        rows = self._database.rows(
            "SELECT id, CASE WHEN id > :newest THEN tokens END, CASE WHEN id > :newest THEN places END,"
            " CASE WHEN id > :newest THEN"
            " (SELECT json_group_array(json_array(start, document)) FROM ngram_documents WHERE run = id) END"
            " FROM ngram_runs WHERE fingerprint = :fingerprint ORDER BY id",
            {"newest": max(known, default=0), "fingerprint": self._fingerprint},
        )
        try:
            return {
                run: known[run] if tokens is None else SuffixIndex(tokens, places, json.loads(documents))
                for run, tokens, places, documents in rows
            }
        except ValueError as error:
            raise self._damaged(error) from error

    def _damaged(self, reason: object) -> StoreError:
        return StoreError(
            f"The n-grams in {self._database.path} are damaged ({reason}).", "Rebuild the library's index."
        )

    @contextmanager
    def _change(self) -> Iterator[Database]:
        """A transaction after whose commit look-ups see the new runs, all at once."""
        with self._database.write() as connection:
            yield connection
            self._database.after_commit(self._publish)

    def _publish(self) -> None:
        with self._lock:
            if self._indexes is not None:
                try:
                    self._indexes = self._read(self._indexes)
                except StoreError:
                    # The change itself is committed. The next look-up reads again, and reports what is wrong.
                    self._indexes = None

    def _remove(self, connection: Database, documents: Collection[int], fingerprint: str | None) -> None:
        """Replace each run that holds any of the documents, of one tokenizer or of all, by one without them."""
        held = connection.execute(
            "SELECT DISTINCT id, fingerprint FROM ngram_documents JOIN ngram_runs ON run = id"
            " WHERE document IN (SELECT value FROM json_each(:documents))"
            " AND fingerprint = coalesce(:fingerprint, fingerprint)",
            {"documents": json.dumps([*documents]), "fingerprint": fingerprint},
        ).fetchall()
        removed = set(documents)
        for run, owner in held:
            if not removed.issuperset(document for document, _, _ in documents_of(connection, run)):
                insert_run(connection, without(read_run(connection, run), removed), owner)
            connection.execute("DELETE FROM ngram_runs WHERE id = ?", [run])

    def _merge(self, connection: Database, choose: Callable[[list[tuple[int, int]]], list[int]]) -> None:
        """Merge the runs that `choose` picks from (id, size), ascending by size, until it picks fewer than two."""
        while True:
            sizes = connection.execute(
                "SELECT id, size FROM ngram_runs WHERE fingerprint = ? ORDER BY size, id", [self._fingerprint]
            ).fetchall()
            chosen = choose(sizes)
            if len(chosen) < 2:
                return
            run = merged(read_run(connection, number) for number in chosen)
            insert_run(connection, run, self._fingerprint)
            connection.conn.executemany("DELETE FROM ngram_runs WHERE id = ?", [(number,) for number in chosen])

    def _like_sized(self, sizes: list[tuple[int, int]]) -> list[int]:
        """The smallest runs of a tier that holds enough of them; each tier spans a factor of four."""
        tiers: dict[int, list[tuple[int, int]]] = {}
        for run, size in sizes:
            tiers.setdefault(max(size, self._run_tokens // 256).bit_length() // 2, []).append((run, size))
        for tier in tiers.values():
            chosen = self._all_small(tier) if len(tier) >= _MERGED_AT_ONCE else []
            if len(chosen) > 1:
                return chosen
        return []

    def _all_small(self, sizes: list[tuple[int, int]]) -> list[int]:
        """As many of the smallest runs as fit into one."""
        chosen: list[int] = []
        total = 0
        for run, size in sizes:
            total += size
            if total > self._run_tokens:
                break
            chosen.append(run)
        return chosen


def token_ids(tokens: ArrayLike) -> NDArray[np.int32]:
    """Any integer array [n] as int32; ValueError for what is no list of token ids."""
    ids = np.asarray(tokens)
    if not ids.size:
        return np.empty(0, np.int32)
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError(f"token ids must be one row of integers, not {ids.dtype} {list(ids.shape)}")
    if int(ids.min()) < 0 or int(ids.max()) > np.iinfo(np.int32).max:
        raise ValueError("token ids must lie within 0 and 2**31 - 1")
    return ids.astype(np.int32, copy=False)
