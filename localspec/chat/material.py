"""The user message of a question: itself, after a list of documents, whole texts or the best passages.

Documents are read whole because the person wants it (all of their text, or none and the reason why), or where they fit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from localspec.chat.citations import Citation, citation
from localspec.chat.routing import Route, mentioned, route
from localspec.errors import ContextTooLongError, SettingsError
from localspec.stores.library import DocumentInfo, FoundPassage, Library

DOCUMENT_SYSTEM = (
    "You answer questions about the user's documents. Answer from the given text, in your own words, and name the "
    "number of the passage you used, like [1]. If the text does not hold the answer, say so."
)
PLAIN_SYSTEM = "You are a helpful assistant."
PASSAGES = 5
"""Passages per question; more cost prefill time and distract small models."""
PASSAGE_TOKENS = 1400
"""Most tokens of passages per question."""
WHOLE_SHARE = 0.5
"""A whole text may fill this share of the room: the rest is for later turns."""
SUMMARY_TOKENS = 2500
"""Most tokens of a text too long to be read whole: passages spread over it."""
LISTED = 200
LISTING_FRAME = 32
"""Tokens of the words around a list of documents."""
FRAME = 8
"""Tokens around a text: a line that names it, and empty lines."""
_ROUND = 512
"""A context length that is advised is a multiple of this."""
_NAMED = 3
_READ = ("ngrams", "ready")


@dataclass(slots=True)
class Given:
    """What earlier turns of a conversation were sent with, so that no text is sent twice."""

    documents: set[int] = field(default_factory=set)  # ids of those whose whole text is in the prompt
    numbers: dict[int, int] = field(default_factory=dict)  # passage id → its number in this conversation
    citations: list[Citation] = field(default_factory=list)  # everything that can be cited, numbered from 1

    def forget(self) -> None:
        """Nothing of it is in the prompt any more; numbers already shown stay taken."""
        self.documents.clear()
        self.numbers.clear()

    def copy(self) -> Given:
        """As it is now, to return to when a question fails."""
        return Given(set(self.documents), dict(self.numbers), list(self.citations))

    def add(self, citation: Citation) -> None:
        """A passage that was numbered before, by whatever conversation this one goes on with."""
        for number in range(len(self.citations) + 1, citation.number + 1):
            self.citations.append(Citation(number, "", None, "", ""))
        self.citations[citation.number - 1] = citation

    def cite(self, found: FoundPassage) -> Citation:
        """The citation of a passage, with a number of its own."""
        if found.id in self.numbers:
            return self.citations[self.numbers[found.id] - 1]
        number = len(self.citations) + 1
        self.numbers[found.id] = number
        made = citation(number, found)
        self.citations.append(made)
        return made


@dataclass(frozen=True, slots=True)
class Material:
    """The user message as sent, what it can cite, and what the person should know."""

    content: str
    citations: tuple[Citation, ...] = ()
    notices: tuple[str, ...] = ()


def compose(question: str, library: Library | None, given: Given, room: int, count: Callable[[str], int]) -> Material:
    """The message for `question`, in at most about `room` tokens; `count` gives the tokens of a text.

    What earlier turns were sent with is in `given`, to which this adds. Raises StoreError.
    """
    documents = [info for info in library.documents() if info.passages > 0] if library is not None else []
    if library is None or not documents:
        return Material(question, notices=_unready(library))
    where = route(question)
    if where is Route.LIST:
        return Material(f"{_listing(documents, room, count)}\n\nQuestion: {question}")
    named = mentioned(question, [info.name for info in documents])
    wanted = [documents[index] for index in named] or documents
    whole = _whole(question, library, wanted, given, room)
    if whole is not None:
        return whole
    if where is Route.SUMMARY:
        return _spread(question, library, wanted, given, room, count)
    found = library.passages.search(question, PASSAGES)
    return _numbered(question, found, given, min(PASSAGE_TOKENS, room), count)


def _unready(library: Library | None) -> tuple[str, ...]:
    documents = library.documents() if library is not None else []
    if not documents:
        return ()
    if all(info.status == "failed" for info in documents):
        return ("None of the documents could be read, so this answer is the model's own.",)
    return ("The documents are still being read, so this answer does not use them yet.",)


def _listing(documents: list[DocumentInfo], room: int, count: Callable[[str], int]) -> str:
    lines = [f"The library holds {len(documents)} document{'s' if len(documents) != 1 else ''}:"]
    room -= LISTING_FRAME
    for number, info in enumerate(documents[:LISTED], start=1):
        pages = f", {info.pages} pages" if info.pages else ""
        line = f"{number}. {info.name} ({info.kind}{pages})"
        room -= count(line) + 1
        if room < 0:
            break
        lines.append(line)
    left_out = len(documents) - (len(lines) - 1)
    if left_out:
        lines.append(f"… and {left_out} more.")
    return "\n".join(lines)


def _whole(question: str, library: Library, documents: list[DocumentInfo], given: Given, room: int) -> Material | None:
    """The whole texts when they fit, or None. Texts that an earlier turn holds are not sent again."""
    missing = [info for info in documents if info.id not in given.documents]
    if any(info.tokens <= 0 for info in missing) or sum(info.tokens for info in missing) > room * WHOLE_SHARE:
        return None
    return compose_whole(question, library, documents, given)


def compose_whole(question: str, library: Library, documents: Sequence[DocumentInfo], given: Given) -> Material:
    """The message for `question` with the whole texts, however long, of those documents that no earlier turn holds."""
    missing = [info for info in documents if info.id not in given.documents]
    parts = [f"Document {info.name}:\n{library.document_text(info.id).strip()}" for info in missing]
    given.documents.update(info.id for info in missing)
    citations = tuple(given.cite(found) for info in documents for found in library.passages.of(info.id))
    content = "\n\n".join([*parts, f"Question: {question}"]) if parts else question
    return Material(content, citations)


def _spread(
    question: str, library: Library, documents: list[DocumentInfo], given: Given, room: int, count: Callable[[str], int]
) -> Material:
    """Passages spread evenly over texts that are too long to be read whole, the beginning of each included."""
    tokens = min(SUMMARY_TOKENS, room)
    chosen: list[FoundPassage] = []
    for info in documents:
        found = library.passages.of(info.id)
        share = max(1, tokens // len(documents))
        wanted = max(1, min(len(found), share * len(found) // max(1, info.tokens)))
        chosen += [found[index * len(found) // wanted] for index in range(wanted)]
    material = _numbered(question, chosen, given, tokens, count)
    if not material.citations:
        return material
    names = ", ".join(info.name for info in documents[:3]) + (" …" if len(documents) > 3 else "")
    many = len(material.citations)
    passages = "1 passage" if many == 1 else f"{many} passages spread over the text"
    return replace(material, notices=(f"{names}: too long to be read whole, so the answer rests on {passages}.",))


def _numbered(
    question: str, found: Sequence[FoundPassage], given: Given, tokens: int, count: Callable[[str], int]
) -> Material:
    """Numbered passages and the question. Passages that an earlier turn holds are cited, not sent again."""
    parts: list[str] = []
    citations: list[Citation] = []
    for passage in found:
        known = passage.id in given.numbers
        text = f"({passage.name}{f', page {passage.page}' if passage.page else ''})\n{passage.text.strip()}"
        cost = 0 if known else count(text) + 8
        if cost > tokens:
            continue
        tokens -= cost
        made = given.cite(passage)
        citations.append(made)
        if not known:
            parts.append(f"[{made.number}] {text}")
    content = "\n\n".join([*parts, f"Question: {question}"]) if parts else question
    notices = () if citations or not found else ("There is no room left for text of the documents in this answer.",)
    return Material(content, tuple(citations), notices)


# -- documents that a person wants to be read whole ------------------------------------------------------------------


def wanted_whole(library: Library | None, ids: Sequence[int]) -> tuple[list[DocumentInfo], list[str]]:
    """The documents of these ids, or all that can be read where none is named, and what is to be said about others.

    Raises SettingsError when one that was named is gone, failed, or is not read yet, and when there is none at all.
    """
    documents = library.documents() if library is not None else []
    if not ids:
        ready = [info for info in documents if _is_read(info)]
        if not ready:
            waiting = any(info.status not in (*_READ, "failed") for info in documents)
            said = "The documents are still being read." if waiting else "There is no document to read whole."
            raise SettingsError(said, "Try again in a moment." if waiting else "Add one, or ask without.")
        return ready, [f"Not in this answer: {_why(info)}" for info in documents if not _is_read(info)]
    known = {info.id: info for info in documents}
    found = []
    for identity in ids:
        info = known.get(identity)
        if info is None:
            raise SettingsError(
                "The document to read whole is not in this library any more.", "Choose another, or the best passages."
            )
        if not _is_read(info):
            raise SettingsError(_why(info), "Choose another document, or the best passages.")
        found.append(info)
    return found, []


def needed(documents: Sequence[DocumentInfo], known: Collection[int], count: Callable[[str], int]) -> int:
    """Tokens of those documents that the prompt does not hold already."""
    return sum(info.tokens + count(info.name) + FRAME for info in documents if info.id not in known)


def too_long(documents: Sequence[DocumentInfo], needs: int, room: int, size: int, longest: int) -> ContextTooLongError:
    """That these documents, which need `needs` tokens, do not fit in the `room` there is in a context of `size`, and
    what can be done about it. `longest` is the longest context that the model was made for."""
    names = ", ".join(info.name for info in documents[:_NAMED])
    if len(documents) > _NAMED:
        names = f"{names} and {len(documents) - _NAMED:,} more"
    verb = "needs" if len(documents) == 1 else "need"
    whole = "whole document" if len(documents) == 1 else "whole documents"
    least = -(-(needs + size - max(0, room)) // _ROUND) * _ROUND
    ways = []
    if least <= longest:
        ways.append(f"load the model with a context length of {least:,} or more")
    if len(documents) > 1:
        ways.append("choose a single document")
    ways.append("ask with the best passages instead")
    limit = f" This model reads {longest:,} tokens at most." if least > longest else ""
    advice = f"{', or '.join([', '.join(ways[:-1]), ways[-1]]) if len(ways) > 1 else ways[0]}."
    return ContextTooLongError(
        f"Too long to be read whole: {names} {verb} {needs:,} tokens, and there is room for {max(0, room):,} of the"
        f" context's {size:,}; the rest is for the question, its answer and the instructions. Nothing of the {whole}"
        f" was sent.{limit}",
        advice[0].upper() + advice[1:],
    )


def _is_read(info: DocumentInfo) -> bool:
    return info.status in _READ and info.passages > 0 and info.tokens > 0


def _why(info: DocumentInfo) -> str:
    """Why a document cannot be read whole now."""
    if info.status == "failed":
        return info.reason or f"{info.name} could not be read."
    if info.status in _READ:
        return f"{info.name} holds no text."
    return f"{info.name} is still being read."
