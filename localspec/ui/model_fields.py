"""The fields about models, and the choice that stands in them. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from localspec import texts
from localspec.application.remembered import Choice
from localspec.errors import SettingsError
from localspec.models.files.catalogue import AUTOMATIC, DEFAULT_MODEL, NO_DRAFT, ModelEntry, drafts
from localspec.models.fit.fitting import Fit
from localspec.ui.options import Number, load_settings

FIELDS = ("models", "model-file", "drafts", "context", "gpu-layers", "threads")
"""Names of the components, in the order in which handlers take them"""


def fields_of(choice: Choice, names: Sequence[str]) -> tuple[str | None, str, str, int, int, int]:
    """What the fields hold for a choice: model of the list, path, draft, context, GPU layers, threads."""
    model = choice.model or DEFAULT_MODEL
    listed = model in names
    model_fields = (model, "") if listed else (None, choice.model)
    return *model_fields, choice.draft, choice.context, choice.gpu_layers, choice.threads


def draft_choices(entries: Sequence[ModelEntry] | None = None) -> list[tuple[str, str]]:
    """What can be picked as a draft: label and value; `entries` are all draft models where they are not given."""
    special = [(texts.DRAFT_AUTOMATIC, AUTOMATIC), (texts.DRAFT_NONE, NO_DRAFT)]
    names = dict.fromkeys(entry.name for entry in (drafts() if entries is None else entries))
    return special + [(name, name) for name in names if name not in (AUTOMATIC, NO_DRAFT)]


def chosen(
    name: str | None, file: str | None, draft: str | None, context: Number, gpu_layers: Number, threads: Number
) -> Choice:
    """What the fields stand for. Raises SettingsError that names the field."""
    settings = load_settings(context, gpu_layers, threads)
    wanted, with_draft = typed(file) or name or "", typed(draft) or AUTOMATIC
    return Choice(wanted, with_draft, settings.context, settings.gpu_layers, settings.threads)


def as_picked(*fields: Any) -> Choice | None:  # noqa: ANN401
    """The same; None where one of the fields cannot be read."""
    try:
        return chosen(*fields)
    except SettingsError:
        return None


def check_context(found: Fit, choice: Choice) -> None:
    """Raises SettingsError for a context that the model cannot have."""
    trained = found.target.context
    if trained and choice.context > trained:
        raise SettingsError(texts.FIT_CONTEXT_LONG.format(name=found.target.name, trained=f"{trained:,}"))


def mean_the_same(choice: Choice, used: Choice) -> bool:
    """Whether two choices come to the same, with the default model under its name."""
    first, second = (replace(one, model=one.model or DEFAULT_MODEL) for one in (choice, used))
    return first == second


def typed(path: str | None) -> str:
    """A path or name as typed; people paste paths in quotes."""
    return (path or "").strip().strip('"')


def number_of(text: str) -> int:
    """A number that the page sent; 0 for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
