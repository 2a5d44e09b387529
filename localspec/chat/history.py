"""Chats that outlive the program: turns to the store and back, and replies kept while they are written.

A reply is written to disk by a thread of its own, about once a second, so that decoding never waits for the disk.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from time import monotonic

from localspec.chat.turn import Turn
from localspec.chat.turn_tree import TurnNode, TurnTree
from localspec.errors import LocalSpecError, StoreError
from localspec.stores.conversations import Conversations
from localspec.stores.deleted_chats import Kind
from localspec.stores.stored_turns import NO_PARENT, PlainTurn, StoredTurn

_logger = logging.getLogger(__name__)

SAVE_SECONDS = 1.0
"""What a kill can take of a reply."""
TITLE_CHARACTERS = 60
"""Of a title that is made from the first question."""
PURGE_SECONDS = 6 * 3600.0
"""Deleted chats whose time is over go so often, and at each start."""


class History:
    """The conversations of a folder. Any thread may call any method.

    Where they cannot be opened, `problem` says why and nothing is kept: chatting goes on.
    """

    def __init__(self, folder: Path) -> None:
        self._notice = ""
        self._failing = ""
        self._store: Conversations | None = None
        self._condition = threading.Condition()
        self._pending: dict[Recording, Callable[[], None]] = {}
        self._closing = False
        self._missed: list[Turn] = []
        self._writing = threading.Lock()
        try:
            self._store = Conversations(folder)
        except LocalSpecError as error:
            _logger.warning("Chats are not kept: %s", error)
            self._notice = str(error)
            return
        if self._store.set_aside is not None:
            self._notice = (
                f"The chats kept so far cannot be read: their file is damaged. It was set aside as"
                f" {self._store.set_aside.name}, and a new one was started."
            )
        self._thread = threading.Thread(target=self._write, name="chats", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> str:
        """Why chats are not kept now, or what became of earlier ones; "" where all is well."""
        return self._failing or self._notice

    @property
    def is_open(self) -> bool:
        """True when chats are kept."""
        return self._store is not None

    @property
    def store(self) -> Conversations:
        """Where they are kept. Raises StoreError when that cannot be opened."""
        if self._store is None:
            raise StoreError(self.problem)
        return self._store

    def purge(self, kind: Kind, number: int) -> None:
        """Delete for good what was deleted; its traces on disk go in the background. Raises StoreError."""
        self.store.bin.purge(kind, number)
        threading.Thread(target=self._tidy, name="tidy", daemon=True).start()

    def put(
        self, conversation: int, library: str, tree: TurnTree, last: TurnNode, turn: StoredTurn, system: str
    ) -> int:
        """Write `turn` as that of the node `last`, which is shown now, and with it those of its tree that could not be
        written when their time was, such as on a full disk. Conversation 0 is a new one. Returns its id. Raises
        StoreError."""
        store, others = self.store, [node for node in tree.nodes if node.number != last.number]
        with store.together():
            if not conversation:
                first = tree.path[0].turn if tree.path and last.parent != NO_PARENT else turn
                conversation = store.begin(title_of(first), library, system)
            there = store.numbers(conversation)
            missed = [node for node in others if node.number not in there or self.missed(node.turn)]
            for node in missed:
                store.put(conversation, node.number, node.turn.stored(), parent=node.parent)
            store.put(conversation, last.number, turn, parent=last.parent, library=library)
            if missed:  # each of them was new, but may have been hidden since
                store.show(conversation, tree.shown(last))
        self.catch_up(node.turn for node in missed)
        return conversation

    def close(self) -> None:
        """Write what is pending, and close."""
        if self._store is None:
            return
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self._thread.join()
        self._store.close()
        self._store = None

    # -- for recordings -----------------------------------------------------------------------------------------

    def later(self, recording: Recording, write: Callable[[], None]) -> None:
        """Write in the thread for that, in place of what waits there for this recording."""
        with self._condition:
            self._pending[recording] = write
            self._condition.notify_all()

    def now(self, recording: Recording, write: Callable[[], None]) -> str:
        """Write in this thread, in place of what waits for this recording; returns why that failed, or ""."""
        with self._condition:
            self._pending.pop(recording, None)
        with self._writing:
            return self._do(write)

    def miss(self, turn: Turn) -> None:
        """Remember a turn that could not be written: the next one of its conversation takes it along."""
        self._missed.append(turn)

    def missed(self, turn: Turn) -> bool:
        """Whether it could not be written."""
        return any(one is turn for one in self._missed)

    def catch_up(self, turns: Iterable[Turn]) -> None:
        """These are written now."""
        for turn in turns:
            self._missed[:] = [one for one in self._missed if one is not turn]

    def _do(self, write: Callable[[], None]) -> str:
        """Write, while `_writing` is held."""
        try:
            write()
        except LocalSpecError as error:
            _logger.warning("A chat was not kept: %s", error)
            self._failing = str(error)
        else:
            self._failing = ""
        return self._failing

    def _write(self) -> None:
        self._purge()
        while True:
            with self._condition:
                is_due = not self._condition.wait_for(lambda: self._pending or self._closing, PURGE_SECONDS)
                if not self._pending and not is_due:
                    return
            if is_due:
                self._purge()
                continue
            # Held from before it is taken until it is written, so that `now` comes wholly before or wholly after.
            with self._writing:
                with self._condition:
                    write = self._pending.pop(next(iter(self._pending))) if self._pending else None
                if write is not None:
                    self._do(write)

    def _purge(self) -> None:
        try:
            if self.store.bin.purge_old():
                self.store.tidy()
        except LocalSpecError as error:
            _logger.info("Deleted chats are kept for now: %s", error)

    def _tidy(self) -> None:
        try:
            self.store.tidy()
        except LocalSpecError as error:
            _logger.info("Deleted chats are overwritten later: %s", error)


class Recording:
    """One reply on its way into its chat's tree and the store. No method raises: `History.problem` tells what could not
    be kept."""

    def __init__(
        self,
        history: History,
        conversation: int,
        library: str,
        tree: TurnTree,
        *,
        instead_of: int | None = None,
        goes_on: bool = False,
        system: str = "",
    ) -> None:
        """Keeps the next reply of a conversation (0: it is not kept yet) that has this tree and this system prompt.

        With its first word it becomes a sibling of the turn at `instead_of`, and is shown in its place; `goes_on`: it
        is more of the last.
        """
        self.conversation = conversation
        """its id, 0 while there is none"""
        self._history = history
        self._library = library
        self._system = system
        self._tree = tree
        self._position = len(tree.path) if instead_of is None else instead_of
        self._replaces = instead_of is not None
        self._node = tree.path[-1] if goes_on else None
        self._begun = goes_on
        self._was_there = goes_on or self._replaces
        self._saved = -SAVE_SECONDS

    def note(self, turn: Turn) -> None:
        """The reply as far as it is. Cheap: most calls only look at the clock."""
        if turn.reply_tokens:
            self._place(turn)
        now = monotonic()
        if now - self._saved < SAVE_SECONDS or not self._history.is_open:
            return
        if self._begun:
            write = partial(self._write_on, turn.reply, list(turn.reply_tokens), turn.origins.pack())
            # What was thought lies among the details, which only a whole turn has.
            self._history.later(self, partial(self._put, turn, turn.stored()) if turn.thinking else write)
        elif not self._replaces or turn.reply_tokens:
            write = partial(self._put, turn, turn.stored())
            # A question is on disk before the model reads it; nothing is decoded yet.
            if turn.reply_tokens:
                self._history.later(self, write)
            else:
                self._history.now(self, write)
        else:
            return
        self._saved = now

    def end(self, turn: Turn | None) -> str:
        """The whole turn, or None when not a word was written, which leaves no trace; returns why it failed, or ""."""
        if turn is not None:
            self._place(turn)
        if not self._history.is_open:
            return ""
        if turn is not None:
            problem = self._history.now(self, partial(self._put, turn, turn.stored()))
            self._history.catch_up([turn])
            if problem:
                self._history.miss(turn)
            return problem
        return self._history.now(self, self._take_back)

    def _place(self, turn: Turn) -> TurnNode:
        """Where it stands, from its first word on."""
        if self._node is None:
            self._node = self._tree.add(turn, self._position)
        return self._node

    def _put(self, turn: Turn, stored: StoredTurn) -> None:
        node = self._node or self._tree.next(self._position, turn)
        known = (self.conversation, self._library, self._tree, node)
        self.conversation = self._history.put(*known, stored, self._system)
        self._begun = True

    def _write_on(self, reply: str, tokens: Sequence[int], origins: bytes) -> None:
        if self._node is not None:
            self._history.store.write_on(self.conversation, self._node.number, reply, tokens, origins)

    def _take_back(self) -> None:
        if self._begun and not self._was_there:
            self._history.store.remove(self.conversation, [self._tree.next_number])
            if not self._tree.path:
                self.conversation = 0


def title_of(turn: PlainTurn) -> str:
    """What a conversation that begins with this turn is called: the beginning of its question."""
    text = " ".join(turn.question.split()) or ", ".join(turn.files)
    if len(text) <= TITLE_CHARACTERS:
        return text
    cut = text[:TITLE_CHARACTERS]
    return (cut.rsplit(" ", 1)[0] if " " in cut[TITLE_CHARACTERS // 2 :] else cut).rstrip(" ,;:") + "…"
