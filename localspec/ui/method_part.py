"""The choice of who drafts."""

from __future__ import annotations

import gradio as gr

from localspec import texts
from localspec.chat.methods import DEFAULT_METHOD, METHODS, listed
from localspec.ui.model_markup import alone
from localspec.ui.part import QUICK, Part, Tick, Update, html


class MethodPart(Part):
    """The methods, what the chosen one does, and why it goes without the draft model that it needs."""

    told = ("alone",)

    def build(self) -> None:
        """The switch."""
        self.method = gr.Radio(
            [(METHODS[name].label, name) for name in listed()],
            value=DEFAULT_METHOD,
            label=texts.METHOD,
            info=METHODS[DEFAULT_METHOD].explanation,
            elem_id="method",
        )
        self.named["alone"] = html("alone")

    def connect(self) -> None:
        """Tie the handler."""
        self.method.change(explain, self.method, self.method, **QUICK)

    def tell(self, tick: Tick) -> None:
        """Whether it goes without a draft model."""
        tick.tell("alone", alone(self.application.models.draft, tick.method))


def explain(method: str) -> Update:
    """What the chosen method does, beside the switch."""
    return gr.Radio(info=METHODS[method].explanation)
