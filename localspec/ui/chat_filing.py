"""Where chats stand in the list: on top, or in folders; and what is done with folders."""

from __future__ import annotations

from collections.abc import Callable

from localspec.application.conversation import Conversation
from localspec.application.state import Application
from localspec.stores.conversations import Conversations
from localspec.ui.chat_updates import ChatUpdates
from localspec.ui.part import Updates, identity


class ChatFiling:
    """What the buttons inside the list do about pins and folders."""

    def __init__(self, application: Application, updates: ChatUpdates) -> None:
        self.application = application
        self.updates = updates
        self.actions: dict[str, Callable[[Conversation, str], Updates]] = {
            "pin": lambda conversation, about: self.pin(conversation, about, pinned=True),
            "unpin": lambda conversation, about: self.pin(conversation, about, pinned=False),
            "file": self.ask_folder,
            "into": self.file,
            "move": self.file_as,
            "fold": lambda conversation, about: self.fold(conversation, about, folded=True),
            "unfold": lambda conversation, about: self.fold(conversation, about, folded=False),
            "rename-folder": self.ask_folder_name,
            "title-folder": self.rename_folder,
        }

    # -- about chats, by their ids ------------------------------------------------------------------------------

    def pin(self, conversation: Conversation, about: str, *, pinned: bool) -> Updates:
        """Keep a chat on top of the list, or not."""
        self._store.pin(identity(about), pinned)
        return self._done(conversation)

    def ask_folder(self, conversation: Conversation, about: str) -> Updates:
        """Have a folder chosen for a chat, or named."""
        conversation.listed.settle()
        conversation.listed.filing = identity(about)
        return self.updates.beside_only(conversation)

    def file(self, conversation: Conversation, about: str) -> Updates:
        """Put a chat into the folder whose id follows its own; 0 for none."""
        which, _, folder = about.partition(" ")
        self._store.folders.move(identity(which), identity(folder))
        return self._done(conversation)

    def file_as(self, conversation: Conversation, about: str) -> Updates:
        """Put a chat into the folder whose name was typed after its id."""
        which, _, name = about.partition(" ")
        self._store.folders.move_to(identity(which), name)
        return self._done(conversation)

    # -- about folders, by their ids ----------------------------------------------------------------------------

    def fold(self, conversation: Conversation, about: str, *, folded: bool) -> Updates:
        """Show a folder's name only, or its chats, too."""
        self._store.folders.collapse(identity(about), folded)
        return self._done(conversation)

    def ask_folder_name(self, conversation: Conversation, about: str) -> Updates:
        """Have another name typed for a folder."""
        conversation.listed.settle()
        conversation.listed.renaming_folder = identity(about)
        return self.updates.beside_only(conversation)

    def rename_folder(self, conversation: Conversation, about: str) -> Updates:
        """Take the name that was typed after the id."""
        which, _, name = about.partition(" ")
        self._store.folders.rename(identity(which), name)
        return self._done(conversation)

    @property
    def _store(self) -> Conversations:
        """Raises StoreError where chats are not kept."""
        return self.application.history.store

    def _done(self, conversation: Conversation) -> Updates:
        """The list, in which nothing is being typed."""
        conversation.listed.settle()
        return self.updates.beside_only(conversation)
