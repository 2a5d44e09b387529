"""Requests as they are read, and answers as they are shaped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from localspec.chat.methods import DEFAULT_METHOD
from localspec.chat.turn import ReplyOptions
from localspec.endpoint.protocol import (
    DEEPEST,
    UNLIMITED,
    ChatRequest,
    Head,
    RequestError,
    chunk,
    completion,
    event,
    parse,
    usage,
    usage_chunk,
)
from localspec.models.llama.sampling import RANDOM_SEED, SamplingSettings

HEAD = Head("chatcmpl-1", 1700000000, "smollm2-135m", "fp_1")
USAGE = usage(10, 4, 3, {"method": "auto"})


def request(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}


def parsed(**fields: Any) -> ChatRequest:
    return parse(json.dumps(request(**fields)).encode())


def refused(body: bytes | dict[str, Any]) -> RequestError:
    with pytest.raises(RequestError) as caught:
        parse(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert caught.value.status == 400
    json.dumps(caught.value.body)
    return caught.value


def test_what_is_not_said_is_as_in_the_chat() -> None:
    wanted = parsed()
    assert wanted.options.sampling == SamplingSettings()
    assert wanted.options.method == DEFAULT_METHOD == ReplyOptions().method
    assert wanted.options.max_tokens == UNLIMITED
    assert (wanted.stop, wanted.stream, wanted.include_usage, wanted.library) == ((), False, False, None)


def test_every_field_is_read() -> None:
    wanted = parsed(
        max_tokens=7, temperature=0.5, top_p=0.8, top_k=3, min_p=0.1, repeat_penalty=1.2, seed=5, stop=["a", "b"],
        stream=True, stream_options={"include_usage": True}, n=1, localspec={"method": "rest", "library": "work"},
    )  # fmt: skip
    assert wanted.options == ReplyOptions(
        "rest", max_tokens=7, sampling=SamplingSettings(0.5, 3, 0.8, 0.1, 1.2, seed=5)
    )
    assert wanted.stop == ("a", "b")
    assert wanted.stream
    assert wanted.include_usage
    assert wanted.library == "work"
    assert parsed(stop="x").stop == ("x",)
    assert parsed(max_tokens=7, max_completion_tokens=9).options.max_tokens == 9
    assert parsed(max_tokens=2**62).options.max_tokens == UNLIMITED
    assert parsed(localspec={"library": ""}).library == ""
    assert parsed(temperature=1, top_p=0).options.sampling.is_greedy


def test_every_whole_number_is_a_seed_and_none_means_a_fresh_one() -> None:
    assert parsed(seed=0).options.sampling.seed == 0
    assert parsed(seed=123456).options.sampling.seed == 123456
    seeds = [parsed(seed=seed).options.sampling.seed for seed in (RANDOM_SEED, 2**32, 2**63 - 1, -1)]
    assert RANDOM_SEED not in seeds
    assert parsed().options.sampling.seed == RANDOM_SEED


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
        ({"messages": [{"role": "tool", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "<|im_start|>", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, "messages"),
        ({"messages": [{"role": "user", "content": "Hi", "tool_calls": [{}]}]}, "messages[0].tool_calls"),
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
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
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
     "n", "localspec", "tools", "user", "x")
)  # fmt: skip


@given(st.dictionaries(NAMES, JSON), st.booleans())
def test_any_json_is_a_request_or_is_refused(fields: dict[str, Any], complete: bool) -> None:
    body = json.dumps(request(**fields) if complete else fields).encode()
    try:
        assert isinstance(parse(body), ChatRequest)
    except RequestError as error:
        assert error.status == 400
        json.dumps(error.body)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_are_refused(body: bytes) -> None:
    try:
        parse(body)
    except RequestError as error:
        assert error.status == 400


def test_answers_are_what_openai_calls_so() -> None:
    whole = ChatCompletion.model_validate(completion(HEAD, "Hello", "end", USAGE), strict=True)
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage is not None
    assert whole.usage.prompt_tokens_details is not None
    assert whole.usage.prompt_tokens_details.cached_tokens == 4
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.total_tokens) == (10, 3, 13)
    for finish, told in (("end", "stop"), ("stop", "stop"), ("length", "length"), ("context", "length")):
        last = ChatCompletionChunk.model_validate(chunk(HEAD, {}, finish), strict=True)
        assert last.choices[0].finish_reason == told
    first = ChatCompletionChunk.model_validate(chunk(HEAD, {"role": "assistant", "content": ""}), strict=True)
    assert first.choices[0].finish_reason is None
    assert "usage" not in chunk(HEAD, {})
    assert chunk(HEAD, {}, with_usage=True)["usage"] is None
    assert ChatCompletionChunk.model_validate(usage_chunk(HEAD, USAGE), strict=True).choices == []


def test_an_event_is_one_line_whatever_the_text_holds() -> None:
    text = "a\nb\r\u2028\u2029\x85 🙂 data: x\n\n"
    line = event(chunk(HEAD, {"content": text}))
    assert line.startswith(b"data: {")
    assert line.endswith(b"}\n\n")
    assert len(line.decode("ascii").splitlines()) == 2
    assert json.loads(line[6:])["choices"][0]["delta"]["content"] == text
    assert event("[DONE]") == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (404, "invalid_request_error"),
     (429, "rate_limit_error"), (500, "server_error"), (503, "server_error")],
)  # fmt: skip
def test_errors_have_openais_shape(status: int, kind: str) -> None:
    error = RequestError(status, "No.", param="n", code="c").body
    assert error == {"error": {"message": "No.", "type": kind, "param": "n", "code": "c"}}
