"""Models that can be downloaded: the list of the catalogue, the downloads, and the one that the start page offers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace

import gradio as gr

from localspec import texts
from localspec.application.conversation import Conversation
from localspec.application.downloads import DownloadState, arrived
from localspec.application.state import Application
from localspec.config import models_folder
from localspec.errors import LocalSpecError, SettingsError
from localspec.models.choice import fit_of_entry, fits_well
from localspec.models.files.catalogue import (
    DEFAULT_MODEL,
    CatalogueEntry,
    catalogue_entries,
    find_entry,
    recommended_entry,
)
from localspec.models.files.hub import endpoint
from localspec.models.files.inventory import ModelInventory, look_through
from localspec.models.fit.fitting import fit as fit_into
from localspec.models.fit.memory import draft_of, footprint
from localspec.ui import catalogue_markup
from localspec.ui.catalogue_markup import BetterModel, DownloadQuestion, EntryState
from localspec.ui.part import Part, Tick, html

LOOK_SECONDS = 4.0
"""The folder and the free memory are looked at so often."""
_SPARE_DISK = 64 * 2**20


class ModelFolder:
    """The folder, looked at again every few seconds, for all parts of the page together."""

    def __init__(self) -> None:
        self.looked = 0.0
        """when it was, by `time.monotonic`"""
        self._inventory: ModelInventory | None = None

    def inventory(self) -> ModelInventory:
        """What lies in it."""
        if self._inventory is None or time.monotonic() - self.looked > LOOK_SECONDS:
            self._inventory = look_through()
            self.looked = time.monotonic()
        return self._inventory

    def known(self) -> ModelInventory:
        """What lay in it when it was looked at last; it is looked at only the first time."""
        return self._inventory if self._inventory is not None else self.inventory()

    def look_again(self) -> None:
        """Something may have arrived just now."""
        self.looked = 0.0

    def names(self) -> list[str]:
        """Of the models that can answer."""
        return [entry.name for entry in self.inventory().models]


class CataloguePart(Part):
    """Nothing is downloaded before the person was asked."""

    told = ("offers", "better")

    def __init__(self, application: Application, folder: ModelFolder) -> None:
        super().__init__(application)
        self.folder = folder
        self._states: tuple[tuple[object, ...], list[EntryState]] = ((), [])
        self._declined: set[str] = set()  # models that the start page offers no more until the next start
        self._fitting: tuple[tuple[object, ...], bool] = ((), False)

    def build_card(self) -> None:
        """Above the chat: the model that gives better answers."""
        self.named["better"] = html("better")

    def build(self) -> None:
        """The list; what is being downloaded is told in its entry."""
        with gr.Column(elem_id="offers-part"):
            self.named["offers"] = html("offers")

    def tell(self, tick: Tick) -> None:
        """All of them."""
        for name, part in self.parts(tick.conversation).items():
            tick.tell(name, part)

    def parts(self, conversation: Conversation) -> dict[str, str]:
        """What there is to see now, as `told` names it."""
        return {
            "offers": self._catalogue(conversation.download_asked),
            "better": catalogue_markup.better(self._better(conversation)),
        }

    def act(self, conversation: Conversation, action: str, what: str) -> None:
        """Buttons about downloads; those about other things are left alone. Raises LocalSpecError."""
        downloads = self.application.downloads
        if action == "ask":
            conversation.download_asked = find_entry(what).name
        elif action == "not":
            conversation.download_asked = ""
        elif action in ("get", "both"):
            entry = find_entry(what)
            draft = _missing_draft(entry) if action == "both" else None
            downloads.begin([entry, *([draft] if draft is not None else [])])
            conversation.download_asked = ""
        elif action == "pair":
            downloads.begin([entry for entry in _pair(find_entry(what)) if not entry.is_here(models_folder())])
        elif action == "halt":
            for entry in reversed(_pair(find_entry(what))):
                downloads.stop(entry.name)
        elif action == "later":
            self._declined.add(what)
            for entry in _pair(find_entry(what)):
                downloads.dismiss(entry.name)
        elif action == "stop":
            downloads.stop(what)
        elif action == "close":
            downloads.dismiss(what)
        elif action == "use":
            for name in (what, *(entry.name for entry in catalogue_entries() if entry.name == _draft_name(what))):
                downloads.dismiss(name)

    def _downloads(self) -> list[DownloadState]:
        """Those of chat models."""
        return [state for state in self.application.downloads.states() if isinstance(state.entry, CatalogueEntry)]

    def _better(self, conversation: Conversation) -> BetterModel | None:
        """What the start page says about the recommended model; None where it says nothing: where it is used already,
        another one was chosen, it does not fit, or the person has begun to chat."""
        entry, models, folder = recommended_entry(), self.application.models, models_folder()
        engine = models.engine
        if entry is None or conversation.chat.exchanges or models.loading or entry.name in self._declined:
            return None
        if engine is not None and engine.name != DEFAULT_MODEL:
            return None
        pair = _pair(entry)
        names = [one.name for one in pair]
        states = tuple(state for state in self._downloads() if state.entry.name in names)
        if not states and (all(one.is_here(folder) for one in pair) or not self._fits(entry)):
            return None
        counted = {state.entry.name: state.done for state in states}
        done = sum(
            one.bytes if one.is_here(folder) else min(counted.get(one.name, arrived(one)), one.bytes) for one in pair
        )
        free = shutil.disk_usage(folder).free
        enough = sum(one.bytes for one in pair) - done + _SPARE_DISK <= free
        try:
            host = _host()
        except SettingsError:
            host = texts.THE_HUB  # what is wrong with its address is told when it is used
        return BetterModel(entry, pair[1] if pair[1:] else None, host, done, free, enough, states)

    def _fits(self, entry: CatalogueEntry) -> bool:
        """Whether it fits as it should; asked again every half minute, for other programs take and give memory."""
        known = (entry.name, self.application.models.engine, int(time.monotonic() / 30))
        if self._fitting[0] != known:
            self._fitting = (known, fits_well(fit_of_entry(entry, self.application.models.room())))
        return self._fitting[1]

    def _catalogue(self, asked: str) -> str:
        """The list; what is on disk is looked at where something of it has changed."""
        downloads = self._downloads()
        inventory = self.folder.inventory()
        known = (asked, tuple(state.state for state in downloads), inventory, int(self.folder.looked / 30))
        if self._states[0] != known:
            self._states = (known, self._looked_at())
        states = [replace(one, download=_state_of(one.entry, downloads)) for one in self._states[1]]
        question, problem = None, ""
        if asked:
            try:
                question = _question(find_entry(asked))
            except LocalSpecError as error:
                problem = str(error)
        return catalogue_markup.catalogue(states, question, problem)

    def _looked_at(self) -> list[EntryState]:
        """What the list says about each entry, but for its download."""
        inventory = self.folder.inventory()
        room = self.application.models.room()
        here = {entry.path for entry in (*inventory.models, *inventory.drafts)}
        return [
            EntryState(
                entry,
                (found := fit_into(footprint(entry), draft_of(entry, catalogue_entries()), room)).report.needed,
                "fits" if found.fits else "close" if found.could_ever_fit else "never",
                entry.path(models_folder()) in here,
                arrived(entry),
            )
            for entry in catalogue_entries()
        ]


def _state_of(entry: CatalogueEntry, downloads: Sequence[DownloadState]) -> DownloadState | None:
    return next((one for one in downloads if one.entry.name == entry.name), None)


def _draft_name(name: str) -> str:
    """The draft that the catalogue names for a model; "" where there is none."""
    return next((entry.draft for entry in catalogue_entries() if entry.name == name), "")


def _pair(entry: CatalogueEntry) -> list[CatalogueEntry]:
    """A model, and the one that drafts for it where that can be downloaded."""
    return [entry, *(other for other in catalogue_entries() if other.name == entry.draft)]


def _missing_draft(entry: CatalogueEntry) -> CatalogueEntry | None:
    """The model that drafts for another one, where it has to be downloaded, too."""
    if not entry.draft or entry.draft == DEFAULT_MODEL:
        return None
    draft = find_entry(entry.draft)
    return None if draft.is_here(models_folder()) else draft


def _host() -> str:
    """Raises SettingsError where the hub's address is none."""
    return endpoint().partition("://")[2]


def _question(entry: CatalogueEntry) -> DownloadQuestion:
    """Raises SettingsError where the hub's address is none."""
    draft, host = _missing_draft(entry), _host()
    missing = max(0, entry.bytes - arrived(entry))
    missing_draft = max(0, draft.bytes - arrived(draft)) if draft is not None else 0
    free = shutil.disk_usage(models_folder()).free
    return DownloadQuestion(
        *(entry, draft, host, missing, missing_draft, free),
        enough=missing + _SPARE_DISK <= free,
        enough_for_both=missing + missing_draft + _SPARE_DISK <= free,
    )
