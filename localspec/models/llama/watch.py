"""Looks at llama.cpp's graph while it is computed: ends it early, so that hidden states cost no more than prefill.

With hidden states on, llama.cpp computes logits of every row, a fifth of a small model's work, and has no switch for
it. Its evaluation callback can end a graph behind any node (ggml-backend.cpp, `ggml_backend_sched_compute_splits`):
behind the last norm, whose rows are the hidden states, or behind any layer when other work waits.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llama_cpp.llama_cpp as native
from llama_cpp import _ggml

_STATES = (b"result_norm", b"result_embd_pooled")
"""llama.cpp's names for the node that becomes the embedding output: the second where pooling, though none, has named
it again (llama-graph.cpp, `build_pooling`)."""
_LAYER = b"l_out"
"""How the names of the nodes that end a layer begin."""


class Watch:
    """The callback of one context. `states_only` ends graphs behind the states, `should_stop` behind any layer."""

    def __init__(self) -> None:
        self.states_only = False
        self.should_stop: Callable[[], bool] = lambda: False
        self.stopped = False
        """True after a decode that `should_stop` ended: its outputs mean nothing."""
        self.ended = False
        """True after a decode that ended behind the states."""
        self._error: BaseException | None = None
        self._name = _name_function()
        self.callback: Any = native.ggml_backend_sched_eval_callback(self._evaluate)

    def begin(self, should_stop: Callable[[], bool] | None = None) -> None:
        """Before each decode."""
        self.should_stop = should_stop or (lambda: False)
        self.stopped = self.ended = False
        self._error = None

    def check(self) -> None:
        """After each decode: raises what was raised inside it, which no exception can leave; Ctrl-C among others."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _evaluate(self, tensor: int | None, asked: bool, _data: object) -> bool:
        """llama.cpp first asks at which nodes to pause, for all nodes up to the first of them, then computes those and
        shows the node: False ends the graph there."""
        try:
            return self._wanted(tensor) if asked else self._goes_on(tensor)
        except BaseException as error:  # noqa: BLE001 - ctypes would print and drop it; `check` raises it again
            self._error = error
            self.stopped = True
            return asked

    def _wanted(self, tensor: int | None) -> bool:
        if self._name is None:
            return False
        name = self._name(tensor)
        return name.startswith(_LAYER) or (self.states_only and name in _STATES)

    def _goes_on(self, tensor: int | None) -> bool:
        if self.stopped:
            return False  # llama.cpp ended one device's part of the graph, and goes on with the next
        if self._name(tensor) in _STATES:
            self.ended = True
            return False
        self.stopped = self.should_stop()
        return not self.stopped


def _name_function() -> Any:  # noqa: ANN401 - a ctypes function
    """`ggml_get_name`; None where it cannot be had: states then cost what logits cost, and a batch is not stopped."""
    try:
        function = _ggml.libggml.ggml_get_name
    except AttributeError:  # systems whose loader doesn't look into the libraries below this one
        return None
    function.argtypes = [ctypes.c_void_p]
    function.restype = ctypes.c_char_p
    return function
