"""Vectors of meaning for other programs."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import openai
import pytest
from numpy.typing import NDArray
from openai import OpenAI

from localspec.endpoint import paths
from localspec.endpoint.embedding_request import parse_embedding
from localspec.endpoint.refusals import RequestError
from localspec.endpoint.text_vectors import Vectors
from localspec.errors import EmbedderError
from localspec.models.embedder import Embedder
from tests.endpoint.conftest import Server

TEXTS = ["The tide rises by nine metres.", "High water comes twice a day.", "Invoices are paid within a month."]


def test_vectors_are_exact_alone_or_together(client: OpenAI, server: Server) -> None:
    own = np.concatenate([Embedder().embed([text], exact=True) for text in TEXTS])
    coded = client.embeddings.create(model="all-minilm-l6-v2", input=TEXTS)  # the client asks for base64
    numbers = client.embeddings.create(model="localspec", input=TEXTS, encoding_format="float")
    for answer in (coded, numbers):
        vectors = np.array([one.embedding for one in answer.data])
        np.testing.assert_allclose(vectors, own, atol=1e-6)
        assert [one.index for one in answer.data] == [0, 1, 2]
        assert answer.model == "all-minilm-l6-v2"
    alike, other = own[0] @ own[1], own[0] @ own[2]
    assert alike > other + 0.1
    assert coded.usage.total_tokens == coded.usage.prompt_tokens == 29
    alone = client.embeddings.create(model="localspec", input=TEXTS[0], dimensions=384)
    assert np.allclose(alone.data[0].embedding, own[0], atol=1e-5)
    assert 8 < alone.usage.prompt_tokens < 12


def test_only_what_is_read_of_a_text_is_counted(client: OpenAI) -> None:
    assert client.embeddings.create(model="localspec", input="tide " * 1000).usage.prompt_tokens == 256


def test_they_wait_for_no_answer(client: OpenAI, server: Server) -> None:
    with server.engine.turn():
        assert client.embeddings.create(model="localspec", input="Hello.").data


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"), ({"input": []}, "input"), ({"input": ""}, "input"), ({"input": {"a": 1}}, "input"),
        ({"input": ["a", ""]}, "input[1]"), ({"input": ["a", 5]}, "input[1]"), ({"input": [1, 2]}, "input"),
        ({"input": [[1, 2]]}, "input"), ({"input": ["a"] * 2049}, "input"), ({"input": "a\0"}, "input"),
        ({"encoding_format": "hex"}, "encoding_format"), ({"encoding_format": 5}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"), ({"dimensions": "3"}, "dimensions"), ({"model": ""}, "model"),
        ({"other": 1}, "other"),
    ],
)  # fmt: skip
def test_what_asks_for_no_vectors_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_embedding(json.dumps({"model": "m", "input": "Hi", **fields}).encode())
    assert (caught.value.status, caught.value.param) == (400, param)


def test_other_models_and_other_dimensions_are_refused(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.embeddings.create(model="text-embedding-3-small", input="Hi")
    assert missing.value.param == "model"
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="localspec", input="Hi", dimensions=256)
    assert caught.value.param == "dimensions"


class Lengths:
    """Embeds a text as its length, and remembers how many it was given at once."""

    name, dimension = "lengths", 1

    def __init__(self) -> None:
        self.given: list[int] = []

    def embed(self, texts: list[str], *, exact: bool) -> NDArray[np.float32]:
        self.given.append(len(texts))
        return np.array([[len(text)] for text in texts], np.float32)

    def count(self, texts: list[str]) -> int:
        return sum(map(len, texts))


MANY = parse_embedding(json.dumps({"model": "localspec", "input": ["x" * (n + 1) for n in range(100)]}).encode())


def test_many_texts_leave_room_for_questions() -> None:
    lengths = Lengths()
    answer = Vectors(lengths).answer(MANY, lambda: True)
    assert [one["embedding"] for one in answer["data"]] == [[n + 1.0] for n in range(100)]
    assert [one["index"] for one in answer["data"]] == list(range(100))
    assert answer["usage"]["total_tokens"] == 5050
    assert max(lengths.given) <= 16


def test_nothing_more_is_embedded_for_who_is_gone() -> None:
    lengths = Lengths()
    vectors = Vectors(lengths)
    with pytest.raises(RequestError) as caught:
        vectors.answer(MANY, lambda: len(lengths.given) < 2)
    assert (caught.value.status, caught.value.code, len(lengths.given)) == (503, "stopped", 2)
    vectors.close()
    with pytest.raises(RequestError, match="stopped"):
        vectors.answer(MANY, lambda: True)


def test_too_many_at_once_are_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MOST_EMBEDDING", 0)
    status, said, response = server.send("POST", "/v1/embeddings", {"model": "localspec", "input": "Hi"})
    assert (status, said["error"]["type"]) == (429, "rate_limit_error")
    assert response.getheader("Retry-After")


def test_requests_at_once_are_all_answered(client: OpenAI) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: client.embeddings.create(model="localspec", input=TEXTS[n % 3]), range(24)))
    for number, answer in enumerate(answers):
        assert answer.data[0].embedding == answers[number % 3].data[0].embedding


def test_a_missing_model_is_told(tmp_path: Any) -> None:
    vectors = Vectors(Embedder(tmp_path))
    with pytest.raises(RequestError) as caught:
        vectors.answer(parse_embedding(b'{"model": "localspec", "input": "Hi"}'), lambda: True)
    assert caught.value.status == 503
    assert isinstance(caught.value.__cause__, EmbedderError)
