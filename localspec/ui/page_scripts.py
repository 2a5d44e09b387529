"""Our scripts as the first thing in the page: Gradio adds what it is given for the head only when its own have
begun."""

from __future__ import annotations

from localspec.access.guard import Application, Receive, Scope, Send

_HEAD = b"<head>"


class PageScripts:
    """ASGI middleware: the page with a script at the beginning of its head. It stands behind the guard, which says in
    the page's policy that this script may run."""

    def __init__(self, app: Application, script: str) -> None:
        self.app = app
        self._script = f"<script>{script}</script>".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/":
            await self.app(scope, receive, send)
            return
        start: dict[str, object] = {}
        page = bytearray()

        async def hold(message: dict[str, object]) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            page.extend(message.get("body", b""))  # type: ignore[arg-type]
            if not message.get("more_body"):
                whole = bytes(page).replace(_HEAD, _HEAD + self._script, 1)
                headers = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]  # type: ignore[attr-defined]
                await send({**start, "headers": [*headers, (b"content-length", str(len(whole)).encode())]})
                await send({"type": "http.response.body", "body": whole})

        await self.app(scope, receive, hold)  # type: ignore[arg-type]
