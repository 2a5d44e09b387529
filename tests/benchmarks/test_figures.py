"""Groups, speeds, ratios and intervals of the comparison with peers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.figures import (
    ALL,
    LIBRARY,
    MT_BENCH,
    OURS,
    SERVER,
    Record,
    Reply,
    bootstrap_ratio,
    groups_of,
    ordered_groups,
    ratio_interval,
    speed,
    summary,
)
from benchmarks.peers import across, rotated
from benchmarks.rows import grouped
from localspec.cli.bench import Score
from localspec.speculation.metrics import ReplyMetrics


def reply(tokens: int, seconds: float, **others: Any) -> Reply:
    """A reply of which only the speed matters."""
    return Reply(10, tokens, tokens, seconds, seconds + 1.0, **others)


def test_the_topics_of_mt_bench_count_for_themselves_together_and_for_all():
    assert groups_of("writing") == (ALL, MT_BENCH, "writing")
    assert groups_of("qa") == (ALL, "qa")
    assert groups_of(ALL) == (ALL,)
    assert groups_of(MT_BENCH) == (ALL, MT_BENCH)


def test_wide_groups_stand_first_and_categories_as_the_prompts_bring_them():
    assert ordered_groups(["qa", "writing", "rag", "coding", "qa"]) == [ALL, MT_BENCH, "qa", "writing", "rag", "coding"]
    assert ordered_groups(["code"]) == [ALL, "code"]


def test_speed_is_of_all_tokens_over_all_seconds():
    assert speed([reply(100, 1.0), reply(10, 1.0)]) == pytest.approx(55.0)
    assert speed([]) == 0.0
    assert speed([reply(0, 0.0)]) == 0.0


def test_who_begins_changes_and_everybody_has_one_turn():
    assert rotated("abc", 0) == ["a", "b", "c"]
    assert rotated("abc", 4) == ["b", "c", "a"]
    assert rotated([], 3) == []


class TestBootstrap:
    def test_pairing_takes_out_what_prompts_differ_in(self):
        """Prompts vary fourfold in speed, the ratio hardly: unpaired resamples would be ten times as wide."""
        generator = np.random.default_rng(1)
        seconds = generator.uniform(1.0, 4.0, 60)
        first = np.stack([np.full(60, 100.0), seconds / generator.uniform(1.18, 1.22, 60)], axis=1)
        second = np.stack([np.full(60, 100.0), seconds], axis=1)
        low, high = bootstrap_ratio(first, second)
        assert 1.18 < low < first[:, 0].sum() / first[:, 1].sum() / (100 * 60 / seconds.sum()) < high < 1.22
        assert high - low < 0.01

    def test_the_interval_covers_the_truth_about_as_often_as_it_says(self):
        generator = np.random.default_rng(2)
        covered = 0
        for trial in range(200):
            seconds = generator.uniform(1.0, 2.0, 40)
            noise = generator.normal(1.25, 0.15, 40)
            first = np.stack([100 * noise, seconds], axis=1)
            second = np.stack([np.full(40, 100.0), seconds], axis=1)
            low, high = bootstrap_ratio(first, second, level=0.9, resamples=500, seed=trial)
            covered += low <= 1.25 <= high
        assert 0.82 <= covered / 200 <= 0.96

    def test_a_wider_level_is_a_wider_interval_and_a_seed_repeats_it(self):
        generator = np.random.default_rng(3)
        first, second = generator.uniform(1, 2, (30, 2)), generator.uniform(1, 2, (30, 2))
        narrow, wide = bootstrap_ratio(first, second, level=0.5), bootstrap_ratio(first, second, level=0.99)
        assert wide[0] < narrow[0] < narrow[1] < wide[1]
        assert bootstrap_ratio(first, second) == bootstrap_ratio(first, second)

    def test_one_prompt_knows_no_spread(self):
        assert ratio_interval([reply(120, 1.0)], [reply(100, 1.0)]) == pytest.approx((1.2, 1.2))

    def test_where_nothing_was_decoded_there_is_no_ratio(self):
        assert ratio_interval([], []) == (0.0, 0.0)
        assert ratio_interval([reply(0, 0.0)], [reply(1, 1.0)]) == (0.0, 0.0)

    def test_prompts_without_a_decoded_token_do_no_harm(self):
        first = [reply(0, 0.0), reply(100, 1.0)]
        assert ratio_interval(first, [reply(0, 0.0), reply(50, 1.0)]) == pytest.approx((2.0, 2.0))

    def test_other_prompts_are_refused(self):
        with pytest.raises(ValueError, match="same prompts"):
            ratio_interval([reply(1, 1.0)], [])


KINDS = {
    "plain": OURS,
    "rest": OURS,
    "llama-cpp-python plain": LIBRARY,
    "llama-server plain": SERVER,
    "llama-server ngram-mod": SERVER,
}


def records(seconds: dict[str, tuple[float, float]]) -> list[Record]:
    """100 tokens of each run on a prompt about writing and one with a question, in these seconds."""
    return [
        Record(name, number, category, reply(100, taken), same_text=number == 1 or name == "plain")
        for name, both in seconds.items()
        for number, (category, taken) in enumerate(zip(("writing", "qa"), both, strict=True), start=1)
    ]


SECONDS = {
    "plain": (1.0, 1.0),
    "rest": (1.0, 0.5),
    "llama-cpp-python plain": (1.25, 1.25),
    "llama-server plain": (0.8, 1.0),
    "llama-server ngram-mod": (2.0, 0.625),
}


def test_each_group_has_its_own_best_server_mode():
    figures = summary(records(SECONDS), KINDS)
    assert figures["groups"] == [ALL, MT_BENCH, "writing", "qa"]
    assert figures["best_server"] == {
        ALL: "llama-server plain",
        MT_BENCH: "llama-server plain",
        "writing": "llama-server plain",
        "qa": "llama-server ngram-mod",
    }
    rest = figures["contenders"]["rest"]["groups"]
    assert rest["qa"]["against_plain"] == pytest.approx(2.0)
    assert rest["qa"]["against_server"] == pytest.approx(1.25)
    assert rest["writing"]["against_server"] == pytest.approx(0.8)
    assert rest[ALL]["against_plain"] == pytest.approx(2.0 / 1.5)
    assert rest[ALL]["against_server"] == pytest.approx(1.8 / 1.5)
    low, high = rest[ALL]["against_plain_interval"]
    assert 1.0 <= low < high <= 2.0
    assert figures["contenders"]["plain"]["groups"][ALL]["against_plain_interval"] == pytest.approx([1.0, 1.0])
    assert "against_plain_interval" not in rest["qa"]
    assert rest[ALL]["prompts"] == 2
    assert rest[ALL]["same_text"] == 1
    assert rest[ALL]["seconds_per_reply"] == pytest.approx(1.75)
    assert [peer_run["kind"] for peer_run in figures["contenders"].values()] == list(KINDS.values())


def test_without_servers_there_is_no_rival():
    kinds = {"plain": OURS, "rest": OURS}
    figures = summary(records({name: SECONDS[name] for name in kinds}), kinds)
    assert figures["best_server"][ALL] == ""
    assert figures["contenders"]["rest"]["groups"][ALL]["against_server"] == 0.0
    assert "against_server_interval" not in figures["contenders"]["rest"]["groups"][ALL]
    assert across({"a": records({name: SECONDS[name] for name in kinds})}, {"a": kinds}) == {}


def test_steps_drafts_and_parts_are_added_up():
    own = [
        Record("plain", 1, "qa", reply(90, 1.0, steps=30, drafted=100, accepted=60, parts={"verification": 0.9}), True),
        Record("plain", 2, "qa", reply(10, 0.5, steps=10, parts={"verification": 0.4, "rest": 0.1}), True),
    ]
    values = summary(own, {"plain": OURS})["contenders"]["plain"]["groups"]["qa"]
    assert values["tokens_per_step"] == pytest.approx(2.5)
    assert values["acceptance_rate"] == pytest.approx(0.6)
    assert values["milliseconds_per_token"]["verification"] == pytest.approx(13.0)
    assert values["milliseconds_per_token"]["rest"] == pytest.approx(1.0)
    assert values["milliseconds_per_token"]["drafting"] == 0.0


def test_across_files_the_fastest_server_mode_of_any_counts():
    slower = {name: (first * 2, second * 2) for name, (first, second) in SECONDS.items()}
    found = across({"fast": records(SECONDS), "slow": records(slower)}, {"fast": KINDS, "slow": KINDS})
    assert found["fastest_server"]["model"] == "fast"
    assert found["fastest_server"]["mode"] == "llama-server plain"
    ratios = {(each["model"], each["method"]): each["ratio"] for each in found["ours"]}
    assert ratios["fast", "rest"] == pytest.approx(1.2)
    assert ratios["slow", "rest"] == pytest.approx(0.6)
    assert set(ratios) == {(model, name) for model in ("fast", "slow") for name in ("plain", "rest")}


def test_scores_of_the_benchmark_are_grouped_alike():
    scores = {
        category: Score(ReplyMetrics(tokens=tokens, steps=10), diverged=1, prompts=2)
        for category, tokens in ((ALL, 70), ("writing", 10), ("coding", 20), ("qa", 40))
    }
    found = grouped(scores)
    assert {group: score.metrics.tokens_per_step for group, score in found.items()} == {
        ALL: 70 / 30, MT_BENCH: 1.5, "writing": 1.0, "coding": 2.0, "qa": 4.0,
    }  # fmt: skip
    assert (found[MT_BENCH].prompts, found[MT_BENCH].diverged) == (4, 2)
