"""Two formats measured in turn: what is promised, and what cannot be told. On figures made up."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec import texts
from localspec.models.quantization.turn_taking import (
    CHOSEN,
    DISTURBED,
    MIN_GAIN,
    NO_GAIN,
    SLOWER,
    UNTOLD,
    WITHIN_SPREAD,
    MeasuredRound,
    middle_times,
    take_turns,
    verdict,
)


@pytest.mark.parametrize(
    ("ratios", "calm", "expected"),
    [
        ([1.4, 1.44, 1.5], True, CHOSEN),
        ([1.04], True, CHOSEN),
        ([1.4, 1.44, 1.5], False, DISTURBED),
        ([0.9, 1.44, 2.1], True, WITHIN_SPREAD),
        ([0.98, 1.0, 1.05], True, WITHIN_SPREAD),
        ([1.005, 1.01, 1.02], True, NO_GAIN),
        ([0.99, 1.0, 1.02], True, NO_GAIN),
        ([0.7, 0.8, 0.9], True, SLOWER),
        ([], True, DISTURBED),
    ],
)
def test_what_pairs_tell(ratios: list[float], calm: bool, expected: str) -> None:
    assert verdict(ratios, calm=calm) == expected


@given(st.lists(st.floats(0.1, 10), min_size=1), st.booleans())
def test_nothing_is_promised_that_a_pair_denies(ratios: list[float], calm: bool) -> None:
    if verdict(ratios, calm=calm) == CHOSEN:
        assert calm
        assert min(ratios) > 1.0
        assert max(ratios) >= MIN_GAIN


def test_what_cannot_be_told_has_words() -> None:
    assert set(texts.FORMAT_WHY_UNTOLD) == set(UNTOLD)


def machine(
    speeds: Sequence[float], slowing: float = 1.0, busy: Sequence[int] = ()
) -> tuple[Callable[[], MeasuredRound], Callable[[], MeasuredRound]]:
    """Two formats of these speeds on a machine that gets slower with each measurement; in those of `busy`, counted from
    0, other programs run."""
    count = itertools.count()

    def measured(speed: float) -> MeasuredRound:
        now = next(count)
        speed *= slowing**now
        return MeasuredRound({1: 1 / speed}, speed, now not in busy)

    first, second = speeds
    return lambda: measured(first), lambda: measured(second)


def test_a_machine_that_slows_down_decides_nothing() -> None:
    """Each measurement is a tenth slower than the one before: alone, the second format would seem slower."""
    original, other = machine([100.0, 105.0], slowing=0.9)
    found = take_turns(original, other, 4, 4)
    assert found.calm
    assert sorted(round(ratio, 3) for ratio in found.ratios) == [0.945, 0.945, 1.167, 1.167]
    assert found.gain == pytest.approx((0.945 + 1.1667) / 2, abs=1e-3)
    assert found.verdict == WITHIN_SPREAD
    steady = take_turns(*machine([100.0, 144.0]), 5, 10)
    assert len(steady.pairs) == 5
    assert steady.gain == pytest.approx(1.44)
    assert steady.verdict == CHOSEN


def test_disturbed_pairs_are_measured_again_and_left_out() -> None:
    paused: list[float] = []
    found = take_turns(*machine([100.0, 110.0], busy=(1, 4)), 3, 6, pause=paused.append)
    assert (found.calm, len(found.pairs), len(paused)) == (True, 3, 2)
    assert all(one.calm for pair in found.pairs for one in pair)
    never = take_turns(*machine([100.0, 144.0], busy=range(100)), 3, 6, pause=paused.append)
    assert (never.calm, len(never.pairs), never.verdict) == (False, 6, DISTURBED)


def test_times_are_those_of_the_middle_round() -> None:
    rounds = [MeasuredRound({1: one, 4: 4 * one}, 1 / one) for one in (0.3, 0.1, 0.2)]
    rounds.append(MeasuredRound({1: 0.2, 8: 0.9}, 5.0))
    assert middle_times(rounds) == pytest.approx({1: 0.2, 4: 0.8, 8: 0.9})
    assert middle_times([]) == {}
