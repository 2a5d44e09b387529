"""A compute graph for each number of rows (`graphs.cpp`), so that batches of changing sizes need not build theirs anew.

`LOCALSPEC_GRAPHS=off` in the environment leaves each context with the one graph that llama.cpp keeps.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from typing import Any

from localspec.native import library_folder

KEPT_ROWS = 32
"""Larger batches have no graph of their own (`max_rows` in `graphs.cpp`)."""
SETTLING = 2
"""Decodes of a size until its graph is steady: the first builds it, with CUDA the second captures it (on an H200 3.6
and 5.0 ms where each further one takes 1.05)."""
_NAMES = {"linux": "libllama.so", "darwin": "libllama.dylib", "win32": "llama.dll"}


@functools.cache
def _library() -> ctypes.CDLL | None:
    """llama.cpp's library if our functions are in it."""
    folder = library_folder()
    if folder is None:
        return None
    try:
        library = ctypes.CDLL(str(folder / _NAMES.get(sys.platform, "libllama.so")))
        library.localspec_graphs_select.argtypes = [ctypes.c_void_p, ctypes.c_int]
        library.localspec_graphs_free.argtypes = [ctypes.c_void_p]
        library.localspec_graphs_pad.argtypes = [ctypes.c_void_p, ctypes.c_uint]
        for function in (library.localspec_graphs_select, library.localspec_graphs_free, library.localspec_graphs_pad):
            function.restype = None
    except (OSError, AttributeError):  # another system's library; a build without them
        return None
    return library


def built() -> bool:
    """True where llama.cpp was built with them."""
    return _library() is not None


@functools.cache
def _serving() -> ctypes.CDLL | None:
    return None if os.environ.get("LOCALSPEC_GRAPHS") == "off" else _library()


def enabled() -> bool:
    """True where they serve in this process."""
    return _serving() is not None


def select(context: Any, rows: int) -> None:  # noqa: ANN401 - an untyped library's pointer
    """The next decode in `context`, a llama_context, is of `rows` rows: its graph takes the place of the last one."""
    library = _serving()
    if library is not None:
        library.localspec_graphs_select(context, rows)


def free(context: Any) -> None:  # noqa: ANN401 - an untyped library's pointer
    """Free the graphs of `context`; must be called before it is freed itself."""
    library = _serving()
    if library is not None:
        library.localspec_graphs_free(context)


def pad(context: Any, positions: int) -> None:  # noqa: ANN401 - an untyped library's pointer
    """Let graphs attend to the used cells of the cache rounded up to `positions`, a power of two from 256 on: they are
    built anew when the text grows beyond that, and attend to more cells than needed. Before the first decode."""
    library = _serving()
    if library is not None:
        library.localspec_graphs_pad(context, positions)
