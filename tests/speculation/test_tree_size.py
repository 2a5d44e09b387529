"""Expected tokens per second: worked examples, and what must hold for every device."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.tree_size import DRAFT_OVERHEAD, draft_traces, expected_speed, few_sizes

TIMES = st.lists(st.floats(1e-4, 1.0), min_size=17, max_size=17).map(lambda times: np.array([0.0, *times]))
TRACES = st.lists(st.lists(st.floats(0, 1), min_size=15, max_size=15).map(sorted), max_size=8).map(
    lambda rows: np.array([row[::-1] for row in rows], dtype=np.float64).reshape(len(rows), 15)
)


def test_a_worked_example():
    seconds = np.array([0.0, 0.010, 0.012, 0.030])
    traces = np.array([[0.8, 0.5], [0.1, 0.0]])
    # One row is added in the first step (1.8 tokens in 12 ms and the overhead), none in the second.
    assert expected_speed(seconds, traces, 0.001) == pytest.approx((1.8 + 1.0) / (0.013 + 0.010))


def test_without_traces_it_is_plain_decoding():
    seconds = np.array([0.0, 0.005, 0.006, 0.007])
    assert expected_speed(seconds, np.zeros((0, 0))) == pytest.approx(200)
    assert expected_speed(seconds, np.zeros((3, 2))) == pytest.approx(200)


@given(TIMES, TRACES)
def test_drafting_by_cost_never_expects_less_than_plain(seconds, traces):
    assert expected_speed(seconds, traces) >= 1 / seconds[1] * (1 - 1e-9)


@given(TIMES, TRACES, st.floats(1.1, 4.0))
def test_a_slower_device_is_slower(seconds, traces, factor):
    assert expected_speed(seconds * factor, traces, 0.0) == pytest.approx(expected_speed(seconds, traces, 0.0) / factor)


def test_the_sample_is_sound():
    traces = draft_traces()
    assert traces.shape[0] >= 300
    assert 8 <= traces.shape[1] <= 64
    assert ((traces >= 0) & (traces <= 1)).all()
    assert (np.diff(traces, axis=1) <= 1e-9).all()
    assert 0.1 < (traces[:, 0] > 0).mean() <= 1


def test_flat_curves_gain_more_than_steep_ones():
    """The shipped Q4_1 and BF16 on two cores: BF16 is slower for one row, and faster with drafts (docs/log.md)."""
    counts = np.arange(66)
    rows = [1, 2, 4, 8, 16, 32, 64]
    steep = np.interp(counts, rows, np.array([6.9, 13.7, 20.0, 27.7, 47.5, 90.9, 165.0]) / 1000)
    flat = np.interp(counts, rows, np.array([7.6, 10.7, 14.7, 20.1, 28.1, 48.1, 67.2]) / 1000)
    assert DRAFT_OVERHEAD < 0.002
    assert expected_speed(flat, draft_traces()) > expected_speed(steep, draft_traces())


def padded(seconds: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """T(k) where a batch is filled up to one of the sizes; more rows than the largest take forever."""
    return np.array([0.0, *(min((seconds[size] for size in sizes if size >= k), default=1e9) for k in range(1, 66))])


@pytest.mark.parametrize(
    "milliseconds",
    [
        {1: 1.05, 2: 1.21, 4: 1.48, 8: 1.69, 9: 3.07, 16: 3.34, 32: 4.06, 64: 5.05},  # H200, 135M in Q4_1
        {1: 3.53, 2: 4.01, 4: 5.53, 8: 8.15, 9: 7.9, 16: 7.93, 32: 9.83, 64: 13.18},  # H200, 8B in Q4_K
        {1: 1.0, 2: 2.0, 4: 4.0, 8: 8.0, 64: 64.0},  # nothing is to be had
    ],
)
def test_the_few_sizes_are_hardly_slower_than_all(milliseconds: dict[int, float]):
    seconds = np.interp(np.arange(66), [0, *milliseconds], [0.0, *milliseconds.values()]) / 1e3
    sizes = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
    few = few_sizes(seconds, sizes)
    assert few[0] == 1
    assert len(few) <= 4
    assert set(few) <= set(sizes)
    assert max(size / seconds[size] for size in few) == max(size / seconds[size] for size in sizes[1:])
    best = expected_speed(padded(seconds, sizes), draft_traces(), 0.0)
    assert expected_speed(padded(seconds, few), draft_traces(), 0.0) > 0.96 * best


def test_of_one_or_two_sizes_there_is_no_choice():
    seconds = np.linspace(0.0, 0.065, 66)
    assert few_sizes(seconds, (1,)) == (1,)
    assert few_sizes(seconds, (1, 2)) == (1, 2)
