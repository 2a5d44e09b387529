"""The words of passages in a full-text table: put there as they come, counted, and found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence

from sqlite_utils import Database

from localspec.stores.database import Migration, StoreDatabase
from localspec.stores.languages import UNKNOWN, language_of
from localspec.stores.words import TOKENIZE, Term, index_text

WORDED_AT_ONCE = 500
"""Passages of a step: 0.2 s."""
WORDED_AT_OPENING = 10_000
"""Passages of a library of an earlier version whose words are stored before anything else; the others' in between."""
_MERGED_PAGES = 500
"""Pages of the index, of 4 kB at most, that a step of forgetting writes: 0.1 s."""
_MERGED_AT_ONCE = 2_500
"""The same where somebody waits: 0.5 s."""
_SECTION_WEIGHT = 0.5  # bm25 weight of a section's name; the text itself counts 1
_SCORED = 20_000
"""Passages that bm25 is computed for, about: beyond that a question's commonest words are left out, which hardly count
beside the rarer ones."""

_TABLES = f"""
DROP TRIGGER passages_added;
DROP TRIGGER passages_removed;
DROP TABLE passages_fts;
ALTER TABLE passages ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN language TEXT NOT NULL DEFAULT '';
CREATE TABLE passage_languages (language TEXT PRIMARY KEY) WITHOUT ROWID;  -- of any passage so far
CREATE VIRTUAL TABLE passages_fts USING fts5(section, text, tokenize = '{TOKENIZE}');  -- words made by stores.words
CREATE VIRTUAL TABLE passages_terms USING fts5vocab(passages_fts, row);
CREATE TABLE passages_unworded (passage INTEGER PRIMARY KEY);  -- whose words are not stored yet
INSERT INTO passages_unworded SELECT id FROM passages;
CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
    INSERT INTO passages_unworded VALUES (new.id);
END;
CREATE TRIGGER passages_removed AFTER DELETE ON passages BEGIN
    DELETE FROM passages_unworded WHERE passage = old.id;
    DELETE FROM passages_fts WHERE rowid = old.id;
END;
"""

_ADD_FORGETTING = """
ALTER TABLE library ADD COLUMN forgets_words INTEGER NOT NULL DEFAULT 0;  -- the index holds words of removed passages
"""

WORD_MIGRATIONS: tuple[Migration, ...] = (
    Migration("words-1-languages", _TABLES),
    Migration("words-2-forgetting", _ADD_FORGETTING),
)
"""Come after the migration that creates `passages`."""


def store_words(database: Database, document: int | None = None, limit: int = -1) -> int:
    """Inside a transaction: store the words of the passages that lack them, of one document or of up to `limit`
    passages, each in the language it is in; how many."""
    rows = database.execute(
        # In this order: there are few of the one, and may be a million of the other.
        "SELECT id, document, section, text FROM passages_unworded CROSS JOIN passages ON id = passage"
        " WHERE ? IN (document, 0) ORDER BY passage LIMIT ?",
        [document or 0, limit],
    ).fetchall()
    if not rows:
        return 0
    told = {passage: language_of(text) for passage, _, _, text in rows}
    mostly: dict[int, Counter[str]] = {}
    for passage, document, _, _ in rows:
        if told[passage] != UNKNOWN:
            mostly.setdefault(document, Counter())[told[passage]] += 1
    words = []
    for passage, document, section, text in rows:
        # A table or a list is in the language of what stands around it.
        if told[passage] == UNKNOWN and document in mostly:
            told[passage] = mostly[document].most_common(1)[0][0]
        words.append((passage, index_text(section, told[passage]), index_text(text, told[passage])))
    languages = [(language,) for language in {*told.values()} if language != UNKNOWN]
    documents = {document for _, document, _, _ in rows}
    connection = database.conn
    connection.executemany("INSERT INTO passages_fts (rowid, section, text) VALUES (?, ?, ?)", words)
    connection.executemany("UPDATE passages SET language = ? WHERE id = ?", [(told[one], one) for one in told])
    connection.executemany("DELETE FROM passages_unworded WHERE passage = ?", [(passage,) for passage in told])
    connection.executemany("INSERT OR IGNORE INTO passage_languages VALUES (?)", languages)
    connection.executemany(
        "UPDATE documents SET language = coalesce((SELECT language FROM passages WHERE document = documents.id"
        " AND language != '' GROUP BY language ORDER BY count(*) DESC LIMIT 1), '') WHERE id = ?",
        [(document,) for document in documents],
    )
    return len(rows)


def forget_words(database: Database) -> None:
    """Inside the transaction that removes passages: have the index forget their words, which `forget_next` does."""
    database.execute("UPDATE library SET forgets_words = 1")


class PassageWords:
    """The words of a library's passages. Any thread may call any method."""

    def __init__(self, database: StoreDatabase) -> None:
        self._database = database

    def store_next(self, limit: int = WORDED_AT_ONCE) -> bool:
        """Store the words of some passages that lack them, as those of a library of an earlier version; False when none
        does."""
        if self._database.row("SELECT 1 FROM passages_unworded LIMIT 1") is None:
            return False
        with self._database.write() as database:
            return store_words(database, limit=limit) > 0

    def forget_next(self, pages: int = _MERGED_PAGES) -> bool:
        """Take a step towards an index without the words of removed passages; False when it holds none. FTS5 only notes
        what is deleted, and forgets it when it merges all that it has: once for many documents, as that takes a second
        for 50,000 passages."""
        if not self._database.row("SELECT forgets_words FROM library")[0]:
            return False
        with self._database.write() as database:
            before = database.conn.total_changes
            # Of a negative number of pages: down to one segment, however few there are.
            database.execute("INSERT INTO passages_fts (passages_fts, rank) VALUES ('merge', ?)", [-pages])
            if database.conn.total_changes - before < 2:  # SQLite's sign that nothing was left to merge
                database.execute("UPDATE library SET forgets_words = 0")
                self._database.reclaim()
        return True

    def forget_some(self) -> None:
        """Do at once what there is to forget in a library of up to 20,000 passages, and a part in a larger one."""
        if self.forget_next(_MERGED_AT_ONCE):
            self.forget_next(_MERGED_AT_ONCE)

    def languages(self) -> list[str]:
        """Of any passage, in no order."""
        return [language for (language,) in self._database.rows("SELECT language FROM passage_languages")]

    def foreign(self, languages: Collection[str]) -> dict[str, str]:
        """Documents that are mostly in another language than these: its English name by the document's name."""
        rows = self._database.rows(
            "SELECT name, language FROM documents WHERE language != '' AND language NOT IN"
            " (SELECT value FROM json_each(?)) ORDER BY id",
            [json.dumps([*languages])],
        )
        return dict(rows)

    def frequencies(self, terms: Sequence[Term], total: int) -> dict[Term, int]:
        """How many of all `total` passages hold each term."""
        found = {}
        for term in terms:
            count = 0
            for form in term.forms:
                above = f"{form}\U0010ffff" if term.begins else form
                (documents,) = self._database.row(
                    "SELECT coalesce(sum(doc), 0) FROM passages_terms WHERE term >= ? AND term <= ?", [form, above]
                )
                count += int(documents)
            found[term] = min(count, total)
        return found

    def best(self, frequencies: dict[Term, int], limit: int) -> list[int]:
        """Ids of the passages with these terms, best bm25 first."""
        wanted: list[Term] = []
        scored = 0
        for term in sorted(frequencies, key=lambda term: frequencies[term]):
            scored += frequencies[term]
            if not frequencies[term] or (scored > _SCORED and wanted):
                continue
            wanted.append(term)
        if not wanted:
            return []
        rows = self._database.rows(
            "SELECT rowid FROM passages_fts WHERE passages_fts MATCH ? ORDER BY bm25(passages_fts, ?, 1.0) LIMIT ?",
            [" OR ".join(term.query for term in wanted), _SECTION_WEIGHT, limit],
        )
        return [passage for (passage,) in rows]

    def holding(self, passages: Collection[int], terms: Sequence[Term]) -> dict[int, list[Term]]:
        """Which of the terms each of these passages holds."""
        rows = self._database.rows(
            "SELECT rowid, section, text FROM passages_fts WHERE rowid IN (SELECT value FROM json_each(?))",
            [json.dumps([*passages])],
        )
        found = {}
        for passage, section, text in rows:
            held = {*section.split(), *text.split()}
            found[passage] = [term for term in terms if _holds(held, term)]
        return found


def _holds(held: Collection[str], term: Term) -> bool:
    if term.begins:
        return any(word.startswith(term.forms) for word in held)
    return any(form in held for form in term.forms)
