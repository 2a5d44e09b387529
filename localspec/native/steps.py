"""The native part of a step: `steps.cpp` on numpy arrays. What the functions do is told by the Python that they stand
in for, in `localspec/speculation`; that serves where llama.cpp was built without our set-up (`available` is False)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from localspec.native.steps_library import (
    MAX_MATCHES,
    TOP_K,
    Arrays,
    NativeInputs,
    NativeMatches,
    address,
    address_of,
    call,
    pack,
    room,
    unpack,
)

__all__ = [
    "Arrays", "Index", "Likeliest", "Recycled", "argmax", "available", "best_size", "build", "calibrate", "cut", "gain",
    "learn", "pack", "place", "step_seconds", "unpack",
]  # fmt: skip


def available() -> bool:
    """True where the library is there."""
    return bool(call)


class Index:
    """As `speculation.context_index.ContextIndex`."""

    def __init__(self, votes: NDArray[np.float64]) -> None:
        """`votes` [max_n + 1]: of a match of n tokens."""
        self.pointer = call["index_new"](address(votes), len(votes) - 1)
        self.count = 0
        self._lengths = np.empty(MAX_MATCHES, np.int32)
        self._places = np.empty(MAX_MATCHES, np.int32)
        self._found = address(self._lengths), address(self._places)

    def __del__(self) -> None:
        if call and getattr(self, "pointer", None):
            call["index_free"](self.pointer)

    def follow(self, tokens: NDArray[np.int32]) -> None:
        """Take in the tokens [n] that came."""
        new = np.ascontiguousarray(tokens, np.int32)  # held until the call is over
        self.count += len(new)
        call["index_follow"](self.pointer, address(new), len(new))

    def find(self, drafted: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Lengths [m] and places [m] of matches of the text followed by `drafted` [n]."""
        count = call["index_find"](self.pointer, address(drafted), len(drafted), *self._found)
        return self._lengths[:count].copy(), self._places[:count].copy()


class Recycled:
    """As `speculation.recycled_table.RecycledTable`."""

    def __init__(self) -> None:
        self.pointer = call["recycled_new"]()
        self._tokens = np.empty(TOP_K, np.int32)
        self._probabilities = np.empty(TOP_K, np.float64)
        self._found = address(self._tokens), address(self._probabilities)

    def __del__(self) -> None:
        if call and getattr(self, "pointer", None):
            call["recycled_free"](self.pointer)

    def get(self, token: int) -> tuple[list[int], list[float]] | None:
        """What is known to follow `token`."""
        count = call["recycled_get"](self.pointer, token, *self._found)
        return (self._tokens[:count].tolist(), self._probabilities[:count].tolist()) if count >= 0 else None

    def put(self, token: int, tokens: NDArray[np.int32], probabilities: NDArray[np.float64]) -> None:
        """Keep what follows `token`: `tokens` [n] and their `probabilities` [n], at most eight."""
        call["recycled_put"](self.pointer, token, address(tokens), address(probabilities), len(tokens))


def argmax(logits: int, count: int) -> int:
    """The place of the highest of `count` floats at the address `logits`, the first of equals."""
    return int(call["argmax"](logits, count))


class Likeliest:
    """The likeliest tokens of rows of logits. One buffer, so not thread-safe."""

    def __init__(self) -> None:
        self._tokens = np.empty(TOP_K, np.int32)
        self._probabilities = np.empty(TOP_K, np.float64)
        self._found = address(self._tokens), address(self._probabilities)

    def __call__(self, logits: int, vocabulary: int, count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """At most `count`, and no more than eight, of the row at the address `logits`; views that the next call
        overwrites."""
        found = call["likeliest"](logits, vocabulary, count, *self._found)
        return self._tokens[:found], self._probabilities[:found]


def build(
    root: int,
    groups: list[tuple[Any, ...]],
    index: Index | None,
    recycled: Recycled | None,
    drafted: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]] | None,
    limit: int,
    max_depth: int,
    model: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    min_probability: float,
    decay: float,
) -> tuple[NDArray[np.uint8], int]:
    """A grown tree's block and number of nodes. `groups`: text, places, ends, lengths, similarity, votes and the
    source of matches; `drafted`: tokens, parents and probabilities of the draft model's tree; `model`: weights and
    residual of the estimates."""
    block = room(limit)
    native = (NativeMatches * len(groups))(
        *[NativeMatches(*map(address, arrays), len(arrays[1]), source) for *arrays, source in groups]
    )
    inputs = NativeInputs(
        root,
        len(groups),
        address_of(native) if groups else None,
        index.pointer if index is not None else None,
        recycled.pointer if recycled is not None else None,
        *(map(address, drafted) if drafted is not None else (None, None, None)),
        len(drafted[0]) if drafted is not None else 0,
        limit,
        max_depth,
        0,
        *(map(address, model) if model is not None else (None, None)),
        min_probability,
        decay,
    )
    return block, call["build"](address_of(inputs), address(block))


def calibrate(
    block: NDArray[np.uint8], nodes: int, weights: NDArray[np.float64], residual: NDArray[np.float64]
) -> None:
    """Write the probabilities of a tree anew, in place."""
    call["calibrate"](address(block), nodes, address(weights), address(residual))


def learn(
    block: NDArray[np.uint8],
    nodes: int,
    path: NDArray[np.int32],
    weights: NDArray[np.float64],
    precision: NDArray[np.float64],
    start: NDArray[np.float64],
    residual: NDArray[np.float64],
) -> int:
    """Move weights, precision and residual in place. Returns how many nodes were tried."""
    moved = address(weights), address(precision), address(start), address(residual)
    return int(call["learn"](address(block), nodes, address(path), len(path), *moved))


def step_seconds(
    decode_seconds: NDArray[np.float64],
    sizes: NDArray[np.int32],
    last_rows: int,
    change: float,
    overhead: float,
    seconds: NDArray[np.float64],
    rows: NDArray[np.int32],
) -> None:
    """Fill `seconds` [n + 1] and `rows` [n + 1] by the nodes of a step."""
    call["step_seconds"](
        address(decode_seconds),
        address(sizes),
        len(sizes),
        last_rows,
        change,
        overhead,
        len(seconds) - 1,
        address(seconds),
        address(rows),
    )


def best_size(gains: NDArray[np.float64], seconds: NDArray[np.float64], throughput: float, caution: float) -> int:
    """How many nodes pay."""
    return int(call["best_size"](address(gains), len(gains), address(seconds), len(seconds), throughput, caution))


def cut(
    block: NDArray[np.uint8],
    nodes: int,
    limit: int,
    max_depth: int,
    seconds: NDArray[np.float64] | None = None,
    throughput: float = 0.0,
    caution: float = 1.0,
) -> tuple[NDArray[np.uint8], int]:
    """Block and number of the best nodes of a tree."""
    result = room(min(limit, nodes))
    times = (address(seconds), len(seconds)) if seconds is not None else (None, 0)
    return result, call["cut"](address(block), nodes, limit, max_depth, *times, throughput, caution, address(result))


def gain(
    before: tuple[NDArray[np.uint8], int],
    now: tuple[NDArray[np.uint8], int],
    seconds: NDArray[np.float64] | None,
    limit: int,
    throughput: float,
    caution: float,
) -> float:
    """What the second tree (block, nodes) brings beyond the first; `limit` counts where rows are free."""
    times = (address(seconds), len(seconds)) if seconds is not None else (None, limit + 1)
    trees = address(before[0]), before[1], address(now[0]), now[1]
    return float(call["gain"](*trees, *times, throughput, caution))


def place(
    parents: NDArray[np.int32],
    rows: int,
    past: int,
    least: int,
    positions: NDArray[np.int32],
    counts: NDArray[np.int32],
    sequences: NDArray[np.int32],
    leaf_of: NDArray[np.int32],
) -> int:
    """Lay out a batch of `rows` for a tree. Returns the number of sequences."""
    written = address(positions), address(counts), address(sequences), address(leaf_of)
    return int(call["place"](address(parents), len(parents), rows, past, least, sequences.shape[1], *written))
