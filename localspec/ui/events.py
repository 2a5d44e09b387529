"""What happens when people do something on the page."""

from __future__ import annotations

from typing import Any

import gradio as gr

from localspec.application.state import Application, Conversation
from localspec.application.tuning import PRESSES as TUNING_PRESSES
from localspec.chat.methods import METHODS
from localspec.chat.sampling_presets import SETTINGS
from localspec.errors import LocalSpecError
from localspec.ui import endpoint, formats, markup, whole
from localspec.ui.citing import Citing
from localspec.ui.compare import Measures
from localspec.ui.conversations import CHAT_PARTS, Chats, Update
from localspec.ui.libraries import Libraries, box, pressed
from localspec.ui.library_part import LIBRARY_PARTS
from localspec.ui.model_parts import alone, draft_status, read_button, status
from localspec.ui.models import MODEL_PARTS, PICKING_PARTS, ModelPart
from localspec.ui.options import SAMPLING_ORDER
from localspec.ui.page import Page
from localspec.ui.presets import PresetEvents

OTHER_PARTS = ("endpoint",)
"""The parts of the page that tell of the application."""


class Events:
    """The handlers, over one application."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.chats = Chats(application)
        self.measures = Measures(application, self.chats)
        self.libraries = Libraries(application)
        self.models = ModelPart(application)
        self.citing = Citing(application)
        self.presets = PresetEvents(lambda: application.presets)

    def connect(self, page: Page) -> None:
        """Tie the handlers to the components. Inside the Blocks that holds them."""
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        # One limit per handler: what happens beside a running reply never waits for it.
        self.chats.connect(page, quick)
        self.measures.connect(page, quick)
        self.libraries.connect(page, quick)
        self.citing.connect(page, quick)
        fields = dict(zip(SAMPLING_ORDER, page.settings, strict=True))
        self.presets.connect(page.presets, [fields[name] for name in SETTINGS], quick)
        page.method.change(explain, page.method, page.method, **quick)
        page.press.change(self.press, [page.press, page.method], page.library_parts, **quick)
        self.models.connect(page, quick)
        told = [
            *(page.status, page.draft_status, page.formats, page.alone, page.endpoint, *page.library_parts),
            *(page.below, page.chats, page.measured, page.system, page.learning, page.library, page.read),
            *(page.fit, page.downloads, page.offers, page.unusable, page.model, page.draft),
        ]
        page.timer.tick(self.refresh, page.method, told, **quick)

    def connect_opening(self, blocks: gr.Blocks, page: Page) -> None:
        """What a tab is told when it is opened."""
        fields = [page.model, page.model_file, page.draft, page.context, page.gpu_layers, page.threads]
        blocks.load(self.models.open, fields, fields, show_progress="hidden", api_visibility="private")

    def press(self, wanted: str, method: str, request: gr.Request) -> tuple[Update, ...]:
        """One of the buttons inside markup; `wanted` is its name as `pressed` reads it."""
        name, own = pressed(wanted)
        if read_button(name) is not None:
            return tuple(gr.skip() for _ in LIBRARY_PARTS)
        if name in TUNING_PRESSES:
            try:
                self.application.tuner.press(name)  # what comes of it is told by the next tick
            except LocalSpecError as error:
                gr.Warning(markup.lines(str(error)))
        elif name in endpoint.PRESSES:
            endpoint.press(self.application.endpoint, name)
        else:
            return self.libraries.press(name, own, method, self._conversation(request))
        return tuple(gr.skip() for _ in LIBRARY_PARTS)

    # -- what changes by itself ---------------------------------------------------------------------------------

    def refresh(self, method: str, request: gr.Request) -> tuple[Update, ...]:
        """Status, progress and documents; only what has changed since this tab was last told."""
        conversation = self._conversation(request)
        seen = conversation.seen
        draft = self.application.models.draft
        parts = {
            "status": status(self.application),
            "draft": draft_status(draft),
            "formats": formats.formats(self.application.tuner.state()),
            "alone": alone(draft, method),
            "endpoint": endpoint.shown(self.application.endpoint, draft.target if draft is not None else ""),
            **self.libraries.parts(conversation, method),
            **self.chats.beside(conversation),
            **self.models.parts(conversation),
        }
        names = self.application.library_names()
        updates: list[Update] = []
        for part in (*MODEL_PARTS, *OTHER_PARTS, *LIBRARY_PARTS, *CHAT_PARTS, "learning"):
            # The system prompt is empty at first, and somebody may be typing it already.
            known = seen.get(part, "" if part == "system" else None)
            changed = part in parts and known != parts[part]
            told: Update = parts.get(part)
            if part == "learning":
                told = told == box(True)
            updates.append(told if changed else gr.skip())
        listed = "\n".join(names)
        if conversation.switched:
            conversation.switched = False
            updates.append(gr.Dropdown(choices=names, value=conversation.library))
        else:
            updates.append(gr.Dropdown(choices=names) if seen.get("libraries") != listed else gr.skip())
        updates.append(self._read(conversation))
        updates += [parts[part] if seen.get(part) != parts[part] else gr.skip() for part in PICKING_PARTS]
        choices = self.models.choices()
        updates += [gr.Dropdown(choices=made) if seen.get(name) != str(made) else gr.skip() for name, made in choices]
        seen.update({**parts, "libraries": listed, **{name: str(made) for name, made in choices}})
        return tuple(updates)

    def _read(self, conversation: Conversation) -> Update:
        """What can be read whole, where that has changed. A choice made for another library goes."""
        seen, name = conversation.seen, conversation.library
        library = self.application.opened(name)
        try:
            choices = whole.choices(name, library.documents() if library is not None else ())
        except LocalSpecError:  # told beside the documents
            return gr.skip()
        known = repr(choices)
        if seen.get("read") == known:
            return gr.skip()
        seen["read"] = known
        own = conversation.reading == name
        conversation.reading = name
        return gr.Dropdown(choices=choices) if own else gr.Dropdown(choices=choices, value=whole.PASSAGES)

    def leave(self, request: gr.Request) -> None:
        """The tab was closed."""
        self.application.leave(str(request.session_hash))

    def _conversation(self, request: gr.Request) -> Conversation:
        return self.application.conversation(str(request.session_hash))


def explain(method: str) -> Update:
    """What the chosen method does, beside the switch."""
    return gr.Radio(info=METHODS[method].explanation)
