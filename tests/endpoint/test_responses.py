"""Answers as they are shaped."""

from __future__ import annotations

import base64
import json

import numpy as np
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from localspec.endpoint.reply_pieces import ReplyPiece, TokenText, ToldToken
from localspec.endpoint.responses import (
    Head,
    Whole,
    chat_logprobs,
    chunk,
    completion,
    delta_of,
    embeddings,
    event,
    text_completion,
    usage,
    usage_chunk,
)
from localspec.endpoint.tool_calls import CallPiece

HEAD = Head("chatcmpl-1", 1700000000, "smollm2-135m", "fp_1")
USAGE = usage(10, 4, 3, {"method": "auto"})
TOLD = ToldToken(
    TokenText("Hel", b"Hel", -0.5), (TokenText("Hel", b"Hel", -0.5), TokenText("\ufffd", b"\xf0", -9e9)), 0
)


def test_answers_are_what_openai_calls_so() -> None:
    whole = ChatCompletion.model_validate(completion(HEAD, Whole("Hello"), "end", USAGE), strict=True)
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


def test_calls_are_put_together_from_their_pieces() -> None:
    pieces = [
        ReplyPiece("Let me see."), ReplyPiece(call=CallPiece(0, id="a1", name="now")),
        ReplyPiece(call=CallPiece(0, '{"a":')),
        ReplyPiece(call=CallPiece(0, " 1}")), ReplyPiece(call=CallPiece(1, "{}", id="a2", name="then")),
    ]  # fmt: skip
    whole = Whole()
    for piece in pieces:
        whole.add(piece)
    (choice,) = ChatCompletion.model_validate(completion(HEAD, whole, "tool_calls", USAGE), strict=True).choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me see."
    calls = [
        (call.id, call.function.name, call.function.arguments)
        for call in choice.message.tool_calls or []
        if call.type == "function"
    ]
    assert calls == [("a1", "now", '{"a": 1}'), ("a2", "then", "{}")]
    deltas = [ChatCompletionChunk.model_validate(chunk(HEAD, delta_of(piece)), strict=True) for piece in pieces]
    assert deltas[0].choices[0].delta.content == "Let me see."
    streamed = [call for one in deltas for call in one.choices[0].delta.tool_calls or []]
    assert [(call.index, call.id) for call in streamed] == [(0, "a1"), (0, None), (0, None), (1, "a2")]
    alone = Whole()
    alone.add(pieces[1])
    assert completion(HEAD, alone, "tool_calls", USAGE)["choices"][0]["message"]["content"] is None


def test_what_was_thought_stands_apart() -> None:
    whole = Whole()
    for piece in (ReplyPiece(thinking="Hm"), ReplyPiece(thinking="."), ReplyPiece("Yes.")):
        whole.add(piece)
        assert delta_of(piece) == ({"content": "Yes."} if piece.text else {"reasoning_content": piece.thinking})
    message = ChatCompletion.model_validate(completion(HEAD, whole, "end", usage(1, 0, 4, {}, 2))).choices[0].message
    assert (message.content, (message.model_extra or {})["reasoning_content"]) == ("Yes.", "Hm.")


def test_probabilities_have_the_shapes_of_chats_and_of_completions() -> None:
    whole = Whole("Hel", tokens=[TOLD])
    shaped = completion(HEAD, whole, "length", USAGE, with_logprobs=True)
    (told,) = ChatCompletion.model_validate(shaped, strict=True).choices[0].logprobs.content  # type: ignore[union-attr,misc]
    assert (told.token, told.bytes, told.logprob) == ("Hel", [72, 101, 108], -0.5)
    assert [(one.bytes, one.logprob) for one in told.top_logprobs] == [([72, 101, 108], -0.5), ([240], -9999.0)]
    part = ChatCompletionChunk.model_validate(chunk(HEAD, {}, logprobs=chat_logprobs([TOLD])), strict=True)
    assert part.choices[0].logprobs is not None
    older = Completion.model_validate(text_completion(HEAD, "Hel", [TOLD], "length", USAGE), strict=True).choices[0]
    assert older.logprobs is not None
    assert older.logprobs.tokens == ["Hel"]
    assert older.logprobs.token_logprobs == [-0.5]
    assert older.logprobs.top_logprobs == [{"Hel": -0.5, "\ufffd": -9999.0}]
    assert older.logprobs.text_offset == [0]


def test_vectors_are_numbers_or_their_bytes() -> None:
    vectors = np.array([[0.5, -1.0], [0.25, 3.0]], np.float32)
    numbers = CreateEmbeddingResponse.model_validate(embeddings("m", vectors, 7, as_base64=False), strict=True)
    assert [one.embedding for one in numbers.data] == vectors.tolist()
    assert (numbers.usage.prompt_tokens, numbers.usage.total_tokens) == (7, 7)
    coded = embeddings("m", vectors, 7, as_base64=True)["data"]
    assert [np.frombuffer(base64.b64decode(one["embedding"]), "<f4").tolist() for one in coded] == vectors.tolist()
    assert [one["index"] for one in coded] == [0, 1]
