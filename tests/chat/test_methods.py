"""The switch between methods."""

from __future__ import annotations

import pytest

from localspec.chat.engine import Engine
from localspec.chat.methods import DEFAULT_METHOD, METHODS, PRESETS, Sources, budget_of, drafters_of
from localspec.errors import SettingsError
from localspec.models.llama import MAX_ROWS
from localspec.speculation.acceptance import Acceptance
from localspec.speculation.budget import PAPER_NODES
from localspec.speculation.decode import Context
from localspec.speculation.drafters.dresd import DresdDrafter
from localspec.speculation.drafters.hybrid import HybridDrafter
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.drafters.rest import RestDrafter
from localspec.speculation.tree import depths
from localspec.stores.library import Library


def names(method: str, engine: Engine, library: Library | None, preset: str) -> list[str]:
    """Names of a method's drafters."""
    sources = Sources(engine, library.ngrams, library.states) if library else Sources(engine)
    return [drafter.name for drafter in drafters_of(method, sources, preset)]


def test_every_method_can_be_explained() -> None:
    assert DEFAULT_METHOD in METHODS
    for name, method in METHODS.items():
        assert method.name == name
        assert method.label
        assert method.explanation.endswith(".")


@pytest.mark.parametrize("preset", PRESETS)
def test_plain_drafts_nothing(engine: Engine, harbour: Library, preset: str) -> None:
    assert names("plain", engine, harbour, preset) == []


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
    ("method", "preset"), [("magic", "device"), ("", "device"), ("rest", "fast"), ("REST", "paper")]
)
def test_unknown_names_are_refused_with_the_known_ones(engine: Engine, method: str, preset: str) -> None:
    with pytest.raises(SettingsError) as caught:
        drafters_of(method, Sources(engine, None), preset)
    known = METHODS if method not in METHODS else PRESETS
    assert all(name in caught.value.advice for name in known)


def test_rows_cap_the_batch(engine: Engine) -> None:
    assert budget_of(engine, "paper").limit == PAPER_NODES == MAX_ROWS - 1
    assert 8 <= budget_of(engine, "device").limit <= MAX_ROWS - 1
    for preset in PRESETS:
        assert budget_of(engine, preset, 4).limit == 3
        assert budget_of(engine, preset, 1).limit == 0
        for rows in (-1, MAX_ROWS + 1):
            with pytest.raises(SettingsError, match=str(rows)):
                budget_of(engine, preset, rows)


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
