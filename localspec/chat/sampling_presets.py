"""Sampling settings under a name: the built-in ones, and the person's own, which are kept in a small file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from localspec.chat.named_file import NamedFile, NamedKind
from localspec.models.llama.sampling import SamplingSettings

FILE = "presets.json"
_WHOLE = ("top_k",)


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


def _read_one(name: str, entry: Mapping[str, Any]) -> Preset:
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        value = entry.get(setting, _ADDED.get(setting))
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"“{setting}” must be a number.")
        if setting in _WHOLE and value != int(value):
            raise ValueError(f"“{setting}” must be a whole number.")
        values[setting] = int(value) if setting in _WHOLE else float(value)
    return Preset(name, **values)


PRESETS = NamedKind(FILE, "localspec-presets", "preset", "presets", _read_one, BUILT_IN, (RECOMMENDED,))
"""How they are kept"""


class Presets(NamedFile[Preset]):
    """The presets of a folder. Any thread may call any method."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, PRESETS)
