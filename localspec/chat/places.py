"""Pages and sections that a question names, and their passages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from localspec.stores.documents.blocks import SECTION_SEPARATOR
from localspec.stores.library import DocumentInfo, FoundPassage, Library

_NUMBER_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12,
}  # fmt: skip
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8}
_NUMBER = rf"(?:\d{{1,5}}|{'|'.join(_NUMBER_WORDS)})"
_PAGE = r"(?:pages?|pp?\.|slides?|sheets?|seiten?|folien?|página|páginas|pagina|pagine|s\.)"
_PAGES = re.compile(
    rf"\b{_PAGE}\s*(?:no\.?|number|nr\.?)?\s*(?P<list>{_NUMBER}"
    rf"(?:\s*(?:-|–|—|to|through|until|and|or|bis|und|,|&|y|e)\s*(?:{_PAGE}\s*)?{_NUMBER}(?!\w))*)(?![\w.]*\w)",
    re.IGNORECASE,
)
_ORDINAL_PAGE = re.compile(
    rf"\b(?P<first>{'|'.join(_ORDINALS)}|\d{{1,4}}(?:st|nd|rd|th))\s+(?:page|slide)\b|\b(?P<last>last|final)\s+(?:page|slide)\b",
    re.IGNORECASE,
)
_RANGE = re.compile(rf"({_NUMBER})\s*(-|–|—|to|through|until|bis|and|or|und|,|&|y|e)?", re.IGNORECASE)
_SECTION = re.compile(
    r"\b(?:sections?|chapters?|appendix|appendices|part|paragraph|heading|kapitel|abschnitt|anhang)\b|§", re.IGNORECASE
)
_SECTION_NUMBER = re.compile(
    r"(?:\b(?:sections?|chapters?|part|appendix|paragraph|kapitel|abschnitt|anhang)|§)\s*"
    r"(?P<number>\d+(?:\.\d+)*|[A-H]\b)",
    re.IGNORECASE,
)
_MOST_PAGES = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Passages that lie where a question looks; `label` says where, in words."""

    label: str
    passages: list[FoundPassage]


def asked_pages(question: str, last: int | None = None) -> list[int]:
    """The pages that a question names, counted from 1, in order: "page 5", "pages 3-4", "Seite 5", "the last page" of
    `last`. At most 20 of a range."""
    found: list[int] = []
    for match in _PAGES.finditer(question):
        found += _listed(match.group("list"))
    for match in _ORDINAL_PAGE.finditer(question):
        if match.group("last"):
            found += [last] if last else []
        else:
            word = match.group("first").casefold()
            found.append(_ORDINALS.get(word) or int(re.sub(r"\D", "", word)))
    return [page for page in dict.fromkeys(found) if page > 0][:_MOST_PAGES]


def on_pages(library: Library, documents: Sequence[DocumentInfo], question: str) -> list[Place]:
    """The pages that a question names, in each of these documents that has any text there."""
    places = []
    for info in documents:
        pages = asked_pages(question, info.pages) if info.pages else []
        passages = [passage for passage in library.passages.of(info.id) if passage.page in pages] if pages else []
        if passages:
            places.append(Place(f"{info.name}, {_pages_said(pages)}", passages))
    return places


def in_sections(library: Library, documents: Sequence[DocumentInfo], question: str) -> list[Place]:
    """The section that a question names by its number or title, in each of these documents that has one."""
    if not _SECTION.search(question):
        return []
    number = _SECTION_NUMBER.search(question)
    said = _plain(question)
    places = []
    for info in documents:
        passages = library.passages.of(info.id)
        titles = [title for title in dict.fromkeys(passage.section for passage in passages) if title]
        # A title can stand behind the names of the parts around it; a part has all titles in it.
        parts = {title: title.split(SECTION_SEPARATOR) for title in titles}
        names = dict.fromkeys(part for title in titles for part in parts[title])
        called = [name for name in names if number and _is_numbered(name, number.group("number"))]
        # Of those that are named the longest: "Fees for visitors", not "Fees".
        called = called or sorted((name for name in names if _is_named(name, said)), key=len)[-1:]
        wanted = [title for title in titles if not set(called).isdisjoint(parts[title])]
        found = [passage for passage in passages if passage.section in wanted]
        if found:
            places.append(Place(f"{info.name}, {wanted[0]}", found))
    return places


def _listed(text: str) -> list[int]:
    """Page numbers of "3-5", "3 and 7" or "three to five"."""
    pages: list[int] = []
    joined = ""
    for match in _RANGE.finditer(text):
        word, after = match.group(1).casefold(), (match.group(2) or "").casefold()
        page = _NUMBER_WORDS.get(word) or int(word)
        if pages and joined in ("-", "–", "—", "to", "through", "until", "bis"):
            pages += range(pages[-1] + 1, min(page, pages[-1] + _MOST_PAGES) + 1)
        else:
            pages.append(page)
        joined = after
    return pages


def _pages_said(pages: Sequence[int]) -> str:
    return f"page {pages[0]}" if len(pages) == 1 else f"pages {', '.join(map(str, pages))}"


def _plain(text: str) -> str:
    words = re.findall(r"[^\W_]+", text.casefold())
    return f" {' '.join(words)} "


def _is_numbered(title: str, number: str) -> bool:
    return (
        re.match(
            rf"\W*(?:(?:section|chapter|part|appendix|kapitel|abschnitt|§)\W*)?{re.escape(number)}(?![\w]|\.\d)",
            title,
            re.I,
        )
        is not None
    )


def _is_named(title: str, said: str) -> bool:
    plain = _plain(re.sub(r"^\W*(?:(?:chapter|section|part|appendix)\W+)?[\dA-Z]?[\d.]*\s", "", title)).strip()
    return len(plain) >= 3 and f" {plain} " in said
