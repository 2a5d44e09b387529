"""Vectors of meaning for other programs, from the model that finds passages in documents."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from localspec.endpoint import responses
from localspec.endpoint.embedding_request import EmbeddingRequest
from localspec.endpoint.refusals import ANY_MODEL, other_model, refusal, refuse, stopped
from localspec.errors import LocalSpecError

_AT_ONCE = 16
"""Texts that are embedded at once. Between them the chat has its turn, which embeds each question."""
_PAUSE_SECONDS = 0.001
"""So long the model is left to whoever waits for it."""


class TextEmbedder(Protocol):
    """The part of the embedding model that is needed here. All members raise EmbedderError."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def dimension(self) -> int:
        """Components of a vector."""

    def embed(self, texts: list[str], *, exact: bool) -> NDArray[np.float32]:
        """One vector per text, [n, d], of length 1; in float32 where they are to be `exact`."""

    def count(self, texts: list[str]) -> int:
        """The tokens that it reads of these texts."""


class Vectors:
    """Answers requests for vectors; any thread may ask."""

    def __init__(self, embedder: TextEmbedder) -> None:
        self.embedder = embedder
        """may be another one from the next request on"""
        self._closed = False

    def close(self) -> None:
        """End what is at work after its next few texts, and begin nothing more."""
        self._closed = True

    @property
    def model(self) -> str:
        """Name of the model. Raises RequestError where it is not there."""
        try:
            return self.embedder.name
        except LocalSpecError as error:
            raise refusal(error) from error

    def answer(self, request: EmbeddingRequest, is_wanted: Callable[[], bool]) -> dict[str, Any]:
        """The vectors, as OpenAI's clients expect them. `is_wanted` is asked every few texts. Raises RequestError."""
        name, embedder = self.model, self.embedder
        if request.model not in (ANY_MODEL, name):
            raise other_model(name, request.model)
        texts, vectors, tokens = list(request.inputs), [], 0
        try:
            own = embedder.dimension
            if request.dimensions not in (None, own):
                refuse(f"The vectors of {name} have {own} dimensions, no others.", "dimensions", "unsupported_value")
            for start in range(0, len(texts), _AT_ONCE):
                if self._closed or not is_wanted():
                    raise stopped()
                some = texts[start : start + _AT_ONCE]
                vectors.append(embedder.embed(some, exact=True))
                tokens += embedder.count(some)
                time.sleep(_PAUSE_SECONDS)
        except LocalSpecError as error:
            raise refusal(error) from error
        return responses.embeddings(name, np.concatenate(vectors), tokens, as_base64=request.as_base64)
