"""The forward pass of a small BERT in numpy: the vectors that sentence-transformers computes, without its imports.

Importing that library and torch takes seconds, which a person who asks one question waits for. Only models whose
settings are understood to the last entry are read here; for others `TextEncoder.load` says None.
"""

from __future__ import annotations

import functools
import json
import math
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

Array = NDArray[np.float32]

_MODULES = ("Transformer", "Pooling", "Normalize")
"""What such a model consists of, one after the other (`modules.json`)."""
_BLOCK = 64
"""Rows whose activations are computed at once: what a core's cache holds."""
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_ERF_SCALE = 0.3275911
"""Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: erf(x) to 1.5e-7."""

_COMPUTING = threading.Lock()
"""The number of BLAS threads is the whole process's: two that set it at once would not set it back."""

Rules = Mapping[str, Callable[[Any], bool]]


def _anything(_: object) -> bool:
    return True


def _is(*allowed: object) -> Callable[[Any], bool]:
    return lambda value: any(value is each or (value == each and type(value) is type(each)) for each in allowed)


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


_ARCHITECTURE: Rules = {
    "architectures": _is(["BertModel"]),
    "model_type": _is("bert"),
    "hidden_act": _is("gelu"),
    "position_embedding_type": _is("absolute"),
    "is_decoder": _is(False),
    "add_cross_attention": _is(False),
    "dtype": _is(None, "float32"),
    "torch_dtype": _is(None, "float32"),
    "layer_norm_eps": lambda value: isinstance(value, float) and value > 0,
    "pad_token_id": _anything,
    **dict.fromkeys(("hidden_size", "intermediate_size", "max_position_embeddings", "num_attention_heads"), _is_count),
    **dict.fromkeys(("num_hidden_layers", "type_vocab_size", "vocab_size"), _is_count),
    **dict.fromkeys(("_name_or_path", "attention_probs_dropout_prob", "gradient_checkpointing"), _anything),
    **dict.fromkeys(("hidden_dropout_prob", "classifier_dropout", "initializer_range"), _anything),
    **dict.fromkeys(("transformers_version", "use_cache"), _anything),
}
_POOLING: Rules = {
    "word_embedding_dimension": _is_count,
    "pooling_mode_mean_tokens": _is(True),
    **dict.fromkeys(("pooling_mode_cls_token", "pooling_mode_max_tokens"), _is(False)),
    **dict.fromkeys(("pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens"), _is(False)),
    "pooling_mode_lasttoken": _is(False),
    "include_prompt": _is(True),
}
_LENGTH: Rules = {"max_seq_length": _is_count, "do_lower_case": _is(False)}
_WHOLE: Rules = {
    "__version__": _anything,
    "model_type": _is("SentenceTransformer"),
    "prompts": _is({}),
    "default_prompt_name": _is(None),
    "similarity_fn_name": _anything,
}
_TOKENIZER: Rules = {
    **dict.fromkeys(("do_lower_case", "tokenize_chinese_chars"), _is(True, False)),
    "strip_accents": _is(None, True, False),
    "unk_token": _is("[UNK]"),
    "sep_token": _is("[SEP]"),
    "pad_token": _is("[PAD]"),
    "cls_token": _is("[CLS]"),
    "mask_token": _is("[MASK]"),
    "do_basic_tokenize": _is(True),
    "never_split": _is(None),
    "tokenizer_class": _is("BertTokenizer", "BertTokenizerFast"),
    "model_max_length": _is_count,
    "name_or_path": _anything,
}
"""What each entry of the settings may be. One that is not here may mean anything."""
_PLAIN_TOKENIZER: Rules = {
    **dict.fromkeys(("bos_token", "cls_token"), _is("<s>")),
    **dict.fromkeys(("eos_token", "sep_token"), _is("</s>")),
    "unk_token": _is("<unk>"),
    "pad_token": _is("<pad>"),
    "tokenizer_class": _is("PreTrainedTokenizerFast"),
    "model_max_length": _is_count,
}
"""Of a tokenizer that is its file alone, as `packed_embedder` writes it."""


def read_tokenizer(folder: Path, longest: int | None) -> Any:  # noqa: ANN401
    """The tokenizer of an embedding model, which cuts texts after `longest` tokens, or none. Raises Exception, as
    `tokenizers` does."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    if longest is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(longest)
    return tokenizer


def write_tensors(path: Path, tensors: Mapping[str, Array]) -> None:
    """Write weights as a model's folder holds them. Raises OSError."""
    from safetensors.numpy import save

    path.write_bytes(save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, {"format": "pt"}))


class TextEncoder:
    """A BERT whose token vectors are averaged and brought to length 1. Threads may share it."""

    def __init__(self, tensors: Mapping[str, Array], settings: Mapping[str, Any], tokenizer: Any) -> None:  # noqa: ANN401
        """`tensors` and `settings` as `load` has checked them; `tokenizer` one of `tokenizers`, which truncates."""
        self._tokenizer = tokenizer
        self.heads = int(settings["num_attention_heads"])
        self.epsilon = float(settings["layer_norm_eps"])
        self._words = tensors["embeddings.word_embeddings.weight"]
        kind = tensors["embeddings.token_type_embeddings.weight"][0]
        self._places = tensors["embeddings.position_embeddings.weight"] + kind
        self._first = _norm_of(tensors, "embeddings.LayerNorm")
        count = int(settings["num_hidden_layers"])
        self.layers = [EncoderLayer(tensors, f"encoder.layer.{number}.") for number in range(count)]

    @property
    def width(self) -> int:
        """Components of a token's vector."""
        return int(self._words.shape[1])

    @classmethod
    def load(cls, folder: Path) -> TextEncoder | None:
        """The model in `folder`, as sentence-transformers saves it; None where it is anything but a BERT with mean
        pooling whose every setting is known, or its files are missing or damaged."""
        try:
            settings = _settings(folder)
            if settings is None:
                return None
            from safetensors import SafetensorError, safe_open

            tokenizer = read_tokenizer(folder, settings["max_seq_length"])
        except Exception:  # noqa: BLE001 - tokenizers raises plain Exception; the other way says what is wrong
            return None
        expected = _shapes(settings)
        try:
            with safe_open(str(folder / "model.safetensors"), framework="numpy") as file:
                if any(name not in expected and not _unused(name) for name in file.keys()):  # noqa: SIM118
                    return None
                tensors = {name: file.get_tensor(name) for name in expected}
        except (OSError, SafetensorError):
            return None
        if any(tensors[name].shape != shape or tensors[name].dtype != np.float32 for name, shape in expected.items()):
            return None
        return cls(tensors, settings, tokenizer)

    def encode(self, texts: Sequence[str]) -> Array:
        """One vector per text, [n, d], of length 1. Texts hold no lone surrogates."""
        encodings = self.tokenize(texts)
        # While the model computes, BLAS threads that wait for each other take ten times as long as one.
        with _COMPUTING, _blas().limit(limits=1, user_api="blas"):
            return np.stack([self._vector(ids) for ids in encodings])

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text, its ends included; no more than the model reads."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast([*texts])]

    def embeddings(self, ids: list[int]) -> Array:
        """What the first layer is given, [n, d]."""
        return self._normalized(self._words[ids] + self._places[: len(ids)], self._first)

    def _vector(self, ids: list[int]) -> Array:
        hidden = self.embeddings(ids)
        for layer in self.layers:
            attended = self._attend(hidden, layer)
            hidden = self._normalized(attended + hidden, layer.attention_norm)
            inner: Array = hidden @ layer.inner[0] + layer.inner[1]
            for start in range(0, len(inner), _BLOCK):
                _gelu(inner[start : start + _BLOCK])
            hidden = self._normalized(inner @ layer.outer[0] + layer.outer[1] + hidden, layer.output_norm)
        return normalized(hidden.mean(axis=0))

    def _attend(self, hidden: Array, layer: EncoderLayer) -> Array:
        rows, width = hidden.shape
        joined = (hidden @ layer.joined[0] + layer.joined[1]).reshape(rows, 3, self.heads, -1)
        query, key, value = np.ascontiguousarray(joined.transpose(1, 2, 0, 3))  # each [heads, rows, width / heads]
        scores = query @ key.transpose(0, 2, 1)
        scores *= np.float32(1 / math.sqrt(width // self.heads))
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = (scores @ value).transpose(1, 0, 2).reshape(rows, width)
        return np.asarray(mixed @ layer.mixed[0] + layer.mixed[1], np.float32)

    def _normalized(self, rows: Array, norm: tuple[Array, Array]) -> Array:
        centred = rows - rows.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        centred /= np.sqrt(variance + np.float32(self.epsilon))
        return np.asarray(centred * norm[0] + norm[1], np.float32)


class EncoderLayer:
    """Weights of one layer; matrices [in, out], so that rows are multiplied from the left."""

    def __init__(self, tensors: Mapping[str, Array], name: str) -> None:
        parts = [f"{name}attention.self.{part}" for part in ("query", "key", "value")]
        weights = np.concatenate([tensors[f"{part}.weight"] for part in parts])
        self.joined = weights.T, np.concatenate([tensors[f"{part}.bias"] for part in parts])
        self.mixed = _dense(tensors, f"{name}attention.output.dense")
        self.attention_norm = _norm_of(tensors, f"{name}attention.output.LayerNorm")
        self.inner = _dense(tensors, f"{name}intermediate.dense")
        self.outer = _dense(tensors, f"{name}output.dense")
        self.output_norm = _norm_of(tensors, f"{name}output.LayerNorm")


def normalized(vector: Array) -> Array:
    """A vector [d] brought to length 1; one of length 0 stays."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)


def _dense(tensors: Mapping[str, Array], name: str) -> tuple[Array, Array]:
    return tensors[f"{name}.weight"].T, tensors[f"{name}.bias"]


def _norm_of(tensors: Mapping[str, Array], name: str) -> tuple[Array, Array]:
    return tensors[f"{name}.weight"], tensors[f"{name}.bias"]


def _gelu(values: Array) -> None:
    """x · Φ(x) in place, with the error function itself, as BERT was trained (Hendrycks and Gimpel 2016)."""
    size = np.abs(values)
    size *= np.float32(math.sqrt(0.5))
    inverse = 1 / (1 + np.float32(_ERF_SCALE) * size)
    tail = np.full_like(inverse, _ERF[-1])
    for factor in _ERF[-2::-1]:
        tail *= inverse
        tail += np.float32(factor)
    tail *= inverse
    np.square(size, out=size)
    tail *= np.exp(-size)  # 1 − erf(|x| / √2)
    # Φ(x) is tail / 2 left of 0 and 1 − tail / 2 right of it.
    values *= np.where(values < 0, np.float32(0.5) * tail, 1 - np.float32(0.5) * tail)


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


# -- which models are understood --------------------------------------------------------------------------------------


def _settings(folder: Path) -> dict[str, Any] | None:
    """The architecture and the longest text in tokens, or None where anything is not as it is known here.

    Raises OSError, ValueError, KeyError, TypeError or AttributeError for files that are missing or no such settings.
    """
    modules = _read(folder / "modules.json")
    names = [re.fullmatch(r"sentence_transformers\.(?:\w+\.)*(\w+)", module["type"]) for module in modules]
    if [found and found[1] for found in names] != [*_MODULES]:
        return None
    if any(set(module) != {"idx", "name", "path", "type"} for module in modules) or modules[0]["path"]:
        return None
    if (folder / modules[2]["path"] / "config.json").exists() or (folder / "adapter_config.json").exists():
        return None
    architecture = _read(folder / "config.json")
    length = _read(folder / "sentence_bert_config.json")
    tokenizer = _read(folder / "tokenizer_config.json")
    plain = tokenizer.get("tokenizer_class") == "PreTrainedTokenizerFast"
    whole = folder / "config_sentence_transformers.json"
    pooling = _read(folder / modules[1]["path"] / "config.json")
    held = (
        (architecture, _ARCHITECTURE),
        (pooling, _POOLING),
        (length, _LENGTH),
        (tokenizer, _PLAIN_TOKENIZER if plain else _TOKENIZER),
        (_read(whole) if whole.exists() else {}, _WHOLE),
    )
    if not all(name in rules and rules[name](value) for found, rules in held for name, value in found.items()):
        return None
    fits = length["max_seq_length"] <= architecture["max_position_embeddings"]
    agrees = architecture["hidden_size"] == pooling["word_embedding_dimension"]
    divides = architecture["hidden_size"] % architecture["num_attention_heads"] == 0
    known = architecture["model_type"] == "bert" and architecture["hidden_act"] == "gelu"
    means = pooling["pooling_mode_mean_tokens"]
    if not (fits and agrees and divides and known and means):
        return None
    file = _read(folder / "tokenizer.json")
    if not (_is_unigram(file) if plain else _splits_as_told(file, tokenizer)):
        return None
    return {**architecture, "max_seq_length": length["max_seq_length"]}


def _splits_as_told(file: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """True for a WordPiece tokenizer of BERT's whose file and settings agree: transformers goes by both."""
    normalizer = file["normalizer"]
    pieces = file["post_processor"]
    ends = [next(iter(part.values()))["id"] for part in pieces["single"]]
    return (
        normalizer["type"] == "BertNormalizer"
        and normalizer["clean_text"] is True
        and normalizer["lowercase"] is told.get("do_lower_case", True)
        and normalizer["handle_chinese_chars"] is told.get("tokenize_chinese_chars", True)
        and normalizer["strip_accents"] is told.get("strip_accents")
        and file["pre_tokenizer"] == {"type": "BertPreTokenizer"}
        and file["model"].get("type", "WordPiece") == "WordPiece"
        and pieces["type"] == "TemplateProcessing"
        and ends == ["[CLS]", "A", "[SEP]"]
        and {added["content"] for added in file["added_tokens"]} <= {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    )


def _is_unigram(file: Mapping[str, Any]) -> bool:
    """True for a SentencePiece tokenizer of XLM-R's, with its ends and nothing else added."""
    ends = [next(iter(part.values()))["id"] for part in file["post_processor"]["single"]]
    return (
        file["model"]["type"] == "Unigram"
        and file["post_processor"]["type"] == "TemplateProcessing"
        and ends == ["<s>", "A", "</s>"]
        and {added["content"] for added in file["added_tokens"]} <= {"<s>", "</s>", "<pad>", "<unk>", "<mask>"}
    )


def _shapes(settings: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Every tensor that is needed, with its shape."""
    width, inner = int(settings["hidden_size"]), int(settings["intermediate_size"])
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (settings["vocab_size"], width),
        "embeddings.position_embeddings.weight": (settings["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": (settings["type_vocab_size"], width),
    }
    norms = ["embeddings.LayerNorm"]
    dense: dict[str, tuple[int, ...]] = {}
    for number in range(settings["num_hidden_layers"]):
        layer = f"encoder.layer.{number}."
        norms += [f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm"]
        dense |= {f"{layer}attention.self.{part}": (width, width) for part in ("query", "key", "value")}
        dense |= {f"{layer}attention.output.dense": (width, width)}
        dense |= {f"{layer}intermediate.dense": (inner, width), f"{layer}output.dense": (width, inner)}
    for name in norms:
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for name, shape in dense.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes


def _unused(name: str) -> bool:
    """A tensor that has no part in the token vectors."""
    return name == "embeddings.position_ids" or name.startswith("pooler.")


def _read(path: Path) -> Any:  # noqa: ANN401 - settings are checked entry by entry
    return json.loads(path.read_text(encoding="utf-8"))
