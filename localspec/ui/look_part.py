"""How the page looks: the theme, and what of it is open."""

from __future__ import annotations

import json

import gradio as gr

from localspec import texts
from localspec.application.conversation import Conversation
from localspec.application.preferences import THEMES
from localspec.application.state import Application
from localspec.ui import elements
from localspec.ui.kept_fields import KeptFields
from localspec.ui.part import EACH, Part, Props, Tick, hidden, html, warned

_OPEN = ("chats", "panel")
_NAMED = ("tab",)
"""What the page's scripts keep, beside what is open"""


class LookPart(Part):
    """`look.js` applies the theme, in the tab where it is chosen at once, and hears by a hidden field what was opened
    or closed. That is for the next tab: those that are open keep theirs."""

    told = ("theme", "look", "preferences-told")
    opened = ("theme",)

    def __init__(self, application: Application) -> None:
        super().__init__(application)
        self._kept = KeptFields(self, ("theme",))

    def build(self) -> None:
        """The theme, and what is said where preferences cannot be kept."""
        self.named["theme"] = gr.Radio(
            [(texts.THEME_CHOICES[name], name) for name in THEMES], value=THEMES[0], label=texts.THEME, elem_id="theme"
        )
        self.named["preferences-told"] = html("preferences-told")
        self.named["look"] = html("look")
        self.changed = hidden("look-changed")

    def connect(self) -> None:
        """Tie the handlers."""
        self._kept.connect()
        self.changed.change(self.keep, self.changed, None, **EACH)

    def keep(self, sent: str, request: gr.Request) -> None:
        """What was opened, closed or shown, as JSON: names with true or false, "tab" with a name."""
        self.conversation(request)
        try:
            told = json.loads(sent)
        except (ValueError, RecursionError):
            return
        if isinstance(told, dict):
            self.conversation(request)
            with warned():
                wanted = {name: told[name] for name in (*_OPEN, *_NAMED) if name in told}
                self.application.preferences.update(**wanted)

    def opening(self, conversation: Conversation) -> dict[str, Props]:
        """The theme that was chosen last."""
        return self._kept.opening(conversation)

    def tell(self, tick: Tick) -> None:
        """The theme that another tab has chosen, and why preferences are not kept."""
        self._kept.tell(tick)
        preferences = self.application.preferences
        theme = elements.literal(preferences.chosen.theme)
        tick.tell("look", f'<span data-theme="{theme}"></span>')
        problem = preferences.problem
        tick.tell("preferences-told", elements.note(problem, "problem") if problem else "", first="")
