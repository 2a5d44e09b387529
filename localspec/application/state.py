"""What runs behind the page: the model, the open libraries, one conversation per browser tab."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Hashable

from localspec import config
from localspec.application.changes import LOOK_SECONDS, Changes
from localspec.application.chats import Chat
from localspec.application.conversation import Conversation
from localspec.application.downloads import Downloads
from localspec.application.model_manager import ModelManager
from localspec.application.open_chats import OpenChats
from localspec.application.open_libraries import OpenLibraries
from localspec.application.preferences import Preferences
from localspec.application.tuning import Tuner
from localspec.chat.history import History
from localspec.chat.sampling_presets import Presets
from localspec.chat.system_prompts import SystemPrompts
from localspec.endpoint.service import Service
from localspec.errors import StoreError

_logger = logging.getLogger(__name__)

END_SECONDS = 20.0
"""A step takes far less; a batch of a long prompt on a slow computer takes some."""
_SENDING_SECONDS = 0.3
"""What a page has asked for is on its way in this time."""
_LOOKING_SECONDS = 4.0
"""Pages on a busy computer look less often (`changes.js`)."""
_OPEN_SECONDS = 60.0
"""A page that is open has looked in this time while an answer was written."""
_RETURN_SECONDS = 15.0
_ACTING_SECONDS = 2.0


class Application:
    """Everything behind the page."""

    def __init__(self) -> None:
        self.libraries = OpenLibraries()
        self.models = ModelManager(self.libraries.close)
        self.tuner = Tuner(self.models, lambda: self.is_busy, lambda: self.is_untouched)
        self.endpoint = Service(self.models.use, self.libraries.get, self.libraries.embedder)
        self.downloads = Downloads()
        self.models.has_embedder = lambda: self.libraries.has_embedder
        self.changes = Changes(self._fingerprint)
        """who waits for changes, and who tells of them"""
        self._acted = 0.0
        self._lock = threading.RLock()
        self._conversations: dict[str, Conversation] = {}
        self.chats = OpenChats(lambda: self.history, self._tabs)
        self._history: History | None = None
        self._presets: Presets | None = None
        self._prompts: SystemPrompts | None = None
        self._preferences: Preferences | None = None

    @property
    def is_busy(self) -> bool:
        """True while there is other work for the processor than trying weight formats: replies, documents, loading."""
        engine = self.models.engine
        return engine is None or engine.busy or self.libraries.are_indexing

    @property
    def is_untouched(self) -> bool:
        """True while nothing was asked in any open tab, nor by another program."""
        if self.endpoint.was_asked:
            return False
        return all(chat.session is None and chat.reply is None for chat in self.chats.all())

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

    @property
    def prompts(self) -> SystemPrompts:
        """System prompts under a name, read when first asked for."""
        with self._lock:
            if self._prompts is None:
                self._prompts = SystemPrompts(config.stores_folder())
            return self._prompts

    @property
    def preferences(self) -> Preferences:
        """What the person has chosen on the page, read when first asked for."""
        with self._lock:
            if self._preferences is None:
                self._preferences = Preferences(config.stores_folder())
            return self._preferences

    def _tabs(self) -> list[Conversation]:
        with self._lock:
            return list(self._conversations.values())

    def conversation(self, key: str, *, looks: bool = False) -> Conversation:
        """The conversation of a tab. Unless it only `looks`, something is done for it, which other tabs may show."""
        if not looks:
            self._acted = time.monotonic()
        with self._lock:
            conversation = self._conversations.get(key)
        if conversation is not None:
            return conversation
        new = self.new_conversation()
        with self._lock:
            return self._conversations.setdefault(key, new)

    def known_conversation(self, key: str) -> Conversation | None:
        """The conversation of a tab, if it has one."""
        with self._lock:
            return self._conversations.get(key)

    def new_conversation(self) -> Conversation:
        """That of a tab which is opened now: over the library used last."""
        new, last = Conversation(keep_library=self._keep_library), self.preferences.chosen.library
        if last and last != new.library and last in self.libraries.names():
            new.library, new.switched = last, True
        return new

    def _keep_library(self, name: str) -> None:
        """The next tab, and the next start, go on with it."""
        try:
            self.preferences.update(library=name)
        except StoreError as error:  # the tab uses it all the same
            _logger.warning("%s", error)

    def leave(self, key: str) -> None:
        """The tab is gone. Its answer goes on being written; what it measures ends, unless another tab shows it soon,
        as one does that was loaded again."""
        with self._lock:
            conversation = self._conversations.pop(key, None)
        measurement = conversation.chat.measurement if conversation is not None else None
        if conversation is not None and measurement is not None and not measurement.is_over:
            timer = threading.Timer(_RETURN_SECONDS, self._end_unseen, [conversation.chat])
            timer.daemon = True
            timer.start()

    def _end_unseen(self, chat: Chat) -> None:
        """End what is measured in a chat that nobody looks at."""
        if chat.measurement is not None and all(one.chat is not chat for one in self._tabs()):
            chat.measurement.stop()

    def rename_library(self, name: str, wanted: str) -> str:
        """Rename a library; its chats and the tabs that show it follow. Raises StoreError, SettingsError."""
        new = self.libraries.rename(name, wanted, self._is_answering)
        if new != name:
            for chat in self.chats.all():
                if chat.library == name:
                    chat.library = new
            self._switch(name, new)
            if self.preferences.chosen.library == name:
                self._keep_library(new)
            if self.history.is_open:
                self.history.store.rename_library(name, new)
        return new

    def delete_library(self, name: str) -> None:
        """Delete a library for good; tabs that show it get another one. Raises StoreError, SettingsError."""
        self.libraries.delete(name, self._is_answering)
        self._switch(name, next((one for one in self.libraries.names() if one != name), config.DEFAULT_LIBRARY))

    def use_embedder(self, name: str) -> None:
        """Embed passages and questions with another model. Raises StoreError, SettingsError."""
        self.libraries.use_embedder(name, self._is_answering)
        self.endpoint.use_embedder(self.libraries.embedder)

    def _fingerprint(self) -> Hashable:
        """Another value once something has changed that pages show and nobody tells of."""
        libraries = [library for name in self.libraries.names() if (library := self.libraries.opened(name)) is not None]
        with self._lock:
            history = self._history
        models, endpoint = self.models, self.endpoint
        return (
            history.store.version if history is not None and history.is_open else 0,
            tuple(self.libraries.names()),
            tuple((library.name, library.changes, str(library.progress)) for library in libraries),
            (id(models.engine), models.loading, models.unloading, str(models.error), models.notice),
            tuple(self.downloads.states()),
            (endpoint.is_on, endpoint.token),
            self.tuner.at,
            # What a page has asked for may take a moment: they look again a few times.
            int(min(time.monotonic() - self._acted, _ACTING_SECONDS) / LOOK_SECONDS).bit_length(),
        )

    def _is_answering(self) -> bool:
        engine = self.models.engine
        return engine is not None and engine.busy

    def _switch(self, name: str, other: str) -> None:
        """Tabs that show a library show another one."""
        with self._lock:
            conversations = [one for one in self._conversations.values() if one.library == name]
        for conversation in conversations:
            conversation.use_library(other)
            conversation.switched = True

    def end_replies(self, limit: float = END_SECONDS) -> None:
        """End the replies being written, as Stop does, and wait about `limit` seconds at most until they are kept."""
        running = [chat.reply for chat in self.chats.writing() if chat.reply is not None]
        for reply in running:
            reply.stop()
        end = time.monotonic() + limit
        for reply in running:
            reply.wait(max(0.0, end - time.monotonic()))
        self.endpoint.close(max(0.0, end - time.monotonic()))
        if running:
            self._let_look()

    def _let_look(self) -> None:
        """Tell pages that something has changed, and give those that are open the time to ask what."""
        told = time.monotonic()
        self.changes.tell()
        while time.monotonic() - told < _LOOKING_SECONDS:
            time.sleep(_SENDING_SECONDS)
            if all(one.looked >= told for one in self._tabs() if told - one.looked < _OPEN_SECONDS):
                return

    def unload(self) -> None:
        """Give the model's memory back. Raises SettingsError."""
        self.models.unload()
        self.tuner.stop()

    def close(self) -> None:
        """Stop replies and background work and close everything."""
        self.tuner.close()
        self.downloads.close()
        self.changes.close()
        with self._lock:
            history = self._history
        for chat in self.chats.all():
            for work in (chat.reply, chat.measurement):
                if work is not None:
                    work.stop()
        self.endpoint.close(END_SECONDS)
        self.models.close()  # waits for the replies
        if history is not None:
            history.close()
