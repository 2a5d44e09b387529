"""The search over chats: words of questions and answers in a full-text table, and the place where they stand.

Words are not stems here, for a person sees what is found while the last word is still being typed. What was written is
only noted; its words are stored before the next search.
"""

from __future__ import annotations

import re

from sqlite_utils import Database

from localspec.stores.database import Migration, StoreDatabase
from localspec.stores.words import TOKENIZE, WORD, index_text, normalized, pieces, runs

MARK, UNMARK = "\x02", "\x03"
"""Around the found words of a snippet. A text may hold them, too."""
QUERY_WORDS = 16
_STORED_AT_ONCE = 1000
_BEFORE, _AFTER = 40, 100
"""Characters of a snippet before and behind the beginning of what was found first."""
_MOST_MARKS = 20

_TABLES = f"""
DROP TRIGGER turns_added;
DROP TRIGGER turns_removed;
DROP TRIGGER turns_changed;
DROP TABLE words;
CREATE VIRTUAL TABLE words USING fts5(question, reply, tokenize = '{TOKENIZE}', prefix = '1 2 3');
CREATE TABLE unworded (turn INTEGER PRIMARY KEY);  -- whose words are not stored yet
INSERT INTO unworded SELECT id FROM turns;
CREATE TRIGGER turns_added AFTER INSERT ON turns BEGIN
    INSERT INTO unworded SELECT new.id WHERE new.id NOT IN (SELECT turn FROM unworded);
END;
CREATE TRIGGER turns_changed AFTER UPDATE OF question, reply ON turns BEGIN
    INSERT INTO unworded SELECT new.id WHERE new.id NOT IN (SELECT turn FROM unworded);
END;
CREATE TRIGGER turns_removed AFTER DELETE ON turns BEGIN
    DELETE FROM unworded WHERE turn = old.id;
    DELETE FROM words WHERE rowid = old.id;
END;
"""

CHAT_WORD_MIGRATIONS: tuple[Migration, ...] = (Migration("conversations-4-words", _TABLES),)
"""Come after the migration that creates `turns`."""


def store_chat_words(database: StoreDatabase) -> None:
    """Store the words of what was written since the last time, a thousand turns at once."""
    while database.row("SELECT 1 FROM unworded LIMIT 1") is not None:
        with database.write() as writer:
            _store(writer)


def _store(database: Database) -> None:
    rows = database.execute(
        "SELECT id, question, reply FROM unworded JOIN turns ON id = turn ORDER BY id DESC LIMIT ?", [_STORED_AT_ONCE]
    ).fetchall()
    numbers = [(turn,) for turn, _, _ in rows]
    database.conn.executemany("DELETE FROM words WHERE rowid = ?", numbers)
    database.conn.executemany(
        "INSERT INTO words (rowid, question, reply) VALUES (?, ?, ?)",
        [(turn, index_text(question), index_text(reply)) for turn, question, reply in rows],
    )
    database.conn.executemany("DELETE FROM unworded WHERE turn = ?", numbers)


def beginning_query(text: str) -> str:
    """An FTS5 query for texts that hold all words of `text`, of which the last may only have begun; empty when there is
    no word in it. Where a script has no spaces, what stands together there stands together in what is found."""
    words = [*dict.fromkeys(map(normalized, runs(text)))][:QUERY_WORDS]
    parts = []
    for place, word in enumerate(words, 1):
        cut = pieces(word)
        begins = "*" if (not cut and place == len(words)) or cut == [word] else ""
        parts.append(f'"{" ".join(cut or [word])}"{begins}')
    return " ".join(parts)


def snippet(text: str, wanted: str) -> str:
    """Where the words of `wanted` stand in `text` first, with marks around each; empty where none of them does."""
    words = [*dict.fromkeys(map(normalized, runs(wanted)))][:QUERY_WORDS]
    spans: list[tuple[int, int]] = []
    for found in WORD.finditer(text):
        if spans and (found.start() > spans[0][0] + _AFTER or len(spans) == _MOST_MARKS):
            break
        spans += _spans(found, words)
    if not spans:
        return ""
    first = spans[0][0]
    start = max(0, first - _BEFORE)
    if start:  # at a word's beginning, where there is a space
        start += len(re.match(r"\S{0,15}\s|", text[start:first])[0])  # type: ignore[index]
    end = max(first + _AFTER, spans[0][1])
    pieces_of_text = ["…" if start else ""]
    for begin, stop in spans:
        if begin >= start and stop <= end:
            pieces_of_text.append(f"{text[start:begin]}{MARK}{text[begin:stop]}{UNMARK}")
            start = stop
    return "".join([*pieces_of_text, text[start:end], "…" if end < len(text) else ""])


def _spans(found: re.Match[str], words: list[str]) -> list[tuple[int, int]]:
    """The part of a word of the text that one of these words is."""
    whole = normalized(found[0])
    for place, word in enumerate(words, 1):
        if pieces(word) and word in whole:
            at = whole.index(word) if len(whole) == len(found[0]) else 0
            length = len(word) if len(whole) == len(found[0]) else len(found[0])
            return [(found.start() + at, found.start() + at + length)]
        if word == whole or (place == len(words) and whole.startswith(word)):
            return [found.span()]
    return []
