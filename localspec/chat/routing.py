"""Which questions want the list of documents or a whole text instead of the best passages."""

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
_LIST = re.compile(
    rf"\b(?:which|what|list|show|name|how many)\b[^.?!]{{0,30}}\b{_DOCUMENT}\b[^.?!]{{0,30}}"
    r"\b(?:have|has|are there|loaded|uploaded|indexed|available|in (?:the|this|my) (?:library|chat)|know|see|access)\b"
    rf"|\b(?:list|show me|name)\b (?:all |me )*(?:of )?(?:my |the )+{_DOCUMENT}\s*[.?!]*\s*$",
    re.IGNORECASE,
)
_SUMMARY = re.compile(
    r"\b(?:summar(?:y|ies|i[sz]e|i[sz]ing)|tl;?dr|overview|gist|abstract of|key (?:points|takeaways)"
    r"|main (?:points|ideas?|topics?)"
    rf"|(?:what(?:'s| is| are|s)|tell me what)\b[^.?!]{{0,40}}\b(?:{_DOCUMENT}|this|it)\b[^.?!]{{0,20}}\babout)\b",
    re.IGNORECASE,
)


def route(question: str) -> Route:
    """The route of a question, by its words (English)."""
    if _LIST.search(question):
        return Route.LIST
    if _SUMMARY.search(question):
        return Route.SUMMARY
    return Route.PASSAGES


def mentioned(question: str, names: Sequence[str]) -> list[int]:
    """Indices of the documents whose name or stem the question says."""
    folded = question.casefold()
    found = []
    for index, name in enumerate(names):
        stem = PurePath(name).stem.casefold()
        spoken = re.sub(r"[_\-.\s]+", " ", stem).strip()
        if any(len(form) >= 3 and form in folded for form in (name.casefold(), stem, spoken)):
            found.append(index)
    return found
