"""Metadata arrays of GGUF files, read whole, and whether a file has a tokenizer."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localspec.errors import ModelFileError
from localspec.models.files.catalogue import resolve
from localspec.models.files.header import EMBEDDING, OTHER_READING, RERANKING, pieces_of, read_arrays, read_header
from tests.models.fit.test_memory import gguf, text
from tests.models.tiny import header

STRING, ARRAY = 8, 9
KINDS = {"B": 0, "b": 1, "H": 2, "h": 3, "I": 4, "i": 5, "f": 6, "?": 7, "Q": 10, "q": 11, "d": 12}


def array(key: str, code: str, values: list[int] | list[float] | list[bool]) -> bytes:
    """An entry that holds an array of numbers."""
    packed = struct.pack(f"<{len(values)}{code}", *values)
    return text(key) + struct.pack("<IIQ", ARRAY, KINDS[code], len(values)) + packed


def strings(key: str, values: list[bytes]) -> bytes:
    """An entry that holds an array of strings."""
    packed = b"".join(struct.pack("<Q", len(value)) + value for value in values)
    return text(key) + struct.pack("<IIQ", ARRAY, STRING, len(values)) + packed


def write(path: Path, *entries: bytes, tail: bytes = b"") -> Path:
    """A file with these entries, and `tail` where its tensors would begin."""
    path.write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, 0, len(entries)) + b"".join(entries) + tail)
    return path


@settings(max_examples=50)
@given(
    integers=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20),
    words=st.lists(st.binary(max_size=12), max_size=20),
)
def test_arrays_come_back_as_they_were_written(integers, words, tmp_path_factory):
    path = write(
        tmp_path_factory.mktemp("arrays") / "a.gguf",
        text("general.architecture") + struct.pack("<I", STRING) + text("x"),
        array("ids", "i", integers),
        array("other", "q", [1, 2, 3]),
        strings("words", words),
        text("number") + struct.pack("<II", KINDS["I"], 7),
    )
    assert read_arrays(path, ["ids", "words", "missing"]) == {"ids": integers, "words": words}
    assert read_arrays(path, ("words",)) == {"words": words}
    assert read_arrays(path, ["missing"]) == read_arrays(path, []) == {}


@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("B", [0, 255]),
        ("b", [-128, 127]),
        ("H", [65535]),
        ("h", [-32768]),
        ("I", [2**32 - 1]),
        ("f", [0.5, -2.0]),
        ("?", [True, False]),
        ("Q", [2**64 - 1]),
        ("q", [-(2**63)]),
        ("d", [0.1]),
    ],
)
def test_arrays_of_every_type(code: str, values: list[float], tmp_path: Path) -> None:
    path = write(tmp_path / "a.gguf", array("before", code, values), array("values", code, values))
    assert read_arrays(path, ["values"]) == {"values": values}


def test_long_arrays_are_read_whole(tmp_path: Path) -> None:
    """A vocabulary's, as a draft model's map of tokens is, with whatever lies before and behind."""
    count = 50_000
    words = [b"word%d" % number for number in range(count)]
    path = write(
        tmp_path / "a.gguf",
        text("long") + struct.pack("<I", STRING) + text("x" * 10_000),
        array("skipped", "f", [0.0] * count),
        strings("words skipped", words),
        array("ids", "I", list(range(count))),
        strings("words", words),
        tail=b"\xff" * 1000,
    )
    found = read_arrays(path, ["words", "ids"])
    assert found == {"ids": list(range(count)), "words": words}


def test_a_value_that_is_no_array_is_left_out(tmp_path: Path) -> None:
    path = gguf(tmp_path / "a.gguf", ids=3, words="three", others=[3])
    assert read_arrays(path, ["ids", "words", "others"]) == {"others": [3]}


def test_texts_need_not_be_valid(tmp_path: Path) -> None:
    """Tokens are bytes: a part of a character is one too."""
    path = write(tmp_path / "a.gguf", strings("words", [b"\xff\xfe", b"", "ü".encode()[:1]]))
    assert read_arrays(path, ["words"]) == {"words": [b"\xff\xfe", b"", b"\xc3"]}


def test_files_cut_off_anywhere_before_the_last_array_ends(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.gguf", array("ids", "I", [1, 2, 3]), strings("words", [b"one", b"two"]))
    data = whole.read_bytes()
    path = tmp_path / "short.gguf"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(ModelFileError, match=r"short\.gguf") as caught:
            read_arrays(path, ["ids", "words"])
        assert caught.value.advice


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>" * 20,
        struct.pack("<4sIQQ", b"GGUF", 99, 0, 1),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 2**60) + b"x" * 50,
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text("ids") + struct.pack("<IIQ", ARRAY, KINDS["I"], 2**50),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text("ids") + struct.pack("<IIQ", ARRAY, KINDS["I"], 100),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text("ids") + struct.pack("<IIQQ", ARRAY, STRING, 1, 2**50),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text("ids") + struct.pack("<IIQ", ARRAY, 77, 1) + b"x" * 50,
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text("other") + struct.pack("<I", 77) + b"x" * 50,
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + struct.pack("<Q", 2**40) + b"x" * 50,
    ],
)
def test_damaged_files(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"bad\.gguf"):
        read_arrays(path, ["ids"])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.gguf", tmp_path):
        with pytest.raises(ModelFileError, match="cannot be read") as caught:
            read_arrays(path, ["ids"])
        assert str(path) in caught.value.message


def test_arrays_of_a_real_model() -> None:
    found = read_arrays(resolve("").path, ["tokenizer.ggml.tokens", "tokenizer.ggml.token_type"])
    words, kinds = found["tokenizer.ggml.tokens"], found["tokenizer.ggml.token_type"]
    assert len(words) == len(kinds) == read_header(resolve("").path).vocabulary
    assert all(isinstance(word, bytes) for word in words)
    assert b"<|im_start|>" in words


@pytest.mark.parametrize(("name", "has_one"), [("gpt2", True), ("llama", True), ("no_vocab", False), ("none", False)])
def test_whether_a_file_has_a_tokenizer(name: str, has_one: bool, tmp_path: Path) -> None:
    path = gguf(
        tmp_path / "a.gguf", general__architecture="x", x__block_count=1, x__embedding_length=64, x__vocab_size=900,
        tokenizer__ggml__model=name,
    )  # fmt: skip
    header = read_header(path)
    assert header.has_tokenizer == has_one
    assert header.vocabulary == 900
    assert read_header(gguf(tmp_path / "b.gguf", general__architecture="x")).has_tokenizer, "as files say it else"


@pytest.mark.parametrize(
    ("architecture", "numbers", "purpose"),
    [
        ("qwen3", {}, ""),
        ("qwen3", {"pooling_type": 0}, ""),
        ("qwen3", {"attention.causal": True}, ""),
        ("qwen3", {"pooling_type": 3}, EMBEDDING),
        ("gemma-embedding", {"attention.causal": False, "pooling_type": 1}, EMBEDDING),
        ("bert", {"attention.causal": False, "pooling_type": 2}, EMBEDDING),
        ("qwen3", {"pooling_type": 4}, RERANKING),
        ("something-new", {"attention.causal": False}, OTHER_READING),
    ],
)
def test_what_a_model_is_for_is_told_by_pooling_and_causality(
    tmp_path: Path, architecture: str, numbers: dict[str, int], purpose: str
) -> None:
    assert read_header(header(tmp_path / "a.gguf", architecture, numbers)).purpose == purpose


@pytest.mark.parametrize(
    ("name", "piece"),
    [
        ("big.gguf.part1of2", ("big.gguf", 1, 2)),
        ("big.part2of3", ("big.gguf", 2, 3)),
        ("big.gguf.part03", ("big.gguf", 3, 0)),
        ("big.Q4_K_M.gguf-split-b", ("big.Q4_K_M.gguf", 2, 0)),
        ("big.gguf.split-a", ("big.gguf", 1, 0)),
        ("big-00001-of-00002.gguf", None),
        ("party.gguf", None),
        ("department2.gguf", None),
        ("big.gguf", None),
    ],
)
def test_raw_pieces_are_known_by_their_names(name: str, piece: tuple[str, int, int] | None) -> None:
    assert pieces_of(Path(name)) == piece
