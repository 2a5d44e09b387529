"""Our kernels inside llama.cpp's processor backend: matrix products of few and many rows, and attention.

A row's results have the same bits whatever rows, threads and cache cells there are beside it; products of quantized
weights even on every instruction set. This module tells whether the kernels are built in, and what they serve.

- `hook.cmake` builds them in: the set-up passes it to llama.cpp's CMake. No fork, no patch
- `seam.cpp` takes the place of three of llama.cpp's functions and hands on what is not served; `processor.h` asks what
  the processor can run
- `products.h` quantized weights, `wide.h` 16- and 32-bit ones, `attention.h`: each written once, on the registers of
  `lanes_avx2.h`, `lanes_avx512.h` or `lanes_neon.h`; `table.h` makes a table of functions of them in each `isa_*.cpp`
- `graphs.cpp` lets a llama_context keep a graph for each number of rows (`graphs.py`)
- `steps.cpp` is what runs for each node of a draft (`steps.py`; `steps_library.py` loads it)
- `formats.h` holds the layouts of llama.cpp's blocks against the pinned version, `kernels.h` what the parts share

`LOCALSPEC_KERNELS=off` in the environment lets llama.cpp's own code run instead; the name of an instruction set
(`avx2`, `avx-vnni`, `avx512-vnni`, `avx512-vnni-bf16`, `neon-dotprod`, `neon-i8mm`) takes the kernels of that one.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import sys
from pathlib import Path

_NAMES = {"linux": ("libggml-cpu.so.0", "libggml-cpu.so"), "darwin": ("libggml-cpu.0.dylib", "libggml-cpu.dylib")}


def library_folder() -> Path | None:
    """Where llama-cpp-python has its libraries, or None where it isn't installed."""
    elsewhere = os.environ.get("LLAMA_CPP_LIB_PATH")
    if elsewhere:
        return Path(elsewhere)
    package = importlib.util.find_spec("llama_cpp")
    return (
        Path(package.submodule_search_locations[0], "lib") if package and package.submodule_search_locations else None
    )


@functools.cache
def _library() -> ctypes.CDLL | None:
    """ggml's processor backend if our kernels are in it, the same one that llama.cpp uses."""
    folder = library_folder()
    if folder is None:
        return None
    for name in _NAMES.get(sys.platform, ("ggml-cpu.dll",)):
        if (folder / name).exists():
            try:
                library = ctypes.CDLL(str(folder / name))
                library.localspec_kernels_describe.restype = ctypes.c_char_p
                library.localspec_kernels_serve.restype = ctypes.c_bool
                library.localspec_kernels_serve.argtypes = [ctypes.c_int]
            except (OSError, AttributeError):  # another system's library; a build without the kernels
                return None
            return library
    return None


def built() -> bool:
    """True where llama.cpp was built with our kernels, whatever they can do on this processor."""
    return _library() is not None


def describe() -> str:
    """What serves, e.g. `avx512-vnni: f16 q4_0 q4_1 …; attention`; `off`, `not built` or why there is nothing."""
    library = _library()
    return library.localspec_kernels_describe().decode() if library is not None else "not built"


def enabled() -> bool:
    """True where our kernels serve in this process."""
    return ":" in describe()


def serves(ggml_type: int) -> bool:
    """True where matrix products with weights of this ggml type are ours, and so the same bits for any row count."""
    library = _library()
    return library is not None and bool(library.localspec_kernels_serve(ggml_type))


def attends() -> bool:
    """True where attention is ours, with keys and values in F16, BF16 or F32."""
    return describe().endswith("; attention")
