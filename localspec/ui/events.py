"""What connects the parts of the page: buttons inside markup, and the tick that tells tabs what has changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from localspec.application.tuning import PRESSES as TUNING_PRESSES
from localspec.errors import LocalSpecError
from localspec.ui import elements, endpoint_part
from localspec.ui.chat_updates import ALL_PARTS, REPLY_PARTS
from localspec.ui.library_part import pressed
from localspec.ui.library_updates import LIBRARY_PARTS
from localspec.ui.page import Page
from localspec.ui.part import EACH, QUICK, Tick, Updates, only, warned

TICK_SECONDS = 1.5


class Events:
    """The handlers, over one page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.application = page.application
        self._actions = {
            **page.chat_list.actions,
            **page.comparison.actions,
            "edit": page.chat.edit,
            "unedit": page.chat.unedit,
        }
        self._told = tuple(name for part in page.parts for name in part.told)

    def connect(self, blocks: gr.Blocks) -> None:
        """Tie the handlers to the components. Inside the Blocks that holds them."""
        page, method = self.page, self.page.method.method
        act, press = page.chat_list.act, page.library.press
        # Not "always_last": one action may be an answer that goes on for minutes.
        act.change(self.act, [act, *page.settings], page.named(ALL_PARTS), **EACH)
        press.change(self.press, [press, method], page.library.outputs, **QUICK)
        gr.Timer(TICK_SECONDS).tick(self.refresh, method, page.named(self._told), **QUICK)
        page.models.connect_opening(blocks)
        blocks.unload(self.leave)

    def act(self, request: gr.Request, wanted: str, *settings: Any) -> Iterator[Updates]:  # noqa: ANN401
        """One of the buttons inside markup that are about chats. `page.js` writes a count, the button's name, and what
        it is about."""
        conversation = self.page.chat.conversation(request)
        name, _, about = wanted.partition(" ")[2].partition(" ")
        if name == "continue":
            for updates in self.page.chat.go_on(conversation, settings):
                yield (*updates, *(gr.skip() for _ in ALL_PARTS[len(REPLY_PARTS) :]))
            return
        action = self._actions.get(name)
        try:
            yield action(conversation, about) if action is not None else only(ALL_PARTS, {})
        except LocalSpecError as error:
            gr.Warning(elements.lines(str(error)))
            conversation.listed.settle()
            yield self.page.chat.updates.beside_only(conversation)

    def press(self, wanted: str, method: str, request: gr.Request) -> Updates:
        """One of the buttons inside markup; `wanted` is its name as `pressed` reads it."""
        name, own = pressed(wanted)
        if name in TUNING_PRESSES:
            with warned():
                self.application.tuner.press(name)  # what comes of it is told by the next tick
        elif name in endpoint_part.PRESSES:
            endpoint_part.press(self.application.endpoint, name)
        elif elements.read_model_button(name) is None:  # those about models are the model part's own
            library = self.page.library
            return library.answer_press(name, own, method, library.conversation(request))
        return only(LIBRARY_PARTS, {})

    def refresh(self, method: str, request: gr.Request) -> Updates:
        """What changes by itself; only what has changed since this tab was last told."""
        tick = Tick(self.page.chat.conversation(request), method)
        for part in self.page.parts:
            part.tell(tick)
        tick.end()
        return only(self._told, tick.updates)

    def leave(self, request: gr.Request) -> None:
        """The tab was closed."""
        self.application.leave(str(request.session_hash))
