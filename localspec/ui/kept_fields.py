"""Fields of which the application keeps what the person chose: for a reload, for other tabs, and for the next start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr

from localspec.application.conversation import Conversation
from localspec.application.preferences import Chosen, Preferences
from localspec.ui.part import LATEST, QUICK, Part, Props, Tick, mark, remember, warned


class KeptFields:
    """Some fields of a part, by the names that they have among its components and in `preferences.Chosen`."""

    def __init__(self, part: Part, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._part = part

    def connect(self) -> None:
        """Keep what is chosen or typed, at once."""
        for name in self.names:
            field: Any = self._part.named[name]
            field.input(self._keeper(name), field, None, **LATEST)
            if isinstance(field, gr.Textbox):  # it tells of what was pasted when it is left, and not before
                field.blur(self._keeper(name), field, None, **LATEST)
        watch_typing(self._part, self.names)

    def opening(self, conversation: Conversation) -> dict[str, Props]:
        """What they hold in a tab that is opened."""
        chosen = self._part.application.preferences.chosen
        now_shown(conversation, chosen, self.names)
        return {name: {"value": getattr(chosen, name)} for name in self.names}

    def tell(self, tick: Tick) -> None:
        """What was chosen in another tab."""
        follow(tick, self._part.application.preferences.chosen, self.names)

    def _keeper(self, name: str) -> Callable[..., None]:
        def keep(value: Any, request: gr.Request) -> None:  # noqa: ANN401 - what the field gives
            preferences, conversation = self._part.application.preferences, self._part.conversation(request)
            if conversation.seen.get(name) == mark(repr(value)):
                return  # nothing was changed here; another tab may have changed it
            take_over(preferences, conversation, {name: value})

        return keep


def watch_typing(part: Part, names: Sequence[str]) -> None:
    """Know in which of these fields somebody is, so that another tab does not change it under the hands."""
    for name in names:
        field: Any = part.named[name]
        if hasattr(field, "focus") and hasattr(field, "blur"):
            field.focus(_entering(part, name), None, None, **QUICK)
            field.blur(_leaving(part, name), None, None, **QUICK)


def _entering(part: Part, name: str) -> Callable[..., None]:
    def enter(request: gr.Request) -> None:
        part.conversation(request).typing = name

    return enter


def _leaving(part: Part, name: str) -> Callable[..., None]:
    def leave(request: gr.Request) -> None:
        conversation = part.conversation(request)
        if conversation.typing == name:  # the next one may have been entered already
            conversation.typing = ""

    return leave


def follow(tick: Tick, chosen: Chosen, names: Sequence[str]) -> None:
    """Tell a tab the fields that were changed in another one, but for the one that somebody is in."""
    for name in names:
        if name != tick.conversation.typing:
            value = getattr(chosen, name)
            tick.tell(name, repr(value), gr.update(value=value))


def take_over(preferences: Preferences, conversation: Conversation, values: Mapping[str, Any]) -> None:
    """Keep what a tab's fields say now. Where it cannot be kept, such as no number, the tab is told what is kept once
    nobody is in the field any more."""
    with warned():
        preferences.update(**values)
    shown = {name: (getattr(preferences.chosen, name), value) for name, value in values.items()}
    remember(conversation, {name: repr(kept if kept == value else value) for name, (kept, value) in shown.items()})


def now_shown(conversation: Conversation, chosen: Chosen, names: Sequence[str]) -> None:
    """The tab shows what is kept: the next tick need not tell it."""
    remember(conversation, {name: repr(getattr(chosen, name)) for name in names})
