"""Keeps what loads took on the GPUs, by files, GPUs and build of llama.cpp, so that the next fit counts it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from localspec.models.fit.device_split import MeasuredLoad
from localspec.models.llama import Device, library_version, system_info
from localspec.whole_file import write_whole

FILE = "gpu-loads.json"
_KEPT = 16
"""Loads that are kept of one pair of models; and pairs"""


def read(cache: Path, model: Path, draft: Path | None, devices: Sequence[Device]) -> tuple[MeasuredLoad, ...]:
    """What loads of `model`, with `draft` beside it, took on these GPUs, the last first; `cache` is the folder of
    measurements."""
    found = []
    for one in _stored(cache).get(_key(model, draft, devices), []):
        with suppress(TypeError, ValueError, KeyError):  # what is not readable is measured again
            took, counted = (tuple(int(count) for count in one[name]) for name in ("took", "counted"))
            if len(took) == len(counted):
                found.append(MeasuredLoad(int(one["context"]), int(one["gpu_layers"]), took, counted))
    return tuple(found)


def keep(cache: Path, model: Path, draft: Path | None, devices: Sequence[Device], load: MeasuredLoad) -> None:
    """Add a load, in place of one with the same settings. Where nothing can be written, it is measured again."""
    known = read(cache, model, draft, devices)
    others = [one for one in known if (one.context, one.gpu_layers) != (load.context, load.gpu_layers)]
    key, stored = _key(model, draft, devices), _stored(cache)
    stored.pop(key, None)
    stored[key] = [asdict(one) for one in (load, *others)][:_KEPT]
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        write_whole(cache / FILE, json.dumps(dict(list(stored.items())[-_KEPT:]), indent=1))


def _stored(cache: Path) -> dict[str, list[Any]]:
    try:
        stored = json.loads((cache / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: one for key, one in stored.items() if isinstance(one, list)} if isinstance(stored, dict) else {}


def _key(model: Path, draft: Path | None, devices: Sequence[Device]) -> str:
    files = [[str(path.absolute()), *_stamp(path)] for path in (model, draft) if path is not None]
    cards = [[device.name, device.total] for device in devices]
    whole = json.dumps([files, cards, library_version(), system_info()])
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:
        return []  # loading it says so
    return [status.st_size, status.st_mtime_ns]
