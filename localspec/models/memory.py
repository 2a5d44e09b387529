"""Whether a model fits into the memory that is free, together with its draft, both KV caches and the embedding model.

Works before a download from the catalogue's figures, and for a file from its header. Counts main memory: layers on a
GPU need less of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from localspec.models.catalogue import DEFAULT_MODEL, ModelEntry, Offer, available
from localspec.models.header import read_header
from localspec.models.llama import DEFAULT_CONTEXT, PREFILL_ROWS

EMBEDDER_BYTES = 600 * 2**20
"""all-MiniLM-L6-v2 with torch and transformers: the process grew by 614 MiB with the first batches of texts, of which
the weights are 90 (resident size; torch 2.13.0, sentence-transformers 6.2.0, Linux x86-64)."""
_LOGIT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Footprint:
    """What decides the memory that one model takes."""

    name: str
    file_bytes: int
    kv_bytes_per_token: int
    vocabulary: int
    context: int
    """Tokens the model was trained for; 0 = unknown"""


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """One thing that takes memory."""

    what: str
    bytes: int


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """What loading a model would take, against what is free."""

    name: str
    parts: tuple[MemoryPart, ...]
    free: int
    """Bytes that programs can get now without swapping"""

    @property
    def needed(self) -> int:
        """Bytes of all parts."""
        return sum(part.bytes for part in self.parts)

    @property
    def fits(self) -> bool:
        """True when that much is free."""
        return self.needed <= self.free

    @property
    def sentence(self) -> str:
        """All of it for people, with what to do where it does not fit."""
        listed = ", ".join(f"{part.what} {_gib(part.bytes)}" for part in self.parts)
        said = f"{self.name} needs {_gib(self.needed)} GiB of memory ({listed}); {_gib(self.free)} GiB are free."
        if self.fits:
            return said
        return f"{said} It does not fit: close other programs, or choose a smaller model, draft or context."


def footprint(model: Offer | ModelEntry | Path) -> Footprint:
    """The figures of a model of the catalogue, or of a file. Raises ModelFileError when the file does not tell them."""
    if isinstance(model, Offer):
        return Footprint(model.name, model.bytes, model.kv_bytes_per_token, model.vocabulary, model.context)
    name, path = (model.name, model.path) if isinstance(model, ModelEntry) else (model.stem, model)
    header = read_header(path)
    return Footprint(name, path.stat().st_size, header.kv_bytes_per_token, header.vocabulary, header.context)


def draft_of(offer: Offer, offers: tuple[Offer, ...]) -> Footprint | None:
    """The figures of the draft the catalogue names for a model, or None where there is none."""
    if offer.draft == DEFAULT_MODEL:
        return next((footprint(entry) for entry in available() if entry.name == DEFAULT_MODEL), None)
    return next((footprint(other) for other in offers if other.name == offer.draft), None)


def memory_report(
    target: Footprint,
    draft: Footprint | None = None,
    *,
    context: int = 0,
    embedder: bool = True,
    free: int | None = None,
) -> MemoryReport:
    """What `target` takes with a cache of `context` tokens (0 = as many as it gets by default), and `draft` beside it
    with a cache as long. `free` is measured where it is not given."""
    tokens = context or min(target.context or DEFAULT_CONTEXT, DEFAULT_CONTEXT)
    parts = [
        MemoryPart("weights", target.file_bytes),
        MemoryPart(f"cache of {tokens} tokens", tokens * target.kv_bytes_per_token),
        MemoryPart("working space", _working_space(target)),
    ]
    if draft is not None:
        parts += [
            MemoryPart(f"draft {draft.name}", draft.file_bytes),
            MemoryPart("its cache", tokens * draft.kv_bytes_per_token),
            MemoryPart("its working space", _working_space(draft)),
        ]
    if embedder:
        parts.append(MemoryPart("embedding model", EMBEDDER_BYTES))
    return MemoryReport(target.name, tuple(parts), psutil.virtual_memory().available if free is None else free)


def _working_space(model: Footprint) -> int:
    """The largest of llama.cpp's buffers for one batch: a logit for each row and token."""
    return PREFILL_ROWS * model.vocabulary * _LOGIT_BYTES


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f}"
