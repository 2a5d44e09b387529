"""The paths below /v1. The guard of the page stands before them, too: no other site's page gets here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import Receive, Scope, Send

from localspec.endpoint import responses
from localspec.endpoint.access import Access
from localspec.endpoint.answers import Answer, Answers, Begun, Ended, Event, Wanted
from localspec.endpoint.chat_request import parse_chat
from localspec.endpoint.completion_request import parse_completion
from localspec.endpoint.embedding_request import parse_embedding
from localspec.endpoint.refusals import ANY_MODEL, RETRY_SECONDS, RequestError
from localspec.endpoint.reply_forms import ChatForm, ReplyForm, TextForm
from localspec.endpoint.reply_pieces import ReplyPiece
from localspec.endpoint.request_fields import LARGEST_BODY
from localspec.endpoint.responses import Head, Whole
from localspec.endpoint.text_vectors import Vectors

_logger = logging.getLogger(__name__)

PREFIX = "/v1"
WAIT_SECONDS = 120.0
"""A request that has not had its turn by then is refused: whoever sent it can do something else."""

MOST_EMBEDDING = 64
"""Requests for vectors, which are answered one after the other; more are refused"""


def routes(access: Access, answers: Answers, vectors: Vectors, wait_seconds: float = WAIT_SECONDS) -> list[BaseRoute]:
    """What the endpoint answers, for an application to mount."""
    return [Mount(PREFIX, app=_Endpoint(access, answers, vectors, wait_seconds))]


class _Endpoint:
    """ASGI application: whatever happens, the answer has OpenAI's shape."""

    def __init__(self, access: Access, answers: Answers, vectors: Vectors, wait_seconds: float) -> None:
        self._access = access
        self._answers = answers
        self._vectors = vectors
        self._wait_seconds = wait_seconds
        self._embedding = 0  # requests for vectors that are answered or wait
        # They wait here, not in threads: the page has but a few dozen of these for everything.
        self._turn = asyncio.Semaphore(1)
        self._router = Router(
            [
                Route("/chat/completions", self._chat, methods=["POST"]),
                Route("/completions", self._completion, methods=["POST"]),
                Route("/embeddings", self._embeddings, methods=["POST"]),
                Route("/models", self._models, methods=["GET"]),
                Route("/models/{name:path}", self._model, methods=["GET"]),
            ],
            redirect_slashes=False,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; there are no websockets here."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            self._access.check([value for name, value in scope["headers"] if name == b"authorization"])
            await self._router(scope, receive, send)
            return
        except RequestError as error:
            refusal = _refusal(error)
        except HTTPException as error:  # the router's, for paths and methods that it does not know
            said = RequestError(error.status_code, f"{scope['method']} {scope['path'][:64]}: {error.detail}.")
            refusal = _refusal(said, error.headers)
        except ClientDisconnect:
            return
        except Exception as error:  # the client must hear of it
            _logger.exception("A request failed")
            refusal = _refusal(RequestError(500, f"Something went wrong in LocalSpec ({type(error).__name__})."))
        await refusal(scope, receive, send)

    async def _chat(self, request: Request) -> Response:
        # Reading 4 MiB of JSON takes a while, in which the page must not stand still.
        wanted = await run_in_threadpool(parse_chat, await _body(request))
        return self._reply(wanted, ChatForm(wanted))

    async def _completion(self, request: Request) -> Response:
        wanted = await run_in_threadpool(parse_completion, await _body(request))
        return self._reply(wanted, TextForm(wanted))

    def _reply(self, wanted: Wanted, form: ReplyForm) -> Response:
        loop, events = asyncio.get_running_loop(), asyncio.Queue[Event]()

        def tell(happened: Event) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(events.put_nowait, happened)

        answer = self._answers.begin(wanted, tell)
        return _Reply(answer, events, form, self._wait_seconds, stream=wanted.stream)

    async def _embeddings(self, request: Request) -> Response:
        wanted = await run_in_threadpool(parse_embedding, await _body(request))
        if self._embedding >= MOST_EMBEDDING:
            said = f"{MOST_EMBEDDING} embedding requests are already waiting."
            raise RequestError(429, said, code="too_many_requests", retry_after=RETRY_SECONDS)
        leaving = asyncio.ensure_future(_gone(request.receive))
        self._embedding += 1
        try:
            async with self._turn:
                return await run_in_threadpool(
                    lambda: _json(self._vectors.answer(wanted, lambda: self._access.is_on and not leaving.done()))
                )
        finally:
            self._embedding -= 1
            leaving.cancel()

    async def _models(self, _request: Request) -> Response:
        cards = [responses.model_card(name) for name in await run_in_threadpool(self._names)]
        return _json({"object": "list", "data": cards})

    async def _model(self, request: Request) -> Response:
        name, (loaded, *others) = request.path_params["name"], await run_in_threadpool(self._names)
        if name not in (loaded, *others, ANY_MODEL):
            raise RequestError(404, f"The loaded model is {loaded!r}.", param="model", code="model_not_found")
        return _json(responses.model_card(loaded if name == ANY_MODEL else name))

    def _names(self) -> list[str]:
        """The model that answers, and the one that makes vectors, where that is there."""
        names = [self._answers.model()]
        with contextlib.suppress(RequestError):
            names.append(self._vectors.model)
        return names


class _Reply(Response):
    """An answer, whole or as a stream. A client that goes away ends it."""

    def __init__(
        self, answer: Answer, events: asyncio.Queue[Event], form: ReplyForm, wait_seconds: float, *, stream: bool
    ) -> None:
        super().__init__()
        self._answer = answer
        self._events = events
        self._form = form
        self._wait_seconds = wait_seconds
        self._streams = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write it, until it is whole or nobody listens."""
        writing = asyncio.ensure_future(self._write(scope, receive, send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait([writing, leaving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._answer.stop()
            for task in (writing, leaving):
                task.cancel()
        failed, _ = await asyncio.gather(writing, leaving, return_exceptions=True)
        if isinstance(failed, Exception):
            raise failed

    async def _write(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            first = await asyncio.wait_for(self._events.get(), self._wait_seconds)
        except asyncio.TimeoutError:
            first = RequestError(
                503, "Other answers are being written; this one has waited too long.", code="busy",
                retry_after=RETRY_SECONDS,
            )  # fmt: skip
        if isinstance(first, RequestError):
            await _refusal(first)(scope, receive, send)
            return
        assert isinstance(first, Begun)
        name = f"{self._form.id_prefix}-{secrets.token_hex(12)}"
        head = Head(name, int(time.time()), first.model, f"fp_{first.fingerprint[:12]}")
        if self._streams:
            await self._stream(head, first.before, send)
        else:
            await (await self._whole(head, first.before))(scope, receive, send)

    async def _whole(self, head: Head, before: str) -> Response:
        whole = Whole()
        while True:
            happened = await self._events.get()
            if isinstance(happened, ReplyPiece):
                whole.add(happened)
            elif isinstance(happened, Ended):
                return _json(self._form.whole(head, before, whole, happened.finish, happened.usage))
            elif isinstance(happened, RequestError):
                return _refusal(happened)

    async def _stream(self, head: Head, before: str, send: Send) -> None:
        form = self._form

        async def say(chunks: Iterable[Mapping[str, Any] | str]) -> None:
            for data in chunks:
                await send({"type": "http.response.body", "body": responses.event(data), "more_body": True})

        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await say(form.first(head, before))
        while True:
            happened = await self._events.get()
            if isinstance(happened, ReplyPiece):
                await say(form.piece(head, happened))
            elif isinstance(happened, Ended):
                await say(form.last(head, happened.finish, happened.usage))
                await say(["[DONE]"])
                break
            elif isinstance(happened, RequestError):
                await say([happened.body])
                break
        await send({"type": "http.response.body", "body": b""})


async def _body(request: Request) -> bytes:
    """The body. Raises RequestError (413) when it is too large, before all of it was read."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise RequestError(413, f"A request may have {LARGEST_BODY // 2**20} MiB at most.", code="too_large")
    return bytes(body)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _json(data: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    fresh = {"Cache-Control": "no-store", **(headers or {})}
    return Response(json.dumps(data, allow_nan=False), status, fresh, "application/json")


def _refusal(error: RequestError, headers: Mapping[str, str] | None = None) -> Response:
    more = dict(headers or {})
    if error.status == 401:
        more["WWW-Authenticate"] = "Bearer"
    if error.retry_after:
        more["Retry-After"] = str(error.retry_after)
    return _json(error.body, error.status, more)
