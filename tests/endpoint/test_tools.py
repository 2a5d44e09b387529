"""Tools as OpenAI's client offers them, and calls as it gets them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openai import OpenAI

from localspec.chat.template import ChatTemplate
from localspec.endpoint.answer_schemas import beside_tools, forced_call
from localspec.endpoint.call_heads import MISTRAL
from localspec.endpoint.prompts import prompt_of
from localspec.endpoint.tool_calls import ToolCallReader
from localspec.endpoint.tool_fields import Toolbox
from tests.chat.test_real_templates import FOLDER
from tests.endpoint.conftest import Server, asking, forget
from tests.endpoint.test_chat_request import parsed

PLACE = {"type": "object", "properties": {"town": {"type": "string", "maxLength": 20}}, "required": ["town"]}
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a place",
        "parameters": {
            "type": "object",
            "properties": {"place": {"$ref": "#/$defs/place"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
            "required": ["place", "days"],
            "additionalProperties": False,
            "$defs": {"place": {**PLACE, "additionalProperties": False}},
        },
    },
}
NOW: dict[str, Any] = {
    "type": "function",
    "function": {"name": "now", "parameters": {"type": "object", "properties": {}, "additionalProperties": False}},
}
TOOLS = [WEATHER, NOW]
QUESTION = "What is the weather in Ulm for the next three days?"
NAMED = {"type": "function", "function": {"name": "get_weather"}}


def source(name: str) -> str:
    """A real model's template."""
    return (FOLDER / f"{name}.jinja").read_text(encoding="utf-8")


def arguments_fit(name: str, arguments: str) -> bool:
    schema = next(one["function"]["parameters"] for one in TOOLS if one["function"]["name"] == name)
    return bool(Draft202012Validator(schema).is_valid(json.loads(arguments)))


@pytest.mark.parametrize("choice", ["required", NAMED])
def test_a_call_that_must_come_comes_with_and_without_drafts(client: OpenAI, server: Server, choice: Any) -> None:
    said = set()
    for method in ("plain", "auto"):
        forget(server.engine)
        fields: dict[str, Any] = {**asking(QUESTION, 120), "tools": TOOLS, "tool_choice": choice}
        extra: dict[str, Any] = {"localspec": {"method": method}}
        whole = client.chat.completions.create(**fields, extra_body=extra).choices[0]
        assert whole.finish_reason == "tool_calls"
        assert whole.message.content is None
        (call,) = whole.message.tool_calls or []
        assert call.type == "function"
        assert arguments_fit(call.function.name, call.function.arguments)
        if choice is NAMED:
            assert call.function.name == "get_weather"
        said.add((call.function.name, call.function.arguments))
        # streamed: the name first, then the arguments piece by piece
        forget(server.engine)
        parts = client.chat.completions.create(
            **fields, extra_body=extra, stream=True, stream_options={"include_usage": True}
        )
        deltas: list[Any] = []
        finish, used = None, None
        for part in parts:
            used = part.usage or used
            for one in part.choices:
                deltas += one.delta.tool_calls or []
                finish = one.finish_reason or finish
                assert not one.delta.content
        assert finish == "tool_calls"
        assert used is not None
        assert deltas[0].function is not None
        assert deltas[0].id
        assert deltas[0].function.name == call.function.name
        pieces = [one.function.arguments or "" for one in deltas if one.function is not None]
        assert "".join(pieces) == call.function.arguments
        assert {one.index for one in deltas} == {0}
        assert all(one.id is None for one in deltas[1:])
    assert len(said) == 1


def test_the_clients_stream_puts_calls_together(client: OpenAI) -> None:
    fields: dict[str, Any] = {**asking(QUESTION, 120), "tools": TOOLS, "tool_choice": NAMED}
    with client.chat.completions.stream(**fields) as stream:
        (choice,) = stream.get_final_completion().choices
    (call,) = choice.message.tool_calls or []
    assert arguments_fit(call.function.name, call.function.arguments)


def test_a_history_with_calls_is_gone_on_with(client: OpenAI, server: Server) -> None:
    fields: dict[str, Any] = {**asking(QUESTION, 120), "tools": TOOLS}
    first = client.chat.completions.create(**{**fields, "tool_choice": NAMED}).choices[0].message
    (call,) = first.tool_calls or []
    result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny, 21 degrees"}
    messages = [*fields["messages"], first.model_dump(), result]
    again: dict[str, Any] = {**fields, "messages": messages, "tool_choice": "none"}
    answer = client.chat.completions.create(**again).choices[0]
    assert answer.finish_reason in ("stop", "length")
    assert answer.message.content
    # What the tool gave is read.
    for given, shown in (("Sunny, 21 degrees", True), ("Snow", False)):
        wanted = parsed(messages=[*messages[:-1], {**result, "content": given}])
        text = b"".join(map(server.engine.model.piece, prompt_of(server.engine, wanted).tokens.tolist())).decode()
        assert ("Sunny" in text) == shown


def test_tools_may_be_left_alone(client: OpenAI, server: Server) -> None:
    forget(server.engine)
    said = set()
    given: dict[str, Any] = asking("Name a colour.", 12)
    for more in ((), (("tools", TOOLS), ("tool_choice", "none"))):
        forget(server.engine)
        said.add(client.chat.completions.create(**{**given, **dict(more)}).choices[0].message.content)
    assert len(said) == 1
    forget(server.engine)
    auto = client.chat.completions.create(**{**given, "tools": TOOLS}).choices[0]
    assert auto.message.content or auto.message.tool_calls


def test_a_format_beside_tools_is_followed_or_a_tool_is_called(client: OpenAI, server: Server) -> None:
    schema = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]}
    fields: dict[str, Any] = {**asking("Name a colour.", 120), "tools": TOOLS}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    for seed in range(3):
        given = {**fields, "response_format": form, "temperature": 1, "seed": seed}
        (choice,) = client.chat.completions.create(**given).choices
        if choice.message.tool_calls:
            call = choice.message.tool_calls[0]
            assert call.type == "function"
            assert arguments_fit(call.function.name, call.function.arguments)
        else:
            assert json.loads(choice.message.content or "")["colour"] in ("red", "blue")


# -- the forms of other models ------------------------------------------------------------------------------------


BOX = parsed(tools=TOOLS, tool_choice="required").tools
ONE = parsed(tools=TOOLS, tool_choice=NAMED).tools
ULM = {"place": {"town": "Ulm"}, "days": 3}


@pytest.mark.parametrize(
    ("name", "tools", "begun", "answer"),
    [
        ("qwen3", BOX, "<tool_call>\n", {"name": "get_weather", "arguments": ULM}),
        ("chatml", ONE, "<tool_call>\n", {"name": "get_weather", "arguments": ULM}),
        ("llama-3.1", BOX, "", {"name": "get_weather", "parameters": ULM}),
        ("mistral-nemo", BOX, MISTRAL, [{"name": "get_weather", "arguments": ULM}]),
        ("mistral-small-3.2", ONE, f"{MISTRAL}get_weather[ARGS]", ULM),
    ],
)
def test_a_forced_call_has_the_form_of_the_models_template(
    name: str, tools: Toolbox, begun: str, answer: object
) -> None:
    call = forced_call(source(name), tools)
    assert call.begun == begun
    validator = Draft202012Validator(json.loads(call.schema))
    assert validator.is_valid(answer)
    for wrong in (5, {}, {"name": "other", "arguments": {}}, {"name": "get_weather", "arguments": {"days": 3}}):
        assert not validator.is_valid(wrong)
    text = json.dumps(answer)
    assert not validator.is_valid(json.loads(text.replace("3", "9")))
    reader = ToolCallReader(tools.parameters)
    found = [*reader.add(begun), *reader.add(text), *reader.finish()]
    assert not any(isinstance(one, str) for one in found)
    assert found[0].name == "get_weather"  # type: ignore[union-attr]
    assert json.loads("".join(one.arguments for one in found if not isinstance(one, str))) == ULM


def test_a_schema_beside_tools_holds_both() -> None:
    own = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/x"}},
        "required": ["a"],
        "$defs": {"x": {"const": 1}},
    }
    validator = Draft202012Validator(json.loads(beside_tools(json.dumps(own), BOX)))
    assert validator.is_valid({"a": 1})
    assert validator.is_valid({"name": "get_weather", "arguments": ULM})
    assert not validator.is_valid({"a": 2})
    assert not validator.is_valid({"name": "get_weather", "arguments": {**ULM, "days": 9}})


def test_tools_are_told_by_the_template_or_in_the_system_message(server: Server, monkeypatch: Any) -> None:
    engine = server.engine
    wanted = parsed(tools=TOOLS)
    text = b"".join(map(engine.model.piece, prompt_of(engine, wanted).tokens.tolist())).decode()
    assert '"name": "get_weather"' in text  # the shipped model's template knows no tools
    assert "<tool_call>" in text
    monkeypatch.setattr(engine, "template", ChatTemplate(source("qwen3")))
    text = b"".join(map(engine.model.piece, prompt_of(engine, wanted).tokens.tolist())).decode()
    assert "<tools>" in text
    assert text.count("get_weather") == 1


def test_tools_that_a_history_names_are_still_told(server: Server) -> None:
    call = {"id": "abc123XYZ", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Do you know now what get_weather says?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "abc123XYZ", "content": "Sunny"},
    ]
    wanted = parsed(messages=messages, tools=TOOLS)
    text = b"".join(map(server.engine.model.piece, prompt_of(server.engine, wanted).tokens.tolist())).decode()
    assert "Weather of a place" in text
