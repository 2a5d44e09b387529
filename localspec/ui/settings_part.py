"""What an answer is made with: who drafts, what the question is read with, the system prompt, and the sampling."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import gradio as gr

from localspec import texts
from localspec.application.conversation import Conversation
from localspec.application.state import Application
from localspec.chat.engine import Engine
from localspec.chat.material import PLAIN_SYSTEM
from localspec.chat.methods import DEFAULT_METHOD, METHODS, SIZINGS, listed
from localspec.chat.prompt_builder import whole_room
from localspec.chat.sampling_presets import RECOMMENDED, SETTINGS
from localspec.chat.system_prompts import PROMPT_CHARACTERS
from localspec.chat.turn import ReplyOptions
from localspec.errors import LocalSpecError
from localspec.models.llama import MAX_ROWS
from localspec.models.llama.sampling import SamplingSettings
from localspec.ui import elements
from localspec.ui.kept_fields import KeptFields, follow, now_shown, watch_typing
from localspec.ui.model_markup import alone
from localspec.ui.options import NONE, PASSAGES, is_without
from localspec.ui.part import LATEST, QUICK, Part, Props, Tick, Update, hidden, html, mark, remember, warned
from localspec.ui.preset_part import PresetPart
from localspec.ui.prompt_part import PromptPart
from localspec.ui.reading_markup import choices

_KEPT = ("preset", "rows", "max_tokens", "seed", "thinking", "grammar")
"""Fields of sampling that no sampling preset sets, and that are kept each for itself"""


class MethodPart(Part):
    """The methods, what the chosen one does, and why it goes without the draft model that it needs."""

    told = ("alone", "method")
    opened = ("method", "method-explained")

    def __init__(self, application: Application) -> None:
        super().__init__(application)
        self._kept = KeptFields(self, ("method",))

    def build(self) -> None:
        """The switch."""
        self.method = self.named["method"] = gr.Dropdown(
            [(METHODS[name].label, name) for name in listed()],
            value=DEFAULT_METHOD,
            label=texts.METHOD,
            show_label=False,
            container=False,
            filterable=False,
            scale=0,
            min_width=130,
            elem_id="method",
        )

    def build_explained(self) -> None:
        """What the chosen method does, and why it goes without what it needs."""
        self.named["method-explained"] = html("method-explained", explain(DEFAULT_METHOD))
        self.named["alone"] = html("alone")

    def connect(self) -> None:
        """Tie the handler."""
        self.method.change(self.pick, self.method, self.named["method-explained"], **QUICK)
        self._kept.connect()

    def pick(self, method: str, request: gr.Request) -> str:
        """A method stands in the field: say what it does."""
        self.conversation(request).method = method
        return explain(method)

    def opening(self, conversation: Conversation) -> dict[str, Props]:
        """The method that was chosen last, with what it does."""
        props = self._kept.opening(conversation)
        return {**props, "method-explained": {"value": explain(props["method"]["value"])}}

    def tell(self, tick: Tick) -> None:
        """Whether it goes without a draft model; what another tab has chosen."""
        tick.tell("alone", alone(self.application.models.draft, tick.method))
        self._kept.tell(tick)


def explain(method: str) -> str:
    """What the chosen method does."""
    return elements.paragraph(METHODS[method].explanation, "quiet")


class ReadingPart(Part):
    """What the next question is read with; the menu by the entry, which is drawn with the library, writes into it."""

    told = ("read",)
    opened = ("read",)

    def build(self) -> None:
        """The field."""
        self.read = self.named["read"] = hidden("read")

    def connect(self) -> None:
        """Tie the handler."""
        # A hidden field that a script writes into tells "change" alone; what the server set is no choice (`set_read`).
        self.read.change(self.set_read, self.read, None, **LATEST)

    def set_read(self, value: str | None, request: gr.Request) -> None:
        """Keep what was picked for the chats that begin from now on, and with the chat whether it goes without
        documents."""
        conversation = self.conversation(request)
        if (value or PASSAGES) == conversation.read:
            return  # the server has set the field
        conversation.read = value or PASSAGES
        conversation.without_documents = conversation.chat.without_documents = is_without(value)
        with warned():
            self.application.preferences.update(read=NONE if is_without(value) else value or PASSAGES)
        conversation.usual = self._usual(self._readable(conversation) or ())

    def opening(self, conversation: Conversation) -> dict[str, Props]:
        """What is read unless the person says otherwise; what of a library, as far as that is open."""
        readable = self._readable(conversation)
        if readable is None:
            return {}
        self._begin(conversation)
        conversation.read = self._value(conversation, readable)
        return {"read": {"value": conversation.read}}

    def tell(self, tick: Tick) -> None:
        """What is read, where the tab did not say so itself. A choice made for another library goes, and one of a
        document that cannot be read whole any more; "no documents" is the chat's own, and comes and goes with it."""
        conversation, name = tick.conversation, tick.conversation.library
        readable = self._readable(conversation)
        if readable is None:
            return
        self._begin(conversation)
        without, usual = conversation.chat.without_documents, self._usual(readable)
        kept = (conversation.reading, conversation.without_documents, conversation.usual) == (name, without, usual)
        if kept and conversation.read in readable:
            return
        read = NONE if without else usual

        def told() -> None:
            conversation.read = read
            conversation.reading, conversation.without_documents, conversation.usual = name, without, usual

        tick.updates["read"] = gr.update(value=read)
        tick.then(told)

    def _readable(self, conversation: Conversation) -> list[str] | None:
        """What can be picked, as values; None where that cannot be known."""
        name, engine = conversation.library, self.application.models.engine
        library = self.application.libraries.opened(name)
        room = whole_room(engine.model.context_size) if engine is not None else sys.maxsize
        try:
            listed = choices(name, library.documents() if library is not None else (), room)
        except LocalSpecError:  # told beside the documents
            return None
        return [one.value for one in listed if not one.reason]

    def _begin(self, conversation: Conversation) -> None:
        """A chat in which nothing was asked yet goes without documents where that was chosen last."""
        chat, kind = conversation.chat, self.application.preferences.chosen.read
        if chat.identity or chat.exchanges or conversation.begun == (chat, kind):
            return
        chat.without_documents = kind == NONE
        conversation.begun = chat, kind

    def _usual(self, readable: Sequence[str]) -> str:
        """What is read where documents are wanted: what was chosen last, if it is there."""
        read = self.application.preferences.chosen.read
        return read if read != NONE and read in readable else PASSAGES

    def _value(self, conversation: Conversation, readable: Sequence[str]) -> str:
        return NONE if conversation.chat.without_documents else self._usual(readable)


class SystemPart(Part):
    """It belongs to the chat; what it is now is told beside it. Those that are saved by name can be picked."""

    def __init__(self, application: Application) -> None:
        super().__init__(application)
        self.prompts = PromptPart(application, self._use)

    def build(self) -> None:
        """The list and the field."""
        with gr.Column(elem_id="system-part"):
            self.prompts.build_choice()
            self.field = self.named["system"] = gr.Textbox(
                label=texts.SYSTEM,
                show_label=False,
                info=texts.SYSTEM_INFO,
                placeholder=PLAIN_SYSTEM,
                lines=3,
                max_lines=12,
                max_length=PROMPT_CHARACTERS,
                elem_id="system",
            )
            self.prompts.build_buttons()

    def connect(self) -> None:
        """Tie the handlers."""
        self.field.blur(self.set_system, self.field, self.prompts.choice, **QUICK)
        self.prompts.connect([self.field])

    def set_system(self, text: str, request: gr.Request) -> Update:
        """Keep the system prompt that was typed with the chat; the next question is asked with it. Its name, if it is
        saved under one."""
        conversation = self.conversation(request)
        system = (text or "").strip()
        if system == conversation.chat.system:
            remember(conversation, {"system": system})
            return gr.skip()
        self._use(conversation, system)
        return self.prompts.named_now(conversation)

    def _use(self, conversation: Conversation, system: str) -> None:
        """Make it the chat's."""
        chat = conversation.chat
        remember(conversation, {"system": system})
        if system == chat.system:
            return
        chat.system = system
        if chat.identity:
            with warned():
                self.application.history.store.set_system(chat.identity, system)


class SamplingPart(Part):
    """The fields, and the presets that fill some of them. While none was chosen, they show what is recommended for the
    model that is loaded."""

    told = opened = (*_KEPT, "sampling", *SETTINGS)

    def __init__(self, application: Application) -> None:
        super().__init__(application)
        self.presets = PresetPart(application)
        self._kept = KeptFields(self, _KEPT)

    def build(self) -> None:
        """The presets and the fields."""
        with gr.Column(elem_id="advanced-part"):
            self.presets.build()
            self.named["sampling"] = self.presets.choice
            self._build_sampling()
            with gr.Row():
                self.named["preset"] = gr.Radio(
                    list(SIZINGS), value=SIZINGS[0], label="Draft size", info=texts.PRESET_INFO
                )
                self.named["rows"] = gr.Number(
                    0, label="Max rows", info=texts.ROWS_INFO, precision=0, minimum=0, maximum=MAX_ROWS, min_width=100
                )

    def _build_sampling(self) -> None:
        usual, fields = SamplingSettings(), self.named
        with gr.Row():
            fields["temperature"] = gr.Number(
                usual.temperature, label="Temperature", info=texts.TEMPERATURE_INFO, step=0.1, min_width=120
            )
            fields["max_tokens"] = gr.Number(
                ReplyOptions().max_tokens,
                label="Max tokens",
                info="Limit of an answer.",
                precision=0,
                min_width=120,
                elem_id="max-tokens",
            )
        with gr.Row():
            fields["top_k"] = gr.Number(usual.top_k, label="Top-k", info="0 is off.", precision=0, min_width=80)
            fields["top_p"] = gr.Number(usual.top_p, label="Top-p", info="1 is off.", step=0.05, min_width=80)
            fields["min_p"] = gr.Number(usual.min_p, label="Min-p", info="0 is off.", step=0.01, min_width=80)
        with gr.Row():
            fields["repeat_penalty"] = gr.Number(
                usual.repeat_penalty, label="Repeat penalty", info="1 is off.", step=0.05, min_width=120
            )
            fields["dry_multiplier"] = gr.Number(
                usual.dry_multiplier, label="DRY", info=texts.DRY_INFO, step=0.1, min_width=100
            )
            fields["seed"] = gr.Textbox(
                "", label="Seed", info=texts.SEED_INFO, max_lines=1, max_length=12, min_width=120, elem_id="seed"
            )
        fields["thinking"] = gr.Dropdown(
            [(label, name) for name, label in texts.THINKING_CHOICES.items()],
            value="",
            label=texts.THINKING,
            info=texts.THINKING_INFO,
            elem_id="thinking",
        )
        fields["grammar"] = gr.Textbox("", label="Grammar", info=texts.GRAMMAR_INFO, lines=2, max_lines=8)

    def connect(self) -> None:
        """The presets fill the fields of `SETTINGS`."""
        self.presets.connect([self.named[name] for name in SETTINGS])
        self._kept.connect()
        watch_typing(self, ("sampling", *SETTINGS))

    def opening(self, conversation: Conversation) -> dict[str, Props]:
        """What was chosen last, or what is recommended for the model that is loaded."""
        chosen, engine = self.application.preferences.chosen, self.application.models.engine
        conversation.own_sampling = chosen.sampling != RECOMMENDED
        props = self._kept.opening(conversation)
        props["sampling"] = {"value": chosen.sampling, "choices": self.presets.choices()}
        if conversation.own_sampling:
            props |= {name: {"value": getattr(chosen, name)} for name in SETTINGS}
            now_shown(conversation, chosen, SETTINGS)
        elif engine is not None:
            recommended = _recommended(engine)
            props |= {name: {"value": value} for name, value in recommended.items()}
            remember(conversation, {name: _as_recommended(engine, value) for name, value in recommended.items()})
        now_shown(conversation, chosen, ("sampling",))
        return props

    def tell(self, tick: Tick) -> None:
        """What another tab has chosen; what is recommended for the model, where nothing else was chosen."""
        conversation, chosen = tick.conversation, self.application.preferences.chosen
        self._kept.tell(tick)
        if conversation.seen.get("sampling") != mark(repr(chosen.sampling)):
            conversation.own_sampling = chosen.sampling != RECOMMENDED
        picked = gr.update(value=chosen.sampling, choices=self.presets.choices())
        tick.tell("sampling", repr(chosen.sampling), picked)
        if conversation.own_sampling:
            follow(tick, chosen, SETTINGS)
            return
        engine = self.application.models.engine
        if engine is None:
            return
        for name, value in _recommended(engine).items():
            tick.tell(name, _as_recommended(engine, value), gr.update(value=value))


def _recommended(engine: Engine) -> dict[str, Any]:
    """What is recommended for a model, by the field's name."""
    return {name: getattr(engine.recommended.sampling, name) for name in SETTINGS}


def _as_recommended(engine: Engine, value: object) -> str:
    """What a field shows that follows the model."""
    return f"{engine.name} {value}"
