"""Chooses context length and GPU layers where the person leaves that open, and what would fit where a choice does not.

Automatic means: the usual context (what the model was trained for, at most 8,192 tokens), halved until it fits; and as
many layers on the GPU as fit beside the cache, all where nothing is known about its memory, which is what llama.cpp
does by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from localspec.models.fit.device_split import MeasuredLoad
from localspec.models.fit.memory import ALL_LAYERS, Footprint, MemoryReport, Room, memory_report, usual_context

MIN_CONTEXT = 512
"""Tokens below which a chat with passages makes no sense: a context is not made shorter by itself."""
MAX_LAYERS = 1000
"""More than any model has"""

ASKED, TRAINED, USUAL, SHORTENED = "asked", "trained", "usual", "shortened"
"""Why a context is as long as it is: the person's number; all the model was trained for; the usual part of that;
less, because more does not fit."""
NO_BUILD, ALL, SOME, NONE_FITS, UNMEASURED = "no build", "all", "some", "none", "unmeasured"
"""Why so many layers lie on a GPU, or ASKED: none can be used; all fit; some fit; none fits; all, as nothing is known
of its memory."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What would be loaded, and whether it fits."""

    target: Footprint
    draft: Footprint | None
    room: Room
    report: MemoryReport
    context: int  # Tokens
    context_why: str
    gpu_layers: int  # -1 = all
    layers_why: str
    embedder: bool = True  # True where the embedding model is still to be loaded
    measured: tuple[MeasuredLoad, ...] = ()  # What loads of these models took on the GPUs
    gave_way: str = ""  # Name of a draft that nobody asked for, and that is left out for want of memory

    @property
    def fits(self) -> bool:
        """True when there is memory for all of it."""
        return self.report.fits

    @property
    def could_be_tried(self) -> bool:
        """True where it does not fit, but target and cache alone do, and the rest may once other programs give way."""
        alone = memory_report(
            self.target, context=self.context, embedder=False, gpu_layers=self.gpu_layers, room=self.room
        )
        return not self.fits and alone.fits and self.report.needed <= self.room.total

    @property
    def could_ever_fit(self) -> bool:
        """True when this computer has that much memory, whoever uses it now."""
        return self.report.needed <= self.room.total


@dataclass(frozen=True, slots=True)
class Ways:
    """What would fit in place of a choice that does not; each alone, all else as it was chosen."""

    context: int | None = None  # A shorter context, in tokens
    gpu_layers: int | None = None  # Fewer layers on the GPU
    without_draft: bool = False


def fit(
    target: Footprint,
    draft: Footprint | None,
    room: Room,
    *,
    context: int = 0,
    gpu_layers: int = ALL_LAYERS,
    embedder: bool = True,
    measured: Sequence[MeasuredLoad] = (),
) -> Fit:
    """What loading with these settings means; `context` 0 and `gpu_layers` -1 choose by what is there, and by what
    loads of these models were `measured` to take."""
    lengths = [context] if context > 0 else _lengths(usual_context(target))
    made: Fit | None = None
    for length in lengths:
        layers, why = _layers(target, draft, room, length, gpu_layers, measured)
        report = memory_report(
            target, draft, context=length, embedder=embedder, gpu_layers=layers, room=room, measured=measured
        )
        reason = _why(target, length, shortened=length != lengths[0]) if context <= 0 else ASKED
        tried = Fit(target, draft, room, report, length, reason, layers, why, embedder, tuple(measured))
        if report.fits:
            return tried
        made = made or tried
    assert made is not None  # there is a first length
    return made


def without_crowding(crowded: Fit, alone: Fit) -> Fit:
    """The better one of a load with a draft that nobody asked for and one `alone`: the draft gives way before the
    context is shortened, and before layers leave the GPU."""
    if crowded.draft is None or not alone.fits:
        return crowded
    fewer = crowded.gpu_layers >= 0 and crowded.gpu_layers != alone.gpu_layers
    if crowded.fits and crowded.context >= alone.context and not fewer:
        return crowded
    return replace(alone, gave_way=crowded.draft.name)


def ways(wanted: Fit) -> Ways:
    """What would fit in place of what does not. All is None or False where nothing of the kind helps."""
    shorter = next((one for one in _lengths(wanted.context)[1:] if _again(wanted, context=one).fits), None)
    fewer = None
    if wanted.gpu_layers != 0:
        most = wanted.target.layers if wanted.gpu_layers < 0 else min(wanted.gpu_layers, wanted.target.layers + 1) - 1
        fewer = next((one for one in range(most, -1, -1) if _again(wanted, gpu_layers=one).fits), None)
    without = wanted.draft is not None and _again(wanted, with_draft=False).fits
    return Ways(shorter, fewer, without)


def _again(wanted: Fit, *, context: int = 0, gpu_layers: int | None = None, with_draft: bool = True) -> MemoryReport:
    return memory_report(
        wanted.target,
        wanted.draft if with_draft else None,
        context=context or wanted.context,
        embedder=wanted.embedder,
        gpu_layers=wanted.gpu_layers if gpu_layers is None else gpu_layers,
        room=wanted.room,
        measured=wanted.measured if with_draft else (),
    )


def _lengths(longest: int) -> list[int]:
    """`longest` and its halves, as long as they make sense."""
    found = [longest]
    while found[-1] // 2 >= MIN_CONTEXT:
        found.append(found[-1] // 2)
    return found


def _why(target: Footprint, length: int, *, shortened: bool) -> str:
    if shortened:
        return SHORTENED
    return TRAINED if target.context and length >= target.context else USUAL


def _layers(
    target: Footprint, draft: Footprint | None, room: Room, context: int, wanted: int, measured: Sequence[MeasuredLoad]
) -> tuple[int, str]:
    """How many layers of both models lie on the GPU, and why."""
    if not room.offloads:
        return 0, NO_BUILD
    if wanted >= 0:
        return (ALL_LAYERS if target.layers and wanted > target.layers else min(wanted, MAX_LAYERS)), ASKED
    if room.gpu is None:
        # A device that does not tell, or a build in which nothing can be asked: llama.cpp sees to it.
        return ALL_LAYERS, UNMEASURED

    def fits(layers: int) -> bool:
        report = memory_report(target, draft, context=context, gpu_layers=layers, room=room, measured=measured)
        return report.fits_on_gpu

    if fits(ALL_LAYERS):
        return ALL_LAYERS, ALL
    some = next((layers for layers in range(target.layers, 0, -1) if fits(layers)), 0)
    return some, SOME if some else NONE_FITS
