"""The files by the entry that go with the next question: each a chip with its name, size and state, and a × to take it
off again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

from localspec import texts
from localspec.application.attached_files import Attachment, attached, take_in, take_off
from localspec.application.conversation import Conversation
from localspec.errors import LocalSpecError
from localspec.stores.documents.parse import ParseLimits
from localspec.ui.attachment_markup import drawn
from localspec.ui.folder_part import dropped_files
from localspec.ui.part import EACH, Part, Tick, hidden, html, identity, remember, warned

_LONGEST_ACTION = 1_000_000
_LONGEST_WHY = 300


class AttachmentsPart(Part):
    """The chips, and what is done with them. `attachments.js` takes files from drops, the file dialog and the clipboard
    before Gradio does."""

    def build(self) -> None:
        """The line above the entry."""
        self.named["attachments"] = html("attachments")
        self.act = hidden("attach-act")

    def connect(self) -> None:
        """Tie the handler."""
        self.act.change(self.do, self.act, self.named["attachments"], **EACH)

    def tell(self, tick: Tick) -> None:
        """Those that waited for a model join the library; how far each is, `ChatUpdates` tells."""
        if any(one.is_pending for one in tick.conversation.attached):
            self._take_in(tick.conversation)

    def do(self, wanted: str, request: gr.Request) -> str:
        """Take files in, or one off: JSON, which `attachments.js` writes."""
        conversation = self.conversation(request)
        action = _read(wanted)
        if action.get("do") == "add":
            self.add(conversation, action)
        elif action.get("do") == "remove":
            with warned():
                self.remove(conversation, identity(str(action.get("key", ""))))
        shown = drawn(self.application, conversation)
        remember(conversation, {"attachments": shown})
        return shown

    def add(self, conversation: Conversation, action: dict[str, Any]) -> None:
        """Take in files that were uploaded, and name those that the page would not upload."""
        library = conversation.library
        found = attached(dropped_files(action.get("files")), library)
        refused = action.get("refused")
        found += (
            [_refused(one, library) for one in refused if isinstance(one, dict)] if isinstance(refused, list) else []
        )
        conversation.attached += found
        self._take_in(conversation)

    def remove(self, conversation: Conversation, key: int) -> None:
        """Take a file off again. Raises LocalSpecError."""
        for one in [one for one in conversation.attached if one.key == key]:
            conversation.attached.remove(one)
            take_off(self.application.libraries.opened(one.library), one)

    def _take_in(self, conversation: Conversation) -> None:
        """Add files to the library, if it can be opened: that needs a model."""
        models = self.application.models
        try:
            # It does not wait for a load.
            with models.use(lambda: True) as engine:
                if engine is not None:
                    library = self.application.libraries.get(conversation.library, engine)
                    take_in(library, conversation.attached)
        except LocalSpecError as error:
            for one in conversation.attached:
                if one.is_pending and one.library == conversation.library:
                    one.problem = str(error)


def _refused(one: dict[str, Any], library: str) -> Attachment:
    """A file that the page did not upload, with the reason; without one it is too large."""
    size, limit = one.get("size"), ParseLimits().file_bytes // 1024**2
    why = str(one.get("why") or texts.ATTACHED_TOO_LARGE.format(limit=limit))[:_LONGEST_WHY]
    return Attachment(str(one.get("name")), Path(), library, size if isinstance(size, int) else 0, problem=why)


def _read(wanted: str) -> dict[str, Any]:
    if len(wanted) > _LONGEST_ACTION:
        return {}
    try:
        action = json.loads(wanted)
    except ValueError:
        return {}
    return action if isinstance(action, dict) else {}
