"""Answers that follow a format: JSON, a schema, a grammar, and what is drawn with penalties and biases.

`LOCALSPEC_TEST_SCHEMAS=all` tries all schemas with all methods, which takes minutes.
"""

from __future__ import annotations

import json
import os
from typing import Any, Literal

import openai
import pytest
from jsonschema import Draft202012Validator
from openai import OpenAI
from pydantic import BaseModel, Field

from localspec.chat.methods import METHODS
from tests.endpoint.conftest import Server, asking, forget
from tests.endpoint.schemas import ENDLESS, SCHEMAS

ALL = os.environ.get("LOCALSPEC_TEST_SCHEMAS") == "all"
NAMES = list(SCHEMAS) if ALL else list(SCHEMAS)[4::9]
OTHERS = [name for name in METHODS if name != "plain"] if ALL else ["auto", "draft"]
QUESTION = "Describe a small town on the coast, and who lives there."


def shaped(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def answered(client: OpenAI, server: Server, method: str = "plain", **fields: Any) -> str:
    forget(server.engine)
    extra = {"localspec": {"method": method, "library": "harbour"}}
    given: dict[str, Any] = {**asking(QUESTION, 200), **fields}
    (choice,) = client.chat.completions.create(**given, extra_body=extra).choices
    assert choice.finish_reason == "stop" or given["response_format"] in [shaped(SCHEMAS[name]) for name in ENDLESS]
    return choice.message.content or ""


def check(text: str, name: str) -> None:
    """Whether an answer follows its schema; one that may go on for ever may have been cut."""
    try:
        value = json.loads(text)
    except ValueError:
        assert name in ENDLESS
        assert text.startswith("{")
        return
    Draft202012Validator(SCHEMAS[name]).validate(value)


def test_fifty_schemas_are_valid_ones() -> None:
    assert len(SCHEMAS) == 50
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_follows_its_schema_with_every_method(client: OpenAI, server: Server, name: str) -> None:
    schema = SCHEMAS[name]
    plain = answered(client, server, response_format=shaped(schema))
    check(plain, name)
    for method in OTHERS:
        assert answered(client, server, method, response_format=shaped(schema)) == plain
    drawn: dict[str, Any] = {"temperature": 1.5, "top_p": 1, "seed": 11}
    wild = answered(client, server, response_format=shaped(schema), **drawn)
    check(wild, name)
    assert answered(client, server, "auto", response_format=shaped(schema), **drawn) == wild


class Inhabitant(BaseModel):
    name: str = Field(max_length=20)
    age: int = Field(ge=0, le=120)
    trade: Literal["baker", "sailor", "teacher"]


class Town(BaseModel):
    name: str = Field(max_length=20)
    inhabitants: list[Inhabitant] = Field(min_length=1, max_length=2)
    has_harbour: bool
    motto: str | None = Field(max_length=30)


def test_the_clients_parse_gives_objects(client: OpenAI) -> None:
    parsed = client.chat.completions.parse(**asking(QUESTION, 300), response_format=Town)
    town = parsed.choices[0].message.parsed
    assert isinstance(town, Town)
    assert 1 <= len(town.inhabitants) <= 2
    with client.chat.completions.stream(**asking(QUESTION, 300), response_format=Town) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == town


def test_some_object_is_one(client: OpenAI, server: Server) -> None:
    fields = {"response_format": {"type": "json_object"}, "temperature": 0.8, "seed": 3}
    given: dict[str, Any] = {**asking("Answer in JSON with the one key colour.", 120), **fields}
    (choice,) = client.chat.completions.create(**given).choices
    if choice.finish_reason == "stop":
        assert isinstance(json.loads(choice.message.content or ""), dict)
    assert (choice.message.content or "").lstrip().startswith("{")


def test_a_grammar_is_followed(client: OpenAI, server: Server) -> None:
    for method in ("plain", "auto"):
        extra = {"grammar": 'root ::= ("yes" | "no") " " [0-9] [0-9]', "localspec": {"method": method}}
        (choice,) = client.chat.completions.create(**asking("Is the sea salty?"), extra_body=extra).choices
        said = (choice.message.content or "").split()
        assert said[0] in ("yes", "no")
        assert len(said[1]) == 2


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"$ref": "#/$defs/missing"}, {"type": "object", "not": {}}])
def test_a_schema_that_cannot_be_followed_is_refused_with_the_reason(client: OpenAI, schema: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**asking("Hi"), response_format=shaped(schema))  # type: ignore[call-overload]
    assert caught.value.param == "response_format"


# -- penalties and biases -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"presence_penalty": 1.5}, {"frequency_penalty": 1.2},
        {"presence_penalty": -0.5, "temperature": 0.7, "seed": 2},
        {"extra": {"repeat_penalty": 1.3}}, {"extra": {"repetition_penalty": 1.3, "repeat_last_n": 16}},
        {"extra": {"dry_multiplier": 5, "dry_base": 3, "dry_allowed_length": 1}},
    ],
)  # fmt: skip
def test_penalties_change_what_is_said_and_drafts_do_not(
    client: OpenAI, server: Server, fields: dict[str, Any]
) -> None:
    given: dict[str, Any] = asking("Tell me about the sea and the moon.", 60)
    said = []
    none: dict[str, Any] = {}
    for method, wanted in (("plain", none), ("plain", fields), ("auto", fields)):
        forget(server.engine)
        extra = {**wanted.get("extra", {}), "localspec": {"method": method}}
        sampling = {name: value for name, value in wanted.items() if name != "extra"}
        answer = client.chat.completions.create(**{**given, **sampling}, extra_body=extra)
        said.append(answer.choices[0].message.content)
    usual, plain, drafted = said
    assert plain == drafted
    assert plain != usual


def test_a_bias_forbids_and_demands_tokens(client: OpenAI, server: Server) -> None:
    forget(server.engine)
    usual = client.chat.completions.create(**asking("Name a colour.", 12)).choices[0].message.content or ""
    first = int(server.engine.tokenize(usual)[0])
    (wanted,) = server.engine.tokenize("7").tolist()[:1]
    for method in ("plain", "auto"):
        forget(server.engine)
        extra = {"localspec": {"method": method}}
        other = client.chat.completions.create(
            **asking("Name a colour.", 12), logit_bias={str(first): -100}, extra_body=extra
        )
        assert first not in server.engine.tokenize(other.choices[0].message.content or "")[:1]
        only = client.chat.completions.create(
            **asking("Name a colour.", 4), logit_bias={str(wanted): 100}, extra_body=extra
        )
        assert set(server.engine.tokenize(only.choices[0].message.content or "").tolist()) == {wanted}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**asking("Hi"), logit_bias={"99999999": 1})
    assert caught.value.param == "logit_bias"
