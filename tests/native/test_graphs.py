"""A graph for each number of rows: batches of changing sizes find theirs again, and compute the same as before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from numpy.typing import NDArray

from localspec.models.files.catalogue import resolve
from localspec.models.llama import MAX_ROWS, LlamaModel, LoadSettings
from localspec.models.llama.sampling import SamplingSettings
from localspec.native import graphs
from localspec.speculation.acceptance import Acceptance
from localspec.speculation.cost import SIZES, SteadyTimes
from localspec.speculation.decode import generate
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.policy import CostBudget

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not graphs.built(), reason="llama.cpp was built without graphs.cpp")]

CHEAP_ROWS = 0.010 + 0.001 * np.arange(MAX_ROWS + 1, dtype=np.float64)
"""T(k) in seconds with which much is drafted."""


def test_sizes_with_a_graph_are_those_of_the_library() -> None:
    source = Path(graphs.__file__).with_name("graphs.cpp").read_text(encoding="utf-8")
    assert re.findall(r"max_rows = (\d+);", source) == [str(graphs.KEPT_ROWS)]


def load() -> LlamaModel:
    return LlamaModel(resolve("").path, LoadSettings(context=1024, gpu_layers=0))


@pytest.fixture
def model() -> Iterator[LlamaModel]:
    with closing(load()) as loaded:
        yield loaded


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlamaModel]:
    """The same model with llama.cpp's one graph."""
    with monkeypatch.context() as patch:
        patch.setattr(graphs, "_serving", lambda: None)
        loaded = load()
    context = loaded._context
    select = graphs.select

    def only_others(other: object, rows: int) -> None:
        if other is not context:
            select(other, rows)

    monkeypatch.setattr(graphs, "select", only_others)
    with closing(loaded):
        yield loaded


def reused(model: LlamaModel) -> int:
    return int(llama_cpp.llama_perf_context(model._context).n_reused)


def decode(model: LlamaModel, rows: int, keep: int = 0) -> NDArray[np.float32]:
    """Logits [rows, vocabulary] of a chain of tokens that are different at each place; its first `keep` are kept."""
    first = 7 * model.cached + 11
    tokens = np.arange(first, first + rows, dtype=np.int32) % model.vocabulary_size
    model.decode(int(tokens[0]), tokens[1:], np.arange(-1, rows - 2, dtype=np.int32))
    logits = model.logits(rows).copy()
    if keep:
        model.keep(np.arange(keep - 1, dtype=np.int32))
    else:
        model.discard()
    return logits


def test_sizes_in_turn_find_their_graphs_again(model: LlamaModel) -> None:
    model.begin(np.arange(20, 40, dtype=np.int32))
    turn = (1, 4, 2, 8, 1, 16, 3)
    for rows in turn:
        decode(model, rows)
    before = reused(model)
    for rows in turn * 3:
        decode(model, rows)
    assert reused(model) - before == 3 * len(turn)


def test_llama_cpp_alone_builds_a_graph_at_every_change(without: LlamaModel) -> None:
    """Else none of this would be needed any more."""
    without.begin(np.arange(20, 40, dtype=np.int32))
    decode(without, 1)
    before = reused(without)
    for rows in (4, 1, 4, 1):
        decode(without, rows)
    assert reused(without) == before


def test_every_logit_is_the_same_with_one_graph_and_with_many(model: LlamaModel, without: LlamaModel) -> None:
    """Through prompts between them, more sizes than are kept, hidden states on and off, and a text that grows over
    several paddings of the cache."""
    random = np.random.default_rng(5)
    prompt = np.arange(100, 340, dtype=np.int32)
    for one in (model, without):
        one.begin(prompt)
    for number in range(60):
        if number % 20 == 10:
            for one in (model, without):
                one.use_states(number % 40 == 10)
        if number == 45:
            for one in (model, without):
                one.begin(prompt[::-1].copy())
        rows = int(random.choice(SIZES))
        keep = int(random.integers(0, min(rows, 12) + 1))
        assert np.array_equal(decode(model, rows, keep), decode(without, rows, keep)), (number, rows)
        assert model.cached == without.cached


def test_attending_to_more_empty_cells_keeps_a_graph_longer_and_changes_no_logit(without: LlamaModel) -> None:
    """As on a GPU; here the text grows over four paddings of 256 cells."""
    with closing(load()) as padded:
        graphs.pad(padded._context, 1024)
        before = reused(padded)
        for one in (padded, without):
            one.begin(np.arange(100, 200, dtype=np.int32))
        for _ in range(100):
            assert np.array_equal(decode(padded, 8, 8), decode(without, 8, 8))
        assert reused(padded) - before == 99


def test_most_steps_of_a_drafted_reply_find_their_graph(model: LlamaModel) -> None:
    sentence = "One keeper cleans the lamp, one winds the clock, and the third, who is old, writes down what they saw. "
    prompt = model.tokenize(3 * sentence + "Then, on a cold morning,")
    sampler = model.sampler(SamplingSettings())
    budget = CostBudget(SteadyTimes(CHEAP_ROWS), Acceptance(), MAX_ROWS)
    model.begin(prompt)
    before = reused(model)
    steps = generate(model, sampler, [PromptDrafter()], prompt, budget, 480, clock=lambda: 0.0)  # as on any machine
    sizes = [len(step.tree) for step in steps]
    sampler.close()
    assert len({*sizes}) > 2, sizes  # or there would be nothing to see
    assert reused(model) - before >= 0.8 * len(sizes), sizes


def test_a_model_is_closed_while_any_of_its_graphs_serves() -> None:
    for rows in (1, 8, MAX_ROWS):
        with closing(load()) as model:
            model.begin(np.arange(20, 40, dtype=np.int32))
            decode(model, 2)
            decode(model, rows)


def test_dropped_graphs_are_built_anew(model: LlamaModel) -> None:
    model.begin(np.arange(20, 40, dtype=np.int32))
    for rows in (1, 4, 1, 4):
        logits = decode(model, rows)
    before = reused(model)
    model.drop_graphs()
    decode(model, 1)
    assert reused(model) <= before + 1  # the context's own may have served one row last
    assert np.array_equal(decode(model, 4), logits)
    after = reused(model)
    decode(model, 1)
    assert np.array_equal(decode(model, 4), logits)
    assert reused(model) - after == 2


def test_without_memory_for_a_graph_the_reserved_one_serves(
    model: LlamaModel, without: LlamaModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in (model, without):
        one.begin(np.arange(20, 40, dtype=np.int32))
        decode(one, 4, 3)
    real, failures = llama_cpp.llama_decode, [-2]

    def fails_once(context: object, native: object) -> int:
        code = int(real(context, native))  # it leaves its rows in the cache
        return failures.pop() if failures else code

    monkeypatch.setattr(llama_cpp, "llama_decode", fails_once)
    logits = decode(model, 6, 5)
    assert not failures
    assert np.array_equal(logits, decode(without, 6, 5))
    assert np.array_equal(decode(model, 1), decode(without, 1))


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSPEC_GRAPHS", "off")
    graphs._serving.cache_clear()
    try:
        assert not graphs.enabled()
    finally:
        monkeypatch.undo()
        graphs._serving.cache_clear()
    assert graphs.enabled()
