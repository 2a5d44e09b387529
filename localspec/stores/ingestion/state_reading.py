"""Reads documents with the target model, so that the dense store holds a hidden state for each of their positions.

That is work of minutes, so it is done only for libraries and targets for which it was wanted, window by window. Each
window is committed by itself: a kill at any moment repeats at most one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.errors import ModelError, SettingsError, StoreError
from localspec.stores.database import Migration, StoreDatabase
from localspec.stores.ngrams.ngram_store import NgramStore
from localspec.stores.states.state_store import CONTINUATION, StateStore

WINDOW = 1024
"""Tokens the target reads at once: more would cost memory and attention over a longer text, fewer would read a larger
part of them twice."""
OVERLAP = 32
"""Of these, tokens of the window before, so that the first new states have a context; they cost 3% more reading."""


class StateReaderLike(Protocol):
    """What the stores need of a target model to read documents with it. Members may raise ModelError."""

    @property
    def fingerprint(self) -> str:
        """Names what decides the hidden states: the target's weights and their format."""

    @property
    def dimension(self) -> int:
        """Components of a state."""

    def read(self, tokens: NDArray[np.int32], should_yield: Callable[[], bool]) -> NDArray[np.float16] | None:
        """The hidden states, float16 [n, d], of all tokens [n], n <= 1024, read as one text. None when `should_yield`
        became true meanwhile: the caller waits and calls again with the same tokens, and the reader goes on with what
        it had."""


@dataclass(frozen=True, slots=True)
class UnreadDocument:
    """A document of which some positions have no state under this target."""

    document: int
    name: str
    first: int  # the first position without a state
    positions: int  # positions that can have one: all but the last, after which nothing follows

    @property
    def missing(self) -> int:
        """Positions without a state."""
        return self.positions - self.first

    @property
    def start(self) -> int:
        """Where the window that is read next starts."""
        return max(0, self.first - OVERLAP)

    @property
    def stop(self) -> int:
        """Where it ends."""
        return min(self.start + WINDOW, self.positions)

    @property
    def ends_with_next(self) -> bool:
        """Whether the next window is the last."""
        return self.stop == self.positions


@dataclass(frozen=True, slots=True)
class ReadingOutlook:
    """How far the reading is, over the documents to be read since it last was complete, for IngestionProgress."""

    states_left: int  # positions without a state
    documents_done: int
    documents_total: int
    fraction: float  # of their positions, those that have one; 0 to 1
    seconds_left: float | None  # at the measured speed; None before there is one


READING_MIGRATIONS: tuple[Migration, ...] = (
    Migration("reading-1-wanted", "CREATE TABLE states_wanted (target TEXT PRIMARY KEY) WITHOUT ROWID;"),
)
"""Come after the migration that creates `documents` (id, name, stage)."""


class StateReading:
    """The states of a library's documents under one target: whether they are wanted, and making those that are missing.
    One thread at a time reads; any thread may call the other methods."""

    def __init__(
        self,
        database: StoreDatabase,
        ngrams: NgramStore,
        states: StateStore,
        reader: StateReaderLike | None,
        on_change: Callable[[], None],
    ) -> None:
        """Without a reader there are no states to want or to make. `on_change` is called when there is something new to
        do."""
        self.states = states
        self._database = database
        self._ngrams = ngrams
        self._reader = reader
        self._on_change = on_change
        self._target = reader.fingerprint if reader is not None else ""
        self._tokens: tuple[int, NDArray[np.int32]] | None = None
        self._round: dict[int, int] = {}
        self._read = 0
        self._seconds = 0.0
        self._gave_way = False
        row = database.row("SELECT 1 FROM states_wanted WHERE target = ?", [self._target])
        self._wanted = reader is not None and row is not None

    @property
    def available(self) -> bool:
        """Whether the target gives hidden states to draft from."""
        return self._reader is not None

    @property
    def wanted(self) -> bool:
        """Whether documents are read for their hidden states under this target, in this session and later ones."""
        return self._wanted

    def want(self, on: bool) -> None:
        """Have documents read, or no more: then the window at work is given up, and what is stored stays. Raises
        SettingsError when the target gives no hidden states."""
        if self._reader is None:
            raise SettingsError("This model gives no states to draft from.", "Choose another model.")

        def remember() -> None:
            self._wanted = on

        with self._database.write() as database:
            if on:
                database.execute("INSERT OR IGNORE INTO states_wanted (target) VALUES (?)", [self._target])
            else:
                database.execute("DELETE FROM states_wanted WHERE target = ?", [self._target])
            self._database.after_commit(remember)
        self._on_change()

    def unread(self) -> list[UnreadDocument]:
        """The documents with n-grams whose states are incomplete, oldest first."""
        rows = self._database.rows("SELECT id, name FROM documents WHERE stage IN ('ngrams', 'ready') ORDER BY id")
        lengths, stored = self._ngrams.lengths(), self.states.positions()
        found = [
            UnreadDocument(document, name, stored.get(document, 0), max(0, lengths.get(document, 0) - 1))
            for document, name in rows
        ]
        return [document for document in found if document.missing > 0]

    def missing(self) -> int:
        """Tokens of searchable documents without a hidden state under this target; 0 when it gives none."""
        if self._reader is None:
            return 0
        return sum(document.missing for document in self.unread())

    def read(self, unread: UnreadDocument, should_yield: Callable[[], bool]) -> bool:
        """Read the next window of a document and store its states; False when it gave way instead. A document that was
        removed meanwhile is left out. Also raises ModelError."""
        tokens = self._tokens_of(unread.document)
        first, start, stop = unread.first, unread.start, unread.stop
        if len(tokens) != unread.positions + 1:
            self._tokens = None
            if unread in self.unread():  # else it was removed meanwhile
                raise StoreError(f"The n-grams of {unread.name} are damaged.", "Rebuild the library's index.")
            return True
        assert self._reader is not None  # else nothing is wanted
        begun = time.perf_counter()
        states = self._reader.read(tokens[start:stop], lambda: should_yield() or not self._wanted)
        if states is None:
            self._gave_way = True
            return False
        if len(states) != stop - start:  # without a new state this window would be read for ever
            raise ModelError(
                f"The model's states of {unread.name} cannot be used: {len(states)} for {stop - start} tokens.",
                "Choose another model.",
            )
        if not self._gave_way:  # else some of it was read before
            self._seconds += time.perf_counter() - begun
            self._read += stop - first
        self._gave_way = False
        with self._database.write():
            # Asked again under the writer's lock: the document, or all states, may have been deleted meanwhile.
            if unread in self.unread():
                try:
                    self.states.add(
                        unread.document, first, tokens[first : stop + CONTINUATION], states[first - start :]
                    )
                except ValueError as error:
                    raise ModelError(
                        f"The model's states of {unread.name} cannot be used: {error}.", "Choose another model."
                    ) from error
        return True

    def outlook(self) -> ReadingOutlook:
        """How far the reading is now."""
        unread = self.unread()
        if not unread:
            self._round = {}
            return ReadingOutlook(0, 0, 0, 1.0, 0.0)
        self._round |= {document.document: document.positions for document in unread}
        missing = sum(document.missing for document in unread)
        return ReadingOutlook(
            missing,
            len(self._round) - len(unread),
            len(self._round),
            1 - missing / sum(self._round.values()),
            missing * self._seconds / self._read if self._read else None,
        )

    def _tokens_of(self, document: int) -> NDArray[np.int32]:
        if self._tokens is None or self._tokens[0] != document:
            self._tokens = document, self._ngrams.tokens(document)
        return self._tokens[1]
