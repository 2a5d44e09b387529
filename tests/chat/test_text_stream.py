"""Text from tokens that cut characters anywhere."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from localspec.chat.engine import Engine
from localspec.chat.text_stream import TextStream


@st.composite
def cut_bytes(draw: st.DrawFn) -> tuple[bytes, list[bytes], list[int]]:
    """Bytes, mostly UTF-8, cut into tokens; and how many tokens each step brings."""
    whole = draw(st.one_of(st.text().map(lambda text: text.encode("utf-8", "replace")), st.binary()))
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=20)))
    edges = [0, *cuts, len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(edges)]
    return whole, pieces, draw(st.lists(st.integers(0, 4), max_size=8))


@given(cut_bytes())
def test_any_cut_gives_the_same_text(case: tuple[bytes, list[bytes], list[int]]) -> None:
    whole, pieces, steps = case
    stream = TextStream(lambda token: pieces[token])
    shown = ""
    at = 0
    for size in [*steps, len(pieces)]:
        shown += stream.add(range(at, min(at + size, len(pieces))))
        assert stream.text == shown
        at = min(at + size, len(pieces))
    shown += stream.finish()
    assert shown == stream.text == whole.decode("utf-8", "replace")


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_a_cut_character_is_never_shown_half(text: str) -> None:
    data = text.encode("utf-8", "replace")
    stream = TextStream(lambda token: data[token : token + 1])
    for index in range(len(data)):
        stream.add([index])
        assert data.decode().startswith(stream.text)
    assert stream.finish() == ""


def test_tokens_of_the_real_model_join_to_their_text(engine: Engine) -> None:
    text = "Straße, 東京タワー, Привет 🙂🚀\n\tdone"
    tokens = engine.tokenize(text).tolist()
    stream = TextStream(engine.model.piece)
    deltas = [stream.add([token]) for token in tokens]
    assert "".join(deltas) == stream.text == text
    assert "" in deltas, "no character was split over tokens: the text is too simple"


def test_a_reply_is_gone_on_with_inside_a_character() -> None:
    pieces = {0: b"caf", 1: b"\xc3", 2: b"\xa9 ", 3: b"noir"}
    stream = TextStream(pieces.__getitem__)
    stream.add([0, 1])
    for shown in ("caf", "caf\ufffd"):  # stopped, or ended there with a mark in place of what was cut
        later = TextStream(pieces.__getitem__, [0, 1], shown)
        assert later.text == "caf"
        assert later.add([2, 3]) == "é noir"
        assert later.text == "café noir"


def test_a_reply_keeps_its_text_whatever_its_tokens_say() -> None:
    later = TextStream({0: b" leading"}.__getitem__, [0], "leading")
    later.add([0])
    assert later.text == "leading leading"
