"""The picker of the heading: which model is loaded, and a menu of those that can be."""

from __future__ import annotations

import gradio as gr

from localspec.application.conversation import Conversation
from localspec.application.state import Application
from localspec.config import models_folder
from localspec.errors import LocalSpecError
from localspec.models.choice import fit_of
from localspec.models.files.catalogue import AUTOMATIC, ModelEntry
from localspec.models.fit.memory import Room
from localspec.models.llama import LoadSettings
from localspec.ui import picker_markup
from localspec.ui.catalogue_part import ModelFolder
from localspec.ui.part import Part, Tick, html
from localspec.ui.picker_markup import PickerEntry


class PickerPart(Part):
    """What is loaded is said by values that cost nothing to ask for; the folder is looked at while the menu is open."""

    told = ("status", "picker")

    def __init__(self, application: Application, folder: ModelFolder) -> None:
        super().__init__(application)
        self.folder = folder
        self._drawn: dict[bool, tuple[tuple[object, ...], str]] = {}
        """by whether the menu is open: what it was drawn from, and the markup"""

    def build(self) -> None:
        """The button, and the menu, which `picker.js` opens."""
        self.named["status"] = html("status")
        with gr.Column(elem_id="picker", min_width=0):
            self.named["picker"] = html("picker-menu")
            html("picker-file", picker_markup.path_field(models_folder()))

    def tell(self, tick: Tick) -> None:
        """Both of them."""
        tick.tell("status", self.status())
        tick.tell("picker", self.menu(tick.conversation))

    def status(self) -> str:
        """The button of the heading, with what is said beside and below it."""
        return picker_markup.status(self.application.models, self.application.downloads.states())

    def open(self, conversation: Conversation, is_open: bool) -> None:
        """The menu of a tab was opened, or closed."""
        conversation.models.menu_open = is_open
        if is_open:
            self.folder.look_again()

    def menu(self, conversation: Conversation) -> str:
        """The models on this computer; drawn anew where something of it has changed. While it is closed in this tab it
        says what was found the last time."""
        models, is_open = self.application.models, conversation.models.menu_open
        inventory = self.folder.inventory() if is_open else self.folder.known()
        looked = self.folder.looked if is_open else 0.0  # other programs take and give memory meanwhile
        known = (models.loaded, models.loading, models.unloading, inventory, looked)
        before = self._drawn.get(is_open)  # one tab may replace it while another looks
        if before is not None and before[0] == known:
            return before[1]
        loaded, idle = models.loaded, not models.loading and not models.unloading
        room = models.room() if idle else None
        entries = [self._entry(one, room) for one in inventory.models]
        if loaded is not None and all(one.state != "loaded" for one in entries):  # a file that lies elsewhere
            entries.insert(0, PickerEntry(loaded.name, loaded.bytes, "loaded"))
        drawn = picker_markup.menu(entries, can_unload=loaded is not None)
        self._drawn[is_open] = (known, drawn)
        return drawn

    def _entry(self, entry: ModelEntry, room: Room | None) -> PickerEntry:
        """`room`: the memory that can be had; None while that changes."""
        models = self.application.models
        loaded = models.loaded
        shown = PickerEntry(entry.name, entry.bytes)
        if loaded is not None and loaded.path == entry.path:
            return PickerEntry(entry.name, entry.bytes, "loaded")
        if models.loading:
            return PickerEntry(entry.name, entry.bytes, "loading" if models.loading == entry.name else "")
        if room is None:
            return shown
        try:
            found = fit_of(entry.name, AUTOMATIC, LoadSettings(), room, embedder=not models.has_embedder())
        except (LocalSpecError, OSError):
            return shown  # loading says what is wrong with it
        return PickerEntry(entry.name, entry.bytes, "", found.report.needed, found.report.free, found.fits)
