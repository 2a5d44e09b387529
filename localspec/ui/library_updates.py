"""What a tab is sent about its library, and how a change to a library becomes visible."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from localspec.application.conversation import Conversation
from localspec.application.list_states import DocumentListState
from localspec.application.state import Application
from localspec.chat.engine import Engine
from localspec.chat.methods import METHODS
from localspec.errors import EmbedderError, LocalSpecError
from localspec.models.embedder_catalogue import multilingual
from localspec.models.llama import MAX_ROWS
from localspec.stores.library import Library
from localspec.ui import elements, library_markup
from localspec.ui.library_markup import DocumentParts, Usage
from localspec.ui.part import Tick, Updates, only, warned

LIBRARY_PARTS = ("indexing", "meaning", "documents", "learnt", "active", "shelf", "folders")
"""The parts of the page that tell of the library. The box "learning" is apart: its person may just be ticking it."""
USAGE_SECONDS = 15.0
"""What a library takes is measured so often, and not while an answer is written."""

_LISTS = 8
"""Lists of one library that are kept while nothing changes: tabs may look for different documents."""


@dataclass(slots=True)
class _Shown:
    """What was last drawn of a library's documents; true while `changes` is."""

    library: Library
    changes: int = -1
    count: int = 0
    documents: dict[tuple[str, int], str] = field(default_factory=dict)
    """The lists that tabs show, by what they look for and how many"""
    usage: Usage | None = None
    measured: float = 0.0


class LibraryUpdates:
    """Draws libraries for the parts of the page that are about them, and changes them."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._lock = threading.Lock()
        self._shown: dict[str, _Shown] = {}

    def change(self, name: str, change: Callable[[Library], object]) -> None:
        """Change the library `name`. Raises LocalSpecError."""
        with self.application.models.use() as engine:
            if engine is not None:
                change(self.application.libraries.get(name, engine))

    def changed(self, conversation: Conversation, method: str, change: Callable[[Library], None]) -> Updates:
        """Change the tab's library and show it, as `LIBRARY_PARTS`; a problem is said."""
        with warned():
            self.change(conversation.library, change)
        return self.all(conversation, method)

    def all(self, conversation: Conversation, method: str) -> Updates:
        """Everything about the tab's library, as `LIBRARY_PARTS`."""
        parts = self.parts(conversation, method)
        # A tick under way may send older ones after these: the next one sends them all again.
        for part in LIBRARY_PARTS:
            conversation.seen.pop(part, None)
        return only(LIBRARY_PARTS, dict(parts))

    def tell(self, tick: Tick) -> None:
        """All of `LIBRARY_PARTS`, and "learning"."""
        for name, part in self.parts(tick.conversation, tick.method).items():
            tick.tell(name, part, part == box(True) if name == "learning" else None)

    def parts(self, conversation: Conversation, method: str) -> dict[str, str]:
        """What there is to see of the tab's library, as `LIBRARY_PARTS` names it, and "learning"."""
        models, name = self.application.models, conversation.library
        names = self.application.libraries.names()
        first = {"active": library_markup.active(name, names, None)}
        if models.loading or not models.is_ready:
            return first
        try:
            # Nor does a tick wait for a load that began just now: it has to tell of it.
            with models.use(lambda: bool(models.loading)) as engine:
                if engine is None:
                    return first
                return self._parts(conversation, method, engine, names)
        except LocalSpecError as error:
            empty = dict.fromkeys(("meaning", "documents", "learnt", "folders"), "")
            managed = library_markup.manage(name, conversation.asking, 0, 0, None)
            return {**first, **empty, "shelf": managed, "indexing": elements.note(str(error), "problem")}

    def _parts(self, conversation: Conversation, method: str, engine: Engine, names: list[str]) -> dict[str, str]:
        name = conversation.library
        library = self.application.libraries.get(name, engine)
        replies, tokens = library.replies.count()
        shown = self._look(library, engine)
        listed = conversation.documents
        progress = library.progress
        asking = conversation.forgetting == name
        return {
            "indexing": library_markup.indexing(name, progress),
            "meaning": _meaning(library, engine) if METHODS[method].uses_states else "",
            "documents": self._documents(shown, listed),
            "learnt": library_markup.learnt(name, replies, tokens, learns=library.replies.learns, asking=asking),
            "active": library_markup.active(name, names, shown.count),
            "shelf": library_markup.manage(name, conversation.asking, shown.count, replies, shown.usage),
            "folders": library_markup.folders(name, library.watching.folders(), paused=progress.paused),
            "learning": box(library.replies.learns),
        }

    def _look(self, library: Library, engine: Engine) -> _Shown:
        """How many documents there are, and what the library takes."""
        with self._lock:
            shown = self._shown.get(library.name)
            if shown is None or shown.library is not library:
                shown = self._shown[library.name] = _Shown(library)
        changes = library.changes
        if shown.changes != changes:
            shown.documents = {}
            shown.count, shown.changes = len(library.documents()), changes
        now = time.monotonic()
        if shown.usage is None or (now - shown.measured > USAGE_SECONDS and not engine.busy):
            shown.usage, shown.measured = Usage(library.disk_bytes(), library.memory_bytes()), now
        return shown

    def _documents(self, shown: _Shown, listed: DocumentListState) -> str:
        """The documents that a tab lists, drawn anew only where something has changed."""
        library, lists = shown.library, shown.documents
        key = listed.query, listed.limit
        if key not in lists:
            infos = library.documents()
            found = library_markup.matching(infos, listed.query)[: listed.limit]
            try:
                embedded = library.embedded([info.id for info in found if info.status == "ngrams"])
            except EmbedderError:  # the progress says so
                embedded = {}
            states = library.states.positions() if library.states is not None else None
            drawn = library_markup.documents(library.name, infos, DocumentParts(embedded, states), listed)
            drawn += library_markup.foreign(
                library.passages.foreign_documents(), library.passages.embedder_languages, multilingual()
            )
            if len(lists) >= _LISTS:
                lists.clear()
            lists[key] = drawn
            return drawn
        return lists[key]


def box(ticked: bool) -> str:
    """A box as a tick tells it."""
    return "on" if ticked else "off"


def _meaning(library: Library, engine: Engine) -> str:
    """What there is to say about drafts by meaning where they are chosen."""
    missing = library.state_reading.missing()
    reading = library.state_reading.wanted and not library.progress.problem and not library.paused
    # As many rows at once as were measured; reading takes more, which is no slower.
    seconds = missing * float(engine.decode_seconds[MAX_ROWS]) / MAX_ROWS
    states = library.states.count() if library.states is not None else None
    return library_markup.meaning(library.name, states, missing, reading=reading, seconds=seconds)
