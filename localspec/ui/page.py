"""The page: which parts there are, and where they stand."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from localspec import texts
from localspec.application.remembered import Choice
from localspec.application.state import Application
from localspec.ui import dialogs
from localspec.ui.chat_list_part import ChatListPart
from localspec.ui.chat_part import ChatPart
from localspec.ui.chat_updates import REPLY_PARTS, ChatUpdates
from localspec.ui.citing_part import CitingPart
from localspec.ui.comparison_part import ComparisonPart
from localspec.ui.endpoint_part import EndpointPart
from localspec.ui.library_part import LibraryPart
from localspec.ui.library_updates import LibraryUpdates
from localspec.ui.model_part import ModelPart
from localspec.ui.options import SAMPLING_ORDER
from localspec.ui.part import Part, html
from localspec.ui.settings_part import MethodPart, ReadingPart, SamplingPart, SystemPart


class Page:
    """The parts, over one application. Their components are there once it is built."""

    def __init__(self, application: Application) -> None:
        self.application = application
        chat_updates = ChatUpdates(application)
        self.chat_list = ChatListPart(application, chat_updates)
        self.chat = ChatPart(application, chat_updates)
        self.citing = CitingPart(application)
        self.reading = ReadingPart(application)
        self.method = MethodPart(application)
        self.comparison = ComparisonPart(application, chat_updates)
        self.library = LibraryPart(application, LibraryUpdates(application))
        self.models = ModelPart(application)
        self.system = SystemPart(application)
        self.sampling = SamplingPart(application)
        self.endpoint = EndpointPart(application)

    @property
    def parts(self) -> list[Part]:
        """All of them."""
        return [
            *(self.chat_list, self.chat, self.citing, self.reading, self.method, self.comparison, self.library),
            *(self.models, self.models.catalogue, self.system, self.sampling, self.endpoint),
        ]

    def build(self, choice: Choice | None = None) -> None:
        """Make the components inside the current Blocks. `choice` is what is loaded first."""
        with gr.Row(elem_id="columns"):
            with gr.Column(scale=0, min_width=200, elem_id="chats-column"):
                self.chat_list.build()
            with gr.Column(scale=7, min_width=320, elem_id="chat-column"):
                self._build_chat()
            with gr.Column(scale=4, min_width=300, elem_id="side-column"):
                self.method.build()
                self.comparison.build()
                with gr.Accordion(texts.DOCUMENTS, open=True, elem_id="documents-part"):
                    self.library.build()
                self.models.build(choice or Choice())
                self.models.catalogue.build()
                self.system.build()
                self.sampling.build()
                self.endpoint.build()

    def _build_chat(self) -> None:
        with gr.Row(elem_id="heading"):
            gr.Button(texts.CHATS, size="sm", scale=0, min_width=70, elem_id="toggle-chats")
            html("title", f"<h1>{texts.TITLE}</h1>")
            self.models.build_status()
            self.chat.build_new()
            html("keys", dialogs.keys())
            html("quit", dialogs.quitting())
            html("watch", dialogs.watching())
        self.chat.build_messages()
        self.citing.build()
        self.chat.build_below()
        with gr.Row(elem_id="asking"):
            self.library.build_active()
            self.reading.build()
        self.chat.build_entry()

    def connect(self) -> None:
        """Tie what each part does by itself. Inside the Blocks that holds the components."""
        method, settings = self.method.method, self.settings
        self.chat.connect(settings, self.named(REPLY_PARTS))
        self.chat_list.connect()
        self.comparison.connect(self.chat.chatbot, self.chat.entry, settings)
        self.library.connect(method)
        self.citing.connect()
        self.sampling.connect()
        self.method.connect()
        self.system.connect()
        self.models.connect(self.library.press)

    @property
    def settings(self) -> list[gr.components.Component]:
        """What an answer is asked with, as `SAMPLING_ORDER` says."""
        fields = {**self.sampling.named, "method": self.method.method}
        fields |= {"read": self.reading.read, "system": self.system.field}
        return [fields[name] for name in SAMPLING_ORDER]

    def named(self, names: Sequence[str]) -> list[gr.components.Component]:
        """The components of these names, of whatever parts."""
        known = {name: component for part in self.parts for name, component in part.named.items()}
        return [known[name] for name in names]
