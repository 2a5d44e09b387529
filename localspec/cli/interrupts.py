"""Ctrl-C while an answer is made: it ends at once, in the middle of what the model computes.

Python's own handler would wait until the model is done with a batch, and then raise in the middle of anything. Here the
system's part of the signal, which waits for nothing, wakes a thread that sets a `StopSignal`.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from localspec.models.llama import StopSignal


@contextmanager
def stop_at_interrupt() -> Iterator[StopSignal]:
    """A signal that Ctrl-C sets inside the block, in place of KeyboardInterrupt; a second Ctrl-C raises that, as ever.
    Outside the main thread, where Python lets nobody handle signals, nothing sets it."""
    stop = StopSignal()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield stop
        return
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)

    def watch() -> None:
        while received := ours.recv(1):
            if received[0] == signal.SIGINT:
                stop.set()

    def handle(number: int, frame: object) -> None:
        if handled:
            raise KeyboardInterrupt
        handled.append(number)
        stop.set()

    handled: list[int] = []
    watching = threading.Thread(target=watch, name="interrupts", daemon=True)
    watching.start()
    signal.signal(signal.SIGINT, handle)
    woken = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGINT, before)
        theirs.close()
        watching.join()
        ours.close()
