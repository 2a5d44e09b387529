"""Reads texts for their hidden states, or for the logits of every position, which tell weight formats apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from localspec.errors import ModelError
from localspec.models.llama.backend import halves, recent_log, view
from localspec.models.llama.batch import WeightsContext
from localspec.models.llama.watch import Watch
from localspec.models.llama.weights import MIN_CELLS, Weights

WINDOW = 1024
"""Tokens of one reading. Attention over more costs speed; hidden states of text change little with farther context."""
READ_ROWS = 256
"""Rows of one batch: as fast as 512 on the processors measured, with half the memory for logits."""
LOGIT_ROWS = 128
"""Rows of one batch: as fast as more, with few megabytes of logits."""
_TESTED = 8


class StateReader(WeightsContext):
    """Hidden states (last layer, post-norm) of up to `WINDOW` tokens at a time."""

    def __init__(self, weights: Weights, threads: int) -> None:
        self._watch = Watch()
        self._piece = min(WINDOW, weights.trained_context)
        cells = max(self._piece, READ_ROWS)
        super().__init__(weights, cells, READ_ROWS, 1, threads, watch=self._watch.callback)
        llama_cpp.llama_set_embeddings(self._context, True)
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
            if place == 0:
                llama_cpp.llama_memory_clear(self._memory, True)
            self._watch.begin(should_stop)
            rows = self._batch.fill(tokens[start:end], np.arange(place, place + end - start))
            code = self._decoded(rows)
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

    def _restart(self) -> None:
        llama_cpp.llama_memory_clear(self._memory, True)
        self._done = 0

    def _states_come_first(self) -> bool:
        """True when a graph that ends behind the last norm gives the states of a whole one: architectures differ."""
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


class LogitReader(WeightsContext):
    """Logits of every position of a text."""

    def __init__(self, weights: Weights, threads: int, longest: int) -> None:
        """`longest`: tokens of the longest text."""
        cells = -(-max(longest, MIN_CELLS) // MIN_CELLS) * MIN_CELLS
        super().__init__(weights, cells, LOGIT_ROWS, 1, threads)

    def read(self, tokens: NDArray[np.int32]) -> Iterator[NDArray[np.float32]]:
        """Logits [rows, vocabulary] of the text `tokens` [n] in parts, overwritten by the next. Raises ModelError."""
        llama_cpp.llama_memory_clear(self._memory, True)
        for start in range(0, len(tokens), LOGIT_ROWS):
            part = tokens[start : start + LOGIT_ROWS]
            rows = self._batch.fill(part, np.arange(start, start + len(part)))
            code = self._decoded(rows)
            if code != 0:
                raise ModelError(f"{self._weights.path.name} could not read a text (code {code}; {recent_log()}).")
            yield view(llama_cpp.llama_get_logits(self._context), rows, self._weights.vocabulary_size)
