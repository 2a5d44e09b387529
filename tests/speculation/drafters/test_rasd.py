"""RASD: what is pruned against brute force, what is fused, and that both sides run at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localspec.errors import ModelError, StoreError
from localspec.speculation.drafters.model import ModelDrafter
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.drafters.rasd import PAPER_TOP_K, Pruning, RasdDrafter
from localspec.speculation.interface import Context, DraftTimes, Retrieval, Step
from localspec.speculation.tree import SOURCE_DRAFT, DraftTree
from tests.speculation.scripted import ScriptedDraft, ScriptedTarget, make_tree, paths_of
from tests.speculation.strategies import draft_trees

VOCABULARY = 24
TOKENS = [1, 2, 3, 1, 2]
PATIENCE = 60.0
"""Seconds after which a wait has failed; none of them takes a thousandth of that."""


class Finding:
    """A drafter that finds what it is told to."""

    name = "finding"
    times = None

    def __init__(self, tree: DraftTree, needs_states: bool = False, retrieval: Retrieval | None = None) -> None:
        self.tree = tree
        self.needs_states = needs_states
        self.retrieval = retrieval
        self.begun = 0
        self.limits: list[int] = []
        self.steps: list[Step] = []
        self.on_search: Callable[[], None] = lambda: None

    def begin(self, context: Context) -> None:
        self.begun += 1

    def propose(self, context: Context, limit: int) -> DraftTree:
        self.limits.append(limit)
        self.on_search()
        return self.tree

    def observe(self, step: Step) -> None:
        self.steps.append(step)


def context_of(tokens: Sequence[int] = TOKENS) -> Context:
    return Context(np.array(tokens, np.int32), 50)


def draft_of(known: Iterable[int] | None = None) -> ScriptedDraft:
    return ScriptedDraft(ScriptedTarget(VOCABULARY), 0.6, known)


def step_with(token: int) -> Step:
    """A step in which the target took `token` first."""
    return Step(
        np.array([token], np.int32), np.zeros(1, np.uint8), DraftTree.empty(), np.empty(0, np.int32), 0, 0, 0, 0, ""
    )


def leaves(*tokens: int, source: int = 2) -> DraftTree:
    return make_tree(tokens, [-1] * len(tokens), source=source)


def paths_by_bits(tree: DraftTree) -> dict[tuple[int, ...], int]:
    return dict(zip(paths_of(tree), tree.source.tolist(), strict=True))


def ranked(draft: ScriptedDraft) -> list[int]:
    """The draft model's list behind `TOKENS`."""
    tokens: list[int] = draft.choices_after(TOKENS).tokens.tolist()
    return tokens


# -- pruning ----------------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(
    found=st.lists(draft_trees(VOCABULARY), max_size=3),
    known=st.sets(st.integers(0, VOCABULARY - 1), min_size=1) | st.just(set(range(VOCABULARY))),
    taught=st.lists(st.tuples(st.integers(0, VOCABULARY - 1), st.sampled_from([1, 30])), max_size=3),
    paper=st.booleans(),
    limit=st.integers(1, 12),
)
def test_a_draft_holds_the_models_paths_and_those_found_that_the_model_may_mean(found, known, taught, paper, limit):
    draft = draft_of(known)
    searching = [Finding(tree) for tree in found]
    drafter = RasdDrafter(ModelDrafter(draft.model), searching, paper=paper)
    context = context_of()
    drafter.begin(context)
    order = ranked(draft)
    pruning = Pruning(64, PAPER_TOP_K if paper else 0)
    for token, times in taught:
        for finding in searching:
            finding.tree = leaves(token)
        for _ in range(times):
            drafter.propose(context, 1)
            drafter.observe(step_with(token))
            if searching and token in known:
                pruning.observe(order.index(token))

    for finding, its_tree in zip(searching, found, strict=True):
        finding.tree = its_tree
    tree = drafter.propose(context, limit)

    assert draft.drafted is not None
    expected = dict.fromkeys(paths_of(draft.drafted), SOURCE_DRAFT)
    for its_tree in found:
        for path, bits in paths_by_bits(its_tree).items():
            if path[0] not in known or path[0] in order[: pruning.top_k]:
                expected[path] = expected.get(path, 0) | bits
    assert paths_by_bits(tree) == expected
    assert len(tree) == len(expected)
    assert all(finding.limits[-1] == limit for finding in searching)


@pytest.mark.parametrize("paper", [True, False])
def test_the_published_ten_choices_and_the_start_of_what_is_learnt(paper):
    draft = draft_of()
    order = ranked(draft)
    finding = Finding(leaves(*order))
    drafter = RasdDrafter(ModelDrafter(draft.model), [finding], paper=paper)
    tree = drafter.propose(context_of(), 1)
    assert set(tree.tokens[tree.source == 2].tolist()) | {order[0]} == set(order[:PAPER_TOP_K])
    for _ in range(300):  # the target always takes the likeliest
        drafter.propose(context_of(), 1)
        drafter.observe(step_with(order[0]))
    left = PAPER_TOP_K if paper else Pruning.MIN_K
    assert set(drafter.propose(context_of(), 1).tokens.tolist()) == set(order[:left])
    for _ in range(30):  # and now one far down the list
        drafter.propose(context_of(), 1)
        drafter.observe(step_with(order[20]))
    left = PAPER_TOP_K if paper else 21
    assert set(drafter.propose(context_of(), 1).tokens.tolist()) == set(order[:left])


def test_tokens_that_the_model_does_not_know_are_kept():
    draft = draft_of(range(12))
    finding = Finding(make_tree([20, 5, 21, *range(12)], [-1, 0, 1, *[-1] * 12], source=2))
    tree = RasdDrafter(ModelDrafter(draft.model), [finding]).propose(context_of(), 1)
    paths = paths_of(tree)
    assert {(20,), (20, 5), (20, 5, 21)} <= set(paths)
    assert {path[0] for path in paths if path[0] < 12} == set(ranked(draft)[:PAPER_TOP_K])


def test_what_teaches_nothing():
    """Tokens that were not found or that the draft model does not know, and steps without a draft."""
    draft = draft_of(range(20))
    order = ranked(draft)
    finding = Finding(leaves(*range(VOCABULARY)))
    drafter = RasdDrafter(ModelDrafter(draft.model), [finding])
    context = context_of()
    for _ in range(60):
        finding.tree = leaves(*order[:15])
        drafter.propose(context, 1)
        drafter.observe(step_with(order[18]))  # not found
        drafter.observe(step_with(order[14]))  # no draft was made before this step
        finding.tree = leaves(22)
        drafter.propose(context, 1)
        drafter.observe(step_with(22))  # not known
        drafter.propose(context, 1)
        drafter.begin(context)
        drafter.observe(step_with(order[17]))  # the draft was another reply's
    finding.tree = leaves(*range(20))
    assert set(drafter.propose(context, 1).tokens.tolist()) == set(order[:PAPER_TOP_K])


RANKS = st.lists(st.integers(0, 40), max_size=80)


@given(RANKS, st.integers(10, 30))
def test_choices_reach_as_far_as_all_but_a_few_stood(ranks, longest):
    pruning = Pruning(longest)
    weights = [1.0] * PAPER_TOP_K + [0.0] * (longest + 1 - PAPER_TOP_K)
    for rank in ranks:
        pruning.observe(rank)
        weights = [weight * Pruning.FORGETTING for weight in weights]
        weights[min(rank, longest)] += 1.0
    choices = pruning.top_k
    assert Pruning.MIN_K <= choices <= longest + 1
    wanted = (1.0 - Pruning.LOSS) * sum(weights)
    assert sum(weights[:choices]) >= wanted - 1e-9
    assert choices == Pruning.MIN_K or sum(weights[: choices - 1]) <= wanted + 1e-9


def test_choices_grow_with_low_ranks_and_shrink_without():
    pruning = Pruning(64)
    assert pruning.top_k == PAPER_TOP_K
    for _ in range(5):
        pruning.observe(33)
    assert pruning.top_k == 34
    for _ in range(5):
        pruning.observe(1000)
    assert pruning.top_k == 65, "beyond the list"
    before = pruning.top_k
    for _ in range(3000):
        pruning.observe(0)
        assert pruning.top_k <= before
        before = pruning.top_k
    assert pruning.top_k == Pruning.MIN_K


@given(RANKS, st.integers(1, 40))
def test_a_fixed_number_of_choices_stays(ranks, fixed):
    pruning = Pruning(64, fixed)
    for rank in ranks:
        pruning.observe(rank)
    assert pruning.top_k == fixed


# -- fusion and the rest of a drafter ---------------------------------------------------------------------------------


def test_a_path_of_both_has_both_sources():
    draft = draft_of()
    finding = Finding(DraftTree.empty())
    drafter = RasdDrafter(ModelDrafter(draft.model), [finding])
    alone = drafter.propose(context_of(), 6)
    assert (alone.source == SOURCE_DRAFT).all()
    top = int(alone.tokens[0])
    finding.tree = make_tree([top, 7, 8], [-1, 0, 1], source=2)
    both = paths_by_bits(drafter.propose(context_of(), 6))
    assert both[(top,)] == SOURCE_DRAFT | 2
    assert both[(top, 7, 8)] == 2
    assert set(both) == {*paths_of(alone), (top,), (top, 7), (top, 7, 8)}


def test_a_text_beyond_the_models_context_leaves_the_search_unpruned():
    draft = ScriptedDraft(ScriptedTarget(VOCABULARY), longest=3)
    finding = Finding(leaves(*range(VOCABULARY)))
    drafter = RasdDrafter(ModelDrafter(draft.model), [finding])
    drafter.begin(context_of())
    assert drafter.propose(context_of(), 4).tokens.tolist() == list(range(VOCABULARY))
    drafter.observe(step_with(5))


def test_nothing_to_search():
    drafter = RasdDrafter(ModelDrafter(draft_of().model), [])
    drafter.begin(context_of())
    assert len(drafter.propose(context_of(), 5)) == 5
    drafter.observe(step_with(1))
    assert not drafter.needs_states
    assert drafter.retrieval is None


def test_what_the_searches_need_and_tell_is_passed_on():
    found = Retrieval(searches=3)
    plain = Finding(DraftTree.empty())
    dense = Finding(DraftTree.empty(), needs_states=True, retrieval=found)
    drafter = RasdDrafter(ModelDrafter(draft_of().model), [plain, dense])
    assert drafter.needs_states
    assert drafter.retrieval is found
    assert not RasdDrafter(ModelDrafter(draft_of().model), [plain]).needs_states
    drafter.begin(context_of())
    drafter.propose(context_of(), 5)
    step = step_with(1)
    drafter.observe(step)
    for searching in (plain, dense):
        assert searching.begun == 1
        assert searching.limits == [5]
        assert searching.steps == [step]


# -- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["closed", "follow", "draft"])
def test_a_model_that_fails_is_given_up_and_the_search_goes_on(place):
    draft = draft_of()
    order = ranked(draft)
    failures: list[ModelError] = []
    finding = Finding(leaves(*order))
    drafter = RasdDrafter(ModelDrafter(draft.model, failed=failures.append), [finding, PromptDrafter()])
    context = context_of()
    drafter.begin(context)
    assert set(drafter.propose(context, 3).tokens.tolist()) > set(order[:PAPER_TOP_K])
    drafter.observe(step_with(order[0]))
    draft.fails_in = place
    tree = drafter.propose(context, 3)
    assert not (tree.source & SOURCE_DRAFT).any()
    # Where it still told its choices, they prune; where it did not, everything found is kept.
    left = order[:PAPER_TOP_K] if place == "draft" else order
    assert set(tree.tokens[(tree.parents < 0) & (tree.source & 2 > 0)].tolist()) == set(left)
    drafter.observe(step_with(order[0]))
    draft.fails_in = ""
    for _ in range(3):
        tree = drafter.propose(context, 3)
        assert set(tree.tokens[(tree.parents < 0) & (tree.source & 2 > 0)].tolist()) == set(order)
        assert not (tree.source & SOURCE_DRAFT).any()
        drafter.observe(step_with(order[0]))
    assert len(failures) == 1
    drafter.begin(context)
    assert (drafter.propose(context, 3).source & SOURCE_DRAFT).any(), "the next reply tries again"


def test_an_error_of_a_search_surfaces_as_itself():
    error = StoreError("The library is gone.", "Open it again.")
    failures: list[ModelError] = []
    finding = Finding(leaves(3))
    draft = draft_of()
    drafter = RasdDrafter(ModelDrafter(draft.model, failed=failures.append), [finding])
    drafter.begin(context_of())

    def fail() -> None:
        raise error

    finding.on_search = fail
    with pytest.raises(StoreError) as caught:
        drafter.propose(context_of(), 5)
    assert caught.value is error
    assert failures == []
    finding.on_search = lambda: None
    drafter.begin(context_of())
    assert len(drafter.propose(context_of(), 5)) >= 5, "the thread of the searches lives on"


# -- overlap ----------------------------------------------------------------------------------------------------------


def test_the_search_runs_while_the_model_takes_its_first_step():
    """Each of the two waits for the other to have begun: one after the other, neither would end."""
    searching, following = threading.Event(), threading.Event()
    draft = draft_of()
    finding = Finding(leaves(3))
    drafter = RasdDrafter(ModelDrafter(draft.model), [finding])
    drafter.begin(context_of())

    def search() -> None:
        searching.set()
        assert following.wait(PATIENCE), "the model waits for the search to end"

    def follow() -> None:
        assert searching.wait(PATIENCE), "the search waits for the model's step to end"
        following.set()

    finding.on_search = search
    draft.on_follow = follow
    assert len(drafter.propose(context_of(), 4)) >= 4
    times = drafter.times
    assert times.overlapped > 0
    assert times.overlapped <= times.retrieval
    assert times.overlapped <= times.drafting
    assert times.prefill > 0


def test_times_are_those_of_one_reply():
    drafter = RasdDrafter(ModelDrafter(draft_of().model), [Finding(leaves(3))])
    drafter.begin(context_of())
    drafter.propose(context_of(), 4)
    first = drafter.times
    assert first.drafting > 0
    assert first.retrieval > 0
    drafter.begin(context_of())
    assert drafter.times == DraftTimes(prefill=drafter.times.prefill)
    assert first.drafting > 0
