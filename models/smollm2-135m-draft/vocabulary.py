"""The draft's own, smaller vocabulary: which of the target's tokens it can say, and what it reads for the others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

READ_SHARE = 0.2
"""What one occurrence in a text counts, beside the sum of the target's probabilities where it was about to write."""
_ROWS = 1024


@dataclass(frozen=True, slots=True)
class DraftVocabulary:
    """How draft ids and target ids belong together."""

    target_ids: NDArray[np.int32]
    """[v] the target's id of each draft id, ascending"""
    input_ids: NDArray[np.int32]
    """[t] the draft id that stands for each of the target's ids in what the draft reads"""

    def said(self) -> NDArray[np.int64]:
        """[t] the draft id of each of the target's ids, -1 where the draft cannot say it."""
        said = np.full(len(self.input_ids), -1, np.int64)
        said[self.target_ids] = np.arange(len(self.target_ids))
        return said


def expected_uses(
    tokens: NDArray[np.int64], choices: NDArray[np.int64], chances: NDArray[np.float32], size: int
) -> NDArray[np.float64]:
    """How much each of `size` target tokens is worth having [size].

    `tokens` [n] are texts; `choices` and `chances` [n, c] the target's likeliest next tokens and their probabilities,
    zero where it did not write. Summed probabilities say what it will write; occurrences, counted with `READ_SHARE`,
    also what it is given to read and may copy.
    """
    chosen = np.bincount(choices.ravel(), weights=chances.ravel(), minlength=size)
    return chosen + READ_SHARE * np.bincount(tokens, minlength=size)


def choose(uses: NDArray[np.float64], count: int, always: Collection[int]) -> NDArray[np.int32]:
    """The `count` target ids with the greatest `uses` [t], and `always` among them; ascending [count]."""
    if not len(always) <= count <= len(uses):
        raise ValueError(f"{count} tokens cannot be chosen from {len(uses)} with {len(always)} in any case")
    worth = uses.copy()
    worth[list(always)] = np.inf
    return np.sort(np.argsort(-worth, kind="stable")[:count]).astype(np.int32)


def pair(target_ids: NDArray[np.int32], embeddings: Tensor) -> DraftVocabulary:
    """The vocabulary of `target_ids` [v] over a target with `embeddings` [t, d].

    A token that the draft has stands for itself; for any other the draft reads the one whose embedding points most
    alike, measured from the mean embedding: all embeddings share a large part that says nothing.
    """
    directions = functional.normalize(embeddings - embeddings.mean(0), dim=1)
    own = directions[torch.from_numpy(target_ids).long()]
    nearest = torch.cat([(rows @ own.T).argmax(1) for rows in torch.split(directions, _ROWS)])
    input_ids = nearest.to(torch.int32).numpy()
    input_ids[target_ids] = np.arange(len(target_ids))
    return DraftVocabulary(target_ids, input_ids)
