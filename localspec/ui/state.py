"""What runs behind the page: the model, the open libraries, one conversation per browser tab."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from localspec import config
from localspec.chat.engine import Engine
from localspec.chat.history import History
from localspec.chat.libraries import open_library
from localspec.chat.presets import Presets
from localspec.endpoint.service import Service
from localspec.errors import LocalSpecError, ModelError, SettingsError
from localspec.models.catalogue import AUTOMATIC
from localspec.models.embedder import Embedder
from localspec.models.llama import LoadSettings
from localspec.stores.library import Library, list_libraries
from localspec.ui import texts
from localspec.ui.chat_list import ListState
from localspec.ui.chats import Chat
from localspec.ui.tuning import Tuner

_logger = logging.getLogger(__name__)

LIBRARY_PARTS = ("indexing", "meaning", "documents", "learnt")
"""The parts of the page that tell of the library. The box "learning" is apart: its person may just be ticking it."""
END_SECONDS = 20.0
"""A step takes far less; a batch of a long prompt on a slow computer takes some."""
_SENDING_SECONDS = 0.3
"""What a page is given goes out at its server's next look."""


@dataclass(slots=True)
class Conversation:
    """One tab: the chat it shows, and what else it shows beside."""

    library: str = config.DEFAULT_LIBRARY
    chat: Chat = field(default_factory=Chat)
    listed: ListState = field(default_factory=ListState)
    reading: str = ""
    """The library whose documents can be picked to be read whole"""
    editing: int | None = None
    """The question that is in the entry to be sent anew, counted from 0"""
    forgetting: str = ""
    """The library of which the person is asked whether its learnt answers may go; "" when there is no such question."""
    seen: dict[str, str] = field(default_factory=dict)
    """What the tab was last sent of each part of the page that is refreshed regularly."""

    def use_library(self, name: str) -> None:
        """Switch to a library. What is shown of the one before goes; the next tick shows this one."""
        self.library = name
        self.forgetting = ""
        # A new one: a tick under way still writes what it sent of the library before into the old one.
        self.seen = {}

    def show(self, chat: Chat) -> None:
        """Show another chat. A reply that this tab began in the one before is stopped, and its end is not shown."""
        if chat is self.chat:
            return
        reply = self.chat.reply
        if reply is not None and reply.conversation is self:
            reply.discard()
        self.chat = chat
        self.editing = None


@dataclass(frozen=True, slots=True)
class DraftState:
    """What there is to say about the draft model beside the loaded target."""

    target: str
    wanted: str = AUTOMATIC
    """What was asked for: a name, a file, "auto" or "none\""""
    name: str = ""
    """The draft in use; "" where there is none"""
    knows: int = 0
    """Tokens it can propose"""
    tokens: int = 0
    """Tokens the target has"""
    problem: str = ""
    """Why what was wanted is not in use; file-controlled text stands in it"""
    possible: bool = True
    """False for a target that can take no drafts back"""


class Models:
    """The one engine of the process: loaded in the background, never taken away while someone uses it."""

    def __init__(self, released: Callable[[], None]) -> None:
        """`released` is called before an engine is closed, when nobody uses it any more."""
        self._released = released
        self._condition = threading.Condition()
        self._engine: Engine | None = None
        self._used_with: tuple[str, LoadSettings | None, str] = ("", None, AUTOMATIC)
        self._users = 0
        self._closing = False
        self.loading = ""
        """Name of the model being loaded, or ""."""
        self.error: LocalSpecError | None = None
        """Why the last load failed."""

    def load(self, model: str = "", settings: LoadSettings | None = None, draft: str = AUTOMATIC) -> None:
        """Load in a background thread, with a draft model beside it. When that fails, the model used before comes back
        and `error` says why; a draft model that cannot be used is told by `draft`.

        Raises SettingsError while another load is under way.
        """
        with self._condition:
            if self.loading or self._closing:
                raise SettingsError(texts.ALREADY_LOADING, texts.ALREADY_LOADING_ADVICE)
            self.loading = model or texts.DEFAULT_MODEL
            self.error = None
        threading.Thread(target=self._load, args=[model, settings, draft], name="load", daemon=True).start()

    @contextmanager
    def use(self, cancelled: Callable[[], bool] = lambda: False) -> Iterator[Engine | None]:
        """The engine, kept open inside the block; waits while one is loading, and gives None once `cancelled` is true.

        Raises the error of the load when there is no model.
        """
        with self._condition:
            while self.loading and not cancelled():
                self._condition.wait(0.1)
            engine = None if self.loading or self._closing else self._engine
            if engine is None and not cancelled():
                raise self.error or ModelError(f"{texts.NO_MODEL}.")
            self._users += engine is not None
        try:
            yield engine
        finally:
            with self._condition:
                self._users -= engine is not None
                self._condition.notify_all()

    @property
    def is_ready(self) -> bool:
        """True when there is a model to ask."""
        return self._engine is not None and not self.loading

    @property
    def engine(self) -> Engine | None:
        """The loaded model, to be looked at; `use` keeps it open. None while one is loading."""
        with self._condition:
            return None if self.loading or self._closing else self._engine

    def reload(self) -> None:
        """Load what is loaded again, in the format that is chosen now; replies being written end first. Raises
        SettingsError while another load is under way."""
        self.load(*self._used_with)

    @property
    def description(self) -> str:
        """The loaded model in a line; empty when there is none."""
        with self._condition:
            engine = self._engine
            if engine is None or self.loading:
                return ""
            model = engine.model
            threads = f"{model.threads} thread{'s' if model.threads != 1 else ''}"
            tuned = f" · {texts.TUNED.format(format=engine.format_name)}" if engine.format_name else ""
            return f"{engine.name} · {model.description}{tuned} · context {model.context_size:,} · {threads}"

    @property
    def draft(self) -> DraftState | None:
        """The draft model beside the loaded target; None while there is no target."""
        with self._condition:
            engine = self._engine
            if engine is None or self.loading:
                return None
            draft = engine.draft
            return DraftState(
                engine.name,
                self._used_with[2],
                engine.draft_name if draft is not None else "",
                draft.vocabulary_size if draft is not None else 0,
                engine.model.vocabulary_size,
                engine.draft_problem if draft is None else "",
                engine.model.can_rewind,
            )

    def close(self) -> None:
        """Free the model when its users are done."""
        with self._condition:
            self._closing = True
            self._condition.wait_for(lambda: not self.loading, timeout=10)
        self._free()

    def _load(self, model: str, settings: LoadSettings | None, draft: str) -> None:
        previous = self._used_with if self._engine is not None else None
        try:
            self._free()
            self._open(model, settings, draft)
        except LocalSpecError as error:
            self.error = error
            if previous is not None:
                self._restore(previous)
        except Exception as error:
            _logger.exception("Loading failed")
            self.error = ModelError(texts.UNEXPECTED.format(kind=type(error).__name__, error=error))
            raise
        finally:
            with self._condition:
                self.loading = ""
                self._condition.notify_all()

    def _open(self, model: str, settings: LoadSettings | None, draft: str) -> None:
        engine = Engine(model, settings, draft)
        with self._condition:
            self._engine = engine
            self._used_with = (model, settings, draft)

    def _restore(self, previous: tuple[str, LoadSettings | None, str]) -> None:
        try:
            self._open(*previous)
        except LocalSpecError as error:
            self.error = error
            return
        if self.error is not None:
            self.error = ModelError(texts.MODEL_KEPT.format(error=self.error))

    def _free(self) -> None:
        """Close the engine, first: two models at once may not fit into memory."""
        with self._condition:
            engine, self._engine = self._engine, None
            self._condition.wait_for(lambda: self._users == 0)
        self._released()
        if engine is not None:
            engine.close()


class Application:
    """Everything behind the page."""

    def __init__(self) -> None:
        self.models = Models(self._close_libraries)
        self.tuner = Tuner(self.models, lambda: self.is_busy, lambda: self.is_untouched)
        self.endpoint = Service(self.models.use, self.library)
        self._embedder = Embedder()
        self._libraries: dict[str, Library] = {}
        self._lock = threading.RLock()
        self._questions: dict[str, int] = {}
        self._conversations: dict[str, Conversation] = {}
        self._chats: dict[int, Chat] = {}
        self._history: History | None = None
        self._presets: Presets | None = None

    @property
    def is_busy(self) -> bool:
        """True while there is other work for the processor than trying weight formats: replies, documents, loading."""
        engine = self.models.engine
        if engine is None or engine.busy:
            return True
        with self._lock:
            libraries = list(self._libraries.values())
        return any(not library.progress.done and library.progress.stage for library in libraries)

    @property
    def is_untouched(self) -> bool:
        """True while nothing was asked in any open tab, nor by another program."""
        if self.endpoint.was_asked:
            return False
        with self._lock:
            conversations = list(self._conversations.values())
        return all(one.chat.session is None and one.chat.reply is None for one in conversations)

    @property
    def history(self) -> History:
        """The chats that are kept, opened when first asked for."""
        with self._lock:
            if self._history is None:
                self._history = History(config.stores_folder())
            return self._history

    @property
    def presets(self) -> Presets:
        """Sampling settings under a name, read when first asked for."""
        with self._lock:
            if self._presets is None:
                self._presets = Presets(config.stores_folder())
            return self._presets

    def chat(self, identity: int) -> Chat:
        """The kept chat of this id; tabs that show it share it. Raises StoreError when it cannot be read."""
        with self._lock:
            # Those that no tab shows are read again when they are wanted.
            shown = [one.chat for one in self._conversations.values()]
            self._chats = {key: one for key, one in self._chats.items() if one in shown or not one.is_idle}
            chat = self._chats.get(identity)
        if chat is None:
            chat = Chat.restored(identity, self.history.store.load(identity))
        chat.settle()
        with self._lock:
            return self._chats.setdefault(identity, chat)

    def keep(self, chat: Chat) -> None:
        """Let tabs that open this chat from now on share it: it has an id now."""
        with self._lock:
            self._chats[chat.identity] = chat

    def forget(self, chat: Chat) -> None:
        """It is kept no longer: what is asked in it next begins a new one."""
        with self._lock:
            self._chats.pop(chat.identity, None)
        chat.identity = 0

    def delete_chat(self, identity: int) -> None:
        """Delete a chat for good; tabs that show it begin a new one. Raises StoreError."""
        with self._lock:
            chat = self._chats.pop(identity, None)
            showing = [one for one in self._conversations.values() if chat is not None and one.chat is chat]
        if chat is not None:
            if chat.reply is not None:
                chat.reply.discard()
            chat.settle()
        self.history.delete(identity)
        for conversation in showing:
            conversation.show(Chat())

    def conversation(self, key: str) -> Conversation:
        """The conversation of a tab."""
        with self._lock:
            return self._conversations.setdefault(key, Conversation())

    def leave(self, key: str) -> None:
        """The tab is gone: nobody waits for its reply any more; what is written of it is kept."""
        with self._lock:
            conversation = self._conversations.pop(key, None)
        if conversation is not None:
            conversation.show(Chat())

    def library_names(self) -> list[str]:
        """All libraries, the default one first."""
        others = [name for name in list_libraries(config.stores_folder()) if name != config.DEFAULT_LIBRARY]
        return [config.DEFAULT_LIBRARY, *others]

    def library(self, name: str, engine: Engine) -> Library:
        """The library called `name`, opened (or begun) for `engine`. Raises StoreError, SettingsError."""
        with self._lock:
            library = self._libraries.get(name)
            if library is None:
                library = open_library(engine, name, embedder=self._embedder)
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
    def question(self, library: str) -> Iterator[None]:
        """Inside, vectors are not made for `library`: a question comes as soon as its documents can be searched."""
        with self._lock:
            self._questions[library] = self._questions.get(library, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._questions[library] -= 1

    def end_replies(self, limit: float = END_SECONDS) -> None:
        """End the replies being written after the step at work, as Stop does, and wait until what they wrote is kept;
        about `limit` seconds at most."""
        with self._lock:
            replies = {one.chat.reply for one in self._conversations.values()}
        running = [reply for reply in replies if reply is not None and not reply.is_over]
        for reply in running:
            reply.stop()
        end = time.monotonic() + limit
        for reply in running:
            reply.wait(max(0.0, end - time.monotonic()))
            reply.wait_told()
        self.endpoint.close(max(0.0, end - time.monotonic()))
        if running:
            time.sleep(_SENDING_SECONDS)

    def close(self) -> None:
        """Stop replies and background work and close everything."""
        self.tuner.close()
        with self._lock:
            conversations = list(self._conversations.values())
            history = self._history
        for conversation in conversations:
            conversation.show(Chat())
        self.endpoint.close(END_SECONDS)
        self.models.close()  # waits for the replies
        if history is not None:
            history.close()

    def _question_next(self, name: str) -> bool:
        """True when a question waits and only vectors are left to make."""
        if not self._questions.get(name):
            return False
        library = self._libraries.get(name)
        return library is not None and not any(is_unsearchable(info.status) for info in library.documents())

    def _close_libraries(self) -> None:
        with self._lock:
            libraries, self._libraries = list(self._libraries.values()), {}
        for library in libraries:
            library.close()


def is_unsearchable(status: str) -> bool:
    """True until a document's passages and n-grams are there (or it failed)."""
    return status in ("queued", "parsed", "passages")
