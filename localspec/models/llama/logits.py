"""Reads texts for the logits of every position, to compare a model's outputs in two formats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from localspec.errors import ModelError
from localspec.models.llama.backend import native_batch, recent_log, view
from localspec.models.llama.batch import BatchArrays
from localspec.models.llama.weights import MIN_CELLS, Weights

LOGIT_ROWS = 128
"""Rows of one batch: as fast as more, with few megabytes of logits."""


class LogitReader:
    """A context of its own over a model's weights. Not thread-safe. Raises OutOfMemoryError."""

    def __init__(self, weights: Weights, threads: int, longest: int) -> None:
        """`longest`: tokens of the longest text."""
        self._weights = weights
        cells = -(-max(longest, MIN_CELLS) // MIN_CELLS) * MIN_CELLS
        self._context: Any = weights.new_context(cells, LOGIT_ROWS, 1, threads, unified=True)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = BatchArrays(LOGIT_ROWS, 1)
        self._native = native_batch(self._batch)

    def read(self, tokens: NDArray[np.int32]) -> Iterator[NDArray[np.float32]]:
        """Logits [rows, vocabulary] of `tokens` [n], read as a text of its own, in parts; each is a view that the next
        part overwrites. Raises ModelError."""
        llama_cpp.llama_memory_clear(self._memory, True)
        for start in range(0, len(tokens), LOGIT_ROWS):
            part = tokens[start : start + LOGIT_ROWS]
            rows = len(part)
            self._batch.tokens[:rows] = part
            self._batch.positions[:rows] = np.arange(start, start + rows, dtype=np.int32)
            self._batch.outputs[:rows] = 1
            self._native.n_tokens = rows
            code = llama_cpp.llama_decode(self._context, self._native)
            if code != 0:
                raise ModelError(f"{self._weights.path.name} could not read a text (code {code}; {recent_log()}).")
            yield view(llama_cpp.llama_get_logits(self._context), rows, self._weights.vocabulary_size)

    def close(self) -> None:
        """Free the context; safe to call twice."""
        if self._context:
            llama_cpp.llama_free(self._context)
            self._context = None
