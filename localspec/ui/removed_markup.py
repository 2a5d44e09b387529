"""Removed documents as markup: what was just removed, with "Undo", and all that can still be brought back."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from localspec import texts
from localspec.stores.ingestion.removed_documents import KEPT_DAYS
from localspec.stores.library import RemovedDocument
from localspec.ui.elements import library_button, library_icon, lines, literal, of_library

_LISTED = 50


def removed(library: str, kept: Sequence[RemovedDocument], just_now: Collection[int]) -> str:
    """What was removed from a library, empty where that is nothing; `just_now` are ids of what one press brings
    back."""
    if not kept:
        return ""
    lately = [one for one in kept if one.id in just_now]
    line = ""
    if lately:
        many = texts.REMOVED_MANY.format(documents=texts.counted(len(lately), "document"))
        said = texts.REMOVED.format(name=lately[0].name) if len(lately) == 1 else many
        undo = library_button("bring-back", texts.UNDO)
        line = f'<p class="just-removed" role="status">{lines(said)} {undo}</p>'
    size = texts.size(sum(one.bytes for one in kept))
    head = texts.REMOVED_KEPT.format(documents=texts.counted(len(kept), "document"), size=size)
    rows = "".join(_row(one) for one in kept[:_LISTED])
    more = f"<p>{lines(texts.MORE.format(number=len(kept) - _LISTED))}</p>" if len(kept) > _LISTED else ""
    everything = library_button("delete-removed", texts.DELETE_REMOVED_ALL, "warm")
    return (
        f'<div class="removals"{of_library(library)}>{line}<details class="quiet"><summary>{lines(head)}</summary>'
        f"<p>{lines(texts.REMOVED_WHY.format(days=KEPT_DAYS))}</p>"
        f'<ul class="documents">{rows}</ul>{more}{everything}</details></div>'
    )


def _row(one: RemovedDocument) -> str:
    back = library_button(
        "bring-back", texts.BRING_BACK, about=one.id, title=texts.BRING_BACK_ONE.format(name=one.name)
    )
    delete = texts.DELETE_REMOVED_ONE.format(name=one.name)
    return (
        f'<li class="document" data-removed="{one.id}"><div class="about"><div class="name">{literal(one.name)}</div>'
        f'<div class="quiet">{lines(texts.size(one.bytes))}</div></div>{back}'
        f"{library_icon('delete-removed', '×', one.id, texts.DELETE_REMOVED, delete)}</li>"
    )
