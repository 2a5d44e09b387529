"""T(k): the measured time of one target decode of k rows on this device, by the length of the context."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localspec.errors import ModelError
from localspec.models.llama import MAX_ROWS, LlamaModel, library_version, system_info

MEASURED_ROWS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 64)
"""Every row count up to 6, where most trees end and the curve has its steps; then wider ones."""
SECONDS_MEASURING = 1.3
"""Seconds after which no further round is begun: on a busy machine fewer rounds must do."""
REPEATS = 4
BANDS = (256, 1024, 2048, 4096)
"""Positions in the KV cache while measuring: attention takes longer over longer contexts, and more so for more rows."""
ROWS_OF_LONGER = (1, 2, 4, 8, 16, 32)
"""Row counts measured at the longer contexts; the others are scaled as their neighbours are."""
LONGEST_MEASURING = 2.0
"""Seconds after which no longer context is begun; what is left over is scaled until live times tell."""

_FADING = 0.05
"""Weight of a live decode in the running mean of its kind."""
_TRUST = 8.0
"""Live decodes of a row count from which on they outweigh what all counts have in common."""
_FURTHEST = math.log(2.0)
"""A single live decode counts as at most twice or half as long as measured: other programs take the processor."""
_REFRESH = 8
"""Live decodes after which T(k) is drawn anew."""

Measured = dict[int, dict[int, float]]
"""Seconds by positions in the cache and rows."""


class DecodeTimes:
    """T(k) by context length: as measured, corrected by what decodes take while replies are written. Stepped curves
    keep their steps: a row count is corrected by its own live times, and by what all have in common."""

    def __init__(self, measured: Measured, live: list[dict[int, tuple[float, float]]] | None = None) -> None:
        """`measured` holds the shortest band at least. `live`: per band, rows → (mean log ratio, decodes)."""
        self._bands = sorted(measured)
        self._curves = _curves(measured)
        self._live = live or [{} for _ in self._bands]
        self._common = _mean_of(self._live)
        self._since = 0
        self._drawn: list[NDArray[np.float64] | None] = [None] * len(self._bands)

    def at(self, cached: int) -> NDArray[np.float64]:
        """T(k) in seconds for k = 0 … 65 (index 0 unused) below a text of `cached` positions."""
        band = self._band(cached)
        drawn = self._drawn[band]
        if drawn is None:
            correction = np.full(MAX_ROWS + 1, self._common)
            for rows, (ratio, decodes) in self._live[band].items():
                correction[rows] += decodes / (decodes + _TRUST) * (ratio - self._common)
            drawn = self._drawn[band] = self._curves[band] * np.exp(correction)
        return drawn

    def observe(self, rows: int, cached: int, seconds: float) -> None:
        """A live decode of `rows` rows took so long."""
        if seconds <= 0 or not 0 < rows <= MAX_ROWS:
            return
        band = self._band(cached)
        ratio = math.log(seconds / float(self._curves[band][rows]))
        expected, decodes = self._live[band].get(rows, (self._common, 0.0))
        ratio = min(max(ratio, expected - _FURTHEST), expected + _FURTHEST)
        weight = max(_FADING, 1.0 / (decodes + 1.0))
        self._live[band][rows] = (expected + weight * (ratio - expected), min(decodes + 1.0, 1.0 / _FADING))
        self._common += _FADING * (ratio - self._common)
        self._since += 1
        if self._since >= _REFRESH:
            self._since = 0
            self._drawn = [None] * len(self._bands)

    def live(self) -> list[dict[int, tuple[float, float]]]:
        """What was learnt from live decodes, as the constructor takes it."""
        return [dict(band) for band in self._live]

    def _band(self, cached: int) -> int:
        """The measured context that is nearest, on a logarithmic scale."""
        place = 0
        while place + 1 < len(self._bands) and cached > math.sqrt(self._bands[place] * self._bands[place + 1]):
            place += 1
        return place


def decode_times(model: LlamaModel, cache: Path) -> DecodeTimes:
    """T(k) of `model`, measured once per model file, device, threads, context and version: at most about two seconds.

    `cache` is the folder that keeps the measurements. Empties the KV cache when it measures.
    """
    file = _file(model, cache)
    known = _read(file)
    if known is None:
        known = measure_all(model), None
        _write(file, known[0], [])
    return DecodeTimes(*known)


def remember(model: LlamaModel, cache: Path, times: DecodeTimes) -> None:
    """Keep what live decodes have taught about T(k) for the next start."""
    file = _file(model, cache)
    known = _read(file)
    if known is not None:
        _write(file, known[0], times.live())


def measure_all(model: LlamaModel) -> Measured:
    """Decode times at the shortest context, and at longer ones while there is time."""
    begun = perf_counter()
    shortest = min(BANDS[0], model.context_size // 2)
    measured: Measured = {shortest: measure(model, shortest)}
    for positions in BANDS[1:]:
        if positions + MAX_ROWS > model.context_size or not model.can_rewind:
            break
        if perf_counter() - begun > LONGEST_MEASURING:
            break
        try:
            model.stretch(shortest, positions)
            measured[positions] = _rounds(model, ROWS_OF_LONGER, 2, begun + LONGEST_MEASURING)
        except ModelError:
            break  # live decodes will tell
    model.forget()
    return measured


def measure(model: LlamaModel, positions: int = BANDS[0]) -> dict[int, float]:
    """The smallest of up to four decode times per row count, in seconds, behind `positions` tokens."""
    _fill(model, positions)
    times = _rounds(model, MEASURED_ROWS, REPEATS, perf_counter() + SECONDS_MEASURING)
    model.forget()
    return times


def _fill(model: LlamaModel, positions: int) -> None:
    model.forget()
    model.begin(np.full(positions, model.bos, dtype=np.int32))


def _rounds(model: LlamaModel, counts: Iterable[int], repeats: int, until: float) -> dict[int, float]:
    """Row counts take turns, so that a passing load of the machine does not hit one of them alone."""
    times: dict[int, float] = {}
    for repeat in range(repeats + 1):
        if times and perf_counter() > until:
            break
        for rows in counts:
            if model.cached + rows >= model.context_size:
                continue
            tokens = np.full(rows - 1, model.bos, dtype=np.int32)
            parents = np.arange(-1, rows - 2, dtype=np.int32)
            started = perf_counter()
            model.decode(model.bos, tokens, parents)
            model.logits(rows)
            elapsed = perf_counter() - started
            model.discard()
            if repeat > 0:  # the first round warms caches and buffers up
                times[rows] = min(times.get(rows, elapsed), elapsed)
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


def _curves(measured: Measured) -> list[NDArray[np.float64]]:
    """T(k) of each band. Longer contexts were measured at few row counts: what these take beyond the shortest context
    is drawn out on straight lines and added to its curve, whose steps so remain."""
    bands = sorted(measured)
    first = interpolate(measured[bands[0]])
    curves = [first]
    for band in bands[1:]:
        known = {rows: seconds - float(first[rows]) for rows, seconds in measured[band].items()}
        curves.append(np.maximum(first + interpolate(known), 1e-6))
    return curves


def _mean_of(live: list[dict[int, tuple[float, float]]]) -> float:
    entries = [entry for band in live for entry in band.values()]
    weight = sum(decodes for _, decodes in entries)
    return sum(ratio * decodes for ratio, decodes in entries) / weight if weight else 0.0


def _file(model: LlamaModel, cache: Path) -> Path:
    status = model.path.stat()
    key = json.dumps(
        [str(model.path), status.st_size, status.st_mtime_ns, model.threads, model.gpu_layers,
         model.context_size, library_version(), system_info(), MEASURED_ROWS, BANDS]
    )  # fmt: skip
    return cache / f"decode-times-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def _write(file: Path, measured: Measured, live: list[dict[int, tuple[float, float]]]) -> None:
    temporary = file.with_suffix(".part")
    try:
        temporary.write_text(json.dumps({"measured": measured, "live": live}), encoding="utf-8")
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)  # measuring again costs two seconds


def _read(file: Path) -> tuple[Measured, list[dict[int, tuple[float, float]]] | None] | None:
    try:
        stored: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        measured = {
            int(band): {int(rows): float(seconds) for rows, seconds in times.items()}
            for band, times in stored["measured"].items()
        }
        live = [
            {int(rows): (float(ratio), float(decodes)) for rows, (ratio, decodes) in band.items()}
            for band in stored["live"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # never measured, or not readable: measuring again costs two seconds
    shortest = measured[min(measured)] if measured else {}
    usable = 1 in shortest and all(value > 0 for times in measured.values() for value in times.values())
    if not usable or len(live) not in (0, len(measured)):
        return None
    return measured, live or None
