"""The figures of answers: the live panel, where words came from, plain decoding, and all methods compared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from localspec import texts
from localspec.application.conversation import Conversation
from localspec.application.measuring import Measurement
from localspec.application.state import Application
from localspec.chat.comparison import PLAIN
from localspec.chat.turn import ReplyOptions
from localspec.errors import SettingsError
from localspec.ui import comparison_markup, panel
from localspec.ui.chat_updates import ALL_PARTS, ChatUpdates
from localspec.ui.messages import messages
from localspec.ui.options import reply_options
from localspec.ui.part import LATEST, QUICK, Part, Tick, Update, Updates, html, inform, only, warned


class ComparisonPart(Part):
    """What a measurement brings is shown by looks."""

    told = ("origins",)

    def __init__(self, application: Application, updates: ChatUpdates) -> None:
        super().__init__(application)
        self.updates = updates
        self._beginning = threading.Lock()
        self.actions: dict[str, Callable[[Conversation, str], Updates]] = {"halt": self.halt, "unmeasure": self.close}
        """what the buttons inside a measurement do"""

    def build(self) -> None:
        """The panel and what stands below it."""
        self.named["panel"] = html("panel", panel.empty())
        self.origins = self.named["origins"] = gr.Checkbox(
            False, label=texts.SHOW_ORIGINS, container=False, elem_id="show-origins"
        )
        with gr.Row(elem_id="measures"):
            self.measure_plain = gr.Button(texts.MEASURE_PLAIN, size="sm", min_width=110, elem_id="measure-plain")
            self.compare_methods = gr.Button(texts.COMPARE, size="sm", min_width=110, elem_id="compare-methods")
        self.named["measured"] = html("measured", comparison_markup.hint())

    def connect(
        self,
        chatbot: gr.components.Component,
        entry: gr.components.Component,
        settings: Sequence[gr.components.Component],
    ) -> None:
        """`settings` as `SAMPLING_ORDER` says."""
        measured, settings = self.named["measured"], list(settings)
        self.origins.input(self.show_origins, self.origins, chatbot, **LATEST)
        self.measure_plain.click(self.measure, settings, measured, **QUICK)
        self.compare_methods.click(self.compare, [entry, *settings], measured, **QUICK)

    def tell(self, tick: Tick) -> None:
        """Whether words are marked: a button in the chat does that, too."""
        on = tick.conversation.coloured
        tick.tell("origins", str(on), gr.update(value=on), first="False")

    def show_origins(self, on: bool, request: gr.Request) -> Update:
        """Mark the words of all answers of the chat by where they came from, or show them as usual."""
        conversation = self.conversation(request)
        conversation.coloured = bool(on)
        return messages(conversation.chat, conversation.coloured)

    def measure(self, request: gr.Request, *settings: Any) -> Update:  # noqa: ANN401
        """Write the last answer again by plain decoding."""
        return self._begin(self.conversation(request), settings, PLAIN)

    def compare(self, request: gr.Request, entry: dict[str, Any] | None, *settings: Any) -> Update:  # noqa: ANN401
        """Answer what stands in the entry, or else the last question, with every method."""
        conversation = self.conversation(request)
        question = ((entry or {}).get("text") or "").strip()
        if question and (entry or {}).get("files"):
            inform(texts.COMPARE_NO_FILES)
        return self._begin(conversation, settings, "compare", question)

    def halt(self, conversation: Conversation, about: str) -> Updates:
        """End what is being measured; the next tick shows its end."""
        if conversation.chat.measurement is not None:
            conversation.chat.measurement.stop()
        return only(ALL_PARTS, {})

    def close(self, conversation: Conversation, about: str) -> Updates:
        """Show what was measured no more."""
        measurement = conversation.chat.measurement
        if measurement is not None and measurement.is_over:
            conversation.chat.measurement = None
        return self.updates.beside_only(conversation)

    def _begin(self, conversation: Conversation, settings: Sequence[Any], kind: str, question: str = "") -> Update:
        """What is shown once it has begun; why there is nothing to measure now is said."""
        with warned():
            self._start(conversation, reply_options(*settings, library=conversation.library), kind, question)
        return self.updates.one(conversation, "measured")

    def _start(self, conversation: Conversation, options: ReplyOptions, kind: str, question: str) -> None:
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
            if not question and chat.library in self.application.libraries.names():
                library = chat.library
            measurement = Measurement(
                self.application, conversation, options, kind=kind, library=library, question=question
            )
            chat.measurement = measurement
            measurement.start()
