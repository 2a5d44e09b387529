"""The list of kept chats: searching, opening, renaming, pinning, filing, deleting, exporting and importing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import gradio as gr

from localspec import texts
from localspec.application.branching import show_found
from localspec.application.chats import Chat
from localspec.application.conversation import Conversation
from localspec.application.list_states import CHATS_LISTED, DELETED_LISTED
from localspec.application.state import Application
from localspec.chat.transfer import read_json
from localspec.stores.conversations import Conversations
from localspec.stores.deleted_chats import Kind
from localspec.ui import chat_list
from localspec.ui.chat_filing import ChatFiling
from localspec.ui.chat_updates import ALL_PARTS, ChatUpdates
from localspec.ui.library_updates import LIBRARY_PARTS
from localspec.ui.part import QUICK, Part, Update, Updates, hidden, html, identity, inform, warned


class ChatListPart(Part):
    """The column of chats."""

    def __init__(self, application: Application, updates: ChatUpdates) -> None:
        super().__init__(application)
        self.updates = updates
        self.actions: dict[str, Callable[[Conversation, str], Updates]] = {
            **ChatFiling(application, updates).actions,
            "open": self.open,
            "rename": self.ask_title,
            "title": self.rename,
            "delete-folder": self.delete_folder,
            "delete": self.delete,
            "restore": self.restore,
            "purge": self.purge,
            "dismiss-undo": self.dismiss,
            "keep": self.keep,
            "more": self.more,
            "more-deleted": self.more_deleted,
        }
        """what the buttons inside the list do"""

    def build(self) -> None:
        """The column."""
        with gr.Row(elem_id="chats-search"):
            self.search = gr.Textbox(
                label=texts.SEARCH_CHATS,
                show_label=False,
                placeholder=texts.SEARCH_CHATS,
                container=False,
                max_lines=1,
                elem_id="search-chats",
            )
            html("chats-menu", chat_list.head_menu())
        self.named["chats"] = html("chats")
        self.act = hidden("act")
        # Its button is in the menu.
        self.importing = gr.UploadButton(texts.IMPORT_CHATS, file_types=[".json"], elem_id="import-chats")

    def connect(self) -> None:
        """Tie the handlers; those of buttons inside the list are tied with all that `act` hears of."""
        self.search.change(self.find, self.search, self.named["chats"], **QUICK)
        self.importing.upload(self.import_file, self.importing, self.named["chats"], **QUICK)

    def find(self, text: str, request: gr.Request) -> Update:
        """Show the chats that hold these words."""
        conversation = self.conversation(request)
        state = conversation.listed
        state.query, state.limit = text or "", CHATS_LISTED
        state.settle()
        return self.updates.one(conversation, "chats")

    def import_file(self, path: str | None, request: gr.Request) -> Update:
        """Add the chats of an exported file, all or none."""
        conversation = self.conversation(request)
        with warned():
            number = self.application.history.store.add(read_json(Path(path or "")))
            inform(texts.IMPORTED.format(chats=texts.counted(number, "chat")))
        return self.updates.one(conversation, "chats")

    # -- buttons inside the list: what they are about is a chat's id --------------------------------------------

    def open(self, conversation: Conversation, about: str) -> Updates:
        """Show a chat, with its library."""
        chat = self.application.chats.get(identity(about))
        if conversation.listed.query and chat.is_idle:
            show_found(self.application, chat, conversation.listed.query)
        conversation.listed.settle()
        if conversation.editing is not None:
            conversation.put_into_entry("", replaces=True)
        conversation.show(chat)
        switched: dict[str, Update] = {}
        # One that is not there, as after an import, is not begun for it.
        if chat.library != conversation.library and chat.library in self.application.libraries.names():
            conversation.use_library(chat.library)
            switched = {"library": chat.library, **dict.fromkeys(LIBRARY_PARTS, "")}
        return self.updates.all(conversation, ALL_PARTS, **switched)

    def ask_title(self, conversation: Conversation, about: str) -> Updates:
        """Have a title typed in place of the one before."""
        conversation.listed.settle()
        conversation.listed.renaming = identity(about)
        return self.updates.beside_only(conversation)

    def rename(self, conversation: Conversation, about: str) -> Updates:
        """Take the title that was typed after the id."""
        which, _, title = about.partition(" ")
        self._store.rename(identity(which), title)
        return self.keep(conversation)

    def delete(self, conversation: Conversation, about: str) -> Updates:
        """Delete a chat; that can be undone."""
        number, shown = identity(about), conversation.chat
        self.application.chats.delete(number)
        conversation.listed.deleted = ("chat", number)
        return self._shown(conversation, shown)

    def delete_folder(self, conversation: Conversation, about: str) -> Updates:
        """Delete a folder; its chats stay, and that can be undone."""
        number = identity(about)
        self._store.bin.put("folder", number)
        conversation.listed.deleted = ("folder", number)
        return self.keep(conversation)

    # -- about what was deleted: "chat" or "folder", and its id -------------------------------------------------

    def restore(self, conversation: Conversation, about: str) -> Updates:
        """Take it back."""
        kind, _, which = about.partition(" ")
        shown = conversation.chat
        if kind == "chat":
            self.application.chats.restore(identity(which))
        elif kind == "folder":
            self._store.bin.restore("folder", identity(which))
        return self._shown(conversation, shown)

    def purge(self, conversation: Conversation, about: str) -> Updates:
        """Delete it for good."""
        kind, _, which = about.partition(" ")
        if kind in ("chat", "folder"):
            self.application.history.purge(cast("Kind", kind), identity(which))
        return self.keep(conversation)

    def dismiss(self, conversation: Conversation, about: str) -> Updates:
        """What was deleted last is not spoken of any more."""
        conversation.listed.deleted = ("", 0)
        return self.keep(conversation)

    def keep(self, conversation: Conversation, about: str = "") -> Updates:
        """Leave the list as it is."""
        conversation.listed.settle()
        return self.updates.beside_only(conversation)

    def more(self, conversation: Conversation, about: str) -> Updates:
        """List more chats."""
        conversation.listed.limit += CHATS_LISTED
        return self.updates.beside_only(conversation)

    def more_deleted(self, conversation: Conversation, about: str) -> Updates:
        """List more of what was deleted."""
        conversation.listed.deleted_limit += DELETED_LISTED
        return self.updates.beside_only(conversation)

    @property
    def _store(self) -> Conversations:
        """Raises StoreError where chats are not kept."""
        return self.application.history.store

    def _shown(self, conversation: Conversation, before: Chat) -> Updates:
        """The list, and the chat where the tab does not show the one `before` any more."""
        conversation.listed.settle()
        if conversation.chat is before:
            return self.updates.beside_only(conversation)
        return self.updates.all(conversation, ALL_PARTS)
