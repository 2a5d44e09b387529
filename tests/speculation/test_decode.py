"""The decoding loop on a target with exact logits: the text with drafts is the text without."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chisquare  # type: ignore[import-untyped]

from localspec.errors import ModelError
from localspec.native import steps as native_steps
from localspec.speculation.acceptance import Acceptance
from localspec.speculation.cost import SIZES, SteadyTimes
from localspec.speculation.decode import generate
from localspec.speculation.drafters.auto import AutoDrafter
from localspec.speculation.drafters.dresd import DresdDrafter, HybridDrafter
from localspec.speculation.drafters.model import ModelDrafter
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.drafters.rasd import RasdDrafter
from localspec.speculation.drafters.recycling import RecycledTokens
from localspec.speculation.interface import Context, Drafter, Step
from localspec.speculation.policy import Budget, CostBudget, FixedBudget
from localspec.speculation.tree import SOURCE_DRAFT, SOURCE_PROMPT, DraftTree
from localspec.speculation.verify import Walk, walk
from tests.speculation.scripted import ScriptedDraft, ScriptedSampler, ScriptedTarget, draw, make_tree, softmax

VOCABULARY = 12
PROMPT = [1, 2, 3, 1, 2]


@pytest.fixture(scope="module", params=["native", "python"])
def code(request: pytest.FixtureRequest) -> Iterator[str]:
    """What does a step's work per node."""
    if request.param == "native" and not native_steps.available():
        pytest.skip("the native part of a step is not built")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "python":
            patch.setattr(native_steps, "available", lambda: False)
        yield request.param


either_code = pytest.mark.usefixtures("code")

Wish = tuple[int, int | None, float]
"""Which earlier node to grow from, the token (None = what the plain run says there), its probability."""


class WishfulDrafter:
    """Proposes arbitrary trees, one list of wishes per step; it knows the plain run's text, so that right
    continuations of any length are among them."""

    name = "wishful"
    needs_states = False
    times = None
    retrieval = None

    def __init__(self, wishes: Sequence[Sequence[Wish]], plain: Sequence[int], prompt_length: int, source: int) -> None:
        self._wishes = itertools.cycle(wishes or [[]])
        self._plain = plain
        self._prompt_length = prompt_length
        self._source = source
        self.steps: list[Step] = []
        self.begun = 0

    def begin(self, context: Context) -> None:
        self.begun += 1

    def propose(self, context: Context, limit: int) -> DraftTree:
        assert limit > 0, "asked for a draft where none fits"
        at = len(context.tokens) - self._prompt_length
        right = self._plain[at:]
        tokens: list[int] = []
        parents: list[int] = []
        depth_on_text = {-1: 0}
        for wish, token, _ in (wishes := next(self._wishes)):
            parent = wish % (len(tokens) + 1) - 1
            depth = depth_on_text.get(parent)
            known = right[depth] if depth is not None and depth < len(right) else 0
            chosen = known if token is None else token
            if depth is not None and depth < len(right) and chosen == known:
                depth_on_text[len(tokens)] = depth + 1
            tokens.append(chosen)
            parents.append(parent)
        chances = [wish[2] for wish in wishes]
        evidence = [[9, chance, 0.9, 0, chance] for chance in chances]
        return make_tree(tokens, parents, chances, self._source, evidence)

    def observe(self, step: Step) -> None:
        self.steps.append(step)


def run(
    target: ScriptedTarget,
    sampler: ScriptedSampler,
    drafters: Sequence[Drafter],
    budget: Budget,
    max_tokens: int,
    prompt: Sequence[int] = PROMPT,
    clock: Callable[[], float] = perf_counter,
) -> list[Step]:
    """A whole reply. At every yield the KV cache holds what is committed, but for the new root."""
    target.begin(prompt)
    committed = list(prompt)
    steps: list[Step] = []
    for step in generate(target, sampler, drafters, np.array(prompt, np.int32), budget, max_tokens, clock):
        assert not steps or not steps[-1].finish, "a step after the last"
        committed += step.emitted.tolist()
        assert target.committed == committed[:-1]
        assert len(step.emitted) == step.accepted + 1 == len(step.source)
        assert step.emitted[:-1].tolist() == step.tree.tokens[step.path].tolist()
        assert step.source.tolist() == [*step.tree.source[step.path].tolist(), 0]
        assert min(step.propose_seconds, step.decode_seconds, step.sample_seconds, step.rest_seconds) >= 0
        steps.append(step)
    return steps


def text(steps: Sequence[Step]) -> list[int]:
    return [token for step in steps for token in step.emitted.tolist()]


WISHES = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 30),
            st.none() | st.none() | st.integers(0, VOCABULARY - 1),
            st.sampled_from([0.0, 0.3, 0.9, 1.0]),
        ),
        max_size=12,
    ),
    max_size=5,
)
BUDGETS = (
    st.integers(0, 20).map(lambda nodes: lambda: FixedBudget(nodes))
    | st.integers(0, 20).map(lambda nodes: lambda: FixedBudget(nodes, Acceptance()))
    | st.lists(st.floats(0.01, 3.0), min_size=2, max_size=20).map(
        lambda curve: lambda: CostBudget(SteadyTimes(np.array([0.0, *curve])), Acceptance(), 17)
    )
)


def every_third_forbidden(said: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.array([(token + sum(said) + len(said)) % 3 != 0 for token in range(VOCABULARY)], np.bool_)


@either_code
@settings(max_examples=300)
@given(
    wishes=st.lists(WISHES, min_size=1, max_size=3),
    make_budget=BUDGETS,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    penalty=st.sampled_from([0.0, 0.7]),
    seed=st.integers(0, 10_000),
    max_tokens=st.integers(1, 30),
    end_tokens=st.sets(st.integers(0, VOCABULARY - 1), max_size=2),
    context_size=st.integers(len(PROMPT) + 1, 45),
    lookup=st.sampled_from(["none", "prompt", "states", "both"]),
    grammar=st.sampled_from([None, every_third_forbidden]),
)
def test_lossless(
    wishes, make_budget, temperature, penalty, seed, max_tokens, end_tokens, context_size, lookup, grammar
):
    """Whatever is drafted, at any temperature and budget: the same tokens and the same end as without drafts. What is
    sent is what the grammar allows."""

    def reply(drafters: Sequence[Drafter], budget: Budget) -> list[Step]:
        target = ScriptedTarget(VOCABULARY, context_size=context_size, end_tokens=end_tokens, seed=seed)
        sampler = ScriptedSampler(target, temperature, seed, penalty, grammar)
        steps = run(target, sampler, drafters, budget, max_tokens)
        assert sampler.draws == sum(len(step.emitted) for step in steps)
        return steps

    plain = reply([], FixedBudget())
    assert all(len(step.emitted) == 1 for step in plain)
    drafters: list[Drafter] = [
        WishfulDrafter(each, text(plain), len(PROMPT), 1 << place) for place, each in enumerate(wishes)
    ]
    if lookup == "prompt":
        drafters.append(PromptDrafter())
    elif lookup == "states":
        drafters.append(DresdDrafter(None))
    elif lookup == "both":
        drafters.append(HybridDrafter([PromptDrafter()], DresdDrafter(None)))
    drafted = reply(drafters, make_budget())

    assert_same_reply(drafted, plain)
    if grammar is not None:
        assert_allowed(drafted, grammar)


def assert_allowed(steps: Sequence[Step], grammar: Callable[[tuple[int, ...]], NDArray[np.bool_]]) -> None:
    """Every token of the reply, and every node that was sent."""
    said: tuple[int, ...] = ()
    for step in steps:
        behind = {-1: said}
        for node, (token, parent) in enumerate(zip(step.tree.tokens.tolist(), step.tree.parents.tolist(), strict=True)):
            assert grammar(behind[parent])[token]
            behind[node] = (*behind[parent], token)
        for token in step.emitted.tolist():
            assert grammar(said)[token]
            said += (token,)


def assert_same_reply(drafted: Sequence[Step], plain: Sequence[Step]) -> None:
    assert text(drafted) == text(plain)
    assert drafted[-1].finish == plain[-1].finish != ""
    assert all(step.finish == "" for step in drafted[:-1])
    assert len(drafted) <= len(plain)


@either_code
@settings(max_examples=300)
@given(
    wishes=WISHES,
    make_budget=BUDGETS,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    penalty=st.sampled_from([0.0, 0.7]),
    seed=st.integers(0, 10_000),
    max_tokens=st.integers(1, 30),
    end_tokens=st.sets(st.integers(0, VOCABULARY - 1), max_size=2),
    context_size=st.integers(len(PROMPT) + 1, 45),
    accuracy=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    known=st.sets(st.integers(0, VOCABULARY - 1), min_size=1) | st.just(set(range(VOCABULARY))),
    longest=st.sampled_from([0, 12, 1000]),
    failing=st.sampled_from(["", "", "", "closed", "follow", "draft"]),
    fails_after=st.integers(0, 5),
    searches=st.sets(st.sampled_from(["wishful", "prompt", "states"])),
    method=st.sampled_from(["draft", "rasd", "paper", "auto", "auto"]),
)
def test_lossless_with_a_draft_model(
    wishes, make_budget, temperature, penalty, seed, max_tokens, end_tokens, context_size, accuracy, known, longest,
    failing, fails_after, searches, method,
):  # fmt: skip
    """The same with guesses of a model, right or wrong, alone, beside searches and fused with them; it may fail."""

    def target_and_sampler() -> tuple[ScriptedTarget, ScriptedSampler]:
        target = ScriptedTarget(VOCABULARY, 2, context_size, end_tokens, seed=seed)
        return target, ScriptedSampler(target, temperature, seed, penalty)

    plain = run(*target_and_sampler(), [], FixedBudget(), max_tokens)
    target, sampler = target_and_sampler()
    draft = ScriptedDraft(target, accuracy, known, longest)

    def fail_at_last() -> None:
        if len(draft.follows) > fails_after:
            draft.fails_in = failing

    draft.on_follow = fail_at_last
    failures: list[ModelError] = []
    model = ModelDrafter(draft.model, failed=failures.append)
    every: dict[str, Drafter] = {
        "wishful": WishfulDrafter(wishes, text(plain), len(PROMPT), 2),
        "prompt": PromptDrafter(),
        "states": DresdDrafter(None),
    }
    searching = [every[name] for name in sorted(searches)]
    fused = RasdDrafter(model, searching, paper=method == "paper")
    drafters: list[Drafter] = [model, *searching] if method == "draft" else [fused]
    budget = make_budget()
    if method == "auto":
        if budget.acceptance is None:
            budget = FixedBudget(budget.limit, Acceptance(), estimated=True)
        drafters = [auto_drafter(target, budget, model, with_states="states" in searches)]
    drafted = run(target, sampler, drafters, budget, max_tokens)

    assert_same_reply(drafted, plain)
    assert sampler.draws == len(text(plain))
    assert len(failures) <= 1
    assert failing or not failures


def auto_drafter(
    target: ScriptedTarget, budget: Budget, model: ModelDrafter | None, *, with_states: bool = False
) -> AutoDrafter:
    return AutoDrafter(
        budget,
        dense=DresdDrafter(None) if with_states else None,
        draft=model,
        recycled=RecycledTokens(target.likeliest),
    )


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def spend(self, seconds: float) -> None:
        self.now += seconds


class TimedTarget(ScriptedTarget):
    """Decodes take `seconds[rows]` on a clock."""

    def __init__(self, clock: Clock, seconds: NDArray[np.float64], seed: int) -> None:
        super().__init__(VOCABULARY, order=2, seed=seed)
        self._clock = clock
        self._seconds = seconds

    def decode(self, root: int, tokens: NDArray[np.int32], parents: NDArray[np.int32], rows: int = 0) -> None:
        super().decode(root, tokens, parents, rows)
        self._clock.spend(float(self._seconds[self.batches[-1]]))


@either_code
def test_auto_saves_time_and_asks_a_draft_model_only_where_it_pays(monkeypatch):
    """On texts that repeat, a draft model that is never right is hardly asked, one that always is saves more."""
    seconds = 0.01 + 0.0005 * np.arange(20.0)
    asked: Counter[float] = Counter()
    steps_with: Counter[float] = Counter()
    for accuracy, seed in itertools.product((0.0, 1.0), range(12)):
        clock = Clock()
        monkeypatch.setattr("localspec.speculation.drafters.auto.perf_counter", clock)
        target = TimedTarget(clock, seconds, seed)
        plain = text(run(target, ScriptedSampler(target), [], FixedBudget(), 150, clock=clock))
        took = clock.now
        draft = ScriptedDraft(target, accuracy)
        draft.on_follow = lambda clock=clock: clock.spend(0.004)  # type: ignore[misc]
        budget = CostBudget(SteadyTimes(seconds), Acceptance(), 12, estimated=True)
        auto = auto_drafter(target, budget, ModelDrafter(draft.model))
        auto.gates.draft.pass_time(60.0)  # of earlier replies, that pay for trying it
        steps = run(target, ScriptedSampler(target), [auto], budget, 150, clock=clock)
        assert text(steps) == plain
        assert len(steps) < len(plain) / 1.5
        assert clock.now - took < took / 1.2
        asked[accuracy] += len(draft.asked)
        steps_with[accuracy] += len(steps)
    assert asked[0.0] / steps_with[0.0] < 0.5 * asked[1.0] / steps_with[1.0]
    assert steps_with[1.0] < 0.8 * steps_with[0.0]


@either_code
def test_auto_drafts_nothing_where_nothing_can_be_guessed():
    target = ScriptedTarget(VOCABULARY, order=50)  # no text comes twice
    # And rows cost as much as steps.
    budget = CostBudget(SteadyTimes(np.arange(20.0)), Acceptance(), 12, estimated=True)
    auto = auto_drafter(target, budget, None)
    steps = run(target, ScriptedSampler(target, temperature=2.0), [auto], budget, 200)
    assert sum(len(step.tree) > 0 for step in steps[50:]) == 0


@either_code
def test_right_drafts_save_steps():
    """The lossless test would pass for a loop that drops every draft; this one would not."""
    target = ScriptedTarget(VOCABULARY)
    plain = text(run(target, ScriptedSampler(target), [], FixedBudget(), 24))
    chain: list[Wish] = [(depth, None, 0.9) for depth in range(5)]
    drafter = WishfulDrafter([chain], plain, len(PROMPT), 2)
    steps = run(target, ScriptedSampler(target), [drafter], FixedBudget(5), 24)
    assert text(steps) == plain
    assert [len(step.emitted) for step in steps] == [6, 6, 6, 6]
    assert [step.source.tolist() for step in steps] == [[2, 2, 2, 2, 2, 0]] * 4
    assert target.batches[-4:] == [6, 6, 6, 6]
    assert drafter.begun == 1
    assert [(step.emitted.tolist(), step.path.tolist()) for step in drafter.steps] == [
        (step.emitted.tolist(), step.path.tolist()) for step in steps
    ]


@either_code
def test_prompt_lookup_saves_steps_on_a_text_that_repeats():
    target = ScriptedTarget(VOCABULARY, order=2)
    plain = text(run(target, ScriptedSampler(target), [], FixedBudget(), 80))
    steps = run(target, ScriptedSampler(target), [PromptDrafter()], FixedBudget(10), 80)
    assert text(steps) == plain
    assert len(steps) < len(plain) / 2


@pytest.mark.parametrize("seed", range(5))
def test_a_draft_model_saves_steps_where_it_is_right(seed):
    """And more so with a search: right guesses of both are taken."""
    target = ScriptedTarget(VOCABULARY, order=2, seed=seed)
    plain = text(run(target, ScriptedSampler(target), [], FixedBudget(), 80))
    sure = ModelDrafter(ScriptedDraft(target, 1.0).model)
    steps = run(target, ScriptedSampler(target), [sure], FixedBudget(10, Acceptance()), 80)
    assert text(steps) == plain
    assert len(steps) < len(plain) / 2
    weak = ModelDrafter(ScriptedDraft(target, 0.5).model)
    alone = run(target, ScriptedSampler(target), [weak], FixedBudget(10, Acceptance()), 80)
    fused = RasdDrafter(weak, [PromptDrafter()])
    both = run(target, ScriptedSampler(target), [fused], FixedBudget(10, Acceptance()), 80)
    assert text(alone) == text(both) == plain
    assert len(both) < len(alone) < len(plain)
    taken = np.bitwise_or.reduce([bits for step in both for bits in step.source.tolist()])
    assert taken == SOURCE_DRAFT | SOURCE_PROMPT


@either_code
@given(
    wishes=WISHES,
    curve=st.lists(st.floats(0.01, 3.0), min_size=24, max_size=24),
    change=st.sampled_from([0.0, 0.02, 1.0]),
    temperature=st.sampled_from([0.0, 1.0]),
    seed=st.integers(0, 10_000),
    context_size=st.integers(len(PROMPT) + 1, 60),
    auto=st.booleans(),
)
def test_rows_that_fill_a_batch_are_never_read(wishes, curve, change, temperature, seed, context_size, auto):
    """Batches have a few sizes, or end with the context; the scripted target knows nothing of rows beyond the tree, so
    that reading one would fail."""

    def reply(drafters: Callable[[ScriptedTarget], list[Drafter]], budget: Budget) -> tuple[list[Step], list[int]]:
        target = ScriptedTarget(VOCABULARY, 2, context_size, seed=seed)
        steps = run(target, ScriptedSampler(target, temperature, seed), drafters(target), budget, 40)
        return steps, target.batches

    def drafters(target: ScriptedTarget) -> list[Drafter]:
        if auto:
            return [auto_drafter(target, budget, None)]
        return [WishfulDrafter(wishes, text(plain), len(PROMPT), 2), PromptDrafter()]

    plain, single = reply(lambda _: [], FixedBudget())
    assert set(single) == {1}, "nothing is filled up without drafters"
    times = SteadyTimes(np.array([0.0, *curve]), change)
    budget = CostBudget(times, Acceptance(), 24, overhead=0.0, estimated=auto)
    steps, batches = reply(drafters, budget)
    assert_same_reply(steps, plain)
    cached = len(PROMPT) - 1
    for step, rows in zip(steps, batches, strict=True):
        room = context_size - cached
        assert len(step.tree) < rows <= room
        assert rows in SIZES or rows == room
        cached += len(step.emitted)


@either_code
def test_a_batch_is_filled_up_to_the_size_before_where_a_change_is_dear():
    target = ScriptedTarget(VOCABULARY, order=2)
    plain = text(run(target, ScriptedSampler(target), [], FixedBudget(), 80))
    del target.batches[:]
    # Eight rows cost what one does, any other number much more.
    curve = np.where(np.isin(np.arange(17), [1, 8]), 1.0, 5.0)
    budget = CostBudget(SteadyTimes(curve, change=0.1), Acceptance(), 16, overhead=0.0)
    steps = run(target, ScriptedSampler(target), [PromptDrafter()], budget, 80)
    assert text(steps) == plain
    assert set(target.batches) <= {1, 8}
    drafted = [rows for step, rows in zip(steps, target.batches, strict=True) if len(step.tree)]
    assert set(drafted) == {8}
    assert any(0 < len(step.tree) < 7 for step in steps), "there was nothing to fill up"
    first = target.batches.index(8)
    assert set(target.batches[first:]) == {8}, "also where nothing is drafted"
    assert any(len(step.tree) == 0 for step in steps[first:])


def test_states_save_steps_on_a_text_that_repeats():
    """Dense lookup in the context, by a target whose state decides what follows; known states only."""
    target = ScriptedTarget(VOCABULARY, order=2)
    plain = text(run(target, ScriptedSampler(target), [], FixedBudget(), 120))
    drafter = DresdDrafter(None)
    steps = run(target, ScriptedSampler(target), [drafter], FixedBudget(10), 120)
    assert text(steps) == plain
    assert len(steps) < len(plain) * 0.7
    assert drafter.retrieval.searches >= len(steps) - 2
    assert drafter.retrieval.mean_similarity > 0.9


# -- how replies end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [0, 1, 3, 8])
def test_finish_reasons(nodes):
    def reply(max_tokens: int, context_size: int = 1000, end_tokens: Sequence[int] = ()) -> list[Step]:
        target = ScriptedTarget(VOCABULARY, context_size=context_size, end_tokens=end_tokens)
        plain = text(run(target, ScriptedSampler(target), [], FixedBudget(), max_tokens))
        drafter = WishfulDrafter([[(depth, None, 1.0) for depth in range(8)]], plain, len(PROMPT), 1)
        return run(target, ScriptedSampler(target), [drafter], FixedBudget(nodes), max_tokens)

    by_length = reply(20)
    assert by_length[-1].finish == "length"
    assert len(text(by_length)) == 20
    end = text(by_length)[10]
    first = text(by_length).index(end)
    by_end = reply(20, end_tokens=[end])
    assert by_end[-1].finish == "end"
    assert text(by_end) == text(by_length)[: first + 1], "the end token is emitted and nothing after it"
    by_context = reply(20, context_size=15)
    assert by_context[-1].finish == "context"
    assert text(by_context) == text(by_length)[: len(text(by_context))]
    # The last token of a reply needs no place in the KV cache.
    assert len(PROMPT) + len(text(by_context)) == 15 + 1


def test_no_tokens_wanted_means_no_step():
    target = ScriptedTarget(VOCABULARY)
    assert run(target, ScriptedSampler(target), [], FixedBudget(), 0) == []
    assert target.batches == []


def test_a_generator_closed_midway_leaves_a_usable_target():
    target = ScriptedTarget(VOCABULARY)
    plain = text(run(target, ScriptedSampler(target), [], FixedBudget(), 20))
    for steps_taken in range(1, 6):
        drafter = WishfulDrafter([[(0, None, 1.0), (1, None, 1.0), (0, 5, 0.5)]], plain, len(PROMPT), 1)
        target.begin(PROMPT)
        stream = generate(target, ScriptedSampler(target), [drafter], np.array(PROMPT, np.int32), FixedBudget(), 20)
        taken = text(list(itertools.islice(stream, steps_taken)))
        stream.close()  # type: ignore[attr-defined]
        so_far = [*PROMPT, *taken]
        assert target.committed == so_far[:-1]
        rest = run(target, ScriptedSampler(target), [], FixedBudget(), 20 - len(taken), so_far)
        assert taken + text(rest) == plain


def test_time_of_the_consumer_is_not_counted():
    ticks = itertools.count()
    offset = [0.0]

    def clock() -> float:
        return next(ticks) + offset[0]

    target = ScriptedTarget(VOCABULARY)
    target.begin(PROMPT)
    steps = []
    for step in generate(target, ScriptedSampler(target), [], np.array(PROMPT, np.int32), FixedBudget(), 5, clock):
        offset[0] += 1000.0
        steps.append(step)
    for step in steps:
        parts = (step.propose_seconds, step.decode_seconds, step.sample_seconds, step.rest_seconds)
        assert parts == (1.0, 1.0, 1.0, 1.0)
        assert step.seconds == 4.0


def test_the_context_grows_beyond_its_first_view():
    context = Context(np.array([1, 2], np.int32), 3)
    before = context.tokens
    context.extend(np.array([3, 4, 5], np.int32))
    assert before.tolist() == [1, 2]
    assert context.tokens.tolist() == [1, 2, 3, 4, 5]


# -- the distribution -------------------------------------------------------------------------------------------------

SMALL = 4
LENGTH = 3
RUNS = 12_000


def exact_distribution() -> NDArray[np.float64]:
    """P [4, 4, 4] of the three tokens that follow the prompt at temperature 1."""
    target = ScriptedTarget(SMALL, spread=1.0)
    result = np.ones((SMALL,) * LENGTH)
    for tokens in itertools.product(range(SMALL), repeat=LENGTH):
        for place in range(LENGTH):
            result[tokens] *= softmax(target.logits_after([*PROMPT_SMALL, *tokens[:place]]))[tokens[place]]
    return result


PROMPT_SMALL = [0, 1, 2, 3]


def unlikely_tree() -> DraftTree:
    """Two branches of every shape, of tokens the target seldom takes: a verifier that favours drafts shows."""
    target = ScriptedTarget(SMALL, spread=1.0)
    rarest = np.argsort(target.logits_after(PROMPT_SMALL))[:2].tolist()
    return make_tree([rarest[0], rarest[1], 0, 1, 2, 3], [-1, -1, 0, 0, 1, 1], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4])


class SameTreeDrafter:
    """Proposes one tree at the start of a reply and nothing later."""

    name = "same"
    needs_states = False
    times = None
    retrieval = None

    def begin(self, context: Context) -> None:
        self._tree = unlikely_tree()

    def propose(self, context: Context, limit: int) -> DraftTree:
        tree, self._tree = self._tree, DraftTree.empty()
        return tree

    def observe(self, step: Step) -> None:
        pass


def p_value(counts: Counter[tuple[int, ...]]) -> float:
    """Of a chi-square test of sampled texts against the exact distribution; rare texts share one cell."""
    expected = exact_distribution() * sum(counts.values())
    observed = np.array([counts[tokens] for tokens in itertools.product(range(SMALL), repeat=LENGTH)], float)
    order = np.argsort(expected.ravel())
    rare = order[np.cumsum(expected.ravel()[order]) < 10]
    common = np.setdiff1d(order, rare)
    cells = [np.append(values.ravel()[common], values.ravel()[rare].sum()) for values in (observed, expected)]
    keep = cells[1] > 0
    return float(chisquare(cells[0][keep], cells[1][keep]).pvalue)


@pytest.mark.parametrize("method", ["tree", "draft", "rasd"])
def test_sampled_texts_are_distributed_exactly_as_without_drafts(method):
    counts: Counter[tuple[int, ...]] = Counter()
    accepted = 0
    target = ScriptedTarget(SMALL, spread=1.0)
    # Guesses that are mostly wrong, of a model that does not know all tokens: a verifier that favours them shows.
    model = ModelDrafter(ScriptedDraft(target, 0.2, known=[0, 2, 3]).model)
    every: dict[str, Drafter] = {
        "tree": SameTreeDrafter(),
        "draft": model,
        "rasd": RasdDrafter(model, [SameTreeDrafter(), PromptDrafter()]),
    }
    prompt = np.array(PROMPT_SMALL, np.int32)
    for seed in range(RUNS):
        target.begin(PROMPT_SMALL)
        sampler = ScriptedSampler(target, 1.0, seed)
        steps = list(generate(target, sampler, [every[method]], prompt, FixedBudget(8), LENGTH))
        counts[tuple(text(steps))] += 1
        accepted += sum(step.accepted for step in steps)
    assert accepted > RUNS / 10, "drafts must be accepted at times, or nothing was tested"
    assert p_value(counts) > 1e-4


Verifier = Callable[[DraftTree, Callable[[int], int], Callable[[int], bool]], Walk]


def redrawing_walk(tree: DraftTree, sample: Callable[[int], int], is_end: Callable[[int], bool]) -> Walk:
    """What research code does at temperatures above 0: it draws anew for each child, which favours the draft."""
    path: list[int] = []
    emitted: list[int] = []
    node = -1
    while True:
        token = -1
        for child in np.flatnonzero(tree.parents == node).tolist():
            token = sample(node + 1)
            if token == tree.tokens[child]:
                path.append(child)
                emitted.append(token)
                node = child
                break
        else:
            emitted.append(sample(node + 1))
            return Walk(np.array(path, np.int32), np.array(emitted, np.int32))


def texts_with(verifier: Verifier) -> Counter[tuple[int, ...]]:
    """Texts of a bare loop around a verifier, without the checks of the scripted sampler."""
    target = ScriptedTarget(SMALL, spread=1.0)
    stream = np.random.default_rng(7)
    counts: Counter[tuple[int, ...]] = Counter()
    for _ in range(RUNS):
        history = list(PROMPT_SMALL)
        tree = unlikely_tree()
        while len(history) < len(PROMPT_SMALL) + LENGTH:
            rows = [tuple(history)]
            for token, parent in zip(tree.tokens.tolist(), tree.parents.tolist(), strict=True):
                rows.append((*rows[parent + 1], token))

            def sample(row: int, rows: list[tuple[int, ...]] = rows) -> int:
                return draw(softmax(target.logits_after(rows[row])), stream)

            history += verifier(tree, sample, target.is_end).emitted.tolist()
            tree = DraftTree.empty()
        counts[tuple(history[len(PROMPT_SMALL) :][:LENGTH])] += 1
    return counts


def test_the_check_of_the_distribution_has_power():
    assert p_value(texts_with(walk)) > 1e-4
    assert p_value(texts_with(redrawing_walk)) < 1e-12
