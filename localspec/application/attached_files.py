"""Files that were dropped by the entry: they join the library at once, and are named there until the question is sent.

Each is said to be waiting, being read, ready, or not readable, with the reason.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from localspec import texts
from localspec.application.open_libraries import is_unsearchable
from localspec.errors import DiskFullError, DocumentError, LocalSpecError
from localspec.stores.documents.parse import check_kind
from localspec.stores.library import DocumentInfo, IngestionProgress, Library

_keys = itertools.count(1)
_taking = threading.RLock()
"""Files are copied by one thread at a time, so that none is added twice"""
_PARTS_READ = {"queued": 0.0, "parsed": 0.4, "passages": 0.8}


@dataclass(slots=True, eq=False)
class Attachment:
    """One file that was dropped."""

    name: str
    path: Path  # of the upload
    library: str  # name of the one it joins
    bytes: int = 0
    document: int = 0  # its id there; 0 before it joined
    was_there: bool = False  # The library held it before.
    problem: str = ""  # why it is no document of the library
    key: int = field(default_factory=lambda: next(_keys))

    @property
    def is_pending(self) -> bool:
        """Whether it has still to join the library."""
        return not self.document and not self.problem


@dataclass(frozen=True, slots=True)
class AttachmentState:
    """How far a file is."""

    name: str  # "waiting", "reading", "ready" or "failed"
    said: str


def attached(files: Sequence[tuple[Path, str]], library: str) -> list[Attachment]:
    """Files that were dropped, each with the name it has for the person; they join `library` by `take_in`."""
    return [Attachment(name, path, library, _size(path)) for path, name in files]


def take_in(library: Library, attachments: Sequence[Attachment]) -> None:
    """Add those to the library that have still to join it. What is wrong with a file is noted with it."""
    with _taking:
        before = {info.id for info in library.documents()}
        for one in attachments:
            if not one.is_pending or one.library != library.name:
                continue
            try:
                check_kind(one.path, one.name)
                info = library.add(one.path, name=one.name)
                one.document, one.was_there = info.id, info.id in before
            except DocumentError as error:
                one.problem = f"{error.reason} {error.advice}".strip()
            except DiskFullError as error:
                one.problem = str(error)


def take_off(library: Library | None, one: Attachment) -> None:
    """What the × of a file does to the library: its document goes, unless it was there before."""
    if library is not None and one.document and not one.was_there:
        library.removed.put([one.document])


def states(
    attachments: Sequence[Attachment], library: Library | None, waits: str = texts.ATTACHED_NO_MODEL
) -> list[AttachmentState]:
    """How far each of these files is; `waits` is said of those that cannot join their library yet."""
    wanted = {one.document for one in attachments}
    infos: dict[int, DocumentInfo] = {}
    progress = IngestionProgress()
    if library is not None and wanted - {0}:
        infos = {info.id: info for info in library.documents() if info.id in wanted}
        progress = library.progress
    return [_state(one, infos.get(one.document), progress, waits) for one in attachments]


def _state(one: Attachment, info: DocumentInfo | None, progress: IngestionProgress, waits: str) -> AttachmentState:
    if one.problem:
        return AttachmentState("failed", texts.ATTACHED_FAILED.format(why=one.problem))
    if one.is_pending or info is None:
        return AttachmentState("waiting", waits if one.is_pending else texts.ATTACHED_GONE)
    if info.status == "failed":
        reason = info.reason.removeprefix(f"{info.name.rsplit('/', 1)[-1]}: ")
        return AttachmentState("failed", texts.ATTACHED_FAILED.format(why=reason))
    if not is_unsearchable(info.status):
        return AttachmentState("ready", texts.ATTACHED_READY)
    if progress.paused:
        return AttachmentState("waiting", texts.ATTACHED_PAUSED)
    if progress.problem:
        return AttachmentState("waiting", progress.problem)
    return AttachmentState("reading", texts.ATTACHED_READING.format(percent=f"{_PARTS_READ[info.status]:.0%}"))


def unsearchable(library: Library, documents: Collection[int]) -> list[DocumentInfo]:
    """Those of these documents, or of all where none is named, that cannot be searched yet."""
    return [
        info for info in library.documents() if is_unsearchable(info.status) and (not documents or info.id in documents)
    ]


def usable(attachments: Sequence[Attachment], library: Library | None, name: str) -> tuple[Attachment, ...]:
    """Those that a question over the library `name` is sent with: not the unreadable ones."""
    own = [one for one in attachments if one.library == name]
    try:
        found = states(own, library)
    except LocalSpecError:  # told when the question is answered
        found = [AttachmentState("waiting", "")] * len(own)
    return tuple(one for one, state in zip(own, found, strict=True) if state.name != "failed")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
