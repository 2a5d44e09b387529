"""Requests as they are read, and answers as they are shaped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.chat.methods import DEFAULT_METHOD
from localspec.chat.template import Message
from localspec.chat.turn import ReplyOptions
from localspec.endpoint.chat_request import ChatRequest, parse_chat
from localspec.endpoint.refusals import RequestError
from localspec.endpoint.reply_fields import UNLIMITED
from localspec.endpoint.request_fields import DEEPEST
from localspec.models.llama.sampling import RANDOM_SEED, SamplingSettings

CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"town": "Ulm"}'}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def request(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}


def parsed(**fields: Any) -> ChatRequest:
    return parse_chat(json.dumps(request(**fields)).encode())


def sampling(**fields: Any) -> SamplingSettings:
    return parsed(**fields).options(512).sampling


def refused(body: bytes | dict[str, Any]) -> RequestError:
    with pytest.raises(RequestError) as caught:
        parse_chat(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert caught.value.status == 400
    json.dumps(caught.value.body)
    return caught.value


def test_what_is_not_said_is_as_in_the_chat() -> None:
    wanted = parsed()
    assert wanted.options(512) == ReplyOptions(DEFAULT_METHOD, max_tokens=512, recommended=True)
    assert not parsed(temperature=0).options(512).recommended
    assert not parsed(presence_penalty=0.1).options(512).recommended
    assert parsed(seed=3, stop="x", logit_bias={"1": 2}).options(512).recommended
    assert wanted.max_tokens == UNLIMITED
    assert (wanted.stop, wanted.stream, wanted.include_usage, wanted.library) == ((), False, False, None)


def test_every_field_is_read() -> None:
    wanted = parsed(
        max_tokens=7, temperature=0.5, top_p=0.8, top_k=3, min_p=0.1, repeat_penalty=1.2, seed=5, stop=["a", "b"],
        stream=True, stream_options={"include_usage": True}, n=1, localspec={"method": "rest", "library": "work"},
    )  # fmt: skip
    assert wanted.options(512) == ReplyOptions(
        "rest", max_tokens=7, sampling=SamplingSettings(0.5, 3, 0.8, 0.1, 1.2, seed=5)
    )
    assert wanted.stop == ("a", "b")
    assert wanted.stream
    assert wanted.include_usage
    assert wanted.library == "work"
    assert parsed(stop="x").stop == ("x",)
    assert parsed(max_tokens=7, max_completion_tokens=9).max_tokens == 9
    assert parsed(max_tokens=2**62).max_tokens == UNLIMITED
    assert parsed(repetition_penalty=1.1).sampling["repeat_penalty"] == 1.1
    assert parsed(localspec={"library": ""}).library == ""
    assert sampling(temperature=1, top_p=0).is_greedy
    assert parsed(logprobs=True, top_logprobs=3).top_logprobs == 3
    assert parsed(logprobs=True).top_logprobs == 0
    assert parsed(logprobs=False).top_logprobs is None


def test_penalties_look_back_as_far_as_openais_and_biases_are_read() -> None:
    drawn = sampling(presence_penalty=0.5, frequency_penalty=-0.5, logit_bias={"20": -100, "3": 1.5})
    assert (drawn.presence_penalty, drawn.frequency_penalty, drawn.repeat_last_n) == (0.5, -0.5, 512)
    assert drawn.logit_bias == ((3, 1.5), (20, -100.0))
    assert sampling(presence_penalty=0.5, repeat_last_n=8).repeat_last_n == 8
    assert sampling(repeat_penalty=1.1).repeat_last_n == SamplingSettings().repeat_last_n
    assert sampling(dry_multiplier=0.8, dry_base=2, dry_allowed_length=3).dry_multiplier == 0.8
    assert sampling(grammar='root ::= "a"').grammar


def test_formats_become_schemas() -> None:
    schema = {"type": "object", "properties": {"a": {"const": 1}}}
    named = {"name": "x", "description": "y", "strict": True, "schema": schema}
    assert json.loads(parsed(response_format={"type": "json_schema", "json_schema": named}).schema) == schema
    assert json.loads(parsed(response_format={"type": "json_object", "schema": schema}).schema) == schema
    assert json.loads(parsed(response_format={"type": "json_object"}).schema) == {"type": "object"}
    assert parsed(response_format={"type": "text"}).schema == ""
    assert parsed(response_format=None).options(9).sampling.json_schema == ""


def test_every_whole_number_is_a_seed_and_none_means_a_fresh_one() -> None:
    assert sampling(seed=0).seed == 0
    assert sampling(seed=123456).seed == 123456
    seeds = [sampling(seed=seed).seed for seed in (RANDOM_SEED, 2**32, 2**63 - 1, -1)]
    assert RANDOM_SEED not in seeds
    assert sampling().seed == RANDOM_SEED


def test_messages_of_every_role_and_form() -> None:
    wanted = parsed(
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": text} for text in ("One", "two")], "name": "A"},
            # as clients send an answer back
            {"role": "assistant", "content": "Yes.", "refusal": None, "tool_calls": None, "annotations": []},
            {"role": "user", "content": "<|im_end|>"},
        ]
    )
    assert [(message.role, message.content) for message in wanted.messages] == [
        ("system", "Be brief."), ("user", "One\ntwo"), ("assistant", "Yes."), ("user", "<|im_end|>"),
    ]  # fmt: skip


def test_histories_with_tools_in_all_their_shapes() -> None:
    wanted = parsed(
        messages=[
            {"role": "user", "content": "Weather in Ulm?"},
            {"role": "assistant", "content": None, "tool_calls": [CALL], "function_call": None, "audio": None},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "12 degrees"}]},
            {"role": "assistant", "content": "12.", "reasoning_content": "Let me see.", "tool_calls": []},
            {"role": "user", "content": [{"type": "text", "text": "Thanks.", "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant"},
            {"role": "assistant", "function_call": {"name": "now", "arguments": "{}"}, "content": ""},
            {"role": "function", "name": "now", "content": "noon"},
            {"role": "assistant", "content": None, "refusal": "No."},
            {"role": "user", "content": "Hm."},
        ]
    )
    called = {"id": "", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    assert wanted.messages == (
        Message("user", "Weather in Ulm?"),
        Message("assistant", None, tool_calls=(CALL,)),
        Message("tool", "12 degrees", tool_call_id="call_1", name="weather"),
        Message("assistant", "12.", reasoning_content="Let me see."),
        Message("user", "Thanks."),
        Message("assistant", ""),
        Message("assistant", None, tool_calls=(called,)),
        Message("tool", "noon", tool_call_id="now", name="now"),
        Message("assistant", "No."),
        Message("user", "Hm."),
    )
    assert not wanted.goes_on


def test_a_beginning_of_the_answer_is_gone_on_with() -> None:
    asked = {"role": "user", "content": "Name three rivers."}
    wanted = parsed(messages=[asked, {"role": "assistant", "content": "1. The Rhine\n2."}])
    assert wanted.goes_on
    assert wanted.messages[-1].content == "1. The Rhine\n2."
    for empty in ("", None):
        wanted = parsed(messages=[asked, {"role": "assistant", "content": empty}])
        assert not wanted.goes_on
        assert len(wanted.messages) == 1


def test_tools_are_read_and_none_are_offered_where_none_may_be_called() -> None:
    assert parsed(tools=[TOOL]).tools.parameters == {"weather": {"type": "object"}}
    assert parsed(tools=[TOOL], tool_choice="auto").tools.functions == (TOOL,)
    assert not parsed(tools=[TOOL], tool_choice="none").tools
    assert not parsed().tools
    bare = {"type": "function", "function": {"name": "now", "description": None, "strict": True}}
    assert parsed(tools=[bare]).tools.parameters == {"now": {"type": "object", "properties": {}}}
    assert parsed(tools=[TOOL], parallel_tool_calls=False).tools.one_at_a_time


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({}, ""), ({"reasoning_effort": "none"}, "off"), ({"reasoning_effort": "minimal"}, "low"),
        ({"reasoning_effort": "high"}, "high"), ({"chat_template_kwargs": {"enable_thinking": False}}, "off"),
        ({"chat_template_kwargs": {"thinking": True}}, "on"), ({"thinking": {"type": "disabled"}}, "off"),
        ({"thinking": {"type": "enabled", "budget_tokens": 100}}, "on"), ({"reasoning_effort": None}, ""),
    ],
)  # fmt: skip
def test_thinking_is_switched_by_all_its_names(fields: dict[str, Any], thinking: str) -> None:
    assert parsed(**fields).thinking == thinking


def test_what_asks_for_nothing_is_accepted() -> None:
    parsed(
        tools=[], tool_choice="auto", logprobs=False, logit_bias={}, presence_penalty=0, frequency_penalty=0.0,
        response_format={"type": "text"}, modalities=["text"], user="me", store=True, metadata={"a": "b"},
        service_tier="auto", parallel_tool_calls=True, functions=None, stop=None, n=None, temperature=None, seed=None,
        stream_options=None, localspec=None, reasoning_effort=None, made_up=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"model": "a\0"}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "a\0b"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["Hi"]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "\0"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "content": "Hi"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "tool", "tool_call_id": "a", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "<|im_start|>", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": "Hi", "tool_calls": [{}]}]}, "messages[0].tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": [CALL]}]}, "messages"),
        ({"messages": [{"role": "assistant", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "tool_calls": {}}]}, "messages[0].tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls[0].function"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"type": "custom"}]}]}, "messages[0].tool_calls[0].type"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": 5}}]}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]}]},
            "messages[0].tool_calls[0].function.name",
        ),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": "7"}, "max_tokens"),
        ({"max_completion_tokens": 10**400}, "max_completion_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": 10**400}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_p": []}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"min_p": 1}, "min_p"),
        ({"repeat_penalty": 0}, "repeat_penalty"),
        ({"seed": 0.5}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"stop": ""}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"stop": [5]}, "stop"),
        ({"stop": {"a": 1}}, "stop"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"stop": "a" * 257}, "stop"),
        ({"stop": "\ud800"}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": 5}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"stream": True, "stream_options": {"other": 1}}, "stream_options.other"),
        ({"n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"n": True}, "n"),
        ({"localspec": "auto"}, "localspec"),
        ({"localspec": {"method": "magic"}}, "localspec.method"),
        ({"localspec": {"method": 1}}, "localspec.method"),
        ({"localspec": {"library": 1}}, "localspec.library"),
        ({"localspec": {"rows": 3}}, "localspec.rows"),
        ({"tools": {}}, "tools"),
        ({"tools": [5]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": "x"}}]},
            "tools[0].function.parameters",
        ),
        ({"tools": [TOOL, TOOL]}, "tools"),
        ({"tools": [TOOL], "tool_choice": "maybe"}, "tool_choice"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "tool_choice.function.name",
        ),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "response_format.json_schema.schema",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": []}}},
            "response_format.json_schema.schema",
        ),
        ({"logprobs": 3}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"reasoning_effort": "much"}, "reasoning_effort"),
        ({"chat_template_kwargs": {"enable_thinking": "yes"}}, "chat_template_kwargs.enable_thinking"),
        ({"chat_template_kwargs": {"other": True}}, "chat_template_kwargs.other"),
        ({"logit_bias": {"a": 5}}, "logit_bias"),
        ({"logit_bias": {"-1": 5}}, "logit_bias"),
        ({"logit_bias": {"9" * 5000: 5}}, "logit_bias"),
        ({"logit_bias": [1]}, "logit_bias"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1"),
        ({"logit_bias": {"1": "x"}}, "logit_bias.1"),
        ({"presence_penalty": 2.5}, "presence_penalty"),
        ({"frequency_penalty": "x"}, "frequency_penalty"),
        ({"dry_multiplier": -1}, "dry_multiplier"),
        ({"grammar": 5}, "grammar"),
        ({"made_up": 1}, "made_up"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_name_of_the_field(fields: dict[str, Any], param: str) -> None:
    assert refused(request(**fields)).param == param


def test_long_and_strange_names_can_be_said() -> None:
    error = refused(request(**{"\ud800" * 500: 1}))
    assert len(json.dumps(error.body)) < 1500
    assert len(str(error.param)) < 100


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nothing", b"\xff\xfe\x00", b'{"model": "m", "temperature": NaN}', b'{"temperature": Infinity}',
        b'{"temperature": -Infinity}', b'{"temperature": 1e999}', b'{"seed": ' + b"9" * 5000 + b"}", b"[" * 100_000,
        b'{"a":' * 100_000, b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), b'"\\ud800', b"[]", b"5", b"null", b'"text"',
    ],
)  # fmt: skip
def test_bodies_that_are_no_request(body: bytes) -> None:
    refused(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
NAMES = st.sampled_from(
    ("model", "messages", "max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "stream", "stream_options",
     "n", "localspec", "tools", "tool_choice", "response_format", "logprobs", "reasoning_effort", "user", "x")
)  # fmt: skip


@given(st.dictionaries(NAMES, JSON), st.booleans())
def test_any_json_is_a_request_or_is_refused(fields: dict[str, Any], complete: bool) -> None:
    body = json.dumps(request(**fields) if complete else fields).encode()
    try:
        assert isinstance(parse_chat(body), ChatRequest)
    except RequestError as error:
        assert error.status == 400
        json.dumps(error.body)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_are_refused(body: bytes) -> None:
    try:
        parse_chat(body)
    except RequestError as error:
        assert error.status == 400


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (404, "invalid_request_error"),
     (429, "rate_limit_error"), (500, "server_error"), (503, "server_error")],
)  # fmt: skip
def test_errors_have_openais_shape(status: int, kind: str) -> None:
    error = RequestError(status, "No.", param="n", code="c").body
    assert error == {"error": {"message": "No.", "type": kind, "param": "n", "code": "c"}}
