"""What lies in the folder of models: what can be loaded, and what cannot, with the reason. Nothing is loaded for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from localspec.config import cache_folder, models_folder
from localspec.errors import ModelFileError
from localspec.models.files.catalogue import ModelEntry, available, catalogue_problem, drafts, visible_files
from localspec.models.files.check import failures, look_at_header, refuse_incomplete, refuse_other_purpose
from localspec.models.files.header import BITS_PER_WEIGHT, parts_of, pieces_of, read_header, read_places

FOREIGN_SUFFIXES = (".safetensors", ".ggml", ".bin", ".pt", ".pth", ".ckpt", ".onnx", ".zip", ".gz", ".7z", ".xz")
"""Files that people take for models; folders of models have others beside them that nobody does."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A file that was found and cannot be loaded."""

    name: str  # its path below the folder; whoever named it decides what stands in it
    problem: str  # why, and what to do


@dataclass(frozen=True, slots=True)
class ModelInventory:
    """What was found."""

    models: tuple[ModelEntry, ...]  # that can chat, as `available` orders them
    drafts: tuple[ModelEntry, ...]  # that can be tried as drafts, as `drafts` orders them
    unusable: tuple[Unusable, ...]


def look_through(folder: Path | None = None) -> ModelInventory:
    """What lies in `folder` (default: `models/`), the model inside a package first. A file's first bytes and its
    header are looked at once; whether its numbers are sound is known of those that were checked when they were loaded.
    """
    folder = folder or models_folder()
    failed = failures(cache_folder())
    problems: dict[Path, str] = {}

    def usable(entries: list[ModelEntry]) -> tuple[ModelEntry, ...]:
        found = []
        for entry in entries:
            if problem := problem_of(entry.path) or failed(entry.path):
                problems[entry.path] = problem
            else:
                found.append(entry)
        return tuple(found)

    chat, draft = usable(available(folder)), usable(drafts(folder))
    unusable = [Unusable(_name(path, folder), problem) for path, problem in sorted(problems.items())]
    for path in _foreign(folder):
        other_name = f"{path.name} is a GGUF file of another name. Rename it, so that it ends in .gguf."
        unusable.append(Unusable(_name(path, folder), problem_of(path) or other_name))
    own = catalogue_problem()
    if own is not None:
        unusable.append(Unusable("catalogue.toml", str(own)))
    return ModelInventory(chat, draft, tuple(unusable))


def problem_of(path: Path) -> str:
    """Why a file cannot be a model of this computer, as far as it says itself, and what to do; "" where it can."""
    try:
        status = path.stat()
    except OSError as error:
        return f"{path.name} cannot be read ({error.strerror or error})."
    if pieces_of(path) is not None:  # what is to be done about it depends on the files beside it
        return _problem.__wrapped__(path, status.st_size, status.st_mtime_ns, ())
    missing = tuple(part.name for part in parts_of(path) if not part.exists())
    return _problem(path, status.st_size, status.st_mtime_ns, missing)


@lru_cache(maxsize=4096)
def _problem(path: Path, size: int, changed: int, missing: tuple[str, ...]) -> str:
    try:
        look_at_header(path)
        refuse_other_purpose(path, read_header(path))
        if missing:
            refuse_incomplete(path)
        lacks = _lacking(path, size)
        if lacks:
            raise ModelFileError(
                f"{path.name} is cut off: at least {lacks:,} bytes are missing at its end.", "Download it again."
            )
    except ModelFileError as error:
        return str(error)
    return ""


def _lacking(path: Path, size: int) -> int:
    """Bytes that are missing for the tensors that the file describes; those of types unknown here are not counted."""
    ends = [
        place + math.ceil(math.prod(tensor.lengths) * BITS_PER_WEIGHT.get(tensor.type, 0) / 8)
        for tensor, place in read_places(path)
    ]
    return max(0, max(ends, default=0) - size)


def _foreign(folder: Path) -> list[Path]:
    found = visible_files(folder)
    return [
        path
        for path in found
        if not path.name.startswith(".") and (path.suffix.lower() in FOREIGN_SUFFIXES or _is_first_piece(path))
    ]


def _is_first_piece(path: Path) -> bool:
    """True for a raw piece of a model that tells of all of them, while the whole is not there."""
    piece = pieces_of(path)
    if piece is None or ".gguf" not in path.name.lower() or path.with_name(piece[0]).exists():
        return False
    return not any(
        (other := pieces_of(beside)) is not None and other[0] == piece[0] and other[1] < piece[1]
        for beside in path.parent.iterdir()
    )


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
