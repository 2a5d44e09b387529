"""The index of the chat: what a search through the whole text would find."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.sightings import LONGEST, MOST_PLACES, ContextIndex, Match
from localspec.speculation.tree import SOURCE_PROMPT

VOTES = [float(length) for length in range(LONGEST + 1)]
TEXTS = st.lists(st.integers(0, 2), max_size=60)


def searched(text: list[int], drafted: list[int]) -> list[tuple[int, int]]:
    """(match length, place of what followed) by comparing everywhere, best first."""
    tail = [*text, *drafted]
    found = []
    for place in range(2, len(text)):
        length = 0
        while length < min(LONGEST, place, len(tail)) and text[place - length - 1] == tail[len(tail) - length - 1]:
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
    found = index.sightings(drafted)
    assert len(found) <= MOST_PLACES
    assert [(seen.length, seen.place) for seen in found] == searched(text, drafted)[:MOST_PLACES]
    for seen in found:
        assert seen == Match(index.tokens, seen.place, seen.length, 0.0, VOTES[seen.length], SOURCE_PROMPT)
        tail = [*text, *drafted]
        assert text[seen.place - seen.length : seen.place] == tail[len(tail) - seen.length :]


def test_the_words_in_hand_are_no_sighting_of_themselves():
    index = ContextIndex(VOTES)
    index.follow([5, 6, 7])
    assert index.sightings() == []
    assert index.sightings([6, 7]) == [], "what would follow them is not there yet"
    index.follow([5, 6])
    assert [(seen.place, seen.length) for seen in index.sightings()] == [(2, 2)]


def test_short_texts_have_none():
    index = ContextIndex(VOTES)
    assert index.sightings() == []
    index.follow([1])
    assert index.sightings() == []
    assert index.sightings([1]) == []


def test_votes_of_long_matches_are_those_of_the_longest_known():
    index = ContextIndex([0.0, 0.0, 2.0, 3.0])
    index.follow([1, 2, 3, 4, 5, 9, 1, 2, 3, 4, 5])
    (seen,) = index.sightings()
    assert (seen.length, seen.weight) == (5, 3.0)
