"""The draft model alone as a drafter: a scripted one says what it was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.errors import ModelError
from localspec.speculation.decode import generate
from localspec.speculation.drafters.model import ModelDrafter
from localspec.speculation.interface import Context
from localspec.speculation.policy import FixedBudget
from localspec.speculation.tree import DRAFT_PROBABILITY, SIBLING_RANK, SOURCE_DRAFT
from tests.speculation.scripted import ScriptedDraft, ScriptedSampler, ScriptedTarget, paths_of

VOCABULARY = 12
TOKENS = [1, 2, 3, 1, 2]


def context_of(tokens: list[int]) -> Context:
    return Context(np.array(tokens, np.int32), 50)


@given(
    st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=8),
    st.integers(1, 30),
    st.sampled_from([0.0, 0.1, 0.6]),
    st.sets(st.integers(0, VOCABULARY - 1), min_size=1),
)
def test_the_draft_is_what_the_model_drafted(tokens, limit, min_probability, known):
    draft = ScriptedDraft(ScriptedTarget(VOCABULARY), known=known)
    drafter = ModelDrafter(draft.model, min_probability)
    context = context_of(tokens)
    drafter.begin(context)
    tree = drafter.propose(context, limit)
    drafted = draft.drafted

    assert drafted is not None
    assert paths_of(tree) == paths_of(drafted)
    assert len(tree) <= limit
    assert (tree.source == SOURCE_DRAFT).all()
    assert tree.probability.tolist() == tree.evidence[:, DRAFT_PROBABILITY].tolist() == drafted.probabilities.tolist()
    assert tree.evidence[:, SIBLING_RANK].tolist() == drafted.ranks.tolist()
    others = np.delete(tree.evidence, [DRAFT_PROBABILITY, SIBLING_RANK], axis=1)
    assert not others.any(), "no evidence of searches"
    assert (tree.path_probability >= min_probability - 1e-6).all()
    assert all(drafter.knows(token) for token in tree.tokens.tolist())
    assert [token for token in range(VOCABULARY) if drafter.knows(token)] == sorted(known)


def test_what_pays_is_left_to_the_model():
    draft = ScriptedDraft(ScriptedTarget(VOCABULARY))
    for drafter in (ModelDrafter(draft.model, 0.03, 0.25), ModelDrafter(draft.model)):
        drafter.propose(context_of(TOKENS), 7)
    assert draft.asked == [(7, 0.03, 0.25), (7, 0.0, 0.0)]


def test_it_follows_the_accepted_text():
    """The prompt once at the start, then the text as far as it has come, once per step."""
    target = ScriptedTarget(VOCABULARY)
    draft = ScriptedDraft(target, 0.8)
    target.begin(TOKENS)
    drafter = ModelDrafter(draft.model)
    length = len(TOKENS)
    lengths = [length]
    # One place is kept for the target's own token: nothing is drafted where only that is left.
    for step in generate(target, ScriptedSampler(target), [drafter], np.array(TOKENS, np.int32), FixedBudget(6), 30):
        if length < len(TOKENS) + 29:
            lengths.append(length)
        length += len(step.emitted)
    assert length == len(TOKENS) + 30
    assert draft.follows == lengths


def test_a_text_beyond_its_context_is_no_failure():
    draft = ScriptedDraft(ScriptedTarget(VOCABULARY), longest=len(TOKENS))
    failures: list[ModelError] = []
    drafter = ModelDrafter(draft.model, failed=failures.append)
    drafter.begin(context_of(TOKENS))
    assert len(drafter.propose(context_of(TOKENS), 5)) > 0
    assert drafter.first(np.array([*TOKENS, 4], np.int32)) is None
    assert len(drafter.propose(context_of([*TOKENS, 4]), 5)) == 0
    assert len(drafter.propose(context_of(TOKENS), 5)) > 0, "shorter texts are followed again"
    assert failures == []


@pytest.mark.parametrize("place", ["closed", "follow", "draft"])
def test_a_model_that_fails_is_given_up_for_the_reply(place):
    draft = ScriptedDraft(ScriptedTarget(VOCABULARY))
    failures: list[ModelError] = []
    drafter = ModelDrafter(draft.model, failed=failures.append)
    context = context_of(TOKENS)
    drafter.begin(context)
    assert len(drafter.propose(context, 5)) > 0
    draft.fails_in = place
    assert len(drafter.propose(context, 5)) == 0
    asked = len(draft.follows), len(draft.asked)
    draft.fails_in = ""
    for _ in range(3):
        assert len(drafter.propose(context, 5)) == 0
    assert (len(draft.follows), len(draft.asked)) == asked, "it is not asked again"
    assert [type(failure) for failure in failures] == [ModelError]
    assert place in str(failures[0])
    drafter.begin(context)
    assert len(drafter.propose(context, 5)) > 0, "the next reply tries again"


def test_a_model_that_fails_on_the_prompt():
    draft = ScriptedDraft(ScriptedTarget(VOCABULARY))
    draft.fails_in = "follow"
    failures: list[ModelError] = []
    drafter = ModelDrafter(draft.model, failed=failures.append)
    context = context_of(TOKENS)
    drafter.begin(context)
    assert len(failures) == 1
    assert len(drafter.propose(context, 5)) == 0
    assert len(failures) == 1
    # Nobody has to be told.
    unheard = ModelDrafter(draft.model)
    unheard.begin(context)
    assert len(unheard.propose(context, 5)) == 0


def test_a_mistake_in_the_program_is_no_failure_of_the_model():
    draft = ScriptedDraft(ScriptedTarget(VOCABULARY))
    failures: list[ModelError] = []
    drafter = ModelDrafter(draft.model, failed=failures.append)
    with pytest.raises(AssertionError, match="where none fits"):
        drafter.propose(context_of(TOKENS), 0)
    assert failures == []


def test_reading_the_prompt_and_drafting_are_told_apart():
    drafter = ModelDrafter(ScriptedDraft(ScriptedTarget(VOCABULARY)).model)
    context = context_of(TOKENS)
    drafter.begin(context)
    assert drafter.times.prefill > 0
    assert drafter.times.drafting == 0
    prefill, reply = drafter.times.prefill, drafter.times
    drafter.propose(context, 5)
    drafter.propose(context, 5)
    assert drafter.times.drafting > 0
    assert drafter.times.prefill == prefill
    assert drafter.times.retrieval == drafter.times.overlapped == 0
    drafter.begin(context)
    assert drafter.times is not reply, "the figures of the last reply are somebody else's now"
    assert drafter.times.drafting == 0 < reply.drafting
