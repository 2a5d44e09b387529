"""T(k): the measured time of one target decode of k rows on this device."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localspec.models.llama import MAX_ROWS, LlamaModel, library_version, system_info

MEASURED_ROWS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32)
"""Every row count up to 6, where most trees end and the curve has its steps; then wider ones."""
REPEATS = 4
LONGEST_MEASURING = 2.0
"""Seconds after which no further round is begun: on a busy machine fewer rounds must do."""
BASE_CONTEXT = 256
"""Positions in the KV cache while measuring."""


def decode_seconds(model: LlamaModel, cache: Path) -> NDArray[np.float64]:
    """T(k) in seconds for k = 0 … 65 (index 0 unused), measured once per model file, device, threads and version.

    `cache` is the folder that keeps the measurements. Takes about a second per 10 ms of T(1) the first time. Empties
    the KV cache when it measures.
    """
    key = json.dumps(
        [str(model.path), model.path.stat().st_size, model.path.stat().st_mtime_ns, model.threads, model.gpu_layers,
         model.context_size, library_version(), system_info()]
    )  # fmt: skip
    file = cache / f"decode-seconds-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    known = _read(file)
    if known is None:
        known = measure(model)
        file.write_text(json.dumps({"key": key, "seconds": {str(rows): value for rows, value in known.items()}}))
    return interpolate(known)


def measure(model: LlamaModel) -> dict[int, float]:
    """The smallest of up to four decode times per row count, in seconds.

    Row counts take turns, so that a passing load of the machine does not hit one of them alone."""
    model.forget()
    filler = np.full(min(BASE_CONTEXT, model.context_size // 2), model.bos, dtype=np.int32)
    model.begin(filler)
    times: dict[int, float] = {}
    rows_that_fit = [rows for rows in MEASURED_ROWS if len(filler) + rows < model.context_size]
    begun = perf_counter()
    for repeat in range(REPEATS + 1):
        if times and perf_counter() - begun > LONGEST_MEASURING:
            break
        for rows in rows_that_fit:
            tokens = np.full(rows - 1, model.bos, dtype=np.int32)
            parents = np.arange(-1, rows - 2, dtype=np.int32)
            started = perf_counter()
            model.decode(model.bos, tokens, parents)
            model.logits(rows)
            elapsed = perf_counter() - started
            model.discard()
            if repeat > 0:  # the first round warms caches and buffers up
                times[rows] = min(times.get(rows, elapsed), elapsed)
    model.forget()
    return times


def interpolate(known: dict[int, float]) -> NDArray[np.float64]:
    """T(k) for k = 0 … 65: measured counts as they are, the others on straight lines between them and, beyond the last,
    along the line of the last two."""
    rows = np.array(sorted(known), dtype=np.float64)
    seconds = np.array([known[int(count)] for count in rows])
    wanted = np.arange(MAX_ROWS + 1, dtype=np.float64)
    result = np.interp(wanted, rows, seconds)
    if len(rows) > 1:
        slope = max(0.0, (seconds[-1] - seconds[-2]) / (rows[-1] - rows[-2]))
        beyond = wanted > rows[-1]
        result[beyond] = seconds[-1] + slope * (wanted[beyond] - rows[-1])
    return np.asarray(result, dtype=np.float64)


def _read(file: Path) -> dict[int, float] | None:
    try:
        stored: dict[str, Any] = json.loads(file.read_text())
        seconds = {int(rows): float(value) for rows, value in stored["seconds"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # never measured, or not readable: measuring again costs a second
    return seconds if 1 in seconds and all(value > 0 for value in seconds.values()) else None
