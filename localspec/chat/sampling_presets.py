"""Sampling settings under a name: the built-in ones, and the person's own, which are kept in a small file."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from localspec.errors import SettingsError, StoreError
from localspec.models.llama.sampling import SamplingSettings
from localspec.whole_file import write_whole

_logger = logging.getLogger(__name__)

FILE = "presets.json"
FORMAT = "localspec-presets"
VERSION = 1
MOST = 200
LARGEST_FILE = 2**20
"""Bytes"""
NAME_CHARACTERS = 60
_WHOLE = ("top_k",)
_ADVICE = "Choose a file that LocalSpec exported. Nothing was changed."


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings of sampling under a name. Raises SettingsError when one of them is outside its range."""

    name: str
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repeat_penalty: float
    dry_multiplier: float = 0.0

    def __post_init__(self) -> None:
        SamplingSettings(**self.values)

    @property
    def values(self) -> dict[str, Any]:
        """The settings, by their names in `SamplingSettings`."""
        return {name: value for name, value in asdict(self).items() if name != "name"}


_USUAL = SamplingSettings()
BUILT_IN = (
    Preset("Precise", 0.0, _USUAL.top_k, _USUAL.top_p, _USUAL.min_p, _USUAL.repeat_penalty),
    Preset("Balanced", 0.7, 40, 0.95, 0.05, 1.0),
    Preset("Creative", 1.1, 0, 0.98, 0.03, 1.05),
)
"""Always the likeliest token; livelier; liveliest."""
RECOMMENDED = "Recommended"
"""In place of a preset: what suits the model that is loaded, and the question."""
_ADDED = {"dry_multiplier": 0.0}
"""Settings that older files have not, and what they were without them."""
SETTINGS = tuple(each.name for each in fields(Preset) if each.name != "name")


class Presets:
    """The presets of a folder. Any thread may call any method.

    A file that cannot be read never keeps the built-in ones from being there: it is set aside, and `problem` says so.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.Lock()
        self.problem = ""
        self.version = 0
        """grows with every change"""
        self._own: dict[str, Preset] = {}
        try:
            self._own = {preset.name: preset for preset in read(self._path)} if self._path.exists() else {}
        except SettingsError as error:
            _logger.warning("%s", error)
            self.problem = f"{error.message} {self._set_aside()}"

    def all(self) -> list[Preset]:
        """The built-in ones, then the person's own by name."""
        with self._lock:
            return [*BUILT_IN, *sorted(self._own.values(), key=lambda preset: preset.name.casefold())]

    def get(self, name: str) -> Preset:
        """The one of this name. Raises SettingsError."""
        for preset in self.all():
            if preset.name == name:
                return preset
        raise SettingsError(f"There is no preset called “{name}” any more.", "Choose another one.")

    def is_own(self, name: str) -> bool:
        """Whether it can be renamed and deleted."""
        with self._lock:
            return name in self._own

    def save(self, preset: Preset) -> bool:
        """Keep it, in place of one of the same name; whether there was one. Raises SettingsError, StoreError."""
        with self._changing() as own:
            name = _own_name(preset.name)
            known = name in own
            if not known and len(own) >= MOST:
                raise SettingsError(f"There are {MOST} presets already.", "Delete one first.")
            own[name] = Preset(name, **preset.values)
        return known

    def rename(self, name: str, to: str) -> str:
        """Give one of the person's own another name; returns how it is called now. Raises SettingsError, StoreError."""
        with self._changing() as own:
            wanted = _own_name(to)
            if name not in own:
                raise SettingsError("Only presets of your own can be renamed.", "Choose one of them first.")
            if wanted != name and wanted in own:
                raise SettingsError(f"There is a preset called “{wanted}” already.", "Choose another name.")
            preset = own.pop(name)
            own[wanted] = Preset(wanted, **preset.values)
        return wanted

    def delete(self, name: str) -> None:
        """Delete one of the person's own. Raises SettingsError, StoreError."""
        with self._changing() as own:
            if own.pop(name, None) is None:
                raise SettingsError("Only presets of your own can be deleted.", "Choose one of them first.")

    def add(self, presets: list[Preset]) -> int:
        """Keep all or none, in place of those of the same names; returns how many. Raises SettingsError, StoreError."""
        built_in = {RECOMMENDED.casefold(), *(preset.name.casefold() for preset in BUILT_IN)}
        with self._changing() as own:
            added = [preset for preset in presets if preset.name.casefold() not in built_in]
            own.update({preset.name: preset for preset in added})
            if len(own) > MOST:
                raise SettingsError(f"There would be more than {MOST} presets.", "Delete some first.")
        return len(added)

    def exported(self) -> str:
        """The person's own as a file that `read` reads."""
        with self._lock:
            return _written(self._own)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Preset]]:
        """The person's own as they are to become: kept on disk first, and nothing is changed when that fails."""
        with self._lock:
            changed = dict(self._own)
            yield changed
            _write(self._path, _written(changed))
            self._own, self.problem = changed, ""
            self.version += 1

    def _set_aside(self) -> str:
        """Rename the file that cannot be read, so that it is never written over; says what became of it."""
        aside = self._path.with_name(f"presets-damaged-{datetime.now():%Y-%m-%d-%H%M%S}.json")
        try:
            self._path.rename(aside)
        except OSError as error:
            return f"It could not be set aside either ({error.strerror or error})."
        return f"It was set aside as {aside.name}; the built-in presets are there."


def read(path: Path) -> list[Preset]:
    """The presets of a file. Raises SettingsError that says where it is wrong."""
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise SettingsError(f"The presets in {path.name} cannot be read: the file is too large.", _ADVICE)
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise SettingsError(f"The presets in {path.name} cannot be read: it is no JSON ({error}).", _ADVICE) from error
    except OSError as error:
        why = error.strerror or error
        raise SettingsError(f"The presets in {path.name} cannot be read ({why}).", _ADVICE) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT or data.get("version") != VERSION:
        raise SettingsError(f"The file {path.name} holds no presets of this version of LocalSpec.", _ADVICE)
    listed = data.get("presets")
    if not isinstance(listed, list) or len(listed) > MOST:
        raise SettingsError(f"The presets in {path.name} cannot be read: “presets” is no list of them.", _ADVICE)
    found: dict[str, Preset] = {}
    for number, entry in enumerate(listed, start=1):
        try:
            preset = _read_one(entry)
        except (SettingsError, ValueError, OverflowError) as error:
            said = error.message if isinstance(error, SettingsError) else str(error)
            message = f"The presets in {path.name} cannot be read: number {number} is wrong. {said}"
            raise SettingsError(message, _ADVICE) from error
        found[preset.name] = preset
    return list(found.values())


def _read_one(entry: object) -> Preset:
    if not isinstance(entry, dict):
        raise ValueError("It is no object.")
    values: dict[str, Any] = {}
    for name in SETTINGS:
        value = entry.get(name, _ADDED.get(name))
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"“{name}” must be a number.")
        if name in _WHOLE and value != int(value):
            raise ValueError(f"“{name}” must be a whole number.")
        values[name] = int(value) if name in _WHOLE else float(value)
    return Preset(_own_name(entry.get("name")), **values)


def _own_name(name: object) -> str:
    """A name for one of the person's own, on one line. Raises SettingsError."""
    text = name.encode("utf-8", "replace").decode() if isinstance(name, str) else ""
    clean = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    if not clean:
        raise SettingsError("A preset needs a name.", "Type one.")
    if len(clean) > NAME_CHARACTERS:
        raise SettingsError(f"The name of a preset has at most {NAME_CHARACTERS} characters.", "Choose a shorter one.")
    if clean.casefold() in {RECOMMENDED.casefold(), *(preset.name.casefold() for preset in BUILT_IN)}:
        raise SettingsError(f"“{clean}” is built in.", "Choose another name.")
    return clean


def _written(own: dict[str, Preset]) -> str:
    data = {"format": FORMAT, "version": VERSION, "presets": [asdict(preset) for preset in own.values()]}
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text, durable=True)
    except OSError as error:
        raise StoreError(
            f"The preset was not kept: {path} could not be written ({error.strerror or error}).",
            "Free some space, or make the folder writable.",
        ) from error
