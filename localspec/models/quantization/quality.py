"""What a change of weight format costs in quality: how far its distributions are from the original's, on held text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib import resources

import numpy as np
import psutil
from numpy.typing import NDArray

from localspec.models.llama import LogitReader, Weights, halves

HELD_TEXT = "held_text.jsonl"
GIVE_UP_FACTOR = 4.0
"""Times the limit at which a format is given up after `MIN_POSITIONS`: later ones move the mean by far less."""
MIN_POSITIONS = 400
_MEMORY_SHARE = 12
"""Times what is kept of the original that must be free."""


@dataclass(frozen=True, slots=True)
class Quality:
    """The outputs of a format against those of the original."""

    mean_divergence: float  # mean KL divergence of the format's distribution from the original's, in nats
    agreement: float  # share of positions where both hold the same token likeliest
    positions: int  # compared


def divergence(
    original: NDArray[np.float32], candidate: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """KL(original || candidate) of rows of logits [n, v], in nats [n], and whether both likeliest tokens agree [n]."""
    first = original - original.max(axis=1, keepdims=True)
    second = candidate - candidate.max(axis=1, keepdims=True)
    weights = np.exp(first)
    total = weights.sum(axis=1, dtype=np.float64)
    apart = np.einsum("ij,ij->i", weights, first - second, dtype=np.float64) / total
    found = apart - np.log(total) + np.log(np.exp(second).sum(axis=1, dtype=np.float64))
    return np.maximum(found, 0.0), original.argmax(axis=1) == candidate.argmax(axis=1)


class Reference:
    """The original's logits on `texts`. Where memory is plenty they are kept, in half precision, which moves a mean
    divergence by 10⁻⁵; else the original reads the texts anew for each format."""

    def __init__(self, weights: Weights, texts: Sequence[NDArray[np.int32]], threads: int) -> None:
        self.texts = texts
        self.threads = threads
        self.longest = max(map(len, texts))
        self.positions = sum(map(len, texts))
        self._reader = LogitReader(weights, threads, self.longest)
        size = self.positions * weights.vocabulary_size * 2
        self._keeps = size * _MEMORY_SHARE < psutil.virtual_memory().available
        self._kept: dict[int, list[NDArray[np.float16]]] = {}

    def rows(self, number: int) -> Iterator[NDArray[np.float32]]:
        """Logits [rows, vocabulary] of a text, in parts. Raises ModelError."""
        known = self._kept.get(number)
        if known is not None:
            yield from (part.astype(np.float32) for part in known)
            return
        parts = []
        for part in self._reader.read(self.texts[number]):
            if self._keeps:
                parts.append(halves(part))
            yield part
        if self._keeps:
            self._kept[number] = parts

    def close(self) -> None:
        """Free the context and what is kept."""
        self._reader.close()
        self._kept.clear()


def compare(
    reference: Reference,
    candidate: Weights,
    limit: float = float("inf"),
    tick: Callable[[float], None] = lambda done: None,
) -> Quality:
    """Read the reference's texts with a format, too, and compare. Raises ModelError, OutOfMemoryError.

    A format whose mean divergence is `GIVE_UP_FACTOR` times beyond `limit` (nats) is given up early. `tick` is told the
    part that is done, 0 to 1, and may raise.
    """
    total, agreed, positions = 0.0, 0, 0
    with closing(LogitReader(candidate, reference.threads, reference.longest)) as reader:
        for number, text in enumerate(reference.texts):
            for rows, others in zip(reference.rows(number), reader.read(text), strict=True):
                apart, same = divergence(rows, others)
                total += float(apart.sum())
                agreed += int(same.sum())
                positions += len(rows)
                tick(positions / reference.positions)
            if positions >= MIN_POSITIONS and total / positions > GIVE_UP_FACTOR * limit:
                break
    return Quality(total / positions, agreed / positions, positions)


@dataclass(frozen=True, slots=True)
class HeldText:
    """A piece of the text that formats are compared on: a document, or a question with its answer."""

    document: str = ""
    question: str = ""
    answer: str = ""


def held_texts() -> list[HeldText]:
    """The pieces that come with the package, in a mixed order: any part of them has every kind."""
    text = resources.files("localspec.models.quantization").joinpath(HELD_TEXT).read_text(encoding="utf-8")
    return [HeldText(**json.loads(line)) for line in text.splitlines()]
