"""Decides by a question's words what it is answered from: the list of documents, whole texts, or the best passages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from pathlib import PurePath


class Route(Enum):
    """Where the text for an answer comes from."""

    LIST = "list"
    SUMMARY = "summary"
    PASSAGES = "passages"


_DOCUMENT = r"(?:documents?|files?|pdfs?|papers?|texts?|books?|reports?|articles?|manuals?|uploads?)"
_LIBRARY = r"(?:(?:the|this|my|your|our) (?:document )?(?:library|collection))"
_LIST = re.compile(
    rf"\b(?:which|what|list|show|name|how many)\b[^.?!]{{0,30}}\b{_DOCUMENT}\b[^.?!]{{0,30}}"
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


def route(question: str) -> Route:
    """Where the text for this question comes from. Two patterns of English words decide; all else gets passages."""
    if _LIST.search(question):
        return Route.LIST
    if _SUMMARY.search(question):
        return Route.SUMMARY
    return Route.PASSAGES


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
