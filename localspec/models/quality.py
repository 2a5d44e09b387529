"""What a change of weight format costs in quality: how far its distributions are from the original's, on held text."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from localspec.models.llama import LogitReader, Weights

HELD_TEXT = "held_text.jsonl"
HOPELESS = 4.0
"""Times the limit at which a format is given up after `LEAST_POSITIONS`: the mean of 3,000 positions moves by far less
from that of the first hundreds."""
LEAST_POSITIONS = 400


@dataclass(frozen=True, slots=True)
class Quality:
    """The outputs of a format against those of the original."""

    mean_divergence: float
    """mean KL divergence of the format's distribution from the original's, in nats"""
    agreement: float
    """share of positions where both hold the same token likeliest"""
    positions: int
    """compared"""


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


def compare(
    original: Weights,
    candidate: Weights,
    texts: Sequence[NDArray[np.int32]],
    threads: int,
    limit: float = float("inf"),
    tick: Callable[[float], None] = lambda done: None,
) -> Quality:
    """Read `texts` with both models side by side. A format whose mean is `HOPELESS` times beyond `limit` is given up
    early. `tick` is told the part that is done, and may raise. Raises ModelError, OutOfMemoryError."""
    longest = max(map(len, texts))
    total, agreed, positions = 0.0, 0, 0
    everything = sum(map(len, texts))
    with (
        closing(LogitReader(original, threads, longest)) as first,
        closing(LogitReader(candidate, threads, longest)) as second,
    ):
        for text in texts:
            for rows, others in zip(first.read(text), second.read(text), strict=True):
                apart, same = divergence(rows, others)
                total += float(apart.sum())
                agreed += int(same.sum())
                positions += len(rows)
                tick(positions / everything)
            if positions >= LEAST_POSITIONS and total / positions > HOPELESS * limit:
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
    text = resources.files("localspec.models").joinpath(HELD_TEXT).read_text(encoding="utf-8")
    return [HeldText(**json.loads(line)) for line in text.splitlines()]
