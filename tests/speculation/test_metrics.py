"""The figures of a reply, from crafted steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.speculation.drafters.dresd import DresdDrafter
from localspec.speculation.drafters.model import ModelDrafter
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.drafters.rasd import RasdDrafter
from localspec.speculation.interface import Context, Drafter, DraftTimes, Retrieval, Step
from localspec.speculation.metrics import DISTURBED, ENOUGH_PLAIN_STEPS, FEW, FEW_TOKENS, ReplyMetrics
from localspec.speculation.paired import PairedSpeed
from localspec.speculation.tree import (
    IN_DOCUMENT,
    SOURCE_DRAFT,
    SOURCE_DRESD,
    SOURCE_LEARNT,
    SOURCE_PROMPT,
    SOURCE_REST,
    credited,
)
from tests.speculation.scripted import ScriptedDraft, ScriptedTarget, calibration_error, make_tree
from tests.speculation.strategies import draft_trees


def step(
    drafted: int = 0,
    sources: Sequence[int] = (),
    seconds: tuple[float, float, float, float] = (0.1, 0.6, 0.2, 0.1),
    rejected: int = SOURCE_PROMPT,
) -> Step:
    """A step that drafted a chain and accepted one node per entry of `sources`; the others are from `rejected`."""
    bits = [*sources, *[rejected] * (drafted - len(sources))]
    tree = make_tree(range(drafted), range(-1, drafted - 1), source=bits)
    accepted = len(sources)
    return Step(
        np.arange(accepted + 1, dtype=np.int32),
        np.array([*sources, 0], np.uint8),
        tree,
        np.arange(accepted, dtype=np.int32),
        *seconds,
        "",
    )


def test_before_the_first_step_every_figure_is_zero():
    assert set(ReplyMetrics(plain_seconds=0.5).figures().values()) == {0}
    assert ReplyMetrics(plain_seconds=0.5).speedup == 0


def test_figures():
    metrics = ReplyMetrics(plain_seconds=0.5)
    metrics.add(step(8, [SOURCE_REST] * 3))
    metrics.add(step(4, [SOURCE_REST]))
    metrics.add(step(3))
    metrics.add(step())
    assert metrics.figures() == {
        "tokens": 8,
        "seconds": pytest.approx(4.0),
        "tokens_per_second": pytest.approx(2.0),
        "steps": 4,
        "tokens_per_step": 2.0,
        "drafted": 15,
        "accepted": 4,
        "acceptance_rate": pytest.approx(4 / 15),
        "accepted_length": 1.0,
        "mean_acceptance_length": pytest.approx(1 + 4 / 3),
        "drafting_seconds": 0.0,
        "retrieval_seconds": pytest.approx(0.4),  # all of proposing, where no draft model takes part
        "overlapped_seconds": 0.0,
        "draft_prefill_seconds": 0.0,
        "verification_seconds": pytest.approx(3.2),
        "calibration_error": metrics.calibration_error,
    }
    assert metrics.drafted_steps == 3
    assert metrics.accepted_per_step == [3, 1, 0, 0]
    parts = (metrics.propose_seconds, metrics.decode_seconds, metrics.sample_seconds, metrics.rest_seconds)
    assert parts == pytest.approx((0.4, 2.4, 0.8, 0.4))


def test_speedup_is_speed_against_the_measured_plain_step():
    metrics, unmeasured = ReplyMetrics(plain_seconds=0.5), ReplyMetrics()
    for _ in range(FEW_TOKENS // 4):
        metrics.add(step(8, [SOURCE_REST] * 3))
        unmeasured.add(step(8, [SOURCE_REST] * 3))
    # four tokens in one second, against two tokens a second without drafts
    assert metrics.baseline_seconds == 0.5
    assert metrics.baseline_kind == "before"
    assert metrics.speedup == pytest.approx(2.0)
    assert unmeasured.speedup == 0
    assert unmeasured.baseline_kind == unmeasured.untold == ""


def test_few_tokens_tell_nothing_where_something_was_drafted():
    metrics = ReplyMetrics(plain_seconds=0.5)
    while metrics.tokens + 4 < FEW_TOKENS:
        metrics.add(step(8, [SOURCE_REST] * 3))
    assert metrics.untold == FEW
    assert metrics.speedup == 0
    assert metrics.tokens_per_second > 0
    metrics.add(step(8, [SOURCE_REST] * 3))
    assert metrics.untold == ""
    assert metrics.speedup > 0


@pytest.mark.parametrize("tokens", [1, 2, 5, 40])
def test_plain_decoding_is_as_fast_as_itself_however_short_the_reply(tokens: int) -> None:
    """T(1) was measured at another moment: against it, luck would be told as a speedup."""
    metrics = ReplyMetrics(plain_seconds=0.9)
    for number in range(tokens):
        metrics.add(step(seconds=(0.0, 0.7 + 0.05 * (number % 3), 0.0, 0.0)))
    assert metrics.speedup == pytest.approx(1.0)
    assert metrics.baseline_kind == "own"
    looked = ReplyMetrics(plain_seconds=0.9)
    for _ in range(tokens):
        looked.add(step(seconds=(0.25, 0.75, 0.0, 0.0)))
    assert looked.speedup == pytest.approx(0.75), "looking for drafts took a quarter"


def test_on_a_disturbed_computer_a_measurement_of_another_moment_tells_nothing():
    metrics = ReplyMetrics(plain_seconds=0.5)
    for number in range(10):
        metrics.add(replace(step(8, [SOURCE_REST] * 3), disturbed=number < 5))
    assert metrics.untold == ""
    metrics.add(replace(step(8, [SOURCE_REST] * 3), disturbed=True))
    assert metrics.untold == DISTURBED
    assert metrics.speedup == 0
    # Its own plain steps were of the same moments.
    for _ in range(ENOUGH_PLAIN_STEPS):
        metrics.add(replace(step(), disturbed=True))
    assert metrics.untold == ""


def test_own_plain_steps_that_are_all_different_tell_nothing():
    metrics = ReplyMetrics(plain_seconds=0.5)
    for _ in range(10):
        metrics.add(step(8, [SOURCE_REST] * 3))
    for seconds in (0.2, 0.9, 0.3, 0.8, 0.25):
        metrics.add(step(seconds=(0.0, seconds, 0.0, 0.0)))
    assert metrics.untold == DISTURBED
    read = ReplyMetrics.of_record(json.loads(json.dumps(metrics.record())))
    assert read.untold == DISTURBED
    assert read.baseline_seconds == pytest.approx(metrics.baseline_seconds)
    for _ in range(100):
        metrics.add(step(seconds=(0.0, 0.5, 0.0, 0.0)))
    assert metrics.untold == ""


def test_what_was_measured_in_turns_takes_the_place_of_an_estimate():
    metrics = ReplyMetrics(plain_seconds=0.5)
    metrics.add(step(8, [SOURCE_REST] * 3))
    assert metrics.untold == FEW
    metrics.paired = PairedSpeed(1.25, 1.2, 1.3, 8, 0.3)
    assert metrics.untold == ""
    assert metrics.speedup == pytest.approx(1.25)
    assert metrics.baseline_kind == "paired"
    assert metrics.tokens_per_second * metrics.baseline_seconds == pytest.approx(1.25), "the figures agree"
    read = ReplyMetrics.of_record(json.loads(json.dumps(metrics.record())))
    assert read.paired == metrics.paired
    assert read.record() == metrics.record()
    metrics.merge(full_metrics(1))
    assert metrics.paired is None, "it was of another text"


def test_enough_plain_steps_of_the_reply_outvote_the_table():
    metrics = ReplyMetrics(plain_seconds=0.5)
    times = [0.7, 0.8, 5.0, 0.9, 0.6]
    assert len(times) == ENOUGH_PLAIN_STEPS
    for count, seconds in enumerate(times):
        if count == 0:
            metrics.add(step(8, [SOURCE_REST] * 3))
        assert metrics.baseline_seconds == 0.5, f"{count} steps are too few"
        metrics.add(step(seconds=(0.25, seconds, 0.0, 0.0)))
    mean = (0.7 + 0.8 + 3 * 0.8 + 0.9 + 0.6) / 5
    assert metrics.baseline_seconds == pytest.approx(mean), "without the time spent proposing, an outlier bounded"
    metrics.add(step(8, [SOURCE_REST] * 3, seconds=(0.0, 99.0, 0.0, 0.0)))
    assert metrics.baseline_seconds == pytest.approx(mean), "drafted steps are no baseline"


def test_a_load_that_comes_and_goes_makes_no_plain_reply_slow():
    metrics = ReplyMetrics()
    for seconds in [0.01, 0.01, 0.01, 0.025] * 30:
        metrics.add(step(seconds=(0.0, seconds, 0.0, 0.0)))
    assert metrics.speedup == pytest.approx(1.0), "against the median it would be 0.73"


def test_a_reply_without_drafts_is_plain_however_it_was_held_up():
    metrics = ReplyMetrics()
    for seconds in [*[0.01] * 10, 0.5, 2.0]:
        metrics.add(step(seconds=(0.001, seconds, 0.0, 0.0)))
    assert metrics.speedup == pytest.approx(2.6 / 2.612), "only looking for drafts took longer"


def test_a_plain_reply_has_a_speedup_of_one():
    metrics = ReplyMetrics(plain_seconds=123.0)
    for _ in range(10):
        metrics.add(step(seconds=(0.0, 0.25, 0.125, 0.125)))
    assert metrics.speedup == pytest.approx(1.0)


def test_learnt_answers_and_documents_are_two_sources():
    metrics = ReplyMetrics()
    learnt = SOURCE_REST | SOURCE_LEARNT
    both = learnt | IN_DOCUMENT
    source = credited(np.array([learnt, both, SOURCE_REST, 0], np.uint8))
    metrics.add(replace(step(6, [learnt, both, SOURCE_REST], rejected=learnt), source=source))
    assert metrics.by_source == {"learnt": 1, "REST": 2, "target": 1}
    assert metrics.drafted_by_source == {"learnt": 5, "REST": 2}
    assert metrics.accepted_by_source == {"learnt": 2, "REST": 2}
    assert ReplyMetrics.of_record(metrics.record()).drafted_by_source == metrics.drafted_by_source


def test_tokens_are_counted_once_under_one_source():
    metrics = ReplyMetrics()
    shared = SOURCE_PROMPT | SOURCE_REST
    metrics.add(step(6, [SOURCE_PROMPT, SOURCE_REST, shared, SOURCE_DRESD, SOURCE_DRAFT]))
    metrics.add(step())
    assert metrics.by_source == {"prompt": 2, "REST": 1, "DReSD": 1, "draft": 1, "target": 2}
    assert sum(metrics.by_source.values()) == metrics.tokens


def test_merged_replies_count_as_one():
    seconds = (0.125, 0.5, 0.25, 0.125)  # sums of these are exact
    steps = [
        step(8, [SOURCE_REST] * 3, seconds),
        step(seconds=(0.0, 0.5, 0.0, 0.0)),
        step(2, [SOURCE_PROMPT], seconds),
        step(seconds=seconds),
    ]
    together, first, second = (ReplyMetrics(plain_seconds=0.5) for _ in range(3))
    for number, each in enumerate(steps):
        together.add(each)
        (first if number < 2 else second).add(each)
    first.merge(second)
    assert first == together
    assert first.figures() == together.figures()
    assert first.by_source == {"REST": 3, "prompt": 1, "target": 4}
    assert first.drafted_by_source == {"REST": 3, "prompt": 7}
    assert first.accepted_by_source == {"REST": 3, "prompt": 1}


# -- the draft model and the searches beside it -----------------------------------------------------------------------


def test_nodes_are_counted_for_each_who_proposed_them():
    metrics = ReplyMetrics()
    both = SOURCE_DRAFT | SOURCE_REST
    metrics.add(step(6, [SOURCE_DRAFT, both, SOURCE_DRAFT], rejected=SOURCE_DRESD | SOURCE_DRAFT))
    metrics.add(step(2, [both | SOURCE_PROMPT], rejected=SOURCE_REST))
    metrics.add(step())
    assert metrics.drafted_by_source == {"draft": 7, "REST": 3, "DReSD": 3, "prompt": 1}
    assert metrics.accepted_by_source == {"draft": 4, "REST": 2, "prompt": 1}
    assert metrics.drafted == 8
    assert metrics.accepted == 4
    assert metrics.by_source == {"draft": 2, "REST": 1, "prompt": 1, "target": 3}, "tokens count once"


def test_what_the_drafters_tell():
    target = ScriptedTarget()
    model = ModelDrafter(ScriptedDraft(target).model)
    dense = DresdDrafter(None)
    metrics = ReplyMetrics()
    told: list[tuple[list[Drafter], DraftTimes | None, Retrieval | None]] = [
        ([PromptDrafter(), model], model.times, None),
        ([PromptDrafter(), dense], None, dense.retrieval),
        ([], None, None),
    ]
    for drafters, times, retrieval in told:
        metrics.take(drafters)
        assert metrics.times is times
        assert metrics.retrieval is retrieval
    fused = RasdDrafter(model, [PromptDrafter(), dense])
    context = Context(np.array([1, 2, 3, 1, 2], np.int32), 20)
    fused.begin(context)
    fused.propose(context, 5)
    metrics.take([fused])
    assert metrics.times is model.times
    assert metrics.retrieval is dense.retrieval
    assert metrics.drafting_seconds == model.times.drafting > 0
    assert metrics.retrieval_seconds == model.times.retrieval > 0


def test_proposing_is_told_apart_where_a_draft_model_takes_part():
    metrics = ReplyMetrics()
    metrics.add(step(8, [SOURCE_DRAFT] * 3, (1.0, 2.0, 0.5, 0.25)))
    assert (metrics.drafting_seconds, metrics.retrieval_seconds) == (0.0, 1.0)
    metrics.times = DraftTimes(prefill=4.0, drafting=0.75, retrieval=0.5, overlapped=0.25)
    assert (metrics.drafting_seconds, metrics.retrieval_seconds) == (0.75, 0.5)
    figures = metrics.figures()
    assert figures["drafting_seconds"] == 0.75
    assert figures["retrieval_seconds"] == 0.5
    assert figures["overlapped_seconds"] == 0.25
    assert figures["verification_seconds"] == 2.5
    assert metrics.seconds == 3.75


def test_merged_replies_add_up_times_and_searches():
    empty, first, second = ReplyMetrics(), ReplyMetrics(), ReplyMetrics()
    first.add(step(2, [SOURCE_DRAFT], rejected=SOURCE_REST))
    second.add(step(3, [SOURCE_DRAFT | SOURCE_REST], rejected=SOURCE_DRESD))
    first.times = DraftTimes(1.0, 2.0, 3.0, 0.5)
    second.times = DraftTimes(0.25, 0.5, 1.0, 0.125)
    second.retrieval = Retrieval(3, 2, 1.5)
    before = DraftTimes(1.0, 2.0, 3.0, 0.5)
    empty.merge(first)
    assert empty.times == before
    empty.merge(second)
    assert empty.times == DraftTimes(1.25, 2.5, 4.0, 0.625)
    assert empty.retrieval == Retrieval(3, 2, 1.5)
    empty.merge(ReplyMetrics())
    assert empty.times == DraftTimes(1.25, 2.5, 4.0, 0.625)
    assert empty.drafted_by_source == {"draft": 2, "REST": 2, "DReSD": 2}
    assert empty.accepted_by_source == {"draft": 2, "REST": 1}
    assert first.times == before, "what was merged stays as it was"
    assert first.drafted_by_source == {"draft": 1, "REST": 1}


def test_a_reply_without_a_draft_model_keeps_its_time_of_searching_when_merged():
    with_draft, without = ReplyMetrics(), ReplyMetrics()
    with_draft.add(step(seconds=(1.0, 0.5, 0.0, 0.0)))
    with_draft.times = DraftTimes(0.0, 0.75, 0.25, 0.0)
    without.add(step(seconds=(0.5, 0.5, 0.0, 0.0)))
    for first, second in ((with_draft, without), (without, with_draft)):
        together = ReplyMetrics()
        together.merge(first)
        together.merge(second)
        assert together.retrieval_seconds == 0.75
        assert together.drafting_seconds == 0.75


@given(st.lists(st.tuples(draft_trees(), st.integers(0, 99)), max_size=6))
def test_the_calibration_error_is_that_of_the_nodes_that_were_tried(drafts):
    whole, halves = ReplyMetrics(), [ReplyMetrics(), ReplyMetrics()]
    expected: list[float] = []
    came: list[bool] = []
    for number, (tree, seed) in enumerate(drafts):
        stream = np.random.default_rng(seed)
        path: list[int] = []
        while len(below := np.flatnonzero(tree.parents == (path[-1] if path else -1))) and stream.random() < 0.7:
            path.append(int(stream.choice(below)))
        for node, parent in enumerate(tree.parents.tolist()):
            if parent in (-1, *path):
                expected.append(float(tree.probability[node]))
                came.append(node in path)
        accepted = np.array(path, np.int32)
        emitted = np.zeros(len(path) + 1, np.int32)
        made = Step(emitted, emitted.astype(np.uint8), tree, accepted, 0.1, 0.1, 0.1, 0.1, "")
        whole.add(made)
        halves[number % 2].add(made)
    halves[0].merge(halves[1])
    error = calibration_error(np.array(expected), np.array(came, np.float64))
    assert whole.calibration_error == pytest.approx(error)
    assert halves[0].calibration_error == pytest.approx(error)


def full_metrics(plain_steps: int) -> ReplyMetrics:
    metrics = ReplyMetrics(plain_seconds=0.7, prompt_tokens=30, reused_tokens=4, prefill_seconds=0.3)
    metrics.add(step(3, [SOURCE_REST, SOURCE_DRAFT]))
    for _ in range(plain_steps):
        metrics.add(step())
    metrics.retrieval = Retrieval(4, 2, 1.5)
    metrics.times = DraftTimes(0.1, 0.2, 0.3, 0.05)
    return metrics


@pytest.mark.parametrize("plain_steps", [1, ENOUGH_PLAIN_STEPS + 2])
def test_a_record_gives_the_same_figures_again(plain_steps: int) -> None:
    metrics = full_metrics(plain_steps)
    read = ReplyMetrics.of_record(json.loads(json.dumps(metrics.record())))
    assert read.figures() == pytest.approx(metrics.figures())
    assert read.speedup == pytest.approx(metrics.speedup)
    assert read.baseline_seconds == pytest.approx(metrics.baseline_seconds)
    assert read.record() == metrics.record()
    read.merge(metrics)  # an answer that is gone on with
    assert read.tokens == 2 * metrics.tokens
    assert ReplyMetrics.of_record({}) == ReplyMetrics()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tokens", "many"), ("tokens", 1.5), ("tokens", -1), ("tokens", True), ("tokens", 10**30),
        ("decode_seconds", float("nan")), ("decode_seconds", float("inf")), ("decode_seconds", None),
        ("by_source", []), ("by_source", {"REST": "x"}), ("accepted_per_step", "123"), ("accepted_per_step", [None]),
        ("paired", 3), ("paired", {"factor": 0}), ("own_plain_error", -1),
        ("retrieval", 3), ("retrieval", {"searches": 0.5}), ("times", {"drafting": "x"}), ("own_plain_seconds", "x"),
        ("tried", [[1, 2]]), ("tried", [["a", "b"]] * 10), ("tried", 5),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"must be|out of range|measured speed"):
        ReplyMetrics.of_record({**full_metrics(1).record(), name: value})


def test_a_record_holds_known_sources_only() -> None:
    read = ReplyMetrics.of_record({"by_source": {"REST": 2, "<script>": 3}})
    assert read.by_source == {"REST": 2}
