"""The chats that are in memory: those that tabs show, those that are written in, and those begun a while ago."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from localspec.application.chats import Chat
from localspec.application.conversation import Conversation
from localspec.chat.history import History
from localspec.errors import LocalSpecError

_DIGITS = 18
"""of an id"""
_HELD = 50
"""Chats that no tab shows stay up to so many, those that have no id among them."""


class OpenChats:
    """Any thread may call any method."""

    def __init__(self, history: Callable[[], History], tabs: Callable[[], Iterable[Conversation]]) -> None:
        """`history` gives the chats that are kept, `tabs` those that are open."""
        self._history = history
        self._tabs = tabs
        self._lock = threading.RLock()
        self._kept: dict[int, Chat] = {}
        self._begun: dict[str, Chat] = {}
        """by their token, as long as they may have no id"""

    def get(self, identity: int) -> Chat:
        """The kept chat of this id; tabs that show it share it. Raises StoreError when it cannot be read."""
        shown = self._shown()
        with self._lock:
            # Those that no tab shows are read again when they are wanted.
            self._kept = {key: one for key, one in self._kept.items() if one in shown or not one.is_idle}
            chat = self._kept.get(identity)
        if chat is None:
            chat = Chat.restored(identity, self._history().store.load(identity))
        chat.settle()
        with self._lock:
            return self._kept.setdefault(identity, chat)

    def addressed(self, address: str) -> Chat | None:
        """The chat that the address of a page names (`Chat.address`); None where there is none any more."""
        with self._lock:
            begun = self._begun.get(address)
        if begun is not None and not begun.identity:
            return begun
        identity = begun.identity if begun is not None else 0
        if address.isdecimal() and len(address) <= _DIGITS:
            identity = int(address)
        try:
            return self.get(identity) if identity else None
        except LocalSpecError:
            return None

    def hold(self, chat: Chat) -> None:
        """A chat in which something is asked: it can be found by its token from now on, whoever shows it."""
        shown = self._shown()
        with self._lock:
            self._begun[chat.token] = chat
            idle = [key for key, one in self._begun.items() if one.is_idle and one not in shown and one is not chat]
            for key in idle[:-_HELD]:
                del self._begun[key]

    def writing(self) -> list[Chat]:
        """The chats in which an answer is being written."""
        return [chat for chat in self.all() if not chat.is_idle]

    def all(self) -> set[Chat]:
        """Those in memory, and those that tabs show."""
        shown = self._shown()
        with self._lock:
            return {*self._begun.values(), *self._kept.values(), *shown}

    def keep(self, chat: Chat) -> None:
        """Let tabs that open this chat from now on share it: it has an id now."""
        with self._lock:
            self._kept[chat.identity] = chat

    def forget(self, chat: Chat) -> None:
        """It is kept no longer: what is asked in it next begins a new one."""
        with self._lock:
            self._kept.pop(chat.identity, None)
        chat.identity = 0

    def delete(self, identity: int) -> None:
        """Delete a chat, so that it can be taken back; tabs that show it begin a new one. An answer that is being
        written ends first. Raises StoreError."""
        with self._lock:
            chat = self._kept.pop(identity, None)
            if chat is not None:
                self._begun.pop(chat.token, None)
        showing = [one for one in self._tabs() if chat is not None and one.chat is chat]
        if chat is not None:
            if chat.reply is not None:
                chat.reply.discard()
            chat.settle()
        self._history().store.bin.put("chat", identity)
        for conversation in showing:
            conversation.show(Chat())
            conversation.deleted = identity

    def restore(self, identity: int) -> None:
        """Take a deleted chat back; tabs that showed it, and nothing since, show it again. Raises StoreError."""
        self._history().store.bin.restore("chat", identity)
        for conversation in [one for one in self._tabs() if one.deleted == identity]:
            if not conversation.chat.identity and not conversation.chat.exchanges and conversation.chat.is_idle:
                conversation.show(self.get(identity))

    def _shown(self) -> set[Chat]:
        return {one.chat for one in self._tabs()}
