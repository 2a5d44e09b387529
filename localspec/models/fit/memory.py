"""Whether a model fits into the memory that is free, together with its draft, both KV caches and the embedding model.

Works before a download from the catalogue's figures, and for a file from its header. Layers on GPUs are counted there,
on each as llama.cpp splits them, corrected by what loads were measured to take; without any, all is main memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from localspec.models.files.catalogue import DEFAULT_MODEL, CatalogueEntry, ModelEntry, available
from localspec.models.files.header import parts_of, read_header
from localspec.models.fit.device_split import DeviceLoad, MeasuredLoad, corrections, needed_by_device
from localspec.models.llama import DEFAULT_CONTEXT, PREFILL_ROWS, Device, gpu_devices, gpu_offload_available

EMBEDDER_BYTES = 600 * 2**20
"""all-MiniLM-L6-v2 with torch and transformers: the process grew by 614 MiB with the first batches of texts, of which
the weights are 90 (resident size; torch 2.13.0, sentence-transformers 6.2.0, Linux x86-64)."""
GPU_RESERVE = 2**30
"""Left free on a GPU for its driver and llama.cpp's buffers, as llama.cpp's own programs do (--fit-target, 1 GiB)."""
ALL_LAYERS = -1
_LOGIT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Footprint:
    """What decides the memory that one model takes."""

    name: str
    file_bytes: int
    kv_bytes_per_token: int  # 0 = unknown
    vocabulary: int  # 0 = unknown
    context: int  # Tokens the model was trained for; 0 = unknown
    layers: int = 0  # Blocks of the model; 0 = unknown


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """One thing that takes memory."""

    what: str
    bytes: int
    on_gpu: int = 0  # Of these, bytes in a GPU's memory


@dataclass(frozen=True, slots=True)
class Room:
    """The memory that can be had."""

    main: int  # Bytes that programs can get now without swapping
    total: int  # Bytes of main memory in all
    offloads: bool = False  # True where llama.cpp can use a GPU, as far as is known
    devices: tuple[Device, ...] = ()
    """the GPUs it would use; empty where it can use one of which nothing can be found out"""

    @property
    def gpu(self) -> int | None:
        """Bytes free on the GPUs, all together; None where there is none, or nothing is known about it."""
        if not self.devices or any(device.total == 0 for device in self.devices):
            return None
        return sum(device.free for device in self.devices)

    @property
    def is_shared(self) -> bool:
        """True where the GPU computes in main memory."""
        return any(device.shares_memory for device in self.devices)

    def with_back(self, main: int, gpus: Sequence[int]) -> Room:
        """As much more as closing what is loaded gives back, in main memory and on each of the GPUs."""
        back = [*gpus, *[0] * len(self.devices)]
        devices = tuple(
            replace(device, free=min(device.total, device.free + more))
            for device, more in zip(self.devices, back, strict=False)
        )
        return Room(min(self.total, self.main + main), self.total, self.offloads, devices)


@dataclass(frozen=True, slots=True)
class DeviceNeed:
    """What comes to lie on one GPU."""

    name: str
    needed: int  # Bytes, with what is kept free; 0 where nothing lies there
    free: int


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """What loading a model would take, against what is free."""

    name: str
    parts: tuple[MemoryPart, ...]
    free: int  # Bytes of main memory that programs can get now without swapping
    on_devices: tuple[DeviceNeed, ...] = ()
    """the GPUs; empty where nothing lies there, or nothing is known about them"""
    shared: bool = False  # True where the GPU computes in main memory, so that its part counts there, too
    unknown: tuple[str, ...] = ()  # What could not be counted

    @property
    def needed(self) -> int:
        """Bytes of main memory of all parts."""
        return sum(part.bytes if self.shared else part.bytes - part.on_gpu for part in self.parts)

    @property
    def needed_on_gpu(self) -> int:
        """Bytes of all parts that lie on a GPU."""
        return sum(part.on_gpu for part in self.parts)

    @property
    def gpu_free(self) -> int | None:
        """Bytes free on the GPUs, all together; None where nothing lies there, or nothing is known about them."""
        return sum(device.free for device in self.on_devices) if self.on_devices else None

    @property
    def fits(self) -> bool:
        """True when that much is free."""
        return self.needed <= self.free and self.fits_on_gpu

    @property
    def fits_on_gpu(self) -> bool:
        """True when each GPU has room for its part, or nobody knows."""
        return all(device.needed <= device.free for device in self.on_devices)

    @property
    def fullest(self) -> DeviceNeed:
        """The GPU that lacks most; only where anything lies on one."""
        return max(self.on_devices, key=lambda device: device.needed - device.free)

    @property
    def sentence(self) -> str:
        """All of it for people, with what to do where it does not fit."""
        listed = ", ".join(f"{part.what} {_gib(part.bytes)}" for part in self.parts)
        said = f"{self.name} needs {_gib(self.needed)} GiB of memory ({listed}); {_gib(self.free)} GiB are free."
        if self.unknown:
            said = f"{said} Not counted, because the file does not tell: {', '.join(self.unknown)}."
        if self.fits:
            return said
        return f"{said} It does not fit: close other programs, or choose a smaller model, draft or context."


def measure_room(*, devices: bool = True) -> Room:
    """The memory that is free now, here and on the GPUs; without `devices` no GPU is touched, nor counted."""
    memory = psutil.virtual_memory()
    if not devices:
        return Room(memory.available, memory.total)
    found = gpu_devices()
    return Room(memory.available, memory.total, gpu_offload_available() and found != (), found or ())


def footprint(model: CatalogueEntry | ModelEntry | Path) -> Footprint:
    """The figures of a model of the catalogue, or of a file. Raises ModelFileError when the file does not tell them."""
    if isinstance(model, CatalogueEntry):
        return Footprint(model.name, model.bytes, model.kv_bytes_per_token, model.vocabulary, model.context)
    name, path = (model.name, model.path) if isinstance(model, ModelEntry) else (model.stem, model)
    header = read_header(path)
    size = sum(part.stat().st_size for part in parts_of(path) if part.is_file())
    return Footprint(name, size, header.kv_bytes_per_token, header.vocabulary, header.context, header.layers)


def draft_of(entry: CatalogueEntry, catalogue: tuple[CatalogueEntry, ...]) -> Footprint | None:
    """The figures of the draft the catalogue names for a model, or None where there is none."""
    if entry.draft == DEFAULT_MODEL:
        return next((footprint(here) for here in available() if here.name == DEFAULT_MODEL), None)
    return next((footprint(other) for other in catalogue if other.name == entry.draft), None)


def usual_context(target: Footprint) -> int:
    """The tokens of context that a model gets where nobody names a number."""
    return min(target.context or DEFAULT_CONTEXT, DEFAULT_CONTEXT)


def memory_report(
    target: Footprint,
    draft: Footprint | None = None,
    *,
    context: int = 0,
    embedder: bool = True,
    free: int | None = None,
    gpu_layers: int = 0,
    room: Room | None = None,
    measured: Sequence[MeasuredLoad] = (),
) -> MemoryReport:
    """What `target` takes with a cache of `context` tokens (0 = as many as it gets by default), and `draft` beside it
    with a cache as long; of both models `gpu_layers` layers lie on a GPU (-1 = all). Where nothing is known about the
    memory of the GPU in `room`, all counts as main memory. `free` is measured where neither it nor `room` is given.
    `measured`: what loads of these two models took on these GPUs."""
    tokens = context or usual_context(target)
    gpu = room if room is not None and room.gpu is not None and gpu_layers != 0 else None
    layers = gpu_layers if gpu is not None else 0
    parts = _parts(target, ("weights", f"cache of {tokens} tokens", "working space"), tokens, layers)
    unknown = _uncounted(target)
    loads = [_load(target, parts, layers)]
    if draft is not None:
        drafts = min(tokens, draft.context or tokens)
        beside = _parts(draft, (f"draft {draft.name}", "its cache", "its working space"), drafts, layers)
        parts += beside
        loads.append(_load(draft, beside, layers))
        unknown += [f"{name} of {draft.name}" for name in _uncounted(draft)]
    needs: tuple[DeviceNeed, ...] = ()
    if gpu is not None:
        counted = needed_by_device(loads, [device.free for device in gpu.devices])
        factors = corrections(measured, tokens, gpu_layers, len(counted))
        there = [int(count * factor) for count, factor in zip(counted, factors, strict=True)]
        if there != counted:
            parts = [_scaled(part, sum(there) / sum(counted)) for part in parts]
        kept = [GPU_RESERVE if count else 0 for count in there]
        needs = tuple(
            DeviceNeed(device.name, count + reserve, device.free)
            for device, count, reserve in zip(gpu.devices, there, kept, strict=True)
        )
    if embedder:
        parts.append(MemoryPart("embedding model", EMBEDDER_BYTES))
    if gpu is not None:
        parts.append(MemoryPart("kept free on the GPU", sum(kept), sum(kept)))
    if free is None:
        free = room.main if room is not None else psutil.virtual_memory().available
    return MemoryReport(target.name, tuple(parts), free, needs, gpu is not None and gpu.is_shared, tuple(unknown))


def on_gpu(model: Footprint, gpu_layers: int) -> float:
    """The share of a model that lies on a GPU with so many layers there (-1 = all). llama.cpp counts the LM head as one
    layer more than there are blocks. Where the number of layers is not known, any is counted as all."""
    if gpu_layers < 0 or (gpu_layers > 0 and not model.layers):
        return 1.0
    return min(1.0, gpu_layers / (model.layers + 1))


def _parts(model: Footprint, names: tuple[str, str, str], tokens: int, gpu_layers: int) -> list[MemoryPart]:
    """Weights, a cache of `tokens` tokens, and the largest of llama.cpp's buffers: a logit for each row and token. That
    lies with the LM head, which is on a GPU as soon as any layer is."""
    counts = (model.file_bytes, tokens * model.kv_bytes_per_token, PREFILL_ROWS * model.vocabulary * _LOGIT_BYTES)
    share = on_gpu(model, gpu_layers)
    shares = (share, share, 1.0 if share else 0.0)
    return [MemoryPart(what, count, int(count * part)) for what, count, part in zip(names, counts, shares, strict=True)]


def _load(model: Footprint, parts: Sequence[MemoryPart], gpu_layers: int) -> DeviceLoad:
    *spread, at_head = (part.on_gpu for part in parts)
    all_layers = model.layers + 1 if model.layers else 0
    return DeviceLoad(all_layers if gpu_layers < 0 else min(gpu_layers, all_layers), sum(spread), at_head)


def _scaled(part: MemoryPart, factor: float) -> MemoryPart:
    """The part with so many times the bytes on GPUs, and as many as before elsewhere."""
    there = int(part.on_gpu * factor)
    return replace(part, bytes=part.bytes - part.on_gpu + there, on_gpu=there)


def _uncounted(model: Footprint) -> list[str]:
    figures = (("cache", model.kv_bytes_per_token), ("working space", model.vocabulary))
    return [name for name, figure in figures if not figure]


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f}"
