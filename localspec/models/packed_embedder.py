"""Unpacks an embedding model whose weights are packed in 4 bits: what comes out is a folder as sentence-transformers
saves it, with weights of 32 bits again.

The file ("E5S1", little-endian): sizes, the pieces of an XLM-R tokenizer with their scores, a table of replaced
characters (NFKC, in effect), then a directory of tensors. Matrices are blocks of 32 weights as in ggml's Q4_0: a scale
in float16, and 16 bytes whose low halves are the weights 0 to 15 and whose high halves 16 to 31, less 8.
"""

from __future__ import annotations

import itertools
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localspec.errors import DownloadError
from localspec.models.text_encoder import write_tensors

_MAGIC = b"E5S1"
_BLOCK = 32
_BLOCKS = np.dtype([("scale", "<f2"), ("halves", "u1", _BLOCK // 2)])
_LAYERS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
_SPACE = "▁"
Array = NDArray[np.float32]


def unpack(packed: Path, folder: Path) -> None:
    """Write the model in the file `packed` to `folder`. Raises DownloadError for a file that is no such model."""
    try:
        reader = _Reader(packed.read_bytes())
        sizes = reader.sizes()
        pieces, scores, special = reader.pieces()
        tensors = reader.tensors(sizes)
    except (struct.error, ValueError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise DownloadError(f"{packed.name} is damaged ({error}).", "Download the model again.") from error
    folder.mkdir(parents=True)
    write_tensors(folder / "model.safetensors", tensors)
    _write(folder / "tokenizer.json", _tokenizer(pieces, scores, special))
    for name, settings in _settings(sizes, special).items():
        (folder / name).parent.mkdir(exist_ok=True)
        _write(folder / name, settings)


def _write(path: Path, value: dict[str, Any] | list[Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


class _Reader:
    """Reads the file from its beginning on."""

    def __init__(self, data: bytes) -> None:
        if data[:4] != _MAGIC:
            raise ValueError("it does not begin as one")
        self._data = data
        self._place = 8  # behind the magic and the version

    def sizes(self) -> dict[str, Any]:
        width, layers, heads, inner, vocabulary, positions, kinds = self._next("<7i")
        epsilon, block = self._next("<fi")
        if block != _BLOCK:
            raise ValueError(f"blocks of {block} weights")
        return {
            "hidden_size": width,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "intermediate_size": inner,
            "vocab_size": vocabulary,
            "max_position_embeddings": positions,
            "type_vocab_size": kinds,
            "layer_norm_eps": float(f"{epsilon:.1e}"),
        }

    def pieces(self) -> tuple[list[str], list[float], dict[str, int]]:
        count, *special = self._next("<5i")
        (length,) = self._next("<Q")
        ends = self._array("<u4", count + 1)
        scores: list[float] = self._array("<f4", count).tolist()
        blob = self._data[self._place : self._place + length]
        self._place += length
        pieces = [blob[start:end].decode("utf-8") for start, end in itertools.pairwise(ends.tolist())]
        _, replaced = self._next("<iI")
        self._place += replaced
        return pieces, scores, dict(zip(("<s>", "</s>", "<pad>", "<unk>"), special, strict=True))

    def tensors(self, sizes: dict[str, Any]) -> dict[str, Array]:
        directory = self._directory()
        width, inner = sizes["hidden_size"], sizes["intermediate_size"]

        def plain(name: str, *shape: int) -> Array:
            found = np.frombuffer(self._data, "<f4", int(np.prod(shape)), directory[name])
            return np.asarray(found.reshape(shape), np.float32)

        def matrix(name: str, rows: int, columns: int) -> Array:
            blocks = np.frombuffer(self._data, _BLOCKS, rows * columns // _BLOCK, directory[name])
            halves = blocks["halves"]
            weights = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32) - 8
            return np.asarray((weights * blocks["scale"].astype(np.float32)[:, None]).reshape(rows, columns))

        tensors = {
            "embeddings.word_embeddings.weight": matrix("emb.word", sizes["vocab_size"], width),
            "embeddings.position_embeddings.weight": plain("emb.pos", sizes["max_position_embeddings"], width),
            "embeddings.token_type_embeddings.weight": plain("emb.type", sizes["type_vocab_size"], width),
            "embeddings.LayerNorm.weight": plain("emb.ln.w", width),
            "embeddings.LayerNorm.bias": plain("emb.ln.b", width),
        }
        shapes = {"fi": (inner, width), "fo": (width, inner)}
        for number in range(sizes["num_hidden_layers"]):
            layer = f"encoder.layer.{number}."
            for short, name in _LAYERS.items():
                rows, columns = shapes.get(short, (width, width))
                tensors[f"{layer}{name}.weight"] = matrix(f"l{number}.{short}.w", rows, columns)
                tensors[f"{layer}{name}.bias"] = plain(f"l{number}.{short}.b", rows)
            for short, name in _NORMS.items():
                tensors[f"{layer}{name}.weight"] = plain(f"l{number}.{short}.w", width)
                tensors[f"{layer}{name}.bias"] = plain(f"l{number}.{short}.b", width)
        return tensors

    def _directory(self) -> dict[str, int]:
        """Where each tensor begins."""
        (count,) = self._next("<i")
        found = {}
        for _ in range(count):
            (length,) = self._next("<H")
            name = self._data[self._place : self._place + length].decode()
            self._place += length
            _, _, start, _ = self._next("<BIQQ")
            found[name] = start
        return found

    def _next(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(form, self._data, self._place)
        self._place += struct.calcsize(form)
        return values

    def _array(self, kind: str, count: int) -> NDArray[Any]:
        found = np.frombuffer(self._data, kind, count, self._place)
        self._place += found.nbytes
        return found


def _tokenizer(pieces: list[str], scores: list[float], special: dict[str, int]) -> dict[str, Any]:
    """XLM-R's, as the library `tokenizers` reads it."""
    spaces = {"type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "always", "split": True}
    ends = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]
    around = [ends[0], {"Sequence": {"id": "A", "type_id": 0}}, ends[1]]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": number, "content": name, "special": True, **_PLAIN} for name, number in sorted(special.items())
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFKC"},
                {"type": "Replace", "pattern": {"Regex": "[\\t\\n\\r\\f]"}, "content": " "},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": spaces,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": around,
            "pair": [*around, {"Sequence": {"id": "B", "type_id": 0}}, ends[1]],
            "special_tokens": {
                name: {"id": name, "ids": [special[name]], "tokens": [name]} for name in ("<s>", "</s>")
            },
        },
        "decoder": spaces,
        "model": {
            "type": "Unigram",
            "unk_id": special["<unk>"],
            "vocab": [[piece, score] for piece, score in zip(pieces, scores, strict=True)],
            "byte_fallback": False,
        },
    }


_PLAIN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


def _settings(sizes: dict[str, Any], special: dict[str, int]) -> dict[str, dict[str, Any] | list[Any]]:
    """The settings of the model, by file."""
    longest = sizes["max_position_embeddings"]
    names = {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>", "unk_token": "<unk>"}
    kind = "sentence_transformers.models."
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_act": "gelu",
            "position_embedding_type": "absolute",
            "torch_dtype": "float32",
            "pad_token_id": special["<pad>"],
            **sizes,
        },
        "tokenizer_config.json": {
            **names,
            "pad_token": "<pad>",
            "model_max_length": longest,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
        "sentence_bert_config.json": {"max_seq_length": longest, "do_lower_case": False},
        "1_Pooling/config.json": {
            "word_embedding_dimension": sizes["hidden_size"],
            "pooling_mode_mean_tokens": True,
            **dict.fromkeys(("pooling_mode_cls_token", "pooling_mode_max_tokens"), False),
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": f"{kind}Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{kind}Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{kind}Normalize"},
        ],
    }
