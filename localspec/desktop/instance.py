"""One application per folder: whoever holds the lock is it, and a second start finds it by the note beside the lock.

Imports nothing that takes long, so that a second start is over in a moment.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from localspec import texts
from localspec.access.bind_address import LOOPBACK_NAMES, is_here
from localspec.access.session_auth import cookie, drawn
from localspec.config import cache_folder, home
from localspec.errors import InstanceError
from localspec.locks import Lock, try_lock
from localspec.whole_file import write_whole

_logger = logging.getLogger(__name__)

PATH = "/localspec/instance"
"""Answers with the identity of the application that serves it."""
START_SECONDS = 90.0
"""How long a start that has not finished is waited for: importing alone takes a while on a slow disk."""
_ANSWER_SECONDS = 3.0
_POLL_SECONDS = 0.25
_TOKEN = re.compile("[A-Za-z0-9_-]{20,100}")


@dataclass(frozen=True, slots=True)
class Note:
    """Where the application of a folder is to be found."""

    pid: int
    address: str  # http://127.0.0.1:PORT, or another address of this computer
    identity: str
    """Drawn anew at each start: an answer that gives it proves that the note's writer is at the address."""
    token: str  # What lets this person's browsers in, until that one ends


class Instance:
    """This process as the one application of its folder, until `close`."""

    def __init__(self, folder: Path, lock: Lock) -> None:
        self.identity = secrets.token_hex(16)
        self.token = drawn()
        self._note = _note_file(folder)
        self._lock = lock

    def publish(self, address: str) -> None:
        """Let other starts know that it answers at `address`. Where that cannot be written they wait, and say so."""
        note = Note(os.getpid(), address, self.identity, self.token)
        # Beside the lock, not in it: on Windows nobody else can read a file that is locked.
        try:
            write_whole(self._note, json.dumps(asdict(note)))
        except OSError as error:
            _logger.warning("%s could not be written: %s", self._note, error)

    def withdraw(self) -> None:
        """It is about to end: a start from now on waits for that instead of opening a window at it."""
        with contextlib.suppress(OSError):
            self._note.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave the folder to the next start."""
        self.withdraw()
        self._lock.release()


def claim(
    given_up: Callable[[], bool] = lambda: False,
    waiting: Callable[[], None] = lambda: None,
    limit: float = START_SECONDS,
) -> Instance | Note | None:
    """Become the application of the folder that `LOCALSPEC_HOME` names, or find the one that runs already.

    One that is just starting or ending is waited for, `limit` seconds at most; `waiting` is called once then, and None
    is the answer as soon as `given_up` is true. Raises InstanceError when another process holds the folder but does
    not answer, and when the folder cannot be written.
    """
    try:
        folder = cache_folder()
        end = time.monotonic() + limit
        said = False
        while not given_up():
            lock = try_lock(folder / "instance.lock")
            note = _read(_note_file(folder))
            # Also with the lock in hand: somebody may have deleted the file that the running one has locked.
            if note is not None and answers(note):
                if lock is not None:
                    lock.release()
                return note
            if lock is not None:
                # A note that is there now was left by one that was killed.
                instance = Instance(folder, lock)
                instance.withdraw()
                return instance
            if time.monotonic() > end:
                process = texts.PROCESS.format(pid=note.pid) if note is not None else texts.PROCESS_UNKNOWN
                raise InstanceError(
                    texts.NOT_ANSWERING.format(folder=home(), process=process), texts.NOT_ANSWERING_ADVICE
                )
            if not said:
                said = True
                waiting()
            time.sleep(_POLL_SECONDS)
    except OSError as error:
        raise InstanceError(
            texts.FOLDER_NOT_WRITABLE.format(folder=home(), error=error.strerror or error),
            texts.FOLDER_NOT_WRITABLE_ADVICE,
        ) from error
    return None


def answers(note: Note) -> bool:
    """True when the application that wrote `note` is at its address, and nobody else."""
    parts = urlsplit(note.address)
    # Not through urllib: a proxy that the environment names must not hear of it.
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", PATH, headers={"Cookie": cookie(note.token, parts.port or 80)})
        answer = json.loads(connection.getresponse().read(4096))
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    return isinstance(answer, dict) and answer.get("instance") == note.identity


def _note_file(folder: Path) -> Path:
    return folder / "instance.json"


def _read(file: Path) -> Note | None:
    """The note; None where there is none, or what is there is none of ours."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        note = Note(int(known["pid"]), str(known["address"]), str(known["identity"]), str(known["token"]))
        parts = urlsplit(note.address)
        name = parts.hostname or ""
        is_ours = parts.scheme == "http" and parts.port is not None and (name in LOOPBACK_NAMES or is_here(name))
        is_ours = is_ours and bool(_TOKEN.fullmatch(note.token))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return note if is_ours and note.identity else None
