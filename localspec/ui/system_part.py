"""The person's own system prompt."""

from __future__ import annotations

import gradio as gr

from localspec import texts
from localspec.chat.material import PLAIN_SYSTEM
from localspec.ui.part import QUICK, Part, closed, remember, warned


class SystemPart(Part):
    """It belongs to the chat; what it is now is told beside it."""

    def build(self) -> None:
        """The field, closed at first."""
        with closed(texts.SYSTEM, "system-part"):
            self.field = self.named["system"] = gr.Textbox(
                label=texts.SYSTEM,
                show_label=False,
                info=texts.SYSTEM_INFO,
                placeholder=PLAIN_SYSTEM,
                lines=3,
                max_lines=12,
                max_length=8000,
                elem_id="system",
            )

    def connect(self) -> None:
        """Tie the handler."""
        self.field.blur(self.set_system, self.field, None, **QUICK)

    def set_system(self, text: str, request: gr.Request) -> None:
        """Keep the system prompt that was typed with the chat; the next question is asked with it."""
        conversation = self.conversation(request)
        chat, system = conversation.chat, (text or "").strip()
        remember(conversation, {"system": system})
        if system == chat.system:
            return
        chat.system = system
        if chat.identity:
            with warned():
                self.application.history.store.set_system(chat.identity, system)
