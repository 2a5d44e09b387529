"""Stop texts: where they end an answer, however it arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.endpoint.stops import StopText


def shown(pieces: list[str], stops: list[str]) -> tuple[str, bool, int]:
    text = StopText(stops)
    said = "".join(text.add(piece) for piece in pieces) + text.finish()
    return said, text.found, text.length


def reference(text: str, stops: list[str]) -> tuple[str, bool, int]:
    """One character after the other: the stop text that is complete first, the longest of several."""
    for end in range(1, len(text) + 1):
        ending = [stop for stop in stops if text[:end].endswith(stop)]
        if ending:
            return text[: end - max(map(len, ending))], True, end
    return text, False, 0


@pytest.mark.parametrize(
    ("pieces", "stops", "expected"),
    [
        (["Hello, world"], [], "Hello, world"),
        (["Hello, ", "world"], [", w"], "Hello"),
        (["Hello", "\n", "\nThere"], ["\n\n"], "Hello"),
        (["Hello\n"], ["\n\n"], "Hello\n"),
        (["abcd"], ["abcd", "bc"], "a"),
        (["aab"], ["ab"], "a"),
        (["abab", "abac"], ["abac"], "abab"),
        (["STOP now"], ["STOP"], ""),
        (["né", "e 🙂", "🙂"], ["🙂🙂"], "née "),
    ],
)
def test_text_ends_before_the_stop(pieces: list[str], stops: list[str], expected: str) -> None:
    assert shown(pieces, stops)[0] == expected


def test_only_what_may_begin_a_stop_text_is_kept_back() -> None:
    text = StopText(["\n\nUser:"])
    assert text.add("One") == "One"
    assert text.add(".\n") == "."
    assert text.add("Two.\n\nUs") == "\nTwo."
    assert text.add("ual") == "\n\nUsual"
    assert text.add("\n\nUser: three") == ""
    assert text.found
    assert text.length == len("One.\nTwo.\n\nUsual\n\nUser:")
    assert text.add("more") == text.finish() == ""


@given(st.lists(st.text("abc", max_size=5), max_size=8), st.lists(st.text("abc", min_size=1, max_size=4), max_size=3))
def test_pieces_make_no_difference(pieces: list[str], stops: list[str]) -> None:
    assert shown(pieces, stops) == reference("".join(pieces), stops)


@given(
    st.lists(st.text("abc", max_size=5), max_size=8),
    st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_no_stop_text_is_ever_shown(pieces: list[str], stops: list[str]) -> None:
    text, said = StopText(stops), ""
    for piece in pieces:
        said += text.add(piece)
        assert not any(stop in said for stop in stops)
    assert not any(stop in said + text.finish() for stop in stops)
