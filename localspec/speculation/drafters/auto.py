"""Auto: all sources in one tree on one scale of acceptance, each asked only where it pays for its time."""

from __future__ import annotations

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.acceptance import Acceptance
from localspec.speculation.budget import Budget
from localspec.speculation.decode import Context, DraftTimes, Retrieval, Step
from localspec.speculation.drafters.dresd import DresdDrafter
from localspec.speculation.drafters.model import ModelDrafter
from localspec.speculation.drafters.recycling import RecycledTokens
from localspec.speculation.drafters.rest import RestDrafter
from localspec.speculation.drafters.weights import suffix_weights
from localspec.speculation.economy import MODEL, SourceGate, SpeculationGate
from localspec.speculation.growth import TreeInputs, grow
from localspec.speculation.sightings import ContextIndex
from localspec.speculation.tree import DraftTree

_EXACT, _NEAR, _DRAFT = 0, 1, 2
SourceGates = tuple[SourceGate, SourceGate, SourceGate]
"""Of the library's n-grams, of nearest states and of the draft model."""
_VOTES = [float(vote) for vote in suffix_weights(np.arange(64, dtype=np.int16))]


def new_source_gates() -> SourceGates:
    """Before anything is known."""
    return SourceGate(), SourceGate(), SourceGate(MODEL)


class AutoDrafter:
    """Prompt lookup and recycled tokens always; the library's n-grams, nearest states and the draft model at steps of
    a kind where what they bring is worth what they take. Trees come calibrated, best node first."""

    name = "auto"

    def __init__(
        self,
        acceptance: Acceptance,
        budget: Budget,
        *,
        rest: RestDrafter | None = None,
        dense: DresdDrafter | None = None,
        draft: ModelDrafter | None = None,
        recycled: RecycledTokens | None = None,
        source_gates: SourceGates | None = None,
    ) -> None:
        """`budget` sizes the trees; it must not calibrate them again. `economies`: what earlier replies have told of
        the sources."""
        self.needs_states = dense is not None
        self._acceptance = acceptance
        self._budget = budget
        self._rest = rest
        self._dense = dense
        self._draft = draft
        self._recycled = recycled
        self._index = ContextIndex(_VOTES)
        self.source_gates: SourceGates = source_gates or new_source_gates()
        self._root = -1
        self._pace = 0.0
        self._alertness = SpeculationGate()
        self._tried = False

    @property
    def retrieval(self) -> Retrieval | None:
        """What the search by state found."""
        return self._dense.retrieval if self._dense is not None else None

    @property
    def times(self) -> DraftTimes | None:
        """Where the time went, with a draft model."""
        return self._draft.times if self._draft is not None else None

    def begin(self, context: Context) -> None:
        """A new reply starts."""
        self._acceptance.begin()
        self._alertness = SpeculationGate()
        self._tried = False
        self._index = ContextIndex(_VOTES)
        self._index.follow(context.tokens.tolist())
        for drafter in (self._rest, self._dense):
            if drafter is not None:
                drafter.begin(context)
        if self._draft is not None:
            # A draft model that is hardly ever asked reads the prompt only when it is.
            self._draft.begin(context, read=self.source_gates[_DRAFT].in_use)

    def propose(self, context: Context, limit: int) -> DraftTree:
        """What is known for nothing, then what is worth asking."""
        tokens = context.tokens
        budget = self._budget
        cached = len(tokens) - 1
        pace = self._pace = budget.pace(cached)
        self._tried = pace <= 0.0 or self._alertness.tries()
        if not self._tried:
            return DraftTree.empty()
        index = self._index
        index.follow(tokens[len(index.tokens) :].tolist())
        self._root = index.tokens[-1]
        least = budget.least(cached)
        chance = self._acceptance.chance()
        luck = self._acceptance.luck
        soil = TreeInputs(self._root, index.sightings(), look_up=index.sightings)
        if self._recycled is not None:
            soil.recycled = self._recycled.behind
        tree, paths = grow(soil, chance, limit, least, limit)
        likely = paths[0] if paths else 0.0

        def credit(source: int, started: float) -> None:
            """Grow anew with what a source brought, and tell its economy what that changes: by what is known now, the
            tree that would have been sent without it against the one that will be."""
            nonlocal tree, paths
            before, size = tree, budget.size(np.array(paths), cached)
            tree, paths = grow(soil, chance, limit, least, limit)
            without = budget.worth(_known_now(before, size, tree, paths), size, cached)
            now = np.array(paths)
            gain = budget.worth(now, budget.size(now, cached), cached) - without
            self.source_gates[source].observe(likely, luck[source], gain, perf_counter() - started, pace)

        def wanted(source: int) -> bool:
            return self.source_gates[source].wants(likely, luck[source], pace)

        if self._rest is not None and wanted(_EXACT):
            started = perf_counter()
            soil.sightings += self._rest.sightings(tokens)
            credit(_EXACT, started)
        if self._dense is not None and wanted(_NEAR):
            started = perf_counter()
            soil.sightings += self._dense.sightings(context)
            credit(_NEAR, started)
        if self._draft is not None and wanted(_DRAFT):
            self._draft.catch_up(tokens)
            started = perf_counter()
            soil.guesses = self._draft.guesses(
                tokens, limit, least, budget.row_price(cached), 1.0 / pace if pace > 0 else 0.0
            )
            credit(_DRAFT, started)
        return tree

    def observe(self, step: Step) -> None:
        """Learn what became of the tree, and what the target held to be likely on the way."""
        started = perf_counter()
        tried, self._tried = self._tried, False
        if tried:
            self._acceptance.observe(step.tree, step.path)
            if self._recycled is not None:
                self._recycled.refresh(self._root, step, self._pace)
        overhead = step.propose_seconds + perf_counter() - started
        self._alertness.observe(
            len(step.emitted), step.decode_seconds, overhead, drafted=len(step.tree) > 0, tried=tried
        )


def _known_now(before: DraftTree, size: int, now: DraftTree, paths: list[float]) -> NDArray[np.float64]:
    """Path probabilities [size] of the first nodes of an earlier tree as they stand in a later one; 0 for those that
    are not in it."""
    places = {
        (parent, token): node
        for node, (parent, token) in enumerate(zip(now.parents.tolist(), now.tokens.tolist(), strict=True))
    }
    chances = np.zeros(size)
    place: list[int] = []
    pairs = zip(before.parents[:size].tolist(), before.tokens[:size].tolist(), strict=True)
    for node, (parent, token) in enumerate(pairs):
        above = place[parent] if parent >= 0 else -1
        found = places.get((above, token), -2) if above >= -1 else -2
        place.append(found)
        if found >= 0:
            chances[node] = paths[found]
    return chances
