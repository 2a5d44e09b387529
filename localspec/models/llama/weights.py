"""A model file in memory: its weights and its vocabulary. Contexts over it decode."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import llama_cpp
import numpy as np
import psutil
from numpy.typing import NDArray

from localspec import native
from localspec.errors import ModelError, ModelFileError, OutOfMemoryError
from localspec.models.files.header import TYPE_NAMES, Tensor, parts_of, read_tensors
from localspec.models.llama.attention import Attention, choices
from localspec.models.llama.backend import clear_log, gpu_offload_available, recent_log, tells_of_short_memory
from localspec.native import graphs

MIN_CELLS = 256
"""llama.cpp rounds the KV cache up to this, and aborts where a batch may have fewer rows than there are sequences."""
GPU_PADDING = 1024
"""Positions by which what a GPU attends to grows at a time. There a graph costs more than attending to a few empty
cells: with CUDA about six plain steps of a small model, for each size of a batch (docs/log.md)."""

_SAME_FOR_ANY_ROWS = frozenset({"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"})
"""Types whose products have the same bits for every number of rows in llama.cpp's own code. (Q4_K differs from 4 rows
on, other K types from 8, 16-bit ones from 2.)"""
_NUMBERS = {name: number for number, name in TYPE_NAMES.items()}


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """How a model is loaded. `context` 0 = the model's own length, at most 8,192; `gpu_layers` -1 = all of them;
    `original` = the file as it is, though another weight format was chosen for this computer."""

    context: int = 0
    threads: int = 0
    gpu_layers: int = -1
    original: bool = False
    attention: str = ""
    """name of the way to attend, see `attention.py`; "" = the one that is likely to be fast"""


class Weights:
    """One loaded GGUF. Its methods may be called from any thread. Raises ModelFileError, OutOfMemoryError."""

    def __init__(self, path: Path, gpu_layers: int = -1, *, plain_buffers: bool = False, attention: str = "") -> None:
        """`gpu_layers` -1 = all of them, 0 = no GPU is touched at all; `plain_buffers` keeps the weights as they lie in
        the file; `attention` names the way to attend, where it is possible."""
        self.path = path
        self.attention = attention
        self.gpu_layers = gpu_layers if gpu_offload_available() else 0
        self.samplers: dict[object, Any] = {}
        """llama.cpp's samplers that take long to make, to be cloned (`sampling.py`)"""
        self._model: Any = None
        matrices = self._read_matrices()
        # Stacked matrices (mixtures of experts) have a product of their own in llama.cpp.
        self._types = frozenset(each.type if len(each.lengths) == 2 else "stacked" for each in matrices)
        self._sinks = any("attn_sinks" in each.name for each in matrices)
        try:
            self._load_model(plain_buffers)
        except ModelError:
            self._free_model()
            raise
        self.vocabulary_pointer: Any = llama_cpp.llama_model_get_vocab(self._model)
        vocabulary = self.vocabulary_pointer
        self.vocabulary_size = int(llama_cpp.llama_vocab_n_tokens(self.vocabulary_pointer))
        self.state_size = int(llama_cpp.llama_model_n_embd(self._model))
        self.end_tokens = frozenset(
            token for token in range(self.vocabulary_size) if llama_cpp.llama_vocab_is_eog(vocabulary, token)
        )
        """The tokens that end a reply"""
        self._pieces: dict[int, bytes] = {}
        self.memory_kind = self._memory_kind()
        self.can_rewind = not self.memory_kind
        self._own_attention = self._own_products and native.attends() and self._attends_plainly()
        self.bitwise = self.gpu_layers == 0 and (
            self._own_attention or (bool(self._types) and self._types <= _SAME_FOR_ANY_ROWS)
        )
        """True where the logits of a row don't depend on the rows beside it, bit for bit"""
        self.states_end_graph: bool | None = None
        """True where states are there before logits are computed, as a first `StateReader` finds out"""
        self.schema_tokenizer: Any = None
        """the vocabulary as JSON schemas need it, once one was asked for (`constraint.py`)"""

    def _load_model(self, plain_buffers: bool) -> None:
        if not self.path.is_file():
            raise ModelFileError(f"The model file {self.path} does not exist.", "Check the path or choose another.")
        size = sum(part.stat().st_size for part in parts_of(self.path) if part.is_file())
        available = psutil.virtual_memory().available
        if size > available and self.gpu_layers == 0:
            raise OutOfMemoryError(
                f"{self.path.name} needs {size / 2**30:.1f} GiB; {available / 2**30:.1f} GiB of memory are free.",
                "Close other programs, or choose a smaller model or format.",
            )
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = 999 if self.gpu_layers < 0 else self.gpu_layers
        if self.gpu_layers == 0:
            # Else a build for GPUs multiplies batches from 32 rows on there, though no layer lies there.
            parameters.split_mode, parameters.main_gpu = llama_cpp.LLAMA_SPLIT_MODE_NONE, -1
        parameters.use_extra_bufts = not (plain_buffers or self._own_products)
        clear_log()
        self._model = llama_cpp.llama_model_load_from_file(str(self.path).encode(), parameters)
        if not self._model and self.gpu_layers != 0 and tells_of_short_memory(recent_log()):
            raise OutOfMemoryError(
                f"The GPU has too little free memory for {self.path.name} ({recent_log()}).",
                "Choose fewer GPU layers, 0 for none, or a smaller model.",
            )
        if not self._model:
            raise ModelFileError(
                f"{self.path.name} could not be loaded as a model ({recent_log() or 'no reason given'}).",
                "The file may be damaged or of a kind this version does not know: download it again or choose another.",
            )
        if llama_cpp.llama_model_has_encoder(self._model) or not llama_cpp.llama_model_has_decoder(self._model):
            raise ModelFileError(
                f"{self.path.name} is not a chat model: it does not write text.", "Choose another model."
            )
        if llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model)) == 0:
            raise ModelFileError(f"{self.path.name} has no vocabulary.", "Pick a file that carries its tokenizer.")

    def _memory_kind(self) -> str:
        """ "recurrent" or "hybrid" where a state of the whole text stands in place of a KV cache, or beside one."""
        if llama_cpp.llama_model_is_recurrent(self._model):
            return "recurrent"
        return "hybrid" if llama_cpp.llama_model_is_hybrid(self._model) else ""

    def _read_matrices(self) -> list[Tensor]:
        """The matrices of the file; none where llama.cpp will say why it can't be read."""
        try:
            files = [part for part in parts_of(self.path) if part.is_file()]
            return [tensor for part in files for tensor in read_tensors(part) if tensor.is_matrix]
        except ModelFileError:
            return []

    @property
    def _own_products(self) -> bool:
        """True where our kernels multiply all matrices. They read weights as they lie in the file, not rearranged."""
        return bool(self._types) and all(native.serves(_NUMBERS.get(name, -1)) for name in self._types)

    def _attends_plainly(self) -> bool:
        """True where attention has nothing that our kernel does not know."""
        architecture = self._described("general.architecture")
        usual = int(llama_cpp.llama_model_n_embd(self._model)) // max(1, int(llama_cpp.llama_model_n_head(self._model)))
        widths = (self._described(f"{architecture}.attention.{part}_length") for part in ("key", "value"))
        alibi = self._described(f"{architecture}.attention.max_alibi_bias")
        plain = alibi in ("", "0", "0.000000") and not self._sinks
        return plain and all((int(width) if width.isdecimal() else usual) % 16 == 0 for width in widths)

    def kv_bytes(self, context: int) -> int:
        """Bytes of a 16-bit KV cache of `context` tokens."""
        usual = int(llama_cpp.llama_model_n_embd(self._model)) // max(1, int(llama_cpp.llama_model_n_head(self._model)))
        architecture = self._described("general.architecture")
        widths = (self._described(f"{architecture}.attention.{part}_length") for part in ("key", "value"))
        width = sum(int(width) if width.isdecimal() else usual for width in widths)
        heads = int(llama_cpp.llama_model_n_head_kv(self._model))
        return context * int(llama_cpp.llama_model_n_layer(self._model)) * heads * width * 2

    def _described(self, key: str) -> str:
        """An entry of the file's metadata as text, or "" where it has none."""
        buffer = ctypes.create_string_buffer(128)
        length = llama_cpp.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if length >= 0 else ""

    @property
    def names(self) -> str:
        """Architecture and names that the file gives, on one line."""
        keys = ("architecture", "basename", "name", "finetune")
        return " ".join(filter(None, (self._described(f"general.{key}") for key in keys)))

    @property
    def parameters(self) -> int:
        """How many weights there are."""
        return int(llama_cpp.llama_model_n_params(self._model))

    def sampling_metadata(self, keys: Iterable[str]) -> dict[str, str]:
        """What the file says below "general.sampling.", of these keys, as text."""
        found = {key: self._described(f"general.sampling.{key}") for key in keys}
        return {key: value for key, value in found.items() if value}

    def new_context(
        self,
        cells: int,
        rows: int,
        sequences: int,
        threads: int,
        *,
        unified: bool,
        watch: Any = None,  # noqa: ANN401 - a ctypes function
    ) -> Any:  # noqa: ANN401 - an untyped library's pointer
        """A context of `cells` KV positions for batches of up to `rows` rows. `unified` lets all sequences share the
        cells; else each has its part of them. `watch` is called for every node that is computed.

        Raises OutOfMemoryError.
        """
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = cells
        parameters.n_batch = rows
        parameters.n_ubatch = rows
        parameters.n_seq_max = sequences
        parameters.kv_unified = unified
        parameters.swa_full = True  # sliding-window models can be rewound only with the full cache
        parameters.n_threads = threads
        parameters.n_threads_batch = threads
        parameters.pooling_type = llama_cpp.LLAMA_POOLING_TYPE_NONE
        parameters.no_perf = True
        if watch is not None:
            parameters.cb_eval = watch
        if self.gpu_layers == 0:
            self._attention(cells, rows).apply(parameters)
        context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not context and self.gpu_layers == 0:  # some kinds of models know one kernel only
            parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_AUTO
            context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not context:
            raise OutOfMemoryError(
                f"No context of {cells} tokens could be made for {self.path.name} ({recent_log()}).",
                "Choose a smaller context, fewer GPU layers, or a smaller model.",
            )
        if self.gpu_layers != 0:
            graphs.pad(context, GPU_PADDING)
        return context

    def attentions(self, cells: int, rows: int) -> tuple[Attention, ...]:
        """How a context of `cells` positions and batches of `rows` rows can attend; one way only where there is a GPU,
        whose driver knows best."""
        if self.gpu_layers != 0:
            return ()
        heads = int(llama_cpp.llama_model_n_head(self._model))
        return choices(bitwise=self.bitwise, own=self._own_attention, heads=heads, cells=cells, rows=rows)

    def _attention(self, cells: int, rows: int) -> Attention:
        """The one that was measured to be the fastest, or the likeliest to be."""
        possible = self.attentions(cells, rows)
        return next((each for each in possible if each.name == self.attention), possible[0])

    @property
    def trained_context(self) -> int:
        """Positions the model was trained for."""
        return int(llama_cpp.llama_model_n_ctx_train(self._model))

    def close(self) -> None:
        """Free the weights; safe to call twice. Contexts over them are freed before."""
        self._free_model()

    def _free_model(self) -> None:
        free_samplers(self.samplers)
        if self._model:
            llama_cpp.llama_model_free(self._model)
            self._model = None

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
        token = int(getattr(llama_cpp, f"llama_vocab_{which}")(self.vocabulary_pointer))
        if token < 0:
            return ""
        return cast(bytes, llama_cpp.llama_vocab_get_text(self.vocabulary_pointer, token)).decode("utf-8", "replace")

    @property
    def has_tokenizer(self) -> bool:
        """False for draft models with a vocabulary of their own, which know ids but no texts."""
        return int(llama_cpp.llama_vocab_type(self.vocabulary_pointer)) != int(llama_cpp.LLAMA_VOCAB_TYPE_NONE)

    @property
    def adds_bos(self) -> bool:
        """True when the tokenizer is meant to put the begin token in front of a text."""
        return bool(llama_cpp.llama_vocab_get_add_bos(self.vocabulary_pointer))

    @property
    def bos(self) -> int:
        """Id of the begin token, or of any token that can start a text where there is none."""
        token = int(llama_cpp.llama_vocab_bos(self.vocabulary_pointer))
        return token if token >= 0 else 0

    @cached_property
    def control_texts(self) -> frozenset[str]:
        """The texts that become control tokens where `tokenize` is told so."""
        special = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN
        vocabulary = self.vocabulary_pointer
        marked = (
            llama_cpp.llama_vocab_get_text(vocabulary, token) or b""
            for token in range(self.vocabulary_size if self.has_tokenizer else 0)
            if llama_cpp.llama_vocab_get_attr(vocabulary, token) & special
        )
        return frozenset(text.decode("utf-8", "replace") for text in marked if text)

    def vocabulary(self) -> list[bytes]:
        """The text of every token as stored in the file, by id."""
        vocabulary = self.vocabulary_pointer
        return [llama_cpp.llama_vocab_get_text(vocabulary, token) or b"" for token in range(self.vocabulary_size)]

    def tokenize(self, text: str, *, special: bool = False) -> NDArray[np.int32]:
        """Token ids of `text`. `special` lets control tokens written in the text become control tokens: only for
        templates, never for what people or documents say. No begin token is added."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        tokens = np.empty(room, dtype=np.int32)
        pointer = tokens.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        count = llama_cpp.llama_tokenize(self.vocabulary_pointer, data, len(data), pointer, room, False, special)
        if count < 0:
            raise ModelError(f"{self.path.name} could not tokenize a text of {len(data)} bytes.")
        return tokens[:count].copy()

    def piece(self, token: int) -> bytes:
        """Bytes of one token as they appear in text; control tokens give none. May end inside a character."""
        known = self._pieces.get(token)
        if known is None:
            buffer = ctypes.create_string_buffer(64)
            length = llama_cpp.llama_token_to_piece(self.vocabulary_pointer, token, buffer, len(buffer), 0, False)
            if length < 0:
                buffer = ctypes.create_string_buffer(-length)
                length = llama_cpp.llama_token_to_piece(self.vocabulary_pointer, token, buffer, len(buffer), 0, False)
            known = self._pieces[token] = buffer.raw[: max(length, 0)]
        return known

    def is_end(self, token: int) -> bool:
        """True for tokens that end a reply."""
        return token in self.end_tokens


def free_samplers(samplers: dict[object, Any]) -> None:
    """Free all of them, llama.cpp's pointers, and empty the dictionary."""
    for sampler in samplers.values():
        llama_cpp.llama_sampler_free(sampler)
    samplers.clear()
