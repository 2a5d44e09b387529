"""The figures of a whole chat."""

from __future__ import annotations

import pytest

from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.totals import Totals, totals


def reply(tokens: int, seconds: float, plain: float, drafted: int = 0, accepted: int = 0) -> ReplyMetrics:
    return ReplyMetrics(
        plain_seconds=plain, tokens=tokens, steps=tokens - accepted, decode_seconds=seconds, drafted=drafted,
        accepted=accepted,
    )  # fmt: skip


def test_each_reply_is_compared_with_its_own_plain_speed() -> None:
    found = totals([reply(100, 2.0, 0.04, 60, 30), reply(50, 2.0, 0.02, 40, 10)])
    assert (found.replies, found.tokens, found.drafted, found.accepted) == (2, 150, 100, 40)
    assert found.tokens_per_second == pytest.approx(150 / 4.0)
    assert found.acceptance_rate == pytest.approx(0.4)
    assert found.speedup == pytest.approx((100 * 0.04 + 50 * 0.02) / 4.0)
    assert found.saved_seconds == pytest.approx(5.0 - 4.0)


def test_replies_without_figures_or_without_a_baseline_falsify_nothing() -> None:
    known = reply(100, 2.0, 0.04)
    assert totals([known, ReplyMetrics()]) == totals([known])
    found = totals([known, reply(100, 9.0, 0.0)])
    assert found.tokens == 200
    assert found.speedup == totals([known]).speedup
    assert totals([]).speedup == totals([]).tokens_per_second == totals([]).acceptance_rate == 0.0


def test_more_of_the_last_reply_is_no_further_one() -> None:
    found = Totals().plus(reply(10, 1.0, 0.1)).plus(reply(5, 0.5, 0.1), replies=0)
    assert (found.replies, found.tokens) == (1, 15)
