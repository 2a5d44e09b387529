"""The page: which parts there are, where they stand, and what connects them: buttons inside markup, and looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import gradio as gr

from localspec import texts
from localspec.application.conversation import Conversation
from localspec.application.remembered import Choice
from localspec.application.state import Application
from localspec.application.tuning import PRESSES as TUNING_PRESSES
from localspec.errors import LocalSpecError
from localspec.ui import dialogs, elements, endpoint_part, growing_answer, page_markup
from localspec.ui.attachments_part import AttachmentsPart
from localspec.ui.chat_list_part import ChatListPart
from localspec.ui.chat_part import ChatPart
from localspec.ui.chat_updates import ALL_PARTS, REPLY_PARTS, ChatUpdates
from localspec.ui.citing_part import CitingPart
from localspec.ui.comparison_part import ComparisonPart
from localspec.ui.embedder_part import EmbedderPart
from localspec.ui.library_part import LibraryPart, pressed
from localspec.ui.library_updates import LIBRARY_PARTS, LibraryUpdates
from localspec.ui.look_part import LookPart
from localspec.ui.model_part import ModelPart
from localspec.ui.options import SAMPLING_ORDER
from localspec.ui.part import (
    EACH,
    QUICK,
    Drawn,
    Part,
    Props,
    Tick,
    Update,
    Updates,
    forget,
    hidden,
    html,
    identity,
    only,
    tab,
    warned,
)
from localspec.ui.settings_part import MethodPart, ReadingPart, SamplingPart, SystemPart


class Page:
    """The parts, over one application. Their components are there once it is built."""

    def __init__(self, application: Application) -> None:
        self.application = application
        chat_updates = ChatUpdates(application)
        self.chat_list = ChatListPart(application, chat_updates)
        self.chat = ChatPart(application, chat_updates)
        self.attachments = AttachmentsPart(application)
        self.citing = CitingPart(application)
        self.reading = ReadingPart(application)
        self.method = MethodPart(application)
        self.comparison = ComparisonPart(application, chat_updates)
        self.library = LibraryPart(application, LibraryUpdates(application))
        self.embedders = EmbedderPart(application)
        self.models = ModelPart(application)
        self.system = SystemPart(application)
        self.sampling = SamplingPart(application)
        self.endpoint = endpoint_part.EndpointPart(application)
        self.look = LookPart(application)
        self._actions: dict[str, Callable[[Conversation, str], Updates]] = {
            "dismiss": self.dismiss,
            **self.chat_list.actions,
            **self.comparison.actions,
            **self.chat.actions,
        }
        self._told = tuple(name for part in self.parts for name in part.told)
        self._opened = tuple(name for part in self.parts for name in part.opened)
        self._elements: dict[str, str] = {}
        """of markup of our own, the name of the component and the id of its element"""

    @property
    def parts(self) -> list[Part]:
        """All of them."""
        return [
            self.attachments,
            *(self.chat_list, self.chat, self.citing, self.reading, self.method, self.comparison, self.library),
            *(self.embedders, self.models, self.models.picker, self.models.catalogue, self.system),
            *(self.system.prompts, self.sampling, self.endpoint, self.look),
        ]

    def build(self, choice: Choice | None = None) -> None:
        """Make the components inside the current Blocks. `choice` is what is loaded first."""
        self.chat.build_told()
        with gr.Row(elem_id="columns"):
            with gr.Column(scale=0, min_width=0, elem_id="chats-column"):
                with gr.Row(elem_id="chats-head"):
                    html("title", f"<h1>{texts.TITLE}</h1>")
                    self.chat.build_new()
                self.chat_list.build()
            with gr.Column(scale=1, min_width=0, elem_id="chat-column"):
                self._build_chat()
            with gr.Column(scale=0, min_width=0, elem_id="panel-column"):
                html("panel-head", page_markup.panel_head())
                self.method.build_explained()
                self.comparison.build()
        with gr.Column(elem_id="settings"):
            self._build_settings(choice or Choice())
        self.citing.build()
        for name, drawn in (("keys", dialogs.keys()), ("quit", dialogs.quitting()), ("watch", dialogs.watching())):
            html(name, drawn)
        self.changed, self.grown = hidden("changed"), hidden("grown")

    def _build_chat(self) -> None:
        with gr.Row(elem_id="heading"):
            html("chats-button", page_markup.chats_button())
            self.models.build_status()
            html("heading-buttons", page_markup.heading_buttons())
        self.models.catalogue.build_card()
        self.chat.build_messages()
        self.chat.build_below()
        self.attachments.build()
        self.chat.build_entry()
        with gr.Row(elem_id="asking"):
            self.library.build_active()
            self.reading.build()
            self.method.build()

    def _build_settings(self, choice: Choice) -> None:
        """A dialog with tabs (`views.js`); all of its fields are in the page from the start."""
        html("settings-head", page_markup.settings_head())
        with tab("models"):
            self.models.build(choice)
            self.models.catalogue.build()
        with tab("sampling"):
            self.system.build()
            self.sampling.build()
        with tab("documents"):
            self.library.build()
            self.embedders.build()
        with tab("endpoint"):
            self.endpoint.build()
        with tab("look"):
            self.look.build()

    def connect(self, blocks: gr.Blocks) -> None:
        """Tie the handlers to the components, inside the `blocks` that hold them."""
        method, settings = self.method.method, self.settings
        self.chat.connect(settings, self.named(REPLY_PARTS))
        self.chat_list.connect()
        self.comparison.connect(self.chat.chatbot, self.chat.entry, settings)
        self.library.connect(method)
        self.embedders.connect(self.library.press)
        self.citing.connect()
        self.attachments.connect()
        self.reading.connect()
        self.sampling.connect()
        self.method.connect()
        self.system.connect()
        self.models.connect(self.library.press)
        self.look.connect()
        act, press = self.chat_list.act, self.library.press
        # Not "always_last": one action may be an answer that goes on for minutes.
        act.change(self.act, [act, *settings], self.named(ALL_PARTS), **EACH)
        press.change(self.press, [press, method], self.library.outputs, **QUICK)
        self.changed.change(self.refresh, [self.changed, method], self.named(self._told), **QUICK)
        # While an answer is written: the fewer parts are spoken of, the less it costs the model.
        self.grown.change(self.grow, self.grown, self.named(("chat",)), **QUICK)
        named = dict(zip(self._told, self.named(self._told), strict=True))
        self._elements = {name: str(one.elem_id) for name, one in named.items() if isinstance(one, Drawn)}
        self.models.connect_opening(blocks)
        opened = self.named(self._opened)
        blocks.load(self.open, opened, opened, **QUICK)

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

    # -- what concerns several parts ------------------------------------------------------------------------------

    def act(self, request: gr.Request, wanted: str, *settings: Any) -> Updates:  # noqa: ANN401
        """One of the buttons inside markup that are about chats. `page.js` writes a count, the button's name, and what
        it is about."""
        conversation = self.chat.conversation(request)
        name, _, about = wanted.partition(" ")[2].partition(" ")
        if name in self.chat.asks:
            updates = self.chat.asks[name](conversation, about, settings)
            return (*updates, *(gr.skip() for _ in ALL_PARTS[len(REPLY_PARTS) :]))
        action = self._actions.get(name)
        try:
            return action(conversation, about) if action is not None else only(ALL_PARTS, {})
        except LocalSpecError as error:
            conversation.warn(str(error), "action")
            conversation.listed.settle()
            return self.chat.updates.beside_only(conversation)

    def dismiss(self, conversation: Conversation, about: str) -> Updates:
        """Close a notice."""
        conversation.dismiss(identity(about))
        return only(ALL_PARTS, {})

    def press(self, wanted: str, method: str, request: gr.Request) -> Updates:
        """One of the buttons inside markup; `wanted` is its name as `pressed` reads it."""
        conversation = self.library.conversation(request)  # it is told what goes wrong
        name, own = pressed(wanted)
        if name in TUNING_PRESSES:
            with warned():
                self.application.tuner.press(name)  # what comes of it is told by the next tick
        elif name in endpoint_part.PRESSES:
            endpoint_part.press(self.application.endpoint, name)
        elif not any(elements.read_model_button(name, part) for part in ("model", "embedder")):  # those parts' own
            return self.library.answer_press(name, own, method, conversation)
        return only(LIBRARY_PARTS, {})

    def refresh(self, wanted: str, method: str, request: gr.Request) -> Updates:
        """What has changed since this tab was last told. `changes.js` writes a count, and the chat that the page's
        address names."""
        session = str(request.session_hash)
        conversation = self.application.conversation(session, looks=True)
        if not conversation.opened:
            conversation.opened = True
            self._show_addressed(conversation, wanted.partition(" ")[2])
        conversation.method = method
        tick = self._tick(conversation, session)
        tick.end()
        conversation.looked = time.monotonic()
        return only(self._told, tick.updates)

    def check(
        self, conversation: Conversation, session: str, missed: Collection[str] = (), again: Collection[str] = ()
    ) -> dict[str, str] | None:
        """What has changed in a tab, as markup by the element's id; None where it is to look, because Gradio is needed
        for it: one of its fields changes, or the page has `missed` elements that it was to draw. What did not come it
        asks for `again`, everything by "*"."""
        if not conversation.opened:
            return None
        unsure = {*missed, *again}
        forget(conversation, [name for name, element in self._elements.items() if element in unsure or "*" in again])
        tick = self._tick(conversation, session)
        if missed or any(name not in self._elements for name in tick.updates):
            return None
        tick.end()
        return {self._elements[name]: markup for name, markup in tick.updates.items()}

    def _tick(self, conversation: Conversation, session: str) -> Tick:
        tick = Tick(conversation, conversation.method, session)
        for part in self.parts:
            part.tell(tick)
        return tick

    def grow(self, _wanted: str, request: gr.Request) -> Update:
        """What is complete of the answer that is being written, to be drawn by Gradio."""
        conversation = self.application.conversation(str(request.session_hash), looks=True)
        chat = conversation.chat
        if chat.exchanges:
            growing_answer.settle(chat.exchanges[-1])
        tick = Tick(conversation, "")
        self.chat.updates.tell_messages(tick)
        tick.end()
        return tick.updates.get("chat", gr.skip())

    def _show_addressed(self, conversation: Conversation, address: str) -> None:
        """Show the chat that an address names, with its library, if there is such a one."""
        chat = self.application.chats.addressed(address)
        if chat is None or conversation.chat.exchanges:
            return
        conversation.show(chat)
        if chat.library != conversation.library and chat.library in self.application.libraries.names():
            conversation.use_library(chat.library)
            conversation.switched = True

    def opening(self, conversation: Conversation) -> dict[str, Props]:
        """What components hold in a tab that is opened now, by name."""
        return {name: props for part in self.parts for name, props in part.opening(conversation).items()}

    def open(self, request: gr.Request, *fields: Any) -> Updates:  # noqa: ANN401
        """A tab was opened: its fields say what they should, if they do not already, as where the browser kept them."""
        wanted = self.opening(self.chat.conversation(request))
        before = dict(zip(self._opened, fields, strict=True))
        changed = {name: gr.update(**props) for name, props in wanted.items() if props["value"] != before[name]}
        return only(self._opened, changed)
