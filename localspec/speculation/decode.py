"""The decoding loop. Everything else (chat, command line, benchmarks, tests) consumes its stream of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.budget import Budget, Spent
from localspec.speculation.tree import SOURCE_TARGET, DraftTree, fuse
from localspec.speculation.verify import walk


class Target(Protocol):
    """The model that verifies. `begin` was called: its KV cache holds the prompt but for the root."""

    @property
    def context_size(self) -> int:
        """Positions the KV cache can hold."""

    @property
    def cached(self) -> int:
        """Positions the KV cache holds."""

    def decode(self, root: int, tokens: NDArray[np.int32], parents: NDArray[np.int32]) -> None:
        """Decode root and tree in one batch; row 0 is the root, row i + 1 node i."""

    def keep(self, path: NDArray[np.int32]) -> None:
        """Commit root and accepted nodes to the KV cache."""

    def is_end(self, token: int) -> bool:
        """True for tokens that end a reply."""

    def use_states(self, on: bool) -> None:
        """Keep the states of what is decoded from now on."""

    def known_states(self) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
        """States [n, d] of the cached positions, and for which of them they are known [n]. Views."""


class Sampler(Protocol):
    """Draws from the rows of the target's last decode, with one random stream for the whole reply."""

    def sample(self, row: int) -> int:
        """The token that follows row `row`."""


class Context:
    """The committed token ids, root last, and the target's states of those before it."""

    def __init__(
        self,
        prompt: NDArray[np.int32],
        room: int,
        known_states: Callable[[], tuple[NDArray[np.float16], NDArray[np.bool_]]] | None = None,
    ) -> None:
        self._known_states = known_states
        self._buffer = np.empty(len(prompt) + room + 1, dtype=np.int32)
        self._buffer[: len(prompt)] = prompt
        self._length = len(prompt)

    @property
    def tokens(self) -> NDArray[np.int32]:
        """[n] ids, a view that the next `extend` outgrows."""
        return self._buffer[: self._length]

    @property
    def states(self) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
        """States [n - 1, d] of all positions but the root's, and for which of them they are known [n - 1]; none when
        no drafter asked for them. Views that the next `extend` outgrows."""
        if self._known_states is None:
            return np.empty((0, 0), np.float16), np.empty(0, np.bool_)
        return self._known_states()

    def extend(self, tokens: NDArray[np.int32]) -> None:
        """Commit more tokens."""
        self._buffer[self._length : self._length + len(tokens)] = tokens
        self._length += len(tokens)


@dataclass(frozen=True, slots=True)
class Step:
    """What one verification brought."""

    emitted: NDArray[np.int32]
    """[a + 1] tokens, the bonus token last"""
    source: NDArray[np.uint8]
    """[a + 1] who proposed each token (0 = the target itself)"""
    tree: DraftTree
    """what was verified"""
    path: NDArray[np.int32]
    """[a] accepted nodes"""
    propose_seconds: float
    """drafters at work: proposing, and learning from what became of it"""
    decode_seconds: float
    sample_seconds: float
    rest_seconds: float
    finish: str
    """why the reply ends here: "end" (the model ended it), "length", "context" (full), or "" (it goes on)"""

    @property
    def accepted(self) -> int:
        """Draft nodes on the accepted path."""
        return len(self.path)

    @property
    def seconds(self) -> float:
        """The whole step."""
        return self.propose_seconds + self.decode_seconds + self.sample_seconds + self.rest_seconds


@dataclass(slots=True)
class Retrieval:
    """What the searches by state found in a reply so far."""

    searches: int = 0
    kept: int = 0
    """neighbours whose next token was the root"""
    similarity: float = 0.0
    """sum over those"""

    def count(self, similarity: NDArray[np.float32]) -> None:
        """Add one search, with the similarities [m] of the neighbours that were kept."""
        self.searches += 1
        self.kept += len(similarity)
        self.similarity += float(similarity.sum())

    @property
    def kept_per_search(self) -> float:
        """Neighbours kept, on average; 0 without a search."""
        return self.kept / self.searches if self.searches else 0.0

    @property
    def mean_similarity(self) -> float:
        """Of the neighbours kept; 0 where there were none."""
        return self.similarity / self.kept if self.kept else 0.0


@dataclass(slots=True)
class DraftTimes:
    """Where the time of proposing went in a reply so far, in seconds."""

    prefill: float = 0.0
    """the draft model reading the prompt"""
    drafting: float = 0.0
    """the draft model at work"""
    retrieval: float = 0.0
    """searches"""
    overlapped: float = 0.0
    """of those two, what ran at the same time"""


class Drafter(Protocol):
    """Proposes a draft tree for a context, and learns from what the target made of it."""

    name: str
    needs_states: bool

    @property
    def retrieval(self) -> Retrieval | None:
        """What its searches by state found since `begin`; None for drafters that don't search so."""

    @property
    def times(self) -> DraftTimes | None:
        """Where its time went since `begin`; None for drafters that only search."""

    def begin(self, context: Context) -> None:
        """A new reply starts."""

    def propose(self, context: Context, limit: int) -> DraftTree:
        """Up to about `limit` nodes below the context's last token; empty when there is nothing to say."""

    def observe(self, step: Step) -> None:
        """What the verification brought."""


def need_states(drafters: Sequence[Drafter]) -> bool:
    """True when any drafter asks for the target's states."""
    return any(drafter.needs_states for drafter in drafters)


def retrieval_of(drafters: Sequence[Drafter]) -> Retrieval | None:
    """What the drafter that searches by state has found; None where none does."""
    return next((found for drafter in drafters if (found := drafter.retrieval) is not None), None)


def times_of(drafters: Sequence[Drafter]) -> DraftTimes | None:
    """Where the time of the drafter with a draft model went; None where none has one."""
    return next((times for drafter in drafters if (times := drafter.times) is not None), None)


def generate(
    target: Target,
    sampler: Sampler,
    drafters: Sequence[Drafter],
    prompt: NDArray[np.int32],
    budget: Budget,
    max_tokens: int,
    clock: Callable[[], float] = perf_counter,
    *,
    keep_states: bool = False,
) -> Iterator[Step]:
    """Decode a reply to `prompt` [n], one `Step` per verification. No drafters: plain decoding, one token a step.

    The last prompt token is the first root, so even the first token may be drafted. The KV cache is consistent at each
    yield: closing the generator between steps loses nothing. Time the consumer spends between steps is not counted.
    The target keeps the states of the reply when a drafter needs them, or for `keep_states`.
    """
    with_states = keep_states or need_states(drafters)
    target.use_states(with_states)
    context = Context(prompt, max_tokens, target.known_states if with_states else None)
    for drafter in drafters:
        drafter.begin(context)
    left = max_tokens
    empty = DraftTree.empty()
    while left > 0:
        started = clock()
        tree = empty
        cached = target.cached
        room = target.context_size - cached - 1
        if drafters:
            limit = min(budget.limit, room)
            if limit > 0 and left > 1:
                proposals = [drafter.propose(context, limit) for drafter in drafters]
                tree = budget.choose(fuse(proposals), limit, left - 1, cached)
        proposed = clock()
        root = int(context.tokens[-1])
        target.decode(root, tree.tokens, tree.parents)
        decoded = clock()
        path, emitted = walk(tree, sampler.sample, target.is_end)
        sampled = clock()
        target.keep(path)
        context.extend(emitted)
        left -= len(emitted)
        finish = ""
        if target.is_end(int(emitted[-1])):
            finish = "end"
        elif left <= 0:
            finish = "length"
        elif target.cached >= target.context_size:  # with or without drafts, the last position is used
            finish = "context"
        source = np.full(len(emitted), SOURCE_TARGET, dtype=np.uint8)
        accepted = min(len(path), len(emitted))
        source[:accepted] = tree.source[path[:accepted]]
        budget.observe(tree, path, Spent(cached, sampled - proposed, sampled - started))
        rest = clock() - sampled
        step = Step(
            emitted, source, tree, path, proposed - started, decoded - proposed, sampled - decoded, rest, finish
        )
        if drafters:
            kept = clock()
            for drafter in drafters:
                drafter.observe(step)
            step = replace(step, propose_seconds=step.propose_seconds + clock() - kept)
        yield step
        if finish:
            return
