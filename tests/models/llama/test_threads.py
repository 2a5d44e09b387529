"""The number of threads: fewer beside another program, all of them again when it is gone."""

from __future__ import annotations

from collections import Counter

import pytest

from localspec.models.llama.threads import ThreadChoice

QUIET = {1: 0.010, 4: 0.013}
"""Seconds of a decode at rest, with all threads."""


class Machine:
    """Decodes one row and four in turn; `seconds(threads, rows)` tells how long that takes now."""

    def __init__(self, most: int) -> None:
        self.choice = ThreadChoice(most)
        self.now = 0.0
        self.decodes = 0
        self.cached = 100
        self.used: Counter[int] = Counter()
        """decodes by threads, of the last run"""

    def run(self, seconds: float, factor: dict[int, float]) -> float:
        """Decode for so long, each number of threads `factor` times as long as all at rest. Returns the speed."""
        begun, count = self.now, 0
        self.used = Counter()
        while self.now - begun < seconds:
            rows = (1, 4)[self.decodes % 2]
            self.used[self.choice.threads] += 1
            taken = QUIET[rows] * factor[self.choice.threads]
            self.now += taken
            self.choice.observe(rows, self.cached, taken, self.now, 0.97 * taken * self.choice.threads)
            self.decodes += 1
            count += 1
        return count / (self.now - begun)


AT_REST = {1: 1.9, 2: 1.0}
BESIDE_ANOTHER = {1: 2.0, 2: 15.0}
"""As seen: with two threads on the one free core of two, each operation waits for the scheduler."""


def test_at_rest_all_threads_decode_and_nothing_is_tried() -> None:
    machine = Machine(2)
    machine.run(2.0, AT_REST)
    assert machine.choice.threads == 2
    assert not machine.choice.disturbed


def test_beside_another_program_one_thread_less_decodes() -> None:
    machine = Machine(2)
    quiet = machine.run(2.0, AT_REST)
    machine.run(1.0, BESIDE_ANOTHER)
    assert machine.choice.threads == 1
    assert machine.choice.disturbed
    assert machine.run(20.0, BESIDE_ANOTHER) > 0.45 * quiet, "and looking whether it is gone costs little"


def test_when_it_is_gone_all_of_them_decode_again() -> None:
    machine = Machine(2)
    quiet = machine.run(2.0, AT_REST)
    machine.run(10.0, BESIDE_ANOTHER)
    machine.run(5.0, AT_REST)
    assert machine.choice.threads == 2
    assert not machine.choice.disturbed
    assert machine.run(2.0, AT_REST) == pytest.approx(quiet, rel=0.05)


def test_of_many_threads_the_best_number_is_taken() -> None:
    machine = Machine(8)
    rest = {1: 6.0, 4: 1.8, 7: 1.1, 8: 1.0}
    machine.run(2.0, rest)
    machine.run(4.0, {1: 6.0, 4: 1.9, 7: 1.2, 8: 9.0})
    assert machine.used.most_common(1)[0][0] == 7
    machine.run(8.0, {1: 6.0, 4: 2.0, 7: 9.0, 8: 9.0})
    assert machine.used.most_common(1)[0][0] == 4, "a further program took another core"


def test_one_slow_decode_changes_nothing() -> None:
    machine = Machine(2)
    machine.run(1.0, AT_REST)
    for _ in range(20):
        machine.run(0.05, {1: 1.9, 2: 30.0})
        machine.run(0.3, AT_REST)
        assert machine.choice.threads == 2


@pytest.mark.parametrize("apart", [0.5, 1.0, 3.0])
def test_short_disturbances_cost_little_more_than_they_take(apart: float) -> None:
    """As of a page that is drawn: all threads decode again soon after each."""
    machine = Machine(2)
    quiet = machine.run(2.0, AT_REST)
    begun, decodes = machine.now, machine.decodes
    for _ in range(20):
        machine.run(0.2, {1: 2.0, 2: 4.0})
        machine.run(apart, AT_REST)
    speed = (machine.decodes - decodes) / (machine.now - begun)
    assert speed > (apart - 0.1) / (apart + 0.2) * quiet


def test_with_one_thread_there_is_nothing_to_choose() -> None:
    machine = Machine(1)
    machine.run(1.0, {1: 1.0})
    machine.run(1.0, {1: 20.0})
    assert machine.choice.threads == 1


def test_longer_contexts_are_no_disturbance() -> None:
    choice = ThreadChoice(2)
    now, seconds = 0.0, 0.004
    for _ in range(3000):
        seconds *= 1.0005
        now += seconds
        choice.observe(1, 100, seconds, now)
        assert choice.threads == 2


def test_a_much_longer_context_is_no_disturbance_either() -> None:
    machine = Machine(2)
    machine.run(1.0, AT_REST)
    machine.cached = 4000
    machine.run(1.0, {1: 5.7, 2: 3.0})
    assert machine.used.keys() == {2}
    machine.cached = 100
    machine.run(1.0, AT_REST)
    assert machine.used.keys() == {2}


def test_what_fewer_threads_do_not_help_is_tried_seldom() -> None:
    """Where all is slow, as when the processor runs hot, trying again and again would make it slower."""
    machine = Machine(2)
    machine.run(1.0, AT_REST)
    machine.run(2.0, {1: 4.0, 2: 2.0})
    assert machine.used[1] <= 4


@pytest.mark.parametrize("kinds", [1, 2])
def test_a_machine_that_is_busy_from_the_first_decode_on_is_found_out(kinds: int) -> None:
    """What is usual is not known, but the threads had the processor for half of the time only."""
    choice = ThreadChoice(2)
    now, used = 0.0, Counter[int]()
    for decode in range(100):
        used[choice.threads] += 1
        taken = 0.010 * BESIDE_ANOTHER[choice.threads] * (1 + decode % kinds)
        now += taken
        choice.observe(1 + decode % kinds, 100, taken, now, 0.5 * taken * 2 if choice.threads == 2 else taken)
    assert used[1] > 80
    assert choice.disturbed


def test_threads_that_wait_but_are_fastest_together_stay() -> None:
    """As where slow cores and fast ones meet after each operation."""
    choice = ThreadChoice(2)
    now, used = 0.0, Counter[int]()
    for _ in range(1000):
        used[choice.threads] += 1
        taken = 0.010 * AT_REST[choice.threads]
        now += taken
        choice.observe(1, 100, taken, now, 0.6 * taken * choice.threads)
    assert used[1] < 20
