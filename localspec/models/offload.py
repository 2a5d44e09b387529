"""Before layers go to the graphics card: the same load is tried in a child process, so that an abort in llama.cpp or
its driver ends the child, not the chat.

The file has passed `files.check` before, on the processor alone: what the child (`TRIAL`) fails at is then the card's
memory, the build of llama.cpp, or the driver. A load that worked is remembered with what it took of each GPU, and is
not tried again while that much is free.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from localspec import texts
from localspec.config import cache_folder
from localspec.errors import ModelError, OutOfMemoryError
from localspec.models.choice import draft_entry, fit_of_files, form_of
from localspec.models.device_trial import FAILED, MEMORY, SETTINGS, Trial
from localspec.models.files import catalogue
from localspec.models.files.catalogue import ModelEntry
from localspec.models.files.check import check, patience, shortened
from localspec.models.files.child import child_of, run
from localspec.models.fit.device_split import MeasuredLoad
from localspec.models.fit.fitting import MAX_LAYERS, Fit, fit
from localspec.models.fit.measured_loads import keep, read
from localspec.models.fit.memory import ALL_LAYERS, GPU_RESERVE, Room, footprint, measure_room, usual_context
from localspec.models.llama import LoadSettings, tells_of_short_memory

TRIAL = "localspec.models.device_trial"
"""Name of the module that loads a model for trial"""
MAX_TRIALS = 4
"""Loads that are tried before all layers stay on the processor"""
MAX_CRASHES = 2
"""Of these, such as end for another reason than memory: fewer layers seldom help then."""
_WORKS, _CRASHED = "works", "crashed"
_MARGIN = 2**27
"""Bytes that are free beyond what a remembered load took, or it is tried again"""


@dataclass(frozen=True, slots=True)
class Proven:
    """Settings that a model can be loaded with."""

    settings: LoadSettings
    notice: str = ""  # Why they are not those that were wanted; what llama.cpp says may stand in it


@dataclass(frozen=True, slots=True)
class _Outcome:
    kind: str
    took: tuple[int, ...] = ()
    reason: str = ""


def proven(
    model: str, draft: str, settings: LoadSettings, *, automatic: bool, room: Callable[[], Room] = measure_room
) -> Proven:
    """`settings` with as many GPU layers as `model` can be loaded with, beside the draft called `draft`: fewer are
    tried where those do not fit, or llama.cpp crashes, as long as their number is `automatic`. Nothing is tried where
    no layer goes to a GPU.

    Raises ModelError, OutOfMemoryError where a number that the person chose does not work; ModelFileError.
    """
    if settings.gpu_layers == 0 or not room().offloads:
        return Proven(settings)
    target = catalogue.resolve(model)
    check(target.path, cache_folder())
    beside = _checked_draft(target, draft)
    wanted, problem, crashes = settings, "", 0
    for _ in range(MAX_TRIALS):
        entry = ModelEntry(target.name, _checked_form(model, target, wanted))
        tried = _exactly(entry, beside, wanted, room())
        outcome = _tried(entry, beside, wanted, tried)
        if outcome.kind == SETTINGS or (outcome.kind == _WORKS and not problem):
            return Proven(wanted)  # settings that it cannot have are told by loading it
        if outcome.kind == _WORKS:
            some = texts.OFFLOAD_SOME.format(layers=wanted.gpu_layers, all=tried.target.layers)
            return Proven(wanted, f"{problem} {some}")
        fewer = _fewer(entry, beside, wanted, outcome, room())
        if not automatic:
            raise _refusal(tried, wanted, outcome, fewer)
        problem, crashes = _problem(tried, outcome), crashes + (outcome.kind != MEMORY)
        if fewer == 0 or crashes == MAX_CRASHES:
            break
        wanted = replace(wanted, gpu_layers=fewer)
    end = texts.OFFLOAD_NONE_FITS.format(name=target.name)
    if outcome.kind != MEMORY:
        end = f"{texts.OFFLOAD_NONE} {texts.OFFLOAD_ADVICE}"
    return Proven(replace(settings, gpu_layers=0), f"{problem} {end}")


def _checked_draft(target: ModelEntry, wanted: str) -> ModelEntry | None:
    """The draft that is loaded beside it; None where its file does not pass, which loading it tells."""
    draft = draft_entry(target, wanted)
    try:
        if draft is not None:
            check(draft.path, cache_folder())
    except ModelError:
        return None
    return draft


def _checked_form(model: str, target: ModelEntry, settings: LoadSettings) -> Path:
    """The file that is loaded with these settings."""
    form = form_of(model, settings)
    try:
        check(form, cache_folder())
    except ModelError:
        return target.path
    return form


def _exactly(entry: ModelEntry, draft: ModelEntry | None, wanted: LoadSettings, room: Room) -> Fit:
    """What is counted for a load, with so many layers and such a context whether they fit or not, and not corrected."""
    size, beside = footprint(entry), footprint(draft) if draft is not None else None
    layers = wanted.gpu_layers if wanted.gpu_layers >= 0 else MAX_LAYERS
    context = wanted.context or usual_context(size)
    return fit(size, beside, room, context=context, gpu_layers=layers, embedder=False)


def _tried(entry: ModelEntry, draft: ModelEntry | None, wanted: LoadSettings, counted: Fit) -> _Outcome:
    """What becomes of a load: as remembered, or from a child."""
    files = (cache_folder(), entry.path, draft.path if draft is not None else None, counted.room.devices)
    for load in read(*files):
        if (load.context, load.gpu_layers) == (counted.context, counted.gpu_layers) and _has_room(load, counted.room):
            return _Outcome(_WORKS)
    outcome = _ask(Trial(str(entry.path), str(draft.path) if draft is not None else "", wanted), counted)
    if outcome.kind == _WORKS and len(outcome.took) == len(counted.room.devices):
        needs = {place: one.needed for place, one in enumerate(counted.report.on_devices)}
        parts = tuple(max(0, needs.get(place, 0) - GPU_RESERVE) for place in range(len(outcome.took)))
        keep(*files, MeasuredLoad(counted.context, counted.gpu_layers, outcome.took, parts))
    return outcome


def _has_room(load: MeasuredLoad, room: Room) -> bool:
    pairs = zip(load.took, room.devices, strict=False)
    return all(device.total == 0 or took + _MARGIN <= device.free for took, device in pairs)


def _ask(trial: Trial, counted: Fit) -> _Outcome:
    """Load it in a child. Raises OutOfMemoryError where the computer's own memory runs out, ModelError."""
    name = Path(trial.model).name
    sizes = (counted.target.file_bytes, counted.draft.file_bytes if counted.draft is not None else 0)
    limit = patience(sum(sizes))
    try:
        ended = run(child_of(TRIAL, trial.as_json()), limit)
    except subprocess.TimeoutExpired:
        return _Outcome(FAILED, reason=texts.OFFLOAD_SLOW.format(seconds=limit))
    except OSError as error:
        raise ModelError(f"{name} could not be loaded: {error}.", "Start LocalSpec again.") from error
    report = ended.report
    if ended.was_killed:
        raise OutOfMemoryError(
            f"{name} could not be loaded: most likely the system ran out of memory.",
            "Close other programs, or choose a smaller model or format.",
        )
    if "kind" in report:
        kind = str(report["kind"])
        return _Outcome(kind if kind in (MEMORY, SETTINGS) else FAILED, reason=shortened(str(report.get("message"))))
    took = report.get("took")
    if ended.code == 0 and isinstance(took, list):
        return _Outcome(_WORKS, tuple(int(count) for count in took))
    said = ": ".join(part for part in (ended.how, shortened(ended.last_words)) if part)
    if tells_of_short_memory(ended.error_output):
        return _Outcome(MEMORY, reason=said)
    return _Outcome(_CRASHED if ended.crashed else FAILED, reason=said)


def _fewer(entry: ModelEntry, draft: ModelEntry | None, failed: LoadSettings, outcome: _Outcome, room: Room) -> int:
    """How many layers to try next: as many as fit now, by what was measured, or else half as many."""
    found = fit_of_files(entry, draft, replace(failed, gpu_layers=ALL_LAYERS), room, embedder=False)
    most = failed.gpu_layers if failed.gpu_layers >= 0 else found.target.layers + 1
    if outcome.kind == MEMORY and 0 <= found.gpu_layers < most:
        return found.gpu_layers
    return most // 2


def _problem(tried: Fit, outcome: _Outcome) -> str:
    """What went wrong, as the beginning of a sentence that tells what was done about it."""
    begin = {MEMORY: texts.OFFLOAD_FULL, _CRASHED: texts.OFFLOAD_CRASHED}.get(outcome.kind, texts.OFFLOAD_FAILED)
    return begin.format(name=tried.target.name, device=_devices(tried.room), reason=outcome.reason)


def _refusal(tried: Fit, wanted: LoadSettings, outcome: _Outcome, fewer: int) -> ModelError:
    """Why so many layers as the person chose cannot be loaded, and what could."""
    if outcome.kind != MEMORY:
        return ModelError(f"{_problem(tried, outcome).removesuffix(':')}.", texts.OFFLOAD_ADVICE)
    layers = texts.counted(min(wanted.gpu_layers, tried.target.layers + 1), "layer")
    advice = texts.OFFLOAD_FEWER.format(layers=fewer) if fewer else texts.OFFLOAD_NO_LAYER
    said = texts.OFFLOAD_TOO_MANY.format(device=_devices(tried.room), layers=layers, name=tried.target.name)
    return OutOfMemoryError(said, advice)


def _devices(room: Room) -> str:
    return ", ".join(device.name for device in room.devices) or texts.FIT_GPU
