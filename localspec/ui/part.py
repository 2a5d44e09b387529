"""What every part of the page has in common, and how handlers tell tabs what has changed."""

from __future__ import annotations

import itertools
import re
import threading
from abc import ABCMeta
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import gradio as gr
from gradio.component_meta import ComponentMeta

from localspec.application.conversation import Conversation
from localspec.application.state import Application
from localspec.errors import LocalSpecError

Update = Any
"""A component's new value, or what `gr.update` makes; Gradio types neither."""
Updates = tuple[Update, ...]
Props = dict[str, Any]
"""What a component has, by Gradio's names: its value, choices, info"""

QUICK: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
"""The options of every handler. None goes by Gradio's queue, which wakes a thousand times a second while it is empty,
and lets a page wait for answers; so none may give more than one, and what is to be said goes by `warn` and `inform`."""
LATEST: dict[str, Any] = {**QUICK, "trigger_mode": "always_last"}
EACH: dict[str, Any] = {**QUICK, "trigger_mode": "multiple"}


_SENT = itertools.count()


class _Unlisted(ComponentMeta):
    """Makes a class as Python does: Gradio's way also writes a file of type hints beside the module."""

    def __new__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> _Unlisted:
        return ABCMeta.__new__(cls, name, bases, attributes)


class Drawn(gr.Markdown, metaclass=_Unlisted):
    """Markup of our own in one element, whose content the page's script changes without Gradio (`changes.js`). Gradio,
    which knows nothing of that, sees another value whenever it is sent one.

    A class, for Gradio makes a component anew by its class whenever a handler says that nothing of it changes.
    """

    is_template = True  # it is called as the class it comes from

    def postprocess(self, value: str | None) -> str:  # type: ignore[override]
        """What Gradio is to draw."""
        return f'<div class="drawn" data-sent="{next(_SENT)}">{value or ""}</div>'


def html(name: str, drawn: str = "") -> Drawn:
    """An element whose content this package draws itself, so that everything from outside is escaped already."""
    return Drawn(drawn, sanitize_html=False, elem_id=name)


def hidden(name: str) -> gr.Textbox:
    """A field that the page's scripts write into: the server hears of buttons inside markup."""
    return gr.Textbox(visible="hidden", elem_id=name)


def tab(name: str) -> gr.Column:
    """A tab of the settings, which `views.js` shows and hides."""
    return gr.Column(elem_id=f"tab-{name}", elem_classes="settings-tab")


def closed(label: str, name: str) -> gr.Accordion:
    """A closed accordion whose fields are in the page from the start.

    With `open=False` Gradio makes the fields when it is first opened and, frames later, gives them their first values
    again: what was typed meanwhile is lost. It compares with `false` itself, so that 0 is closed and keeps them.
    """
    is_open: Any = 0
    return gr.Accordion(label, open=is_open, elem_id=name)


_SEEN = threading.Lock()
"""Held while what tabs were sent is written down: handlers and ticks run beside each other."""
_UNSURE = -1
"""What is seen of a component that may show one of two things: no text has this mark, for no hash is -1"""
_CALLER: ContextVar[Conversation | None] = ContextVar("caller", default=None)
"""The tab whose request is being handled"""


def warn(text: str, topic: str = "") -> None:
    """Tell the person at the tab at work what went wrong; about a topic, the newest counts."""
    conversation = _CALLER.get()
    if conversation is not None:
        conversation.warn(text, topic)


def inform(text: str, topic: str = "") -> None:
    """Tell the person at the tab at work something that goes away by itself."""
    conversation = _CALLER.get()
    if conversation is not None:
        conversation.inform(text, topic)


@contextmanager
def warned(topic: str = "") -> Iterator[None]:
    """What goes wrong inside is said to the person, and nothing more is done inside."""
    try:
        yield
    except LocalSpecError as error:
        warn(str(error), topic)


class Part:
    """A part of the page over one application. `build` makes its components inside the current Blocks, `connect` ties
    its handlers to them, and `tell` says at every tick what there is to see."""

    told: tuple[str, ...] = ()  # names of the components that `tell` speaks of
    opened: tuple[str, ...] = ()  # names of the components that `opening` fills

    def __init__(self, application: Application) -> None:
        self.application = application
        self.named: dict[str, gr.components.Component] = {}
        """what this part or others write into, by name; there once it is built"""

    def opening(self, conversation: Conversation) -> dict[str, Props]:
        """What components hold in a tab that is opened now, by name, with a "value" each; others are as they were
        built. It is asked when the page is served, for a tab that is not there yet, and again once it is."""
        return {}

    def tell(self, tick: Tick) -> None:
        """What there is to see in a tab now."""

    def conversation(self, request: gr.Request) -> Conversation:
        """The tab that a request comes from: what is said from now on is said to it. Whatever is done for it may be
        seen in others: they are told."""
        conversation = self.application.conversation(str(request.session_hash))
        _CALLER.set(conversation)
        return conversation


class Tick:
    """What a tab is told now: of each part of the page, only what has changed since it was last told."""

    def __init__(self, conversation: Conversation, method: str, session: str = "") -> None:
        self.conversation = conversation
        self.method = method
        """the method that is chosen in the tab"""
        self.session = session
        """Gradio's name of the tab"""
        self.updates: dict[str, Update] = {}
        """what to send, by the name of the component"""
        self._seen = conversation.seen  # another library begins a new one
        self._then: list[Callable[[], None]] = []
        self._new: dict[str, tuple[int | None, int | None, int]] = {}
        """of each component what was seen of it before, None for nothing; what it showed before; what it shows now"""

    def tell(self, name: str, shown: str, update: Update = None, first: str | None = None) -> None:
        """The component `name` shows this; `update` is sent where it is no text. `first`: what it shows at first."""
        seen = self._seen.get(name)
        before = mark(first) if seen is None and first is not None else seen
        if before != mark(shown):
            self.updates[name] = shown if update is None else update
        self._new[name] = seen, before, mark(shown)

    def then(self, done: Callable[[], None]) -> None:
        """Call this once all that was told is on its way: a tick may only have looked whether there is anything."""
        self._then.append(done)

    def end(self) -> None:
        """All that was told is on its way. What a handler has sent meanwhile is not forgotten; where both have sent
        something, and not the same, nobody knows which comes first: the next tick tells it again. So it does with all
        that was sent if the tab has another library by now."""
        with _SEEN:
            held, same = self.conversation.seen, self.conversation.seen is self._seen
            for name, (seen, before, now) in self._new.items():
                if same and held.get(name) in (seen, now):
                    held[name] = now
                elif before != now:
                    held[name] = _UNSURE
        for done in self._then:
            done()


def mark(shown: str) -> int:
    """A fingerprint, as `Conversation.seen` keeps it."""
    return hash(shown)


def remember(conversation: Conversation, shown: dict[str, str]) -> None:
    """This is on its way: the next tick need not send it again."""
    with _SEEN:
        conversation.seen.update({name: mark(text) for name, text in shown.items()})


def forget(conversation: Conversation, names: Sequence[str]) -> None:
    """Nobody knows what the tab shows of these: the next tick tells them again."""
    with _SEEN:
        conversation.seen.update(dict.fromkeys(names, _UNSURE))


def identity(text: str) -> int:
    """A number that the page sent; 0, which nothing has, for anything else."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0


def only(names: Sequence[str], updates: dict[str, Update]) -> Updates:
    """What a handler with these outputs returns: nothing changes but `updates`."""
    return tuple(updates.get(name, gr.skip()) for name in names)
