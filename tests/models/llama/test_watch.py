"""The callback in llama.cpp's graph: with layers on two devices it is asked on after it has ended the first part."""

from __future__ import annotations

import pytest

from localspec.models.llama.watch import Watch


@pytest.fixture
def watch() -> Watch:
    watching = Watch()
    watching._name = lambda tensor: b"l_out-%d" % tensor if tensor else b"result_norm"
    return watching


def test_a_stop_lasts_until_the_next_decode(watch: Watch) -> None:
    """Else the states of a graph that was ended in its middle would count as complete."""
    answers = [False, True, False]
    watch.begin(lambda: answers.pop(0))
    assert watch._evaluate(1, True, None)
    assert watch._evaluate(1, False, None)
    assert not watch._evaluate(2, False, None)
    assert watch.stopped
    assert not watch._evaluate(3, False, None), "the part of the next device ends, too"
    assert watch.stopped
    assert not watch._evaluate(0, False, None)
    assert not watch.ended, "states of a stopped graph are none"
    watch.begin(lambda: False)
    assert watch._evaluate(1, False, None)
    assert not watch.stopped


def test_it_ends_behind_the_states(watch: Watch) -> None:
    watch.states_only = True
    watch.begin()
    assert watch._evaluate(0, True, None)
    assert not watch._evaluate(0, False, None)
    assert watch.ended
    assert not watch.stopped
