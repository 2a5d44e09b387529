"""T(k): the measured time of one target decode of k rows on this device, by the length of the context."""

from __future__ import annotations

import hashlib
import json
import math
import os
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from localspec.errors import ModelError
from localspec.models.llama import (
    MAX_ROWS,
    PREFILL_ROWS,
    LlamaModel,
    LoadSettings,
    gpu_names,
    library_version,
    system_info,
)
from localspec.models.reading_speed import ReadingSpeed
from localspec.native.graphs import SETTLING
from localspec.whole_file import write_whole

MEASURED_ROWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""The sizes of batches (`speculation.cost.SIZES`); the widest take too long to be measured first."""
REPEATS = 3
BANDS = (128, 1024, 2048, 4096)
"""Positions in the KV cache while measuring: attention takes longer over longer contexts, and more so for more rows."""
ROWS_OF_ATTENTION = (1, 4)
"""Row counts by which ways to attend are compared: plain decoding, and a usual draft."""
ROWS_OF_LONGER = (1, 4, 16)
"""Row counts measured at the longer contexts; what these take longer is drawn out over the others."""
SHORTEST_UNTIL, LONGER_UNTIL = 1.4, 2.0
"""Seconds from the start after which no further decode of the shortest context, or of longer ones, is begun (but every
row count is measured once): on a busy machine fewer rounds must do, and live decodes tell the rest."""

NARROW = 8
"""Row counts up to this are measured `REPEATS` times, wider ones once: they take long, and few trees are so wide."""
_QUICK = 0.05
"""Seconds of a decode beside which a millisecond for another graph counts."""
_STEADY = 1.15
"""The second fastest decode of one row takes at most so many times as long as the fastest on a machine at rest (2% to
4% were seen; beside a browser that opens a page, 30% and more)."""
_MAX_RATIO = 1.1
"""A batch takes at most so many times as long as a wider one: where it seemed to, something else held it up. Some
formats have wider batches that are a little faster (Q4_0 repacked, 6 and 8 rows: 16.2 and 15.9 ms)."""

_FADING = 0.05
"""Weight of a live decode in the running mean of its kind."""
_TRUST = 8.0
"""Live decodes of a row count from which on they outweigh what all counts have in common."""
_MAX_LIVE_LOG_RATIO = math.log(2.0)
"""Natural log: a live decode counts as at most twice or half as long as measured, for other programs compute, too."""
_MAX_COMMON_LOG_RATIO = 3.0
"""A mean logarithm further from 0 (twenty times as long) is no measurement of this machine."""
_SPAN = 128
"""Positions over which T(k) counts as the same."""
_REFRESH = 8
"""Live decodes after which T(k) is drawn anew."""

Measured = dict[int, dict[int, float]]
"""Seconds by positions in the cache and rows."""
Live = tuple[float, list[dict[int, tuple[float, float]]]]
"""Mean logarithm of live time ÷ measured time over all decodes, and per band by rows: that mean, and their number."""


class MeasuredDecodeTimes:
    """T(k) by context length: as measured, corrected by what decodes take while replies are written. Stepped curves
    keep their steps: a row count is corrected by its own live times, and by what all have in common."""

    def __init__(
        self,
        measured: Measured,
        live: Live | None = None,
        *,
        change: float = 0.0,
        build: float = 0.0,
        calm: bool = True,
        reading: ReadingSpeed | None = None,
    ) -> None:
        """`measured` holds one band at least, of decodes after others of the same size; `change`: seconds that one
        takes longer after another size, `build`: that the first ones of a size take longer in all, which make its
        graph; `calm` is False where other programs seemed to disturb them."""
        self.measured = measured
        self.change = change
        self.build = build
        self.calm = calm
        """Whether the measurement is worth keeping for the next start."""
        self.reading = reading or ReadingSpeed()
        """of prompts"""
        self._bands = sorted(measured)
        self._borders = [math.sqrt(lower * upper) for lower, upper in pairwise(self._bands)]
        self._curves = _curves(measured)
        self._common, self._live = live or (0.0, [{} for _ in self._bands])
        self._since = 0
        self._between: dict[int, NDArray[np.float64]] = {}
        self._drawn: dict[int, NDArray[np.float64]] = {}
        """by span of positions: as measured, and with what was learnt since"""

    def at(self, cached: int) -> NDArray[np.float64]:
        """T(k) in seconds for k = 0 … 65 (index 0 unused) below a text of `cached` positions."""
        span = cached // _SPAN
        drawn = self._drawn.get(span)
        if drawn is None:
            correction = np.full(MAX_ROWS + 1, self._common)
            for rows, (ratio, decodes) in self._live[self._band(cached)].items():
                correction[rows] += decodes / (decodes + _TRUST) * (ratio - self._common)
            drawn = self._drawn[span] = self._curve(cached) * np.exp(correction)
        return drawn

    def _curve(self, cached: int) -> NDArray[np.float64]:
        """As measured: what attention takes grows with the positions, so on a straight line between two contexts, and
        behind the longest; the shortest holds for all before it."""
        bands, curves, span = self._bands, self._curves, cached // _SPAN
        middle = (span + 0.5) * _SPAN
        if len(bands) == 1 or middle <= bands[0]:
            return curves[0]
        if span not in self._between:
            upper = min(max(bisect_left(bands, middle), 1), len(bands) - 1)
            part = (middle - bands[upper - 1]) / (bands[upper] - bands[upper - 1])
            self._between[span] = curves[upper - 1] + part * (curves[upper] - curves[upper - 1])
        return self._between[span]

    def observe(self, rows: int, cached: int, seconds: float, *, changed: bool = False) -> None:
        """A live decode of `rows` rows took so long; `changed`: the one before had another number."""
        seconds -= self.change if changed else 0.0
        if seconds <= 0 or not 0 < rows <= MAX_ROWS:
            return
        band = self._band(cached)
        ratio = math.log(seconds / float(self._curve(cached)[rows]))
        expected, decodes = self._live[band].get(rows, (self._common, 0.0))
        ratio = min(max(ratio, expected - _MAX_LIVE_LOG_RATIO), expected + _MAX_LIVE_LOG_RATIO)
        weight = max(_FADING, 1.0 / (decodes + 1.0))
        self._live[band][rows] = (expected + weight * (ratio - expected), min(decodes + 1.0, 1.0 / _FADING))
        self._common += _FADING * (ratio - self._common)
        self._since += 1
        if self._since >= _REFRESH:
            self._since = 0
            self._drawn.clear()

    def live(self) -> Live:
        """What was learnt from live decodes, as the constructor takes it."""
        return self._common, self._live

    def _band(self, cached: int) -> int:
        """The measured context that is nearest, on a logarithmic scale."""
        return bisect_left(self._borders, cached)


def decode_times(model: LlamaModel, cache: Path) -> MeasuredDecodeTimes:
    """T(k) of `model`, measured once per model file, device, threads, context and version: at most about two seconds.

    `cache` is the folder that keeps the measurements. Empties the KV cache when it measures.
    """
    file = _file(model, cache)
    times = _read(file)
    if times is None:
        times = measure_all(model)
        _write(file, times)
    return times


def remember(model: LlamaModel, cache: Path, times: MeasuredDecodeTimes) -> None:
    """Keep what live decodes have taught about T(k) for the next start."""
    _write(_file(model, cache), times)


def fastest_attention(path: Path, settings: LoadSettings, cache: Path) -> str:
    """The name of the way to attend that is fastest on this device for this model, measured once with a context of
    about a thousand tokens; "" where there is no choice. Takes about a second. Raises what loading the model raises."""
    file = cache / f"attention-{_key([_file_key(path), settings.threads, settings.gpu_layers, settings.context])}.json"
    try:
        known = json.loads(file.read_text(encoding="utf-8"))["attention"]
        if isinstance(known, str):
            return known
    except (OSError, ValueError, KeyError, TypeError):
        pass  # never measured, or not readable
    seconds: dict[str, float] = {}
    for name in _attentions(path, settings):
        with closing(LlamaModel(path, replace(settings, attention=name))) as model:
            _fill(model, min(BANDS[0], model.context_size // 2))
            with suppress(ModelError):  # a short context is measured as it is
                model.stretch(min(BANDS[1], model.context_size // 2))
            rounds = _rounds(model, ROWS_OF_ATTENTION, 2, perf_counter() + SHORTEST_UNTIL)
        seconds[name] = sum(taken / rows for rows, taken in rounds.times.items())
    fastest = min(seconds, key=lambda name: seconds[name], default="")
    _replace(file, {"attention": fastest, "seconds": seconds})
    return fastest


def _attentions(path: Path, settings: LoadSettings) -> list[str]:
    with closing(LlamaModel(path, settings)) as model:
        return [each.name for each in model.attentions(model.context_size, PREFILL_ROWS)]


def measure_all(model: LlamaModel, longer: Sequence[int] = BANDS[1:]) -> MeasuredDecodeTimes:
    """Decode times at the shortest context, and at longer ones while there is time."""
    begun = perf_counter()
    shortest = min(BANDS[0], model.context_size // 2)
    _fill(model, shortest)
    if model.gpu_layers != 0:  # drivers compile what a number of rows needs when it first comes (Vulkan)
        for rows in MEASURED_ROWS:
            if model.cached + rows < model.context_size:
                _decode(model, rows)
        model.drop_graphs()
        begun = perf_counter()
    first = _rounds(model, MEASURED_ROWS, REPEATS, begun + SHORTEST_UNTIL)
    calm = first.calm and not model.disturbed
    measured: Measured = {shortest: first.times}
    for positions in longer:
        if positions + MAX_ROWS > model.context_size or not model.can_rewind or perf_counter() > begun + LONGER_UNTIL:
            break
        try:
            model.stretch(positions)
        except ModelError:
            break
        measured[positions] = _rounds(model, ROWS_OF_LONGER, 2, begun + LONGER_UNTIL).times
        calm = calm and not model.disturbed
    model.forget()
    build = first.build if model.gpu_layers != 0 else 0.0  # a processor captures nothing, only its first pages are slow
    return MeasuredDecodeTimes(measured, change=first.change, build=build, calm=calm)


def measure(model: LlamaModel) -> dict[int, float]:
    """The smallest decode time per row count at a short context, in seconds. Empties the KV cache."""
    return next(iter(measure_all(model, longer=()).measured.values()))


def _fill(model: LlamaModel, positions: int) -> None:
    model.forget()
    model.begin(np.full(positions + 1, model.bos, dtype=np.int32))


class _Rounds(NamedTuple):
    """What was measured at one context, as `MeasuredDecodeTimes` has it."""

    times: dict[int, float]
    change: float
    build: float
    calm: bool


def _rounds(model: LlamaModel, counts: Sequence[int], repeats: int, until: float) -> _Rounds:
    """They take turns, so that a passing load of the machine does not hit one of them alone; each is decoded until it
    is steady and once more, but where that takes so long that a change of size hardly matters."""
    taken: dict[int, list[float]] = {}
    settling: dict[int, list[list[float]]] = {}
    _decode(model, max(counts))  # warms caches and buffers up
    for turn in range(repeats):
        for rows in counts:
            late = rows in taken and rows > 1 and (perf_counter() > until or (turn > 0 and rows > NARROW))
            if late or model.cached + rows >= model.context_size:
                continue
            run = [_decode(model, rows)]
            further = SETTLING if run[0] < _QUICK else int(rows == 1)
            if further:
                run += [_decode(model, rows) for _ in range(further)]
                settling.setdefault(rows, []).append(run[:-1])
            taken.setdefault(rows, []).append(min(run[-2:]))
    times = {rows: min(seconds) for rows, seconds in taken.items()}
    longer = {
        rows: [[max(0.0, nth - times[rows]) for nth in run] for run in runs]
        for rows, runs in settling.items()
        if rows <= NARROW
    }
    builds = [sum(runs[0]) for runs in longer.values()]
    again = [runs[1:] for runs in longer.values() if len(runs) > 1] or [*longer.values()]
    changes = [sum(map(min, *runs)) if len(runs) > 1 else sum(runs[0]) for runs in again]
    single = sorted(taken.get(1, []))
    steady = len(single) < 2 or single[1] <= _STEADY * single[0]
    cleaned = plausible(times)
    change, build = (median(each) if each else 0.0 for each in (changes, builds))
    return _Rounds(cleaned, change, build, steady and cleaned == times)


def plausible(times: dict[int, float]) -> dict[int, float]:
    """`times` by row count without those that something else held up: no batch takes much longer than a wider one."""
    most = math.inf
    result: dict[int, float] = {}
    for rows in sorted(times, reverse=True):
        result[rows] = min(times[rows], most * _MAX_RATIO)
        most = min(most, times[rows])
    return dict(sorted(result.items()))


def _decode(model: LlamaModel, rows: int) -> float:
    tokens = np.full(rows - 1, model.bos, dtype=np.int32)
    parents = np.arange(-1, rows - 2, dtype=np.int32)
    started = perf_counter()
    model.decode(model.bos, tokens, parents)
    model.logits(rows)
    elapsed = perf_counter() - started
    model.discard()
    return elapsed


def interpolate(known: dict[int, float]) -> NDArray[np.float64]:
    """T(k) for k = 0 … 65: measured counts as they are, others on straight lines between, or behind the last two."""
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
    is drawn out on straight lines and added to its curve, whose steps so remain. More positions never take less: where
    they seemed to, something held up what was measured before."""
    bands = sorted(measured)
    shortest = measured[bands[0]]
    most = {rows: min(measured[band].get(rows, math.inf) for band in bands) for rows in shortest}
    first = interpolate(shortest if most == shortest else plausible(most))
    curves = [first]
    for band in bands[1:]:
        known = {rows: seconds - float(first[rows]) for rows, seconds in measured[band].items()}
        curves.append(np.maximum(first + interpolate(known), curves[-1]))
    return curves


def _file(model: LlamaModel, cache: Path) -> Path:
    loaded: list[object] = [model.threads, model.gpu_layers, model.context_size, model.attention, model.keeps_graphs]
    if model.gpu_layers != 0:
        loaded.append(gpu_names())
    key = _key([_file_key(model.path), *loaded, MEASURED_ROWS, BANDS, SETTLING])
    return cache / f"decode-times-{key}.json"


def _file_key(path: Path) -> list[object]:
    status = path.stat()
    return [str(path), status.st_size, status.st_mtime_ns]


def _key(parts: list[object]) -> str:
    """Of a measurement of this build of llama.cpp."""
    whole = json.dumps([*parts, library_version(), system_info(), os.environ.get("GOMP_SPINCOUNT", "")])
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def _write(file: Path, times: MeasuredDecodeTimes) -> None:
    common, live = times.live()
    content = {"measured": times.measured, "change": times.change, "build": times.build, "calm": times.calm}
    content |= {"common": common, "live": live, "reading": times.reading.known}
    _replace(file, content)


def _replace(file: Path, content: dict[str, Any]) -> None:
    with suppress(OSError):  # measuring again costs two seconds
        write_whole(file, json.dumps(content))


def _read(file: Path) -> MeasuredDecodeTimes | None:
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
        common, change, build = float(stored["common"]), float(stored["change"]), float(stored["build"])
        calm = stored["calm"] is True
        reading = ReadingSpeed(stored.get("reading", (0.0, 0.0)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # never measured, or not readable: measuring again costs two seconds
    shortest = measured[min(measured)] if measured else {}
    positive = all(value > 0 for times in measured.values() for value in times.values())
    complete = calm and 1 in shortest and positive and len(live) == len(measured) and min(change, build) >= 0
    if not complete or abs(common) > _MAX_COMMON_LOG_RATIO:
        return None
    return MeasuredDecodeTimes(measured, (common, live), change=change, build=build, reading=reading)
