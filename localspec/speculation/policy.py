"""How much is drafted: the size of each tree (budgets), and which sources are asked at a step (gates).

A budget owns the acceptance estimates: it alone learns from verifications, and it estimates trees that do not come
estimated. What things cost is in `cost.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.acceptance import Acceptance
from localspec.speculation.cost import (
    DEAR_CHANGE,
    NO_COST,
    CostModel,
    DecodeTimes,
    FreeRows,
    MeasuredCost,
    StepCost,
    ThroughputAverage,
)
from localspec.speculation.tree import DraftTree
from localspec.speculation.tree_size import best_size

PAPER_NODES = 64
"""Tree size of REST and RASD as published (arXiv 2311.08252, 2503.03434)."""
MAX_ACCEPTANCE = 0.98
"""Of a draft that copies: nodes beyond what pays then never do, and are not even proposed."""
MIN_LIMIT = 8
"""Nodes that are proposed on any device: measured times may be wrong."""

VERIFYING = 0.00015
"""Seconds that a drafted step takes beyond its decode, to sample its rows and keep its path. What proposing took is
spent when the tree is sized (`benchmarks.overhead`; docs/log.md)."""

PROBABILITY_BOUNDS = (0.02, 0.15, 0.35, 0.55, 0.7, 0.82, 0.92)
"""Steps are told apart by the probability of the first token that the free sources propose."""
_RESIDUAL_BOUND = 0.05
"""And by whether a source's residual is below, within or above these bounds."""
_FADING = 0.04
"""Weight of the newest step in what a source gains and costs."""
_USE_FADING = 0.01
"""Weight of the newest step in how often a source is asked."""
_MIN_USE = 0.06
EXPLORATION = 0.01
"""Part of the time that may be spent on trying what did not pay."""
_SOURCES = 4
"""Three sources and drafting as a whole share it."""
START_CREDIT = 0.5
"""Plain steps that drafting may lose at the beginning of a reply, when nothing is known of its text."""
CARRIED = 0.5
"""Of what is left of the last reply's account; so the first replies of all lose least."""
FORGIVEN = 2.0
"""Plain steps: a smaller debt ends with its reply. A change of size on a graphics card can cost eight."""
_MOST_BROUGHT = 2.0
"""Plain steps that drafting may bring less than it took before that ends."""
_MOST_SURPRISE = 1.5
"""A step counts as at most so many times what such steps take."""
MOST_CREDIT = 10.0
"""Plain steps that it may lose after it brought more."""


class Budget(Protocol):
    """Chooses the part of a draft that is sent to the target, and learns from what became of it."""

    @property
    def limit(self) -> int:
        """Nodes that are worth proposing at all."""

    @property
    def acceptance(self) -> Acceptance | None:
        """The estimates that it learns; None where the drafters' own probabilities decide."""

    @property
    def cost(self) -> CostModel:
        """What nodes cost, and the rows of a batch."""

    def choose(self, tree: DraftTree, room: int, max_depth: int, cached: int = 0) -> DraftTree:
        """At most `room` nodes of `tree`, none deeper than `max_depth`, below a text of `cached` positions."""

    def observe(self, tree: DraftTree, path: NDArray[np.int32], cost: StepCost = NO_COST) -> None:
        """What was verified, which of its nodes were accepted [a], and how long that took."""


class FixedBudget:
    """A tree of fixed size, as the papers have it."""

    def __init__(
        self, nodes: int = PAPER_NODES, acceptance: Acceptance | None = None, *, estimated: bool = False
    ) -> None:
        """Without `acceptance` the drafters' own weights decide; trees of several kinds of sources need one scale.
        `estimated`: trees come with its estimates, as Auto's do."""
        self.limit = nodes
        self.acceptance = acceptance
        self.cost = FreeRows(nodes)
        self._estimates = acceptance is not None and not estimated

    def choose(self, tree: DraftTree, room: int, max_depth: int, cached: int = 0) -> DraftTree:
        """The heaviest nodes, up to the fixed size."""
        if self._estimates and self.acceptance is not None:
            tree = self.acceptance.calibrate(tree)
        return self.cost.cut(tree, room, max_depth, cached)

    def observe(self, tree: DraftTree, path: NDArray[np.int32], cost: StepCost = NO_COST) -> None:
        """Correct the acceptance estimates, where they are used."""
        if self.acceptance is not None:
            self.acceptance.observe(tree, path)


class CostBudget:
    """The size with the most expected tokens per second, given the measured time of a decode by rows."""

    def __init__(
        self,
        times: DecodeTimes,
        acceptance: Acceptance | None,
        rows: int,
        overhead: float = VERIFYING,
        throughput: ThroughputAverage | None = None,
        *,
        estimated: bool = False,
    ) -> None:
        """`rows` caps a batch, root included; `overhead`: seconds that a drafted step takes beyond its decode;
        `throughput` is that of earlier replies. `estimated`: trees come with the estimates of `acceptance`, best node
        first, as Auto's do; also without it probabilities are taken as they come."""
        self.acceptance = acceptance
        self.cost = MeasuredCost(times, overhead, throughput, rows)
        self._estimates = acceptance is not None and not estimated
        seconds = times.at(0)
        self.limit = self.cost.most_rows - 1
        if self._estimates:
            gains = np.power(MAX_ACCEPTANCE, np.arange(1, self.limit + 1), dtype=np.float64)
            self.limit = min(self.limit, max(best_size(gains, seconds, overhead), MIN_LIMIT))

    def choose(self, tree: DraftTree, room: int, max_depth: int, cached: int = 0) -> DraftTree:
        """The best-first nodes whose number pays for its time; none when drafting costs more than it brings."""
        if len(tree) == 0:
            return tree
        if self._estimates and self.acceptance is not None:
            tree = self.acceptance.calibrate(tree)
        return self.cost.cut(tree, min(self.limit, room), max_depth, cached)

    def observe(self, tree: DraftTree, path: NDArray[np.int32], cost: StepCost = NO_COST) -> None:
        """Correct the acceptance estimates, T(k) and the throughput."""
        self.cost.observe(len(path) + 1, cost)
        if self.acceptance is not None:
            self.acceptance.observe(tree, path)


class ProbePolicy(NamedTuple):
    """On which terms a source is asked."""

    margin: float = 1.0  # what it gains must exceed its cost by this factor
    trials: int = 3
    """times it is asked whatever it may gain, before what it gained decides"""
    min_interval: int = 4
    """steps of a kind between two probes while it doesn't pay; doubled while that goes on"""
    max_interval: int = 64
    price: float = 0.0
    """seconds that it is taken to cost before it was asked; above 0 its trials are paid for like probes"""


SEARCH = ProbePolicy()
DRAFT_MODEL = ProbePolicy(margin=1.5, trials=2, min_interval=16, max_interval=256, price=0.02)
"""A draft model takes the caches, too, between the target's decodes, and has to read the prompt first (docs/log.md): in
a first reply that took as long as seven tokens."""


@dataclass(slots=True)
class _Average:
    """What a source gained and cost at steps of one kind."""

    tokens: float = 0.0  # gained, on average
    seconds: float = 0.0  # cost, on average: where much is to be had, more is asked for
    asked: int = 0
    interval: int = 0
    waited: int = 0

    def add(self, tokens: float, seconds: float) -> None:
        """It was asked once more."""
        self.asked += 1
        weight = max(_FADING, 1.0 / self.asked)
        self.tokens += weight * (tokens - self.tokens)
        self.seconds += weight * (seconds - self.seconds)


@dataclass(slots=True)
class SourceGate:
    """Whether to ask one source: follows the tokens it gains and the seconds it costs. Where it doesn't pay it is asked
    now and then, in no more than its share of `EXPLORATION` of the time."""

    policy: ProbePolicy = SEARCH
    asked: int = 0
    _use: float = 2 * _MIN_USE
    _averages: dict[int, _Average] = field(default_factory=dict)
    _all: _Average = field(default_factory=_Average)
    _allowance: float = 0.0
    """seconds that probes may take"""

    def wants(self, probability: float, residual: float, throughput: float) -> bool:
        """Whether to ask it now. `probability`: of the first token that the free sources propose; `residual`: the
        source's own, of its acceptance; `throughput`: tokens per second that the time would bring otherwise, 0 where
        time doesn't count."""
        average = self._average(probability, residual)
        trials = self.policy.trials
        # A kind of steps that is new is judged by all others: what is asked for costs its time from the first time on.
        known = average if average.asked >= trials else self._all
        is_trial = known.asked < trials
        wanted = throughput <= 0.0 or (not self.policy.price if is_trial else self._pays(known, throughput))
        if not wanted:
            average.waited += 1
            price = known.seconds or self.policy.price
            wanted = (is_trial or average.waited >= average.interval) and self._allowance >= price
            self._allowance -= price if wanted else 0.0
        self._use += _USE_FADING * (wanted - self._use)
        return wanted

    def pass_time(self, seconds: float) -> None:
        """A step took so long."""
        most = 2.0 * (self._all.seconds or self.policy.price)
        self._allowance = min(self._allowance + EXPLORATION / _SOURCES * seconds, most)

    @property
    def in_use(self) -> bool:
        """It was asked at more than a few of the latest steps."""
        return self._use > _MIN_USE and (self.asked > 0 or not self.policy.price)

    def observe(self, probability: float, residual: float, tokens: float, seconds: float, throughput: float) -> None:
        """It was asked, and gained and cost so much."""
        self.asked += 1
        self._all.add(tokens, seconds)
        average = self._average(probability, residual)
        average.add(tokens, seconds)
        if self._pays(average, throughput):
            average.interval = self.policy.min_interval
        elif average.waited >= average.interval:
            average.interval = min(self.policy.max_interval, 2 * average.interval)
        average.waited = 0

    def _average(self, probability: float, residual: float) -> _Average:
        kind = 3 * bisect_right(PROBABILITY_BOUNDS, probability)
        kind += 1 + (residual > _RESIDUAL_BOUND) - (residual < -_RESIDUAL_BOUND)
        average = self._averages.get(kind)
        if average is None:
            average = self._averages[kind] = _Average(interval=self.policy.min_interval)
        return average

    def _pays(self, average: _Average, throughput: float) -> bool:
        return average.tokens > average.seconds * throughput * self.policy.margin


@dataclass(slots=True)
class SpeculationGate:
    """Whether drafting as a whole pays, by what it really brought: a bound on what a reply can lose.

    An account in plain steps. A step that looked for drafts pays what it took, in plain steps, and earns its tokens;
    every step earns `EXPLORATION` of itself. While the account is empty steps are plain. So a reply never loses more
    than `START_CREDIT` steps and that part of its time beyond what earlier ones earned, whatever its text is like; what
    was earned may be spent again up to `MOST_CREDIT`, or a reply could go on losing what its beginning brought. Where a
    change of size is dear its price, there and back, can be lost beyond that: by one try, and the next replies owe it.
    """

    credit: float = START_CREDIT
    _brought: float = 0.0
    """plain steps that drafting brought since the last change of size was paid for, without its price"""

    def begin(self) -> None:
        """A new reply: a part of what the last ones earned may be spent on it; a large debt is owed."""
        if self.credit >= -FORGIVEN:
            self.credit = max(START_CREDIT, CARRIED * self.credit)
        self._brought = 0.0

    def wants(self) -> bool:
        """Whether to look for drafts at this step. What a change of size took is spent: while drafts bring more than
        they take it is being earned back."""
        return self.credit > 0.0 or self._brought > 0.0

    def observe(
        self, tokens: int, seconds: float, plain_seconds: float, expected: float, *, charged: bool, change: float = 0.0
    ) -> None:
        """A step emitted `tokens` in `seconds`, where a plain one takes `plain_seconds`; `expected`: how many plain
        steps its batch takes as a rule; `charged`: it looked for drafts, or went back to one row after them; `change`:
        plain steps that it may have taken longer after batches of another size."""
        # Other programs can hold up any one step. What takes longer as a rule is learnt as such.
        steps = min(seconds / plain_seconds, _MOST_SURPRISE * (expected + change))
        self.credit += EXPLORATION * min(steps, tokens)
        if charged:
            self.credit = min(self.credit + tokens - steps, MOST_CREDIT)
        if change > DEAR_CHANGE:
            self._brought = tokens - expected if charged else 0.0
        elif self._brought > 0.0:
            self._brought = min(self._brought + tokens - steps, _MOST_BROUGHT) if charged else 0.0
