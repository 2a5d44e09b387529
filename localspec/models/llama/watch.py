"""Looks at llama.cpp's graph while it is computed: ends it early, so that states cost no more than prefill does.

With states on, llama.cpp computes logits of every row, a fifth of a small model's work, and offers no switch. Its
evaluation callback can end a graph behind any node (ggml-backend.cpp, `ggml_backend_sched_compute_splits`): behind the
last norm, whose rows are the states, or anywhere when other work waits.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llama_cpp.llama_cpp as native
from llama_cpp import _ggml

_LAST_NORM = b"result_norm"
"""llama.cpp's name for the node that becomes the embedding output (llama-graph, `t_embd`)."""


class Watch:
    """The callback of one context. `states_only` ends graphs behind the last norm, `should_stop` ends them at once."""

    def __init__(self) -> None:
        self.states_only = False
        self.should_stop: Callable[[], bool] = _never
        self.stopped = False
        """True after a decode that `should_stop` ended: its outputs mean nothing."""
        self._name = _name_function()
        self.callback: Any = native.ggml_backend_sched_eval_callback(self._evaluate)

    @property
    def can_end_early(self) -> bool:
        """False where nodes have no readable names; states then cost what logits cost."""
        return self._name is not None

    def begin(self, should_stop: Callable[[], bool] | None = None) -> None:
        """Before each decode."""
        self.should_stop = should_stop or _never
        self.stopped = False

    def _evaluate(self, tensor: int | None, asked: bool, _data: object) -> bool:
        """llama.cpp first asks which nodes to pause at, then shows those: False ends the graph there."""
        if asked:
            if self.should_stop():
                self.stopped = True
                return True
            return self.states_only and self._name is not None and self._name(tensor) == _LAST_NORM
        return False


def _never() -> bool:
    return False


def _name_function() -> Any:  # noqa: ANN401 - a ctypes function
    try:
        function = _ggml.libggml.ggml_get_name
    except AttributeError:  # systems whose loader doesn't look into the libraries below this one
        return None
    function.argtypes = [ctypes.c_void_p]
    function.restype = ctypes.c_char_p
    return function
