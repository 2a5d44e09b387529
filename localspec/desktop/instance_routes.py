"""What the server answers beside the page: which instance it is, and that it will end. The guard stands before both."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localspec import texts
from localspec.desktop import instance

QUIT = "/localspec/quit"
_FRESH = {"Cache-Control": "no-store"}


def routes(identity: str, quit_application: Callable[[], None]) -> list[Route]:
    """`identity` as the instance's note gives it; `quit_application` is called when a page asks for the end."""

    async def tell(_request: Request) -> Response:
        return JSONResponse({"application": texts.TITLE, "instance": identity}, headers=_FRESH)

    async def end(_request: Request) -> Response:
        quit_application()
        return Response(status_code=202, headers=_FRESH)

    return [Route(instance.PATH, tell, methods=["GET"]), Route(QUIT, end, methods=["POST"])]
