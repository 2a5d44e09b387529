"""The choice of what a question is read with: the best passages, or whole documents."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from localspec import texts
from localspec.errors import LocalSpecError, SettingsError
from localspec.stores.library import DocumentInfo
from localspec.ui.part import Part, Tick

PASSAGES = ""
ALL = "all"
_MOST = 200
_READ = ("ngrams", "ready")


class ReadingPart(Part):
    """The picker by the entry."""

    told = ("read",)

    def build(self) -> None:
        """The picker."""
        self.read = self.named["read"] = gr.Dropdown(
            choices("", ()),
            value=PASSAGES,
            label=texts.READ,
            show_label=False,
            container=False,
            allow_custom_value=True,
            scale=0,
            min_width=190,
            elem_id="read",
        )

    def tell(self, tick: Tick) -> None:
        """What can be read whole, where that has changed. A choice made for another library goes."""
        conversation, name = tick.conversation, tick.conversation.library
        library = self.application.opened(name)
        try:
            listed = choices(name, library.documents() if library is not None else ())
        except LocalSpecError:  # told beside the documents
            return
        own = conversation.reading == name
        update = gr.update(choices=listed) if own else gr.update(choices=listed, value=PASSAGES)
        tick.tell("read", repr(listed), update)
        if "read" in tick.updates:
            conversation.reading = name


def choices(library: str, infos: Sequence[DocumentInfo]) -> list[tuple[str, str]]:
    """What can be picked, as label and value; the newest documents first."""
    ready = [info for info in infos if info.status in _READ and info.tokens > 0]
    listed = [(texts.READ_PASSAGES, PASSAGES)]
    if not ready:
        return listed
    everything = texts.READ_ALL.format(tokens=f"{sum(info.tokens for info in ready):,}")
    single = [
        (texts.READ_ONE.format(name=info.name, tokens=f"{info.tokens:,}"), f"{info.id} {library}")
        for info in reversed(ready)
    ]
    return [*listed, (everything, ALL), *single[:_MOST]]


def chosen(value: str | None, library: str) -> tuple[int, ...] | None:
    """The documents to be read whole, as `ReplyOptions` has them. Raises SettingsError for one of another library."""
    if not value or value == texts.READ_PASSAGES:
        return None
    if value == ALL:
        return ()
    identity, _, own = value.partition(" ")
    if not identity.isdecimal() or len(identity) > 18 or own != library:
        raise SettingsError(texts.READ_ELSEWHERE.format(library=library), texts.READ_ELSEWHERE_ADVICE)
    return (int(identity),)
