"""llama.cpp itself: its log, what it was built with, and its memory as arrays."""

from __future__ import annotations

import collections
import ctypes
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from localspec import native
from localspec.config import default_threads
from localspec.errors import ModelError, ModelFileError

_MAX_HALF = float(np.finfo(np.float16).max)

_log_lines: collections.deque[str] = collections.deque(maxlen=40)
_log_lock = threading.Lock()
_echoes = threading.Event()
_SHORT_OF_MEMORY = ("unable to allocate", "failed to allocate", "out of memory", "memory allocation of size")
"""What ggml says, on any kind of device, where it gets no memory."""


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _log(level: int, text: bytes, _user_data: object) -> None:
    if level in (3, 4):  # GGML_LOG_LEVEL_WARN, GGML_LOG_LEVEL_ERROR
        with _log_lock:
            _log_lines.append(text.decode("utf-8", "replace").strip())
        if _echoes.is_set():
            os.write(2, text)


llama_cpp.llama_log_set(_log, ctypes.c_void_p(0))
llama_cpp.llama_backend_init()


def recent_log() -> str:
    """llama.cpp's latest warnings and errors, newest last, for error messages."""
    with _log_lock:
        return "; ".join(line for line in _log_lines if line)


def clear_log() -> None:
    """Forget older lines, so that `recent_log` is about what comes."""
    with _log_lock:
        _log_lines.clear()


def echo_log() -> None:
    """From now on write warnings and errors to stderr as well, where they outlive an abort of this process."""
    _echoes.set()


def tells_of_short_memory(log: str) -> bool:
    """True where llama.cpp's words in `log` are those of memory that it did not get."""
    return any(words in log for words in _SHORT_OF_MEMORY)


def gpu_offload_available() -> bool:
    """True when this build of llama.cpp can put layers on a GPU."""
    return bool(llama_cpp.llama_supports_gpu_offload())


def system_info() -> str:
    """The instruction sets and backends llama.cpp was built with, as it words them, and our kernels."""
    return f"{cast(bytes, llama_cpp.llama_print_system_info()).decode().strip()} | kernels: {kernels()}"


def kernels() -> str:
    """Which of our own kernels serve in this process, as `native.describe` words it."""
    return native.describe()


def library_version() -> str:
    """Version of llama-cpp-python, which pins its llama.cpp."""
    return str(llama_cpp.__version__)


def view(pointer: Any, rows: int, width: int) -> NDArray[np.float32]:  # noqa: ANN401 - an untyped library's pointer
    """Floats [rows, width] of llama.cpp's own memory, without a copy. Raises ModelError for a null pointer."""
    address = ctypes.cast(pointer, ctypes.c_void_p).value
    if not address:
        raise ModelError("The model returned no output for the last decode.")
    return np.ctypeslib.as_array((ctypes.c_float * (rows * width)).from_address(address)).reshape(rows, width)


# As the library has it, but with an address for its result: a pointer object would be made and cast every time.
_get_logits = llama_cpp.llama_cpp._lib["llama_get_logits_ith"]
_get_logits.restype, _get_logits.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int32]


def logits_address(context: Any, row: int = 0) -> int:  # noqa: ANN401 - an untyped library's pointer
    """Where the logits of a row of the last decode lie; where all rows have some, they follow one another. Raises
    ModelError where there are none."""
    address = _get_logits(context, row)
    if not address:
        raise ModelError("The model returned no output for the last decode.")
    return int(address)


def row_at(address: int, width: int) -> NDArray[np.float32]:
    """The floats [width] at an address, without a copy."""
    return np.ctypeslib.as_array((ctypes.c_float * width).from_address(address))


def halves(states: NDArray[np.float32]) -> NDArray[np.float16]:
    """`states` (or logits) in half precision, as they are kept; what lies beyond its range is put at its ends."""
    return np.clip(states, -_MAX_HALF, _MAX_HALF).astype(np.float16)


def requantize(
    source: Path, destination: Path, file_type: int, threads: int = 0, *, tensor_types: Sequence[tuple[str, int]] = ()
) -> None:
    """Write `source` in another weight format (`file_type`: llama.cpp's LLAMA_FTYPE number, e.g. 32 = BF16).

    `tensor_types` are regular expressions of tensor names, each with a ggml type (enum ggml_type) for what matches; the
    first that matches counts. llama.cpp looks at them for quantized file types only. A tensor that has its type already
    is copied as it is.
    Raises ModelFileError when llama.cpp refuses, or cannot write.
    """
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = file_type
    parameters.nthread = threads or default_threads()
    parameters.allow_requantize = True
    overrides = None
    if tensor_types:
        parameters.pure = True  # no types of llama.cpp's own choice for what no expression matches
        overrides = (llama_cpp.llama_model_tensor_override * (len(tensor_types) + 1))()
        for place, (pattern, kind) in enumerate(tensor_types):
            overrides[place].pattern = pattern.encode()
            overrides[place].type = kind
        parameters.tt_overrides = ctypes.cast(overrides, type(parameters.tt_overrides))
    clear_log()
    code = llama_cpp.llama_model_quantize(str(source).encode(), str(destination).encode(), ctypes.byref(parameters))
    if code != 0:
        destination.unlink(missing_ok=True)
        raise ModelFileError(f"{source.name} could not be converted ({recent_log()}).", "Use the file as it is.")
