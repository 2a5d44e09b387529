"""Decides by a question's words what it is answered from: the list of documents, whole texts, the best passages, or
nothing of the documents. Whether any passage is about a question, the search says; here are only plain cases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from pathlib import PurePath

from localspec.stores.words import content_words, is_function_word


class Route(Enum):
    """Where the text for an answer comes from."""

    LIST = "list"
    SUMMARY = "summary"
    PASSAGES = "passages"
    NONE = "none"


_DOCUMENT = r"(?:documents?|files?|pdfs?|papers?|texts?|books?|reports?|articles?|manuals?|uploads?)"
_LIBRARY = r"(?:(?:the|this|my|your|our) (?:document )?(?:library|collection))"
_LISTED = rf"(?:(?:all|of|me|my|the|your|our|other|kinds?|types?|pdf|text|are) ){{0,4}}{_DOCUMENT}"
_LIST = re.compile(
    rf"\b(?:which|what|list|show|name|how many)\b {_LISTED}\b[^.?!]{{0,30}}"
    rf"\b(?:have|has|are there|loaded|uploaded|indexed|available|in (?:{_LIBRARY}|(?:the|this|my) chat)|know|see|access"
    r"|(?:did|have) (?:i|you|we) (?:add|added|upload|load|index|give|given))\b"
    rf"|\b(?:list|show me|show|name)\b (?:all |me )*(?:of )?(?:my |the )*{_DOCUMENT}\s*[.?!]*\s*$"
    rf"|^\W*(?:what(?:'s| is| are|s)|show me|show|list)\b (?:all )?(?:of )?(?:in )?(?:{_LIBRARY}|my {_DOCUMENT})\W*$",
    re.IGNORECASE,
)
_SUMMARY = re.compile(
    r"\b(?:summar(?:y|ies|i[sz]e|i[sz]ing)|tl;?dr|overview|gist|abstract of|key (?:points|takeaways)"
    r"|main (?:points|ideas?|topics?)"
    rf"|(?:what(?:'s| is| are|s)|tell me what)\b[^.?!:]{{0,40}}\b(?:{_DOCUMENT}|this|it)\b[^.?!:]{{0,20}}\babout"
    rf"|what (?:does|do) (?:this|these|the|my)\b (?:{_DOCUMENT} )?(?:talk about|discuss|cover|deal with))\b",
    re.IGNORECASE,
)
_SMALL_TALK = re.compile(
    r"\W*(?:(?:hi|hello|hey|hiya|yo|howdy|good (?:morning|afternoon|evening|night|day)|greetings|thanks|thank you|thx"
    r"|cheers|bye|goodbye|see you|ok|okay|great|cool|nice|yes|no|please|test|ping"
    r"|how are you|how do you do|what(?:'s| is) up|who are you|what are you|what(?:'s| is) your name|what can you do"
    r"|(?:very|so) much|a lot|there|again|well done|today"
    r"|hallo|guten (?:morgen|tag|abend)|danke|tschüss|bonjour|merci|hola|gracias|ciao|grazie)\W*)+",
    re.IGNORECASE,
)
_INVENTED = r"(?:stor(?:y|ies)|tales?|fables?|poems?|haikus?|jokes?|songs?|limericks?|riddles?|raps?|lyrics|sonnets?)"
_INVENT = re.compile(
    rf"^\W*(?:(?:please|can you|could you|would you|will you|now)\W+)*"
    rf"(?:write|tell|compose|invent|make up|create|generate|sing|give|recite)\W+(?:(?:me|us)\W+)?"
    rf"(?:(?:an?|some|another|one more|two|three)\W+)?(?:[\w'-]+\W+){{0,3}}?{_INVENTED}\b"
    r"|^\W*(?:erzähl\w*|schreib\w*)\W+(?:mir\W+)?(?:bitte\W+)?(?:eine?n?\W+)(?:\w+\W+){0,2}?"
    r"(?:geschichte|märchen|witz|gedicht|haiku|lied)\b",
    re.IGNORECASE,
)
_DEFINITE = re.compile(rf"\bthe (?:[\w'-]+ ){{0,2}}{_INVENTED}\b", re.IGNORECASE)
_TRANSLATE = re.compile(
    r"^\W*(?:(?:please|can you|could you)\W+)*(?:translate (?!(?:it|this|that|these|those|the|my|our|all)\b).{1,200}"
    r"\b(?:in)?to \w+\W*$|how do you say\b.{1,200}\bin \w+\W*$|übersetze? (?!(?:es|das|die|den|dies\w*)\b).{1,200}"
    r"\bins? \w+\W*$)",
    re.IGNORECASE,
)
_CALCULATE = re.compile(
    r"^\W*(?:what(?:'s| is)|how much is|calculate|compute|work out)?\W*(?:the )?(?:square root of )?"
    r"[(-]*\d[\d\s.,()%^]*(?:(?:[-+*/×÷x^]|plus|minus|times|divided by|to the power of|percent of|% of)"
    r"[\d\s.,()%^-]*)*\W*$",
    re.IGNORECASE,
)
_REFERS = re.compile(
    r"\b(?:the|this|that|these|those|my|our|your|each|both|all|attached|uploaded|given|above)"
    rf" (?:\w+ )?{_DOCUMENT}\b"
    r"|\b(?:in|of|from|on|by|according to|based on) (?:(?:the|this|that|my) )?"
    rf"(?:{_DOCUMENT}|library|attachment|passages?)\b"
    r"|\b(?:the|this|first|second|third|next|last) (?:paragraph|chapter|section|page|passage|appendix|attachment)s?\b"
    r"|\baccording to\b|\b(?:pages?|chapter|section|paragraph|appendix|slide|seiten?|kapitel|abschnitt|§) ?\d"
    r"|\b(?:dem|das|die|der|diese[mnrs]?) (?:dokument|datei|text|buch|bericht|vertrag|artikel)\w*\b",
    re.IGNORECASE,
)
_REVISE = re.compile(
    r"^\W*(?:(?:please|can you|could you|now|and)\W+)*"
    r"(?:(?:make|rewrite|rephrase|reword|shorten|simplify|translate|repeat|format|put)"
    r" (?:it|that|this|your (?:last )?answer|the (?:last )?answer)\b"
    r"|(?:shorter|longer|simpler|again)\W*(?:please)?\W*$|(?:say|write) (?:it|that|this)\b"
    r"|in (?:one sentence|english|german|french|other words)\b|continue\W*$|go on\W*$|are you sure\b|really\W*$)",
    re.IGNORECASE,
)
_ALL = re.compile(
    r"\bhow many\b|\b(?:list|name|enumerate|show|give me|find|mention|count)\b[^.?!]{0,20}\b(?:all|every|each)\b"
    r"|\b(?:list|name|enumerate|count)\b[^.?!]{0,20}\bthe (?:\w+ )?\w+[^\Ws]s\b"
    r"|\b(?:what|which|who) (?:are|were) all\b|\ball (?:of )?(?:the|those|these)\b|\bevery\b|\bcomplete list\b"
    r"|\bin total\b|\baltogether\b|\bwie viele\b|\b(?:nenne|liste)\b|\balle\b",
    re.IGNORECASE,
)
_SUMMARY_WORDS = frozenset(
    re.findall(
        r"\w+",
        "summary summaries summarise summarize summarising summarizing tl dr tldr overview gist abstract key point"
        " points takeaways main idea ideas topic topics give write short brief long list need want word words sentence"
        " sentences paragraph paragraphs bullet one two three four five ten text texts talk discuss cover deal whats"
        " mainly content",
    )
)


def route(question: str) -> Route:
    """Where the text for this question comes from. Patterns of words decide, most of them English; all else gets
    passages."""
    if _SMALL_TALK.fullmatch(question) and len(question) <= 60:
        return Route.NONE
    if _LIST.search(question):
        return Route.LIST
    if _SUMMARY.search(question):
        return Route.SUMMARY
    if not _REFERS.search(question):
        invents = _INVENT.search(question) and not _DEFINITE.search(question)
        if invents or _TRANSLATE.search(question) or _CALCULATE.fullmatch(question):
            return Route.NONE
    return Route.PASSAGES


def refers(question: str) -> bool:
    """Whether a question speaks of the documents themselves, as in "the file", "this text" or "page 5"."""
    return _REFERS.search(question) is not None


def revises(question: str) -> bool:
    """Whether it asks for the last answer in another form, so that nothing needs to be looked up."""
    return _REVISE.search(question) is not None


def wants_all(question: str) -> bool:
    """Whether it can only be answered from the whole text, as "how many" and "list all" are."""
    return _ALL.search(question) is not None


def summary_subject(question: str) -> bool:
    """Whether a question for a summary names what is to be summed up, beside documents, as in "summarise the war"."""
    words = [word for word in content_words(question) if not is_function_word(word)]
    return any(word not in _SUMMARY_WORDS and not re.fullmatch(_DOCUMENT, word) for word in words)


def mentioned(question: str, names: Sequence[str]) -> list[int]:
    """Indices of those `names` of files that the question mentions: with or without the suffix, or with spaces in
    place of `_`, `-` and `.`. Names of fewer than 3 characters are not looked for."""
    folded = question.casefold()
    found = []
    for index, name in enumerate(names):
        stem = PurePath(name).stem.casefold()
        spoken = re.sub(r"[_\-.\s]+", " ", stem).strip()
        forms = (name.casefold(), stem, spoken)
        if any(len(form) >= 3 and re.search(rf"(?<!\w){re.escape(form)}(?!\w)", folded) for form in forms):
            found.append(index)
    return found
