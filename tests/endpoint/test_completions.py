"""Texts that are gone on with, and answers that have begun."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import openai
import pytest
from numpy.typing import NDArray
from openai import OpenAI

from localspec.chat.template import Message
from localspec.endpoint.completion_request import USUAL_TOKENS, parse_completion
from localspec.endpoint.refusals import RequestError
from localspec.models.llama.sampling import SamplingSettings
from tests.endpoint.conftest import CONTEXT, Server, asking, forget

PROMPT = "The three largest oceans are the Pacific, the Atlantic and the"
METHODS = ("plain", "auto")


def completing(prompt: object, tokens: int = 12, **fields: Any) -> dict[str, Any]:
    return {"model": "localspec", "prompt": prompt, "max_tokens": tokens, "temperature": 0, **fields}


# -- completions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_text_is_gone_on_with_as_it_is(client: OpenAI, server: Server, method: str) -> None:
    forget(server.engine)
    with server.engine.turn() as model:
        tokens = model.tokenize(PROMPT, special=True)
        written: list[int] = []
        sampler = model.sampler(SamplingSettings())
        model.begin(tokens)
        for _ in range(12):
            model.decode(int([*tokens, *written][-1]), np.empty(0, np.int32), np.empty(0, np.int32))
            written.append(sampler.sample(0))
            model.keep(np.empty(0, np.int32))
        sampler.close()
        expected = b"".join(model.piece(token) for token in written).decode()
    forget(server.engine)
    extra = {"localspec": {"method": method}}
    by_text = client.completions.create(**completing(PROMPT), extra_body=extra)
    by_tokens = client.completions.create(**completing(tokens.tolist()), extra_body=extra)
    in_a_list = client.completions.create(**completing([PROMPT]), extra_body=extra)
    for answer in (by_text, by_tokens, in_a_list):
        assert answer.object == "text_completion"
        assert answer.choices[0].text == expected
        assert answer.choices[0].finish_reason == "length"
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (len(tokens), 12)


def test_a_completion_is_streamed_with_the_prompt_before_it(client: OpenAI) -> None:
    whole = client.completions.create(**completing(PROMPT, echo=True, stop=["Ocean"]))
    assert whole.choices[0].text.startswith(PROMPT)
    assert len(whole.choices[0].text) > len(PROMPT)
    parts = list(
        client.completions.create(
            **completing(PROMPT, echo=True, stop=["Ocean"]), stream=True, stream_options={"include_usage": True}
        )
    )
    *chunks, last = parts
    assert "".join(part.choices[0].text for part in chunks) == whole.choices[0].text
    assert [part.choices[0].finish_reason for part in chunks if part.choices[0].finish_reason] == ["stop"]
    assert last.choices == []
    assert last.usage is not None
    assert whole.usage is not None
    assert last.usage.completion_tokens == whole.usage.completion_tokens


def test_marks_in_the_prompt_are_marks(client: OpenAI, server: Server) -> None:
    """So a completion can be a chat: whoever completes a text writes its marks."""
    forget(server.engine)
    messages = [Message("system", "Be brief."), Message("user", "Name a colour.")]
    text = server.engine.template.text(messages)
    completed = client.completions.create(**completing(text, 10)).choices[0].text
    chatted = client.chat.completions.create(
        **{**asking("", 10), "messages": [{"role": one.role, "content": one.content} for one in messages]}
    )
    assert completed == chatted.choices[0].message.content


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": None}, "prompt"), ({"prompt": ""}, "prompt"), ({"prompt": []}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"), ({"prompt": [1, "a"]}, "prompt"), ({"prompt": [-1]}, "prompt"),
        ({"prompt": [True]}, "prompt"), ({"prompt": "a\0"}, "prompt"), ({"suffix": "x"}, "suffix"),
        ({"best_of": 2}, "best_of"), ({"logprobs": 6}, "logprobs"), ({"logprobs": True}, "logprobs"),
        ({"echo": True, "logprobs": 1}, "echo"), ({"echo": "x"}, "echo"), ({"n": 2}, "n"),
        ({"messages": [1]}, "messages"),
        ({"max_tokens": 0}, "max_tokens"), ({"model": None}, "model"),
    ],
)  # fmt: skip
def test_what_is_no_completion_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_completion(json.dumps({"model": "m", "prompt": "Hi", **fields}).encode())
    assert (caught.value.status, caught.value.param) == (400, param)


def test_what_is_not_said_is_as_openai_has_it() -> None:
    wanted = parse_completion(b'{"model": "m", "prompt": [[3, 4]], "best_of": 1, "suffix": null}')
    assert (wanted.prompt, wanted.max_tokens, wanted.top_logprobs) == ((3, 4), USUAL_TOKENS, None)
    assert not wanted.options(512).ends_loops


def test_a_token_that_there_is_not_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(**completing([2**30]))
    assert caught.value.param == "prompt"


# -- an answer that has begun -------------------------------------------------------------------------------------


def test_the_beginning_of_an_answer_is_gone_on_with(client: OpenAI, server: Server) -> None:
    forget(server.engine)
    whole = client.chat.completions.create(**asking("Count from one to ten in words.", 24))
    text = whole.choices[0].message.content or ""
    begun = text[: text.index(",") + 1] if "," in text else text[:12]
    messages = [*asking("Count from one to ten in words.")["messages"], {"role": "assistant", "content": begun}]
    forget(server.engine)
    rest = client.chat.completions.create(**{**asking("", 24), "messages": messages})
    said = rest.choices[0].message.content or ""
    assert text.startswith(begun + said[:8])
    assert said
    assert whole.usage is not None
    assert rest.usage is not None
    assert rest.usage.prompt_tokens > whole.usage.prompt_tokens


# -- probabilities ------------------------------------------------------------------------------------------------


def distribution(server: Server, tokens: list[int]) -> NDArray[np.float64]:
    """Logarithms of the target's probabilities behind `tokens`, by itself."""
    with server.engine.turn() as model:
        model.forget()
        model.begin(np.array(tokens, np.int32))
        model.decode(tokens[-1], np.empty(0, np.int32), np.empty(0, np.int32))
        logits = model.logits(1)[0].astype(np.float64)
        model.discard()
    return np.asarray(logits - np.logaddexp.reduce(logits), np.float64)


@pytest.mark.parametrize("sampling", [{}, {"temperature": 1.3, "seed": 4}])
def test_probabilities_are_the_targets_with_and_without_drafts(
    client: OpenAI, server: Server, sampling: dict[str, Any]
) -> None:
    question = "Repeat three times: the tide rises, the tide falls."
    told = {}
    for method in METHODS:
        forget(server.engine)
        fields = {**asking(question, 30), **sampling, "logprobs": True, "top_logprobs": 3}
        extra: dict[str, Any] = {"localspec": {"method": method}}
        answer = client.chat.completions.create(**fields, extra_body=extra)
        assert answer.choices[0].logprobs is not None
        content = told[method] = answer.choices[0].logprobs.content or []
        assert b"".join(bytes(one.bytes or []) for one in content).decode() == answer.choices[0].message.content
        forget(server.engine)
        parts = client.chat.completions.create(**fields, extra_body=extra, stream=True)
        streamed = [one for part in parts if part.choices[0].logprobs for one in part.choices[0].logprobs.content or []]
        assert streamed == content
    plain, drafted = told["plain"], told["auto"]
    assert [one.token for one in plain] == [one.token for one in drafted]
    assert [one.logprob for one in plain] == pytest.approx([one.logprob for one in drafted], abs=1e-4)
    for one in drafted:
        best = [other.logprob for other in one.top_logprobs]
        assert len(best) == 3
        assert best == sorted(best, reverse=True)
        if not sampling:
            assert one.top_logprobs[0].token == one.token
            assert one.logprob == best[0]
    assert all(one.logprob <= 0 for one in drafted)


def test_probabilities_of_a_completion(client: OpenAI, server: Server) -> None:
    answer = client.completions.create(**completing(PROMPT, 6, logprobs=2)).choices[0]
    told = answer.logprobs
    assert told is not None
    assert told.tokens is not None
    assert "".join(told.tokens) == answer.text
    assert told.text_offset == [len("".join(told.tokens[:number])) for number in range(6)]
    tokens = server.engine.tokenize(PROMPT).tolist()
    for place in range(6):
        own = distribution(server, tokens)
        assert told.token_logprobs is not None
        assert told.top_logprobs is not None
        assert told.token_logprobs[place] == pytest.approx(own.max(), abs=1e-4)
        second = np.partition(own, -2)[-2]
        assert sorted(told.top_logprobs[place].values()) == pytest.approx([second, own.max()], abs=1e-4)
        tokens.append(int(own.argmax()))
    assert math.isclose(sum(math.exp(own_one) for own_one in own), 1.0, rel_tol=1e-6)
    parts = list(client.completions.create(**completing(PROMPT, 6, logprobs=2), stream=True))
    streamed = [one for part in parts if part.choices[0].logprobs for one in part.choices[0].logprobs.tokens or []]
    assert streamed == told.tokens


def test_probabilities_end_at_the_stop_text(client: OpenAI) -> None:
    fields = {**asking("Write the numbers from one to twelve in words.", 40), "logprobs": True}
    whole = client.chat.completions.create(**fields).choices[0]
    text = whole.message.content or ""
    stop = text[10:14]
    cut = client.chat.completions.create(**fields, stop=stop).choices[0]
    assert cut.logprobs is not None
    said = b"".join(bytes(one.bytes or []) for one in cut.logprobs.content or []).decode()
    kept = cut.message.content or ""
    assert kept == text[: text.index(stop)]
    assert said.startswith(kept)
    assert len(said) < len(kept) + 12


@pytest.mark.parametrize("prompt", ["tide " * (CONTEXT + 10), [5] * 300_000])
def test_a_prompt_that_is_too_long_is_refused_for_what_it_is(server: Server, prompt: str | list[int]) -> None:
    status, said, _ = server.send("POST", "/v1/completions", completing(prompt, echo=True))
    assert (status, said["error"]["code"], said["error"]["param"]) == (400, "context_length_exceeded", "prompt")
