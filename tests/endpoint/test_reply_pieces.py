"""What is sent of a reply's tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from localspec.chat.reply_stream import Marks, ReplyStream
from localspec.chat.token_probabilities import TokenProbability
from localspec.endpoint.reply_pieces import ReplyPiece, ReplyPieces
from localspec.endpoint.tool_calls import ToolCallReader

PIECES = [b"Hel", b"lo", b" ", b"wor", b"ld", b"\xf0\x9f", b"\x99\x82", b"", b"1", b"<tool_call>", b'{"name": "f"}']
KNOWN = [TokenProbability(token, -token / 10, ((token, -token / 10), (0, -3.0))) for token in range(len(PIECES))]


def sent(tokens: Sequence[int], size: int, stops: Sequence[str] = (), *, tools: bool = False) -> list[ReplyPiece]:
    calls = ToolCallReader({"f": {}}) if tools else None
    pieces = ReplyPieces(PIECES.__getitem__, stops, calls)
    known = [KNOWN[token] for token in tokens]
    found: list[ReplyPiece] = []
    for start in range(0, len(tokens), size):
        found += pieces.add(tokens[start : start + size], known[: start + size])
        if pieces.is_stopped:
            break
    return [*found, *pieces.finish(known)]


@given(st.lists(st.integers(0, len(PIECES) - 1), max_size=12), st.integers(1, 5), st.booleans())
def test_every_token_is_told_once_whatever_is_kept_back(tokens: list[int], size: int, tools: bool) -> None:
    found = sent(tokens, size, ["1lo wor"], tools=tools)
    told = [one for piece in found for one in piece.tokens]
    text = b"".join(PIECES[token] for token in tokens).decode("utf-8", "replace")
    if "1lo wor" not in text:
        assert [one.token.bytes for one in told] == [PIECES[token] for token in tokens]
        assert [one.token.logprob for one in told] == [KNOWN[token].logprob for token in tokens]
    if not tools:
        assert "".join(piece.text for piece in found) == text.partition("1lo wor")[0]


@pytest.mark.parametrize("size", [1, 2, 6])
def test_tokens_behind_a_stop_text_are_not_told(size: int) -> None:
    found = sent([0, 1, 2, 3, 4, 8], size, ["o w"])
    assert "".join(piece.text for piece in found) == "Hell"
    assert [one.token.text for piece in found for one in piece.tokens] == ["Hel", "lo"]
    pieces = ReplyPieces(PIECES.__getitem__, ["o w"])
    for token in (0, 1, 2, 3):
        list(pieces.add([token]))
    assert pieces.written == 4


class Thinking:
    """A vocabulary of characters, in which 1 opens and 2 closes what is thought."""

    def piece(self, token: int) -> bytes:
        return b"" if token < 3 else chr(token).encode()

    def tokenize(self, text: str, *, special: bool = False) -> NDArray[np.int32]:
        named = {"<think>": [1], "</think>": [2]}
        return np.array(named.get(text) if text in named else [ord(one) for one in text], np.int32)


@pytest.mark.parametrize("size", [1, 3, 50])
def test_what_was_thought_is_sent_apart_and_counted(size: int) -> None:
    marks = Marks(Thinking(), "<think>")
    tokens = [1, *map(ord, "Hm, so."), 2, *map(ord, "\nYes, no")]
    pieces = ReplyPieces(marks.piece, [", n"], texts=ReplyStream(marks, []))
    found: list[ReplyPiece] = []
    for start in range(0, len(tokens), size):
        found += pieces.add(tokens[start : start + size])
        if pieces.is_stopped:
            break
    found += pieces.finish()
    assert "".join(piece.thinking for piece in found).strip() == "Hm, so."
    assert "".join(piece.text for piece in found).strip() == "Yes"
    assert 9 <= pieces.thought <= 10


def test_offsets_are_those_of_the_text() -> None:
    found = sent([0, 1, 5, 6, 2], 1)
    told = [(one.offset, one.token.bytes) for piece in found for one in piece.tokens]
    assert told == [(0, b"Hel"), (3, b"lo"), (5, b"\xf0\x9f"), (5, b"\x99\x82"), (6, b" ")]
    assert "".join(piece.text for piece in found) == "Hello🙂 "
