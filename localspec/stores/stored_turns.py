"""A turn of a chat as it is kept: its fields, and for each of them where it lies in the database and in an export.

To keep another field, add it to `PlainTurn` (or to `StoredTurn`, where the chat has it in a form of its own). One that
is kept inside `details` needs nothing else; one with a column of its own needs a numbered migration, too. Here are the
tables of chats as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timezone
from typing import Any

import numpy as np

from localspec import texts
from localspec.stores.database import Migration

_TOKENS = np.dtype("<i4")
NO_PARENT = -1
"""In place of a parent's number, of a turn that begins its conversation."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A numbered passage with its place. A number stands for one passage in all of a conversation."""

    number: int
    file: str
    page: int | None
    section: str
    passage: str
    source: int = field(default=0, compare=False)  # id of the passage in its library; 0 where unknown
    label: str = ""  # what is printed as the page's number, where that is not `page`

    @property
    def where(self) -> str:
        """Page, or section, in its file as people read it; empty where there is neither."""
        return texts.page(self.page, self.label) or self.section

    @property
    def place(self) -> str:
        """File and page (or section) as people read them."""
        return f"{self.file}, {self.where}" if self.where else self.file


def _as_it_is(value: object) -> object:
    return value


@dataclass(frozen=True, slots=True)
class Kind:
    """How the values of a field are packed for SQLite, or for JSON inside `details`."""

    name: str
    pack: Callable[[Any], Any] = _as_it_is
    unpack: Callable[[Any], Any] = _as_it_is


def writable(text: str) -> str:
    """`text` without lone surrogates, which UTF-8 cannot hold."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _pack_tokens(ids: Sequence[int]) -> bytes:
    return np.array(ids, _TOKENS).tobytes()


def _unpack_tokens(data: bytes) -> list[int]:
    ids: list[int] = np.frombuffer(data[: len(data) // _TOKENS.itemsize * _TOKENS.itemsize], _TOKENS).tolist()
    return ids


TEXT = Kind("text", writable)
NAME = Kind("name")  # a short text of the program's own
TIME = Kind("time")  # ISO 8601, UTC
TEXTS = Kind("texts", list)
NUMBERS = Kind("numbers", list)
NUMBER = Kind("number")
FLAG = Kind("flag")  # true or false
CITATIONS = Kind("citations", lambda cited: [one.number for one in cited])
"""By their numbers; the passages themselves lie in a table of their own."""
TOKENS = Kind("tokens", _pack_tokens, _unpack_tokens)  # ids, int32 little-endian
RECORD = Kind("record", unpack=dict)  # a dictionary as JSON holds it
PACKED = Kind("packed")  # bytes that the chat has packed


@dataclass(frozen=True, slots=True)
class StoredField:
    """Where a field of a turn lies."""

    kind: Kind
    label: str  # its key in an export and inside `details`
    column: str = ""  # of the table `turns`; "" for those that lie inside `details`
    exported: bool = True
    required: bool = False  # an export without it is refused
    optional: bool = False  # left out of an export where it says nothing
    many: type[list[Any]] | type[tuple[Any, ...]] = tuple  # what holds the values of a field that has several
    name: str = ""  # of the attribute


def _kept(kind: Kind, label: str, column: str = "", **more: Any) -> dict[str, StoredField]:  # noqa: ANN401
    """Metadata of a dataclass's field."""
    return {"stored": StoredField(kind, label, column, **more)}


@dataclass(slots=True)
class PlainTurn:
    """One question with its answer: what is the same on disk and at work."""

    question: str = field(metadata=_kept(TEXT, "question", "question", required=True))
    content: str = field(metadata=_kept(TEXT, "sent", "content", optional=True))  # as sent to the model
    reply: str = field(default="", metadata=_kept(TEXT, "reply", "reply", required=True))
    reply_tokens: list[int] = field(default_factory=list, metadata=_kept(TOKENS, "tokens", "tokens", exported=False))
    """ids of the reply; empty where unknown"""
    tokenizer: str = field(default="", metadata=_kept(NAME, "tokenizer", "tokenizer", exported=False))
    """fingerprint of the tokenizer of `reply_tokens`"""
    library: str = field(default="", metadata=_kept(NAME, "library", "library", exported=False))
    """identity of the library that `documents` and the citations' sources belong to"""
    asked: str = field(default="", metadata=_kept(TIME, "asked", "asked"))  # ISO 8601, UTC
    method: str = field(default="", metadata=_kept(NAME, "method", "method"))
    finish: str = field(default="", metadata=_kept(NAME, "finish", "finish"))
    """"end", "length", "context", "loop" (it repeated itself), "stopped", "interrupted" (the program ended), "edited"
    (a person wrote it), or "" while it is being written, and on disk for good when that was broken off"""
    files: tuple[str, ...] = field(default=(), metadata=_kept(TEXTS, "files"))
    """names of the documents that came with the question"""
    notices: list[str] = field(default_factory=list, metadata=_kept(TEXTS, "notices", many=list))
    problems: list[str] = field(default_factory=list, metadata=_kept(TEXTS, "problems", many=list))
    """what could not be done for this answer"""
    documents: tuple[int, ...] = field(default=(), metadata=_kept(NUMBERS, "documents", exported=False))
    """ids of those whose whole text was first sent with this question"""
    given: tuple[Citation, ...] = field(default=(), metadata=_kept(CITATIONS, "given"))
    """the passages that could be cited"""
    citations: list[Citation] = field(default_factory=list, metadata=_kept(CITATIONS, "cited", many=list))
    document_use: str = field(default="", metadata=_kept(NAME, "document use", optional=True))
    """"none" where the person wanted none, else \"\""""
    thinking: str = field(default="", metadata=_kept(TEXT, "thinking", optional=True))
    """what the model thought before the reply; no part of it"""
    thinking_tokens: int = field(default=0, metadata=_kept(NUMBER, "thinking_tokens", exported=False))
    """how many of the first `reply_tokens` are no part of the reply"""
    edited: bool = field(default=False, metadata=_kept(FLAG, "edited", optional=True))
    """whether a person wrote the reply, or its beginning"""

    @property
    def is_answered(self) -> bool:
        """True where there is a word of an answer: what was only thought is none."""
        return bool(self.reply_tokens) and (bool(self.reply) or not self.thinking)

    @property
    def answer_length(self) -> int:
        """Tokens of the reply, without what was thought."""
        return len(self.reply_tokens) - self.thinking_tokens


@dataclass(slots=True)
class StoredTurn(PlainTurn):
    """One question with its answer, as it is kept; what the chat has in forms of its own is packed."""

    metrics: dict[str, Any] = field(default_factory=dict, metadata=_kept(RECORD, "metrics", "metrics"))
    """figures of the reply; empty where there are none"""
    window: dict[str, int] = field(default_factory=dict, metadata=_kept(RECORD, "window", optional=True))
    """what filled the model's context, in tokens; empty where unknown"""
    origins: bytes = field(default=b"", metadata=_kept(PACKED, "origins", "origins", optional=True))
    """where the reply's tokens came from; empty where unknown"""


def stored_fields(turn: type[PlainTurn]) -> tuple[StoredField, ...]:
    """Where the fields of a turn lie, in the order of an export."""
    return tuple(replace(each.metadata["stored"], name=each.name) for each in fields(turn))


FIELDS = stored_fields(StoredTurn)
COLUMNS: tuple[str, ...] = (*(each.column for each in FIELDS if each.column), "details")
"""of the table `turns` that hold them"""


@dataclass(frozen=True, slots=True)
class StoredNode:
    """A turn in the tree of its conversation."""

    number: int  # its own in the conversation, from 0; higher than its parent's
    parent: int  # number of the turn before it, `NO_PARENT` where it begins the conversation
    turn: StoredTurn
    shown: bool = True  # whether it is the one of its siblings that is shown


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A whole conversation."""

    title: str
    library: str  # name of the library it was held over
    turns: tuple[StoredTurn, ...]  # those that are shown
    created: str = ""
    changed: str = ""  # ISO 8601, UTC
    system: str = ""  # the person's own system prompt; "" where there is none
    pinned: bool = False
    folder: str = ""  # name of the folder it lies in; "" for none
    nodes: tuple[StoredNode, ...] = ()
    """all turns by number, hidden ones too; () where `turns` are all, numbered from 0"""

    @classmethod
    def of_nodes(
        cls,
        title: str,
        library: str,
        nodes: Sequence[StoredNode],
        created: str = "",
        changed: str = "",
        system: str = "",
        pinned: bool = False,
        folder: str = "",
    ) -> StoredConversation:
        """The conversation that has these turns, by number."""
        path = shown_path(nodes)
        is_line = [node.number for node in path] == list(range(len(nodes)))
        turns, tree = tuple(node.turn for node in path), () if is_line else tuple(nodes)
        return cls(title, library, turns, created, changed, system, pinned, folder, tree)

    @property
    def tree(self) -> tuple[StoredNode, ...]:
        """All turns by number."""
        return self.nodes or tuple(StoredNode(number, number - 1, turn) for number, turn in enumerate(self.turns))

    @property
    def citations(self) -> list[Citation]:
        """All passages that its shown turns name, by number."""
        return citations_of(self.turns)


def citations_of(turns: Iterable[PlainTurn]) -> list[Citation]:
    """All passages that the turns of one path name, by number."""
    named = {one.number: one for turn in turns for one in (*turn.citations, *turn.given)}
    return [named[number] for number in sorted(named)]


def shown_path(nodes: Iterable[StoredNode]) -> list[StoredNode]:
    """The turns that are shown, from the first; where none of some siblings is marked as shown, the first of them."""
    chosen: dict[int, StoredNode] = {}
    for node in nodes:
        if node.shown or node.parent not in chosen:
            chosen[node.parent] = node
    path: list[StoredNode] = []
    while (number := path[-1].number if path else NO_PARENT) in chosen:
        path.append(chosen[number])
    return path


def plain(turn: PlainTurn) -> dict[str, Any]:
    """The fields that are the same on disk and at work, by name; lists are copied."""
    values = {each.name: getattr(turn, each.name) for each in fields(PlainTurn)}
    return {name: list(value) if isinstance(value, list) else value for name, value in values.items()}


def as_row(turn: StoredTurn) -> tuple[Any, ...]:
    """The values of `COLUMNS`."""
    values: dict[str, Any] = {}
    details: dict[str, Any] = {}
    for each in FIELDS:
        value = each.kind.pack(getattr(turn, each.name))
        if not each.column:
            details[each.label] = value
        else:
            values[each.column] = json.dumps(value) if each.kind is RECORD else value
    if turn.content == turn.question:
        values["content"] = None
    values["asked"] = turn.asked or utc_now()
    values["details"] = json.dumps(details)
    return tuple(values[name] for name in COLUMNS)


def of_row(row: Iterable[Any], citations: Mapping[int, Citation]) -> StoredTurn:
    """The turn whose values of `COLUMNS` are given; `citations` are those of its conversation, by number. Raises
    ValueError, TypeError or KeyError for what `as_row` cannot have given."""
    columns = dict(zip(COLUMNS, row, strict=True))
    if columns["content"] is None:
        columns["content"] = columns["question"]
    details = dict(json.loads(columns["details"]))
    values: dict[str, Any] = {}
    for each in FIELDS:
        if not each.column and each.label not in details:
            continue  # turns of earlier versions have fewer
        value = columns[each.column] if each.column else details[each.label]
        value = each.kind.unpack(json.loads(value) if each.column and each.kind is RECORD else value)
        if each.kind is CITATIONS:
            value = [citations[number] for number in value if number in citations]
        values[each.name] = each.many(value) if each.kind in (TEXTS, NUMBERS, CITATIONS) else value
    return StoredTurn(**values)


def utc_now() -> str:
    """This moment, as times are kept."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


_TABLES = """
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    library TEXT NOT NULL,
    created TEXT NOT NULL,
    changed TEXT NOT NULL
);
CREATE INDEX conversations_changed ON conversations (changed);
-- What searches and lists read stands in front: the rest of a row lies on pages of its own when it is long.
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
);
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
) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(
    question, reply, content = 'turns', content_rowid = 'id',
    tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3'
);
CREATE TRIGGER turns_added AFTER INSERT ON turns BEGIN
    INSERT INTO words (rowid, question, reply) VALUES (new.id, new.question, new.reply);
END;
CREATE TRIGGER turns_removed AFTER DELETE ON turns BEGIN
    INSERT INTO words (words, rowid, question, reply) VALUES ('delete', old.id, old.question, old.reply);
END;
CREATE TRIGGER turns_changed AFTER UPDATE OF question, reply ON turns BEGIN
    INSERT INTO words (words, rowid, question, reply) VALUES ('delete', old.id, old.question, old.reply);
    INSERT INTO words (rowid, question, reply) VALUES (new.id, new.question, new.reply);
END;
"""


CONVERSATION_MIGRATIONS: tuple[Migration, ...] = (
    Migration("conversations-1-chats", _TABLES),
    # Of which sources the tokens of a reply came, as `chat.origins` packs it; empty where that is not known.
    Migration("conversations-2-origins", "ALTER TABLE turns ADD COLUMN origins BLOB NOT NULL DEFAULT x'';"),
    Migration("conversations-3-system", "ALTER TABLE conversations ADD COLUMN system TEXT NOT NULL DEFAULT '';"),
    Migration("conversations-4-labels", "ALTER TABLE citations ADD COLUMN label TEXT NOT NULL DEFAULT '';"),
)
