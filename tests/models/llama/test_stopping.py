"""The real models, stopped in the middle of a batch: what they say afterwards has the bits it has without that."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import llama_cpp
import numpy as np
import pytest
from numpy.typing import NDArray

from localspec.errors import StoppedError
from localspec.models.draft import DraftModel
from localspec.models.files import catalogue
from localspec.models.llama import LlamaModel, StopSignal
from localspec.models.llama.sampling import SamplingSettings
from localspec.models.llama.stopping import PORTION_SECONDS, Portions
from localspec.speculation.decode import generate
from localspec.speculation.drafters.model import ModelDrafter
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.interface import Drafter
from localspec.speculation.policy import FixedBudget

NOTHING = np.empty(0, np.int32)
PROMPT, TOKENS, CONTEXT = 700, 16, 2048
TREE = np.array([11, 12, 13, 14], np.int32), np.array([-1, 0, 0, 1], np.int32)


def random_text(length: int, seed: int = 0) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(300, 40_000, length).astype(np.int32)


@pytest.fixture(scope="module")
def draft(loaded: LlamaModel) -> Iterator[DraftModel]:
    model = DraftModel(catalogue.resolve_draft(catalogue.SHIPPED_DRAFT).path, loaded, CONTEXT, 2)
    yield model
    model.close()


@contextmanager
def stopped_after(model: Any, nodes: int) -> Iterator[list[int]]:
    """Inside, what a context computes is ended before its node number `nodes`, from now on; the nodes it came to."""
    context = model._context if isinstance(model, LlamaModel) else model._live._context
    seen = [0]

    def ask(_data: object) -> bool:
        seen[0] += 1
        return seen[0] > nodes

    asked = llama_cpp.ggml_abort_callback(ask)
    llama_cpp.llama_set_abort_callback(context, asked, None)
    try:
        yield seen
    finally:
        llama_cpp.llama_set_abort_callback(context, llama_cpp.ggml_abort_callback(), None)


def next_logits(model: LlamaModel, prompt: NDArray[np.int32]) -> NDArray[np.float32]:
    """Behind the prompt and each node of `TREE` [5, v]."""
    model.begin(prompt)
    model.decode(int(prompt[-1]), *TREE)
    logits = model.logits(5).copy()
    model.discard()
    return logits


def written(model: LlamaModel, prompt: NDArray[np.int32], drafters: list[Drafter]) -> list[int]:
    model.begin(prompt)
    sampler = model.sampler(SamplingSettings())
    try:
        steps = generate(model, sampler, drafters, prompt, FixedBudget(7 if drafters else 0), TOKENS)
        return [token for step in steps for token in step.emitted.tolist()][:TOKENS]
    finally:
        sampler.close()


def test_a_batch_can_be_ended_here(model: LlamaModel, draft: DraftModel) -> None:
    assert model.stopping.ends_batches
    assert draft._live._stopping.ends_batches


def test_a_stopped_prefill_leaves_whole_batches_and_no_trace(model: LlamaModel, reference: LlamaModel) -> None:
    prompt = random_text(PROMPT)
    reference.forget()
    expected = next_logits(reference, prompt)
    with stopped_after(model, 10**9) as seen:
        model.begin(prompt)
    most = seen[0]
    for nodes in np.random.default_rng(1).integers(0, most, 4).tolist():
        model.forget()
        with pytest.raises(StoppedError), stopped_after(model, nodes):
            model.begin(prompt)
        assert model.cached == 256 * (3 * nodes // most)
        assert np.array_equal(next_logits(model, prompt), expected), f"after {nodes} of {most} nodes"


@pytest.mark.parametrize("states", [False, True])
def test_another_question_may_follow_a_stopped_one(model: LlamaModel, reference: LlamaModel, states: bool) -> None:
    prompt, other = random_text(600, seed=2), random_text(500, seed=3)
    other[:100] = prompt[:100]
    reference.forget()
    reference.begin(other, states=states)
    known = reference.known_states()[0].copy()
    expected = next_logits(reference, other)
    with pytest.raises(StoppedError), stopped_after(model, 500):
        model.begin(prompt, states=states)
    model.begin(other, states=states)
    if states:
        assert np.array_equal(model.known_states()[0], known)
    assert np.array_equal(next_logits(model, other), expected)


def test_a_stopped_verification_leaves_no_trace(model: LlamaModel, reference: LlamaModel) -> None:
    """The graph of each size is used again after it was ended in the middle."""
    prompt = random_text(PROMPT, seed=4)
    reference.forget()
    expected = next_logits(reference, prompt)
    assert np.array_equal(next_logits(model, prompt), expected)
    with stopped_after(model, 10**9) as seen:
        next_logits(model, prompt)
    for nodes in np.random.default_rng(5).integers(0, seen[0], 5).tolist():
        with pytest.raises(StoppedError), stopped_after(model, nodes):
            model.decode(int(prompt[-1]), *TREE)
        assert model.cached == PROMPT - 1
        assert np.array_equal(next_logits(model, prompt), expected), f"after {nodes} of {seen[0]} nodes"


@pytest.mark.parametrize("stops", ["target", "draft"])
def test_replies_are_those_of_a_fresh_session(
    model: LlamaModel, reference: LlamaModel, draft: DraftModel, stops: str
) -> None:
    """Plain and with drafts, whichever model was stopped, wherever."""
    prompt = np.tile(random_text(90, seed=6), 7)  # with something to copy
    reference.forget()
    plain = written(reference, prompt, [])
    for round_number in range(2):
        model.forget()
        draft.forget()
        drafters: list[Drafter] = [PromptDrafter(), ModelDrafter(draft)]
        with stopped_after(model if stops == "target" else draft, 10**9) as seen:
            assert written(model, prompt, drafters) == plain
        model.forget()
        draft.forget()
        nodes = int(np.random.default_rng(round_number).integers(0, seen[0]))
        with pytest.raises(StoppedError), stopped_after(model if stops == "target" else draft, nodes):
            written(model, prompt, drafters)
        assert written(model, prompt, drafters) == plain
        assert written(model, prompt, []) == plain


def test_the_draft_model_follows_on_where_it_was_stopped(draft: DraftModel) -> None:
    text = random_text(PROMPT, seed=7)
    draft.forget()
    first = draft.follow(text)
    assert first is not None
    tree = draft.draft_tree(first, 16)
    with stopped_after(draft, 10**9) as seen:
        draft.forget()
        draft.follow(text)
        draft.draft_tree(first, 16)
    for nodes in np.random.default_rng(8).integers(0, seen[0], 5).tolist():
        draft.forget()
        with pytest.raises(StoppedError), stopped_after(draft, nodes):
            draft.draft_tree(draft.follow(text) or first, 16)
        again = draft.follow(text)
        assert again is not None
        assert np.array_equal(again.tokens, first.tokens)
        assert np.array_equal(draft.draft_tree(again, 16).tokens, tree.tokens)


def test_a_signal_ends_a_batch_from_another_thread(model: LlamaModel) -> None:
    prompt = random_text(CONTEXT - 2, seed=9)
    stop = StopSignal()
    model.stopping.heed(stop)
    prefill = model.prefill(prompt)
    next(prefill)
    stopping = threading.Timer(0.02, stop.set)
    stopping.start()
    with pytest.raises(StoppedError):
        list(prefill)
    stopping.join()
    with pytest.raises(StoppedError):
        model.begin(prompt)
    assert model.cached < len(prompt) - 1
    model.stopping.heed(None)
    model.begin(prompt[:300])
    with pytest.raises(StoppedError):
        stop.check()
    assert stop.wait(0)


def test_a_signal_that_is_set_before_ends_everything(model: LlamaModel, draft: DraftModel) -> None:
    stop = StopSignal()
    assert not stop.is_set
    stop.check()
    stop.set()
    for heeding in (model.stopping, draft):
        heeding.heed(stop)
    try:
        with pytest.raises(StoppedError):
            model.begin(random_text(5))
        draft.forget()
        with pytest.raises(StoppedError):
            draft.follow(random_text(5))
    finally:
        for heeding in (model.stopping, draft):
            heeding.heed(None)
    model.begin(random_text(5))
    assert draft.follow(random_text(5)) is not None


def test_portions_take_about_as_long_as_a_person_waits() -> None:
    fixed, sized = Portions(512, sized=False), Portions(512, sized=True)
    assert fixed.rows(256) == 256
    fixed.observe(256, 60.0)
    assert fixed.rows(512) == 512
    read = []
    for _ in range(8):  # at 300 tokens a second
        rows = sized.rows(512)
        sized.observe(rows, rows / 300)
        read.append(rows)
    assert set(read[2:]) <= {64, 128}
    assert max(read[2:]) / 300 <= PORTION_SECONDS * 1.1
    sized.observe(1, 9.0)
    assert sized.rows(512) == read[-1], "the short end of a prompt tells nothing"
    for _ in range(8):
        sized.observe(sized.rows(512), 0.01)
    assert sized.rows(512) == 512
    assert sized.rows(256) == 256
    for _ in range(8):
        sized.observe(sized.rows(512), 60.0)
    assert sized.rows(512) == 32
