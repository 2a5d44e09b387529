"""Finds the passages of a library that answer a question: by meaning (vectors) and by words (FTS5), fused."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from localspec.errors import EmbedderError
from localspec.stores.database import StoreDatabase
from localspec.stores.documents.passage_vectors import PassageVectors
from localspec.stores.documents.passage_words import PassageWords
from localspec.stores.documents.passages import most_alike
from localspec.stores.languages import language_of
from localspec.stores.words import Term, question_terms

_logger = logging.getLogger(__name__)

RANK_OFFSET = 5
"""k of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009, section 2), who take 60: there two middling
ranks beat a first one. k and the weight of words were chosen on half of 200 questions in eight languages
(benchmarks/retrieval.py, multilingual-e5-small in 8 bits), such that the passage that is best by words still comes
among the first five. Of the other half 92 have their passage among five; 85 with
60 and equal weights. With all-MiniLM-L6-v2 it is 24 of 25 in English, 22 before. Weighted scores in place of ranks, and
scores of neighbours or whole sections beside a passage's own, found no more."""
_WORDS_WEIGHT = 0.61  # of the ranking by words, against 1 of that by meaning
_FOREIGN_WEIGHT = 0.5  # of the ranking by meaning, against 1 of that by words, of questions in another language
_CANDIDATES = 50  # passages each side hands to the fusion, at least
_MOST_COPIES = 20_000  # passages by words that are looked through for some that differ
_COVERED = 10  # best passages of each side whose words are compared with the question's
# A question is about a library where cosine + w × coverage − s × log10(passages) of the nearest passage reaches a
# threshold t: among more passages, the nearest one to any question is nearer. The three belong to an embedder
# (`EmbedderLike.relevance`), as its cosines do.
#
# Those of all-MiniLM-L6-v2 (t 0.25, w 0.3, s 0.08) by grid search on 40 questions about four libraries (2 to 279
# passages; English and German; a form, recipes, a packaging guide) and 30 unrelated ones asked of eight. Held out, on
# 48 questions about five libraries (2 to 1,038 passages) and 37 unrelated ones asked of eight: 46 of 48 are about them,
# 293 of 296 are not. The two that are missed are English questions about a German contract.
_LARGEST_FITTED = 1000
"""More passages count as so many: the largest library of the calibration had 1,038."""
RELEVANT_COVERAGE = 0.45
"""The same where there are no vectors, of the coverage alone."""


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage with the document and place it comes from."""

    id: int
    document: int
    name: str  # file name of the document
    page: int | None  # 1-based page or slide; None where the format has none
    section: str
    text: str
    score: float  # reciprocal rank fusion: at most 2 / 6; 0 when the passage was not searched for
    ordinal: int  # 0-based position among the document's passages
    label: str = ""  # what is printed as the page's number, where that is not `page`
    copies: tuple[str, ...] = ()
    """names of other files with the same content as the document, of passages that were asked for by their place"""


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
    relevance: tuple[float, float, float] | None = None
    """of the embedder, as `EmbedderLike` has it"""

    @property
    def is_relevant(self) -> bool:
        """Whether any passage is about the question at all."""
        without_vectors = not self.embedded or self.similarity is None or self.relevance is None
        if without_vectors and self.coverage >= RELEVANT_COVERAGE:
            return True
        if self.similarity is None or self.relevance is None:
            return False
        threshold, weight, by_size = self.relevance
        best = self.similarity + weight * self.coverage
        return best - by_size * math.log10(min(max(self.total, 1), _LARGEST_FITTED)) >= threshold


@dataclass(frozen=True, slots=True)
class _Meaning:
    """The passages nearest to a question by one embedder, best first, with their cosine."""

    nearest: dict[int, float]
    size: int  # vectors of it
    is_foreign: bool  # The question is in another language than those it was made for.
    relevance: tuple[float, float, float] | None


class PassageSearch:
    """The passages of a library, found by a question or by their place. Any thread may call any method."""

    def __init__(self, database: StoreDatabase, vectors: PassageVectors, words: PassageWords) -> None:
        self._database = database
        self._vectors = vectors
        self._words = words

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
        meanings = [one for one in self._by_meaning(question, wanted) if one is not None]
        by_meaning = [[passage for passage in one.nearest if passage not in excluded] for one in meanings]
        total = self._vectors.total()
        frequencies = self._words.frequencies(question_terms(question, self._words.languages()), total)
        by_words = [passage for passage in self._different_by_words(frequencies, wanted) if passage not in excluded]
        weights = [_FOREIGN_WEIGHT if one.is_foreign else 1.0 for one in meanings]
        foreign = bool(meanings) and all(one.is_foreign for one in meanings)
        scores = fuse([*by_meaning, by_words], [*weights, 1.0 if foreign else _WORDS_WEIGHT])
        compared = {*by_words[:_COVERED], *(passage for ranking in by_meaning for passage in ranking[:_COVERED])}
        coverage = self._coverage(frequencies, compared, total)
        similarity, relevance = None, self._vectors.embedder.relevance
        # While one embedder takes another's place, that with more vectors says how near a passage is.
        for one, ranking in sorted(zip(meanings, by_meaning, strict=True), key=lambda pair: -pair[0].size)[:1]:
            similarity = max((one.nearest[passage] for passage in ranking), default=None)
            relevance = one.relevance
        embedded = len(meanings) == 1 and self._vectors.are_complete()
        return LookUp(self._best(scores, limit), similarity, coverage, total, embedded, relevance)

    def _by_meaning(self, question: str, wanted: int) -> list[_Meaning | None]:
        """What is nearest to a question by the embedder, and, while it has not embedded all, by the one before it;
        nothing where they cannot be used."""
        found: list[_Meaning | None] = []
        try:
            found.append(_meaning(self._vectors, question, wanted))
            former = self._vectors.former()
            if former is not None:
                found.append(_meaning(former, question, wanted))
        except EmbedderError as error:
            _logger.warning("Searching by words only: %s", error)
        return found

    def _best(self, scores: dict[int, float], limit: int) -> list[FoundPassage]:
        # Some may have been removed since they were found, so that a few more than the limit are read.
        best = sorted(scores, key=lambda passage: (-scores[passage], passage))[: 2 * limit]
        rows = self._database.rows(
            f"{_SELECT} WHERE passages.id IN (SELECT value FROM json_each(?))", [json.dumps(best)]
        )
        found = [_found(row, scores[row[0]]) for row in rows]
        return sorted(found, key=lambda passage: (-passage.score, passage.id))[:limit]

    def _coverage(self, frequencies: Mapping[Term, int], passages: Collection[int], total: int) -> float:
        """The largest share of the question's words that one of these passages holds, each word weighted by its inverse
        document frequency in this library of `total` passages (as in bm25)."""
        if not frequencies or not passages:
            return 0.0
        weights = {
            term: math.log(1 + (total - holding + 0.5) / (holding + 0.5)) for term, holding in frequencies.items()
        }
        held = self._words.holding(passages, [*weights])
        covered = (sum(weights[term] for term in terms) for terms in held.values())
        return max(covered, default=0.0) / sum(weights.values())

    @property
    def embedder_languages(self) -> tuple[str, ...]:
        """English names of those the embedder was made for; empty for many."""
        return self._vectors.embedder.languages

    def foreign_documents(self) -> dict[str, str]:
        """Documents in another language than those of the embedder, which are found by words only: the language by the
        document's name. None where it is for many languages."""
        return self._words.foreign(self.embedder_languages) if self.embedder_languages else {}

    def of(self, document: int) -> list[FoundPassage]:
        """All passages of a document in its order; none before it was read."""
        rows = self._database.rows(f"{_SELECT} WHERE document = ? ORDER BY ordinal", [document])
        return [_found(row, 0.0) for row in rows]

    def around(self, passage: int, text: str, name: str, reach: int = 2) -> list[FoundPassage]:
        """A passage that was cited, with up to `reach` others of its document before and after it, in order; empty when
        it is not there any more. It is looked for by its id, and where that is gone, as after its document was added
        anew, by its text in a document of this name. The one that is meant is the one with the same text, or, where it
        was cut otherwise since, the one that is `most_alike`."""
        place = self._database.row("SELECT document, ordinal FROM passages WHERE id = ? AND text = ?", [passage, text])
        place = place or self._database.row(
            "SELECT document, ordinal FROM passages JOIN documents ON documents.id = document"
            " WHERE name = ? AND text = ? LIMIT 1",
            [name, text],
        )
        place = place or self._alike(text, name)
        if place is None:
            return []
        document, ordinal = place
        rows = self._database.rows(
            f"{_SELECT} WHERE document = ? AND ordinal BETWEEN ? AND ? ORDER BY ordinal",
            [document, ordinal - reach, ordinal + reach],
        )
        places = self._database.rows("SELECT name FROM document_places WHERE document = ? ORDER BY name", [document])
        copies = tuple(name for (name,) in places)
        return [replace(_found(row, 0.0), copies=copies) for row in rows]

    def _different_by_words(self, frequencies: dict[Term, int], limit: int) -> list[int]:
        """The passages that are best by words, without copies of one."""
        asked = limit
        while True:
            found = self._words.best(frequencies, asked)
            different = [*dict.fromkeys(self._vectors.first_alike(found).values())]
            if len(found) < asked or 2 * len(different) >= limit or asked >= _MOST_COPIES:
                return different[:limit]
            asked *= 8

    def _alike(self, text: str, name: str) -> tuple[int, int] | None:
        """Document and ordinal of the passage in a document of this name that holds most of a text."""
        rows = self._database.rows(
            "SELECT document, ordinal, text FROM passages JOIN documents ON documents.id = document WHERE name = ?",
            [name],
        )
        at = most_alike(text, [there for _, _, there in rows])
        return rows[at][:2] if at is not None else None


def _meaning(vectors: PassageVectors, question: str, wanted: int) -> _Meaning | None:
    """None where there are no vectors. Raises EmbedderError."""
    nearest = vectors.search(question, wanted)
    if not nearest:
        return None
    known = vectors.embedder.languages
    foreign = bool(known) and (language_of(question) or known[0]) not in known
    return _Meaning(nearest, len(vectors.index()), foreign, vectors.embedder.relevance)


def fuse(rankings: Iterable[Sequence[int]], weights: Iterable[float]) -> dict[int, float]:
    """Score of each id in any ranking: the sum of weight / (5 + rank), ranks from 1 (reciprocal rank fusion)."""
    scores: dict[int, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, passage in enumerate(ranking, 1):
            scores[passage] = scores.get(passage, 0.0) + weight / (RANK_OFFSET + rank)
    return scores


_SELECT = (
    "SELECT passages.id, document, name, page, section, text, ordinal, label"
    " FROM passages JOIN documents ON documents.id = document"
)


def _found(row: tuple[int, int, str, int | None, str, str, int, str], score: float) -> FoundPassage:
    passage, document, name, page, section, text, ordinal, label = row
    return FoundPassage(passage, document, name, page, section, text, score, ordinal, label)
