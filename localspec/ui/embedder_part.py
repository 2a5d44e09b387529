"""Which model finds passages by meaning: the list, the downloads, and the choice."""

from __future__ import annotations

import shutil

import gradio as gr

from localspec import config
from localspec.application.conversation import Conversation
from localspec.application.downloads import UNDER_WAY, DownloadState, arrived
from localspec.application.embedding_anew import work_of
from localspec.models.embedder_catalogue import EmbedderEntry, available, embedder_entry
from localspec.ui import elements, embedder_markup
from localspec.ui.embedder_markup import EmbedderQuestion, EmbedderState
from localspec.ui.part import EACH, Part, Tick, Update, html, remember, warned

_SPARE_DISK = 64 * 2**20


class EmbedderPart(Part):
    """Nothing is downloaded, nor embedded anew, before the person was asked."""

    told = ("embedders",)

    def build(self) -> None:
        """Below the documents; the list is closed at first."""
        self.named["embedders"] = html("embedders")

    def connect(self, press: gr.Textbox) -> None:
        """`press` names the button that was pressed, of those inside markup."""
        press.change(self.press, press, self.named["embedders"], **EACH)

    def tell(self, tick: Tick) -> None:
        """The list, with what is asked and what is under way."""
        tick.tell("embedders", self.shown(tick.conversation))

    def shown(self, conversation: Conversation) -> str:
        """What there is to see now."""
        under_way = self._downloads()
        names = [state.entry.name for state in under_way if state.state in UNDER_WAY]
        used = self.application.libraries.embedder.entry.name
        states = [
            EmbedderState(
                *(entry, entry.name == used, entry.is_here, arrived(entry) if entry.wheel else 0, entry.name in names)
            )
            for entry in available()
        ]
        return embedder_markup.embedders(states, under_way, _question(*conversation.embedder_asked))

    def press(self, request: gr.Request, wanted: str) -> Update:
        """One of the buttons of this part; those of others are left alone."""
        pressed = elements.read_model_button(wanted.partition(" ")[0], "embedder")
        if pressed is None:
            return gr.skip()
        conversation = self.conversation(request)
        with warned():
            self.act(conversation, *pressed)
        shown = self.shown(conversation)
        remember(conversation, {"embedders": shown})
        return shown

    def act(self, conversation: Conversation, action: str, what: str) -> None:
        """Raises LocalSpecError."""
        downloads = self.application.downloads
        asked, conversation.embedder_asked = conversation.embedder_asked, ("", "")
        if action in ("ask", "use"):
            entry = embedder_entry(what)
            if action == "use":
                downloads.dismiss(what)
            conversation.embedder_asked = ("use" if entry.is_here else "get", entry.name)
        elif action == "get":
            downloads.begin([embedder_entry(what)])
        elif action == "use-now" and asked == ("use", what):
            downloads.dismiss(what)
            self.application.use_embedder(what)
        elif action == "stop":
            downloads.stop(what)
        elif action == "close":
            downloads.dismiss(what)

    def _downloads(self) -> list[DownloadState]:
        return [state for state in self.application.downloads.states() if isinstance(state.entry, EmbedderEntry)]


def _question(kind: str, name: str) -> EmbedderQuestion | None:
    entry = next((one for one in available() if one.name == name), None)
    if entry is None or not kind:
        return None
    if kind == "use":
        return EmbedderQuestion("use", name, work=work_of(entry))
    free = shutil.disk_usage(config.models_folder()).free
    return EmbedderQuestion("get", name, free, entry.bytes + 3 * entry.wheel_bytes + _SPARE_DISK <= free)
