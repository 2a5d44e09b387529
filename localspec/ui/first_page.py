"""The page as it is served: its fields hold what the person chose, and it has its look before anything is painted."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import gradio as gr
from starlette.concurrency import run_in_threadpool

from localspec.access.guard import Application as Asgi
from localspec.access.guard import Message, Receive, Scope, Send
from localspec.application.preferences import Chosen
from localspec.ui.elements import literal
from localspec.ui.page import Page

_STYLE = "html.dark body{background:var(--bg-dark)}html:not(.dark) body{background:var(--bg)}"
"""Gradio's page begins with the background that the system asks for."""
_OPEN = {True: "open", False: "closed"}


class FirstPage:
    """ASGI middleware, behind the guard, which lets the script that stands in the page run."""

    def __init__(self, app: Asgi, page: Page, blocks: gr.Blocks, script: str) -> None:
        """`script` runs in the head of the page; what was chosen stands at the root of the document."""
        self.app = app
        self._page = page
        self._blocks = blocks
        self._script = script

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        await run_in_threadpool(self._fill)
        await self.app(scope, receive, _Looks(send, self._script, self._page.application.preferences.chosen))

    def _fill(self) -> None:
        """Let Gradio's description of the page, which is sent inside it, say what a tab holds that is opened now."""
        self._page.application.preferences.look()
        props = {
            component._id: props
            for name, props in self._page.opening(self._page.application.new_conversation()).items()
            for component in self._page.named([name])
        }
        described: Any = self._blocks.config
        for component in described["components"]:
            component["props"].update(props.get(component["id"], {}))


def with_look(page: bytes, script: str, chosen: Chosen) -> bytes:
    """An HTML page with what was chosen at its root, and the script at the beginning of its head."""
    said = {"theme": chosen.theme, "chats": _OPEN[chosen.chats], "panel": _OPEN[chosen.panel], "tab": chosen.tab}
    attributes = "".join(f' data-{name}="{literal(value)}"' for name, value in said.items())
    page = page.replace(b"<html", f"<html{attributes}".encode(), 1)
    return page.replace(b"<head>", f"<head><style>{_STYLE}</style><script>{script}</script>".encode(), 1)


class _Looks:
    """Holds an HTML page back until it is whole, and sends it with its look."""

    def __init__(self, send: Send, script: str, chosen: Chosen) -> None:
        self._send = send
        self._script = script
        self._chosen = chosen
        self._start: Message | None = None
        self._page = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            self._start = message
        elif self._start is not None and message["type"] == "http.response.body":
            self._page += message.get("body", b"")
            if not message.get("more_body", False):
                page = with_look(bytes(self._page), self._script, self._chosen) if self._page else b""
                headers = [(name, value) for name, value in self._start["headers"] if name.lower() != b"content-length"]
                # The description of the fields is of this moment.
                headers.append((b"cache-control", b"no-store"))
                await self._send({**self._start, "headers": headers})
                await self._send({"type": "http.response.body", "body": page})
        else:
            await self._send(message)


def _is_page(start: MutableMapping[str, Any]) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in start["headers"])
