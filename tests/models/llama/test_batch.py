"""Where the rows of a tree lie in a batch: what each of them can see, by positions and sequences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from localspec.models.llama.batch import BatchArrays
from tests.speculation.strategies import parent_lists

Place = Callable[[BatchArrays, NDArray[np.int32], int, int, int], tuple[NDArray[np.int32], int]]
either = pytest.mark.parametrize(
    "place", [BatchArrays.place_reference, BatchArrays.place], ids=["in Python", "what serves"]
)


def ancestors(node: int, parents: NDArray[np.int32]) -> set[int]:
    """Rows from the root to a node's own."""
    rows = {0}
    while node >= 0:
        rows.add(node + 1)
        node = int(parents[node])
    return rows


@either
@given(parents=parent_lists(), filling=st.integers(0, 64), past=st.integers(0, 5000), least=st.sampled_from([1, 8, 64]))
def test_each_row_sees_its_ancestors_and_none_that_fills_the_batch(place: Place, parents, filling, past, least):
    real = len(parents) + 1
    rows = min(real + filling, 65)
    batch = BatchArrays(70, 64)
    leaf_of, total = place(batch, parents, past, rows, least)
    counts, positions = batch.sequence_counts[:rows].tolist(), batch.positions[:rows].tolist()
    members = [set(batch.sequences[row, : counts[row]].tolist()) for row in range(rows)]
    assert positions[0] == past
    assert max(positions) < past + rows, "no further than a chain of so many rows"
    for row in range(real):
        seen = {other for other in range(rows) if members[row] & members[other] and positions[other] <= positions[row]}
        assert seen == ancestors(row - 1, parents)
        assert positions[row] == past + len(seen) - 1
    for row in range(rows):
        assert leaf_of[row] in members[row]
        assert len(members[row]) == counts[row] > 0
        places = [positions[other] for other in range(rows) if leaf_of[row] in members[other]]
        assert len(set(places)) == len(places), "two rows of one sequence have two positions"
    leaves = len(set(range(real)) - {int(parent) + 1 for parent in parents})
    assert total == max(leaves, least)
    assert members[0] == set(range(total)), "the root is in all of them"
    assert all(max(each) < leaves for each in members[1:])


@either
def test_batches_of_one_size_have_one_shape(place: Place):
    """The number of sequences, whatever the tree, but for those with more leaves than usual."""
    chain, fork = np.arange(-1, 7, dtype=np.int32), np.array([-1, -1, 0, 1], np.int32)
    batch = BatchArrays(70, 64)
    for rows in (9, 16, 65):
        assert [place(batch, parents, 0, rows, 8)[1] for parents in (chain, fork, chain[:0])] == [8, 8, 8]
    assert place(batch, np.full(20, -1, np.int32), 0, 32, 8)[1] == 20
    assert place(batch, np.full(64, -1, np.int32), 0, 65, 8)[1] == 64
    assert place(batch, chain[:0], 0, 1, 1)[1] == 1
