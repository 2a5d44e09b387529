"""Where words came from: kept token by token, with any text and any break of it, and read back from anything."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.chat.engine import Engine
from localspec.chat.origins import UNKNOWN, Origins, names
from localspec.chat.session import ReplyOptions, Session
from localspec.chat.text_stream import TextStream
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.tree import SOURCE_DRAFT, SOURCE_REST, SOURCE_TARGET
from localspec.stores.library import Library
from tests.chat.test_session import WHEN, last, until

SOURCES = st.one_of(st.integers(0, 31), st.just(UNKNOWN))
ANY = st.lists(st.tuples(SOURCES, st.integers(0, 300)), max_size=60)


def made(tokens: list[tuple[int, int]]) -> Origins:
    return Origins(bytearray(source for source, _ in tokens), [length for _, length in tokens])


@given(ANY)
def test_they_are_packed_and_recorded_and_read_back(tokens: list[tuple[int, int]]) -> None:
    origins = made(tokens)
    assert Origins.unpack(origins.pack()) == origins
    assert Origins.of_record(origins.record()) == origins


def test_a_token_takes_about_a_byte() -> None:
    origins = made([(SOURCE_TARGET, 4)] * 500 + [(SOURCE_REST, 5)] * 500)
    assert len(origins.pack()) < 1.02 * 1000
    assert Origins().pack() == b"", "a chat of an earlier version has none"


@given(st.binary(max_size=40))
def test_what_is_no_origins_is_refused(data: bytes) -> None:
    try:
        read = Origins.unpack(data)
    except ValueError:
        return
    assert len(read.sources) == len(read.lengths)
    assert all(length >= 0 for length in read.lengths)


@pytest.mark.parametrize(
    "record",
    [{}, "x", [1], [["REST"]], [["REST", 3]], [["REST", [-1]]], [["REST", [True]]], [["evil", [1]]], [["", [1]]],
     [["REST", ["1"]]], [[None, [1]]], [["REST", [10**9]]]],
)  # fmt: skip
def test_a_file_that_holds_no_origins_is_refused(record: object) -> None:
    with pytest.raises(ValueError, match="origins"):
        Origins.of_record(record)


@given(ANY, st.text(max_size=80))
def test_pieces_are_the_text_whatever_is_kept(tokens: list[tuple[int, int]], text: str) -> None:
    origins = made(tokens)
    assert "".join(piece for piece, _ in origins.pieces(text)) == text
    origins.fit(len(text))
    assert sum(origins.lengths) == len(text)
    assert len(origins.sources) == len(origins.lengths)
    assert "".join(piece for piece, _ in origins.pieces(text)) == text


def test_tokens_count_for_the_first_who_proposed_them() -> None:
    origins = made([(SOURCE_REST | SOURCE_DRAFT, 1), (SOURCE_DRAFT, 2), (SOURCE_TARGET, 3), (UNKNOWN, 4)])
    assert origins.counts() == {"REST": 1, "draft": 1, "target": 1}
    assert names(SOURCE_REST | SOURCE_DRAFT) == ["REST", "draft"]
    assert names(UNKNOWN) == []
    assert not made([(UNKNOWN, 4)])


def test_characters_of_several_tokens_belong_to_the_one_that_completes_them() -> None:
    parts = {1: b"n", 2: b"\xc3", 3: b"\xa9e ", 4: b"\xf0\x9f", 5: b"\x99", 6: b"\x82"}
    stream = TextStream(lambda token: parts[token])
    origins = Origins()
    origins.add([0, 0, 1, 1, 2, 2], stream.add_each([1, 2, 3, 4, 5, 6]))
    assert stream.text == "née 🙂"
    assert origins.pieces(stream.text) == [("n", 0), ("ée ", 1), ("🙂", 2)]
    assert origins.lengths == [1, 0, 3, 0, 0, 1]


@pytest.mark.usefixtures("drafting_pays")
def test_a_reply_keeps_where_its_tokens_came_from(engine: Engine, harbour: Library) -> None:
    session = Session(engine, harbour, learns=False)
    turn = last(session.ask("Repeat word for word what the text says about Velm.", ReplyOptions("rest", max_tokens=48)))
    origins = turn.origins
    assert len(origins.sources) == len(turn.reply_tokens)
    pieces = origins.pieces(turn.reply)
    assert "".join(piece for piece, _ in pieces) == turn.reply
    assert UNKNOWN not in origins.sources
    counts = origins.counts()
    assert sum(counts.get(name, 0) for name in ("REST", "prompt")) > 0
    # The token that ends a reply is counted there, and is no part of its text.
    ended = int(turn.finish == "end")
    assert sum(turn.metrics.by_source.values()) == sum(counts.values()) + ended
    for name, tokens in counts.items():
        assert turn.metrics.by_source[name] - tokens in (0, ended)


def test_any_signs_are_counted_as_they_are_shown(engine: Engine) -> None:
    rule = "née 🙂 日本語 👩‍🚀 Ωμέγα"
    options = ReplyOptions("plain", max_tokens=64, sampling=SamplingSettings(grammar=f'root ::= "{rule}"'))
    turn = last(Session(engine).ask("Write.", options))
    assert turn.reply == rule
    assert sum(turn.origins.lengths) == len(rule)
    assert 0 in turn.origins.lengths, "no sign was split, so nothing was tried"


def test_a_reply_that_is_gone_on_with_keeps_what_was_known(engine: Engine) -> None:
    whole = last(Session(engine).ask(WHEN, ReplyOptions("plain", max_tokens=16)))
    for forget in (False, True):
        session = Session(engine)
        updates = session.ask(WHEN, ReplyOptions("plain", max_tokens=16))
        until(updates, "writing", 6)
        updates.close()
        turn = session.turns[0]
        assert len(turn.origins.sources) == 6
        if forget:  # as a chat of an earlier version
            session.turns[0] = turn = replace(turn, origins=Origins())
        before = turn.reply
        turn = last(session.go_on(ReplyOptions("plain", max_tokens=10)))
        assert turn.reply == whole.reply
        pieces = turn.origins.pieces(turn.reply)
        assert "".join(piece for piece, _ in pieces) == turn.reply
        if forget:
            assert pieces[0] == (before, UNKNOWN)
            assert len(pieces) == 11
        else:
            assert len(turn.origins.sources) == 16
            assert UNKNOWN not in turn.origins.sources
