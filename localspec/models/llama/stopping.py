"""Ends what a context computes, in the middle of a batch: what a person has stopped keeps nobody waiting.

llama.cpp asks between two nodes of a graph whether to go on (`llama_set_abort_callback`). A function in Python would
take the lock of all threads for each of a thousand nodes. So one of ggml's own answers: `ggml_is_empty`, for a tensor
whose first dimension is 1, and 0 once there is to be an end. Graphics cards don't ask: batches are smaller there.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable
from time import perf_counter
from typing import Any

import llama_cpp
from llama_cpp import _ggml

from localspec.errors import StoppedError
from localspec.models.llama.weights import Weights

ABORTED = 2
"""llama_decode's status after an end that was asked for."""
PORTION_SECONDS = 0.4
"""What reading a part of a prompt may take where it cannot be ended."""
_LEAST_ROWS = 32
_DIMENSION = 2
"""Where the first dimension is in a ggml_tensor, in steps of 8 bytes: behind its type and its buffer (ggml.h)."""
_TENSOR_WORDS = 64
"""More than a ggml_tensor has."""


class StopSignal:
    """What the person wants to end: set once, from any thread, and noticed at once by what heeds it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._tensor = (ctypes.c_int64 * _TENSOR_WORDS)(*[1] * _TENSOR_WORDS)

    def set(self) -> None:
        """There is to be an end."""
        self._event.set()
        self._tensor[_DIMENSION] = 0

    @property
    def is_set(self) -> bool:
        """True from then on."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Until it is set, for so long at most; whether it is."""
        return self._event.wait(seconds)

    def check(self) -> None:
        """Raises StoppedError once it is set."""
        if self.is_set:
            raise StoppedError

    @property
    def address(self) -> int:
        """Of the tensor; it must outlive whoever looks at it."""
        return ctypes.addressof(self._tensor)


class Stopping:
    """Which signal one context heeds. A batch can be ended where the context can be brought back to what it held."""

    def __init__(self, context: Any, weights: Weights) -> None:  # noqa: ANN401 - an untyped library's pointer
        self._context = context
        self._signal: StopSignal | None = None
        self.ends_batches = weights.gpu_layers == 0 and weights.can_rewind and _is_empty() is not None
        """True where a batch ends at once, False where the next one is not begun"""

    def heed(self, signal: StopSignal | None) -> None:
        """Heed this one from now on; None: none. Not while the context decodes."""
        if signal is self._signal:  # also of a context that was freed
            return
        self._signal = signal
        if self.ends_batches:
            asked = llama_cpp.ggml_abort_callback() if signal is None else _is_empty()
            address = ctypes.c_void_p(None if signal is None else signal.address)
            llama_cpp.llama_set_abort_callback(self._context, asked, address)

    def check(self) -> None:
        """Raises StoppedError once the signal is set."""
        if self._signal is not None:
            self._signal.check()


class Portions:
    """How many tokens of a prompt are read at a time: `most` or, where they are `sized`, so many (a power of two) that
    reading them takes about `PORTION_SECONDS`, by what the last ones took."""

    def __init__(self, most: int, *, sized: bool) -> None:
        self._most = most
        self._sized = sized
        self._rows = min(most, 4 * _LEAST_ROWS) if sized else most

    def rows(self, most: int) -> int:
        """Of the next one, at most so many."""
        return min(self._rows, most)

    def read(self, rows: int, decode: Callable[[int], None]) -> None:
        """Decode so many rows, and see how long that takes."""
        started = perf_counter()
        decode(rows)
        self.observe(rows, perf_counter() - started)

    def observe(self, rows: int, seconds: float) -> None:
        """One of so many rows took so long. A short one, the last of a prompt, tells nothing."""
        if not self._sized or rows < self._rows or seconds <= 0.0:
            return
        if seconds > PORTION_SECONDS:
            self._rows = max(_LEAST_ROWS, rows // 2)
        elif seconds < PORTION_SECONDS / 2:
            self._rows = min(self._most, 2 * rows)


@functools.cache
def _is_empty() -> Any:  # noqa: ANN401 - a ctypes function
    """`ggml_is_empty` as llama.cpp takes it; None where it cannot be had, or looks elsewhere in a tensor."""
    try:
        function = _ggml.libggml.ggml_is_empty
    except AttributeError:  # systems whose loader doesn't look into the libraries below this one
        return None
    asked = ctypes.cast(function, llama_cpp.ggml_abort_callback)
    signal = StopSignal()
    before = asked(signal.address)
    signal.set()
    return asked if not before and asked(signal.address) else None
