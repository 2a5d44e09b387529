"""That something has changed which pages show: told at once by whoever changes it, or noticed soon by a look."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

ALL, ANSWER, END = "all", "answer", "end"
"""Kinds of changes: anything, no more than the answer that is being written, or that there will be none any more"""
LOOK_SECONDS = 0.4
"""What nobody tells is looked at so often, and only while somebody listens: far less than a thousandth of a core."""

Heard = Callable[[str], None]
"""Is told the kind of a change, in the thread that made it; it must return at once."""


class Changes:
    """Who listens for changes, and who tells of them. Any thread may call any method."""

    def __init__(self, fingerprint: Callable[[], Hashable]) -> None:
        """`fingerprint` gives another value once something has changed of which nobody tells: documents that are
        indexed, downloads, a model that is loaded."""
        self._fingerprint = fingerprint
        self._lock = threading.Lock()
        self._listeners: list[Heard] = []
        self._looking = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def tell(self, kind: str = ALL) -> None:
        """Something has changed."""
        with self._lock:
            listeners = list(self._listeners)
        for heard in listeners:
            heard(kind)

    def listen(self, heard: Heard) -> Callable[[], None]:
        """Call `heard` at every change from now on. What it gives ends that."""
        with self._lock:
            self._listeners.append(heard)
            self._looking.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="changes", daemon=True)
                self._thread.start()

        def end() -> None:
            with self._lock:
                if heard in self._listeners:
                    self._listeners.remove(heard)
                if not self._listeners:
                    self._looking.clear()

        return end

    def close(self) -> None:
        """Nothing changes any more: who listens is told so."""
        self._closed.set()
        self._looking.set()
        self.tell(END)

    def _look(self) -> None:
        before = self._fingerprint()
        while not self._closed.wait(LOOK_SECONDS):
            if not self._looking.is_set():
                self._looking.wait()
            now = self._fingerprint()
            if now != before:
                before = now
                self.tell()
