"""The arrays of one llama.cpp batch, and where the rows of a tree lie in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class BatchArrays:
    """A batch as numpy arrays: filling it is array assignment instead of one foreign call per field."""

    def __init__(self, rows: int, sequences: int) -> None:
        self.tokens = np.zeros(rows, dtype=np.int32)
        self.positions = np.zeros(rows, dtype=np.int32)
        self.sequence_counts = np.ones(rows, dtype=np.int32)
        self.sequences = np.zeros((rows, sequences), dtype=np.int32)
        self.outputs = np.zeros(rows, dtype=np.int8)
        self.sequence_rows = (self.sequences.ctypes.data + self.sequences.strides[0] * np.arange(rows)).astype(np.uintp)
        """address of each row of `sequences`, as llama_batch wants them"""

    def fill(
        self,
        tokens: NDArray[Any],
        positions: NDArray[Any],
        sequences: NDArray[Any] | int = 0,
        *,
        outputs: bool = True,
    ) -> int:
        """Rows of chains: `tokens` [n] at `positions` [n], each in one sequence. Returns n.

        `sequences` is one for all rows, or [n]; `outputs`: whether the rows get logits (and hidden states).
        """
        rows = len(tokens)
        self.tokens[:rows] = tokens
        self.positions[:rows] = positions
        self.sequence_counts[:rows] = 1
        self.sequences[:rows, 0] = sequences
        self.outputs[:rows] = outputs
        return rows

    def place(self, parents: NDArray[np.int32], past: int) -> NDArray[np.int32]:
        """Positions and sequences of root + tree; returns one leaf's sequence per row [n + 1].

        Sequence 0 is the trunk and the first leaf, so a chain needs no copies at all.
        """
        rows = len(parents) + 1
        parent_rows = (parents + 1).tolist()
        depth = [0] * rows
        is_leaf = [True] * rows
        for row, parent in enumerate(parent_rows, start=1):
            depth[row] = depth[parent] + 1
            is_leaf[parent] = False
        self.positions[:rows] = depth
        self.positions[:rows] += past
        if is_leaf.count(True) == 1:
            self.sequence_counts[:rows] = 1
            self.sequences[:rows, 0] = 0
            return np.zeros(rows, dtype=np.int32)
        below: list[list[int]] = [[] for _ in range(rows)]
        leaves = 0
        for row in range(rows):
            if is_leaf[row]:
                below[row] = [leaves]
                leaves += 1
        for row in range(rows - 1, 0, -1):
            below[parent_rows[row - 1]].extend(below[row])
        for row, members in enumerate(below):
            self.sequence_counts[row] = len(members)
            self.sequences[row, : len(members)] = sorted(members)
        return np.array([members[0] for members in below], dtype=np.int32)
