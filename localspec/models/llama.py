"""A llama.cpp model: load, tokenize, decode a chain or a tree in one batch, states, KV cache, sampling.

The only importer of llama_cpp. Uses its low-level API: the high-level `Llama` keeps logits of the whole context and
decodes no trees. Trees follow llama.cpp's own way: a unified KV cache, one sequence per leaf, each row in the
sequences of the leaves below it.
"""

from __future__ import annotations

import collections
import ctypes
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import llama_cpp
import numpy as np
import psutil
from numpy.typing import NDArray

from localspec.config import default_threads
from localspec.errors import (
    ContextTooLongError,
    ModelError,
    ModelFileError,
    OutOfMemoryError,
    SettingsError,
)
from localspec.models.batch import BatchArrays
from localspec.models.sampling import SamplingSettings

MAX_ROWS = 65
"""Rows of one verification batch: root + 64 draft nodes, the published tree size (RASD, REST)."""
MAX_LEAVES = 64
"""Leaves of one tree: at most one per draft node. llama.cpp's own bound on sequences is 256 in this version."""
_MOVING = MAX_LEAVES
"""The sequence that cells pass through when an accepted path is moved together."""
PREFILL_ROWS = 512
"""Rows of one prefill batch (llama.cpp's default n_ubatch)."""
_LEAST_CELLS = 256
"""llama.cpp rounds the KV cache up to this, and aborts where a batch may have fewer rows than there are sequences."""

_BF16 = 30
"""ggml's number of the type (ggml.h, enum ggml_type)."""

_log_lines: collections.deque[str] = collections.deque(maxlen=40)
_log_lock = threading.Lock()


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _log(level: int, text: bytes, _user_data: object) -> None:
    if level in (3, 4):  # GGML_LOG_LEVEL_WARN, GGML_LOG_LEVEL_ERROR
        with _log_lock:
            _log_lines.append(text.decode("utf-8", "replace").strip())


llama_cpp.llama_log_set(_log, ctypes.c_void_p(0))
llama_cpp.llama_backend_init()


def recent_log() -> str:
    """llama.cpp's latest warnings and errors, newest last, for error messages."""
    with _log_lock:
        return "; ".join(line for line in _log_lines if line)


def gpu_offload_available() -> bool:
    """True when this build of llama.cpp can put layers on a GPU."""
    return bool(llama_cpp.llama_supports_gpu_offload())


def system_info() -> str:
    """The instruction sets and backends llama.cpp was built with, as it words them."""
    return cast(bytes, llama_cpp.llama_print_system_info()).decode().strip()


def library_version() -> str:
    """Version of llama-cpp-python, which pins its llama.cpp."""
    return str(llama_cpp.__version__)


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """How a model is loaded. `context` 0 = the model's own length, at most 8,192; `gpu_layers` -1 = all of them."""

    context: int = 0
    threads: int = 0
    gpu_layers: int = -1


class LlamaModel:
    """One loaded GGUF with one context. Not thread-safe: the caller holds one lock around it.

    After `begin(tokens)` the KV cache holds exactly `tokens[:-1]`; each `decode` verifies the root and a draft below
    it, each `keep` commits the accepted path. Raises ModelFileError, OutOfMemoryError, SettingsError when loading.
    """

    def __init__(self, path: Path, settings: LoadSettings | None = None, *, plain_buffers: bool = False) -> None:
        settings = settings or LoadSettings()
        self.path = path
        self.threads = settings.threads or default_threads()
        self.gpu_layers = settings.gpu_layers if gpu_offload_available() else 0
        self._model: Any = None
        self._context: Any = None
        self._cached: list[int] = []
        self._states_on = False
        try:
            self._load_model(plain_buffers)
            self._load_context(settings.context)
        except ModelError:
            self.close()
            raise
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.vocabulary_size = int(llama_cpp.llama_vocab_n_tokens(self._vocab))
        self.state_size = int(llama_cpp.llama_model_n_embd(self._model))
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = BatchArrays(PREFILL_ROWS, MAX_LEAVES)
        self._native_batch = _native(self._batch)
        self._pending: tuple[NDArray[np.int32], NDArray[np.int32]] | None = None
        self._end_tokens = frozenset(
            token for token in range(self.vocabulary_size) if llama_cpp.llama_vocab_is_eog(self._vocab, token)
        )
        self._pieces: dict[int, bytes] = {}
        self.can_rewind = not (
            llama_cpp.llama_model_is_recurrent(self._model) or llama_cpp.llama_model_is_hybrid(self._model)
        )

    # -- loading ------------------------------------------------------------------------------------------------

    def _load_model(self, plain_buffers: bool) -> None:
        if not self.path.is_file():
            raise ModelFileError(f"The model file {self.path} does not exist.", "Check the path or pick another.")
        size = self.path.stat().st_size
        available = psutil.virtual_memory().available
        if size > available and self.gpu_layers == 0:
            raise OutOfMemoryError(
                f"{self.path.name} needs {size / 2**30:.1f} GiB; {available / 2**30:.1f} GiB of memory are free.",
                "Close other programs, or choose a smaller model or format.",
            )
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = 999 if self.gpu_layers < 0 else self.gpu_layers
        parameters.use_extra_bufts = not plain_buffers
        with _log_lock:
            _log_lines.clear()
        self._model = llama_cpp.llama_model_load_from_file(str(self.path).encode(), parameters)
        if not self._model:
            raise ModelFileError(
                f"{self.path.name} could not be loaded as a model ({recent_log() or 'no reason given'}).",
                "The file may be damaged or of a kind this version does not know: download it again or pick another.",
            )
        if llama_cpp.llama_model_has_encoder(self._model) or not llama_cpp.llama_model_has_decoder(self._model):
            raise ModelFileError(f"{self.path.name} is no chat model: it does not write text.", "Pick another model.")
        if llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model)) == 0:
            raise ModelFileError(f"{self.path.name} has no vocabulary.", "Pick a file that carries its tokenizer.")

    def _load_context(self, wanted: int) -> None:
        trained = int(llama_cpp.llama_model_n_ctx_train(self._model))
        if wanted < 0 or 0 < wanted < 64 or wanted > max(trained, 64):
            raise SettingsError(
                f"A context of {wanted} tokens is not possible with {self.path.name}; it was trained for {trained}.",
                f"Choose 64 to {trained}, or 0 for a sensible one.",
            )
        self.context_size = wanted or min(trained, 8192)
        needed = self.kv_bytes(self.context_size)
        available = psutil.virtual_memory().available
        if needed > available and self.gpu_layers == 0:
            raise OutOfMemoryError(
                f"A context of {self.context_size} tokens needs {needed / 2**30:.1f} GiB for {self.path.name}; "
                f"{available / 2**30:.1f} GiB of memory are free.",
                "Choose a smaller context or a smaller model.",
            )
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = max(self.context_size, _LEAST_CELLS)
        parameters.n_batch = PREFILL_ROWS
        parameters.n_ubatch = PREFILL_ROWS
        parameters.n_seq_max = MAX_LEAVES + 1
        parameters.kv_unified = True
        parameters.swa_full = True  # sliding-window models can be rewound only with the full cache
        parameters.n_threads = self.threads
        parameters.n_threads_batch = self.threads
        parameters.pooling_type = llama_cpp.LLAMA_POOLING_TYPE_NONE
        parameters.no_perf = True
        self.bitwise = self.gpu_layers == 0 and not self._has_wide_weights()
        if self.bitwise:
            # With K and V both 16-bit floats llama.cpp attends to more than 256 positions by another summation for
            # one row than for several, and the logits of a draft part from plain ones by up to 1. With unlike types
            # one kernel serves every number of rows (ops.cpp, use_split_kv_path): equal bit for bit, as fast.
            parameters.type_k = _BF16
        self._context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not self._context:
            raise OutOfMemoryError(
                f"No context of {self.context_size} tokens could be made for {self.path.name} ({recent_log()}).",
                "Choose a smaller context, fewer GPU layers, or a smaller model.",
            )

    def _has_wide_weights(self) -> bool:
        """True for 16- and 32-bit weights, whose matrix products depend on the number of rows."""
        name = llama_cpp.llama_ftype_name(llama_cpp.llama_model_ftype(self._model))
        return any(wide in name for wide in (b"F32", b"F16", b"BF16"))

    def kv_bytes(self, context: int) -> int:
        """Bytes of a 16-bit KV cache of `context` tokens."""
        heads = max(1, int(llama_cpp.llama_model_n_head(self._model)))
        width = int(llama_cpp.llama_model_n_embd(self._model)) // heads
        keys = int(llama_cpp.llama_model_n_head_kv(self._model)) * width
        return context * int(llama_cpp.llama_model_n_layer(self._model)) * keys * 2 * 2

    def close(self) -> None:
        """Free context and weights; safe to call twice."""
        if self._context:
            llama_cpp.llama_free(self._context)
            self._context = None
        if self._model:
            llama_cpp.llama_model_free(self._model)
            self._model = None

    # -- vocabulary ---------------------------------------------------------------------------------------------

    @property
    def description(self) -> str:
        """Architecture, size and format in llama.cpp's words, e.g. `llama 135M Q4_1`."""
        buffer = ctypes.create_string_buffer(256)
        llama_cpp.llama_model_desc(self._model, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    @property
    def chat_template(self) -> str:
        """The Jinja template inside the GGUF, or "" where it has none."""
        template = llama_cpp.llama_model_chat_template(self._model, None)
        return template.decode("utf-8", "replace") if template else ""

    def special_token(self, which: str) -> str:
        """Text of the `bos` or `eos` token, or "" where the model has none."""
        token = int(getattr(llama_cpp, f"llama_vocab_{which}")(self._vocab))
        if token < 0:
            return ""
        return cast(bytes, llama_cpp.llama_vocab_get_text(self._vocab, token)).decode("utf-8", "replace")

    @property
    def adds_bos(self) -> bool:
        """True when the tokenizer is meant to put the begin token in front of a text."""
        return bool(llama_cpp.llama_vocab_get_add_bos(self._vocab))

    @property
    def bos(self) -> int:
        """Id of the begin token, or of any token that can start a text where there is none."""
        token = int(llama_cpp.llama_vocab_bos(self._vocab))
        return token if token >= 0 else 0

    def vocabulary(self) -> list[bytes]:
        """The text of every token as stored in the file, by id."""
        return [llama_cpp.llama_vocab_get_text(self._vocab, token) or b"" for token in range(self.vocabulary_size)]

    def tokenize(self, text: str, *, special: bool = False) -> NDArray[np.int32]:
        """Token ids of `text`. `special` lets control tokens written in the text become control tokens: only for
        templates, never for what people or documents say. No begin token is added."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        tokens = np.empty(room, dtype=np.int32)
        pointer = tokens.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        count = llama_cpp.llama_tokenize(self._vocab, data, len(data), pointer, room, False, special)
        if count < 0:
            raise ModelError(f"{self.path.name} could not tokenize a text of {len(data)} bytes.")
        return tokens[:count].copy()

    def piece(self, token: int) -> bytes:
        """Bytes of one token as they appear in text; control tokens give none. May end inside a character."""
        known = self._pieces.get(token)
        if known is None:
            buffer = ctypes.create_string_buffer(64)
            length = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
            if length < 0:
                buffer = ctypes.create_string_buffer(-length)
                length = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
            known = self._pieces[token] = buffer.raw[: max(length, 0)]
        return known

    def is_end(self, token: int) -> bool:
        """True for tokens that end a reply."""
        return token in self._end_tokens

    # -- decoding -----------------------------------------------------------------------------------------------

    @property
    def cached(self) -> int:
        """Positions the KV cache holds."""
        return len(self._cached)

    def forget(self) -> None:
        """Empty the KV cache, so that the next request starts afresh."""
        llama_cpp.llama_memory_clear(self._memory, True)
        self._cached.clear()
        self._pending = None

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
        request takes over what is there. Raises ContextTooLongError.
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
        for start in range(shared, total, PREFILL_ROWS):
            part = tokens[start : min(start + PREFILL_ROWS, total)]
            rows = len(part)
            batch = self._batch
            batch.tokens[:rows] = part
            batch.positions[:rows] = np.arange(start, start + rows, dtype=np.int32)
            batch.sequence_counts[:rows] = 1
            batch.sequences[:rows, 0] = 0
            batch.outputs[:rows] = states
            self._run(rows)
            self._cached.extend(part.tolist())
            yield start + rows - shared, total - shared

    def use_states(self, on: bool) -> None:
        """Ask for the last layer's states beside the logits; while on, every row is an output row."""
        if on != self._states_on:
            llama_cpp.llama_set_embeddings(self._context, on)
            self._states_on = on

    def decode(self, root: int, tokens: NDArray[np.int32], parents: NDArray[np.int32]) -> None:
        """Decode the root and a draft tree below it in one batch.

        `tokens` [n] are draft tokens, `parents` [n] their parents' indices (-1 = the root), parents first. Afterwards
        row 0 belongs to the root and row i + 1 to node i, until the next `decode` or `begin`.
        Raises ContextTooLongError when the KV cache has no room for n + 1 positions.
        """
        self.discard()
        past = len(self._cached)
        rows = len(tokens) + 1
        if past + rows > self.context_size:
            raise ContextTooLongError(f"The context of {self.path.name} is full ({self.context_size} tokens).")
        batch = self._batch
        batch.tokens[0] = root
        batch.tokens[1:rows] = tokens
        leaf_of = batch.place(parents, past)
        leaves = int(batch.sequence_counts[0])
        for leaf in range(1, leaves):
            llama_cpp.llama_memory_seq_cp(self._memory, 0, leaf, -1, -1)
        batch.outputs[:rows] = 1
        self._run(rows)
        self._pending = (batch.tokens[:rows].copy(), leaf_of)
        self._pending_leaves = leaves
        self._deepest = int(batch.positions[:rows].max())

    def keep(self, path: NDArray[np.int32]) -> None:
        """Commit the root and the accepted nodes `path` [a] (indices into the last draft, a chain from the root)."""
        if self._pending is None:
            raise ModelError("There is no decoded draft to keep.")
        tokens, leaf_of = self._pending
        self._pending = None
        start = len(self._cached)
        end = start + 1 + len(path)
        self._cached.append(int(tokens[0]))
        self._cached.extend(tokens[1:][path].tolist())
        if self._pending_leaves > 1:
            leaf = int(leaf_of[path[-1] + 1]) if len(path) else 0
            together = next((place for place, node in enumerate(path.tolist()) if place != node), len(path))
            if self.bitwise and together < len(path):
                self._move_together(leaf, start + 1, start + 1 + together, end)
                return
            if leaf != 0:
                llama_cpp.llama_memory_seq_rm(self._memory, 0, start + 1, -1)
                llama_cpp.llama_memory_seq_cp(self._memory, leaf, 0, start + 1, end)
            llama_cpp.llama_memory_seq_keep(self._memory, 0)
        if end <= self._deepest:
            llama_cpp.llama_memory_seq_rm(self._memory, 0, end, -1)

    def _move_together(self, leaf: int, trunk: int, first: int, end: int) -> None:
        """Put the accepted positions [first, end) of `leaf` right behind what lies in place, [0, first).

        Positions from `trunk` on belong to the tree; its rows up to `first` are the accepted ones already.

        Attention sums over cells in the order they lie in. Left where the tree had them, with later tokens filling
        the gaps, the sum would round otherwise than in a plain run and greedy texts would part.
        """
        memory = self._memory
        llama_cpp.llama_memory_seq_cp(memory, leaf, _MOVING, first, end)
        size = llama_cpp.llama_state_seq_get_size(self._context, _MOVING)
        data = (ctypes.c_uint8 * size)()
        llama_cpp.llama_state_seq_get_data(self._context, data, size, _MOVING)
        if leaf != 0:
            llama_cpp.llama_memory_seq_rm(memory, 0, trunk, -1)
            llama_cpp.llama_memory_seq_cp(memory, leaf, 0, trunk, first)
        llama_cpp.llama_memory_seq_keep(memory, 0)
        llama_cpp.llama_memory_seq_rm(memory, 0, first, -1)
        if llama_cpp.llama_state_seq_set_data(self._context, data, size, _MOVING) == 0:
            self.forget()
            raise ModelError(f"{self.path.name} could not restore its cache.", "Ask again.")
        llama_cpp.llama_memory_seq_cp(memory, _MOVING, 0, first, end)
        llama_cpp.llama_memory_seq_rm(memory, _MOVING, -1, -1)

    def discard(self) -> None:
        """Drop a decoded draft of which nothing was kept."""
        if self._pending is not None:
            self._pending = None
            self._drop_draft()

    def _drop_draft(self) -> None:
        llama_cpp.llama_memory_seq_keep(self._memory, 0)
        if not llama_cpp.llama_memory_seq_rm(self._memory, 0, len(self._cached), -1):
            self.forget()

    def logits(self, rows: int) -> NDArray[np.float32]:
        """Logits [rows, vocabulary] of the last decode: a view, overwritten by the next one."""
        pointer = llama_cpp.llama_get_logits(self._context)
        return _view(pointer, rows, self.vocabulary_size)

    def states(self, rows: int) -> NDArray[np.float32]:
        """Post-norm last-layer states [rows, state_size] of the last decode (with states on): a view."""
        return _view(llama_cpp.llama_get_embeddings(self._context), rows, self.state_size)

    def sampler(self, settings: SamplingSettings) -> Sampler:
        """The one sampler of a reply: sample once per visited row, in path order."""
        return Sampler(self, settings)

    def _truncate(self, length: int) -> bool:
        """Drop what the KV cache holds behind `length`; False when the model cannot, and all was dropped."""
        if length == len(self._cached):
            return True
        if llama_cpp.llama_memory_seq_rm(self._memory, 0, length, -1):
            del self._cached[length:]
            return True
        self.forget()
        return False

    def _run(self, rows: int) -> None:
        self._native_batch.n_tokens = rows
        code = llama_cpp.llama_decode(self._context, self._native_batch)
        if code == 0:
            return
        self._drop_draft()
        if code == 1:
            raise ContextTooLongError(
                f"The context of {self.path.name} is full ({self.context_size} tokens).",
                "Start a new chat, or load the model with a larger context.",
            )
        raise ModelError(
            f"{self.path.name} failed while decoding (code {code}; {recent_log()}).",
            "Load the model again; if it happens again, use fewer GPU layers or another file.",
        )


class Sampler:
    """llama.cpp's sampler chain (or plain argmax when greedy) with one random stream for a whole reply."""

    def __init__(self, model: LlamaModel, settings: SamplingSettings) -> None:
        self._model = model
        self._context = model._context
        self._chain: Any = None if settings.is_greedy else _sampler_chain(model, settings)

    def sample(self, row: int) -> int:
        """Draw the token that follows row `row` of the last decode, and remember it for penalties and grammar."""
        if self._chain is None:
            pointer = llama_cpp.llama_get_logits_ith(self._context, row)
            return int(_view(pointer, 1, self._model.vocabulary_size)[0].argmax())
        return int(llama_cpp.llama_sampler_sample(self._chain, self._context, row))

    def close(self) -> None:
        """Free the chain; safe to call twice."""
        if self._chain is not None:
            llama_cpp.llama_sampler_free(self._chain)
            self._chain = None
            self._context = None


def _native(batch: BatchArrays) -> Any:  # noqa: ANN401 - a ctypes structure of an untyped library
    integers = ctypes.POINTER(ctypes.c_int32)
    return llama_cpp.llama_batch(
        n_tokens=0,
        token=batch.tokens.ctypes.data_as(integers),
        embd=None,
        pos=batch.positions.ctypes.data_as(integers),
        n_seq_id=batch.sequence_counts.ctypes.data_as(integers),
        seq_id=batch.sequence_rows.ctypes.data_as(ctypes.POINTER(integers)),
        logits=batch.outputs.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
    )


def requantize(source: Path, destination: Path, file_type: int, threads: int = 0) -> None:
    """Write `source` in another weight format (`file_type`: llama.cpp's LLAMA_FTYPE number, e.g. 32 = BF16).

    Raises ModelFileError when llama.cpp refuses.
    """
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = file_type
    parameters.nthread = threads or default_threads()
    parameters.allow_requantize = True
    code = llama_cpp.llama_model_quantize(str(source).encode(), str(destination).encode(), ctypes.byref(parameters))
    if code != 0:
        destination.unlink(missing_ok=True)
        raise ModelFileError(f"{source.name} could not be converted ({recent_log()}).", "Use the file as it is.")


def _sampler_chain(model: LlamaModel, settings: SamplingSettings) -> Any:  # noqa: ANN401 - an untyped library's pointer
    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())

    def add(sampler: Any) -> None:  # noqa: ANN401
        llama_cpp.llama_sampler_chain_add(chain, sampler)

    if settings.grammar:
        grammar = llama_cpp.llama_sampler_init_grammar(model._vocab, settings.grammar.encode(), b"root")
        if not grammar:
            llama_cpp.llama_sampler_free(chain)
            raise SettingsError(f"The grammar is not valid GBNF ({recent_log()}).", "Correct it, or leave it empty.")
        add(grammar)
    if settings.repeat_penalty != 1.0:
        add(
            llama_cpp.llama_sampler_init_penalties(
                model.vocabulary_size, settings.repeat_last_n, settings.repeat_penalty, 0.0, 0.0
            )
        )
    if settings.temperature == 0.0:
        add(llama_cpp.llama_sampler_init_greedy())
        return chain
    if settings.top_k > 0:
        add(llama_cpp.llama_sampler_init_top_k(settings.top_k))
    if settings.top_p < 1.0:
        add(llama_cpp.llama_sampler_init_top_p(settings.top_p, 1))
    if settings.min_p > 0.0:
        add(llama_cpp.llama_sampler_init_min_p(settings.min_p, 1))
    add(llama_cpp.llama_sampler_init_temp(settings.temperature))
    add(llama_cpp.llama_sampler_init_dist(settings.seed))
    return chain


def _view(pointer: Any, rows: int, width: int) -> NDArray[np.float32]:  # noqa: ANN401
    address = ctypes.cast(pointer, ctypes.c_void_p).value
    if not address:
        raise ModelError("The model returned no output for the last decode.")
    return np.ctypeslib.as_array((ctypes.c_float * (rows * width)).from_address(address)).reshape(rows, width)
