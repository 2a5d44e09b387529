"""What there is of a file that is being downloaded, whichever way it comes, until it is whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from localspec.errors import DiskSpaceError, DownloadError
from localspec.locks import try_lock

Progress = Callable[[int, int], None]
"""Called with (bytes that are there, bytes in all; 0 = unknown)."""

CHUNK = 2**20
"""Bytes that are read at once."""
KEPT = "Download it again to resume."
_SPARE_BYTES = 64 * 2**20
"""Space that stays free on the disk for everything else."""


class Partial:
    """What is there of `target`, in a file beside it that no list of models shows, with its version and a lock."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other download, in this process or another, from this file. Raises DownloadError."""
        lock = try_lock(self.target.with_name(f".{self.target.name}.lock"))
        if lock is None:
            raise DownloadError(
                f"{self.target.name} is already being downloaded.", "Wait for that download, or stop it first."
            )
        try:
            yield
        finally:
            lock.release()

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def version(self) -> str:
        """Version of the file on the server that the bytes are of; "" = unknown: they cannot be continued."""
        try:
            noted = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        version = noted.get("version") if isinstance(noted, dict) else ""
        return version if isinstance(version, str) else ""

    def begin(self, version: str) -> None:
        """Start afresh with bytes of `version`."""
        self.discard()
        self.relabel(version)

    def relabel(self, version: str) -> None:
        """What is there is of `version`."""
        self._note.write_text(json.dumps({"version": version}), encoding="utf-8")

    def open(self) -> BinaryIO:
        """The bytes, to add more at their end."""
        return self.path.open("ab")

    def open_at(self, start: int) -> BinaryIO:
        """The bytes, to write over those from `start` on, where there may be any."""
        file = self.path.open("r+b" if self.path.exists() else "w+b")
        file.seek(start)
        return file

    def cut(self, size: int) -> None:
        """Keep the first `size` bytes alone."""
        if self.size > size:
            os.truncate(self.path, size)

    def starts_with(self, magic: bytes) -> bool:
        """True when the first bytes are `magic`."""
        with self.path.open("rb") as file:
            return file.read(len(magic)) == magic

    def sha256(self, tick: Callable[[], None], start: int = 0, count: int | None = None) -> str:
        """Checksum of the bytes as they are on disk, or of `count` from `start` on; `tick` is called every now and then
        and may raise."""
        digest, left = hashlib.sha256(), self.size if count is None else count
        with self.path.open("rb") as file:
            file.seek(start)
            while chunk := file.read(min(CHUNK, left)):
                tick()
                digest.update(chunk)
                left -= len(chunk)
        return digest.hexdigest()

    def make_sure_of_space(self, missing: int) -> None:
        """Raises DiskSpaceError where the disk has no room for `missing` more bytes."""
        folder = self.path.parent
        free = shutil.disk_usage(folder).free
        if missing + _SPARE_BYTES > free:
            raise DiskSpaceError(
                f"{self.target.name} needs another {missing / 1e9:.2f} GB; {free / 1e9:.2f} GB are free in {folder}.",
                "Free some space, or move the folders with LOCALSPEC_HOME, and try again.",
            )

    def finish(self) -> None:
        """Give the file its own name, in one step, once its bytes are safe on disk."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        self.path.replace(self.target)
        self._note.unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete what is there."""
        for path in (self.path, self._note):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def silent(done: int, total: int) -> None:
    """Nobody wants to know the progress."""


def never() -> bool:
    """Nobody stops it."""
    return False


def unheard(said: str) -> None:
    """Nobody wants to know what goes on."""
