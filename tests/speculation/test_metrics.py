"""The figures of a reply, from crafted steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from localspec.speculation.decode import Step
from localspec.speculation.metrics import ENOUGH_PLAIN_STEPS, ReplyMetrics
from localspec.speculation.tree import SOURCE_DRAFT, SOURCE_DRESD, SOURCE_PROMPT, SOURCE_REST
from tests.speculation.scripted import make_tree


def step(
    drafted: int = 0, sources: Sequence[int] = (), seconds: tuple[float, float, float, float] = (0.1, 0.6, 0.2, 0.1)
) -> Step:
    """A step that drafted a chain and accepted one node per entry of `sources`."""
    tree = make_tree(range(drafted), range(-1, drafted - 1))
    accepted = len(sources)
    return Step(
        np.arange(accepted + 1, dtype=np.int32),
        np.array([*sources, 0], np.uint8),
        tree,
        np.arange(accepted, dtype=np.int32),
        *seconds,
        "",
    )


def test_before_the_first_step_every_figure_is_zero():
    assert set(ReplyMetrics(plain_seconds=0.5).figures().values()) == {0}
    assert ReplyMetrics(plain_seconds=0.5).speedup == 0


def test_figures():
    metrics = ReplyMetrics(plain_seconds=0.5)
    metrics.add(step(8, [SOURCE_REST] * 3))
    metrics.add(step(4, [SOURCE_REST]))
    metrics.add(step(3))
    metrics.add(step())
    assert metrics.figures() == {
        "tokens": 8,
        "seconds": pytest.approx(4.0),
        "tokens_per_second": pytest.approx(2.0),
        "steps": 4,
        "tokens_per_step": 2.0,
        "drafted": 15,
        "accepted": 4,
        "acceptance_rate": pytest.approx(4 / 15),
        "accepted_length": 1.0,
    }
    assert metrics.drafted_steps == 3
    assert metrics.accepted_per_step == [3, 1, 0, 0]
    parts = (metrics.propose_seconds, metrics.decode_seconds, metrics.sample_seconds, metrics.rest_seconds)
    assert parts == pytest.approx((0.4, 2.4, 0.8, 0.4))


def test_speedup_is_speed_against_the_measured_plain_step():
    metrics = ReplyMetrics(plain_seconds=0.5)
    metrics.add(step(8, [SOURCE_REST] * 3))
    # four tokens in one second, against two tokens a second without drafts
    assert metrics.baseline_seconds == 0.5
    assert metrics.speedup == pytest.approx(2.0)
    unmeasured = ReplyMetrics()
    unmeasured.add(step(8, [SOURCE_REST] * 3))
    assert unmeasured.speedup == 0


def test_enough_plain_steps_of_the_reply_outvote_the_table():
    metrics = ReplyMetrics(plain_seconds=0.5)
    times = [0.7, 0.8, 5.0, 0.9, 0.6]
    assert len(times) == ENOUGH_PLAIN_STEPS
    for count, seconds in enumerate(times):
        assert metrics.baseline_seconds == 0.5, f"{count} steps are too few"
        metrics.add(step(seconds=(0.25, seconds, 0.0, 0.0)))
    assert metrics.baseline_seconds == pytest.approx(0.8), "the median, and without the time spent proposing"
    metrics.add(step(8, [SOURCE_REST] * 3, seconds=(0.0, 99.0, 0.0, 0.0)))
    assert metrics.baseline_seconds == pytest.approx(0.8), "drafted steps are no baseline"


def test_a_plain_reply_has_a_speedup_of_one():
    metrics = ReplyMetrics(plain_seconds=123.0)
    for _ in range(10):
        metrics.add(step(seconds=(0.0, 0.25, 0.125, 0.125)))
    assert metrics.speedup == pytest.approx(1.0)


def test_tokens_are_counted_once_under_one_source():
    metrics = ReplyMetrics()
    shared = SOURCE_PROMPT | SOURCE_REST
    metrics.add(step(6, [SOURCE_PROMPT, SOURCE_REST, shared, SOURCE_DRESD, SOURCE_DRAFT]))
    metrics.add(step())
    assert metrics.by_source == {"prompt": 2, "REST": 1, "DReSD": 1, "draft": 1, "target": 2}
    assert sum(metrics.by_source.values()) == metrics.tokens


def test_merged_replies_count_as_one():
    seconds = (0.125, 0.5, 0.25, 0.125)  # sums of these are exact
    steps = [
        step(8, [SOURCE_REST] * 3, seconds),
        step(seconds=(0.0, 0.5, 0.0, 0.0)),
        step(2, [SOURCE_PROMPT], seconds),
        step(seconds=seconds),
    ]
    together, first, second = (ReplyMetrics(plain_seconds=0.5) for _ in range(3))
    for number, each in enumerate(steps):
        together.add(each)
        (first if number < 2 else second).add(each)
    first.merge(second)
    assert first == together
    assert first.figures() == together.figures()
    assert first.by_source == {"REST": 3, "prompt": 1, "target": 4}
