"""Work with the engine in a thread of its own: how it begins, is stopped, and ends, without a model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from localspec.chat.answer_worker import AnswerWorker, UnexpectedError
from localspec.chat.engine import Engine
from localspec.chat.turn import Turn, Update
from localspec.errors import LocalSpecError, NoModelError

ENGINE = cast(Engine, object())


class Worker(AnswerWorker):
    """Follows an answer of updates without end, unless it is given something else to do."""

    def __init__(self, loaded: threading.Event, task: Callable[[], None] | None = None) -> None:
        self.told: list[object] = []
        self.closed = False
        self.first = threading.Event()
        self._task = task

        @contextmanager
        def use(cancelled: Callable[[], bool]) -> Iterator[Engine | None]:
            while not loaded.wait(0.01) and not cancelled():
                pass
            yield ENGINE if loaded.is_set() else None

        super().__init__(use, "test")

    def endless(self) -> Generator[Update, None, None]:
        try:
            while True:
                yield Update("writing", Turn("Q", "Q"))
        finally:
            self.closed = True

    def work(self, engine: Engine) -> None:
        assert engine is ENGINE
        if self._task is not None:
            self._task()
            return
        with self.follow(self.endless()) as updates:
            for _ in updates:
                self.first.set()
        self.told.append("worked")

    def stopped(self) -> None:
        self.told.append("stopped")

    def failed(self, error: LocalSpecError) -> None:
        self.told.append(error)

    def over(self) -> None:
        self.told.append("over")


@pytest.fixture
def loaded() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def test_it_is_stopped_while_it_waits_for_the_engine() -> None:
    worker = Worker(threading.Event())
    assert not worker.wait(0), "it has not begun"
    worker.start()
    assert not worker.wait(0.05)
    worker.stop()
    assert worker.wait(10)
    assert worker.told == ["stopped", "over"]


def test_it_is_stopped_after_the_update_at_work(loaded: threading.Event) -> None:
    worker = Worker(loaded)
    worker.start()
    assert worker.first.wait(10)
    stopping = [worker.is_stopping]
    worker.stop()
    assert worker.wait(10)
    assert [*stopping, worker.is_stopping] == [False, True]
    assert worker.closed
    assert worker.told == ["worked", "over"]


def test_its_errors_are_told(loaded: threading.Event, caplog: pytest.LogCaptureFixture) -> None:
    def fail(error: Exception) -> None:
        raise error

    known = NoModelError("There is no model.", "Load one.")
    worker = Worker(loaded, lambda: fail(known))
    worker.start()
    assert worker.wait(10)
    assert worker.told == [known, "over"]
    assert not caplog.records
    worker = Worker(loaded, lambda: fail(KeyError("x")))
    worker.start()
    assert worker.wait(10)
    error, over = worker.told
    assert over == "over"
    assert isinstance(error, UnexpectedError)
    assert error.kind == "KeyError"
    assert str(error).startswith("Something went wrong in LocalSpec (KeyError: 'x'). Try again")
    assert "A test failed" in caplog.text
