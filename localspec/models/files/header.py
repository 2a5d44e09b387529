"""Reads what a GGUF file says about its model, without llama.cpp and without loading it.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Metadata come first: a key, a type, a value. Behind
them each tensor is described: its name, its lengths, its type.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from localspec.errors import ModelFileError

HEAD = struct.Struct("<4sIQQ")
"""Magic, version, number of tensors, number of metadata entries."""
VERSIONS = (2, 3)
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_KIND, _COUNT = struct.Struct("<I"), struct.Struct("<Q")
_ALIGNMENT = 32
"""Bytes to which the data are aligned, where the file names no other number."""
_MAX_KEY_BYTES = 2**16
_MAX_KEPT = 2**12
"""Strings up to so many bytes and arrays up to so many entries are kept: names, and figures by layer."""
_TOKENS = "tokenizer.ggml.tokens"

_SPLIT = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf", re.DOTALL)
"""How llama.cpp names the files of a model that comes in several (llama_split_path)."""
_PIECE = re.compile(
    r"(.+?)[.-](?:(?:part|split)[-_.]?(\d{1,3})(?:[-_]?of[-_]?(\d{1,3}))?|(?:part|split)[-_.]([a-z]))", re.DOTALL | re.I
)
"""How people name the pieces that a file was cut into: x.gguf.part1of2, x.gguf-split-a, x.gguf.part-b."""
_MAX_PARTS = 1000
_MAX_DIMENSIONS = 8
"""More than any tensor has (ggml.h, GGML_MAX_DIMS, is 4)."""
TYPE_NAMES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K",
    13: "Q5_K", 14: "Q6_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
    22: "IQ2_S", 23: "IQ4_XS", 28: "F64", 29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip
"""ggml's numbers of the types of weights (ggml.h, enum ggml_type) and their names."""
BITS_PER_WEIGHT = {
    "F64": 64.0, "F32": 32.0, "F16": 16.0, "BF16": 16.0, "Q8_0": 8.5, "Q6_K": 6.5625, "Q5_1": 6.0, "Q5_0": 5.5,
    "Q5_K": 5.5, "Q4_1": 5.0, "Q4_0": 4.5, "Q4_K": 4.5, "IQ4_NL": 4.5, "IQ4_XS": 4.25, "MXFP4": 4.25, "Q3_K": 3.4375,
    "IQ3_S": 3.4375, "IQ3_XXS": 3.0625, "Q2_K": 2.625, "IQ2_S": 2.5, "IQ2_XS": 2.3125, "IQ2_XXS": 2.0625,
    "TQ2_0": 2.0625, "IQ1_M": 1.75, "TQ1_0": 1.6875, "IQ1_S": 1.5625,
}  # fmt: skip
"""Bits per weight of a type, scales included (ggml-common.h)."""

EMBEDDING, RERANKING, OTHER_READING = "embedding", "reranking", "other reading"
"""What a model is for that writes no text: vectors of texts; how well a passage answers; something else that looks at
all of a text at once."""
_NO_POOLING, _RANK = 0, 4
"""llama.cpp's numbers for models that keep a vector per token, and for rerankers (llama.h, enum llama_pooling_type)."""

Value = int | float | str | list[int | float]


@dataclass(frozen=True, slots=True)
class Header:
    """Figures of a model that decide how much memory it takes."""

    architecture: str
    context: int  # Positions the model was trained for; 0 where the file does not say
    vocabulary: int
    kv_bytes_per_token: int  # Bytes of a 16-bit KV cache for one position: the same as `Weights.kv_bytes(1)`
    has_tokenizer: bool = True  # False for draft models with a vocabulary of their own
    layers: int = 0  # Blocks of the model, which can lie on a GPU one by one; 0 where the file does not say
    purpose: str = ""  # `EMBEDDING`, `RERANKING` or `OTHER_READING` for what writes no text, as far as the file says


@dataclass(frozen=True, slots=True)
class Tensor:
    """What a file says about one tensor."""

    name: str
    lengths: tuple[int, ...]  # of its dimensions, that of a row first; ones at the end are left out
    type: str  # its type's name, or "type N" for one that is not known here

    @property
    def is_matrix(self) -> bool:
        """True for what rows are multiplied with, or looked up in; norms and biases are none."""
        return len(self.lengths) > 1


def read_header(path: Path) -> Header:
    """The figures of the model in `path`. Reads the first part of the file only, as a rule a few kilobytes. Raises
    ModelFileError when the file cannot be read or is no GGUF that tells them."""
    with _told(path, "does not describe its model as a GGUF file does"), path.open("rb") as file:
        values, tokens = _metadata(file, path.stat().st_size)
    architecture = str(values.get("general.architecture", ""))

    def number(key: str, otherwise: int = 0) -> int:
        value = values.get(f"{architecture}.{key}", otherwise)
        if isinstance(value, list):  # by layer
            return int(max(value, default=0))
        return otherwise if isinstance(value, str) else int(value)

    layers, heads = number("block_count"), max(1, number("attention.head_count", 1))
    usual = number("embedding_length") // heads
    width = number("attention.key_length", usual) + number("attention.value_length", usual)
    by_layer = values.get(f"{architecture}.attention.head_count_kv")
    kv_heads = int(sum(by_layer)) if isinstance(by_layer, list) else layers * number("attention.head_count_kv", heads)
    return Header(
        architecture,
        number("context_length"),
        tokens or number("vocab_size"),
        kv_heads * width * 2,
        has_tokenizer=values.get("tokenizer.ggml.model") not in ("no_vocab", "none"),
        layers=layers,
        purpose=_purpose(number("pooling_type", _NO_POOLING), bool(number("attention.causal", 1))),
    )


def _purpose(pooling: int, causal: bool) -> str:
    """What a model with this pooling of its tokens is for; one that is not `causal` looks at all of a text at once."""
    if pooling == _RANK:
        return RERANKING
    if pooling > _NO_POOLING:
        return EMBEDDING
    return "" if causal else OTHER_READING


def pieces_of(path: Path) -> tuple[str, int, int] | None:
    """What a file is a raw piece of, which must be joined to be read: (name of the whole, number from 1, how many or 0
    where the name does not say); None for other names."""
    found = _PIECE.fullmatch(path.name)
    if found is None:
        return None
    number = int(found[2]) if found[2] else ord(found[4].lower()) - ord("a") + 1
    whole = found[1] if found[1].endswith(".gguf") else f"{found[1]}.gguf"
    return whole, number, int(found[3] or 0)


def parts_of(path: Path) -> list[Path]:
    """The files of the model in `path`: itself, or all of those that it says it comes in, there or not."""
    found = _SPLIT.fullmatch(path.name)
    if found is None or not 0 < int(found[2]) <= int(found[3]) <= _MAX_PARTS:
        return [path]
    return [path.with_name(f"{found[1]}-{part:05}-of-{found[3]}.gguf") for part in range(1, int(found[3]) + 1)]


def read_arrays(path: Path, keys: Sequence[str]) -> dict[str, list[int | float] | list[bytes]]:
    """The metadata arrays of `path` called `keys`; those it does not have are left out. Raises ModelFileError."""
    found: dict[str, list[int | float] | list[bytes]] = {}
    with _told(path), path.open("rb") as file:
        size = path.stat().st_size
        for _ in range(_entries(file, size)):
            key, kind = _key(file)
            if key in keys and kind == _ARRAY:
                found[key] = _whole_array(file, size)
            else:
                _value(file, kind, size)
    return found


def read_tensors(path: Path) -> list[Tensor]:
    """The tensors of this file (of a model in several: of this one), in its order. Raises ModelFileError."""
    return [tensor for tensor, _ in read_places(path)]


def read_places(path: Path) -> list[tuple[Tensor, int]]:
    """Each tensor with the byte of the file at which its data begin. Takes a tenth of a second for a large vocabulary.
    Raises ModelFileError."""
    alignment = _ALIGNMENT
    with _told(path), path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        size, whole = len(data), cast(BinaryIO, data)
        count = min(HEAD.unpack(_exactly(whole, HEAD.size))[2], size)
        data.seek(0)
        for _ in range(_entries(whole, size)):
            key, kind = _key(whole)
            if kind == _ARRAY and _KIND.unpack_from(data, data.tell())[0] == _STRING:
                _skip_strings(data)
                continue
            value = _value(whole, kind, size)
            if key == "general.alignment" and isinstance(value, int) and value > 0:
                alignment = value
        tensors = [_tensor(whole) for _ in range(count)]
        start = -(-data.tell() // alignment) * alignment
    return [(tensor, start + offset) for tensor, offset in tensors]


@contextmanager
def _told(path: Path, problem: str = "is damaged") -> Iterator[None]:
    """What reading `path` raises, as ModelFileError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise ModelFileError(f"The model file {path} cannot be read ({reason}).", "Check the path.") from error
    except struct.error as error:  # a number beyond the end
        raise ModelFileError(f"{path.name} {problem} (it is cut off).", "Download it again.") from error
    except ValueError as error:
        raise ModelFileError(f"{path.name} {problem} ({error}).", "Download it again.") from error


def _skip_strings(data: mmap.mmap) -> None:
    """Go behind an array of strings: hundreds of thousands, so without a call for each."""
    count = _COUNT.unpack_from(data, data.tell() + _KIND.size)[0]
    position, unpack = data.tell() + _KIND.size + _COUNT.size, _COUNT.unpack_from
    for _ in range(count):
        position += 8 + unpack(data, position)[0]
    data.seek(min(position, len(data)))  # of a file that is cut off, the next read says so


def _tensor(file: BinaryIO) -> tuple[Tensor, int]:
    """The next tensor's description (name as a key, number of dimensions, …), and where its data lie among all data."""
    name, dimensions = _key(file)
    if dimensions > _MAX_DIMENSIONS:
        raise ValueError("a tensor has too many dimensions")
    lengths = [int(_number(file, "Q")) for _ in range(dimensions)]
    while len(lengths) > 1 and lengths[-1] == 1:
        lengths.pop()
    kind = int(_number(file, "I"))
    offset = int(_number(file, "Q"))
    return Tensor(name, tuple(lengths), TYPE_NAMES.get(kind, f"type {kind}")), offset


def _whole_array(file: BinaryIO, size: int) -> list[int | float] | list[bytes]:
    inner, count = int(_number(file, "I")), _length(file, size)
    if inner == _STRING:
        return [_exactly(file, _length(file, size)) for _ in range(count)]
    code = _code(inner)
    return list(struct.unpack(f"<{count}{code}", _exactly(file, count * struct.calcsize(code))))


def _entries(file: BinaryIO, size: int) -> int:
    magic, version, _, entries = HEAD.unpack(_exactly(file, HEAD.size))
    if magic != b"GGUF" or version not in VERSIONS:
        raise ValueError("its first bytes are not those of a GGUF of version 2 or 3")
    return int(min(entries, size))


def _key(file: BinaryIO) -> tuple[str, int]:
    """The next entry's key and the type of its value."""
    length = _number(file, "Q")
    if length > _MAX_KEY_BYTES:
        raise ValueError("a key is too long")
    key = _exactly(file, int(length)).decode("utf-8", "replace")
    return key, int(_number(file, "I"))


def _metadata(file: BinaryIO, size: int) -> tuple[dict[str, Value], int]:
    """The metadata up to the vocabulary, and the vocabulary's size; long strings and arrays are left out."""
    values: dict[str, Value] = {}
    tokens = 0
    for _ in range(_entries(file, size)):
        key, kind = _key(file)
        if key == _TOKENS and kind == _ARRAY:
            _number(file, "I")
            tokens = int(_number(file, "Q"))
            if f"{values.get('general.architecture')}.block_count" in values:
                break  # what follows are hundreds of thousands of strings
            file.seek(-12, 1)
        value = _value(file, kind, size)
        if value is not None:
            values[key] = value
    return values, tokens


def _value(file: BinaryIO, kind: int, size: int) -> Value | None:
    if kind == _STRING:
        length = _length(file, size)
        if length > _MAX_KEPT:
            file.seek(length, 1)
            return None
        return _exactly(file, length).decode("utf-8", "replace")
    if kind != _ARRAY:
        return _number(file, _code(kind))
    inner, count = int(_number(file, "I")), _length(file, size)
    if inner == _STRING:
        for _ in range(count):
            file.seek(_length(file, size), 1)
        return None
    code = _code(inner)  # arrays in arrays are allowed, but no file has them
    if count > _MAX_KEPT:
        file.seek(count * struct.calcsize(code), 1)
        return None
    return list(struct.unpack(f"<{count}{code}", _exactly(file, count * struct.calcsize(code))))


def _code(kind: int) -> str:
    if kind not in _SCALARS:
        raise ValueError(f"a value is of the unknown type {kind}")
    return _SCALARS[kind]


def _number(file: BinaryIO, code: str) -> int | float:
    code = f"<{code}"
    value: int | float = struct.unpack(code, _exactly(file, struct.calcsize(code)))[0]
    return value


def _length(file: BinaryIO, size: int) -> int:
    length = int(_number(file, "Q"))
    if length > size:
        raise ValueError("it states a length beyond its end")
    return length


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise ValueError("it is cut off")
    return data
