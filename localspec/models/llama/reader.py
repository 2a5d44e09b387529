"""Reads texts for their hidden states, beside the chat: a context of its own over the target's weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from localspec.errors import ModelError
from localspec.models.llama.backend import halves, native_batch, recent_log, view
from localspec.models.llama.batch import BatchArrays
from localspec.models.llama.watch import Watch
from localspec.models.llama.weights import Weights

WINDOW = 1024
"""Tokens of one reading. Attention over more costs speed; hidden states of text change little with farther context."""
READ_ROWS = 256
"""Rows of one batch: as fast as 512 on the processors measured, with half the memory for logits."""
_TESTED = 8


class StateReader:
    """Hidden states (last layer, post-norm) of up to `WINDOW` tokens at a time. Not thread-safe.

    Raises OutOfMemoryError.
    """

    def __init__(self, weights: Weights, threads: int) -> None:
        self._weights = weights
        self._watch = Watch()
        self._piece = min(WINDOW, weights.trained_context)
        self._context: Any = weights.new_context(
            max(self._piece, READ_ROWS), READ_ROWS, 1, threads, unified=True, watch=self._watch.callback
        )
        llama_cpp.llama_set_embeddings(self._context, True)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = BatchArrays(READ_ROWS, 1)
        self._native = native_batch(self._batch)
        self._tokens: NDArray[np.int32] = np.empty(0, np.int32)
        self._states: NDArray[np.float16] = np.empty((WINDOW, weights.state_size), np.float16)
        self._done = 0
        if weights.states_end_graph is None:
            try:
                weights.states_end_graph = self._states_come_first()
            except ModelError:
                self.close()
                raise
        self._watch.states_only = weights.states_end_graph

    def read(
        self, tokens: NDArray[np.int32], should_stop: Callable[[], bool] | None = None
    ) -> NDArray[np.float16] | None:
        """Hidden states [n, state_size] of `tokens` [n], n <= `WINDOW`, read as a text that begins there.

        A model that was trained for less reads them as several texts.

        None when `should_stop` became true meanwhile, which is noticed after each layer; asked for the same tokens
        again, it goes on where it stopped. Raises ModelError.
        """
        if len(tokens) > WINDOW:
            raise ValueError(f"{len(tokens)} tokens are more than the window of {WINDOW}")
        if self._done > len(tokens) or not np.array_equal(tokens[: self._done], self._tokens[: self._done]):
            self._restart()
        self._tokens = tokens.copy()
        while self._done < len(tokens):
            start = self._done
            place = start % self._piece
            end = min(start + READ_ROWS, start - place + self._piece, len(tokens))
            rows = end - start
            if place == 0:
                llama_cpp.llama_memory_clear(self._memory, True)
            batch = self._batch
            batch.tokens[:rows] = tokens[start:end]
            batch.positions[:rows] = np.arange(place, place + rows, dtype=np.int32)
            batch.outputs[:rows] = 1
            self._watch.begin(should_stop)
            self._native.n_tokens = rows
            code = llama_cpp.llama_decode(self._context, self._native)
            if self._watch.stopped:
                if not llama_cpp.llama_memory_seq_rm(self._memory, 0, place, -1):
                    self._restart()  # a recurrent model cannot go back a little
                self._watch.check()
                return None
            if code != 0:
                self._restart()
                raise ModelError(f"{self._weights.path.name} could not read a text (code {code}; {recent_log()}).")
            states = view(llama_cpp.llama_get_embeddings(self._context), rows, self._weights.state_size)
            self._states[start:end] = halves(states)
            self._done = end
        return self._states[: len(tokens)].copy()

    def close(self) -> None:
        """Free the context; safe to call twice."""
        if self._context:
            llama_cpp.llama_free(self._context)
            self._context = None

    def _restart(self) -> None:
        llama_cpp.llama_memory_clear(self._memory, True)
        self._done = 0

    def _states_come_first(self) -> bool:
        """True when a graph that ends behind the last norm gives the states of a whole one: not every architecture
        must have its states there."""
        tokens = np.arange(_TESTED, dtype=np.int32) % self._weights.vocabulary_size
        whole = self.read(tokens)
        self._restart()
        # What lies in the output buffer must not be what the first run left there.
        other = self.read(tokens[::-1].copy())
        self._restart()
        self._watch.states_only = True
        short = self.read(tokens)
        self._restart()
        same = whole is not None and short is not None and other is not None and np.array_equal(whole, short)
        return same and self._watch.ended
