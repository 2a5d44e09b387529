"""What a follow-up question is searched with: its own words and what it refers back to, without asking a model.

"Who built the lighthouse?" – "Where was she born?" is searched with the earlier question and the names in its answer. A
question that stands alone brings nothing along, so that a change of topic leaves the old words behind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from localspec.stores.languages import FUNCTION_WORDS
from localspec.stores.stored_turns import PlainTurn

_BACK = re.compile(
    r"\b(?:it|its|they|them|their|theirs|he|him|his|she|her|hers|this|that|these|those|there|ones?|both|same|such|former"
    r"|latter|er|sie|ihn|ihm|ihre?n?|sein\w*|dies\w*|davon|dort|dafür|darin|damit)\b",
    re.IGNORECASE,
)
_EXPLETIVE = re.compile(
    r"\bwhat (?:time|day|date) is it\b|\bis it (?:true|possible|raining|cold|hot)\b|\bthere (?:is|are|was|were)\b"
    r"|\b(?:is|are|was|were) there\b|\b(?:say|says|said|think|know|mean|means|so|such) that\b"
    r"|\bthat (?:is|are|was|has|can)\b"
    r"|\bthis (?:year|month|week|morning|evening)\b",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"^\W*(?:and |but |so |ok(?:ay)?,? )?(?:what|how) about\b|^\W*was ist mit\b", re.IGNORECASE)
_ASKING = re.compile(
    r"\b(?:who|whom|whose|what|when|where|which|how|is|are|was|were|does|do|did|can|could|has|have|will|would|should|may"
    r"|must|wer|wie|wo|wann|was|welche\w*|warum|gibt|ist|sind|hat|kann|darf|muss)\b",
    re.IGNORECASE,
)
_JOINED = re.compile(
    r"^\W*(?:and|but|or|also|then|only|in|on|at|for|with|without|from|by|after|before|und|oder|auch|für)\b", re.I
)
_EMPTY = frozenset(
    re.findall(
        r"\w+",
        "tell give more explain elaborate detail details mean means meant else example examples exactly really why"
        " further please reason continue go say describe show know think sure warum wieso genau mehr",
    )
)
"""Words that ask for more, of whatever was spoken of."""
_NAME = re.compile(r"(?<![.!?]\s)(?<!^)\b(?:[A-Z][\w'-]+|\d[\d.,]*\d)", re.MULTILINE)
_SHORT = 3
_NAMES = 4
_LOOKED_AT = 300
"""Characters of an answer in which names are looked for: what it says first answers the question."""
_DEPTH = 3


class FollowUp(Enum):
    """Whether a question refers back to an earlier one."""

    NO = "no"
    POSSIBLE = "possible"  # a few words, which may be about anything
    LIKELY = "likely"  # it refers back, and has a subject of its own
    YES = "yes"


def follow_up(question: str) -> FollowUp:
    """What the words of a question say about that."""
    words = subject_words(question)
    refers_back = _BACK.search(_EXPLETIVE.sub(" ", question)) is not None
    if not words:
        return FollowUp.YES
    if _ABOUT.search(question):
        return FollowUp.YES if len(words) <= _SHORT else FollowUp.LIKELY
    if refers_back:
        return FollowUp.YES if len(words) <= _SHORT else FollowUp.LIKELY
    if _JOINED.search(question) and len(words) <= _SHORT and not _ASKING.search(question):
        return FollowUp.YES
    return FollowUp.POSSIBLE if len(words) == 1 or not _ASKING.search(question) else FollowUp.NO


def subject_words(question: str) -> list[str]:
    """The words of a question that say what it is about."""
    words = dict.fromkeys(re.findall(r"\w+", question.casefold()))
    return [word for word in words if word not in FUNCTION_WORDS and word not in _EMPTY]


def search_text(question: str, earlier: Sequence[PlainTurn]) -> str:
    """A follow-up with what it refers to: the question before, with what that one referred to, and names and numbers
    at the beginning of its answer."""
    parts = [question]
    asked = question
    for turn in reversed(earlier[-_DEPTH:]):
        names = dict.fromkeys(_NAME.findall(turn.reply[:_LOOKED_AT]))
        known = {*re.findall(r"\w+", turn.question.casefold())}
        parts[:0] = [turn.question, *[name for name in names if name.casefold() not in known][:_NAMES]]
        asked = turn.question
        if follow_up(asked) is not FollowUp.YES:
            break
    return " ".join(parts)
