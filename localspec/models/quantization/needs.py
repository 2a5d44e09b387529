"""What choosing a weight format takes while it lasts: disk and memory, beforehand and before each format."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from localspec.errors import ModelError, OutOfMemoryError
from localspec.models.files.catalogue import ModelEntry
from localspec.models.quantization import tuned
from localspec.models.quantization.formats import layout, whole_formats

_SPARE_DISK = 64 * 2**20
_IN_MEMORY = 2.1
"""Times its file that a model takes: llama.cpp keeps a rearranged copy beside the mapped file."""
_WORKING_MEMORY = 400 * 2**20


@dataclass(frozen=True, slots=True)
class Needs:
    """What choosing a format takes while it lasts."""

    disk: int  # bytes in the models folder: the best file so far and the one being tried
    memory: int  # bytes: the original and the largest form of it
    free_disk: int
    free_memory: int


def needs_of(entry: ModelEntry) -> Needs:
    """What it takes to choose a format for a model. Raises ModelFileError for files of which none can be made."""
    source, size = layout(entry.path), entry.bytes
    largest = max((source.bytes(wanted) for wanted in whole_formats(source, size)), default=size)
    where = tuned.folder_of("0" * 16)
    while not where.exists():
        where = where.parent
    return Needs(
        2 * largest + _SPARE_DISK,
        int(_IN_MEMORY * (size + largest)) + _WORKING_MEMORY,
        shutil.disk_usage(where).free,
        psutil.virtual_memory().available,
    )


def make_sure_of_space(path: Path, wanted: int) -> None:
    """Raises ModelError unless `wanted` bytes are free where `path` will lie."""
    with tuned.writing(path):
        free = shutil.disk_usage(path.parent).free
    if wanted + _SPARE_DISK > free:
        raise ModelError(
            f"{path.name} needs {wanted / 1e9:.2f} GB of disk; {free / 1e9:.2f} GB are free.", "Free some space."
        )


def make_sure_of_memory(name: str, file_bytes: int) -> None:
    """Raises OutOfMemoryError unless models whose files have so many bytes fit into the memory that is free."""
    needed, free = int(_IN_MEMORY * file_bytes) + _WORKING_MEMORY, psutil.virtual_memory().available
    if needed > free:
        raise OutOfMemoryError(
            f"{name} needs {needed / 2**30:.1f} GiB of memory to be measured; {free / 2**30:.1f} GiB are free.",
            "Close other programs.",
        )
