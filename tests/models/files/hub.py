"""A model hub on 127.0.0.1, as Hugging Face answers: an address that redirects to a second server with the bytes."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from localspec.models.files.catalogue import CatalogueEntry

CONTENT = b"GGUF" + bytes(range(256)) * 1200
"""About 300 kB: several packets, so that a transfer can break inside."""


class Hub:
    """What the servers do, changed by the tests, and what was asked of them."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.version = hashlib.sha256(CONTENT).hexdigest()
        self.linked = True
        """Send the hub's own headers with the redirect, X-Linked-Size and X-Linked-Etag"""
        self.etag: str | None = '"cdn-1"'
        self.ranges = True
        self.statuses: list[int] = []
        """Of the next answers; afterwards all is well"""
        self.cuts: list[int] = []
        """Of the next answers with content: bytes after which the connection ends"""
        self.content_type = "application/octet-stream"
        self.states_length = True
        self.hold_after: int | None = None
        """Bytes after which an answer waits for `go_on`"""
        self.go_on = threading.Event()
        self.asked: list[dict[str, str]] = []
        """Headers of each request to the hub"""
        self.fetched: list[dict[str, str]] = []
        """Headers of each request to the second server"""
        self.address = ""
        self.second = ""

    @property
    def ranges_asked(self) -> list[str | None]:
        """The Range header of each request for bytes."""
        return [headers.get("range") for headers in self.fetched]


def entry_of(hub: Hub, **changes: Any) -> CatalogueEntry:
    """What the catalogue would say about the hub's file."""
    values: dict[str, Any] = {
        "name": "tiny", "title": "Tiny", "repository": "owner/Tiny-GGUF", "file": "tiny.gguf",
        "bytes": len(hub.content), "licence": "MIT", "kv_bytes_per_token": 1, "vocabulary": 1, "context": 1,
        "sha256": hashlib.sha256(hub.content).hexdigest(),
    }  # fmt: skip
    return CatalogueEntry(**values | changes)


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Both servers, until the end of the block."""
    hub = Hub()
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub, first)) for first in (True, False)]
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
    hub.address, hub.second = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        for server in servers:
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()


def _handler(hub: Hub, first: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

        def end_headers(self) -> None:
            self.send_header("Connection", "close")
            super().end_headers()

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            (hub.asked if first else hub.fetched).append(headers | {"path": self.path})
            if first:
                self.redirect()
            else:
                self.send_content(headers.get("range", ""))

        def redirect(self) -> None:
            status = hub.statuses.pop(0) if hub.statuses else 302
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{hub.second}/blob?signed=1")
                if hub.linked:
                    self.send_header("X-Linked-Size", str(len(hub.content)))
                    self.send_header("X-Linked-Etag", f'"{hub.version}"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def send_content(self, wanted: str) -> None:
            total = len(hub.content)
            found = re.fullmatch(r"bytes=(\d+)-", wanted) if hub.ranges else None
            start = int(found[1]) if found else 0
            if found and start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = hub.content[start:]
            self.send_response(206 if found else 200)
            if found:
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            if hub.states_length:
                self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", hub.content_type)
            if hub.etag:
                self.send_header("ETag", hub.etag)
            self.end_headers()
            self.send_body(body[: hub.cuts.pop(0)] if hub.cuts else body)

        def send_body(self, body: bytes) -> None:
            try:
                if hub.hold_after is not None:
                    self.wfile.write(body[: hub.hold_after])
                    self.wfile.flush()
                    hub.go_on.wait(60)
                    body = body[hub.hold_after :]
                self.wfile.write(body)
            except OSError:
                pass  # the other side has gone, as the test wants it

    return Handler
