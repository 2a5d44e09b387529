"""Weight formats: which ones llama.cpp can make of a model file, per class of tensors, and how they are made.

Three classes take nearly all of a step's time: attention, feed-forward, and the LM head (with the embeddings, where a
model has one table for both). What belongs to none of them stays as it is.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from localspec.errors import ModelFileError
from localspec.models.files.header import BITS_PER_WEIGHT, TYPE_NAMES, Tensor, read_tensors
from localspec.models.llama import requantize

ATTENTION, FEED_FORWARD, HEAD = "attention", "feed_forward", "head"
CLASSES = (ATTENTION, FEED_FORWARD, HEAD)

_NUMBERS = {name: number for number, name in TYPE_NAMES.items()}
_FILE_TYPES = {"F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q4_K": 14, "Q5_K": 16, "Q6_K": 18,
               "IQ4_NL": 25, "BF16": 32}  # fmt: skip
"""llama.cpp's number of the file type that is named after a type of weights (llama.h, enum llama_ftype)."""
_MIXED_FILE_TYPE = _FILE_TYPES["Q8_0"]
"""For files of several types: types per tensor are looked at for quantized file types only."""
_UNKNOWN_BITS = 16.0
TRIED = ("BF16", "F16", "Q8_0", "Q6_K", "Q5_1", "Q5_0", "Q5_K", "Q4_1", "Q4_0", "Q4_K", "IQ4_NL")
"""Types worth a try. F32 only doubles 16 bits; below four bits nothing stays near an original that was rounded."""
_BLOCK = {"Q6_K": 256, "Q5_K": 256, "Q4_K": 256, "BF16": 1, "F16": 1}
"""Weights that share a scale, where it is not 32: rows must be a multiple."""
_MIN_SHARE, _MIN_BITS = 0.85, 5.0
"""A type needs this part of the original's bits, or so many: others lose far more than is allowed (docs/log.md)."""
FOR_BIG_FILES = 2**30
"""Bytes of a file from which a step's time is that of reading the weights: types that widen them are not tried."""


@dataclass(frozen=True, slots=True)
class Format:
    """A type of weights per class; "" leaves a class as it is in the file."""

    attention: str = ""
    feed_forward: str = ""
    head: str = ""

    def of(self, name: str) -> str:
        """The type for one of `CLASSES`."""
        return str(getattr(self, name))

    def with_type(self, name: str, kind: str) -> Format:
        """The same with another type for one class."""
        return replace(self, **{name: kind})

    @property
    def types(self) -> tuple[str, str, str]:
        """Of attention, feed-forward and head."""
        return self.attention, self.feed_forward, self.head

    @property
    def name(self) -> str:
        """For people, e.g. `BF16`, `BF16, head Q8_0`, or `attention BF16, feed-forward Q4_1, head Q8_0`."""
        attention, feed_forward, head = (kind or "mixed" for kind in self.types)
        if attention == feed_forward == head:
            return head
        if attention == feed_forward:
            return f"{attention}, head {head}"
        return f"attention {attention}, feed-forward {feed_forward}, head {head}"

    @property
    def file_name(self) -> str:
        """Of the file that is made of it."""
        return f"{'-'.join(kind or 'same' for kind in self.types)}.gguf"


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file's tensors are, as far as formats are concerned."""

    format: Format  # the type most weights of each class have; "" for a class without any
    weights: dict[str, int]  # how many weights each class has
    row_lengths: dict[str, frozenset[int]]  # lengths of the rows of each class
    other_bytes: int  # of what belongs to no class
    uniform: bool  # True where every class has one type only

    def bytes(self, chosen: Format) -> int:
        """About the size of a file in that format."""
        total = self.other_bytes
        for name, count in self.weights.items():
            total += int(count * BITS_PER_WEIGHT.get(chosen.of(name) or self.format.of(name), _UNKNOWN_BITS) / 8)
        return total

    def fits(self, name: str, kind: str) -> bool:
        """True when the rows of a class can be stored in that type; llama.cpp would take another one in its place."""
        return all(length % _BLOCK.get(kind, 32) == 0 for length in self.row_lengths[name])


def class_of(tensor: Tensor, *, tied: bool) -> str:
    """The class a tensor belongs to, or "". `tied`: the embeddings are the LM head, too."""
    if not tensor.is_matrix or not tensor.name.endswith(".weight") or "norm" in tensor.name:
        return ""
    if tensor.name == ("token_embd.weight" if tied else "output.weight"):
        return HEAD
    part = tensor.name.split(".")[-2]
    if part.startswith("attn_"):
        return ATTENTION
    # What chooses the experts is small, and stays as it is in llama.cpp.
    return FEED_FORWARD if part.startswith("ffn_") and "gate_inp" not in part else ""


def layout(path: Path) -> Layout:
    """What the tensors of a file are. Raises ModelFileError if it has no class to convert, or is one of several."""
    tensors = read_tensors(path)
    if re.search(r"-\d{5}-of-\d{5}$", path.stem):
        raise ModelFileError(f"{path.name} is one of several files of a model.", "Join them to one file first.")
    tied = all(tensor.name != "output.weight" for tensor in tensors)
    counted: dict[str, Counter[str]] = {name: Counter() for name in CLASSES}
    lengths: dict[str, set[int]] = {name: set() for name in CLASSES}
    other = 0.0
    for tensor in tensors:
        weights = math.prod(tensor.lengths)
        name = class_of(tensor, tied=tied)
        if name:
            counted[name][tensor.type] += weights
            lengths[name].add(tensor.lengths[0])
        else:
            other += weights * BITS_PER_WEIGHT.get(tensor.type, _UNKNOWN_BITS) / 8
    if not any(counted.values()):
        raise ModelFileError(f"{path.name} has no weights that can be converted.", "Use the file as it is.")
    usual = {name: counts.most_common(1)[0][0] if counts else "" for name, counts in counted.items()}
    return Layout(
        Format(**usual),
        {name: counts.total() for name, counts in counted.items()},
        {name: frozenset(found) for name, found in lengths.items()},
        int(other),
        all(len(counts) <= 1 for counts in counted.values()),
    )


def candidate_types(source: Layout, name: str, file_bytes: int) -> list[str]:
    """The types that make sense for a class, beside the one it has."""
    own = source.format.of(name)
    if not own:
        return []
    bits = BITS_PER_WEIGHT.get(own, _UNKNOWN_BITS)
    min_bits = min(bits * _MIN_SHARE, _MIN_BITS)
    max_bits = bits * 1.05 if file_bytes >= FOR_BIG_FILES else 16.0
    return [
        kind
        for kind in TRIED
        if kind != own and source.fits(name, kind) and min_bits <= BITS_PER_WEIGHT[kind] <= max_bits
    ]


def whole_formats(source: Layout, size: int) -> list[Format]:
    """All layers in one type, with the head as it is; the likeliest choice first. `size`: bytes of the file."""
    kinds = dict.fromkeys([*candidate_types(source, FEED_FORWARD, size), *candidate_types(source, ATTENTION, size)])
    own = source.format
    fitting = [kind for kind in kinds if source.fits(ATTENTION, kind) and source.fits(FEED_FORWARD, kind)]
    return [Format(kind if own.attention else "", kind if own.feed_forward else "", own.head) for kind in fitting]


def convert(source: Path, destination: Path, wanted: Format, threads: int = 0) -> None:
    """Write `source` in the format `wanted`, first under a temporary name: `destination` is complete or not there.
    Raises ModelFileError when llama.cpp refuses or the disk is full."""
    own = read_tensors(source)
    tied = all(tensor.name != "output.weight" for tensor in own)
    temporary = destination.with_name(f"{destination.name}.part")
    temporary.unlink(missing_ok=True)
    types = {tensor.name: _wanted_type(tensor, wanted, tied=tied) for tensor in own if tensor.is_matrix}
    try:
        if len({*wanted.types}) == 1 and wanted.head in ("BF16", "F16"):
            # Types per tensor are not looked at then; all matrices become the one type.
            requantize(source, temporary, _FILE_TYPES[wanted.head], threads)
        else:
            patterns = _patterns({name: kind for name, kind in types.items() if kind})
            requantize(source, temporary, _file_type(types), threads, tensor_types=patterns)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(destination)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _wanted_type(tensor: Tensor, wanted: Format, *, tied: bool) -> str:
    name = class_of(tensor, tied=tied)
    return (wanted.of(name) if name else "") or tensor.type


def _patterns(types: dict[str, str]) -> list[tuple[str, int]]:
    """Regular expressions with ggml's types: one per kind of tensor where all layers have one type, else by name."""
    by_kind: dict[str, set[str]] = {}
    for name, kind in types.items():
        by_kind.setdefault(_kind_of(name), set()).add(kind)
    patterns = []
    for name, kind in types.items():
        if len(by_kind[_kind_of(name)]) > 1:
            patterns.append((f"^{re.escape(name)}$", _NUMBERS[kind]))
    for kind_of, kinds in by_kind.items():
        if len(kinds) == 1:
            pattern = re.escape(kind_of).replace("\\#", "#").replace("#", "[0-9]+")
            patterns.append((f"^{pattern}$", _NUMBERS[next(iter(kinds))]))
    return patterns


def _kind_of(name: str) -> str:
    """A tensor's name without the number of its layer."""
    return re.sub(r"\.\d+\.", ".#.", name, count=1)


def _file_type(types: dict[str, str]) -> int:
    """The quantized file type that most tensors have."""
    counts = Counter(kind for kind in types.values() if kind in _FILE_TYPES and kind not in ("BF16", "F16"))
    return _FILE_TYPES[counts.most_common(1)[0][0]] if counts else _MIXED_FILE_TYPE
