"""The chat itself: asking, stopping, taking back, editing and going on. What an answer brings is told by looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from localspec import texts
from localspec.application.asking import Asked
from localspec.application.attached_files import Attachment, attached, usable
from localspec.application.branching import edit_answer, show_sibling, take_back
from localspec.application.chats import Chat
from localspec.application.conversation import Conversation
from localspec.application.replying import ReplyTask
from localspec.application.state import Application
from localspec.chat.comparison import with_seed
from localspec.errors import LocalSpecError, SettingsError
from localspec.stores.documents.parse import SUPPORTED_SUFFIXES
from localspec.ui import maths, message_actions
from localspec.ui.chat_updates import ALL_PARTS, LOOKED_PARTS, REPLY_PARTS, SENT_PARTS, ChatUpdates
from localspec.ui.options import reply_options
from localspec.ui.part import QUICK, Part, Tick, Updates, html, identity, only, warn, warned

GUIDE = Path(__file__).parents[1] / "guide" / texts.GUIDE


class ChatPart(Part):
    """The messages, the entry, and what stands between them."""

    told = LOOKED_PARTS

    def __init__(self, application: Application, updates: ChatUpdates) -> None:
        super().__init__(application)
        self.updates = updates
        self.asks: dict[str, Callable[[Conversation, str, Sequence[Any]], Updates]] = {
            "continue": self.go_on,
            "retry": self.retry,
            "example": self.example,
        }
        """what the buttons in the chat do that begin an answer"""
        self.actions: dict[str, Callable[[Conversation, str], Updates]] = {
            "edit": self.edit,
            "rewrite": self.rewrite,
            "unedit": self.unedit,
            "undo": self.undo,
            "branch": self.branch,
            "origins": self.show_origins,
        }
        """what the others do"""

    def build_new(self) -> None:
        """The button in the heading."""
        self.new = gr.Button(texts.NEW_CHAT, size="sm", scale=0, min_width=0, elem_id="new-chat")

    def build_messages(self) -> None:
        """The chat."""
        self.chatbot = self.named["chat"] = gr.Chatbot(
            elem_id="chat",
            show_label=False,
            height="100%",
            placeholder=message_actions.start(),
            sanitize_html=True,
            allow_tags=False,
            feedback_options=None,
            buttons=["copy"],
            layout="bubble",
            latex_delimiters=maths.DELIMITERS,
        )

    def build_below(self) -> None:
        """Between chat and entry: what can be done about the last answer, and what fills the context."""
        self.named["below"] = html("below")

    def build_told(self) -> None:
        """What scripts read."""
        with gr.Column(elem_id="told"):
            for name in ("address", "typed", "notices"):
                self.named[name] = html(name)

    def build_entry(self) -> None:
        """Where questions are typed and files dropped."""
        self.entry = self.named["entry"] = gr.MultimodalTextbox(
            elem_id="entry",
            show_label=False,
            placeholder=texts.ASK,
            file_count="multiple",
            file_types=sorted(SUPPORTED_SUFFIXES),
            sources=["upload"],
            autofocus=True,
            max_lines=8,
        )

    def connect(self, settings: Sequence[gr.components.Component], outputs: Sequence[gr.components.Component]) -> None:
        """`settings` as `SAMPLING_ORDER` says, `outputs` as `REPLY_PARTS`."""
        settings, shown = list(settings), list(outputs)
        sent = [self.named[name] for name in SENT_PARTS]
        self.entry.submit(self.reply, [self.entry, *settings], sent, **QUICK)
        self.entry.stop(self.stop, None, None, **QUICK)
        self.new.click(self.new_chat, None, shown, **QUICK)
        self.chatbot.clear(self.new_chat, None, shown, **QUICK)

    def tell(self, tick: Tick) -> None:
        """The chat, and what stands beside it."""
        self.updates.tell(tick)

    # -- what people do -----------------------------------------------------------------------------------------

    def reply(self, request: gr.Request, entry: dict[str, Any], *settings: Any) -> Updates:  # noqa: ANN401
        """Answer what was sent, with the files that were dropped. Whatever goes wrong, what was typed stays."""
        conversation = self.conversation(request)
        if conversation.rewriting is not None:
            return self._rewritten(conversation, entry.get("text") or "")
        sent = self._attached(conversation, entry)
        asked = Asked((entry.get("text") or "").strip(), sent, conversation.editing, typed=True)
        return self._answer(conversation, asked, settings, SENT_PARTS)

    def _attached(self, conversation: Conversation, entry: dict[str, Any]) -> tuple[Attachment, ...]:
        """The files that go with what is sent. Those in the entry itself did not come by the page's own scripts."""
        name = conversation.library
        conversation.attached += attached([(Path(path), Path(path).name) for path in entry.get("files") or []], name)
        return usable(conversation.attached, self.application.libraries.opened(name), name)

    def retry(self, conversation: Conversation, about: str, settings: Sequence[Any]) -> Updates:
        """Ask a question again. Its answer gives way once there is a word of the new one, and stays beside it."""
        exchanges, number = conversation.chat.exchanges, identity(about)
        if number >= len(exchanges) or not exchanges[number].question:
            warn(texts.NOTHING_TO_RETRY)
            return only(REPLY_PARTS, {})
        again = exchanges[number]
        return self._answer(conversation, Asked(again.question, instead_of=number, names=again.files), settings)

    def example(self, conversation: Conversation, about: str, settings: Sequence[Any]) -> Updates:
        """Ask one of the questions to try, about the guide that comes with the application."""
        number = identity(about)
        if number >= len(texts.EXAMPLES):
            return only(REPLY_PARTS, {})
        guide = attached([(GUIDE, texts.GUIDE)], conversation.library)
        return self._answer(conversation, Asked(texts.EXAMPLES[number], tuple(guide)), settings)

    def undo(self, conversation: Conversation, about: str) -> Updates:
        """Take the last question back, with its answer: it stands in the entry again."""
        with warned("answer"):
            with conversation.chat.lock:
                chat = _idle(conversation)
                if not chat.exchanges:
                    raise SettingsError(texts.NOTHING_TO_UNDO)
                question = chat.exchanges[-1].question
                take_back(self.application, chat, len(chat.exchanges) - 1)
            conversation.editing = conversation.rewriting = None
            conversation.put_into_entry(question, replaces=True)
        return self.updates.all(conversation, ALL_PARTS)

    def branch(self, conversation: Conversation, about: str) -> Updates:
        """Show another version of an answer, with what followed it."""
        number, _, index = about.partition(" ")
        chat = _idle(conversation)
        show_sibling(self.application, chat, chat.position(identity(number)), identity(index))
        conversation.end_editing()
        return self.updates.all(conversation, ALL_PARTS)

    def rewrite(self, conversation: Conversation, about: str) -> Updates:
        """Put an answer into the entry, to be edited."""
        chat, number = _idle(conversation), identity(about)
        turn = chat.exchanges[number].turn if number < len(chat.exchanges) else None
        if turn is None:
            raise SettingsError(texts.NOTHING_TO_EDIT)
        conversation.editing, conversation.rewriting = None, number
        conversation.put_into_entry(turn.reply, replaces=True)
        return self.updates.beside_only(conversation)

    def _rewritten(self, conversation: Conversation, text: str) -> Updates:
        """Keep an answer as it was edited."""
        number, chat = conversation.rewriting or 0, conversation.chat
        conversation.settle("answer")
        try:
            edit_answer(self.application, chat, chat.position(number), text)
        except LocalSpecError as error:
            conversation.warn(str(error), "answer")
            return only(SENT_PARTS, {})
        conversation.rewriting = None
        return self.updates.all(conversation, SENT_PARTS, empties=True)

    def show_origins(self, conversation: Conversation, about: str) -> Updates:
        """Show the words of answers in the colours of where they came from."""
        conversation.coloured = True
        return self.updates.all(conversation, ALL_PARTS)

    def stop(self, request: gr.Request) -> None:
        """End the running reply; its text stays."""
        reply = self.conversation(request).chat.reply
        if reply is not None:
            reply.stop()

    def new_chat(self, request: gr.Request) -> Updates:
        """An empty conversation over the same library."""
        conversation = self.conversation(request)
        conversation.show(Chat())
        return self.updates.all(conversation, REPLY_PARTS)

    def edit(self, conversation: Conversation, about: str) -> Updates:
        """Put a question into the entry, to be sent anew."""
        chat, number = _idle(conversation), identity(about)
        if number >= len(chat.exchanges):
            raise SettingsError(texts.NOTHING_TO_EDIT)
        conversation.editing, conversation.rewriting = number, None
        conversation.put_into_entry(chat.exchanges[number].question, replaces=True)
        return self.updates.beside_only(conversation)

    def unedit(self, conversation: Conversation, about: str) -> Updates:
        """Leave it as it was."""
        conversation.end_editing()
        return self.updates.beside_only(conversation)

    def go_on(self, conversation: Conversation, about: str, settings: Sequence[Any]) -> Updates:
        """Write on at the last answer."""
        exchanges = conversation.chat.exchanges
        if not exchanges or exchanges[-1].turn is None:
            return only(REPLY_PARTS, {})
        return self._answer(conversation, Asked(exchanges[-1].question, goes_on=True), settings)

    # -- an answer ----------------------------------------------------------------------------------------------

    def _answer(
        self, conversation: Conversation, asked: Asked, settings: Sequence[Any], names: Sequence[str] = REPLY_PARTS
    ) -> Updates:
        """Begin an answer, and show in the parts of these `names` that it has begun."""
        conversation.settle("answer")
        try:
            self._begin(conversation, asked, settings)
        except LocalSpecError as error:
            conversation.warn(str(error), "answer")
            return only(names, {})
        return self.updates.all(conversation, names, empties=asked.typed)

    def _begin(self, conversation: Conversation, asked: Asked, settings: Sequence[Any]) -> None:
        if not asked.question and not asked.goes_on:
            raise SettingsError(texts.NOTHING_SENT)
        options = with_seed(reply_options(*settings, library=conversation.library))
        if (asked.attached or asked.names) and options.documents == "auto":
            options = replace(options, documents="always")  # a question with files is about them
        with conversation.chat.lock:  # tabs may show the same chat
            chat = _idle(conversation)
            if not asked.goes_on and options.system is not None:
                chat.system = options.system
            conversation.without_documents = chat.without_documents = options.documents == "none"
            reply = chat.reply = ReplyTask(self.application, conversation, asked, options)
            self.application.chats.hold(chat)
            if asked.typed:  # the chips of unreadable files have said why
                conversation.attached = [one for one in conversation.attached if one.library != conversation.library]
                conversation.editing = None
            else:
                conversation.end_editing()
            reply.start()  # it may fail at once, and then what was edited is in the entry again


def _idle(conversation: Conversation) -> Chat:
    """The chat of a tab, when no answer is being made in it. Raises SettingsError, StoreError."""
    chat = conversation.chat
    chat.check_idle()
    return chat
