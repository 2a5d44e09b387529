"""A draft model's context: a trunk that follows a text, and branches that grow from its end, a level per decode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from localspec.errors import ContextTooLongError, ModelError, StoppedError
from localspec.models.llama.backend import recent_log, view
from localspec.models.llama.batch import SharedTrunk, WeightsContext
from localspec.models.llama.stopping import ABORTED, Portions, Stopping, StopSignal
from localspec.models.llama.weights import MIN_CELLS, Weights

MAX_BRANCHES = 64
"""Branches that can be open at once; sequence 0 is the trunk."""
_PREFILL_ROWS = 512
_TRIALS = 4
"""Decodes per number of threads; the smallest time counts."""
_GAIN = 1.5
"""Times as fast that all threads must be, for them not to be left to the searches beside it."""


class BranchingContext(WeightsContext):
    """KV cache and decodes of a draft model. Between two drafts the cache holds exactly the tokens it was told to
    follow: branches are dropped, never kept."""

    def __init__(self, weights: Weights, cells: int, threads: int) -> None:
        """`cells`: positions of the longest text with a draft below it."""
        super().__init__(weights, max(cells, MIN_CELLS), _PREFILL_ROWS, MAX_BRANCHES + 1, threads)
        self.context_size = cells
        self._cached: NDArray[np.int32] = np.empty(0, np.int32)
        self.followed = 0
        """rows that the last `follow` decoded"""
        self._branches = 0
        self._grown = 0
        self._trunk = SharedTrunk(self._memory, MAX_BRANCHES + 1)
        self._stopping = Stopping(self._context, weights)
        self._portions = Portions(_PREFILL_ROWS, sized=not self._stopping.ends_batches)
        self._choose_threads(threads)

    @property
    def cached(self) -> NDArray[np.int32]:
        """The tokens [n] that the KV cache holds."""
        return self._cached

    def follow(self, tokens: NDArray[np.int32], meanwhile: Callable[[], object] | None = None) -> NDArray[np.float32]:
        """Make the KV cache hold `tokens` [n > 0]; logits [v] behind the last of them, a view.

        What the cache holds already is reused, but for the last token, whose logits are asked for. `meanwhile` is
        called right before the last decode, which runs without Python's lock: a thread it wakes has the lock then.
        """
        if len(tokens) > self.context_size:
            raise ContextTooLongError(f"The draft model {self._weights.path.name} holds {self.context_size} tokens.")
        self.drop_branches()
        both = min(len(tokens) - 1, len(self._cached))
        differing = np.flatnonzero(tokens[:both] != self._cached[:both])
        shared = int(differing[0]) if len(differing) else both
        if shared < len(self._cached) and not self._trunk.cut(shared):
            self.forget()  # a recurrent model cannot go back a little
            shared = 0
        self._cached = self._cached[:shared]
        self.followed = len(tokens) - shared
        start = shared
        while start < len(tokens):
            part = tokens[start : start + self._portions.rows(_PREFILL_ROWS)]
            rows = self._batch.fill(part, np.arange(start, start + len(part)), outputs=False)
            is_last = start + rows == len(tokens)
            self._batch.outputs[rows - 1] = is_last
            if is_last and meanwhile is not None:
                meanwhile()
            self._portions.read(rows, self._decode)
            start += rows
            self._cached = tokens[:start].copy()
        logits = view(llama_cpp.llama_get_logits_ith(self._context, -1), 1, self._weights.vocabulary_size)
        return logits.reshape(-1)

    def grow(self, tokens: Sequence[int], branches: Sequence[int], depth: int) -> tuple[NDArray[np.float32], list[int]]:
        """Decode one level: `tokens` [w] each behind the end of a branch (0 = the trunk), `depth` levels below it.

        Returns logits [w, v], a view, and the branch [w] that each token is now the end of: the first one that
        continues a branch goes on in it, others fork.
        """
        rows = len(tokens)
        if len(self._cached) + self._grown + rows > self.context_size or self._branches + rows > MAX_BRANCHES:
            raise ContextTooLongError(f"The context of the draft model {self._weights.path.name} is full.")
        memory = self._memory
        ends: list[int] = []
        continued = {0}  # the trunk itself never grows
        for branch in branches:
            if branch in continued:
                self._branches += 1
                self._trunk.reach(self._branches, len(self._cached))
                if branch:
                    llama_cpp.llama_memory_seq_cp(memory, branch, self._branches, len(self._cached), -1)
                ends.append(self._branches)
            else:
                continued.add(branch)
                ends.append(branch)
        self._batch.fill(np.array(tokens), np.full(rows, len(self._cached) + depth - 1), np.array(ends))
        self._decode(rows)
        self._grown += rows
        return view(llama_cpp.llama_get_logits(self._context), rows, self._weights.vocabulary_size), ends

    def drop_branches(self) -> None:
        """Back to the trunk."""
        if self._branches:
            self._trunk.cut(len(self._cached))
            self._branches = 0
        self._grown = 0

    def heed(self, signal: StopSignal | None) -> None:
        """Raise StoppedError out of `follow` and `grow` once this is set; None: no longer. The cache then holds what it
        was told to follow, as far as that was read."""
        self._stopping.heed(signal)

    def forget(self) -> None:
        """Empty the KV cache."""
        llama_cpp.llama_memory_clear(self._memory, True)
        self._trunk.forget()
        self._cached = np.empty(0, np.int32)
        self._branches = self._grown = 0

    def _decode(self, rows: int) -> None:
        self._stopping.check()
        code = self._decoded(rows)
        if code == ABORTED:
            self._branches = self._grown = 0
            if not self._trunk.cut(len(self._cached)):
                self.forget()
            raise StoppedError
        if code != 0:
            self.forget()
            raise ModelError(
                f"The draft model {self._weights.path.name} failed while decoding (code {code}; {recent_log()}).",
                "Load the model again, or choose another draft.",
            )

    def work_alone(self, alone: bool) -> None:
        """Whether nothing else computes meanwhile: then it takes the fastest number of threads, else it leaves a core
        to the searches beside it unless several threads are much faster."""
        self.threads, self.batch_threads = self._alone if alone else self._beside
        llama_cpp.llama_set_n_threads(self._context, self.threads, self.batch_threads)

    def _choose_threads(self, most: int) -> None:
        """A small model runs hardly faster on several threads that wait for each other than on one: measure it."""
        self._alone = self._beside = (1, 1)
        if most > 1:
            one, batch = self._seconds_by_threads(1, most), self._seconds_by_threads(4, most)
            self._alone = _fastest(one, 1.0), _fastest(batch, 1.0)
            self._beside = _fastest(one, _GAIN), _fastest(batch, _GAIN)
        self.work_alone(False)

    def _seconds_by_threads(self, rows: int, most: int) -> dict[int, float]:
        seconds: dict[int, float] = {}
        for _ in range(_TRIALS + 1):
            for threads in (1, most):
                llama_cpp.llama_set_n_threads(self._context, threads, threads)
                self.forget()
                started = perf_counter()
                self.follow(np.zeros(rows, np.int32))
                seconds[threads] = min(seconds.get(threads, 1e9), perf_counter() - started)
        self.forget()
        return seconds


def _fastest(seconds: dict[int, float], gain: float) -> int:
    """The number of threads, where several must be `gain` times as fast as one."""
    most = max(seconds)
    return most if seconds[most] * gain < seconds[1] else 1
