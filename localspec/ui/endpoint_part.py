"""The part of the page about other programs that use the model: a switch, and what to give them."""

from __future__ import annotations

import gradio as gr

from localspec import texts
from localspec.endpoint.service import Service
from localspec.ui import elements
from localspec.ui.part import Part, Tick, html

ON, OFF, RENEW = "endpoint-on", "endpoint-off", "endpoint-token"
PRESSES = (ON, OFF, RENEW)
"""Names of the buttons on the page."""


class EndpointPart(Part):
    """Other programs that use the model."""

    told = ("endpoint",)

    def build(self) -> None:
        """The switch, closed at first."""
        with gr.Column(elem_id="endpoint-part"):
            self.named["endpoint"] = html("endpoint")

    def tell(self, tick: Tick) -> None:
        """Where the switch stands."""
        draft = self.application.models.draft
        tick.tell("endpoint", shown(self.application.endpoint, draft.target if draft is not None else ""))


def press(service: Service, name: str) -> None:
    """Do what a button says."""
    if name == RENEW:
        service.renew()
    else:
        service.switch(name == ON)


def shown(service: Service, model: str) -> str:
    """Where the switch stands. `model` is the loaded one, "" where there is none."""
    if not service.is_on:
        return _part("off", texts.ENDPOINT_OFF, elements.press(ON, texts.SWITCH_ON))
    values = [(texts.ENDPOINT_URL, service.base_url), (texts.ENDPOINT_TOKEN, service.token)]
    values += [(texts.MODEL, model)] if model else []
    said = texts.ENDPOINT_ON.format(model=model or texts.ENDPOINT_NO_MODEL)
    rows = "".join(elements.copied(name, value) for name, value in values)
    return _part("on", said, rows, elements.press(OFF, texts.SWITCH_OFF), elements.press(RENEW, texts.NEW_TOKEN))


def _part(state: str, said: str, *more: str) -> str:
    return f'<div class="endpoint" data-endpoint="{state}"><p>{elements.lines(said)}</p>{"".join(more)}</div>'
