"""Grows one draft tree out of all that is known, the likeliest node first, on one scale of acceptance.

Sightings of the last words (in the chat, in a store, by state), a draft model's tree and the target's own earlier
choices hang their guesses below the same nodes. Behind a node that only a model proposed, the chat is looked up anew
(as READER does, arXiv 2508.09072). A path probability never exceeds its parent's, so nodes come out best first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from localspec.speculation.acceptance import EXACT, Evidence
from localspec.speculation.sightings import Match
from localspec.speculation.tree import DOUBTED, SOURCE_DRAFT, SOURCE_RECYCLED, DraftTree

LEAST_GUESS = 0.01
"""What the target itself held to be less likely is not proposed again on that ground alone."""


class Candidate(NamedTuple):
    """One token with its probability, of a draft model or of the target itself at an earlier time."""

    token: int
    probability: float
    below: int
    """number of the draft model's node, whose guesses are those at this index; -1 = it looked no further"""


Candidates = Sequence[Candidate]


@dataclass(slots=True)
class TreeInputs:
    """What a tree grows from."""

    root: int
    sightings: list[Match]
    guesses: Mapping[int, Candidates] = field(default_factory=dict)
    """the draft model's, by the number of its node; -1 = at the root"""
    recycled: Callable[[int], Candidates | None] = lambda _: None
    """what the target held to be likely behind a token the last time"""
    look_up: Callable[[list[int]], list[Match]] = lambda _: []
    """sightings behind the text followed by drafted tokens"""


def grow(
    soil: TreeInputs, chance: Callable[[Evidence], float], limit: int, least: float, deepest: int
) -> tuple[DraftTree, list[float]]:
    """A tree of at most `limit` nodes, none deeper than `deepest` or with a path probability below `least`.

    Returns it with each node's path probability, descending: so the first k nodes are the best tree of k nodes.
    """
    tokens: list[int] = []
    parents: list[int] = []
    source: list[int] = []
    evidence: list[tuple[float, float, float, int, float, float]] = []
    conditional: list[float] = []
    paths: list[float] = []
    depth_of: list[int] = []
    heap: list[tuple[float, int, int, int, float, Evidence, int, list[Match], int]] = []
    pushed = 0

    def expand(parent: int, last: int, sightings: list[Match], drafted: int) -> None:
        nonlocal pushed
        above = paths[parent] if parent >= 0 else 1.0
        depth = depth_of[parent] + 1 if parent >= 0 else 1
        exact_votes = near_votes = 0.0
        # token -> [bits, length, exact votes, similarity, near votes, guess, again, below, sightings]
        found: dict[int, list] = {}  # type: ignore[type-arg]
        for seen in sightings:
            text, place, length, similarity, weight, bit = seen
            exact = bit & EXACT
            if exact:
                exact_votes += weight
            else:
                near_votes += weight
            if place >= len(text):
                continue
            token = text[place]
            if token < 0:
                continue
            entry = found.get(token)
            if entry is None:
                found[token] = entry = [0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, -1, []]
            entry[0] |= bit
            if exact:
                entry[2] += weight
                if length > entry[1]:
                    entry[1] = length
            else:
                entry[4] += weight
                if similarity > entry[3]:
                    entry[3] = similarity
            entry[8].append(seen)
        guesses = soil.guesses.get(drafted) if drafted >= -1 else None
        if guesses:
            for token, guessed, deeper in guesses:
                entry = found.get(token)
                if entry is None:
                    if above * guessed < least:
                        continue
                    found[token] = entry = [0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, -1, []]
                entry[0] |= SOURCE_DRAFT
                entry[5] = guessed
                entry[7] = deeper
        again = soil.recycled(last)
        if again:
            for token, guessed, _ in again:
                entry = found.get(token)
                if entry is None:
                    if guessed < LEAST_GUESS or above * guessed < least:
                        continue
                    found[token] = entry = [0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, -1, []]
                entry[0] |= SOURCE_RECYCLED
                entry[6] = guessed
        for token, (bits, length, exact_weight, similarity, near_weight, guessed, before, below, own) in found.items():
            share = exact_weight / exact_votes if exact_weight else 0.0
            if near_weight:
                share = max(share, near_weight / near_votes)
            known = Evidence(
                bits, length, share, similarity, guessed, before, bool(guesses) and not bits & SOURCE_DRAFT, depth
            )
            probability = chance(known)
            path = above * probability
            if path >= least:
                heappush(heap, (-path, pushed, parent, token, probability, known, below, own, depth))
                pushed += 1

    expand(-1, soil.root, soil.sightings, -1)
    ranks: dict[int, int] = {}
    while heap and len(tokens) < limit:
        path, _, parent, token, probability, known, below, own, depth = heappop(heap)
        node = len(tokens)
        rank = ranks.get(parent, 0)
        ranks[parent] = rank + 1
        tokens.append(token)
        parents.append(parent)
        source.append(known.bits)
        evidence.append(
            (
                known.length,
                known.share,
                known.similarity,
                rank,
                DOUBTED if known.doubted else known.draft_probability,
                known.recycled_probability,
            )
        )
        conditional.append(probability)
        paths.append(-path)
        depth_of.append(depth)
        if depth >= deepest or len(tokens) >= limit:
            continue
        ahead = [
            Match(text, place + 1, length + 1 if length else 0, similarity, weight, bit)
            for text, place, length, similarity, weight, bit in own
        ]
        if not known.bits & EXACT:
            ahead += soil.look_up(_path(node, tokens, parents))
        expand(node, token, ahead, below if below >= 0 else -2)
    if not tokens:
        return DraftTree.empty(), paths
    tree = DraftTree(
        np.array(tokens, np.int32),
        np.array(parents, np.int32),
        np.array(source, np.uint8),
        np.array(evidence, np.float32),
        np.array(conditional, np.float32),
    )
    return tree, paths


def _path(node: int, tokens: list[int], parents: list[int]) -> list[int]:
    path: list[int] = []
    while node >= 0:
        path.append(tokens[node])
        node = parents[node]
    return path[::-1]
