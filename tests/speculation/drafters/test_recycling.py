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


def test_where_it_brings_nothing_it_is_refreshed_seldom():
    asked = Asked()
    recycled = RecycledTokens(asked)
    for _ in range(1000):
        recycled.refresh(5, step(DraftTree.empty(), [], [6]), throughput=1e9)
    assert asked.count <= 1000 // SELDOM + 1
    for _ in range(1000):  # where time doesn't count, always
        recycled.refresh(5, step(DraftTree.empty(), [], [6]))
    assert asked.count >= 1000


def test_what_it_brings_keeps_it_fresh():
    asked = Asked()
    recycled = RecycledTokens(asked)
    tree = make_tree([6], [-1], source=SOURCE_RECYCLED)
    for _ in range(200):
        recycled.refresh(5, step(tree, [0], [6, 6]), throughput=10.0)
    assert asked.count == 400
