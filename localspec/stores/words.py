"""The words of a text as search knows them: of passages, of chats, and of what people look for.

Forms of one letter are made one first: full-width and other compatibility forms (NFKC), case. Words are runs of
letters, digits and the marks that belong to them; they are brought to their stems, and lose their accents then. Where a
script puts no spaces between words, overlapping pieces of a run stand for them: pairs of Han, kana and Hangul letters,
three parts of syllables of the others. SQLite is given these words with spaces between them and needs to know nothing
of languages.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Sequence

from localspec.stores.languages import FUNCTION_WORDS, language_of, question_phrases, stem, stop_words

TOKENIZE = "ascii"
"""The FTS5 tokenizer for text that `index_text` has made: what is no ASCII belongs to a word, whatever it is."""
QUESTION_WORDS = 64
_LONGEST = 60
"""Characters of a word that count: longer ones are no words that people look for."""
_MARKS = "".join(chr(code) for code in range(0x300, 0xAC00) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
WORD = re.compile(rf"[^\W_](?:[^\W_]|[{re.escape(_MARKS)}])*")
_DROPPED = re.compile(
    "[\u00ad\u0640\u200b-\u200f\u2060\ufeff\ufe00-\ufe0f\u064b-\u065f\u0670\u0591-\u05bd\u05bf\u05c1-\u05c7]"
)
"""What is inside words without being of them: soft hyphens, joiners, the lengthening and the vowel points that Arabic
and Hebrew are mostly written without."""
_ACCENT = re.compile("(?<![\u0418\u0438])[\u0300-\u036f]+|(?<=[\u0418\u0438])[\u0300-\u0305\u0307-\u036f]+")
"""Accents of Latin, Greek and Cyrillic letters; the breve of й makes a letter of its own. Marks of other scripts are
vowels, and stay."""
_PAIRED = "\u3041-\u3096\u3099-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\uac00-\ud7af々〆"
_JOINED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\ua9e0-\ua9ff\uaa60-\uaa7f"
UNSPACED_LETTERS = _PAIRED + _JOINED
"""For a set of a regular expression: the letters of scripts that put no spaces between words, Han and kana; Thai, Lao,
Burmese and Khmer. Korean has spaces, but its words carry their particles with them."""
_UNSPACED = re.compile(f"(?P<paired>[{_PAIRED}]+)|(?P<joined>[{_JOINED}]+)")
_PART = re.compile(rf"[^{re.escape(_MARKS)}][{re.escape(_MARKS)}]*")
"""A letter with its marks."""
_BETWEEN = re.compile("[\u3041-\u309f].?|[\u30a0-\u30ff][\u3041-\u309f]", re.DOTALL)
"""Pairs of which the grammar of Japanese makes many: those that begin with hiragana, or go from katakana to it."""
_PAIR, _TRIPLE = 2, 3


def normalized(text: str) -> str:
    """`text` in the form in which words are compared."""
    return _without_accents(_folded(text))


def _folded(text: str) -> str:
    """Without differences of case and of form; with accents, which stems depend on."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    if folded.isascii():
        return folded
    # Folding may take a letter apart, and what is dropped may have stood between a letter and its mark.
    return unicodedata.normalize("NFKC", _DROPPED.sub("", folded)).casefold()


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFD", text)))


def runs(text: str) -> list[str]:
    """The runs of letters of a text, in one form but for accents, in their order; those of scripts without spaces stand
    alone."""
    folded = _folded(text)
    if folded.isascii():
        return WORD.findall(folded)
    found: list[str] = []
    for word in WORD.findall(folded):
        if word.isascii():
            found.append(word)
            continue
        start = 0
        for unspaced in _UNSPACED.finditer(word):
            if unspaced.start() > start:
                found.append(word[start : unspaced.start()])
            found.append(unspaced[0])
            start = unspaced.end()
        if start < len(word):
            found.append(word[start:])
    return found


@functools.lru_cache(maxsize=200_000)
def _stored_form(run: str, language: str) -> str:
    """A run that is a word, as it is stored: its stem without accents."""
    return _without_accents(stem(run[:_LONGEST], language)) or run


def words_of(text: str, language: str = "") -> list[str]:
    """The words of a text in their order: stems where its language is known, overlapping pieces where its script has no
    spaces."""
    found: list[str] = []
    for run in runs(text):
        size = 0 if run.isascii() else _piece_size(run)
        if size:
            parts = _parts(run)
            found += ["".join(parts[at : at + size]) for at in range(len(parts))]
        else:
            found.append(_stored_form(run, language))
    return found


def pieces(run: str) -> list[str]:
    """The pieces that a text must hold one after the other to hold this run, which is in a script without spaces; the
    run itself where it is shorter than a piece, and none where it is a word."""
    size = _piece_size(run)
    if not size:
        return []
    parts = _parts(run)
    return ["".join(parts[at : at + size]) for at in range(max(1, len(parts) - size + 1))]


def index_text(text: str, language: str = "") -> str:
    """The words of a text for an FTS5 table with the tokenizer `TOKENIZE`, in their order, with spaces between them."""
    return " ".join(words_of(text, language))


class Term:
    """A word that is looked for, in each form that it may have been stored in."""

    def __init__(self, forms: Iterable[str], *, begins: bool = False) -> None:
        self.forms = (*dict.fromkeys(forms),)
        self.begins = begins
        """whether words that begin so count as well"""

    @property
    def query(self) -> str:
        """As FTS5 wants it. Words are quoted, so that no character or operator of the query language reaches it."""
        quoted = " OR ".join(f'"{form}"' + ("*" if self.begins else "") for form in self.forms)
        return f"({quoted})" if len(self.forms) > 1 else quoted

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Term) and (self.forms, self.begins) == (other.forms, other.begins)

    def __hash__(self) -> int:
        return hash((self.forms, self.begins))

    def __repr__(self) -> str:
        return self.query


def content_words(text: str, language: str | None = None) -> list[str]:
    """The different runs of a text that say what it is about, in their order: no stop words of its language, which is
    looked at if it is not given, unless there are no others."""
    language = language_of(text) if language is None else language
    found = dict.fromkeys(_cut(runs(text), language))
    stopped = _stopped(language)
    return [word for word in found if word not in stopped] or [*found]


def is_function_word(word: str, language: str = "") -> bool:
    """Whether a run of letters only asks or joins."""
    return word in _stopped(language)


def question_terms(question: str, languages: Sequence[str] = ()) -> list[Term]:
    """What passages are looked for by: the content words of a question, each in its stems in the question's language
    and in these `languages`, in which the texts are. At most 64; empty when there is no word in it."""
    own = language_of(question) or _told_by(question, languages)
    stems = [*dict.fromkeys([own, *languages, ""])]
    terms: dict[Term, None] = {}
    for word in content_words(question, own):
        for term in _terms(word, stems):
            terms[term] = None
    kept = [term for term in terms if not all(map(_BETWEEN.fullmatch, term.forms))] or [*terms]
    return kept[:QUESTION_WORDS]


def _terms(run: str, languages: Sequence[str]) -> list[Term]:
    cut = pieces(run)
    if not cut:
        return [Term(_stored_form(run, language) for language in languages)]
    return [Term([piece], begins=len(_parts(piece)) < _piece_size(run)) for piece in cut]


def _told_by(question: str, languages: Sequence[str]) -> str:
    """Of these languages the one whose stop words a short question has most of; "" for none."""
    found = runs(question)
    counts = {language: sum(word in stop_words(language) for word in found) for language in languages}
    return max(counts, key=lambda language: counts[language]) if any(counts.values()) else ""


@functools.cache
def _stopped(language: str) -> frozenset[str]:
    if language in ("", "english"):
        return FUNCTION_WORDS
    words = {_folded(word) for word in stop_words(language)}
    return frozenset(words | {_without_accents(word) for word in words})


def _cut(found: Iterable[str], language: str) -> list[str]:
    """Runs without what only asks, where it is not a word of its own."""
    phrases = question_phrases(language)
    if phrases is None:
        return [*found]
    kept: list[str] = []
    for run in found:
        kept += [part for part in phrases.split(run) if part] if _UNSPACED.search(run) else [run]
    return kept or [*found]


def _parts(run: str) -> list[str]:
    return _PART.findall(run) or [run]


def _piece_size(run: str) -> int:
    """How many letters a piece of this run has; 0 for one that is a word."""
    found = _UNSPACED.match(run)
    if found is None:
        return 0
    return _PAIR if found["paired"] else _TRIPLE
