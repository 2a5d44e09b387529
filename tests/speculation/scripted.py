"""A target with exact logits, small enough to reason about, and a draft model that guesses at them; both check how they
are used.

The target's logits are a pure function of the tokens before a row, so every row of a tree, every committed position and
every sampled token can be held against what a fresh computation gives. They prove exactness; the real models prove
truth.
"""

from __future__ import annotations

import hashlib
import heapq
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import cast

import numpy as np
from numpy.typing import NDArray

from localspec.errors import ModelError
from localspec.models.draft import FIRST_TOP_K, DraftModel, DraftModelTree, TopK
from localspec.speculation.builder import Drafted
from localspec.speculation.interface import Match, Matches
from localspec.speculation.recycled_table import RecycledTable, recycled_table
from localspec.speculation.tree import EVIDENCE, DraftTree

STATE_SIZE = 16
DRAFT_WIDTH = 3
"""Children that a scripted draft gives a node at most."""
DRAFT_MAX_DEPTH = 6


class ScriptedTarget:
    """Implements `interface.Target`. The logits depend on the last `order` tokens: a small order makes texts repeat."""

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
        """rows of each decode, those that fill it included"""
        self.disturbed = False
        """whether other programs would hold the processor"""
        self._script = (vocabulary, order, spread, seed)
        self._end_tokens = frozenset(end_tokens)
        self._rows: list[tuple[int, ...]] = []
        self._parents: list[int] = []
        self._tree: list[int] = []
        self._pending = False
        self._states_on = False
        self._known_from = 0
        self._expected_root: int | None = None

    def begin(self, prompt: Sequence[int] | NDArray[np.int32], *, states: bool = False) -> None:
        """Hold the prompt but for the root, as `LlamaModel.begin` does."""
        self.use_states(states)
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

    def decode(self, root: int, tokens: NDArray[np.int32], parents: NDArray[np.int32], rows: int = 0) -> None:
        assert not self._pending, "the last decode was not kept"
        assert root == self._expected_root, f"root {root} is not the last sampled token {self._expected_root}"
        assert tokens.dtype == parents.dtype == np.int32
        assert len(tokens) == len(parents)
        rows = max(rows, len(tokens) + 1)
        assert self.cached + rows <= self.context_size, "the batch does not fit into the KV cache"
        self._tree = tokens.tolist()
        self._parents = parents.tolist()
        self._rows = [(*self.committed, root)]
        for node, (token, parent) in enumerate(zip(self._tree, self._parents, strict=True)):
            assert -1 <= parent < node, f"node {node} comes before its parent {parent}"
            assert 0 <= token < self.vocabulary
            self._rows.append((*self._rows[parent + 1], token))
        self.batches.append(rows)
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
        assert 0 <= row < len(self._rows), "a row that only fills the batch was read"
        return self.logits_after(self._rows[row])

    def logits_after(self, history: Sequence[int]) -> NDArray[np.float64]:
        """Logits [vocabulary] after any tokens: what a fresh computation gives."""
        return _scripted_logits(self._script, self.recent(history))

    def recent(self, history: Sequence[int]) -> tuple[int, ...]:
        """The tokens that decide what follows."""
        order = self._script[1]
        return tuple(history[-order:])

    def likeliest(self, row: int, count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The likeliest tokens behind a row, as `LlamaModel.likeliest`; readable until the next decode."""
        assert 0 <= row < len(self._rows), "a row that only fills the batch was read"
        chances = softmax(self.logits_after(self._rows[row]))
        best = np.argsort(-chances, kind="stable")[:count]
        return best.astype(np.int32), chances[best]

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


class ScriptedDraft:
    """Has what a drafter uses of `DraftModel`, for a `ScriptedTarget`: at each place its likeliest token is the
    target's with probability `accuracy`, and one of those it knows at random else."""

    def __init__(
        self,
        target: ScriptedTarget,
        accuracy: float = 0.7,
        known: Iterable[int] | None = None,
        longest: int = 10_000,
        seed: int = 0,
    ) -> None:
        """`known`: the tokens that it can propose, all by default; `longest`: tokens of the longest text it follows."""
        self.knows = np.zeros(target.vocabulary, np.bool_)
        self.knows[list(known) if known is not None else slice(None)] = True
        self.longest = longest
        self.follows: list[int] = []
        """lengths of the texts it was asked to follow"""
        self.asked: list[tuple[int, float, float]] = []
        """limit, smallest path probability and the target's seconds of each draft"""
        self.drafted: DraftModelTree | None = None
        """the last draft"""
        self.on_follow: Callable[[], None] = lambda: None
        """called while it computes what follows a text"""
        self.fails_in = ""
        """where a ModelError is raised from now on: "closed" (before it computes), "follow" or "draft"; or nowhere"""
        self._target = target
        self._accuracy = accuracy
        self._seed = seed
        self._thread = threading.get_ident()
        self._text: tuple[int, ...] = ()
        self._first: TopK | None = None
        self._known_choices: dict[tuple[int, ...], TopK] = {}

    @property
    def model(self) -> DraftModel:
        """Itself, as drafters take it."""
        return cast(DraftModel, self)

    def work_alone(self, alone: bool) -> None:
        self._check_thread()

    def follow(
        self, tokens: NDArray[np.int32], count: int = FIRST_TOP_K, meanwhile: Callable[[], object] | None = None
    ) -> TopK | None:
        self._check_thread()
        assert tokens.dtype == np.int32
        assert tokens.ndim == 1
        assert len(tokens) > 0, "there is nothing to follow"
        assert count > 0
        self.follows.append(len(tokens))
        self._first = None
        if len(tokens) > self.longest:
            return None
        if self.fails_in == "closed":
            raise ModelError("The scripted draft was closed.")
        if meanwhile is not None:
            meanwhile()
        self.on_follow()
        if self.fails_in == "follow":
            raise ModelError("The scripted draft failed to follow.")
        self._text = tuple(tokens.tolist())
        self._first = self.choices_after(self._text, count)
        return self._first

    def draft_tree(
        self,
        first: TopK,
        limit: int,
        min_probability: float = 0.0,
        target_seconds: float = 0.0,
        row_price: float | None = None,
    ) -> DraftModelTree:
        self._check_thread()
        assert first is self._first, "the draft does not begin with what the text was followed by, or begins twice"
        assert limit > 0, "asked for a draft where none fits"
        assert min_probability >= 0
        assert target_seconds >= 0
        self._first = None
        self.asked.append((limit, min_probability, target_seconds))
        if self.fails_in == "draft":
            raise ModelError("The scripted draft failed to draft.")
        tokens: list[int] = []
        parents: list[int] = []
        probabilities: list[float] = []
        ranks: list[int] = []
        # (-path probability, order of discovery, parent, rank, probability, the path's tokens)
        heap: list[tuple[float, int, int, int, float, tuple[int, ...]]] = []
        found = 0

        def expand(parent: int, chance: float, path: tuple[int, ...], choices: TopK) -> None:
            nonlocal found
            pairs = zip(choices.tokens.tolist(), choices.probabilities.tolist(), strict=True)
            for rank, (token, probability) in enumerate(list(pairs)[:DRAFT_WIDTH]):
                if chance * probability >= min_probability:
                    heapq.heappush(heap, (-chance * probability, found, parent, rank, probability, (*path, token)))
                    found += 1

        expand(-1, 1.0, (), first)
        while heap and len(tokens) < limit:
            chance, _, parent, rank, probability, path = heapq.heappop(heap)
            node = len(tokens)
            tokens.append(path[-1])
            parents.append(parent)
            probabilities.append(probability)
            ranks.append(rank)
            if len(path) < DRAFT_MAX_DEPTH:
                expand(node, -chance, path, self.choices_after((*self._text, *path), DRAFT_WIDTH))
        self.drafted = DraftModelTree(
            np.array(tokens, np.int32),
            np.array(parents, np.int32),
            np.array(probabilities, np.float32),
            np.array(ranks, np.int32),
        )
        return self.drafted

    def choices_after(self, history: Sequence[int], count: int = FIRST_TOP_K) -> TopK:
        """What it holds to be likely behind any tokens."""
        recent = self._target.recent(history)
        if recent not in self._known_choices:
            self._known_choices[recent] = self._all_choices(recent)
        every = self._known_choices[recent]
        return TopK(every.tokens[:count], every.probabilities[:count])

    def _all_choices(self, recent: tuple[int, ...]) -> TopK:
        logits = self._target.logits_after(recent)
        digest = hashlib.sha256(repr((self._seed, recent)).encode()).digest()
        stream = np.random.default_rng(list(digest[:8]))
        if stream.random() >= self._accuracy:
            logits = stream.permutation(logits)
        known = np.flatnonzero(self.knows)
        order = known[np.argsort(-logits[known], kind="stable")]
        probabilities = softmax(logits[order]) if len(order) else np.empty(0)
        return TopK(order.astype(np.int32), probabilities.astype(np.float32))

    def _check_thread(self) -> None:
        assert threading.get_ident() == self._thread, "a draft model is not thread-safe"


class ScriptedSampler:
    """Greedy at temperature 0, else softmax sampling from one random stream; `penalty` lowers what it drew before,
    so a draw too many or in another order changes the text. A `grammar` says by all tokens of a reply which ones may
    follow."""

    def __init__(
        self,
        target: ScriptedTarget,
        temperature: float = 0.0,
        seed: int = 0,
        penalty: float = 0.0,
        grammar: Callable[[tuple[int, ...]], NDArray[np.bool_]] | None = None,
    ) -> None:
        self._target = target
        self._temperature = temperature
        self._stream = np.random.default_rng(seed)
        self._lowered = np.zeros(target.vocabulary)
        self._penalty = penalty
        self._grammar = grammar
        self._said: tuple[int, ...] = ()
        self.draws = 0

    def sample(self, row: int) -> int:
        logits = self._target.logits(row) - self._lowered
        if self._grammar is not None:
            logits = np.where(self._grammar(self._said), logits, -np.inf)
        if self._temperature == 0.0:
            token = int(logits.argmax())
        else:
            token = draw(softmax(logits / self._temperature), self._stream)
        self._lowered[token] += self._penalty
        self._target.record(row, token)
        self._said += (token,)
        self.draws += 1
        return token

    def allowed(self, tokens: NDArray[np.int32], parents: NDArray[np.int32]) -> list[int] | None:
        if self._grammar is None:
            return None
        said = {-1: self._said}
        for node, (token, parent) in enumerate(zip(tokens.tolist(), parents.tolist(), strict=True)):
            if parent in said and self._grammar(said[parent])[token]:
                said[node] = (*said[parent], token)
        return sorted(node for node in said if node >= 0)


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
    return DraftTree.of(
        np.array(tokens, np.int32),
        np.array(parents, np.int32),
        np.array(bits, np.uint8),
        _evidence(evidence, count),
        np.array(probability if probability is not None else [0.5] * count, np.float32),
    )


def _evidence(rows: Sequence[Sequence[float]] | None, count: int) -> NDArray[np.float32]:
    """All columns; those that are not given are 0."""
    given = rows if rows is not None else [[]] * count
    filled = [[*row, *[0.0] * (EVIDENCE - len(row))] for row in given]
    return np.array(filled, np.float32).reshape(count, EVIDENCE)


def grouped(matches: Sequence[Match]) -> list[Matches]:
    """As they are given to the builder: one group for each run of matches of one source, their texts behind one
    another."""
    groups: list[Matches] = []
    for source, members in groupby(matches, key=lambda match: match.source):
        rows = list(members)
        sizes = np.array([len(match.text) for match in rows], np.int64)
        ends = np.cumsum(sizes)
        groups.append(
            Matches(
                np.array([token for match in rows for token in match.text], np.int32),
                ends - sizes + np.array([match.place for match in rows], np.int64),
                ends,
                np.array([match.length for match in rows], np.int32),
                np.array([match.similarity for match in rows], np.float64),
                np.array([match.votes for match in rows], np.float64),
                source,
            )
        )
    return groups


def drafted_of(nodes: Sequence[tuple[int, int, float]]) -> Drafted:
    """A draft model's tree from (token, parent, probability given the parent)."""
    return Drafted(
        np.array([node[0] for node in nodes], np.int32),
        np.array([node[1] for node in nodes], np.int32),
        np.array([node[2] for node in nodes], np.float32),
    )


def recycled_of(
    entries: Mapping[int, Sequence[tuple[int, float]]], make: Callable[[], RecycledTable] = recycled_table
) -> RecycledTable:
    """A table of (token, probability) by the token that they follow."""
    table = make()
    for token, behind in entries.items():
        tokens = np.array([each for each, _ in behind], np.int32)
        table.put(token, tokens, np.array([probability for _, probability in behind], np.float64))
    return table


def path_products(tree: DraftTree) -> list[float]:
    """Products of the conditional probabilities from the root to each node."""
    products: list[float] = []
    for parent, probability in zip(tree.parents.tolist(), tree.probability.tolist(), strict=True):
        products.append(probability * (products[parent] if parent >= 0 else 1.0))
    return products


def paths_of(tree: DraftTree | DraftModelTree) -> list[tuple[int, ...]]:
    """Tokens from the root to each node."""
    paths: list[tuple[int, ...]] = []
    for token, parent in zip(tree.tokens.tolist(), tree.parents.tolist(), strict=True):
        paths.append((*(paths[parent] if parent >= 0 else ()), token))
    return paths


def calibration_error(expected: NDArray[np.float64], accepted: NDArray[np.float64], bins: int = 10) -> float:
    """Expected calibration error: over equal bins of the expected probability [n], the mean distance between what was
    expected and what came [n], weighted by the nodes in each (Naeini et al. 2015)."""
    if len(expected) == 0:
        return 0.0
    place = np.minimum((expected * bins).astype(np.intp), bins - 1)
    difference = np.bincount(place, expected - accepted, bins)
    return float(np.abs(difference).sum() / len(expected))
