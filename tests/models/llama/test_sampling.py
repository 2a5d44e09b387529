"""What each setting of sampling does to real logits, alone and beside others."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from localspec.errors import SettingsError
from localspec.models.llama import LlamaModel
from localspec.models.llama.constraint import ANY_OBJECT
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.decode import generate
from localspec.speculation.policy import FixedBudget

NOTHING = np.empty(0, np.int32)


def reply(model: LlamaModel, prompt: str, sampling: SamplingSettings, count: int = 24, begun: str = "") -> list[int]:
    request = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
    first = model.tokenize(begun)
    tokens = np.concatenate([model.tokenize(request, special=True), first])
    model.begin(tokens)
    sampler = model.sampler(sampling)
    try:
        sampler.follow(first.tolist())
        steps = generate(model, sampler, [], tokens, FixedBudget(), count)
        return [int(token) for step in steps for token in step.emitted]
    finally:
        sampler.close()


def as_text(model: LlamaModel, tokens: Sequence[int]) -> str:
    return b"".join(model.piece(token) for token in tokens).decode("utf-8", "replace")


REPEATING = "Say the word again and again: again again again again"


@pytest.mark.parametrize(
    "penalty",
    [
        {"frequency_penalty": 1.5},
        {"presence_penalty": 2.0},
        {"dry_multiplier": 2.0, "dry_allowed_length": 1},
        {"repeat_penalty": 1.8},
    ],
)
def test_penalties_keep_a_text_from_repeating(model, penalty):
    plain = reply(model, REPEATING, SamplingSettings(), 40)
    penalised = reply(model, REPEATING, SamplingSettings(**penalty), 40)
    assert len(set(penalised)) / len(penalised) > len(set(plain)) / len(plain)


def test_dry_is_off_where_it_looks_back_at_nothing(model):
    off = SamplingSettings(dry_multiplier=5.0, dry_last_n=0, repeat_penalty=1.5, repeat_last_n=0)
    assert reply(model, REPEATING, off) == reply(model, REPEATING, SamplingSettings())


def test_dry_breakers_let_lines_repeat(model):
    """With the tokens of a text as breakers, DRY never counts a repeated run."""
    breakers = tuple(sorted({piece for piece in ("again", " again", "\n", " ", ".", ",", "Again") if piece}))
    strong = SamplingSettings(dry_multiplier=5.0, dry_allowed_length=1)
    broken = SamplingSettings(dry_multiplier=5.0, dry_allowed_length=1, dry_breakers=breakers)
    assert as_text(model, reply(model, REPEATING, broken, 40)).lower().count("again") > as_text(
        model, reply(model, REPEATING, strong, 40)
    ).lower().count("again")


def test_a_bias_forbids_and_forces(model):
    plain = reply(model, "Name a colour.", SamplingSettings(), 8)
    forbidden = SamplingSettings(logit_bias=tuple((token, -100.0) for token in set(plain)))
    assert not set(plain) & set(reply(model, "Name a colour.", forbidden, 8))
    token = int(model.tokenize(" purple")[0])
    for temperature in (0.0, 1.0):
        forced = SamplingSettings(temperature=temperature, seed=1, logit_bias=((token, 100.0),))
        assert reply(model, "Name a colour.", forced, 3) == [token] * 3


def test_a_bias_of_a_token_that_there_is_not_is_an_error(model):
    with pytest.raises(SettingsError, match="no token"):
        model.sampler(SamplingSettings(logit_bias=((model.vocabulary_size, 1.0),)))


def test_a_grammar_and_a_schema_are_not_followed_at_once():
    with pytest.raises(SettingsError, match="not both"):
        SamplingSettings(grammar='root ::= "a"', json_schema=ANY_OBJECT)


SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "people": {"type": "integer", "minimum": 7}},
    "required": ["city", "people"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"temperature": 1.0, "seed": 3},
        {"temperature": 1.5, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "seed": 4},
        {"repeat_penalty": 1.3, "dry_multiplier": 0.8, "dry_allowed_length": 1},
        {"logit_bias": ((17, 100.0), (2000, 100.0)), "temperature": 0.7, "seed": 5, "frequency_penalty": 1.0},
    ],
)
def test_answers_fit_their_schema_however_they_are_drawn(model, more):
    sampling = SamplingSettings(json_schema=json.dumps(SCHEMA), **more)
    answer = json.loads(as_text(model, reply(model, "Tell me about Paris, as JSON.", sampling, 300)))
    assert set(answer) == {"city", "people"}
    assert len(answer["city"]) <= 20
    assert answer["people"] >= 7


@pytest.mark.parametrize("how", [{"grammar": 'root ::= "one two three" [.]'}, {"json_schema": '{"const": "one two"}'}])
def test_a_reply_that_goes_on_follows_its_grammar_from_there(model, how):
    begun = "one two" if "grammar" in how else '"one t'
    rest = as_text(model, reply(model, "Count.", SamplingSettings(**how), 20, begun))
    assert begun + rest in ("one two three.", '"one two"')


@pytest.mark.parametrize("how", [{"grammar": 'root ::= "yes" | "no"'}, {"json_schema": '{"enum": ["yes", "no"]}'}])
def test_a_reply_that_began_without_its_grammar_goes_on_with_it(model, how):
    rest = as_text(model, reply(model, "Is it?", SamplingSettings(**how), 20, "Well, I think"))
    assert rest.strip('"') in ("yes", "no")


def test_penalties_count_what_a_reply_began_with(model):
    model.begin(model.tokenize("again again"))
    begun = model.tokenize(" again again again again").tolist()
    token = begun[0]
    model.decode(token, NOTHING, NOTHING)
    bias = ((token, 20.0),)
    free = model.sampler(SamplingSettings(logit_bias=bias))
    counting = model.sampler(SamplingSettings(logit_bias=bias, frequency_penalty=2.0, presence_penalty=2.0))
    dry = model.sampler(SamplingSettings(logit_bias=bias, dry_multiplier=10.0, dry_base=4.0))
    for sampler in (free, counting, dry):
        sampler.follow(begun * 4)
    assert free.sample(0) == token
    assert token not in (counting.sample(0), dry.sample(0))
    for sampler in (free, counting, dry):
        sampler.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("presence_penalty", 2.1),
        ("frequency_penalty", float("nan")),
        ("dry_multiplier", -1.0),
        ("dry_base", 0.5),
        ("dry_allowed_length", 0),
        ("dry_last_n", -1),
        ("dry_breakers", ("",)),
        ("logit_bias", ((-1, 0.0),)),
        ("logit_bias", ((1, float("inf")),)),
        ("logit_bias", ((1, 101.0),)),
        ("repeat_last_n", 2**21),
    ],
)
def test_settings_out_of_range_are_errors(name, value):
    with pytest.raises(SettingsError, match=name):
        SamplingSettings(**{name: value})


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.1},
        {"repeat_penalty": 1.1},
        {"presence_penalty": 0.1},
        {"frequency_penalty": 0.1},
        {"dry_multiplier": 0.1},
        {"logit_bias": ((1, 1.0),)},
        {"grammar": 'root ::= "a"'},
        {"json_schema": ANY_OBJECT},
    ],
)
def test_whatever_changes_the_choice_is_not_greedy(change):
    assert not SamplingSettings(**change).is_greedy
    assert SamplingSettings().is_greedy
    assert SamplingSettings(**change).needs_chain == ("json_schema" not in change)
