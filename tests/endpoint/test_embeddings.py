"""Vectors of meaning for other programs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import openai
import pytest
from openai import OpenAI

from localspec.endpoint.embedding_request import parse_embedding
from localspec.endpoint.refusals import RequestError
from localspec.endpoint.text_vectors import Vectors
from localspec.errors import EmbedderError
from localspec.models.embedder import Embedder
from tests.endpoint.conftest import Server

TEXTS = ["The tide rises by nine metres.", "High water comes twice a day.", "Invoices are paid within a month."]


def test_vectors_are_those_that_find_passages(client: OpenAI, server: Server) -> None:
    own = Embedder().embed(TEXTS)
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


def test_a_missing_model_is_told(tmp_path: Any) -> None:
    vectors = Vectors(Embedder(tmp_path))
    with pytest.raises(RequestError) as caught:
        vectors.answer(parse_embedding(b'{"model": "localspec", "input": "Hi"}'))
    assert caught.value.status == 503
    assert isinstance(caught.value.__cause__, EmbedderError)
