"""The folder of copies of a library's files, named by their content."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import uuid
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import BinaryIO

from localspec.errors import DocumentError
from localspec.stores.database import disk_error, mapped_errors
from localspec.stores.documents.parse import ParseLimits

_logger = logging.getLogger(__name__)


class FileStore:
    """The folder of copies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with mapped_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, path: Path, sha256: str, *, durable: bool = True) -> Path:
        """Copy a file whose content has this hash; a `durable` copy is on disk before it has its name, which takes
        milliseconds: one that can be made again needs it not. Raises DocumentError
        when the file cannot be read, is too large or has changed."""
        suffix = path.suffix.lower()
        copy = self.folder / (sha256 + (suffix if re.fullmatch(r"\.[a-z0-9]{1,12}", suffix) else ""))
        limit = ParseLimits().file_bytes
        temporary = self.folder / f"{uuid.uuid4().hex}.tmp"
        try:
            source = path.open("rb")
        except OSError as error:
            raise DocumentError(path, f"cannot be read ({error.strerror}).", "Check the file, or copy it.") from error
        try:
            with source, mapped_errors(temporary):
                if os.fstat(source.fileno()).st_size > limit:
                    raise DocumentError(
                        path,
                        f"is too large; the limit is {limit // 1024**2} MB.",
                        "Split it, or save a smaller copy without pictures.",
                    )
                with temporary.open("wb") as target:
                    copied = _copy_bytes(source, target, durable=durable)
                if copied != sha256:
                    raise DocumentError(
                        path,
                        "changed while it was read.",
                        "Wait until the other program has saved it and add it again.",
                    )
                temporary.replace(copy)
        finally:
            self.delete([temporary])
        return copy

    def of(self, sha256: str) -> list[Path]:
        """The copies with this content: another suffix makes another copy."""
        return list(self.folder.glob(f"{sha256}*"))

    def sweep(self, wanted: Collection[str]) -> None:
        """Delete what a kill left: all but the copies with the `wanted` names."""
        with mapped_errors(self.folder):
            self.delete([path for path in self.folder.iterdir() if path.name not in wanted])

    def delete(self, paths: Iterable[Path]) -> None:
        """Delete copies. One that cannot be deleted is logged."""
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:  # Windows keeps open files; the next opening of the library sweeps them
                _logger.warning("%s", disk_error(error, path))


def _copy_bytes(source: BinaryIO, target: BinaryIO, *, durable: bool) -> str:
    """Copy, and make durable where wanted; the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    while chunk := source.read(1 << 20):
        digest.update(chunk)
        target.write(chunk)
    target.flush()
    if durable:
        os.fsync(target.fileno())
    return digest.hexdigest()
