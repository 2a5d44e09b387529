"""Finds the passages of a library that answer a question: by meaning (vectors) and by words (FTS5), fused."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from localspec.errors import EmbedderError
from localspec.stores.database import StoreDatabase
from localspec.stores.documents.passage_vectors import PassageVectors

_logger = logging.getLogger(__name__)

RANK_OFFSET = 60  # k of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009, section 2)
_CANDIDATES = 50  # passages each side hands to the fusion, at least
_MOST_COPIES = 20_000  # passages by words that are looked through for some that differ
_SECTION_WEIGHT = 0.5  # bm25 weight of a section's name; the text itself counts 1
_QUESTION_WORDS = 64
_COVERED = 10  # best passages of each side whose words are compared with the question's
MINILM_RELEVANT = 0.25
"""A question is about a library where cosine + 0.3 × coverage − 0.08 × log10(passages) of the nearest passage reaches
this: among more passages, the nearest one to any question is nearer. Belongs to all-MiniLM-L6-v2, as the two weights
do; another embedder has other cosines.

All three by grid search on 40 questions about four libraries (2 to 279 passages; English and German; a form, recipes, a
packaging guide) and 30 unrelated ones asked of eight. Held out, on 48 questions about five libraries (2 to 1,038
passages) and 37 unrelated ones asked of eight: 46 of 48 are about them, 293 of 296 are not. The two that are missed are
English questions about a German contract."""
MINILM_COVERAGE_WEIGHT = 0.3
MINILM_SIZE_WEIGHT = 0.08
_LARGEST_FITTED = 1000
"""More passages count as so many: the largest library of the calibration had 1,038."""
RELEVANT_COVERAGE = 0.45
"""The same where there are no vectors, of the coverage alone."""
FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a about above after again all also am an and any are as at be because been before being below"
        " between both but by can could did do does doing down during each few for from further had has have"
        " having he her here hers him his how i if in into is it its itself just me more most my no nor not"
        " now of off on once only or other our ours out over own please same she should so some such tell than"
        " that the their theirs them then there these they this those through to too under until up us very"
        " was we were what when where which while who whom whose why will with would you your yours",
    )
)
"""English words that say nothing about the subject (after Snowball's stop words). A rank earned by them alone would
count in the fusion as much as any other."""


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage with the document and place it comes from."""

    id: int
    document: int
    name: str  # file name of the document
    page: int | None  # 1-based page or slide; None where the format has none
    section: str
    text: str
    score: float  # reciprocal rank fusion: at most 2 / 61; 0 when the passage was not searched for
    ordinal: int  # 0-based position among the document's passages


@dataclass(frozen=True, slots=True)
class LookUp:
    """What a question finds, and how near the nearest passage of the library is to it."""

    passages: list[FoundPassage]
    similarity: float | None
    """cosine of the question and the nearest passage; None where there are no vectors"""
    coverage: float
    """largest share of the question's content words, by idf, in one passage: 0 to 1"""
    total: int
    """passages of the library"""
    embedded: bool
    """whether all of them have a vector"""

    @property
    def is_relevant(self) -> bool:
        """Whether any passage is about the question at all."""
        if not self.embedded and self.coverage >= RELEVANT_COVERAGE:
            return True
        if self.similarity is None:
            return False
        best = self.similarity + MINILM_COVERAGE_WEIGHT * self.coverage
        return best - MINILM_SIZE_WEIGHT * math.log10(min(max(self.total, 1), _LARGEST_FITTED)) >= MINILM_RELEVANT


class PassageSearch:
    """The passages of a library, found by a question or by their place. Any thread may call any method."""

    def __init__(self, database: StoreDatabase, vectors: PassageVectors) -> None:
        self._database = database
        self._vectors = vectors

    def search(self, question: str, limit: int = 8, *, exclude: Collection[int] = ()) -> list[FoundPassage]:
        """The `limit` best passages by reciprocal rank fusion, best first, without those whose ids are in `exclude`. An
        embedder that cannot be used leaves the search by words."""
        return self.look_up(question, limit, exclude=exclude).passages

    def look_up(self, question: str, limit: int = 8, *, exclude: Collection[int] = ()) -> LookUp:
        """What `search` finds, and how near it is to the question."""
        if limit < 1 or not question.strip():
            return LookUp([], None, 0.0, 0, True)
        wanted = max(_CANDIDATES, 4 * limit) + len(exclude)
        # A copy of a passage says nothing new, in whatever document.
        excluded = {*exclude, *self._vectors.first_alike(exclude).values()}
        nearest: dict[int, float] | None = None
        try:
            nearest = self._vectors.search(question, wanted)
        except EmbedderError as error:
            _logger.warning("Searching by words only: %s", error)
        by_meaning = [passage for passage in nearest or () if passage not in excluded]
        by_words = [passage for passage in self._different_by_words(question, wanted) if passage not in excluded]
        scores = fuse([by_meaning, by_words])
        similarity = max((nearest[passage] for passage in by_meaning), default=None) if nearest else None
        total = self._vectors.total()
        coverage = self._coverage(question, {*by_meaning[:_COVERED], *by_words[:_COVERED]}, total)
        embedded = nearest is not None and self._vectors.are_complete()
        return LookUp(self._best(scores, limit), similarity, coverage, total, embedded)

    def _best(self, scores: dict[int, float], limit: int) -> list[FoundPassage]:
        # Some may have been removed since they were found, so that a few more than the limit are read.
        best = sorted(scores, key=lambda passage: (-scores[passage], passage))[: 2 * limit]
        rows = self._database.rows(
            f"{_SELECT} WHERE passages.id IN (SELECT value FROM json_each(?))", [json.dumps(best)]
        )
        found = [_found(row, scores[row[0]]) for row in rows]
        return sorted(found, key=lambda passage: (-passage.score, passage.id))[:limit]

    def _coverage(self, question: str, passages: Collection[int], total: int) -> float:
        """The largest share of the question's words that one of these passages holds, each word weighted by its inverse
        document frequency in this library of `total` passages (as in bm25). A question of function words has none."""
        words = [word for word in content_words(question)[:_QUESTION_WORDS] if word not in FUNCTION_WORDS]
        if not words or not passages:
            return 0.0
        covered = dict.fromkeys(passages, 0.0)
        whole = 0.0
        for word in words:
            rows = self._database.rows("SELECT rowid FROM passages_fts WHERE passages_fts MATCH ?", [f'"{word}"'])
            weight = math.log(1 + (total - len(rows) + 0.5) / (len(rows) + 0.5))
            whole += weight
            for (passage,) in rows:
                if passage in covered:
                    covered[passage] += weight
        return max(covered.values()) / whole

    def of(self, document: int) -> list[FoundPassage]:
        """All passages of a document in its order; none before it was read."""
        rows = self._database.rows(f"{_SELECT} WHERE document = ? ORDER BY ordinal", [document])
        return [_found(row, 0.0) for row in rows]

    def around(self, passage: int, text: str, name: str, reach: int = 2) -> list[FoundPassage]:
        """A passage that was cited, with up to `reach` others of its document before and after it, in order; empty when
        it is not there any more. It is looked for by its id, and where that is gone, as after its document was added
        anew, by its text in a document of this name. The one that is meant is the one with the same text."""
        place = self._database.row("SELECT document, ordinal FROM passages WHERE id = ? AND text = ?", [passage, text])
        place = place or self._database.row(
            "SELECT document, ordinal FROM passages JOIN documents ON documents.id = document"
            " WHERE name = ? AND text = ? LIMIT 1",
            [name, text],
        )
        if place is None:
            return []
        document, ordinal = place
        rows = self._database.rows(
            f"{_SELECT} WHERE document = ? AND ordinal BETWEEN ? AND ? ORDER BY ordinal",
            [document, ordinal - reach, ordinal + reach],
        )
        return [_found(row, 0.0) for row in rows]

    def _different_by_words(self, question: str, limit: int) -> list[int]:
        """As `_by_words`, without copies of a passage."""
        asked = limit
        while True:
            found = self._by_words(question, asked)
            different = [*dict.fromkeys(self._vectors.first_alike(found).values())]
            if len(found) < asked or 2 * len(different) >= limit or asked >= _MOST_COPIES:
                return different[:limit]
            asked *= 8

    def _by_words(self, question: str, limit: int) -> list[int]:
        """Ids of the passages with the question's words, best bm25 first."""
        query = words_query(question)
        if not query:
            return []
        rows = self._database.rows(
            "SELECT rowid FROM passages_fts WHERE passages_fts MATCH ? ORDER BY bm25(passages_fts, ?, 1.0) LIMIT ?",
            [query, _SECTION_WEIGHT, limit],
        )
        return [passage for (passage,) in rows]


def fuse(rankings: Iterable[Sequence[int]]) -> dict[int, float]:
    """Score of each id in any ranking: the sum of 1 / (60 + rank), ranks from 1 (reciprocal rank fusion)."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, passage in enumerate(ranking, 1):
            scores[passage] = scores.get(passage, 0.0) + 1 / (RANK_OFFSET + rank)
    return scores


def content_words(text: str) -> list[str]:
    """The different words of a text in their order, case-folded; function words only in a text that has no others."""
    words = dict.fromkeys(re.findall(r"\w+", text.casefold()))
    return [word for word in words if word not in FUNCTION_WORDS] or [*words]


def words_query(question: str) -> str:
    """An FTS5 query for passages that hold any word of the question; empty when there is no word in it. Function words
    count only in a question that has no others. Words are quoted, so that no character or operator of the query
    language reaches FTS5."""
    return " OR ".join(f'"{word}"' for word in content_words(question)[:_QUESTION_WORDS])


_SELECT = (
    "SELECT passages.id, document, name, page, section, text, ordinal"
    " FROM passages JOIN documents ON documents.id = document"
)


def _found(row: tuple[int, int, str, int | None, str, str, int], score: float) -> FoundPassage:
    passage, document, name, page, section, text, ordinal = row
    return FoundPassage(passage, document, name, page, section, text, score, ordinal)
