"""Pages and sections that a question names, and their passages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from localspec import texts
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
_LABELS = re.compile(
    rf"\b{_PAGE}\s*(?:no\.?|number|nr\.?)?\s*([ivxlcdm]{{1,9}}|[a-z]{{1,3}}[-–.]?\d{{1,4}})\b", re.IGNORECASE
)
"""Printed numbers that are no plain numbers: "page iii", "page A-3"."""
_IN_FILE = re.compile(r"\b(?:pdf|physical)[- ](?:pages?|seiten?)\b|\bsheets?\s*\d", re.IGNORECASE)
"""Words that count a file's pages, whatever is printed on them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Passages that lie where a question looks; `label` says where, in words."""

    label: str
    passages: list[FoundPassage]
    notice: str = ""  # what the person should know about it


def asked_pages(question: str, last: int | None = None) -> list[int]:
    """The pages that a question names, counted from 1, in order: "page 5", "pages 3-4", "Seite 5", "the last page" of
    `last`. At most 20 of a range."""
    return [page for page in dict.fromkeys([*_named(question), *_counted(question, last)]) if page > 0][:_MOST_PAGES]


def _named(question: str) -> list[int]:
    """The numbers of "page 5" and "pages 3-4", which may be printed ones."""
    return [page for match in _PAGES.finditer(question) for page in _listed(match.group("list"))]


def _counted(question: str, last: int | None) -> list[int]:
    """The numbers of "the third page" and "the last page", which count the pages of a file."""
    found: list[int] = []
    for match in _ORDINAL_PAGE.finditer(question):
        if match.group("last"):
            found += [last] if last else []
        else:
            word = match.group("first").casefold()
            found.append(_ORDINALS.get(word) or int(re.sub(r"\D", "", word)))
    return found


def on_pages(library: Library, documents: Sequence[DocumentInfo], question: str) -> list[Place]:
    """The pages that a question names, in each of these documents that has any text there: by the numbers that are
    printed on them, else as they lie in the file."""
    numbers = _named(question)[:_MOST_PAGES]
    labels = [match.group(1).casefold() for match in _LABELS.finditer(question)]
    by_file = _IN_FILE.search(question) is not None
    if not numbers and not labels and not _ORDINAL_PAGE.search(question):
        return []
    places = []
    for info in documents:
        passages = library.passages.of(info.id)
        printed = {} if by_file else _printed(passages)
        wanted = {*_counted(question, info.pages or 0)}
        named = [str(number) for number in numbers]
        wanted |= {int(name) for name in named if name not in printed}
        said = [name for name in dict.fromkeys([*named, *labels]) if name in printed]
        ids = {passage.id for name in said for passage in printed[name]}
        found = [passage for passage in passages if passage.id in ids or passage.page in wanted]
        if found:
            there = dict.fromkeys(str(passage.page) for passage in found if passage.page in wanted)
            notice = _other_page(info, said, printed, passages)
            places.append(Place(f"{info.name}, {_pages_said([*said, *there])}", found, notice))
    return places


def _printed(passages: Sequence[FoundPassage]) -> dict[str, list[FoundPassage]]:
    """The passages on each page by the number that is printed there; empty where that is its place in the file."""
    found: dict[str, list[FoundPassage]] = {}
    if any(passage.label for passage in passages):
        for passage in passages:
            if name := passage.label or str(passage.page or ""):
                found.setdefault(name.casefold(), []).append(passage)
    return found


def _other_page(
    info: DocumentInfo,
    said: Sequence[str],
    printed: Mapping[str, Sequence[FoundPassage]],
    passages: Sequence[FoundPassage],
) -> str:
    """That a number stands on one page, and counts another one of the file."""
    for name in said:
        page = printed[name][0].page
        if page is not None and str(page) != name and any(str(passage.page) == name for passage in passages):
            return texts.PRINTED_PAGE.format(file=info.name, page=name, sheet=page)
    return ""


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


def _pages_said(pages: Sequence[str]) -> str:
    return f"page {pages[0]}" if len(pages) == 1 else f"pages {', '.join(pages)}"


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
