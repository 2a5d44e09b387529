"""The index of the chat: what a search through the whole text would find."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.drafters.prompt import MAX_MATCHES, MAX_N, ContextIndex
from localspec.speculation.interface import Match
from localspec.speculation.tree import SOURCE_PROMPT

VOTES = [float(length) for length in range(MAX_N + 1)]
TEXTS = st.lists(st.integers(0, 2), max_size=60)


def searched(text: list[int], drafted: list[int]) -> list[tuple[int, int]]:
    """(match length, place of what followed) by comparing everywhere, best first."""
    tail = [*text, *drafted]
    found = []
    for place in range(2, len(text)):
        length = 0
        while length < min(MAX_N, place, len(tail)) and text[place - length - 1] == tail[len(tail) - length - 1]:
            length += 1
        if length >= 2:
            found.append((length, place))
    return sorted(found, reverse=True)


@given(st.lists(TEXTS, min_size=1, max_size=4), st.lists(st.integers(0, 2), max_size=3))
def test_it_finds_what_a_search_finds(parts, drafted):
    index = ContextIndex(VOTES)
    for part in parts:
        index.follow(part)
    text = [token for part in parts for token in part]
    assert index.tokens == text
    found = index.matches(drafted)
    assert len(found) <= MAX_MATCHES
    assert [(match.length, match.place) for match in found] == searched(text, drafted)[:MAX_MATCHES]
    for match in found:
        assert match == Match(index.tokens, match.place, match.length, 0.0, VOTES[match.length], SOURCE_PROMPT)
        tail = [*text, *drafted]
        assert text[match.place - match.length : match.place] == tail[len(tail) - match.length :]


def test_the_end_of_the_text_is_no_match_of_itself():
    index = ContextIndex(VOTES)
    index.follow([5, 6, 7])
    assert index.matches() == []
    assert index.matches([6, 7]) == [], "what would follow them is not there yet"
    index.follow([5, 6])
    assert [(match.place, match.length) for match in index.matches()] == [(2, 2)]


def test_short_texts_have_no_match():
    index = ContextIndex(VOTES)
    assert index.matches() == []
    index.follow([1])
    assert index.matches() == []
    assert index.matches([1]) == []


def test_votes_of_long_matches_are_those_of_the_longest_known():
    index = ContextIndex([0.0, 0.0, 2.0, 3.0])
    index.follow([1, 2, 3, 4, 5, 9, 1, 2, 3, 4, 5])
    (match,) = index.matches()
    assert (match.length, match.votes) == (5, 3.0)
