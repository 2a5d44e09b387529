"""The list of kept chats: searching, opening, renaming, deleting, exporting and importing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gradio as gr

from localspec import texts
from localspec.application.branching import show_found
from localspec.application.state import CHATS_LISTED, Application, Conversation
from localspec.chat.transfer import read_json
from localspec.ui.chat_updates import ALL_PARTS, ChatUpdates
from localspec.ui.library_updates import LIBRARY_PARTS
from localspec.ui.part import QUICK, Part, Update, Updates, hidden, html, identity, inform, warned


class ChatListPart(Part):
    """The column of chats."""

    def __init__(self, application: Application, updates: ChatUpdates) -> None:
        super().__init__(application)
        self.updates = updates
        self.actions: dict[str, Callable[[Conversation, str], Updates]] = {
            "open": self.open,
            "rename": self.ask_title,
            "title": self.rename,
            "ask": self.ask_deletion,
            "delete": self.delete,
            "keep": self.keep,
            "more": self.more,
        }
        """what the buttons inside the list do"""

    def build(self) -> None:
        """The column."""
        self.search = gr.Textbox(
            label=texts.SEARCH_CHATS,
            show_label=False,
            placeholder=texts.SEARCH_CHATS,
            container=False,
            max_lines=1,
            elem_id="search-chats",
        )
        self.named["chats"] = html("chats")
        self.act = hidden("act")
        with gr.Row(elem_id="chats-foot"):
            gr.Markdown(
                f'<div class="exports">{texts.EXPORT_ALL} <a href="/export/all.md" download>Markdown</a>'
                ' <a href="/export/all.json" download>JSON</a></div>',
                sanitize_html=False,
            )
            self.importing = gr.UploadButton(
                texts.IMPORT, file_types=[".json"], size="sm", scale=0, min_width=70, elem_id="import-chats"
            )

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
        with warned():
            number = self.application.history.store.add(read_json(Path(path or "")))
            inform(texts.IMPORTED.format(chats=texts.counted(number, "chat")))
        return self.updates.one(self.conversation(request), "chats")

    # -- buttons inside the list: what they are about is a chat's id --------------------------------------------

    def open(self, conversation: Conversation, about: str) -> Updates:
        """Show a chat, with its library."""
        chat = self.application.chat(identity(about))
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
        self.application.history.store.rename(identity(which), title)
        return self.keep(conversation)

    def ask_deletion(self, conversation: Conversation, about: str) -> Updates:
        """Ask whether a chat may go."""
        conversation.listed.settle()
        conversation.listed.deleting = identity(about)
        return self.updates.beside_only(conversation)

    def delete(self, conversation: Conversation, about: str) -> Updates:
        """Delete the chat of which that was asked."""
        number, shown = identity(about), conversation.chat
        if not number or conversation.listed.deleting != number:
            return self.keep(conversation)
        self.application.delete_chat(number)
        conversation.listed.settle()
        return self.keep(conversation) if conversation.chat is shown else self.updates.all(conversation, ALL_PARTS)

    def keep(self, conversation: Conversation, about: str = "") -> Updates:
        """Leave the list as it is."""
        conversation.listed.settle()
        return self.updates.beside_only(conversation)

    def more(self, conversation: Conversation, about: str) -> Updates:
        """List more chats."""
        conversation.listed.limit += CHATS_LISTED
        return self.updates.beside_only(conversation)
