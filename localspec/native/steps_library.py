"""The library of `steps.cpp`: its structures and functions, addresses of arrays, and the memory of a tree."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localspec.native import library_folder

_NAMES = {"linux": "liblocalspec-steps.so", "darwin": "liblocalspec-steps.dylib", "win32": "localspec-steps.dll"}
_VERSION = 3
MAX_MATCHES = 16
TOP_K = 8
_EVIDENCE = 6
_NODE_BYTES = 45
"""Of a node in a block, in which the arrays of a tree follow one another (`Tree` in steps.cpp)."""

Int, Long, Real, Address = ctypes.c_int32, ctypes.c_int64, ctypes.c_double, ctypes.c_void_p
Arrays = tuple[
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.uint8],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float64],
]
"""Fields of a `DraftTree`, in order."""


class NativeMatches(ctypes.Structure):
    _fields_ = (
        ("text", Address), ("places", Address), ("ends", Address), ("lengths", Address), ("similarity", Address),
        ("votes", Address), ("count", Int), ("source", Int),
    )  # fmt: skip


class NativeInputs(ctypes.Structure):
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


call = _loaded()
"""The functions by name; none where the library is not there."""

_as_character: Any = ctypes.c_char.from_buffer
address_of = ctypes.addressof
"""of a structure"""


def address(array: NDArray[Any]) -> int:
    """Of its first element, 0 where there is none; it must be contiguous and writable, and outlive the call."""
    return address_of(_as_character(array)) if array.size else 0


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
