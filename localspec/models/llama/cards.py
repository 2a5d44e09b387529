"""Which device this installation computes on, and which graphics cards lie idle, why, and what can be done.

The set-up says for what it built llama.cpp, and why (`write_backend` of scripts/gpu.sh: `.localspec-backend` in .venv,
three lines: backend, reason, advice). llama.cpp says what devices it finds; Linux, what cards are there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localspec import texts
from localspec.models.llama.devices import Device, gpu_devices

SETUP_FILE = ".localspec-backend"
_CARDS = Path("/sys/class/drm")
_ASKED = "asked for"
"""How the reason of a backend begins that the person named"""
_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
"""PCI vendor numbers"""
_SMALL = 3 * 2**30
"""Bytes: an AMD processor that is part of the main one claims less memory as its own than any card has."""


@dataclass(frozen=True, slots=True)
class SetUp:
    """What the set-up chose."""

    backend: str  # cpu, cuda, vulkan, metal
    why: str
    advice: str = ""  # Empty where nothing can be done


@dataclass(frozen=True, slots=True)
class Card:
    """A graphics processor that the kernel found, whether anything computes on it or not."""

    vendor: str  # "NVIDIA", "AMD", "Intel"
    built_in: bool = False  # True where it is likely part of the main processor: a build for it may bring little


@dataclass(frozen=True, slots=True)
class Graphics:
    """What is said about devices: one line that is always there, and one about a card that lies idle."""

    device: str
    idle: str = ""  # Empty where none does
    loud: bool = False  # True where something is amiss; False for what could be tried


def set_up(folder: Path | None = None) -> SetUp | None:
    """What the set-up wrote down in the folder of this Python (or `folder`); None where nothing is known."""
    try:
        lines = ((folder or Path(sys.prefix)) / SETUP_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    backend, why, advice = (line.strip() for line in [*lines, "", "", ""][:3])
    return SetUp(backend, why, advice) if backend else None


def cards(folder: Path = _CARDS) -> tuple[Card, ...]:
    """The graphics processors of known vendors, each once, as Linux lists them; none on other systems."""
    found: dict[Path, Card] = {}
    for file in sorted(folder.glob("card*/device/vendor")):
        try:
            vendor = _VENDORS.get(file.read_text(encoding="ascii", errors="replace").strip().lower())
            place = file.parent.resolve()  # outputs such as card0-HDMI-A-1 lead to the card itself
        except OSError:
            continue
        if vendor is not None:
            found[place] = Card(vendor, _built_in(vendor, file.parent))
    return tuple(found.values())


def _built_in(vendor: str, device: Path) -> bool:
    """Of Intel nearly all are; of AMD those with little memory of their own (amdgpu tells it)."""
    if vendor != "AMD":
        return vendor == "Intel"
    try:
        return int((device / "mem_info_vram_total").read_text(encoding="ascii")) < _SMALL
    except (OSError, ValueError):
        return False


def graphics() -> Graphics:
    """What is said on this computer."""
    return described(gpu_devices(), set_up(), cards())


def described(devices: Sequence[Device] | None, chosen: SetUp | None, found: Sequence[Card]) -> Graphics:
    """In sentences: what `devices` llama.cpp computes on (None: it does not tell), what the set-up has `chosen` (None:
    not known) and what that means for the cards that were `found`."""
    backend = chosen.backend if chosen is not None else ""
    if devices:
        name = texts.BACKEND_NAMES.get(backend, texts.BACKEND_UNKNOWN)
        return Graphics(texts.DEVICE_GPU.format(devices=", ".join(one.name for one in devices), backend=name))
    if devices is None:
        return Graphics(texts.DEVICE_UNTOLD)
    if chosen is not None and backend not in ("cpu", ""):
        name = texts.BACKEND_NAMES.get(backend, texts.BACKEND_UNKNOWN)
        return Graphics(texts.DEVICE_PROCESSOR, texts.IDLE_NO_DEVICE.format(backend=name), loud=True)
    return _idle(chosen, found)


def _idle(chosen: SetUp | None, found: Sequence[Card]) -> Graphics:
    """The processor computes, which is what llama.cpp was built for."""
    said = texts.DEVICE_PROCESSOR
    if chosen is not None and chosen.why.startswith(_ASKED):
        return Graphics(said, texts.IDLE_ASKED if found or chosen.advice else "")
    if chosen is not None and chosen.advice:
        return Graphics(said, f"{chosen.why[:1].upper()}{chosen.why[1:]}. {chosen.advice}", loud=True)
    for vendor, idle in (("NVIDIA", texts.IDLE_NVIDIA if chosen is not None else texts.IDLE_UNKNOWN), ("AMD", "")):
        if any(card.vendor == vendor and not card.built_in for card in found):
            return Graphics(said, idle or texts.IDLE_VULKAN.format(vendor=vendor), loud=True)
    small = next((card for card in found if card.built_in), None)
    return Graphics(said, texts.IDLE_BUILT_IN.format(vendor=small.vendor) if small is not None else "")
