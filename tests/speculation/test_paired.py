"""How much faster a way is than plain decoding, from stretches in turns: what is told, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.paired import LEAST_ROUNDS, OUTLIER, WIDEST, PairedSpeed, StepTime, paired_speed

PLAIN_STEP = 0.02


def plain(slowness: list[float], steps: int = 24) -> list[list[StepTime]]:
    """Rounds of plain decoding on a computer that is so slow in each."""
    return [[StepTime(1, PLAIN_STEP * slow, PLAIN_STEP * slow, PLAIN_STEP)] * steps for slow in slowness]


def drafted(slowness: list[float], accepted: list[int], cost: float = 1.5) -> list[list[StepTime]]:
    """Rounds of steps that take `cost` plain ones and bring so many drafts each."""
    seconds = cost * PLAIN_STEP
    return [
        [StepTime(more + 1, seconds * slow, seconds * slow, seconds)] * 8
        for slow, more in zip(slowness, accepted, strict=True)
    ]


@given(st.lists(st.floats(0.5, 4.0), min_size=4, max_size=12), st.integers(0, 3))
def test_a_slow_moment_hits_both(slowness: list[float], accepted: int) -> None:
    speed = paired_speed(plain(slowness), drafted(slowness, [accepted] * len(slowness)))
    assert speed is not None
    # Where all rounds count alike, whatever a round took, the factor is that of a calm computer.
    assert speed.factor == pytest.approx((accepted + 1) / 1.5)
    assert speed.low == pytest.approx(speed.high)
    assert speed.is_told


def test_a_text_that_is_easy_here_and_hard_there_is_no_doubt() -> None:
    slowness, accepted = [1.0] * 6, [0, 5, 0, 5, 0, 5]
    speed = paired_speed(plain(slowness), drafted(slowness, accepted))
    assert speed is not None
    assert speed.factor == pytest.approx(3.5 / 1.5)
    assert speed.high == pytest.approx(speed.low)


def test_a_computer_that_changes_within_rounds_says_nothing() -> None:
    calm, restless = [1.0] * 6, [1.0, 2.5, 0.6, 2.0, 0.5, 1.5]
    speed = paired_speed(plain(calm), drafted(restless, [1] * 6))
    assert speed is not None
    assert speed.low < speed.factor < speed.high
    assert speed.high > WIDEST * speed.low
    assert not speed.is_told
    assert not speed.is_of_few


def test_one_decode_that_was_held_up_counts_as_three() -> None:
    slowness = [1.0] * 8
    held = drafted(slowness, [1] * 8)
    step = held[3][2]
    held[3] = [*held[3][:2], step._replace(seconds=step.seconds + 5.0, decode_seconds=step.decode_seconds + 5.0)]
    before = paired_speed(plain(slowness), drafted(slowness, [1] * 8))
    after = paired_speed(plain(slowness), held)
    assert before is not None
    assert after is not None
    tokens, seconds = (
        sum(s.tokens for r in held for s in r),
        sum(min(s.seconds, OUTLIER * step.seconds) for r in held for s in r),
    )
    assert after.factor == pytest.approx(PLAIN_STEP * tokens / seconds)
    assert after.factor == pytest.approx(before.factor, rel=0.05)


@pytest.mark.parametrize("rounds", range(1, LEAST_ROUNDS))
def test_few_rounds_say_nothing(rounds: int) -> None:
    speed = paired_speed(plain([1.0] * rounds), drafted([1.0] * rounds, [1] * rounds))
    assert speed is not None
    assert speed.is_of_few
    assert not speed.is_told


def test_rounds_that_one_of_them_missed_do_not_count() -> None:
    assert paired_speed([], []) is None
    assert paired_speed([[]], drafted([1.0], [1])) is None
    one = paired_speed([*plain([1.0] * 4), []], drafted([1.0] * 5, [1] * 5))
    assert one is not None
    assert one.rounds == 4


def test_it_is_kept() -> None:
    speed = PairedSpeed(1.5, 1.4, 1.6, 8, 0.02)
    assert PairedSpeed.of_record(speed.record()) == speed
    assert speed.tokens_per_second == pytest.approx(75.0)


@pytest.mark.parametrize(
    "wrong", [{}, {"factor": "x"}, {"factor": True}, {"low": 0}, {"high": float("nan")}, {"rounds": None}]
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    record: dict[str, object] = {**PairedSpeed(1.5, 1.4, 1.6, 8, 0.02).record()}
    with pytest.raises(ValueError, match="measured speed"):
        PairedSpeed.of_record({**record, **wrong} if wrong else {})
