"""The target: one context that decodes a chain or a tree in one batch, with hidden states, over weights of its own.

Uses llama.cpp's low-level API: the high-level `Llama` keeps logits of the whole context and decodes no trees. Trees
follow llama.cpp's own way: a unified KV cache, one sequence per leaf, each row in the sequences of the leaves below
it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import llama_cpp
import numpy as np
import psutil
from numpy.typing import NDArray

from localspec.config import default_threads
from localspec.errors import ContextTooLongError, ModelError, OutOfMemoryError, SettingsError, StoppedError
from localspec.models.llama.backend import halves, logits_address, recent_log, row_at, view
from localspec.models.llama.batch import BatchArrays, SharedTrunk, decode, free_context, native_batch
from localspec.models.llama.sampling import LlamaSampler, SamplingSettings, likeliest_of
from localspec.models.llama.stopping import ABORTED, Portions, Stopping
from localspec.models.llama.threads import ThreadChoice
from localspec.models.llama.weights import MIN_CELLS, LoadSettings, Weights
from localspec.native import graphs, steps

MAX_ROWS = 65
"""Rows of one verification batch: root + 64 draft nodes, the published tree size (RASD, REST)."""
MAX_LEAVES = 64
"""Leaves of one tree: at most one per draft node. llama.cpp's own bound on sequences is 256 in this version."""
USUAL_LEAVES = 8
"""Few trees have more: so many sequences share the root of every batch while drafting goes on."""
_MOVING = MAX_LEAVES
"""The sequence that cells pass through when an accepted path is moved together."""
DEFAULT_CONTEXT = 8192
"""Tokens of context that a model gets where the person names none, if it was trained for so many."""
PREFILL_ROWS = 512
"""Rows of the largest batch (llama.cpp's default n_ubatch)."""
_READING_ROWS = 256
"""Rows of one prefill batch on a processor: as fast as more (docs/log.md), and a stop gives up less."""
STATE_ROWS = 256
"""Rows of one prefill batch with hidden states on: every row then has logits too, a fifth of a megabyte each."""


class LlamaModel(Weights):
    """One loaded GGUF with one context. Not thread-safe: the caller holds one lock around it.

    After `begin(tokens)` the KV cache holds exactly `tokens[:-1]`; each `decode` verifies the root and a draft below
    it, each `keep` commits the accepted path. Raises ModelFileError, OutOfMemoryError, SettingsError when loading.
    """

    def __init__(self, path: Path, settings: LoadSettings | None = None, *, plain_buffers: bool = False) -> None:
        settings = settings or LoadSettings()
        super().__init__(path, settings.gpu_layers, plain_buffers=plain_buffers, attention=settings.attention)
        self.threads = settings.threads or default_threads()
        self.thread_choice = ThreadChoice(self.threads)
        """how many of them decode"""
        self._context: Any = None
        self._cached: list[int] = []
        self._stretched = 0
        self._states_on = False
        try:
            self._load_context(settings.context)
        except ModelError:
            self.close()
            raise
        self._memory = llama_cpp.llama_get_memory(self._context)
        self.stopping = Stopping(self._context, self)
        """raises StoppedError out of `prefill` and `decode`; the cache keeps what was committed before"""
        self._portions = Portions(PREFILL_ROWS, sized=not self.stopping.ends_batches)
        self._trunk = SharedTrunk(self._memory, MAX_LEAVES)
        self._batch = BatchArrays(PREFILL_ROWS, MAX_LEAVES)
        self._native_batch = native_batch(self._batch)
        self._pending: tuple[NDArray[np.int32], NDArray[np.int32]] | None = None
        self._logits = 0
        self._likeliest = steps.Likeliest() if steps.available() else None
        self._kept_states: NDArray[np.float16] = np.empty((0, self.state_size), np.float16)
        self._state_known: NDArray[np.bool_] = np.zeros(self.context_size, np.bool_)

    def _load_context(self, wanted: int) -> None:
        trained = self.trained_context
        if wanted < 0 or 0 < wanted < 64 or wanted > max(trained, 64):
            raise SettingsError(
                f"A context of {wanted} tokens is not possible with {self.path.name}; it was trained for {trained}.",
                f"Choose 64 to {trained}, or 0 for a sensible one.",
            )
        self.context_size = wanted or min(trained, DEFAULT_CONTEXT)
        needed = self.kv_bytes(self.context_size)
        available = psutil.virtual_memory().available
        if needed > available and self.gpu_layers == 0:
            raise OutOfMemoryError(
                f"A context of {self.context_size} tokens needs {needed / 2**30:.1f} GiB for {self.path.name}; "
                f"{available / 2**30:.1f} GiB of memory are free.",
                "Choose a smaller context or a smaller model.",
            )
        self._context = self.new_context(
            max(self.context_size, MIN_CELLS), PREFILL_ROWS, MAX_LEAVES + 1, self.threads, unified=True
        )

    def close(self) -> None:
        """Free context and weights; safe to call twice."""
        if self._context:
            free_context(self._context)
            self._context = None
        self._free_model()

    @property
    def cached(self) -> int:
        """Positions the KV cache holds."""
        return len(self._cached)

    def forget(self) -> None:
        """Empty the KV cache, so that the next request starts afresh."""
        llama_cpp.llama_memory_clear(self._memory, True)
        self._trunk.forget()
        self._cached.clear()
        self._stretched = 0
        self._state_known[:] = False
        self._pending = None

    def stretch(self, cells: int) -> None:
        """Fill the KV cache up to `cells` cells with copies of what it holds. The text it knows stays the same, but a
        decode attends over all of the cells: so times at a long context are measured without reading one.

        Afterwards only `discard`, measured decodes and `forget` make sense. Raises ModelError where it cannot be
        copied.
        """
        if not self._cached:
            raise ModelError("There is nothing in the cache to copy.")
        self.discard()
        memory = self._memory
        held = max(self._stretched, len(self._cached))
        while held < cells:
            llama_cpp.llama_memory_seq_cp(memory, 0, _MOVING, -1, -1)
            size = llama_cpp.llama_state_seq_get_size(self._context, _MOVING)
            data = (ctypes.c_uint8 * size)()
            llama_cpp.llama_state_seq_get_data(self._context, data, size, _MOVING)
            llama_cpp.llama_memory_seq_rm(memory, _MOVING, -1, -1)
            fits = 2 * held <= self.context_size
            if not fits or llama_cpp.llama_state_seq_set_data(self._context, data, size, _MOVING) == 0:
                self.forget()
                raise ModelError(f"The cache of {self.path.name} cannot be copied.")
            llama_cpp.llama_memory_seq_cp(memory, _MOVING, 0, -1, -1)
            llama_cpp.llama_memory_seq_rm(memory, _MOVING, -1, -1)
            held *= 2
        self._stretched = held
        self._trunk.forget()  # the others hold no copies

    def common_prefix(self, tokens: Sequence[int] | NDArray[np.int32]) -> int:
        """How many leading tokens of a request the KV cache already holds."""
        limit = min(len(tokens), len(self._cached))
        differing = np.flatnonzero(np.asarray(tokens[:limit]) != np.asarray(self._cached[:limit]))
        return int(differing[0]) if len(differing) else limit

    def begin(self, tokens: NDArray[np.int32], *, states: bool = False) -> None:
        """Make the KV cache hold `tokens[:-1]`: `prefill` to its end."""
        for _ in self.prefill(tokens, states=states):
            pass

    def prefill(self, tokens: NDArray[np.int32], *, states: bool = False) -> Iterator[tuple[int, int]]:
        """Make the KV cache hold `tokens[:-1]` (`tokens` [n], the last is the first root), reusing the common prefix.

        Yields (positions done, positions to do) after each batch; closed earlier, the cache stays usable and the next
        request takes over what is there. Raises ContextTooLongError, StoppedError.
        """
        total = len(tokens) - 1
        if total < 0:
            raise ModelError("A request needs at least one token.")
        if len(tokens) >= self.context_size:
            raise ContextTooLongError(
                f"The request is {len(tokens)} tokens long; the context of {self.path.name} holds {self.context_size}.",
                "Ask about less text, start a new chat, or load the model with a larger context.",
            )
        self.discard()
        shared = min(self.common_prefix(tokens), total)
        if not self._truncate(shared):
            shared = 0
        self.use_states(states)
        most = STATE_ROWS if states else _READING_ROWS if self.gpu_layers == 0 else PREFILL_ROWS
        start = shared
        while start < total:
            part = tokens[start : min(start + self._portions.rows(most), total)]
            rows = self._batch.fill(part, np.arange(start, start + len(part)), outputs=states)
            self._portions.read(rows, self._run)
            self._cached.extend(part.tolist())
            if states:
                self._keep_states(start, self.states(rows))
            start += rows
            yield start - shared, total - shared

    def use_states(self, on: bool) -> None:
        """Ask for the last layer's hidden states beside the logits; while on, every row is an output row."""
        if on != self._states_on:
            llama_cpp.llama_set_embeddings(self._context, on)
            self._states_on = on

    def decode(self, root: int, tokens: NDArray[np.int32], parents: NDArray[np.int32], rows: int = 0) -> None:
        """Decode the root and a draft tree below it in one batch.

        `tokens` [n] are draft tokens, `parents` [n] their parents' indices (-1 = the root), parents first. Afterwards
        row 0 belongs to the root and row i + 1 to node i, until the next `decode` or `begin`. Rows that nobody reads
        fill the batch up to `rows`: llama.cpp uses its graph again after a batch of the same size.
        Raises ContextTooLongError when the KV cache has no room for the rows, StoppedError.
        """
        self.discard()
        past = len(self._cached)
        nodes = len(tokens) + 1
        drafting = rows > 0 or nodes > 1
        rows = max(rows, nodes)
        if rows > MAX_ROWS:
            raise ModelError(f"A batch of {rows} rows is not possible, only of {MAX_ROWS}.")
        if past + rows > self.context_size:
            raise ContextTooLongError(f"The context of {self.path.name} is full ({self.context_size} tokens).")
        batch = self._batch
        batch.tokens[0] = root
        batch.tokens[1:nodes] = tokens
        batch.tokens[nodes:rows] = root
        # Batches of one size have one shape, but for trees with more leaves.
        leaf_of, sequences = batch.place(parents, past, rows, USUAL_LEAVES if drafting and self.can_rewind else 1)
        self._trunk.reach_all(sequences, past)
        batch.outputs[:rows] = 1
        self._run(rows)
        self._pending = (batch.tokens[:nodes].copy(), leaf_of)
        self._pending_sequences = sequences
        self._rows = rows

    def keep(self, path: NDArray[np.int32]) -> None:
        """Commit the root and the accepted nodes `path` [a] (indices into the last draft, a chain from the root)."""
        if self._pending is None:
            raise ModelError("There is no decoded draft to keep.")
        tokens, leaf_of = self._pending
        self._pending = None
        start = len(self._cached)
        end = start + 1 + len(path)
        if self._states_on:
            self._keep_states(start, self.states(len(tokens))[np.concatenate(([0], path + 1))])
        self._cached.append(int(tokens[0]))
        self._cached.extend(tokens[1:][path].tolist())
        if self._rows == 1:
            self._trunk.hold([end] * (self._pending_sequences - 1))
            return
        nodes = path.tolist()
        if nodes:
            together = next((place for place, node in enumerate(nodes) if place != node), len(nodes))
            first = start + 1 + together
            leaf = int(leaf_of[nodes[-1] + 1])
            if self.bitwise and first < end:
                self._move_together(leaf, nodes, first, end)
                return
            self._drop_beside(nodes, end)
        self._trunk.cut(end)
        self._share(nodes, start + 1)
        if nodes and leaf != 0:
            # Positions that it holds already are not copied again.
            llama_cpp.llama_memory_seq_cp(self._memory, leaf, 0, start + 1, end)

    def _drop_beside(self, path: list[int], end: int) -> None:
        """Take out what lies beside the path, before position `end`, of the rows of the last batch."""
        for sequence, position in self._batch.beside(path, self._rows, end).items():
            llama_cpp.llama_memory_seq_rm(self._memory, sequence, position, -1)

    def _share(self, path: list[int], start: int) -> None:
        """Note how much of the trunk, whose accepted nodes `path` begin at position `start`, each sequence holds."""
        self._trunk.hold(self._batch.held(path, self._pending_sequences, start)[1:])

    def _move_together(self, leaf: int, path: list[int], first: int, end: int) -> None:
        """Put the accepted positions [first, end) of `leaf` right behind what lies in place, [0, first).

        Attention sums over cells in the order they lie in. Left where the tree had them, with later tokens filling
        the gaps, the sum would round otherwise than in a plain run and greedy texts would part.
        """
        memory = self._memory
        start = end - len(path)
        llama_cpp.llama_memory_seq_cp(memory, leaf, _MOVING, first, end)
        size = llama_cpp.llama_state_seq_get_size(self._context, _MOVING)
        data = (ctypes.c_uint8 * size)()
        llama_cpp.llama_state_seq_get_data(self._context, data, size, _MOVING)
        before = path[: first - start]
        self._drop_beside(before, first)
        self._trunk.cut(first)
        self._share(before, start)
        if before and leaf != 0:
            llama_cpp.llama_memory_seq_cp(memory, leaf, 0, start, first)
        if llama_cpp.llama_state_seq_set_data(self._context, data, size, _MOVING) == 0:
            self.forget()
            raise ModelError(f"{self.path.name} could not restore its cache.", "Ask again.")
        llama_cpp.llama_memory_seq_cp(memory, _MOVING, 0, first, end)
        llama_cpp.llama_memory_seq_rm(memory, _MOVING, -1, -1)

    def discard(self) -> None:
        """Drop a decoded draft of which nothing was kept."""
        if self._pending is not None:
            self._pending = None
            if not self._trunk.cut(len(self._cached)):
                self.forget()

    def logits(self, rows: int) -> NDArray[np.float32]:
        """Logits [rows, vocabulary] of the last decode: a view, overwritten by the next one."""
        pointer = llama_cpp.llama_get_logits(self._context)
        return view(pointer, rows, self.vocabulary_size)

    def row_address(self, row: int) -> int:
        """Where the logits of row `row` of the last decode lie, until the next one."""
        if self._logits == 0:
            self._logits = logits_address(self._context)
        return self._logits + 4 * self.vocabulary_size * row

    def likeliest(self, row: int, count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The likeliest tokens behind row `row` of the last decode, likeliest first, and their probabilities; fewer
        than `count` where the others are hopeless. Only logits near the highest are sorted, and what lies further below
        it is left out of the sum. Views that the next call overwrites."""
        if self._likeliest is not None:
            return self._likeliest(self.row_address(row), self.vocabulary_size, count)
        return likeliest_of(row_at(self.row_address(row), self.vocabulary_size), count)

    def states(self, rows: int) -> NDArray[np.float32]:
        """Post-norm hidden states of the last layer [rows, state_size] of the last decode (with states on): a view."""
        return view(llama_cpp.llama_get_embeddings(self._context), rows, self.state_size)

    def known_states(self) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
        """Hidden states [n, state_size] of the n cached positions, and for which of them they are known [n].

        Known are those that were decoded with states on. Views that the next `keep` outgrows.
        """
        count = len(self._cached)
        return self._kept_states[:count], self._state_known[: min(count, len(self._kept_states))]

    def _keep_states(self, start: int, states: NDArray[np.float32]) -> None:
        if len(self._kept_states) == 0:
            self._kept_states = np.zeros((self.context_size, self.state_size), np.float16)
        end = start + len(states)
        self._kept_states[start:end] = halves(states)
        self._state_known[start:end] = True

    def sampler(self, settings: SamplingSettings) -> LlamaSampler:
        """The one sampler of a reply: sample once per visited row, in path order."""
        return LlamaSampler(self._context, self, settings, self.row_address)

    def _truncate(self, length: int) -> bool:
        """Drop what the KV cache holds behind `length`; False when the model cannot, and all was dropped."""
        if length == len(self._cached):
            return True
        if self._trunk.cut(length):
            del self._cached[length:]
            self._state_known[length:] = False
            return True
        self.forget()
        return False

    def _choose_threads(self, rows: int, started: float, computed: float) -> None:
        now, choice = perf_counter(), self.thread_choice
        before = choice.threads
        threads = choice.observe(rows, len(self._cached), now - started, now, process_time() - computed)
        if threads != before:
            llama_cpp.llama_set_n_threads(self._context, threads, threads)

    @property
    def keeps_graphs(self) -> bool:
        """Each size of a batch has a graph of its own (`native/graphs.cpp`)."""
        return graphs.enabled()

    def drop_graphs(self) -> None:
        """Each size builds its graph anew."""
        graphs.free(self._context)

    @property
    def disturbed(self) -> bool:
        """Other programs hold the processor: times of now are none of this machine at rest."""
        return self.thread_choice.disturbed

    def _run(self, rows: int) -> None:
        self.stopping.check()
        self._logits = 0
        started, computed = perf_counter(), process_time()
        code = decode(self._context, self._native_batch, rows, undo=lambda: self._trunk.cut(len(self._cached)))
        if self.gpu_layers == 0 and rows <= MAX_ROWS and code != ABORTED:
            self._choose_threads(rows, started, computed)
        if code == 0:
            return
        if not self._trunk.cut(len(self._cached)):
            self.forget()
        if code == ABORTED:
            raise StoppedError
        if code == 1:
            raise ContextTooLongError(
                f"The context of {self.path.name} is full ({self.context_size} tokens).",
                "Start a new chat, or load the model with a larger context.",
            )
        raise ModelError(
            f"{self.path.name} failed while decoding (code {code}; {recent_log()}).",
            "Load the model again; if it happens again, use fewer GPU layers or another file.",
        )
