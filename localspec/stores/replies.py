"""Learnt replies: what the target itself wrote, kept for drafts beside the documents, as n-grams and hidden states.

A store of the target's own replies makes better drafts than any other text (DReSD, arXiv 2502.15572), and when a reply
ends, both its tokens and its states are there already. In the stores of n-grams and states a reply's document number is
minus its id, so that it never meets a document's.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from localspec.stores.database import Migration, StoreDatabase
from localspec.stores.ngrams.ngram_store import NgramStore, token_ids
from localspec.stores.states.state_store import CONTINUATION, StateStore

_logger = logging.getLogger(__name__)

MAX_WAITING = 64
"""Replies that wait to be stored, at most; the oldest are dropped. 512 tokens of a 7B model have 4 MB of states."""

_NEWEST = 16
"""Replies among which one is looked for that was written just now, in a few parts at most."""

Origin: TypeAlias = Literal["chat", "learn"]
"""Who had the target write a reply: a person in a chat, or the command that lets it write for the store."""

_TABLES = """
CREATE TABLE replies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused: minus it is the document number in other stores
    sha256 TEXT NOT NULL UNIQUE,           -- of the tokens and the tokenizer's fingerprint
    tokens INTEGER NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('chat', 'learn')),
    added TEXT NOT NULL
);
CREATE TABLE learning (is_on INTEGER NOT NULL);
INSERT INTO learning (is_on) VALUES (1);
"""

REPLY_MIGRATIONS: tuple[Migration, ...] = (Migration("replies-1-learnt", _TABLES),)


@dataclass(frozen=True, slots=True, eq=False)
class LearntReply:
    """A reply as the target wrote it. Raises ValueError when its parts do not belong together."""

    tokens: NDArray[np.int32]  # [n]
    states: NDArray[np.float16] | None  # [m, d], of positions first ... first + m - 1; None where there are none
    first: int
    origin: Origin

    def __post_init__(self) -> None:
        token_ids(self.tokens)
        if self.first < 0 or self.first + (0 if self.states is None else len(self.states)) > len(self.tokens):
            raise ValueError("states must belong to the reply's tokens")


class LearntReplies:
    """The learnt replies of a library, and those that wait to be stored. Any thread may call any method."""

    def __init__(
        self,
        database: StoreDatabase,
        ngrams: NgramStore,
        states: StateStore,
        tokenizer: str,
        *,
        keeps_states: bool,
        on_change: Callable[[], None],
    ) -> None:
        """`tokenizer` is the fingerprint of the tokenizer. Hidden states are dropped unless `keeps_states`. `on_change`
        is called when there is something new to do."""
        self._database = database
        self._ngrams = ngrams
        self._states = states
        self._tokenizer = tokenizer
        self._keeps_states = keeps_states
        self._on_change = on_change
        self._lock = threading.Lock()
        self._waiting: deque[LearntReply] = deque(maxlen=MAX_WAITING)
        (is_on,) = database.row("SELECT is_on FROM learning")
        self._learns = bool(is_on)

    @property
    def learns(self) -> bool:
        """Whether the replies of chats are learnt, in this session and later ones; at first they are."""
        return self._learns

    def set_learning(self, on: bool) -> None:
        """Learn the replies of chats, or not: then those that still wait are dropped. What was learnt stays."""

        def remember() -> None:
            with self._lock:
                self._learns = on
                if not on:
                    self._waiting.clear()

        with self._database.write() as database:
            database.execute("UPDATE learning SET is_on = ?", [int(on)])
            self._database.after_commit(remember)

    def add(
        self, tokens: NDArray[np.int32], states: NDArray[np.float16] | None, *, origin: Origin, first: int = 0
    ) -> bool:
        """Learn what the target wrote, at once and whatever `learns` says; False when it was known already. `tokens`
        [n] become n-grams; `states` [m, d] are the hidden states of positions first ... first + m - 1. Raises
        ValueError when they do not belong together."""
        added = self._store(LearntReply(tokens, states, first, origin))
        self._on_change()
        return added

    def add_later(
        self, tokens: NDArray[np.int32], states: NDArray[np.float16] | None = None, *, first: int = 0
    ) -> None:
        """Learn a chat's reply, as `add` does, when no reply is being written: `store_next` stores it. Arrays are
        copied. Of more than 64 waiting replies the newest are kept. Does nothing unless `learns`."""
        reply = LearntReply(tokens, states, first, "chat")
        kept = None if states is None or not self._keeps_states else np.array(states, np.float16)
        copied = replace(reply, tokens=np.array(tokens, np.int32), states=kept)
        with self._lock:
            if self._learns:
                self._waiting.append(copied)
        self._on_change()

    def store_next(self) -> bool:
        """Store the reply that waits longest; False when none does. One that cannot be stored now goes on waiting."""
        with self._lock:
            reply = self._waiting[0] if self._waiting else None
        if reply is None:
            return False
        # Under the writer's lock, so that `forget` and `set_learning` come wholly before or wholly after.
        with self._database.write():
            with self._lock:
                still_waiting = bool(self._waiting) and self._waiting[0] is reply
            if still_waiting:
                try:
                    self._store(reply)
                except ValueError as error:  # such as states that are no numbers; it will not get better
                    _logger.warning("A reply was not learnt: %s", error)
        with self._lock:
            if self._waiting and self._waiting[0] is reply:
                self._waiting.popleft()
        return True

    def count(self) -> tuple[int, int]:
        """(replies, tokens) stored, whatever tokenizer they were written with."""
        row = self._database.row("SELECT count(*), coalesce(sum(tokens), 0) FROM replies")
        return int(row[0]), int(row[1])

    def within(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """The document numbers of the newest learnt replies that lie whole in this text [n], but for the token before
        them and the one that ended them: whoever writes the text again would draft from itself."""
        text = np.array(tokens, np.int32)
        with self._database.read() as connection:
            newest = connection.execute(
                "SELECT id FROM replies WHERE tokens BETWEEN 3 AND ? ORDER BY id DESC LIMIT ?", [len(text) + 2, _NEWEST]
            ).fetchall()
        found = []
        for (identity,) in newest:
            own = self._ngrams.tokens(-identity)[1:-1]
            if 0 < len(own) <= len(text):
                windows = np.lib.stride_tricks.sliding_window_view(text, len(own))
                if bool((windows == own).all(axis=1).any()):
                    found.append(-identity)
        return tuple(found)

    def forget(self) -> None:
        """Delete all replies with their n-grams and states, and those that wait. One transaction."""
        with self._database.write() as database:
            documents = [-identity for (identity,) in database.execute("SELECT id FROM replies").fetchall()]
            self._ngrams.remove(*documents)
            for document in documents:
                self._states.remove(document)
            database.execute("DELETE FROM replies")
            with self._lock:
                self._waiting.clear()
        self._database.reclaim()
        self._on_change()

    def _store(self, reply: LearntReply) -> bool:
        """Store a reply, all of it in one transaction; False when nothing of it was new. One that is there without
        states under this target gets them."""
        ids = token_ids(reply.tokens)
        if len(ids) < 2:  # nothing follows anything
            return False
        digest = hashlib.sha256(self._tokenizer.encode() + b"\0" + ids.astype("<i4").tobytes()).hexdigest()
        # Nothing follows the last token, so its state is of no use.
        kept = 0 if reply.states is None else min(len(reply.states), len(ids) - 1 - reply.first)
        with self._database.write() as database:
            row = database.execute("SELECT id FROM replies WHERE sha256 = ?", [digest]).fetchone()
            is_new = row is None
            identity = row[0] if row else _insert(database, digest, len(ids), reply.origin)
            if is_new:
                self._ngrams.add(-identity, ids)
            if reply.states is None or kept < 1 or not self._keeps_states:
                return is_new
            if not is_new and self._states.positions().get(-identity):
                return False
            following = ids[reply.first : reply.first + kept + CONTINUATION]
            # Its own first state is the store's position 0: there a document's states lie without a gap.
            self._states.add(-identity, 0, following, reply.states[:kept])
            return True


def _insert(database: Database, digest: str, tokens: int, origin: Origin) -> int:
    row = database.execute(
        "INSERT INTO replies (sha256, tokens, origin, added) VALUES (?, ?, ?, ?)",
        [digest, tokens, origin, datetime.now(timezone.utc).isoformat(timespec="seconds")],
    ).lastrowid
    assert row is not None
    return row
