"""The endpoint as the application serves it, behind the page's guard, on the loopback address."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from openai import OpenAI
from starlette.applications import Starlette
from starlette.middleware import Middleware

from localspec.access.guard import Guard
from localspec.chat.engine import Engine
from localspec.chat.library_setup import ingest, open_library
from localspec.endpoint import paths
from localspec.endpoint.access import Access
from localspec.endpoint.answers import Answers
from localspec.endpoint.text_vectors import Vectors
from localspec.models.embedder import Embedder
from localspec.models.llama import LoadSettings
from localspec.stores.library import Library
from tests.builders import make_pdf
from tests.chat.conftest import HARBOUR
from tests.measurements import measurements

CONTEXT = 1024
WAIT_SECONDS = 6.0


class Server:
    """The endpoint, switched on, with what a test needs to look behind it."""

    def __init__(self, engine: Engine, library: Library) -> None:
        self.engine = engine
        self.library = library
        self.opened: list[str] = []
        self.loaded = True
        self.access = Access()
        self.access.switch(True)
        self.answers = Answers(self._use, self._open)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        application = Starlette(
            routes=paths.routes(self.access, self.answers, Vectors(Embedder()), WAIT_SECONDS),
            middleware=[Middleware(Guard)],
        )
        self._server = uvicorn.Server(
            uvicorn.Config(application, host="127.0.0.1", port=self.port, log_level="warning")
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.01)

    @contextmanager
    def _use(self, cancelled: Callable[[], bool]) -> Iterator[Engine | None]:
        while not self.loaded and not cancelled():
            time.sleep(0.01)
        yield self.engine if self.loaded else None

    def _open(self, name: str, engine: Engine) -> Library:
        assert engine is self.engine
        self.opened.append(name)
        return self.library

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def client(self, token: str = "") -> OpenAI:
        return OpenAI(base_url=self.base_url, api_key=token or self.access.token, max_retries=0, timeout=60)

    def send(
        self, method: str, path: str, body: bytes | Mapping[str, Any] = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any, http.client.HTTPResponse]:
        """Status, what the body says (parsed where it is JSON) and the response."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        own = {"Authorization": f"Bearer {self.access.token}", "Content-Type": "application/json", **(headers or {})}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, data, own)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        is_json = (response.getheader("Content-Type") or "").startswith("application/json")
        return response.status, json.loads(text) if is_json else text, response

    def ask(self, **fields: Any) -> tuple[int, Any]:
        """Status and JSON of a chat request with these fields beside the usual ones."""
        status, said, _ = self.send("POST", "/v1/chat/completions", {**asking("Say hello."), **fields})
        return status, said

    def idle(self, limit: float = 10.0) -> bool:
        """True once nothing is written or waits any more, within `limit` seconds."""
        end = time.monotonic() + limit
        while (self.engine.busy or self.answers._running) and time.monotonic() < end:
            time.sleep(0.01)
        return not self.engine.busy and not self.answers._running

    def close(self) -> None:
        self.answers.close(30)
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()


def asking(question: str, tokens: int = 24) -> dict[str, Any]:
    """A short request, to which the likeliest answer is wanted."""
    messages = [{"role": "user", "content": question}]
    return {"model": "localspec", "messages": messages, "max_tokens": tokens, "temperature": 0}


def forget(engine: Engine) -> None:
    """Empty the KV cache, so that answers to be compared take the same way."""
    with engine.turn() as model:
        model.forget()


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Takes the place of the checkout for all tests of this folder."""
    folder = tmp_path_factory.mktemp("endpoint")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALSPEC_HOME", str(measurements.lend(folder)))
        yield folder


@pytest.fixture(scope="package")
def engine(home: Path) -> Iterator[Engine]:
    """The shipped model, in one thread."""
    loaded = Engine("", LoadSettings(context=CONTEXT, threads=1))
    yield loaded
    loaded.close()


@pytest.fixture(scope="package")
def server(home: Path, engine: Engine) -> Iterator[Server]:
    """One endpoint for all tests of this folder, with the library "harbour"."""
    library = open_library(engine, "harbour")
    assert ingest(library, [make_pdf(home / "harbour.pdf", HARBOUR)], lambda text: None) == []
    served = Server(engine, library)
    yield served
    served.close()
    library.close()


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    """OpenAI's own client, with the token."""
    with server.client() as made:
        yield made
