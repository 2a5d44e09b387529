"""The libraries that are open in this process: opened for a model when first asked for, renamed and deleted safely."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from localspec import config, texts
from localspec.chat.engine import Engine
from localspec.chat.library_setup import open_library
from localspec.errors import LibraryInUseError
from localspec.models import embedder_catalogue
from localspec.models.embedder import Embedder
from localspec.stores.library import Library, list_libraries
from localspec.stores.naming import delete_library, library_title, rename_library, sweep_deleted


class OpenLibraries:
    """Any thread may call any method. Methods raise StoreError, SettingsError."""

    def __init__(self) -> None:
        self.embedder = Embedder.chosen()
        """of all of them, and of other programs"""
        self._libraries: dict[str, Library] = {}
        self._lock = threading.RLock()
        self._questions: dict[str, int] = {}
        self._moving: set[str] = set()

    @staticmethod
    def names() -> list[str]:
        """All libraries, the default one first."""
        others = [name for name in list_libraries(config.stores_folder()) if name != config.DEFAULT_LIBRARY]
        return [config.DEFAULT_LIBRARY, *others]

    @property
    def has_embedder(self) -> bool:
        """True while the embedder's memory is taken."""
        return self.embedder.is_loaded

    @property
    def are_indexing(self) -> bool:
        """True while documents of any are worked on."""
        with self._lock:
            libraries = list(self._libraries.values())
        return any(not library.progress.done and library.progress.stage for library in libraries)

    def get(self, name: str, engine: Engine) -> Library:
        """The library called `name`, opened (or begun) for `engine`."""
        with self._lock:
            if name in self._moving:
                raise LibraryInUseError(
                    texts.LIBRARY_MOVING.format(name=library_title(name)), texts.LIBRARY_MOVING_ADVICE
                )
            library = self._libraries.get(name)
            if library is None:
                library = open_library(engine, name, embedder=self.embedder)
                try:
                    if library.rebuild_needed():
                        library.rebuild()
                    library.start(should_yield=lambda: engine.busy or self._question_next(name))
                except BaseException:
                    library.close()
                    raise
                self._libraries[name] = library
            return library

    def opened(self, name: str) -> Library | None:
        """The library called `name` if it is open."""
        with self._lock:
            return self._libraries.get(name)

    @contextmanager
    def question(self, name: str) -> Iterator[None]:
        """Inside, no vectors are made for the library, so that a question comes soon; nor is it renamed or deleted."""
        with self._lock:
            self._questions[name] = self._questions.get(name, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._questions[name] -= 1

    def rename(self, name: str, wanted: str, is_busy: Callable[[], bool]) -> str:
        """Give a library another name, also in the middle of indexing: that goes on when it is opened anew. The name it
        has now. Raises LibraryInUseError while an answer is written (`is_busy`)."""
        with self._taken(name, is_busy):
            return rename_library(config.stores_folder(), name, wanted)

    def delete(self, name: str, is_busy: Callable[[], bool]) -> None:
        """Delete a library. Raises LibraryInUseError while an answer is written (`is_busy`)."""
        with self._taken(name, is_busy):
            delete_library(config.stores_folder(), name)

    def use_embedder(self, name: str, is_busy: Callable[[], bool]) -> None:
        """Embed with the model called `name` from now on: libraries are made ready for it when they are opened next.
        Raises LibraryInUseError while an answer is written (`is_busy`), SettingsError."""
        with self._lock:
            if self._moving or any(self._questions.values()) or is_busy():
                raise LibraryInUseError(texts.EMBEDDER_BUSY, texts.LIBRARY_BUSY_ADVICE)
            embedder_catalogue.choose(name)
            chosen = Embedder.chosen()
            if chosen.entry.name == self.embedder.entry.name:
                return
            libraries, self._libraries = list(self._libraries.values()), {}
            for library in libraries:
                library.close()
            self.embedder = chosen

    def close(self) -> None:
        """Close all, after the steps at work."""
        with self._lock:
            libraries, self._libraries = list(self._libraries.values()), {}
        for library in libraries:
            library.close()
        sweep_deleted(config.stores_folder())

    @contextmanager
    def _taken(self, name: str, is_busy: Callable[[], bool]) -> Iterator[None]:
        """Inside, the library is closed and nobody can open it."""
        with self._lock:
            if name in self._moving or self._questions.get(name) or is_busy():
                raise LibraryInUseError(texts.LIBRARY_BUSY.format(name=library_title(name)), texts.LIBRARY_BUSY_ADVICE)
            self._moving.add(name)
            library = self._libraries.pop(name, None)
        try:
            if library is not None:
                library.close()
            yield
        finally:
            with self._lock:
                self._moving.discard(name)

    def _question_next(self, name: str) -> bool:
        """True when a question waits and only vectors are left to make."""
        if not self._questions.get(name):
            return False
        library = self._libraries.get(name)
        return library is not None and not any(is_unsearchable(info.status) for info in library.documents())


def is_unsearchable(status: str) -> bool:
    """True until a document's passages and n-grams are there (or it failed)."""
    return status in ("queued", "parsed", "passages")
