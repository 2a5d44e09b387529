"""How answers are sampled and drafts sized: the settings that few people change, with their presets."""

from __future__ import annotations

import gradio as gr

from localspec import texts
from localspec.application.state import Application
from localspec.chat.methods import SIZINGS
from localspec.chat.sampling_presets import SETTINGS
from localspec.chat.turn import ReplyOptions
from localspec.models.llama import MAX_ROWS
from localspec.models.llama.sampling import SamplingSettings
from localspec.ui.part import Part, closed
from localspec.ui.preset_part import PresetPart


class SamplingPart(Part):
    """The fields, and the presets that fill some of them."""

    def __init__(self, application: Application) -> None:
        super().__init__(application)
        self.presets = PresetPart(application)

    def build(self) -> None:
        """All of it, closed at first."""
        with closed(texts.ADVANCED, "advanced-part"):
            self.presets.build()
            self._build_sampling()
            with gr.Row():
                self.named["preset"] = gr.Radio(
                    list(SIZINGS), value=SIZINGS[0], label="Draft size", info=texts.PRESET_INFO
                )
                self.named["rows"] = gr.Number(
                    0, label="Rows", info=texts.ROWS_INFO, precision=0, minimum=0, maximum=MAX_ROWS, min_width=100
                )

    def _build_sampling(self) -> None:
        usual, fields = SamplingSettings(), self.named
        with gr.Row():
            fields["temperature"] = gr.Number(
                usual.temperature, label="Temperature", info=texts.TEMPERATURE_INFO, step=0.1, min_width=120
            )
            fields["max_tokens"] = gr.Number(
                ReplyOptions().max_tokens,
                label="Longest answer",
                info="In tokens.",
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
            fields["seed"] = gr.Number(None, label="Seed", info=texts.SEED_INFO, precision=0, min_width=120)
        fields["grammar"] = gr.Textbox("", label="Grammar", info=texts.GRAMMAR_INFO, lines=2, max_lines=8)

    def connect(self) -> None:
        """The presets fill the fields of `SETTINGS`."""
        self.presets.connect([self.named[name] for name in SETTINGS])
