"""What a model's answers are drawn with where the person has not chosen."""

from __future__ import annotations

import pytest

from localspec.chat.engine import Engine
from localspec.chat.sampling_defaults import METADATA, against_loops, recommend, wants_repetition, without_penalties
from localspec.models.llama.sampling import SamplingSettings

LARGE = 8_000_000_000


@pytest.mark.parametrize(
    ("name", "temperature", "top_k", "top_p"),
    [
        ("qwen2 Qwen2.5 Coder 1.5B Instruct", 0.7, 20, 0.8),
        ("qwen3 Qwen3 8B", 0.6, 20, 0.95),
        ("qwen3 Qwen3 4B Instruct 2507", 0.7, 20, 0.8),
        ("gemma3 gemma-3-4b-it", 1.0, 64, 0.95),
        ("llama Meta Llama 3.1 8B Instruct", 0.6, 50, 0.9),
        ("llama Llama-3.2-1B-Instruct", 0.6, 50, 0.9),
        ("llama SmolLM2 135M Instruct", 0.2, 50, 0.9),
        ("smollm3 SmolLM3 3B", 0.6, 50, 0.95),
        ("qwen2 DeepSeek R1 Distill Qwen 1.5B", 0.6, 50, 0.95),
        ("llama DeepSeek-R1-Distill-Llama-8B", 0.6, 50, 0.95),
        ("gpt-oss gpt-oss-20b", 1.0, 0, 1.0),
        ("rwkv7 something else", 0.7, 40, 0.95),
    ],
)
def test_families_are_drawn_as_their_makers_say(name, temperature, top_k, top_p):
    found = recommend(name, LARGE, {})
    assert (found.sampling.temperature, found.sampling.top_k, found.sampling.top_p) == (temperature, top_k, top_p)
    assert found.sampling.dry_multiplier == 0.0, "what is large needs nothing against loops"
    assert found.source == ("general" if "else" in name else "family")


def test_the_catalogue_comes_before_the_file_and_the_file_before_the_family():
    file = {"temp": "0.33", "top_k": "7", "penalty_repeat": "1.2"}
    found = recommend("gemma3", LARGE, file)
    assert (found.source, found.sampling.temperature, found.sampling.top_k) == ("file", 0.33, 7)
    assert (found.sampling.repeat_penalty, found.sampling.top_p) == (1.2, 0.95)
    found = recommend("gemma3", LARGE, file, {"temperature": 0.9})
    assert (found.source, found.sampling.temperature, found.sampling.top_k) == ("catalogue", 0.9, 7)


@pytest.mark.parametrize("value", ["", "warm", "nan", "inf", "-1", "1e9", "\x00"])
def test_nonsense_in_a_file_is_left_out(value):
    assert recommend("gemma3", LARGE, dict.fromkeys(METADATA, value)) == recommend("gemma3", LARGE, {})


def test_small_models_are_kept_from_loops():
    small = recommend("qwen2", 1_500_000_000, {}).sampling
    assert small.dry_multiplier > 0
    tiny = recommend("llama smollm2", 135_000_000, {}).sampling
    assert tiny.dry_allowed_length < small.dry_allowed_length
    assert small.dry_breakers and not tiny.dry_breakers
    assert small.min_p > 0
    assert recommend("qwen2", 0, {}).sampling.dry_multiplier == 0, "of unknown size"
    assert recommend("llama smollm2", 135_000_000, {}).sampling.repeat_penalty > 1


@pytest.mark.parametrize(
    ("question", "wants"),
    [
        ("Write a function that adds two numbers.", True),
        ("What does this do? ```x = 1```", True),
        ("Show the results as a table.", True),
        ("Quote the clause about late fees word for word.", True),
        ("Translate this into French: good morning", True),
        ("Write a song about the sea.", True),
        ("How do I do this in C++?", True),
        ("Who is the harbour master?", False),
        ("What is the document about?", False),
        ("Tell me about the country of France.", False),
        ("Why is the sky blue?", False),
    ],
)
def test_penalties_rest_where_the_answer_may_repeat_itself(question, wants):
    assert wants_repetition(question) == wants
    recommended = recommend("smollm2", 135_000_000, {})
    sampling = recommended.of(SamplingSettings(temperature=2.0, seed=9), question)
    assert (sampling.temperature, sampling.seed) == (0.2, 9)
    assert (sampling.dry_multiplier == 0 and sampling.repeat_penalty == 1) == wants
    assert without_penalties(sampling).dry_multiplier == 0


@pytest.mark.parametrize("form", [{"grammar": "root ::= [a]*"}, {"json_schema": "{}"}])
def test_penalties_rest_where_a_form_is_prescribed(form):
    asked = SamplingSettings(seed=9, **form)
    sampling = recommend("smollm2", 135_000_000, {}).of(asked, "Who is the harbour master?")
    assert (sampling.grammar, sampling.json_schema) == (asked.grammar, asked.json_schema)
    assert sampling == without_penalties(sampling)
    assert sampling.temperature == 0.2


def test_another_try_is_drawn_otherwise():
    for sampling in (SamplingSettings(seed=5), recommend("smollm2", 135_000_000, {}).sampling):
        again = against_loops(sampling)
        assert again.temperature >= 0.7
        assert again.dry_multiplier > sampling.dry_multiplier
        assert again.repeat_penalty > sampling.repeat_penalty
        assert again.seed != 5
        assert not again.is_greedy


def test_the_shipped_model_knows_its_family(engine: Engine):
    assert engine.recommended == recommend("llama smollm2", 135_000_000, {})
    assert engine.recommended.source == "family"
