"""Vectors of meaning for other programs, from the model that finds passages in documents."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.endpoint import responses
from localspec.endpoint.embedding_request import EmbeddingRequest
from localspec.endpoint.refusals import ANY_MODEL, other_model, refusal, refuse
from localspec.errors import LocalSpecError


class TextEmbedder(Protocol):
    """The part of the embedding model that is needed here. All members raise EmbedderError."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def dimension(self) -> int:
        """Components of a vector."""

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """One vector per text, [n, d], of length 1."""

    def count(self, texts: list[str]) -> int:
        """The tokens that it reads of these texts."""


class Vectors:
    """Answers requests for vectors; any thread may ask."""

    def __init__(self, embedder: TextEmbedder) -> None:
        self._embedder = embedder

    @property
    def model(self) -> str:
        """Name of the model. Raises RequestError where it is not there."""
        try:
            return self._embedder.name
        except LocalSpecError as error:
            raise refusal(error) from error

    def answer(self, request: EmbeddingRequest) -> dict[str, Any]:
        """The vectors, as OpenAI's clients expect them. Raises RequestError."""
        name = self.model
        if request.model not in (ANY_MODEL, name):
            raise other_model(name, request.model)
        texts = list(request.inputs)
        try:
            own = self._embedder.dimension
            if request.dimensions not in (None, own):
                refuse(f"The vectors of {name} have {own} dimensions, no others.", "dimensions", "unsupported_value")
            vectors, tokens = self._embedder.embed(texts), self._embedder.count(texts)
        except LocalSpecError as error:
            raise refusal(error) from error
        return responses.embeddings(name, vectors, tokens, as_base64=request.as_base64)
