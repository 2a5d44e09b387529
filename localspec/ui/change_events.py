"""Tells pages that something has changed, as server-sent events: what it is they ask for themselves.

One connection serves all tabs of a browser (`changes.js`), which also notices by it when the server is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from localspec.application.changes import ALL, END, Changes
from localspec.application.state import Application

PATH = "/localspec/changes"
LEAVE = "/localspec/leave"
_SESSION_CHARACTERS = 64
LEAST_SECONDS = 0.15
"""Between two events: what changes meanwhile is told by one."""
ALIVE_SECONDS = 20.0
"""A connection that is gone is noticed so often."""


def routes(application: Application) -> list[Route]:
    """Where pages listen, and where they say that they are gone. The guard stands before both."""

    async def listen(_request: Request) -> Response:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events(application.changes), media_type="text/event-stream", headers=headers)

    async def leave(request: Request) -> Response:
        session = (await request.body())[:_SESSION_CHARACTERS].decode("ascii", "replace")
        application.leave(session)
        return Response(status_code=204)

    return [Route(PATH, listen, methods=["GET"]), Route(LEAVE, leave, methods=["POST"])]


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
