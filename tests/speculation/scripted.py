"""A target with exact logits, small enough to reason about, that checks how it is used.

Its logits are a pure function of the tokens before a row, so every row of a tree, every committed position and every
sampled token can be held against what a fresh computation gives. It proves exactness; the real model proves truth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.tree import DraftTree

STATE_SIZE = 16


class ScriptedTarget:
    """Implements `decode.Target`. The logits depend on the last `order` tokens, so a small order makes texts repeat."""

    def __init__(
        self,
        vocabulary: int = 12,
        order: int = 3,
        context_size: int = 1000,
        end_tokens: Iterable[int] = (),
        spread: float = 2.0,
        seed: int = 0,
    ) -> None:
        self.vocabulary = vocabulary
        self.context_size = context_size
        self.committed: list[int] = []
        """the content of the KV cache"""
        self.batches: list[int] = []
        """rows of each decode"""
        self._script = (vocabulary, order, spread, seed)
        self._end_tokens = frozenset(end_tokens)
        self._rows: list[tuple[int, ...]] = []
        self._parents: list[int] = []
        self._tree: list[int] = []
        self._pending = False
        self._states_on = False
        self._known_from = 0
        self._expected_root: int | None = None

    def begin(self, prompt: Sequence[int] | NDArray[np.int32]) -> None:
        """Hold the prompt but for the root, as `LlamaModel.begin` does."""
        tokens = [int(token) for token in prompt]
        assert tokens, "a request needs at least one token"
        assert len(tokens) < self.context_size, "the request does not fit"
        self.committed = tokens[:-1]
        self._known_from = len(tokens) // 2
        self._expected_root = tokens[-1]
        self._pending = False

    @property
    def cached(self) -> int:
        return len(self.committed)

    def decode(self, root: int, tokens: NDArray[np.int32], parents: NDArray[np.int32]) -> None:
        assert not self._pending, "the last decode was not kept"
        assert root == self._expected_root, f"root {root} is not the last sampled token {self._expected_root}"
        assert tokens.dtype == parents.dtype == np.int32
        assert len(tokens) == len(parents)
        assert self.cached + 1 + len(tokens) <= self.context_size, "the batch does not fit into the KV cache"
        self._tree = tokens.tolist()
        self._parents = parents.tolist()
        self._rows = [(*self.committed, root)]
        for node, (token, parent) in enumerate(zip(self._tree, self._parents, strict=True)):
            assert -1 <= parent < node, f"node {node} comes before its parent {parent}"
            assert 0 <= token < self.vocabulary
            self._rows.append((*self._rows[parent + 1], token))
        self.batches.append(len(self._rows))
        self._pending = True
        self.sampled_rows: list[int] = []
        self.sampled_tokens: list[int] = []

    def keep(self, path: NDArray[np.int32]) -> None:
        assert self._pending, "there is no decode to keep"
        above = -1
        for node in path.tolist():
            assert 0 <= node < len(self._tree), f"there is no node {node}"
            assert self._parents[node] == above, f"node {node} does not continue the path at {above}"
            above = node
        assert self.sampled_rows == [0, *(path + 1).tolist()], "sampled rows are not the path, once each, in order"
        assert self.sampled_tokens[:-1] == [self._tree[node] for node in path.tolist()], "kept what was not sampled"
        self.committed = list(self._rows[above + 1])
        self._expected_root = self.sampled_tokens[-1]
        self._pending = False

    def is_end(self, token: int) -> bool:
        return token in self._end_tokens

    def use_states(self, on: bool) -> None:
        self._states_on = on

    def known_states(self) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
        """A state is a function of the tokens that decide the logits, as a real one is; unknown inside the prompt."""
        count = len(self.committed)
        states = np.array([self._state(self.committed[: end + 1]) for end in range(count)], np.float16)
        return states.reshape(count, STATE_SIZE), np.arange(count) >= self._known_from

    def _state(self, tokens: list[int]) -> NDArray[np.float64]:
        order = self._script[1]
        digest = hashlib.sha256(repr(tokens[-order:]).encode()).digest()
        return (np.frombuffer(digest[:STATE_SIZE], np.uint8).astype(np.float64) - 127) / 64

    def logits(self, row: int) -> NDArray[np.float64]:
        """Logits [vocabulary] after row `row` of the last decode."""
        assert self._pending, "rows are readable between decode and keep only"
        return self.logits_after(self._rows[row])

    def logits_after(self, history: Sequence[int]) -> NDArray[np.float64]:
        """Logits [vocabulary] after any tokens: what a fresh computation gives."""
        order = self._script[1]
        return _scripted_logits(self._script, tuple(history[-order:]))

    def record(self, row: int, token: int) -> None:
        """A sampler tells what it drew."""
        assert row not in self.sampled_rows, f"row {row} was sampled twice"
        self.sampled_rows.append(row)
        self.sampled_tokens.append(token)


@lru_cache(maxsize=100_000)
def _scripted_logits(script: tuple[int, int, float, int], recent: tuple[int, ...]) -> NDArray[np.float64]:
    vocabulary, _, spread, _ = script
    digest = hashlib.sha256(repr((script, recent)).encode()).digest()
    return np.random.default_rng(list(digest)).normal(0.0, spread, vocabulary)


class ScriptedSampler:
    """Greedy at temperature 0, else softmax sampling from one random stream; `penalty` lowers what it drew before,
    so a draw too many or in another order changes the text."""

    def __init__(self, target: ScriptedTarget, temperature: float = 0.0, seed: int = 0, penalty: float = 0.0) -> None:
        self._target = target
        self._temperature = temperature
        self._stream = np.random.default_rng(seed)
        self._lowered = np.zeros(target.vocabulary)
        self._penalty = penalty
        self.draws = 0

    def sample(self, row: int) -> int:
        logits = self._target.logits(row) - self._lowered
        if self._temperature == 0.0:
            token = int(logits.argmax())
        else:
            token = draw(softmax(logits / self._temperature), self._stream)
        self._lowered[token] += self._penalty
        self._target.record(row, token)
        self.draws += 1
        return token


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()  # type: ignore[no-any-return]


def draw(probabilities: NDArray[np.float64], stream: np.random.Generator) -> int:
    """One token from a distribution, by its cumulative sum."""
    place = int(np.searchsorted(np.cumsum(probabilities), stream.random(), side="right"))
    return min(place, len(probabilities) - 1)


def make_tree(
    tokens: Sequence[int],
    parents: Sequence[int],
    probability: Sequence[float] | None = None,
    source: int | Sequence[int] = 1,
    evidence: Sequence[Sequence[float]] | None = None,
) -> DraftTree:
    """A tree from plain lists."""
    count = len(tokens)
    bits = [source] * count if isinstance(source, int) else source
    return DraftTree(
        np.array(tokens, np.int32),
        np.array(parents, np.int32),
        np.array(bits, np.uint8),
        np.array(evidence if evidence is not None else np.zeros((count, 4)), np.float32).reshape(count, 4),
        np.array(probability if probability is not None else [0.5] * count, np.float32),
    )


def paths_of(tree: DraftTree) -> list[tuple[int, ...]]:
    """Tokens from the root to each node."""
    paths: list[tuple[int, ...]] = []
    for token, parent in zip(tree.tokens.tolist(), tree.parents.tolist(), strict=True):
        paths.append((*(paths[parent] if parent >= 0 else ()), token))
    return paths
