"""The models that can be downloaded, and their downloads, as markup. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localspec import texts
from localspec.application.downloads import (
    CHECKING,
    DONE,
    FAILED,
    RUNNING,
    STOPPED,
    STOPPING,
    UNDER_WAY,
    WAITING,
    DownloadState,
    size_of,
)
from localspec.models.files.catalogue import CatalogueEntry
from localspec.ui.elements import literal, meter, model_button, note, paragraph


@dataclass(frozen=True, slots=True)
class EntryState:
    """What the list says about one model of the catalogue."""

    entry: CatalogueEntry
    memory: int  # Bytes that it takes, with the draft that is named for it
    fits: str  # A key of `texts.ENTRY_FITS`
    here: bool  # It is on this computer
    arrived: int  # Bytes that an earlier download has left
    download: DownloadState | None = None  # The one of this entry, under way or over


@dataclass(frozen=True, slots=True)
class DownloadQuestion:
    """What is asked before a download."""

    entry: CatalogueEntry
    draft: CatalogueEntry | None  # the model that drafts for it, where it is not here yet
    host: str
    missing: int  # Bytes that are still to come of the model
    missing_draft: int
    free_disk: int
    enough: bool  # There is room for the model on the disk
    enough_for_both: bool


@dataclass(frozen=True, slots=True)
class BetterModel:
    """What the start page says about the model that the catalogue recommends."""

    entry: CatalogueEntry
    draft: CatalogueEntry | None  # The model that drafts for it, where that is to be downloaded, too
    host: str
    done: int  # Bytes of both that are here
    free_disk: int
    enough: bool  # There is room on the disk for what is missing
    states: tuple[DownloadState, ...]  # Downloads of the two, as far as there are any

    @property
    def total(self) -> int:
        """Bytes of both."""
        return self.entry.bytes + (self.draft.bytes if self.draft is not None else 0)


def catalogue(states: Sequence[EntryState], question: DownloadQuestion | None, problem: str = "") -> str:
    """The models of the catalogue, each with a button to download it, or the question where that was pressed."""
    rows = "".join(_entry(state, question) for state in states)
    wrong = note(problem, "problem") if problem else ""
    return f'<div class="offers">{paragraph(texts.CATALOGUE_WHY)}{wrong}{rows}</div>'


def _entry(state: EntryState, question: DownloadQuestion | None) -> str:
    entry = state.entry
    size = f"{texts.ENTRY_ABOUT if entry.approximate else ''}{texts.size(entry.bytes)}"
    facts = [
        size,
        entry.licence,
        f"{texts.ENTRY_MEMORY.format(memory=texts.gib(state.memory))}: {texts.ENTRY_FITS[state.fits]}",
    ]
    if entry.draft:
        facts.append(texts.ENTRY_DRAFT.format(draft=entry.draft))
    said = f'<div class="name">{literal(entry.title)}</div>'
    said += paragraph(entry.about) if entry.about else ""
    said += paragraph(" · ".join(facts), "quiet")
    here = f'<p class="quiet">{literal(texts.ENTRY_HERE)}</p>' if state.here else ""
    if state.download is not None:
        # Told where it was pressed.
        said, action = said + _download(state.download, model_button, texts.DOWNLOAD_USE), here
    elif state.here:
        action = here
    elif question is not None and question.entry == entry:
        said, action = said + _question(question), ""
    else:
        label = texts.DOWNLOAD_GO_ON if state.arrived else texts.DOWNLOAD
        action = model_button("ask", entry.name, label)
        if state.arrived:
            said += paragraph(texts.ENTRY_PART_HERE.format(done=texts.size(state.arrived)), "quiet")
    return (
        f'<div class="offer {state.fits}" data-offer="{entry.name}"><div class="about">{said}</div>'
        f'<div class="action">{action}</div></div>'
    )


def _question(question: DownloadQuestion) -> str:
    entry = question.entry
    asked = texts.DOWNLOAD_ASK.format(
        size=texts.size(question.missing), host=question.host, repository=entry.repository, name=entry.name,
        licence=entry.licence,
    )  # fmt: skip
    if entry.pieces:
        asked = f"{asked} {texts.DOWNLOAD_ASK_PIECES.format(index=texts.PACKAGE_INDEX)}"
    free = texts.size(question.free_disk)
    buttons = []
    if question.enough:
        said = f"{asked} {texts.DOWNLOAD_ASK_FREE.format(free=free)}"
        buttons.append(model_button("get", entry.name, texts.DOWNLOAD_NOW.format(size=texts.size(question.missing))))
        if question.draft is not None and question.enough_for_both:
            both = texts.size(question.missing + question.missing_draft)
            buttons.append(model_button("both", entry.name, texts.DOWNLOAD_BOTH.format(size=both)))
    else:
        said = f"{asked} {texts.DOWNLOAD_NO_ROOM.format(size=texts.size(question.missing), free=free)}"
    buttons.append(model_button("not", entry.name, texts.CANCEL))
    return f'<div class="asked">{paragraph(said)}<div class="ways">{"".join(buttons)}</div></div>'


def downloads(
    states: Sequence[DownloadState], button: Callable[..., str] = model_button, use: str = texts.DOWNLOAD_USE
) -> str:
    """What is being downloaded, or was; empty where nothing is. `use` is what is done with one that has arrived."""
    return "".join(_download(state, button, use) for state in states)


def _download(state: DownloadState, button: Callable[..., str], use: str) -> str:
    name = state.entry.name
    said = texts.DOWNLOAD_STATES[state.state].format(
        done=texts.size(state.done), total=texts.size(state.total or size_of(state.entry))
    )
    label = " · ".join([name, said, *_speed(state, state.seconds_left)])
    if state.state in UNDER_WAY:
        shown = meter(label, state.done / state.total if state.total else 0.0)
        shown += paragraph(state.notice, "quiet") if state.notice else ""
        can_stop = state.state in (WAITING, RUNNING, CHECKING)
        buttons = [button("stop", name, texts.CANCEL)] if can_stop else []
    else:
        shown = paragraph(label)
        if state.problem:
            shown += note(state.problem, "problem")
        again = texts.DOWNLOAD_GO_ON if state.done else texts.DOWNLOAD_AGAIN
        first = {DONE: ("use", use), STOPPED: ("get", again), FAILED: ("get", texts.DOWNLOAD_AGAIN)}
        action, words = first[state.state]
        buttons = [button(action, name, words), button("close", name, texts.CLOSE)]
    return (
        f'<div class="download" data-download="{name}" data-state="{state.state}">{shown}'
        f'<div class="ways">{"".join(buttons)}</div></div>'
    )


def _speed(state: DownloadState, seconds_left: float | None) -> list[str]:
    """Bytes per second, and how long it will take, as far as that is known."""
    if state.state != RUNNING or state.rate <= 0:
        return []
    left = [] if seconds_left is None else [texts.TIME_LEFT.format(time=texts.roughly(seconds_left))]
    return [f"{texts.size(int(state.rate))}/s", *left]


def better(shown: BetterModel | None) -> str:
    """The card of the start page: the recommended model offered, on its way, or here. Empty for None."""
    if shown is None:
        return ""
    under_way = [state for state in shown.states if state.state in UNDER_WAY]
    problems = [state.problem for state in shown.states if state.state == FAILED]
    if under_way:
        kind, title, said, buttons = "under-way", texts.BETTER_UNDER_WAY, _on_its_way(shown, under_way), ["halt"]
    elif problems or any(state.state == STOPPED for state in shown.states):
        kind, title, buttons = "open", texts.BETTER_NOT_HERE, ["pair", "later"]
        said = "".join(note(problem, "problem") for problem in problems)
        said += paragraph(texts.ENTRY_PART_HERE.format(done=texts.size(shown.done))) if shown.done else ""
    elif shown.done >= shown.total:
        kind, title, buttons = "here", texts.BETTER_HERE, ["use", "later"]
        said = paragraph(texts.BETTER_HERE_WHY.format(title=shown.entry.title))
    else:
        kind, title = "offer", texts.BETTER_TITLE.format(size=texts.size(shown.entry.bytes))
        said, buttons = _offered(shown), ["pair", "later"] if shown.enough else ["later"]
    labels = {
        "pair": texts.BETTER_GET.format(size=texts.size(shown.total - shown.done)),
        "later": texts.BETTER_LATER,
        "halt": texts.CANCEL,
        "use": texts.DOWNLOAD_USE,
    }
    strong = ("pair", "use")
    ways = "".join(
        model_button(name, shown.entry.name, labels[name], "strong" if name in strong else "quiet") for name in buttons
    )
    return (
        f'<div class="better" data-better="{kind}"><div class="name">{literal(title)}</div>{said}'
        f'<div class="ways">{ways}</div></div>'
    )


def _offered(shown: BetterModel) -> str:
    entry = shown.entry
    facts = [texts.BETTER_DRAFT.format(size=texts.size(shown.total))] if shown.draft is not None else []
    way = texts.BETTER_FROM if entry.pieces else texts.BETTER_FROM_HUB
    facts.append(way.format(host=shown.host, index=texts.PACKAGE_INDEX))
    if shown.done:
        facts.append(f"{texts.ENTRY_PART_HERE.format(done=texts.size(shown.done))}.")
    said = paragraph(texts.BETTER_WHY.format(title=entry.title, licence=entry.licence))
    said += paragraph(" ".join(facts), "quiet")
    if not shown.enough:
        missing, free = texts.size(shown.total - shown.done), texts.size(shown.free_disk)
        said += note(texts.DOWNLOAD_NO_ROOM.format(size=missing, free=free), "problem")
    return said


def _on_its_way(shown: BetterModel, under_way: Sequence[DownloadState]) -> str:
    """Both downloads as one."""
    now = next((state for state in under_way if state.state != WAITING), under_way[0])
    done = texts.DOWNLOAD_STATES["running"].format(done=texts.size(shown.done), total=texts.size(shown.total))
    if now.state in (CHECKING, STOPPING):
        done = f"{done} · {texts.DOWNLOAD_STATES[now.state]}"
    left = (shown.total - shown.done) / now.rate if now.rate > 0 else None
    label = " · ".join([done, *_speed(now, left)])
    return meter(label, shown.done / shown.total) + (paragraph(now.notice, "quiet") if now.notice else "")
