"""Protocols for the target, sampler, drafters and matchers of speculative decoding, and the values they exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.tree import DraftTree


class Target(Protocol):
    """The model that verifies. `begin` was called: its KV cache holds the prompt but for the root."""

    @property
    def context_size(self) -> int:
        """Positions the KV cache can hold."""

    @property
    def cached(self) -> int:
        """Positions the KV cache holds."""

    @property
    def disturbed(self) -> bool:
        """Other programs hold the processor: what decodes take now is not to be learnt from."""

    def decode(self, root: int, tokens: NDArray[np.int32], parents: NDArray[np.int32], rows: int = 0) -> None:
        """Decode root and tree in one batch; row 0 is the root, row i + 1 node i. Rows that nobody reads fill it up to
        `rows`."""

    def keep(self, path: NDArray[np.int32]) -> None:
        """Commit root and accepted nodes to the KV cache."""

    def is_end(self, token: int) -> bool:
        """True for tokens that end a reply."""

    def use_states(self, on: bool) -> None:
        """Keep the hidden states of what is decoded from now on."""

    def known_states(self) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
        """Hidden states [n, d] of the cached positions, and for which of them they are known [n]. Views."""


class Sampler(Protocol):
    """Draws from the rows of the target's last decode, with one random stream for the whole reply."""

    def sample(self, row: int) -> int:
        """The token that follows row `row`."""

    def allowed(self, tokens: NDArray[np.int32], parents: NDArray[np.int32]) -> Sequence[int] | None:
        """The nodes of a draft below the root that the reply's grammar lets through, parents first; None where there is
        no grammar. A draft needs no others: they would never be accepted."""


class Context:
    """The committed token ids, root last, and the target's hidden states of those before it."""

    def __init__(
        self,
        prompt: NDArray[np.int32],
        room: int,
        known_states: Callable[[], tuple[NDArray[np.float16], NDArray[np.bool_]]] | None = None,
    ) -> None:
        """`room`: tokens that will be committed at most; `known_states` as `Target.known_states`."""
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
        """Hidden states [n - 1, d] of all positions but the root's, and for which of them they are known [n - 1]; none
        when no drafter asked for them. Views that the next `extend` outgrows."""
        if self._known_states is None:
            return np.empty((0, 0), np.float16), np.empty(0, np.bool_)
        return self._known_states()

    def extend(self, tokens: NDArray[np.int32]) -> None:
        """Commit more tokens."""
        self._buffer[self._length : self._length + len(tokens)] = tokens
        self._length += len(tokens)


@dataclass(slots=True)
class Step:
    """What one verification brought."""

    emitted: NDArray[np.int32]  # [a + 1] accepted tokens, then the recovered or bonus token (see `verify`)
    source: NDArray[np.uint8]  # [a + 1] who proposed each token (0 = the target itself)
    tree: DraftTree  # what was verified
    path: NDArray[np.int32]  # [a] accepted nodes
    propose_seconds: float  # drafters at work: proposing, and learning from what became of it
    decode_seconds: float
    sample_seconds: float
    rest_seconds: float
    finish: str
    """why the reply ends here: "end" (the model ended it), "length", "context" (full), or "" (it goes on)"""
    disturbed: bool = False
    """other programs held the processor"""

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
    """What dense retrieval (nearest hidden states) found in a reply so far."""

    searches: int = 0
    kept: int = 0  # neighbours whose next token was the root
    similarity: float = 0.0  # sum over those

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

    prefill: float = 0.0  # the draft model reading the prompt
    drafting: float = 0.0  # the draft model at work
    retrieval: float = 0.0  # searches
    overlapped: float = 0.0  # of those two, what ran at the same time


class Match(NamedTuple):
    """A place in a text that is like the end of the context: an n-gram match (the same last tokens) or a dense match
    (a similar hidden state). What follows it there is a draft."""

    text: Sequence[int]
    place: int
    """index of the token that followed; may be the text's length, or hold a negative padding id where the text ends"""
    length: int  # tokens that are the same; 0 for a dense match
    similarity: float  # inner product of the unit vectors; 0 for an n-gram match
    votes: float  # its weight among the matches of its kind
    source: int  # bit of `DraftTree.source`


@dataclass(frozen=True, slots=True)
class Matches:
    """Matches of one kind, the best first, as arrays: what `Match` tells of each."""

    text: NDArray[np.int32]  # [t], one or more texts behind one another
    places: NDArray[np.int64]  # [m]
    ends: NDArray[np.int64]  # [m] where the text of each match ends
    lengths: NDArray[np.int32]  # [m]
    similarity: NDArray[np.float64]  # [m]
    votes: NDArray[np.float64]  # [m]
    source: int
    sources: NDArray[np.uint8] | None = None  # [m] of each, where they differ; `source` then is what all have in common

    def __len__(self) -> int:
        return len(self.places)

    def by_source(self) -> list[Matches]:
        """The same in groups of one source each, over one text."""
        if self.sources is None:
            return [self]
        groups = []
        for source in np.unique(self.sources).tolist():
            at = self.sources == source
            own = replace(self, source=source, sources=None, places=self.places[at], ends=self.ends[at])
            votes = {"similarity": self.similarity[at], "votes": self.votes[at]}
            groups.append(replace(own, lengths=self.lengths[at], **votes))
        return groups

    def __iter__(self) -> Iterator[Match]:
        """One by one, source by source, each with its own text up to its end."""
        text = self.text.tolist()
        for group in self.by_source():
            columns = (group.places, group.ends, group.lengths, group.similarity, group.votes)
            for place, end, length, similarity, votes in zip(*(column.tolist() for column in columns), strict=True):
                yield Match(text[:end], place, length, similarity, votes, group.source)

    @staticmethod
    def of_rows(
        continuations: NDArray[np.int32],
        votes: NDArray[np.float64],
        source: int,
        *,
        lengths: NDArray[np.int32] | None = None,
        similarity: NDArray[np.float32] | None = None,
        sources: NDArray[np.uint8] | None = None,
    ) -> Matches:
        """Matches that bring what follows them [m, c], padded with negative ids."""
        count, width = continuations.shape
        places = np.arange(count, dtype=np.int64) * width
        return Matches(
            np.ascontiguousarray(continuations, np.int32).reshape(-1),
            places,
            places + width,
            np.zeros(count, np.int32) if lengths is None else lengths,
            np.zeros(count) if similarity is None else similarity.astype(np.float64),
            np.ascontiguousarray(votes, np.float64),
            source,
            sources,
        )


class Matcher(Protocol):
    """Searches for places that are like the end of the context: prompt lookup, REST, DReSD."""

    def begin(self, context: Context) -> None:
        """A new reply starts."""

    def matches(self, context: Context) -> Matches:
        """Places where the text may go on as the context does, the best first."""


class Drafter(Protocol):
    """Proposes a draft tree for a context, and learns from what the target made of it."""

    name: str
    needs_states: bool  # it asks for the target's hidden states

    @property
    def retrieval(self) -> Retrieval | None:
        """What its dense retrieval found since `begin`; None for drafters without one."""

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
    """True when any drafter asks for the target's hidden states."""
    return any(drafter.needs_states for drafter in drafters)


def retrieval_of(drafters: Sequence[Drafter]) -> Retrieval | None:
    """What the drafter with dense retrieval has found; None where none has it."""
    return next((found for drafter in drafters if (found := drafter.retrieval) is not None), None)
