"""The weight format that was chosen for a model on this computer: its file, its figures, and whether it is in use.

`models/.tuned/` has a folder for each model file, by fingerprint: the converted file, and a note per device (threads,
GPU layers, versions) with what was measured. Notes and files get their names when they are complete, so a process that
is killed leaves only what `clean` removes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from localspec.config import default_threads, models_folder
from localspec.errors import ModelError
from localspec.locks import try_lock
from localspec.models.llama import LoadSettings, gpu_names, gpu_offload_available, library_version, system_info
from localspec.models.quantization.turn_taking import UNTOLD

FOLDER = ".tuned"
_VERSION = 1
_WORK = "work-"


@dataclass(frozen=True, slots=True)
class Figures:
    """What one format showed."""

    format: str
    bytes: int  # of the file
    seconds: dict[int, float]  # T(k) by rows; empty where it was not measured
    tokens_per_second: float  # expected: what the original has, times the gain; 0 where T(k) was not measured
    mean_divergence: float | None
    """mean KL divergence from the original, nats; None where it was not measured"""
    agreement: float | None
    """share of positions with the original's likeliest token; None where it was not measured"""
    positions: int = 0  # compared
    note: str = ""
    """"original", "loses too much", a verdict of `turn_taking`, or why it was not tried"""
    gain: float = 0.0
    """times as fast as the original, measured in turn with it: the median of the pairs; 0 = not measured so"""
    least_gain: float = 0.0  # of the pairs
    most_gain: float = 0.0

    @property
    def times_as_fast(self) -> str:
        """The gain with its spread, as tables show it, such as "1.38 (1.31–1.44)"; "" where it was not measured."""
        if self.gain <= 0:
            return ""
        least, most = f"{self.least_gain:.2f}", f"{self.most_gain:.2f}"
        return f"{self.gain:.2f}" if least == most else f"{self.gain:.2f} ({least}–{most})"


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was measured for one model on one device, and what was chosen."""

    model: str  # name
    fingerprint: str  # SHA-256 of the original file
    device: str  # as `device_key` tells it
    figures: tuple[Figures, ...]  # of the original first, then in the order they were tried
    chosen: str  # name of the best format; "" = the original
    file: str = ""  # name of the converted file beside the note; "" = the original
    file_bytes: int = 0
    in_use: bool = False  # False once the person went back to the original, or before the choice is applied
    decided: bool = False
    """True once the person, or the rule for a model tuned by itself, has decided about `in_use`"""

    @property
    def path(self) -> Path | None:
        """The converted file; None where the original is the best, or the file is gone or of another size."""
        if not self.file:
            return None
        path = folder_of(self.fingerprint) / self.file
        try:
            return path if path.stat().st_size == self.file_bytes else None
        except OSError:
            return None

    @property
    def original(self) -> Figures:
        """What the file as it is showed."""
        return self.figures[0]

    @property
    def best(self) -> Figures:
        """What the chosen format showed."""
        return next((found for found in self.figures if found.format == self.chosen), self.original)

    @property
    def speedup(self) -> float:
        """How many times as fast as the original the chosen format is; 1 for the original, and 0 where that was not
        measured in turn, as older versions did: then nothing is promised."""
        return self.best.gain if self.chosen else 1.0

    @property
    def spread(self) -> str:
        """The least and the most of that, as people read it, such as "1.31 to 1.44"; "" where nothing is promised."""
        best = self.best
        if not self.chosen or best.gain <= 0:
            return ""
        least, most = f"{best.least_gain:.2f}", f"{best.most_gain:.2f}"
        return least if least == most else f"{least} to {most}"

    @property
    def untold(self) -> Figures | None:
        """The format that might be faster where the measurements could not tell; None where they could."""
        return None if self.chosen else next((one for one in self.figures if one.note in UNTOLD), None)


def device_key(settings: LoadSettings) -> str:
    """What measured times hold for."""
    layers = settings.gpu_layers if gpu_offload_available() else 0
    on = [gpu_names()] if layers != 0 else []
    return json.dumps([settings.threads or default_threads(), layers, library_version(), system_info(), *on])


def folder_of(fingerprint: str) -> Path:
    """Where the forms of one model file lie; not made here."""
    return models_folder() / FOLDER / fingerprint[:16]


def read(fingerprint: str, settings: LoadSettings) -> Tuning | None:
    """What was chosen for a model on this device; None where nothing was, or the note cannot be read."""
    device = device_key(settings)
    try:
        stored = json.loads(_note(fingerprint, device).read_text(encoding="utf-8"))
        found = _parsed(stored)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if (found.fingerprint, found.device) == (fingerprint, device) and found.figures else None


def write(tuning: Tuning) -> None:
    """Keep a note. Raises ModelError when the folder cannot be written."""
    note = _note(tuning.fingerprint, tuning.device)
    temporary = note.with_name(f"{_WORK}{note.name}")
    stored = {"version": _VERSION, **asdict(tuning)}
    with writing(note):
        note.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(stored, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(note)


def use(tuning: Tuning, on: bool) -> Tuning:
    """Use the chosen format from the next load on, or the original again. Raises ModelError."""
    changed = replace(tuning, in_use=on, decided=True)
    write(changed)
    return changed


def clean(fingerprint: str) -> None:
    """Delete what killed processes left, notes of other versions of llama.cpp, and converted files that no note names.
    The caller holds `locked`."""
    folder = folder_of(fingerprint)
    named = set()
    for note in folder.glob("*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = _parsed(json.loads(note.read_text(encoding="utf-8")))
            if json.loads(found.device)[2:] == [library_version(), system_info()]:
                named.add(found.file)
            else:
                note.unlink()
    for path in folder.iterdir() if folder.is_dir() else []:
        leftover = path.name.startswith(_WORK) or path.name.endswith(".part")
        if leftover or (path.suffix == ".gguf" and path.name not in named):
            with contextlib.suppress(OSError):  # Windows keeps a file that is loaded; the next time gets it
                path.unlink()


def remove_file(tuning: Tuning) -> None:
    """Give the disk space of the converted file back; figures and choice stay. A file that is loaded may remain."""
    path = tuning.path
    if path is not None:
        with contextlib.suppress(OSError):
            path.unlink()


def work_file(fingerprint: str, name: str) -> Path:
    """Where a file lies while it is tried."""
    return folder_of(fingerprint) / f"{_WORK}{name}"


@contextmanager
def locked(fingerprint: str) -> Iterator[None]:
    """Keep every other tuning of the model, in this process or another, away. Raises ModelError."""
    folder = folder_of(fingerprint)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = try_lock(folder / ".lock")
    if lock is None:
        raise ModelError("This model is already being tuned.", "Wait for that to finish, or stop it first.")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns failed file operations into ModelError."""
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"{path} could not be written ({error.strerror or error}).",
            "Free some space, make the folder writable, or move the folders with LOCALSPEC_HOME.",
        ) from error


def _note(fingerprint: str, device: str) -> Path:
    return folder_of(fingerprint) / f"{hashlib.sha256(device.encode()).hexdigest()[:16]}.json"


def _parsed(stored: dict[str, Any]) -> Tuning:
    """Raises ValueError, KeyError, TypeError for what is no note of this version."""
    if stored["version"] != _VERSION:
        raise ValueError("another version")
    values = {name: value for name, value in stored.items() if name != "version"}
    figures = tuple(
        Figures(**{**one, "seconds": {int(rows): float(value) for rows, value in one["seconds"].items()}})
        for one in values["figures"]
    )
    if Path(str(values["file"])).name != values["file"]:
        raise ValueError("a file outside the folder")
    return Tuning(**{**values, "figures": figures})
