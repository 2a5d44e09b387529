"""The index of the chat: what a search through the whole text would find."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.context_index import MAX_MATCHES, ContextIndex, PythonContextIndex, context_index
from localspec.speculation.drafters.prompt import MAX_N

TEXTS = st.lists(st.integers(0, 2), max_size=60)
Make = Callable[[int], ContextIndex]
"""Makes an index that compares so many tokens."""
either = pytest.mark.parametrize(
    "make", [PythonContextIndex, lambda most: context_index(np.arange(most + 1.0))], ids=["in Python", "what serves"]
)


def ids(tokens: list[int]) -> np.ndarray:
    return np.array(tokens, np.int32)


def found_by(index: ContextIndex, drafted: list[int]) -> list[tuple[int, int]]:
    """(match length, place of what followed)"""
    lengths, places = index.find(ids(drafted))
    assert lengths.dtype == places.dtype == np.int32
    return list(zip(lengths.tolist(), places.tolist(), strict=True))


def searched(text: list[int], drafted: list[int]) -> list[tuple[int, int]]:
    """The same by comparing everywhere, best first."""
    tail = [*text, *drafted]
    found = []
    for place in range(2, len(text)):
        length = 0
        while length < min(MAX_N, place, len(tail)) and text[place - length - 1] == tail[len(tail) - length - 1]:
            length += 1
        if length >= 2:
            found.append((length, place))
    return sorted(found, reverse=True)


@either
@given(parts=st.lists(TEXTS, min_size=1, max_size=4), drafted=st.lists(st.integers(0, 2), max_size=3))
def test_it_finds_what_a_search_finds(make: Make, parts, drafted):
    index = make(MAX_N)
    for part in parts:
        index.follow(ids(part))
    text = [token for part in parts for token in part]
    assert index.count == len(text)
    found = found_by(index, drafted)
    assert len(found) <= MAX_MATCHES
    assert found == searched(text, drafted)[:MAX_MATCHES]
    tail = [*text, *drafted]
    for length, place in found:
        assert text[place - length : place] == tail[len(tail) - length :]


@either
def test_the_end_of_the_text_is_no_match_of_itself(make: Make):
    index = make(MAX_N)
    index.follow(ids([5, 6, 7]))
    assert found_by(index, []) == []
    assert found_by(index, [6, 7]) == [], "what would follow them is not there yet"
    index.follow(ids([5, 6]))
    assert found_by(index, []) == [(2, 2)]


@either
def test_short_texts_have_no_match(make: Make):
    index = make(MAX_N)
    assert found_by(index, []) == []
    index.follow(ids([1]))
    assert found_by(index, []) == []
    assert found_by(index, [1]) == []


@either
def test_no_more_tokens_are_compared_than_have_votes(make: Make):
    text = ids([1, 2, 3, 4, 5, 9, 1, 2, 3, 4, 5])
    for most, length in ((2, 2), (3, 3), (9, 5)):
        index = make(most)
        index.follow(text)
        assert found_by(index, []) == [(length, 5)]
