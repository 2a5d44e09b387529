"""What a question is read with, and the library, in one menu by the entry. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from localspec import texts
from localspec.chat.material import FRAME
from localspec.stores.library import DocumentInfo
from localspec.stores.naming import library_title
from localspec.ui.elements import library_button, literal, of_library
from localspec.ui.options import ALL, NONE, PASSAGES

_MOST = 200
_READ = ("ngrams", "ready")


@dataclass(frozen=True, slots=True)
class ReadingChoice:
    """One way to read documents with a question."""

    label: str
    value: str  # as `options.chosen_documents` reads it
    reason: str = ""  # it cannot be chosen


def choices(library: str, infos: Sequence[DocumentInfo], room: int) -> list[ReadingChoice]:
    """What can be picked, the newest documents first; what needs more than `room` tokens is there with the reason."""
    listed = [ReadingChoice(texts.READ_NONE, NONE), ReadingChoice(texts.READ_PASSAGES, PASSAGES)]
    ready = [info for info in infos if info.status in _READ and info.tokens > 0]
    for info in reversed(ready[-_MOST:]):
        label = texts.READ_ONE.format(name=info.name, tokens=f"{info.tokens:,}")
        listed.append(ReadingChoice(label, f"{info.id} {library}", _reason([info], room)))
    if len(ready) > 1:
        tokens = sum(info.tokens for info in ready)
        listed.append(ReadingChoice(texts.READ_ALL.format(tokens=f"{tokens:,}"), ALL, _reason(ready, room)))
    return listed


def _reason(infos: Sequence[DocumentInfo], room: int) -> str:
    fits = sum(info.tokens + FRAME for info in infos) <= room
    return "" if fits else texts.READ_TOO_LONG.format(room=f"{max(0, room):,}")


def menu(
    library: str, names: Sequence[str], documents: int | None, picked: str, listed: Sequence[ReadingChoice]
) -> str:
    """The menu: what is `picked` of what is `listed`, and the other libraries; `documents` None: not known yet."""
    current = next((one for one in listed if one.value == picked and not one.reason), None)
    shown = current.label if current is not None else texts.READ_PASSAGES
    title = library_title(library)
    count = f'<span class="quiet">· {texts.counted(documents, "document")}</span>' if documents is not None else ""
    reading = "".join(_choice(one, is_picked=one is current) for one in listed)
    others = "".join(
        library_button("use", library_title(other), more=f' data-text="{literal(other)}"')
        for other in names
        if other != library
    )
    opens = ' data-view="settings" data-of="documents"'
    new = library_button("ask-new", texts.LIBRARY_NEW, more=opens)
    new += f'<button type="button" class="press quiet"{opens}>{literal(texts.LIBRARY_MANAGE)}</button>'
    label = literal(texts.READ_LABEL.format(read=shown, library=title))
    return (
        f'<div class="active-library"{of_library(library)}><details class="switch"><summary aria-label="{label}"'
        f' title="{label}"><span class="picked">{literal(shown)}</span> <span class="quiet">·</span>'
        f' <b>{literal(title)}</b> {count}</summary><div class="choices">'
        f'<div role="group" aria-label="{literal(texts.READ)}">{reading}</div>'
        f'<div role="group" aria-label="{literal(texts.LIBRARY)}"><p class="quiet">{literal(texts.LIBRARY_SWITCH_NAME)}'
        f"</p>{others}{new}</div></div></details></div>"
    )


def _choice(one: ReadingChoice, *, is_picked: bool) -> str:
    if one.reason:
        return (
            f'<button type="button" class="press quiet" disabled>{literal(one.label)}'
            f'<span class="reason">{literal(one.reason)}</span></button>'
        )
    return (
        f'<button type="button" class="press quiet" data-read="{literal(one.value)}"'
        f' aria-pressed="{"true" if is_picked else "false"}">{literal(one.label)}</button>'
    )
