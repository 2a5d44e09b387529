"""What of Gradio's server is there: the page and what the page asks for, and nothing else.

Gradio has routes that run handlers without the page, fetch addresses of other computers, record screens and more, and
those of its queue, by which no handler goes (`ui.part.QUICK`). None of them is of use here, so none of them answers.
"""

from __future__ import annotations

import re
from pathlib import Path

from localspec.access.guard import Application, Receive, Scope, Send, plain

LARGEST_REQUEST = 16 * 2**20
"""Bytes of a request that is no upload: a question, settings."""
UPLOAD = "/gradio_api/upload"
_FILE = "/gradio_api/file="
_API = re.compile(r"/gradio_api/(run/predict|upload|upload_progress|app_id|info|startup-events|file=.+)/?")
_GONE = re.compile(r"/(gradio_api|monitoring|dev|custom_component|login|logout)\b.*")
_SAFE_KINDS = (b"image/png", b"image/jpeg", b"image/gif", b"image/webp")
_FILE_POLICY = b"default-src 'none'; sandbox; frame-ancestors 'none'"


class RouteAllowlist:
    """ASGI middleware, behind the sign-in page."""

    def __init__(self, app: Application, uploads: Path) -> None:
        """`uploads` is the only folder whose files are served."""
        self.app = app
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; there are no websockets here."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = str(scope["path"])
        if (_GONE.fullmatch(path) and not _API.fullmatch(path)) or not self._may_be_served(path):
            await plain(send, 404, "Not found.")
        elif path.rstrip("/") != UPLOAD and not _is_small(scope):
            await plain(send, 413, f"A request may have {LARGEST_REQUEST // 2**20} MiB at most.")
        elif path.startswith(_FILE):
            await self.app(scope, receive, _only_to_keep(send))
        else:
            await self.app(scope, receive, send)

    def _may_be_served(self, path: str) -> bool:
        """False for a file outside the folder of uploads, or an address, which Gradio would fetch."""
        if not path.startswith(_FILE):
            return True
        try:
            file = Path(path.removeprefix(_FILE))
            return file.is_absolute() and file.resolve(strict=True).is_relative_to(self._uploads.resolve())
        except (OSError, ValueError, RuntimeError):  # RuntimeError: links in a circle, before Python 3.13
            return False


def content_length(scope: Scope) -> int | None:
    """Bytes that the request says it has; None where it doesn't say."""
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return None


def _is_small(scope: Scope) -> bool:
    length = content_length(scope)
    if length is None:
        # Browsers always say it for what they send.
        return all(name.lower() != b"transfer-encoding" for name, _ in scope["headers"])
    return length <= LARGEST_REQUEST


def _only_to_keep(send: Send) -> Send:
    """A person's file is no page and no script of ours, whatever stands in it."""

    async def sent(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            headers = [(name.lower(), value) for name, value in message["headers"]]  # type: ignore[attr-defined]
            kind = dict(headers).get(b"content-type", b"").partition(b";")[0].strip()
            if kind not in _SAFE_KINDS:
                headers = [pair for pair in headers if pair[0] != b"content-type"]
                headers.append((b"content-type", b"application/octet-stream"))
            message = {**message, "headers": [*headers, (b"content-security-policy", _FILE_POLICY)]}
        await send(message)

    return sent  # type: ignore[return-value]
