"""Token recycling: what the target held to be likely is kept, and where that brings nothing, seldom."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.drafters.recycling import SELDOM, RecycledTokens
from localspec.speculation.interface import Step
from localspec.speculation.tree import SOURCE_RECYCLED, DraftTree
from tests.speculation.scripted import make_tree


class Asked:
    """A target whose likeliest token behind row r is 100 + r; counts how often it is asked."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, row: int, count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        self.count += 1
        return np.array([100 + row], np.int32), np.array([0.5])


def step(tree: DraftTree, path: list[int], emitted: list[int]) -> Step:
    taken = np.array(path, np.int32)
    return Step(np.array(emitted, np.int32), np.zeros(len(emitted), np.uint8), tree, taken, 0.0, 0.0, 0.0, 0.0, "")


def test_the_rows_of_the_accepted_path_are_taken_over():
    recycled = RecycledTokens(Asked())
    tree = make_tree([7, 8, 9], [-1, -1, 1], source=SOURCE_RECYCLED)
    recycled.refresh(5, step(tree, [1, 2], [8, 9, 4]))
    for token, row in ((5, 0), (8, 2), (9, 3)):
        assert recycled.table.get(token) == ([100 + row], [0.5])
    assert recycled.table.get(7) is None
    assert recycled.table.get(4) is None


def asked_of(recycled: RecycledTokens, taken: Step, steps: int, throughput: float = 0.0) -> int:
    """At how many of the steps it wanted to be drafted from."""
    wanted = 0
    for _ in range(steps):
        wanted += recycled.wanted(throughput)
        recycled.refresh(5, taken)
    return wanted


def test_where_it_brings_nothing_it_is_drafted_from_and_refreshed_seldom():
    target = Asked()
    recycled = RecycledTokens(target)
    nothing = step(DraftTree.empty(), [], [6])
    assert asked_of(recycled, nothing, 1000, throughput=1e9) == target.count <= 1000 // SELDOM + 1
    before = target.count
    assert asked_of(recycled, nothing, 1000) == 1000 == target.count - before, "where time doesn't count, always"


def test_what_it_brings_keeps_it_fresh():
    target = Asked()
    tree = make_tree([6], [-1], source=SOURCE_RECYCLED)
    assert asked_of(RecycledTokens(target), step(tree, [0], [6, 6]), 200, throughput=10.0) == 200
    assert target.count == 400


def test_what_others_proposed_while_it_was_not_asked_counts_neither_way():
    recycled = RecycledTokens(Asked())
    mine = step(make_tree([6], [-1], source=SOURCE_RECYCLED), [0], [6, 6])
    asked_of(recycled, mine, 400, throughput=10.0)
    gained = recycled._gain
    recycled._asked = False
    recycled.refresh(5, step(DraftTree.empty(), [], [6]))
    assert recycled._gain == gained
