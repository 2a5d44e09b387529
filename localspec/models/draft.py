"""The draft model: a small model beside the target that drafts a token tree with probabilities.

Its KV cache follows the accepted text; branches are dropped after each draft. The tree grows level by level, the
likeliest nodes first, as EAGLE-2's dynamic draft tree does (arXiv 2406.16858, section 4): one decode per level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil
from numpy.typing import NDArray

from localspec.errors import ModelError, OutOfMemoryError
from localspec.models.llama import MAX_BRANCHES, BranchingContext, StopSignal, Weights
from localspec.models.pairing import pair

WIDTH = 8
"""Most nodes that are expanded per level, and most children per node (EAGLE-2 expands 10)."""
MAX_DEPTH = 10
"""Most levels of a draft: longer ones are not accepted often enough."""
FIRST_TOP_K = 64
"""Top-k of the first step: candidates of other sources are judged by its probabilities."""
FIRST_HIT = 0.6
"""About how often a likely node is followed by the draft's first choice: estimates what a further level gains."""
_FADING = 0.1
"""Weight of the newest measurement in the running mean of decode times."""
_ATTENTION = "flash, K in BF16, V in F16"
"""The fastest for the shipped draft, whose rows are single (docs/log.md)."""
_NEAR, _FAR = 1e-3, 1e-5
"""Parts of the likeliest token's probability below which a token may be left out: of a level, and of an exact top-k."""
_FEW = 256
"""Up to so many tokens are sorted at once; of more, the best are partitioned off first."""
_HEADROOM = 64 * 2**20
"""Bytes that llama.cpp's buffers take beside the cache."""


@dataclass(frozen=True, slots=True)
class TopK:
    """The likeliest next tokens."""

    tokens: NDArray[np.int32]  # [k] ids in the target's vocabulary, likeliest first
    probabilities: NDArray[np.float32]  # [k] as the draft model has them


@dataclass(frozen=True, slots=True)
class DraftModelTree:
    """A draft tree of the model: n nodes below the root, which is the last token of the text."""

    tokens: NDArray[np.int32]  # [n] ids in the target's vocabulary
    parents: NDArray[np.int32]  # [n] -1 = child of the root; parents first
    probabilities: NDArray[np.float32]  # [n] P(token | its parent), as the draft model has it
    ranks: NDArray[np.int32]  # [n] among siblings, 0 = likeliest


class DraftModel:
    """A loaded draft model, paired with one target. Not thread-safe. Raises ModelFileError, OutOfMemoryError,
    DraftMismatchError when it cannot be used."""

    def __init__(self, path: Path, target: Weights, context: int, threads: int, gpu_layers: int = -1) -> None:
        """`context`: tokens of the target's context, which the draft follows as far as it was trained."""
        self.path = path
        self._weights = Weights(path, gpu_layers, attention=_ATTENTION)
        self._context: BranchingContext | None = None
        try:
            pairing = pair(target, self._weights)
            cells = min(context, self._weights.trained_context) + WIDTH * MAX_DEPTH
            needed = self._weights.kv_bytes(cells)
            free = psutil.virtual_memory().available
            if needed + _HEADROOM > free and self._weights.gpu_layers == 0:
                raise OutOfMemoryError(
                    f"The draft model {path.name} needs {needed / 2**30:.1f} GiB for its context;"
                    f" {free / 2**30:.1f} GiB of memory are free.",
                    "The chat goes on without it. Choose a smaller context to use it.",
                )
            self._context = BranchingContext(self._weights, cells, threads)
        except ModelError:
            self.close()
            raise
        self._target_ids = pairing.target_ids
        self._input_ids = pairing.input_ids
        self.knows = pairing.known
        """[target vocabulary] True for the tokens that it can propose"""
        self.longest = cells - WIDTH * MAX_DEPTH
        """tokens of the longest text it can follow"""
        self._seconds: dict[int, float] = {}

    @property
    def description(self) -> str:
        """Architecture, size and format in llama.cpp's words."""
        return self._weights.description

    @property
    def vocabulary_size(self) -> int:
        """Tokens it can propose."""
        return int(self.knows.sum())

    @property
    def cached(self) -> NDArray[np.int32]:
        """What its KV cache holds [n], in its own ids."""
        return self._live.cached

    def seconds(self, rows: int) -> float:
        """Mean measured time of a decode of so many rows or, unless measured yet, of the nearest number."""
        if not self._seconds:
            return 0.0
        return self._seconds[min(self._seconds, key=lambda known: abs(known - rows))]

    def follow(
        self, tokens: NDArray[np.int32], count: int = FIRST_TOP_K, meanwhile: Callable[[], object] | None = None
    ) -> TopK | None:
        """Bring the KV cache to `tokens` [n], ids of the target; the top `count` tokens behind them.

        None for a text that is longer than its context. `meanwhile` is called when the model begins to compute.
        """
        if len(tokens) > self.longest:
            return None
        own = self._input_ids[tokens]
        started = perf_counter()
        logits = self._live.follow(own, meanwhile)
        if self._live.followed <= WIDTH:
            self._measured(self._live.followed, perf_counter() - started)
        return self._top_k(logits, count, exactly=count > WIDTH)

    def draft_tree(
        self,
        first: TopK,
        max_nodes: int,
        min_probability: float = 0.0,
        target_seconds: float = 0.0,
        row_price: float | None = None,
    ) -> DraftModelTree:
        """The tree of up to `max_nodes` nodes with the highest path probabilities, below the text followed last.

        `first` is the top-k that `follow` gave. Nodes with a path probability below `min_probability` are left out. A
        further level is decoded only while it can add to the best `max_nodes` and, where `target_seconds` (the
        target's seconds per token) is given, while its expected gain exceeds its cost. `row_price` is what verifying
        a row costs, in tokens (`min_probability` unless given).
        """
        price_of_row = min_probability if row_price is None else row_price
        tree = _Tree(max_nodes, min_probability)
        tree.add(first, -1)
        ends: dict[int, int] = {-1: 0}
        open_branches = 0
        for depth in range(1, MAX_DEPTH):
            nodes = tree.frontier(depth)[: min(WIDTH, MAX_BRANCHES - open_branches)]
            if not nodes:
                break
            seconds = self.seconds(len(nodes))
            # Expected tokens of a further level, less the rows that verify them.
            expected_gain = sum(max(0.0, tree.paths[node] * FIRST_HIT - price_of_row) for node in nodes)
            if target_seconds > 0 and expected_gain * target_seconds < seconds:
                break
            started = perf_counter()
            logits, now = self._live.grow(
                [int(self._input_ids[tree.tokens[node]]) for node in nodes],
                [ends[tree.parents[node]] for node in nodes],
                depth,
            )
            open_branches = max(open_branches, *now)
            for row, node in enumerate(nodes):
                ends[node] = now[row]
                tree.add(self._top_k(logits[row], WIDTH, exactly=False), node)
            self._measured(len(nodes), perf_counter() - started)
        self._live.drop_branches()
        return tree.best()

    def work_alone(self, alone: bool) -> None:
        """Whether nothing else computes while it does: it then takes all the threads that make it faster."""
        self._live.work_alone(alone)

    def heed(self, signal: StopSignal | None) -> None:
        """Raise StoppedError once this is set; None: no longer."""
        if self._context is not None:
            self._context.heed(signal)

    def forget(self) -> None:
        """Empty the KV cache."""
        self._live.forget()

    def close(self) -> None:
        """Free context and weights; safe to call twice."""
        if self._context is not None:
            self._context.close()
            self._context = None
        self._weights.close()

    @property
    def _live(self) -> BranchingContext:
        if self._context is None:
            raise ModelError(f"The draft model {self.path.name} was closed.", "Load it again.")
        return self._context

    def _top_k(self, logits: NDArray[np.float32], count: int, *, exactly: bool = True) -> TopK:
        """The `count` likeliest tokens; unless `exactly`, those far less likely than the best may be left out."""
        likelihood = np.exp(logits - logits.max())
        # Choosing among the few that come near the best is several times as fast as partitioning all of them.
        near = np.flatnonzero(likelihood > (_FAR if exactly else _NEAR))
        if exactly and len(near) < count:
            near = np.argpartition(likelihood, -min(count, len(logits)))[-count:]
        elif len(near) > _FEW:
            near = near[np.argpartition(likelihood[near], -count)[-count:]]
        best = near[np.argsort(-likelihood[near], kind="stable")][:count]
        probabilities = likelihood[best] / likelihood.sum()
        tokens = self._target_ids[best]
        real = tokens >= 0
        if not real.all():
            tokens, probabilities = tokens[real], probabilities[real]
        return TopK(tokens, probabilities.astype(np.float32))

    def _measured(self, rows: int, seconds: float) -> None:
        known = self._seconds.get(rows)
        self._seconds[rows] = seconds if known is None else known + _FADING * (seconds - known)


class _Tree:
    """The draft tree under construction."""

    def __init__(self, max_nodes: int, min_probability: float) -> None:
        self._max_nodes = max_nodes
        self._min_probability = min_probability
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.paths: list[float] = []
        self._probabilities: list[float] = []
        self._ranks: list[int] = []
        self._depths: list[int] = []

    def add(self, top_k: TopK, parent: int) -> None:
        """Append the likeliest tokens as children of a node."""
        above = self.paths[parent] if parent >= 0 else 1.0
        depth = self._depths[parent] + 1 if parent >= 0 else 1
        most = min(WIDTH, self._max_nodes)
        pairs = zip(top_k.tokens[:most].tolist(), top_k.probabilities[:most].tolist(), strict=True)
        for rank, (token, probability) in enumerate(pairs):
            path = above * probability
            if path < self._min_probability:
                break
            self.tokens.append(token)
            self.parents.append(parent)
            self.paths.append(path)
            self._probabilities.append(probability)
            self._ranks.append(rank)
            self._depths.append(depth)

    def frontier(self, depth: int) -> list[int]:
        """The nodes of a level that are among the best of the whole tree, best first."""
        return [node for node in self._order() if self._depths[node] == depth]

    def best(self) -> DraftModelTree:
        """The nodes with the highest path probabilities, in the order in which they were found."""
        kept = sorted(self._order())
        place = {-1: -1} | {node: number for number, node in enumerate(kept)}
        return DraftModelTree(
            np.array([self.tokens[node] for node in kept], np.int32),
            np.array([place[self.parents[node]] for node in kept], np.int32),
            np.array([self._probabilities[node] for node in kept], np.float32),
            np.array([self._ranks[node] for node in kept], np.int32),
        )

    def _order(self) -> list[int]:
        # A path probability never exceeds its parent's, and ties go to the earlier node: the best are closed upwards.
        return sorted(range(len(self.paths)), key=lambda node: -self.paths[node])[: self._max_nodes]
