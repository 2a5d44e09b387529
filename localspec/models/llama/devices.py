"""The graphics processors that llama.cpp would use, and the memory that is free on them.

llama-cpp-python has no names for these functions of ggml, but ships the libraries that hold them (ggml-backend.h).
Where they are not found, nothing is known about the devices, and callers have to do without.
"""

from __future__ import annotations

import ctypes
import logging
import platform
import sys
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

from llama_cpp import _ggml

from localspec.models.llama.backend import gpu_offload_available

_logger = logging.getLogger(__name__)

_GPU, _INTEGRATED = 1, 2
"""enum ggml_backend_dev_type: a processor with memory of its own; one that computes in main memory"""


@dataclass(frozen=True, slots=True)
class Device:
    """One graphics processor."""

    name: str  # as llama.cpp shows it, e.g. "NVIDIA GeForce RTX 3060"
    free: int  # Bytes that can be had now, as its driver says; 0 where it does not say
    total: int
    shares_memory: bool = False  # True where its memory is the computer's own


def gpu_devices() -> tuple[Device, ...] | None:
    """The devices that llama.cpp puts layers on: all with memory of their own, else the integrated one.

    Empty where the build can use none or there is none; None where nothing can be found out. Asking a CUDA device makes
    its driver reserve some memory for this process, as the first model on it would.
    """
    if not gpu_offload_available():
        return ()
    try:
        library = _library()
    except (OSError, AttributeError) as error:  # a build of another shape
        _logger.info("Nothing is known about graphics processors: %s", error)
        return None
    found: dict[int, list[Device]] = {_GPU: [], _INTEGRATED: []}
    for number in range(library.count()):
        device = library.get(number)
        kind = library.type(device)
        if kind in found:
            found[kind].append(_described(library, device, kind))
    return tuple(found[_GPU] or found[_INTEGRATED][:1])


@cache
def gpu_names() -> tuple[str, ...]:
    """What measured times on GPUs hold for: llama.cpp's own description (`system_info`) does not name them."""
    return tuple(device.name for device in gpu_devices() or ())


def _described(library: SimpleNamespace, device: int, kind: int) -> Device:
    free, total = ctypes.c_size_t(0), ctypes.c_size_t(0)
    library.memory(device, ctypes.byref(free), ctypes.byref(total))
    name = (library.description(device) or library.name(device) or b"GPU").decode("utf-8", "replace").strip()
    return Device(name, int(free.value), int(total.value), kind == _INTEGRATED or _has_unified_memory())


def _has_unified_memory() -> bool:
    """Apple silicon: its Metal device counts as one of its own."""
    return sys.platform == "darwin" and platform.machine() == "arm64"


@cache
def _library() -> SimpleNamespace:
    """The functions with their types. Raises OSError, AttributeError where the build does not have them."""
    # Elsewhere than on Windows, what a library is linked with is found through it.
    registry = base = _ggml.libggml
    if sys.platform == "win32":
        base = ctypes.CDLL(str(_ggml.libggml_base_path / "ggml-base.dll"))
    size = ctypes.POINTER(ctypes.c_size_t)
    return SimpleNamespace(
        count=_typed(registry.ggml_backend_dev_count, ctypes.c_size_t),
        get=_typed(registry.ggml_backend_dev_get, ctypes.c_void_p, ctypes.c_size_t),
        type=_typed(base.ggml_backend_dev_type, ctypes.c_int, ctypes.c_void_p),
        name=_typed(base.ggml_backend_dev_name, ctypes.c_char_p, ctypes.c_void_p),
        description=_typed(base.ggml_backend_dev_description, ctypes.c_char_p, ctypes.c_void_p),
        memory=_typed(base.ggml_backend_dev_memory, None, ctypes.c_void_p, size, size),
    )


def _typed(function: Any, result: Any, *arguments: Any) -> Any:  # noqa: ANN401 - ctypes
    function.restype, function.argtypes = result, list(arguments)
    return function
