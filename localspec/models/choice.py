"""What a choice of model, draft and settings would take, before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from localspec import texts
from localspec.config import cache_folder, models_folder
from localspec.errors import LocalSpecError, ModelError
from localspec.models.files import catalogue
from localspec.models.files.catalogue import DEFAULT_MODEL, CatalogueEntry, ModelEntry
from localspec.models.files.check import remembered
from localspec.models.fit.fitting import SHORTENED, Fit, fit, without_crowding
from localspec.models.fit.measured_loads import read
from localspec.models.fit.memory import Footprint, Room, draft_of, footprint
from localspec.models.llama import LoadSettings
from localspec.models.pairing import compare_files
from localspec.models.quantization import tuned


@dataclass(frozen=True, slots=True)
class DefaultModel:
    """What is loaded where no model is named."""

    name: str
    notice: str = ""  # Why it is not the better one that is on this computer


def default_model(room: Callable[[], Room], *, embedder: bool = True) -> DefaultModel:
    """The model that the catalogue recommends, once it is on this computer and fits into `room` with its usual context;
    else the one that comes with LocalSpec. No model file is read for it; `room` is measured only where it matters."""
    folder, entry = models_folder(), catalogue.recommended_entry()
    if entry is None or not entry.is_here(folder):
        return DefaultModel(DEFAULT_MODEL)
    if catalogue.resolve(entry.name).path != entry.path(folder):  # a file of the person's own has its name
        return DefaultModel(DEFAULT_MODEL)
    draft = next((one for one in catalogue.catalogue_entries() if one.name == entry.draft), None)
    found = fit_of_entry(entry, room(), with_draft=draft is None or draft.is_here(folder), embedder=embedder)
    if fits_well(found):
        return DefaultModel(entry.name)
    needed, free = texts.gib(found.report.needed), texts.gib(found.report.free)
    return DefaultModel(
        DEFAULT_MODEL, texts.DEFAULT_TOO_BIG.format(model=entry.name, needed=needed, free=free, default=DEFAULT_MODEL)
    )


def fit_of_entry(entry: CatalogueEntry, room: Room, *, with_draft: bool = True, embedder: bool = True) -> Fit:
    """Whether a model of the catalogue would fit into `room`, by the catalogue's figures, with the draft it names."""
    draft = draft_of(entry, catalogue.catalogue_entries()) if with_draft else None
    return fit(footprint(entry), draft, room, embedder=embedder)


def fits_well(found: Fit) -> bool:
    """True where it fits without a shorter context."""
    return found.fits and found.context_why != SHORTENED


def fit_of(model: str, draft: str, settings: LoadSettings, room: Room, *, embedder: bool = True) -> Fit:
    """Whether the model called `model` fits into `room`, with the draft called `draft` beside it. A draft that cannot
    be used counts as none; one that nobody asked for gives way where memory is short. Raises ModelFileError where there
    is no such model, or its file does not tell its figures.
    """
    target = catalogue.resolve(model)
    taken = form_of(model, settings)
    beside, entry = draft_entry(target, draft), ModelEntry(target.name, taken)
    found = fit_of_files(entry, beside, settings, room, embedder=embedder)
    if beside is None or draft not in ("", catalogue.AUTOMATIC):
        return found
    return without_crowding(found, fit_of_files(entry, None, settings, room, embedder=embedder))


def fit_of_files(
    target: ModelEntry, draft: ModelEntry | None, settings: LoadSettings, room: Room, *, embedder: bool = True
) -> Fit:
    """Whether these files fit into `room`, by what loads of them were measured to take there. Raises ModelFileError."""
    taken = room.offloads and settings.gpu_layers != 0
    measured = read(cache_folder(), target.path, draft.path if draft else None, room.devices) if taken else ()
    return fit(
        footprint(target),
        footprint(draft) if draft is not None else None,
        room,
        context=settings.context,
        gpu_layers=settings.gpu_layers,
        embedder=embedder,
        measured=measured,
    )


def draft_for(target: ModelEntry, wanted: str) -> Footprint | None:
    """The figures of the draft that would be loaded beside `target`."""
    entry = draft_entry(target, wanted)
    return footprint(entry) if entry is not None else None


def draft_entry(target: ModelEntry, wanted: str) -> ModelEntry | None:
    """The draft that would be loaded beside `target`, as far as the files tell."""
    if wanted == catalogue.NO_DRAFT:
        return None
    try:
        by_itself = wanted in ("", catalogue.AUTOMATIC)
        candidates = catalogue.drafts_for(target) if by_itself else [catalogue.resolve_draft(wanted)]
        fitting = next((entry for entry in candidates if _is_pair(target.path, entry.path)), None)
        if fitting is not None:
            footprint(fitting)
        return fitting
    except (LocalSpecError, OSError):
        return None


def form_of(model: str, settings: LoadSettings) -> Path:
    """The file that is loaded for the model called `model`: of the list's, the form that was chosen for this computer,
    if there is one. Raises ModelFileError where there is no such model."""
    entry = catalogue.resolve(model)
    if catalogue.names_a_file(model) or settings.original:
        return entry.path
    verdict = remembered(entry.path, cache_folder())
    found = tuned.read(verdict.weights_fingerprint, settings) if verdict is not None else None
    path = found.path if found is not None and found.in_use else None
    return path or entry.path


def _is_pair(target: Path, draft: Path) -> bool:
    stamps = [(status.st_size, status.st_mtime_ns) for status in (target.stat(), draft.stat())]
    return _compared(target, draft, *stamps)


@lru_cache(maxsize=256)
def _compared(target: Path, draft: Path, target_stamp: tuple[int, int], draft_stamp: tuple[int, int]) -> bool:
    try:
        compare_files(target, draft)
    except ModelError:
        return False
    return True
