"""Prompt lookup against brute force."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.decode import Context
from localspec.speculation.drafters.prompt import (
    CONTINUATION,
    LONGEST,
    MATCHES,
    SHORTEST,
    PromptDrafter,
    suffix_matches,
)
from localspec.speculation.drafters.weights import LEAST_SHARE, suffix_weights
from localspec.speculation.tree import MATCH_LENGTH, SOURCE_PROMPT
from tests.speculation.scripted import paths_of

GROWTH = 1.5
"""Vote of a match against that of one a token shorter: a power of two in its denominator, so sums are exact."""

TEXTS = st.integers(1, 4).flatmap(lambda vocabulary: st.lists(st.integers(0, vocabulary - 1), max_size=60))


def brute_force(tokens: list[int]) -> list[tuple[int, list[int]]]:
    """(match length, continuation) of every earlier place, longest first, then the most recent."""
    found: list[tuple[int, list[int]]] = []
    for end in reversed(range(len(tokens) - 1)):
        length = 0
        while length < min(LONGEST, end + 1) and tokens[end - length] == tokens[-1 - length]:
            length += 1
        if length >= SHORTEST:
            found.append((length, tokens[end + 1 :][:CONTINUATION]))
    found.sort(key=lambda pair: -pair[0])
    return found[:MATCHES]


@given(TEXTS)
def test_suffix_matches_equal_brute_force(tokens):
    continuations, lengths = suffix_matches(np.array(tokens, np.int32))
    expected = brute_force(tokens)
    assert lengths.tolist() == [length for length, _ in expected]
    assert [[token for token in row if token >= 0] for row in continuations.tolist()] == [row for _, row in expected]
    assert continuations.shape == (len(expected), CONTINUATION)
    assert continuations.dtype == np.int32
    assert lengths.dtype == np.int16


def test_only_recent_places_are_weighed_in_a_long_context():
    """Of more places than are looked at, the most recent ones count."""
    tokens = [1, 2, 8] * 500 + [1, 2, 9] * (MATCHES * 4) + [1, 2]
    continuations, lengths = suffix_matches(np.array(tokens, np.int32))
    assert len(lengths) == MATCHES
    assert set(continuations[:, 0].tolist()) == {9}


@given(TEXTS.filter(bool), st.integers(1, 40))
def test_the_draft_holds_what_followed(tokens, limit):
    drafter = PromptDrafter()
    context = Context(np.array(tokens, np.int32), 10)
    drafter.begin(context)
    tree = drafter.propose(context, limit)
    votes: dict[tuple[int, ...], float] = defaultdict(float)
    for length, continuation in brute_force(tokens):
        for size in range(len(continuation) + 1):
            votes[tuple(continuation[:size])] += GROWTH ** min(length, 10)
    total = votes.pop((), 0.0)
    prefixes = {prefix for prefix, weight in votes.items() if weight >= LEAST_SHARE * total}
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
    total = GROWTH**5 + 2 * GROWTH**2
    assert shares == {1: np.float32(GROWTH**5 / total), 2: np.float32(2 * GROWTH**2 / total)}


def test_nothing_to_look_up_is_the_empty_tree():
    for tokens in ([3], [3, 4], [1, 2, 3, 4, 5]):
        assert len(PromptDrafter().propose(Context(np.array(tokens, np.int32), 5), 10)) == 0


def test_weights_grow_with_each_token_up_to_ten():
    weights = suffix_weights(np.array([2, 3, 10, 11, 16], np.int16))
    assert weights.tolist() == [GROWTH**2, GROWTH**3, GROWTH**10, GROWTH**10, GROWTH**10]
    assert GROWTH > 1
