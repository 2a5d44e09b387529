"""The user message of a question: itself, after a list of documents, whole texts or the best passages.

A question that no passage is about goes alone, so that it is answered without documents. Documents are read whole
because the person wants it (all of their text, or none and the reason why), or where they fit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from localspec import texts
from localspec.chat.citations import Citation, citation
from localspec.chat.following import FollowUp, follow_up, search_text, subject_words
from localspec.chat.places import Place, asked_pages, in_sections, on_pages
from localspec.chat.routing import Route, mentioned, refers, revises, route, summary_subject, wants_all
from localspec.errors import ContextTooLongError, SettingsError
from localspec.stores.documents.search import LookUp, fuse
from localspec.stores.library import DocumentInfo, FoundPassage, Library
from localspec.stores.stored_turns import PlainTurn

DOCUMENT_SYSTEM = (
    "You answer questions about the user's documents. Answer from the given text, in your own words. If the text does "
    "not hold the answer, say so."
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
KNOWN_COVERAGE = 0.3
"""A short question may go on with the one before if a passage holds this share of its words; else it is about something
new. A guess: none of the follow-ups tried lies between 0.1 and 0.4."""
_OWN_WEIGHT = 0.8
"""Of what a follow-up finds alone, against 1 of what it finds with the question before."""
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


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with everything that decides what it is sent with."""

    question: str
    library: Library
    documents: list[DocumentInfo]  # those it names, else all
    named: bool
    given: Given
    room: int
    count: Callable[[str], int]
    earlier: Sequence[PlainTurn]


def compose(
    question: str,
    library: Library | None,
    given: Given,
    room: int,
    count: Callable[[str], int],
    *,
    earlier: Sequence[PlainTurn] = (),
    always: bool = False,
) -> Material:
    """The message for `question`, in at most about `room` tokens; `count` gives the tokens of a text.

    `earlier` are the turns that it may refer back to. With `always` documents are given even where no passage is about
    it, unless it is small talk. What earlier turns were sent with is in `given`, to which this adds. Raises StoreError.
    """
    where = route(question)
    if where is Route.NONE or library is None:
        return Material(question)
    documents = [info for info in library.documents() if info.passages > 0]
    if not documents:
        return Material(question, notices=_unready(library))
    if where is Route.LIST:
        return Material(f"{_listing(documents, room, count)}\n\nQuestion: {question}")
    named = mentioned(question, [info.name for info in documents])
    wanted = [documents[index] for index in named] or documents
    asked = _Asked(question, library, wanted, bool(named), given, room, count, earlier)
    places = on_pages(library, wanted, question) or in_sections(library, wanted, question)
    if places:
        return _at(asked, places)
    if earlier and not named and revises(question):
        return Material(question, tuple(earlier[-1].given))
    material = _about(asked, where, bound=always or bool(named) or refers(question))
    missing = _missing_pages(asked)
    return replace(material, notices=(*missing, *material.notices)) if missing else material


def _about(asked: _Asked, where: Route, *, bound: bool) -> Material:
    """Whole texts, or passages that the question is about; nothing of either where there are none, unless it is `bound`
    to the documents by its words."""
    bound = bound or (where is Route.SUMMARY and not summary_subject(asked.question))
    found = None if bound else _look_up(asked)
    if found is not None and not found.is_relevant:
        return Material(asked.question)
    whole = _whole(asked, asked.documents)
    if whole is not None:
        return whole
    if where is Route.SUMMARY:
        return _spread(asked)
    passages = _of_named(asked, (found or _look_up(asked)).passages)
    if passages and wants_all(asked.question):
        return _all(asked, passages)
    return _numbered(asked, passages, PASSAGE_TOKENS, best_last=True)


def _look_up(asked: _Asked) -> LookUp:
    """The passages for a question, and for what it refers back to where it cannot stand alone."""
    search = asked.library.passages.look_up
    limit = 8 * PASSAGES if asked.named else PASSAGES
    kind = follow_up(asked.question) if asked.earlier else FollowUp.NO
    if kind is FollowUp.YES:
        return _following(asked, limit)
    alone = search(asked.question, limit)
    if kind is FollowUp.NO or alone.is_relevant:
        return alone
    if kind is FollowUp.POSSIBLE and alone.coverage < KNOWN_COVERAGE:
        return alone
    return search(search_text(asked.question, asked.earlier), limit)


def _following(asked: _Asked, limit: int) -> LookUp:
    """The passages for a follow-up. What its own words find counts, too: "And a service?" is not about the tyres."""
    search = asked.library.passages.look_up
    found = search(search_text(asked.question, asked.earlier), 4 * limit)
    own = search(asked.question, 4 * limit).passages if subject_words(asked.question) else []
    known = {passage.id: passage for passage in (*own, *found.passages)}
    scores = fuse([[one.id for one in found.passages], [one.id for one in own]], (1.0, _OWN_WEIGHT))
    return replace(found, passages=[known[one] for one in sorted(scores, key=lambda one: -scores[one])[:limit]])


def _of_named(asked: _Asked, passages: list[FoundPassage]) -> list[FoundPassage]:
    """The best of them, from the documents that the question names where there are any."""
    ids = {info.id for info in asked.documents}
    return ([passage for passage in passages if passage.document in ids] or passages)[:PASSAGES]


def _all(asked: _Asked, found: list[FoundPassage]) -> Material:
    """The whole text that the best passage is from; where it does not fit, its section; else the best passages."""
    best = found[0]
    for info in asked.documents:
        whole = _whole(asked, [info]) if info.id == best.document else None
        if whole is not None:
            return whole
    tokens = min(SUMMARY_TOKENS, asked.room)
    section = [one for one in asked.library.passages.of(best.document) if one.section == best.section]
    fits = sum(asked.count(one.text) + FRAME for one in section) <= tokens
    if best.section and len(section) > 1 and fits:
        said = texts.ONLY_SECTION.format(file=best.name, section=best.section)
        return _with_notice(_numbered(asked, section, tokens), said)
    material = _numbered(asked, found, PASSAGE_TOKENS, best_last=True)
    return _with_notice(material, texts.only_passages(len(material.citations)))


def _at(asked: _Asked, places: list[Place]) -> Material:
    """The passages of the pages or sections that the question names, sent again even where an earlier turn has them: it
    does not show where they lie."""
    recent = asked.given.citations[-1].file if asked.given.citations else ""
    places = sorted(places, key=lambda place: place.passages[0].name != recent)
    passages = [passage for place in places for passage in place.passages]
    material = _numbered(asked, passages, SUMMARY_TOKENS, again=True)
    left_out = len(passages) - len(material.citations)
    for notice in dict.fromkeys(place.notice for place in places if place.notice):
        material = _with_notice(material, notice)
    labels = "; ".join(place.label for place in places[:_NAMED]) + (" …" if len(places) > _NAMED else "")
    if left_out and material.citations:
        return _with_notice(
            material, texts.PLACE_CUT.format(place=labels, read=len(material.citations), all=len(passages))
        )
    return _with_notice(material, texts.PLACES.format(place=labels)) if len(places) > 1 else material


def _missing_pages(asked: _Asked) -> tuple[str, ...]:
    """That a page which the question names has no text, or that its document has no pages."""
    pages = asked_pages(asked.question)
    if not pages or len(asked.documents) != 1:
        return ()
    info = asked.documents[0]
    if not info.pages:
        return (texts.NO_PAGES.format(page=pages[0], file=info.name),)
    return (texts.NO_SUCH_PAGE.format(page=pages[0], file=info.name, pages=texts.counted(info.pages, "page")),)


def _with_notice(material: Material, notice: str) -> Material:
    return replace(material, notices=(*material.notices, notice)) if material.citations else material


def _unready(library: Library) -> tuple[str, ...]:
    """That documents are not read yet. Of those that cannot be read the person was told when they were added."""
    waits = any(info.status not in (*_READ, "failed") for info in library.documents())
    return (texts.UNREAD_DOCUMENTS,) if waits else ()


def _listing(documents: list[DocumentInfo], room: int, count: Callable[[str], int]) -> str:
    lines = [f"The library holds {len(documents)} document{'s' if len(documents) != 1 else ''}:"]
    room -= LISTING_FRAME
    for number, info in enumerate(documents[:LISTED], start=1):
        pages = f", {texts.counted(info.pages, 'page')}" if info.pages else ""
        line = f"{number}. {info.name} ({info.kind}{pages})"
        room -= count(line) + 1
        if room < 0:
            break
        lines.append(line)
    left_out = len(documents) - (len(lines) - 1)
    if left_out:
        lines.append(f"… and {left_out} more.")
    return "\n".join(lines)


def _whole(asked: _Asked, documents: list[DocumentInfo]) -> Material | None:
    """The whole texts when they fit, or None. Texts that an earlier turn holds are not sent again."""
    missing = [info for info in documents if info.id not in asked.given.documents]
    if any(info.tokens <= 0 for info in missing) or sum(info.tokens for info in missing) > asked.room * WHOLE_SHARE:
        return None
    return compose_whole(asked.question, asked.library, documents, asked.given)


def compose_whole(question: str, library: Library, documents: Sequence[DocumentInfo], given: Given) -> Material:
    """The message for `question` with the whole texts, however long, of those documents that no earlier turn holds."""
    missing = [info for info in documents if info.id not in given.documents]
    parts = [f"Document {info.name}:\n{library.document_text(info.id).strip()}" for info in missing]
    given.documents.update(info.id for info in missing)
    citations = tuple(given.cite(found) for info in documents for found in library.passages.of(info.id))
    content = "\n\n".join([*parts, f"Question: {question}"]) if parts else question
    return Material(content, citations)


def _spread(asked: _Asked) -> Material:
    """Passages spread evenly over texts that are too long to be read whole, the beginning of each included."""
    documents, tokens = asked.documents, min(SUMMARY_TOKENS, asked.room)
    chosen: list[FoundPassage] = []
    for info in documents:
        found = asked.library.passages.of(info.id)
        share = max(1, tokens // len(documents))
        wanted = max(1, min(len(found), share * len(found) // max(1, info.tokens)))
        chosen += [found[index * len(found) // wanted] for index in range(wanted)]
    material = _numbered(asked, chosen, tokens)
    names = ", ".join(info.name for info in documents[:3]) + (" …" if len(documents) > 3 else "")
    many = len(material.citations)
    passages = texts.SPREAD_ONE if many == 1 else texts.SPREAD_MANY.format(passages=many)
    return _with_notice(material, texts.SPREAD.format(files=names, passages=passages))


def _numbered(
    asked: _Asked, found: Sequence[FoundPassage], tokens: int, *, again: bool = False, best_last: bool = False
) -> Material:
    """Numbered passages in at most so many `tokens`, and the question. Passages that an earlier turn holds are cited,
    and sent only if they are to be sent `again`. With `best_last` the first that were found stand next to the question:
    small models heed what they read last."""
    given, tokens = asked.given, min(tokens, asked.room)
    parts: list[str] = []
    citations: list[Citation] = []
    for passage in found:
        known = passage.id in given.numbers and not again
        page = passage.label or passage.page
        text = f"({passage.name}{f', page {page}' if page else ''})\n{passage.text.strip()}"
        cost = 0 if known else asked.count(text) + FRAME
        if cost > tokens:
            continue
        tokens -= cost
        made = given.cite(passage)
        citations.append(made)
        if not known:
            parts.append(f"[{made.number}] {text}")
    if best_last:
        parts.reverse()
    content = "\n\n".join([*parts, f"Question: {asked.question}"]) if parts else asked.question
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
            said = "The documents are still being indexed." if waiting else "There is no document to read whole."
            raise SettingsError(said, "Try again in a moment." if waiting else "Add one, or ask without.")
        left_out = [info for info in documents if not _is_read(info) and info.status != "failed"]
        return ready, [f"Not in this answer: {_why(info)}" for info in left_out]
    known = {info.id: info for info in documents}
    found = []
    for identity in ids:
        info = known.get(identity)
        if info is None:
            raise SettingsError(
                "The chosen document is no longer in this library.", "Choose another one, or “Best passages”."
            )
        if not _is_read(info):
            raise SettingsError(_why(info), "Choose another one, or “Best passages”.")
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
    least = -(-(needs + size - max(0, room)) // _ROUND) * _ROUND
    ways = []
    if least <= longest:
        ways.append(f"load the model with a context length of {least:,} or more")
    if len(documents) > 1:
        ways.append("choose a single document")
    ways.append("use “Best passages”")
    limit = f" The model's longest context is {longest:,} tokens." if least > longest else ""
    advice = f"{', or '.join([', '.join(ways[:-1]), ways[-1]]) if len(ways) > 1 else ways[0]}."
    return ContextTooLongError(
        f"Too long to be read whole: {names} {verb} {needs:,} tokens, but only {max(0, room):,} of the context's"
        f" {size:,} are free.{limit}",
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
    return f"{info.name} is still being indexed."
