"""Libraries, their documents and their folders as markup. Pure functions; everything from files is escaped."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from localspec import texts
from localspec.application.list_states import DocumentListState
from localspec.models.embedder_catalogue import EmbedderEntry
from localspec.stores.library import DocumentInfo, FolderInfo, IngestionProgress
from localspec.ui import elements
from localspec.ui.elements import embedder_button, library_button, library_icon, lines, literal, of_library

SHOWN_FAILURES = 5
_MARKS = {texts.STEP_DONE: "✓", texts.STEP_PART: "◐", texts.STEP_OPEN: "○"}


@dataclass(frozen=True, slots=True)
class Usage:
    """What a library takes, in bytes."""

    disk: int
    memory: int


@dataclass(frozen=True, slots=True)
class DocumentParts:
    """How far the parts of a library's documents are, beyond what the documents themselves say."""

    embedded: Mapping[int, int] = field(default_factory=dict)
    """Passages with a vector, by document, of those that have some of them"""
    states: Mapping[int, int] | None = None
    """Positions with a state, by document; None where the model gives none"""


def active(name: str, names: Sequence[str], documents: int | None) -> str:
    """The library that the next question uses, with the others to switch to; `documents` None: not known yet."""
    count = f'<span class="quiet">· {texts.counted(documents, "document")}</span>' if documents is not None else ""
    others = "".join(
        f'<button type="button" class="press quiet" data-shelf="use" data-text="{literal(other)}">{literal(other)}'
        "</button>"
        for other in names
        if other != name
    )
    new = library_button("ask-new", texts.LIBRARY_NEW)
    label = texts.LIBRARY_SWITCH_NAME
    switch = (
        f'<details class="switch"><summary aria-label="{label}" title="{label}">'
        f'{texts.LIBRARY_SWITCH}</summary><div class="choices">{others}{new}</div></details>'
    )
    return (
        f'<div class="active-library"{of_library(name)}><span>{texts.LIBRARY} <b>{literal(name)}</b> {count}'
        f"</span>{switch}</div>"
    )


def manage(name: str, asking: str, documents: int, answers: int, usage: Usage | None) -> str:
    """What can be done with the library, or what is asked before it is done; and what it takes."""
    if asking in ("new", "rename"):
        label = texts.LIBRARY_NEW_NAME if asking == "new" else texts.LIBRARY_RENAME_NAME
        value = name if asking == "rename" else ""
        go = texts.LIBRARY_BEGIN if asking == "new" else texts.SAVE
        inside = (
            f'<input type="text" class="title" data-shelf-text="{asking}" value="{literal(value)}" maxlength="64"'
            f' placeholder="{literal(label)}" aria-label="{literal(label)}">'
            f'<div class="buttons">{library_button(asking, go)}{library_button("keep", texts.CANCEL)}</div>'
        )
    elif asking in ("delete", "again"):
        if asking == "delete":
            said = texts.delete_sure(name, documents, answers)
            no, yes = texts.LIBRARY_DELETE_NOT, texts.LIBRARY_DELETE_NOW
        else:
            said = texts.INDEX_ALL_SURE.format(documents=texts.counted(documents, "document"))
            no, yes = texts.INDEX_ALL_NOT, texts.INDEX_ALL_NOW
        # No button stands where the first one stood, for a double click.
        buttons = library_button("keep", no) + library_button(asking, yes, "warm")
        inside = f'<p>{lines(said)}</p><div class="buttons">{buttons}</div>'
    else:
        buttons = library_button("ask-new", texts.LIBRARY_NEW) + library_button("ask-rename", texts.RENAME)
        inside = f'<div class="buttons">{buttons}{library_button("ask-delete", texts.DELETE, "warm")}</div>'
    takes = ""
    # Nothing may change under a name that is being typed.
    if usage is not None and asking not in ("new", "rename"):
        parts = [texts.USAGE_DISK.format(size=texts.size(usage.disk))]
        parts += [texts.USAGE_MEMORY.format(size=texts.size(usage.memory))] if usage.memory else []
        takes = f'<p class="quiet usage" title="{literal(texts.USAGE_WHY)}">{lines(" · ".join(parts))}</p>'
    return f'<div class="shelf" data-asking="{asking}"{of_library(name)}>{inside}{takes}</div>'


def indexing(name: str, progress: IngestionProgress) -> str:
    """Where the work on the documents stands, with a button to pause it or go on; empty when there is none."""
    if progress.paused:
        said = elements.note(progress.problem, "problem") if progress.problem else ""
        go_on = library_button("resume", texts.RESUME)
        return f'<div class="paused"{of_library(name)}>{said}<p>{texts.PAUSED}</p>{go_on}</div>'
    said = progress_line(progress)
    if not said or progress.problem:
        return said
    return f'<div class="at-work"{of_library(name)}>{said}{library_button("pause", texts.PAUSE)}</div>'


def folders(library: str, infos: Sequence[FolderInfo], *, paused: bool) -> str:
    """The folders that documents come from; empty where there are none."""
    if not infos:
        return ""
    rows = "".join(_folder(info, paused) for info in infos)
    return f'<ul class="folders"{of_library(library)}>{rows}</ul>'


def _folder(info: FolderInfo, paused: bool) -> str:
    works = info.watched or not info.done
    if info.done:
        state = "watched" if info.watched else "once"
    else:
        state = "paused" if paused else "stuck" if info.problem else "waiting"
    said = [texts.FOLDER_STATES[state], texts.counted(info.files, "document")]
    if info.wanted:
        said.append(texts.FOLDER_TAKING.format(taken=info.taken, wanted=info.wanted))
    more = f'<div class="problem">{lines(info.problem)}</div>' if info.problem and works else ""
    left = texts.left_out(info.counts)
    more += f'<div class="quiet">{lines(left)}</div>' if left else ""
    if info.failures:
        failed = "<br>".join(lines(failure) for failure in info.failures[:SHOWN_FAILURES])
        rest = len(info.failures) - SHOWN_FAILURES
        failed += f"<br>{texts.MORE.format(number=rest)}" if rest > 0 else ""
        head = texts.FOLDER_FAILURES.format(number=len(info.failures))
        more += f'<details class="quiet"><summary>{lines(head)}</summary>{failed}</details>'
    if info.vanished:
        more += (
            f'<div class="vanished quiet">{lines(texts.vanished(info.vanished))} '
            f"{library_button('vanished-keep', texts.FOLDER_VANISHED_KEEP, about=info.id)}"
            f"{library_button('vanished-remove', texts.FOLDER_VANISHED_REMOVE, 'warm', about=info.id)}</div>"
        )
    if info.watched:
        removes = texts.FOLDER_REMOVES_ON if info.removes else texts.FOLDER_REMOVES_OFF
        change = library_button("removes-off" if info.removes else "removes-on", texts.FOLDER_CHANGE, about=info.id)
        more += f'<div class="quiet">{lines(removes)} {change}</div>'
        buttons = library_button("unwatch", texts.FOLDER_WATCH_OFF, about=info.id)
    else:
        buttons = library_button("watch", texts.FOLDER_WATCH_ON, about=info.id)
    buttons += library_button("look", texts.FOLDER_LOOK, about=info.id)
    forget = texts.FOLDER_FORGET_NAME.format(path=info.path)
    return (
        f'<li class="folder" data-folder="{info.id}" data-state="{state}"><div class="about">'
        f'<div class="name">{literal(info.path)}</div><div class="quiet">{lines(" · ".join(said))}</div>{more}'
        f'<div class="buttons">{buttons}</div></div>'
        f"{library_icon('forget-folder', '×', info.id, texts.FOLDER_FORGET, forget)}</li>"
    )


def matching(infos: Sequence[DocumentInfo], query: str) -> list[DocumentInfo]:
    """The documents, newest first, whose names hold all words of a query; all of them for one without words."""
    words = _plain(query).split()
    newest = reversed(infos)
    if not words:
        return [*newest]
    return [info for info in newest if any(all(word in name for word in words) for name in _names(info))]


def _names(info: DocumentInfo) -> Iterator[str]:
    return map(_plain, (info.name, *info.copies))


def _plain(text: str) -> str:
    return text.casefold() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def documents(
    library: str, infos: Sequence[DocumentInfo], parts: DocumentParts, listed: DocumentListState | None = None
) -> str:
    """The documents of the library that are looked for, newest first, as many as are `listed`: how far each is, why it
    failed, and what can be done with it."""
    if not infos:
        return f'<p class="quiet">{texts.NO_DOCUMENTS}</p>'
    listed = listed or DocumentListState()
    found = matching(infos, listed.query)
    rows = "".join(_document(info, parts) for info in found[: listed.limit])
    more = len(found) - listed.limit
    rest = ""
    if more > 0:
        rest = library_button("more-documents", texts.MORE_DOCUMENTS.format(number=f"{more:,}"))
    elif not found:
        rest = f'<p class="quiet">{texts.NO_DOCUMENT_FOUND}</p>'
    failed = sum(info.status == "failed" for info in infos)
    head = texts.counted(len(infos), "document")
    if len(found) < len(infos):
        head = texts.DOCUMENTS_FOUND.format(found=f"{len(found):,}", documents=head)
    buttons = library_button("ask-again", texts.INDEX_ALL_AGAIN)
    if failed:
        head += f" · {texts.FAILED_DOCUMENTS.format(number=failed)}"
        buttons += library_button("remove-failed", texts.REMOVE_FAILED)
    outdated = sum(info.outdated for info in infos)
    better = ""
    if outdated:
        said = texts.READ_BETTER.format(documents=texts.counted(outdated, "document"))
        said = lines(texts.READ_BETTER_ONE if outdated == 1 else said)
        better = f'<p class="better quiet">{said} {library_button("read-better", texts.READ_BETTER_NOW)}</p>'
    return (
        f'<div class="holdings"{of_library(library)}>{better}<div class="documents-head">'
        f'<span class="quiet">{lines(head)}</span>{buttons}</div><ul class="documents">{rows}</ul>{rest}</div>'
    )


def foreign(found: Mapping[str, str], known: Sequence[str], offer: EmbedderEntry | None) -> str:
    """Which documents the embedding model cannot find by meaning: their language by their name; "" for none. `offer` is
    one for many languages."""
    said = texts.foreign_documents(found, known, "")
    if not said:
        return ""
    button = embedder_button("ask", offer.name, texts.FOREIGN_OFFER.format(title=offer.title)) if offer else ""
    return f'<div class="foreign quiet">{lines(said)}<div class="ways">{button}</div></div>'


def _document(info: DocumentInfo, parts: DocumentParts) -> str:
    failed = info.status == "failed"
    again = texts.INDEX_AGAIN_ONE.format(name=info.name)
    if failed:
        # The reason begins with the file's own name, which stands above it.
        said, below = info.reason.removeprefix(f"{info.name.rsplit('/', 1)[-1]}: "), ""
    else:
        facts = [*_size(info), texts.STATUS.get(info.status, info.status)]
        if parts.states is not None and _states(info, parts.states) == texts.STEP_DONE:
            facts.append(texts.BY_MEANING)
        said = " · ".join(facts)
        warning = f'<div class="quiet">{lines(info.reason)}</div>' if info.reason else ""
        below = f'<div class="steps">{_steps(info, parts)}</div>{warning}'
    if info.copies:
        below += f'<div class="quiet">{lines(texts.ALSO_AS.format(names=elements.some(info.copies)))}</div>'
    return (
        f'<li class="document {literal(info.status)}" data-document="{info.id}"><div class="about">'
        f'<div class="name">{literal(info.name)}</div><div class="quiet">{lines(said)}</div>{below}</div>'
        f"{library_icon('again', '↻', info.id, texts.INDEX_AGAIN, again)}"
        f'<button type="button" class="remove" data-remove="{info.id}" title="{texts.REMOVE}"'
        f' aria-label="{literal(texts.REMOVE_ONE.format(name=info.name))}">×</button></li>'
    )


def _size(info: DocumentInfo) -> list[str]:
    parts = [texts.counted(info.pages, "page")] if info.pages else []
    if not parts and info.characters:
        parts = [texts.counted(info.characters, "character")]
    return [*parts, texts.size(info.bytes)] if info.bytes else parts


def _steps(info: DocumentInfo, parts: DocumentParts) -> str:
    """What is made of a document, each done or not."""
    order = ("queued", "parsed", "passages", "ngrams", "ready")
    stage = order.index(info.status) if info.status in order else 0
    vectors = texts.STEP_DONE if stage == 4 else texts.STEP_OPEN
    label = "vectors"
    if stage == 3 and (made := parts.embedded.get(info.id, 0)):
        vectors, label = texts.STEP_PART, f"vectors {made:,} of {info.passages:,}"
    steps = [
        ("passages", "passages", texts.STEP_DONE if stage >= 2 else texts.STEP_OPEN),
        ("n-grams", "n-grams", texts.STEP_DONE if stage >= 3 else texts.STEP_OPEN),
        ("vectors", label, vectors),
    ]
    if parts.states is not None:
        steps.append(("states", "states", _states(info, parts.states)))
    return "".join(
        f'<span class="step" data-step="{step}" data-state="{state}"'
        f' title="{literal(f"{texts.STEPS[step]}: {state}")}">'
        f"{_MARKS[state]} {literal(label)}</span>"
        for step, label, state in steps
    )


def _states(info: DocumentInfo, states: Mapping[int, int]) -> str:
    made = states.get(info.id, 0)
    # Nothing follows a document's last token, so it has no state.
    if 0 < info.tokens - 1 <= made:
        return texts.STEP_DONE
    return texts.STEP_PART if made else texts.STEP_OPEN


def progress_line(progress: IngestionProgress) -> str:
    """Where the work on the documents stands; empty when there is none."""
    if progress.problem:
        return elements.note(progress.problem, "problem")
    if progress.done or not progress.stage:
        return ""
    label = f"{texts.STAGES.get(progress.stage, progress.stage)}: {progress.name} · {progress.fraction:.0%}"
    if progress.documents_total > 1:
        label += f" · {texts.DOCUMENTS_DONE.format(done=progress.documents_done, total=progress.documents_total)}"
    if progress.seconds_left is not None:
        left = texts.TIME_TO_ASK if progress.stage in ("reading", "splitting", "n-grams") else texts.TIME_LEFT
        label += f" · {left.format(time=texts.seconds(progress.seconds_left))}"
    return elements.meter(label, progress.fraction)


def meaning(library: str, states: int | None, missing: int, *, reading: bool, seconds: float | None) -> str:
    """What is to be said about the library's drafts by meaning; empty when all is there.

    `states` are those stored, None where the model gives none; `missing` tokens have none yet, which takes `seconds`
    once somebody asks for it, or is being done (`reading`).
    """
    if states is None:
        return _meaning(library, "never", texts.MEANING_NEVER)
    if missing and reading:
        said = texts.MEANING_READING.format(tokens=texts.counted(missing, "token"))
        return _meaning(library, "reading", said, elements.press("unbuild", texts.MEANING_STOP))
    if missing:
        time = texts.MEANING_NO_TIME if seconds is None else texts.MEANING_TIME.format(time=texts.roughly(seconds))
        said = f"{texts.meaning_missing(missing)} {texts.MEANING_WHY} {time}"
        return _meaning(library, "missing", said, elements.press("build", texts.MEANING_BUILD))
    return "" if states else _meaning(library, "empty", texts.MEANING_EMPTY)


def _meaning(library: str, state: str, said: str, button: str = "") -> str:
    return f'<div class="meaning" data-meaning="{state}"{of_library(library)}><p>{lines(said)}</p>{button}</div>'


def learnt(library: str, replies: int, tokens: int, *, learns: bool, asking: bool) -> str:
    """How many answers the library has learnt, with a button to forget them; `asking` whether that is really wanted."""
    if replies and asking:
        # No button stands where the first one stood, for a double click.
        buttons = elements.press("keep", texts.FORGET_NOT) + elements.press("forget", texts.FORGET_NOW, "warm")
        said = f"<p>{lines(texts.forget_sure(replies))}</p>{buttons}"
    elif replies:
        counts = texts.LEARNT.format(answers=texts.counted(replies, "answer"), tokens=texts.counted(tokens, "token"))
        rest = "" if learns else f"<p>{lines(texts.NOT_LEARNING)}</p>"
        said = f'<span data-figure="learnt">{lines(counts)}</span>{elements.press("ask", texts.FORGET)}{rest}'
    else:
        said = lines(texts.NOTHING_LEARNT if learns else texts.NOT_LEARNING)
    return f'<div class="learnt" data-learns="{"on" if learns else "off"}"{of_library(library)}>{said}</div>'
