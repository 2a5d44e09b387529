"""The native part of a step: `steps.cpp` on numpy arrays. What the functions do is told by the Python that they stand
in for, in `localspec/speculation`; that serves where llama.cpp was built without our set-up (`available` is False)."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localspec.native import library_folder

_NAMES = {"linux": "liblocalspec-steps.so", "darwin": "liblocalspec-steps.dylib", "win32": "localspec-steps.dll"}
_VERSION = 3
_MAX_MATCHES = 16
_TOP_K = 8
_EVIDENCE = 6
_NODE_BYTES = 45
"""Of a node in a block, in which the arrays of a tree follow one another (`Tree` in steps.cpp)."""

Int, Long, Real, Address = ctypes.c_int32, ctypes.c_int64, ctypes.c_double, ctypes.c_void_p
Arrays = tuple[
    NDArray[np.int32], NDArray[np.int32], NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]
]
"""Fields of a `DraftTree`, in order."""


class _Matches(ctypes.Structure):
    _fields_ = (
        ("text", Address), ("places", Address), ("ends", Address), ("lengths", Address), ("similarity", Address),
        ("votes", Address), ("count", Int), ("source", Int),
    )  # fmt: skip


class _Inputs(ctypes.Structure):
    _fields_ = (
        ("root", Int), ("group_count", Int), ("groups", Address), ("index", Address), ("recycled", Address),
        ("draft_tokens", Address), ("draft_parents", Address), ("draft_probabilities", Address), ("drafted", Int),
        ("limit", Int), ("max_depth", Int), ("unused", Int), ("weights", Address), ("residual", Address),
        ("min_probability", Real), ("decay", Real),
    )  # fmt: skip


_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "steps_version": (Int, ()),
    "index_new": (Address, (Address, Int)),
    "index_free": (None, (Address,)),
    "index_follow": (None, (Address, Address, Long)),
    "index_find": (Int, (Address, Address, Int, Address, Address)),
    "argmax": (Int, (Address, Int)),
    "likeliest": (Int, (Address, Int, Int, Address, Address)),
    "recycled_new": (Address, ()),
    "recycled_free": (None, (Address,)),
    "recycled_get": (Int, (Address, Int, Address, Address)),
    "recycled_put": (None, (Address, Int, Address, Address, Int)),
    "build": (Int, (Address, Address)),
    "calibrate": (None, (Address, Int, Address, Address)),
    "learn": (Int, (Address, Int, Address, Int, Address, Address, Address, Address)),
    "step_seconds": (None, (Address, Address, Int, Int, Real, Real, Int, Address, Address)),
    "best_size": (Int, (Address, Int, Address, Int, Real, Real)),
    "cut": (Int, (Address, Int, Int, Int, Address, Int, Real, Real, Address)),
    "gain": (Real, (Address, Int, Address, Int, Address, Int, Real, Real)),
    "place": (Int, (Address, Int, Int, Int, Int, Int, Address, Address, Address, Address)),
}


def _loaded() -> dict[str, Any]:
    """The functions by name; none where the library is not there or of another version."""
    folder = library_folder()
    name = _NAMES.get(sys.platform)
    if folder is None or name is None or not (folder / name).exists():
        return {}
    functions: dict[str, Any] = {}
    try:
        library = ctypes.CDLL(str(folder / name))
        for function, (result, arguments) in _SIGNATURES.items():
            found = library["localspec_" + function]
            found.restype, found.argtypes = result, arguments
            functions[function] = found
    except (OSError, AttributeError):  # another system's library; an earlier version
        return {}
    return functions if functions["steps_version"]() == _VERSION else {}


_call = _loaded()


def available() -> bool:
    """True where the library is there."""
    return bool(_call)


_as_character: Any = ctypes.c_char.from_buffer
_address = ctypes.addressof


def address(array: NDArray[Any]) -> int:
    """Of its first element, 0 where there is none; it must be contiguous and writable, and outlive the call."""
    return _address(_as_character(array)) if array.size else 0


def room(nodes: int) -> NDArray[np.uint8]:
    """A block for a tree of at most so many nodes."""
    return np.empty(max(nodes, 1) * _NODE_BYTES, np.uint8)


def unpack(block: NDArray[np.uint8], nodes: int) -> Arrays:
    """The arrays of a tree, as views of its block."""
    return (
        np.ndarray((nodes,), np.int32, block, 8 * nodes),
        np.ndarray((nodes,), np.int32, block, 12 * nodes),
        np.ndarray((nodes,), np.uint8, block, 44 * nodes),
        np.ndarray((nodes, _EVIDENCE), np.float32, block, 16 * nodes),
        np.ndarray((nodes,), np.float32, block, 40 * nodes),
        np.ndarray((nodes,), np.float64, block, 0),
    )


def pack(arrays: Arrays) -> NDArray[np.uint8]:
    """A block that holds copies of the arrays of a tree."""
    block = room(len(arrays[0]))
    views: tuple[NDArray[Any], ...] = unpack(block, len(arrays[0]))
    for view, array in zip(views, arrays, strict=True):
        view[...] = array
    return block


class Index:
    """As `speculation.context_index.ContextIndex`."""

    def __init__(self, votes: NDArray[np.float64]) -> None:
        """`votes` [max_n + 1]: of a match of n tokens."""
        self.pointer = _call["index_new"](address(votes), len(votes) - 1)
        self.count = 0
        self._lengths = np.empty(_MAX_MATCHES, np.int32)
        self._places = np.empty(_MAX_MATCHES, np.int32)
        self._found = address(self._lengths), address(self._places)

    def __del__(self) -> None:
        if _call and getattr(self, "pointer", None):
            _call["index_free"](self.pointer)

    def follow(self, tokens: NDArray[np.int32]) -> None:
        """Take in the tokens [n] that came."""
        self.count += len(tokens)
        _call["index_follow"](self.pointer, address(np.ascontiguousarray(tokens, np.int32)), len(tokens))

    def find(self, drafted: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Lengths [m] and places [m] of matches of the text followed by `drafted` [n]."""
        count = _call["index_find"](self.pointer, address(drafted), len(drafted), *self._found)
        return self._lengths[:count].copy(), self._places[:count].copy()


class Recycled:
    """As `speculation.recycled_table.RecycledTable`."""

    def __init__(self) -> None:
        self.pointer = _call["recycled_new"]()
        self._tokens = np.empty(_TOP_K, np.int32)
        self._probabilities = np.empty(_TOP_K, np.float64)
        self._found = address(self._tokens), address(self._probabilities)

    def __del__(self) -> None:
        if _call and getattr(self, "pointer", None):
            _call["recycled_free"](self.pointer)

    def get(self, token: int) -> tuple[list[int], list[float]] | None:
        """What is known to follow `token`."""
        count = _call["recycled_get"](self.pointer, token, *self._found)
        return (self._tokens[:count].tolist(), self._probabilities[:count].tolist()) if count >= 0 else None

    def put(self, token: int, tokens: NDArray[np.int32], probabilities: NDArray[np.float64]) -> None:
        """Keep what follows `token`: `tokens` [n] and their `probabilities` [n], at most eight."""
        _call["recycled_put"](self.pointer, token, address(tokens), address(probabilities), len(tokens))


def argmax(logits: int, count: int) -> int:
    """The place of the highest of `count` floats at the address `logits`, the first of equals."""
    return int(_call["argmax"](logits, count))


class Likeliest:
    """The likeliest tokens of rows of logits. One buffer, so not thread-safe."""

    def __init__(self) -> None:
        self._tokens = np.empty(_TOP_K, np.int32)
        self._probabilities = np.empty(_TOP_K, np.float64)
        self._found = address(self._tokens), address(self._probabilities)

    def __call__(self, logits: int, vocabulary: int, count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """At most `count`, and no more than eight, of the row at the address `logits`; views that the next call
        overwrites."""
        found = _call["likeliest"](logits, vocabulary, count, *self._found)
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
    """A grown tree's block and number of nodes. `groups`: text, places, ends, lengths, similarity, votes and the source of matches; `drafted`:
    tokens, parents and probabilities of the draft model's tree; `model`: weights and residual of the estimates."""
    block = room(limit)
    native = (_Matches * len(groups))(
        *[_Matches(*map(address, arrays), len(arrays[1]), source) for *arrays, source in groups]
    )
    inputs = _Inputs(
        root,
        len(groups),
        _address(native) if groups else None,
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
    return block, _call["build"](_address(inputs), address(block))


def calibrate(
    block: NDArray[np.uint8], nodes: int, weights: NDArray[np.float64], residual: NDArray[np.float64]
) -> None:
    """Write the probabilities of a tree anew, in place."""
    _call["calibrate"](address(block), nodes, address(weights), address(residual))


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
    return int(_call["learn"](address(block), nodes, address(path), len(path), *moved))


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
    _call["step_seconds"](
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
    return int(_call["best_size"](address(gains), len(gains), address(seconds), len(seconds), throughput, caution))


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
    return result, _call["cut"](address(block), nodes, limit, max_depth, *times, throughput, caution, address(result))


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
    return float(_call["gain"](*trees, *times, throughput, caution))


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
    return int(_call["place"](address(parents), len(parents), rows, past, least, sequences.shape[1], *written))
