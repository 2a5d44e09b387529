"""T(k): measured, remembered, and drawn out over all row counts."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.models.llama import MAX_ROWS
from localspec.models.tuning import MEASURED_ROWS, _read, decode_seconds, interpolate

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
    measured = decode_seconds(model, tmp_path)
    assert model.cached == 0
    assert (measured[1:] > 0).all()
    assert measured[1] <= measured[32]
    (file,) = tmp_path.iterdir()
    stored = json.loads(file.read_text())
    assert set(stored["seconds"]) == {str(rows) for rows in MEASURED_ROWS}
    # T(k) = k seconds, which no measurement would give.
    stored["seconds"] = {rows: float(rows) for rows in stored["seconds"]}
    file.write_text(json.dumps(stored))
    again = decode_seconds(model, tmp_path)
    assert again[1:].tolist() == pytest.approx(list(range(1, MAX_ROWS + 1))), "taken from the file"


@pytest.mark.parametrize(
    "content",
    [b"", b"no json", b"{}", b"[]", b"\xff", b'{"seconds": {}}', b'{"seconds": {"1": 0}}', b'{"seconds": {"a": 1}}'],
)
def test_an_unreadable_measurement_counts_as_none(tmp_path, content):
    file = tmp_path / "decode-seconds.json"
    assert _read(file) is None
    file.write_bytes(content)
    assert _read(file) is None
    file.write_text(json.dumps({"seconds": {"1": 0.5, "2": 0.75}}))
    assert _read(file) == {1: 0.5, 2: 0.75}
