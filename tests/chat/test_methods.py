"""The switch between methods."""

from __future__ import annotations

import numpy as np
import pytest

from localspec.chat.engine import Engine
from localspec.chat.methods import (
    DEFAULT_METHOD,
    METHODS,
    SIZINGS,
    Sources,
    budget_of,
    drafters_of,
    listed,
    plan,
    sources_of,
)
from localspec.errors import SettingsError
from localspec.models.llama import MAX_ROWS
from localspec.speculation.acceptance import Acceptance
from localspec.speculation.drafters.auto import AutoDrafter
from localspec.speculation.drafters.dresd import DresdDrafter, HybridDrafter
from localspec.speculation.drafters.model import ModelDrafter
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.drafters.rasd import RasdDrafter
from localspec.speculation.drafters.rest import RestDrafter
from localspec.speculation.interface import Context
from localspec.speculation.policy import PAPER_NODES
from localspec.speculation.tree import SOURCE_DRAFT, SOURCE_PROMPT, SOURCE_REST, depths
from localspec.speculation.tree_size import break_even_probability
from localspec.stores.library import Library
from tests.speculation.scripted import ScriptedDraft, ScriptedTarget, make_tree


def names(method: str, engine: Engine, library: Library | None, sizing: str) -> list[str]:
    """Names of a method's drafters."""
    sources = Sources(engine, library.ngrams, library.states) if library else Sources(engine)
    return [drafter.name for drafter in drafters_of(method, sources, sizing)]


@pytest.fixture
def draft(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> ScriptedDraft:
    """A scripted draft model in the place of the engine's own."""
    scripted = ScriptedDraft(ScriptedTarget(engine.model.vocabulary_size), known=range(1000))
    monkeypatch.setattr(engine, "draft", scripted.model)
    monkeypatch.setattr(engine, "draft_problem", "")
    return scripted


@pytest.fixture
def no_draft(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine without a draft model."""
    monkeypatch.setattr(engine, "draft", None)


def test_every_method_can_be_explained() -> None:
    assert DEFAULT_METHOD in METHODS
    for name, method in METHODS.items():
        assert method.name == name
        assert method.label
        assert method.explanation.endswith(".")


@pytest.mark.parametrize("sizing", SIZINGS)
def test_plain_drafts_nothing(engine: Engine, harbour: Library, sizing: str) -> None:
    assert names("plain", engine, harbour, sizing) == []


def test_rest_drafts_from_documents_and_chat(engine: Engine, harbour: Library) -> None:
    assert names("rest", engine, harbour, "device") == [RestDrafter.name, PromptDrafter.name]
    assert names("rest", engine, None, "device") == [PromptDrafter.name]


def test_published_rest_has_no_prompt_lookup(engine: Engine, harbour: Library) -> None:
    assert names("rest", engine, harbour, "paper") == [RestDrafter.name]
    assert names("rest", engine, None, "paper") == []


def test_dresd_is_dense_alone_as_published_and_joined_with_exact_drafts_here(engine: Engine, harbour: Library) -> None:
    assert names("dresd", engine, harbour, "paper") == [DresdDrafter.name]
    assert names("dresd", engine, harbour, "device") == [HybridDrafter.name]
    assert names("dresd", engine, None, "device") == [HybridDrafter.name]


@pytest.mark.parametrize(
    ("method", "sizing"), [("magic", "device"), ("", "device"), ("rest", "fast"), ("REST", "paper")]
)
def test_unknown_names_are_refused_with_the_known_ones(engine: Engine, method: str, sizing: str) -> None:
    with pytest.raises(SettingsError) as caught:
        drafters_of(method, Sources(engine, None), sizing)
    known = METHODS if method not in METHODS else SIZINGS
    assert all(name in caught.value.advice for name in known)


def test_rows_cap_the_batch(engine: Engine) -> None:
    assert budget_of(engine, "paper").limit == PAPER_NODES == MAX_ROWS - 1
    assert 8 <= budget_of(engine, "device").limit <= MAX_ROWS - 1
    for sizing in SIZINGS:
        assert budget_of(engine, sizing, 4).limit == 3
        assert budget_of(engine, sizing, 1).limit == 0
        for rows in (-1, MAX_ROWS + 1):
            with pytest.raises(SettingsError, match=str(rows)):
                budget_of(engine, sizing, rows)


def test_a_capped_budget_cuts_a_real_draft(engine: Engine, harbour: Library) -> None:
    tokens = engine.tokenize("The lighthouse of Velm was built in 1874. The lighthouse of")
    context = Context(tokens, 10)
    (drafter,) = drafters_of("rest", Sources(engine, harbour.ngrams), "paper")
    tree = drafter.propose(context, MAX_ROWS - 1)
    assert len(tree) > 3
    assert len(budget_of(engine, "paper", 4).choose(tree, 64, 10)) == 3
    assert len(budget_of(engine, "paper", 1).choose(tree, 64, 10)) == 0
    assert depths(budget_of(engine, "paper").choose(tree, 64, 2)).max() == 2
    assert len(budget_of(engine, "device", 4).choose(tree, 64, 10)) <= 3


def test_a_budget_can_learn_on_its_own(engine: Engine, harbour: Library) -> None:
    (drafter,) = drafters_of("rest", Sources(engine, harbour.ngrams), "paper")
    tree = drafter.propose(Context(engine.tokenize("The lighthouse of"), 10), 8)
    assert len(tree) > 0
    own = Acceptance()
    shared, before = engine.acceptance.calibrate(tree).probability, own.calibrate(tree).probability
    budget = budget_of(engine, "device", 0, own)
    for _ in range(20):
        budget.observe(tree, tree.parents[:0])
    assert (own.calibrate(tree).probability <= before).all()
    assert own.calibrate(tree).probability[0] < before[0]
    assert (engine.acceptance.calibrate(tree).probability == shared).all()


# -- methods with a draft model ---------------------------------------------------------------------------------------

FUSING = [name for name in METHODS if name.startswith("rasd")]


def test_people_choose_from_whole_methods() -> None:
    assert listed() == ["auto", "plain", "rest", "dresd", "draft", "rasd"]
    assert DEFAULT_METHOD == "auto"
    assert DEFAULT_METHOD in listed()
    hidden = set(METHODS) - set(listed())
    assert hidden == {"prompt", "rasd-prompt", "rasd-rest", "rasd-dresd"}
    assert all(METHODS[name].for_measuring for name in hidden)
    assert {name for name, method in METHODS.items() if method.needs_draft} == {"draft", *FUSING}


@pytest.mark.parametrize("sizing", SIZINGS)
def test_without_a_draft_model_the_searches_go_on_alone(
    engine: Engine, harbour: Library, no_draft: None, sizing: str
) -> None:
    assert names("draft", engine, harbour, sizing) == []
    assert names("rasd", engine, harbour, sizing) == [HybridDrafter.name]
    assert names("rasd", engine, None, sizing) == [HybridDrafter.name]
    for search in ("prompt", "rest", "dresd"):
        for library in (harbour, None):
            assert names(f"rasd-{search}", engine, library, sizing) == names(search, engine, library, sizing)
    assert names("prompt", engine, harbour, sizing) == [PromptDrafter.name]


@pytest.mark.parametrize("sizing", SIZINGS)
def test_with_a_draft_model(engine: Engine, harbour: Library, draft: ScriptedDraft, sizing: str) -> None:
    assert names("draft", engine, harbour, sizing) == [ModelDrafter.name]
    for method in FUSING:
        for library in (harbour, None):
            assert names(method, engine, library, sizing) == [RasdDrafter.name]
    for method in ("plain", "rest", "dresd", "prompt"):
        assert not {ModelDrafter.name, RasdDrafter.name} & set(names(method, engine, harbour, sizing))
    sources = Sources(engine, harbour.ngrams, harbour.states)
    dense = {method for method in FUSING for drafter in drafters_of(method, sources, sizing) if drafter.needs_states}
    assert dense == {"rasd", "rasd-dresd"}


@pytest.mark.parametrize("sizing", SIZINGS)
@pytest.mark.parametrize(
    ("method", "expected"),
    [("rasd", SOURCE_PROMPT | SOURCE_REST), ("rasd-prompt", SOURCE_PROMPT), ("rasd-rest", SOURCE_REST)],
)
def test_every_search_of_a_fusing_method_is_asked(
    engine: Engine, harbour: Library, draft: ScriptedDraft, method: str, expected: int, sizing: str
) -> None:
    if method == "rasd-rest" and sizing == "device":
        expected |= SOURCE_PROMPT  # here, REST looks at the chat too
    draft.knows[:] = False  # tokens that it does not know are not its to prune
    draft.knows[:3] = True
    tokens = engine.tokenize("The lighthouse of Velm was built in 1874. The lighthouse of")
    (drafter,) = drafters_of(method, Sources(engine, harbour.ngrams, harbour.states), sizing)
    context = Context(tokens, 10)
    drafter.begin(context)
    tree = drafter.propose(context, 20)
    assert np.bitwise_or.reduce(tree.source) == expected | SOURCE_DRAFT
    assert drafter.times is not None


@pytest.mark.parametrize("method", ["draft", "rasd-prompt"])
def test_as_published_every_node_is_drafted_and_here_those_that_can_pay(
    engine: Engine, draft: ScriptedDraft, method: str
) -> None:
    context = Context(engine.tokenize("The lighthouse of"), 10)
    for sizing in SIZINGS:
        (drafter,) = drafters_of(method, Sources(engine), sizing)
        drafter.propose(context, 5)
    asked = dict(zip(SIZINGS, draft.asked, strict=True))
    assert asked == {
        "device": (5, break_even_probability(engine.decode_seconds), engine.plain_seconds),
        "paper": (5, 0.0, 0.0),
    }
    assert asked["device"][2] > 0


def test_a_draft_model_that_fails_is_given_up_by_the_engine(engine: Engine, draft: ScriptedDraft) -> None:
    context = Context(engine.tokenize("The lighthouse of"), 10)
    (drafter,) = drafters_of("draft", Sources(engine))
    draft.fails_in = "draft"
    assert len(drafter.propose(context, 5)) == 0
    assert engine.draft is None
    assert "failed to draft" in engine.draft_problem
    assert drafters_of("draft", Sources(engine)) == []


def test_the_published_size_is_filled_by_estimates_where_kinds_are_mixed(engine: Engine) -> None:
    tree = make_tree([1, 2], [-1, -1], [1.0, 0.5], [SOURCE_REST, SOURCE_DRAFT], [[2, 1.0, 0, 0, 0], [0, 0, 0, 0, 0.5]])

    def best(method: str) -> int:
        return int(budget_of(engine, "paper", 2, Acceptance(), method).choose(tree, 9, 9).tokens[0])

    assert {name for name in METHODS if best(name) == 2} == {"draft", *FUSING}
    assert best("") == 1
    own = Acceptance()
    budget = budget_of(engine, "paper", 2, own, "rasd")
    for _ in range(300):
        budget.observe(tree, np.array([0], np.int32))
    assert budget.choose(tree, 9, 9).tokens.tolist() == [1]
    assert float(own.calibrate(tree).probability[0]) > 0.9


@pytest.mark.parametrize("sizing", SIZINGS)
def test_auto_draws_on_everything_there_is(engine: Engine, harbour: Library, draft: ScriptedDraft, sizing: str) -> None:
    assert names("auto", engine, harbour, sizing) == names("auto", engine, None, sizing) == [AutoDrafter.name]
    tokens = engine.tokenize("The lighthouse of Velm was built in 1874. The lighthouse of")
    # Of its own, for what other replies have taught the engine would decide what is asked.
    (drafter,), budget = plan(sources_of(engine, harbour), "auto", sizing, acceptance=Acceptance())
    context = Context(tokens, 10)
    drafter.begin(context)
    tree = drafter.propose(context, 40)
    if sizing == "paper":  # where time doesn't count, whatever is known is in the tree
        everything = SOURCE_PROMPT | SOURCE_REST | SOURCE_DRAFT
        assert np.bitwise_or.reduce(tree.source) & everything == everything
    assert drafter.times is not None
    assert np.bitwise_or.reduce(tree.source) & (SOURCE_PROMPT | SOURCE_REST)
    gains = tree.path_probability
    assert (np.diff(gains) <= 1e-6).all(), "calibrated, best node first"
    assert len(budget.choose(tree, 40, 40)) <= len(tree)


def test_auto_goes_on_from_what_earlier_replies_taught(engine: Engine) -> None:
    def auto(acceptance: Acceptance | None) -> AutoDrafter:
        (drafter,), _ = plan(sources_of(engine, None), "auto", acceptance=acceptance)
        assert isinstance(drafter, AutoDrafter)
        return drafter

    assert auto(None).gates is engine.gates
    assert auto(Acceptance()).gates is not engine.gates, "a benchmark's contestant learns for itself"
