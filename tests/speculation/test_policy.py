"""How much of a draft is verified, and which sources are asked: those that gain more than they cost, and now and then
the others."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.models.decode_times import interpolate
from localspec.speculation.acceptance import Acceptance
from localspec.speculation.cost import CAUTION, PLAIN_OVERHEAD, SIZES, SteadyTimes, StepCost
from localspec.speculation.policy import (
    DRAFT_MODEL,
    EXPLORATION,
    FORGIVEN,
    MAX_ACCEPTANCE,
    MOST_CREDIT,
    PAPER_NODES,
    START_CREDIT,
    CostBudget,
    FixedBudget,
    SourceGate,
    SpeculationGate,
)
from localspec.speculation.tree import SOURCE_DRAFT, SOURCE_REST, DraftTree, cut, depths
from localspec.speculation.tree_size import best_size, break_even_probability
from tests.speculation.scripted import make_tree, paths_of
from tests.speculation.strategies import draft_trees

GAINS = st.lists(st.floats(0.0, 1.0), max_size=30).map(lambda values: sorted(values, reverse=True))
CURVES = st.lists(st.floats(0.001, 10.0), min_size=1, max_size=40).map(lambda seconds: [0.0, *seconds])


@given(GAINS, CURVES, st.floats(0.0, 1.0))
def test_the_best_size_equals_brute_force_for_any_curve(gains, seconds, overhead):
    def tokens_per_second(size: int) -> float:
        return float((1.0 + sum(gains[:size])) / (seconds[size + 1] + (overhead if size else 0.0)))

    sizes = range(min(len(gains), len(seconds) - 2) + 1)
    best = best_size(np.array(gains), np.array(seconds), overhead)
    assert best in sizes
    assert tokens_per_second(best) == pytest.approx(max(map(tokens_per_second, sizes)), rel=1e-12)


def test_a_step_of_the_curve_is_jumped_over():
    """Four rows cost less than three here, as on stepped curves: stopping at the first dip would send nothing."""
    seconds = np.array([0.0, 1.0, 1.9, 2.9, 1.2, 2.0])
    assert best_size(np.array([0.6, 0.5, 0.4, 0.1]), seconds, 0.0) == 3


def test_drafting_nothing_is_a_choice():
    assert best_size(np.array([0.05, 0.01]), np.array([0.0, 1.0, 1.5, 2.0]), 0.0) == 0
    assert best_size(np.array([0.05]), np.array([0.0, 1.0, 1.0]), 0.1) == 0, "the overhead counts"
    assert best_size(np.empty(0), np.array([0.0, 1.0]), 0.0) == 0


@given(draft_trees(), st.integers(0, 20), st.integers(0, 20), st.integers(0, 6))
def test_a_fixed_budget_is_a_cut(tree, nodes, room, max_depth):
    chosen = FixedBudget(nodes).choose(tree, room, max_depth)
    assert paths_of(chosen) == paths_of(cut(tree, min(nodes, room), max_depth))


@given(draft_trees(), st.integers(0, 20), st.integers(0, 20), st.integers(0, 6))
def test_a_fixed_budget_with_estimates_cuts_by_them(tree, nodes, room, max_depth):
    acceptance = Acceptance()
    chosen = FixedBudget(nodes, acceptance).choose(tree, room, max_depth)
    by_estimate = cut(acceptance.calibrate(tree), min(nodes, room), max_depth)
    assert paths_of(chosen) == paths_of(by_estimate)
    assert chosen.probability.tolist() == by_estimate.probability.tolist()


def test_a_fixed_budget_compares_kinds_of_drafts_by_estimates_and_learns():
    """All that a short match was followed by says less than half a draft model's trust."""
    tree = make_tree([1, 2], [-1, -1], [1.0, 0.5], [SOURCE_REST, SOURCE_DRAFT], [[2, 1.0, 0, 0, 0], [0, 0, 0, 0, 0.5]])
    by_weight, by_estimate = FixedBudget(1), FixedBudget(1, Acceptance())
    assert by_weight.choose(tree, 9, 9).tokens.tolist() == [1]
    assert by_estimate.choose(tree, 9, 9).tokens.tolist() == [2]
    for budget in (by_weight, by_estimate):
        for _ in range(30):
            budget.observe(tree, np.array([0], np.int32))
        assert budget.choose(tree, 9, 9).tokens.tolist() == [1]
        for _ in range(300):
            budget.observe(tree, np.array([1], np.int32))
    assert by_weight.choose(tree, 9, 9).tokens.tolist() == [1]
    assert by_estimate.choose(tree, 9, 9).tokens.tolist() == [2]


def test_the_published_size():
    assert FixedBudget().limit == PAPER_NODES == 64


@given(draft_trees(), CURVES, st.integers(2, 30), st.integers(0, 20), st.integers(1, 6))
def test_a_cost_budget_sends_the_most_tokens_per_second(tree, curve, rows, room, max_depth):
    seconds = np.array(curve)
    budget = CostBudget(SteadyTimes(seconds), Acceptance(), rows, overhead=0.01)
    assert 0 <= budget.limit <= min(rows, len(curve) - 1) - 1
    chosen = budget.choose(tree, room, max_depth)
    assert len(chosen) <= max(0, min(budget.limit, room))
    assert len(chosen) == 0 or depths(chosen).max() <= max_depth

    possible = cut(Acceptance().calibrate(tree), min(budget.limit, room), max_depth)

    most = min(rows, len(curve) - 1)
    sizes = [*(size for size in SIZES if size < most), most]

    def step_seconds(nodes: int) -> float:
        """Of the batch that takes the least time; one of a few sizes."""
        return float(min(seconds[size] for size in sizes if size > nodes)) + (0.01 if nodes else 0.0)

    def surplus(size: int) -> float:
        """Tokens beyond what the same time brings plainly."""
        expected = 1.0 + CAUTION * float(cut(possible, size).path_probability.sum())
        return float(expected - step_seconds(size) / seconds[1])

    best = max(surplus(size) for size in range(len(possible) + 1))
    assert surplus(len(chosen)) == pytest.approx(best, rel=1e-6, abs=1e-9)
    assert set(paths_of(chosen)) == set(paths_of(cut(possible, len(chosen))))
    batch = budget.cost.rows(len(chosen), 0)
    assert batch in sizes
    assert batch > len(chosen)
    assert seconds[batch] + (0.01 if len(chosen) else 0.0) == step_seconds(len(chosen))
    best_first = possible.take(np.argsort(-possible.path_probability, kind="stable").tolist())
    spent = (step_seconds(len(chosen)) - step_seconds(0)) / seconds[1]
    assert budget.cost.gain(DraftTree.empty(), best_first, 0) == pytest.approx(
        float(chosen.path_probability.sum()) - spent, abs=1e-6
    )


@given(CURVES, st.lists(st.tuples(st.integers(1, 9), st.floats(0.01, 3)), max_size=30))
def test_pace_is_never_below_plain_decoding(curve, steps):
    times = SteadyTimes(np.array(curve))
    budget = CostBudget(times, None, 9)
    rows = min(2, len(curve) - 1)
    for tokens, seconds in steps:
        budget.observe(make_tree([1], [-1]), np.arange(tokens - 1, dtype=np.int32), StepCost(0, rows, seconds, seconds))
    assert budget.cost.throughput(0) >= 1 / curve[1] * (1 - 1e-9)
    if steps:
        assert budget.cost.throughput(0) <= max(1 / curve[1], *(tokens / seconds for tokens, seconds in steps)) * (
            1 + 1e-9
        )


def test_a_fast_pace_makes_time_dear():
    """Where other steps bring three tokens in the time of one, a node that would just pay does not."""
    times = SteadyTimes(np.array([0.0, 1.0, 1.5]))
    tree = make_tree([1], [-1], [0.6])
    budget = CostBudget(times, None, 2, overhead=0.0)
    assert len(budget.choose(tree, 9, 9)) == 1, "0.6 tokens for half a step"
    for _ in range(200):
        budget.observe(tree, np.array([0, 1], np.int32), StepCost(0, 2, 1.0, 1.0))
    assert budget.cost.throughput(0) == pytest.approx(3.0, rel=0.05)
    assert len(budget.choose(tree, 9, 9)) == 0
    assert budget.cost.gain(DraftTree.empty(), tree, 0) == 0
    plain, drafted = budget.cost.step_seconds(0)
    assert 0.6 - budget.cost.throughput(0) * (drafted - plain) == pytest.approx(0.6 - 3.0 * 0.5, rel=0.05)
    assert budget.cost.min_probability(0) > 0.6


def test_decode_times_are_observed_at_their_place():
    told: list[tuple[int, int, float, bool]] = []

    class Times(SteadyTimes):
        def observe(self, rows: int, cached: int, seconds: float, *, changed: bool = False) -> None:
            told.append((rows, cached, seconds, changed))

    budget = CostBudget(Times(np.arange(9.0)), None, 8)
    tree, path = make_tree([1, 2], [-1, 0]), np.array([0], np.int32)
    for cached, rows in ((77, 3), (79, 4), (81, 4), (83, 3)):
        budget.observe(tree, path, StepCost(cached, rows, 0.5, 0.6))
    assert told == [(3, 77, 0.5, False), (4, 79, 0.5, True), (4, 81, 0.5, False), (3, 83, 0.5, True)]
    budget.observe(tree, path, StepCost(85, 4, 0.5, 0.6, disturbed=True))
    assert len(told) == 4, "times of a machine that is not at rest are not learnt"
    budget.observe(tree, path, StepCost(87, 4, 0.5, 0.6))
    assert told[4:] == [(4, 87, 0.5, False)], "but which batch was the last is known"


def test_plain_steps_take_as_long_as_the_machine_is_slow_now():
    budget = CostBudget(SteadyTimes(np.array([0.0, 0.01, 0.02]), change=0.005), None, 2)
    assert budget.cost.plain_seconds(0) == pytest.approx(0.01 + PLAIN_OVERHEAD)
    nothing = np.empty(0, np.int32)
    for _ in range(100):
        budget.observe(make_tree([1], [-1]), nothing, StepCost(0, 2, 0.06, 0.07, disturbed=True))
    assert budget.cost.plain_seconds(0) == pytest.approx(0.03 + PLAIN_OVERHEAD, rel=0.01)
    for _ in range(100):  # each decode after a change of size takes as long as it should
        budget.observe(DraftTree.empty(), nothing, StepCost(0, 1, 0.015, 0.015))
        budget.observe(make_tree([1], [-1]), nothing, StepCost(0, 2, 0.025, 0.025))
    assert budget.cost.plain_seconds(0) == pytest.approx(0.01 + PLAIN_OVERHEAD, rel=0.01)
    assert FixedBudget(2).cost.plain_seconds(0) == 0


def test_a_batch_takes_as_many_plain_steps_as_its_rows_do():
    budget = CostBudget(SteadyTimes(np.array([0.0, 0.01, 0.02]), change=0.005), None, 2, overhead=0.001)
    assert [budget.cost.plain_steps(nodes, 0) for nodes in (0, 1)] == pytest.approx([1.0, 2.1])
    budget.observe(make_tree([1], [-1]), np.empty(0, np.int32), StepCost(0, 1, 0.01, 0.01))
    assert [budget.cost.plain_steps(nodes, 0) for nodes in (0, 1)] == pytest.approx([1.0, 2.6])
    assert FixedBudget(2).cost.plain_steps(2, 0) == 1.0


def test_a_batch_keeps_its_size_where_a_change_costs_more_than_rows():
    tree = make_tree([1, 2, 3], [-1, 0, 1], [0.9, 0.9, 0.9])
    seconds = 1.0 + 0.01 * np.arange(9.0)
    dear = CostBudget(SteadyTimes(seconds, change=0.1), None, 8, overhead=0.0)
    cheap = CostBudget(SteadyTimes(seconds, change=0.001), None, 8, overhead=0.0)
    for budget in (dear, cheap):
        assert [budget.cost.rows(nodes, 0) for nodes in range(8)] == [1, 2, 3, 4, 6, 6, 8, 8], "nothing was before"
        budget.observe(tree, np.empty(0, np.int32), StepCost(0, 6, 1.0, 1.0))
    assert [dear.cost.rows(nodes, 0) for nodes in range(8)] == [6, 6, 6, 6, 6, 6, 8, 8]
    assert [cheap.cost.rows(nodes, 0) for nodes in range(8)] == [1, 2, 3, 4, 6, 6, 8, 8]
    assert dear.cost.step_seconds(0).tolist() == pytest.approx([1.06] * 6 + [1.18] * 2)
    assert cheap.cost.step_seconds(0).tolist() == pytest.approx([1.011, 1.021, 1.031, 1.041, 1.06, 1.06, 1.081, 1.081])


def test_a_fixed_budget_knows_no_time():
    budget = FixedBudget(2)
    assert budget.cost.throughput(0) == budget.cost.min_probability(0) == 0
    tree = make_tree([1, 2, 3], [-1, 0, 1], [0.5, 0.5, 0.5])
    assert budget.cost.gain(DraftTree.empty(), tree, 0) == 0.75
    assert budget.cost.gain(tree, tree, 0) == 0
    assert [budget.cost.rows(nodes, 0) for nodes in range(4)] == [1, 2, 3, 4], "no row is filled up"


def test_no_more_is_proposed_than_can_pay():
    # Free rows, rows that cost a tenth of a token each, and rows that cost a whole one.
    assert CostBudget(SteadyTimes(np.array([0.0, *([1.0] * 65)])), Acceptance(), 65).limit == 64
    tenth = CostBudget(SteadyTimes(np.concatenate([[0.0], 1.0 + 0.1 * np.arange(65)])), Acceptance(), 65)
    assert 8 < tenth.limit <= 64
    assert CostBudget(SteadyTimes(np.arange(66.0)), Acceptance(), 65).limit == 8, "measured times may be wrong"
    assert CostBudget(SteadyTimes(np.arange(66.0)), Acceptance(), 4).limit == 3
    assert CostBudget(SteadyTimes(np.arange(66.0)), Acceptance(), 1).limit == 0


@given(CURVES, st.integers(1, 40), st.floats(0.0, MAX_ACCEPTANCE))
def test_drafts_that_are_less_sure_never_want_more_than_the_limit(curve, rows, chance):
    seconds = np.array(curve)
    budget = CostBudget(SteadyTimes(seconds), Acceptance(), rows, overhead=0.01)
    gains = chance ** np.arange(1, min(rows, len(curve) - 1))
    assert best_size(gains, seconds, 0.01) <= max(budget.limit, 0)


def test_a_cost_budget_learns_that_drafts_fail():
    tree = make_tree([1], [-1], [1.0], evidence=[[4, 1, 0, 0]])
    budget = CostBudget(SteadyTimes(np.array([0.0, 1.0, 1.2])), Acceptance(), 2, overhead=0.0)
    assert len(budget.choose(tree, 10, 10)) == 1
    for _ in range(100):
        budget.observe(tree, np.empty(0, np.int32))
    assert len(budget.choose(tree, 10, 10)) == 0
    for _ in range(1000):
        budget.observe(tree, np.array([0], np.int32))
    assert len(budget.choose(tree, 10, 10)) == 1


@given(st.lists(st.floats(0.001, 10.0), min_size=2, max_size=40), st.lists(st.floats(0.0, 0.999), max_size=30))
def test_the_break_even_probability_is_that_of_a_row_in_the_cheapest_batch(curve, parts):
    """Nodes that are all cheaper than it are never sent."""
    plain = curve[0]
    price = break_even_probability(np.array([0.0, *curve]))
    by_rows = [(seconds - plain) / more / plain for more, seconds in enumerate(curve[1:], 1)]
    assert price == pytest.approx(max(0.0, min(by_rows)))
    gains = np.sort(np.array([part * min(price, 1.0) for part in parts]))[::-1]
    assert price < 1e-9 or best_size(gains, np.array([0.0, *curve]), 0.0) == 0


def test_free_rows_have_no_price():
    assert break_even_probability(np.array([0.0, *[0.3] * 65])) == 0
    assert break_even_probability(np.array([0.0, 1.0, 1.5, 0.9])) == 0, "a wider batch can cost less"
    assert break_even_probability(np.arange(66.0)) == 1, "where rows cost as much as steps, only what is certain pays"
    assert break_even_probability(np.array([0.0, 2.0, 4.0, 3.0])) == 0.25


# -- gates ------------------------------------------------------------------------------------------------------------

THROUGHPUT = 100.0


def asked_of(gate: SourceGate, steps: int, tokens: float, seconds: float, probability: float = 0.5) -> int:
    """Steps at which it is asked, of so many alike; each takes 10 ms beside it."""
    asked = 0
    for _ in range(steps):
        wanted = gate.wants(probability, 0.0, THROUGHPUT)
        if wanted:
            asked += 1
            gate.observe(probability, 0.0, tokens, seconds, THROUGHPUT)
        gate.pass_time(0.01 + (seconds if wanted else 0.0))
    return asked


def test_what_pays_is_asked_always():
    assert asked_of(SourceGate(), 200, tokens=0.2, seconds=0.001) == 200


def test_what_doesnt_pay_is_asked_ever_more_rarely_but_never_forgotten():
    gate = SourceGate()
    assert 3 < asked_of(gate, 100, tokens=0.05, seconds=0.001) < 15
    late = asked_of(gate, 640, tokens=0.05, seconds=0.001)
    assert 5 <= late <= 15


@pytest.mark.parametrize(("tokens", "expected"), [(0.14, False), (0.16, True)])
def test_a_draft_model_must_bring_half_as_much_again(tokens, expected):
    gate = SourceGate(DRAFT_MODEL)
    for _ in range(3):
        gate.observe(0.5, 0.0, tokens, 0.001, THROUGHPUT)
    assert gate.wants(0.5, 0.0, THROUGHPUT) is expected


def test_a_draft_model_is_tried_when_there_was_time_for_it():
    """Its first trial costs the reading of the prompt: no first reply pays for that."""
    gate = SourceGate(DRAFT_MODEL)
    assert not gate.in_use, "so it doesn't read a prompt beforehand"
    steps = 0
    while not gate.wants(0.5, 0.0, THROUGHPUT):
        gate.pass_time(0.01)
        steps += 1
    assert DRAFT_MODEL.price <= EXPLORATION * steps * 0.01
    gate.observe(0.5, 0.0, 0.5, 0.001, THROUGHPUT)
    gate.pass_time(10.0)
    assert gate.wants(0.5, 0.0, THROUGHPUT)
    gate.observe(0.5, 0.0, 0.5, 0.001, THROUGHPUT)
    assert gate.wants(0.5, 0.0, THROUGHPUT), "it pays"


def test_whether_it_is_in_use():
    gate = SourceGate()
    used = [gate.in_use]
    for steps, tokens in ((300, 0.0), (900, 1.0)):
        asked_of(gate, steps, tokens=tokens, seconds=0.001)
        used.append(gate.in_use)
    assert used == [True, False, True], "at first nothing speaks against it"


def test_it_comes_back_when_the_text_changes():
    gate = SourceGate()
    asked_of(gate, 300, tokens=0.0, seconds=0.001)
    asked_of(gate, 700, tokens=1.0, seconds=0.001)
    assert asked_of(gate, 100, tokens=1.0, seconds=0.001) == 100


@pytest.mark.parametrize(("seconds", "expected"), [(0.0019, True), (0.0021, False)])
def test_its_price_is_what_the_time_brings_otherwise(seconds, expected):
    gate = SourceGate()
    asked_of(gate, 3, tokens=0.2, seconds=seconds)
    assert gate.wants(0.5, 0.0, THROUGHPUT) is expected


def test_steps_are_told_apart():
    gate = SourceGate()
    asked_of(gate, 50, tokens=0.0, seconds=0.001, probability=0.95)
    assert asked_of(gate, 50, tokens=0.5, seconds=0.001, probability=0.1) < 50, "what is new is judged by the others"
    asked_of(gate, 200, tokens=0.5, seconds=0.001, probability=0.1)
    assert asked_of(gate, 50, tokens=0.5, seconds=0.001, probability=0.1) == 50
    assert asked_of(gate, 50, tokens=0.0, seconds=0.001, probability=0.95) < 10


@pytest.mark.parametrize("seconds", [0.001, 0.05, 0.5])
def test_what_doesnt_pay_takes_a_small_part_of_the_time(seconds):
    gate = SourceGate()
    asked = asked_of(gate, 40000, tokens=0.0, seconds=seconds)
    spent = (asked - gate.policy.trials) * seconds
    assert 0 < spent <= EXPLORATION * (40000 * 0.01 + asked * seconds) + 2 * seconds


def test_where_time_doesnt_count_all_are_asked():
    gate = SourceGate()
    for _ in range(20):
        assert gate.wants(0.5, 0.0, 0.0)
        gate.observe(0.5, 0.0, -0.001, 1.0, 0.0)


def tries_of(gate: SpeculationGate, steps: int, tokens: int, decode: float) -> int:
    """Steps that look for drafts, of so many in which a plain decode takes 10 ms and looking 0.5 ms; with a draft the
    decode takes `decode` seconds and brings `tokens`, if any."""
    tried = 0
    for _ in range(steps):
        looks = gate.wants()
        tried += looks
        drafted = looks and tokens > 0
        seconds = (decode if drafted else 0.01) + (0.0005 if looks else 0.0)
        gate.observe(tokens if drafted else 1, seconds, 0.01, decode / 0.01 if drafted else 1.0, charged=looks)
    return tried


def test_where_nothing_is_found_few_steps_look_for_it():
    assert tries_of(SpeculationGate(), 400, tokens=0, decode=0.01) < 140


def test_where_drafts_cost_more_than_they_bring_it_looks_on_only_while_they_do_not():
    gate = SpeculationGate()
    assert tries_of(gate, 200, tokens=1, decode=0.015) < 10
    assert tries_of(gate, 100, tokens=3, decode=0.015) > 30, "it tries again after some time"
    assert tries_of(gate, 100, tokens=3, decode=0.015) == 100
    most = (MOST_CREDIT + 200 * EXPLORATION) / 0.55  # each try loses 0.55 plain steps
    assert tries_of(gate, 200, tokens=1, decode=0.015) < most + 2, "what was earned is not all lost again"


def test_where_drafts_pay_every_step_looks():
    gate = SpeculationGate()
    tries_of(gate, 2, tokens=0, decode=0.01)
    assert tries_of(gate, 200, tokens=2, decode=0.015) == 200


def test_a_step_that_was_held_up_does_not_end_drafting():
    """One that takes a hundred times as long as such steps do says little of what drafting costs."""
    gate = SpeculationGate()
    gate.observe(1, 1.0, 0.01, 1.0, charged=True)
    assert gate.wants()
    for _ in range(5):
        gate.observe(3, 0.015, 0.01, 1.5, charged=True)
        gate.observe(3, 1.5, 0.01, 1.5, charged=True)
        assert gate.wants()


@given(st.lists(st.tuples(st.integers(1, 8), st.floats(0.5, 20.0)), max_size=200))
def test_a_reply_never_loses_more_than_its_credit(outcomes):
    """Whatever its steps bring and take, in plain steps: the credit, a part of the time, and the step that used it
    up; also counted from where it has gained most."""
    gate = SpeculationGate()
    lost = spared = most_spared = largest = plain = 0.0
    for tokens, took in outcomes:
        if gate.wants():
            spared += tokens - took
            largest = max(largest, took - tokens)
            gate.observe(tokens, 0.01 * took, 0.01, took, charged=True)
            plain += min(tokens, took)
        else:
            gate.observe(1, 0.01, 0.01, 1.0, charged=False)
            plain += 1.0
        most_spared = max(most_spared, spared)
        lost = max(lost, -spared)
        assert gate.credit <= MOST_CREDIT + EXPLORATION * (plain + 1)
        assert most_spared - spared <= MOST_CREDIT + EXPLORATION * plain + largest + 1e-9
    assert lost <= START_CREDIT + EXPLORATION * plain + largest + 1e-9


def test_what_a_reply_earned_may_be_spent_on_the_next_in_part():
    gate = SpeculationGate()
    for _ in range(100):
        gate.observe(3, 0.012, 0.01, 1.2, charged=True)
    earned = gate.credit
    gate.begin()
    assert START_CREDIT < gate.credit < earned
    for _ in range(10):
        gate.begin()
    assert gate.credit == START_CREDIT, (
        "a reply begins with that at least, and with no more after many that earned nothing"
    )


def test_a_large_debt_is_owed_by_the_next_reply_a_small_one_is_not():
    gate = SpeculationGate(-8.0)
    gate.begin()
    assert gate.credit == -8.0
    gate.credit = -FORGIVEN
    gate.begin()
    assert gate.credit == START_CREDIT


class CapturingDevice:
    """Decodes as on a graphics card: milliseconds by rows (H200, docs/log.md), and the first two of another number of
    rows build and capture a graph."""

    MILLISECONDS: ClassVar = {1: 1.05, 2: 1.21, 3: 1.44, 4: 1.48, 6: 1.59, 8: 1.69, 12: 3.31, 16: 3.34, 24: 3.92}
    SETTLING = (2.3, 3.9)

    def __init__(self, *, keeps: bool = False) -> None:
        """`keeps`: each size keeps its graph (`native/graphs.cpp`), so that only its first two decodes are slow."""
        self.rows = 1
        self.since = 2
        self.keeps = keeps
        self.seen: dict[int, int] = {}

    def decode(self, rows: int) -> float:
        self.since = 0 if rows != self.rows else self.since + 1
        self.rows = rows
        if self.keeps:
            self.since = self.seen.get(rows, 0)
            self.seen[rows] = self.since + 1
        return (self.MILLISECONDS[rows] + (self.SETTLING[self.since] if self.since < 2 else 0.0)) / 1e3


def decoded(
    chance: float, accepted: int, steps: int, *, keeps: bool = False, every: int = 1
) -> tuple[float, list[int]]:
    """Speed in plain decoding's, and the rows of each batch, of replies of 128 steps. At each, or one of `every`, a
    chain of seven nodes is drafted, each of them with probability `chance`; the first `accepted` are."""
    device, gate = CapturingDevice(keeps=keeps), SpeculationGate()
    curve = interpolate({rows: seconds / 1e3 for rows, seconds in device.MILLISECONDS.items()})
    settling = sum(device.SETTLING) / 1e3
    times = SteadyTimes(curve, build=settling) if keeps else SteadyTimes(curve, change=settling)
    budget = CostBudget(times, None, 24)
    chain = make_tree(list(range(1, 8)), list(range(-1, 6)), [chance] * 7)
    tokens, seconds, batches = 0, 0.0, []
    for step in range(steps):
        if step % 128 == 0:
            gate.begin()
        looks = step > 0 and gate.wants() and step % every == 0
        tree = budget.choose(chain, 23, 23) if looks else DraftTree.empty()
        rows = budget.cost.rows(len(tree), 0)
        taken = device.decode(rows)
        path = np.arange(min(accepted, len(tree)), dtype=np.int32)
        plain = budget.cost.plain_seconds(0)
        budget.observe(tree, path, StepCost(0, rows, taken, taken))
        expected, change = budget.cost.plain_steps(len(tree), 0), budget.cost.settling_steps(0)
        gate.observe(len(path) + 1, taken, plain, expected, charged=looks or change > 0.0, change=change)
        tokens, seconds = tokens + len(path) + 1, seconds + taken
        batches.append(rows)
    return tokens * device.MILLISECONDS[1] / 1e3 / seconds, batches


def test_on_a_card_drafts_that_keep_what_they_promise_pay_and_the_size_stays():
    speed, batches = decoded(chance=0.97, accepted=7, steps=512)
    assert speed > 3.0
    assert batches.count(8) > 480
    assert sum(a != b for a, b in pairwise(batches)) < 8


def test_on_a_card_drafts_that_do_not_pay_cost_little():
    speed, batches = decoded(chance=0.97, accepted=0, steps=1024)
    assert speed > 0.97
    assert batches[-1] == 1, "it goes back to one row"
    speed, batches = decoded(chance=0.5, accepted=1, steps=1024)
    assert set(batches[:10]) == {1}, "a change of size costs more than one such draft can bring"
    assert batches[-1] == 4
    assert speed > 1.3, "but as it goes on the change pays"


def test_on_a_card_that_keeps_the_graph_of_each_size_single_drafts_pay():
    """Whatever size came before; with one graph the change would have to be paid there and back for each."""
    speed, batches = decoded(chance=0.97, accepted=7, steps=1024, keeps=True, every=4)
    assert speed > 2.0
    assert set(batches) == {1, 8}
    assert batches.count(8) == 255
    alone, _ = decoded(chance=0.97, accepted=7, steps=1024, every=4)
    assert alone < speed
    speed, _ = decoded(chance=0.97, accepted=0, steps=1024, keeps=True)
    assert speed > 0.97


def test_where_a_new_size_is_dear_few_of_them_are_used():
    milliseconds = CapturingDevice.MILLISECONDS
    curve = interpolate({rows: seconds / 1e3 for rows, seconds in milliseconds.items()})
    few = CostBudget(SteadyTimes(curve, build=0.0062), None, 65).cost
    many = CostBudget(SteadyTimes(curve, build=0.0002), None, 65).cost
    sizes = {few.rows(nodes, 0) for nodes in range(few.most_rows)}
    assert 1 in sizes
    assert len(sizes) <= 4
    assert max(sizes) == few.most_rows <= 32
    assert many.most_rows == 65
    assert len({many.rows(nodes, 0) for nodes in range(65)}) > 6
