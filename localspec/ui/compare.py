"""What happens when people ask where words came from, have plain decoding measured, or have the methods compared."""

from __future__ import annotations

import threading
from typing import Any

import gradio as gr

from localspec import texts
from localspec.application.measuring import Measurement
from localspec.application.state import Application, Conversation
from localspec.chat.comparison import PLAIN
from localspec.chat.session import ReplyOptions
from localspec.errors import LocalSpecError, SettingsError
from localspec.ui import markup
from localspec.ui.conversations import Chats, Update
from localspec.ui.messages import messages
from localspec.ui.options import reply_options
from localspec.ui.page import Page


class Measures:
    """The handlers, over one application. What a measurement brings is shown by the page's regular refresh."""

    def __init__(self, application: Application, chats: Chats) -> None:
        self.application = application
        self._chats = chats
        self._beginning = threading.Lock()

    def connect(self, page: Page, quick: dict[str, Any]) -> None:
        """Tie the handlers to the components; `quick` are the options of every handler on the page."""
        page.origins.input(self.show_origins, page.origins, page.chat, trigger_mode="always_last", **quick)
        page.measure.click(self.measure, page.settings, page.measured, **quick)
        page.compare.click(self.compare, [page.entry, *page.settings], page.measured, **quick)

    def show_origins(self, on: bool, request: gr.Request) -> Update:
        """Mark the words of all answers of the chat by where they came from, or show them as usual."""
        conversation = self._conversation(request)
        conversation.coloured = bool(on)
        return messages(conversation.chat, conversation.coloured)

    def measure(self, request: gr.Request, *settings: Any) -> Update:  # noqa: ANN401
        """Write the last answer again by plain decoding."""
        conversation = self._conversation(request)
        try:
            self._begin(conversation, reply_options(*settings), PLAIN)
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
        return self._shown(conversation)

    def compare(self, request: gr.Request, entry: dict[str, Any] | None, *settings: Any) -> Update:  # noqa: ANN401
        """Answer what stands in the entry, or else the last question, with every method."""
        conversation = self._conversation(request)
        question = ((entry or {}).get("text") or "").strip()
        if question and (entry or {}).get("files"):
            gr.Info(texts.COMPARE_NO_FILES)
        try:
            self._begin(conversation, reply_options(*settings), "compare", question)
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
        return self._shown(conversation)

    def _begin(self, conversation: Conversation, options: ReplyOptions, kind: str, question: str = "") -> None:
        """Raises SettingsError, StoreError where there is nothing to measure now."""
        with self._beginning:  # tabs may show the same chat
            chat = conversation.chat
            chat.settle()
            if not chat.is_idle:
                raise SettingsError(texts.BUSY, texts.BUSY_ADVICE)
            if chat.measurement is not None and not chat.measurement.is_over:
                raise SettingsError(texts.MEASURE_BUSY, texts.MEASURE_BUSY_ADVICE)
            if not question and not (chat.turns and chat.turns[-1].reply_tokens):
                if kind == PLAIN:
                    raise SettingsError(texts.MEASURE_NOTHING, texts.MEASURE_NOTHING_ADVICE)
                raise SettingsError(texts.COMPARE_NOTHING, texts.COMPARE_NOTHING_ADVICE)
            # An answer is made again over the library that it was made over, if that is still there.
            library = conversation.library
            if not question and chat.library in self.application.library_names():
                library = chat.library
            chat.measurement = Measurement(
                self.application, conversation, options, kind=kind, library=library, question=question
            )
            chat.measurement.start()

    def _shown(self, conversation: Conversation) -> Update:
        """What is shown now, which the next tick need not send again."""
        conversation.seen["measured"] = self._chats.beside(conversation)["measured"]
        return conversation.seen["measured"]

    def _conversation(self, request: gr.Request) -> Conversation:
        return self.application.conversation(str(request.session_hash))
