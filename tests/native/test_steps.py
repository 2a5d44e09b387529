"""The native part of a step does what the Python does that it stands in for: the same trees, estimates and layouts.

They are compared bit for bit, but for sums that numpy adds up in another order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from localspec.models.llama.batch import BatchArrays
from localspec.models.llama.sampling import likeliest_of
from localspec.native import steps
from localspec.native.steps_library import address
from localspec.speculation import cost, tree_size
from localspec.speculation.acceptance import FEATURES, KINDS, Acceptance
from localspec.speculation.builder import Drafted, TreeInputs, build_reference, build_tree
from localspec.speculation.context_index import PythonContextIndex, context_index
from localspec.speculation.drafters.prompt import MAX_N, VOTES
from localspec.speculation.interface import Match
from localspec.speculation.recycled_table import TOP_K, PythonRecycledTable, recycled_table
from localspec.speculation.tree import DraftTree, Ranked, cut
from tests.speculation.scripted import grouped, recycled_of
from tests.speculation.strategies import (
    draft_trees,
    drafted_trees,
    evident_trees,
    found_matches,
    parent_lists,
    paths_in,
    recycled_entries,
)

pytestmark = pytest.mark.skipif(not steps.available(), reason="the native part of a step is not built")

CLOSE = 1e-12
"""Where sums are added up in another order."""


FIELDS = ("tokens", "parents", "source", "evidence", "probability", "path_probability")


def assert_same(native: DraftTree, reference: DraftTree) -> None:
    """In every bit."""
    for name in FIELDS:
        ours, theirs = getattr(native, name), getattr(reference, name)
        assert ours.dtype == theirs.dtype, name
        assert ours.shape == theirs.shape, name
        assert ours.tolist() == theirs.tolist(), name


@contextmanager
def in_python() -> Iterator[None]:
    """As where the native part is not built."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "available", lambda: False)
        yield


def some_acceptance(seed: int, scale: float) -> Acceptance:
    """One that learnt anything."""
    random = np.random.default_rng(seed)
    acceptance = Acceptance()
    acceptance.weights[:] = random.normal(0, scale, len(FEATURES))
    acceptance.residual[:] = random.uniform(-1, 1, len(KINDS))
    return acceptance


ACCEPTANCES = st.none() | st.builds(some_acceptance, st.integers(0, 999), st.sampled_from([0.2, 1.0, 5.0]))
PARTS = st.lists(
    st.tuples(st.lists(st.integers(0, 2), max_size=40), st.integers(1, 6)).map(lambda part: part[0] * part[1]),
    max_size=3,
)
"""Of a text that says some things again, at times more often than is looked at."""
SECONDS = st.lists(st.floats(1e-4, 1.0), min_size=1, max_size=66).map(lambda values: np.array(values, np.float64))
THROUGHPUTS = st.sampled_from([0.0, 1.0, 30.0]) | st.floats(0.0, 1e4)


# -- growing ----------------------------------------------------------------------------------------------------------


class Ingredients(NamedTuple):
    """What a tree is grown from; each builder gets an index and a table of its own kind."""

    parts: list[list[int]]
    matches: list[Match]
    drafted: Drafted | None
    recycled: dict[int, list[tuple[int, float]]] | None
    indexed: bool
    longest: int
    scale: int
    """of all ids: some are beyond those met before"""

    def inputs(self, *, native: bool) -> TreeInputs:
        scale = self.scale
        text = [token * scale for part in self.parts for token in part] + [0]
        votes = VOTES[: self.longest + 1]
        index = context_index(votes) if native else PythonContextIndex(self.longest)
        for part in (*self.parts, [0]):
            index.follow(np.array(part, np.int32) * np.int32(scale))
        matches = [
            match._replace(text=[token * scale if token > 0 else token for token in match.text])
            for match in self.matches
        ]
        drafted = self.drafted
        if drafted is not None:
            drafted = drafted._replace(tokens=drafted.tokens * np.int32(scale))
        table = None
        if self.recycled is not None:
            entries = {
                token * scale: [(each * scale, probability) for each, probability in behind]
                for token, behind in self.recycled.items()
            }
            table = recycled_of(entries, recycled_table if native else PythonRecycledTable)
        return TreeInputs(
            np.array(text, np.int32), grouped(matches), drafted, table, index if self.indexed else None, votes
        )


INGREDIENTS = st.builds(
    Ingredients,
    PARTS,
    found_matches(most=10),
    st.none() | drafted_trees(),
    st.none() | recycled_entries(),
    st.booleans(),
    st.sampled_from([2, 5, MAX_N]),
    st.sampled_from([1, 1, 50_000]),
)


@settings(max_examples=400)
@given(
    INGREDIENTS,
    ACCEPTANCES,
    st.integers(0, 40),
    st.sampled_from([0.0, 0.02, 0.1, 0.5]),
    st.integers(1, 8),
    st.sampled_from([1.0, 0.8, 0.5]),
)
def test_trees_are_grown_as_in_python(ingredients, acceptance, limit, min_probability, max_depth, decay):
    native = build_tree(
        ingredients.inputs(native=True),
        limit,
        estimate=acceptance,
        min_probability=min_probability,
        max_depth=max_depth,
        decay=decay,
    )
    chance = acceptance.chance() if acceptance is not None else None
    reference = build_reference(ingredients.inputs(native=False), limit, chance, min_probability, max_depth, decay)
    assert_same(native, reference)


def test_a_wide_tree_is_grown_from_hundreds_of_matches():
    random = np.random.default_rng(0)
    text = random.integers(0, 5, 3000).tolist()
    matches = [
        Match(random.integers(0, 9, 16).tolist(), 0, int(random.integers(2, 16)), 0.0, float(random.uniform(1, 9)), 2)
        for _ in range(300)
    ]
    ingredients = Ingredients([text], matches, None, {token: [(token + 1, 0.5)] for token in range(9)}, True, MAX_N, 1)
    for acceptance in (None, Acceptance()):
        native = build_tree(ingredients.inputs(native=True), 64, estimate=acceptance, max_depth=64)
        chance = acceptance.chance() if acceptance is not None else None
        assert_same(native, build_reference(ingredients.inputs(native=False), 64, chance, 0.0, 64))
        assert len(native) == 64


@given(PARTS, st.lists(st.integers(0, 2), max_size=5), st.sampled_from([2, 3, 5, 16, MAX_N]))
def test_the_index_finds_what_it_does_in_python(parts, drafted, longest):
    native, reference = steps.Index(VOTES[: longest + 1]), PythonContextIndex(longest)
    looked = np.array(drafted, np.int32)
    for part in ([], *parts):
        for index in (native, reference):
            index.follow(np.array(part, np.int32))
        assert native.count == reference.count
        for ours, theirs in zip(native.find(looked), reference.find(looked), strict=True):
            assert ours.dtype == theirs.dtype
            assert ours.tolist() == theirs.tolist()


@given(st.lists(recycled_entries(6), max_size=4), st.integers(0, 6))
def test_the_table_keeps_what_it_does_in_python(written, asked):
    native, reference = steps.Recycled(), PythonRecycledTable()
    for entries in written:
        for table in (native, reference):
            for token, behind in entries.items():
                tokens, chances = ([pair[place] for pair in behind] for place in (0, 1))
                table.put(token, np.array(tokens, np.int32), np.array(chances, np.float64))
    assert native.get(asked) == reference.get(asked)


# -- estimating and learning ------------------------------------------------------------------------------------------


@given(evident_trees(), st.integers(0, 999), st.sampled_from([0.2, 1.0, 5.0]))
def test_estimates_are_those_of_python(tree, seed, scale):
    acceptance = some_acceptance(seed, scale)
    assert_same(acceptance.calibrate(tree), acceptance.calibrate_reference(tree))


@given(st.lists(evident_trees().flatmap(paths_in), min_size=1, max_size=6), st.integers(0, 999), st.booleans())
def test_verifications_teach_what_they_do_in_python(verified, seed, shipped):
    native, reference = (Acceptance() if shipped else some_acceptance(seed, 1.0) for _ in range(2))
    for tree, path in verified:
        native.observe(tree, path)
        with in_python():
            reference.observe(tree, path)
        assert native.trials == reference.trials
        for name in ("weights", "_precision", "residual"):
            assert getattr(native, name).tolist() == getattr(reference, name).tolist(), name


@given(draft_trees(most=30), st.integers(0, 30))
def test_a_tree_and_its_block_say_the_same(tree, limit):
    """However it came to be, and with room to spare or without."""
    kept = cut(tree, limit)
    for each in (tree, kept, Acceptance().calibrate(kept), kept.take(range(len(kept) // 2))):
        block, nodes = each.native
        assert_same(DraftTree.of_native(block.copy(), nodes), each)
        assert each.native[1] == len(each)


# -- sizing -----------------------------------------------------------------------------------------------------------


@given(draft_trees(most=40), st.integers(-1, 45), st.none() | st.integers(0, 8))
def test_a_cut_is_that_of_python(tree, limit, max_depth):
    native = cut(tree, limit, max_depth)
    with in_python():
        assert_same(native, cut(tree, limit, max_depth))


@given(draft_trees(most=40), st.integers(0, 45), st.integers(0, 8), SECONDS, THROUGHPUTS)
def test_a_cut_to_what_pays_is_that_of_python(tree, room, max_depth, seconds, throughput):
    block, nodes = tree.native
    native = steps.cut(block, nodes, room, max_depth, seconds, throughput, cost.CAUTION)
    ranked = Ranked(tree, max_depth)
    size = tree_size.size_of_step(ranked.gains[:room] * cost.CAUTION, seconds, throughput)
    assert_same(DraftTree.of_native(*native), ranked.best(size))


@given(
    st.lists(st.floats(0, 1), max_size=70).map(lambda values: np.array(values, np.float64)),
    SECONDS,
    THROUGHPUTS,
    st.sampled_from([1.0, cost.CAUTION]),
)
def test_the_best_size_is_that_of_python(gains, seconds, throughput, caution):
    assert steps.best_size(gains, seconds, throughput, caution) == tree_size.size_of_step(
        gains * caution, seconds, throughput
    )


@given(
    st.lists(st.sampled_from([0.25, 0.5, 1.0]) | st.floats(1e-4, 1.0), min_size=1, max_size=65),
    st.sets(st.sampled_from(cost.SIZES)),
    st.integers(0, 65),
    st.sampled_from([0.0, 0.25, 0.5]) | st.floats(0, 1),
    st.sampled_from([0.0, 0.001]),
)
def test_seconds_and_rows_of_a_step_are_those_of_python(curve, wanted, last_rows, change, overhead):
    decode_seconds = np.array([0.0, *curve])
    most = len(curve)
    sizes = np.array([*sorted(size for size in wanted if size < most), most], np.int32)
    results = []
    for function in (steps.step_seconds, cost.step_seconds):
        seconds, rows = np.full(most, np.nan), np.full(most, -1, np.int32)
        function(decode_seconds, sizes, last_rows, change, overhead, seconds, rows)
        results.append((seconds.tolist(), rows.tolist()))
    assert results[0] == results[1]


@given(draft_trees(most=30), draft_trees(most=30), st.none() | SECONDS, THROUGHPUTS, st.integers(0, 40))
def test_the_gain_of_a_tree_is_that_of_python(before, now, seconds, throughput, limit):
    native = cost.tree_gain(before, now, seconds, throughput, limit)
    with in_python():
        reference = cost.tree_gain(before, now, seconds, throughput, limit)
    assert native == pytest.approx(reference, rel=CLOSE, abs=CLOSE * (1 + throughput))


@given(draft_trees(most=40), SECONDS.filter(lambda seconds: len(seconds) > 2), st.integers(0, 40), st.integers(0, 8))
def test_what_a_device_costs_is_that_of_python(tree, seconds, room, max_depth):
    """All of `MeasuredCost`, step after step."""

    def told() -> list[object]:
        times = cost.SteadyTimes(np.array([0.0, *seconds]), change=0.01)
        measured = cost.MeasuredCost(times, 0.001, most_rows=40)
        answers: list[object] = []
        for rows in (1, 4, 4, 12):
            kept = measured.cut(tree, room, max_depth, 0)
            answers += [
                [getattr(kept, name).tolist() for name in FIELDS],
                measured.rows(len(kept), 0),
                measured.step_seconds(0).tolist(),
            ]
            answers += [measured.plain_seconds(0), measured.gain(DraftTree.empty(), kept, 0)]
            measured.observe(2, cost.StepCost(0, min(rows, len(seconds)), 0.1, 0.1))
        return answers

    native = told()
    with in_python():
        reference = told()
    for ours, theirs in zip(native, reference, strict=True):
        assert ours == (pytest.approx(theirs, rel=CLOSE, abs=CLOSE) if isinstance(theirs, float) else theirs)


# -- batches ----------------------------------------------------------------------------------------------------------


@given(parent_lists(), st.integers(0, 64), st.integers(0, 5000), st.sampled_from([1, 8, 64]))
def test_a_batch_is_laid_out_as_in_python(parents, filling, past, least):
    rows = min(len(parents) + 1 + filling, 65)
    native, reference = BatchArrays(70, 64), BatchArrays(70, 64)
    leaf_of, sequences = native.place(parents, past, rows, least)
    expected_leaf_of, expected_sequences = reference.place_reference(parents, past, rows, least)
    assert sequences == expected_sequences
    assert leaf_of.dtype == expected_leaf_of.dtype
    assert leaf_of.tolist() == expected_leaf_of.tolist()
    assert native.positions.tolist() == reference.positions.tolist(), "also behind the batch, where nothing is written"
    assert native.sequence_counts.tolist() == reference.sequence_counts.tolist()
    for row in range(rows):
        count = native.sequence_counts[row]
        assert native.sequences[row, :count].tolist() == reference.sequences[row, :count].tolist()


# -- rows of logits ---------------------------------------------------------------------------------------------------


def row_of(values: Sequence[float]) -> NDArray[np.float32]:
    return np.array(values, np.float32)


ROWS = st.lists(
    st.sampled_from([-7.0, -1.0, 0.0, 3.0, 6.5, 7.0]) | st.floats(-40, 40, width=32), min_size=1, max_size=70
).map(row_of)
"""With ties, and with logits just as far below the highest as counts no more."""


@given(ROWS, st.integers(0, 3))
def test_the_highest_logit_is_that_of_numpy(row, impossible):
    row[:impossible] = -np.inf
    assert steps.argmax(address(row), len(row)) == row.argmax()


@given(ROWS, st.integers(1, TOP_K))
def test_the_likeliest_tokens_are_those_of_numpy(row, count):
    tokens, probabilities = steps.Likeliest()(address(row), len(row), count)
    expected, expected_probabilities = likeliest_of(row, count)
    assert tokens.dtype == expected.dtype
    assert tokens.tolist() == expected.tolist()
    assert probabilities.tolist() == pytest.approx(expected_probabilities.tolist(), rel=CLOSE)


@pytest.mark.parametrize("vocabulary", [49_152, 151_936, 151_943])
def test_rows_of_real_vocabularies(vocabulary: int):
    random = np.random.default_rng(vocabulary)
    likeliest = steps.Likeliest()
    for spread in (0.5, 3.0, 10.0):
        row = (random.standard_normal(vocabulary) * spread).astype(np.float32)
        row[-1] = row.max() if spread == 3.0 else row[-1]  # twice the highest: the first counts
        assert steps.argmax(address(row), vocabulary) == row.argmax()
        tokens, probabilities = likeliest(address(row), vocabulary, TOP_K)
        expected, expected_probabilities = likeliest_of(row, TOP_K)
        assert tokens.tolist() == expected.tolist()
        assert probabilities.tolist() == pytest.approx(expected_probabilities.tolist(), rel=1e-10)
