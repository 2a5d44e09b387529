"""Libraries, their documents and their folders as markup. Pure functions; everything from files is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from localspec import texts
from localspec.stores.library import DocumentInfo, FolderInfo, IngestionProgress
from localspec.ui import markup
from localspec.ui.markup import lines, literal, of_library

SHOWN_DOCUMENTS = 200
SHOWN_FAILURES = 5
_MARKS = {texts.STEP_DONE: "✓", texts.STEP_PART: "◐", texts.STEP_OPEN: "○"}


@dataclass(frozen=True, slots=True)
class Parts:
    """How far the parts of a library's documents are, beyond what the documents themselves say."""

    embedded: Mapping[int, int] = field(default_factory=dict)
    """Passages with a vector, by document, of those that have some of them"""
    states: Mapping[int, int] | None = None
    """Positions with a state, by document; None where the model gives none"""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a library takes, in bytes."""

    disk: int
    memory: int


def button(name: str, label: str, kind: str = "quiet", about: int | None = None, title: str = "") -> str:
    """A button of which the server hears by its name and what it is `about`. It stands inside an element that names the
    library."""
    which = f' data-about="{about}"' if about is not None else ""
    told = f' title="{literal(title)}" aria-label="{literal(title)}"' if title else ""
    return f'<button type="button" class="press {kind}" data-shelf="{name}"{which}{told}>{literal(label)}</button>'


def active(name: str, names: Sequence[str], documents: int | None) -> str:
    """Which library the next question uses, close to where it is typed, with the others to switch to. `documents` is
    None while that is not known."""
    count = f'<span class="quiet">· {texts.counted(documents, "document")}</span>' if documents is not None else ""
    others = "".join(
        f'<button type="button" class="press quiet" data-shelf="use" data-text="{literal(other)}">{literal(other)}'
        "</button>"
        for other in names
        if other != name
    )
    new = button("ask-new", texts.LIBRARY_NEW)
    label = texts.LIBRARY_SWITCH_NAME
    switch = (
        f'<details class="switch"><summary aria-label="{label}" title="{label}">'
        f'{texts.LIBRARY_SWITCH}</summary><div class="choices">{others}{new}</div></details>'
    )
    return (
        f'<div class="active-library"{of_library(name)}><span>{texts.LIBRARY_HERE} <b>{literal(name)}</b> {count}'
        f"</span>{switch}</div>"
    )


def shelf(name: str, asking: str, documents: int, answers: int, usage: Usage | None) -> str:
    """What can be done with the library, or what is asked before it is done; and what it takes."""
    if asking in ("new", "rename"):
        label = texts.LIBRARY_NEW_NAME if asking == "new" else texts.LIBRARY_RENAME_NAME
        value = name if asking == "rename" else ""
        go = texts.LIBRARY_BEGIN if asking == "new" else texts.SAVE
        inside = (
            f'<input type="text" class="title" data-shelf-text="{asking}" value="{literal(value)}" maxlength="64"'
            f' placeholder="{literal(label)}" aria-label="{literal(label)}">'
            f'<div class="buttons">{button(asking, go)}{button("keep", texts.CANCEL)}</div>'
        )
    elif asking in ("delete", "again"):
        if asking == "delete":
            said = texts.delete_sure(name, documents, answers)
            no, yes = texts.LIBRARY_DELETE_NOT, texts.LIBRARY_DELETE_NOW
        else:
            said = texts.INDEX_ALL_SURE.format(documents=texts.counted(documents, "document"))
            no, yes = texts.INDEX_ALL_NOT, texts.INDEX_ALL_NOW
        # No button stands where the first one stood, for a double click.
        inside = f'<p>{lines(said)}</p><div class="buttons">{button("keep", no)}{button(asking, yes, "warm")}</div>'
    else:
        inside = (
            f'<div class="buttons">{button("ask-new", texts.LIBRARY_NEW)}{button("ask-rename", texts.RENAME)}'
            f"{button('ask-delete', texts.DELETE, 'warm')}</div>"
        )
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
        said = markup.note(progress.problem, "problem") if progress.problem else ""
        return (
            f'<div class="paused"{of_library(name)}>{said}<p>{texts.PAUSED}</p>{button("resume", texts.RESUME)}</div>'
        )
    said = markup.indexing(progress)
    if not said or progress.problem:
        return said
    return f'<div class="at-work"{of_library(name)}>{said}{button("pause", texts.PAUSE)}</div>'


def documents(library: str, infos: Sequence[DocumentInfo], parts: Parts) -> str:
    """The documents of the library, newest first: how far each is, why it failed, and buttons to index it again and to
    remove it."""
    if not infos:
        return f'<p class="quiet">{texts.NO_DOCUMENTS}</p>'
    rows = "".join(_document(info, parts) for info in list(reversed(infos))[:SHOWN_DOCUMENTS])
    more = len(infos) - SHOWN_DOCUMENTS
    rest = f'<p class="quiet">{texts.MORE.format(number=more)}</p>' if more > 0 else ""
    failed = sum(info.status == "failed" for info in infos)
    head = texts.counted(len(infos), "document")
    buttons = button("ask-again", texts.INDEX_ALL_AGAIN)
    if failed:
        head += f" · {texts.FAILED_DOCUMENTS.format(number=failed)}"
        buttons += button("remove-failed", texts.REMOVE_FAILED)
    return (
        f'<div class="holdings"{of_library(library)}><div class="documents-head"><span class="quiet">{lines(head)}'
        f'</span>{buttons}</div><ul class="documents">{rows}</ul>{rest}</div>'
    )


def _document(info: DocumentInfo, parts: Parts) -> str:
    failed = info.status == "failed"
    again = texts.INDEX_AGAIN_ONE.format(name=info.name)
    if failed:
        # The reason begins with the file's own name, which stands above it.
        said, below = info.reason.removeprefix(f"{info.name.rsplit('/', 1)[-1]}: "), ""
    else:
        said = " · ".join([*_size(info), texts.STATUS.get(info.status, info.status), *_meaning(info, parts)])
        warning = f'<div class="quiet">{lines(info.reason)}</div>' if info.reason else ""
        below = f'<div class="steps">{_steps(info, parts)}</div>{warning}'
    return (
        f'<li class="document {literal(info.status)}" data-document="{info.id}"><div class="about">'
        f'<div class="name">{literal(info.name)}</div><div class="quiet">{lines(said)}</div>{below}</div>'
        f"{_icon('again', '↻', info.id, texts.INDEX_AGAIN, again)}"
        f'<button type="button" class="remove" data-remove="{info.id}" title="{texts.REMOVE}"'
        f' aria-label="{literal(texts.REMOVE_ONE.format(name=info.name))}">×</button></li>'
    )


def _icon(name: str, sign: str, about: int, title: str, label: str) -> str:
    return (
        f'<button type="button" class="remove" data-shelf="{name}" data-about="{about}" title="{literal(title)}"'
        f' aria-label="{literal(label)}">{sign}</button>'
    )


def _size(info: DocumentInfo) -> list[str]:
    parts = [texts.counted(info.pages, "page")] if info.pages else []
    if not parts and info.characters:
        parts = [texts.counted(info.characters, "character")]
    return [*parts, texts.size(info.bytes)] if info.bytes else parts


def _meaning(info: DocumentInfo, parts: Parts) -> list[str]:
    return [texts.BY_MEANING] if parts.states is not None and _states(info, parts.states) == texts.STEP_DONE else []


def _steps(info: DocumentInfo, parts: Parts) -> str:
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
            f"{button('vanished-keep', texts.FOLDER_VANISHED_KEEP, about=info.id)}"
            f"{button('vanished-remove', texts.FOLDER_VANISHED_REMOVE, 'warm', about=info.id)}</div>"
        )
    if info.watched:
        removes = texts.FOLDER_REMOVES_ON if info.removes else texts.FOLDER_REMOVES_OFF
        change = button("removes-off" if info.removes else "removes-on", texts.FOLDER_CHANGE, about=info.id)
        more += f'<div class="quiet">{lines(removes)} {change}</div>'
        buttons = button("unwatch", texts.FOLDER_WATCH_OFF, about=info.id)
    else:
        buttons = button("watch", texts.FOLDER_WATCH_ON, about=info.id)
    buttons += button("look", texts.FOLDER_LOOK, about=info.id)
    forget = texts.FOLDER_FORGET_NAME.format(path=info.path)
    return (
        f'<li class="folder" data-folder="{info.id}" data-state="{state}"><div class="about">'
        f'<div class="name">{literal(info.path)}</div><div class="quiet">{lines(" · ".join(said))}</div>{more}'
        f'<div class="buttons">{buttons}</div></div>'
        f"{_icon('forget-folder', '×', info.id, texts.FOLDER_FORGET, forget)}</li>"
    )
