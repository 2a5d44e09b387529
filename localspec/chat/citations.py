"""Which passages an answer rests on, found by the words and numbers that it shares with them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from localspec.stores.languages import FUNCTION_WORDS
from localspec.stores.library import FoundPassage
from localspec.stores.stored_turns import Citation as Citation
from localspec.stores.words import UNSPACED_LETTERS

_REFERENCE = re.compile(r"\[(\d{1,3})\]")
_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*")
_UNSPACED = re.compile(f"[{UNSPACED_LETTERS}]+")
"""Pairs of these letters count as words."""
_SENTENCE = re.compile(r"(?<=[.!?:])\s+|\n+")
_ENDING = re.compile(r"(?:ings?|ed|es|s|ly|e)$")
_REFUSAL = re.compile(
    r"\b(?:(?:does|do|did) not|doesn't|don't|didn't|cannot|can't|no(?:thing)?) (?:\w+ ){0,3}?"
    r"(?:hold|contain|mention|provide|say|specify|include|state|information|answer|enough)"
    r"|\bnot (?:mentioned|specified|provided|stated|contained|given)\b|\bI (?:do not|don't) know\b",
    re.IGNORECASE,
)
MOST_CITATIONS = 4
SUPPORTED = 0.4
"""A sentence rests on a passage that holds this share of its words, weighted by how rare they are in the passages."""
NAMED_SUPPORT = 0.25
"""The same for a passage that the answer names as [n]."""
RELATIVE_SUPPORT = 0.7
"""A further passage is cited when its support is at least this share of the best one's."""
QUESTION_WEIGHT = 0.5
"""Of a word that only repeats the question, against 1 of one that is new in the answer."""
SUBJECT_WEIGHT = 1.0
"""Of the share of the question's words that a passage holds, against 1 of the answer's: it tells passages apart that
hold the same words of an answer."""
COPIED_WORDS = 5
"""A passage is cited for so many words in a row, three of them no function words, one not the question's."""
LATER_WEIGHT = 0.9
"""Of a sentence against the one before it: small models answer first, and ramble then."""
LEAST_WORDS = 3
"""Content words of a sentence; shorter ones count with the next."""


def citation(number: int, found: FoundPassage) -> Citation:
    """The citation of a stored passage."""
    return Citation(number, found.name, found.page, found.section, found.text, found.id, found.label)


def marks(text: str) -> set[int]:
    """The numbers that stand in brackets in a text, as marks of passages do."""
    return {int(number) for number in _REFERENCE.findall(text)}


def cited(answer: str, given: Sequence[Citation], question: str = "") -> list[Citation]:
    """The given passages that the answer's words rest on, best first, at most `MOST_CITATIONS`; none where it says
    something else, or that it does not know.

    The support of a passage is the share of a sentence's words, numbers among them, that it holds, in whichever
    sentence that is most. What an answer copies counts for itself. A number in brackets alone makes no citation: small
    models write "[1]" whatever they say. An answer of "yes" or "no" rests on what the question says.
    """
    sentences = _sentences(_REFERENCE.sub(" ", answer))
    if not given or not sentences or (len(sentences) <= 2 and _REFUSAL.search(answer)):
        return []
    asked = dict.fromkeys(word for word in _words(question) if word not in _FUNCTION)
    if all(word in _ANSWERS for sentence in sentences for word in sentence):
        sentences, asked = [[*asked]], {}
    passages = {candidate.number: _words(candidate.passage) for candidate in given}
    rarity = _rarity(passages.values())
    named = marks(answer)
    runs = {run for sentence in sentences for run in _runs(sentence, asked)}
    supports: dict[int, float] = {}
    for number, held in passages.items():
        holds = set(held)
        needed = NAMED_SUPPORT if number in named else SUPPORTED
        shares = [
            LATER_WEIGHT**position * share
            for position, sentence in enumerate(sentences)
            if (share := _share(sentence, holds, asked, rarity)) >= needed
        ]
        copies = not runs.isdisjoint(_grams(held))
        if shares or copies:
            subject = _share([*asked], holds, {}, rarity)
            supports[number] = max(shares, default=0.0) + 0.5 * copies + SUBJECT_WEIGHT * subject
    least = RELATIVE_SUPPORT * max(supports.values(), default=0.0)
    chosen = [one for one in given if one.number in supports and (one.number in named or supports[one.number] >= least)]
    return sorted(chosen, key=lambda one: -supports[one.number])[:MOST_CITATIONS]


def _sentences(answer: str) -> list[list[str]]:
    """The words of each sentence that has enough of them; short ones are joined to the next."""
    found: list[list[str]] = []
    words: list[str] = []
    for sentence in _SENTENCE.split(answer):
        words += _words(sentence)
        if sum(word not in _FUNCTION for word in words) >= LEAST_WORDS:
            found.append(words)
            words = []
    if any(word not in _FUNCTION for word in words):
        found.append(words)
    return found


def _share(
    words: Sequence[str], holds: Collection[str], asked: Collection[str], rarity: Callable[[str], float]
) -> float:
    """How much of these words a passage holds, 0 to 1."""
    weights = {
        word: rarity(word) * (QUESTION_WEIGHT if word in asked else 1.0) for word in words if word not in _FUNCTION
    }
    whole = sum(weights.values())
    return sum(weight for word, weight in weights.items() if word in holds) / whole if whole else 0.0


def _rarity(passages: Collection[Sequence[str]]) -> Callable[[str], float]:
    """What a word counts: its inverse document frequency among the passages, which are few, as in bm25, and a half. One
    that none of them holds counts as if one did: it may be the model's own way to say things."""
    frequency = Counter(word for held in passages for word in set(held))
    total = len(passages)

    def rarity(word: str) -> float:
        holding = max(1, frequency[word])
        return 0.5 + math.log(1 + (total - holding + 0.5) / (holding + 0.5))

    return rarity


def _runs(words: Sequence[str], asked: Collection[str]) -> set[tuple[str, ...]]:
    """The runs of words that can only be copied."""
    return {
        run
        for run in _grams(words)
        if sum(word not in _FUNCTION for word in run) >= 3
        and any(word not in asked and word not in _FUNCTION for word in run)
    }


def _grams(words: Sequence[str]) -> set[tuple[str, ...]]:
    return set(zip(*(words[start:] for start in range(COPIED_WORDS)), strict=False))


def _words(text: str) -> list[str]:
    """The words of a text, without the endings that grammar gives them."""
    found: list[str] = []
    for word in _WORD.findall(text.casefold()):
        if _UNSPACED.search(word):
            found += [word[at : at + 2] for at in range(max(1, len(word) - 1))]
        else:
            found.append(_stem(word))
    return found


def _stem(word: str) -> str:
    stem = _ENDING.sub("", word) if word.isalpha() else word.replace(",", "")
    return stem if len(stem) >= 3 else word


_FUNCTION = frozenset({*FUNCTION_WORDS, *map(_stem, FUNCTION_WORDS), "answer"})
_ANSWERS = frozenset({*_FUNCTION, "yes", "true", "false", "correct", "right", "wrong"})
