"""Limits on what is uploaded, and a folder of uploads that is empty again when nothing is under way.

Gradio itself limits the size of each file, and what it is called; it keeps what was whole for an hour.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from localspec import texts
from localspec.access.guard import Application, Receive, Scope, Send, plain
from localspec.access.route_allowlist import UPLOAD, content_length

LARGEST_REQUEST = 2 * 2**30
"""Bytes of the files that are uploaded at once."""
LARGEST_TOTAL = 4 * 2**30
"""Bytes of all that wait in the folder."""
LEAST_FREE = 512 * 2**20
"""Bytes of the disk that uploads leave to everything else."""


class Uploads:
    """ASGI middleware, behind the sign-in page."""

    def __init__(self, app: Application, folder: Path) -> None:
        self.app = app
        self._folder = folder
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"].rstrip("/") != UPLOAD:
            await self.app(scope, receive, send)
            return
        length = content_length(scope)
        if length is None:
            await plain(send, 411, texts.UPLOAD_LENGTH)
            return
        if length > LARGEST_REQUEST:
            await plain(send, 413, texts.UPLOAD_LARGE.format(limit=LARGEST_REQUEST // 2**30))
            return
        refusal = await run_in_threadpool(self._refusal, length)
        if refusal:
            await plain(send, 507, refusal)
            return
        self._running += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._running -= 1
            if not self._running:
                # Of an upload that was broken off, its files under temporary names would stay for ever.
                await run_in_threadpool(self._sweep)

    def _refusal(self, length: int) -> str:
        """Why there is no room for so many bytes more; "" where there is."""
        try:
            waiting = sum(file.stat().st_size for file in self._folder.rglob("*") if file.is_file())
            free = shutil.disk_usage(self._folder if self._folder.exists() else self._folder.parent).free
        except OSError:
            return ""  # a file went while it was looked at; the next one is looked at again
        if waiting + length > LARGEST_TOTAL:
            return texts.UPLOAD_WAITING
        return texts.UPLOAD_DISK.format(folder=self._folder) if free - length < LEAST_FREE else ""

    def _sweep(self) -> None:
        with suppress(OSError):
            for file in self._folder.iterdir():
                # What is whole lies in a folder of its own.
                if file.is_file() and not self._running:
                    file.unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Delete what was uploaded before: a killed application leaves it. What cannot be deleted stays."""
    with suppress(OSError):
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                with suppress(OSError):
                    entry.unlink()
