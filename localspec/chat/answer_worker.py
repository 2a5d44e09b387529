"""Work with the engine in a thread of its own: it waits for the model, can be stopped, and says how it ended.

The page's replies and measurements and the endpoint's answers are built on it.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, TypeVar

from localspec import texts
from localspec.chat.engine import Engine
from localspec.errors import LocalSpecError, StoppedError
from localspec.models.llama import StopSignal

_logger = logging.getLogger(__name__)
_Told = TypeVar("_Told")

UseEngine = Callable[[Callable[[], bool]], AbstractContextManager[Engine | None]]
"""The loaded engine, waited for and kept open; None once the function that is given is true"""


class UnexpectedError(LocalSpecError):
    """A fault of the program itself. `kind` is the name of the exception's class."""

    def __init__(self, error: Exception, advice: str) -> None:
        self.kind = type(error).__name__
        super().__init__(texts.UNEXPECTED.format(kind=self.kind, error=error), advice)


class AnswerWorker(ABC):
    """One thread. `work`, `stopped`, `failed` and `over` are called in it."""

    advice = texts.UNEXPECTED_ADVICE  # What a person can do after a fault of the program

    def __init__(self, use: UseEngine, name: str) -> None:
        """`use` gives the engine, `name` is the thread's."""
        self._use = use
        self.signal = StopSignal()
        """what the answers that it follows are to heed"""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End at once, in the middle of what is computed or waited for; what was written stays."""
        self.signal.set()

    @property
    def is_stopping(self) -> bool:
        """True when it is to end."""
        return self.signal.is_set

    def wait(self, seconds: float) -> bool:
        """Until all is over; False when that takes longer than `seconds`."""
        if self._thread.ident is None:  # about to begin
            return False
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @contextmanager
    def follow(self, answer: Generator[_Told, None, Any]) -> Iterator[Iterator[_Told]]:
        """What an answer tells until its end, or until this is to stop."""
        with closing(answer):
            yield self._until_stopped(answer)

    @abstractmethod
    def work(self, engine: Engine) -> None:
        """Do it. May raise anything."""

    @abstractmethod
    def stopped(self) -> None:
        """It was stopped before it had the engine."""

    @abstractmethod
    def failed(self, error: LocalSpecError) -> None:
        """It ended by this error, an `UnexpectedError` where it is a fault of the program."""

    def over(self) -> None:  # noqa: B027 - not everybody has something to do then
        """Nothing follows."""

    def _until_stopped(self, answer: Iterator[_Told]) -> Iterator[_Told]:
        try:
            for update in answer:
                yield update
                if self.is_stopping:
                    return
        except StoppedError:
            return

    def _run(self) -> None:
        try:
            with self._use(lambda: self.signal.is_set) as engine:
                if engine is not None:
                    self.work(engine)
                else:
                    self.stopped()
        except StoppedError:
            self.stopped()
        except LocalSpecError as error:
            self.failed(error)
        except Exception as error:  # whoever asked must hear of it, and the application go on
            _logger.exception("A %s failed", self._thread.name)
            self.failed(UnexpectedError(error, self.advice))
        finally:
            self.over()
