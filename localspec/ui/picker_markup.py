"""The model in the heading, and the menu that picks another one, as markup. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from localspec import texts
from localspec.application.downloads import RUNNING, UNDER_WAY, WAITING, DownloadState
from localspec.application.model_manager import ModelManager
from localspec.ui.elements import lines, literal

MENU = "picker-list"
"""id of the element that is the menu"""


@dataclass(frozen=True, slots=True)
class PickerEntry:
    """A model of the menu."""

    name: str
    bytes: int  # of its file
    state: str = ""  # "loaded", "loading" or ""
    needed: int = 0  # bytes of memory that it needs
    free: int = 0  # that it can get
    fits: bool = True


# -- the button -------------------------------------------------------------------------------------------------------


def status(models: ModelManager, downloads: Sequence[DownloadState] = ()) -> str:
    """The button with the model's name, size and state; beside it a download under way, below it what went wrong."""
    loaded = models.loaded
    size, title = "", ""
    if models.loading:
        state = "loading"
        said = f"{texts.LOADING.format(name=models.loading)} {texts.LOADING_STAGES[models.stage]}"
    elif loaded is not None:
        state, said, title = "ready", loaded.name, loaded.description
        size = f"{texts.weights(loaded.parameters)} · {texts.size(loaded.bytes)}"
    elif models.unloading:
        state, said = "unloading", texts.UNLOADING
    elif models.error is not None and models.failed:
        state, said = "failed", texts.PICKER_FAILED.format(name=Path(models.failed).name)
    else:
        state, said, title = "none", texts.NO_MODEL, texts.PICKER_NONE
    sized = f'<span class="size">{literal(size)}</span>' if size else ""
    button = (
        f'<button type="button" class="picker" data-picker="toggle" data-model="{state}" aria-haspopup="menu"'
        f' aria-expanded="false" aria-controls="{MENU}" title="{literal(title)}">'
        f'<span class="name">{literal(said)}</span> {sized}</button>'
    )
    return f'<div class="picked">{button}{_downloading(downloads)}</div>{_notes(models)}'


def _downloading(downloads: Sequence[DownloadState]) -> str:
    """A quiet word while a download runs; it opens the list of them."""
    under_way = [one for one in downloads if one.state in UNDER_WAY]
    if not under_way:
        return ""
    now = next((one for one in under_way if one.state != WAITING), under_way[0])
    said = texts.DOWNLOADING.format(percent=int(100 * now.done / now.total) if now.total else 0)
    if now.state != RUNNING:
        said = texts.DOWNLOAD_WAITS if now.state == WAITING else texts.DOWNLOAD_STATES[now.state].capitalize()
    return (
        f'<button type="button" class="downloading" data-settings="models" title="{literal(now.entry.name)}">'
        f"{literal(said)}</button>"
    )


def _notes(models: ModelManager) -> str:
    """Why a model is not loaded, or not as was to be expected, until that is closed or over."""
    said = [str(models.error)] if models.error is not None else []
    if not models.loading:  # these are about the loaded model
        said += [note for note in (models.notice, models.offload_notice) if note]
    if not said:
        return ""
    close = (
        f'<button type="button" class="close" data-press="model:dismiss=" aria-label="{literal(texts.CLOSE)}"'
        f' title="{literal(texts.CLOSE)}">×</button>'
    )
    told = "".join(f"<p>{lines(one)}</p>" for one in said)
    return f'<div class="picker-note problem" role="alert">{close}{told}</div>'


# -- the menu ---------------------------------------------------------------------------------------------------------


def menu(entries: Sequence[PickerEntry], *, can_unload: bool) -> str:
    """The models on this computer, and what else can be done; the script of the menu moves between its items."""
    rows = "".join(_entry(one) for one in entries)
    if not rows:
        rows = f'<p class="quiet">{literal(texts.PICKER_EMPTY)}</p>'
    others = [
        _item("file", texts.PICKER_FILE, ' data-picker="file" aria-expanded="false"'),
        _item("get", texts.PICKER_GET, ' data-settings="models"'),
    ]
    if can_unload:
        others.append(_item("unload", texts.UNLOAD, ' data-press="model:unload="'))
    return (
        f'<div id="{MENU}" class="menu" role="menu" aria-label="{literal(texts.PICKER_NAME)}">'
        f'<div role="group" aria-label="{literal(texts.PICKER_HERE)}">{rows}</div>'
        f'<div role="group" class="others" aria-label="{literal(texts.PICKER_SETTINGS)}">{"".join(others)}</div></div>'
    )


def _entry(entry: PickerEntry) -> str:
    facts = [texts.size(entry.bytes)]
    if entry.state:
        facts.append(texts.PICKER_LOADED if entry.state == "loaded" else texts.PICKER_LOADING)
    said = f'<span class="name">{literal(entry.name)}</span> <span class="facts">{literal(" · ".join(facts))}</span>'
    does = f' data-press="model:use={quote(entry.name, safe="")}"'
    if entry.state:
        does = ' data-picker="same"'
    elif not entry.fits:
        # What would fit is said beside the fields, which are set to it.
        does = f' data-press="model:model={quote(entry.name, safe="")}" data-settings="models"'
        why = texts.PICKER_FITS_NOT.format(needed=texts.gib(entry.needed), free=texts.gib(entry.free))
        said += f' <span class="why">{literal(why)} · {literal(texts.PICKER_WAYS)}</span>'
    fits = "" if entry.fits else ' data-fits="no"'
    checked = "true" if entry.state == "loaded" else "false"
    return (
        f'<button type="button" role="menuitemradio" aria-checked="{checked}" tabindex="-1"'
        f' data-item="model {literal(entry.name)}"{does}{fits}>{said}</button>'
    )


def _item(name: str, label: str, does: str) -> str:
    return f'<button type="button" role="menuitem" tabindex="-1" data-item="{name}"{does}>{literal(label)}</button>'


def path_field(folder: Path) -> str:
    """The field for a file elsewhere. It is never drawn again, so that what is pasted stays."""
    says = "".join(
        f'<button type="button" hidden data-press="model:menu={which}" data-picker-says="{which}"></button>'
        for which in ("open", "closed")
    )
    return (
        f'{says}<div class="path" hidden><label for="picker-path">{literal(texts.PICKER_PATH)}</label>'
        f'<div class="row"><input id="picker-path" type="text" placeholder="model.gguf" autocomplete="off"'
        f' spellcheck="false"><button type="button" class="press strong" data-picker="load">'
        f"{literal(texts.PICKER_LOAD)}</button></div>"
        f'<p class="quiet">{literal(texts.PICKER_FOLDER.format(folder=folder))}</p></div>'
    )
