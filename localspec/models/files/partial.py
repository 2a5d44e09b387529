"""A file that is not complete yet: its bytes, which version of the file they are of, and the lock on both."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from localspec.errors import DownloadError
from localspec.locks import try_lock

_CHUNK = 2**20


class Partial:
    """What is there of `target`, in a file beside it that no list of models shows."""

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
                f"{self.target.name} is being downloaded already.", "Wait for that download, or stop it first."
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
        self._note.write_text(json.dumps({"version": version}), encoding="utf-8")

    def open(self) -> BinaryIO:
        """The bytes, to add more at their end."""
        return self.path.open("ab")

    def starts_with(self, magic: bytes) -> bool:
        """True when the first bytes are `magic`."""
        with self.path.open("rb") as file:
            return file.read(len(magic)) == magic

    def sha256(self, tick: Callable[[], None]) -> str:
        """Checksum of the bytes as they are on disk; `tick` is called every now and then and may raise."""
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                tick()
                digest.update(chunk)
        return digest.hexdigest()

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
