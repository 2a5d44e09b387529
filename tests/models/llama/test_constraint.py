"""JSON schemas and GBNF on the real vocabulary: what may follow, what is kept of a draft, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localspec.errors import ModelError, SettingsError
from localspec.models.llama import LlamaModel
from localspec.models.llama.constraint import ANY_OBJECT, SchemaState, allowed_nodes, check_gbnf, schema_state
from localspec.models.llama.sampling import SamplingSettings

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 8},
        "age": {"type": "integer", "minimum": 3, "maximum": 12},
        "pets": {"type": "array", "items": {"enum": ["cat", "dog"]}, "maxItems": 2},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


def behind(model: LlamaModel, state: SchemaState, text: str) -> SchemaState | None:
    """Where the schema stands behind a text; None where it does not let the text through."""
    for token in model.tokenize(text).tolist():
        if not state.allows(token):
            return None
        state = state.after(token)
    return state


@pytest.mark.parametrize(
    ("schema", "text", "fits"),
    [
        (PERSON, '{"name": "Ann", "age": 12}', True),
        (PERSON, '{\n  "name": "Ann",\n  "age": 3,\n  "pets": ["dog", "cat"]\n}', True),
        (PERSON, '{"name": "Ann", "age": 13}', False),
        (PERSON, '{"name": "Ann", "age": 2}', False),
        (PERSON, '{"name": "", "age": 5}', False),
        (PERSON, '{"name": "Ann and Bob", "age": 5}', False),
        (PERSON, '{"name": "A\nB", "age": 5}', False),
        (PERSON, '{"name": "A\\nB", "age": 5}', True),
        (PERSON, '{"name": "日本 é", "age": 5}', True),
        (PERSON, '{"name": "Ann", "age": 5, "other": 1}', False),
        (PERSON, '{"name": "Ann", "age": 5, "pets": ["cat", "cat", "cat"]}', False),
        ({"type": "integer", "multipleOf": 7}, "21", True),
        ({"type": "integer", "multipleOf": 7}, "22", False),
        ({}, '[1, "a", null]', True),
        (True, "null", True),
        ({"type": "string", "format": "something of ours"}, '"any"', True),
        ({"enum": ["format"], "format": "x", "properties": {"format": {"type": "string"}}}, '"format"', True),
        (json.loads(ANY_OBJECT), '{"a": {"b": [1.5e3, true]}}', True),
        (json.loads(ANY_OBJECT), "[]", False),
    ],
)
def test_what_fits_a_schema(loaded, schema, text, fits):
    state = behind(loaded, schema_state(loaded, json.dumps(schema)), text)
    whole = state is not None and any(token in loaded.end_tokens for token in state.allowed().tolist())
    assert whole == fits


def test_a_whole_value_is_followed_by_the_end_alone(loaded):
    state = behind(loaded, schema_state(loaded, json.dumps(PERSON)), '{"name": "Ann", "age": 5}')
    assert state is not None
    assert set(state.allowed().tolist()) == loaded.end_tokens
    assert all(state.allows(token) for token in loaded.end_tokens)


def test_a_number_may_end_or_go_on(loaded):
    state = behind(loaded, schema_state(loaded, '{"type": "integer"}'), "12")
    assert state is not None
    assert all(state.allows(token) for token in loaded.end_tokens)
    assert loaded.end_tokens < set(state.allowed().tolist())


def test_what_may_follow_is_the_same_token_by_token(loaded):
    state = behind(loaded, schema_state(loaded, json.dumps(PERSON)), '{"name": "A')
    assert state is not None
    allowed = set(state.allowed().tolist())
    some = np.random.default_rng(0).integers(0, loaded.vocabulary_size, 2000).tolist()
    assert all(state.allows(token) == (token in allowed) for token in [*some, *loaded.end_tokens])


def test_a_state_behind_another_leaves_it_as_it_was(loaded):
    state = schema_state(loaded, json.dumps(PERSON))
    before = state.allowed().tolist()
    assert behind(loaded, state, '{"name": "Ann", "age": 5}') is not None
    assert state.allowed().tolist() == before
    with pytest.raises(ModelError, match="left its JSON schema"):
        state.accept(loaded.tokenize("x")[0])


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "must be an object"),
        ('"string"', "must be an object"),
        ('{"type": "nonsense"}', "nonsense"),
        ('{"$ref": "#/nowhere"}', "nowhere"),
        ('{"type": "array", "uniqueItems": true}', "uniqueItems"),
        ('{"not": {"type": "string"}}', "not"),
        ('{"type": "string", "pattern": "("}', "cannot be followed"),
        ("false", "must be an object"),
        ('{"type": "integer", "minimum": 5, "maximum": 3}', "cannot be followed"),
    ],
)
def test_a_bad_schema_is_an_error_that_says_why(loaded, schema, said):
    with pytest.raises(SettingsError, match=said):
        loaded.sampler(SamplingSettings(json_schema=schema))


def chain(kind: str, links: int) -> dict[str, object]:
    """A schema of `links` definitions, each of which refers to the next one."""
    defs: dict[str, object] = {}
    for link in range(links):
        ref = {"$ref": f"#/$defs/d{link + 1}"}
        defs[f"d{link}"] = {kind: [{"type": "null"}, {"type": "array", "items": ref}] if kind == "anyOf" else [ref]}
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{links}": {"type": "string"}}}


@pytest.mark.parametrize("kind", ["anyOf", "allOf"])
def test_a_schema_that_would_end_the_process_is_refused(loaded, kind):
    with pytest.raises(SettingsError, match="too deep"):
        loaded.sampler(SamplingSettings(json_schema=json.dumps(chain(kind, 20_000))))
    loaded.sampler(SamplingSettings(json_schema=json.dumps(chain(kind, 50)))).close()


def test_a_schema_may_refer_to_itself(loaded):
    tree = {"type": "object", "properties": {"below": {"type": "array", "items": {"$ref": "#"}}}}
    loaded.sampler(SamplingSettings(json_schema=json.dumps(tree))).close()


@pytest.mark.parametrize(
    "grammar",
    [
        "root ::= " + "(" * 300_000 + '"a"' + ")" * 300_000,
        "root ::= r0\n" + "\n".join(f"r{link} ::= r{link + 1}" for link in range(100_000)) + '\nr100000 ::= "a"',
        'root ::= "a"' + "?" * 300_000,
    ],
    ids=["groups", "rules", "repetitions"],
)
def test_a_grammar_that_would_end_the_process_is_refused(loaded, grammar):
    with pytest.raises(SettingsError, match="too large"):
        loaded.sampler(SamplingSettings(grammar=grammar))


@pytest.mark.parametrize("text", ['"' + "(" * 5000 + '"', "[" + "(" * 5000 + "]", '"a" # ' + "(" * 5000])
def test_what_is_no_group_of_a_grammar_does_not_count(text):
    check_gbnf(f"root ::= {text}")


@pytest.mark.parametrize("part", ["[", '"', '"\\', "[\\"])
def test_a_damaged_grammar_is_looked_through_at_once(part):
    check_gbnf("root ::= " + part * 500_000)


# -- drafts -----------------------------------------------------------------------------------------------------------

GBNF = r'root ::= "{\"name\": \"" [A-Za-z ]+ "\", \"age\": " [0-9]+ "}"'
TEXTS = ('{"name": "Ann", "age": 12}', '{"name": "Bob", "age": 99}', '{"name": 5}', "Hello there", '{"name": "A}')


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.tuples(st.sampled_from(TEXTS), st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=5),
    start=st.integers(0, 4),
    gbnf=st.booleans(),
)
def test_a_draft_keeps_what_the_grammar_lets_through(loaded, parts, start, gbnf):
    """Whole trees give what each path gives that is checked alone."""
    how = SamplingSettings(grammar=GBNF) if gbnf else SamplingSettings(json_schema=json.dumps(PERSON))
    opened = loaded.tokenize(TEXTS[0]).tolist()[:start]
    tokens: list[int] = []
    parents: list[int] = []
    for text, first, length in parts:
        above = -1
        for token in loaded.tokenize(text).tolist()[first : first + length]:
            tokens.append(token)
            parents.append(above)
            above = len(tokens) - 1
    sampler = loaded.sampler(how)
    try:
        sampler.follow(opened)
        kept = sampler.allowed(np.array(tokens, np.int32), np.array(parents, np.int32))
        expected = []
        for node in range(len(tokens)):
            path: list[int] = []
            while node >= 0:
                path.insert(0, node)
                node = parents[node]
            chain = np.array([tokens[each] for each in path], np.int32)
            alone = sampler.allowed(chain, np.arange(-1, len(chain) - 1, dtype=np.int32))
            if alone is not None and len(alone) == len(chain):
                expected.append(path[-1])
    finally:
        sampler.close()
    assert kept == expected


def test_nothing_is_allowed_behind_an_end(loaded):
    end = min(loaded.end_tokens)
    state = behind(loaded, schema_state(loaded, "{}"), '"a"')
    assert state is not None
    tokens = np.array([end, end, end], np.int32)
    assert allowed_nodes(state, tokens, np.array([-1, 0, -1], np.int32), loaded.end_tokens) == [0, 2]


def test_without_a_grammar_all_is_allowed(loaded):
    sampler = loaded.sampler(SamplingSettings(temperature=1.0, seed=1))
    assert sampler.allowed(np.array([5], np.int32), np.array([-1], np.int32)) is None
    sampler.close()
