"""Which passages an answer rests on, found by the numbers it names and the words it shares with them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from localspec.stores.library import FoundPassage
from localspec.stores.stored_turns import Citation as Citation

_WORD = re.compile(r"\w+")
_REFERENCE = re.compile(r"\[(\d{1,3})\]")
MOST_CITATIONS = 4
RELATIVE_SUPPORT = 0.5
"""A passage is cited when its support is at least half of the best one's."""


def citation(number: int, found: FoundPassage) -> Citation:
    """The citation of a stored passage."""
    return Citation(number, found.name, found.page, found.section, found.text, found.id)


def cited(answer: str, given: Sequence[Citation]) -> list[Citation]:
    """The given passages that the answer names as [n] or shares words with, best first; at least one where any was
    given, at most `MOST_CITATIONS`.

    Small models rarely write numbers, so words decide as well: support is the share of the answer's words that a
    passage holds, word triples counting double.
    """
    if not given:
        return []
    named = {int(number) for number in _REFERENCE.findall(answer)}
    words, triples = _features(answer)

    def support(candidate: Citation) -> float:
        other_words, other_triples = _features(candidate.passage)
        shared = len(words & other_words) / max(1, len(words))
        return shared + 2.0 * len(triples & other_triples) / max(1, len(triples))

    scores = {candidate.number: support(candidate) for candidate in given}
    best = max(scores.values())
    ranked = sorted(given, key=lambda candidate: (candidate.number not in named, -scores[candidate.number]))
    chosen = [
        candidate
        for candidate in ranked
        if candidate.number in named or (best > 0 and scores[candidate.number] >= RELATIVE_SUPPORT * best)
    ]
    return (chosen or ranked[:1])[:MOST_CITATIONS]


def _features(text: str) -> tuple[set[str], set[tuple[str, str, str]]]:
    words = [word.casefold() for word in _WORD.findall(text)]
    return {word for word in words if len(word) > 3}, set(zip(words, words[1:], words[2:], strict=False))
