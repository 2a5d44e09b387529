"""Lets only this computer's own page talk to the server, and tells the browser to load nothing from anywhere else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

from localspec.access.bind_address import BindAddress

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_LOCAL = BindAddress()
_REFUSED = "This address belongs to another page. Open LocalSpec at the address it printed when it started."
_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc\s*=)[^>]*>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)


def content_policy(script_hashes: list[str]) -> str:
    """The Content-Security-Policy of a page whose own inline scripts have these hashes.

    Inline styles are allowed because Gradio sets them everywhere; inline scripts only by hash, so that markup that
    slipped through would still not run.
    """
    scripts = " ".join(["'self'", *script_hashes])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "font-src 'self' data:; media-src 'self' data: blob:; connect-src 'self'; worker-src 'self' blob:; "
        "manifest-src 'self'; object-src 'none'; base-uri 'self'; form-action 'none'; frame-src 'none'; "
        "frame-ancestors 'none'"
    )


def script_hashes(page: bytes) -> list[str]:
    """CSP sources of the inline scripts in an HTML page."""
    return list(dict.fromkeys(script_hash(found.group(1)) for found in _INLINE_SCRIPT.finditer(page)))


def script_hash(script: bytes) -> str:
    """CSP source of an inline script."""
    # Browsers hash the text after making all line ends \n.
    digest = hashlib.sha256(script.replace(b"\r\n", b"\n")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


class Guard:
    """ASGI middleware. A foreign Host is what DNS rebinding looks like, a foreign Origin another site's page: both get
    403 before anything is read, so that no upload lands on disk."""

    def __init__(self, app: Application, scripts: Sequence[str] = (), bind: BindAddress = _LOCAL) -> None:
        """`scripts` are texts of inline scripts that the page adds after it was loaded."""
        self.app = app
        self._hashes = [script_hash(script.encode()) for script in scripts]
        self._bind = bind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or websocket."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif not _is_own(scope, self._bind):
            await _refuse(scope, send)
        elif scope["type"] == "websocket":
            await self.app(scope, receive, send)
        else:
            await self.app(scope, receive, _Headers(send, self._hashes))


def _is_own(scope: Scope, bind: BindAddress) -> bool:
    server = scope.get("server")
    if server is None:
        return False
    own = bind.hosts(server)
    headers = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    hosts = [value.lower() for name, value in headers if name == b"host"]
    origins = [value for name, value in headers if name == b"origin"]
    own_origins = {f"http://{name}" for name in own}
    return (
        len(hosts) == 1
        and hosts[0] in own
        and all(origin in own_origins for origin in origins)
        and _is_asked_by_own_page(scope, dict(headers))
    )


def _is_asked_by_own_page(scope: Scope, headers: Mapping[bytes, str]) -> bool:
    """False for what another site's page asks for, a picture or a form for example; its link to ours is fine. Browsers
    say so in headers that no page can set; "same-site" is another port of this computer."""
    if headers.get(b"sec-fetch-site", "none") in ("none", "same-origin"):
        return True
    is_link = headers.get(b"sec-fetch-mode") == "navigate" and headers.get(b"sec-fetch-dest") == "document"
    return is_link and scope.get("method") in ("GET", "HEAD")


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})  # RFC 6455: policy violation
        return
    await plain(send, 403, _REFUSED)


async def plain(send: Send, status: int, said: str) -> None:
    """Answer with a line of text."""
    body = f"{said}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Headers:
    """Adds the headers; HTML pages are held back until they are whole, because their scripts' hashes go in front."""

    def __init__(self, send: Send, hashes: list[str]) -> None:
        self._send = send
        self._hashes = hashes
        self._start: Message | None = None
        self._page = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = dict(message["headers"]).get(b"content-type", b"")
            if kind.startswith(b"text/html"):
                self._start = message
            else:
                await self._send(_with_headers(message, self._hashes))
        elif self._start is not None and message["type"] == "http.response.body":
            self._page += message.get("body", b"")
            if not message.get("more_body", False):
                page = bytes(self._page)
                await self._send(_with_headers(self._start, [*script_hashes(page), *self._hashes]))
                await self._send({"type": "http.response.body", "body": page})
        else:
            await self._send(message)


def _with_headers(start: Message, hashes: list[str]) -> Message:
    given = {name.lower() for name, _ in start["headers"]}
    ours = {
        b"x-content-type-options": b"nosniff",
        b"referrer-policy": b"same-origin",
        b"x-frame-options": b"DENY",
        b"cross-origin-opener-policy": b"same-origin",
        b"cross-origin-resource-policy": b"same-origin",
        b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
    # What has a policy of its own has a stricter one.
    if b"content-security-policy" not in given:
        ours[b"content-security-policy"] = content_policy(hashes).encode()
    kept = [(name, value) for name, value in start["headers"] if name.lower() not in ours]
    return {**start, "headers": [*kept, *ours.items()]}
