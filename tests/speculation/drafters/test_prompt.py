"""Prompt lookup against brute force."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.context_index import MAX_MATCHES, MIN_N
from localspec.speculation.drafters.matching import MIN_SHARE, suffix_weights
from localspec.speculation.drafters.prompt import CONTINUATION, REST_MAX_N, VOTES, PromptDrafter
from localspec.speculation.interface import Context, Match
from localspec.speculation.tree import MATCH_LENGTH, SOURCE_PROMPT
from tests.speculation.scripted import paths_of

BASE = 1.5
"""Vote of a match against that of one a token shorter: a power of two in its denominator, so sums are exact."""

TEXTS = st.integers(1, 4).flatmap(lambda vocabulary: st.lists(st.integers(0, vocabulary - 1), max_size=60))


def brute_force(tokens: list[int]) -> list[tuple[int, list[int]]]:
    """(match length, continuation) of every earlier place, longest first, then the most recent."""
    found: list[tuple[int, list[int]]] = []
    for end in reversed(range(len(tokens) - 1)):
        length = 0
        while length < min(REST_MAX_N, end + 1) and tokens[end - length] == tokens[-1 - length]:
            length += 1
        if length >= MIN_N:
            found.append((length, tokens[end + 1 :][:CONTINUATION]))
    found.sort(key=lambda pair: -pair[0])
    return found[:MAX_MATCHES]


def matches_of(tokens: list[int]) -> list[Match]:
    return list(PromptDrafter().matches(Context(np.array(tokens, np.int32), 10)))


@given(TEXTS)
def test_matches_equal_brute_force(tokens):
    found = matches_of(tokens)
    expected = brute_force(tokens)
    assert [match.length for match in found] == [length for length, _ in expected]
    assert [match.text[match.place :][:CONTINUATION] for match in found] == [row for _, row in expected]
    for match in found:
        assert match == Match(tokens, match.place, match.length, 0.0, VOTES[match.length], SOURCE_PROMPT)
        assert tokens[match.place - match.length : match.place] == tokens[len(tokens) - match.length :]


def test_only_recent_places_are_weighed_in_a_long_context():
    """Of more places than are looked at, the most recent ones count."""
    tokens = [1, 2, 8] * 500 + [1, 2, 9] * (MAX_MATCHES * 4) + [1, 2]
    found = matches_of(tokens)
    assert len(found) == MAX_MATCHES
    assert {match.text[match.place] for match in found} == {9}


@given(TEXTS.filter(bool), st.integers(1, 40))
def test_the_draft_holds_what_followed(tokens, limit):
    drafter = PromptDrafter()
    context = Context(np.array(tokens, np.int32), 10)
    drafter.begin(context)
    tree = drafter.propose(context, limit)
    votes: dict[tuple[int, ...], float] = defaultdict(float)
    for length, continuation in brute_force(tokens):
        for size in range(len(continuation) + 1):
            votes[tuple(continuation[:size])] += BASE ** min(length, 10)
    total = votes.pop((), 0.0)
    prefixes = {prefix for prefix, weight in votes.items() if weight >= MIN_SHARE * total}
    paths = paths_of(tree)
    assert set(paths) <= prefixes
    assert len(paths) == min(limit, len(prefixes))
    assert (tree.source == SOURCE_PROMPT).all()


def test_a_long_match_outvotes_short_ones():
    tokens = [9, 5, 6, 7, 8, 1, 0, 7, 8, 2, 0, 7, 8, 2, 0, 9, 5, 6, 7, 8]
    tree = PromptDrafter().propose(Context(np.array(tokens, np.int32), 5), 64)
    assert tree.tokens[0] == 1
    assert tree.evidence[0, MATCH_LENGTH] == 5
    first = tree.parents == -1
    shares = dict(zip(tree.tokens[first].tolist(), tree.probability[first].tolist(), strict=True))
    total = BASE**5 + 2 * BASE**2
    assert shares == {1: np.float32(BASE**5 / total), 2: np.float32(2 * BASE**2 / total)}


def test_nothing_to_look_up_is_the_empty_tree():
    for tokens in ([3], [3, 4], [1, 2, 3, 4, 5]):
        assert len(PromptDrafter().propose(Context(np.array(tokens, np.int32), 5), 10)) == 0


def test_weights_grow_with_each_token_up_to_ten():
    weights = suffix_weights(np.array([2, 3, 10, 11, 16], np.int16))
    assert weights.tolist() == [BASE**2, BASE**3, BASE**10, BASE**10, BASE**10]
    assert BASE > 1
