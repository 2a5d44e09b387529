"""A background thread that works when there is something to do, and ends between two steps of its work."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

_YIELD_SECONDS = 0.05


class BackgroundWorker(ABC):
    """One daemon thread that takes turns: when it is woken, and when its last turn asked for another. Any thread may
    call any method."""

    def __init__(self, name: str) -> None:
        self.working = threading.Lock()
        """Held by whoever does the work, the thread or a caller in its place: one at a time"""
        self.stopping = threading.Event()
        """Set while whoever works is to end after the step at hand"""
        self.news = 0
        """How often the worker was woken"""
        self._name = name
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wanted = False
        self._busy = False

    def start(self, should_yield: Callable[[], bool]) -> None:
        """Start the thread, which takes a turn at once; one that is there takes another."""
        with self._condition:
            self._wanted = True
            self._condition.notify_all()
            if self._thread is not None and self._thread.is_alive():
                return
            self.stopping.clear()
            self._thread = threading.Thread(target=self._work, args=[should_yield], name=self._name, daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """There is something to do."""
        with self._condition:
            self._wanted = True
            self.news += 1
            self._condition.notify_all()

    def stop(self) -> None:
        """End the thread, and the work of a caller in its place, after the step at hand."""
        self.stopping.set()
        with self._condition:
            thread, self._thread = self._thread, None
            self._condition.notify_all()
        if thread is not None:
            thread.join()
        with self.working:
            self.stopping.clear()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the thread has nothing to do; False after `timeout` seconds."""

        def idle() -> bool:
            return self._thread is None or not self._thread.is_alive() or not (self._wanted or self._busy)

        with self._condition:
            return self._condition.wait_for(idle, timeout)

    def may_go_on(self, should_yield: Callable[[], bool]) -> bool:
        """Wait while `should_yield` is true; False when the work is to end."""
        while should_yield() and not self.stopping.wait(_YIELD_SECONDS):
            pass
        return not self.stopping.is_set()

    def pause_briefly(self) -> None:
        """Let whoever needs the processor now have it for a moment."""
        self.stopping.wait(_YIELD_SECONDS)

    @abstractmethod
    def _turn(self, should_yield: Callable[[], bool]) -> float | None:
        """What there is to do, with what `start` was given. Returns the seconds after which it is due again without
        being woken, or None; must not raise."""

    def _work(self, should_yield: Callable[[], bool]) -> None:
        due: float | None = None
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._wanted or self.stopping.is_set(), due)
                if self.stopping.is_set():
                    return
                self._wanted, self._busy = False, True
            try:
                due = self._turn(should_yield)
            finally:
                with self._condition:
                    self._busy = False
                    self._condition.notify_all()
