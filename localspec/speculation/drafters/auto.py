"""Auto: all sources in one tree on one scale of acceptance, each asked only where its gain exceeds its cost."""

from __future__ import annotations

from time import perf_counter
from typing import NamedTuple

from localspec.speculation.acceptance import KINDS, Acceptance
from localspec.speculation.builder import TreeInputs, build_tree
from localspec.speculation.drafters.dresd import DresdDrafter
from localspec.speculation.drafters.model import ModelDrafter
from localspec.speculation.drafters.prompt import MAX_N, VOTES, PromptDrafter
from localspec.speculation.drafters.recycling import RecycledTokens
from localspec.speculation.drafters.rest import RestDrafter
from localspec.speculation.interface import Context, DraftTimes, Matcher, Retrieval, Step
from localspec.speculation.policy import DRAFT_MODEL, Budget, SourceGate, SpeculationGate
from localspec.speculation.tree import SOURCE_DRAFT, SOURCE_DRESD, SOURCES_NGRAM, DraftTree

_NGRAM, _DENSE, _DRAFT = (KINDS.index(kind) for kind in (SOURCES_NGRAM, SOURCE_DRESD, SOURCE_DRAFT))


class Gates(NamedTuple):
    """Of the library's n-grams, of dense retrieval and of the draft model, and of drafting as a whole."""

    ngrams: SourceGate
    dense: SourceGate
    draft: SourceGate
    speculation: SpeculationGate


def new_gates() -> Gates:
    """Before anything is known."""
    return Gates(SourceGate(), SourceGate(), SourceGate(DRAFT_MODEL), SpeculationGate())


class AutoDrafter:
    """Prompt lookup and recycled tokens always; the library's n-grams, dense retrieval and the draft model at steps of
    a kind where their expected gain exceeds their cost. Trees come estimated, best node first."""

    name = "auto"

    def __init__(
        self,
        budget: Budget,
        *,
        rest: RestDrafter | None = None,
        dense: DresdDrafter | None = None,
        draft: ModelDrafter | None = None,
        recycled: RecycledTokens | None = None,
        gates: Gates | None = None,
    ) -> None:
        """`budget` sizes the trees and owns their estimates (made with `estimated`); `gates`: what earlier
        replies have told of the sources. Raises ValueError for a budget without acceptance estimates."""
        if budget.acceptance is None:
            raise ValueError("Auto's trees need a budget with acceptance estimates")
        self.needs_states = dense is not None
        self._acceptance = budget.acceptance
        self._budget = budget
        self._prompt = PromptDrafter(MAX_N)
        self._rest = rest
        self._dense = dense
        self._draft = draft
        self._recycled = recycled
        self.gates: Gates = gates or new_gates()
        self._root = -1
        self._cached = 0
        self._plain_seconds = 0.0
        self._tried = False

    @property
    def retrieval(self) -> Retrieval | None:
        """What the dense retrieval found."""
        return self._dense.retrieval if self._dense is not None else None

    @property
    def times(self) -> DraftTimes | None:
        """Where the time went, with a draft model."""
        return self._draft.times if self._draft is not None else None

    def begin(self, context: Context) -> None:
        """A new reply starts."""
        self._acceptance.begin()
        self.gates.speculation.begin()
        self._tried = False
        for matcher in (self._prompt, self._rest, self._dense):
            if matcher is not None:
                matcher.begin(context)
        if self._draft is not None:
            # A draft model that is hardly ever asked reads the prompt only when it is.
            self._draft.begin(context, read=self.gates.draft.in_use)

    def propose(self, context: Context, limit: int) -> DraftTree:
        """A tree from the free sources first, then from others whose expected gain exceeds their cost."""
        tokens = context.tokens
        cached = self._cached = len(tokens) - 1
        cost = self._budget.cost
        throughput = cost.throughput(cached)
        self._plain_seconds = cost.plain_seconds(cached)
        self._tried = throughput <= 0.0 or self.gates.speculation.wants()
        if not self._tried:
            return DraftTree.empty()
        self._root = int(tokens[-1])
        inputs = TreeInputs(tokens, [], index=self._prompt.index(context), votes=VOTES)
        if self._recycled is not None and self._recycled.wanted(throughput):
            inputs.recycled = self._recycled.table
        proposal = _Proposal(self._budget, self._acceptance, inputs, limit, cached)
        tree = proposal.tree
        likeliest = float(tree.path_probability[0]) if len(tree) else 0.0

        def wanted(source: int) -> bool:
            return asked[source].wants(likeliest, float(residual[source]), throughput)

        def brought(source: int, started: float) -> None:
            """Take what a source brought into the tree, and tell its gate what that gained and cost."""
            gain = proposal.rebuild()
            seconds = perf_counter() - started
            asked[source].observe(likeliest, float(residual[source]), gain, seconds, throughput)

        residual, asked = self._acceptance.residual, (self.gates.ngrams, self.gates.dense, self.gates.draft)
        matchers: tuple[tuple[int, Matcher | None], ...] = ((_NGRAM, self._rest), (_DENSE, self._dense))
        for source, matcher in matchers:
            if matcher is not None and wanted(source):
                started = perf_counter()
                inputs.matches.append(matcher.matches(context))
                brought(source, started)
        if self._draft is not None and wanted(_DRAFT):
            started = perf_counter()
            self._draft.catch_up(tokens)  # reading the prompt is part of its price
            seconds_per_token = 1.0 / throughput if throughput > 0 else 0.0
            inputs.drafted = self._draft.candidates(
                tokens, limit, proposal.min_probability, cost.row_price(cached), seconds_per_token
            )
            brought(_DRAFT, started)
        return proposal.tree

    def observe(self, step: Step) -> None:
        """Learn what the target held to be likely on the way, and whether drafting pays."""
        started = perf_counter()
        tried, self._tried = self._tried, False
        if tried and self._recycled is not None:
            self._recycled.refresh(self._root, step)
        seconds = step.seconds + perf_counter() - started
        for gate in (self.gates.ngrams, self.gates.dense, self.gates.draft):
            gate.pass_time(seconds)
        if self._plain_seconds > 0:
            cost = self._budget.cost
            expected, change = cost.plain_steps(len(step.tree), self._cached), cost.settling_steps(self._cached)
            # What going back to one row takes is part of what drafting took.
            charged = tried or change > 0.0
            self.gates.speculation.observe(
                len(step.emitted), seconds, self._plain_seconds, expected, charged=charged, change=change
            )


class _Proposal:
    """The tree of one step while one source after the other is asked."""

    def __init__(self, budget: Budget, estimate: Acceptance, inputs: TreeInputs, limit: int, cached: int) -> None:
        self._cost = budget.cost
        self._estimate = estimate
        self._inputs = inputs
        self._limit = limit
        self._cached = cached
        self.min_probability = self._cost.min_probability(cached)
        self.tree = self._build()

    def rebuild(self) -> float:
        """Build the tree anew from all inputs. Returns what is gained: in tokens, by what is known now, the part of the
        new tree that will be verified against the part of the old one that would have been."""
        before, self.tree = self.tree, self._build()
        return self._cost.gain(before, self.tree, self._cached)

    def _build(self) -> DraftTree:
        return build_tree(
            self._inputs,
            self._limit,
            estimate=self._estimate,
            min_probability=self.min_probability,
            max_depth=self._limit,
        )
