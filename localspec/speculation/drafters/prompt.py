"""Prompt lookup: what followed the current suffix earlier in the same context."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.decode import Context, Step
from localspec.speculation.drafters.weights import LEAST_SHARE, suffix_weights
from localspec.speculation.tree import PADDING, SOURCE_PROMPT, DraftTree, from_continuations

LONGEST = 16
SHORTEST = 2
"""Suffix lengths, as REST has them (arXiv 2311.08252)."""
CONTINUATION = 10
MATCHES = 16
"""The most recent matches are enough: in a context, nearer text predicts better."""


class PromptDrafter:
    """Drafts from the context itself. Exact search by array comparison: microseconds for any context that fits."""

    name = "prompt"
    needs_states = False
    times = None
    retrieval = None

    def begin(self, context: Context) -> None:
        """Nothing to prepare."""

    def propose(self, context: Context, limit: int) -> DraftTree:
        """What followed earlier occurrences of the last 2 to 16 tokens, longer matches counting more."""
        continuations, lengths = suffix_matches(context.tokens)
        weights = suffix_weights(lengths)
        return from_continuations(continuations, lengths, weights, SOURCE_PROMPT, limit, least_share=LEAST_SHARE)

    def observe(self, step: Step) -> None:
        """The context is searched afresh each time."""


def suffix_matches(tokens: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
    """Continuations [m, 10] (padded with -1) and match lengths [m] of earlier occurrences of the suffix of `tokens`.

    Longest match first, then the most recent.
    """
    count = len(tokens)
    if count <= SHORTEST:
        return np.empty((0, CONTINUATION), np.int32), np.empty(0, np.int16)
    ends = np.flatnonzero((tokens[1:-1] == tokens[-1]) & (tokens[:-2] == tokens[-2])) + 1
    ends = ends[-MATCHES * 4 :][::-1]
    reach = min(LONGEST, count)
    backward = ends[:, None] - np.arange(reach)
    same = (tokens[np.maximum(backward, 0)] == tokens[::-1][:reach]) & (backward >= 0)
    lengths = np.minimum.accumulate(same, axis=1).sum(axis=1)
    order = np.argsort(-lengths, kind="stable")[:MATCHES]
    forward = ends[order, None] + np.arange(1, CONTINUATION + 1)
    continuations = np.where(forward < count, tokens[np.minimum(forward, count - 1)], PADDING)
    return continuations.astype(np.int32), lengths[order].astype(np.int16)
