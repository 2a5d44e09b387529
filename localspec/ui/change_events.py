"""Tells pages that something has changed, as server-sent events, and what came of it.

One connection serves all tabs of a browser (`changes.js`), which also notices by it when the server is gone. A page
that hears of a change checks what it is: of markup of our own it is sent what has changed, and it looks by a request of
Gradio's only where one of Gradio's fields is to change, for that costs the browser a tenth of a second of a core.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import asdict
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from localspec.application.changes import ALL, END, Changes
from localspec.application.conversation import Conversation
from localspec.application.state import Application
from localspec.ui.chat_updates import panel_of
from localspec.ui.growing_answer import growth
from localspec.ui.part import identity

PATH = "/localspec/changes"
CHECK = "/localspec/check"
STOP = "/localspec/stop"
LEAVE = "/localspec/leave"
_SESSION_CHARACTERS = 64
LEAST_SECONDS = 0.15
"""Between two events: what changes meanwhile is told by one."""
ALIVE_SECONDS = 20.0
"""A connection that is gone is noticed so often."""


Check = Callable[[Conversation, str, Collection[str], Collection[str]], dict[str, str] | None]
"""`Page.check`"""


def routes(application: Application, checked: Check) -> list[Route]:
    """Where pages listen, check, end an answer at once, and say that they are gone. The guard stands before all."""

    async def listen(_request: Request) -> Response:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events(application.changes), media_type="text/event-stream", headers=headers)

    async def stop(request: Request) -> Response:
        conversation = application.known_conversation(await _session(request))
        reply = conversation.chat.reply if conversation is not None else None
        if reply is not None:
            reply.stop()
        return Response(status_code=204)

    async def leave(request: Request) -> Response:
        application.leave(await _session(request))
        return Response(status_code=204)

    async def check(request: Request) -> Response:
        wanted = request.query_params
        session = wanted.get("session", "")[:_SESSION_CHARACTERS]
        conversation = application.known_conversation(session)
        if conversation is None:
            return JSONResponse({"drawn": None})
        # First: what it grows into may be drawn anew.
        grown = _grown(conversation, wanted)
        missed, again = ([one for one in wanted.get(key, "").split(",") if one] for key in ("missed", "again"))
        drawn = checked(conversation, session, missed, again) if "look" in wanted else {}
        return JSONResponse({**grown, "drawn": drawn})

    return [
        *(Route(PATH, listen, methods=["GET"]), Route(CHECK, check, methods=["GET"])),
        *(Route(STOP, stop, methods=["POST"]), Route(LEAVE, leave, methods=["POST"])),
    ]


async def _session(request: Request) -> str:
    """Gradio's name of the tab, as it says itself."""
    return (await request.body())[:_SESSION_CHARACTERS].decode("ascii", "replace")


def _grown(conversation: Conversation, wanted: QueryParams) -> dict[str, Any]:
    """What the page is to draw of the answer that it shows being written, and of its figures where they are shown."""
    token, chat = wanted.get("of", ""), conversation.chat
    exchange = next((one for one in reversed(chat.exchanges) if one.token == token), None)
    grown = growth(exchange, identity(wanted.get("known", "")), identity(wanted.get("from", ""))) if exchange else None
    if grown is None:
        return {}
    conversation.looked = time.monotonic()
    figures = {"panel": panel_of(chat)} if "panel" in wanted else {}
    return {"of": token, **asdict(grown), **figures}


async def events(changes: Changes) -> AsyncIterator[str]:
    """The events of one connection: an empty one first, then the kind of each change, the largest of those that came
    together."""
    loop = asyncio.get_running_loop()
    rung = asyncio.Event()
    kinds: set[str] = set()

    def ring(kind: str) -> None:
        kinds.add(kind)
        rung.set()

    def heard(kind: str) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(ring, kind)

    end = changes.listen(heard)
    try:
        yield "event: hello\ndata:\n\n"
        while True:
            try:
                await asyncio.wait_for(rung.wait(), ALIVE_SECONDS)
            except asyncio.TimeoutError:
                yield ": alive\n\n"
                continue
            if END in kinds:
                return
            kind = ALL if ALL in kinds else kinds.pop()
            kinds.clear()
            rung.clear()
            yield f"data: {kind}\n\n"
            await asyncio.sleep(LEAST_SECONDS)
    finally:
        end()
