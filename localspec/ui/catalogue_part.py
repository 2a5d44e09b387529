"""Models that can be downloaded: the list of the catalogue, and the downloads."""

from __future__ import annotations

import shutil
import time

from localspec import texts
from localspec.application.downloads import UNDER_WAY, arrived
from localspec.application.state import Application, Conversation
from localspec.config import models_folder
from localspec.errors import LocalSpecError
from localspec.models.files.catalogue import DEFAULT_MODEL, CatalogueEntry, catalogue_entries, find_entry
from localspec.models.files.hub import endpoint
from localspec.models.files.inventory import ModelInventory, look_through
from localspec.models.fit.fitting import fit as fit_into
from localspec.models.fit.memory import draft_of, footprint
from localspec.ui import catalogue_markup
from localspec.ui.catalogue_markup import DownloadQuestion, EntryState
from localspec.ui.part import Part, Tick, closed, html

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

    def look_again(self) -> None:
        """Something may have arrived just now."""
        self.looked = 0.0

    def names(self) -> list[str]:
        """Of the models that can answer."""
        return [entry.name for entry in self.inventory().models]


class CataloguePart(Part):
    """Nothing is downloaded before the person was asked."""

    told = ("downloads", "offers")

    def __init__(self, application: Application, folder: ModelFolder) -> None:
        super().__init__(application)
        self.folder = folder
        self._drawn: tuple[tuple[object, ...], str] = ((), "")

    def build(self) -> None:
        """The downloads, and the list, closed at first."""
        self.named["downloads"] = html("downloads")
        with closed(texts.GET_MODELS, "offers-part"):
            self.named["offers"] = html("offers")

    def tell(self, tick: Tick) -> None:
        """Both."""
        for name, part in self.parts(tick.conversation).items():
            tick.tell(name, part)

    def parts(self, conversation: Conversation) -> dict[str, str]:
        """What there is to see now, as `told` names it."""
        return {
            "downloads": catalogue_markup.downloads(self.application.downloads.states()),
            "offers": self._catalogue(conversation.download_asked),
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
        elif action == "stop":
            downloads.stop(what)
        elif action in ("close", "use"):
            downloads.dismiss(what)

    def _catalogue(self, asked: str) -> str:
        """The list; drawn anew where something of it has changed."""
        downloads = self.application.downloads.states()
        under_way = tuple(state.entry.name for state in downloads if state.state in UNDER_WAY)
        inventory = self.folder.inventory()
        known = (asked, under_way, tuple(state.state for state in downloads), inventory, int(self.folder.looked / 30))
        before, drawn = self._drawn  # one tab may replace them while another looks
        if before == known:
            return drawn
        room = self.application.models.room()
        here = {entry.path for entry in (*inventory.models, *inventory.drafts)}
        states = [
            EntryState(
                entry,
                (found := fit_into(footprint(entry), draft_of(entry, catalogue_entries()), room)).report.needed,
                "fits" if found.fits else "close" if found.could_ever_fit else "never",
                entry.path(models_folder()) in here,
                arrived(entry),
                entry.name in under_way,
            )
            for entry in catalogue_entries()
        ]
        question, problem = None, ""
        if asked:
            try:
                question = _question(find_entry(asked))
            except LocalSpecError as error:
                problem = str(error)
        drawn = catalogue_markup.catalogue(states, question, problem)
        self._drawn = (known, drawn)
        return drawn


def _missing_draft(entry: CatalogueEntry) -> CatalogueEntry | None:
    """The model that drafts for another one, where it has to be downloaded, too."""
    if not entry.draft or entry.draft == DEFAULT_MODEL:
        return None
    draft = find_entry(entry.draft)
    return None if draft.path(models_folder()).is_file() else draft


def _question(entry: CatalogueEntry) -> DownloadQuestion:
    """Raises SettingsError where the hub's address is none."""
    draft = _missing_draft(entry)
    host = endpoint().partition("://")[2]
    missing = max(0, entry.bytes - arrived(entry))
    missing_draft = max(0, draft.bytes - arrived(draft)) if draft is not None else 0
    free = shutil.disk_usage(models_folder()).free
    return DownloadQuestion(
        *(entry, draft, host, missing, missing_draft, free),
        enough=missing + _SPARE_DISK <= free,
        enough_for_both=missing + missing_draft + _SPARE_DISK <= free,
    )
