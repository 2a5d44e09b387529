"""How long a prompt will take, from what others took."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec import texts
from localspec.models.reading_speed import ReadingSpeed


def test_before_anything_was_read_another_figure_serves() -> None:
    assert ReadingSpeed().estimate(1000, states=False) == 0.0
    assert ReadingSpeed().estimate(1000, states=False, otherwise=0.004) == pytest.approx(4.0)


def test_what_was_read_decides_from_then_on() -> None:
    speed = ReadingSpeed()
    speed.observe(500, 2.0, states=False)
    assert speed.estimate(1000, states=False, otherwise=1.0) == pytest.approx(4.0)
    speed.observe(500, 4.0, states=True)
    assert speed.estimate(1000, states=True) == pytest.approx(8.0)
    assert speed.estimate(1000, states=False) == pytest.approx(4.0)


def test_one_kind_of_reading_serves_for_the_other_at_first() -> None:
    speed = ReadingSpeed()
    speed.observe(100, 1.0, states=True)
    assert speed.estimate(100, states=False, otherwise=9.0) == pytest.approx(1.0)


def test_a_few_tokens_say_nothing() -> None:
    speed = ReadingSpeed()
    speed.observe(3, 1.0, states=False)
    speed.observe(100, 0.0, states=False)
    assert speed.known == [0.0, 0.0]


def test_it_is_said_in_words() -> None:
    assert texts.reading(1150, 3.2) == "Reading 1,150 tokens, about 4 s …"
    assert texts.reading(1, 0.0) == "Reading 1 token, about 1 s …"


@given(st.lists(st.tuples(st.integers(32, 512), st.floats(1e-4, 100.0)), min_size=1, max_size=20))
def test_the_estimate_lies_among_what_was_seen(batches: list[tuple[int, float]]) -> None:
    speed = ReadingSpeed()
    for tokens, seconds in batches:
        speed.observe(tokens, seconds, states=False)
    each = [seconds / tokens for tokens, seconds in batches]
    assert min(each) * 0.999 <= speed.estimate(1, states=False) <= max(each) * 1.001
    assert ReadingSpeed(json.loads(json.dumps(speed.known))).known == speed.known


@pytest.mark.parametrize("known", [(-1.0, 0.0), (0.0, math.inf), (math.nan, 0.0), (0.0, math.nan), (100.0, 0.0)])
def test_what_cannot_be_a_speed_is_refused(known: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="second"):
        ReadingSpeed(known)
