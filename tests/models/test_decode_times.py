"""T(k): measured, remembered, and drawn out over all row counts."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.errors import ModelError
from localspec.models import decode_times as module
from localspec.models.decode_times import (
    BANDS,
    MEASURED_ROWS,
    MeasuredDecodeTimes,
    _read,
    decode_times,
    interpolate,
    measure_all,
    plausible,
    remember,
)
from localspec.models.llama import MAX_ROWS

KNOWN = st.dictionaries(st.integers(1, MAX_ROWS), st.floats(1e-4, 10.0), min_size=2).map(
    lambda known: known | {1: 0.01}
)


@given(KNOWN)
def test_measured_counts_are_kept_and_the_rest_lies_between(known):
    seconds = interpolate(known)
    assert seconds.shape == (MAX_ROWS + 1,)
    assert (seconds[1:] > 0).all()
    for rows, value in known.items():
        assert seconds[rows] == pytest.approx(value)
    counts = sorted(known)
    for left, right in pairwise(counts):
        between = seconds[left : right + 1]
        low, high = sorted((known[left], known[right]))
        assert (between >= low * (1 - 1e-9)).all()
        assert (between <= high * (1 + 1e-9)).all()
    beyond = seconds[counts[-1] :]
    assert (np.diff(beyond) >= -1e-12).all(), "more rows than were measured never look cheaper"


def test_beyond_the_last_count_the_last_slope_goes_on():
    seconds = interpolate({1: 1.0, 24: 3.0, 32: 5.0})
    assert seconds[40] == pytest.approx(7.0)
    assert seconds[28] == pytest.approx(4.0)
    assert interpolate({1: 1.0, 24: 3.0, 32: 2.0})[60] == pytest.approx(2.0), "a falling end is not drawn out"
    assert (interpolate({1: 0.5})[1:] == 0.5).all()


def test_a_measurement_is_positive_and_made_once(model, tmp_path: Path):
    model.begin(model.tokenize("something in the cache"))
    times = decode_times(model, tmp_path)
    assert model.cached == 0
    measured = times.at(0)
    assert (measured[1:] > 0).all()
    assert measured[1] <= measured[32]
    (file,) = tmp_path.iterdir()
    stored = json.loads(file.read_text())
    shortest = min(stored["measured"], key=int)
    assert set(stored["measured"][shortest]) == {str(rows) for rows in MEASURED_ROWS}
    assert stored["change"] == times.change >= 0
    # T(k) = k seconds, which no measurement would give.
    stored["live"] = [{}]
    stored["calm"] = True
    stored["change"] = 0.5
    stored["measured"] = {shortest: {rows: float(rows) for rows in stored["measured"][shortest]}}
    file.write_text(json.dumps(stored))
    again = decode_times(model, tmp_path)
    assert again.at(0)[1:].tolist() == pytest.approx(list(range(1, MAX_ROWS + 1))), "taken from the file"
    assert again.change == 0.5


def test_how_fast_prompts_were_read_is_remembered(model, tmp_path: Path):
    times = decode_times(model, tmp_path)
    times.reading.observe(512, 2.0, states=False)
    times.calm = True
    remember(model, tmp_path, times)
    assert decode_times(model, tmp_path).reading.known == [2.0 / 512, 0.0]
    (file,) = tmp_path.iterdir()
    stored = json.loads(file.read_text())
    for damaged in ([-1.0, 0.0], [1.0], "fast", None):
        file.write_text(json.dumps({**stored, "reading": damaged}))
        assert _read(file) is None
    del stored["reading"]  # as an earlier version wrote it
    file.write_text(json.dumps(stored))
    again = _read(file)
    assert again is not None and again.reading.known == [0.0, 0.0]


def test_what_a_busy_machine_gave_is_measured_again_at_the_next_start(model, tmp_path):
    decode_times(model, tmp_path)
    (file,) = tmp_path.iterdir()
    stored = json.loads(file.read_text())
    file.write_text(json.dumps({**stored, "measured": {"128": {"1": 1000.0}}, "live": [{}], "calm": False}))
    assert decode_times(model, tmp_path).at(0)[1] < 1000


def test_a_batch_that_was_held_up_is_no_slower_than_a_wider_one():
    measured = {1: 12.9, 2: 71.5, 3: 41.1, 4: 42.4, 5: 37.1, 6: 40.1, 8: 49.8}
    cleaned = plausible(measured)
    assert list(cleaned) == list(measured)
    assert cleaned[2] == pytest.approx(1.1 * 37.1)
    assert cleaned[3] == pytest.approx(1.1 * 37.1)
    steps = {6: 16.2, 8: 15.9, 10: 21.9, 12: 21.3}
    assert plausible(steps) == steps, "the steps of repacked formats are real"


def test_longer_contexts_are_measured_without_reading_one(model):
    begun = perf_counter()
    times = measure_all(model)
    assert perf_counter() - begun < 30, "a bound for any machine; two seconds are aimed at"
    assert min(times.measured) <= BANDS[0]
    assert 0 <= times.change < 10
    assert times.build == 0, "sizes cost what they cost on a processor, however long its first pages took"
    assert model.cached == 0
    prompt = model.tokenize("After measuring, the model")
    model.begin(prompt)
    model.decode(int(prompt[-1]), np.empty(0, np.int32), np.empty(0, np.int32))
    after = model.logits(1).copy()
    model.forget()
    model.begin(prompt)
    model.decode(int(prompt[-1]), np.empty(0, np.int32), np.empty(0, np.int32))
    assert (model.logits(1) == after).all(), "nothing of the stretched cache is left"


def test_on_a_gpu_each_size_is_decoded_once_before_it_is_measured(model, monkeypatch):
    """Drivers compile what a size needs when it first comes; its graph is built again after that, and measured."""
    decode, decoded = module._decode, []
    dropped: list[int] = []

    def noted(one: Any, rows: int) -> float:
        decoded.append(rows)
        return decode(one, rows)

    monkeypatch.setattr(module, "_decode", noted)
    monkeypatch.setattr(model, "drop_graphs", lambda: dropped.append(len(decoded)))
    monkeypatch.setattr(model, "gpu_layers", -1)
    times = measure_all(model, longer=())
    assert tuple(decoded[: len(MEASURED_ROWS)]) == MEASURED_ROWS
    assert dropped == [len(MEASURED_ROWS)]
    assert times.build > 0


def test_a_stretched_cache_is_attended_to(model):
    """Each decode attends over all the copies: the times are those of a long context."""
    model.forget()
    model.begin(np.full(129, model.bos, np.int32))
    seconds = []
    for cells in (128, 1024):
        model.stretch(cells)
        assert model.cached == 128
        tries = []
        for _ in range(5):
            started = perf_counter()
            model.decode(model.bos, np.full(15, model.bos, np.int32), np.arange(-1, 14, dtype=np.int32))
            model.logits(16)
            tries.append(perf_counter() - started)
            model.discard()
        seconds.append(min(tries))
    model.forget()
    assert seconds[1] > seconds[0]


def test_what_cannot_be_stretched_says_so(model):
    model.forget()
    with pytest.raises(ModelError, match="nothing"):
        model.stretch(512)
    model.begin(np.full(33, model.bos, np.int32))
    with pytest.raises(ModelError, match="cannot be copied"):
        model.stretch(2 * model.context_size)
    assert model.cached == 0


FLAT = {256: {1: 1.0, 2: 2.0, 4: 3.0}}


def test_a_longer_band_keeps_the_steps_of_the_shortest():
    times = MeasuredDecodeTimes({256: {1: 1.0, 2: 3.0, 3: 5.0, 4: 2.0, 8: 6.0}, 2048: {1: 1.5, 4: 3.0, 8: 8.0}})
    assert times.at(0)[1:5].tolist() == [1.0, 3.0, 5.0, 2.0]
    longer = times.at(2048 - 128)
    assert longer[[1, 4, 8]].tolist() == pytest.approx([1.5, 3.0, 8.0], rel=0.03)
    assert longer[4] < longer[3], "four rows cost less than three there too"


def test_between_two_contexts_and_behind_the_longest_times_lie_on_a_line():
    times = MeasuredDecodeTimes({256: {1: 1.0, 4: 2.0}, 2048: {1: 2.0, 4: 4.0}})
    assert times.at(1152)[[1, 4]].tolist() == pytest.approx([1.5, 3.0], rel=0.05)
    assert times.at(3840)[[1, 4]].tolist() == pytest.approx([3.0, 6.0], rel=0.05)
    assert times.at(100)[1] == times.at(0)[1] == 1.0
    assert times.at(1000) is times.at(1010), "over a few positions they count as the same"


def test_what_was_held_up_below_a_short_text_takes_no_longer_than_below_a_long_one():
    """Measured beside a compiler: the line through both led below 0, and the first live decode there failed."""
    held_up = {128: {1: 6.4, 2: 98.3, 4: 102.5, 8: 108.2, 16: 128.6, 32: 152.0}, 1024: {1: 12.1, 4: 16.8, 16: 51.2}}
    times = MeasuredDecodeTimes({band: {k: ms / 1000 for k, ms in found.items()} for band, found in held_up.items()})
    for cached in range(0, 40_000, 700):
        assert (times.at(cached)[1:] > 0.006).all()
        assert (times.at(cached + 700)[1:] >= times.at(cached)[1:]).all()
    assert times.at(0)[4] == pytest.approx(0.0168)
    for cached in range(0, 40_000, 700):
        for rows in (1, 2, 4, 16, 64):
            times.observe(rows, cached, 0.02)
    assert (times.at(40_000)[1:] > 0).all()
    assert times.measured[128][4] == pytest.approx(0.1025), "as it was measured"


def test_live_times_correct_their_own_rows_and_what_all_have_in_common():
    times = MeasuredDecodeTimes(FLAT)
    for _ in range(200):
        times.observe(1, 10, 1.2)
        times.observe(4, 10, 4.2)
    assert times.at(0)[1] == pytest.approx(1.2, rel=0.05)
    assert times.at(0)[4] == pytest.approx(4.2, rel=0.05)
    assert 2.3 < times.at(0)[2] < 2.85, "rows never decoded are corrected as the others were on average"


def test_a_live_decode_after_another_size_counts_without_what_the_change_took():
    same, changed = MeasuredDecodeTimes(FLAT, change=0.5), MeasuredDecodeTimes(FLAT, change=0.5)
    for _ in range(20):
        same.observe(2, 10, 2.25)
        changed.observe(2, 10, 2.75, changed=True)
    assert changed.at(0).tolist() == same.at(0).tolist()
    changed.observe(2, 10, 0.5, changed=True)  # no time is left
    assert changed.at(0).tolist() == same.at(0).tolist()


@pytest.mark.parametrize("plain", [0.001, 0.01, 1.0])
def test_what_a_change_of_size_takes_is_measured_where_it_counts(monkeypatch, plain: float):
    """By the first two decodes of a size against the next one: on a graphics card the second captures a graph. Where
    decodes take long, that of one row alone tells."""
    decoded: list[int] = []
    settling = [0.002, 0.004] if plain == 0.001 else [0.002]

    def decode(_: Any, rows: int) -> float:
        decoded.append(rows)
        same = 0
        while same + 1 < len(decoded) and decoded[-2 - same] == rows:
            same += 1
        return plain * (1 + rows / 100) + (settling[same] if same < len(settling) else 0.0)

    monkeypatch.setattr(module, "_decode", decode)
    model: Any = SimpleNamespace(cached=0, context_size=1000)
    rounds = module._rounds(model, (1, 2, 4, 12), 3, perf_counter() + 60)
    times = rounds.times
    quick = plain < 0.05
    assert rounds.change == rounds.build == pytest.approx(sum(settling))
    assert rounds.calm
    assert times[1] == pytest.approx(plain * 1.01), "one row is always decoded twice"
    for rows in (2, 4, 12):
        assert times[rows] == pytest.approx(plain * (1 + rows / 100) + (0.0 if quick else 0.002))
    turns = [1, 1, 1, 2, 2, 2, 4, 4, 4] if quick else [1, 1, 2, 4]
    assert decoded == [12, *turns, *([12] * (3 if quick else 1)), *turns, *turns]


def test_where_each_size_keeps_its_graph_only_the_first_decodes_are_slow(monkeypatch):
    """Two of each size; a change costs nothing after that."""
    decoded: list[int] = []

    def decode(_: Any, rows: int) -> float:
        decoded.append(rows)
        return 0.001 + {1: 0.002, 2: 0.004}.get(decoded.count(rows), 0.0)

    monkeypatch.setattr(module, "_decode", decode)
    model: Any = SimpleNamespace(cached=0, context_size=1000)
    rounds = module._rounds(model, (1, 2, 4, 16), 3, perf_counter() + 60)
    assert rounds.build == pytest.approx(0.006)
    assert rounds.change == pytest.approx(0.0)
    assert rounds.times == pytest.approx(dict.fromkeys((1, 2, 4, 16), 0.001))


def test_one_late_decode_changes_little():
    times = MeasuredDecodeTimes(FLAT)
    for _ in range(50):
        times.observe(1, 10, 1.0)
    for _ in range(8):
        times.observe(1, 10, 1.0)
    times.observe(1, 10, 50.0)
    for _ in range(8):
        times.observe(1, 10, 1.0)
    assert times.at(0)[1] < 1.1


@pytest.mark.parametrize(("rows", "seconds"), [(0, 1.0), (MAX_ROWS + 1, 1.0), (1, 0.0), (1, -1.0)])
def test_times_that_cannot_be_are_left_out(rows, seconds):
    times = MeasuredDecodeTimes(FLAT)
    for _ in range(20):
        times.observe(rows, 0, seconds)
    assert times.at(0)[1] == 1.0


def test_live_times_are_remembered(model, tmp_path: Path):
    times = decode_times(model, tmp_path)
    times.calm = True  # whatever runs beside the tests
    before = times.at(0).copy()
    for _ in range(100):
        times.observe(1, 10, float(before[1]) * 1.5)
    remember(model, tmp_path, times)
    again = decode_times(model, tmp_path)
    assert again.at(0)[1] == pytest.approx(times.at(0)[1])
    assert again.at(0)[1] > before[1] * 1.3
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"{}",
        b"[]",
        b"\xff",
        b'{"measured": {}, "change": 0, "build": 0, "common": 0, "live": [], "calm": true}',
        b'{"measured": {"256": {"1": 0}}, "change": 0, "build": 0, "common": 0, "live": [], "calm": true}',
        b'{"measured": {"256": {"a": 1}}, "change": 0, "build": 0, "common": 0, "live": [], "calm": true}',
        b'{"measured": {"256": {"1": 1}}, "change": 0, "build": 0, "calm": true}',
        b'{"measured": {"256": {"1": 1}}, "change": 0, "build": 0, "common": 0, "live": [{}]}',
        b'{"measured": {"256": {"1": 1}}, "change": 0, "build": 0, "common": 0, "live": [{}], "calm": false}',
        b'{"measured": {"256": {"1": 1}}, "common": 0, "live": [{}], "calm": true}',
        b'{"measured": {"256": {"1": 1}}, "change": 0, "common": 0, "live": [{}], "calm": true}',
        b'{"measured": {"256": {"1": 1}}, "change": 0, "build": -1, "common": 0, "live": [{}], "calm": true}',
        b'{"measured": {"256": {"1": 1}}, "change": -1, "build": 0, "common": 0, "live": [{}], "calm": true}',
        b'{"measured": {"256": {"1": 1}}, "change": "a", "build": 0, "common": 0, "live": [{}], "calm": true}',
        b'{"measured": {"256": {"1": 1}}, "change": 0, "build": 0, "common": 9, "live": [{}], "calm": true}',
        b'{"measured": {"256": {"1": 1}}, "change": 0, "build": 0, "common": 0, "live": [{}, {}], "calm": true}',
        b'{"measured": {"256": {"1": 1}}, "change": 0, "build": 0, "common": 0, "live": [{"1": 5}], "calm": true}',
    ],
)
def test_an_unreadable_measurement_counts_as_none(tmp_path, content):
    file = tmp_path / "decode-times.json"
    assert _read(file) is None
    file.write_bytes(content)
    assert _read(file) is None
    measured = {"256": {"1": 0.5, "2": 0.75}}
    stored = {"measured": measured, "change": 0.125, "build": 0.25, "common": 0.2, "live": [{"2": [0.1, 3]}]}
    file.write_text(json.dumps({**stored, "calm": True}))
    times = _read(file)
    assert times is not None
    assert times.measured == {256: {1: 0.5, 2: 0.75}}
    assert times.live() == (0.2, [{2: (0.1, 3.0)}])
    assert (times.change, times.build) == (0.125, 0.25)
