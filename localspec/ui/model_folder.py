"""What lies in the folder of models, as the page knows it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from localspec import texts
from localspec.application.remembered import Choice
from localspec.models.files.catalogue import AUTOMATIC, DEFAULT_MODEL, NO_DRAFT, ModelEntry, drafts
from localspec.models.files.inventory import ModelInventory, look_through

LOOK_SECONDS = 4.0
"""The folder and the free memory are looked at so often."""


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


def fields_of(choice: Choice, names: Sequence[str]) -> tuple[str | None, str, str, int, int, int]:
    """What the fields of the part about models hold for a choice: model of the list, path, draft, context, GPU layers,
    threads."""
    model = choice.model or DEFAULT_MODEL
    listed = model in names
    return (
        model if listed else None,
        "" if listed else choice.model,
        choice.draft,
        choice.context,
        choice.gpu_layers,
        choice.threads,
    )


def draft_choices(entries: Sequence[ModelEntry] | None = None) -> list[tuple[str, str]]:
    """What can be picked as a draft: label and value; `entries` are all draft models where they are not given."""
    special = [(texts.DRAFT_AUTOMATIC, AUTOMATIC), (texts.DRAFT_NONE, NO_DRAFT)]
    names = dict.fromkeys(entry.name for entry in (drafts() if entries is None else entries))
    return special + [(name, name) for name in names if name not in (AUTOMATIC, NO_DRAFT)]
