"""How many threads decode: on a machine where a thread without a core of its own holds up all others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from localspec.models.llama.threads import ThreadChoice

ROWS = (1, 4, 1, 1, 8)


class Machine:
    """Decodes take the less time the more threads there are, and many times as long where other programs hold so many
    cores that not each has one."""

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self.taken = 0
        self.now = 0.0
        self.choice = ThreadChoice(cores)
        self._decodes = 0

    def decode(self, seconds: float) -> list[int]:
        """Decode for so long. Returns the threads of each decode."""
        used = []
        until = self.now + seconds
        while self.now < until:
            rows = ROWS[self._decodes % len(ROWS)]
            self._decodes += 1
            threads = self.choice.threads
            used.append(threads)
            took = 0.010 * (1 + rows / 10) / threads
            if threads > self.cores - self.taken:
                took *= 12
            self.now += took
            self.choice.observe(rows, took, self.now)
        return used


def test_on_a_machine_at_rest_all_threads_decode():
    machine = Machine(4)
    assert set(machine.decode(3.0)) == {4}
    assert not machine.choice.disturbed


@pytest.mark.parametrize("cores", [2, 4, 8])
def test_while_another_program_holds_a_core_a_thread_less_decodes(cores):
    machine = Machine(cores)
    machine.decode(2.0)
    machine.taken = 1
    used = machine.decode(20.0)
    assert used.count(cores - 1) > 0.95 * len(used)
    assert machine.choice.disturbed
    assert used[-1] == cores - 1
    machine.taken = 0
    machine.decode(5.0)
    assert set(machine.decode(3.0)) == {cores}
    assert not machine.choice.disturbed


def test_where_more_cores_are_held_fewer_threads_decode():
    machine = Machine(8)
    machine.decode(2.0)
    machine.taken = 4
    used = machine.decode(20.0)
    assert used.count(4) > 0.9 * len(used)


def test_a_single_thread_is_all_there_is():
    machine = Machine(1)
    machine.decode(1.0)
    machine.taken = 1
    assert set(machine.decode(2.0)) == {1}


@pytest.mark.parametrize("late", [lambda step: step % 50 == 0, lambda step: step % 50 < 2], ids=["one", "two"])
def test_single_late_decodes_change_nothing(late: Callable[[int], bool]):
    choice = ThreadChoice(4)
    for step in range(500):
        choice.observe(1, 0.05 if late(step) and step else 0.01, step * 0.01)
        assert choice.threads == 4


def test_longer_contexts_take_longer_undisturbed():
    choice = ThreadChoice(4)
    seconds = 0.01
    for step in range(1000):
        choice.observe(1, seconds, step * 0.01)
        seconds *= 1.002
        assert choice.threads == 4
    assert not choice.disturbed


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_times_that_cannot_be_are_left_out(seconds):
    choice = ThreadChoice(4)
    for _ in range(20):
        choice.observe(1, seconds, 0.0)
    assert choice.threads == 4
    assert not choice.disturbed
