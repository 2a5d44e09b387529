"""The verification walk on crafted samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.tree import DraftTree
from localspec.speculation.verify import walk
from tests.speculation.scripted import make_tree, paths_of
from tests.speculation.strategies import draft_trees

CHAIN = [5, 6, 7, 8, 9]


class Samples:
    """Gives crafted tokens by row and keeps the rows it was asked for."""

    def __init__(self, by_row: dict[int, int]) -> None:
        self.by_row = by_row
        self.rows: list[int] = []

    def __call__(self, row: int) -> int:
        self.rows.append(row)
        return self.by_row[row]


def never(_token: int) -> bool:
    return False


@pytest.mark.parametrize("mismatch", range(len(CHAIN) + 1))
def test_a_chain_is_accepted_up_to_every_mismatch(mismatch):
    tree = make_tree(CHAIN, range(-1, len(CHAIN) - 1))
    samples = Samples(dict(enumerate([*CHAIN[:mismatch], 99])))
    path, emitted = walk(tree, samples, never)
    assert path.tolist() == list(range(mismatch))
    assert emitted.tolist() == [*CHAIN[:mismatch], 99], "then the recovered token, or the bonus token"
    assert samples.rows == list(range(mismatch + 1)), "one draw per visited row, none beyond the mismatch"


def test_an_empty_tree_is_a_plain_step():
    path, emitted = walk(DraftTree.empty(), Samples({0: 4}), never)
    assert (path.tolist(), emitted.tolist()) == ([], [4])


def test_a_token_of_another_branch_is_a_mismatch():
    # root -> 1 -> 2, root -> 3 -> 4: after 1 the target says 4, which only the other branch holds.
    tree = make_tree([1, 2, 3, 4], [-1, 0, -1, 2])
    path, emitted = walk(tree, Samples({0: 1, 1: 4}), never)
    assert (path.tolist(), emitted.tolist()) == ([0], [1, 4])


@given(draft_trees(most=20), st.data())
def test_every_path_of_a_tree_is_followed(tree, data):
    """For every node as the last accepted one, and a token outside the tree behind it."""
    paths = paths_of(tree)
    place = {path: node for node, path in enumerate(paths)}
    for end in [(), *paths]:
        outside = data.draw(st.sampled_from([token for token in range(5) if (*end, token) not in place]))
        nodes = [place[end[: length + 1]] for length in range(len(end))]
        rows = [0, *[node + 1 for node in nodes]]
        samples = Samples(dict(zip(rows, [*end, outside], strict=True)))
        path, emitted = walk(tree, samples, never)
        assert path.tolist() == nodes
        assert emitted.tolist() == [*end, outside]
        assert samples.rows == rows


@pytest.mark.parametrize("end", range(len(CHAIN)))
def test_the_walk_stops_at_a_token_that_ends_the_reply(end):
    tree = make_tree(CHAIN, range(-1, len(CHAIN) - 1))
    samples = Samples(dict(enumerate(CHAIN)))
    path, emitted = walk(tree, samples, lambda token: token == CHAIN[end])
    assert emitted.tolist() == CHAIN[: end + 1]
    assert path.tolist() == list(range(end)), "the end token itself need not be in the KV cache"
    assert samples.rows == list(range(end + 1))
