"""Chats on disk: every question with its answer, in one file for all of them, found again by their words.

When something is written, the caller decides: a question before the model reads it, an answer about once a second.
Texts are kept as they are, but for lone surrogates, which no file can hold.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlite_utils import Database

from localspec.errors import DamagedStoreError, LibraryInUseError, StoreError
from localspec.locks import try_lock
from localspec.stores import stored_turns, turn_rows
from localspec.stores.chat_folders import CHAT_FOLDER_MIGRATIONS, ChatFolders, folder_name, folder_of
from localspec.stores.chat_words import CHAT_WORD_MIGRATIONS, MARK, UNMARK, beginning_query, snippet, store_chat_words
from localspec.stores.database import StoreDatabase, mapped_errors
from localspec.stores.deleted_chats import DeletedChats
from localspec.stores.stored_turns import StoredConversation, StoredTurn, utc_now, writable
from localspec.stores.words import normalized

_logger = logging.getLogger(__name__)

__all__ = ["MARK", "UNMARK", "ConversationInfo", "Conversations"]

DATABASE = "conversations.db"
TITLE_CHARACTERS = 120
QUERY_CHARACTERS = 300  # of a search, what comes after is not looked at
_SNIPPET_CHARACTERS = 40  # on each side of what was found, where it is no word
_IF_DAMAGED = "Start LocalSpec again: it sets the file aside and starts a new one."
_IF_NEWER = "Update LocalSpec. The file is left as it is, and this version keeps no chats meanwhile."


@dataclass(frozen=True, slots=True)
class ConversationInfo:
    """What a list shows of a conversation."""

    id: int
    title: str
    library: str
    created: str
    changed: str
    pinned: bool = False
    folder: int = 0  # id of the folder it lies in; 0 for none
    snippet: str = ""
    """of a search: where the words stand, between `MARK` and `UNMARK`; empty where they stand in the title alone"""


class Conversations:
    """The conversations of a folder, open in this process and in no other. Any thread may call any method. Methods
    raise StoreError when the file cannot be read or written, and DiskFullError when the disk is full; what was written
    before is intact then."""

    def __init__(self, folder: Path) -> None:
        """Open them, or begin. A damaged file is set aside (`set_aside`), and a new one begun in its place. Raises
        LibraryInUseError when another instance holds them, StoreError when a newer version wrote them."""
        self.set_aside: Path | None = None
        """where a damaged file lies now"""
        self.version = 0
        """changes with what a list shows"""
        with mapped_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = try_lock(folder / ".conversations.lock")
        if lock is None:
            raise LibraryInUseError(
                "The chats are open in another LocalSpec, so this one saves none.",
                "Close the other one and restart this one.",
            )
        self._lock = lock
        try:
            try:
                self._database = _open(folder / DATABASE)
            except DamagedStoreError as error:
                _logger.warning("%s", error)
                self.set_aside = _set_aside(folder / DATABASE)
                self._database = _open(folder / DATABASE)
        except BaseException:
            self._lock.release()
            raise
        self.folders = ChatFolders(self._database, self._changing)
        self.bin = DeletedChats(self._database, self._changing)
        """what was deleted and can be taken back: nothing else here sees it, but what is written into it arrives"""

    # -- reading ------------------------------------------------------------------------------------------------

    def count(self) -> int:
        """How many there are."""
        return int(self._database.row("SELECT count(*) FROM conversations WHERE deleted IS NULL")[0])

    def newest(self, limit: int = -1, *, filed: bool | None = None) -> list[ConversationInfo]:
        """The conversations, the one that changed last first; at most `limit` of them unless that is negative. `filed`:
        those that are pinned or in a folder (True), the others (False), all (None)."""
        rows = self._database.rows(_LISTED, [filed, filed, limit])
        return [
            ConversationInfo(number, title, library, created, changed, bool(pinned), folder)
            for number, title, library, created, changed, pinned, folder in rows
        ]

    def search(self, text: str, limit: int = 100) -> list[ConversationInfo]:
        """Those that hold every word of `text` in their title, or in one question with its answer: titles first, then
        the one that changed last. The last word may only have begun; what is no word is looked for as it stands. There
        are at most `limit`, those with the newest questions. No text raises anything."""
        wanted = _wanted(text)
        if not wanted:
            return self.newest(limit)
        words = normalized(wanted).split()
        query = beginning_query(wanted)
        store_chat_words(self._database)
        infos = self.newest()
        titled = {info.id for info in infos if all(word in normalized(info.title) for word in words)}
        with self._database.read() as connection:
            found: dict[int, int] = {}
            for turn, conversation in connection.execute(_MATCHING, [query]) if query else ():
                found.setdefault(conversation, turn)
                if len(found) == limit:
                    break
            by_words = bool(found)
            if not found and not titled:
                found = dict(connection.execute(_CONTAINING, [wanted, wanted]).fetchall())
            hits = [info for info in infos if info.id in titled] + [
                info for info in infos if info.id in found and info.id not in titled
            ]
            result = []
            for info in hits[:limit]:
                if info.id in found:
                    row = connection.execute(
                        "SELECT question || char(10) || reply FROM turns WHERE id = ?", [found[info.id]]
                    ).fetchone()
                    where = snippet if by_words else _excerpt
                    info = replace(info, snippet=where(row[0], wanted)) if row else info
                result.append(info)
        return result

    def found(self, conversation: int, text: str) -> list[int]:
        """Numbers of its turns in which `search` finds this, hidden ones too, the newest first."""
        wanted = _wanted(text)
        if not wanted:
            return []
        store_chat_words(self._database)
        query = beginning_query(wanted)
        rows = self._database.rows(_MATCHING_IN, [query, conversation]) if query else []
        rows = rows or self._database.rows(_CONTAINING_IN, [wanted, wanted, conversation])
        return [row[0] for row in rows]

    def numbers(self, conversation: int) -> set[int]:
        """Those of its turns, of those too that are being written `together` with others."""
        with self._database.write() as database:
            rows = database.execute("SELECT number FROM turns WHERE conversation = ?", [conversation]).fetchall()
        return {row[0] for row in rows}

    def load(self, conversation: int) -> StoredConversation:
        """A whole conversation, with its hidden turns. Raises StoreError when there is none of this id."""
        with self._database.read() as connection:
            # One transaction, so that all of it is of the same moment.
            connection.execute("BEGIN")
            try:
                head = connection.execute(
                    "SELECT title, library, created, changed, system, pinned, coalesce(name, '') FROM conversations"
                    f" {_IN_FOLDERS} WHERE conversations.id = ? AND conversations.deleted IS NULL",
                    [conversation],
                ).fetchone()
                if head is None:
                    raise _gone()
                nodes = turn_rows.read(connection, conversation)
            except (ValueError, TypeError, KeyError) as error:
                raise DamagedStoreError(f"The chat “{head[0]}” is damaged ({error}).", "Delete it.") from error
            finally:
                connection.execute("COMMIT")
        title, library, created, changed, system, pinned, folder = head
        return StoredConversation.of_nodes(title, library, nodes, created, changed, system, bool(pinned), folder)

    # -- writing ------------------------------------------------------------------------------------------------

    @contextmanager
    def together(self) -> Iterator[None]:
        """What this thread writes inside is written all of it, or none."""
        with self._database.write():
            yield

    def begin(self, title: str, library: str, system: str = "") -> int:
        """A new conversation, without a question yet; returns its id."""
        with self._changing() as database:
            return _begin(database, StoredConversation(title, library, (), system=system))

    def put(
        self, conversation: int, number: int, turn: StoredTurn, *, parent: int | None = None, library: str | None = None
    ) -> None:
        """Write the turn of this `number`, with the passages it was given. A new one is shown in its place, behind the
        turn `parent` (None: the one numbered before it). `library` is the one that the conversation is held over from
        now on. Raises StoreError when the conversation is not there any more."""
        with self._changing() as database:
            updated = database.execute(
                "UPDATE conversations SET changed = ?, library = coalesce(?, library) WHERE id = ?",
                [utc_now(), library, conversation],
            ).rowcount
            if not updated:
                raise _gone()
            turn_rows.put(database, conversation, number, number - 1 if parent is None else parent, turn)

    def write_on(
        self, conversation: int, number: int, reply: str, tokens: Sequence[int], origins: bytes | None = None
    ) -> None:
        """The answer of the turn `number` as far as it is written; nothing where that turn is gone."""
        self._database.change(
            "UPDATE turns SET reply = ?, tokens = ?, origins = coalesce(?, origins)"
            " WHERE conversation = ? AND number = ?",
            [stored_turns.TEXT.pack(reply), stored_turns.TOKENS.pack(tokens), origins, conversation, number],
        )

    def show(self, conversation: int, numbers: Iterable[int]) -> None:
        """Show these turns in place of their siblings. It does not become the newest by that."""
        with self._database.write() as database:
            turn_rows.show(database, conversation, numbers)

    def remove(self, conversation: int, numbers: Collection[int]) -> None:
        """Delete these turns, among which all must be that follow them; without any turn, the conversation goes."""
        with self._changing() as database:
            turn_rows.remove(database, conversation, numbers)
            database.execute(
                "DELETE FROM conversations WHERE id = ? AND id NOT IN (SELECT conversation FROM turns)", [conversation]
            )

    def rename(self, conversation: int, title: str) -> None:
        """Give it another title, on one line; an empty one changes nothing."""
        clean = one_line(title)
        if clean:
            with self._changing() as database:
                database.execute("UPDATE conversations SET title = ? WHERE id = ?", [clean, conversation])

    def rename_library(self, library: str, name: str) -> None:
        """A library has another name: the chats held over it follow it."""
        with self._changing() as database:
            database.execute("UPDATE conversations SET library = ? WHERE library = ?", [name, library])

    def set_system(self, conversation: int, system: str) -> None:
        """Give it another system prompt; "" for none of its own. It does not become the newest by that."""
        self._database.change("UPDATE conversations SET system = ? WHERE id = ?", [writable(system), conversation])

    def pin(self, conversation: int, pinned: bool) -> None:
        """Keep it on top of lists, or not."""
        with self._changing() as database:
            database.execute("UPDATE conversations SET pinned = ? WHERE id = ?", [int(pinned), conversation])

    def delete(self, conversation: int) -> None:
        """Delete it for good; `bin` deletes what can be taken back."""
        with self._changing() as database:
            database.execute("DELETE FROM conversations WHERE id = ?", [conversation])

    def tidy(self) -> None:
        """Overwrite what was deleted, and give its space back. Takes up to seconds."""
        self._database.change("INSERT INTO words (words) VALUES ('optimize')")
        self._database.reclaim()

    def add(self, conversations: Iterable[StoredConversation]) -> int:
        """Add whole conversations, all of them or none; returns how many."""
        added = 0
        with self._changing() as database:
            for kept in conversations:
                identity = _begin(database, kept)
                for node in kept.tree:
                    turn_rows.put(database, identity, node.number, node.parent, node.turn)
                turn_rows.show(database, identity, (node.number for node in kept.nodes if node.shown))
                added += 1
        return added

    def close(self) -> None:
        """Close the file and give the lock back."""
        try:
            self._database.close()
        finally:
            self._lock.release()

    @contextmanager
    def _changing(self) -> Iterator[Database]:
        """A transaction after which lists are other than before."""

        def changed() -> None:
            self.version += 1

        with self._database.write() as database:
            self._database.after_commit(changed)
            yield database


_IN_FOLDERS = "LEFT JOIN folders ON folders.id = conversations.folder AND folders.deleted IS NULL"
_LISTED = (
    "SELECT conversations.id, title, library, created, changed, pinned, coalesce(folders.id, 0) FROM conversations"
    f" {_IN_FOLDERS} WHERE conversations.deleted IS NULL AND (? IS NULL OR (pinned OR folders.id IS NOT NULL) = ?)"
    " ORDER BY changed DESC, conversations.id DESC LIMIT ?"
)
_GONE = "(SELECT id FROM conversations WHERE deleted IS NOT NULL)"
_MATCHING = (
    "SELECT turns.id, turns.conversation FROM words JOIN turns ON turns.id = words.rowid WHERE words MATCH ?"
    f" AND turns.conversation NOT IN {_GONE} ORDER BY words.rowid DESC"
)
_CONTAINING = (
    "SELECT conversation, max(id) FROM turns WHERE (instr(question, ?) OR instr(reply, ?))"
    f" AND conversation NOT IN {_GONE} GROUP BY conversation"
)
_MATCHING_IN = (
    "SELECT number FROM words JOIN turns ON turns.id = words.rowid WHERE words MATCH ? AND conversation = ?"
    " ORDER BY words.rowid DESC"
)
_CONTAINING_IN = (
    "SELECT number FROM turns WHERE (instr(question, ?) OR instr(reply, ?)) AND conversation = ? ORDER BY id DESC"
)


def _wanted(text: str) -> str:
    """What is looked for."""
    return writable(text)[:QUERY_CHARACTERS].replace("\0", " ").strip()


def one_line(text: str) -> str:
    """`text` as a title: one line of at most `TITLE_CHARACTERS` characters."""
    line = " ".join(writable(text).replace("\0", " ").split())
    return line if len(line) <= TITLE_CHARACTERS else line[: TITLE_CHARACTERS - 1].rstrip() + "…"


def _open(path: Path) -> StoreDatabase:
    chats = (*stored_turns.CONVERSATION_MIGRATIONS, *CHAT_WORD_MIGRATIONS)
    migrations = (*chats, *CHAT_FOLDER_MIGRATIONS, *turn_rows.BRANCH_MIGRATIONS)
    return StoreDatabase(path, migrations, if_damaged=_IF_DAMAGED, if_newer=_IF_NEWER)


def _set_aside(path: Path) -> Path:
    """Rename a damaged database with its log, which belongs to it; returns its new name."""
    stamp = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    aside = path.with_name(f"{path.stem}-damaged-{stamp}{path.suffix}")
    with mapped_errors(path):
        for ending in ("-wal", "-shm", ""):
            part = path.with_name(path.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
    return aside


def _begin(database: Database, kept: StoredConversation) -> int:
    now = utc_now()
    folder = folder_name(kept.folder)
    identity = database.execute(
        "INSERT INTO conversations (title, library, created, changed, system, pinned, folder)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            *(one_line(kept.title) or "…", writable(kept.library), kept.created or now, kept.changed or now),
            *(writable(kept.system), int(kept.pinned), folder_of(database, folder) if folder else 0),
        ],
    ).lastrowid
    assert identity is not None
    return identity


def _excerpt(text: str, wanted: str) -> str:
    """The surroundings of `wanted` in `text`, with marks as a snippet has them."""
    start = text.find(wanted)
    if start < 0:
        return ""
    end = start + len(wanted)
    before, after = text[max(0, start - _SNIPPET_CHARACTERS) : start], text[end : end + _SNIPPET_CHARACTERS]
    cut_before = "…" if start > _SNIPPET_CHARACTERS else ""
    cut_after = "…" if end + _SNIPPET_CHARACTERS < len(text) else ""
    return f"{cut_before}{before}{MARK}{wanted}{UNMARK}{after}{cut_after}"


def _gone() -> StoreError:
    return StoreError("This chat no longer exists.", "Start a new one.")
