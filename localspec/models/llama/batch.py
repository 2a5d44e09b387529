"""The arrays of llama.cpp's batches, where the rows of a tree lie in them, and contexts that decode them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from localspec.models.llama.weights import Weights
from localspec.native import graphs, steps

_NO_MEMORY = -2
"""llama_decode's status where memory for a graph could not be had."""


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
        self, tokens: NDArray[Any], positions: NDArray[Any], sequences: NDArray[Any] | int = 0, *, outputs: bool = True
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

    def place(self, parents: NDArray[np.int32], past: int, rows: int, least: int = 1) -> tuple[NDArray[np.int32], int]:
        """Positions and sequences of root + tree, and of rows behind its first leaf that fill the batch up to `rows`.

        Returns one leaf's sequence per row [rows], and the number of sequences, at `least` so many: all of them share
        the root. Sequence 0 is the trunk and the first leaf.
        """
        if not steps.available():
            return self.place_reference(parents, past, rows, least)
        leaf_of = np.empty(rows, np.int32)
        arrays = self.positions, self.sequence_counts, self.sequences, leaf_of
        return leaf_of, steps.place(parents, rows, past, least, *arrays)

    def place_reference(
        self, parents: NDArray[np.int32], past: int, rows: int, least: int = 1
    ) -> tuple[NDArray[np.int32], int]:
        """`place` in Python."""
        real = len(parents) + 1
        parent_rows = [-1, *(parents + 1).tolist()]
        first_leaf = next(row for row in range(real) if row not in parent_rows)
        depth = [0] * real
        for row in range(1, real):
            depth[row] = depth[parent_rows[row]] + 1
        below: list[list[int]] = [[] for _ in range(real)]
        leaves = 0
        for row in range(real):
            if row not in parent_rows:
                below[row] = [leaves]
                leaves += 1
        for row in range(real - 1, 0, -1):
            below[parent_rows[row]].extend(below[row])
        # No row of the tree attends to a later position of its branch.
        depth += range(depth[first_leaf] + 1, depth[first_leaf] + 1 + rows - real)
        below += [below[first_leaf]] * (rows - real)
        total = max(leaves, least)
        below[0] = [*range(total)]
        self.positions[:rows] = depth
        self.positions[:rows] += past
        for row, members in enumerate(below):
            self.sequence_counts[row] = len(members)
            self.sequences[row, : len(members)] = sorted(members)
        return np.array([min(members) for members in below], dtype=np.int32), total

    def beside(self, path: list[int], rows: int, end: int) -> dict[int, int]:
        """Of the first `rows` rows those that are neither the root nor on the `path` of nodes: by sequence, the lowest
        position before `end`."""
        accepted = {0, *(node + 1 for node in path)}
        lowest: dict[int, int] = {}
        for row, position in enumerate(self.positions[:rows].tolist()):
            if position < end and row not in accepted:
                for sequence in self.sequences[row, : self.sequence_counts[row]].tolist():
                    lowest[sequence] = min(position, lowest.get(sequence, position))
        return lowest

    def held(self, path: list[int], sequences: int, start: int) -> list[int]:
        """Up to which position each of the `sequences` holds root and `path`, whose nodes begin at `start`."""
        held = [start] * sequences
        for node in path:
            for sequence in self.sequences[node + 1, : self.sequence_counts[node + 1]].tolist():
                held[sequence] += 1
        return held


def native_batch(batch: BatchArrays) -> Any:  # noqa: ANN401 - a ctypes structure of an untyped library
    """llama.cpp's view of `batch`, whose arrays must outlive it; `n_tokens` is set before each decode."""
    integers = ctypes.POINTER(ctypes.c_int32)
    return llama_cpp.llama_batch(
        n_tokens=0,
        token=batch.tokens.ctypes.data_as(integers),
        embd=None,
        pos=batch.positions.ctypes.data_as(integers),
        n_seq_id=batch.sequence_counts.ctypes.data_as(integers),
        seq_id=batch.sequence_rows.ctypes.data_as(ctypes.POINTER(integers)),
        logits=batch.outputs.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
    )


def decode(
    context: Any,  # noqa: ANN401 - an untyped library's
    batch: Any,  # noqa: ANN401
    rows: int,
    *,
    keeps: bool = True,
    undo: Callable[[], bool] | None = None,
) -> int:
    """llama_decode's status for the first `rows` rows of a native batch: 0 where it worked.

    `keeps`: this size keeps its graph. Where there is no memory for one, `undo` takes what the batch left in the cache
    back, and the context's own graph, whose memory is reserved, serves.
    """
    batch.n_tokens = rows
    graphs.select(context, rows if keeps else 0)
    code = int(llama_cpp.llama_decode(context, batch))
    if code == _NO_MEMORY and undo is not None and graphs.enabled() and undo():
        graphs.free(context)
        code = int(llama_cpp.llama_decode(context, batch))
    return code


def free_context(context: Any) -> None:  # noqa: ANN401 - an untyped library's pointer
    """Free a context with the graphs that `decode` made for it."""
    graphs.free(context)
    llama_cpp.llama_free(context)


class SharedTrunk:
    """The text that all sequences of a KV cache have in common, and how much of it each of them holds.

    llama.cpp keeps a table of positions per sequence: to copy a whole text into seven sequences and take it out again,
    for every tree, took 0.7 ms at 400 positions, and more for longer texts. So they keep what they have.
    """

    def __init__(self, memory: Any, sequences: int) -> None:  # noqa: ANN401 - an untyped library's pointer
        """Sequence 0 is the trunk."""
        self._memory = memory
        self._held = [0] * sequences

    def reach(self, sequence: int, length: int) -> None:
        """Make a sequence hold the trunk's first `length` positions."""
        held = self._held[sequence]
        if held < length:
            llama_cpp.llama_memory_seq_cp(self._memory, 0, sequence, held, length)
            self._held[sequence] = length

    def reach_all(self, sequences: int, length: int) -> None:
        """The same for the first `sequences`."""
        if sequences > 1 and min(self._held[1:sequences]) < length:
            for sequence in range(1, sequences):
                self.reach(sequence, length)

    def hold(self, lengths: list[int]) -> None:
        """Sequences 1, 2, … hold so many positions of the trunk: they were decoded with them."""
        self._held[1 : 1 + len(lengths)] = lengths

    def cut(self, length: int) -> bool:
        """Drop from all sequences what lies behind `length`; False where the model cannot."""
        if not llama_cpp.llama_memory_seq_rm(self._memory, -1, length, -1):
            return False
        self._held = [min(held, length) for held in self._held]
        return True

    def forget(self) -> None:
        """The cache was emptied, or nothing is known of it."""
        self._held = [0] * len(self._held)


class WeightsContext:
    """A context of its own over a model's weights, beside the chat. Not thread-safe. Raises OutOfMemoryError."""

    def __init__(
        self,
        weights: Weights,
        cells: int,
        rows: int,
        sequences: int,
        threads: int,
        *,
        unified: bool = True,
        watch: Any = None,  # noqa: ANN401 - a ctypes function
    ) -> None:
        """As `Weights.new_context`; each row of a batch is in one of the `sequences`."""
        self._weights = weights
        # Copies between parts of a cache make llama.cpp reserve its largest graph in whatever serves.
        self._unified = unified
        self._context: Any = weights.new_context(cells, rows, sequences, threads, unified=unified, watch=watch)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = BatchArrays(rows, 1)
        self._native = native_batch(self._batch)

    def close(self) -> None:
        """Free the context; safe to call twice."""
        if self._context:
            free_context(self._context)
            self._context = None

    def _decoded(self, rows: int) -> int:
        """llama_decode's status for the first `rows` rows of the batch: 0 where it worked."""
        return decode(self._context, self._native, rows, keeps=self._unified)
