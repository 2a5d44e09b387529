"""Reads a person's documents: what kind a file really is, whether it can be read, and its text with places. Text,
Markdown and code are read here, every other format by the child process of `parse_child`."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from localspec.errors import DocumentError
from localspec.stores.documents import parse_child
from localspec.stores.documents.blocks import Block, from_row, joined
from localspec.stores.documents.file_kinds import (
    HEAD_BYTES,
    MAY_HOLD_PICTURES,
    SUPPORTED_SUFFIXES,
    is_named_so,
    true_kind,
)
from localspec.stores.documents.readers import encodings, plain
from localspec.stores.documents.readers.content import (
    EMPTY_TITLES,
    TITLE_CHARACTERS,
    Content,
    ParseLimits,
    UnreadableError,
)

__all__ = ["READER", "SUPPORTED_SUFFIXES", "Block", "ParseLimits", "ParsedDocument"]
__all__ += ["ReadingStopped", "check_kind", "content_hash", "parse"]

_logger = logging.getLogger(__name__)

READER = 1
"""Version of the readers and of the splitting: raised where documents that were read before would be read better now.
Libraries that are older than this number have 0."""
_QUICK_BYTES = {"markdown": 64 * 1024, "text": 512 * 1024}  # up to these, reading costs less than a child process
_PACKAGE_ROOT = Path(__file__).resolve().parents[3]
_LOOK_SECONDS = 0.25
_Flag: TypeAlias = Callable[[], bool]
_KILLED_BY_TIME, _KILLED_BY_MEMORY = {-getattr(signal, "SIGXCPU", 24)}, {-getattr(signal, "SIGKILL", 9)}


class ReadingStopped(Exception):  # noqa: N818 - not an error
    """The caller of `parse` wanted it to end."""


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """Text of one document. No text in it holds NUL characters or lone surrogates."""

    title: str  # from the document itself, else the file's name without suffix
    kind: str  # what the file truly is: 'pdf', 'docx', 'xlsx', 'csv', 'html', 'mail', 'markdown', 'text', 'code' …
    blocks: tuple[Block, ...]
    pages: int | None  # number of pages or slides; None where the format has none
    warnings: tuple[str, ...]  # what was left out or guessed, in plain words

    @property
    def text(self) -> str:
        """All blocks."""
        return joined(self.blocks)


def content_hash(path: Path | str) -> str:
    """SHA-256 of the file's bytes in hexadecimal, read in pieces. Raises DocumentError."""
    path = Path(path)
    _check_file(path, None)
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise _file_error(path, error) from error
    return digest.hexdigest()


def check_kind(path: Path, name: str) -> None:
    """Raise DocumentError for a file that is called `name` and is of a kind that cannot be read: so that one whose name
    is not a document's is refused before it is copied. What is named like a document is told of once it is read."""
    if Path(name).suffix.lower() in SUPPORTED_SUFFIXES:
        return
    _check_file(path, None)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            if true_kind(Path(name), head, file) in ("text", "code"):
                encodings.decode(head)
    except UnreadableError as error:
        raise DocumentError(name, error.reason, error.advice) from error
    except OSError as error:
        raise _file_error(path, error) from error


def parse(
    path: Path,
    limits: ParseLimits = ParseLimits(),  # noqa: B008 - frozen
    should_stop: _Flag = lambda: False,
    gives_way: _Flag = lambda: False,
) -> ParsedDocument:
    """Read a document by its true type, whatever its name says. Its time does not count while it
    `gives_way`. Raises DocumentError, which names the file, the reason and what to do next, and ReadingStopped soon
    after `should_stop` says so."""
    path = Path(path)
    _check_file(path, limits)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            kind = true_kind(path, head, file)
            size = os.fstat(file.fileno()).st_size
            if kind not in MAY_HOLD_PICTURES and size > limits.text_bytes:
                raise UnreadableError(
                    f"is too large: {_megabytes(size)} of text; the limit is {_megabytes(limits.text_bytes)}.",
                    "Split it into smaller files.",
                )
            if kind == "code" or (kind in _QUICK_BYTES and size <= _QUICK_BYTES[kind]):
                suffix = path.suffix.lower()
                content = plain.read_text(head + file.read(limits.text_bytes), kind, limits, suffix)
            else:
                content = _parse_in_child(kind, path, limits, should_stop, gives_way)
    except UnreadableError as error:
        raise DocumentError(path, error.reason, error.advice) from error
    except OSError as error:
        raise _file_error(path, error) from error
    blocks = tuple(block for block in content.blocks if block.text.strip())
    if not blocks:
        raise DocumentError(path, "holds no text.", "Check that this is the right file.")
    warnings = content.warnings
    suffix = path.suffix.lower()
    if content.kind not in ("text", "code", "markdown") and not is_named_so(suffix, content.kind):
        name = f"is named {suffix}" if suffix else "has no suffix"
        warnings = (f"The file {name} but is {content.kind.upper()}; it was read as that.", *warnings)
    return ParsedDocument(_title(content, path), content.kind, blocks, content.pages, warnings)


def _check_file(path: Path, limits: ParseLimits | None) -> None:
    """Raise DocumentError for what is no readable regular file; sizes only with `limits`."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        if path.is_symlink():
            raise DocumentError(
                path, "is a link to a file that is no longer there.", "Add the file itself, or repair the link."
            ) from error
        raise DocumentError(path, "does not exist.", "Check the name and the folder.") from error
    except (OSError, ValueError) as error:
        raise _file_error(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise DocumentError(path, "is a folder.", "Add the files inside it.")
    if not stat.S_ISREG(status.st_mode):
        raise DocumentError(path, "is a device, pipe or socket, not a file.", "Copy its contents to a file first.")
    if limits is None:
        return
    if status.st_size == 0:
        raise DocumentError(path, "is empty (0 bytes).", "Check that it was saved or downloaded completely.")
    if status.st_size > limits.file_bytes:
        raise DocumentError(
            path,
            f"is too large: {_megabytes(status.st_size)}; the limit is {_megabytes(limits.file_bytes)}.",
            "Split it, or save a smaller copy without pictures.",
        )


def _file_error(path: Path, error: OSError | ValueError) -> DocumentError:
    if isinstance(error, PermissionError):
        return DocumentError(
            path, "cannot be read: permission denied.", "Allow your user to read the file, or copy it."
        )
    if isinstance(error, FileNotFoundError):
        return DocumentError(path, "no longer exists.", "Check the name and the folder.")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return DocumentError(path, f"cannot be read ({reason}).", "Check the disk and the file's name, or copy the file.")


def _title(content: Content, path: Path) -> str:
    title = " ".join(content.title.split())
    title = title.removeprefix("Microsoft Word - ").removeprefix("Microsoft PowerPoint - ")
    if not title or title.lower() in EMPTY_TITLES:
        title = encodings.one_line(path.stem) or "document"
    return title[:TITLE_CHARACTERS]


def _parse_in_child(kind: str, path: Path, limits: ParseLimits, *interrupts: _Flag) -> Content:
    """Content as the child process reports it. Raises UnreadableError, also when the child crashed or met a limit."""
    arguments = [kind, str(path.absolute()), json.dumps(asdict(limits))]
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "localspec.stores.documents.parse_child", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=complaints,
            # `-m` looks for modules in the working folder first, which must not be one that holds documents.
            cwd=_PACKAGE_ROOT,
            creationflags=getattr(subprocess, "IDLE_PRIORITY_CLASS", 0),  # Windows' way; others have `os.nice`
            start_new_session=True,  # with the programs that it starts, to end them together
        )
        try:
            status = _wait(process, answer.fileno(), limits, *interrupts)
        finally:
            _end(process)
        complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - 2000))
        complaint = complaints.read().decode("utf-8", errors="replace")
        if status == 0 and 0 < answer.seek(0, os.SEEK_END) <= parse_child.output_limit(limits):
            answer.seek(0)
            return _content(json.loads(answer.read()))
    _logger.info("The parser of %s ended with status %d: %s", path.name, status, complaint)
    if status in _KILLED_BY_TIME:
        raise _too_slow(limits)
    if status == parse_child.OUT_OF_MEMORY or status in _KILLED_BY_MEMORY:
        raise UnreadableError(
            f"needs more than {_megabytes(limits.memory_bytes)} of memory to read.", "Split it into smaller documents."
        )
    if status < 0 or status > 128:  # PDFium also ends like this when memory runs out
        raise UnreadableError(
            f"made its reader crash: it is damaged, or needs more than {_megabytes(limits.memory_bytes)} of memory.",
            "Open it in its own program and save or print it again without very large parts.",
        )
    raise UnreadableError(
        "is damaged, or built in a way that cannot be read.",
        "Get the file again, or open it in its own program and save it again or as PDF.",
    )


def _wait(
    process: subprocess.Popen[bytes], answer: int, limits: ParseLimits, should_stop: _Flag, gives_way: _Flag
) -> int:
    """The exit status. Once the child says that it recognizes text, it may take longer; it ends that by itself."""
    begun = time.monotonic()
    while True:
        try:
            return process.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired as error:
            # The file's position is the child's as well, and must stay where it is.
            more = limits.ocr_seconds + limits.seconds if os.fstat(answer).st_size else 0.0
            if time.monotonic() - begun > limits.seconds + more:
                raise _too_slow(limits) from error
            if should_stop():
                raise ReadingStopped from error
            begun += _LOOK_SECONDS if gives_way() else 0.0


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the child, if it has not, and what it started."""
    if process.poll() is None:
        if sys.platform == "win32":
            process.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _too_slow(limits: ParseLimits) -> UnreadableError:
    return UnreadableError(
        f"took longer than {limits.seconds:,.0f} seconds to read.", "Split it into smaller documents."
    )


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:,.0f} MB"


def _content(answer: dict[str, object]) -> Content:
    if "reason" in answer:
        raise UnreadableError(str(answer["reason"]), str(answer["advice"]))
    blocks, pages, warnings = answer["blocks"], answer["pages"], answer["warnings"]
    assert isinstance(blocks, list)
    assert isinstance(warnings, list)
    assert pages is None or isinstance(pages, int)
    return Content(
        str(answer["title"]),
        str(answer["kind"]),
        [from_row(row) for row in blocks],
        pages,
        tuple(str(warning) for warning in warnings),
    )
