"""How likely each token of a reply was to the model, and what else it might have said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.interface import Sampler


class LogitRows(Protocol):
    """The part of the target that gives logits."""

    def logits(self, rows: int) -> NDArray[np.float32]:
        """Logits [rows, vocabulary] of the last decode."""


@dataclass(frozen=True, slots=True)
class TokenProbability:
    """The natural logarithm of a token's probability, and of the likeliest ones at its place, likeliest first."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...]


class ProbabilityRecorder:
    """Notes, for each token that is drawn, the target's own distribution: before penalties, bias, grammar and
    temperature. Drafts change nothing of it: only rows of tokens that the reply has are looked at."""

    def __init__(self, top: int) -> None:
        """`top`: how many of the likeliest tokens are noted for each place."""
        self.tokens: list[TokenProbability] = []
        """those of the reply so far, the end token too"""
        self._top = top

    def watching(self, target: LogitRows, sampler: Sampler) -> Sampler:
        """`sampler`, whose draws from the target's rows are noted."""
        return _Watched(target, sampler, self._top, self.tokens)


class _Watched:
    """A sampler whose draws are noted."""

    def __init__(self, target: LogitRows, sampler: Sampler, top: int, noted: list[TokenProbability]) -> None:
        self._target = target
        self._sampler = sampler
        self._top = top
        self._noted = noted

    def sample(self, row: int) -> int:
        """Draw the token that follows row `row`."""
        logits = self._target.logits(row + 1)[row].astype(np.float64)
        token = self._sampler.sample(row)
        highest = logits.max()
        logits -= highest + np.log(np.exp(logits - highest).sum())
        top: tuple[tuple[int, float], ...] = ()
        if self._top:
            # Among equal ones the smaller id comes first, as where the likeliest is taken.
            near = np.flatnonzero(logits >= np.partition(logits, -self._top)[-self._top])
            best = near[np.argsort(-logits[near], kind="stable")][: self._top]
            top = tuple((int(one), float(logits[one])) for one in best)
        self._noted.append(TokenProbability(token, float(logits[token]), top))
        return token

    def allowed(self, tokens: NDArray[np.int32], parents: NDArray[np.int32]) -> Sequence[int] | None:
        """What the sampler allows of a draft."""
        return self._sampler.allowed(tokens, parents)
