"""The files that go with the next question as markup: a chip each, with name, size, state and a × to take it off."""

from __future__ import annotations

from collections.abc import Sequence

from localspec import texts
from localspec.application.attached_files import Attachment, AttachmentState, states
from localspec.application.conversation import Conversation
from localspec.application.state import Application
from localspec.errors import LocalSpecError
from localspec.ui.elements import literal


def drawn(application: Application, conversation: Conversation) -> str:
    """The chips of the tab's library; empty where there are none."""
    own = [one for one in conversation.attached if one.library == conversation.library]
    if not own:
        return ""
    waits = texts.ATTACHED_LOADING if application.models.loading else texts.ATTACHED_NO_MODEL
    try:
        found = states(own, application.libraries.opened(conversation.library), waits)
    except LocalSpecError as error:
        found = [AttachmentState("waiting", str(error))] * len(own)
    return chips(own, found)


def chips(attachments: Sequence[Attachment], found: Sequence[AttachmentState]) -> str:
    """The files with their states, as markup."""
    rows = "".join(_chip(one, state) for one, state in zip(attachments, found, strict=True))
    return f'<ul class="attached" aria-label="{literal(texts.ATTACHED)}">{rows}</ul>'


def _chip(one: Attachment, state: AttachmentState) -> str:
    size = texts.size(one.bytes) if one.bytes else ""
    label = literal(texts.ATTACHED_REMOVE.format(name=one.name))
    return (
        f'<li class="attachment" data-state="{state.name}"><span class="name" title="{literal(one.name)}">'
        f'{literal(one.name)}</span> <span class="quiet">{literal(size)}</span> '
        f'<span class="state" role="status" title="{literal(state.said)}">{literal(state.said)}</span> '
        f'<button type="button" class="remove" data-attached="{one.key}" title="{label}" aria-label="{label}">×'
        "</button></li>"
    )
