"""What a choice of model, draft and settings would take, before anything is loaded."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from localspec.config import cache_folder
from localspec.errors import LocalSpecError, ModelError
from localspec.models.files import catalogue
from localspec.models.files.catalogue import ModelEntry
from localspec.models.files.check import remembered
from localspec.models.fit.fitting import Fit, fit
from localspec.models.fit.measured_loads import read
from localspec.models.fit.memory import Footprint, Room, footprint
from localspec.models.llama import LoadSettings
from localspec.models.pairing import compare_files
from localspec.models.quantization import tuned


def fit_of(model: str, draft: str, settings: LoadSettings, room: Room, *, embedder: bool = True) -> Fit:
    """Whether the model called `model` fits into `room`, with the draft called `draft` beside it. A draft that cannot
    be used counts as none. Raises ModelFileError where there is no such model, or its file does not tell its figures.
    """
    target = catalogue.resolve(model)
    taken = form_of(model, settings)
    beside = draft_entry(target, draft)
    return fit_of_files(ModelEntry(target.name, taken), beside, settings, room, embedder=embedder)


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
