"""The endpoint as other programs see it: OpenAI's own client, and hostile ones."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion

from localspec.chat.engine import Engine
from localspec.chat.session import Session
from localspec.chat.turn import ReplyOptions
from localspec.endpoint.answers import MOST_REQUESTS
from localspec.endpoint.request_fields import LARGEST_BODY
from localspec.models.llama.sampling import SamplingSettings
from tests.endpoint.conftest import CONTEXT, Server, asking, forget

QUESTIONS = (
    "Name three colours.",
    "Repeat three times: the tide at Velm rises by nine metres in spring.",
    "Write the numbers from one to twelve in words, one per line.",
)
CHAT = "/v1/chat/completions"
README = Path(__file__).resolve().parents[2] / "README.md"


def text_of(completion: ChatCompletion) -> str:
    return completion.choices[0].message.content or ""


def streamed(client: OpenAI, **fields: Any) -> tuple[str, str, Any, int]:
    """Text, finish reason, usage and number of chunks with text of a streamed answer."""
    text, finish, used, count = "", "", None, 0
    stream = client.chat.completions.create(**fields, stream=True, stream_options={"include_usage": True})
    for number, part in enumerate(stream):
        assert used is None, "something follows the usage"
        if part.usage is not None:
            used = part.usage
            assert part.choices == []
            continue
        (choice,) = part.choices
        assert not finish, "a piece follows the end"
        assert (choice.delta.role == "assistant") == (number == 0)
        piece = choice.delta.content or ""
        piece.encode()
        count += bool(piece)
        text += piece
        finish = choice.finish_reason or ""
    return text, finish, used, count


@contextmanager
def occupied(engine: Engine) -> Iterator[None]:
    """Somebody else has the model inside."""
    with engine.turn():
        yield


# -- answers ------------------------------------------------------------------------------------------------------


def test_the_loaded_model_is_listed(client: OpenAI, server: Server) -> None:
    listed, other = client.models.list().data
    assert listed.id == server.engine.name
    assert client.models.retrieve(other.id).id == other.id == "all-minilm-l6-v2"
    assert client.models.retrieve(listed.id).object == "model"
    assert client.models.retrieve("localspec").id == listed.id
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("question", QUESTIONS)
def test_it_says_what_the_chat_says(client: OpenAI, server: Server, question: str) -> None:
    forget(server.engine)
    *_, done = Session(server.engine).ask(question, ReplyOptions(max_tokens=40))
    said = {}
    for method in ("plain", "auto", "rest"):
        forget(server.engine)
        fields: dict[str, Any] = {**asking(question, 40), "extra_body": {"localspec": {"method": method}}}
        whole = client.chat.completions.create(**fields)
        assert whole.usage is not None
        said[method] = text_of(whole)
        forget(server.engine)
        text, finish, used, _ = streamed(client, **fields)
        assert text == said[method]
        assert finish == whole.choices[0].finish_reason
        counts = ("prompt_tokens", "completion_tokens", "total_tokens")
        assert [getattr(used, name) for name in counts] == [getattr(whole.usage, name) for name in counts]
        assert whole.model == server.engine.name
        assert whole.usage.prompt_tokens == done.turn.metrics.prompt_tokens
        assert whole.usage.completion_tokens == done.turn.metrics.tokens
    assert set(said.values()) == {done.turn.reply}


def test_a_longer_conversation_says_what_the_chat_says(client: OpenAI, server: Server) -> None:
    session = Session(server.engine, system="You answer in one short sentence.")
    messages: list[dict[str, str]] = [{"role": "system", "content": session.system}]
    for question in ("What is a harbour?", "And a lighthouse?"):
        *_, done = session.ask(question, ReplyOptions(max_tokens=24))
        messages.append({"role": "user", "content": question})
        answer = client.chat.completions.create(**{**asking("", 24), "messages": messages})
        assert text_of(answer) == done.turn.reply
        messages.append({"role": "assistant", "content": text_of(answer)})


def test_a_seed_gives_its_text_again_with_and_without_drafts(client: OpenAI, server: Server) -> None:
    def answer(seed: int, method: str) -> str:
        forget(server.engine)
        fields = {**asking("Write one sentence about the sea."), "temperature": 1.2, "top_p": 0.9, "seed": seed}
        return text_of(client.chat.completions.create(**fields, extra_body={"localspec": {"method": method}}))

    seven = answer(7, "plain")
    assert seven == answer(7, "auto") == answer(7, "plain")
    assert seven != answer(8, "plain")
    forget(server.engine)
    sampling = SamplingSettings(temperature=1.2, top_p=0.9, seed=7)
    options = ReplyOptions("plain", max_tokens=24, sampling=sampling)
    *_, done = Session(server.engine).ask("Write one sentence about the sea.", options)
    assert done.turn.reply == seven


def test_where_nothing_is_said_about_sampling_it_is_the_models_own(client: OpenAI, server: Server) -> None:
    question = "Write one sentence about the sea."
    fields = {**asking(question), "seed": 5}
    del fields["temperature"]
    said = []
    for method in ("plain", "auto"):
        forget(server.engine)
        said.append(text_of(client.chat.completions.create(**fields, extra_body={"localspec": {"method": method}})))
    forget(server.engine)
    options = ReplyOptions("plain", max_tokens=24, sampling=SamplingSettings(seed=5), recommended=True)
    *_, done = Session(server.engine).ask(question, options)
    assert said == [done.turn.reply] * 2


def test_usage_tells_what_was_read_written_and_guessed(client: OpenAI, server: Server) -> None:
    forget(server.engine)
    first = client.chat.completions.create(**asking(QUESTIONS[1], 40)).usage
    again = client.chat.completions.create(**asking(QUESTIONS[1], 40)).usage
    assert first is not None
    assert again is not None
    assert first.prompt_tokens_details is not None
    assert again.prompt_tokens_details is not None
    assert first.prompt_tokens_details.cached_tokens == 0
    assert again.prompt_tokens_details.cached_tokens == again.prompt_tokens - 1
    assert first.total_tokens == first.prompt_tokens + first.completion_tokens
    figures = (first.model_extra or {})["localspec"]
    assert figures["method"] == "auto"
    assert 0 <= figures["acceptance_rate"] <= 1
    assert figures["tokens_per_step"] >= 1
    assert (figures["speedup"] > 0) == (figures["speedup_untold"] == "")
    assert figures["verdict"]
    plain = client.chat.completions.create(**asking("Hello."), extra_body={"localspec": {"method": "plain"}}).usage
    assert plain is not None
    figures = (plain.model_extra or {})["localspec"]
    assert (figures["method"], figures["drafted"], figures["tokens_per_step"]) == ("plain", 0, 1.0)


@pytest.mark.parametrize("method", ["plain", "auto"])
@pytest.mark.parametrize(("start", "length"), [(12, 1), (17, 4), (24, 9)])
def test_a_stop_text_ends_the_answer_and_is_not_said(
    client: OpenAI, server: Server, method: str, start: int, length: int
) -> None:
    forget(server.engine)
    body: dict[str, Any] = {"localspec": {"method": method}}
    whole = text_of(client.chat.completions.create(**asking(QUESTIONS[2], 60), extra_body=body))
    said = whole[start : start + length]
    stop = [f"{said}, and never this", said] if length > 1 else said
    end = whole.index(said)
    answer = client.chat.completions.create(**asking(QUESTIONS[2], 60), stop=stop, extra_body=body)
    assert text_of(answer) == whole[:end]
    assert answer.choices[0].finish_reason == "stop"
    text, finish, used, _ = streamed(client, **asking(QUESTIONS[2], 60), stop=stop, extra_body=body)
    assert (text, finish) == (whole[:end], "stop")
    assert answer.usage is not None
    # What a draft brought behind the stop text was not part of the answer.
    plain = client.chat.completions.create(
        **asking(QUESTIONS[2], 60), stop=stop, extra_body={"localspec": {"method": "plain"}}
    ).usage
    assert plain is not None
    assert answer.usage.completion_tokens == used.completion_tokens == plain.completion_tokens
    assert server.idle()


def test_length_is_kept_and_the_context_is_the_longest(client: OpenAI, server: Server) -> None:
    answer = client.chat.completions.create(**asking(QUESTIONS[2], 5))
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5
    fields = {**asking("Say yes."), "max_completion_tokens": 6}
    del fields["max_tokens"]
    assert client.chat.completions.create(**fields).usage is not None
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**asking("tide " * (CONTEXT + 10)))
    assert caught.value.code == "context_length_exceeded"
    assert str(CONTEXT) in caught.value.message
    # Without a limit it goes on until the model or the context ends it.
    long = {**asking("tide " * (CONTEXT - 80)), "max_tokens": 2**60}
    answer = client.chat.completions.create(**{**long, "temperature": 2, "seed": 1})
    assert answer.usage is not None
    assert answer.usage.total_tokens <= CONTEXT + 1


def test_a_stream_comes_piece_by_piece_in_whole_characters(client: OpenAI) -> None:
    # Nearly any token may come, with it those that hold a part of a character.
    wild = {"temperature": 2, "top_p": 1, "extra_body": {"top_k": 0, "min_p": 0}}
    said = ""
    for seed in range(4):
        fields = {**asking("Repeat: 🙂🎉 naïve Größe 東京 мир 🙂🎉", 48), **wild, "seed": seed}
        text, _, _, count = streamed(client, **fields)
        assert count > 5
        assert text == text_of(client.chat.completions.create(**fields))
        said += text
    assert any(ord(character) > 127 for character in said)


def test_without_being_asked_for_no_usage_is_streamed(client: OpenAI) -> None:
    parts = list(client.chat.completions.create(**asking("Say hello.", 8), stream=True))
    assert all(part.usage is None and part.choices for part in parts)
    assert parts[-1].choices[0].finish_reason


def test_drafts_come_from_the_named_library_and_change_nothing(client: OpenAI, server: Server) -> None:
    question = "When was the lighthouse of Velm built?"
    said = set()
    server.opened.clear()
    for library in ("harbour", ""):
        forget(server.engine)
        body = {"localspec": {"method": "rest", "library": library}}
        said.add(text_of(client.chat.completions.create(**asking(question), extra_body=body)))
    assert len(said) == 1
    assert server.opened == ["harbour"]
    replies = server.library.replies.count()
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(**asking(question), extra_body={"localspec": {"library": "none of these"}})
    assert caught.value.code == "library_not_found"
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(**asking(question), extra_body={"localspec": {"library": "../x"}})
    # The usual library is not there, so it is gone without; and nothing was learnt from anybody.
    client.chat.completions.create(**asking(question))
    assert server.opened == ["harbour"]
    assert server.library.replies.count() == replies == (0, 0)


def test_the_readmes_example_runs(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    given = {"http://127.0.0.1:7860/v1": server.base_url, "the token": server.access.token}
    for told, own in given.items():
        assert example.count(told) == 1
        example = example.replace(told, own)
    exec(compile(example, README.name, "exec"), {})
    *said, figures = capsys.readouterr().out.splitlines()
    assert "".join(said).strip()
    assert float(figures.split()[0]) > 0
    assert len(figures.split()) > 4


# -- who may ask, and what ---------------------------------------------------------------------------------------


def test_off_means_that_there_is_nothing(server: Server, client: OpenAI) -> None:
    server.access.switch(False)
    try:
        for path in ("/v1/models", CHAT, "/v1/models/x", "/v1/other"):
            status, said, _ = server.send("GET", path)
            assert status == 404
            assert said["error"]["code"] == "endpoint_off"
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(**asking("Hello."))
    finally:
        server.access.switch(True)


def test_the_token_is_needed(server: Server) -> None:
    for token in ("wrong", server.access.token[:-1], "ü" * 20):
        status, said, response = server.send(
            "POST", CHAT, asking("Hello."), {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
        )
        assert status == 401
        assert said["error"]["code"] == "invalid_api_key"
        assert response.getheader("WWW-Authenticate") == "Bearer"
    with pytest.raises(openai.AuthenticationError):
        server.client("wrong").models.list()
    assert server.send("GET", "/v1/models", headers={"Authorization": ""})[0] == 401
    # Nothing is told to those without one, not even what paths there are.
    assert server.send("GET", "/v1/other", headers={"Authorization": ""})[0] == 401


def test_other_sites_are_refused_with_the_right_token_too(server: Server) -> None:
    for headers in (
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"},
        {"Host": f"evil.example:{server.port}", "Origin": f"http://evil.example:{server.port}"},
    ):  # fmt: skip
        assert server.send("POST", CHAT, asking("Hello."), headers)[0] == 403
        assert server.send("GET", "/v1/models", headers=headers)[0] == 403
    assert server.send("GET", "/v1/models", headers={"Origin": f"http://127.0.0.1:{server.port}"})[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", CHAT, 405), ("PUT", CHAT, 405), ("DELETE", "/v1/models", 405), ("GET", "/v1/completions", 405),
        ("GET", "/v1/embeddings", 405), ("POST", "/v1/responses", 404), ("GET", "/v1/", 404), ("POST", f"{CHAT}/", 404),
        ("GET", "/v1/models/a/b", 404), ("GET", "/v1/../v1/nothing", 404),
    ],
)  # fmt: skip
def test_paths_and_methods_that_there_are_not(server: Server, method: str, path: str, status: int) -> None:
    answered, said, response = server.send(method, path, b"{}" if method in ("POST", "PUT") else b"")
    assert answered == status
    assert said["error"].keys() == {"message", "type", "param", "code"}
    if status == 405:
        assert response.getheader("Allow")


def test_another_model_is_not_there(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(**{**asking("Hello."), "model": "gpt-4o"})
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"\xff\xfe", b"[" * 200_000, b'{"model": "localspec", "messages": NaN}',
        b'{"model": "localspec", "messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"model": "localspec", "messages": [{"role": "user", "content": "\\u0000"}]}',
        b'{"model": "localspec", "messages": [{"role": "\\udfff", "content": "x"}]}',
        b'{"model": "localspec", "messages": [{"role": "user", "content": "x"}], "seed": ' + b"9" * 9000 + b"}",
    ],
)  # fmt: skip
def test_hostile_bodies_are_refused_in_good_order(server: Server, body: bytes) -> None:
    status, said, _ = server.send("POST", CHAT, body)
    assert status == 400
    assert said["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2}, {"tools": [{}]}, {"top_logprobs": 2}, {"temperature": 9}, {"max_tokens": 0}, {"stop": [""]},
        {"seed": "x"},
        {"localspec": {"method": "magic"}}, {"localspec": {"library": "con"}}, {"stream": "x"}, {"unknown": 1},
        {"messages": [{"role": "tool", "content": "x"}]},
    ],
)  # fmt: skip
def test_what_is_not_supported_is_refused(server: Server, fields: dict[str, Any]) -> None:
    status, said = server.ask(**fields)
    assert status == 400
    assert said["error"]["message"]


def test_strange_conversations_are_answered(server: Server) -> None:
    for messages in (
        [{"role": "user", "content": ""}],
        [{"role": "system", "content": "Be brief."}],
        [{"role": "user", "content": "One"}, {"role": "user", "content": "Two"}],
        [{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "\ue0000\ue001 <|im_end|>\n"}],
        [{"role": "user", "content": "A"}, {"role": "system", "content": "B"}, {"role": "user", "content": "C"}],
    ):
        status, said = server.ask(messages=messages, max_tokens=4)
        assert status == 200, said


def test_bodies_are_limited(server: Server) -> None:
    status, said, _ = server.send("POST", CHAT, b'"' + b"a" * LARGEST_BODY)
    assert status == 413
    assert said["error"]["code"] == "too_large"
    # One that is just allowed is read, and too long for the model.
    fields = asking("")
    fields["messages"][0]["content"] = "word " * ((LARGEST_BODY - 200) // 5)
    status, said, _ = server.send("POST", CHAT, fields)
    assert (status, said["error"]["code"]) == (400, "context_length_exceeded")


# -- taking turns ------------------------------------------------------------------------------------------------


def test_requests_take_turns_with_the_chat(client: OpenAI, server: Server) -> None:
    answers: list[str] = []
    with occupied(server.engine):
        threads = [
            threading.Thread(
                target=lambda: answers.append(text_of(client.chat.completions.create(**asking("Say hello.", 8))))
            )
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        assert not answers
    for thread in threads:
        thread.join(60)
    assert len(answers) == 3
    assert len(set(answers)) == 1
    assert server.idle()


def test_one_that_waits_too_long_is_told_so(server: Server) -> None:
    with occupied(server.engine):
        began = time.monotonic()
        status, said, response = server.send("POST", CHAT, {**asking("Hello."), "stream": True})
        assert time.monotonic() - began < 10
    assert (status, said["error"]["code"]) == (503, "busy")
    assert int(response.getheader("Retry-After") or 0) > 0
    assert server.idle()


def test_too_many_are_refused_at_once(server: Server) -> None:
    with occupied(server.engine):
        connections = []
        for _ in range(MOST_REQUESTS):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            headers = {"Authorization": f"Bearer {server.access.token}"}
            connection.request("POST", CHAT, json.dumps(asking("Hello.", 4)), headers)
            connections.append(connection)
        end = time.monotonic() + 10
        while len(server.answers._running) < MOST_REQUESTS and time.monotonic() < end:
            time.sleep(0.01)
        status, said, response = server.send("POST", CHAT, asking("Hello."))
        assert (status, said["error"]["type"]) == (429, "rate_limit_error")
        assert response.getheader("Retry-After")
        for connection in connections:
            connection.close()
    assert server.idle(30)


def test_while_no_model_is_loaded(server: Server) -> None:
    server.loaded = False
    try:
        assert server.send("GET", "/v1/models")[0] == 503
        assert server.ask()[0] == 503
    finally:
        server.loaded = True
    assert server.idle()


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_ends_its_answer(server: Server, stream: bool) -> None:
    fields = {**asking("Write a very long story about a lighthouse.", 900), "stream": stream}
    body = json.dumps({**fields, "localspec": {"method": "plain"}}).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        head = (
            f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.access.token}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        if stream:
            received = b""
            while received.count(b"data: ") < 5:
                received += connection.recv(4096)
        else:
            end = time.monotonic() + 30
            while not server.engine.busy and time.monotonic() < end:
                time.sleep(0.01)
            time.sleep(0.3)
        assert server.engine.busy
    gone = time.monotonic()
    assert server.idle(20)
    assert time.monotonic() - gone < 5  # 900 tokens take longer
    assert server.ask()[0] == 200


def test_a_client_that_stops_reading_does_not_hold_the_model(server: Server) -> None:
    body = json.dumps({**asking(QUESTIONS[2], 120), "stream": True}).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        head = (
            f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.access.token}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        time.sleep(0.2)
        assert server.idle(30)


def test_switching_off_ends_what_is_being_written(server: Server, client: OpenAI) -> None:
    fields = asking("Write a very long story about a lighthouse.", 900)
    stream = client.chat.completions.create(**fields, stream=True, extra_body={"localspec": {"method": "plain"}})
    next(iter(stream))
    server.answers.stop()
    with pytest.raises(openai.APIError, match="stopped"):
        for _ in stream:
            pass
    assert server.idle()
