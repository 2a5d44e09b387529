"""The endpoint of one application: off until it is switched on."""

from __future__ import annotations

from starlette.routing import BaseRoute

from localspec.chat.answer_worker import UseEngine
from localspec.endpoint import paths
from localspec.endpoint.access import Access
from localspec.endpoint.answers import Answers, OpenLibrary
from localspec.endpoint.text_vectors import TextEmbedder, Vectors


class Service(Access):
    """Switch and token, with the requests that are being answered."""

    def __init__(self, use: UseEngine, library: OpenLibrary, embedder: TextEmbedder) -> None:
        """`use` gives the engine, `library` opens one that is there, `embedder` turns texts into vectors."""
        super().__init__()
        self._answers = Answers(use, library)
        self._vectors = Vectors(embedder)
        self.address = ""
        """Of the application, http://127.0.0.1:PORT, once it is served"""

    def use_embedder(self, embedder: TextEmbedder) -> None:
        """Turn texts into vectors with another model from the next request on."""
        self._vectors.embedder = embedder

    @property
    def was_asked(self) -> bool:
        """True when there was a request."""
        return self._answers.asked > 0

    @property
    def base_url(self) -> str:
        """What OpenAI's clients call base URL."""
        return f"{self.address}{paths.PREFIX}"

    def routes(self) -> list[BaseRoute]:
        """To be mounted by the application's server."""
        return paths.routes(self, self._answers, self._vectors)

    def switch(self, on: bool) -> None:
        """Answer requests, or no longer; those being answered end, too."""
        super().switch(on)
        if not on:
            self._answers.stop()

    def close(self, limit: float) -> None:
        """End what is being answered, and wait for it, `limit` seconds at most."""
        self._vectors.close()
        self._answers.close(limit)
