"""Ctrl-C while the model computes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from localspec.cli.interrupts import stop_at_interrupt
from localspec.errors import StoppedError
from localspec.models.files.catalogue import resolve
from localspec.models.llama import LlamaModel, LoadSettings


@pytest.fixture(autouse=True)
def usual_handler() -> Iterator[None]:
    """Python's own, also where the tests were started in the background of a shell, which has Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_sets_a_signal_and_the_second_interrupts() -> None:
    wakes = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakes)
    with stop_at_interrupt() as stop:
        assert not stop.wait(0)
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.set_wakeup_fd(-1) == wakes
    signal.set_wakeup_fd(wakes)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_other_threads_and_handlers_are_left_alone() -> None:
    found = []

    def work() -> None:
        with stop_at_interrupt() as stop:
            found.append(stop.is_set)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_at_interrupt() as stop:
            signal.raise_signal(signal.SIGINT)
            found.append(stop.is_set)
    finally:
        signal.signal(signal.SIGINT, before)
    assert found == [False, False]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there a process cannot send itself Ctrl-C alone")
def test_it_ends_a_batch() -> None:
    tokens = np.random.default_rng(1).integers(300, 40_000, 1000).astype(np.int32)
    with closing(LlamaModel(resolve("").path, LoadSettings(context=1024, gpu_layers=0))) as model:
        with stop_at_interrupt() as stop:
            model.stopping.heed(stop)
            timer = threading.Timer(0.02, lambda: os.kill(os.getpid(), signal.SIGINT))
            timer.start()
            with pytest.raises(StoppedError):
                while True:
                    model.begin(tokens)
                    model.forget()
            timer.join()
        model.stopping.heed(None)
        model.begin(tokens[:100])
        assert model.cached == 99
