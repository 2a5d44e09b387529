"""Which sources are asked: those that bring more than they cost, and now and then the others."""

from __future__ import annotations

import pytest

from localspec.speculation.economy import MODEL, SourceGate, SpeculationGate

PACE = 100.0


def asked_of(economy: SourceGate, steps: int, tokens: float, seconds: float, chance: float = 0.5) -> int:
    """Steps at which it is asked, of so many alike."""
    asked = 0
    for _ in range(steps):
        if economy.wants(chance, 0.0, PACE):
            asked += 1
            economy.observe(chance, 0.0, tokens, seconds, PACE)
    return asked


def test_what_pays_is_asked_always():
    assert asked_of(SourceGate(), 200, tokens=0.2, seconds=0.001) == 200


def test_what_doesnt_pay_is_asked_ever_more_rarely_but_never_forgotten():
    economy = SourceGate()
    assert 3 < asked_of(economy, 100, tokens=0.05, seconds=0.001) < 15
    late = asked_of(economy, 640, tokens=0.05, seconds=0.001)
    assert 5 <= late <= 15


@pytest.mark.parametrize(("tokens", "expected"), [(0.14, False), (0.16, True)])
def test_a_draft_model_must_bring_half_as_much_again(tokens, expected):
    economy = SourceGate(MODEL)
    asked_of(economy, 3, tokens=tokens, seconds=0.001)
    assert economy.wants(0.5, 0.0, PACE) is expected


def test_whether_it_is_in_use():
    economy = SourceGate()
    used = [economy.in_use]
    for steps, tokens in ((300, 0.0), (900, 1.0)):
        asked_of(economy, steps, tokens=tokens, seconds=0.001)
        used.append(economy.in_use)
    assert used == [True, False, True], "at first nothing speaks against it"


def test_it_comes_back_when_the_text_changes():
    economy = SourceGate()
    asked_of(economy, 300, tokens=0.0, seconds=0.001)
    asked_of(economy, 700, tokens=1.0, seconds=0.001)
    assert asked_of(economy, 100, tokens=1.0, seconds=0.001) == 100


@pytest.mark.parametrize(("seconds", "expected"), [(0.0019, True), (0.0021, False)])
def test_its_price_is_what_the_time_brings_otherwise(seconds, expected):
    economy = SourceGate()
    asked_of(economy, 3, tokens=0.2, seconds=seconds)
    assert economy.wants(0.5, 0.0, PACE) is expected


def test_steps_are_told_apart():
    economy = SourceGate()
    asked_of(economy, 50, tokens=0.0, seconds=0.001, chance=0.95)
    assert asked_of(economy, 50, tokens=0.5, seconds=0.001, chance=0.1) == 50
    assert asked_of(economy, 50, tokens=0.0, seconds=0.001, chance=0.95) < 10


def test_where_time_doesnt_count_all_are_asked():
    economy = SourceGate()
    for _ in range(20):
        assert economy.wants(0.5, 0.0, 0.0)
        economy.observe(0.5, 0.0, -0.001, 1.0, 0.0)


def tries_of(alertness: SpeculationGate, steps: int, tokens: int, decode: float) -> int:
    """Steps that look for drafts, of so many in which a plain decode takes 10 ms and looking 0.5 ms."""
    tried = 0
    for _ in range(steps):
        looks = alertness.tries()
        tried += looks
        drafted = looks and tokens > 0
        alertness.observe(
            max(1, tokens) if drafted else 1, decode if drafted else 0.01, 0.0005, drafted=drafted, tried=looks
        )
    return tried


def test_where_nothing_is_found_few_steps_look_for_it():
    assert tries_of(SpeculationGate(), 400, tokens=0, decode=0.01) < 140


def test_where_drafts_are_accepted_but_cost_more_it_looks_on_only_while_they_are():
    alertness = SpeculationGate()
    tries_of(alertness, 2, tokens=0, decode=0.01)
    assert tries_of(alertness, 200, tokens=1, decode=0.015) < 90
    assert tries_of(alertness, 100, tokens=3, decode=0.015) > 90


def test_where_drafts_pay_every_step_looks():
    alertness = SpeculationGate()
    tries_of(alertness, 2, tokens=0, decode=0.01)
    assert tries_of(alertness, 200, tokens=2, decode=0.015) == 200
