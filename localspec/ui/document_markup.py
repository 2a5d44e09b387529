"""The documents of a library as markup. Pure functions; everything from files is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from localspec import texts
from localspec.stores.library import DocumentInfo
from localspec.ui.elements import library_button, library_icon, lines, literal, of_library

SHOWN_DOCUMENTS = 200
_MARKS = {texts.STEP_DONE: "✓", texts.STEP_PART: "◐", texts.STEP_OPEN: "○"}


@dataclass(frozen=True, slots=True)
class DocumentParts:
    """How far the parts of a library's documents are, beyond what the documents themselves say."""

    embedded: Mapping[int, int] = field(default_factory=dict)
    """Passages with a vector, by document, of those that have some of them"""
    states: Mapping[int, int] | None = None
    """Positions with a state, by document; None where the model gives none"""


def documents(library: str, infos: Sequence[DocumentInfo], parts: DocumentParts) -> str:
    """The documents of the library, newest first: how far each is, why it failed, and buttons to index it again and to
    remove it."""
    if not infos:
        return f'<p class="quiet">{texts.NO_DOCUMENTS}</p>'
    rows = "".join(_document(info, parts) for info in list(reversed(infos))[:SHOWN_DOCUMENTS])
    more = len(infos) - SHOWN_DOCUMENTS
    rest = f'<p class="quiet">{texts.MORE.format(number=more)}</p>' if more > 0 else ""
    failed = sum(info.status == "failed" for info in infos)
    head = texts.counted(len(infos), "document")
    buttons = library_button("ask-again", texts.INDEX_ALL_AGAIN)
    if failed:
        head += f" · {texts.FAILED_DOCUMENTS.format(number=failed)}"
        buttons += library_button("remove-failed", texts.REMOVE_FAILED)
    return (
        f'<div class="holdings"{of_library(library)}><div class="documents-head"><span class="quiet">{lines(head)}'
        f'</span>{buttons}</div><ul class="documents">{rows}</ul>{rest}</div>'
    )


def _document(info: DocumentInfo, parts: DocumentParts) -> str:
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
        f"{library_icon('again', '↻', info.id, texts.INDEX_AGAIN, again)}"
        f'<button type="button" class="remove" data-remove="{info.id}" title="{texts.REMOVE}"'
        f' aria-label="{literal(texts.REMOVE_ONE.format(name=info.name))}">×</button></li>'
    )


def _size(info: DocumentInfo) -> list[str]:
    parts = [texts.counted(info.pages, "page")] if info.pages else []
    if not parts and info.characters:
        parts = [texts.counted(info.characters, "character")]
    return [*parts, texts.size(info.bytes)] if info.bytes else parts


def _meaning(info: DocumentInfo, parts: DocumentParts) -> list[str]:
    return [texts.BY_MEANING] if parts.states is not None and _states(info, parts.states) == texts.STEP_DONE else []


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
